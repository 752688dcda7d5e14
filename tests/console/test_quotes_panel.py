"""The quotes panel: the slots, the explanation that must add up, and its keys."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from console import views
from console.panel_app import PanelApp, shown
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.binding import Binding
from textual.message import Message

from engine.link.mirror import LinkState
from engine.link.view import Quote, Restriction, Term
from pinnacle_tui.widgets.explanation import explanation_rows, why_rows
from pinnacle_tui.widgets.quotes import QuotesPanel, in_order
from pinnacle_tui.widgets.rows import Row, row_text, row_width
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import working_per_side

FAIR = Term("fair", 65_088_550_000_000, "mid of 65088 and 65089.1")


def panel(slot: str = "") -> QuotesPanel:
    made = QuotesPanel(views.palette(), id="quotes", number=5)
    made.slot = slot
    return made


def scene(**changes: Any) -> Scene:
    return views.scene(views.mirror(shown=views.view(views.product_view(**changes))))


def rows(width: int, height: int, slot: str = "", **changes: Any) -> list[Row]:
    return panel(slot).rows(scene(**changes), width, height)


def lines(width: int, height: int, slot: str = "", **changes: Any) -> list[str]:
    return [row_text(row).rstrip() for row in rows(width, height, slot, **changes)]


def replaced(slot: str, **changes: Any) -> tuple[Quote, ...]:
    """The scripted quotes with one of them changed."""
    return tuple(
        msgspec.structs.replace(quote, **changes) if quote.slot == slot else quote
        for quote in views.product_view().quotes
    )


def test_the_slots_stand_as_on_a_ladder_with_what_differs() -> None:
    assert lines(80, 22)[:6] == [
        "slot     target    size    working    size  price ±   size ±  state",
        "  A1  65,090.67  0.0100  65,090.67  0.0100        =        =  cancelling",
        "  A0  65,089.50  0.0100  65,089.50  0.0100        =        =  open",
        "▸ B0  65,088.00  0.0100  65,088.00  0.0060        =  −0.0040  partly filled",
        "  B1  65,086.91  0.0100  65,086.91  0.0100        =        =  being sent",
        "kept back by the risk gate: BAND 2",
    ]


def test_the_explanation_is_a_waterfall_that_ends_at_the_price() -> None:
    assert lines(80, 22)[7:] == [
        "WHY BID 65,088.00  B0, working",
        "fair         65,088.5500  65,088.5500  mid of 65088 and 65089.1",
        "skew             −0.1200  65,088.4300  −0.5·0.031/10·1 bp",
        "half spread      −0.4700  65,087.9600  5 bp",
        "tick             +0.0400  65,088.0000  down to 0.01",
        "= price                     65,088.00  adds up",
        "WHY SIZE 0.0100 BTC",
        "base     0.0100  0.0100  0.01 BTC",
        "taper    0.0000  0.0100  not adding to the position",
        "= size           0.0100  adds up",
    ]


def test_a_wide_panel_draws_the_steps_with_their_direction() -> None:
    wide = lines(140, 24)
    skew, half, tick = (
        next(line for line in wide if line.startswith(name)) for name in ("skew", "half", "tick")
    )
    assert skew.index("◀") > half.index("◀")
    assert tick.index("▶") > half.index("◀")
    assert skew.endswith("0.5·0.031/10·1 bp")


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (90, "WHY BID 65,088.00  fair 65,088.5500  skew −0.1200  half −0.4700  tick +0.0400"),
        (70, "WHY BID 65,088.00  fair 65,088.55  skew −0.12  half −0.47  tick +0.04"),
        (60, "WHY BID 65,088.00  fair 65,088.55  skew −0.12  others −0.43"),
        (50, "WHY BID 65,088.00  fair 65,088.55  others −0.55"),
        (28, "WHY BID 65,088.00  +4 more"),
        (9, "65,088.00"),
        (8, "########"),
    ],
)
def test_the_small_form_is_one_line(width: int, said: str) -> None:
    assert lines(width, 1) == [said]


def test_a_second_line_explains_the_other_side() -> None:
    assert [line[:17] for line in lines(90, 2)] == ["WHY BID 65,088.00", "WHY ASK 65,089.50"]
    assert [line[:17] for line in lines(90, 3, "A1")] == ["WHY ASK 65,090.67", "WHY BID 65,088.00"]


def test_terms_that_do_not_add_up_are_loud_in_every_form() -> None:
    wrong = replaced("B0", price_terms=(FAIR, Term("skew", -1, "")))
    said = "DOES NOT ADD UP: the terms give 65,088.5500"
    row = next(row for row in rows(80, 22, quotes=wrong) if "DOES NOT" in row_text(row))
    assert row[-1] == (f"  {said}", "danger bold")
    assert "DOES NOT ADD UP" in lines(28, 14, quotes=wrong)
    assert lines(28, 7, quotes=wrong)[-1] == "DOES NOT ADD UP"
    assert lines(90, 1, quotes=wrong)[0].endswith("DOES NOT ADD UP")
    size = replaced("B0", size_terms=(Term("base", 1, ""),))
    assert "DOES NOT ADD UP: the terms give 0.00000001" in lines(80, 22, quotes=size)[-1]


def test_terms_of_zero_give_way_first_and_are_counted() -> None:
    zeros = [Term(name, 0, "calm") for name in ("imbalance", "stress", "clamp")]
    quotes = bid_of(*SCRIPTED, *zeros)
    assert (
        sum(line.startswith(("imbalance", "stress", "clamp")) for line in lines(80, 22, quotes=quotes)) == 3
    )
    short = lines(80, 9, quotes=quotes)
    assert short[-1] == "= price                     65,088.00  adds up; 3 terms of 0 not shown"


SCRIPTED = next(quote for quote in views.product_view().quotes if quote.slot == "B0").price_terms
AN_EVENING = (
    Term("fair", 64_879_345_000_000, "mid of 64879.34 and 64879.35"),
    Term("skew", -62_000_000, "−0.5·0.19109009/10·1 bp"),
    Term("half spread", -32_439_700_000, "5 bp"),
    Term("imbalance", -17_531_700_000, "×1.54044, |-0.5404| > 0.3"),
    Term("stress", 0, "calm"),
    Term("clamp", 0, "2.5 to 25 bp"),
    Term("level", -13_044_400_000, "1·0.1·10 bp"),
    Term("tick", -7_200_000, "down to 0.01"),
    Term("post-only", 0, "best ask 64879.35"),
)


def bid_of(*terms: Term) -> tuple[Quote, ...]:
    """One bid, working where its terms lead to and not explained in size."""
    bid = next(quote for quote in views.product_view().quotes if quote.slot == "B0")
    price = sum(term.value for term in terms) // 10_000_000
    return (msgspec.structs.replace(bid, price_terms=terms, size_terms=(), working_price=price),)


@pytest.mark.parametrize(
    ("height", "said"),
    [
        (
            9,
            [
                "fair         64,879.3450  64,879.3450  mid of 64879.34 and 64879.35",
                "skew             −0.0620  64,879.2830  −0.5·0.19109009/10·1 bp",
                "half spread     −32.4397  64,846.8433  5 bp",
                "imbalance       −17.5317  64,829.3116  ×1.54044, |-0.5404| > 0.3",
                "level           −13.0444  64,816.2672  1·0.1·10 bp",
                "tick             −0.0072  64,816.2600  down to 0.01",
                "= B0 working              64,816.26  adds up; 3 terms of 0 not shown",
            ],
        ),
        (
            8,
            [
                "fair         64,879.3450  64,879.3450  mid of 64879.34 and 64879.35",
                "skew             −0.0620  64,879.2830  −0.5·0.19109009/10·1 bp",
                "half spread     −32.4397  64,846.8433  5 bp",
                "imbalance       −17.5317  64,829.3116  ×1.54044, |-0.5404| > 0.3",
                "others          −13.0516  64,816.2600  level, tick",
                "= B0 working              64,816.26  adds up; 3 terms of 0 not shown",
            ],
        ),
        (
            5,
            [
                "fair         64,879.3450  64,879.3450  mid of 64879.34 and 64879.35",
                "others          −63.0850  64,816.2600  skew to tick",
                "= B0 working              64,816.26  adds up; 3 terms of 0 not shown",
            ],
        ),
    ],
)
def test_terms_without_a_row_of_their_own_are_summed_in_one(height: int, said: list[str]) -> None:
    told = lines(80, height, quotes=bid_of(*AN_EVENING), denied={})
    assert told[1].startswith("▸ B0")
    assert [" ".join(line.split()) for line in told[2:]] == [" ".join(line.split()) for line in said]


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (72, "adds up; 3 terms of 0 not shown"),
        (65, "adds up; 3 terms are 0"),
        (50, "adds up"),
        (40, "64,816.26"),
    ],
)
def test_the_verdict_is_as_long_as_there_is_room(width: int, said: str) -> None:
    assert lines(width, 8, quotes=bid_of(*AN_EVENING), denied={})[-1].endswith(f" {said}")


def test_what_has_no_room_for_three_rows_of_reasons_is_told_in_one() -> None:
    told = lines(110, 4, quotes=bid_of(*AN_EVENING), denied={})
    assert len(told) == 3
    assert told[2][:62] == "WHY BID 64,816.26  fair 64,879.35  skew −0.07  half −32.44  im"
    assert told[2].endswith("imbalance −17.53  level −13.04  tick −0.01")


def test_steps_are_the_differences_of_the_sums_beside_them() -> None:
    """Rounded each for itself, they would give a price that is one digit off."""
    terms = (Term("fair", 100_000_040_000, ""), Term("skew", 40_000, ""), Term("tick", -80_000, ""))
    told = lines(80, 22, quotes=bid_of(*terms))
    values = [line.split()[1] for line in told if line.startswith(("fair", "skew", "tick"))]
    assert values == ["100.0000", "+0.0001", "−0.0001"]


NAMES = ("skew", "half spread", "imbalance", "level", "tick", "a name that is longer than most")


@settings(max_examples=300, deadline=None)
@given(
    width=st.integers(1, 160),
    height=st.integers(1, 30),
    fair=st.integers(1, 10**15),
    steps=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(-(10**11), 10**11)), max_size=9),
    zeros=st.lists(st.integers(0, 9), max_size=4),
    ticks=st.integers(1, 10**8),
)
def test_what_is_shown_adds_up_to_the_shown_price(
    width: int, height: int, fair: int, steps: list[tuple[str, int]], zeros: list[int], ticks: int
) -> None:
    terms = [Term("fair", fair, "the mid"), *(Term(name, value, "5 bp") for name, value in steps)]
    terms.append(Term("post-only", ticks * 10_000_000 - sum(term.value for term in terms), "at the touch"))
    for place in zeros:
        terms.insert(1 + place % len(terms), Term("stress", 0, "calm"))
    quote = bid_of(*terms)[0]
    for made in (explanation_rows(scene(), quote, width, height), why_rows(scene(), [quote], width)):
        values = [Decimal(value) for value in values_of(made)]
        assert not values or sum(values) == Decimal(ticks) / 100
        assert values or not any("adds up" in row_text(row) for row in made)
        # Rows that have room for every number have them.
        assert values or width < 60


def test_inputs_without_room_beside_their_term_stand_below_it_where_there_is_room() -> None:
    fit = "ln(1 + γ/k)/γ; k 0.003 per tick, A 0.9 per s (measured, R² 0.934, 612 trades in 600 s)"
    terms = (FAIR, Term("liquidity", -550_000_000, fit), Term("tick", 0, "down to 0.01"))
    (quote,) = bid_of(*terms)
    for width, height, is_told in ((160, 30, True), (80, 30, True), (60, 30, True), (80, 5, False)):
        made = explanation_rows(scene(), quote, width, height)
        told = " ".join(row_text(row).strip() for row in made)
        assert (fit in " ".join(told.split())) is is_told, (width, height)
        assert "adds up" in told
        assert len(made) <= height
        assert all(row_width(row) <= width for row in made)


def values_of(made: list[Row]) -> list[str]:
    """The numbers of the terms, without those of sums, headings and inputs, in figures of a machine."""
    if len(made) == 1:
        found = [text for text, style in made[0][1:] if style == "text"]
    else:
        found = [row[2][0] for row in made if len(row) > 2 and not row_text(row).startswith(("=", "WHY"))]
        if any("#" in value or not value for value in found):
            return []
    return [value.replace(",", "").replace("−", "-").strip() for value in found]


def test_what_is_wanted_but_not_sent_and_what_works_unwanted() -> None:
    wanted = replaced("A0", working_price=None, working_size=0)
    orders = tuple(order for order in views.product_view().orders if order.slot != "A0")
    told = lines(80, 22, "A0", quotes=wanted, orders=orders)
    assert told[2].split() == ["▸", "A0", "65,089.50", "0.0100", "–", "–", "–", "–", "not", "sent"]
    assert told[7] == "WHY ASK 65,089.50  A0, wanted"
    assert told[8].startswith("fair ")
    unwanted = replaced("A0", wanted_price=None, wanted_size=0)
    line = lines(80, 22, quotes=unwanted)[2]
    assert line.split()[1:] == ["–", "–", "65,089.50", "0.0100", "–", "–", "open,", "not", "wanted"]


def test_an_uncertain_order_is_loud() -> None:
    orders = tuple(msgspec.structs.replace(order, state="uncertain") for order in views.product_view().orders)
    row = rows(80, 22, orders=orders)[2]
    assert row[-1][0].strip() == "UNCERTAIN"
    assert row[-1][1] == "danger bold"


def test_the_difference_is_working_minus_target() -> None:
    moved = replaced("A0", wanted_price=views.MID + 100)
    line = lines(80, 22, quotes=moved)[2]
    assert line.split()[5:7] == ["−0.05", "="]


def test_no_quote_is_explained_in_words() -> None:
    said = "no quote: the book is stale"
    assert lines(60, 12, quotes=(), note="the book is stale") == [said, "kept back by the risk gate: BAND 2"]
    empty = replaced("B0", wanted_price=None, working_price=None, price_terms=(), size_terms=())[:1]
    told = lines(60, 12, quotes=empty, note="the book is stale")
    assert told[2] == said
    assert told[-1] == "B0: nothing is wanted here and nothing works here"
    assert lines(60, 1, quotes=empty, note="the book is stale") == ["no bid in B0: the book is stale"]


def test_a_reason_that_says_it_itself_is_not_introduced() -> None:
    note = "no quotes: PAUSED, pause, console pid 11043"
    assert lines(60, 12, quotes=(), denied={}, note=note) == [note]
    empty = replaced("B0", wanted_price=None, working_price=None, price_terms=(), size_terms=())[:1]
    assert lines(60, 1, quotes=empty, note=note) == ["no bid in B0: PAUSED, pause, console pid 11043"]


@pytest.mark.parametrize(
    ("width", "maker_bps", "style", "said"),
    [
        (80, "2", "warning", "0.2 bp wide, break-even 4.0 · 2 bids, 2 asks working"),
        (50, "2", "warning", "0.2 bp wide, break-even 4.0"),
        (80, "0.08", "muted", "0.2 bp wide, break-even 0.2 · 2 bids, 2 asks working"),
        (80, None, "muted", "2 bids, 2 asks working"),
    ],
)
async def test_the_quoted_spread_stands_beside_what_a_round_trip_costs(
    width: int, maker_bps: str | None, style: str, said: str
) -> None:
    given, one = scene(), panel()
    del given.mirror.settings["fees.maker_bps"]
    if maker_bps is not None:
        given.mirror.settings["fees.maker_bps"] = maker_bps
    async with PanelApp(one).run_test(size=(width, 24)):
        assert (one.remark(given), one.remark_style(given)) == (said, style)


@pytest.mark.parametrize("link", [LinkState.DOWN, LinkState.ENDED])
def test_what_an_engine_said_last_is_not_claimed_of_the_present(link: LinkState) -> None:
    last = dataclasses.replace(scene(), link=link)
    assert panel().remark(last) == "last known: 2 bids, 2 asks"
    told = [row_text(row).rstrip() for row in panel().rows(last, 80, 22)]
    assert told[2].endswith("  was open")
    assert told[3].endswith("  was partly filled")


def test_without_a_note_a_restriction_gives_the_reason() -> None:
    held = Restriction("OPERATOR", "PAUSED", 0, "paused at the console", "a person resumes")
    assert lines(60, 5, quotes=(), denied={}, restrictions=(held,)) == ["no quote: paused at the console"]
    assert lines(60, 5, quotes=(), denied={})[0].endswith("wants none and gave no reason")


def test_missing_quotes_beside_working_ones() -> None:
    assert (
        lines(80, 22, note="the bid side is at its cap")[5]
        == "quotes are limited: the bid side is at its cap"
    )


def test_order_and_count_of_the_slots() -> None:
    quotes = tuple(
        Quote(f"{'AB'[side > 0]}{level}", side, 1, 1, None if level == 10 else 1, 1)
        for level in (0, 10, 2)
        for side in (1, -1)
    )
    assert [quote.slot for quote in in_order(quotes)] == ["A10", "A2", "A0", "B0", "B2", "B10"]
    assert working_per_side(quotes) == (2, 2)


class Listening(PanelApp):
    """Writes down the slots that were selected."""

    def __init__(self, one: QuotesPanel) -> None:
        super().__init__(one)
        self.selected: list[str] = []

    def on_quotes_panel_slot_selected(self, message: Message) -> None:
        assert isinstance(message, QuotesPanel.SlotSelected)
        self.selected.append(message.slot)


async def test_keys_select_the_slot_and_the_ends_hold() -> None:
    one = panel()
    app = Listening(one)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("up")  # nothing to select from yet
        one.show(scene())
        one.focus()
        assert any(line.startswith("▸ B0") for line in shown(one))
        await pilot.press("up", "up", "up", "up", "k", "j")
        assert any(line.startswith("▸ A1") for line in shown(one))
        assert any(line.startswith("WHY ASK 65,090.67") for line in shown(one))
        await pilot.press("down", "down", "down", "down", "down")
        assert any(line.startswith("▸ B1") for line in shown(one))
        assert app.selected == ["A0", "A1", "A0", "B0", "B1"]


async def test_the_slot_is_remembered_by_name_while_it_is_away() -> None:
    one = panel()
    async with PanelApp(one).run_test(size=(80, 24)) as pilot:
        one.show(scene())
        one.focus()
        await pilot.press("down")
        one.show(scene(quotes=views.product_view().quotes[:1]))
        assert any(line.startswith("▸ B0") for line in shown(one))
        one.show(scene())
        assert any(line.startswith("▸ B1") for line in shown(one))


async def test_a_click_on_a_line_selects_its_slot() -> None:
    one = panel()
    app = Listening(one)
    async with app.run_test(size=(80, 24)) as pilot:
        one.show(scene())
        await pilot.click(one, offset=(10, 2))
        await pilot.click(one, offset=(10, 1))
        await pilot.click(one, offset=(10, 12))
        assert app.selected == ["A1"]


def test_every_key_is_described_for_help_and_keymap() -> None:
    for binding in QuotesPanel.BINDINGS:
        assert isinstance(binding, Binding)
        assert binding.id is not None
        assert binding.description
        assert binding.tooltip


TERMS = st.lists(
    st.builds(
        Term,
        st.sampled_from(("fair", "skew", "half spread", "a name that is longer than most")),
        st.integers(-(10**24), 10**24),
        st.sampled_from(("", "5 bp", "mid of 65088 and 65089.1")),
    ),
    max_size=9,
)


@settings(max_examples=150, deadline=None)
@given(
    width=st.integers(1, 160),
    height=st.integers(1, 40),
    terms=TERMS,
    price=st.none() | st.integers(1, 10**15),
    slot=st.sampled_from(("", "A0", "B1")),
)
def test_it_always_fits(width: int, height: int, terms: list[Term], price: int | None, slot: str) -> None:
    quotes = replaced("B0", price_terms=tuple(terms), working_price=price, size_terms=tuple(terms))
    made = rows(width, height, slot, quotes=quotes)
    assert len(made) <= height
    if width >= 17:  # a slot's name and its target price
        assert all(row_width(row) <= width for row in made)
