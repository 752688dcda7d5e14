"""What the simulator's tests share: an exchange ready to run, a driver, and a book rebuilt from events."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.core.events import (
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    MarketEvent,
    OrderEvent,
    SubmitOrder,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule
from engine.exchange.simulator.exchange import SimulatedExchange
from engine.exchange.simulator.settings import SimulatorSettings

SECOND = 1_000_000_000
BTC = Instrument.create(
    "BTC-USD", tick="0.01", lot="0.00000001", min_size="0.00000001", max_size="3400", min_notional="1"
)

QUIET: dict[str, Any] = {
    "maker_rate_per_min": 0.0,
    "taker_rate_per_min": 0.0,
    "noise_rate_per_min": 0.0,
    "arbitrageur_rate_per_min": 0.0,
    "volatility_pct_sqrt_min": 0.0,
    "jump_rate_per_hour": 0.0,
    "order_latency_jitter_ms": 0.0,
    "answer_latency_jitter_ms": 0.0,
    "feed_latency_jitter_ms": 0.0,
}
"""Nothing moves but the ladder, which keeps its shape; latencies are constant."""


def exchange(
    *,
    maker_bps: str = "40",
    taker_bps: str = "60",
    quote: str = "1000000",
    base: str = "10",
    **settings: Any,
) -> SimulatedExchange:
    """An exchange of BTC-USD with funds for us."""
    fees = FeeSchedule.from_bps(Decimal(maker_bps), Decimal(taker_bps))
    account = Account(BTC, fees, quote=BTC.atoms(quote), base=BTC.lots(base))
    return SimulatedExchange(BTC, SimulatorSettings(**settings).for_product(65083.66, 1.0), account)


def order(
    client_id: str, side: Side, price: int | None, size: int, now_ns: int = 0, **terms: Any
) -> SubmitOrder:
    """A limit order, unless the terms say otherwise."""
    return SubmitOrder("BTC-USD", now_ns, client_id, side, size, price, **terms)


def cancel(client_id: str, now_ns: int = 0) -> CancelOrder:
    """A cancel."""
    return CancelOrder("BTC-USD", now_ns, client_id)


class Driver:
    """Polls an exchange exactly when it says that something may be due, and keeps all that came."""

    def __init__(self, simulated: SimulatedExchange) -> None:
        self.exchange = simulated
        self.now = 0
        self.market: list[MarketEvent] = []
        self.orders: list[OrderEvent] = []

    def run(self, until_ns: int, on_market: Callable[[MarketEvent], None] | None = None) -> None:
        """Run up to and including a time. Every event must come at its own time, never late."""
        feed, venue = self.exchange.feed, self.exchange.venue
        while True:
            due = min(each for each in (feed.next_due_ns(), venue.next_due_ns()) if each is not None)
            if due > until_ns:
                self.now = until_ns
                return
            self.now = max(self.now, due)
            for event in feed.poll(self.now):
                assert event.recv_ns == self.now
                self.market.append(event)
                if on_market is not None:
                    on_market(event)
            for answer in venue.poll(self.now):
                assert answer.recv_ns == self.now
                self.orders.append(answer)

    def run_for(self, ns: int) -> None:
        """Run on by a span."""
        self.run(self.now + ns)

    @property
    def prints(self) -> list[TradePrint]:
        """The tape so far."""
        return [event for event in self.market if isinstance(event, TradePrint)]


class RebuiltBook:
    """A book made of nothing but published events: two plain dicts."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def apply(self, event: MarketEvent) -> None:
        """Apply a snapshot or an update; other events change nothing."""
        if isinstance(event, BookSnapshot):
            self.bids, self.asks = dict(event.bids), dict(event.asks)
        elif isinstance(event, BookUpdate):
            for side, changes in ((self.bids, event.bids), (self.asks, event.asks)):
                for price, size in changes:
                    if size:
                        side[price] = size
                    else:
                        side.pop(price, None)

    @property
    def touch(self) -> tuple[int, int] | None:
        """Best bid and best ask, or None when a side is empty."""
        return (max(self.bids), min(self.asks)) if self.bids and self.asks else None


def root_mean_square(values: list[float]) -> float:
    """Square root of the mean square."""
    return math.sqrt(sum(value * value for value in values) / len(values))


def quiet(**settings: Any) -> Driver:
    """A driver of a quiet market with these settings."""
    return Driver(exchange(**{**QUIET, **settings}))


def ran(seconds: int, **settings: Any) -> Driver:
    """A quiet market with these settings, run for a while."""
    driver = quiet(**settings)
    driver.run_for(seconds * SECOND)
    return driver


def updates(driver: Driver) -> list[BookUpdate]:
    """The book updates that came."""
    return [event for event in driver.market if isinstance(event, BookUpdate)]


def near_poisson(count: int, mean: float) -> bool:
    """Within five standard deviations of a Poisson count."""
    return abs(count - mean) <= 5 * math.sqrt(mean)


Check = Callable[[], None]


def effect(checks: dict[str, Check], name: str) -> Callable[[Check], Check]:
    """Register the check that shows what a setting does."""

    def register(check: Check) -> Check:
        checks[name] = check
        return check

    return register
