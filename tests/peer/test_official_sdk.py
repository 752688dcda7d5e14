"""The official SDK trades at the local venue: what it was written for is what the venue speaks.

It is installed into an environment of its own, for the occasion, and shares nothing with the engine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.peer

HERE = Path(__file__).parent
SESSION_S = 120


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A venue as the command line starts it, over TLS; what it announced."""
    folder = tmp_path_factory.mktemp("venue")
    command = [sys.executable, "-m", "pinnacle_tui", "venue", "--tls", "--json", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            assert process.wait(15) == 0


@pytest.fixture(scope="module")
def told(sdk_python: Path, venue: dict[str, Any]) -> dict[str, Any]:
    """What the SDK was told in one session."""
    address = venue["url"].removeprefix("https://")
    done = subprocess.run(
        [str(sdk_python), str(HERE / "sdk_session.py"), address, venue["key_files"]["advanced"]],
        env={**os.environ, "REQUESTS_CA_BUNDLE": venue["ca_file"]},
        capture_output=True,
        text=True,
        timeout=SESSION_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def events(messages: list[dict[str, Any]], channel: str) -> list[dict[str, Any]]:
    return [event for message in messages if message.get("channel") == channel for event in message["events"]]


def test_products_and_accounts(told: dict[str, Any]) -> None:
    ids = [product["product_id"] for product in told["products"]["products"]]
    assert ids == ["BTC-USD", "ETH-USD"]
    assert told["public_products"]["products"][0]["product_id"] == "BTC-USD"
    assert told["product"]["price_increment"] == "0.01"
    available = {one["currency"]: one["available_balance"]["value"] for one in told["accounts"]["accounts"]}
    assert Decimal(available["USD"]) == 1_000_000
    assert told["permissions"]["can_trade"] is True
    assert told["permissions"]["can_transfer"] is False
    assert told["summary"]["fee_tier"]["taker_fee_rate"] == "0.012"
    assert told["portfolios"]["portfolios"]


def test_market_data_by_rest(told: dict[str, Any]) -> None:
    book = told["book"]["pricebook"]
    assert (book["product_id"], len(book["bids"]), len(book["asks"])) == ("BTC-USD", 5, 5)
    best = told["best"]["pricebooks"][0]
    assert Decimal(best["bids"][0]["price"]) < Decimal(best["asks"][0]["price"])
    assert set(told["trades"]) >= {"trades", "best_bid", "best_ask"}
    assert int(told["time"]["epoch_millis"]) // 1000 == int(told["time"]["epoch_seconds"])
    assert "candles" in told["candles"]


def test_market_data_by_websocket(told: dict[str, Any]) -> None:
    messages = told["market"]
    assert [message["sequence_num"] for message in messages] == list(range(len(messages)))
    books = events(messages, "l2_data")
    assert (books[0]["type"], books[0]["product_id"]) == ("snapshot", "BTC-USD")
    assert {one["type"] for one in books[1:]} <= {"update"}
    counters = [int(beat["heartbeat_counter"]) for beat in events(messages, "heartbeats")]
    assert counters == list(range(counters[0], counters[0] + len(counters)))
    assert events(messages, "ticker")[0]["tickers"][0]["product_id"] == "BTC-USD"
    assert events(messages, "market_trades")[0]["type"] == "snapshot"


def test_an_order_is_placed_edited_and_cancelled(told: dict[str, Any]) -> None:
    assert told["placed"]["success"] is True
    assert told["edited"]["success"] is True
    (listed,) = told["open"]["orders"]
    assert listed["order_id"] == told["ids"]["placed"]
    assert Decimal(listed["order_configuration"]["limit_limit_gtc"]["base_size"]) == Decimal("0.008")
    assert [one["success"] for one in told["cancelled"]["results"]] == [True, False]
    assert told["order"]["order"]["status"] == "CANCELLED"


def test_an_order_is_filled(told: dict[str, Any]) -> None:
    order, fills = told["taken_order"]["order"], told["fills"]["fills"]
    assert (order["status"], Decimal(order["filled_size"])) == ("FILLED", Decimal("0.001"))
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.001")
    assert sum(Decimal(fill["commission"]) for fill in fills) == Decimal(order["total_fees"])
    assert {fill["liquidity_indicator"] for fill in fills} == {"TAKER"}


def test_the_user_channel(told: dict[str, Any]) -> None:
    assert events(told["user"], "user")[0]["type"] == "snapshot"
    statuses: dict[str, list[str]] = {}
    for event in events(told["user"], "user"):
        for order in event["orders"]:
            statuses.setdefault(order["order_id"], []).append(order["status"])
    placed, taken = statuses[told["ids"]["placed"]], statuses[told["ids"]["taken"]]
    assert placed[-1] == "CANCELLED"
    assert "OPEN" in placed
    assert taken[-1] == "FILLED"


def test_refusals(told: dict[str, Any]) -> None:
    refused = told["too_precise"]
    assert refused["success"] is False
    assert "PRICE_PRECISION" in json.dumps(refused["error_response"])
    assert told["preview"]["errs"] == []
