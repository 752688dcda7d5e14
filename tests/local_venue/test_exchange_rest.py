"""REST of the local venue's Exchange API, asked by a client that shares no code with it."""

from __future__ import annotations

import json
import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from local_venue.exchange_client import exchange, limit

from engine.core.clock import ManualClock, SystemClock
from engine.core.order import Side
from engine.local_venue.exchange.face import ExchangeManners
from engine.local_venue.keys import Rights, make_exchange_key
from engine.local_venue.settings import FAIL_LATER, FAILURE


def fixture(shared_data: Path, name: str) -> Any:
    return json.loads((shared_data / "coinbase" / "fixtures" / "exchange_rest" / f"{name}.json").read_text())


# -- public -------------------------------------------------------------------------------------------


async def test_public_answers_have_the_recorded_shapes(shared_data: Path) -> None:
    async with exchange() as (_, client):
        recorded = fixture(shared_data, "product_btc_usd")
        product = await client.get("/products/BTC-USD")
        assert product == recorded
        assert product in await client.get("/products")
        told = await client.get("/time")
        assert told.keys() == fixture(shared_data, "time").keys()
        assert isinstance(told["epoch"], float)
        assert abs(told["epoch"] - time.time()) < 5
        book = await client.get("/products/BTC-USD/book?level=2")
        assert book.keys() == fixture(shared_data, "book_level2_trimmed").keys()
        assert [type(part) for part in book["bids"][0]] == [str, str, int]


async def test_public_needs_no_key_but_a_user_agent() -> None:
    async with exchange() as (_, client):
        assert (await client.ask("GET", "/products/BTC-USD", headers={}))[0] == 200
        client.headers = {}
        status, body = await client.ask("GET", "/products/BTC-USD", headers={})
        assert (status, body) == (400, {"message": "User-Agent header is required."})


async def test_what_does_not_exist() -> None:
    async with exchange() as (_, client):
        for path in ("/products/NO-USD", "/products/NO-USD/book", f"/orders/{uuid.uuid4()}"):
            assert await client.ask("GET", path) == (404, {"message": "NotFound"})


async def test_books_of_every_level_agree() -> None:
    async with exchange() as (_, client):
        mine = await client.place(price="60000.10", size="0.5")
        one, two, three = [await client.get(f"/products/BTC-USD/book?level={n}") for n in (1, 2, 3)]
        for side in ("bids", "asks"):
            assert one[side] == two[side][:1]
            total: dict[str, Decimal] = {}
            for price, size, _ in three[side]:
                total[price] = total.get(price, Decimal(0)) + Decimal(size)
            published = {price: Decimal(size) for price, size, _ in two[side]}
            total.pop("60000.10", None)  # not published yet, or just so
            published.pop("60000.10", None)
            assert total == published
        assert ["60000.10", "0.50000000", mine["id"]] in three["bids"]
        prices = [Decimal(row[0]) for row in three["bids"]]
        assert prices == sorted(prices, reverse=True)
        assert prices[0] < Decimal(three["asks"][0][0])
        status, body = await client.ask("GET", "/products/BTC-USD/book?level=4")
        assert (status, body["message"]) == (400, "Invalid level")


async def test_trades_candles_figures_and_pages() -> None:
    clock = SystemClock()
    async with exchange(clock=clock) as (venue, client):
        async with client.feed() as feed:
            await feed.subscribe("matches")
            await feed.next("subscriptions")
            for _ in range(3):
                venue.core.stranger_order("BTC-USD", Side.BUY, Decimal("0.001"), None)
            await feed.next("match", lambda match: match["trade_id"] == 3)
        trades = await client.get("/products/BTC-USD/trades")
        assert [trade["trade_id"] for trade in trades] == [3, 2, 1]
        assert {trade["side"] for trade in trades} == {"sell"}  # the maker's side
        page = await client.get("/products/BTC-USD/trades?limit=2")
        assert [trade["trade_id"] for trade in page] == [3, 2]
        assert client.answer_headers["CB-AFTER"] == "2"
        older = await client.get("/products/BTC-USD/trades?limit=2&after=2")
        assert [trade["trade_id"] for trade in older] == [1]
        newer = await client.get("/products/BTC-USD/trades?limit=1&before=1")
        assert [trade["trade_id"] for trade in newer] == [2]
        (row,) = await client.get("/products/BTC-USD/candles?granularity=86400")
        assert row[0] % 86_400 == 0
        assert row[1] <= min(row[3], row[4]) <= max(row[3], row[4]) <= row[2]
        assert row[5] == pytest.approx(0.003)
        ticker = await client.get("/products/BTC-USD/ticker")
        assert (ticker["trade_id"], ticker["price"]) == (3, trades[0]["price"])
        stats = await client.get("/products/BTC-USD/stats")
        assert stats["volume"] == "0.00300000"
        for query in ("granularity=61", "granularity=60&start=0&end=100000", "granularity=60&start=soon"):
            status, body = await client.ask("GET", f"/products/BTC-USD/candles?{query}")
            assert status == 400, body


