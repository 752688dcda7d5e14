"""Time goes on and back by the same keys wherever one looks; what would steer an engine does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from console import playback_views, views
from console.fakes import FakeSession
from console.running import Console, Running, words

from engine.link.messages import CommandName, Role, Verdict
from engine.link.view import ALERTS, FILLS
from pinnacle_tui.bindings import PLAYBACK_BINDINGS
from pinnacle_tui.bound_keys import Place, all_bindings, playback_bindings
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.keymap import Keymap
from pinnacle_tui.palette_commands import ConsoleCommands
from pinnacle_tui.player import SPEEDS
from pinnacle_tui.screens.go_to import GoTo
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.screens.quit import StoppingDialog
from pinnacle_tui.widgets.key_bar import KeyBar
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import row_text

SENDS = {
    "space": ("play", {}),
    "right": ("step", {"wakeups": "1"}),
    "left": ("step", {"wakeups": "-1"}),
    "shift+right": ("step", {"seconds": "10"}),
    "right_parenthesis": ("step", {"seconds": "10"}),
    "shift+left": ("step", {"seconds": "-10"}),
    "left_parenthesis": ("step", {"seconds": "-10"}),
    "shift+up": ("speed", {"factor": "2"}),
    "right_curly_bracket": ("speed", {"factor": "2"}),
    "shift+down": ("speed", {"factor": "0.5"}),
    "left_curly_bracket": ("speed", {"factor": "0.5"}),
    "home": ("seek", {"seq": "0"}),
    "end": ("seek", {"seq": "118204"}),
    "j": ("jump", {"kind": "fill", "to": "next"}),
    "J": ("jump", {"kind": "fill", "to": "previous"}),
    "a": ("jump", {"kind": "alert", "to": "next"}),
    "A": ("jump", {"kind": "alert", "to": "previous"}),
    "w": ("jump", {"kind": "cancel", "to": "next"}),
    "W": ("jump", {"kind": "cancel", "to": "previous"}),
}
DEAD = ("c", "X", "R", "u", "f", "y")
"""Keys of the present; y is a panel's."""


def past(size: tuple[int, int] = (120, 40), **at: Any) -> Running:
    return Running(playback_views.session(**at), size=size)


def sent(session: FakeSession) -> list[tuple[CommandName, dict[str, str]]]:
    return [(each.command.name, each.command.arguments) for each in session.sent]


def offered(console: Console) -> str:
    return row_text(console.app.screen.query_one(KeyBar).shown_rows[0])


def test_every_key_of_playing_is_tried():
    keys = {key for bound in playback_bindings() for key in bound.keys}
    assert keys == {*SENDS, "g", "colon"}


@pytest.mark.parametrize("panel", ["1", "6", "8"])
async def test_each_key_asks_for_its_move_whichever_panel_has_the_focus(panel: str):
    async with past() as console:
        await console.press(panel)
        for key, asked in SENDS.items():
            console.session.sent.clear()
            await console.press(key)
            assert sent(console.session) == [asked], key
            console.session.answer(Verdict.DONE)
            console.app.player._is_speed_asked = False
        assert console.told == []


@pytest.mark.parametrize("screen", ["o", "l", "e"])
async def test_they_work_on_every_screen_and_the_bar_is_there(screen: str):
    async with past() as console:
        await console.press(screen, "right")
        assert sent(console.session) == [("step", {"wakeups": "1"})]
        assert console.app.screen.scrub.is_on_screen
        assert "12:31.000 of 1:00:00" in row_text(console.app.screen.scrub.shown_rows[0])


async def test_they_stay_with_one_panel_alone():
    async with past() as console:
        await console.press("8", "z", "left")
        assert sent(console.session) == [("step", {"wakeups": "-1"})]
        screen = console.app.screen
        assert isinstance(screen, MainScreen)
        assert screen.scrub.region.bottom == 39
        assert screen.scrub.size.height == 4
        assert screen.maximized is not None
        assert screen.maximized.region.bottom <= screen.scrub.region.y


