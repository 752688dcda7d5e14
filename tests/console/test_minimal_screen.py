"""The screen over an engine process: what it shows, how it quits, how it takes the engine's death."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import RichLog, Static

from pinnacle_tui.app import ConsoleApp, amount, figures, summary_text

STATUS = (
    '{"type": "status", "mode": "sim", "product": "BTC-USD", "base": "BTC", "quote": "USD",'
    ' "state": "ACTIVE", "connection": "live",'
    ' "best_bid": "65088.5", "best_ask": "65089.1", "position": "-0.031", "realised_pnl": "18.9",'
    ' "unrealised_pnl": "-6.42", "fees": "9.69", "equity_change": "2.79", "pnl_residual": "0",'
    ' "open_orders": 6, "quotes": 1204, "fills": 31, "note": "",'
    ' "latency_ns": {"tick_to_quote": {"p50": 38000, "p99": 142000}}}'
)
FILL = (
    '{"type": "fill", "side": "buy", "size": "0.01", "price": "65088", "fee": "0.13", "fee_asset": "USD",'
    ' "wall_ns": 1767603723999999999}'  # 2026-01-05T09:02:03Z
)
ALERT = '{"type": "alert", "severity": "warning", "code": "STALE", "text": "[red]no data[/red] for 5 s"}'
SUMMARY = STATUS.replace("status", "summary")[:-1] + ', "reason": "stopped by SIGTERM", "digest": "abc123"}'
OTHER = STATUS.replace("BTC-USD", "ETH-USD").replace("65088.5", "3000.25")

# An engine that reports once and ends well when it is asked to.
PATIENT = f"""
import signal, sys
def end(*_):
    print('''{SUMMARY}''', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
for line in ('''{STATUS}''', '''{FILL}''', '''{ALERT}''', 'not a report', '[1]', '{{"no": "type"}}'):
    print(line, flush=True)
while True:
    signal.pause()
"""
DEAF = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('''{STATUS}''', flush=True)
while True:
    signal.pause()
"""
BROKEN = f"""
import sys
print('''{STATUS}''', flush=True)
print("pinnacle-tui: venue refused: no such product", file=sys.stderr)
sys.exit("fees: maker 2 bps, which is no cause")
"""


def console(engine: str) -> ConsoleApp:
    return ConsoleApp([sys.executable, "-c", engine], mode="sim", notices=["fees: maker 2 bps"])


async def until(pilot: Pilot[None], met: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not met():
            await pilot.pause(0.02)


def text(app: ConsoleApp, name: str) -> str:
    return str(app.query_one(f"#{name}", Static).visual)


def lines(app: ConsoleApp, name: str) -> list[str]:
    return [strip.text.rstrip() for strip in app.query_one(f"#{name}", RichLog).lines]


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (20, 5), (1, 1)])
async def test_it_shows_the_newest_figures_and_q_waits_for_the_summary(size: tuple[int, int]) -> None:
    app = console(PATIENT)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "65,088.5" in text(app, "market") and app._engine.unreadable == 2)
        assert text(app, "header") == "SIM   BTC-USD   ACTIVE   live"
        assert text(app, "market").split("\n")[2] == f"{'position':<13}{'-0.031 BTC':>16}"
        assert "+18.90 USD" in text(app, "pnl")
        assert "-6.42 USD" in text(app, "pnl")
        assert "p99 142 us" in text(app, "activity")
        if size[0] > 80:
            assert lines(app, "fills") == ["09:02:03  buy            0.01 at         65,088   fee 0.1300 USD"]
            assert lines(app, "alerts") == ["fees: maker 2 bps", "warning  STALE  [red]no data[/red] for 5 s"]
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0
    assert (
        app.last_words
        == "BTC-USD stopped: P&L 2.79 USD, position -0.031 BTC, fills 31, open orders 6; digest abc123"
    )
    assert not app._engine.is_running


async def test_a_second_q_kills_an_engine_that_does_not_end_and_says_what_is_unproven() -> None:
    app = console(DEAF)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "65,088.5" in text(app, "market"))
        await pilot.press("q")
        assert text(app, "engine").startswith("stopping: waiting until the engine has cancelled its orders")
        assert app.is_running
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 75
    assert app.last_words == "the engine was killed by signal 9; nobody proved that no order is open"


async def test_the_death_of_the_engine_is_shown_and_its_exit_code_is_ours() -> None:
    app = console(BROKEN)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "ended" in text(app, "engine"))
        said = "the engine ended with exit code 1: venue refused: no such product"
        assert text(app, "engine") == f"{said}. The figures are its last ones; q quits"
        assert app.query_one("#engine").has_class("wrong")
        assert app.query_one("#header").has_class("wrong")
        assert app.query_one("#header").styles.color.hex.lower() == app.theme_variables["danger"]
        assert text(app, "header") == "SIM   BTC-USD   ENGINE GONE"
        assert "65,088.5" in text(app, "market")
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 1
    assert app.last_words == said