# -- who asks -------------------------------------------------------------------------------------------


async def test_a_good_signature_opens_the_account(shared_data: Path) -> None:
    async with exchange() as (_, client):
        accounts = await client.get("/accounts")
        assert accounts[0].keys() == fixture(shared_data, "accounts")[0].keys()
        assert await client.get(f"/accounts/{accounts[0]['id']}") == accounts[0]
        fees = await client.get("/fees")
        assert (fees["maker_fee_rate"], fees["taker_fee_rate"]) == ("0.006", "0.012")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CB-ACCESS-KEY": "nobody"}, "Invalid API Key"),
        ({"CB-ACCESS-PASSPHRASE": "wrong"}, "Invalid Passphrase"),
        ({"CB-ACCESS-SIGN": "AAAA"}, "invalid signature"),
        ({"CB-ACCESS-TIMESTAMP": "2026-01-01T00:00:00Z"}, "request timestamp expired"),
        ({"CB-ACCESS-KEY": ""}, "CB-ACCESS-KEY header is required"),
        ({"CB-ACCESS-SIGN": ""}, "CB-ACCESS-SIGN header is required"),
    ],
)
async def test_a_bad_signature_does_not(change: dict[str, str], message: str) -> None:
    async with exchange() as (_, client):
        status, body = await client.ask(
            "GET", "/accounts", headers=client.signed("GET", "/accounts") | change
        )
        assert (status, body) == (401, {"message": message})


async def test_method_path_query_and_body_are_signed() -> None:
    async with exchange() as (_, client):
        path = "/orders?status=open"
        assert (await client.ask("GET", path, headers=client.signed("GET", path)))[0] == 200
        for headers in (
            client.signed("POST", path),
            client.signed("GET", "/orders"),
            client.signed("GET", path, "{}"),
        ):
            assert (await client.ask("GET", path, headers=headers))[0] == 401


@pytest.mark.parametrize(("off_s", "status"), [(-31, 401), (-29, 200), (29, 200), (31, 401)])
async def test_thirty_seconds(off_s: int, status: int) -> None:
    wall_ns = 1_790_000_000_000_000_000
    async with exchange(clock=ManualClock(0, wall_ns)) as (_, client):
        at = f"{wall_ns // 10**9 + off_s}.25"
        answer = await client.ask("GET", "/accounts", headers=client.signed("GET", "/accounts", at=at))
        assert answer[0] == status


async def test_rights_of_a_key() -> None:
    async with exchange(key=make_exchange_key(Rights(view=True, trade=False))) as (_, client):
        assert (await client.ask("GET", "/accounts"))[0] == 200
        assert await client.ask("POST", "/orders", limit()) == (403, {"message": "Forbidden"})
        assert (await client.ask("DELETE", "/orders"))[0] == 403


async def test_rates() -> None:
    async with exchange(clock=ManualClock(0, SystemClock().wall_ns()), manners=ExchangeManners()) as (
        _,
        client,
    ):
        public = [(await client.ask("GET", "/time", headers={}))[0] for _ in range(17)]
        assert public == [200] * 15 + [429] * 2
        private = [(await client.ask("GET", "/accounts"))[0] for _ in range(32)]
        assert private == [200] * 30 + [429] * 2
        fills = [(await client.ask("GET", "/fills?product_id=BTC-USD"))[0] for _ in range(21)]
        assert fills == [200] * 20 + [429]
        assert (await client.ask("GET", "/time", headers={}))[1] == {"message": "Public rate limit exceeded"}


# -- orders -----------------------------------------------------------------------------------------------


