"""All settings, live from the engine; a change is checked, shown, confirmed, answered, taken back."""

from __future__ import annotations

import pytest
from console.fakes import FakeSession
from console.running import Console, Running, words
from console.views import TIME, WALL, hello, mirror
from textual.content import Content
from textual.widgets import Input, Static

from engine.config import schema
from engine.link.events import SettingChanged
from engine.link.messages import CommandName, Role, Verdict
from pinnacle_tui.bound_keys import all_bindings
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.keymap import Keymap
from pinnacle_tui.screens.setting_editor import SettingEditor, Step
from pinnacle_tui.screens.settings import SettingsScreen
from pinnacle_tui.widgets.rows import row_text
from pinnacle_tui.widgets.settings_table import SettingsPanel, known_settings

LEVELS = ("s", "slash", *"levels", "enter")
"""Opens the settings and highlights strategy.levels."""


def changed(key: str, old: str, new: str, eseq: int = 900) -> SettingChanged:
    return SettingChanged(eseq, WALL, TIME, "", key, old, new, "console pid 1")


def rows(console: Console) -> list[str]:
    panel = console.app.screen.query_one(SettingsPanel)
    return [row_text(row).rstrip() for row in panel.shown_rows]


def row(console: Console, name: str) -> list[str]:
    return next(text for text in rows(console) if name in text).replace("▸", " ").split()


def editor(console: Console) -> SettingEditor:
    screen = console.app.screen
    assert isinstance(screen, SettingEditor)
    return screen


# -- the list ------------------------------------------------------------------------------------------


def test_every_key_of_the_engine_is_there_under_its_section():
    settings = known_settings(hello().settings, "sim")
    assert [one.name for one in settings if one.key is not None] == list(schema().keys)
    assert [one.name for one in settings if one.key is None] == list(schema().sections)
    assert [one.place for one in settings] == list(range(len(settings)))
    assert not any(one.is_changed for one in settings)
    assert {one.name for one in settings if one.is_live} == {
        name for name, key in schema().keys.items() if key.meta.live
    }


def test_an_engine_of_another_version_is_no_trouble():
    settings = known_settings({"strategy.levels": "4", "strategy.unheard_of": "1"}, "sim")
    assert [one.name for one in settings] == ["strategy", "strategy.levels"]


async def test_a_setting_is_shown_with_value_unit_bounds_and_whether_it_is_live():
    async with Running(size=(120, 60)) as console:
        await console.press("s")
        await console.settle()
        assert row(console, "strategy.levels") == [
            "strategy.levels",
            "3",
            "live",
            "integer,",
            ">=",
            "1,",
            "<=",
            "100",
        ]
        assert row(console, "strategy.base_spread_bps")[:4] == [
            "strategy.base_spread_bps",
            "10",
            "bp",
            "live",
        ]
        assert row(console, "engine.mode")[:3] == ["engine.mode", "sim", "fixed"]


async def test_values_follow_the_engine_and_a_changed_one_shows_its_default():
    async with Running(size=(120, 60)) as console:
        await console.press("s")
        console.session.tell(changed("strategy.levels", "3", "5"))
        await console.settle()
        assert row(console, "strategy.levels")[:4] == ["strategy.levels", "5", "3", "live"]


async def test_the_highlighted_setting_is_explained():
    async with Running() as console:
        await console.press(*LEVELS)
        said = words(console.app)
        assert schema().keys["strategy.levels"].meta.help in said
        assert "integer, >= 1, <= 100; 3 now, the default" in said
        assert "enter changes it while the engine runs" in said
        console.session.tell(changed("strategy.levels", "3", "5"))
        await console.settle()
        assert "5 now, default 3" in words(console.app)
        await console.press("down")
        assert "simulator.liquidity_levels is fixed for this run: restart with --set" in words(console.app)


