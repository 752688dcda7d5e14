"""The venue's Advanced Trade REST: shapes of the recorded bodies, tokens, rights, rates, orders."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from local_venue.advanced_client import AdvancedClient, token
from local_venue.conftest import OpenVenue
from local_venue.venue_kit import still_settings

from engine.core.clock import ManualClock
from engine.core.order import Side
from engine.local_venue.keys import Algorithm, Rights, make_cdp_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import Limits

D = Decimal


@pytest.fixture(scope="session")
def fixtures(shared_data: Path) -> Path:
    return shared_data / "coinbase" / "fixtures" / "advanced_rest"


def shape(value: Any) -> Any:
    """The names and kinds of a body: of a list, the shape of its first member; null fits a text."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | float):
        return "number"
    return "text"


def recorded(fixtures: Path, name: str) -> Any:
    return shape(json.loads((fixtures / f"{name}.json").read_text()))


async def price_at(client: AdvancedClient, side: str) -> D:
    book = await client.get("/product_book", product_id="BTC-USD", limit=1)
    return D(book["pricebook"][side][0]["price"])


# -- shapes ----------------------------------------------------------------------------------------


async def test_every_body_has_the_shape_of_the_real_one(
    client: AdvancedClient, clock: ManualClock, fixtures: Path
) -> None:
    bid = await price_at(client, "bids")
    created = await client.limit("BUY", "0.002", f"{bid}", "first", post_only=True)
    order_id = created["success_response"]["order_id"]
    assert shape(created) == recorded(fixtures, "create_success")
    client.venue.core.trade_against(order_id, D("0.001"))
    bodies = {
        "time": await client.get("/time"),
        "product_btc_usd": await client.get("/products/BTC-USD"),
        "product_book": await client.get("/product_book", product_id="BTC-USD"),
        "accounts": await client.get("/accounts"),
        "order_get": await client.get(f"/orders/historical/{order_id}"),
        "fills": await client.get("/orders/historical/fills"),
        "transaction_summary_intro": await client.get("/transaction_summary"),
        "orders_empty": await client.get("/orders/historical/batch", order_status="FILLED"),
    }
    clock.advance(10**9)
    client.venue.step()
    start = client.venue.clock.wall_ns() // 10**9 // 300 * 300
    bodies["market_ticker"] = await client.get("/market/products/BTC-USD/ticker")
    bodies["candles"] = await client.get(
        "/market/products/BTC-USD/candles", start=start, end=start + 600, granularity="FIVE_MINUTE"
    )
    for name, body in bodies.items():
        wanted = recorded(fixtures, name)
        if name == "product_btc_usd":
            wanted["alias_to"] = []
        if name == "order_get":
            assert body["order"]["edit_history"] == []
        assert shape(body) == wanted, name


async def test_lists_of_products(client: AdvancedClient) -> None:
    every = await client.get("/market/products")
    assert [each["product_id"] for each in every["products"]] == ["BTC-USD", "ETH-USD"]
    assert every["num_products"] == 2
    some = await client.get("/products", product_ids=["ETH-USD"])
    assert [each["product_id"] for each in some["products"]] == ["ETH-USD"]
    best = await client.get("/best_bid_ask", product_ids=["BTC-USD", "ETH-USD"])
    assert [len(each["bids"]) for each in best["pricebooks"]] == [1, 1]
    missing = await client.ask("GET", "/products/GIBBERISH-USD")
    assert (missing.status, missing.body["error"]) == (404, "NOT_FOUND")


async def test_flags_show_and_refuse(client: AdvancedClient, fixtures: Path) -> None:
    client.venue.core.products["BTC-USD"].trading_disabled = True
    assert (await client.get("/products/BTC-USD"))["trading_disabled"] is True
    answer = await client.limit("BUY", "0.002", "60000")
    assert answer["success"] is False
    assert answer["error_response"]["error"] == "TRADING_DISABLED"


