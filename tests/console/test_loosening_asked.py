"""A limit of real money is loosened from the screen only where its key was typed (R29)."""

from __future__ import annotations

from console.fakes import FakeSession
from console.running import Console, Running, words
from console.views import TIME, WALL, hello, mirror
from textual.widgets import Input

from engine.link.events import SettingChanged
from engine.link.messages import Ack, Verdict
from pinnacle_tui.screens.setting_editor import SettingEditor, Step
from pinnacle_tui.screens.typed_word import TypedWord
from pinnacle_tui.widgets.settings_table import known_settings

KEY = "risk.max_order_notional"
SENTENCE = f"{KEY}: 9000 would allow more than 1000 while real money is traded: it loosens max order notional"


def live() -> FakeSession:
    return FakeSession(mirror(greeting=hello(mode="live", settings=hello().settings | {KEY: "1000"})))


async def send(console: Console) -> None:
    """9000 is typed for 1000 and sent."""
    values = known_settings(console.session.mirror.settings, "live")
    editor = SettingEditor(next(setting for setting in values if setting.name == KEY))
    await console.app.push_screen(editor)
    editor.query_one(Input).value = "9000"
    await console.press("enter", "y")


async def refused(console: Console) -> None:
    """The engine wants the last command confirmed."""
    sent = console.session.sent[-1].command
    console.session._hear(Ack(sent.id, Verdict.REJECTED, SENTENCE, 2.0, confirm=KEY))
    await console.settle()


async def typed(console: Console, word: str) -> None:
    console.app.screen.query_one(Input).value = word
    await console.press("enter")


async def asked(console: Console) -> TypedWord:
    """The change is sent, and refused for want of the key."""
    await send(console)
    await refused(console)
    screen = console.app.screen
    assert isinstance(screen, TypedWord)
    return screen


async def test_the_key_is_asked_for_with_the_change_and_what_it_loosens() -> None:
    async with Running(live()) as console:
        dialog = await asked(console)
        assert console.session.sent[0].command.arguments == {"key": KEY, "value": "9000"}
        said = words(console.app)
        assert f"Loosen {KEY}?" in said
        assert "1000  →  9000" in said
        assert "it loosens max order notional" in said
        assert console.app.focused is dialog.query_one(Input)


async def test_the_typed_key_sends_the_same_change_confirmed() -> None:
    async with Running(live()) as console:
        await asked(console)
        await typed(console, KEY)
        assert len(console.session.sent) == 2
        assert console.session.sent[1].command.arguments == {"key": KEY, "value": "9000", "confirm": KEY}
        editor = console.app.screen
        assert isinstance(editor, SettingEditor)
        assert editor.step is Step.SENT
        console.session.answer(Verdict.DONE, f"{KEY}: 1000 → 9000")
        await console.settle()
        assert "done in 3 ms" in words(console.app)


async def test_another_word_loosens_nothing_and_the_engines_sentence_stands_there() -> None:
    async with Running(live()) as console:
        await asked(console)
        await typed(console, "risk.max_order")
        await console.press("y")
        assert len(console.session.sent) == 1
        await console.press("escape")
        editor = console.app.screen
        assert isinstance(editor, SettingEditor)
        assert editor.step is Step.TYPING
        assert f"the engine refused: {SENTENCE}" in words(console.app).replace("\n", " ")
        assert editor.query_one(Input).value == "9000"


async def test_to_take_a_tightening_back_is_to_loosen() -> None:
    session = live()
    async with Running(session) as console:
        session.tell(SettingChanged(900, WALL, TIME, "", KEY, "9000", "1000", "console pid 1"))
        await console.settle()
        await console.press("u")
        assert session.sent[-1].command.arguments == {"key": KEY, "value": "9000"}
        await refused(console)
        assert isinstance(console.app.screen, TypedWord)
        assert "1000  →  9000" in words(console.app)
        await typed(console, KEY)
        assert session.sent[-1].command.arguments == {"key": KEY, "value": "9000", "confirm": KEY}
        console.session.answer(Verdict.DONE, f"{KEY}: 1000 → 9000")
        await console.settle()
        assert console.told[-1].startswith(f"set {KEY} to 9000: done")


async def test_any_other_refusal_asks_for_no_word() -> None:
    async with Running(live()) as console:
        await send(console)
        console.session.answer(Verdict.REJECTED, "no")
        await console.settle()
        assert isinstance(console.app.screen, SettingEditor)