async def test_space_holds_while_it_plays_and_plays_while_it_stands():
    async with past(is_playing=True) as console:
        assert "space hold" in offered(console)
        await console.press("space")
        assert sent(console.session) == [("hold", {})]
        console.session.show(playback_views.view(at={"is_playing": False}, seq=9_000))
        await console.settle()
        assert "space play" in offered(console)
        assert "hold" not in offered(console)


async def test_at_the_end_there_is_nothing_to_play_and_moves_lead_nowhere_else():
    async with past(position_seq=118_204) as console:
        assert "play" not in offered(console)
        await console.press("6", "space", "right")
        assert sent(console.session) == [("step", {"wakeups": "1"})]
        assert "4 working" in str(console.app.screen.query_one("#orders", Panel).shown_rows)  # no other tab


async def test_a_jump_is_offered_only_where_there_is_something_to_jump_to():
    only = (
        playback_views.track(FILLS, {3: 1}, next_ns=None),
        playback_views.track(ALERTS, {300: 1}, last_ns=None),
    )
    async with past(tracks=only) as console:
        await console.press("j", "A", "w", "W")
        assert console.session.sent == []
        assert "j fill" not in offered(console)
        assert "a alert" in offered(console)
        await console.press("J", "a")
        assert [name for name, _ in sent(console.session)] == ["jump"]


async def test_what_steers_an_engine_is_neither_offered_nor_done():
    async with past() as console:
        for key in DEAD:
            await console.press(key)
        assert console.session.sent == []
        assert isinstance(console.app.screen, MainScreen)
        for words_of in ("pause", "resume", "cancel all", "kill", "flatten", "freeze"):
            assert words_of not in offered(console)


@pytest.mark.parametrize("key", ["K", "f9"])
@pytest.mark.parametrize("below", ["", "g", "question_mark"])
async def test_the_kill_switch_says_that_it_kills_nothing_here(key: str, below: str):
    async with past() as console:
        await console.press(*([below] if below else []))
        typed = key == "K" and below == "g"
        await console.press(key)
        assert console.session.sent == []
        assert console.session.host.signals == []
        assert any("nothing was killed: this is the past" in told for told in console.told) is not typed


async def test_the_settings_are_those_of_the_past_and_cannot_be_changed():
    async with past() as console:
        await console.press("s", "slash", *"strategy.levels", "enter", "down", "enter")
        assert console.session.sent == []
        assert any("nothing can be changed" in told for told in console.told)
        assert "at this moment" in words(console.app)
        assert "enter changes" not in words(console.app)


async def test_who_only_watches_moves_nothing_and_may_take_control():
    session = playback_views.session()
    session.mirror.apply(playback_views.hello(role=Role.VIEW), 0)
    async with Running(session, size=(120, 40)) as console:
        await console.press("space", "right", "j", "g")
        assert session.sent == []
        assert "space play" not in offered(console)
        await console.press("T")
        assert session.names == [CommandName.TAKE_CONTROL]


async def test_while_text_is_typed_letters_are_text():
    async with past() as console:
        await console.press("8", "slash", "j", "a", "left_parenthesis", "space")
        assert console.session.sent == []
        await console.press("escape", "j")
        assert [name for name, _ in sent(console.session)] == ["jump"]


async def test_an_engine_that_trades_knows_no_keys_of_playing():
    async with Running(size=(120, 40)) as console:
        await console.press("j", "w", "g", "right", "home", "left_curly_bracket")
        assert console.session.sent == []
        assert not console.app.screen.scrub.is_on_screen
        assert isinstance(console.app.screen, MainScreen)
        await console.press("space")
        assert console.session.names == [CommandName.PAUSE]
        await console.press("question_mark")
        for bound in playback_bindings():
            assert bound.tooltip not in words(console.app)


async def test_a_click_on_the_bar_goes_there_and_under_a_dialog_it_does_not():
    async with past() as console:
        await console.pilot.click("#scrub", offset=(60, 2))
        await console.pilot.pause()
        assert sent(console.session) == [("seek", {"time_ns": str(1_800 * views.S)})]