async def test_an_engine_that_cannot_be_started() -> None:
    app = ConsoleApp(["/nonexistent/engine"], mode="sim")
    async with app.run_test() as pilot:
        await until(pilot, lambda: "cannot be started" in text(app, "engine"))
        assert text(app, "engine") == "the engine cannot be started: No such file or directory. q quits"
        assert text(app, "header") == "SIM   ENGINE GONE"
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 1


async def test_an_engine_that_ends_by_itself_leaves_its_last_figures() -> None:
    app = console(f"print('''{STATUS}'''); print('''{SUMMARY}''')")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "ended with exit code 0" in text(app, "engine"))
        assert text(app, "header") == "SIM   BTC-USD   ENGINE ENDED"
        assert not app.query_one("#engine").has_class("wrong")
        assert "65,089.1" in text(app, "market")
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0
    assert app.last_words.startswith("BTC-USD stopped by SIGTERM: P&L 2.79")


async def test_n_shows_the_next_of_several_products() -> None:
    app = console(PATIENT.replace("'not a report'", f"'''{OTHER}'''"))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: len(app._statuses) == 2)
        await pilot.press("n")
        assert text(app, "header") == "SIM   ETH-USD   ACTIVE   live"
        assert "3,000.25" in text(app, "market")
        await pilot.press("n")
        assert text(app, "header") == "SIM   BTC-USD   ACTIVE   live"


async def test_a_hang_up_of_the_terminal_stops_the_engine() -> None:
    app = console(PATIENT)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "65,088.5" in text(app, "market"))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0
    assert app.last_words.endswith("digest abc123")


async def test_a_second_signal_does_not_kill_an_engine_that_is_stopping() -> None:
    # A closing terminal and the shell in it both hang up.
    signals: list[None] = []
    command = [sys.executable, "-c", PATIENT.replace("def end(*_):", "def end(*_):\n    signal.pause()")]
    app = ConsoleApp(command, mode="sim", on_signal=lambda: signals.append(None))
    async with app.run_test() as pilot:
        await until(pilot, lambda: "65,088.5" in text(app, "market"))
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        await until(pilot, lambda: "stopping" in text(app, "engine"))
        assert app._engine.is_running
        assert len(signals) == 1
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 75


async def test_a_screen_that_is_closed_from_outside_takes_its_engine_along() -> None:
    app = console(PATIENT)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "65,088.5" in text(app, "market"))
    assert not app._engine.is_running
    assert app.last_words.endswith("digest abc123")


async def test_an_engine_that_still_speaks_while_the_screen_goes_down_disturbs_nothing() -> None:
    # More than the screen can take in one go, as the venue's answers to the last cancels may be.
    talks = f"""
        for _ in range(300):
            for line in ('''{OTHER}''', '''{FILL}''', '''{ALERT}'''):
                print(line, flush=True)"""
    app = console(
        PATIENT.replace("def end(*_):", "def end(*_):" + textwrap.indent(textwrap.dedent(talks), "    "))
    )
    async with app.run_test() as pilot:
        await until(pilot, lambda: "65,088.5" in text(app, "market"))
    assert app.last_words.endswith("digest abc123")
    assert set(app._statuses) == {"BTC-USD", "ETH-USD"}


def test_figures_without_a_value_say_so() -> None:
    rows = {label: value for group in figures({}).values() for label, value in group}
    assert set(rows.values()) == {"n/a", "p50 n/a", "p99 n/a"}
    odd = figures({"latency_ns": 3, "best_bid": "none yet", "position": None}, unreadable=2)
    assert ("best bid", "none yet") in odd["market"]
    assert ("unreadable", "2 lines") in odd["activity"]
    assert summary_text({}) == "ended: P&L n/a, position n/a, fills n/a, open orders n/a; digest n/a"


@pytest.mark.parametrize(
    ("value", "signed", "shown"),
    [
        ("1234567.50", False, "1,234,567.50"),
        ("0.00000001", False, "0.00000001"),
        ("12", True, "+12"),
        ("-0.5", True, "-0.5"),
        (None, True, "n/a"),
        (31, False, "31"),
    ],
)
def test_amounts(value: object, signed: bool, shown: str) -> None:
    assert amount(value, signed=signed) == shown


def test_money_is_rounded_for_the_eye_and_the_residual_is_not() -> None:
    pnl = dict(figures({"equity_change": "-1234.565001", "pnl_residual": "0.00000001"})["pnl"])
    assert pnl["P&L"] == "-1,234.57"
    assert pnl["residual"] == "0.00000001"