async def test_the_filter_looks_into_every_column_and_is_left_by_escape():
    async with Running() as console:
        await console.press("s", "slash", *"half_spread", "enter")
        assert any("inventory_skew_unit" in text for text in rows(console))
        assert not any("strategy.levels" in text for text in rows(console))
        await console.press("escape", "escape")  # the text, then the selection
        assert isinstance(console.app.screen, SettingsScreen)
        await console.press("escape")
        assert not isinstance(console.app.screen, SettingsScreen)


# -- what cannot be changed ----------------------------------------------------------------------------


async def test_a_fixed_setting_says_how_to_set_it():
    async with Running() as console:
        await console.press(*LEVELS, "down", "enter")
        assert isinstance(console.app.screen, SettingsScreen)
        assert console.told == [
            "simulator.liquidity_levels is fixed for this run: restart with "
            "--set simulator.liquidity_levels=VALUE"
        ]


async def test_a_console_that_only_watches_changes_nothing():
    async with Running(FakeSession(mirror(greeting=hello(role=Role.VIEW)))) as console:
        await console.press(*LEVELS, "enter")
        assert isinstance(console.app.screen, SettingsScreen)
        assert console.told[-1] == "this console only watches: take control first (T)"
        assert "enter changes" not in words(console.app)


async def test_a_console_that_can_never_steer_is_not_told_to_take_control():
    session = FakeSession(mirror(greeting=hello(role=Role.VIEW)), may_kill=False)
    async with Running(session) as console:
        await console.press(*LEVELS, "enter")
        assert console.told[-1] == "this console only watches"


async def test_a_section_is_no_setting():
    async with Running() as console:
        await console.press("s", "home", "enter")
        assert isinstance(console.app.screen, SettingsScreen)
        assert "Section engine" in words(console.app)


# -- a change ------------------------------------------------------------------------------------------


async def test_a_change_is_typed_shown_confirmed_sent_and_answered():
    async with Running() as console:
        await console.press(*LEVELS, "enter")
        dialog = editor(console)
        assert console.app.focused is dialog.query_one(Input)
        assert dialog.query_one(Input).value == "3"
        await console.press("7", "enter")
        assert dialog.step is Step.CONFIRMING
        assert "3  →  7" in words(console.app)
        shown = dialog.query_one("#told", Static).content
        assert isinstance(shown, Content)
        assert not {"up", "down"} & {str(span.style).rpartition("$")[2] for span in shown.spans}
        assert console.app.focused is dialog.query_one("#back")
        assert console.session.names == []
        await console.press("y")
        assert [(one.command.name, one.command.arguments) for one in console.session.sent] == [
            (CommandName.SET, {"key": "strategy.levels", "value": "7"})
        ]
        assert "waiting for the engine" in words(console.app)
        console.session.answer(Verdict.DONE, "from now on strategy.levels = 7", ms=2.4)
        await console.settle()
        assert "done in 2 ms: from now on strategy.levels = 7; u takes it back" in words(console.app)
        await console.press("enter")
        assert isinstance(console.app.screen, SettingsScreen)


async def test_moved_keys_are_told_as_they_are():
    keys = {bound.id: ",".join(bound.keys) for bound in all_bindings()}
    moved = {"app.undo": "Z", "settings.edit": "w", "settings.keep": "ctrl+s", "app.quit": "Q"}
    async with Running(keymap=Keymap(keys | moved, [])) as console:
        await console.press("s", "slash", *"strategy.levels")
        await console.settle()
        panel = console.app.screen.query_one(SettingsPanel)
        assert "ctrl+s keeps it, escape clears it" in row_text(panel.shown_rows[-1])
        await console.press("ctrl+s", "end")
        await console.settle()
        assert "w changes it while the engine runs" in words(console.app)
        await console.press("w", "7", "enter", "y")
        console.session.answer(Verdict.DONE)
        console.session.tell(changed("strategy.levels", "3", "7"))
        await console.settle()
        assert "Z takes it back" in words(console.app)
        assert console.told[-1].endswith("; Z takes it back")
        console.session.end(Ending(0, "the engine has ended"))
        assert console.app._waiting_for() == "the engine has ended. Q quits"


