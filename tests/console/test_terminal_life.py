"""The real program in a real terminal: left, killed, stopped, cut off, and what it survives."""

from __future__ import annotations

import re
import signal
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from console.terminal import AT_REST, PROGRAM, Home, Line, Process, Terminal, until

from pinnacle_tui.theme_file import themes_folder

OpenTerminal = Callable[..., Terminal]
SEEDED = ("--speed", "20", "--seed", "7")


@pytest.fixture
def terminal(open_terminal: OpenTerminal) -> Terminal:
    """A console with orders in the market."""
    opened: Terminal = open_terminal()
    opened.start(*SEEDED)
    opened.wait_for("6 working")
    return opened


def assert_restored(terminal: Terminal) -> None:
    """Nothing of the screen is left over in the terminal."""
    assert terminal.modes == AT_REST
    raw = terminal.raw
    for taken, given_back in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
        assert raw.rfind(given_back) > raw.rfind(taken) > 0


def assert_cancelled(home: Home) -> None:
    """The engine's last words: nothing is open."""
    log = home.engine_log()
    assert re.search(r" open 0  fills .*\nended: ", log), log
    assert "possibly open" not in log
    assert not home.sockets()


# -- quitting -------------------------------------------------------------------------------------------


def test_quitting_asks_then_cancels_proves_and_says_how_it_ended(
    home: Home, open_terminal: OpenTerminal
) -> None:
    terminal = open_terminal()
    before = terminal.settings()
    terminal.start(*SEEDED)
    terminal.wait_for("6 working")
    engine = terminal.engine()
    terminal.send("q")
    shown = terminal.wait_for("Quit while")
    assert len(re.findall(r"BTC-USD +(?:buy|sell) +6\d,\d{3}\.\d\d ", shown)) == 6
    terminal.answer("Enter", "Quit while")  # what has the focus is to stay
    terminal.wait_gone("Quit while")
    terminal.send("q")
    terminal.answer("y", "Quit while")
    assert terminal.prompt() == 0
    assert engine.is_gone
    assert_restored(terminal)
    assert_cancelled(home)
    # The last words are those of the end, not of the last picture.
    said = "".join(terminal.screen().split("\n"))
    told = re.search(
        r"BTC-USD: P&L ([+−]?\d[\d,.]*) USD, position (\S+) BTC, fills (\d+), digest ([0-9a-f]{16})", said
    )
    assert told, said
    logged = re.findall(
        r"position (\S+) BTC  P&L ([+-]\S+) .* fills (\d+) .*\nended: .*digest ([0-9a-f]{16})",
        home.engine_log(),
    )[-1]
    assert float(told[2]) == float(logged[0])
    assert told[1].replace("−", "-").lstrip("+") == logged[1].lstrip("+")
    assert told[3] == logged[2]
    assert told[4] == logged[3]
    assert terminal.settings() == before


def test_without_orders_quitting_asks_nothing(home: Home, terminal: Terminal) -> None:
    terminal.send("Space")
    terminal.wait_for("ORDERS 0 working")
    terminal.send("q")
    assert terminal.prompt() == 0
    assert "Quit while" not in terminal.raw.decode()
    assert_restored(terminal)
    assert_cancelled(home)


def test_control_c_is_like_q(terminal: Terminal) -> None:
    terminal.send("C-c")
    terminal.answer("Escape", "Quit while")
    terminal.wait_gone("Quit while")


def test_an_engine_that_is_left_running_is_found_again_and_ended(home: Home, terminal: Terminal) -> None:
    engine = terminal.engine()
    terminal.send("q")
    terminal.answer("L", "Quit while")
    assert terminal.prompt() == 0
    assert_restored(terminal)
    assert "the engine goes on: pinnacle-tui attach sim-btc-usd" in terminal.screen()
    assert not engine.is_gone
    assert home.sockets() == ["sim-btc-usd.sock"]
    terminal.run("pinnacle-tui attach")
    terminal.wait_for(lambda shown: " ACTIVE " in shown and "CONTROL" in shown)
    terminal.wait_for("6 working")
    terminal.send("q")  # nothing of ours is left behind
    assert terminal.prompt() == 0
    assert not engine.is_gone
    terminal.run("pinnacle-tui ctl shutdown")
    assert terminal.prompt() == 0
    assert engine.ends()
    assert_cancelled(home)


