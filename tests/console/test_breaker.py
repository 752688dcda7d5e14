"""The circuit breaker on the screen: where it stands, and how a person opens and closes it."""

from __future__ import annotations

import pytest
from console.fakes import FakeSession
from console.running import Console, Running, words
from console.views import TIME, S, mirror, product_view, scene, view

from engine.link.messages import CommandName
from engine.link.view import Breaker
from pinnacle_tui.palette_commands import ConsoleCommands
from pinnacle_tui.screens.confirm import Confirm
from pinnacle_tui.widgets.gauges import breaker_rows
from pinnacle_tui.widgets.rows import row_text
from pinnacle_tui.widgets.status_bar import StatusBar

NEVER = Breaker("closed", "", "", 0, None, 0)
CLOSED = Breaker("closed", "move_1m", "the price has moved", TIME - 900 * S, None, 2)
OPEN = Breaker("open", "manual", "news", TIME - 12 * S, TIME + 288 * S, 1)
TRIAL = Breaker("half-open", "manual", "news", TIME - 12 * S, TIME + 48 * S, 1)


def session(breaker: Breaker | None) -> FakeSession:
    return FakeSession(mirror(shown=view(product_view(breaker=breaker))))


def told(breaker: Breaker | None, width: int = 160) -> str:
    known = mirror(shown=view(product_view(breaker=breaker)))
    return "\n".join(row_text(row).rstrip() for row in breaker_rows(scene(known), width))


def offered(console: Console) -> list[str]:
    found = ConsoleCommands(console.app.screen).commands()
    return [command.name for command in found if command.name.startswith("circuit breaker")]


@pytest.mark.parametrize(
    ("breaker", "said"),
    [
        (None, ""),
        (NEVER, "circuit breaker closed"),
        (
            CLOSED,
            "circuit breaker closed  ·  opened 2 times  ·  last by move_1m: the price has moved",
        ),
        (
            OPEN,
            "circuit breaker OPEN  ·  half-open in 4m48s  ·  opened 1 time  ·  last by manual: news",
        ),
        (
            TRIAL,
            "circuit breaker HALF-OPEN  ·  closed in 48s  ·  opened 1 time  ·  last by manual: news",
        ),
    ],
)
def test_state_trigger_time_left_and_trips_are_told(breaker: Breaker | None, said: str) -> None:
    assert told(breaker) == said


def test_in_a_narrow_panel_it_is_told_to_its_end() -> None:
    assert " ".join(told(OPEN, 40).split()) == " ".join(told(OPEN).split())


async def test_the_risk_screen_shows_it() -> None:
    async with Running(session(OPEN), size=(160, 40)) as console:
        await console.press("r")
        await console.settle()
        panel = console.app.screen.query_one("#restrictions")
        assert any("circuit breaker OPEN" in row_text(row) for row in panel.shown_rows)  # type: ignore[attr-defined]


async def test_while_quotes_are_on_trial_the_status_says_so() -> None:
    async with Running(session(TRIAL), size=(200, 40)) as console:
        assert "breaker half-open, closed in 48s" in row_text(
            console.app.screen.query_one(StatusBar).shown_rows[0]
        )


@pytest.mark.parametrize(
    ("breaker", "names"),
    [
        (None, []),
        (NEVER, ["circuit breaker: trip"]),
        (OPEN, ["circuit breaker: reset"]),
        (TRIAL, ["circuit breaker: trip", "circuit breaker: reset"]),
    ],
)
async def test_only_what_would_do_something_is_offered(breaker: Breaker | None, names: list[str]) -> None:
    async with Running(session(breaker)) as console:
        assert offered(console) == names


async def test_a_trip_is_sent_at_once_and_a_reset_after_a_question() -> None:
    async with Running(session(TRIAL)) as console:
        console.app.action_trip_breaker()
        assert console.session.names == [CommandName.TRIP_BREAKER]
        console.app.action_reset_breaker()
        await console.settle()
        assert isinstance(console.app.screen, Confirm)
        assert "BTC-USD: half-open, manual: news." in words(console.app)
        await console.press("enter")
        assert console.session.names == [CommandName.TRIP_BREAKER]
        console.app.action_reset_breaker()
        await console.settle()
        await console.press("y")
        assert console.session.names == [CommandName.TRIP_BREAKER, CommandName.RESET_BREAKER]
