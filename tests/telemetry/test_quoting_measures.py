"""Presence, half-life of the inventory, fill ratios, and the error of an average markout."""

from __future__ import annotations

import math
import random
import statistics

import msgspec
import pytest
from attribute_walk import Walk

from engine.core.events import OrderFilled, SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import BUY
from engine.core.own_orders import OwnOrder
from engine.telemetry.fill_ratio import FillRatios, SlotSums
from engine.telemetry.half_life import FEWEST, HalfLife, HalfLifeState
from engine.telemetry.markout_sums import MarkoutSums
from engine.telemetry.presence import Presence, PresenceState

S = 1_000_000_000
UNIT = Instrument.create("BTC-USD", tick="0.01", lot="0.001")


def test_presence_counts_time_and_not_events() -> None:
    presence = Presence()
    touch = (100, 102)
    presence.on_state(0, 100, 103, touch)
    presence.on_state(6 * S, 100, 103, touch)
    presence.on_state(6 * S, 99, None, touch)
    presence.on_state(8 * S, None, 102, (100, 104))
    presence.on_state(10 * S, None, 102, None)
    presence.on_state(50 * S, 100, 102, touch)  # nobody knows where the market was
    sums = presence.sums
    assert sums.watched_ns == 10 * S
    assert (sums.bid_ns, sums.ask_ns, sums.both_ns) == (8 * S, 8 * S, 6 * S)
    assert (sums.bid_touch_ns, sums.ask_touch_ns) == (6 * S, 2 * S)
    assert sums.average_own_spread == 3.0
    assert sums.average_market_spread == pytest.approx((2 * 8 + 4 * 2) / 10)


def test_presence_without_time_has_no_averages() -> None:
    presence = Presence()
    presence.on_state(0, 100, 102, (100, 102))
    assert presence.sums.average_own_spread is None
    assert presence.sums.average_market_spread is None


def reverting(decay: float, seconds: int, seed: int) -> HalfLife:
    """A position that loses the share 1 - decay of itself each second, disturbed."""
    chance, half_life, position = random.Random(seed), HalfLife(), 0.0
    for second in range(seconds):
        half_life.on_position(second * S + 1, round(position))
        position = decay * position + chance.gauss(0, 10_000)
    return half_life


@pytest.mark.parametrize("expected", [3.0, 10.0, 40.0])
def test_the_half_life_of_a_reverting_position_is_found(expected: float) -> None:
    measured = reverting(0.5 ** (1 / expected), 40_000, seed=1).seconds
    assert measured is not None
    assert measured == pytest.approx(expected, rel=0.1)


def test_a_position_that_does_not_revert_has_no_half_life() -> None:
    growing, still, few = HalfLife(), HalfLife(), HalfLife()
    for second in range(500):
        growing.on_position(second * S, second * second)
        still.on_position(second * S, 7)
        if second < FEWEST // 2:
            few.on_position(second * S, second % 3)
    assert growing.autocorrelation is not None
    assert growing.autocorrelation > 1
    assert (growing.seconds, still.seconds, few.seconds) == (None, None, None)


def test_how_often_it_is_told_of_does_not_matter() -> None:
    often, seldom = HalfLife(), HalfLife()
    chance, position = random.Random(3), 0
    for tick in range(6_000):
        if tick % 25 == 0:
            position = position // 2 + chance.randint(-50, 50)
            seldom.on_position(tick * S // 5, position)
        often.on_position(tick * S // 5, position)
    seldom.on_position(5_999 * S // 5, position)
    assert often.seconds is not None
    assert seldom.seconds == pytest.approx(often.seconds)


def sent(slot: str, size: int, filled: int = 0) -> OwnOrder:
    order = OwnOrder(SubmitOrder("BTC-USD", 0, f"{slot}-{size}", BUY, size, 100, slot=slot))
    order.filled = filled
    return order


def filled(order: OwnOrder, size: int) -> OrderFilled:
    return OrderFilled("BTC-USD", 1, 1, order.client_id, f"f-{size}", BUY, 100, size, 0, True)


def test_the_fill_ratio_counts_lots_and_ended_orders_by_slot() -> None:
    ratios = FillRatios()
    first, second = sent("B0", 100, filled=30), sent("B0", 60)
    for order in (first, second, sent("B40", 9), sent("hedge", 1_000)):
        ratios.on_sent(order.command)
    ratios.on_fill(filled(first, 10), first)
    ratios.on_fill(filled(first, 20), first)
    ratios.on_fill(filled(first, 5), None)
    ratios.on_ended(first)
    ratios.on_ended(second)
    assert dict(ratios.slots()) == {"B0": SlotSums(2, 160, 1, 30), "B19": SlotSums(1, 9, 0, 0)}


def test_the_error_of_an_average_is_that_of_the_fills_in_it() -> None:
    chance = random.Random(5)
    markouts = [chance.randint(-900, 1_000) for _ in range(400)]
    sums = MarkoutSums()
    for markout in markouts:
        sums.settle(3, 0, markout * 3, 0)
    per_tick = 2 * UNIT.atoms_per_half_tick_lot
    assert sums.error_per_unit(UNIT) == pytest.approx(statistics.stdev(markouts) / math.sqrt(400) / per_tick)
    assert sums.per_unit(UNIT) == pytest.approx(statistics.mean(markouts) / per_tick)
    alone = MarkoutSums()
    alone.settle(3, 0, 10, 0)
    assert alone.error_per_unit(UNIT) is None


def test_a_big_fill_weighs_more_in_the_average_and_in_its_error() -> None:
    small, big = MarkoutSums(), MarkoutSums()
    for sums, lots in ((small, 1), (big, 100)):
        for n in range(20):
            sums.settle(1, 0, 10 + n % 2, 0)
        sums.settle(lots, 0, 500 * lots, 0)
    errors = [sums.error_per_unit(UNIT) for sums in (small, big)]
    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[1] > errors[0]


def test_groups_added_up_have_the_error_of_all_their_fills() -> None:
    chance = random.Random(2)
    whole, parts = MarkoutSums(), (MarkoutSums(), MarkoutSums())
    for n in range(200):
        lots, markout = chance.randint(1, 9), chance.randint(-50, 60)
        whole.settle(lots, 0, markout, 0)
        parts[n % 2].settle(lots, 0, markout, 0)
    total = MarkoutSums()
    for part in parts:
        total.add(part)
    assert total.error_per_unit(UNIT) == pytest.approx(whole.error_per_unit(UNIT))


def test_saved_and_loaded_they_go_on_the_same() -> None:
    presence, half_life, ratios = Presence(), HalfLife(), FillRatios()
    chance = random.Random(8)
    for second in range(200):
        at, bid = second * S + chance.randint(0, S - 1), chance.choice((None, 99, 100))
        presence.on_state(at, bid, 102, chance.choice((None, (100, 102))))
        half_life.on_position(at, chance.randint(-9, 9))
        ratios.on_sent(sent("B1", second + 1).command)
    others = Presence(), HalfLife(), FillRatios()
    encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode
    others[0].load(decode(encode(presence.save()), type=PresenceState))
    others[1].load(decode(encode(half_life.save()), type=HalfLifeState))
    others[2].load(decode(encode(ratios.save()), type=dict[str, SlotSums]))
    for loaded, kept in zip(others, (presence, half_life, ratios), strict=True):
        assert Walk(loaded).differing(Walk(kept)) == set()
