"""What holds in every run of the simulator, whatever the seed and whatever we send."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from simulator_kit import BTC, SECOND, Driver, RebuiltBook, cancel, exchange, order

from engine.core.events import (
    BookUpdate,
    CancelRejected,
    MarketEvent,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
    TradePrint,
)
from engine.core.order import OrderType, Side, TimeInForce
from engine.exchange.simulator.exchange import SimulatedExchange

SEEDS = st.integers(min_value=0, max_value=2**32)
GENERATE = (Phase.explicit, Phase.generate)
"""A smaller seed is no simpler run: nothing to shrink."""


class RandomTrader:
    """Sends all kinds of orders and cancels, near the touch, every tenth of a second."""

    def __init__(self, driver: Driver, seed: int) -> None:
        self.driver = driver
        self.random = Random(seed)
        self.sent: dict[str, SubmitOrder] = {}

    def trade(self, seconds: int) -> None:
        """Trade for a while, then cancel everything and wait for the answers."""
        for _ in range(seconds * 10):
            self.driver.run_for(SECOND // 10)
            self._act()
        self.driver.run_for(SECOND)
        for client_id in self.driver.exchange.venue.open_orders():
            self.driver.exchange.venue.cancel(cancel(client_id, self.driver.now))
        self.driver.run_for(SECOND)

    def _act(self) -> None:
        draw, venue, now = self.random, self.driver.exchange.venue, self.driver.now
        if self.sent and draw.random() < 0.4:
            venue.cancel(cancel(draw.choice(list(self.sent)[-8:]), now))
        mid = self.driver.exchange.market.book.mid()
        if mid is None:
            return
        side = draw.choice([Side.BUY, Side.SELL])
        kind = draw.random()
        client_id = f"o{len(self.sent)}"
        chosen = order(
            client_id,
            side,
            None if kind < 0.1 else mid // 2 + round(draw.gauss(0, 1) * 400),
            draw.choice([1, BTC.lots("0.001"), BTC.lots("0.05"), BTC.lots(1)]),
            now,
            order_type=OrderType.MARKET if kind < 0.1 else OrderType.LIMIT,
            time_in_force=draw.choice([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
            if kind < 0.5
            else TimeInForce.GTC,
            post_only=kind > 0.7,
        )
        self.sent[client_id] = chosen
        venue.submit(chosen)
        if draw.random() < 0.05:
            venue.submit(chosen)


def digest(events: list[MarketEvent]) -> str:
    return hashlib.sha256(msgspec.json.encode(events)).hexdigest()


def run_digest(seed: int) -> str:
    """Digest of all events of a run with our orders in it."""
    driver = Driver(exchange(seed=seed))
    RandomTrader(driver, seed).trade(8)
    return digest([*driver.market, *driver.orders])  # type: ignore[list-item]


# -- the published market -----------------------------------------------------------------------------


def test_no_published_book_is_crossed_and_hardly_any_is_one_sided() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=12, deadline=None, derandomize=True, phases=GENERATE)
    @given(SEEDS)
    def check(seed: int) -> None:
        book, last_trade = RebuiltBook(), 0

        def watch(event: MarketEvent) -> None:
            nonlocal last_trade
            book.apply(event)
            if isinstance(event, TradePrint):
                assert event.trade_id == last_trade + 1
                last_trade = event.trade_id
                seen["trades"] += 1
            elif isinstance(event, BookUpdate):
                seen["books"] += 1
                touch = book.touch
                if touch is None:
                    seen["one-sided"] += 1
                else:
                    assert touch[0] < touch[1]
                assert all(size > 0 for side in (book.bids, book.asks) for size in side.values())

        Driver(exchange(seed=seed)).run(60 * SECOND, watch)

    check()
    assert seen["trades"] > 5000
    assert seen["books"] > 10_000
    assert seen["one-sided"] <= seen["books"] / 1000


@settings(max_examples=8, deadline=None, derandomize=True, phases=GENERATE)
@given(SEEDS, st.sampled_from([0.0, 50.0]))
def test_the_book_rebuilt_from_updates_is_the_exchanges_own(seed: int, batch_ms: float) -> None:
    """Invariant 24. Without feed latency the rebuilt book is current after every batch."""
    simulated = exchange(seed=seed, feed_latency_ms=0.0, feed_latency_jitter_ms=0.0, feed_batch_ms=batch_ms)
    book, compared = RebuiltBook(), 0
    for step in range(1, 400):
        for event in simulated.feed.poll(step * SECOND // 20):
            book.apply(event)
        own = simulated.market.book
        assert book.bids == dict(own.bids())
        assert book.asks == dict(own.asks())
        compared += len(book.bids)
    assert compared > 10_000


# -- determinism --------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    assert run_digest(3) == run_digest(3)
    assert run_digest(3) != run_digest(4)


def test_the_run_does_not_depend_on_the_hash_seed() -> None:
    script = "from test_simulator_properties import run_digest; print(run_digest(3))"
    here = Path(__file__).resolve()
    path = os.pathsep.join([str(here.parent), str(here.parents[1]), str(here.parents[2])])
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("0", "12345")
    ]
    assert outputs == [run_digest(3)] * 2


@settings(max_examples=6, deadline=None, derandomize=True, phases=GENERATE)
@given(SEEDS, st.integers(min_value=1_000_000, max_value=900_000_000))
def test_how_often_somebody_polls_changes_nothing(seed: int, step_ns: int) -> None:
    exact = Driver(exchange(seed=seed))
    exact.run(20 * SECOND)
    simulated: SimulatedExchange = exchange(seed=seed)
    events: list[MarketEvent] = []
    now = 0
    while now < 20 * SECOND:
        now = min(now + step_ns, 20 * SECOND)
        events += simulated.feed.poll(now)
    assert events == exact.market


# -- our orders ---------------------------------------------------------------------------------------


def test_every_order_is_answered_in_causal_order_and_the_account_adds_up() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=10, deadline=None, derandomize=True, phases=GENERATE)
    @given(SEEDS, st.sampled_from(["0", "40", "-1"]))
    def check(seed: int, maker_bps: str) -> None:
        simulated = exchange(
            seed=seed, maker_bps=maker_bps, reject_probability=0.02, quote="2000000", base="30"
        )
        account = simulated.account
        quote, base = account.quote, account.base
        driver = Driver(simulated)
        trader = RandomTrader(driver, seed)
        trader.trade(30)
        fills: set[str] = set()
        states = dict.fromkeys(trader.sent, "sent")
        unfilled = {each.client_id: each.size for each in trader.sent.values()}
        for event in driver.orders:
            seen[type(event).__name__] += 1
            sent, state = trader.sent[event.client_id], states[event.client_id]
            if isinstance(event, OrderAccepted):
                if state in ("sent", "rejected"):
                    states[event.client_id] = "open"
                else:
                    seen["duplicates"] += 1
            elif isinstance(event, OrderRejected):
                assert state in ("sent", "rejected")
                states[event.client_id] = "rejected"
                seen[event.code] += 1
            elif isinstance(event, OrderFilled):
                assert state == "open"
                assert event.fill_id not in fills
                fills.add(event.fill_id)
                assert event.side is sent.side
                assert not (sent.post_only and not event.is_maker)
                assert sent.price is None or event.side * (sent.price - event.price) >= 0
                assert not event.is_maker or event.price == sent.price
                unfilled[event.client_id] -= event.size
                quote -= event.side * BTC.notional(event.price, event.size) + event.fee
                base += event.side * event.size
                seen["maker" if event.is_maker else "taker"] += 1
                if unfilled[event.client_id] == 0:
                    states[event.client_id] = "done"
                else:
                    assert unfilled[event.client_id] > 0
                    seen["partial"] += 1
            elif isinstance(event, OrderCancelled | OrderExpired):
                assert state == "open"
                assert event.remaining == unfilled[event.client_id] > 0
                states[event.client_id] = "done"
            else:
                assert isinstance(event, CancelRejected)
        assert set(states.values()) == {"done", "rejected"}
        assert (account.quote, account.base) == (quote, base)
        assert (account.quote_held, account.base_held) == (0, 0)
        assert simulated.venue.open_orders() == []

    check()
    assert seen["OrderFilled"] > 300
    for kind in (
        "maker",
        "taker",
        "partial",
        "duplicates",
        "OrderCancelled",
        "OrderExpired",
        "CancelRejected",
    ):
        assert seen[kind] > 20, (kind, seen)
    for code in ("POST_ONLY", "MIN_NOTIONAL", "FOK_UNFILLABLE", "BUSY"):
        assert seen[code] > 10, (code, seen)


# -- adverse selection --------------------------------------------------------------------------------


def maker_markout_bps(informed_share: float) -> float:
    """Mean of what background makers and ours have gained 10 s after each print, in bps of the price.

    Maker markout per unit: s (M[t + 10 s] - P), s = -1 when the taker buys.
    """
    gains: list[float] = []
    for seed in range(2):
        book, mids, prints = RebuiltBook(), {}, []
        driver = Driver(
            exchange(seed=seed, informed_share=informed_share, sweep_share=0.0, jump_rate_per_hour=0.0)
        )
        for second in range(1, 300):
            first = len(driver.market)
            driver.run(second * SECOND)
            for event in driver.market[first:]:
                book.apply(event)
                if isinstance(event, TradePrint):
                    prints.append((second, event))
            assert book.touch is not None
            mids[second] = sum(book.touch) / 2
        gains += [
            -each.taker_side * (mids[second + 10] - each.price) / each.price * 1e4
            for second, each in prints
            if second + 10 in mids
        ]
    assert len(gains) > 1000
    return sum(gains) / len(gains)


def test_informed_flow_is_what_makers_lose_to() -> None:
    """With informed takers alone, who trade when the value in 10 s lies beyond the touch, makers lose."""
    none, some, all_ = (maker_markout_bps(share) for share in (0.0, 0.5, 1.0))
    assert none > some > all_
    assert all_ < 0


@pytest.mark.nightly
def test_a_day_of_market_stays_sound() -> None:
    simulated = exchange(seed=11)
    one_sided = 0
    for step in range(1, 24 * 3600 * 4):
        simulated.feed.poll(step * SECOND // 4)
        book = simulated.market.book
        assert not book.is_crossed()
        one_sided += book.mid() is None
        assert book.order_count < 200
    assert one_sided < 24 * 3600 * 4 / 1000
