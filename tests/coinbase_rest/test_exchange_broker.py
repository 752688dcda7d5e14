"""The broker of Coinbase Exchange against scripted answers: what it sends, how it pages, what it reads."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from http_kit import Answer, Bytes, HttpServer, Request, Step, script
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
from engine.exchange.coinbase.keys import ExchangeKey
from engine.exchange.coinbase.network import EXCHANGE

Body = Callable[[str], bytes]
CLIENT_ID = "d50ec974-76a2-454b-66f1-35b1ea8c0000"
ORDER = NewOrder(CLIENT_ID, "BTC-USD", Side.BUY, Decimal("0.001"), Decimal("60000.10"), post_only=True)


def _order(order_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": order_id,
        "client_oid": f"c-{order_id}",
        "product_id": "BTC-USD",
        "side": "sell",
        "type": "limit",
        "status": "open",
        "price": "10.00000000",
        "size": "4.00000000",
        "filled_size": "1.00000000",
        "executed_value": "10.0000000000000000",
        "fill_fees": "0.0250000000000000",
        "time_in_force": "GTC",
        "post_only": True,
        **changes,
    }


async def test_a_create_is_the_documented_request(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("exchange_rest/create_response")))) as server:
        answer = await (await broker_at(server.url, EXCHANGE)).submit(ORDER)
    assert (answer.outcome, answer.order_id) == (Outcome.ACCEPTED, "a9625b04-fc66-4999-a876-543c3684d702")
    (request,) = server.requests
    documented = json.loads(fixture_body("exchange_rest/request_create_limit_post_only"))
    assert request.json() == documented | {"price": "60000.1"}


@pytest.mark.parametrize(
    ("order", "terms"),
    [
        (
            NewOrder(CLIENT_ID, "BTC-USD", Side.SELL, Decimal("1E-8"), None, TimeInForce.IOC),
            {"type": "market", "size": "0.00000001", "side": "sell"},
        ),
        (
            NewOrder(CLIENT_ID, "BTC-USD", Side.SELL, Decimal(1), Decimal(2), TimeInForce.FOK),
            {"type": "limit", "size": "1", "price": "2", "side": "sell", "time_in_force": "FOK"},
        ),
    ],
)
async def test_other_kinds_of_orders(broker_at: MakeBroker, order: NewOrder, terms: dict[str, str]) -> None:
    async with HttpServer() as server:
        await (await broker_at(server.url, EXCHANGE)).submit(order)
    common = {"product_id": "BTC-USD", "client_oid": CLIENT_ID, "stp": "dc"}
    assert server.requests[0].json() == common | terms


async def test_what_is_signed_is_what_is_sent(broker_at: MakeBroker) -> None:
    async with HttpServer(script(Answer(200, []))) as server:
        broker = await broker_at(server.url, EXCHANGE)
        await broker.submit(ORDER)
        await broker.live_orders("BTC-USD")
        await broker.cancel([OrderRef(client_id=CLIENT_ID, product="A&B=C/D-USD")])
    key = KEYS[EXCHANGE]
    assert isinstance(key, ExchangeKey)
    for request in server.requests:
        message = (
            f"{request.headers['cb-access-timestamp']}{request.method}{request.target}".encode()
            + request.body
        )
        signature = base64.b64encode(hmac.digest(key.secret.reveal(), message, hashlib.sha256)).decode()
        assert request.headers["cb-access-sign"] == signature
        assert request.headers["cb-access-key"] == key.key
        assert request.headers["cb-access-passphrase"] == key.passphrase.text()
        assert request.headers["user-agent"] == "pinnacle-tui"
    assert server.requests[-1].target == f"/orders/client:{CLIENT_ID}?product_id=A%26B%3DC%2FD-USD"


async def test_an_order_that_is_rejected_with_status_200(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("exchange_rest/create_rejected_200")))) as server:
        answer = await (await broker_at(server.url, EXCHANGE)).submit(ORDER)
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "POST_ONLY")
    assert "quote further" in answer.reason


@pytest.mark.parametrize("text", ["client_oid already exists", "Duplicate client_oid"])
async def test_a_duplicate_id_is_a_question(broker_at: MakeBroker, text: str) -> None:
    async with HttpServer(script(Answer(400, {"message": text}))) as server:
        answer = await (await broker_at(server.url, EXCHANGE)).submit(ORDER)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "DUPLICATE_CLIENT_ORDER_ID")


CANCELS: list[tuple[Step, Outcome, str]] = [
    (Answer(200, "d50ec984-77a8-460a-b958-66f114b0de9b"), Outcome.ACCEPTED, ""),
    (Answer(200, ["d50ec984-77a8-460a-b958-66f114b0de9b"]), Outcome.ACCEPTED, ""),
    (Answer(404, {"message": "NotFound"}), Outcome.REFUSED, "NOT_FOUND"),
    (Answer(404, {"message": "order not found"}), Outcome.REFUSED, "NOT_FOUND"),
    (Answer(400, {"message": "Order already done"}), Outcome.REFUSED, "ORDER_ALREADY_DONE"),
    (Answer(404, b"<html>"), Outcome.UNKNOWN, "HTTP_404"),
    (Answer(500, {"message": "Internal"}), Outcome.UNKNOWN, "HTTP_500"),
    (Answer(200, b"<html>"), Outcome.UNKNOWN, "UNREADABLE"),
    (Answer(200, b'""'), Outcome.UNKNOWN, "UNREADABLE"),
    (Answer(200, b"[" * 100_000), Outcome.UNKNOWN, "UNREADABLE"),
    (Answer(429, {"message": "Private rate limit exceeded"}), Outcome.LIMITED, "RATE_LIMIT"),
    (Bytes(b"nonsense\r\n\r\n"), Outcome.UNKNOWN, "PROTOCOL"),
]


@pytest.mark.parametrize(("step", "outcome", "code"), CANCELS)
async def test_what_becomes_of_a_cancel(
    broker_at: MakeBroker, step: Step, outcome: Outcome, code: str
) -> None:
    async with HttpServer(script(step)) as server:
        ref = OrderRef("o-1", product="BTC-USD")
        (answer,) = await (await broker_at(server.url, EXCHANGE)).cancel([ref])
    assert (answer.ref, answer.outcome, answer.code) == (ref, outcome, code)
    assert [(request.method, request.target) for request in server.requests] == [
        ("DELETE", "/orders/o-1?product_id=BTC-USD")
    ]


async def test_cancels_by_either_id_keep_their_order_and_nothing_is_cancelled_by_none(
    broker_at: MakeBroker,
) -> None:
    refs = [OrderRef(f"o-{number}") for number in range(25)]
    refs += [OrderRef(client_id="c-1"), OrderRef()]

    def handler(request: Request) -> Step:
        return Answer(404, {"message": "NotFound"}) if request.path == "/orders/o-7" else Answer(200, "x")

    async with HttpServer(handler) as server:
        answers = await (await broker_at(server.url, EXCHANGE)).cancel(refs)
    assert [answer.ref for answer in answers] == refs
    assert [number for number, answer in enumerate(answers) if answer.outcome is not Outcome.ACCEPTED] == [
        7,
        26,
    ]
    assert answers[26].outcome is Outcome.NOT_SENT
    assert "/orders/client:c-1" in {request.path for request in server.requests}
    assert len(server.requests) == 26


async def test_a_cancel_is_repeated_where_the_edge_fails(broker_at: MakeBroker) -> None:
    async with HttpServer(script(Answer(503, b"<html>"), Answer(502), Answer(200, "x"))) as server:
        (answer,) = await (await broker_at(server.url, EXCHANGE)).cancel([OrderRef("o")])
    assert answer.outcome is Outcome.ACCEPTED
    assert len(server.requests) == 3


async def test_live_orders_follow_the_pages_to_an_empty_one(broker_at: MakeBroker) -> None:
    pages: dict[str, tuple[list[dict[str, Any]], str]] = {
        "": ([_order("3"), _order("2", status="pending")], "a"),
        "a": ([_order("2", status="open"), _order("1", status="active")], "b"),
        "b": ([], "c"),
    }

    def handler(request: Request) -> Step:
        orders, cursor = pages[dict(request.query).get("after", "")]
        return Answer(200, orders, {"CB-AFTER": cursor})

    async with HttpServer(handler) as server:
        found = await (await broker_at(server.url, EXCHANGE)).live_orders("BTC-USD")
    assert {order.order_id: order.status for order in found} == {"3": "OPEN", "2": "OPEN", "1": "OPEN"}
    first = server.requests[0].query
    assert {value for name, value in first if name == "status"} == {"open", "pending", "active", "received"}
    assert ("product_id", "BTC-USD") in first


async def test_a_list_that_leads_back_is_no_list(broker_at: MakeBroker) -> None:
    async with HttpServer(script(Answer(200, [_order("1")], {"CB-AFTER": "a"}))) as server:
        with pytest.raises(BrokerError) as raised:
            await (await broker_at(server.url, EXCHANGE)).live_orders()
    assert raised.value.code == "PAGING"


STATUSES: list[tuple[dict[str, Any], str, Decimal]] = [
    ({"status": "received"}, "PENDING", Decimal(3)),
    ({"status": "pending"}, "PENDING", Decimal(3)),
    ({"status": "open"}, "OPEN", Decimal(3)),
    ({"status": "active"}, "OPEN", Decimal(3)),
    ({"status": "done", "done_reason": "canceled"}, "CANCELLED", Decimal(0)),
    ({"status": "done", "done_reason": "filled", "filled_size": "4"}, "FILLED", Decimal(0)),
    ({"status": "done", "filled_size": "4"}, "FILLED", Decimal(0)),
    ({"status": "done"}, "CANCELLED", Decimal(0)),
    ({"status": "rejected", "reject_reason": "post only"}, "FAILED", Decimal(0)),
    ({"status": "brand new"}, "BRAND NEW", Decimal(3)),
]


@pytest.mark.parametrize(("changes", "status", "remaining"), STATUSES)
async def test_the_status_of_an_order(
    broker_at: MakeBroker, changes: dict[str, Any], status: str, remaining: Decimal
) -> None:
    async with HttpServer(script(Answer(200, _order("o", **changes)))) as server:
        report = await (await broker_at(server.url, EXCHANGE)).order(OrderRef("o"))
    assert report is not None
    assert (report.status, report.remaining) == (status, remaining)


async def test_an_order_is_read_with_all_its_figures(broker_at: MakeBroker) -> None:
    told = _order("o", client_oid=None, filled_size=1.5, executed_value="15.75", stop_price=None)
    async with HttpServer(script(Answer(200, told))) as server:
        report = await (await broker_at(server.url, EXCHANGE)).order(OrderRef(client_id=CLIENT_ID))
    assert server.requests[0].target == f"/orders/client:{CLIENT_ID}"
    assert report is not None
    assert (report.order_id, report.client_order_id, report.side) == ("o", "", Side.SELL)
    assert (report.filled, report.filled_value, report.average_price) == (
        Decimal("1.5"),
        Decimal("15.75"),
        Decimal("10.5"),
    )
    assert (report.limit_price, report.stop_price, report.fees) == (Decimal(10), None, Decimal("0.025"))
    assert (report.order_type, report.time_in_force, report.post_only) == (
        "LIMIT",
        "GOOD_UNTIL_CANCELLED",
        True,
    )


async def test_the_venues_word_that_it_knows_no_order(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(404, fixture_body("exchange_rest/error_not_found")))) as server:
        broker = await broker_at(server.url, EXCHANGE)
        assert await broker.order(OrderRef(client_id=CLIENT_ID)) is None
        assert await broker.order(OrderRef()) is None


@pytest.mark.parametrize("answer", [Answer(404, b"<html>"), Answer(400, {"message": "Invalid order id"})])
async def test_no_other_answer_says_that_there_is_no_order(broker_at: MakeBroker, answer: Answer) -> None:
    async with HttpServer(script(answer)) as server:
        with pytest.raises(BrokerError):
            await (await broker_at(server.url, EXCHANGE)).order(OrderRef("o"))


def _fill(trade_id: int, second: int, **changes: Any) -> dict[str, Any]:
    return {
        "created_at": f"2026-09-30T01:41:{second:02}.644Z",
        "trade_id": trade_id,
        "product_id": "BTC-USD",
        "order_id": "o-1",
        "liquidity": "M",
        "price": "60000.10000000",
        "size": "0.10000000",
        "fee": "24.0000400000000000",
        "side": "sell",
        **changes,
    }


async def test_the_documented_fill_is_read(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("exchange_rest/fills")))) as server:
        (fill,) = await (await broker_at(server.url, EXCHANGE)).fills(order_id="o-1")
    assert server.requests[0].query == [("order_id", "o-1"), ("limit", "1000")]
    assert fill.fill_id == "5001:d50ec984-77a8-460a-b958-66f114b0de9b"
    assert (fill.side, fill.price, fill.size, fill.fee) == (
        Side.SELL,
        Decimal("60000.1"),
        Decimal("0.1"),
        Decimal("24.00004"),
    )
    assert (fill.is_maker, fill.time_ns) == (True, 1_790_732_510_644_000_000)


async def test_fills_oldest_first_both_sides_of_a_self_trade_and_no_further_back_than_asked(
    broker_at: MakeBroker,
) -> None:
    pages: dict[str, tuple[list[dict[str, Any]], str]] = {
        "": ([_fill(9, 9), _fill(8, 8, order_id="o-2", liquidity="T"), _fill(8, 8)], "a"),
        "a": ([_fill(7, 7, liquidity=None), _fill(6, 1)], "b"),
        "b": ([_fill(5, 0)], "c"),
        "c": ([_fill(4, 0)], "never"),
    }

    def handler(request: Request) -> Step:
        fills, cursor = pages[dict(request.query).get("after", "")]
        return Answer(200, fills, {"CB-AFTER": cursor})

    async with HttpServer(handler) as server:
        since_ns = 1_790_732_462 * 10**9
        fills = await (await broker_at(server.url, EXCHANGE)).fills("BTC-USD", since_ns=since_ns)
    assert [(fill.fill_id, fill.is_maker) for fill in fills] == [
        ("7:o-1", None),
        ("8:o-1", True),
        ("8:o-2", False),
        ("9:o-1", True),
    ]
    assert len(server.requests) == 3


async def test_fills_of_everything_cannot_be_asked_for(broker_at: MakeBroker) -> None:
    async with HttpServer() as server:
        with pytest.raises(BrokerError, match="of a product or of an order"):
            await (await broker_at(server.url, EXCHANGE)).fills()
        assert server.requests == []


async def test_account_and_rights(broker_at: MakeBroker, fixture_body: Body) -> None:
    def handler(request: Request) -> Step:
        if request.path == "/fees":
            return Answer(200, {"maker_fee_rate": "0.0040", "taker_fee_rate": 0.006, "usd_volume": None})
        return Answer(200, fixture_body("exchange_rest/accounts"))

    async with HttpServer(handler) as server:
        broker = await broker_at(server.url, EXCHANGE)
        assert await broker.balances() == {"USD": Balance("USD", Decimal(900), Decimal(100))}
        assert await broker.fees() == FeeRates(Decimal(40), Decimal(60))
        rights = await broker.permissions()
    assert (rights.can_view, rights.can_trade, rights.can_transfer) == (True, None, None)
    assert rights.portfolio == "8058d771-2d88-4f0f-ab6e-299c153d4308"


async def test_the_top_of_the_book(broker_at: MakeBroker, fixture_body: Body) -> None:
    async with HttpServer(script(Answer(200, fixture_body("exchange_rest/book_level2_trimmed")))) as server:
        broker = await broker_at(server.url, EXCHANGE)
        top = await broker.book_top("BTC-USD", 1)
        assert top.bids == ((Decimal("83420.20"), Decimal("0.0759984")),)
        assert top.asks == ((Decimal("83420.21"), Decimal("0.0808")),)
        assert len((await broker.book_top("BTC-USD", 50)).bids) == 2
    assert [request.target for request in server.requests] == [
        "/products/BTC-USD/book?level=1",
        "/products/BTC-USD/book?level=2",
    ]


async def test_a_book_whose_levels_are_none_is_unreadable(broker_at: MakeBroker) -> None:
    async with HttpServer(script(Answer(200, {"bids": [["1"]], "asks": []}))) as server:
        with pytest.raises(BrokerError, match="cannot be read"):
            await (await broker_at(server.url, EXCHANGE)).book_top("BTC-USD", 1)


async def test_products(broker_at: MakeBroker, fixture_body: Body) -> None:
    plain = json.loads(fixture_body("exchange_rest/product_btc_usd"))
    auction = {
        **plain,
        "id": "A-USD",
        "auction_mode": True,
        "status": "offline",
        "status_message": "soon\x1b back",
    }
    every = [plain, auction, {**plain, "id": "BAD", "base_increment": "-1"}, 5]

    def handler(request: Request) -> Step:
        if request.path == "/products":
            return Answer(200, every)
        return (
            Answer(200, plain) if request.path.endswith("BTC-USD") else Answer(404, {"message": "NotFound"})
        )

    async with HttpServer(handler) as server:
        broker = await broker_at(server.url, EXCHANGE)
        listed = await broker.products()
        assert set(listed) == {"BTC-USD", "A-USD"}
        assert listed["BTC-USD"].is_tradable
        assert not listed["A-USD"].is_tradable
        assert "soon back" in listed["A-USD"].note
        assert "auction" in listed["A-USD"].note
        assert list(await broker.products(["BTC-USD", "NO-USD"])) == ["BTC-USD"]
        assert list(await broker.products(["A-USD", *(f"N{number}" for number in range(9))])) == ["A-USD"]
    assert [request.path for request in server.requests] == [
        "/products",
        "/products/BTC-USD",
        "/products/NO-USD",
        "/products",
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("invalid signature", "UNAUTHORISED"),
        ("Invalid API Key", "UNAUTHORISED"),
        ("request timestamp expired", "CLOCK"),
    ],
)
async def test_a_key_that_is_not_taken(broker_at: MakeBroker, text: str, code: str) -> None:
    async with HttpServer(script(Answer(401, {"message": text}))) as server:
        with pytest.raises(AuthenticationError, match=text) as raised:
            await (await broker_at(server.url, EXCHANGE)).balances()
    assert raised.value.code == code
    assert len(server.requests) == 2
    for secret in ("exchange-secret", "exchange-passphrase"):
        assert secret not in str(raised.value)


async def test_an_expired_timestamp_is_the_clock_whatever_the_status(broker_at: MakeBroker) -> None:
    async with HttpServer(script(Answer(400, {"message": "request timestamp expired"}))) as server:
        with pytest.raises(AuthenticationError) as raised:
            await (await broker_at(server.url, EXCHANGE)).balances()
    assert raised.value.code == "CLOCK"