async def test_the_life_of_an_order(shared_data: Path) -> None:
    async with exchange() as (venue, client):
        order = await client.place(price="60000.10", size="0.02", post_only=True)
        recorded = fixture(shared_data, "create_response")
        assert recorded.keys() - order.keys() == {"max_floor"}
        assert (order["status"], order["settled"], order["price"]) == ("open", False, "60000.10")
        path = f"/orders/{order['id']}"
        assert await client.get(path) == await client.get(f"/orders/client:{order['client_oid']}") == order
        assert await client.get("/orders") == [order]

        venue.core.trade_against(order["id"], Decimal("0.005"))
        order = await client.get(path)
        assert (order["status"], order["filled_size"]) == ("open", "0.00500000")
        assert Decimal(order["executed_value"]) == Decimal("300.0005")
        assert Decimal(order["fill_fees"]) == Decimal("1.800003")

        venue.core.trade_against(order["id"])
        order = await client.get(path)
        assert (order["status"], order["done_reason"], order["settled"]) == ("done", "filled", True)
        assert await client.ask("DELETE", path) == (400, {"message": "Order already done"})
        assert await client.get("/orders") == []
        assert await client.get("/orders?status=all") == await client.get("/orders?status=done") == [order]

        fills = await client.get(f"/fills?order_id={order['id']}")
        assert fills[0].keys() == fixture(shared_data, "fills")[0].keys()
        assert [(fill["liquidity"], fill["size"]) for fill in fills] == [
            ("M", "0.01500000"),
            ("M", "0.00500000"),
        ]
        assert sum(Decimal(fill["fee"]) for fill in fills) == Decimal(order["fill_fees"])
        assert await client.get("/fills?product_id=ETH-USD") == []
        assert (await client.ask("GET", "/fills"))[0] == 400


async def test_a_cancelled_order_without_fills_is_forgotten() -> None:
    async with exchange() as (venue, client):
        order = await client.place()
        assert await client.ask("DELETE", f"/orders/client:{order['client_oid']}?product_id=BTC-USD") == (
            200,
            order["client_oid"],
        )
        for path in (f"/orders/{order['id']}", f"/orders/client:{order['client_oid']}"):
            assert await client.ask("GET", path) == (404, {"message": "NotFound"})
            assert await client.ask("DELETE", path) == (404, {"message": "NotFound"})
        assert await client.get("/orders?status=all") == []
        half = await client.place(size="0.02")
        venue.core.trade_against(half["id"], Decimal("0.01"))
        assert await client.ask("DELETE", f"/orders/{half['id']}") == (200, half["id"])
        half = await client.get(f"/orders/{half['id']}")
        assert (half["status"], half["done_reason"]) == ("done", "canceled")


async def test_cancel_all_of_a_product_and_of_everything() -> None:
    async with exchange() as (_, client):
        bitcoin = [await client.place(), await client.place()]
        ether = await client.place(product_id="ETH-USD", price="1500", size="0.1")
        wrong = f"/orders/{ether['id']}?product_id=BTC-USD"
        assert (await client.ask("DELETE", wrong))[0] == 404
        assert await client.ask("DELETE", "/orders?product_id=BTC-USD") == (200, [o["id"] for o in bitcoin])
        assert [order["id"] for order in await client.get("/orders")] == [ether["id"]]
        assert await client.ask("DELETE", "/orders") == (200, [ether["id"]])
        assert await client.ask("DELETE", "/orders") == (200, [])


async def test_orders_by_pages() -> None:
    async with exchange() as (_, client):
        ids = [(await client.place())["id"] for _ in range(5)]
        seen: list[str] = []
        path = "/orders?limit=2"
        while page := await client.get(path):
            seen += [order["id"] for order in page]
            path = f"/orders?limit=2&after={client.answer_headers['CB-AFTER']}"
        assert seen == ids[::-1]
        for query in ("limit=0", "limit=x", "after=-1", "status=maybe"):
            assert (await client.ask("GET", f"/orders?{query}"))[0] == 400


async def test_orders_that_take() -> None:
    async with exchange() as (_, client):
        asks = (await client.get("/products/BTC-USD/book?level=2"))["asks"]
        taken = await client.place(price="70000.00", size="0.001", time_in_force="IOC")
        assert (taken["status"], taken["done_reason"]) == ("done", "filled")
        market = await client.ask(
            "POST", "/orders", {"type": "market", "side": "buy", "product_id": "BTC-USD", "funds": "100.00"}
        )
        assert (market[0], market[1]["type"], market[1]["done_reason"]) == (200, "market", "filled")
        assert Decimal(market[1]["executed_value"]) + Decimal(market[1]["fill_fees"]) <= 100
        (fill,) = await client.get(f"/fills?order_id={taken['id']}")
        assert (fill["liquidity"], fill["price"]) == ("T", asks[0][0])
        nothing = await client.place(price="60000.00", size="0.001", time_in_force="IOC")
        assert (nothing["status"], nothing["filled_size"]) == ("done", "0.00000000")


async def test_a_post_only_order_that_would_take(shared_data: Path) -> None:
    async with exchange() as (_, client):
        status, body = await client.ask("POST", "/orders", limit(price="70000.00", post_only=True))
        assert (status, body) == (200, body)
        recorded = fixture(shared_data, "create_rejected_200")
        assert recorded.keys() <= body.keys()
        assert (body["status"], body["reject_reason"]) == ("rejected", "post only")
        assert (await client.ask("GET", f"/orders/{body['id']}"))[0] == 404
    async with exchange(post_only_crossing=FAIL_LATER) as (_, client):
        late = await client.place(price="70000.00", post_only=True)
        assert (late["status"], late["reject_reason"]) == ("rejected", "post only")