# -- going to a moment -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["g", "colon"])
async def test_a_moment_is_typed_and_the_dialog_closes_when_it_is_reached(key: str):
    async with past() as console:
        await console.press(key)
        assert isinstance(console.app.screen, GoTo)
        said = words(console.app)
        for form in ("09:18:36", "08:48:36 to 09:48:36", "12m31s", "0 to 118,204"):
            assert form in said
        await console.press(*"90s", "enter")
        assert sent(console.session) == [("seek", {"at": "90s"})]
        assert "going there" in words(console.app)
        console.session.answer(Verdict.ACCEPTED)
        await console.settle()
        assert isinstance(console.app.screen, GoTo)
        console.session.answer(Verdict.DONE)
        await console.settle()
        assert isinstance(console.app.screen, MainScreen)
        assert console.told == []


async def test_a_moment_that_is_none_is_refused_in_place_and_can_be_mended():
    async with past() as console:
        await console.press("g", *"25", "enter")
        console.session.answer(Verdict.REJECTED, "25 is no time: write it such as 09:13:38 or 90s")
        await console.settle()
        assert "25 is no time" in words(console.app)
        await console.press("s")
        assert "25 is no time" not in words(console.app)
        await console.press("enter")
        assert sent(console.session)[-1] == ("seek", {"at": "25s"})


async def test_the_line_of_keys_stays_as_it_is_under_a_dialog_and_is_true_after_it():
    async with past() as console:
        before = offered(console)
        await console.press("g")
        console.session.show(playback_views.view(at={"is_playing": True}, seq=9_000))
        await console.settle()
        below = console.app.screen_stack[0].query_one(KeyBar)
        assert row_text(below.shown_rows[0]) == before
        await console.press("escape")
        await console.settle()
        assert "space hold" in offered(console)


async def test_nothing_typed_goes_nowhere_and_escape_stays():
    async with past() as console:
        await console.press("g", "enter", "escape")
        assert console.session.sent == []
        assert isinstance(console.app.screen, MainScreen)


async def test_a_refusal_that_comes_after_the_dialog_was_left_is_told():
    async with past() as console:
        await console.press("g", *"99h", "enter", "escape")
        console.session.answer(Verdict.REJECTED, "the session ends at 1:00:00")
        await console.settle()
        assert console.told == ["the session ends at 1:00:00"]


async def test_the_answer_of_the_dialog_can_be_clicked():
    async with past() as console:
        await console.press("g", *"90s")
        await console.pilot.click("#go")
        await console.pilot.pause()
        assert sent(console.session) == [("seek", {"at": "90s"})]
        await console.pilot.click("#back")
        await console.pilot.pause()
        assert isinstance(console.app.screen, MainScreen)


# -- the palette and help --------------------------------------------------------------------------


def offered_commands(console: Console) -> dict[str, str]:
    return {each.name: each.help for each in ConsoleCommands(console.app.screen).commands()}


async def test_the_palette_has_every_move_every_speed_and_nothing_of_the_present():
    async with past() as console:
        commands = offered_commands(console)
        for name in (
            "playback: play (space)", "playback: step (right)", "playback: step back (left)",
            "playback: fill (j)", "playback: last fill (J)", "playback: cancel (w)", "playback: go to (g)",
            "playback: start (home)", "playback speed: 0.1x", "playback speed: 1,000x",
            "playback speed: max speed",
        ):  # fmt: skip
            assert commands[name], name
        assert next(iter(commands)).startswith("playback: ")
        assert len([name for name in commands if name.startswith("playback speed: ")]) == len(SPEEDS)
        for dead in ("hold", "pause", "kill", "cancel all", "flatten", "freeze", "rearm"):
            assert not any(name.startswith(f"{dead} (") or f": {dead} (" in name for name in commands), dead