# -- orders ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "price", "post_only", "name"),
    [
        ("1", "60000.001", False, "create_fail_price_precision"),
        ("1", "70000", True, "create_fail_post_only"),
        ("1000", "60000.1", True, "create_fail_insufficient_fund"),
    ],
)
async def test_refusals_are_worded_as_the_real_ones(
    client: AdvancedClient, fixtures: Path, size: str, price: str, post_only: bool, name: str
) -> None:
    answer = await client.limit("BUY", size, price, post_only=post_only)
    assert answer["success"] is False
    real = json.loads((fixtures / f"{name}.json").read_text())
    assert answer["error_response"] == real["error_response"]
    assert (await client.get("/orders/historical/batch"))["orders"] == []


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({"limit_limit_gtc": {"base_size": "0.00001", "limit_price": "60000"}}, "QUOTE_SIZE_TOO_SMALL"),
        ({"limit_limit_gtc": {"base_size": "0.000000001", "limit_price": "60000"}}, "SIZE_PRECISION"),
        ({"stop_limit_stop_limit_gtc": {"base_size": "1", "limit_price": "1"}}, "UNSUPPORTED"),
        ({"limit_limit_gtd": {"base_size": "1", "limit_price": "6000"}}, "GTD_ORDERS_MUST_HAVE_END_TIME"),
        (
            {"limit_limit_gtd": {"base_size": "1", "limit_price": "6", "end_time": "2020-01-01T00:00:00Z"}},
            "END_TIME_IS_IN_THE_PAST",
        ),
    ],
)
async def test_more_refusals(client: AdvancedClient, configuration: Any, reason: str) -> None:
    body = {"client_order_id": "a", "product_id": "BTC-USD", "side": "BUY"}
    answer = await client.post("/orders", {**body, "order_configuration": configuration})
    assert answer["success"] is False
    assert reason in json.dumps(answer["error_response"])


async def test_life_of_an_order(client: AdvancedClient) -> None:
    bid = await price_at(client, "bids")
    created = await client.limit("BUY", "0.3", f"{bid}", "mine")
    again = await client.limit("BUY", "0.3", f"{bid}", "mine")
    order_id = created["success_response"]["order_id"]
    assert again["success_response"]["order_id"] == order_id
    assert await client.post("/orders/edit", {"order_id": order_id, "price": f"{bid}", "size": "0.2"}) == {
        "success": True,
        "errors": [],
    }
    client.venue.core.trade_against(order_id, D("0.1"))
    refused = await client.post("/orders/edit", {"order_id": order_id, "price": f"{bid}", "size": "0.1"})
    assert refused["errors"][0]["edit_failure_reason"] == "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"
    order = (await client.get(f"/orders/historical/{order_id}"))["order"]
    assert order["order_configuration"]["limit_limit_gtc"]["base_size"] == "0.2"
    assert (order["status"], order["filled_size"], order["completion_percentage"]) == ("OPEN", "0.1", "50")
    assert [D(each["size"]) for each in order["edit_history"]] == [D("0.3")]
    results = (await client.post("/orders/batch_cancel", {"order_ids": [order_id, "nobody"]}))["results"]
    assert [(each["success"], each["failure_reason"]) for each in results] == [
        (True, "UNKNOWN_CANCEL_FAILURE_REASON"),
        (False, "UNKNOWN_CANCEL_ORDER"),
    ]
    order = (await client.get(f"/orders/historical/{order_id}"))["order"]
    assert (order["status"], order["outstanding_hold_amount"]) == ("CANCELLED", "0")
    fills = (await client.get("/orders/historical/fills", order_ids=[order_id]))["fills"]
    assert [(each["size"], each["liquidity_indicator"]) for each in fills] == [("0.1", "MAKER")]
    assert D(fills[0]["commission"]) == D("0.1") * bid * D("0.006")


