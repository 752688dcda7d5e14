"""What a client keeps of the views that it was sent."""

from __future__ import annotations

import msgspec
from console.views import BTC, WALL, hello, mirror, product_view, view

from engine.link.tape import Missed, Print
from engine.link.view import Trade


def told(first: int, last: int) -> tuple[Trade, ...]:
    return tuple(Trade(number, WALL + number, 100, 1, 1) for number in range(first, last + 1))


def test_every_view_of_every_product_feeds_its_tape() -> None:
    eth = msgspec.structs.replace(BTC, symbol="ETH-USD")
    known = mirror(greeting=hello(BTC, eth), shown=view(product_view(trades=told(1, 2), trade_count=2)))
    other = msgspec.structs.replace(product_view(trades=told(1, 3), trade_count=9), symbol="ETH-USD")
    known.apply(view(product_view(trades=told(2, 4), trade_count=4), other), 1)
    assert [entry.number for entry in known.tapes["BTC-USD"].newest_first] == [4, 3, 2, 1]
    assert known.tapes["ETH-USD"].newest_first[-1] == Missed(6, 6)
    assert isinstance(known.tapes["ETH-USD"].newest_first[0], Print)


def test_another_engine_has_another_tape() -> None:
    known = mirror(shown=view(product_view(trades=told(1, 4), trade_count=4)))
    known.apply(hello(), 1)
    assert len(known.tapes["BTC-USD"].newest_first) == 4
    known.apply(hello(engine_id="5a5a"), 1)
    assert known.tapes == {}
    known.apply(view(product_view(trades=told(7, 8), trade_count=8)), 1)
    assert [entry.number for entry in known.tapes["BTC-USD"].newest_first] == [8, 7, 6]