# -- signals and hang-ups -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_console_and_its_engine_in_good_order(
    home: Home, open_terminal: OpenTerminal, number: signal.Signals, code: int
) -> None:
    terminal = open_terminal()
    before = terminal.settings()
    terminal.start(*SEEDED)
    terminal.wait_for("6 working")
    engine = terminal.engine()
    terminal.console().signal(number)
    assert terminal.prompt() == code
    assert engine.is_gone
    assert_restored(terminal)
    assert_cancelled(home)
    assert terminal.settings() == before


@pytest.mark.parametrize(("is_controlling", "ignores_hang_up"), [(True, False), (True, True), (False, False)])
def test_a_terminal_that_goes_away_ends_console_and_engine(
    home: Home, is_controlling: bool, ignores_hang_up: bool
) -> None:
    with Line(
        [PROGRAM, *SEEDED],
        home.environment(),
        is_controlling=is_controlling,
        ignores_hang_up=ignores_hang_up,
    ) as line:
        line.wait_for("6 working")
        console, engine = Process(line.process.pid), Process(home.look()[0].pid)
        used = console.processor_s()
        line.hang_up()
        until(lambda: console.is_gone, "the end of the console", 10)
        # Threads that spin over a terminal that is gone would have used all of it.
        assert console.processor_s() - used < 2.0
        assert line.process.wait() == 129
        assert engine.ends(5)
        assert_cancelled(home)
        console.close()
        engine.close()


def test_control_z_gives_the_shell_and_the_engine_goes_on(home: Home, terminal: Terminal) -> None:
    terminal.send("C-z")
    assert terminal.prompt() == 128 + signal.SIGSTOP
    assert terminal.modes == AT_REST
    seen = home.look()[1]
    until(lambda: home.look()[1].products[0].trade_count > seen.products[0].trade_count, "trades")
    terminal.run("pinnacle-tui ctl status")
    assert terminal.prompt() == 0
    assert "BTC-USD  ACTIVE" in terminal.screen()
    terminal.run("fg")
    terminal.wait_for(lambda shown: " ACTIVE " in shown and "6 working" in shown and "8 LOG" in shown)
    terminal.send("e")  # and the keys are heard
    terminal.wait_for("\nQUOTES")


def test_a_console_that_was_stopped_from_outside_says_for_how_long_and_ends_in_good_order(
    home: Home, open_terminal: OpenTerminal
) -> None:
    terminal = open_terminal()
    before = terminal.settings()
    terminal.start(*SEEDED)
    terminal.wait_for("6 working")
    console = terminal.console()
    threads = len(console.threads())
    console.signal(signal.SIGSTOP)
    began = home.look()[1].wall_ns
    until(lambda: home.look()[1].wall_ns - began > 2_000_000_000, "two seconds")
    terminal.run("fg")
    shown = terminal.wait_for("the display was frozen for ")
    terminal.wait_for(lambda shown: " ACTIVE " in shown and "6 working" in shown and "8 LOG" in shown)
    assert "8 LOG" in shown
    assert len(console.threads()) == threads  # one that reads the keys, as before
    terminal.send("q")
    terminal.answer("y", "Quit while")
    assert terminal.prompt() == 0
    assert_restored(terminal)
    assert terminal.settings() == before


# -- one without the other ------------------------------------------------------------------------------


def test_an_engine_whose_console_was_killed_cancels_everything_and_ends(
    home: Home, open_terminal: OpenTerminal
) -> None:
    terminal = open_terminal()
    terminal.start(*SEEDED, "--set", "console.owner_grace_s=1")
    terminal.wait_for("6 working")
    engine = terminal.engine()
    terminal.console().signal(signal.SIGKILL)
    assert engine.ends(8)
    assert "ended: the console that owned this engine is gone" in home.engine_log()
    assert_cancelled(home)


