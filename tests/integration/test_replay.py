"""`--mode replay` end to end: a recording in, quotes and justified fills out."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fill_auditor import Unjustified, audit
from tape import PRODUCT, write_tape

from engine.commands import headless
from engine.config import load_config
from engine.core.errors import UsageError
from engine.core.events import (
    FillEvidence,
    MarketEvent,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.coinbase.products import catalogue
from engine.exchange.recording import RecordingFeed
from engine.runtime.instruments import recorded_instruments
from pinnacle_tui.cli import main

CAPTURE = "coinbase/advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
TIGHT = (
    "strategy.base_spread_bps=0.5",
    "strategy.min_spread_bps=0.01",
    "strategy.volume_depth_factor=1",
    "strategy.order_quantity=0.05",
    "strategy.min_quote_life_ms=2000",
)
Reports = list[dict[str, Any]]


@pytest.fixture
def no_file(tmp_path: Path) -> Path:
    path = tmp_path / "empty.toml"
    path.write_text("")
    return path


def replay(no_file: Path, recording: Path, symbol: str, *overrides: str) -> Reports:
    keys = ("engine.mode=replay", f"engine.input={recording}", f"engine.symbols={symbol}", "engine.speed=max")
    out, err = io.StringIO(), io.StringIO()
    resolved = load_config(no_file, overrides=[*keys, *overrides])
    assert headless.run(resolved, as_json=True, stdout=out, stderr=err) == 0, err.getvalue()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def of(reports: Reports, kind: str) -> Reports:
    return [report for report in reports if report["type"] == kind]


def order_of(report: dict[str, Any], x: Instrument) -> SubmitOrder:
    return SubmitOrder(
        report["product"],
        report["time_ns"],
        report["client_id"],
        Side.BUY if report["side"] == "buy" else Side.SELL,
        x.lots(report["size"]),
        x.ticks(report["price"]),
        post_only=report["post_only"],
    )


def answer_of(report: dict[str, Any], x: Instrument) -> OrderEvent | None:
    head = (report["product"], report["time_ns"], report["wall_ns"], report["client_id"])
    if report["type"] == "fill":
        evidence = report["evidence"]
        return OrderFilled(
            *head,
            report["fill_id"],
            Side.BUY if report["side"] == "buy" else Side.SELL,
            x.ticks(report["price"]),
            x.lots(report["size"]),
            x.atoms(report["fee"]),
            report["liquidity"] == "maker",
            exchange_ns=report["exchange_ns"],
            evidence=evidence
            and FillEvidence(
                evidence["reason"],
                x.lots(evidence["ahead_before"]),
                x.lots(evidence["ahead_after"]),
                evidence["trade_id"],
            ),
        )
    match report["event"]:
        case "accepted":
            return OrderAccepted(*head, report["venue_order_id"])
        case "cancelled":
            return OrderCancelled(*head, x.lots(report["remaining"]))
        case "expired":
            return OrderExpired(*head, x.lots(report["remaining"]))
        case "rejected":
            return OrderRejected(*head, report["code"], report["reason"])
    return None


def audited(recording: Path, symbol: str, reports: Reports, answer_ms: int) -> Sequence[Unjustified]:
    """Judge a run's fills from its own output and the recording, as anybody could."""
    x = recorded_instruments(recording, [symbol])[symbol]
    feed = RecordingFeed(recording, {symbol: x})
    tape: list[MarketEvent] = []
    while not feed.is_exhausted:
        tape += feed.step()
    submitted = [order_of(r, x) for r in of(reports, "order") if r["event"] == "submitted"]
    told = [r for r in reports if r["type"] == "fill" or (r["type"] == "order" and "wall_ns" in r)]
    answers = [answer for r in told if (answer := answer_of(r, x)) is not None]
    return audit(tape, submitted, answers, answer_latency_ns=answer_ms * 1_000_000)


def test_a_composed_tape_is_quoted_filled_and_justified(no_file, tmp_path):
    reasons: Counter[str] = Counter()
    for seed in range(6):
        recording = write_tape(tmp_path / f"{seed}.jsonl", seed=seed)
        reports = replay(no_file, recording, PRODUCT, *TIGHT)
        fills = of(reports, "fill")
        assert [(f.fill, f.why) for f in audited(recording, PRODUCT, reports, 20)] == []
        assert all(fill["liquidity"] == "maker" for fill in fills)
        reasons.update(fill["evidence"]["reason"] for fill in fills)
        last = reports[-1]
        assert last["reason"] == "the recording has ended"
        assert last["pnl_residual"] == "0"
        assert (last["open_orders"], last["possibly_open"]) == (0, [])
        assert last["quotes"] > 50
    assert reasons["queue_cleared"] >= 5
    assert sum(reasons.values()) >= 20


def test_the_same_recording_gives_the_same_digest_and_another_does_not(no_file, tmp_path):
    first, second = write_tape(tmp_path / "1.jsonl", seed=1), write_tape(tmp_path / "2.jsonl", seed=2)
    digest = replay(no_file, first, PRODUCT, *TIGHT)[-1]["digest"]
    assert replay(no_file, first, PRODUCT, *TIGHT)[-1]["digest"] == digest
    assert replay(no_file, second, PRODUCT, *TIGHT)[-1]["digest"] != digest


def test_input_is_what_is_replayed(no_file, tmp_path):
    short = write_tape(tmp_path / "short.jsonl", steps=50)
    long = write_tape(tmp_path / "long.jsonl", steps=200)
    assert replay(no_file, short, PRODUCT)[-1]["time_ns"] < replay(no_file, long, PRODUCT)[-1]["time_ns"]


