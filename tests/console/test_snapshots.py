"""Pictures of every screen, compared line by line: scripted views, a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from console import views
from console.fakes import FakeSession, console_app, settle
from textual.pilot import Pilot

from engine.link.messages import Verdict
from engine.link.view import Restriction
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.theme_file import themes_folder
from pinnacle_tui.themes import ThemeLibrary

Compare = Callable[..., bool]
Prepare = Callable[[Pilot[None]], Awaitable[None]]

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
THEMES = ("pinnacle", "pinnacle-light", "high-contrast")


@pytest.fixture(autouse=True)
def at_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time on the screen is the same on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def keys(*pressed: str) -> Prepare:
    async def prepare(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in pressed:
            await pilot.press(key)
            await settle(pilot)

    return prepare


async def without_toasts(pilot: Pilot[None]) -> None:
    """The frame that notices a leap of the clock is drawn, and what it said is gone."""
    app: Any = pilot.app
    app._frame()
    await pilot.pause()
    app.clear_notifications()
    await settle(pilot)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_main_screen(snap_compare: Compare, size: str, theme: str) -> None:
    app = console_app(is_theme_given=True)
    app.use_theme(theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=keys())


@pytest.mark.parametrize("key", ["e", "s", "o", "r", "l", "question_mark", "t", "c", "X", "q"])
def test_every_other_screen_and_dialog(snap_compare: Compare, key: str) -> None:
    assert snap_compare(console_app(), terminal_size=(120, 40), run_before=keys(key))


@pytest.mark.parametrize("key", ["e", "s", "o", "r", "l", "question_mark", "q"])
def test_the_same_at_the_smallest_usual_size(snap_compare: Compare, key: str) -> None:
    assert snap_compare(console_app(), terminal_size=(80, 24), run_before=keys(key))


@pytest.mark.parametrize("panel", ["2", "4", "5", "6", "7", "8", "9"])
def test_a_panel_alone(snap_compare: Compare, panel: str) -> None:
    assert snap_compare(console_app(), terminal_size=(100, 30), run_before=keys(panel, "z"))


def test_the_kill_switch_with_its_proof(snap_compare: Compare) -> None:
    session = FakeSession()

    async def prepare(pilot: Pilot[None]) -> None:
        await keys("K")(pilot)
        session.answer(Verdict.DONE, "KILLED; the venue was asked twice and lists no order of ours", ms=36)
        session.show(
            views.view(views.product_view(state="KILLED", orders=(), quotes=(), note="no quotes: KILLED"))
        )
        await settle(pilot)

    assert snap_compare(console_app(session), terminal_size=(120, 40), run_before=prepare)


def trouble(kind: str, session: FakeSession) -> None:
    if kind == "link":
        session.lose()
        session.clock.advance(12 * views.S)
    elif kind == "engine":
        session.end(Ending(75, "the engine was killed by SIGKILL; nobody proved that no order is open"))
    elif kind == "feed":
        session.show(
            views.view(views.product_view(connection="stale", book_age_ns=7_300 * views.MS, orders=()))
        )
    elif kind == "paused":
        why = Restriction(
            "OPERATOR",
            "PAUSED",
            views.TIME - 9 * views.S,
            "pause, console pid 4711",
            "a person resumes",
            True,
        )
        book = views.product_view(
            state="PAUSED", orders=(), quotes=(), restrictions=(why,), note="no quotes: PAUSED"
        )
        session.show(views.view(book))
    elif kind == "no mark":
        pnl = msgspec.structs.replace(views.product_view().pnl, total=None, unrealised=None, mark=None)
        session.show(views.view(views.product_view(pnl=pnl, bids=(), note="no quotes: one side is empty")))


@pytest.mark.parametrize("kind", ["link", "engine", "feed", "paused", "no mark"])
def test_trouble_is_loud(snap_compare: Compare, kind: str) -> None:
    session = FakeSession()

    async def prepare(pilot: Pilot[None]) -> None:
        await settle(pilot)
        trouble(kind, session)
        await without_toasts(pilot)

    assert snap_compare(console_app(session), terminal_size=(120, 40), run_before=prepare)


def test_nothing_is_shown_as_data_before_there_is_any(snap_compare: Compare) -> None:
    session = FakeSession(views.EngineMirror())
    assert snap_compare(console_app(session), terminal_size=(120, 40), run_before=keys())


def test_a_frozen_screen_says_so(snap_compare: Compare) -> None:
    session = FakeSession()

    async def prepare(pilot: Pilot[None]) -> None:
        await keys("f")(pilot)
        session.clock.advance(12 * views.S)
        session.mirror.heard_ns = session.clock.monotonic_ns()
        await without_toasts(pilot)

    assert snap_compare(console_app(session), terminal_size=(120, 40), run_before=prepare)


@pytest.mark.parametrize("key", ["", "s", "q", "r"])
def test_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    pressed = (key,) if key else ()
    assert snap_compare(console_app(), terminal_size=(120, 40), run_before=keys(*pressed))


@pytest.mark.parametrize("theme", ["pinnacle", "pinnacle-light"])
def test_with_sixteen_colours(snap_compare: Compare, theme: str) -> None:
    themes = ThemeLibrary([themes_folder()], is_sixteen=True)
    themes.load()
    app = console_app(themes=themes)
    app.use_theme(theme)
    assert snap_compare(app, terminal_size=(120, 40), run_before=keys())


def test_pictures_do_not_depend_on_how_long_they_took(snap_compare: Compare) -> None:
    """The clock of a picture stands still: what drawing costs, and ages, are not in it."""
    app: Any = console_app()

    async def prepare(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for _ in range(3):
            app._once_a_second()
            app._frame()
        await settle(pilot)

    assert snap_compare(app, terminal_size=(120, 40), run_before=prepare)
