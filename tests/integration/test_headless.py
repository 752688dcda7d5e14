"""The headless engine as a user runs it: a process, its output, its signals, its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

Reports = list[dict[str, Any]]
SIM = ("--no-ui", "--json", "--mode", "sim", "--speed", "max")
STATUS_KEYS = {
    "type", "v", "seq", "mode", "product", "state", "connection", "best_bid", "best_ask", "position",
    "realised_pnl", "unrealised_pnl", "fees", "equity_change", "pnl_residual", "open_orders", "fills",
    "quotes", "latency_ns", "rss_bytes",
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
    assert last["reason"] == number.name
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


def test_several_products_are_traded_side_by_side(environment):
    reports = run(
        environment, *SIM, "--seed", "7", "--duration", "20", "--symbol", "BTC-USD", "--symbol", "LTC-USD"
    )
    summaries = {report["product"]: report for report in of(reports, "summary")}
    assert set(summaries) == {"BTC-USD", "LTC-USD"}
    assert all(s["quotes"] > 20 and s["pnl_residual"] == "0" for s in summaries.values())
    ids = [r["client_id"] for r in of(reports, "order") if r["event"] == "submitted"]
    assert len(ids) == len(set(ids))


@pytest.mark.nightly
def test_an_hour_of_market_stays_below_80_mb_and_flat(environment):
    reports = run(environment, *SIM, "--seed", "7", "--duration", "3600")
    memory = [status["rss_bytes"] for status in of(reports, "status")]
    assert max(memory) < 80 * 2**20
    half = memory[len(memory) // 2]
    assert memory[-1] - half < 2**20
    assert {status["pnl_residual"] for status in of(reports, "status")} == {"0"}
