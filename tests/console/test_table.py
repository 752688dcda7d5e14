"""Tables: what fits, what stays selected while rows move, order, filter, copies, keys, mouse, cost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import pytest
from console.panel_app import PanelApp, shown
from console.views import palette, scene
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import MouseScrollDown, MouseScrollUp, Paste
from textual.pilot import Pilot

from engine.core.foreign_text import visible
from pinnacle_tui.widgets.entry import Entry
from pinnacle_tui.widgets.list_window import ListWindow
from pinnacle_tui.widgets.rows import row_text, row_width
from pinnacle_tui.widgets.table import Table, TablePanel, remembered_sorts, table_bindings
from pinnacle_tui.widgets.table_layout import Column, lay_out


@dataclass(frozen=True)
class Ship:
    name: str
    load: int | None
    port: str


SHIPS = tuple(
    Ship(f"ship-{n:03}", None if n % 50 == 49 else n * 37 % 101, f"port of {n % 7}") for n in range(200)
)


class Fleet(TablePanel[Ship]):
    TITLE = "FLEET"
    BINDINGS: ClassVar[list[BindingType]] = [*table_bindings("fleet", "ship")]
    TABLE: ClassVar[Table[Ship]] = Table(
        "fleet",
        "ship",
        (
            Column("name", "name", lambda ship, _: ship.name, lambda ship, _: ship.name),
            Column(
                "load",
                "load",
                lambda ship, _: "–" if ship.load is None else f"{ship.load}.00",
                lambda ship, _: ship.load,
                exact=lambda ship, _: str(ship.load),
                rank=1,
                is_number=True,
            ),
            Column("port", "port", lambda ship, _: ship.port, lambda ship, _: ship.port, rank=2, least=5),
        ),
        sort="name",
        is_falling=False,
        key=lambda ship: ship.name,
        empty="no ship",
    )

    def __init__(self, ships: Sequence[Ship] = SHIPS) -> None:
        super().__init__(palette(), id="fleet")
        self.ships = ships
        self.chosen: list[str] = []
        self.doubles: list[str] = []

    @property
    def table(self) -> Table[Ship]:
        return self.TABLE

    def source(self, scene: object) -> Sequence[Ship]:
        return self.ships

    def selected_by_user(self, item: Ship) -> None:
        self.chosen.append(item.name)

    def opened(self, item: Ship) -> None:
        self.doubles.append(item.name)


def names(panel: Fleet) -> list[str]:
    return [line[1:9] for line in shown(panel)[2:] if line[1:].startswith("ship")]


def marked(panel: Fleet) -> list[str]:
    return [line[1:9] for line in shown(panel) if line.startswith("▸")]


async def opened(pilot: Pilot[None], panel: Fleet) -> None:
    panel.show(scene())
    await pilot.pause()


# -- layout ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 3, 8, 9, 12, 16, 20, 40, 200])
@pytest.mark.parametrize("height", [0, 1, 2, 3, 10])
def test_rows_fit_every_size_and_numbers_are_whole_or_absent(width: int, height: int) -> None:
    panel = Fleet()
    rows = panel.rows(scene(), width, height)
    assert len(rows) == height
    assert all(row_width(row) <= max(width, 1) for row in rows)
    text = "\n".join(row_text(row) for row in rows)
    assert "#" not in text
    if width >= 16 and height >= 3:
        assert [row_text(row).split()[1] for row in rows[1:]] == [
            f"{ship.load}.00" for ship in SHIPS[: height - 1]
        ]


COLUMNS = st.lists(
    st.tuples(st.integers(1, 30), st.integers(0, 5), st.booleans()), min_size=1, max_size=9
).map(
    lambda drawn: [
        (
            Column(
                str(n),
                "t",
                lambda item, _: "",
                lambda item, _: 0,
                rank=rank,
                is_number=number,
                least=None if number else 3,
            ),
            max(wish, 2),
        )
        for n, (wish, rank, number) in enumerate(drawn)
    ]
)


@given(COLUMNS, st.integers(0, 120))
def test_a_layout_fits_drops_by_rank_and_never_cuts_a_number(
    pairs: list[tuple[Column[object], int]], room: int
) -> None:
    columns, wishes = [column for column, _ in pairs], {column.name: wish for column, wish in pairs}
    layout = lay_out(columns, list(wishes.values()), room)
    kept = {column.name for column, _ in layout.columns}
    assert layout.width <= room or not kept
    for column, width in layout.columns:
        assert width == wishes[column.name] if column.is_number else 2 <= width <= wishes[column.name]
    dropped = [column for column in columns if column.name not in kept]
    assert all(other.rank <= gone.rank for gone in dropped for other, _ in layout.columns)
    if room >= sum(wishes.values()) + 2 * (len(columns) - 1):
        assert len(kept) == len(columns)
        assert layout.gap == 2


def test_a_column_is_found_by_cell() -> None:
    layout = lay_out(Fleet.TABLE.columns, [8, 6, 10], 40)
    found = [layout.column_at(x) for x in range(30)]
    assert [column.name if column else None for column in found] == ["name"] * 9 + ["load"] * 8 + [
        "port"
    ] * 12 + [None]


# -- the window --------------------------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("fit"), st.integers(0, 30), st.integers(0, 9)),
            st.tuples(st.sampled_from(["move", "page", "scroll"]), st.integers(-9, 9)),
            st.tuples(st.sampled_from(["unselect", "to_news"])),
        ),
        max_size=40,
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_a_window_stays_inside_its_list_and_a_selection_on_its_row(
    deeds: list[tuple[str, int]], follows_end: bool, dice: random.Random
) -> None:
    window, keys = ListWindow(follows_end=follows_end), list(range(10))
    window.fit(keys, 4)
    for name, *arguments in deeds:
        selected = window.selected
        if name == "fit":
            keys = dice.sample(range(30), arguments[0])
            was_seen = window.index is not None and window.top <= window.index < window.bottom
            window.fit(keys, arguments[1])
            assert window.selected == (selected if selected in keys else None)
            if was_seen and window.index is not None and window.height:
                assert window.top <= window.index < window.bottom
        else:
            getattr(window, name)(*arguments)
        assert 0 <= window.top <= max(0, len(keys) - window.height)
        assert window.bottom <= len(keys)
        if window.selected is not None:
            assert keys[window.index] == window.selected


def test_rows_that_come_above_do_not_move_what_is_read() -> None:
    window = ListWindow()
    window.fit(list(range(50, 0, -1)), 5)
    window.fit(list(range(53, 0, -1)), 5)
    assert window.top == 0  # The news are in view: follow them.
    window.scroll(10)
    window.fit(list(range(60, 0, -1)), 5)
    assert window.top == 17
    window.scroll(-99)
    window.fit(list(range(61, 0, -1)), 5)
    assert window.top == 0


# -- texts of others ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red]text[/red] ü 価", "plain [red]text[/red] ü 価"),
        ("\x1b[31mred\x1b[0m \x1b]52;c;ZXZpbA==\x07x\x1b[2J", "red x"),
        ("\x9b31mred \x9d0;title\x9cx \x1bc", "red x "),
        ("a\tb\nc\r\x00\x07\x7fd", "a b c d"),
        ("right\u202eot left\u200b\ud800", "rightot left\ufffd"),
    ],
)
def test_escapes_and_controls_are_taken_out_of_texts(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_what_is_left_of_a_text_can_be_printed(text: str) -> None:
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


def test_typing() -> None:
    entry = Entry()
    assert not entry.takes("a", "a")
    entry.is_open = True
    for key in "ab cd":
        assert entry.takes("space" if key == " " else key, key)
        entry.press(key, key)
    entry.press("ctrl+w", "\x17")
    assert entry.text == "ab"
    entry.insert(" x\n\x1b[31my" + "z" * 200)
    assert entry.text.startswith("ab x yzz")
    assert len(entry.text) == 100
    entry.press("backspace", "\x7f")
    assert len(entry.text) == 99
    entry.press("ctrl+u", "\x15")
    assert entry.text == ""
    assert not entry.takes("ctrl+p", "\x10")
    assert not entry.takes("enter", "\r")


# -- keys --------------------------------------------------------------------------------------------


async def test_moving_by_keys() -> None:
    panel = Fleet()
    async with PanelApp(panel).run_test(size=(40, 12)) as pilot:
        await opened(pilot, panel)
        assert names(panel) == [f"ship-{n:03}" for n in range(10)]
        assert shown(panel)[0].endswith("1-10 of 200")
        for key, selected, first in (
            ("down", 0, 0),
            ("down", 1, 0),
            ("up", 0, 0),
            ("up", 0, 0),
            ("pagedown", 9, 0),
            ("pagedown", 18, 9),
            ("pageup", 9, 9),
            ("end", 199, 190),
            ("down", 199, 190),
            ("home", 0, 0),
        ):
            await pilot.press(key)
            assert marked(panel) == [f"ship-{selected:03}"], key
            assert names(panel)[0] == f"ship-{first:03}", key
        assert panel.chosen == [f"ship-{n:03}" for n in (0, 1, 0, 9, 18, 9, 199, 0)]
        await pilot.press("escape", "pagedown")
        assert marked(panel) == []
        assert names(panel)[0] == "ship-009"


async def test_the_selection_is_a_row_and_no_place() -> None:
    panel = Fleet(SHIPS[10:])
    async with PanelApp(panel).run_test(size=(40, 12)) as pilot:
        await opened(pilot, panel)
        await pilot.press("down", "down")
        panel.ships = SHIPS  # Ten rows come before it.
        panel.redraw()
        assert marked(panel) == ["ship-011"]
        panel.ships = SHIPS[12:]
        panel.redraw()
        assert marked(panel) == []
        assert panel.chosen == ["ship-010", "ship-011"]


async def test_sorting_by_keys() -> None:
    panel = Fleet()
    async with PanelApp(panel).run_test(size=(40, 12)) as pilot:
        await opened(pilot, panel)
        assert shown(panel)[1].split() == ["name▲", "load", "port"]
        await pilot.press("greater_than_sign")
        assert shown(panel)[1].split() == ["name", "▼load", "port"]
        loads = [ship.load or 0 for ship in panel.items]
        assert all(a >= b for a, b in pairwise(loads))
        assert [ship.load for ship in panel.items[-4:]] == [None] * 4
        await pilot.press("exclamation_mark")
        assert panel.sort == ("load", False)
        assert panel.items[0].load == 0
        assert [ship.load for ship in panel.items[-4:]] == [None] * 4
        await pilot.press("less_than_sign", "less_than_sign")
        assert panel.sort == ("port", False)
        assert panel.state() == {"sort": {"fleet": ["port", False]}}
    assert remembered_sorts(panel.state()["sort"], [Fleet.TABLE]) == {"fleet": ("port", False)}


@pytest.mark.parametrize(
    "state", [None, 3, [], {"fleet": "name"}, {"fleet": ["nme", True]}, {"fleet": ["name", 1]}]
)
def test_an_order_that_makes_no_sense_is_passed_over(state: object) -> None:
    assert remembered_sorts(state, [Fleet.TABLE]) == {}


class GuardedApp(PanelApp):
    """Has keys of its own, one of which comes before every widget's, as a kill switch does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("K", "note('K')", priority=True),
        Binding("c", "note('c')"),
        Binding("escape", "note('escape')"),
        Binding("ctrl+g", "note('ctrl+g')"),
    ]

    def __init__(self, panel: Fleet) -> None:
        super().__init__(panel)
        self.notes: list[str] = []

    def action_note(self, text: str) -> None:
        self.notes.append(text)


