"""The L2 mirror against a plain dictionary per side, and its refusals."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import OrderError
from engine.core.events import Level
from engine.core.order import Side
from engine.core.price_levels import PriceLevels

prices = st.integers(min_value=1, max_value=60)
levels = st.lists(st.tuples(prices, st.one_of(st.just(0), st.integers(0, 9))), max_size=8)
steps = st.lists(
    st.tuples(st.sampled_from(["snapshot", "update", "update", "update"]), levels, levels), max_size=30
)


def plain_apply(side: dict[int, int], changes: list[Level]) -> Counter[str]:
    """The naive model: a dictionary, read by sorting it."""
    done: Counter[str] = Counter()
    for price, size in changes:
        if size:
            done["replaced" if price in side else "added"] += 1
            side[price] = size
        elif price in side:
            done["deleted"] += 1
            del side[price]
        else:
            done["absent"] += 1
    return done


def compare(book: PriceLevels, bids: dict[int, int], asks: dict[int, int]) -> None:
    best_first_bids = sorted(bids.items(), reverse=True)
    best_first_asks = sorted(asks.items())
    assert book.bids() == best_first_bids
    assert book.asks() == best_first_asks
    for depth in (0, 1, 3, 1_000):
        assert book.levels(Side.BUY, depth) == best_first_bids[:depth]
        assert book.levels(Side.SELL, depth) == best_first_asks[:depth]
    assert book.best_bid() == (max(bids) if bids else None)
    assert book.best_ask() == (min(asks) if asks else None)
    assert book.level_count(Side.BUY) == len(bids)
    assert book.level_count(Side.SELL) == len(asks)
    assert book.total_size(Side.BUY) == sum(bids.values())
    assert book.total_size(Side.SELL) == sum(asks.values())
    assert book.is_crossed() == bool(bids and asks and max(bids) >= min(asks))
    for price in range(61):
        assert book.volume_at(Side.BUY, price) == bids.get(price, 0)
        assert book.volume_at(Side.SELL, price) == asks.get(price, 0)


def test_against_a_plain_dictionary() -> None:
    seen: Counter[str] = Counter()

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(steps)
    def run(script: list[tuple[str, list[Level], list[Level]]]) -> None:
        book = PriceLevels()
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        for kind, bid_changes, ask_changes in script:
            if kind == "snapshot":
                book.apply_snapshot(bid_changes, ask_changes)
                bids = {price: size for price, size in dict(bid_changes).items() if size}
                asks = {price: size for price, size in dict(ask_changes).items() if size}
            else:
                absent = book.absent_deletes
                book.apply(bid_changes, ask_changes)
                done = plain_apply(bids, bid_changes) + plain_apply(asks, ask_changes)
                assert book.absent_deletes - absent == done["absent"]
                seen.update(done)
            seen[kind] += 1
            compare(book, bids, asks)
            seen["crossed"] += book.is_crossed()
        assert book.sequence() == len(script)

    run()
    for what in ("snapshot", "update", "added", "replaced", "deleted", "absent", "crossed"):
        assert seen[what] >= 20, f"{what} happened {seen[what]} times only"


def test_derived_reads() -> None:
    book = PriceLevels()
    book.apply_snapshot([(99, 2), (100, 10)], [(102, 4), (103, 6)])
    assert (book.mid(), book.spread()) == (202, 2)
    assert book.imbalance(1) == pytest.approx(6 / 14)
    assert book.weighted_mid() == pytest.approx((100 * 4 + 102 * 10) / 14)
    assert book.sweep(Side.BUY, 5).cost == 4 * 102 + 103
    assert not book.sweep(Side.SELL, 13).is_complete
    before = book.snapshot(1)
    book.apply([(100, 0)], [])
    assert before.bids == ((100, 10),)


def test_a_negative_size_in_a_snapshot_changes_nothing() -> None:
    book = PriceLevels()
    book.apply_snapshot([(100, 1)], [(101, 1)])
    with pytest.raises(OrderError, match="-3 lots"):
        book.apply_snapshot([(99, 1), (98, -3)], [(101, 1)])
    assert (book.bids(), book.asks()) == ([(100, 1)], [(101, 1)])


@pytest.mark.parametrize(("bids", "asks"), [([(100, -1)], []), ([], [(101, -1)]), ([(99, -1)], [(105, 2)])])
def test_a_negative_size_first_leaves_the_book(bids: list[Level], asks: list[Level]) -> None:
    book = PriceLevels()
    book.apply_snapshot([(100, 1)], [(101, 1)])
    with pytest.raises(OrderError, match="left as it was"):
        book.apply(bids, asks)
    assert (book.bids(), book.asks()) == ([(100, 1)], [(101, 1)])


@pytest.mark.parametrize(("bids", "asks"), [([(99, 5), (98, -1)], []), ([(99, 5)], [(102, -1)])])
def test_half_an_update_never_stays(bids: list[Level], asks: list[Level]) -> None:
    book = PriceLevels()
    book.apply_snapshot([(100, 1)], [(101, 1)])
    with pytest.raises(OrderError, match="emptied"):
        book.apply(bids, asks)
    assert (book.bids(), book.asks(), book.mid()) == ([], [], None)


def test_clear_forgets_levels_and_keeps_counters() -> None:
    book = PriceLevels()
    book.apply_snapshot([(100, 1)], [(101, 1)])
    book.clear()
    assert (book.best_bid(), book.best_ask(), book.snapshots) == (None, None, 1)
    book.apply([(100, 0)], [(101, 0)])
    assert book.absent_deletes == 2


@pytest.mark.parametrize("depth", [0, 1, 2, 5, 100])
def test_volumes_are_the_sums_of_the_levels(depth: int) -> None:
    book = PriceLevels()
    book.apply_snapshot([(100 - n, 3 + n) for n in range(7)], [(101 + n, 11 * n + 1) for n in range(4)])
    sums = tuple(sum(size for _, size in book.levels(side, depth)) for side in (Side.BUY, Side.SELL))
    assert book.volumes(depth) == sums
