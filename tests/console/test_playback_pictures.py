"""Pictures of a playback, compared line by line: scripted views, a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from console import playback_views
from console.fakes import console_app, settle
from textual.pilot import Pilot

from pinnacle_tui.theme_file import themes_folder
from pinnacle_tui.themes import ThemeLibrary

Compare = Callable[..., bool]
Prepare = Callable[[Pilot[None]], Awaitable[None]]

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}


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
        await settle(pilot)  # the bar has taken its place
        for key in pressed:
            await pilot.press(key)
            await settle(pilot)

    return prepare


@pytest.mark.parametrize("size", SIZES)
def test_the_main_screen(snap_compare: Compare, size: str) -> None:
    app = console_app(playback_views.session())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=keys())


@pytest.mark.parametrize("size", ["80x24", "120x40"])
def test_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = console_app(playback_views.session())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=keys())


def test_with_sixteen_colours(snap_compare: Compare) -> None:
    themes = ThemeLibrary([themes_folder()], is_sixteen=True)
    themes.load()
    app = console_app(playback_views.session(is_playing=True, speed=20.0), themes=themes)
    assert snap_compare(app, terminal_size=(120, 40), run_before=keys())


@pytest.mark.parametrize("pressed", [("g",), ("question_mark",), ("o",), ("8", "z")])
def test_what_lies_over_it_and_beside_it(snap_compare: Compare, pressed: tuple[str, ...]) -> None:
    app = console_app(playback_views.session())
    assert snap_compare(app, terminal_size=(120, 40), run_before=keys(*pressed))


@pytest.mark.parametrize(
    "at",
    [
        {"read": 0.42, "position_seq": 0, "is_playing": False},
        {"divergence": "record 20,001: B0 was at 65,088.00, computed anew at 65,087.99"},
        {"is_playing": True, "speed": None},
    ],
    ids=["being read", "diverged", "as fast as can be"],
)
def test_what_the_bar_says(snap_compare: Compare, at: dict[str, Any]) -> None:
    app = console_app(playback_views.session(**at))

    async def prepare(pilot: Pilot[None]) -> None:
        await keys()(pilot)
        app.clear_notifications()
        await settle(pilot)

    assert snap_compare(app, terminal_size=(120, 40), run_before=prepare)
