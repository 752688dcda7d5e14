"""Help: every key that the bindings have, in the words of their tooltips, and what the panel is."""

from __future__ import annotations

import pytest
from console.fakes import FakeSession
from console.running import Running, words

from pinnacle_tui.bindings import APP_BINDINGS
from pinnacle_tui.bound_keys import all_bindings, bindings_of
from pinnacle_tui.keymap import Keymap
from pinnacle_tui.screens.help import HelpScreen
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.widgets.panel import Panel


@pytest.mark.parametrize("panel", ["1", "2", "5", "6", "8"])
async def test_help_names_every_key_of_the_focused_panel_the_screen_and_the_app(panel: str):
    async with Running(size=(120, 40)) as console:
        await console.press(panel)
        focused = console.app.focused
        assert isinstance(focused, Panel)
        await console.press("question_mark")
        assert isinstance(console.app.screen, HelpScreen)
        said = words(console.app)
        assert f"This panel: {focused.TITLE.lower()}" in said
        assert " ".join(focused.HELP.split())[:40] in " ".join(said.split())
        for node in (focused, console.app.screen_stack[0], console.app):
            for bound in bindings_of(node):
                assert bound.tooltip in said, bound.id
        for part in ("This panel", "This screen: main screen", "Everywhere"):
            assert part in said
        assert MainScreen.HELP_TEXT.splitlines()[0] in said


async def test_help_over_a_side_screen_is_about_that_screen():
    async with Running(size=(120, 40)) as console:
        await console.press("s", "question_mark")
        said = words(console.app)
        assert "This screen: settings" in said
        assert "Change the highlighted setting" in said
        assert "Back to the main screen" in said


@pytest.mark.parametrize("below", ["c", "q", "t"])
async def test_f1_explains_a_question_and_leaves_it_open(below: str):
    async with Running(size=(120, 40)) as console:
        await console.press(below)
        question = console.app.screen
        await console.press("f1")
        assert isinstance(console.app.screen, HelpScreen)
        said = words(console.app)
        assert "This question" in said
        for bound in bindings_of(question):
            assert bound.tooltip in said
        valid = console.app.screen._valid
        assert {bound.id for bound in bindings_of(question)} <= valid
        assert "app.kill" in valid
        assert "app.pause" not in valid
        await console.press("f1")
        assert console.app.screen is question
        assert console.session.names == []


async def test_f1_works_while_text_is_typed_and_not_over_the_palette():
    async with Running(size=(120, 40)) as console:
        await console.press("6", "slash", "a", "f1")
        assert isinstance(console.app.screen, HelpScreen)
        await console.press("escape", "ctrl+p")
        palette = console.app.screen
        await console.press("f1")
        assert console.app.screen is palette


async def test_help_says_which_keys_close_it_and_kill_by_their_real_names():
    keys = {bound.id: ",".join(bound.keys) for bound in all_bindings()}
    async with Running(keymap=Keymap(keys | {"help.close": "x", "app.kill": "Z"}, [])) as console:
        await console.press("question_mark")
        assert "x closes this; Z is the kill switch, here too" in words(console.app)
    async with Running(FakeSession(may_kill=False)) as console:
        await console.press("question_mark")
        assert "kill switch, here too" not in words(console.app)


@pytest.mark.parametrize("key", ["escape", "question_mark", "f1", "q"])
async def test_help_scrolls_and_closes(key: str):
    async with Running(size=(80, 24)) as console:
        await console.press("question_mark")
        box = console.app.screen.query_one("#dialog")
        assert box.max_scroll_y > 0
        await console.press("end")
        assert box.scroll_y == box.max_scroll_y
        await console.press(key)
        assert isinstance(console.app.screen, MainScreen)
        assert console.session.stops == 0


async def test_help_shows_moved_keys():
    keys = {bound.id: ",".join(bound.keys) for bound in all_bindings()} | {
        "app.pause": "p",
        "app.resume": "p",
    }
    async with Running(keymap=Keymap(keys, [])) as console:
        await console.press("question_mark")
        lines = words(console.app).splitlines()
        assert next(line for line in lines if "Pull all quotes" in line).split()[0] == "p"


async def test_help_is_never_a_second_list():
    """Whatever the app binds is in the catalogue that help reads."""
    assert {bound.id for bound in bindings_of_app()} == {binding.id for binding in APP_BINDINGS}


def bindings_of_app() -> tuple:
    from console.fakes import console_app

    return bindings_of(console_app())
