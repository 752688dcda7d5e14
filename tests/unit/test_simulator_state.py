"""The simulated exchange as a value: complete, a copy, and refused where it does not fit."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from time import perf_counter

import msgspec
import pytest
from attribute_walk import Walk
from simulator_kit import BTC, SECOND, Driver, cancel, exchange, order

from engine.core.errors import StateError
from engine.core.events import BookSnapshot, FeedState, FeedStatus
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule
from engine.exchange.simulator.exchange import ExchangeState, SimulatedExchange
from engine.exchange.simulator.order_desk import REMEMBERED_IDS
from engine.exchange.simulator.settings import SimulatorSettings

TERMS = {
    "Account.fees", "Account.instrument",
    "Arbitrageur._margin", "Arbitrageur._rate", "Arbitrageur._size",
    "BookSide.sign",
    "ChangeLog._track_levels", "ChangeLog.is_active",
    "Ladder._interval", "Ladder._rate", "Ladder._size", "Ladder._spacing",
    "Link._jitter", "Link.least_ns",
    "Maker._depth", "Maker._half_spread", "Maker._noise", "Maker._rate",
    "Market._instrument", "Market._reach",
    "MarketData._product", "MarketData._start_wall_ns",
    "NoiseTrader._rate",
    "OrderBook._self_trade", "OrderBook.instrument", "OrderRules._instrument", "OrderRules.limits",
    "OrderDesk._product", "OrderDesk._settings", "OrderDesk._start_wall_ns",
    "SimulatedExchange._batch_ns", "SimulatedExchange._participants",
    "SimulatedExchange.instrument", "SimulatedExchange.settings",
    "Sizes._mu", "Sizes._sigma",
    "Taker._hurried", "Taker._informed", "Taker._rate", "Taker._sweep_depth", "Taker._sweep_impact",
    "ValueProcess._drift", "ValueProcess._horizon", "ValueProcess._jump_chance",
    "ValueProcess._jump_size", "ValueProcess._sigma", "ValueProcess._start",
}  # fmt: skip
"""What an exchange is built with. No state, so not saved."""

SHARED = {
    "MarketData._book", "MarketData._link", "OrderDesk._account", "OrderDesk._link", "OrderDesk._market",
    "SimulatorFeed._exchange", "SimulatorVenue._exchange", "Sizes._random", "BookOrder.level",
    "BookOrder.next", "BookOrder.previous", "PriceLevel.head", "PriceLevel.tail", "_Working.order",
}  # fmt: skip

IDLE = {
    "ChangeLog._changes", "ChangeLog._listeners",
    "ExpiryQueue._by_id", "ExpiryQueue._entries", "ExpiryQueue._number",
    "OrderBook._trades", "OrderBook._triggered",
    "StopOrders._buys", "StopOrders._by_id", "StopOrders._number", "StopOrders._sells",
}  # fmt: skip
"""Empty in every simulated book between two polls: it has no stops, no good-till-date orders and no
listeners, and its trades are drained."""


def busy(seconds: int = 30, **settings: float) -> SimulatedExchange:
    """An exchange in the middle of everything: our orders rest, and messages are on all ways."""
    driver = Driver(exchange(order_latency_ms=40.0, answer_latency_ms=40.0, **settings))
    venue, random = driver.exchange.venue, Random(5)
    for number in range(seconds * 5):
        driver.run_for(SECOND // 5)
        mid = driver.exchange.market.book.mid()
        assert mid is not None
        side = random.choice((Side.BUY, Side.SELL))
        away = side * random.randint(-200, 900)
        venue.submit(order(f"o{number}", side, mid // 2 - away, BTC.lots("0.01"), driver.now))
        venue.submit(order(f"s{number}", side, mid // 2 - side * 90_000, BTC.lots("0.1"), driver.now))
        venue.cancel(cancel(f"s{number - 20}", driver.now))
    return driver.exchange


def reloaded(simulated: SimulatedExchange, **settings: float) -> SimulatedExchange:
    """A fresh exchange that goes on from a saved one, the way a file brings it."""
    again = exchange(order_latency_ms=40.0, answer_latency_ms=40.0, **settings)
    again.load(msgspec.msgpack.decode(msgspec.msgpack.encode(simulated.save()), type=ExchangeState))
    return again


# -- complete --------------------------------------------------------------------------------------------


def test_no_attribute_of_the_exchange_or_of_its_parts_is_forgotten() -> None:
    fresh, run = Walk(exchange(order_latency_ms=40.0, answer_latency_ms=40.0)), busy()
    walked = Walk(run)
    assert Walk(reloaded(run)).differing(walked) == set()
    # Nothing escapes the comparison: whatever is not known to stand still has moved in this run.
    still = walked.attributes() - walked.differing(fresh)
    assert still == (TERMS | SHARED | IDLE) & walked.attributes()


def test_a_forgotten_attribute_would_be_seen() -> None:
    run = busy(seconds=2)
    run.market.value.forgotten = 1  # type: ignore[attr-defined]
