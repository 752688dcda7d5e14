"""Markouts: the check values of accounting section 8, censoring, and the split of section 14."""

from __future__ import annotations

import random
from bisect import bisect_right
from typing import Any

from engine.core.events import OrderFilled
from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order import Side
from engine.telemetry.markouts import HORIZONS_NS, Markouts

UNIT = Instrument.create("BTC-USD", tick="0.01", lot="1")
SECOND = 10**9


def fill(at_ns: int, side: Side, price: str, size: int = 1, fee: str = "0", **more: Any) -> OrderFilled:
    return OrderFilled(
        product="BTC-USD",
        recv_ns=at_ns,
        wall_ns=at_ns,
        client_id="c",
        fill_id=more.pop("fill_id", str(at_ns)),
        side=side,
        price=UNIT.ticks(price),
        size=size,
        fee=UNIT.atoms(fee),
        is_maker=more.pop("is_maker", True),
        **more,
    )


def half_ticks(mid: str) -> int:
    return 2 * UNIT.ticks(mid)


def money(atoms: int) -> str:
    return UNIT.money_text(atoms)


def test_horizons() -> None:
    assert [ns / SECOND for ns in HORIZONS_NS] == [0.1, 1, 10, 60, 300]


def test_the_check_of_section_8() -> None:
    markouts = Markouts(UNIT)
    markouts.on_mid(0, half_ticks("100.02"))
    assert markouts.on_fill(fill(0, Side.BUY, "100", fee="0.4"), "B0")
    markouts.on_mid(9 * SECOND, half_ticks("99.97"))
    markouts.on_time(10 * SECOND)
    at_10_s = markouts.groups()["B0"][2]
    assert (at_10_s.fills, at_10_s.lots, at_10_s.censored) == (1, 1, 0)
    assert money(at_10_s.captured) == "0.02"
    assert money(at_10_s.markout) == "-0.03"
    assert money(at_10_s.adverse_selection) == "-0.05"  # minus half the impact
    assert money(at_10_s.net) == "-0.43"
    assert at_10_s.per_unit(UNIT) == -3.0


def test_a_sale_mirrors_a_purchase() -> None:
    markouts = Markouts(UNIT)
    markouts.on_mid(0, half_ticks("100.02"))
    markouts.on_fill(fill(0, Side.SELL, "100.04", size=3))
    markouts.on_mid(SECOND, half_ticks("100.01"))
    markouts.on_time(2 * SECOND)
    at_1_s = markouts.groups()["sell"][1]
    assert (money(at_1_s.captured), money(at_1_s.adverse_selection)) == ("0.06", "0.03")
    assert at_1_s.per_unit(UNIT) == 3.0


