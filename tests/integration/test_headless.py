"""The headless engine as a user runs it: a process, its output, its signals, its exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tape import write_tape

from engine.commands.line_writer import ROOM, LineWriter

Reports = list[dict[str, Any]]
SIM = ("--no-ui", "--json", "--mode", "sim", "--speed", "max")
STATUS_KEYS = {
    "type", "v", "seq", "mode", "product", "state", "connection", "best_bid", "best_ask", "position",
    "realised_pnl", "unrealised_pnl", "fees", "equity_change", "pnl_residual", "open_orders", "fills",
    "quotes", "latency_ns", "rss_bytes", "base", "quote", "feed", "dropped_lines",
}  # fmt: skip


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without anybody's configuration."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PINNACLE_")}
    return clean | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pinnacle_tui", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def run(environment: dict[str, str], *arguments: str) -> Reports:
    with start(environment, *arguments) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return [json.loads(line) for line in out.splitlines()]


def of(reports: Reports, kind: str) -> Reports:
    return [report for report in reports if report["type"] == kind]


def without_machine(reports: Reports) -> Reports:
    """Reports less what depends on the machine: latencies and memory."""
    return [
        {key: value for key, value in report.items() if key not in ("latency_ns", "rss_bytes")}
        for report in reports
    ]


def test_a_minute_of_market_trades_on_both_sides_and_adds_up(environment):
    reports = run(environment, *SIM, "--seed", "7", "--duration", "60")
    statuses, fills = of(reports, "status"), of(reports, "fill")
    assert len(statuses) >= 60
    assert set(statuses[0]) >= STATUS_KEYS
    assert {status["pnl_residual"] for status in statuses} == {"0"}
    assert {status["crossed"] for status in statuses} == {0}
    assert all(Decimal(s["best_bid"]) < Decimal(s["best_ask"]) for s in statuses if s["best_bid"])
    assert {fill["side"] for fill in fills} == {"buy", "sell"}
    last = reports[-1]
    assert last["type"] == "summary"
    assert last["open_orders"] == 0
    assert last["possibly_open"] == []
    assert last["fills"] == len(fills)
    assert Decimal(last["bought"]) - Decimal(last["sold"]) == Decimal(last["position"])
    assert last["quotes"] > 100


def test_the_equity_is_rebuilt_from_the_fills_alone(environment):
    reports = run(environment, *SIM, "--seed", "11", "--duration", "60")
    cash = position = fees = Decimal(0)
    for fill in of(reports, "fill"):
        sign = 1 if fill["side"] == "buy" else -1
        position += sign * Decimal(fill["size"])
        cash -= sign * Decimal(fill["size"]) * Decimal(fill["price"])
        fees += Decimal(fill["fee"])
    last = reports[-1]
    mid = (Decimal(last["best_bid"]) + Decimal(last["best_ask"])) / 2
    assert len(of(reports, "fill")) > 5
    assert Decimal(last["position"]) == position
    assert Decimal(last["fees"]) == fees
    assert Decimal(last["equity_change"]) == cash - fees + position * mid


def test_every_quote_is_explained_to_the_tick(environment):
    reports = run(environment, *SIM, "--seed", "3", "--duration", "20")
    quotes = [r for r in of(reports, "order") if r["event"] == "submitted" and r["purpose"] == "quote"]
    assert len(quotes) > 50
    for quote in quotes:
        assert sum(Decimal(term["value"]) for term in quote["explain"]) == Decimal(quote["price"])


def test_the_same_seed_is_the_same_run_whatever_the_hash_seed_and_another_is_not(environment):
    once, again, other = (
        without_machine(run(environment | {"PYTHONHASHSEED": h}, *SIM, "--seed", seed, "--duration", "30"))
        for h, seed in (("1", "7"), ("2", "7"), ("1", "8"))
    )
    assert once == again
    assert once[-1]["digest"] != other[-1]["digest"]


def test_neither_speed_nor_the_form_of_the_output_changes_what_is_traded(environment):
    arguments = ("--no-ui", "--mode", "sim", "--seed", "5", "--duration", "10")
    digest = run(environment, *arguments, "--json", "--speed", "max")[-1]["digest"]
    assert run(environment, *arguments, "--json", "--speed", "40")[-1]["digest"] == digest
    with start(environment, *arguments, "--speed", "max") as process:
        text, _ = process.communicate(timeout=60)
    assert text.splitlines()[-1].endswith(f"digest {digest[:16]}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_a_signal_cancels_everything_and_the_exit_code_tells_why(environment, number, code):
    with start(environment, "--no-ui", "--json", "--seed", "7") as process:
        assert process.stdout is not None
        # Wait until quotes rest, then ask for the end.
        for line in process.stdout:
            if json.loads(line).get("event") == "accepted":
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    last = json.loads(out.splitlines()[-1])
    assert process.returncode == code
    assert last["type"] == "summary"
    assert last["reason"] == f"stopped by {number.name}"
    assert (last["open_orders"], last["possibly_open"]) == (0, [])
    assert "Traceback" not in err


def test_a_reader_that_goes_away_ends_the_run_without_a_traceback(environment):
    with start(environment, "--no-ui", "--json", "--seed", "7", "--speed", "max") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err


@contextmanager
def stalled(environment: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run whose output pipe is full because nobody has read from it, and the end to read from."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "pinnacle_tui", *arguments]
    with (
        os.fdopen(writing) as filled,
        subprocess.Popen(
            command, stdout=filled, stderr=subprocess.PIPE, text=True, env=environment
        ) as process,
    ):
        while select.select([], [filled], [], 0)[1]:
            assert process.poll() is None, "the run ended before its pipe was full"
        filled.close()
        yield process, reading


@pytest.mark.parametrize("speed", ["max", "50"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_reader_that_stops_reading_keeps_nobody_from_ending_the_run(environment, speed, number, code):
    with stalled(environment, "--no-ui", "--json", "--seed", "7", "--speed", speed) as (process, reading):
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        os.close(reading)
    assert process.returncode == code  # and not 75: every cancel was proven
    assert ("ended: stopped by SIGINT" in err) == (code == 130)
    assert "possibly open" not in err


def test_a_paced_run_ends_in_time_though_nobody_reads(environment):
    arguments = ("--no-ui", "--json", "--seed", "7", "--speed", "100", "--duration", "60")
    with stalled(environment, *arguments) as (process, reading):
        assert process.wait(timeout=30) == 0
        os.close(reading)


def test_a_slow_reader_at_full_speed_gets_every_line(environment):
    arguments = (*SIM, "--seed", "7", "--duration", "300")
    expected = run(environment, *arguments)
    assert len(expected) > 2 * ROOM, "not enough to make the engine wait"
    with stalled(environment, *arguments) as (process, reading), os.fdopen(reading) as reader:
        reports = [json.loads(line) for line in reader]
    assert process.returncode == 0
    assert without_machine(reports) == without_machine(expected)
    assert reports[-1]["dropped_lines"] == 0


async def test_lines_without_room_are_counted_and_the_others_arrive_in_order():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as reader:
        writer = LineWriter(stream, lambda error: None)
        while not writer.dropped:  # nobody reads: first the pipe is full, then the queue
            writer.write("order" * 100, 10)
        for number in range(5):
            writer.write(f"fill {number}", 20)
        assert writer.dropped == 1
        loop = asyncio.get_running_loop()
        lines = loop.run_in_executor(None, reader.readlines)
        await writer.close(asyncio.Event())
        stream.close()
        assert [line.strip() for line in await lines][-6:] == [
            "order" * 100,
            *(f"fill {n}" for n in range(5)),
        ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device that is always full")
@pytest.mark.parametrize("form", [["--json"], []])
def test_a_full_disk_ends_the_run_with_its_reason_and_code_74(environment, form):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pinnacle_tui", "--no-ui", *form, "--seed", "7"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
    assert done.returncode == 74
    assert done.stderr.endswith("ended: the output cannot be written: No space left on device\n")


def test_every_order_event_carries_the_wall_time(environment):
    reports = run(environment, *SIM, "--seed", "7", "--duration", "10")
    start_ns = {report["wall_ns"] - report["time_ns"] for report in of(reports, "order")}
    assert len(start_ns) == 1
    assert {"submitted", "cancel_requested"} <= {report["event"] for report in of(reports, "order")}


def test_malformed_frames_are_counted_and_told_once_a_minute(environment, tmp_path):
    tape = write_tape(tmp_path / "tape.jsonl", steps=700)
    lines = tape.read_text().splitlines()
    time_of = {number: json.loads(line)["ts"] for number, line in enumerate(lines)}
    for number in (900, 500, 12, 11, 10):
        broken = {"ts": time_of[number], "dir": "recv", "raw": "{not a frame"}
        lines.insert(number, json.dumps(broken))
    tape.write_text("\n".join(lines) + "\n")
    reports = run(
        environment, "--no-ui", "--json", "--mode", "replay", "--input", str(tape), "--speed", "max"
    )
    alerts = [alert for alert in of(reports, "alert") if alert["code"] == "MALFORMED"]
    assert [alert["text"] for alert in alerts] == [
        "refused 3 malformed frames of the feed, 3 in all",
        "refused 2 malformed frames of the feed, 5 in all",
    ]
    assert alerts[1]["time_ns"] - alerts[0]["time_ns"] >= 60 * 10**9
    assert alerts[0]["severity"] == "warning"
    recorded = sum(json.loads(line)["dir"] == "recv" for line in lines)
    feed = reports[-1]["feed"]
    assert (feed["frames"], feed["malformed"]) == (recorded, 5)
    assert set(feed) == {"frames", "gaps", "duplicates", "malformed", "errors", "unknown", "reconnects"}


def test_several_products_are_traded_side_by_side(environment):
    reports = run(
        environment, *SIM, "--seed", "7", "--duration", "20", "--symbol", "BTC-USD", "--symbol", "ETH-USD"
    )
    summaries = {report["product"]: report for report in of(reports, "summary")}
    assert set(summaries) == {"BTC-USD", "ETH-USD"}
    assert all(s["quotes"] > 20 and s["pnl_residual"] == "0" for s in summaries.values())
    ids = [r["client_id"] for r in of(reports, "order") if r["event"] == "submitted"]
    assert len(ids) == len(set(ids))


@pytest.mark.nightly
def test_an_hour_of_market_stays_below_80_mb_and_flat(environment):
    reports = run(environment, *SIM, "--seed", "7", "--duration", "3600")
    memory = [status["rss_bytes"] for status in of(reports, "status")]
    assert max(memory) < 80 * 2**20
    # Warm after 40 minutes: by then the bounded memories (20,000 order ids at the exchange) are full.
    warm = memory[len(memory) * 2 // 3]
    assert memory[-1] - warm < 2**20
    assert {status["pnl_residual"] for status in of(reports, "status")} == {"0"}
