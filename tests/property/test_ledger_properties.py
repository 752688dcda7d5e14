"""The ledger over random streams: residual exactly 0, position the sum of fills, repetition harmless."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.events import OrderFilled
from engine.core.fill_ids import FillIds
from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order import Side

THIRDS = Instrument.create("AAA-QQQ", tick="0.03", lot="0.007")
OPENING = 10**9
STREAMS, STEPS = 300, 200
Step = OrderFilled | int | None
"""A fill, a new mark in half ticks, or None: the mark is lost."""


def random_fill(source: random.Random, number: int, price: int) -> OrderFilled:
    asset = source.choices(("", "AAA", "BNB"), (80, 12, 8))[0]
    fee = source.randint(-50, 5_000) if asset == "" else source.randint(-1, 3)
    return OrderFilled(
        product="AAA-QQQ",
        recv_ns=number,
        wall_ns=number * 10**12,
        client_id=f"c{number // 3}",
        fill_id=source.choice((str(1_000 + number), f"fill-{number:x}")),
        side=source.choice((Side.BUY, Side.SELL)),
        price=price,
        size=source.randint(1, 17),
        fee=fee,
        is_maker=source.random() < 0.8,
        fee_asset=asset,
        fee_value=source.randint(-10, 900) if asset == "BNB" else None,
    )


def random_stream(seed: int) -> list[Step]:
    """Fills (some told twice, some late), marks, and moments without a mark."""
    source = random.Random(seed)
    price = 3_000
    steps: list[Step] = []
    told: list[OrderFilled] = []
    late: list[OrderFilled] = []
    for number in range(STEPS):
        price = max(1, price + source.randint(-9, 9))
        draw = source.random()
        if draw < 0.50:
            fill = random_fill(source, number, price)
            (late if source.random() < 0.15 else steps).append(fill)
            told.append(fill)
        elif draw < 0.60 and told:
            steps.append(source.choice(told))
        elif draw < 0.65 and late:
            steps.append(late.pop(source.randrange(len(late))))
        elif draw < 0.68:
            steps.append(None)
        else:
            steps.append(2 * price + source.randint(-3, 3))
    return steps + late


def play(ledger: Ledger, step: Step) -> bool:
    if isinstance(step, OrderFilled):
        return ledger.apply(step)
    ledger.mark(step)
    return True


@pytest.mark.parametrize("opening_mark", [True, False])
def test_the_residual_is_exactly_zero_after_every_event(opening_mark: bool) -> None:
    seen: Counter[str] = Counter()
    for seed in range(STREAMS):
        ledger = Ledger(THIRDS, OPENING)
        if opening_mark:
            ledger.mark(6_000)
        booked: dict[str, OrderFilled] = {}
        for step in random_stream(seed):
            held, cost = ledger.position, ledger.open_cost
            fresh = play(ledger, step)
            assert ledger.residual == 0, (seed, step)
            # Invariant 19: both ways of counting give the same equity.
            if ledger.equity is not None:
                assert ledger.unrealised is not None
                mark = ledger.mark_half_ticks or 0
                assert ledger.equity == OPENING + ledger.realised + ledger.unrealised - ledger.fees
                if not ledger.other_fees:
                    assert ledger.equity == OPENING + ledger.cash + THIRDS.value(mark, ledger.position)
                assert ledger.profit == ledger.captured + ledger.revaluation - ledger.fees
                seen["valued"] += 1
            else:
                seen["unvalued"] += 1
            if not isinstance(step, OrderFilled):
                continue
            if fresh:
                booked[step.fill_id] = step
                seen["fills"] += 1
                reduces = held * step.side < 0
                seen["flips"] += reduces and step.size > abs(held)
                seen["inexact"] += reduces and step.size < abs(held) and cost * step.size % abs(held) != 0
                seen["fee in " + (step.fee_asset or "quote")] += 1
            else:
                assert booked[step.fill_id] == step
                seen["duplicates"] += 1
            # Invariant 20: position is the sum of signed fills (less fees paid in base).
            signed = sum(one.side * one.size for one in booked.values())
            in_base = sum(one.fee for one in booked.values() if one.fee_asset == "AAA")
            assert ledger.position == signed - in_base == ledger.bought - ledger.sold - ledger.base_fees
            assert ledger.fill_count == len(booked)
    assert seen["fills"] > 25_000
    assert min(seen[name] for name in ("flips", "inexact", "duplicates", "unvalued", "valued")) > 1_000, seen
    assert min(seen[name] for name in ("fee in quote", "fee in AAA", "fee in BNB")) > 1_000, seen


def test_against_exact_fractions() -> None:
    """A second ledger with exact average cost: each rounding of released cost moves less than an atom."""
    for seed in range(60):
        ledger = Ledger(THIRDS, 0)
        position, cost, realised, reductions = 0, Fraction(0), Fraction(0), 0
        for step in random_stream(seed):
            if not isinstance(step, OrderFilled) or step.fee_asset or not play(ledger, step):
                continue
            paid = step.side * THIRDS.notional(step.price, step.size)
            closed = min(step.size, abs(position)) if position * step.side < 0 else 0
            if closed:
                released = cost * closed / abs(position)
                realised -= Fraction(paid * closed, step.size) + released
                cost -= released
                reductions += 1
            cost += Fraction(paid * (step.size - closed), step.size)
            position += step.side * step.size
            assert ledger.position == position
            assert abs(ledger.open_cost - cost) <= reductions
            assert abs(ledger.realised - realised) <= reductions
            assert (ledger.open_cost == 0) == (position == 0)
        assert reductions > 10


def test_order_and_repetition_change_no_total() -> None:
    reordered = 0
    for seed in range(60):
        fills = [
            step for step in random_stream(seed) if isinstance(step, OrderFilled) and step.fee_asset != "AAA"
        ]
        source = random.Random(seed)
        mixed = fills + source.sample(fills, len(fills) // 2)
        source.shuffle(mixed)
        ledgers = []
        for stream in (fills, mixed):
            ledger = Ledger(THIRDS, OPENING)
            ledger.mark(6_000)
            for fill in stream:
                ledger.apply(fill)
                assert ledger.residual == 0
            ledgers.append(ledger)
        first, second = ledgers
        for name in (
            "position",
            "cash",
            "fees",
            "equity",
            "profit",
            "captured",
            "bought",
            "sold",
            "fill_count",
        ):
            assert getattr(first, name) == getattr(second, name), name
        assert dict(first.other_fees) == dict(second.other_fees)
        reordered += first.realised != second.realised
    assert reordered > 10  # average cost does follow the order: the streams really differed


class CostFromAverage(Ledger):
    """Recomputes the open cost from a rounded average instead of moving it."""

    __slots__ = ()

    def _exchange(self, sign: int, lots: int, half_ticks: int) -> None:
        super()._exchange(sign, lots, half_ticks)
        if self._position:
            self._open_cost = self._open_cost // self._position * self._position


class ProfitIsPositionTimesMid(Ledger):
    """Saboteur 20: unrealised P&L = position x mid."""

    __slots__ = ()

    def _unrealised_at(self, half_ticks: int) -> int:
        return self._atoms * half_ticks * self._position


class FeeNotInCash(Ledger):
    """Counts a fee and forgets to pay it."""

    __slots__ = ()

    def _charge(self, fill: OrderFilled) -> None:
        cash = self._cash
        super()._charge(fill)
        self._cash = cash


class ForgetsToRevalue(Ledger):
    """Takes a new mark without revaluing what is held."""

    __slots__ = ()

    def _revalue(self, half_ticks: int) -> None:
        self._reference = half_ticks


class LosesALot(Ledger):
    """Position off by a lot on every sale, with the money right."""

    __slots__ = ()

    def _exchange(self, sign: int, lots: int, half_ticks: int) -> None:
        super()._exchange(sign, lots, half_ticks)
        self._position += sign < 0


@pytest.mark.parametrize(
    "wrong", [CostFromAverage, ProfitIsPositionTimesMid, FeeNotInCash, ForgetsToRevalue, LosesALot]
)
def test_a_wrong_ledger_is_caught_by_the_residual(wrong: type[Ledger]) -> None:
    for seed in range(20):
        ledger = wrong(THIRDS, OPENING)
        ledger.mark(6_000)
        residuals = []
        for step in random_stream(seed):
            play(ledger, step)
            residuals.append(ledger.residual)
        assert any(residuals), (wrong.__name__, seed)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    tick=st.integers(1, 999),
    lot=st.integers(1, 999),
    steps=st.lists(
        st.tuples(st.booleans(), st.integers(1, 10**6), st.integers(1, 10**9), st.integers(-(10**6), 10**12)),
        min_size=1,
        max_size=30,
    ),
)
def test_any_instrument_any_sizes(tick: int, lot: int, steps: list[tuple[bool, int, int, int]]) -> None:
    instrument = Instrument.create("AAA-QQQ", tick=f"{tick}e-5", lot=f"{lot}e-9")
    ledger = Ledger(instrument, 0)
    for number, (buys, price, size, fee) in enumerate(steps):
        ledger.mark(2 * price + (size & 1))
        assert ledger.residual == 0
        ledger.apply(
            OrderFilled(
                product="AAA-QQQ",
                recv_ns=0,
                wall_ns=0,
                client_id="c",
                fill_id=str(number),
                side=Side.BUY if buys else Side.SELL,
                price=price,
                size=size,
                fee=fee,
                is_maker=True,
            )
        )
        assert ledger.residual == 0
        assert ledger.profit == instrument.value(2 * price + (size & 1), ledger.position) + ledger.cash


STATE_OF_ONE_STREAM = """
import hashlib
import msgspec
from test_ledger_properties import OPENING, THIRDS, play, random_stream
from engine.core.ledger import Ledger
ledger = Ledger(THIRDS, OPENING)
for step in random_stream(5):
    play(ledger, step)
print(hashlib.sha256(msgspec.msgpack.encode(ledger.save(), order="deterministic")).hexdigest())
"""


def test_the_state_is_the_same_over_two_runs_and_over_hash_seeds() -> None:
    """Invariant 23, the ledger's share."""
    outputs = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.path.dirname(__file__)}
        run = subprocess.run(
            [sys.executable, "-c", STATE_OF_ONE_STREAM],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(run.stdout)
    assert len(outputs) == 1
    assert len(outputs.pop().strip()) == 64


def test_the_ids_of_an_hour_of_fills_cost_kilobytes() -> None:
    """40,000 fills under venue trade numbers, two of five trades ours: a few bitmaps, not 40,000 strings."""
    source = random.Random(1)
    trade = 81_000_000
    numbers = [trade := trade + source.randint(1, 4) for _ in range(40_000)]
    tracemalloc.start()
    try:
        ids = FillIds()
        assert all(ids.add(str(number)) for number in numbers)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100_000
    assert not any(ids.add(str(number)) for number in numbers)