def test_the_named_exchange_must_be_the_recorded_one(no_file, tmp_path):
    recording = write_tape(tmp_path / "tape.jsonl", steps=20)
    assert replay(no_file, recording, PRODUCT, "exchange.name=coinbase")
    with pytest.raises(UsageError, match=r"recorded at coinbase, and exchange\.name is coinbase-exchange"):
        replay(no_file, recording, PRODUCT, "exchange.name=coinbase-exchange")


def test_a_lost_frame_pulls_every_quote_for_good(no_file, tmp_path):
    recording = write_tape(tmp_path / "tape.jsonl", steps=100)
    lines = recording.read_text().splitlines(keepends=True)
    cut = len(lines) // 2
    recording.write_text("".join(lines[:cut] + lines[cut + 1 :]))
    reports = replay(no_file, recording, PRODUCT)
    lost_at = next(r["time_ns"] for r in of(reports, "alert") if r["code"] == "FEED")
    sent = [r["time_ns"] for r in of(reports, "order") if r["event"] == "submitted"]
    assert sent
    assert max(sent) <= lost_at
    last = reports[-1]
    assert (last["connection"], last["open_orders"]) == ("stale", 0)
    assert last["unrealised_pnl"] in ("0", None)


def test_one_price_off_tick_makes_the_book_stale_and_changes_no_tick(no_file, tmp_path):
    recording = write_tape(tmp_path / "tape.jsonl", steps=60)
    lines = recording.read_text().splitlines(keepends=True)
    middle = next(n for n in range(len(lines) // 2, len(lines)) if "l2_data" in lines[n])
    lines[middle] = re.sub(r'(price_level\\": \\"\d+\.\d\d)', r"\g<1>5", lines[middle], count=1)
    recording.write_text("".join(lines))
    assert recorded_instruments(recording, [PRODUCT])[PRODUCT] == catalogue()[PRODUCT]
    reports = replay(no_file, recording, PRODUCT)
    sent = [Decimal(r["price"]) for r in of(reports, "order") if r["event"] == "submitted"]
    assert sent
    assert all(price % Decimal("0.01") == 0 for price in sent)
    last = reports[-1]
    assert (last["connection"], last["open_orders"]) == ("stale", 0)


def test_a_product_outside_the_catalogue_has_the_recorded_precision(tmp_path):
    recording = write_tape(tmp_path / "tape.jsonl", steps=60, product="AAA-USD")
    x = recorded_instruments(recording, ["AAA-USD"])["AAA-USD"]
    assert (x.tick, x.lot) == (Decimal("0.01"), Decimal("0.001"))


def test_a_crossed_book_is_stale_until_a_snapshot(no_file, tmp_path):
    recording = write_tape(tmp_path / "tape.jsonl", steps=60)
    lines = [json.loads(line) for line in recording.read_text().splitlines()]
    middle = len(lines) // 2
    frame = next(n for n in range(middle, len(lines)) if "l2_data" in lines[n]["raw"])
    raw = json.loads(lines[frame]["raw"])
    raw["events"][0]["updates"].append(
        {"side": "bid", "event_time": raw["timestamp"], "price_level": "150.00", "new_quantity": "1"}
    )
    lines[frame]["raw"] = json.dumps(raw)
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines))
    last = replay(no_file, recording, PRODUCT)[-1]
    assert last["crossed"] >= 1
    assert (last["connection"], last["open_orders"]) == ("stale", 0)


@pytest.mark.parametrize("what", ["unknown product", "cut", "not gzip", "missing", "not a recording"])
def test_a_bad_recording_is_one_clear_sentence(tmp_path, capsys, monkeypatch, what):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    tape = write_tape(tmp_path / "tape.jsonl", steps=40)
    packed = tmp_path / "tape.jsonl.gz"
    packed.write_bytes(gzip.compress(tape.read_bytes()))
    arguments = ["--no-ui", "--json", "--mode", "replay", "--speed", "max", "--input", str(packed)]
    said = str(packed)
    if what == "unknown product":
        arguments += ["--symbol", "BTC-EUR"]
        said = "BTC-EUR"
    elif what == "cut":
        packed.write_bytes(packed.read_bytes()[:-200])
    elif what == "not gzip":
        packed.write_bytes(b"plain text")
    elif what == "missing":
        packed.unlink()
    else:
        packed.write_bytes(gzip.compress(b'{"hello": 1}\n'))
    assert main(arguments) == (2 if what in ("unknown product", "missing") else 6)
    shown = capsys.readouterr()
    assert shown.err.count(said) == 1
    assert "Traceback" not in shown.err + shown.out


@pytest.mark.parametrize("symbol", ["BTC-USD", "ETH-USD"])
def test_the_real_capture_is_quoted_and_its_fills_are_justified(no_file, shared_data, symbol):
    recording = shared_data / CAPTURE
    default = replay(no_file, recording, symbol)
    assert default[-1]["quotes"] >= 6
    reports = replay(
        no_file, recording, symbol, "strategy.base_spread_bps=0.02", "strategy.min_spread_bps=0.01"
    )
    assert audited(recording, symbol, reports, 20) == []
    assert reports[-1]["quotes"] >= 6
    assert reports[-1]["pnl_residual"] == "0"
    fills = of(reports, "fill")
    if symbol == "ETH-USD":
        assert fills, "two sweeps ran through the bids of this tape"
    total = sum((Decimal(f["size"]) * (1 if f["side"] == "buy" else -1) for f in fills), Decimal(0))
    assert Decimal(reports[-1]["position"]) == total