async def test_a_market_order_by_quote_and_an_ioc(client: AdvancedClient) -> None:
    body: Any = {"client_order_id": "m", "product_id": "BTC-USD", "side": "BUY"}
    body["order_configuration"] = {"market_market_ioc": {"quote_size": "500.00"}}
    order_id = (await client.post("/orders", body))["success_response"]["order_id"]
    order = (await client.get(f"/orders/historical/{order_id}"))["order"]
    assert (order["status"], order["size_in_quote"], order["order_type"]) == ("FILLED", True, "MARKET")
    assert D(499) < D(order["filled_value"]) + D(order["total_fees"]) <= D(500)
    body = {**body, "client_order_id": "i", "side": "SELL"}
    body["order_configuration"] = {"sor_limit_ioc": {"base_size": "0.01", "limit_price": "99999"}}
    order_id = (await client.post("/orders", body))["success_response"]["order_id"]
    order = (await client.get(f"/orders/historical/{order_id}"))["order"]
    assert (order["status"], order["time_in_force"]) == ("CANCELLED", "IMMEDIATE_OR_CANCEL")


async def test_previews_change_nothing(client: AdvancedClient) -> None:
    body = {"product_id": "BTC-USD", "side": "BUY"}
    terms = {"limit_limit_gtc": {"base_size": "0.1", "limit_price": "60000"}}
    preview = await client.post("/orders/preview", {**body, "order_configuration": terms})
    assert (preview["errs"], preview["quote_size"]) == ([], "6000")
    assert D(preview["commission_total"]) == D(6000) * D("0.012")
    terms["limit_limit_gtc"]["base_size"] = "1000"
    preview = await client.post("/orders/preview", {**body, "order_configuration": terms})
    assert preview["errs"] == ["PREVIEW_INSUFFICIENT_FUND"]
    assert (await client.get("/orders/historical/batch"))["orders"] == []
    order = client.venue.core.external_order("BTC-USD", Side.BUY, D(1), D(60000))
    preview = await client.post(
        "/orders/edit_preview", {"order_id": order.order_id, "price": "60001", "size": "1"}
    )
    assert (preview["errors"], preview["quote_size"]) == ([], "60001")
    assert order.price == D(60000)


@pytest.mark.parametrize(
    "change",
    [
        {"side": "buy"},
        {"client_order_id": ""},
        {"product_id": None},
        {"order_configuration": {}},
        {"order_configuration": {"limit_limit_gtc": {"base_size": 1, "limit_price": "1"}}},
        {"order_configuration": {"limit_limit_gtc": {"base_size": "1e3", "limit_price": "1"}}},
        {"order_configuration": {"limit_limit_gtc": {"base_size": "NaN", "limit_price": "1"}}},
        {"order_configuration": {"market_market_ioc": {}}},
    ],
)
async def test_what_cannot_be_read_is_a_bad_request(client: AdvancedClient, change: Any) -> None:
    body = {
        "client_order_id": "a",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": {"base_size": "1", "limit_price": "1"}},
        **change,
    }
    answer = await client.ask("POST", "/orders", body=body)
    assert (answer.status, answer.body["error"]) == (400, "INVALID_ARGUMENT")


async def test_lists_are_paged_to_their_end(client: AdvancedClient) -> None:
    core = client.venue.core
    ids = [core.external_order("BTC-USD", Side.BUY, D("0.01"), D(60000 + n)).order_id for n in range(7)]
    seen: list[str] = []
    cursor, has_next = "", True
    while has_next:
        page = await client.get("/orders/historical/batch", order_status="OPEN", limit=3, cursor=cursor)
        seen += [each["order_id"] for each in page["orders"]]
        cursor, has_next = page["cursor"], page["has_next"]
        # What comes meanwhile does not move the pages.
        core.external_order("BTC-USD", Side.BUY, D("0.01"), D(50000))
    assert seen == ids[::-1]
    for order_id in reversed(ids):
        core.trade_against(order_id)
    fills: list[str] = []
    cursor = ""
    while True:
        body = await client.get("/orders/historical/fills", limit=2, cursor=cursor)
        fills += [each["order_id"] for each in body["fills"]]
        cursor = body["cursor"]
        if not cursor:
            break
    assert sorted(fills) == sorted(ids)


