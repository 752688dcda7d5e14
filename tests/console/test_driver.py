"""A terminal that takes nothing is not waited for, shows the present afterwards, and is given back whole."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from console.terminal import PROGRAM, Home, Line, Terminal, until
from textual.app import App
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from pinnacle_tui.terminal import ConsoleDriver

S = 1_000_000_000


@pytest.fixture
async def driver() -> AsyncIterator[ConsoleDriver]:
    """With a screen on a terminal that takes nothing."""
    numbers = (signal.SIGTSTP, signal.SIGCONT)
    before = [signal.getsignal(number) for number in numbers]
    made = ConsoleDriver(App())
    made._writer_thread = WriterThread(made._file)
    made._must_write = False
    yield made
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def waiting(driver: ConsoleDriver) -> list[str]:
    assert driver._writer_thread is not None
    return [text or "" for text in driver._writer_thread._queue.queue]


def taken(driver: ConsoleDriver) -> list[str]:
    """Everything that waits is taken by the terminal."""
    texts = waiting(driver)
    assert driver._writer_thread is not None
    driver._writer_thread._queue.queue.clear()
    return texts


async def test_what_a_terminal_does_not_take_is_left_out_and_remembered(driver: ConsoleDriver) -> None:
    for n in range(3 * MAX_QUEUED_WRITES):
        driver.write(f"frame {n}")
        assert driver.is_behind == (n >= 2)
    assert waiting(driver) == [f"frame {n}" for n in range(MAX_QUEUED_WRITES)]
    assert driver.has_missed


async def test_a_title_is_written_once_and_again_where_it_may_have_been_lost(driver: ConsoleDriver) -> None:
    driver.tell_title("SIM BTC-USD")
    driver.tell_title("SIM BTC-USD")
    assert taken(driver) == ["\x1b]0;SIM BTC-USD\x07"]
    for n in range(MAX_QUEUED_WRITES):
        driver.write(f"frame {n}")
    driver.tell_title("SIM BTC-USD HALTED")
    assert taken(driver)[-1] == f"frame {MAX_QUEUED_WRITES - 1}"
    driver.tell_title("SIM BTC-USD HALTED")
    assert taken(driver) == ["\x1b]0;SIM BTC-USD HALTED\x07"]
    for n in range(MAX_QUEUED_WRITES + 1):  # which of those before were shown nobody knows
        driver.write(f"frame {n}")
    taken(driver)
    driver.tell_title("SIM BTC-USD HALTED")
    assert taken(driver) == ["\x1b]0;SIM BTC-USD HALTED\x07"]


# -- the real program ----------------------------------------------------------------------------


def test_the_title_of_the_window_is_kept_and_given_back(home: Home) -> None:
    with Line([PROGRAM, "--speed", "20", "--seed", "7"], home.environment()) as line:
        line.wait_for("SIM BTC-USD ACTIVE")
        line.process.terminate()
        assert line.process.wait(20) == 143
        line.wait_for("\x1b[23;2t")
    kept, told, restored = (
        line.shown.find(b"\x1b[22;2t"),
        line.shown.rfind(b"\x1b]0;"),
        line.shown.rfind(b"\x1b[23;2t"),
    )
    assert 0 <= kept < told < restored
    assert line.shown.count(b"\x1b[22;2t") == line.shown.count(b"\x1b[23;2t") == 1


def test_after_a_freeze_the_picture_is_whole_and_its_length_is_told(
    home: Home, open_terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    """What was drawn while nobody looked is lost, and another screen was opened meanwhile."""
    with Line([PROGRAM, "--speed", "20", "--seed", "7"], home.environment()) as line:
        line.wait_for("6 working")
        began = time.monotonic()
        with line.not_reading():
            pause(home, 1.0)
            line.send("\t" * 60)
            pause(home, 1.0)
            line.send("r")
            pause(home, 1.0)
            at = len(line.shown)
        frozen_s = time.monotonic() - began
        said = re.compile(rb"the display was frozen for (\d+\.\d)s; (\d+) views")
        until(lambda: said.search(line.shown, at), "for how long the display was frozen")
        told = said.search(line.shown, at)
        assert told is not None
        # The first frames of a freeze still find room on the way to the terminal.
        assert frozen_s - 1.5 < float(told[1]) < frozen_s + 1.5
        assert int(told[2]) > 5
        line.wait_for("RESTRICTIONS", after=at)
        drawn = len(line.shown)
        until(lambda: line.shown.find(b"Z", drawn + 2_000) > 0, "a few frames more")
        stream = tmp_path / "stream"
        stream.write_bytes(line.shown)
    replayed = open_terminal()
    replayed.run(f"cat {stream}; sleep 60")
    shown = replayed.wait_for("RESTRICTIONS")
    for heading in ("LIMITS", "MARKOUTS", "K kill"):
        assert heading in shown
    for gone in ("DEPTH", "ORDERS", "TICK TO QUOTE"):
        assert gone not in shown


def pause(home: Home, seconds: float) -> None:
    """Let time pass, on the engine's clock."""
    began = home.look()[1].wall_ns
    until(lambda: home.look()[1].wall_ns - began > seconds * S, f"{seconds:g} seconds")
