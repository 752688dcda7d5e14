"""A displayed book without our own orders, against a book rebuilt by hand."""

from __future__ import annotations

import random

from engine.core.depth import DepthReader
from engine.core.events import Level
from engine.core.order import Side
from engine.core.own_orders import ExcludingOwn


class PlainBook(DepthReader):
    """Two lists of levels, best first."""

    def __init__(self, bids: list[Level], asks: list[Level]) -> None:
        self.sides = {Side.BUY: bids, Side.SELL: asks}

    def best_bid(self) -> int | None:
        return self.sides[Side.BUY][0][0] if self.sides[Side.BUY] else None

    def best_ask(self) -> int | None:
        return self.sides[Side.SELL][0][0] if self.sides[Side.SELL] else None

    def levels(self, side: Side, depth: int | None = None) -> list[Level]:
        return self.sides[side][:depth]

    def volume_at(self, side: Side, price: int) -> int:
        return dict(self.sides[side]).get(price, 0)

    def sequence(self) -> int:
        return 41


BOOK = PlainBook([(100, 5), (99, 3), (97, 8)], [(102, 4), (103, 6)])


def test_without_own_orders_the_book_is_as_displayed() -> None:
    view = ExcludingOwn(BOOK, {}, {})
    assert (view.best_bid(), view.best_ask(), view.mid()) == (100, 102, 202)
    assert view.levels(Side.BUY) == BOOK.levels(Side.BUY)
    assert view.sequence() == 41


def test_own_lots_are_subtracted_and_levels_of_ours_alone_vanish() -> None:
    view = ExcludingOwn(BOOK, {100: 5, 99: 1}, {102: 3})
    assert (view.best_bid(), view.best_ask()) == (99, 102)
    assert view.levels(Side.BUY) == [(99, 2), (97, 8)]
    assert view.levels(Side.SELL, 1) == [(102, 1)]
    assert (view.volume_at(Side.BUY, 100), view.volume_at(Side.BUY, 99)) == (0, 2)
    assert view.volume_at(Side.BUY, 98) == 0


def test_a_record_ahead_of_the_display_never_makes_a_size_negative() -> None:
    view = ExcludingOwn(BOOK, {100: 9, 98: 4}, {})
    assert view.volume_at(Side.BUY, 100) == 0
    assert view.volume_at(Side.BUY, 98) == 0
    assert view.levels(Side.BUY) == [(99, 3), (97, 8)]


def test_a_depth_is_filled_up_from_behind_our_own_levels() -> None:
    view = ExcludingOwn(BOOK, {100: 5, 99: 3}, {})
    assert view.levels(Side.BUY, 1) == [(97, 8)]
    assert view.levels(Side.BUY, 0) == []


def test_a_side_that_is_ours_alone_is_empty() -> None:
    view = ExcludingOwn(PlainBook([(100, 5)], [(101, 5)]), {100: 5}, {101: 5})
    assert (view.best_bid(), view.best_ask(), view.mid()) == (None, None, None)
    assert view.imbalance() == 0.0
    assert ExcludingOwn(PlainBook([], []), {100: 5}, {}).best_bid() is None


def test_derived_figures_leave_our_orders_out() -> None:
    view = ExcludingOwn(BOOK, {100: 5}, {102: 4, 103: 1})
    assert view.mid() == 99 + 103
    assert view.imbalance() == (11 - 5) / 16
    sweep = view.sweep(Side.BUY, 5)
    assert (sweep.filled, sweep.average) == (5, 103)
    assert not view.is_crossed()


def test_own_orders_are_read_live() -> None:
    own: dict[int, int] = {}
    view = ExcludingOwn(BOOK, own, {})
    assert view.best_bid() == 100
    own[100] = 5
    assert view.best_bid() == 99


def test_against_a_book_rebuilt_without_us_over_2000_random_books() -> None:
    rng = random.Random(5)
    hidden_touches = 0
    for _ in range(2_000):
        sides = {}
        for side, start in ((Side.BUY, 100), (Side.SELL, 101)):
            prices = sorted(rng.sample(range(8), rng.randint(0, 6)))
            sides[side] = [(start - side * p, rng.randint(1, 4)) for p in prices]
        own = {
            side: {price: rng.randint(1, 5) for price, _ in sides[side] if rng.random() < 0.4}
            for side in sides
        }
        rest = {
            side: [(price, size - own[side].get(price, 0)) for price, size in sides[side]] for side in sides
        }
        book = PlainBook(*sides.values())
        view = ExcludingOwn(book, own[Side.BUY], own[Side.SELL])
        expected = PlainBook(*([level for level in rest[side] if level[1] > 0] for side in sides))
        assert view.best_bid() == expected.best_bid()
        assert view.best_ask() == expected.best_ask()
        hidden_touches += view.best_bid() != book.best_bid()
        for side in sides:
            for depth in (0, 1, 2, 5, None):
                assert view.levels(side, depth) == expected.levels(side, depth)
            for price in range(90, 112):
                assert view.volume_at(side, price) == expected.volume_at(side, price)
    assert hidden_touches > 200
