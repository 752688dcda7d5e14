"""The app around the screens: frames, freezing, products, themes, toasts, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from console import views
from console.fakes import FakeSession, console_app, settle, until
from console.panel_app import shown
from textual.pilot import Pilot

from engine.core.events import Severity
from engine.link.events import SettingChanged
from engine.link.messages import CommandName, Role
from engine.link.mirror import EngineMirror
from engine.link.settings import PANELS, ConsoleSettings
from engine.link.view import Restriction
from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.themed_app import ThemedApp
from pinnacle_tui.widgets.blotter import BlotterPanel
from pinnacle_tui.widgets.ladder import DepthLadder
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.quotes import QuotesPanel

TWO = views.hello(views.BTC, views.ETH)


def panel(app: ConsoleApp, name: str) -> Panel:
    return app.screen.query_one(f"#{name}", Panel)


def status(app: ConsoleApp) -> str:
    return shown(app.screen.query_one("#status", Panel))[0]


def keys_line(app: Any) -> str:
    return shown(app.screen.query_one("#keys"))[0]


def said(app: ThemedApp) -> list[str]:
    return [notification.message for notification in app._notifications]


async def test_every_panel_is_drawn_and_reached_by_its_number() -> None:
    app = console_app()
    async with app.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        for number, name in enumerate(PANELS, start=1):
            assert shown(panel(app, name))[0].startswith(f"{number} ")
            await pilot.press(str(number))
            assert app.focused is panel(app, name)
            assert app.screen.maximized is None


@pytest.mark.parametrize(
    ("size", "visible"), [((120, 40), 6), ((104, 34), 6), ((120, 48), 6), ((200, 60), 6), ((80, 24), 5)]
)
async def test_the_orders_of_a_strategy_as_it_comes_are_seen(size: tuple[int, int], visible: int) -> None:
    slots = ("A2", "A1", "A0", "B0", "B1", "B2")
    orders = [
        views.working(slot, views.MID + 5_000 * (1 if slot[0] == "A" else -1) * (1 + int(slot[1])))
        for slot in slots
    ]
    book = views.product_view(
        orders=tuple(orders), quotes=tuple(views.quote(order) for order in orders), denied={}
    )
    app = console_app(FakeSession(views.mirror(shown=views.view(book))))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        lines = shown(panel(app, "orders"))
        assert sum(" 0.0100 " in line for line in lines) == visible
        # And in the depth, though they are 50 to 150 USD away.
        assert sum("●" in line or "own from" in line for line in shown(panel(app, "depth"))) >= 2
        assert any("┼" in line for line in shown(panel(app, "pnl"))) is (size != (104, 34))


async def test_a_panel_without_a_place_fills_the_screen_until_it_is_left() -> None:
    app = console_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert not panel(app, "trades").is_on_screen
        await pilot.press("7")
        await settle(pilot)
        assert app.screen.maximized is panel(app, "trades")
        await until(pilot, lambda: panel(app, "trades").size == (80, 22))
        assert "ours" in "".join(shown(panel(app, "trades")))
        assert status(app).startswith(" SIM ") or "SIM" in status(app)
        assert "0 all panels" in keys_line(app)
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen.maximized is None
        assert "all panels" not in keys_line(app)


async def test_z_shows_the_focused_panel_alone_and_all_again() -> None:
    app = console_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("2", "z")
        await settle(pilot)
        assert app.screen.maximized is panel(app, "pnl")
        await until(pilot, lambda: panel(app, "pnl").size == (120, 38))
        await pilot.press("z")
        assert app.screen.maximized is None


async def test_tab_follows_the_reading_order() -> None:
    app = console_app()
    async with app.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        order = []
        for _ in PANELS:
            assert app.focused is not None
            order.append(app.focused.id)
            await pilot.press("tab")
        assert order == ["depth", "pnl", "inventory", "latency", "chart", "quotes", "orders", "trades", "log"]
        await pilot.press("shift+tab")
        assert app.focused is not None
        assert app.focused.id == "log"


async def test_only_a_view_that_is_new_is_drawn_and_clocks_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        drawn: list[int] = []
        screen = app.screen
        assert isinstance(screen, MainScreen)
        monkeypatch.setattr(screen, "draw", lambda scene: drawn.append(scene.view.seq))
        app._frame()
        app._frame()
        assert drawn == []
        session.clock.advance(views.S // 2)
        app._frame()
        assert drawn == []
        assert "live 0.5s" in status(app)
        session.show(views.view(seq=7_513))
        app._frame()
        app._frame()
        assert drawn == [7_513]


async def test_what_cannot_be_seen_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        drawn: list[str] = []
        show = Panel.show

        def noted(self: Panel, scene: Any) -> None:
            drawn.append(self.id or "")
            show(self, scene)

        monkeypatch.setattr(Panel, "show", noted)
        session.show(views.view(seq=7_513))
        app._frame()
        assert set(drawn) == {"status", "depth", "pnl", "inventory", "orders", "log"}
        drawn.clear()
        await pilot.press("c")
        session.show(views.view(seq=7_514))
        app._frame()
        assert set(drawn) == {"status"}


async def test_a_frozen_screen_keeps_its_picture_and_says_since_when() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = shown(panel(app, "depth"))
        await pilot.press("f")
        session.clock.advance(2 * views.S)
        session.show(views.view(views.product_view(bids=views.levels(1, mid=views.MID + 900)), seq=7_513))
        app._frame()
        assert shown(panel(app, "depth")) == before
        assert "FROZEN 2.0s" in status(app)
        assert "f unfreeze" in keys_line(app)
        await pilot.press("f")
        assert shown(panel(app, "depth")) != before
        assert "FROZEN" not in status(app)


async def test_a_screen_that_is_opened_while_the_drawing_is_stopped_shows_the_same_moment() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        order = views.working("B0", 6_500_000, client_id="later")
        session.show(views.view(views.product_view(orders=(order,)), seq=7_513))
        session.tell(views.notice(41, "info", "NEWS", "after the freeze"))
        await pilot.press("o")
        await settle(pilot)
        text = "".join(shown(app.screen.query_one("BlotterPanel", Panel)))
        assert "65,088.00" in text
        assert "65,000.00" not in text
        await pilot.press("escape", "8")
        await settle(pilot)
        assert "after the freeze" not in "".join(shown(panel(app, "log")))
        await pilot.press("f")
        await settle(pilot)
        assert "after the freeze" in "".join(shown(panel(app, "log")))


async def test_a_panel_that_was_hidden_shows_the_moment_of_the_freeze() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("7")  # drawn, then hidden again
        await settle(pilot)
        await pilot.press("0")
        quiet = views.product_view(trades=(), trade_count=4_800)
        session.show(views.view(quiet, seq=7_513))
        await pilot.press("f")
        before = shown(panel(app, "depth"))
        later = views.product_view(bids=views.levels(1, mid=views.MID + 900), pnl=quiet.pnl)
        session.show(views.view(later, seq=7_514))
        await pilot.resize_terminal(40, 10)
        await settle(pilot)
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert shown(panel(app, "depth")) == before
        await pilot.press("7")
        await settle(pilot)
        drawn = panel(app, "trades").scene
        assert drawn is not None
        assert drawn.view.seq == 7_513


async def test_while_the_drawing_is_stopped_there_is_no_other_product() -> None:
    eth = views.product_view(views.ETH)
    session = FakeSession(views.mirror(greeting=TWO, shown=views.view(views.product_view(), eth)))
    app = console_app(session)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        assert "n next product" in keys_line(app)
        await pilot.press("f")
        await settle(pilot)
        assert "next product" not in keys_line(app)
        await pilot.press("n")
        assert "BTC-USD" in status(app)


async def test_before_there_is_anything_to_see_nothing_can_be_frozen() -> None:
    app = console_app(FakeSession(EngineMirror()))
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        await pilot.press("f")
        assert app.frozen is None
        assert shown(panel(app, "depth"))[0] == "1 DEPTH"
        assert not any(shown(panel(app, "depth"))[1:])


async def test_what_is_waited_for_is_true() -> None:
    session = FakeSession(EngineMirror())
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert status(app) == " pinnacle  connecting to the engine"
        session.mirror.is_connected = True
        session.mirror.apply(views.hello(), 0)
        await settle(pilot)
        assert status(app) == " pinnacle  connected; waiting for the first view"
        session.show(views.view(views.product_view(views.ETH)))
        await settle(pilot)
        assert status(app) == " pinnacle  connected; the engine shows no product that it has told of"


async def test_keys_follow_the_state_without_any_event() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        assert "space pause" in keys_line(app)
        paused = views.product_view(state="PAUSED", restrictions=(views.PAUSED_BY_HAND,))
        session.show(views.view(paused, seq=7_513))
        app._frame()
        await pilot.pause()
        assert "space resume" in keys_line(app)
        session.clock.advance(6 * views.S)  # the link falls silent, and nobody says so
        app._frame()
        await pilot.pause()
        assert "resume" not in keys_line(app)
        assert "cancel all" not in keys_line(app)


async def test_an_event_does_not_ask_all_keys_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        asked: list[int] = []
        monkeypatch.setattr(app, "refresh_bindings", lambda: asked.append(1))
        session.tell(*(views.notice(n, "info", "NOTE", "said") for n in range(41, 80)))
        assert asked == []


async def test_what_happened_before_the_console_came_is_no_news() -> None:
    session = FakeSession(views.mirror(greeting=views.hello(role=Role.CONTROL, last_event=42)))
    app = console_app(session)
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        session.tell(
            views.notice(41, "critical", "HALT", "long ago"),
            SettingChanged(42, views.WALL, views.TIME, "", "strategy.levels", "3", "2", session.name),
        )
        await settle(pilot)
        assert said(app) == []
        assert app.undoable is None
        assert any("long ago" in line for line in shown(panel(app, "log")))
        # A hello of the same engine, as after a change of the role, makes nothing old that is new.
        session.mirror.apply(views.hello(role=Role.VIEW, last_event=60), session.clock.monotonic_ns())
        session.on_change()
        session.tell(views.notice(43, "critical", "HALT", "just now"))
        await settle(pilot)
        assert said(app) == ["just now"]


async def test_ages_go_on_while_nothing_comes() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        session.lose()
        for seconds in (7, 8):
            session.clock.advance(seconds * views.S - session.clock.monotonic_ns())
            app._frame()
            assert f"STALE {seconds}." in shown(panel(app, "depth"))[0]


async def test_n_shows_the_next_product_where_there_is_one() -> None:
    eth = views.product_view(views.ETH, bids=views.levels(1, mid=300_025), asks=views.levels(-1, mid=300_025))
    session = FakeSession(views.mirror(greeting=TWO, shown=views.view(views.product_view(), eth)))
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "BTC-USD" in status(app)
        await pilot.press("n")
        assert "ETH-USD" in status(app)
        assert any("3,000.25" in line for line in shown(panel(app, "depth")))
        await pilot.press("n")
        assert "BTC-USD" in status(app)
    alone = console_app()
    async with alone.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        assert "next product" not in keys_line(alone)


async def test_a_changed_setting_is_told_and_u_takes_it_back() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        assert "undo" not in keys_line(app)
        session.tell(
            SettingChanged(41, views.WALL, views.TIME, "", "strategy.levels", "3", "2", "console pid 1")
        )
        await settle(pilot)
        assert said(app) == ["strategy.levels: 3 → 2, by console pid 1; u takes it back"]
        await pilot.press("u")
        assert session.sent[-1].command.name == CommandName.SET
        assert session.sent[-1].command.arguments == {"key": "strategy.levels", "value": "3"}
        await settle(pilot)
        assert "undo" not in keys_line(app)


async def test_undoing_back_to_unset_gives_empty_text() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        session.tell(SettingChanged(41, 0, 0, "", "risk.max_position_base", "-", "2", session.name))
        await pilot.press("u")
        assert session.sent[-1].command.arguments == {"key": "risk.max_position_base", "value": ""}


def levels_changed(eseq: int, who: str) -> SettingChanged:
    return SettingChanged(eseq, views.WALL, views.TIME, "", "strategy.levels", "3", "2", who)


@pytest.mark.parametrize("why", ["somebody else's", "too old", "link lost", "not the last"])
async def test_only_ones_own_last_change_of_the_last_minute_is_taken_back(why: str) -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        session.tell(levels_changed(41, "ctl pid 9" if why == "somebody else's" else session.name))
        match why:
            case "too old":
                session.clock.advance(60 * views.S)
                session.mirror.heard_ns = session.clock.monotonic_ns()
            case "link lost":
                session.lose()
                session.mirror.is_connected = True
                session.on_change()
            case "not the last":
                session.tell(levels_changed(42, "ctl pid 9"))
        app.refresh_bindings()
        await settle(pilot)
        assert "undo" not in keys_line(app)
        assert ("takes it back" in said(app)[0]) is (why != "somebody else's")
        await pilot.press("u")
        assert session.sent == []


@pytest.mark.parametrize("severity", list(Severity))
async def test_errors_come_as_toasts_and_the_rest_stands_in_the_log(severity: Severity) -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        session.tell(views.notice(41, severity.value, "FEED", "[red]no data[/red] for 5 s"))
        await settle(pilot)
        assert said(app) == (["[red]no data[/red] for 5 s"] if severity in ("error", "critical") else [])
        assert any("[red]no data[/red]" in line for line in shown(panel(app, "log")))


async def test_problems_at_the_start_are_told() -> None:
    app = console_app(
        notices=["fees: maker 2 bps"], settings=ConsoleSettings(theme="no such"), is_theme_given=True
    )
    async with app.run_test() as pilot:
        await settle(pilot)
        assert app.theme == "pinnacle"
        assert said(app) == [
            "fees: maker 2 bps",
            "there is no theme no such; `pinnacle-tui themes list` names them",
        ]


async def test_keys_that_would_do_nothing_are_not_offered() -> None:
    session = FakeSession(views.mirror(greeting=views.hello(role=Role.VIEW)))
    app = console_app(session)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        line = keys_line(app)
        assert "T take control" in line
        for words in ("pause", "cancel all", "rearm", "undo", "resume"):
            assert words not in line
        await pilot.press("space", "c", "X", "R")
        assert session.sent == []
        await pilot.press("T")
        assert session.names == [CommandName.TAKE_CONTROL]


async def test_a_console_that_only_watches_has_no_keys_that_steer() -> None:
    session = FakeSession(views.mirror(greeting=views.hello(role=Role.VIEW)))
    session.may_kill = False
    app = console_app(session)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        assert "kill" not in keys_line(app)
        await pilot.press("T", "space", "K", "f9")
        await settle(pilot)
        assert session.sent == []
        wanted = "nothing was killed: this screen was opened to watch only. Kill with: pinnacle-tui ctl kill"
        assert [text.startswith(wanted) for text in said(app)] == [True, True]


@pytest.mark.parametrize(
    ("state", "offered"), [("ACTIVE", "pause"), ("PAUSED", "resume"), ("KILLED", "rearm")]
)
async def test_the_label_of_a_key_follows_the_state(state: str, offered: str) -> None:
    held = (views.PAUSED_BY_HAND,) if state == "PAUSED" else ()
    book = views.product_view(state=state, restrictions=held)
    session = FakeSession(views.mirror(shown=views.view(book)))
    app = console_app(session)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        line = keys_line(app)
        assert [word for word in ("pause", "resume", "rearm") if f" {word}" in line] == [offered]


async def test_a_latch_that_only_reduces_can_be_taken_back() -> None:
    latch = Restriction(
        "DRAWDOWN", "REDUCING", views.TIME, "fell by 150", "a person resets it", is_latch=True
    )
    session = FakeSession(
        views.mirror(shown=views.view(views.product_view(state="REDUCING", restrictions=(latch,))))
    )
    app = console_app(session)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        assert "R rearm" in keys_line(app)
        session.show(views.view(views.product_view(state="REDUCING"), seq=7_513))
        app._frame()
        await pilot.pause()
        assert "R rearm" not in keys_line(app)  # a hold goes by itself


async def test_what_will_quote_again_by_itself_can_be_paused_for_good() -> None:
    tripped = Restriction("BREAKER", "PAUSED", views.TIME, "circuit breaker", "60 s have passed")
    session = FakeSession(
        views.mirror(shown=views.view(views.product_view(state="PAUSED", restrictions=(tripped,))))
    )
    app = console_app(session)
    async with app.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        assert "space pause" in keys_line(app)
        await pilot.press("space")
        assert session.names == [CommandName.PAUSE]
        both = views.product_view(state="PAUSED", restrictions=(tripped, views.PAUSED_BY_HAND))
        session.show(views.view(both, seq=7_513))
        app._frame()
        await pilot.pause()
        assert "space resume" in keys_line(app)


async def test_a_click_on_a_key_is_the_key() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.click("#keys", offset=(keys_line(app).index("pause"), 0))
        await settle(pilot)
        assert session.names == [CommandName.PAUSE]


async def test_the_rate_is_chosen_told_to_the_engine_and_remembered(tmp_path: Path) -> None:
    session, path = FakeSession(), tmp_path / "console.json"
    app = console_app(session, remembered=Remembered(path))
    async with app.run_test() as pilot:
        await settle(pilot)
        assert session.paces == [10]
        app.action_refresh_rate(20)
        assert session.paces == [10, 20]
        await pilot.pause()
        assert said(app) == ["20 redraws a second"]
        app.leave(0)
    assert console_app(remembered=Remembered(path)).hz == 20


async def test_drawing_that_is_too_dear_halves_the_rate_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        monkeypatch.setattr(app.meter, "is_over_budget", lambda: True)
        app._frame()
        assert app.hz == 5
        await pilot.pause()
        assert said(app) == ["drawing took too much of the processor: 5 redraws a second now"]
        session.host.is_in_process = True  # whose work is in the same sum
        app._frame()
        assert app.hz == 5


async def test_a_display_that_stood_still_says_for_how_long() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        app._frame()
        session.clock.advance(int(6.9 * views.S))
        app._frame()
        await pilot.pause()
        assert said(app) == ["the display was frozen for 6.9s"]


async def test_what_drawing_costs_is_shown_in_detail_on_request() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        app.meter.fps, app.meter.frame_ns, app.meter.share = 10.0, 6_400_000, 0.064
        app._tell_cost()
        assert keys_line(app).endswith("6.4 ms/frame")
        await pilot.press("d")
        assert "6% of a core" in keys_line(app)
        assert "engine late p99 1.2 ms" in keys_line(app)
        assert "K kill" in keys_line(app)
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "K kill" in keys_line(app)
        assert "6.4 ms/frame" in keys_line(app)


async def test_what_the_screen_looked_like_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    app = console_app(remembered=Remembered(path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.use_theme("nord")
        await pilot.press("1", "minus", "minus")
        await settle(pilot)
        multiple = panel(app, "depth").state()["multiple"]
        assert multiple > 1
        app.leave(0)
    again = console_app(remembered=Remembered(path))
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert again.theme == "nord"
        assert panel(again, "depth").state()["multiple"] == multiple


@pytest.mark.parametrize(("keys", "alone"), [(("6",), False), (("3", "z"), True)])
async def test_the_focus_and_a_panel_alone_are_remembered(
    tmp_path: Path, keys: tuple[str, ...], alone: bool
) -> None:
    path = tmp_path / "console.json"
    app = console_app(remembered=Remembered(path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press(*keys)
        await settle(pilot)
        name = PANELS[int(keys[0]) - 1]
        assert app.focused is panel(app, name)
        app.leave(0)
    again = console_app(remembered=Remembered(path))
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert again.focused is panel(again, name)
        assert again.screen.maximized is (panel(again, name) if alone else None)
    # Where the settings or the size say otherwise, they count.
    chosen = console_app(remembered=Remembered(path), settings=ConsoleSettings(panel="log"))
    async with chosen.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert chosen.focused is panel(chosen, "log")
        assert chosen.screen.maximized is None


async def test_a_remembered_focus_without_a_place_is_none() -> None:
    remembered = Remembered(None)
    remembered.keep("main.focus", "trades")
    remembered.keep("main.alone", "no such panel")
    app = console_app(remembered=remembered)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.focused is panel(app, "depth")
        assert app.screen.maximized is None


async def test_what_could_not_be_remembered_is_kept_for_the_last_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    app = console_app(remembered=Remembered(tmp_path / "file" / "console.json"))
    async with app.run_test() as pilot:
        await settle(pilot)
        app.leave(0)
    assert "could not be kept" in app.unsaved


async def test_a_theme_named_for_this_run_beats_the_remembered_one(tmp_path: Path) -> None:
    remembered = Remembered(tmp_path / "console.json")
    remembered.keep("theme", "nord")
    app = console_app(remembered=remembered, settings=ConsoleSettings(theme="amber"), is_theme_given=True)
    assert app.theme == "amber"
    assert console_app(remembered=remembered, settings=ConsoleSettings(theme="amber")).theme == "nord"


async def test_settings_choose_the_panel_and_the_marks() -> None:
    app = console_app(settings=ConsoleSettings(panel="orders", mark_changes=False, refresh_hz=5))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert app.focused is panel(app, "orders")
        assert not app.screen.query_one(DepthLadder).marks_changes
        assert app.hz == 5


async def test_a_panel_with_a_plus_fills_the_screen_from_the_start() -> None:
    app = console_app(settings=ConsoleSettings(panel="pnl+"))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert app.focused is panel(app, "pnl")
        assert app.screen.maximized is panel(app, "pnl")


async def test_nothing_is_animated() -> None:
    app = console_app()
    async with app.run_test():
        assert app.animation_level == "none"


async def test_the_log_is_hidden_and_shown_and_remembered(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    app = console_app(remembered=Remembered(path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        height = panel(app, "orders").size.height
        await pilot.press("9", "8", "h")
        await until(pilot, lambda: panel(app, "orders").size.height > height)
        assert not panel(app, "log").is_on_screen
        assert app.focused is panel(app, "depth")
        await pilot.press("8")
        await settle(pilot)
        assert app.screen.maximized is panel(app, "log")
        await pilot.press("0")
        app.leave(0)
    again = console_app(remembered=Remembered(path))
    async with again.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: panel(again, "orders").size.height > height)
        assert not panel(again, "log").is_on_screen
        await pilot.press("h")
        await until(pilot, lambda: panel(again, "orders").size.height == height)
        assert panel(again, "log").is_on_screen


# -- one order, several panels -------------------------------------------------------------------------


async def test_enter_on_a_working_order_explains_its_slot() -> None:
    app = console_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for open_list in ("6", "o"):
            await pilot.press(open_list)
            await settle(pilot)
            await pilot.press("home", "enter")
            await settle(pilot)
            assert app.screen.id == "explain"
            lines = shown(app.screen.query_one("#quotes", Panel))
            assert any(line.startswith("▸ A1") for line in lines)
            assert any(line.startswith("WHY ASK 65,090.67") for line in lines)
            await pilot.press("escape")
            await settle(pilot)
            assert isinstance(app.screen, MainScreen)


async def test_an_order_that_is_selected_somewhere_is_selected_everywhere() -> None:
    app = console_app()
    async with app.run_test(size=(160, 60)) as pilot:
        await settle(pilot)
        ladder = app.screen.query_one(DepthLadder)
        blotter, quotes = app.screen.query_one(BlotterPanel), app.screen.query_one(QuotesPanel)

        def selected() -> tuple[str | None, object, str]:
            return ladder.selected, blotter.window.selected, quotes.slot

        await pilot.press("6", "home")
        assert selected() == ("pt-7-a1", "pt-7-a1", "A1")
        await pilot.press("5", "down")
        assert selected() == ("pt-7-a0", "pt-7-a0", "A0")
        row = next(y for y, line in enumerate(shown(ladder)) if "65,088.00" in line)
        await pilot.click(ladder, offset=(4, row))
        await pilot.pause()
        assert selected() == ("pt-7-b0", "pt-7-b0", "B0")
        await pilot.press("6", "escape")
        assert ladder.selected is None


async def test_an_engine_that_dies_is_loud_and_leaves_its_figures() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        session.end(Ending(75, "the engine was killed by SIGKILL; nobody proved that no order is open"))
        await settle(pilot)
        main = app.screen_stack[0]
        assert " ENGINE ENDED 75   the engine was killed" in shown(main.query_one("#status", Panel))[0]
        assert "ACTIVE" not in shown(main.query_one("#status", Panel))[0]
        assert any("65,088.00" in line for line in shown(main.query_one("#depth", Panel)))
        app._once_a_second()
        assert app.sub_title == "! SIM BTC-USD ENDED +12.48"
        session.clock.advance(views.S)
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen is main
        await pilot.press("q")
        await pilot.pause()
    assert app.return_code == 75


async def test_the_terminal_title_tells_state_and_profit() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        app._once_a_second()
        assert app.sub_title == "SIM BTC-USD ACTIVE +12.48"
        session.show(views.view(views.product_view(state="HALTED"), seq=7_513))
        app._once_a_second()
        assert app.sub_title == "! SIM BTC-USD HALTED +12.48"
        session.lose()
        app._once_a_second()
        assert app.sub_title == "! SIM BTC-USD LINK DOWN +12.48"


async def test_a_signal_stops_the_engine_and_its_number_is_the_exit_code() -> None:
    session = FakeSession()
    app = console_app(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        app._signalled(15)
        session.is_stopping = True
        session.end(Ending(0, "the engine has ended"))
        await pilot.pause()
    assert app.return_code == 143


async def test_a_signal_ends_an_attached_screen_only() -> None:
    session = FakeSession(is_owned=False)
    app = console_app(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        app._signalled(1)
        await pilot.pause()
    assert app.return_code == 129
    assert session.stops == 0


async def test_resizing_at_random_draws_the_right_picture(pilot_sizes: list[tuple[int, int]]) -> None:
    app = console_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for width, height in pilot_sizes:
            await pilot.resize_terminal(width, height)
        await pilot.resize_terminal(120, 40)
        await settle(pilot)
        fresh = console_app()
        async with fresh.run_test(size=(120, 40)) as other:
            await settle(other)
            assert pictures(pilot) == pictures(other)


def pictures(pilot: Pilot[None]) -> dict[str, list[str]]:
    return {drawn.id or "": shown(drawn) for drawn in pilot.app.screen.query(Panel) if drawn.is_on_screen}


@pytest.fixture
def pilot_sizes() -> list[tuple[int, int]]:
    """Twenty-five sizes from tiny to huge, the same ones always."""
    return [(20 + n * 37 % 190, 5 + n * 23 % 60) for n in range(0, 50, 2)]


def test_a_view_of_an_unknown_product_is_not_drawn() -> None:
    session = FakeSession(views.mirror(shown=views.view(views.product_view(views.ETH))))
    assert console_app(session).scene() is None
    empty = msgspec.structs.replace(views.view(), products=())
    assert console_app(FakeSession(views.mirror(shown=empty))).scene() is None