async def test_filtering_takes_letters_from_every_command() -> None:
    panel = Fleet()
    app = GuardedApp(panel)
    async with app.run_test(size=(60, 12)) as pilot:
        await opened(pilot, panel)
        await pilot.press("c", "K")
        assert app.notes == ["c", "K"]
        await pilot.press("slash", *"OF", "space", *"3cKy!")
        assert app.notes == ["c", "K"]
        assert app.copied == []
        assert shown(panel)[-1].startswith("/OF 3cKy!▏ 0 of 200")
        assert "nothing has OF 3cKy! in any column" in shown(panel)[2]
        await pilot.press(*["backspace"] * 4, "ctrl+g")
        assert app.notes == ["c", "K", "ctrl+g"]
        assert {ship.port for ship in panel.items} <= {
            ship.port for ship in SHIPS if "3" in ship.name + ship.port
        }
        assert shown(panel)[-1] == f"/OF 3▏ {len(panel.items)} of 200   enter keeps it, escape clears it"
        await pilot.press("down", "enter")
        assert shown(panel)[-1] == f"/OF 3  {len(panel.items)} of 200"
        assert marked(panel)
        await pilot.press("c", "escape")
        assert len(panel.items) == 200
        assert marked(panel)
        await pilot.press("escape")
        assert not marked(panel)
        assert app.notes == ["c", "K", "ctrl+g", "c"]
        await pilot.press("escape")  # There is nothing to clear: it is the app's again.
        assert app.notes[-1] == "escape"