def test_a_console_whose_engine_was_killed_says_so_and_keeps_the_figures(
    home: Home, terminal: Terminal
) -> None:
    terminal.wait_for(lambda shown: re.search(r"total +[+−]\d", shown))
    terminal.engine().signal(signal.SIGKILL)
    shown = terminal.wait_for("The engine has ended: exit code 75")
    assert "killed by SIGKILL" in shown
    terminal.answer("Escape", "The engine has ended: exit code 75")
    terminal.wait_gone("The engine has ended: exit code 75")
    terminal.wait_for(lambda _: ink(terminal, " ENGINE ENDED") == colour("error"))
    shown = terminal.wait_for(lambda _: ink(terminal, r"total +[+−]\d") == colour("stale"))
    total = re.search(r"total +([+−]\d[\d,.]*) ", shown)
    assert total
    terminal.send("e")
    terminal.wait_for("\nQUOTES")
    terminal.send("Escape")
    terminal.wait_for("6 ORDERS")
    terminal.send("q")
    assert terminal.prompt() == 75
    assert_restored(terminal)
    shown = " ".join(terminal.screen().split())
    assert "nobody proved that no order is open" in shown
    assert f"P&L {total[1]} USD" in shown


def colour(name: str) -> str:
    """A colour of the default theme, as the terminal is told it."""
    theme = tomllib.loads((themes_folder() / "pinnacle.toml").read_text())
    value = (theme["colors"] | theme["variables"])[name]
    return ";".join(str(int(value[at : at + 2], 16)) for at in (1, 3, 5))


def ink(terminal: Terminal, pattern: str) -> str:
    """The colour in which a text stands on the screen."""
    found = re.search(rf"38;2;(\d+;\d+;\d+)(?:(?!38;2)[^\n])*?{pattern}", terminal.screen(colours=True))
    return found[1] if found else ""


# -- a screen that fails --------------------------------------------------------------------------------


def failing(home: Home) -> tuple[str, Path]:
    """A command that runs the console with a panel that fails while a file says how often; and the file."""
    flag, program = home.folder / "fail", home.folder / "failing.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from pinnacle_tui import cli\n"
        "from pinnacle_tui.widgets.pnl import PnlPanel\n"
        f"flag, rows = Path({str(flag)!r}), PnlPanel.rows\n"
        "def failing(self, *given):\n"
        "    left = int(flag.read_text()) if flag.exists() else 0\n"
        "    if left:\n"
        "        flag.write_text(str(left - 1))\n"
        "        raise RuntimeError('this panel has failed')\n"
        "    return rows(self, *given)\n"
        "PnlPanel.rows = failing\n"
        "sys.exit(cli.main())\n"
    )
    return f"{sys.executable} {program} {' '.join(SEEDED)}", flag


def test_a_screen_that_fails_is_started_anew_over_the_same_engine(
    home: Home, open_terminal: OpenTerminal
) -> None:
    terminal = open_terminal()
    command, flag = failing(home)
    terminal.run(command)
    terminal.wait_for("6 working")
    engine, console = terminal.engine(), terminal.console()
    flag.write_text("1")
    terminal.wait_for("the screen failed and was started anew")
    terminal.wait_for(lambda shown: "6 working" in shown and " ACTIVE " in shown)
    assert (terminal.engine().pid, terminal.console().pid) == (engine.pid, console.pid)
    (report,) = home.reports()
    assert "this panel has failed" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0
    terminal.send("q")
    terminal.answer("y", "Quit while")
    assert terminal.prompt() == 0
    assert_restored(terminal)
    assert_cancelled(home)


def test_a_screen_that_fails_again_and_again_stays_off(home: Home, open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    before = terminal.settings()
    command, flag = failing(home)
    terminal.run(f"{command} --set console.owner_grace_s=1")
    terminal.wait_for("6 working")
    engine = terminal.engine()
    flag.write_text("1000")
    assert terminal.prompt() == 1
    assert_restored(terminal)
    shown = " ".join(terminal.screen().split())
    assert "the screen failed 3 times within a minute" in shown
    assert engine.ends(8)
    assert_cancelled(home)
    assert terminal.settings() == before
