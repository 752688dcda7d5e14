"""The scrub bar: the whole session in a few rows, and where in it one stands."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console import playback_views, views
from console.playback_views import HOUR_NS, START, track
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from engine.link.view import ALERTS, CANCELS, FILLS, MOST_BUCKETS, Playback
from pinnacle_tui.numbers import elapsed, speed_words
from pinnacle_tui.widgets.rows import Row, row_text
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.scrub_bar import ScrubBar, column, moment


def scene(at_ns: int = views.TIME, **at: Any) -> Scene:
    view = playback_views.view(at=at, time_ns=at_ns)
    return views.scene(playback_views.mirror(shown=view))


def bar() -> ScrubBar:
    return ScrubBar(views.palette(), id="scrub")


def drawn(width: int = 120, height: int = 4, at_ns: int = views.TIME, **at: Any) -> list[str]:
    rows = bar().rows(scene(at_ns, **at), width, height)
    assert {cell_len(row_text(row)) for row in rows[1:3]} == {width}
    assert cell_len(row_text(rows[0])) <= width
    return [row_text(row) for row in rows]


def at_column(row: Row, wanted: int) -> tuple[str, str]:
    """The character at a column, and its style."""
    cells = [(character, words) for text, words in row for character in text]
    return cells[wanted]


# -- moments and columns ---------------------------------------------------------------------------


@given(st.integers(1, 10**13), st.integers(-(10**12), 10**12), st.integers(2, 400), st.data())
def test_a_column_begins_at_its_moment(span_ns: int, first_ns: int, cells: int, data: st.DataObject):
    playback = playback_views.playback(first_ns=first_ns, last_ns=first_ns + max(span_ns, cells * cells))
    at = data.draw(st.integers(0, cells - 1))
    assert column(playback, moment(playback, at, cells), cells) == at
    if at < cells - 1:
        assert column(playback, moment(playback, at, cells) - 1, cells) == max(0, at - 1)


@pytest.mark.parametrize(
    ("time_ns", "at"), [(-5, 0), (0, 0), (HOUR_NS // 2, 50), (HOUR_NS, 99), (2 * HOUR_NS, 99)]
)
def test_the_session_is_as_long_as_the_rail(time_ns: int, at: int):
    assert column(playback_views.playback(), time_ns, 100) == at


@pytest.mark.parametrize("last_ns", [0, -1])
def test_a_session_that_took_no_time_is_one_place(last_ns: int):
    playback = playback_views.playback(last_ns=last_ns)
    assert column(playback, 5, 100) == 0
    assert moment(playback, 99, 100) == last_ns


# -- what is said ----------------------------------------------------------------------------------


def test_the_words_tell_state_place_and_what_is_near():
    words = drawn(200)[0]
    assert words.startswith(" ❚❚ 1x  12:31.000 of 1:00:00  record 24,360 of 118,204  ")
    assert "● fills 16/80  ◂3.2s ▸12s" in words
    assert "! alerts 1/5  ◂3m21s ▸15m38s" in words
    assert "▂ cancels 501/3,088  ◂0.4s ▸0.2s" in words


@pytest.mark.parametrize(
    ("at", "front"),
    [
        ({"is_playing": True, "speed": 10.0}, " ▶  10x  "),
        ({"is_playing": True, "speed": None}, " ▶  max speed  "),
        ({"speed": 0.1}, " ❚❚ 0.1x  "),
        ({"speed": 1_000.0}, " ❚❚ 1,000x  "),
    ],
)
def test_speed_and_motion_are_told(at: dict[str, Any], front: str):
    assert drawn(**at)[0].startswith(front)


def test_what_has_not_happened_yet_or_will_not_again_is_not_told():
    only = track(FILLS, {300: 2}, last_ns=None, next_ns=HOUR_NS)
    past = track(ALERTS, {3: 1}, last_ns=0, next_ns=None)
    none = track(CANCELS, {}, last_ns=None, next_ns=None)
    words = drawn(200, tracks=(only, past, none))[0]
    assert "● fills 0/2  ▸47m29s" in words
    assert "! alerts 1/1  ◂12m31s" in words
    assert "▂ cancels 0/0  !" in words


@pytest.mark.parametrize("width", [120, 100, 80, 60, 40, 24])
def test_a_short_row_lets_the_least_important_go_and_cuts_no_number(width: int):
    whole = drawn(200)[0].split()
    words = drawn(width)[0]
    assert "12:31.000" in words
    assert "1x" in words
    for word in words.split():
        assert word in (*whole, "#24,360"), word
    if width >= 60:
        assert "16/80" in words
        assert "1/5" in words


def test_while_the_session_is_read_the_rest_is_dotted():
    rows = drawn(120, read=0.5)
    assert "reading 50 %" in rows[0]
    rail = rows[2][10:-10]
    assert rail.index("┄") == 50
    assert set(rail[50:]) == {"┄"}
    assert "reading 99 %" in drawn(120, read=0.9999)[0]
    assert "reading" not in drawn(120)[0]


def test_what_differs_from_the_record_is_said_loudly():
    sentence = "record 20,001: order pt-7-b0 was at 65,088.00, computed anew it is at 65,087.99"
    row = bar().rows(scene(divergence=sentence), 200, 4)[0]
    assert (" DIVERGED ", "danger bold reverse") in row
    assert any(sentence[:30] in text and words == "danger bold" for text, words in row)
    assert " DIVERGED " in drawn(60, divergence=sentence)[0]


# -- what is drawn ---------------------------------------------------------------------------------


def test_the_rail_has_the_ends_of_the_session_and_the_head_in_all_rows():
    rows = bar().rows(scene(), 120, 4)
    assert row_text(rows[2]).startswith(" 08:48:36 ━")
    assert row_text(rows[2]).endswith("─ 09:48:36 ")
    head = 10 + 100 * 751 // 3_600
    assert at_column(rows[1], head) == ("┃", "replay bold")
    assert at_column(rows[2], head) == ("┃", "replay bold")
    assert at_column(rows[3], head)[1] == "replay"
    assert {words for text, words in rows[2] if "━" in text} == {"replay"}
    assert row_text(rows[2]).count("━") == 20


def test_marks_stand_where_things_happened_and_the_weightiest_stands_for_all():
    tracks = (
        track(FILLS, {0: 1, 200: 1, 201: 1, 399: 1}),
        track(ALERTS, {201: 1, 320: 3}),
        track(CANCELS, {120: 9}),
    )
    rows = bar().rows(scene(tracks=tracks), 120, 4)
    found = {
        at - 10: at_column(rows[1], at) for at in range(10, 110) if at_column(rows[1], at)[0] not in " ┃"
    }
    assert found == {
        0: ("•", "own bold"),
        50: ("!", "warning bold"),
        80: ("!", "warning bold"),
        99: ("•", "own bold"),
    }
    two = bar().rows(scene(tracks=(track(FILLS, {200: 1, 201: 1}),)), 120, 4)
    assert at_column(two[1], 60) == ("●", "own bold")


def test_every_kind_in_every_bucket_can_be_seen_at_every_width():
    """Nothing is thinned away: a single thing in a session of an hour has its mark."""
    for width in (40, 80, 120, 200, 400):
        for bucket in range(0, MOST_BUCKETS, 7):
            for kind, glyph in ((FILLS, "•"), (ALERTS, "!")):
                rows = drawn(
                    width, 4, at_ns=0 if bucket > 20 else HOUR_NS, tracks=(track(kind, {bucket: 1}),)
                )
                assert rows[1].count(glyph) == 1, (width, bucket, kind)
            rows = drawn(width, 4, tracks=(track(CANCELS, {bucket: 1}),))
            assert rows[3].count("█") == 1


def test_a_mark_under_the_head_stays_readable():
    rows = bar().rows(scene(tracks=(track(ALERTS, {83: 1}),)), 120, 4)
    assert at_column(rows[1], 30) == ("!", "replay bold reverse")


def test_cancels_are_a_curve_in_which_the_ordinary_is_not_lost():
    few, storm = dict.fromkeys(range(0, 400, 4), 1), {200: 100}
    row = drawn(420, 4, tracks=(track(CANCELS, few | storm),))[3]
    assert row.count("█") == 1
    assert row.count("▁") == 99


def test_in_two_rows_the_marks_stand_on_the_rail():
    rows = bar().rows(scene(), 80, 2)
    assert len(rows) == 2
    rail = row_text(rows[1])
    assert {"•", "●", "!", "━", "─", "┃"} <= set(rail)
    assert rail.startswith(" 08:48:36 ")


def test_a_narrow_rail_has_no_times():
    assert drawn(50)[2][1] == "━"
    assert ":" not in drawn(50)[2]


def test_without_a_playback_there_is_nothing():
    assert bar().rows(views.scene(), 120, 4) == []


def test_a_track_without_buckets_and_one_of_an_unknown_kind_are_no_error():
    empty = msgspec.structs.replace(track(FILLS, {}), counts=b"")
    rows = drawn(120, 4, tracks=(empty, track("earthquake", {5: 1})))
    assert "earthquake" not in rows[0]


def test_a_clock_that_was_set_back_turns_no_rail_around():
    """Positions are told by engine time; the wall clock is for reading."""
    rows = drawn(120, 4, first_wall_ns=START, last_wall_ns=START - 5 * views.S)
    assert rows[2].index("┃") == 30


# -- pointing --------------------------------------------------------------------------------------


class Pointed(App[None]):
    """Shows a scrub bar and nothing else."""

    CSS = "ScrubBar { height: 4; }"

    def __init__(self, bar: ScrubBar) -> None:
        super().__init__()
        self.bar = bar
        self.sought: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.bar

    def on_scrub_bar_sought(self, event: ScrubBar.Sought) -> None:
        self.sought.append(event.time_ns)


async def pointed(x: int, y: int, told: Scene) -> list[int]:
    app = Pointed(bar())
    async with app.run_test(size=(120, 4)) as pilot:
        app.bar.show(told)
        assert len(app.bar.shown_rows) == 4
        await pilot.click(app.bar, offset=(x, y))
        await pilot.pause()
    return app.sought


@pytest.mark.parametrize("y", [1, 2, 3])
@pytest.mark.parametrize(("x", "at"), [(10, 0), (60, HOUR_NS // 2), (109, HOUR_NS)])
async def test_a_click_along_the_rail_goes_there(x: int, y: int, at: int):
    assert await pointed(x, y, scene()) == [at]


@pytest.mark.parametrize(("x", "y"), [(60, 0), (9, 2), (110, 2)])
async def test_a_click_beside_the_rail_goes_nowhere(x: int, y: int):
    assert await pointed(x, y, scene()) == []


@pytest.mark.parametrize("width", range(1, 24))
def test_a_bar_of_no_use_is_no_error(width: int):
    for height in (1, 2, 3, 4):
        assert len(bar().rows(scene(), width, height)) >= min(2, height)


def test_a_session_of_one_record_is_one():
    one = Playback(1, 1, 1, 5, 5, START, START, 1.0, False)
    rows = bar().rows(views.scene(playback_views.mirror(shown=views.view(playback=one, time_ns=5))), 120, 4)
    assert "record 1 of 1" in row_text(rows[0])


# -- how moments and speeds are written ------------------------------------------------------------


@pytest.mark.parametrize(
    ("ns", "text", "exact"),
    [
        (0, "0:00", "0:00.000"),
        (-5, "0:00", "0:00.000"),
        (59_999_999_999, "0:59", "0:59.999"),
        (751 * views.S + 4 * views.MS, "12:31", "12:31.004"),
        (3_600 * views.S, "1:00:00", "1:00:00.000"),
        (100 * HOUR_NS + 61 * views.S, "100:01:01", "100:01:01.000"),
    ],
)
def test_time_since_the_start_is_written_like_that_of_a_clock(ns: int, text: str, exact: str):
    assert elapsed(ns) == text
    assert elapsed(ns, millis=True) == exact


@pytest.mark.parametrize(
    ("speed", "text"),
    [(0.1, "0.1x"), (1.0, "1x"), (2.5, "2.5x"), (1_000.0, "1,000x"), (None, "max speed")],
)
def test_speeds_are_written_as_multiples(speed: float | None, text: str):
    assert speed_words(speed) == text
