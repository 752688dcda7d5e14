"""The Exchange user channel added up: what does not add up is asked for, and never told as the truth."""

from __future__ import annotations

import json
from decimal import Decimal

from engine.exchange.coinbase.wire.own_messages import OwnMessages
from engine.exchange.coinbase.wire.user import OrderReport

D = Decimal


def message(kind: str, order: str, **fields: object) -> str:
    head = {"type": kind, "product_id": "BTC-USD", "order_id": order, "sequence": 1, "side": "sell"}
    return json.dumps(head | fields)


def match(trade_id: int, order: str, size: str, **fields: object) -> str:
    head = {
        "type": "match",
        "product_id": "BTC-USD",
        "trade_id": trade_id,
        "maker_order_id": order,
        "taker_order_id": "theirs",
        "side": "sell",
        "size": size,
        "price": "100",
        "maker_user_id": "u",
        "maker_fee_rate": "0.004",
    }
    return json.dumps({name: value for name, value in (head | fields).items() if value is not None})


def begun(size: str = "1") -> OwnMessages:
    messages = OwnMessages()
    messages.on_connect()
    assert messages.on_message(message("received", "o", price="100", size=size, order_type="limit"))
    assert messages.on_message(message("open", "o", price="100", remaining_size=size))
    messages.take()
    return messages


def last(messages: OwnMessages) -> OrderReport:
    report = messages.take()[-1]
    assert isinstance(report, OrderReport)
    return report


def test_an_order_that_is_filled_without_all_of_its_executions_is_asked_for() -> None:
    messages = begun()
    assert messages.on_message(match(1, "o", "0.4"))
    messages.take()
    assert not messages.on_message(message("done", "o", reason="filled", remaining_size="0"))
    assert messages.take() == []


def test_an_order_that_is_cancelled_with_less_left_than_we_added_up_is_asked_for() -> None:
    messages = begun()
    assert messages.on_message(match(1, "o", "0.4"))
    messages.take()
    assert not messages.on_message(message("done", "o", reason="canceled", remaining_size="0.5"))
    assert messages.take() == []


def test_ends_that_add_up_are_told() -> None:
    messages = begun()
    messages.on_message(match(1, "o", "0.4"))
    assert messages.on_message(message("done", "o", reason="canceled", remaining_size="0.6"))
    assert (last(messages).status, messages.counters.malformed) == ("CANCELLED", 0)
    messages = begun()
    messages.on_message(match(1, "o", "1.00000000"))
    assert messages.on_message(message("done", "o", reason="filled", remaining_size="0.00000000"))
    assert last(messages).status == "FILLED"
    messages = begun()
    assert messages.on_message(message("done", "o", reason="canceled"))  # nothing is said of the rest
    assert last(messages).status == "CANCELLED"


def test_an_order_that_the_venue_made_smaller_is_filled_by_less() -> None:
    messages = begun()
    assert messages.on_message(message("change", "o", new_size="0.7", old_size="1", reason="STP"))
    messages.on_message(match(1, "o", "0.7"))
    assert messages.on_message(message("done", "o", reason="filled", remaining_size="0"))
    assert last(messages).status == "FILLED"


def test_an_execution_without_a_fee_rate_is_not_told_as_one_for_nothing() -> None:
    messages = begun()
    assert not messages.on_message(match(1, "o", "0.4", maker_fee_rate=None))
    assert messages.take() == []
    assert messages.counters.malformed == 0


def test_a_long_lived_order_is_remembered_longer_than_thousands_that_have_ended() -> None:
    messages = begun()
    for number in range(6_000):
        name = f"n{number}"
        assert messages.on_message(message("received", name, price="101", size="1", order_type="limit"))
        assert messages.on_message(message("done", name, reason="canceled", remaining_size="1"))
        messages.take()
    assert messages.on_message(match(1, "o", "1"))
    assert messages.on_message(message("done", "o", reason="filled", remaining_size="0"))
    assert last(messages).filled == 1
