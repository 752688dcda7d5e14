"""Whatever the book, the tape, the settings and the position: quotes of every model are sound."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from model_bench import SECOND, ModelBench, X, side_of

from engine.core.order import BUY, SELL
from engine.strategies import BUILT_IN
from engine.strategy.protocol import Decision

D = Decimal
UNIT = 2 * X.half_tick_units


def random_settings(random: Random) -> dict[str, Any]:
    unit = random.choice([1, 10, 200])
    settings = {
        "order_quantity": unit * X.lot,
        "max_order_quantity": 10 * unit * X.lot,
        "max_position": random.choice([3, 20, 400]) * unit * X.lot,
        "levels": random.randint(1, 5),
        "price_level_spacing": D(random.randint(0, 30)) / 10,
        "quote_update_interval_ms": 1,
        "inventory_skew_unit": random.choice(["bp", "half_spread"]),
        "fv_model": random.choice(["mid", "weighted", "micro"]),
        "fv_max_dev_bps": D(random.choice([0, 1, 50])),
        "ofi_pull_z": D(random.choice([0, 2])),
        "fill_brake_n": random.choice([0, 3]),
        "min_distance_from_unhedged_bps": random.choice([None, D(0), D(3), D(200)]),
        "allow_negative_edge": random.random() < 0.5,
        "model__gamma_per_bp": D(10) ** random.randint(-4, 1),
        "model__horizon_s": D(random.choice([1, 60, 3600])),
        "model__glft_solution": random.choice(["exact", "closed"]),
        "model__max_inventory_units": random.choice([1, 2, 30, 200]),
        "model__calibrate": random.random() < 0.5,
        "model__calib_min_fills": random.choice([3, 20]),
        "model__sigma_ticks_sqrt_s": random.choice([None, D(1), D(20_000)]),
        "model__A_per_s": D(10) ** random.randint(-3, 3),
        "model__k_per_tick": random.choice([None, D("0.00001"), D(1)]),
        "model__min_half_spread_bps": D("0.1"),
        "model__max_half_spread_bps": random.choice([D("0.1"), D(20), D(5_000)]),
    }
    settings["min_order_quantity"] = X.lot
    return settings


def moved(bench: ModelBench, random: Random) -> None:
    """Another book, and perhaps trades and fills."""
    bid = random.choice([2, 50, 9_000, 999_000, 10_000_000]) + random.randint(0, 999)
    ask = bid + random.choice([1, 2, 30, 200])
    bids = [(bid - step, random.randint(1, 50_000)) for step in range(3) if bid > step]
    asks = [(ask + step, random.randint(1, 50_000)) for step in range(3)]
    bench.book.apply_snapshot(bids, asks)
    if random.random() < 0.6:
        bench.trade(X.price_text(ask + random.randint(0, 50)), BUY)
    if random.random() < 0.4:
        bench.fill(random.choice([BUY, SELL]), X.price_text(random.randint(1, 2_000_000)))


def check(bench: ModelBench, decision: Decision, position: int, counts: Counter[str]) -> None:
    best_bid, best_ask = bench.book.best_bid(), bench.book.best_ask()
    assert best_bid is not None
    assert best_ask is not None
    limit = X.lots(str(bench.context.settings.max_position))
    bids, asks = side_of(decision, BUY), side_of(decision, SELL)
    assert len({quote.slot for quote in decision.quotes}) == len(decision.quotes)
    for quote in decision.quotes:
        assert sum(term.value for term in quote.explain()) == quote.price * UNIT > 0
        assert sum(term.value for term in quote.explain_size()) == quote.size > 0
        tick = next(term.value for term in quote.explain() if term.name == "tick")
        assert -UNIT < quote.side.value * tick <= 0, "towards safety, by less than a tick"
        counts["quotes"] += 1
        counts["held"] += any(term.name == "unhedged" and term.value for term in quote.explain())
        counts["shifted"] += any(term.name == "fair value" and term.value for term in quote.explain())
        counts["measured"] += any("(measured" in term.inputs for term in quote.explain())
    for bid in bids:
        assert bid.price < best_ask
        for ask in asks:
            assert bid.price < ask.price
    assert all(ask.price > best_bid for ask in asks)
    if bids:
        assert position + sum(quote.size for quote in bids) <= limit
    if asks:
        assert position - sum(quote.size for quote in asks) >= -limit
    counts["left out"] += bool(decision.reason)
    assert decision.reason or (bids and asks)


def campaign(name: str, scenes: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(scenes):
        random = Random(f"{name} {seed}")
        bench = ModelBench(name, fee=random.choice(["-1", "0", "60"]), **random_settings(random))
        limit = X.lots(str(bench.context.settings.max_position))
        for _ in range(12):
            moved(bench, random)
            position = random.choice([0, random.randint(-limit - 5, limit + 5)])
            bench.look(random.choice([1, SECOND // 3, SECOND]))
            view = bench.view
            view.now_ns, view.position = bench.now, position
            decision = bench.maker.decide(view)
            if decision is not None:
                check(bench, decision, position, counts)
    return counts


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_quotes_of_every_model_are_sound(name: str) -> None:
    counts = campaign(name, scenes=120)
    for what in ("quotes", "held", "shifted", "left out"):
        assert counts[what] > 50, counts
    assert (counts["measured"] > 50) is (name != "basic")


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_quotes_of_every_model_are_sound_at_length(name: str) -> None:
    assert campaign(name, scenes=20_000)["quotes"] > 100_000


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_skew_stands_against_the_inventory(name: str) -> None:
    counts: Counter[str] = Counter()
    for seed in range(60):
        random = Random(seed)
        settings = random_settings(random) | {"min_distance_from_unhedged_bps": None, "fill_brake_n": 0}
        settings |= {"model__calibrate": False, "ofi_pull_z": D(0)}
        bench = ModelBench(name, **settings)
        limit = X.lots(str(bench.context.settings.max_position))
        centres: dict[int, Decision] = {}
        for share in (-2, -1, 0, 1, 2):
            view = bench.view
            bench.look()
            view.now_ns, view.position = bench.now, share * limit // 4
            decision = bench.maker.decide(view)
            assert decision is not None
            centres[share] = decision
        for lower, higher in ((-2, -1), (-1, 0), (0, 1), (1, 2)):
            for side in (BUY, SELL):
                less, more = side_of(centres[lower], side), side_of(centres[higher], side)
                if less and more:
                    assert more[0].price <= less[0].price, "what is longer quotes lower"
                    counts["moved"] += more[0].price < less[0].price
    assert counts["moved"] > 40
