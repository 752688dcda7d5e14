"""The venue's remote control, and faults at a whole venue, in both of its languages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from local_venue.exchange_client import AT_ONCE, WAIT_S, ExchangeClient

from engine.local_venue.control import Control
from engine.local_venue.faults.interference import FaultInterference
from engine.local_venue.faults.plan import FaultPlan, parse_fault
from engine.local_venue.faults.strangers import CoreStrangers
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings
from engine.local_venue.simulated import STILL


@asynccontextmanager
async def controlled(*faults: str, is_still: bool = True) -> AsyncIterator[tuple[LocalVenue, ExchangeClient]]:
    """A venue with faults and a remote control, and a client of its Exchange API."""
    plan = FaultPlan([parse_fault(fault) for fault in faults], 5)
    venue = LocalVenue(
        VenueSettings(simulator=STILL) if is_still else VenueSettings(),
        interference=FaultInterference(plan, CoreStrangers(lambda: venue.core)),
        exchange_manners=AT_ONCE,
    )
    venue.faces.append(Control(venue.core, plan))
    async with venue:
        client = ExchangeClient(venue.url, venue.exchange_keys[0])
        try:
            yield venue, client
        finally:
            await client.close()


async def control(client: ExchangeClient, what: str, body: Any = None, method: str = "POST") -> Any:
    status, answer = await client.ask(method, f"/_control/{what}", body, headers={})
    assert status == 200, answer
    return answer


async def test_a_venue_has_no_control_unless_asked_for() -> None:
    async with (
        LocalVenue() as venue,
        aiohttp.ClientSession() as session,
        session.get(f"{venue.url}/_control/state") as answer,
    ):
        assert answer.status == 404


async def test_state_tells_orders_fills_balances_and_strikes() -> None:
    async with controlled("rest-status:403,path=/fees") as (_, client):
        order = await client.place(price="60000.10", size="0.02")
        assert (await client.ask("GET", "/fees"))[0] == 403
        await control(client, "trades", {"order_id": order["id"], "size": "0.005"})
        state = await control(client, "state", method="GET")
        (told,) = state["orders"]
        assert (told["order_id"], told["filled"], told["status"]) == (order["id"], "0.005", "OPEN")
        (fill,) = state["fills"]
        assert (fill["size"], fill["is_maker"]) == ("0.005", True)
        assert Decimal(state["balances"]["BTC"]["balance"]) == Decimal("10.005")
        assert state["faults"]["strikes"] == [{"name": "rest-status", "occasion": "GET /fees"}]
        assert state["faults"]["armed"] == []


async def test_faults_are_armed_and_cleared_from_afar() -> None:
    async with controlled() as (_, client):
        armed = await control(client, "faults", {"faults": ["order-lost", "ws-drop:channel=l2update"]})
        assert armed == {"armed": ["order-lost", "ws-drop"]}
        with pytest.raises(aiohttp.ClientError):
            await client.place()
        assert await control(client, "faults", method="DELETE") == {"armed": []}
        await client.place()


async def test_other_peoples_orders_and_flags() -> None:
    async with controlled() as (venue, client):
        mine = await control(
            client, "orders", {"product_id": "BTC-USD", "side": "buy", "size": "0.01", "price": "60000"}
        )
        assert [order["id"] for order in await client.get("/orders")] == [mine["order_id"]]
        await control(
            client,
            "orders",
            {"product_id": "BTC-USD", "side": "sell", "size": "0.5", "price": "60000", "is_stranger": True},
        )
        other = await control(
            client, "orders", {"product_id": "ETH-USD", "side": "buy", "size": "0.1", "price": "1000"}
        )
        assert await control(client, "cancels", {"order_ids": [other["order_id"], "nothing"]}) == {
            other["order_id"]: "",
            "nothing": "no such order",
        }
        flags = await control(
            client, "flags", {"product_id": "BTC-USD", "post_only": True, "status": "delisted"}
        )
        assert (flags["post_only"], flags["status"]) == (True, "delisted")
        await control(client, "deposits", {"currency": "USD", "amount": "-5.5"})
        usd = venue.core.accounts.get("USD")
        assert usd is not None
        assert usd.balance < 1_000_000


@pytest.mark.parametrize(
    ("what", "body", "words"),
    [
        ("faults", {"faults": ["ws-drop", "nonsense"]}, "there is no fault nonsense"),
        ("faults", {}, "faults is missing"),
        ("faults", [], "must be an object"),
        ("trades", {"order_id": "x"}, "x is missing or unknown"),
        ("orders", {"product_id": "BTC-USD", "side": "hold", "size": "1"}, "hold is missing or unknown"),
        ("orders", {"product_id": "BTC-USD", "side": "buy", "size": "one"}, "not a number|ConversionSyntax"),
        ("flags", {"product_id": "BTC-USD", "tick": True}, "must be status or one of"),
        ("flags", {"product_id": "BTC-USD", "post_only": "yes"}, "must be status or one of"),
        ("flags", {"product_id": "NO-USD"}, "NO-USD is missing or unknown"),
    ],
)
async def test_what_cannot_be_done_changes_nothing(what: str, body: Any, words: str) -> None:
    async with controlled() as (_, client):
        before = await control(client, "state", method="GET")
        status, answer = await client.ask("POST", f"/_control/{what}", body, headers={})
        assert status == 400
        assert any(word in answer["error"] for word in words.split("|")), answer
        assert await control(client, "state", method="GET") == before


# -- faults at a whole venue --------------------------------------------------------------------------------


async def test_the_answer_is_lost_and_the_order_lives() -> None:
    async with controlled("order-ack-lost") as (venue, client):
        with pytest.raises(aiohttp.ClientError):
            await client.place()
        (order,) = venue.core.live_orders()
        assert (await client.get(f"/orders/client:{order.client_order_id}"))["status"] == "open"


async def test_a_fill_is_quicker_than_the_answer() -> None:
    async with controlled("order-fill-first:0.5") as (_, client), client.feed() as feed:
        await feed.subscribe("user", signed=True)
        await feed.next("subscriptions")
        order = await client.place(price="60000.10", size="0.02")
        assert (await feed.next("match"))["size"] == "0.01000000"
        assert (await client.get(f"/orders/{order['id']}"))["filled_size"] == "0.01000000"


async def test_more_is_filled_than_was_ordered() -> None:
    async with controlled("order-overfill:2") as (_, client):
        order = await client.place(price="60000.10", size="0.02")
        order = await client.get(f"/orders/{order['id']}")
        assert (order["status"], order["filled_size"]) == ("done", "0.04000000")
        fills = await client.get(f"/fills?order_id={order['id']}")
        assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.04")
        accounts = {one["currency"]: Decimal(one["balance"]) for one in await client.get("/accounts")}
        assert accounts["BTC"] == Decimal("10.04")


async def test_a_cancel_that_comes_too_late() -> None:
    async with controlled("cancel-fill-first") as (_, client):
        order = await client.place(price="60000.10", size="0.02")
        cancel = f"/orders/client:{order['client_oid']}"
        assert await client.ask("DELETE", cancel) == (400, {"message": "Order already done"})
        assert (await client.get(cancel))["done_reason"] == "filled"


async def test_a_fill_that_turns_up_after_the_cancel() -> None:
    async with controlled("cancel-fill-after:0.25") as (_, client), client.feed() as feed:
        await feed.subscribe("user", signed=True)
        await feed.next("subscriptions")
        order = await client.place(price="60000.10", size="0.02")
        assert (await client.ask("DELETE", f"/orders/{order['id']}"))[0] == 200
        assert (await feed.next("done"))["reason"] == "canceled"
        assert (await feed.next("match"))["size"] == "0.00500000"
        order = await client.get(f"/orders/{order['id']}")
        assert (order["done_reason"], order["filled_size"]) == ("canceled", "0.00500000")


async def test_the_book_comes_again_on_the_exchange_feed() -> None:
    async with controlled("ws-snapshot-again:nth=3", is_still=False) as (_, client), client.feed() as feed:
        await feed.subscribe("level2_batch")
        for kind in ("snapshot", "l2update", "l2update", "snapshot", "l2update"):
            await feed.next(kind)
        assert [one["type"] for one in feed.seen] == [
            "subscriptions",
            "snapshot",
            "l2update",
            "l2update",
            "snapshot",
            "l2update",
        ]


@asynccontextmanager
async def advanced(url: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/advanced", max_msg_size=0) as feed,
    ):
        await feed.send_json({"type": "subscribe", "channel": "heartbeats"})
        await feed.send_json({"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"]})
        yield feed


async def frames(feed: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(WAIT_S):
        return [json.loads((await feed.receive()).data) for _ in range(count)]


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [
        ("ws-drop:channel=l2_data,nth=2", "gap"),
        ("ws-duplicate:channel=l2_data,nth=2", "twice"),
        ("ws-swap:channel=l2_data,nth=2", "swapped"),
        ("ws-snapshot-again:nth=2", "good"),
        ("ws-deltas-first", "good"),
        ("ws-unknown-channel:nth=3", "good"),
        ("ws-burst:20", "good"),
        ("ws-heartbeats-stop", "good"),
    ],
)
async def test_faults_on_the_advanced_feed(fault: str, numbers: str) -> None:
    async with controlled(fault, is_still=False) as (venue, _), advanced(venue.url) as feed:
        seen = [frame["sequence_num"] for frame in await frames(feed, 10)]
        steps = [after - before for before, after in pairwise(seen)]
        expected = {"gap": {1, 2}, "twice": {1, 0}, "swapped": {1, 2, -1}, "good": {1}}[numbers]
        assert set(steps) == expected


async def test_the_book_comes_again_on_the_advanced_feed() -> None:
    async with (
        controlled("ws-snapshot-again:nth=2", is_still=False) as (venue, _),
        advanced(venue.url) as feed,
    ):
        books = [
            event
            for frame in await frames(feed, 9)
            if frame["channel"] == "l2_data"
            for event in frame["events"]
        ]
        assert [event["type"] for event in books].count("snapshot") == 2


async def test_silence_answers_pings() -> None:
    async with controlled("ws-silence:nth=4", is_still=False) as (venue, _), advanced(venue.url) as feed:
        await frames(feed, 3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(feed.receive(), 0.3)
        await feed.ping(b"are you there")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(feed.receive(), 0.2)
        assert not feed.closed
