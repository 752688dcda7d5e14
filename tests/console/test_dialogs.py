"""Questions: no has the focus, yes has a key of its own, held keys say nothing, kill is above all."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from console import views
from console.fakes import FakeSession, console_app, settle
from console.running import Running, words
from console.views import BTC, ETH, MS, TIME, S, hello, mirror, product_view, view, working
from textual.widgets import Input, OptionList

from engine.link.messages import CommandName, Role, Verdict
from engine.link.settings import KEEP_RUNNING
from engine.link.view import Restriction
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.held_keys import HELD_NS
from pinnacle_tui.screens.answers import Answer
from pinnacle_tui.screens.confirm import Confirm
from pinnacle_tui.screens.ended import EndedDialog
from pinnacle_tui.screens.kill_report import KillReport
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.screens.quit import QuitDialog, StoppingDialog
from pinnacle_tui.screens.theme_picker import ThemePicker
from pinnacle_tui.screens.typed_word import TypedWord

KILLED = product_view(
    state="KILLED",
    restrictions=(Restriction("KILL", "KILLED", TIME - S, "kill by console pid 4711", "a person rearms"),),
)


def session_with(*products: Any, **changes: Any) -> FakeSession:
    return FakeSession(mirror(shown=view(*products)), **changes)


# -- confirm -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [("c", CommandName.CANCEL_ALL), ("X", CommandName.FLATTEN)],
    ids=["cancel all", "flatten"],
)
async def test_a_question_is_answered_by_no_unless_y_is_pressed(key: str, name: CommandName):
    async with Running() as console:
        for no in ("enter", "escape", "space", "tab"):
            await console.press(key)
            assert isinstance(console.app.screen, Confirm)
            assert console.app.focused is console.app.screen.query_one("#no")
            await console.press(no, "enter", "escape")
            assert isinstance(console.app.screen, MainScreen)
        assert console.session.names == []
        await console.press(key, "y")
        assert isinstance(console.app.screen, MainScreen)
        assert console.session.names == [name]


async def test_a_click_answers_too():
    async with Running() as console:
        await console.press("c")
        console.session.clock.advance(HELD_NS)
        await console.pilot.click("#yes")
        assert console.session.names == [CommandName.CANCEL_ALL]


async def test_keys_that_are_held_down_do_not_answer():
    async with Running() as console:
        await console.press("c")
        for _ in range(40):  # held for more than a second: it repeats without a pause
            console.session.clock.advance(30 * MS)
            await console.pilot.press("y")
        assert isinstance(console.app.screen, Confirm)
        assert console.session.names == []
        console.session.clock.advance(HELD_NS)
        await console.pilot.press("y")
        assert console.session.names == [CommandName.CANCEL_ALL]


async def test_the_answers_name_their_keys_also_where_a_keymap_moved_them():
    from pinnacle_tui.bound_keys import all_bindings
    from pinnacle_tui.keymap import Keymap

    keys = {bound.id: ",".join(bound.keys) for bound in all_bindings()} | {"dialog.yes": "j"}
    async with Running(keymap=Keymap(keys, [])) as console:
        await console.press("c")
        assert [answer.key for answer in console.app.screen.query(Answer)] == ["esc", "j"]
        await console.press("y")
        assert console.session.names == []
        await console.press("j")
        assert console.session.names == [CommandName.CANCEL_ALL]


async def test_cancel_all_says_what_it_cancels():
    two = FakeSession(
        mirror(
            shown=view(product_view(), product_view(ETH, orders=(working("B0", 350_000),))),
            greeting=hello(BTC, ETH),
        )
    )
    async with Running(two) as console:
        await console.press("c")
        said = words(console.app)
        assert "Cancel 5 open orders of all 2 products?" in said
        assert "BTC-USD: 2 bids and 2 asks, 0.0360 BTC, worth 2,343.20 USD." in said
        assert "ETH-USD: 1 bid and 0 asks" in said
        assert "Quoting goes on" in said


async def test_with_nothing_open_cancel_all_still_can_be_asked_for():
    async with Running(session_with(product_view(orders=(), state="PAUSED"))) as console:
        await console.press("c")
        assert "no order is open" in words(console.app)
        assert "Quoting goes on" not in words(console.app)
        await console.press("y")
        assert console.session.names == [CommandName.CANCEL_ALL]


@pytest.mark.parametrize(
    ("lots", "said"),
    [
        (3_100_000, "Sell 0.0310 BTC in BTC-USD at about 65,088.00: 2,017.73 USD, 0.02 less than at the mid"),
        (-3_100_000, "Buy 0.0310 BTC in BTC-USD at about 65,089.10: 2,017.76 USD, 0.02 more than at the mid"),
        (10**12, "the book that is shown holds only"),
        (0, "there is no position to close"),
    ],
)
async def test_flatten_says_what_it_would_trade_and_cost(lots: int, said: str):
    import msgspec

    pnl = msgspec.structs.replace(product_view().pnl, position=lots)
    async with Running(session_with(product_view(pnl=pnl))) as console:
        await console.press("X")
        assert said in words(console.app)
        if abs(lots) == 3_100_000:
            assert "the fee is about 1.21" in words(console.app)


# -- a typed word --------------------------------------------------------------------------------------


async def test_rearm_needs_the_product_typed():
    async with Running(session_with(KILLED)) as console:
        await console.press("R")
        assert isinstance(console.app.screen, TypedWord)
        assert "KILL holds trading KILLED: kill by console pid 4711" in words(console.app)
        await console.press("y", "enter")
        assert console.app.screen.query_one(Input).value == "y"
        await console.press("backspace", *"btc", "minus", *"usd", "enter")
        assert isinstance(console.app.screen, TypedWord)
        assert console.session.names == []
        await console.press("ctrl+u", *"BTC", "minus", *"USD", "enter")
        assert isinstance(console.app.screen, MainScreen)
        assert console.session.names == [CommandName.REARM]


async def test_rearm_is_left_by_escape():
    async with Running(session_with(KILLED)) as console:
        await console.press("R", *"BTC", "minus", *"USD", "escape")
        assert isinstance(console.app.screen, MainScreen)
        assert console.session.names == []


# -- kill ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", [(), ("c",), ("X",), ("q",), ("t",), ("question_mark",), ("s",)])
async def test_kill_works_over_everything_at_once(below: tuple[str, ...]):
    async with Running() as console:
        await console.press(*below)
        await console.pilot.press("K")
        assert console.session.names == [CommandName.KILL]
        assert isinstance(console.app.screen, KillReport)


async def test_while_a_word_is_typed_k_is_a_letter_and_ctrl_k_kills():
    async with Running(session_with(KILLED)) as console:
        await console.press("R", "K")
        assert console.app.screen.query_one(Input).value == "K"
        assert console.session.names == []
        await console.press("f9")
        assert console.session.names == [CommandName.KILL]


async def test_the_report_of_a_kill_goes_from_sent_to_proven():
    async with Running() as console:
        await console.press("K")
        session, app = console.session, console.app
        assert "✓ sent" in words(app)
        assert "acknowledged  waiting" in words(app)
        session.answer(Verdict.ACCEPTED, "KILLED; 4 orders are being cancelled", ms=1.2)
        await console.settle()
        assert "✓ acknowledged  1 ms  KILLED; 4 orders are being cancelled" in words(app)
        assert "proven        waiting" in words(app)
        session.answer(Verdict.DONE, "no order is open", ms=31.0)
        await console.settle()
        assert "✓ proven        31 ms  no order is open" in words(app)
        assert "No order is open and none will be sent" in words(app)
        await console.press("enter")
        assert isinstance(app.screen, MainScreen)


async def test_a_kill_without_proof_lists_what_may_be_open_and_what_to_do():
    async with Running() as console:
        await console.press("K")
        console.session.answer(Verdict.UNKNOWN, "no proof within 8 s", open_orders=("pt-7-b0", "pt-9"))
        await console.settle()
        said = words(console.app)
        assert "! not proven" in said
        assert "65,088.00" in said
        assert "65,089.50" not in said
        assert "Also possibly open: pt-9" in said
        assert "at the venue itself" in said
        assert "No order is open" not in said


async def test_a_repeated_kill_is_sent_again_and_told_in_the_same_report():
    async with Running() as console:
        await console.press("K")
        report = console.app.screen
        console.session.answer(Verdict.UNKNOWN, "no proof within 8 s")
        await console.press("K", "K")
        assert console.session.names == [CommandName.KILL] * 3
        assert console.app.screen is report
        assert "acknowledged  waiting" in words(console.app)
        console.session.answer(Verdict.DONE, "no order is open")
        await console.settle()
        assert "✓ proven" in words(console.app)
        await console.press("escape")
        assert isinstance(console.app.screen, MainScreen)


async def test_a_refused_kill_says_so():
    async with Running() as console:
        await console.press("K")
        console.session.answer(Verdict.REJECTED, "this link is read-only")
        await console.settle()
        assert "! refused       this link is read-only" in words(console.app)
        assert "at the venue itself" in words(console.app)


@pytest.mark.parametrize("takes_signals", [True, False])
async def test_without_a_link_the_report_says_whether_a_signal_reached_the_engine(takes_signals: bool):
    session = FakeSession()
    session.host.takes_signals = takes_signals
    async with Running(session) as console:
        session.lose("the connection to the engine is gone")
        await console.pilot.press("K")
        await console.settle()
        assert isinstance(console.app.screen, KillReport)
        assert session.host.signals == [signal.SIGUSR1]
        said = words(console.app)
        assert "the connection to the engine is gone" in said
        assert ("a signal was sent to the engine instead" in said) is takes_signals
        assert ("nothing could be sent" in said) is not takes_signals
        assert "pinnacle-tui ctl kill" in said
        assert "Press K again" in said


async def test_a_kill_after_the_engines_end_says_that_there_is_nothing_to_kill():
    session = FakeSession()
    session.host.takes_signals = False
    async with Running(session) as console:
        session.end(Ending(75, "the engine was killed by SIGKILL; nobody proved that no order is open"))
        await console.pilot.press("K")
        await console.settle()
        said = words(console.app)
        assert "the engine was killed by SIGKILL" in said
        assert "nothing could be sent" in said
        assert "at the venue itself" in said
        assert "ctl kill" not in said


async def test_an_answer_after_the_report_was_closed_harms_nothing():
    async with Running() as console:
        await console.press("K", "escape")
        console.session.answer(Verdict.DONE)
        await console.settle()
        assert isinstance(console.app.screen, MainScreen)


# -- quit ----------------------------------------------------------------------------------------------


async def test_quit_with_open_orders_asks_and_stays_by_default():
    async with Running() as console:
        await console.press("q")
        assert isinstance(console.app.screen, QuitDialog)
        assert console.app.focused is console.app.screen.query_one("#stay")
        said = words(console.app)
        assert "Quit while 4 orders are open?" in said
        assert "sell  65,090.67  0.0100  4.1s" in said
        assert "buy   65,088.00  0.0060  4.1s" in said
        assert "pinnacle-tui attach sim-btc-usd" in said
        for stay in ("enter", "escape"):
            await console.press(stay)
            assert isinstance(console.app.screen, MainScreen)
            await console.press("q")
        assert console.session.stops == 0
        assert console.session.names == []


async def test_quit_lists_many_orders_by_their_number():
    many = tuple(working("B0", 6_508_800 - n, client_id=f"pt-{n}") for n in range(22))
    async with Running(session_with(product_view(orders=many))) as console:
        await console.press("q")
        assert "and 14 more" in words(console.app)


async def test_quit_says_that_a_list_is_old_while_the_link_is_down():
    async with Running() as console:
        console.session.lose()
        console.session.clock.advance(12 * S)
        await console.pilot.press("q")
        await console.settle()
        assert "The link is down; these were open 12s ago:" in words(console.app)


async def test_cancel_and_quit_stops_the_engine_and_tells_what_is_waited_for():
    async with Running() as console:
        await console.press("q", "y")
        await console.settle()
        session, app = console.session, console.app
        assert session.stops == 1
        assert isinstance(app.screen, StoppingDialog)
        assert "Waiting for it to cancel its orders" in words(app)
        assert "65,088.00" in words(app)
        assert app.return_code is None
        session.end(Ending(0, "the engine has ended"))
        await console.settle()
        assert app.return_code == 0


async def test_while_stopping_only_the_key_that_says_so_kills_the_engine():
    async with Running() as console:
        await console.press("q", "y")
        await console.settle()
        for _ in range(3):
            console.session.clock.advance(30 * MS)
            await console.pilot.press("X")
        await console.press("q", "ctrl+c", "ctrl+q", "y", "q", "q")
        assert isinstance(console.app.screen, StoppingDialog)
        assert console.session.stops == 1
        assert "X" in [answer.key for answer in console.app.screen.query(Answer)]
        await console.press("X")
        assert console.session.stops == 2


@pytest.mark.parametrize("first_ms", [250, 500, 660])
async def test_the_key_that_opened_a_question_says_nothing_while_it_is_held(first_ms: int):
    """Keyboards wait this long before a key repeats."""
    async with Running() as console:
        await console.press("c")
        console.session.clock.advance(first_ms * MS)
        await console.pilot.press("y")
        for _ in range(40):
            console.session.clock.advance(30 * MS)
            await console.pilot.press("y")
        assert isinstance(console.app.screen, Confirm)
        assert console.session.names == []


@pytest.mark.parametrize("code", [0, 75])
async def test_a_question_about_quitting_is_over_when_the_engine_ends(code: int):
    async with Running() as console:
        await console.press("q")
        assert isinstance(console.app.screen, QuitDialog)
        console.session.end(Ending(code, "the engine has ended"))
        await console.settle()
        assert not any(isinstance(screen, QuitDialog) for screen in console.app.screen_stack)
        assert isinstance(console.app.screen, EndedDialog if code else MainScreen)
        assert console.app.return_code is None


async def test_stopping_an_engine_that_has_ended_leaves_at_once():
    async with Running() as console:
        await console.press("q", "question_mark", "f1")  # help over the question keeps it open
        assert not isinstance(console.app.screen, QuitDialog)
        console.session.end(Ending(75, "the engine was killed by SIGKILL"))
        await console.settle()
        await console.press("escape", "escape", "y")
        await console.settle()
        assert console.app.return_code == 75
        assert console.session.stops == 0


async def test_an_engine_that_was_told_to_stop_meanwhile_is_not_killed_by_the_answer():
    async with Running() as console:
        await console.press("q")
        console.session.is_stopping = True  # by a signal
        await console.press("y")
        await console.settle()
        assert console.session.stops == 0
        assert isinstance(console.app.screen, StoppingDialog)


async def test_the_screen_can_be_looked_at_while_the_engine_stops():
    async with Running() as console:
        await console.press("q", "y", "escape")
        await console.settle()
        assert isinstance(console.app.screen, MainScreen)
        await console.press("q")
        assert isinstance(console.app.screen, StoppingDialog)
        assert console.session.stops == 1
        console.session.trouble = "the engine has not ended within 20 s: sent SIGTERM"
        await console.press("X")
        assert console.session.stops == 2


async def test_held_keys_do_not_quit():
    async with Running() as console:
        await console.press("q")
        for key in ("y", "L", "q", "ctrl+c"):
            console.session.clock.advance(30 * MS)
            await console.pilot.press(key)
        assert isinstance(console.app.screen, QuitDialog)
        assert console.session.stops == 0
        assert console.session.names == []


async def test_the_engine_can_be_left_running_once_it_has_agreed():
    async with Running() as console:
        await console.press("q", "L")
        session = console.session
        assert [pending.command.arguments for pending in session.sent] == [
            {"key": "console.on_owner_lost", "value": KEEP_RUNNING}
        ]
        assert console.app.return_code is None
        assert not session.is_kept
        session.answer(Verdict.DONE)
        await console.settle()
        assert session.is_kept
        assert session.stops == 0
        assert console.app.return_code == 0


@pytest.mark.parametrize("verdict", [Verdict.REJECTED, Verdict.UNKNOWN])
async def test_an_engine_that_did_not_agree_is_not_left(verdict: Verdict):
    async with Running() as console:
        await console.press("q", "L")
        console.session.answer(verdict, "somebody else holds control")
        await console.settle()
        assert not console.session.is_kept
        assert console.app.return_code is None
        assert isinstance(console.app.screen, MainScreen)
        told = [notification.message for notification in console.app._notifications]
        assert any("did not agree" in text and "holds control" in text for text in told)


async def test_without_a_link_the_engine_is_not_left():
    async with Running() as console:
        await console.press("q")
        console.session.lose()
        await console.press("L")
        assert isinstance(console.app.screen, MainScreen)
        assert console.app.return_code is None


async def test_without_open_orders_quit_stops_at_once():
    async with Running(session_with(product_view(orders=()))) as console:
        await console.press("q")
        assert console.session.stops == 1
        assert isinstance(console.app.screen, StoppingDialog)


@pytest.mark.parametrize("kind", ["attached", "ended"])
async def test_where_nothing_of_ours_is_left_behind_quit_leaves_at_once(kind: str):
    session = FakeSession(is_owned=kind == "ended")
    async with Running(session) as console:
        if kind == "ended":
            session.end(Ending(75, "the engine was killed by SIGKILL"))
            await console.settle()
        await console.press("q")
        await console.settle()
        assert console.app.return_code == (0 if kind == "attached" else 75)
        assert session.stops == 0


# -- themes --------------------------------------------------------------------------------------------


async def test_a_theme_is_seen_while_it_is_highlighted_and_kept_by_enter():
    async with Running() as console:
        app = console.app
        names = list(app.themes.themes)
        before = names.index(app.theme)
        await console.press("t")
        assert isinstance(app.screen, ThemePicker)
        options = app.screen.query_one(OptionList)
        assert options.highlighted == before
        assert all(app.themes.descriptions[name] for name in names)
        await console.press("up")
        assert app.theme == names[before - 1]
        await console.press("escape")
        assert app.theme == names[before]
        await console.press("t", "up", "enter")
        assert isinstance(app.screen, MainScreen)
        assert app.theme == names[before - 1]


async def test_the_picker_names_the_key_that_restores_as_a_keymap_has_it():
    from pinnacle_tui.bound_keys import all_bindings
    from pinnacle_tui.keymap import Keymap

    keys = {bound.id: ",".join(bound.keys) for bound in all_bindings()} | {"theme.restore": "x"}
    async with Running(keymap=Keymap(keys, [])) as console:
        await console.press("t")
        assert "enter keeps it, x restores the one before" in words(console.app)


# -- everything ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 60)])
async def test_every_dialog_fits_and_is_left_by_escape(size: tuple[int, int]):
    many = tuple(working("B0", 6_508_800 - n, client_id=f"pt-{n}") for n in range(22))
    session = session_with(msgspec_replace(KILLED, orders=many))
    app = console_app(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in ("c", "X", "R", "K", "q", "t", "question_mark"):
            await pilot.press(key)
            await pilot.pause()
            assert not isinstance(app.screen, MainScreen), key
            box = app.screen.query_one("#dialog").region
            assert box.width <= size[0], key
            assert box.height <= size[1], key
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, MainScreen), key


def msgspec_replace(struct: Any, **changes: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(struct, **changes)


async def test_a_console_that_only_watches_is_not_asked():
    session = FakeSession(views.mirror(greeting=hello(role=Role.VIEW)))
    async with Running(session) as console:
        await console.press("c", "X", "R")
        assert isinstance(console.app.screen, MainScreen)
        await console.press("K")
        assert session.names == [CommandName.KILL]
