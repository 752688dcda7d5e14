"""The palette: everything that can be done, by its name; an error in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from console.fakes import FakeSession
from console.running import Console, Running
from textual.command import CommandPalette

from engine.link.messages import CommandName
from engine.link.settings import PANELS, RATES
from pinnacle_tui.palette_commands import ConsoleCommands, PaletteCommand
from pinnacle_tui.screens.catalogue import SCREENS, screen_class
from pinnacle_tui.screens.confirm import Confirm
from pinnacle_tui.screens.kill_report import KillReport
from pinnacle_tui.screens.main import MainScreen


def commands(console: Console) -> dict[str, PaletteCommand]:
    made = list(ConsoleCommands(console.app.screen).commands())
    named = {command.name: command for command in made}
    assert len(named) == len(made)
    return named


async def run(console: Console, name: str) -> None:
    result = commands(console)[name].run()
    if result is not None:
        await result
    await console.settle()
    await console.settle()


async def test_every_key_that_is_valid_now_is_a_command_with_words():
    async with Running() as console:
        named = commands(console)
        assert all(command.help for command in named.values())
        assert "pause (space)" in named
        assert "kill (K)" in named
        assert not any(name.startswith("resume") for name in named)
        await run(console, "pause (space)")
        assert console.session.names == [CommandName.PAUSE]
        await run(console, "cancel all (c)")
        assert isinstance(console.app.screen, Confirm)


async def test_the_kill_switch_works_from_the_palette():
    async with Running() as console:
        await console.press("ctrl+p", *"kill")
        await console.app.workers.wait_for_complete()
        await console.settle()
        await console.press("enter")
        await console.settle()
        assert console.session.names == [CommandName.KILL]
        assert isinstance(console.app.screen, KillReport)


async def test_enter_in_a_palette_where_nothing_was_typed_sends_nothing():
    async with Running() as console:
        await console.press("ctrl+p")
        await console.app.workers.wait_for_complete()
        await console.settle()
        await console.press("enter")
        await console.settle()
        assert console.session.names == []
        assert isinstance(console.app.screen, screen_class("orders"))


async def test_before_anything_is_typed_kill_is_the_last_command():
    async with Running() as console:
        found = [hit.text async for hit in ConsoleCommands(console.app.screen).discover()]
        assert found[0] == "screen: orders"
        assert found[-1] == "kill (K)"


@pytest.mark.parametrize("key", ["c", "q", "t"])
async def test_over_a_question_only_what_works_there_is_offered(key: str):
    async with Running() as console:
        await console.press(key)
        named = commands(console)
        kinds = {name.partition(" ")[0].rstrip(":") for name in named}
        assert kinds == {"kill", "help", "theme", "refresh", "screenshot"}
        await run(console, "kill (K)")
        assert console.session.names == [CommandName.KILL]


async def test_a_console_that_may_not_kill_is_not_offered_it():
    async with Running(FakeSession(may_kill=False)) as console:
        assert "kill (K)" not in commands(console)


async def test_a_panel_is_led_to_from_everywhere():
    async with Running(size=(120, 40)) as console:
        for number, name in enumerate(PANELS, start=1):
            await console.press("r")
            await run(console, f"go to panel {number}: {name}")
            assert isinstance(console.app.screen, MainScreen)
            assert console.app.focused is not None
            assert console.app.focused.id == name
            await console.press("0")


@pytest.mark.parametrize("name", SCREENS)
async def test_every_screen_is_a_command(name: str):
    async with Running() as console:
        await run(console, f"screen: {name}")
        assert isinstance(console.app.screen, screen_class(name))


async def test_every_theme_and_every_rate_is_a_command():
    async with Running() as console:
        for name in console.app.themes.themes:
            await run(console, f"theme: {name}")
            assert console.app.theme == name
        for hz in RATES:
            await run(console, f"refresh rate: {hz} Hz")
            assert console.app.hz == hz
            assert console.session.paces[-1] == hz


async def test_a_screenshot_is_saved_and_its_place_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("platformdirs.user_downloads_path", lambda: tmp_path / "pictures")
    async with Running() as console:
        await run(console, "screenshot")
        (picture,) = (tmp_path / "pictures").iterdir()
        assert picture.suffix == ".svg"
        assert str(picture) in console.told[-1]


async def test_a_screenshot_that_cannot_be_saved_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "pictures").write_text("no folder")
    monkeypatch.setattr("platformdirs.user_downloads_path", lambda: tmp_path / "pictures")
    async with Running() as console:
        await run(console, "screenshot")
        assert "could not be saved" in console.told[-1]


async def test_an_error_in_the_palette_is_told_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch):
    async with Running() as console:
        provider = ConsoleCommands(console.app.screen)

        def broken(_: ConsoleCommands) -> None:
            raise RuntimeError("no screens today")

        monkeypatch.setattr(ConsoleCommands, "_screens", broken)
        found = [hit.text async for hit in provider.discover()]
        assert "pause (space)" in found
        await console.settle()
        assert "the palette is not complete: no screens today" in console.told


async def test_a_search_finds_by_the_letters_of_a_name():
    async with Running() as console:
        provider = ConsoleCommands(console.app.screen)
        hits = {hit.text: hit async for hit in provider.search("toknigh")}
        assert list(hits) == ["theme: tokyo-night"]
        assert hits["theme: tokyo-night"].help == console.app.themes.descriptions["tokyo-night"]


async def test_ctrl_p_opens_the_palette_with_these_commands():
    async with Running() as console:
        await console.press("ctrl+p")
        assert isinstance(console.app.screen, CommandPalette)
        await console.press(*"refresh", "space", *"5")
        await console.app.workers.wait_for_complete()
        await console.settle()
        await console.press("enter", "enter")
        await console.settle()
        assert console.app.hz == 5