async def test_an_order_for_a_minute() -> None:
    clock = ManualClock(0, SystemClock().wall_ns())
    async with exchange(clock=clock) as (venue, client):
        order = await client.place(time_in_force="GTT", cancel_after="min")
        assert order["time_in_force"] == "GTT"
        assert order["expire_time"] > order["created_at"]
        clock.advance(61 * 10**9)
        venue.step()
        headers = client.signed("GET", "/orders", at=str(clock.wall_ns() // 10**9))
        assert await client.ask("GET", "/orders", headers=headers) == (200, [])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"side": "hold"}, "Invalid side"),
        ({"type": "stop"}, "stop orders are not supported here"),
        ({"type": "odd"}, "Invalid type"),
        ({"product_id": "NO-USD"}, "Product not found"),
        ({"product_id": 5}, "product_id is required"),
        ({"price": None}, "price is required"),
        ({"size": None}, "size is required"),
        ({"price": "NaN"}, "Invalid price"),
        ({"price": "1e999999999999999999999"}, "Invalid price"),
        ({"size": True}, "Invalid size"),
        ({"size": "9" * 70}, "Invalid size"),
        ({"price": "60000.001"}, "price too precise"),
        ({"size": "0.000000001"}, "size too precise"),
        ({"size": "5000", "price": "1.00"}, "size is too large. Maximum size is 3400"),
        ({"size": "0.00000001"}, "funds is too small. Minimum size is 1"),
        ({"size": "100"}, "Insufficient funds"),
        ({"side": "sell", "price": "90000.00", "size": "11"}, "Insufficient funds"),
        ({"time_in_force": "GTX"}, "Invalid time_in_force"),
        ({"time_in_force": "GTT"}, "cancel_after must be one of min, hour, day"),
        ({"cancel_after": "min"}, "cancel_after requires time_in_force GTT"),
        ({"time_in_force": "IOC", "post_only": True}, "post_only cannot be used with IOC"),
        ({"post_only": "false"}, "Invalid post_only"),
        ({"client_oid": "mine-1"}, "Invalid client_oid: must be a UUID"),
        ({"stp": "xx"}, "Invalid stp"),
        ({"type": "market", "size": "1", "funds": "1"}, "one of size and funds is required"),
    ],
)
async def test_orders_that_are_refused(order: dict[str, Any], message: str) -> None:
    async with exchange() as (_, client):
        assert await client.ask("POST", "/orders", limit(**order)) == (400, {"message": message})
        assert await client.get("/orders?status=all") == []


async def test_bodies_that_are_no_order() -> None:
    async with exchange() as (_, client):
        for body in ([], "text", 5):
            assert await client.ask("POST", "/orders", body) == (400, {"message": "Malformed JSON"})


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("cancel_only", "Cancel only mode"),
        ("post_only", "Post only mode"),
        ("trading_disabled", "Trading is disabled"),
    ],
)
async def test_modes_of_a_product(flag: str, message: str) -> None:
    async with exchange() as (venue, client):
        setattr(venue.core.products["BTC-USD"], flag, True)
        assert (await client.get("/products/BTC-USD"))[flag] is True
        assert await client.ask("POST", "/orders", limit()) == (400, {"message": message})


async def test_the_same_client_id_twice() -> None:
    oid = str(uuid.uuid4())
    async with exchange() as (_, client):
        first = await client.place(client_oid=oid)
        assert (await client.place(client_oid=oid.upper()))["id"] == first["id"]
        assert len(await client.get("/orders")) == 1
    async with exchange(duplicate_client_id=FAILURE) as (_, client):
        await client.place(client_oid=oid)
        assert await client.ask("POST", "/orders", limit(client_oid=oid)) == (
            400,
            {"message": "Duplicate client_oid"},
        )


async def test_money_is_exact_to_the_last_digit() -> None:
    async with exchange() as (venue, client):

        async def money(what: str) -> dict[str, Decimal]:
            accounts = await client.get("/accounts")
            return {account["currency"]: Decimal(account[what]) for account in accounts}

        before = await money("balance")
        order = await client.place(price="60000.01", size="0.00012345")
        value = Decimal("60000.01") * Decimal("0.00012345")
        assert (await money("hold"))["USD"] > value
        venue.core.trade_against(order["id"])
        after = await money("balance")
        assert before["USD"] - after["USD"] == value + value * Decimal("0.006")
        assert after["BTC"] - before["BTC"] == Decimal("0.00012345")