async def test_a_filter_finds_exact_numbers_and_pasted_text() -> None:
    panel = Fleet()
    app = PanelApp(panel)
    async with app.run_test(size=(60, 12)) as pilot:
        await opened(pilot, panel)
        await pilot.press("slash")
        panel.post_message(Paste("None"))
        await pilot.pause()
        assert [ship.name for ship in panel.items] == ["ship-049", "ship-099", "ship-149", "ship-199"]
        app.screen.set_focus(None)
        await pilot.pause()
        assert not panel.entry.is_open
        assert panel.entry.text == "None"


async def test_the_footer_knows_which_keys_are_valid() -> None:
    panel = Fleet()
    app: App[None] = PanelApp(panel)

    def valid() -> set[str]:
        return {
            binding.binding.id.removeprefix("fleet.")
            for binding in app.screen.active_bindings.values()
            if (binding.binding.id or "").startswith("fleet.") and binding.enabled
        }

    moves = {"up", "down", "page_up", "page_down", "first", "last"}
    async with app.run_test(size=(40, 12)) as pilot:
        await opened(pilot, panel)
        idle = {"type", "sort_next", "sort_previous", "sort_turn", "copy_all"}
        assert valid() == moves | idle
        await pilot.press("down")
        assert valid() == moves | idle | {"copy", "clear"}
        await pilot.press("slash")
        assert valid() == moves | {"keep", "clear"}