async def test_a_change_can_be_taken_back():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "7", "enter", "y")
        console.session.answer(Verdict.DONE)
        console.session.tell(changed("strategy.levels", "3", "7"))
        await console.settle()
        await console.press("escape", "u")
        assert console.session.sent[-1].command.arguments == {"key": "strategy.levels", "value": "3"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("x", "strategy.levels = 'x': expected integer"),
        ("0", "strategy.levels = 0: must be at least 1"),
        ("101", "strategy.levels = 101: must be at most 100"),
        ("03", "that is its value now"),
    ],
)
async def test_what_cannot_be_is_said_while_it_is_typed_and_goes_no_further(typed: str, said: str):
    async with Running() as console:
        await console.press(*LEVELS, "enter", *typed)
        assert said in words(console.app)
        await console.press("enter", "y")
        assert editor(console).step is Step.TYPING
        assert console.session.names == []


async def test_enter_in_the_question_is_no_and_escape_goes_one_step_back():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "7", "enter")
        for no in ("enter", "escape"):
            await console.press(no)
            assert editor(console).step is Step.TYPING
            assert editor(console).query_one(Input).value == "7"
            await console.press("enter")
            assert editor(console).step is Step.CONFIRMING
        await console.press("escape", "escape")
        assert isinstance(console.app.screen, SettingsScreen)
        assert console.session.names == []


async def test_a_y_that_is_still_held_sends_nothing():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "7", "enter")
        editor(console).begin()
        await console.pilot.press("y")
        assert editor(console).step is Step.CONFIRMING
        assert console.session.names == []


async def test_a_refusal_is_told_with_the_reason_and_can_be_corrected():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "7", "enter", "y")
        console.session.answer(Verdict.REJECTED, "strategy.levels = 7: needs max_position >= 0.7")
        await console.settle()
        assert (
            "the engine refused: strategy.levels = 7: needs max_position >= 0.7. Nothing has changed."
            in words(console.app)
        )
        assert editor(console).step is Step.TYPING
        await console.press("backspace", "5", "enter", "y")
        assert console.session.sent[-1].command.arguments["value"] == "5"


async def test_no_proof_is_not_called_done():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "7", "enter", "y")
        console.session.answer(Verdict.UNKNOWN, "no answer in time")
        await console.settle()
        assert "no proof that it was changed: no answer in time" in words(console.app)


async def test_without_a_link_nothing_is_sent_and_the_typed_value_stays():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "7", "enter")
        console.session.lose()
        await console.press("y")
        assert editor(console).step is Step.TYPING
        assert editor(console).query_one(Input).value == "7"
        assert "was not sent" in console.told[-1]


async def test_an_answer_after_the_dialog_was_closed_is_told_in_the_corner():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "7", "enter", "y", "escape")
        assert isinstance(console.app.screen, SettingsScreen)
        console.session.answer(Verdict.REJECTED, "too late")
        await console.settle()
        assert "strategy.levels: rejected: too late" in console.told[-1]


async def test_an_optional_setting_can_be_unset():
    values = hello().settings | {"risk.max_position_base": "2"}
    async with Running(FakeSession(mirror(greeting=hello(settings=values)))) as console:
        await console.press("s", "slash", *"max_position_base", "enter", "down", "enter")
        assert editor(console).query_one(Input).value == "2"
        await console.press("backspace", "enter")
        assert "2  →  -" in words(console.app)
        await console.press("y")
        assert console.session.sent[-1].command.arguments == {"key": "risk.max_position_base", "value": ""}


async def test_kill_works_while_a_value_is_typed():
    async with Running() as console:
        await console.press(*LEVELS, "enter", "K")
        assert console.session.names == []
        await console.press("f9")
        assert console.session.names == [CommandName.KILL]
