"""Answers that are looser than documented: orders and fills of other front ends, and nulls for texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from http_kit import Answer, HttpServer, Request, Step, script
from rest_kit import MakeBroker

from engine.core.order import Side
from engine.exchange.coinbase.broker import Outcome
from engine.exchange.coinbase.rest import advanced_rest, exchange_rest
from engine.exchange.coinbase.rest.advanced_commands import created
from engine.exchange.coinbase.wire.advanced_messages import WireUserEvent
from engine.exchange.coinbase.wire.user import order_report

D = Decimal
FILL = {
    "entry_id": "e",
    "trade_id": "t",
    "order_id": "o",
    "trade_time": "2026-09-30T01:41:51.000001Z",
    "trade_type": "FILL",
    "price": "50000",
    "size": "10",
    "commission": "0.01",
    "product_id": "BTC-USD",
    "liquidity_indicator": "TAKER",
    "size_in_quote": True,
    "side": "BUY",
}


async def test_many_fills_in_quote_money_cost_one_question_about_their_product(
    broker_at: MakeBroker, fixture_body: Callable[[str], bytes]
) -> None:
    product = json.loads(fixture_body("advanced_rest/product_btc_usd"))

    def handler(request: Request) -> Step:
        if request.path.endswith("/products"):
            return Answer(200, {"products": [product]})
        return Answer(200, {"fills": [FILL | {"entry_id": f"e{n}"} for n in range(50)], "cursor": ""})

    async with HttpServer(handler) as server:
        fills = await (await broker_at(server.url)).fills("BTC-USD")
        assert {fill.size for fill in fills} == {D("0.0002")}
        assert len(fills) == 50
        assert len(server.requests) == 2


async def test_an_order_of_another_front_end_with_nulls_does_not_hide_the_others(
    broker_at: MakeBroker,
) -> None:
    odd = {
        "order_id": "theirs",
        "product_id": "BTC-USD",
        "side": "BUY",
        "status": "OPEN",
        "client_order_id": None,
        "order_type": None,
        "time_in_force": None,
        "order_configuration": None,
        "reject_reason": None,
    }
    ours = odd | {"order_id": "ours", "client_order_id": "c"}
    page = {"orders": [odd, ours], "has_next": False, "cursor": None}
    async with HttpServer(script(Answer(200, page))) as server:
        listed = await (await broker_at(server.url)).live_orders("BTC-USD")
    assert [(order.order_id, order.client_order_id) for order in listed] == [("theirs", ""), ("ours", "c")]


async def test_a_fill_with_nulls_is_read(broker_at: MakeBroker) -> None:
    loose = FILL | {
        "size_in_quote": None,
        "liquidity_indicator": None,
        "trade_type": None,
        "trade_time": None,
    }
    async with HttpServer(script(Answer(200, {"fills": [loose], "cursor": None}))) as server:
        (fill,) = await (await broker_at(server.url)).fills("BTC-USD")
    assert (fill.size, fill.is_maker, fill.time_ns) == (10, None, 0)


def test_a_create_whose_unused_texts_are_null_is_still_a_yes_or_a_no() -> None:
    yes: dict[str, Any] = {
        "success": True,
        "order_id": None,
        "failure_reason": None,
        "success_response": {"order_id": "o-1", "client_order_id": None},
        "error_response": None,
    }
    answer = created(json.dumps(yes).encode(), "c")
    assert (answer.outcome, answer.order_id) == (Outcome.ACCEPTED, "o-1")
    refused = {
        "error": "INSUFFICIENT_FUND",
        "message": None,
        "error_details": None,
        "preview_failure_reason": None,
        "new_order_failure_reason": None,
    }
    no = {"success": False, "failure_reason": None, "success_response": None, "error_response": refused}
    answer = created(json.dumps(no).encode(), "c")
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "INSUFFICIENT_FUND")


def test_trade_ids_and_times_of_the_other_json_kind() -> None:
    fill = {
        "trade_id": "74",
        "order_id": "o",
        "product_id": "BTC-USD",
        "side": "buy",
        "price": "1",
        "size": "2",
        "settled": True,
    }
    (read,) = exchange_rest.fills(json.dumps([fill]).encode())
    assert read.fill_id == "74:o"
    assert advanced_rest.server_ns(b'{"epochMillis": 1760000000000}') == 1_760_000_000 * 10**9


def test_the_user_channel_may_tell_figures_as_numbers_and_texts_as_null() -> None:
    body = """{"type": "snapshot", "orders": [{
        "order_id": "o", "client_order_id": null, "product_id": "BTC-USD", "order_side": "BUY",
        "status": "OPEN", "order_type": null, "time_in_force": null, "post_only": null,
        "limit_price": 50000.10, "stop_price": null, "cumulative_quantity": 0.1234567890123456789,
        "leaves_quantity": 1, "avg_price": 0, "filled_value": null, "total_fees": 1e-8,
        "number_of_fills": 3, "cancel_reason": null, "reject_reason": null}]}"""
    (order,) = msgspec.json.decode(body, type=WireUserEvent, strict=False).orders
    report = order_report(order)
    assert (report.client_order_id, report.side, report.post_only) == ("", Side.BUY, False)
    assert (report.limit_price, report.stop_price) == (D("50000.10"), None)
    assert (report.filled, report.remaining) == (D("0.1234567890123456789"), 1)
    assert (report.filled_value, report.fees, report.number_of_fills) == (None, D("1e-8"), 3)
