"""Whatever happens to a Trader: every quote is the sum of its terms, and a missing one has a reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from plugin_kit import EXAMPLE, Packages
from trader_bench import D, TraderBench, X, submits

from engine.core.events import (
    BookSnapshot,
    EdgeStatus,
    FeedState,
    OperatorAction,
    Restraint,
    SubmitOrder,
    Term,
    TradePrint,
)
from engine.core.order import BUY, SELL
from engine.strategies import BUILT_IN

UNIT = 2 * X.half_tick_units
"""A tick in model units."""
NAMES = (*sorted(BUILT_IN), EXAMPLE)
TRIMS = {"reducing", "on trial"}


def total(terms: tuple[Term, ...]) -> int:
    return sum(term.value for term in terms)


def random_bench(name: str, levels: int, random: Random) -> TraderBench:
    return TraderBench(
        engine__strategy=name,
        fees__maker_bps=D(random.choice([-1, 0, 2])),
        risk__band_bps=D(400),
        breaker__cooldown_s=1,
        breaker__trial_s=3,
        breaker__trial_size_pct=D(random.choice([10, 50, 99])),
        strategy__order_quantity=D(random.choice(["0.001", "0.01", "0.037"])),
        strategy__max_position=D(random.choice(["0.05", "0.2", "10"])),
        strategy__levels=levels,
        strategy__inventory_skew_unit=random.choice(["bp", "half_spread"]),
        strategy__fv_model=random.choice(["mid", "weighted", "micro"]),
        strategy__fill_brake_n=random.choice([0, 2]),
        strategy__min_distance_from_unhedged_bps=random.choice([None, D(10)]),
        strategy__auto_hedge_enabled=random.random() < 0.3,
        model__glft_solution=random.choice(["exact", "closed"]),
        model__gamma_per_bp=D(10) ** random.randint(-3, 0),
        model__calib_min_fills=random.choice([3, 50]),
        model__max_half_spread_bps=D(random.choice([3, 100])),
    )


class Scene:
    """A Trader to which anything may happen, checked at every step."""

    def __init__(self, name: str, seed: int) -> None:
        self.random = Random(f"{name} {seed}")
        levels = self.random.randint(1, 4)
        self.bench = random_bench(name, levels, self.random)
        self.levels = 1 if name == EXAMPLE else levels
        self.counts: Counter[str] = Counter()
        self.mid = 1_000_000
        self.trades = 0

    def play(self, steps: int) -> Counter[str]:
        for _ in range(steps):
            self.market()
            self.befall()
            commands = self.bench.step(self.random.choice([100, 400, 1_000]))
            for order in submits(commands):
                self.check_order(order)
            self.check_wanted()
            self.bench.accept(commands)
            self.bench.prove(commands)
            for order in submits(commands):
                if not order.post_only or self.random.random() < 0.2:
                    self.bench.fill(order, self.random.randint(1, order.size))
        return self.counts

    def market(self) -> None:
        random, bench = self.random, self.bench
        self.mid += random.randint(-60, 60)
        gap = random.choice([1, 20, 100])
        deep = random.choice([3, 200, 20_000])
        bids = [(self.mid - gap - step, random.randint(1, deep)) for step in range(3)]
        asks = [(self.mid + gap + step, random.randint(1, deep)) for step in range(3)]
        if random.random() < 0.03:
            bids = []
        bench.tell(BookSnapshot("X-USD", bench.now, bench.now, bids, asks))
        bench.feed(FeedState.LIVE)
        self.trades += 1
        side = random.choice([BUY, SELL])
        price = self.mid + side.value * random.randint(1, 900)
        bench.tell(TradePrint("X-USD", bench.now, bench.now, self.trades, price, 1, side))

    def befall(self) -> None:
        random, bench = self.random, self.bench
        what, now = random.random(), bench.now
        if what < 0.03:
            bench.prove(bench.operator(OperatorAction.TRIP_BREAKER))
        elif what < 0.06:
            bench.tell(EdgeStatus("X-USD", now, now, "TEST", Restraint.REDUCING, "said the test", ""))
        elif what < 0.12:
            bench.tell(EdgeStatus("X-USD", now, now, "TEST", Restraint.NONE, "over", ""))

    def check_order(self, order: SubmitOrder) -> None:
        if order.purpose != "quote":
            return
        record = self.bench.trader.orders.order(order.client_id)
        assert record is not None
        reasons = record.reasons()
        assert order.price is not None
        assert total(reasons.price) == order.price * UNIT
        assert total(reasons.size) == order.size
        self.counts["orders"] += 1

    def check_wanted(self) -> None:
        trader = self.bench.trader
        for quote in trader.wanted:
            assert total(quote.explain()) == quote.price * UNIT
            assert total(quote.explain_size()) == quote.size
            tick = next(term.value for term in quote.explain() if term.name == "tick")
            assert -UNIT < quote.side.value * tick <= 0
            for term in quote.explain_size():
                self.counts[term.name] += term.name in TRIMS
        if len(trader.wanted) < 2 * self.levels:
            self.counts["missing"] += 1
            assert trader.decision.reason, "a quote is missing and nobody says why"


def campaign(name: str, scenes: int, steps: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(scenes):
        counts += Scene(name, seed).play(steps)
    return counts


@pytest.fixture(autouse=True)
def example_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Packages(tmp_path, monkeypatch).example()


def require_variety(counts: Counter[str], least: int) -> None:
    for what in ("orders", "missing", *TRIMS):
        assert counts[what] >= least, counts


@pytest.mark.parametrize("name", NAMES)
def test_every_quote_of_a_trader_is_the_sum_of_its_terms(name: str) -> None:
    require_variety(campaign(name, scenes=12, steps=60), 8)


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_every_quote_of_a_trader_is_the_sum_of_its_terms_at_length(name: str) -> None:
    require_variety(campaign(name, scenes=2_000, steps=100), 1_000)
