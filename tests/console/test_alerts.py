"""Alerts that wait for a person: the banner, the bell, the key and the palette that acknowledge them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console import views
from console.fakes import FakeSession
from console.running import Console, Running
from console.views import BTC, ETH, WALL, hello, mirror, product_view, scene, view

from engine.core.clock import ManualClock
from engine.link.events import Operated
from engine.link.messages import CommandName, Role, Verdict
from engine.link.view import StandingAlert
from pinnacle_tui.alerts import AlertWatch
from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.held_keys import HELD_NS
from pinnacle_tui.palette_commands import ConsoleCommands, PaletteCommand
from pinnacle_tui.scenes import window_title
from pinnacle_tui.widgets.alert_banner import AlertBanner, banner_row
from pinnacle_tui.widgets.key_bar import KeyBar
from pinnacle_tui.widgets.log import LogPanel
from pinnacle_tui.widgets.rows import row_text, row_width

S = views.S


def alert(name: str = "FEED", severity: str = "warning", **changes: Any) -> StandingAlert:
    made = StandingAlert(name, severity, "BTC-USD", f"{name.lower()} has happened", WALL - 90 * S, 1)
    return msgspec.structs.replace(made, **changes)


FEED, LOSS, KILL = alert(), alert("LOSS", "error"), alert("KILL", "critical")


def banner(console: Console) -> str:
    """What the banner says; empty where there is none."""
    shown = console.app.screen.query_one(AlertBanner)
    return row_text(shown.shown_rows[0]) if shown.display else ""


def footer(console: Console) -> str:
    return row_text(console.app.screen.query_one(KeyBar).shown_rows[0])


async def stand(console: Console, *alerts: StandingAlert) -> None:
    console.session.show(view(alerts=alerts))
    await console.settle()
    await console.settle()


def commands(console: Console) -> dict[str, PaletteCommand]:
    return {command.name: command for command in ConsoleCommands(console.app.screen).commands()}


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each time the bell was rung."""
    made: list[bool] = []
    monkeypatch.setattr(ConsoleApp, "bell", lambda _: made.append(True))
    return made


# -- the banner ----------------------------------------------------------------------------------------


async def test_an_alert_is_named_with_severity_text_since_when_and_key() -> None:
    async with Running(size=(140, 40)) as console:
        assert banner(console) == ""
        await stand(console, FEED)
        said = banner(console)
        assert said.startswith(" 1 ALERT   WARNING FEED  feed has happened  ")
        assert said.endswith("  since 08:59:37Z, 1m30s  a acknowledges FEED ")
        assert "a ack FEED" in footer(console)


async def test_of_several_the_gravest_is_named_the_newest_of_equals_and_all_are_counted() -> None:
    async with Running(size=(140, 40)) as console:
        await stand(console, msgspec.structs.replace(KILL, count=14), FEED)
        assert banner(console).startswith(" 2 ALERTS   CRITICAL KILL  kill has happened  ")
        assert "  14 times since 08:59:37Z, 1m30s  " in banner(console)
        await stand(console, alert("CLOCK"), FEED)
        assert banner(console).startswith(" 2 ALERTS   WARNING FEED  ")


def test_it_has_the_colour_of_what_it_names() -> None:
    def styles(*alerts: StandingAlert) -> list[str]:
        row = banner_row(scene(mirror(shown=view(alerts=alerts))), "a", 140)
        return [style for text, style in row if "ALERT" in text or alerts[0].name in text]

    assert styles(FEED)[:2] == ["warning bold reverse", "warning bold"]
    assert styles(KILL, FEED)[:2] == ["danger bold reverse", "danger bold"]
    assert styles(LOSS, FEED)[:2] == ["danger reverse", "danger"]


@pytest.mark.parametrize("width", [40, 60, 80, 104, 200])
def test_it_takes_one_row_of_any_width_and_names_what_matters_most(width: int) -> None:
    long = alert("PORTFOLIO_DRAWDOWN", "critical", text="the products are 163.00 USD below their peak " * 4)
    row = banner_row(scene(mirror(shown=view(alerts=(FEED, long)))), "a", width)
    assert row_width(row) <= width
    assert row_text(row).startswith(" 2 ALERTS   CRITICAL PORTFOLIO_DRAWDOWN")


def test_with_several_products_it_says_whose_alert_it_is() -> None:
    shown = view(product_view(), product_view(ETH), alerts=(alert(product="ETH-USD"),))
    known = mirror(shown=shown, greeting=hello(BTC, ETH))
    assert " ETH-USD " in row_text(banner_row(scene(known), "a", 140))
    assert "BTC-USD" not in row_text(banner_row(scene(mirror(shown=view(alerts=(FEED,)))), "a", 140))


@pytest.mark.parametrize("keys", ["O", "r", "s", "2z"])
async def test_it_stands_on_every_screen_and_over_a_panel_alone(keys: str) -> None:
    several = hello(BTC, ETH)
    books = product_view(), product_view(ETH)
    async with Running(FakeSession(mirror(shown=view(*books), greeting=several)), size=(120, 40)) as console:
        await console.press(*keys)
        console.session.show(view(*books, alerts=(KILL,)))
        await console.settle()
        await console.settle()
        shown = console.app.screen.query_one(AlertBanner)
        assert "CRITICAL KILL" in banner(console)
        assert shown.region.y == 1
        assert console.app.screen.query_one("#tabs").region.y != 1
        await console.press("a")
        assert console.session.names == [CommandName.ACK]


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (200, "WARNING FEED  book is stale: a gap in the sequence; quotes are pulled  "),
        (120, "  since 08:59:37Z  a acknowledges "),
        (80, " 1 ALERT   WARNING FEED  book is stale: a gap in th…  08:59:37Z  a acknowledges "),
    ],
)
def test_in_a_short_row_the_text_is_cut_last(width: int, said: str) -> None:
    text = "book is stale: a gap in the sequence; quotes are pulled"
    long = msgspec.structs.replace(FEED, text=text, count=14)
    assert said in row_text(banner_row(scene(mirror(shown=view(alerts=(long,)))), "a", width))


