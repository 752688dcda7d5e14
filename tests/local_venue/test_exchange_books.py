"""The order-level story of a product against what really happened, over random days of trading."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from local_venue.exchange_client import OrderBook

from engine.core.clock import ManualClock
from engine.core.events import MarketEvent, TradePrint
from engine.core.order import BUY, SELL, Side, TimeInForce
from engine.local_venue.core import VenueCore
from engine.local_venue.exchange.books import ProductBook
from engine.local_venue.market import RecordedFrame
from engine.local_venue.orders import Fill, NewOrder, OrderRefused, VenueOrder
from engine.local_venue.settings import VenueSettings

STEPS = 300


class Listener:
    """Passes everything on to the book, and takes down what the book tells."""

    def __init__(self) -> None:
        self.core = VenueCore(VenueSettings(products=("BTC-USD",)), ManualClock(0, 1_790_000_000_000_000_000))
        self.book = ProductBook(self.core, self.core.products["BTC-USD"], self, Random(1))
        self.core.add_listener(self)
        self.told: list[dict[str, Any]] = []
        self.own: list[dict[str, Any]] = []
        self.trades: list[tuple[TradePrint, dict[str, Any]]] = []

    def on_market(self, event: MarketEvent) -> None:
        self.book.on_market(event)

    def on_recorded(self, frame: RecordedFrame) -> None:
        raise AssertionError("there is no recording")

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        self.book.on_order(order, fill)

    def on_event(self, message: dict[str, Any], private: Mapping[str, Any] | None) -> None:
        self.told.append(message)
        if private is not None:
            self.own.append(message)

    def on_trade(self, trade: TradePrint, match: dict[str, Any]) -> None:
        self.trades.append((trade, match))

    def pass_time(self, ms: int) -> None:
        assert isinstance(self.core.clock, ManualClock)
        self.core.clock.advance(ms * 1_000_000)
        self.core.poll()

    def snapshot(self) -> OrderBook:
        return OrderBook(
            {
                "bids": self.book.orders(BUY),
                "asks": self.book.orders(SELL),
                "sequence": self.book.sequence,
            }
        )

    def levels(self) -> dict[tuple[str, str], Decimal]:
        return {
            (side.word, str(price)): Decimal(size)
            for side in (BUY, SELL)
            for price, size, _ in self.book.levels(side, None)
        }


def act(listener: Listener, random: Random) -> None:
    """Something happens: we order, change or cancel, others trade with us or come and go."""
    core, tape = listener.core, listener.core.tape("BTC-USD")
    side = random.choice((BUY, SELL))
    best = tape.levels.levels(side, 1)[0][0]
    price = Decimal(best + random.randint(-40, 40)) / 100
    size = Decimal(random.randint(1, 50)) / 1000
    live = core.live_orders()
    try:
        match random.randrange(7):
            case 0 | 1:
                terms = random.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC))
                core.submit(NewOrder("BTC-USD", side, size, price, time_in_force=terms))
            case 2 if live:
                core.cancel([random.choice(live).order_id])
            case 3 if live:
                order = random.choice(live)
                core.trade_against(order.order_id, min(order.leaves, size))
            case 4 if live:
                order = random.choice(live)
                core.edit(order.order_id, order.price or price, order.filled + size)
            case 5:
                core.stranger_order("BTC-USD", side, size, random.choice((price, None)))
            case _:
                listener.pass_time(random.choice((1, 50, 300)))
    except OrderRefused:
        pass  # a refusal changes nothing, and there are plenty of orders


@pytest.mark.parametrize("seed", range(4))
def test_the_story_leads_from_book_to_book(seed: int) -> None:
    random, listener = Random(seed), Listener()
    listener.pass_time(100)
    book = listener.snapshot()
    for _ in range(STEPS):
        act(listener, random)
        if random.random() < 0.3:
            listener.book.settle()
    listener.core.cancel([order.order_id for order in listener.core.live_orders()[::2]])
    listener.pass_time(100)
    listener.book.settle()
    for event in listener.told:
        book.apply(event)
    assert book.whole() == listener.snapshot().whole()
    assert book.totals() == listener.levels()
    assert {event["type"] for event in listener.told} == {"received", "open", "match", "done", "change"}


@pytest.mark.parametrize("seed", range(4))
def test_every_fill_of_ours_is_told_once_and_every_trade_has_its_match(seed: int) -> None:
    random, listener = Random(seed), Listener()
    listener.pass_time(100)
    if seed % 2:  # and it makes no difference whether anybody asked for level 3
        listener.snapshot()
    for _ in range(STEPS):
        act(listener, random)
        if random.random() < 0.3:
            listener.book.settle()
    listener.pass_time(100)
    listener.book.settle()
    told = [event for event in listener.own if event["type"] == "match"]
    fills = listener.core.fills()[::-1]
    assert len(fills) > 20
    assert [(event["trade_id"], Decimal(event["size"]), Decimal(event["price"])) for event in told] == [
        (int(fill.trade_id), fill.size, fill.price) for fill in fills
    ]
    assert [trade.trade_id for trade, _ in listener.trades] == list(range(1, len(listener.trades) + 1))
    assert all(match["trade_id"] == trade.trade_id for trade, match in listener.trades)
    ours = {event["trade_id"]: event for event in told}
    for trade, match in listener.trades:
        if trade.trade_id in ours:
            assert match["maker_order_id"] == ours[trade.trade_id]["maker_order_id"]
        assert Side.BUY.word == match["side"] if trade.taker_side is SELL else match["side"] == "sell"


@pytest.mark.parametrize("seed", range(3))
def test_what_our_orders_are_told_adds_up(seed: int) -> None:
    random, listener = Random(100 + seed), Listener()
    listener.pass_time(100)
    for _ in range(STEPS):
        act(listener, random)
    listener.core.cancel([order.order_id for order in listener.core.live_orders()])
    listener.pass_time(100)
    for order in listener.core.orders():
        events = [
            event
            for event in listener.own
            if order.order_id
            in (event.get("order_id"), event.get("maker_order_id"), event.get("taker_order_id"))
        ]
        assert [event["type"] for event in events].count("received") == 1
        assert (events[0]["type"], events[-1]["type"]) == ("received", "done")
        assert sum(Decimal(event["size"]) for event in events if event["type"] == "match") == order.filled
        assert Decimal(events[-1]["remaining_size"]) == order.size - order.filled
        left = None
        for event in events:
            if event["type"] == "open":
                left = Decimal(event["remaining_size"])
            elif event["type"] == "change":
                assert Decimal(event["old_size"]) == left
                left = Decimal(event["new_size"])
            elif left is not None and event.get("maker_order_id") == order.order_id:
                left -= Decimal(event["size"])
        assert left is None or left == order.size - order.filled