async def test_lists_are_filtered(client: AdvancedClient) -> None:
    core = client.venue.core
    first = core.external_order("BTC-USD", Side.BUY, D("0.01"), D(60000))
    second = core.external_order("ETH-USD", Side.SELL, D("0.01"), D(9000))
    third = core.external_order("BTC-USD", Side.BUY, D("0.01"), D(60000))
    core.cancel([third.order_id])

    async def listed(**query: Any) -> set[str]:
        body = await client.get("/orders/historical/batch", **query)
        return {each["order_id"] for each in body["orders"]}

    assert await listed(product_ids=["ETH-USD"]) == {second.order_id}
    assert await listed(order_side="BUY") == {first.order_id, third.order_id}
    assert await listed(order_status=["CANCELLED", "FILLED"]) == {third.order_id}
    assert await listed(order_status=["PENDING", "QUEUED"]) == set()
    assert await listed(order_ids=[first.order_id, second.order_id]) == {first.order_id, second.order_id}
    mixed = await client.ask(
        "GET", "/orders/historical/batch", [("order_status", "OPEN"), ("order_status", "FILLED")]
    )
    assert mixed.status == 400
    assert (await client.ask("GET", "/orders/historical/nobody")).status == 404


async def test_accounts_are_paged_and_found(client: AdvancedClient) -> None:
    first = await client.get("/accounts", limit=2)
    rest = await client.get("/accounts", cursor=first["cursor"])
    assert (first["has_next"], rest["has_next"]) == (True, False)
    names = [each["currency"] for each in first["accounts"] + rest["accounts"]]
    assert sorted(names) == ["BTC", "ETH", "EUR", "GBP", "USD", "USDC"]
    one = first["accounts"][0]
    assert (await client.get(f"/accounts/{one['uuid']}"))["account"] == one


async def test_too_many_cancels_at_once(client: AdvancedClient) -> None:
    answer = await client.ask("POST", "/orders/batch_cancel", body={"order_ids": ["x"] * 101})
    assert answer.status == 400
    assert (await client.ask("POST", "/orders/batch_cancel", body={"order_ids": []})).status == 400


# -- tokens, rights, rates ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "GET api.coinbase.com/api/v3/brokerage/fees"},
        {"uri": "POST api.coinbase.com/api/v3/brokerage/accounts"},
        {"uri": "GET api.coinbase.com/api/v3/brokerage/accounts?limit=1"},
        {"uri": None},
        {"iss": "coinbase-cloud"},
        {"sub": "somebody"},
        {"kid": "somebody"},
        {"nonce": None},
        {"exp": 1_790_735_849 + 122},
        {"exp": 1_790_735_849 - 10, "nbf": 1_790_735_849 - 100},
        {"nbf": 1_790_735_849 + 30, "exp": 1_790_735_849 + 150},
    ],
)
async def test_a_wrong_token_opens_nothing(client: AdvancedClient, changes: dict[str, Any]) -> None:
    answer = await client.ask("GET", "/accounts", bearer=client.token("GET", "/accounts", **changes))
    assert (answer.status, answer.text) == (401, "Unauthorized\n")


async def test_a_token_is_good_once_and_for_its_key_alone(client: AdvancedClient) -> None:
    good = client.token("GET", "/accounts")
    assert (await client.ask("GET", "/accounts", bearer=good)).status == 200
    assert (await client.ask("GET", "/accounts", bearer=good)).status == 401
    assert (await client.ask("GET", "/accounts", bearer="")).status == 401
    assert (await client.ask("GET", "/accounts", bearer="a.b.c")).status == 401
    stranger = make_cdp_key()
    forged = client.token("GET", "/accounts")
    now_s = client.venue.clock.wall_ns() // 10**9
    other = token(
        stranger,
        now_s,
        "GET api.coinbase.com/api/v3/brokerage/accounts",
        sub=client.key.name,
        kid=client.key.name,
    )
    assert (await client.ask("GET", "/accounts", bearer=other)).status == 401
    head, claims, signature = forged.split(".")
    assert (await client.ask("GET", "/accounts", bearer=f"{head}.{claims}.{signature[::-1]}")).status == 401