async def test_on_a_side_screen_of_one_product_it_follows_the_status_at_once() -> None:
    async with Running(size=(100, 40)) as console:
        await console.press("r")
        await stand(console, FEED)
        assert console.app.screen.query_one(AlertBanner).region.y == 1


async def test_a_screen_that_stands_still_shows_the_alerts_of_the_present() -> None:
    async with Running() as console:
        await console.press("f")
        await stand(console, FEED)
        assert "FEED" in banner(console)


async def test_the_window_title_asks_for_attention() -> None:
    assert window_title(scene(mirror(shown=view(alerts=(FEED,))))).startswith("! SIM BTC-USD ACTIVE")
    assert window_title(scene()).startswith("SIM BTC-USD ACTIVE")


# -- to acknowledge ------------------------------------------------------------------------------------


async def test_the_key_acknowledges_by_name_and_the_banner_goes_with_the_last() -> None:
    async with Running(size=(140, 40)) as console:
        await stand(console, LOSS, FEED)
        await console.press("a")
        (asked,) = console.session.sent
        assert (asked.command.name, asked.command.arguments) == (CommandName.ACK, {"name": "LOSS"})
        console.session.answer(Verdict.DONE, "LOSS is acknowledged")
        console.session.tell(Operated(900, WALL, views.TIME, "", "ack", "console pid 1", "LOSS"))
        await stand(console, FEED)
        assert banner(console).startswith(" 1 ALERT   WARNING FEED")
        assert "a ack FEED" in footer(console)
        assert console.told[-1] == "acknowledge LOSS: done in 3 ms: LOSS is acknowledged"
        log = console.app.screen.query_one(LogPanel).shown_rows
        assert any("ack by console pid 1: LOSS" in row_text(row) for row in log)
        await console.press("a")
        assert console.session.sent[-1].command.arguments == {"name": "FEED"}
        await stand(console)
        assert banner(console) == ""
        assert " ack" not in footer(console)
        await console.press("a")
        assert len(console.session.sent) == 2


async def test_what_has_only_just_come_up_is_not_acknowledged_by_a_key_meant_for_another() -> None:
    async with Running() as console:
        await stand(console, FEED)
        console.session.clock.advance(HELD_NS)
        await stand(console, FEED, KILL)
        await console.pilot.press("a")
        assert console.session.names == []
        await console.press("a")
        assert console.session.sent[-1].command.arguments == {"name": "KILL"}


async def test_a_key_that_is_held_down_acknowledges_one_alert() -> None:
    async with Running() as console:
        await stand(console, LOSS, FEED)
        await console.press("a")
        await stand(console, FEED)
        for _ in range(6):
            console.session.clock.advance(HELD_NS // 4)
            await console.pilot.press("a")
        assert console.session.names == [CommandName.ACK]


async def test_the_palette_has_every_alert_by_its_name_the_newest_first() -> None:
    async with Running() as console:
        await stand(console, KILL, FEED)
        named = commands(console)
        offered = [name for name in named if name.startswith("acknowledge alert")]
        assert offered == ["acknowledge alert: FEED", "acknowledge alert: KILL"]
        assert named["acknowledge alert: KILL"].help == "kill has happened"
        assert "ack KILL (a)" in named
        named["acknowledge alert: KILL"].run()
        assert console.session.sent[-1].command.arguments == {"name": "KILL"}


async def test_a_console_that_only_watches_is_told_and_has_no_key_for_it() -> None:
    async with Running(FakeSession(mirror(greeting=hello(role=Role.VIEW)))) as console:
        await stand(console, FEED)
        assert "WARNING FEED" in banner(console)
        assert "acknowledges" not in banner(console)
        await console.press("a")
        assert console.session.names == []
        assert not [name for name in commands(console) if name.startswith("ack")]


async def test_what_the_engine_refuses_is_told() -> None:
    async with Running() as console:
        await stand(console, FEED)
        await console.press("a")
        console.session.answer(Verdict.REJECTED, "no alert FEED waits to be acknowledged")
        await console.settle()
        assert console.told[-1].startswith("acknowledge FEED was refused: no alert FEED waits")


async def test_a_name_that_would_steer_the_terminal_is_only_text() -> None:
    async with Running(size=(140, 40)) as console:
        await stand(console, alert("\x1b[2J", text="\x1b]0;x\x07"))
        assert "\x1b" not in "".join(
            segment.text for segment in console.app.screen.query_one(AlertBanner).render_line(0)
        )
        assert "\x1b" not in footer(console)


# -- the bell ------------------------------------------------------------------------------------------


async def test_the_bell_rings_once_for_each_new_alert(rung: list[bool]) -> None:
    async with Running() as console:
        assert not rung
        await stand(console, FEED)
        assert len(rung) == 1
        await stand(console, msgspec.structs.replace(FEED, count=2, text="again"))
        assert len(rung) == 1
        await stand(console, FEED, KILL)
        assert len(rung) == 2
        await stand(console)
        await stand(console, msgspec.structs.replace(FEED, since_wall_ns=WALL))
        assert len(rung) == 3


def test_an_alert_that_becomes_graver_is_news() -> None:
    watch = AlertWatch(ManualClock())
    assert watch.look((FEED,))
    assert not watch.look((FEED,))
    assert watch.look((msgspec.structs.replace(FEED, severity="critical"),))
    assert not watch.look((FEED,))
    assert not watch.look(())
    assert watch.shown is None
