"""What all quoting models share: fair value, order flow, fill brake, distance from unhedged fills."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from model_bench import MS, SECOND, ModelBench, X, inputs, price_of, side_of, terms

from engine.core.order import BUY, SELL
from engine.strategies import BUILT_IN
from engine.strategy.flow_gauge import FlowGauge
from engine.strategy.micro_price_learner import LEAST_MOVES, MOST_TRANSITIONS, MicroPriceLearner
from engine.strategy.order_flow import Touch

D = Decimal
ALL = sorted(BUILT_IN)


@pytest.mark.parametrize("name", ALL)
def test_the_weighted_mid_shifts_both_sides_towards_the_thin_side(name: str) -> None:
    plain, weighted = ModelBench(name), ModelBench(name, fv_model="weighted", imbalance_threshold=D(1))
    plain_touch = plain.touch()
    weighted.market(bid_size="15", ask_size="5")
    decision = weighted.decide()
    # Three quarters of the touch is bid: half a dollar above the mid.
    moved = D(price_of(decision, BUY)) - D(plain_touch[0])
    assert moved == D("0.5") == D(price_of(decision, SELL)) - D(plain_touch[1])
    bid = side_of(decision, BUY)[0]
    assert [term.name for term in bid.explain()][:2] == ["fair", "fair value"]
    assert terms(bid)["fair value"] == 500_000_000
    assert inputs([bid])["fair value"] == "weighted mid, 0.75 of the touch is bid; at most 5 bp"


def test_the_fair_value_is_never_further_from_the_mid_than_allowed() -> None:
    bench = ModelBench("glft", fv_model="weighted", fv_max_dev_bps=D("0.1"))
    bench.market(bid_size="15", ask_size="5")
    assert terms(bench.decide().quotes[0])["fair value"] == 100_000_000


@pytest.mark.parametrize("fv_model", ["mid", "weighted", "micro"])
def test_nothing_shifts_in_a_balanced_market(fv_model: str) -> None:
    assert ModelBench("glft", fv_model=fv_model).touch() == ModelBench("glft").touch()


def walk(learner: MicroPriceLearner, steps: int, seed: int) -> None:
    """A market in which the side with less at the touch gives way, nine times out of ten."""
    random, bid = Random(seed), 1_000
    for step in range(steps):
        bid_size, ask_size = random.choice([(9, 1), (1, 9), (5, 5)])
        learner.on_touch(step * SECOND, Touch(bid, bid_size, bid + 1, ask_size))
        if bid_size != ask_size and random.random() < 0.5:
            up = (bid_size > ask_size) == (random.random() < 0.9)
            bid += 1 if up else -1


def test_the_micro_price_is_learnt_and_is_symmetric() -> None:
    learner = MicroPriceLearner()
    heavy, light, even = Touch(10, 9, 11, 1), Touch(10, 1, 11, 9), Touch(10, 5, 11, 5)
    assert learner.half_ticks(heavy) is None
    walk(learner, 3_000, seed=4)
    up, down, flat = (learner.half_ticks(touch) for touch in (heavy, light, even))
    assert up is not None
    assert down is not None
    # Half of the heavy states move by two half ticks, nine of ten upwards: 0.8 at once, and nothing after it.
    assert up == pytest.approx(0.8, abs=0.12)
    assert down == pytest.approx(-up)
    assert flat == pytest.approx(0)


def test_the_micro_price_waits_for_enough_moves() -> None:
    bench = ModelBench("glft", fv_model="micro")
    bench.market(bid_size="15", ask_size="5")
    told = inputs(bench.decide().quotes)["fair value"]
    assert told == "weighted mid until the micro-price is learnt, 0 moves of the mid seen; at most 5 bp"
    for number in range(2 * LEAST_MOVES + 4):
        is_heavy = number % 2 == 0
        bid = 9_999 + (number // 2) % 2
        bench.market(str(bid), str(bid + 2), "15" if is_heavy else "5", "5" if is_heavy else "15")
        bench.look(100 * MS)
    bench.market(bid_size="14", ask_size="5")
    bench.look(10 * SECOND)
    assert inputs(bench.decide().quotes)["fair value"].startswith("micro-price, ")


def test_what_the_micro_price_has_counted_is_forgotten_by_halves() -> None:
    learner = MicroPriceLearner()
    for number in range(MOST_TRANSITIONS + 10):
        learner.on_touch(0, Touch(10, 9 if number % 2 else 1, 11, 1 if number % 2 else 9))
    assert learner.transitions < MOST_TRANSITIONS * 0.6
    assert sum(learner.save().stays) <= 2 * learner.transitions + 2


def test_an_interruption_is_no_transition() -> None:
    learner = MicroPriceLearner()
    learner.on_touch(0, Touch(10, 9, 11, 1))
    learner.interrupt()
    learner.on_touch(0, Touch(20, 1, 21, 9))
    assert learner.transitions == 0


def test_the_order_flow_is_measured_in_its_own_deviations() -> None:
    gauge, random = FlowGauge(), Random(1)
    for second in range(59):
        gauge.on_flow(second * SECOND, random.choice([-10, 10]))
    assert gauge.z == 0, "a minute is needed"
    for second in range(59, 200):
        gauge.on_flow(second * SECOND, 10 if second % 2 else -10)
    assert abs(gauge.z) < 0.5
    for second in range(200, 210):
        gauge.on_flow(second * SECOND, 20)
    # Ten seconds of 20 against √10 · √(mean of squares).
    rms = ((200 * 100 + 9 * 400) / 209) ** 0.5
    assert gauge.z == pytest.approx(200 / (10**0.5 * rms), rel=0.02)
    gauge.advance(230 * SECOND)
    assert gauge.z == 0, "what is over is over"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("buying", [True, False])
def test_the_side_that_order_flow_runs_into_is_pulled(name: str, buying: bool) -> None:
    bench = ModelBench(name, ofi_pull_z=D(2))
    size = 10
    for second in range(90):
        # Bids and asks come and go in turn; in the end one side is added to all the time.
        size = 10 + second % 2 if second < 75 else size + 1
        bench.market(**{"bid_size" if buying else "ask_size": str(size)})
        bench.look()
    decision = bench.decide()
    pulled, kept = (SELL, BUY) if buying else (BUY, SELL)
    assert not side_of(decision, pulled)
    assert side_of(decision, kept)
    assert "runs into it (ofi_pull_z)" in decision.reason
    bench.configure()
    assert side_of(bench.decide(), pulled)


@pytest.mark.parametrize("name", ALL)
def test_many_fills_of_a_side_pause_it_until_they_are_old(name: str) -> None:
    bench = ModelBench(name, fill_brake_n=3, fill_brake_window_s=D(2))
    for _ in range(2):
        bench.fill(BUY)
    bench.fill(BUY, is_maker=False)
    assert side_of(bench.decide(after_ns=200 * MS), BUY), "two fills, and an order that took"
    bench.fill(BUY)
    decision = bench.decide(after_ns=200 * MS)
    assert not side_of(decision, BUY)
    assert side_of(decision, SELL)
    assert decision.reason == "no bid: 3 fills within 2 s (fill_brake_n)"
    assert not side_of(bench.decide(after_ns=1_500 * MS), BUY)
    assert side_of(bench.decide(after_ns=200 * MS), BUY)


@pytest.mark.parametrize("name", ALL)
def test_the_closing_side_keeps_away_from_what_is_not_hedged(name: str) -> None:
    bench = ModelBench(name, min_distance_from_unhedged_bps=D(20))
    assert bench.touch("0.02") == ModelBench(name).touch("0.02"), "no fill is known"
    bench.fill(SELL, "9000")
    bench.fill(BUY, "10200")
    bench.fill(BUY, "10010")
    long = bench.decide("0.02")
    # 10,010 and twenty basis points of it, rounded up.
    assert price_of(long, SELL) == "10030.02"
    asks = side_of(long, SELL)
    assert [ask.price - asks[0].price for ask in asks] == [0, 100, 200], "its levels keep their distances"
    assert terms(asks[0])["unhedged"] > 0
    assert price_of(long, BUY) == price_of(ModelBench(name).decide("0.02"), BUY), (
        "the other side does not move"
    )
    bench.fill(SELL, "9990")
    assert price_of(bench.decide("0.02"), SELL) == "10030.02", "a sale leaves the last purchase as it is"
    short = bench.decide("-0.02")
    assert price_of(short, BUY) == "9970.02"
    assert terms(side_of(short, BUY)[0])["unhedged"] < 0


def test_a_position_within_the_target_is_not_unhedged() -> None:
    held = ModelBench("basic", min_distance_from_unhedged_bps=D(20), target_position=D("0.05"))
    free = ModelBench("basic", target_position=D("0.05"))
    for bench in (held, free):
        bench.fill(BUY, "10100")
    assert held.touch("0.02") == free.touch("0.02")


def test_a_quote_far_enough_from_what_is_not_hedged_stays() -> None:
    bench = ModelBench("basic", min_distance_from_unhedged_bps=D(2))
    bench.fill(BUY)
    assert bench.touch("0.02") == ModelBench("basic").touch("0.02")
    quote = side_of(bench.decide("0.02"), SELL)[0]
    assert terms(quote)["unhedged"] == 0
    assert sum(terms(quote).values()) == quote.price * 2 * X.half_tick_units
