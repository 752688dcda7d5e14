"""The screens beside the main one: each opens by its key, draws what is known, and is left by escape."""

from __future__ import annotations

import pytest
from console.fakes import FakeSession, console_app, settle
from console.running import Running
from console.views import product_view, view

from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.catalogue import SCREENS, open_screen, screen_class
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.blotter import BlotterPanel
from pinnacle_tui.widgets.panel import Panel

KEYS = {"orders": "o", "risk": "r", "latency": "l", "analytics": "m", "explain": "e", "settings": "s"}


@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_opens_draws_and_is_left(name: str):
    async with Running(size=(120, 40)) as console:
        for leave in ("escape", KEYS.get(name, "escape")):
            if name in KEYS:
                await console.press(KEYS[name])
            else:
                open_screen(console.app, name)
            await console.settle()
            screen = console.app.screen
            assert isinstance(screen, screen_class(name))
            assert isinstance(screen.focused, Panel)
            for panel in screen.panels():
                assert panel.region.area > 0
                assert panel.shown_rows, panel
            assert screen.HELP_TITLE
            assert screen.HELP_TEXT
            await console.press(leave)
            assert isinstance(console.app.screen, MainScreen)


async def test_another_screen_takes_the_place_of_the_open_one():
    async with Running() as console:
        await console.press("o", "r", "l")
        await console.settle()
        assert isinstance(console.app.screen, screen_class("latency"))
        assert sum(isinstance(screen, SideScreen) for screen in console.app.screen_stack) == 1
        await console.press("escape")
        assert isinstance(console.app.screen, MainScreen)


async def test_over_a_question_no_screen_opens():
    async with Running() as console:
        await console.press("c")
        question = console.app.screen
        open_screen(console.app, "orders")
        await console.settle()
        assert console.app.screen is question


async def test_a_screen_draws_what_comes_while_it_is_open():
    async with Running(size=(120, 40)) as console:
        await console.press("r")
        await console.settle()
        console.session.show(view(product_view(denied={"COLLAR": 5}), seq=9_000))
        await console.settle()
        texts = [
            text for panel in console.app.screen.query(Panel) for row in panel.shown_rows for text, _ in row
        ]
        assert any("COLLAR 5" in text for text in texts)


async def test_an_unknown_screen_is_an_error():
    with pytest.raises(KeyError):
        screen_class("lates")


async def test_what_was_chosen_on_a_screen_is_there_the_next_time():
    remembered = Remembered(None)
    for is_first in (True, False):
        async with Running(FakeSession(), remembered=remembered, size=(120, 40)) as console:
            await console.press("o")
            await console.settle()
            blotter = console.app.screen.query_one(BlotterPanel)
            if is_first:
                before = blotter.sort
                await console.press("greater_than_sign")
                chosen = blotter.sort
                assert chosen != before
            else:
                assert blotter.sort == chosen
            await console.press("escape")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_every_screen_has_room_for_its_panels(size: tuple[int, int]):
    app = console_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for name in SCREENS:
            open_screen(app, name)
            await settle(pilot)
            shown = [panel.region for panel in app.screen.query(Panel)]
            assert all(region.height >= (1 if region.y in (0, size[1] - 1) else 4) for region in shown), name
            assert all(region.bottom <= size[1] and region.right <= size[0] for region in shown), name
        await pilot.resize_terminal(40, 12)
        await settle(pilot)


def test_heavy_screens_are_not_imported_at_the_start():
    import subprocess
    import sys

    code = (
        "import sys, pinnacle_tui.app, pinnacle_tui.screens.catalogue\n"
        "late = [n for n in sys.modules if n.startswith('pinnacle_tui.screens.')]\n"
        "print(sorted(n.rpartition('.')[2] for n in late))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['base', 'catalogue', 'side']"