async def test_copies_are_exact_and_of_all_rows_that_the_filter_leaves() -> None:
    panel = Fleet()
    app = PanelApp(panel)
    async with app.run_test(size=(40, 6)) as pilot:
        await opened(pilot, panel)
        await pilot.press("y")
        assert app.copied == []
        await pilot.press("down", "down", "y")
        assert app.copied.pop() == ("ship-001\t37\tport of 1", "1 ship")
        await pilot.press("slash", *"ship-00", "enter", "Y")
        text, what = app.copied.pop()
        lines = text.split("\n")
        assert lines[0] == "name\tload\tport"
        assert len(lines) == 11
        assert what == "10 ships"


# -- mouse -------------------------------------------------------------------------------------------


async def test_clicks_sort_and_select_and_the_wheel_scrolls() -> None:
    panel = Fleet()
    async with PanelApp(panel).run_test(size=(40, 12)) as pilot:
        await opened(pilot, panel)
        await pilot.click(Fleet, offset=(3, 4))
        assert marked(panel) == ["ship-002"]
        assert panel.chosen == ["ship-002"]
        await pilot.click(Fleet, offset=(3, 4), times=2)
        assert panel.doubles == ["ship-002"]
        await pilot._post_mouse_events([MouseScrollDown], Fleet, offset=(3, 4))
        assert names(panel)[0] == "ship-003"
        assert panel.window.selected == "ship-002"
        await pilot._post_mouse_events([MouseScrollUp], Fleet, offset=(3, 4))
        assert names(panel)[0] == "ship-000"
        await pilot.click(Fleet, offset=(13, 1))
        assert panel.sort == ("load", True)
        await pilot.click(Fleet, offset=(13, 1))
        assert panel.sort == ("load", False)
        await pilot.click(Fleet, offset=(38, 1))
        assert panel.sort == ("load", False)
        assert panel.window.selected == "ship-002"


# -- what it costs -----------------------------------------------------------------------------------


def test_only_rows_in_view_are_made_and_an_unchanged_list_is_not_sorted_again() -> None:
    made = {"text": 0, "order": 0}

    def count(name: str) -> None:
        made[name] += 1

    class Counted(Fleet):
        TABLE = replace(
            Fleet.TABLE,
            columns=(
                Column(
                    "name",
                    "name",
                    lambda ship, _: count("text") or ship.name,
                    lambda ship, _: count("order") or ship.name,
                ),
            ),
        )

    panel, now = Counted(), scene()
    panel.rows(now, 40, 12)
    assert made["order"] == 200
    assert made["text"] <= 2 * 11
    panel.rows(now, 40, 12)
    assert made["order"] == 200
    panel.entry.insert("port")
    panel.rows(now, 40, 12)
    before = made["text"]
    assert before >= 200
    panel.entry.insert("x")
    panel.rows(now, 40, 12)
    assert made["text"] == before  # Searched texts are remembered.


def test_no_number_loses_its_column_when_it_grows() -> None:
    panel, now = Fleet(SHIPS[:3]), scene()
    narrow = row_text(panel.rows(now, 40, 5)[1])
    panel.ships = (replace(SHIPS[0], load=123_456_789), *SHIPS[1:3])
    rows = [row_text(row) for row in panel.rows(now, 40, 5)]
    assert "123456789.00" in rows[1]
    assert len({row.index(".00") for row in rows[1:4]}) == 1
    panel.ships = SHIPS[:3]
    assert row_text(panel.rows(now, 40, 5)[1]) != narrow  # It stays where it went: no dancing.
