"""A terminal that stops reading: the engine is not delayed, the link stays up, keys still act, and whoever
looks again sees the present.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from console.terminal import PROGRAM, Home, Line, Process, until

from engine.link.view import View

S = 1_000_000_000
FROZEN_S = 3.0
MORE_THAN_MAY_WAIT = 45
"""Pictures; Textual lets thirty writes wait, then it blocks."""


@pytest.fixture
def line(home: Home) -> Iterator[Line]:
    """A console with orders in the market, at full rate."""
    with Line([PROGRAM, "--speed", "20", "--seed", "7"], home.environment()) as opened:
        opened.wait_for("6 working")
        yield opened


def view(home: Home) -> View:
    return home.look()[1]


def wait(home: Home, seconds: float) -> tuple[View, View]:
    """Let time pass, on the engine's clock; its views before and after."""
    before = view(home)
    passed = f"{seconds:g} seconds"
    until(lambda: view(home).wall_ns - before.wall_ns > seconds * S, passed, within_s=2 * seconds + 10)
    return before, view(home)


def market_second(line: Line, after: int) -> int:
    """Of the day, as it was drawn last; -1 where nothing was drawn since."""
    found = re.findall(rb"(\d\d):(\d\d):(\d\d)Z", line.shown[after:])
    return sum(int(part) * unit for part, unit in zip(found[-1], (3600, 60, 1), strict=True)) if found else -1


def assert_drawn_is_present(home: Home, line: Line, after: int) -> None:
    """Within half a second of real time, the picture has caught up."""
    until(
        lambda: abs(market_second(line, after) - view(home).market_wall_ns // S % 86_400) <= 10,
        "a picture of the present",
        within_s=5,
    )


def test_a_terminal_that_stops_reading_delays_nothing_and_sees_the_present_afterwards(
    home: Home, line: Line
) -> None:
    with line.not_reading():
        before, after = wait(home, FROZEN_S)
        at = len(line.shown)
    assert after.products[0].trade_count > before.products[0].trade_count
    assert after.products[0].pnl.fills > before.products[0].pnl.fills
    assert after.health.controller == before.health.controller != ""
    assert_drawn_is_present(home, line, at)
    line.wait_for("the display was frozen for ", after=at)
    assert b"LINK DOWN" not in line.shown
    assert b"silent" not in line.shown


def test_the_kill_switch_works_on_a_terminal_that_has_stopped_reading(home: Home, line: Line) -> None:
    with line.not_reading():
        wait(home, 1.0)
        line.press("\t", MORE_THAN_MAY_WAIT)  # each is a picture of its own
        line.send("K")
        until(lambda: view(home).products[0].state == "KILLED", "the kill switch", within_s=3)
        assert not view(home).products[0].orders
        at = len(line.shown)
    line.wait_for("proven", after=at)
    line.send("\x1b")
    assert_drawn_is_present(home, line, at)
    for heading in ("1 DEPTH", "2 P&L", "3 INVENTORY", "4 TICK TO QUOTE", "5 QUOTES"):
        line.wait_for(heading, after=at)  # what could not be written was drawn anew


def test_a_signal_ends_the_engine_of_a_console_whose_terminal_has_stopped_reading(
    home: Home, line: Line
) -> None:
    engine = Process(home.look()[0].pid)
    with line.not_reading():
        wait(home, 1.0)
        line.press("\t", MORE_THAN_MAY_WAIT)  # each is a picture of its own
        line.process.terminate()
        assert engine.ends(8)
    assert line.process.wait(10) == 143
    engine.close()
    assert "ended: stopped by SIGTERM" in home.engine_log()
    assert line.shown.rfind(b"\x1b[?1049l") > line.shown.rfind(b"\x1b[?1049h")


@pytest.mark.nightly
def test_a_terminal_frozen_for_long_makes_no_message_late(home: Home, line: Line) -> None:
    with line.not_reading():
        wait(home, 8.0)
        line.press("\t", MORE_THAN_MAY_WAIT)  # each is a picture of its own
        _, after = wait(home, 40.0)
        at = len(line.shown)
    assert after.health.late_p99_ns < 100_000_000
    assert after.health.controller
    assert_drawn_is_present(home, line, at)
    assert b"LINK DOWN" not in line.shown
