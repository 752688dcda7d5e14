"""Settings seen from outside: the same simulated market with one key changed, and what changes in the run.

Every run goes through the headless entry, from the configuration to the reports it prints.
"""

from __future__ import annotations

import io
import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.commands import headless
from engine.config import load_config

SECONDS = 20
# Quotes close to the touch, so that a short run trades; and no disk under it, as a slow one pulls quotes.
BASE = {
    "persistence.journal": "false",
    "engine.speed": "max",
    "engine.duration_s": str(SECONDS),
    "simulator.seed": "7",
    "strategy.base_spread_bps": "1",
    "strategy.min_spread_bps": "0.1",
}
Reports = list[dict[str, Any]]


@pytest.fixture(scope="module")
def no_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration file that sets nothing."""
    path = tmp_path_factory.mktemp("config") / "empty.toml"
    path.write_text("")
    return path


@pytest.fixture(scope="module")
def run(no_file: Path) -> Any:
    """Run the engine with these keys (dots as double underscores) and give what it reported."""

    @cache
    def reports(**keys: str) -> Reports:
        chosen = BASE | {name.replace("__", "."): value for name, value in keys.items()}
        resolved = load_config(no_file, overrides=[f"{key}={value}" for key, value in chosen.items()])
        out = io.StringIO()
        assert headless.run(resolved, as_json=True, stdout=out, stderr=io.StringIO()) == 0
        return [json.loads(line) for line in out.getvalue().splitlines()]

    return reports


def of(reports: Reports, kind: str) -> Reports:
    return [report for report in reports if report["type"] == kind]


def summary(reports: Reports) -> dict[str, Any]:
    (last,) = of(reports, "summary")
    assert reports[-1] is last
    return last


def test_the_base_run_trades_on_both_sides(run: Any) -> None:
    last = summary(run())
    assert Decimal(last["bought"]) > 0
    assert Decimal(last["sold"]) > 0
    assert last["pnl_residual"] == "0"


def test_symbols(run: Any) -> None:
    products = [last["product"] for last in of(run(engine__symbols="BTC-USD,ETH-USD"), "summary")]
    assert sorted(products) == ["BTC-USD", "ETH-USD"]


@pytest.mark.parametrize("seconds", [5, 10])
def test_duration_s(run: Any, seconds: int) -> None:
    times = [report["time_ns"] for report in of(run(engine__duration_s=str(seconds)), "status")]
    assert max(times) == seconds * 1_000_000_000


@pytest.mark.parametrize(("every", "count"), [("1", SECONDS), ("5", SECONDS // 5)])
def test_status_interval_s(run: Any, every: str, count: int) -> None:
    times = {report["time_ns"] for report in of(run(engine__status_interval_s=every), "status")}
    step = int(every) * 1_000_000_000
    assert {step * number for number in range(1, count + 1)} <= times
    assert len(times) <= count + 1


def test_timer_interval_ms(run: Any) -> None:
    assert summary(run(engine__timer_interval_ms="5"))["seq"] > summary(run())["seq"] + SECONDS * 100


def balances(reports: Reports, quote: str, base: str) -> list[tuple[Decimal, Decimal]]:
    """Quote and base of an account that opened with these, after each fill."""
    fills = of(reports, "fill")
    assert fills
    cash, coins, after = Decimal(quote), Decimal(base), []
    for fill in fills:
        size = Decimal(fill["size"]) * (1 if fill["side"] == "buy" else -1)
        cash -= size * Decimal(fill["price"]) + Decimal(fill["fee"])
        coins += size
        after.append((cash, coins))
    return after


def test_opening_quote_balance(run: Any) -> None:
    assert min(cash for cash, _ in balances(run(engine__opening_quote_balance="100"), "100", "10")) >= 0
    assert min(cash for cash, _ in balances(run(), "100", "10")) < 0


def test_order_tag(run: Any) -> None:
    def ids(**settings: str) -> set[str]:
        made = run(engine__duration_s="2", **settings)
        return {report["client_id"][:23] for report in made if report["type"] == "order"}

    assert ids(engine__order_tag="7") == ids(engine__order_tag="7", simulator__seed="9")
    assert ids(engine__order_tag="7") != ids(engine__order_tag="8")
    assert ids() != ids(simulator__seed="9")
    assert {one[:8] for one in ids(engine__installation_tag="255")} == {"000000ff"}


def test_opening_base_balance(run: Any) -> None:
    assert min(coins for _, coins in balances(run(engine__opening_base_balance="0"), "0", "0")) >= 0
    assert min(coins for _, coins in balances(run(), "0", "0")) < 0


@pytest.mark.parametrize("key", ["fees__maker_bps", "fees__taker_bps"])
def test_fees(run: Any, key: str) -> None:
    liquidity = "maker" if "maker" in key else "taker"
    hedging = {"strategy__auto_hedge_enabled": "true", "strategy__hedge_threshold_pct": "0.1"}
    fees = []
    for bps in ("1", "3"):
        fills = [fill for fill in of(run(**hedging, **{key: bps}), "fill") if fill["liquidity"] == liquidity]
        assert fills
        for fill in fills:
            exact = Decimal(fill["price"]) * Decimal(fill["size"]) * Decimal(bps) / 10_000
            assert 0 <= Decimal(fill["fee"]) - exact < Decimal("0.00001")
        fees.append(fills[0]["fee"])
    assert fees[0] != fees[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("strategy__reprice_tolerance_ticks", "200"),
        ("strategy__min_quote_life_ms", "3000"),
        ("strategy__post_fill_pause_ms", "5000"),
    ],
)
def test_patience_sends_fewer_quotes(run: Any, key: str, value: str) -> None:
    assert summary(run(**{key: value}))["quotes"] < summary(run())["quotes"]


def orders(reports: Reports, event: str) -> Reports:
    return [report for report in of(reports, "order") if report["event"] == event]


def test_order_timeout_ms(run: Any) -> None:
    # Prices are let drift so far that age alone replaces an order.
    patient = {"strategy__reprice_tolerance_ticks": "1000000"}
    slow = len(orders(run(**patient, strategy__order_timeout_ms="8000"), "submitted"))
    quick = len(orders(run(**patient, strategy__order_timeout_ms="1000"), "submitted"))
    assert 2 * quick > 3 * slow > 0


def test_cancel_retry_interval_ms(run: Any) -> None:
    # Evidence of a cancel takes at least the way there and back.
    def asked(interval: str) -> int:
        return len(orders(run(strategy__cancel_retry_interval_ms=interval), "cancel_requested"))

    assert asked("5") > asked("1000") > 0


def test_wait_cancel_ack(run: Any) -> None:
    def sent_before_the_evidence(wait: str) -> int:
        """Orders sent into a slot whose last order was asked to cancel and had no answer yet."""
        holder: dict[str, str] = {}
        asked: set[str] = set()
        early = 0
        for report in of(run(strategy__wait_cancel_ack=wait), "order"):
            client_id = report["client_id"]
            if report["event"] == "submitted":
                early += holder.get(report["slot"]) in asked
                holder[report["slot"]] = client_id
            elif report["event"] == "cancel_requested":
                asked.add(client_id)
            elif report["event"] != "accepted":
                asked.discard(client_id)
        return early

    assert sent_before_the_evidence("true") == 0
    assert sent_before_the_evidence("false") > 0
