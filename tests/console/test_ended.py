"""An engine that ends badly: what is said, what stays readable, and how the screen is left."""

from __future__ import annotations

from console import views
from console.fakes import FakeSession
from console.panel_app import shown
from console.running import Running, words

from engine.link.messages import Bye
from engine.link.mirror import EngineMirror
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.screens.ended import EndedDialog
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.screens.quit import QuitDialog
from pinnacle_tui.widgets.panel import Panel

KILLED = Ending(75, "the engine was killed by SIGKILL; nobody proved that no order is open")
LAST = "The figures on the screen are its last ones."


async def test_a_bad_end_comes_up_with_everything_that_is_known_and_stays():
    session = FakeSession()
    session.host.words = [f"line {n} \x1b[31mred" for n in range(12)]
    async with Running(session, size=(120, 40)) as console:
        session.end(KILLED)
        await console.settle()
        assert isinstance(console.app.screen, EndedDialog)
        said = words(console.app)
        assert "exit code 75" in said
        assert KILLED.sentence in said
        assert "Open when it was last heard of:" in said
        assert "65,088.00" in said
        assert LAST in said
        assert "line 11 red" in said
        assert "line 4 red" in said
        assert "line 3 red" not in said
        await console.press("escape")
        assert isinstance(console.app.screen, MainScreen)
        await console.press("q")
    assert console.app.return_code == 75


async def test_on_a_small_terminal_the_answers_stay_in_view():
    orders = tuple(views.working(f"B{n}", views.MID - 100 * n) for n in range(12))
    session = FakeSession(views.mirror(shown=views.view(views.product_view(orders=orders))))
    session.host.words = ["a line"] * 12
    async with Running(session, size=(80, 24)) as console:
        session.end(KILLED)
        await console.settle()
        dialog = console.app.screen.query_one("#dialog")
        for answer in console.app.screen.query("Answer"):
            assert dialog.region.contains_region(answer.region)


async def test_an_engine_that_could_not_start_gives_the_terminal_back_for_its_sentence():
    session = FakeSession(EngineMirror())
    async with Running(session) as console:
        session.end(Ending(2, "the engine ended with exit code 2: no such product"))
        await console.pilot.pause()
    assert console.app.return_code == 2


async def test_an_engine_that_failed_before_its_first_view_has_no_figures():
    session = FakeSession(EngineMirror())
    session.mirror.apply(views.hello(), 0)
    async with Running(session) as console:
        session.end(Ending(2, "the engine ended with exit code 2: no such product"))
        await console.settle()
        said = words(console.app)
        assert "no such product" in said
        assert LAST not in said
        assert "Open when" not in said
        status = console.app.screen_stack[0].query_one("#status", Panel)
        assert "no such product" in shown(status)[0]
        console.app._once_a_second()
        assert console.app.sub_title == "! ENDED"
        await console.press("q")
    assert console.app.return_code == 2


async def test_what_the_engine_itself_could_not_prove_is_named():
    session = FakeSession(views.mirror(greeting=views.hello(mode="live")))
    session.mirror.apply(Bye("no proof", 75, ("o1", "o2"), {}), 0)
    async with Running(session) as console:
        session.end(Ending(75, "the engine has ended: no proof"))
        await console.settle()
        said = words(console.app)
        assert "Possibly open: o1, o2" in said
        assert "Look at your orders at the venue itself" in said


async def test_a_question_that_was_open_is_closed_by_it():
    session = FakeSession()
    async with Running(session) as console:
        await console.press("q")
        assert isinstance(console.app.screen, QuitDialog)
        session.end(KILLED)
        await console.settle()
        assert [type(screen) for screen in console.app.screen_stack] == [MainScreen, EndedDialog]


async def test_an_end_that_was_asked_for_needs_no_words():
    session = FakeSession()
    async with Running(session) as console:
        session.end(Ending(0, "the engine has ended"))
        await console.settle()
        assert isinstance(console.app.screen, MainScreen)
