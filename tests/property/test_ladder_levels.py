"""Whatever the book: grouping keeps every lot, the order of prices and the spread; places have bounds."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from engine.link.view import Level, WorkingOrder
from pinnacle_tui.widgets.depth_curve import RANGES, column_of, depth_curve, price_at
from pinnacle_tui.widgets.ladder_levels import (
    ASK,
    BID,
    MULTIPLES,
    Ladder,
    Scale,
    changed_prices,
    grouped_price,
    round_up,
    rungs,
    typical_largest,
)
from pinnacle_tui.widgets.ladder_rows import Widths, columns

STATES = ("new", "partially_filled", "pending_cancel", "pending", "uncertain")

sides = st.sampled_from((BID, ASK))
multiples = st.sampled_from(MULTIPLES[:9])
sizes = st.integers(1, 10**12)


@st.composite
def levels(draw: st.DrawFn, side: int, touch: int = 100_000) -> tuple[Level, ...]:
    """One side, best first."""
    made, price = [], touch
    for step, size in draw(st.lists(st.tuples(st.integers(1, 700), sizes), max_size=40)):
        made.append((price, size))
        price -= side * step
    return tuple(made)


@st.composite
def orders(draw: st.DrawFn, side: int, touch: int = 100_000) -> tuple[WorkingOrder, ...]:
    """A few of our orders outside the touch of `side`."""
    made = []
    for n, (away, size, state, ahead) in enumerate(
        draw(
            st.lists(
                st.tuples(
                    st.integers(0, 9_000), sizes, st.sampled_from(STATES), st.none() | st.integers(0, 10**9)
                ),
                max_size=8,
            )
        )
    ):
        filled = size // 3 if state == "partially_filled" else 0
        made.append(
            WorkingOrder(f"c{n}", "", "B0", "quote", side, touch - side * away, size, filled, state, n, ahead)
        )
    return tuple(made)


@st.composite
def books(draw: st.DrawFn) -> tuple[int, tuple[Level, ...], tuple[WorkingOrder, ...], int, bool]:
    side = draw(sides)
    return side, draw(levels(side)), draw(orders(side)), draw(multiples), draw(st.booleans())


@given(books())
def test_grouping_keeps_every_lot_and_the_order_of_prices(
    book: tuple[int, tuple[Level, ...], tuple[WorkingOrder, ...], int, bool],
) -> None:
    side, market, ours, multiple, is_cut = book
    made = rungs(side, market, ours, multiple, is_cut=is_cut)
    assert sum(rung.size or 0 for rung in made) == sum(size for _, size in market)
    assert sum(rung.own.lots for rung in made if rung.own) == sum(o.size - o.filled for o in ours)
    assert sum(rung.own.orders for rung in made if rung.own) == len(ours)
    prices = [rung.price for rung in made]
    assert prices == sorted(set(prices), reverse=side == BID)
    assert all(price % multiple == 0 for price in prices)
    assert all(rung.size != 0 or rung.own for rung in made)


@given(st.integers(-(10**9), 10**9), multiples)
def test_a_price_is_grouped_away_from_the_spread_by_less_than_a_group(price: int, multiple: int) -> None:
    bid, ask = grouped_price(BID, price, multiple), grouped_price(ASK, price, multiple)
    assert price - multiple < bid <= price <= ask < price + multiple


@given(st.data(), multiples, st.integers(1, 300))
def test_nothing_moves_through_the_spread(data: st.DataObject, multiple: int, spread: int) -> None:
    bids, asks = data.draw(levels(BID)), data.draw(levels(ASK, 100_000 + spread))
    for bid in rungs(BID, bids, (), multiple):
        assert bid.price <= bids[0][0]
    for ask in rungs(ASK, asks, (), multiple):
        assert ask.price >= asks[0][0]


@given(books())
def test_only_what_is_known_whole_is_called_complete(
    book: tuple[int, tuple[Level, ...], tuple[WorkingOrder, ...], int, bool],
) -> None:
    """A level just beyond the deepest that is shown would change no complete rung."""
    side, market, ours, multiple, is_cut = book
    made = rungs(side, market, ours, multiple, is_cut=is_cut)
    if not is_cut or not market:
        assert all(rung.is_complete and rung.size is not None for rung in made)
        return
    hidden = (market[-1][0] - side, 7)
    with_hidden = {rung.price: rung for rung in rungs(side, (*market, hidden), ours, multiple, is_cut=True)}
    for rung in made:
        if rung.is_complete:
            assert with_hidden[rung.price].size == rung.size
        else:
            assert rung.size is None or rung.price == grouped_price(side, market[-1][0], multiple)


@given(st.data(), multiples, st.booleans(), st.integers(1, 60), st.integers(-200, 200))
def test_scrolling_ends_where_the_rungs_end(
    data: st.DataObject, multiple: int, is_cut: bool, height: int, by: int
) -> None:
    ladder = Ladder(
        rungs(ASK, data.draw(levels(ASK, 100_001)), (), multiple, is_cut=is_cut),
        rungs(BID, data.draw(levels(BID)), (), multiple, is_cut=is_cut),
        is_cut,
    )
    centre = ladder.scrolled(0, by, height)
    assert (centre <= 0) if by < 0 else (centre >= 0)
    assert abs(centre) <= abs(by)
    assert ladder.scrolled(centre, 0, height) == centre
    first, last = centre - height // 2, centre - height // 2 + height - 1
    if centre < 0:
        assert first >= -len(ladder.asks) - 1
    if centre > 0:
        assert last <= len(ladder.bids) + 1
    rung = ladder.at(centre)
    if rung is not None:
        assert ladder.place_of(2 * rung.price) == centre


@given(books(), st.data())
def test_exactly_the_changed_rungs_are_marked(
    book: tuple[int, tuple[Level, ...], tuple[WorkingOrder, ...], int, bool], data: st.DataObject
) -> None:
    side, market, ours, multiple, _ = book
    grown = data.draw(st.sets(st.integers(0, max(0, len(market) - 1))))
    after = tuple((price, size + (n in grown)) for n, (price, size) in enumerate(market))

    def ladder(of: tuple[Level, ...]) -> Ladder:
        made = rungs(side, of, ours, multiple)
        return Ladder([], made) if side == BID else Ladder(made, [])

    expected = {(side, grouped_price(side, market[n][0], multiple)) for n in grown if market}
    assert changed_prices(ladder(market), ladder(after)) == expected
    assert changed_prices(ladder(after), ladder(after)) == frozenset()


@given(st.lists(sizes, min_size=1, max_size=60))
def test_one_giant_does_not_flatten_the_others(given_sizes: list[int]) -> None:
    scale = typical_largest(given_sizes)
    assert sum(size > scale for size in given_sizes) <= len(given_sizes) // 10 + 1
    if len(given_sizes) >= 12:
        assert typical_largest([*given_sizes, 10**18]) <= max(given_sizes)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=30))
def test_a_scale_holds_everything_and_does_not_tremble(given_sizes: list[int]) -> None:
    scale, before = Scale(), 0
    for size in given_sizes:
        full = scale.fit(size)
        assert full >= size
        if size <= before <= 2 * size:
            assert full == before
        before = full


@given(sizes)
def test_a_scale_ends_with_a_round_number_that_is_not_far(size: int) -> None:
    assert size <= round_up(size) <= 2 * size
    assert len(str(round_up(size)).rstrip("0")) <= 2


@given(
    st.integers(24, 80),
    st.integers(5, 12),
    st.integers(4, 9),
    st.integers(3, 9),
    st.integers(5, 9),
)
def test_columns_fit_their_width_and_price_and_size_are_whole(
    width: int, price: int, size: int, own: int, ahead: int
) -> None:
    cells = columns(width, Widths(price, size, own, ahead))
    assert cells.price == price
    assert cells.size == size
    taken = 1 + price + 2 + size
    taken += cells.own + 2 if cells.own else 0
    taken += cells.bar + 2 if cells.bar else 0
    taken += cells.own_count
    taken += cells.ahead + 2 if cells.ahead else 0
    assert taken <= width
    # What matters less is not there unless what matters more is.
    assert not cells.ahead or cells.own_count
    assert not cells.own_count or cells.own


@given(st.data(), sides, st.sampled_from(RANGES), st.integers(1, 60), st.booleans())
def test_the_curve_is_what_stands_up_to_each_edge(
    data: st.DataObject, side: int, reach: int, columns_: int, is_cut: bool
) -> None:
    market, mid = data.draw(levels(side)), 200_001 if side == BID else 199_999
    curve = depth_curve(side, market, mid, reach, columns_, is_cut=is_cut)
    known = abs(2 * market[-1][0] - mid) if market and is_cut else None
    expected = []
    for column in range(1, columns_ + 1):
        edge = Fraction(mid * reach * column, 1_000_000 * columns_)
        if known is not None and edge > known:
            break
        expected.append(sum(size for price, size in market if abs(2 * price - mid) <= edge))
    assert curve.totals == expected
    assert (curve.known is None) == (len(expected) == columns_)
    assert curve.total == (expected[-1] if curve.known is None else sum(size for _, size in market))


@given(sides, st.sampled_from(RANGES[:9]), st.integers(1, 60), st.integers(0, 900_000))
def test_an_order_is_marked_in_the_column_whose_prices_hold_its_own(
    side: int, reach: int, columns_: int, away: int
) -> None:
    mid = 2_000_001
    price = 1_000_000 - away if side == BID else 1_000_001 + away
    column = column_of(side, price, mid, reach, columns_)
    distance = Fraction(abs(2 * price - mid))
    width = Fraction(mid * reach, 1_000_000 * columns_)
    if column < columns_:
        assert column * width < distance <= (column + 1) * width
    else:
        assert distance > columns_ * width


@given(st.integers(2, 10**9), st.integers(-400_000, 400_000))
def test_labels_name_the_nearest_price(mid: int, offset: int) -> None:
    exact = Fraction(mid, 2) * (1 + Fraction(offset, 1_000_000))
    assert abs(price_at(mid, offset) - exact) <= Fraction(1, 2)
