"""The broker of Advanced Trade against scripted answers: what it sends, how it pages, what it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jwt
import pytest
from http_kit import Answer, HttpServer, Request, Step, script
from rest_kit import KEYS, MakeBroker

from engine.core.order import Side, TimeInForce
from engine.exchange.coinbase.broker import (
    AuthenticationError,
    Balance,
    BrokerError,
    FeeRates,
    NewOrder,
    OrderRef,
    Outcome,
)
from engine.exchange.coinbase.keys import AdvancedKey
from engine.exchange.coinbase.network import ADVANCED

PREFIX = "/api/v3/brokerage"
BATCH = f"{PREFIX}/orders/historical/batch"
Body = Callable[[str], bytes]
ORDER = NewOrder("pt-000001", "BTC-USD", Side.BUY, Decimal("0.001"), Decimal("60000.10"), post_only=True)


def _order(order_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "client_order_id": f"c-{order_id}",
        "product_id": "BTC-USD",
        "side": "BUY",
        "status": "OPEN",
        "order_configuration": {
            "limit_limit_gtc": {"base_size": "1", "limit_price": "10", "post_only": True}
        },
        "filled_size": "0",
        **changes,
    }


def _orders(*orders: dict[str, Any], cursor: str | None = None) -> Answer:
    return Answer(200, {"orders": orders, "has_next": cursor is not None, "cursor": cursor or ""})


# -- what is sent --


SENT = {
    "request_create_limit_post_only_gtc": ORDER,
    "request_create_limit_gtd": NewOrder(
        "pt-000002",
        "BTC-USD",
        Side.SELL,
        Decimal("0.00100"),
        Decimal("7E+4"),
        TimeInForce.GTD,
        end_time_ns=1_796_083_200 * 10**9,
    ),
    "request_create_limit_ioc": NewOrder(
        "pt-000003", "BTC-USD", Side.SELL, Decimal("0.001"), Decimal("60000.1"), TimeInForce.IOC
    ),
}


@pytest.mark.parametrize("name", SENT)
async def test_a_create_is_exactly_the_documented_request(
    broker_at: MakeBroker, fixture_body: Body, name: str
) -> None:
    async with HttpServer(script(Answer(200, fixture_body("advanced_rest/create_success")))) as server:
        await (await broker_at(server.url)).submit(SENT[name])
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", f"{PREFIX}/orders")
    assert request.json() == json.loads(fixture_body(f"advanced_rest/{name}"))


@pytest.mark.parametrize(
    ("order", "configuration"),
    [
        (
            NewOrder("c", "SHIB-USD", Side.BUY, Decimal("1E+6"), Decimal("4.68E-6"), TimeInForce.FOK),
            {"limit_limit_fok": {"base_size": "1000000", "limit_price": "0.00000468"}},
        ),
        (
            NewOrder("c", "BTC-USD", Side.BUY, Decimal("0.10"), None, TimeInForce.IOC),
            {"market_market_ioc": {"base_size": "0.1"}},
        ),
        (
            NewOrder(
                "c",
                "X-USD",
                Side.BUY,
                Decimal("539937939102.8409944033184418"),
                Decimal("12345678901234567890.123456789012345"),
            ),
            {
                "limit_limit_gtc": {
                    "base_size": "539937939102.8409944033184418",
                    "limit_price": "12345678901234567890.123456789012345",
                    "post_only": False,
                }
            },
        ),
    ],
)
async def test_figures_are_plain_and_exact(
    broker_at: MakeBroker, order: NewOrder, configuration: dict[str, Any]
) -> None:
    async with HttpServer() as server:
        await (await broker_at(server.url)).submit(order)
    assert server.requests[0].json()["order_configuration"] == configuration


async def test_every_request_has_a_token_for_itself_and_nothing_that_tells_of_us(
    broker_at: MakeBroker,
) -> None:
    async with HttpServer(script(_orders())) as server:
        broker = await broker_at(server.url)
        await broker.live_orders("BTC-USD")
        await broker.submit(ORDER)
    key = KEYS[ADVANCED]
    assert isinstance(key, AdvancedKey)
    nonces = set()
    for request in server.requests:
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, key.private_key.public_key(), algorithms=["ES256"])
        assert claims["uri"] == f"{request.method} api.coinbase.com{request.path}"
        assert claims["sub"] == key.name
        nonces.add(jwt.get_unverified_header(token)["nonce"])
        assert request.headers["user-agent"] == "pinnacle-tui"
        assert request.headers["accept-encoding"] == "identity"
        assert "cookie" not in request.headers
        assert ("content-type" in request.headers) == (request.method == "POST")
    assert len(nonces) == len(server.requests) == 4
    assert {request.connection for request in server.requests} == {0}, "the connection is kept"


async def test_public_questions_are_unsigned_and_bypass_the_venues_cache(
    broker_at: MakeBroker, fixture_body: Body
) -> None:
    async with HttpServer(script(Answer(200, fixture_body("advanced_rest/product_book")))) as server:
        top = await (await broker_at(server.url)).book_top("BTC-USD", 1)
    (request,) = server.requests
    assert request.target == f"{PREFIX}/market/product_book?product_id=BTC-USD&limit=1"
    assert request.headers["cache-control"] == "no-cache"
    assert "authorization" not in request.headers
    assert top.bids == ((Decimal("68923.66"), Decimal("0.17189468")),)
    assert top.asks == ((Decimal("68923.67"), Decimal("0.16987193")),)


async def test_cookies_are_never_kept(broker_at: MakeBroker) -> None:
    async with HttpServer(
        script(Answer(200, {"orders": [], "has_next": False}, {"Set-Cookie": "a=b"}))
    ) as server:
        await (await broker_at(server.url)).live_orders()
    assert not any("cookie" in request.headers for request in server.requests)


# -- creating, editing, cancelling --


CREATED = {
    "create_success": (Outcome.ACCEPTED, "pt-000001", "11111111-2222-4333-8444-555555555555", ""),
    "create_success_with_unknown_failure_reason": (
        Outcome.ACCEPTED,
        "clientOrderId",
        "22222222-2222-4333-8444-555555555555",
        "",
    ),
    "create_duplicate_client_order_id": (
        Outcome.ACCEPTED,
        "run_20260719T025131Z-ETH-buy",
        "00fc688f-2cf6-427d-9495-096098cb8a2f",
        "",
    ),
    "create_fail_insufficient_fund": (Outcome.REFUSED, "c", "", "PREVIEW_INSUFFICIENT_FUND"),
    "create_fail_post_only": (Outcome.REFUSED, "c", "", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"),
    "create_fail_price_precision": (Outcome.REFUSED, "c", "", "PREVIEW_INVALID_PRICE_PRECISION"),
}


@pytest.mark.parametrize("name", CREATED)
async def test_the_answer_to_a_create(broker_at: MakeBroker, fixture_body: Body, name: str) -> None:
    outcome, client_id, order_id, code = CREATED[name]
    async with HttpServer(script(Answer(200, fixture_body(f"advanced_rest/{name}")))) as server:
        order = NewOrder(client_id, "BTC-USD", Side.BUY, Decimal(1), Decimal(1))
        answer = await (await broker_at(server.url)).submit(order)
    assert (answer.outcome, answer.order_id, answer.code) == (outcome, order_id, code)


async def test_a_failure_without_any_reason_is_doubt(broker_at: MakeBroker) -> None:
    async with HttpServer(script(Answer(200, {"success": False}))) as server:
        assert (await (await broker_at(server.url)).submit(ORDER)).outcome is Outcome.UNKNOWN


async def test_an_edit_that_is_refused(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("advanced_rest/edit_fail")))) as server:
        broker = await broker_at(server.url)
        answer = await broker.edit(OrderRef("o-1"), Decimal("1E+4"), Decimal("0.50"))
        assert (answer.outcome, answer.code) == (Outcome.REFUSED, "CANNOT_EDIT_TO_BELOW_FILLED_SIZE")
        assert server.requests[0].json() == {"order_id": "o-1", "price": "10000", "size": "0.5"}
        assert (
            await broker.edit(OrderRef(client_id="c"), Decimal(1), Decimal(1))
        ).outcome is Outcome.NOT_SENT


async def test_cancels_are_answered_one_by_one(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("advanced_rest/cancel_results_mixed")))) as server:
        refs = [OrderRef("o-3"), OrderRef(client_id="c"), OrderRef("o-1"), OrderRef("o-9"), OrderRef("o-2")]
        answers = await (await broker_at(server.url)).cancel([*refs, OrderRef("o-1", "again")])
    assert [answer.ref for answer in answers] == [*refs, OrderRef("o-1", "again")]
    assert [(answer.outcome, answer.code) for answer in answers] == [
        (Outcome.REFUSED, "ORDER_IS_FULLY_FILLED"),
        (Outcome.NOT_SENT, "NO_ORDER_ID"),
        (Outcome.ACCEPTED, ""),
        (Outcome.UNKNOWN, "UNREADABLE"),
        (Outcome.REFUSED, "UNKNOWN_CANCEL_ORDER"),
        (Outcome.ACCEPTED, ""),
    ]
    assert server.requests[0].json() == {"order_ids": ["o-3", "o-1", "o-9", "o-2"]}


async def test_a_refused_cancel_without_a_meaning_is_refused(broker_at: MakeBroker) -> None:
    result = {"success": False, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "o"}
    async with HttpServer(script(Answer(200, {"results": [result]}))) as server:
        (answer,) = await (await broker_at(server.url)).cancel([OrderRef("o")])
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "REFUSED")


def _cancel_all(request: Request) -> Step:
    return Answer(
        200, {"results": [{"success": True, "order_id": id_} for id_ in request.json()["order_ids"]]}
    )


@pytest.mark.parametrize(
    ("count", "chunks"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
async def test_cancels_go_in_chunks_of_a_hundred(
    broker_at: MakeBroker, count: int, chunks: list[int]
) -> None:
    async with HttpServer(_cancel_all) as server:
        refs = [OrderRef(str(number)) for number in range(count)]
        answers = await (await broker_at(server.url)).cancel(refs)
    assert [len(request.json()["order_ids"]) for request in server.requests] == chunks
    assert [answer.ref for answer in answers] == refs
    assert all(answer.outcome is Outcome.ACCEPTED for answer in answers)


@pytest.mark.parametrize("status", [401, 502, 503])
@pytest.mark.parametrize("failures", [1, 2, 3])
async def test_a_cancel_is_repeated_where_the_edge_fails(
    broker_at: MakeBroker, status: int, failures: int
) -> None:
    steps = [Answer(status, b"<html>")] * failures + [
        Answer(200, {"results": [{"success": True, "order_id": "o"}]})
    ]
    async with HttpServer(script(*steps)) as server:
        (answer,) = await (await broker_at(server.url)).cancel([OrderRef("o")])
    assert answer.outcome is (Outcome.ACCEPTED if failures < 3 else Outcome.UNKNOWN)
    assert len(server.requests) == min(failures + 1, 3)
    tokens = {request.headers["authorization"] for request in server.requests}
    assert len(tokens) == len(server.requests), "each with a token of its own"


@pytest.mark.parametrize("status", [400, 403, 500, 504])
async def test_a_cancel_is_not_repeated_otherwise(broker_at: MakeBroker, status: int) -> None:
    async with HttpServer(script(Answer(status, {"error": "INTERNAL", "message": "no"}))) as server:
        (answer,) = await (await broker_at(server.url)).cancel([OrderRef("o")])
    assert answer.outcome is (Outcome.REFUSED if status < 500 else Outcome.UNKNOWN)
    assert len(server.requests) == 1


# -- lists --


async def test_live_orders_are_asked_for_in_every_live_status(broker_at: MakeBroker) -> None:
    by_status = {
        "PENDING": _order("pending", status="PENDING"),
        "OPEN": _order("open"),
        "QUEUED": _order("queued", status="QUEUED"),
        "CANCEL_QUEUED": _order("cancel", status="CANCEL_QUEUED"),
        "EDIT_QUEUED": _order("edit", status="EDIT_QUEUED"),
    }

    def handler(request: Request) -> Step:
        asked = [value for name, value in request.query if name == "order_status"]
        if "OPEN" in asked and len(asked) > 1:
            return Answer(400, {"error": "INVALID_ARGUMENT", "message": "OPEN cannot be mixed"})
        return _orders(*(by_status[status] for status in asked))

    async with HttpServer(handler) as server:
        found = await (await broker_at(server.url)).live_orders("BTC-USD")
    assert {report.status: report.order_id for report in found} == {
        status: order["order_id"] for status, order in by_status.items()
    }
    assert len(found) == 5
    assert all(("product_ids", "BTC-USD") in request.query for request in server.requests)


@pytest.mark.parametrize(
    "statuses", [["PENDING", "OPEN", "OPEN"], ["OPEN", "CANCEL_QUEUED", "CANCEL_QUEUED"]]
)
async def test_an_order_that_changes_hands_between_the_questions_is_not_missed(
    broker_at: MakeBroker, statuses: list[str]
) -> None:
    at = iter(statuses)

    def handler(request: Request) -> Step:
        status = next(at)
        return _orders(*([_order("o", status=status)] if ("order_status", status) in request.query else []))

    async with HttpServer(handler) as server:
        assert [report.order_id for report in await (await broker_at(server.url)).live_orders()] == ["o"]


async def test_lists_are_paged_to_the_end(broker_at: MakeBroker) -> None:
    pages = {"": ("1", "a"), "a": ("2", "b"), "b": ("3", None)}

    def handler(request: Request) -> Step:
        query = dict(request.query)
        if query["order_status"] != "OPEN":
            return _orders()
        order_id, cursor = pages[query.get("cursor", "")]
        return _orders(_order(order_id), cursor=cursor)

    async with HttpServer(handler) as server:
        assert [order.order_id for order in await (await broker_at(server.url)).live_orders()] == [
            "1",
            "2",
            "3",
        ]


@pytest.mark.parametrize(
    "broken",
    [
        _orders(_order("2"), cursor="a"),
        _orders(_order("2"), cursor=""),
        Answer(500, {"error": "INTERNAL"}),
        Answer(200, b"<html>"),
        Answer(200, {"orders": [_order("2")]}),
        Answer(200, {"orders": [{**_order("2"), "side": "HOLD"}], "has_next": False}),
        Answer(200, {"orders": [{**_order("2"), "filled_size": "NaN"}], "has_next": False}),
        Answer(200, {"orders": None, "has_next": False}),
    ],
)
async def test_a_list_that_is_not_whole_is_no_list(broker_at: MakeBroker, broken: Answer) -> None:
    def handler(request: Request) -> Step:
        return broken if dict(request.query).get("cursor") else _orders(_order("1"), cursor="a")

    async with HttpServer(handler) as server:
        with pytest.raises(BrokerError):
            await (await broker_at(server.url)).live_orders()


async def test_a_page_that_claims_more_and_has_no_cursor_is_no_list(broker_at: MakeBroker) -> None:
    page = Answer(200, {"orders": [_order("1")], "has_next": True, "cursor": ""})
    async with HttpServer(script(page)) as server:
        with pytest.raises(BrokerError) as raised:
            await (await broker_at(server.url)).live_orders()
    assert raised.value.code == "PAGING"


async def test_the_documented_order_is_read(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("advanced_rest/order_get")))) as server:
        report = await (await broker_at(server.url)).order(OrderRef("0000-000000-000000"))
    assert server.requests[0].target == f"{PREFIX}/orders/historical/0000-000000-000000"
    assert report is not None
    assert (report.client_order_id, report.product, report.side) == (
        "11111-000000-000000",
        "BTC-USD",
        Side.BUY,
    )
    assert (report.status, report.order_type, report.time_in_force) == (
        "OPEN",
        "LIMIT",
        "GOOD_UNTIL_CANCELLED",
    )
    assert (report.limit_price, report.stop_price, report.post_only) == (Decimal("10000.00"), None, False)
    assert (report.filled, report.remaining) == (Decimal("0.0005"), Decimal("0.0005"))
    assert (report.average_price, report.filled_value) == (Decimal(10000), Decimal(5))
    assert (report.fees, report.number_of_fills, report.reject_reason) == (Decimal("0.025"), 2, "")


async def test_figures_may_be_json_numbers_and_words_may_be_missing(broker_at: MakeBroker) -> None:
    numbers = _order(
        "o",
        filled_size=0.123456789012345678901234567890,
        number_of_fills=3,
        total_fees=None,
        client_order_id="",
        reject_reason=None,
        order_configuration={"limit_limit_gtc": {"base_size": 1, "limit_price": 10.5, "post_only": "true"}},
    )
    body = json.dumps({"order": numbers}).replace("0.12345678901234568", "0.123456789012345678901234567890")
    assert "0.123456789012345678901234567890" in body
    async with HttpServer(script(Answer(200, body.encode()))) as server:
        report = await (await broker_at(server.url)).order(OrderRef("o"))
    assert report is not None
    assert report.filled == Decimal("0.123456789012345678901234567890")
    assert (report.limit_price, report.number_of_fills, report.fees) == (Decimal("10.5"), 3, 0)
    assert report.post_only is True
    assert report.filled_value is None


async def test_the_venues_word_that_it_knows_no_order(broker_at: MakeBroker) -> None:
    async with HttpServer(
        script(Answer(404, {"error": "NOT_FOUND", "message": "order not found"}))
    ) as server:
        assert await (await broker_at(server.url)).order(OrderRef("o")) is None


@pytest.mark.parametrize(
    "answer", [Answer(404, b"<html>404</html>"), Answer(404), Answer(410, {"message": "x"})]
)
async def test_a_404_of_somebody_else_is_no_word_of_the_venue(broker_at: MakeBroker, answer: Answer) -> None:
    async with HttpServer(script(answer)) as server:
        with pytest.raises(BrokerError, match="nothing is known"):
            await (await broker_at(server.url)).order(OrderRef("o"))


async def test_an_order_is_searched_by_our_id_in_all_statuses(broker_at: MakeBroker) -> None:
    def handler(request: Request) -> Step:
        query = dict(request.query)
        if "order_status" in query:
            return _orders(_order("other"))
        if not query.get("cursor"):
            return _orders(_order("x", status="FILLED"), cursor="more")
        return _orders(_order("mine", client_order_id="wanted", status="FILLED"))

    async with HttpServer(handler) as server:
        broker = await broker_at(server.url)
        report = await broker.order(
            OrderRef(client_id="wanted", product="BTC-USD", since_ns=1_790_000_060 * 10**9)
        )
        assert report is not None
        assert (report.order_id, report.status) == ("mine", "FILLED")
        search = [dict(request.query) for request in server.requests if "start_date" in dict(request.query)]
        assert [query["start_date"] for query in search] == ["2026-09-21T14:13:20Z"] * 2
        assert search[0]["product_ids"] == "BTC-USD"
        assert await broker.order(OrderRef(client_id="never")) is None
        assert await broker.order(OrderRef()) is None


# -- fills --


def _fill(entry_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "entry_id": entry_id,
        "trade_id": f"t-{entry_id}",
        "order_id": "o-1",
        "trade_time": "2026-09-30T01:41:50.644Z",
        "trade_type": "FILL",
        "price": "60000.1",
        "size": "0.1",
        "commission": "24.0000400000000000",
        "product_id": "BTC-USD",
        "liquidity_indicator": "MAKER",
        "size_in_quote": False,
        "side": "SELL",
        **changes,
    }


async def test_the_documented_fill_is_read(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("advanced_rest/fills")))) as server:
        broker = await broker_at(server.url)
        (fill,) = await broker.fills("BTC-USD", "o-1", since_ns=1_790_000_000_500_000_000)
    assert dict(server.requests[0].query) == {
        "product_ids": "BTC-USD",
        "order_ids": "o-1",
        "start_sequence_timestamp": "2026-09-21T14:13:20.500000Z",
        "limit": "250",
    }
    assert (fill.fill_id, fill.order_id, fill.product, fill.side) == ("e-1", "o-1", "BTC-USD", Side.SELL)
    assert (fill.price, fill.size, fill.fee) == (Decimal("60000.1"), Decimal("0.1"), Decimal("24.00004"))
    assert fill.is_maker is True
    assert fill.time_ns == 1_790_732_510_644_000_000


async def test_fills_come_oldest_first_once_each_from_all_pages(broker_at: MakeBroker) -> None:
    times = {"5": "05", "4": "04", "3": "03", "2": "02"}
    listed = {id_: _fill(id_, trade_time=f"2026-09-30T01:41:{at}Z") for id_, at in times.items()}
    same = [_fill("1b", trade_time="2026-09-30T01:41:02Z"), _fill("1a", trade_time="2026-09-30T01:41:02Z")]
    pages: dict[str, tuple[list[dict[str, Any]], str]] = {
        "": ([listed["5"], listed["4"]], "a"),
        "a": ([listed["4"], listed["3"]], "b"),
        "b": ([listed["2"], *same], "c"),
        "c": ([], "d"),
    }

    def handler(request: Request) -> Step:
        fills, cursor = pages[dict(request.query).get("cursor", "")]
        return Answer(200, {"fills": fills, "cursor": cursor})

    async with HttpServer(handler) as server:
        fills = await (await broker_at(server.url)).fills()
    assert [fill.fill_id for fill in fills] == ["1a", "1b", "2", "3", "4", "5"]


@pytest.mark.parametrize("word", ["REVERSAL", "CORRECTION"])
async def test_an_entry_that_takes_an_execution_back_is_negative(broker_at: MakeBroker, word: str) -> None:
    fills = [_fill("2", trade_type=word, liquidity_indicator="UNKNOWN_LIQUIDITY_INDICATOR"), _fill("1")]
    async with HttpServer(script(Answer(200, {"fills": fills, "cursor": ""}))) as server:
        found = {fill.fill_id: fill for fill in await (await broker_at(server.url)).fills()}
    assert (found["1"].size, found["2"].size) == (Decimal("0.1"), Decimal("-0.1"))
    assert found["2"].is_maker is None


async def test_a_size_in_quote_money_is_told_in_lots(broker_at: MakeBroker, fixture_body: Body) -> None:
    product = json.loads(fixture_body("advanced_rest/product_btc_usd"))

    def handler(request: Request) -> Step:
        if request.path.endswith("/products"):
            return Answer(200, {"products": [product]})
        return Answer(200, {"fills": [_fill("1", size="4.9999999", price="65083.67", size_in_quote=True)]})

    async with HttpServer(handler) as server:
        (fill,) = await (await broker_at(server.url)).fills()
    assert fill.size == Decimal("0.00007682")
    assert abs(fill.size * fill.price - 5) < Decimal("0.001")


@pytest.mark.parametrize("change", [{"product_id": "NONE-USD"}, {"price": "0"}])
async def test_a_size_in_quote_money_is_never_guessed(
    broker_at: MakeBroker, fixture_body: Body, change: dict[str, str]
) -> None:
    product = json.loads(fixture_body("advanced_rest/product_btc_usd"))

    def handler(request: Request) -> Step:
        if request.path.endswith("/products"):
            return Answer(200, {"products": [product]})
        return Answer(200, {"fills": [_fill("1", size_in_quote=True, **change)]})

    async with HttpServer(handler) as server:
        with pytest.raises(BrokerError, match="its size is not known"):
            await (await broker_at(server.url)).fills()


# -- account --


def _account(currency: str, available: Any, hold: Any = "0", **changes: Any) -> dict[str, Any]:
    return {
        "currency": currency,
        "available_balance": {"value": available, "currency": currency},
        "hold": {"value": hold, "currency": currency},
        "type": "ACCOUNT_TYPE_CRYPTO",
        "deleted_at": None,
        **changes,
    }


async def test_balances_of_every_page_without_vaults(broker_at: MakeBroker) -> None:
    pages = {
        "": {
            "accounts": [_account("BTC", "1.5", "0.5"), _account("USD", "10")],
            "has_next": True,
            "cursor": "a",
        },
        "a": {
            "accounts": [
                _account("BTC", "7", type="ACCOUNT_TYPE_VAULT"),
                _account("ETH", "9", deleted_at="2026-01-01T00:00:00Z"),
                _account("USD", "0.25", "1"),
                {"currency": "EUR", "available_balance": {"value": "3"}},
            ],
            "has_next": False,
            "cursor": "",
        },
    }
    async with HttpServer(
        lambda request: Answer(200, pages[dict(request.query).get("cursor", "")])
    ) as server:
        balances = await (await broker_at(server.url)).balances()
    assert balances == {
        "BTC": Balance("BTC", Decimal("1.5"), Decimal("0.5")),
        "USD": Balance("USD", Decimal("10.25"), Decimal(1)),
        "EUR": Balance("EUR", Decimal(3), Decimal(0)),
    }
    assert balances["BTC"].total == 2


async def test_documented_accounts_and_fees(broker_at: MakeBroker, fixture_body: Body) -> None:
    def handler(request: Request) -> Step:
        name = {"accounts": "accounts", "transaction_summary": "transaction_summary_intro"}
        return Answer(200, fixture_body(f"advanced_rest/{name[request.path.rpartition('/')[2]]}"))

    async with HttpServer(handler) as server:
        broker = await broker_at(server.url)
        assert set(await broker.balances()) == {"SGD", "USD"}
        assert await broker.fees() == FeeRates(Decimal(60), Decimal(120), "Intro 1")


async def test_the_rights_of_a_key(broker_at: MakeBroker) -> None:
    told = {
        "can_view": True,
        "can_trade": False,
        "can_transfer": True,
        "portfolio_uuid": "p",
        "portfolio_type": "D",
    }
    async with HttpServer(script(Answer(200, told))) as server:
        rights = await (await broker_at(server.url)).permissions()
    assert (rights.can_view, rights.can_trade, rights.can_transfer, rights.portfolio) == (
        True,
        False,
        True,
        "p",
    )


# -- products --


async def test_products_with_their_flags(broker_at: MakeBroker, fixture_body: Body) -> None:
    plain = json.loads(fixture_body("advanced_rest/product_btc_usd"))
    alias = json.loads(fixture_body("advanced_rest/product_btc_usdc_alias"))
    flags = ("is_disabled", "trading_disabled", "view_only", "auction_mode")
    halted = [{**plain, "product_id": f"H{number}-USD", flag: True} for number, flag in enumerate(flags)]
    listed = [
        plain,
        alias,
        *halted,
        {**plain, "product_id": "GONE-USD", "status": "delisted"},
        {**plain, "product_id": "POST-USD", "post_only": True, "cancel_only": True, "limit_only": True},
        {**plain, "product_id": "BAD-USD", "base_increment": "0"},
        {"product_id": 5},
    ]
    async with HttpServer(script(Answer(200, {"products": listed, "num_products": 10}))) as server:
        products = await (await broker_at(server.url)).products()
    assert set(products) == {
        "BTC-USD",
        "BTC-USDC",
        "H0-USD",
        "H1-USD",
        "H2-USD",
        "H3-USD",
        "GONE-USD",
        "POST-USD",
    }
    assert products["BTC-USD"].is_tradable
    assert products["BTC-USD"].note == ""
    assert products["BTC-USDC"].alias == "BTC-USD"
    assert products["BTC-USDC"].instrument.quote == "USDC"
    for symbol in ("H0-USD", "H1-USD", "H2-USD", "H3-USD", "GONE-USD"):
        assert not products[symbol].is_tradable
        assert products[symbol].note
    post = products["POST-USD"]
    assert (post.is_tradable, post.is_post_only, post.is_cancel_only, post.is_limit_only) == (True,) * 4


async def test_products_come_from_the_account_where_there_is_a_key_and_by_pages(
    broker_at: MakeBroker, fixture_body: Body
) -> None:
    plain = json.loads(fixture_body("advanced_rest/product_btc_usd"))

    def handler(request: Request) -> Step:
        offset = int(dict(request.query).get("offset", "0"))
        page = {
            "products": [{**plain, "product_id": f"P{offset}-USD"}],
            "pagination": {"has_next": offset < 2},
        }
        return Answer(200, page)

    async with HttpServer(handler) as server:
        assert list(await (await broker_at(server.url)).products()) == ["P0-USD", "P1-USD", "P2-USD"]
        await (await broker_at(server.url, is_public=True)).products(["P0-USD", "P9-USD"])
    assert server.requests[0].path == f"{PREFIX}/products"
    assert server.requests[3].path == f"{PREFIX}/market/products"
    assert server.requests[3].query == [("product_ids", "P0-USD"), ("product_ids", "P9-USD")]


# -- questions that fail --


async def test_a_question_is_asked_once_more_with_a_fresh_token(broker_at: MakeBroker) -> None:
    steps = script(Answer(401, b"Unauthorized"), Answer(200, {"can_view": True}))
    async with HttpServer(steps) as server:
        assert (await (await broker_at(server.url)).permissions()).can_view
    first, second = (request.headers["authorization"] for request in server.requests)
    assert first != second


FAILURES: list[tuple[Step, type[BrokerError], str, str]] = [
    (Answer(401, b"Unauthorized"), AuthenticationError, "UNAUTHORISED", "does not take the key"),
    (Answer(401, b"<html>"), AuthenticationError, "UNAUTHORISED", "does not take the key"),
    (
        Answer(403, {"error": "PERMISSION_DENIED", "message": "no"}),
        AuthenticationError,
        "PERMISSION",
        "may not do this",
    ),
    (Answer(403, b"<html>"), BrokerError, "HTTP_403", "ask again later"),
    (Answer(404, {"error": "NOT_FOUND", "message": "x"}), BrokerError, "NOT_FOUND", "knows nothing"),
    (Answer(429, {"errors": [{"id": "rate_limit_exceeded"}]}), BrokerError, "RATE_LIMIT", "rate limit"),
    (Answer(503, b"<html>"), BrokerError, "HTTP_503", "ask again later"),
    (Answer(503, {"message": "down for maintenance"}), BrokerError, "MAINTENANCE", "maintained"),
    (Answer(301, b"", {"Location": "/x"}), BrokerError, "REDIRECT", "never followed"),
    (Answer(200, b"<html>"), BrokerError, "UNREADABLE", "cannot be read"),
    (Answer(400, {"error": "INVALID_ARGUMENT", "message": "x"}), BrokerError, "INVALID_ARGUMENT", "report"),
]


@pytest.mark.parametrize(("step", "kind", "code", "words"), FAILURES)
async def test_why_a_question_was_not_answered(
    broker_at: MakeBroker, step: Step, kind: type[BrokerError], code: str, words: str
) -> None:
    async with HttpServer(script(step)) as server:
        with pytest.raises(BrokerError, match=words) as raised:
            await (await broker_at(server.url)).fees()
    assert type(raised.value) is kind
    assert raised.value.code == code
    assert "<html>" not in str(raised.value)
    assert (raised.value.retry_after_s is not None) == (code == "RATE_LIMIT")


async def test_no_secret_is_in_any_message(broker_at: MakeBroker) -> None:
    async with HttpServer(
        script(Answer(401, {"error": "UNAUTHORIZED", "message": "Unauthorized"}))
    ) as server:
        broker = await broker_at(server.url)
        with pytest.raises(AuthenticationError) as raised:
            await broker.fees()
        answer = await broker.submit(ORDER)
    tokens = [request.headers["authorization"].removeprefix("Bearer ") for request in server.requests]
    for text in (str(raised.value), repr(raised.value), repr(answer), repr(broker), repr(vars(broker))):
        assert not any(token in text for token in tokens)
        assert "PRIVATE KEY" not in text