async def test_a_move_is_made_from_the_palette():
    async with past() as console:
        await console.press("ctrl+p", *"playback fill")
        await console.app.workers.wait_for_complete()
        await console.pilot.pause()
        await console.press("enter")
        await console.pilot.pause()
        assert sent(console.session) == [("jump", {"kind": "fill", "to": "next"})]


async def test_a_speed_is_chosen_from_the_palette():
    async with past() as console:
        command = next(
            each for each in ConsoleCommands(console.app.screen).commands() if "speed: 50x" in each.name
        )
        command.run()
        assert sent(console.session) == [("speed", {"factor": "50"})]


async def test_help_explains_the_past_and_leaves_out_what_means_nothing_in_it():
    async with past() as console:
        await console.press("question_mark")
        said = words(console.app)
        assert said.startswith("The past")
        assert "Nothing trades here" in said
        for bound in playback_bindings():
            assert bound.tooltip in said, bound.id
        for dead in ("Kill switch", "Pull all quotes", "Cancel every order", "kill switch, here too"):
            assert dead not in said
        valid = console.app.screen._valid
        assert {"playback.play", "playback.step", "playback.next_fill", "playback.go_to"} <= valid
        assert "playback.hold" not in valid


def test_every_move_has_a_key_that_every_terminal_sends():
    """Some terminals keep shift with an arrow, or cannot send it."""
    for bound in playback_bindings():
        assert [key for key in bound.keys if not key.startswith("shift+")], bound.id
    assert len(playback_bindings()) == len(PLAYBACK_BINDINGS)


# -- leaving ---------------------------------------------------------------------------------------


async def test_leaving_asks_nothing_though_orders_were_open_then():
    async with past() as console:
        await console.press("q")
        assert console.session.stops == 1
        assert isinstance(console.app.screen, StoppingDialog)
        said = words(console.app)
        assert "Closing the playback" in said
        assert "order" not in said
        console.session.end(Ending(0, "the playback has ended"))
        await console.pilot.pause()
        assert console.app.return_code == 0


async def test_a_playback_that_fails_says_how_and_speaks_of_no_orders():
    async with past() as console:
        console.session.end(Ending(1, "the playback was killed by SIGKILL; nothing trades in it"))
        await console.settle()
        said = words(console.app)
        assert "The playback has ended: exit code 1" in said
        assert "nothing trades in it" in said
        assert "Open when" not in said


# -- other keys ------------------------------------------------------------------------------------


async def test_a_keymap_file_moves_the_keys_of_playing(tmp_path: Path):
    path = tmp_path / "keymap.toml"
    path.write_text('[keys]\n"playback.next_fill" = "f5"\n"playback.end" = "F6"\n')
    keymap = Keymap.load(path)
    assert keymap.problems == []
    async with Running(playback_views.session(), size=(120, 40), keymap=keymap) as console:
        await console.press("j", "end")
        assert console.session.sent == []
        await console.press("f5", "f6")
        assert [name for name, _ in sent(console.session)] == ["jump", "seek"]


@pytest.mark.parametrize(
    ("line", "clashes_with"),
    [
        ('"playback.next_fill" = "e"', "app.explain"),
        ('"playback.next_fill" = "z"', "main.solo"),
        ('"playback.step" = "y"', "blotter.copy"),
        ('"app.explain" = "j"', "playback.next_fill"),
    ],
)
def test_a_key_of_playing_that_is_also_another_one_is_named(tmp_path: Path, line: str, clashes_with: str):
    path = tmp_path / "keymap.toml"
    path.write_text(f"[keys]\n{line}\n")
    (problem,) = Keymap.load(path).problems
    assert clashes_with in problem


def test_a_dialog_has_keys_of_its_own():
    """Over a question no key of playing is taken: `y` may say yes though it were one of them."""
    playing = playback_bindings()[0]
    places = {bound.place: bound for bound in all_bindings()}
    assert not playing.meets(places[Place.DIALOG])
    assert not places[Place.DIALOG].meets(playing)
    for other in (Place.APP, Place.SCREEN, Place.PANEL, Place.PLAYBACK):
        assert playing.meets(places[other])