def test_the_mid_in_force_at_the_horizon_counts_not_the_next_one() -> None:
    markouts = Markouts(UNIT, horizons_ns=(SECOND,))
    markouts.on_mid(0, half_ticks("100"))
    markouts.on_fill(fill(0, Side.BUY, "100"))
    markouts.on_mid(SECOND // 2, half_ticks("101"))
    markouts.on_mid(SECOND + 1, half_ticks("105"))
    assert money(markouts.total()[0].markout) == "1"


def test_a_mid_that_changes_at_the_horizon_itself_is_in_force_then() -> None:
    markouts = Markouts(UNIT, horizons_ns=(SECOND,))
    markouts.on_mid(0, half_ticks("100"))
    markouts.on_fill(fill(0, Side.BUY, "100"))
    markouts.on_mid(SECOND, half_ticks("102"))
    markouts.on_time(SECOND)
    assert money(markouts.total()[0].markout) == "2"


def test_horizons_not_reached_are_censored_never_zero() -> None:
    markouts = Markouts(UNIT)
    markouts.on_mid(0, half_ticks("100"))
    markouts.on_fill(fill(0, Side.BUY, "99.99"))
    markouts.on_time(5 * SECOND)
    markouts.close()
    assert [(sums.fills, sums.censored) for sums in markouts.total()] == [
        (1, 0),
        (1, 0),
        (0, 1),
        (0, 1),
        (0, 1),
    ]
    assert [sums.captured for sums in markouts.total()[2:]] == [0, 0, 0]
    assert markouts.total()[2].per_unit(UNIT) is None
    assert markouts.waiting == 0


def test_a_horizon_without_a_mid_is_censored() -> None:
    markouts = Markouts(UNIT, horizons_ns=(SECOND, 3 * SECOND))
    markouts.on_mid(0, half_ticks("100"))
    markouts.on_fill(fill(0, Side.BUY, "100"))
    markouts.on_mid(SECOND // 2, None)
    markouts.on_mid(2 * SECOND, half_ticks("101"))
    markouts.on_time(3 * SECOND)
    assert [(sums.fills, sums.censored) for sums in markouts.total()] == [(0, 1), (1, 0)]


def test_a_fill_without_a_mid_captures_nothing() -> None:
    markouts = Markouts(UNIT, horizons_ns=(SECOND,))
    markouts.on_fill(fill(0, Side.BUY, "100"))
    markouts.on_mid(1, half_ticks("99"))
    markouts.on_time(SECOND)
    total = markouts.total()[0]
    assert (money(total.captured), money(total.adverse_selection)) == ("0", "-1")


def test_taking_fills_are_left_out() -> None:
    markouts = Markouts(UNIT)
    assert not markouts.on_fill(fill(0, Side.BUY, "100", is_maker=False))
    assert markouts.waiting == 0
    assert markouts.groups() == {}


def test_waiting_fills_are_bounded_and_the_oldest_is_censored() -> None:
    markouts = Markouts(UNIT, horizons_ns=(SECOND,), capacity=10)
    markouts.on_mid(0, half_ticks("100"))
    for number in range(25):
        markouts.on_fill(fill(number, Side.BUY, "100"))
    assert markouts.waiting == 10
    markouts.on_time(2 * SECOND)
    assert (markouts.total()[0].fills, markouts.total()[0].censored) == (10, 15)


def test_against_a_second_implementation_and_the_ledgers_captured_spread() -> None:
    source = random.Random(8)
    markouts, ledger = Markouts(UNIT), Ledger(UNIT, 0)
    mids: list[tuple[int, int]] = []
    fills: list[OrderFilled] = []
    now, mid = 0, 20_000
    for number in range(4_000):
        now += source.randrange(1, SECOND)
        if source.random() < 0.7:
            mid += source.randint(-5, 5)
            mids.append((now, mid))
            markouts.on_mid(now, mid)
            ledger.mark(mid)
        elif mids:
            side = source.choice((Side.BUY, Side.SELL))
            price = UNIT.price_text((mid - side * source.randint(-2, 6)) // 2)
            fills.append(fill(now, side, price, source.randint(1, 9), "0.01", fill_id=f"x{number}"))
            markouts.on_fill(fills[-1], f"{side.word}{source.randint(0, 2)}")
            ledger.apply(fills[-1])
        markouts.on_time(now)
    end = now
    markouts.close()

    times = [at for at, _ in mids]

    def mid_at(time: int) -> int:
        return mids[bisect_right(times, time) - 1][1]

    for horizon, total in zip(HORIZONS_NS, markouts.total(), strict=True):
        settled = [one for one in fills if one.recv_ns + horizon <= end]
        assert total.fills == len(settled)
        assert total.censored == len(fills) - len(settled)
        assert total.lots == sum(one.size for one in settled)
        assert total.fees == sum(one.fee for one in settled)
        k = UNIT.atoms_per_half_tick_lot
        assert total.markout == k * sum(
            one.side * one.size * (mid_at(one.recv_ns + horizon) - 2 * one.price) for one in settled
        )
        assert total.adverse_selection == k * sum(
            one.side * one.size * (mid_at(one.recv_ns + horizon) - mid_at(one.recv_ns)) for one in settled
        )
    assert len(fills) > 1_000
    assert len(markouts.groups()) == 6
    first = markouts.total()[0]
    assert first.censored <= 1
    if not first.censored:
        assert first.captured == ledger.captured