async def test_a_token_of_another_minute_is_judged_by_the_venues_clock(
    client: AdvancedClient, clock: ManualClock
) -> None:
    old = client.token("GET", "/accounts")
    fresh = client.token("GET", "/accounts")
    clock.advance(120 * 10**9)
    assert (await client.ask("GET", "/accounts", bearer=old)).status == 200
    clock.advance(6 * 10**9)
    assert (await client.ask("GET", "/accounts", bearer=fresh)).status == 401


async def test_tokens_for_the_venues_own_host_are_taken_where_the_settings_say_so(
    client: AdvancedClient, open_venue: OpenVenue
) -> None:
    lenient = await open_venue(still_settings(takes_tokens_for_own_host=True))
    for each, status in ((client, 401), (lenient, 200)):
        own = f"GET {each.venue.url.removeprefix('http://')}/api/v3/brokerage/accounts"
        answer = await each.ask("GET", "/accounts", bearer=each.token("GET", "/accounts", uri=own))
        assert answer.status == status
        assert (await each.ask("GET", "/accounts")).status == 200


async def test_both_kinds_of_key_sign_and_rights_are_kept(clock: ManualClock) -> None:
    keys = (
        make_cdp_key(Algorithm.EDDSA, Rights(trade=False)),
        make_cdp_key(Algorithm.ES256, Rights(view=False)),
    )
    async with LocalVenue(still_settings(), clock=clock, cdp_keys=keys) as venue, ClientSession() as http:
        client = AdvancedClient(venue, http)
        assert await client.get("/key_permissions") | {"portfolio_uuid": ""} == {
            "can_view": True,
            "can_trade": False,
            "can_transfer": False,
            "portfolio_uuid": "",
            "portfolio_type": "DEFAULT",
        }
        body = {"order_ids": ["x"]}
        assert (await client.ask("POST", "/orders/batch_cancel", body=body)).status == 403
        client.key = keys[1]
        assert (await client.ask("GET", "/accounts")).status == 403
        assert (await client.ask("POST", "/orders/batch_cancel", body=body)).status == 200


async def test_a_refused_token_may_be_answered_with_json(open_venue: OpenVenue, fixtures: Path) -> None:
    client = await open_venue(still_settings(unauthorised_as_json=True))
    answer = await client.ask("GET", "/accounts", bearer="a.b.c")
    assert answer.body == json.loads((fixtures / "error_unauthorized_json.json").read_text())


async def test_rates_are_limited_by_the_second(
    open_venue: OpenVenue, clock: ManualClock, fixtures: Path
) -> None:
    client = await open_venue(still_settings(private_rest=Limits(D(2), 3), public_rest=Limits(D(1), 1)))
    answers = [await client.ask("GET", "/accounts") for _ in range(4)]
    assert [each.status for each in answers] == [200, 200, 200, 429]
    assert answers[3].body == json.loads((fixtures / "error_429.json").read_text())
    assert answers[3].headers["Retry-After"] == "1"
    clock.advance(500_000_000)
    assert [(await client.ask("GET", "/accounts")).status for _ in range(2)] == [200, 429]
    assert [(await client.ask("GET", "/time")).status for _ in range(2)] == [200, 429]


async def test_a_venue_can_be_stopped_and_started_with_all_it_knew(client: AdvancedClient) -> None:
    created = await client.limit("BUY", "0.01", "60000")
    url = client.venue.url
    await client.venue.stop()
    await client.venue.start()
    assert client.venue.url == url
    orders = (await client.get("/orders/historical/batch", order_status="OPEN"))["orders"]
    assert [each["order_id"] for each in orders] == [created["success_response"]["order_id"]]
