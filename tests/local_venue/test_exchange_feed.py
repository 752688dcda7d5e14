"""The Exchange feed of the local venue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from local_venue.exchange_client import AT_ONCE, Feed, Message, OrderBook, exchange

from engine.core.order import Side
from engine.local_venue.exchange.strangers import Gone, Opened, Resized, StrangerOrders, Traded
from engine.local_venue.settings import VenueSettings

BOTH = ["BTC-USD", "ETH-USD"]


def fixture(shared_data: Path, name: str) -> Any:
    return json.loads((shared_data / "coinbase" / "fixtures" / "exchange_ws" / f"{name}.json").read_text())


class Book:
    """A book of levels, kept as the documentation says."""

    def __init__(self, snapshot: Message) -> None:
        self.sides = {"buy": dict(snapshot["bids"]), "sell": dict(snapshot["asks"])}

    def apply(self, update: Message) -> None:
        for side, price, size in update["changes"]:
            if Decimal(size) == 0:
                self.sides[side].pop(price, None)
            else:
                self.sides[side][price] = size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Book) and self.sides == other.sides

    __hash__ = None  # type: ignore[assignment]


# -- subscribing ----------------------------------------------------------------------------------------


async def test_names_are_written_again_and_lists_are_cumulative() -> None:
    async with exchange() as (_, client), client.feed() as feed:
        await feed.subscribe("level2_batch", product_ids=BOTH)
        first = await feed.next("subscriptions")
        assert first["channels"] == [{"name": "level2_50", "product_ids": BOTH, "account_ids": None}]
        await feed.subscribe("heartbeat", {"name": "ticker_batch", "product_ids": ["ETH-USD"]})
        second = await feed.next("subscriptions")
        assert [(one["name"], one["product_ids"]) for one in second["channels"]] == [
            ("level2_50", BOTH),
            ("heartbeat", ["BTC-USD"]),
            ("ticker_1000", ["ETH-USD"]),
        ]
        await feed.socket.send_json(
            {"type": "unsubscribe", "channels": ["level2_50"], "product_ids": ["BTC-USD"]}
        )
        third = await feed.next("subscriptions")
        assert third["channels"][0]["product_ids"] == ["ETH-USD"]
        await feed.socket.send_json({"type": "unsubscribe", "channels": ["level2_batch", "heartbeat"]})
        assert [one["name"] for one in (await feed.next("subscriptions"))["channels"]] == ["ticker_1000"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"channels": ["level2"]}, "error_level2_needs_auth"),
        ({"channels": ["full"]}, "error_level2_needs_auth"),
        ({"channels": ["ticker"], "product_ids": ["BTC-USD", "GIBBERISH-USD"]}, "error_bad_product"),
        ({"channels": ["user"], "signature": "AAAA"}, "error_auth_failed"),
    ],
)
async def test_recorded_refusals(shared_data: Path, message: Message, error: str) -> None:
    async with exchange() as (_, client), client.feed() as feed:
        signed = "signature" in message
        await feed.subscribe(*message.pop("channels"), signed=signed, **message)
        assert await feed.next("error") == fixture(shared_data, error)
        assert await feed.next("subscriptions") == {"type": "subscriptions", "channels": []}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Malformed JSON"),
        ("[1]", "Malformed JSON"),
        ("[" * 100_000, "Malformed JSON"),
        ('{"type":"hello"}', "hello is not a valid type"),
        ('{"type":"subscribe"}', "channels is required"),
        ('{"type":"subscribe","channels":["nothing"],"product_ids":["BTC-USD"]}', "nothing is not a valid"),
        ('{"type":"subscribe","channels":[5],"product_ids":["BTC-USD"]}', "5 is not a valid channel"),
        ('{"type":"subscribe","channels":["ticker"]}', "product_ids is required for the ticker"),
        ('{"type":"subscribe","channels":["ticker"],"product_ids":"BTC-USD"}', "must be a list"),
        ('{"type":"subscribe","channels":["user"],"product_ids":["BTC-USD"]}', "Invalid API Key"),
        ('{"type":"subscribe","channels":["balance"]}', "Invalid API Key"),
    ],
)
async def test_other_refusals_leave_the_connection_open(text: str, words: str) -> None:
    async with exchange() as (_, client), client.feed() as feed:
        await feed.socket.send_str(text)
        error = await feed.next("error")
        assert words in f"{error['message']}: {error.get('reason')}"
        await feed.subscribe("status")
        await feed.next("status")


async def test_who_asks_for_nothing_is_cut_off() -> None:
    async with exchange(manners=replace(AT_ONCE, first_message_s=0.05)) as (_, client), client.feed() as feed:
        message = await feed.socket.receive(2)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


# -- market data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["level2_batch", "level2"])
async def test_the_book_that_changes_make_is_the_venues(channel: str) -> None:
    async with exchange(VenueSettings()) as (venue, client), client.feed() as feed:
        await feed.subscribe(channel, signed=channel == "level2")
        book = Book(await feed.next("snapshot"))
        for _ in range(10):
            book.apply(await feed.next("l2update"))
        venue.core.stranger_order("BTC-USD", Side.BUY, Decimal("0.5"), Decimal("1.23"))
        book.apply(
            await feed.next("l2update", lambda update: ["buy", "1.23", "0.50000000"] in update["changes"])
        )
        async with client.feed() as other:
            await other.subscribe(channel, signed=channel == "level2")
            fresh = Book(await other.next("snapshot"))
            mark = ["buy", "1.24", "0.25000000"]
            venue.core.stranger_order("BTC-USD", Side.BUY, Decimal("0.25"), Decimal("1.24"))
            await _follow(feed, book, mark)
            await _follow(other, fresh, mark)
        assert book == fresh
        assert max(map(Decimal, book.sides["buy"])) < min(map(Decimal, book.sides["sell"]))


async def _follow(feed: Feed, book: Book, mark: list[str]) -> None:
    """Apply updates up to the one that has this change."""
    while True:
        update = await feed.next("l2update")
        book.apply(update)
        if mark in update["changes"]:
            return


async def test_frames_have_the_recorded_fields(shared_data: Path) -> None:
    async with exchange(VenueSettings()) as (venue, client), client.feed() as feed:
        await feed.subscribe("level2_batch", "heartbeat", "matches", "ticker", "status")
        venue.core.stranger_order("BTC-USD", Side.BUY, Decimal("0.001"), None)
        for kind, name in (
            ("status", "status_trimmed"),
            ("l2update", "l2update_2026"),
            ("match", "match_2026"),
            ("ticker", "ticker_2026_shape"),
            ("heartbeat", "heartbeat_2026"),
        ):
            recorded = fixture(shared_data, name)
            frame = next((one for one in feed.seen if one["type"] == kind), None) or await feed.next(kind)
            assert frame.keys() == recorded.keys(), kind
            for key in recorded.keys() - {"products", "currencies"}:
                assert type(frame[key]) is type(recorded[key]), (kind, key)


async def test_matches_name_the_maker_and_tickers_the_taker() -> None:
    async with exchange() as (venue, client), client.feed() as feed:
        await feed.subscribe("matches", "ticker")
        await feed.next("subscriptions")
        venue.core.stranger_order("BTC-USD", Side.SELL, Decimal("0.001"), None)
        match, ticker = await feed.next("match"), await feed.next("ticker")
        assert (match["side"], ticker["side"]) == ("buy", "sell")
        assert (match["trade_id"], match["price"]) == (ticker["trade_id"], ticker["price"])
        assert match["sequence"] == ticker["sequence"]
        async with client.feed() as late:
            await late.subscribe("matches")
            assert {**(await late.next("last_match")), "type": "match"} == match


async def test_a_product_that_is_not_asked_for_is_not_told() -> None:
    async with exchange(VenueSettings()) as (_, client), client.feed() as feed:
        await feed.subscribe("level2_batch", "ticker", "matches", product_ids=["ETH-USD"])
        for _ in range(5):
            await feed.next("l2update")
        assert {one.get("product_id", "ETH-USD") for one in feed.seen} == {"ETH-USD"}


# -- order by order -----------------------------------------------------------------------------------------


async def test_the_full_channel_tells_the_book_of_level_3() -> None:
    async with exchange(VenueSettings()) as (venue, client), client.feed() as feed:
        await feed.subscribe("full", signed=True)
        await feed.next("subscriptions")
        book = OrderBook(await client.get("/products/BTC-USD/book?level=3"))
        touch = (await client.get("/products/BTC-USD/book"))["bids"][0][0]
        mine = await client.place(price=touch, size="0.03")
        venue.core.trade_against(mine["id"], Decimal("0.01"))
        venue.core.edit(mine["id"], Decimal(touch), Decimal("0.025"))
        await client.place(price="99000.00", size="0.02", time_in_force="IOC")
        market = {"type": "market", "side": "sell", "product_id": "BTC-USD", "size": "0.05"}
        assert (await client.ask("POST", "/orders", market))[0] == 200
        venue.core.stranger_order("BTC-USD", Side.SELL, Decimal("0.2"), None)
        last = await client.place(price="50000.00")
        await client.ask("DELETE", f"/orders/{last['id']}")
        await feed.next("done", lambda event: event["order_id"] == last["id"])
        snapshot = OrderBook(await client.get("/products/BTC-USD/book?level=3"))
        async with asyncio.timeout(5):
            while not any(event.get("sequence") == snapshot.sequence for event in feed.seen):
                feed.seen.append(await feed.socket.receive_json())
        for event in feed.seen:
            if event.get("sequence", snapshot.sequence + 1) <= snapshot.sequence:
                book.apply(event)
        assert book.whole() == snapshot.whole()


def test_strangers_orders_come_and_go_with_their_level() -> None:
    numbers = iter(range(100))
    strangers = StrangerOrders(lambda: str(next(numbers)))
    at = (Side.BUY, 100)
    assert strangers.fit(at, 10) == [Opened("0", 10)]
    assert strangers.fit(at, 25) == [Opened("1", 15)]
    assert strangers.trade(at, 4) == [Traded("0", 4)]
    assert strangers.fit(at, 21) == []
    assert strangers.fit(at, 12) == [Resized("1", 15, 6)]
    assert strangers.trade(at, 9) == [Resized("0", 6, 9), Traded("0", 9), Gone("0", 0, is_filled=True)]
    assert strangers.fit(at, 0) == [Gone("1", 6, is_filled=False)]
    assert strangers.at(at) == [] == list(strangers.prices())
    assert strangers.trade(at, 3) == [Opened("2", 3), Traded("2", 3), Gone("2", 0, is_filled=True)]


# -- our own ----------------------------------------------------------------------------------------------


def kinds(messages: Iterable[Message], order_id: str) -> list[str]:
    ids = ("order_id", "maker_order_id", "taker_order_id")
    return [one["type"] for one in messages if order_id in [one.get(name) for name in ids]]


async def test_the_user_channel_tells_the_life_of_our_orders(shared_data: Path) -> None:
    async with exchange() as (venue, client), client.feed() as feed:
        await feed.subscribe("user", signed=True)
        await feed.next("subscriptions")
        maker = await client.place(price="60000.10", size="0.02")
        opened = await feed.next("open")
        assert (opened["order_id"], opened["remaining_size"]) == (maker["id"], "0.02000000")
        venue.core.trade_against(maker["id"], Decimal("0.005"))
        match = await feed.next("match")
        assert match.keys() == fixture(shared_data, "user_match").keys()
        assert (match["maker_order_id"], match["side"], match["size"]) == (maker["id"], "buy", "0.00500000")
        assert match["maker_fee_rate"] == "0.006"
        await client.ask("DELETE", f"/orders/{maker['id']}")
        done = await feed.next("done")
        assert (done["reason"], done["remaining_size"]) == ("canceled", "0.01500000")
        assert done.keys() <= fixture(shared_data, "user_done_canceled").keys()
        assert kinds(feed.seen, maker["id"]) == ["received", "open", "match", "done"]
        received = next(one for one in feed.seen if one["type"] == "received")
        assert received["client_oid"] == maker["client_oid"]
        sequences = [one["sequence"] for one in feed.seen if "sequence" in one]
        assert sequences == sorted(set(sequences))


async def test_a_taker_is_told_its_own_side_of_the_match() -> None:
    async with exchange() as (_, client), client.feed() as feed:
        await feed.subscribe("user", signed=True)
        await feed.next("subscriptions")
        taker = await client.place(price="70000.00", size="0.001")
        match = await feed.next("match")
        assert match["taker_order_id"] == taker["id"]
        assert match["side"] == "sell"  # the maker's
        assert "taker_fee_rate" in match
        assert "maker_fee_rate" not in match
        assert (await feed.next("done"))["reason"] == "filled"
        assert kinds(feed.seen, taker["id"]) == ["received", "match", "done"]
        ioc = await client.place(price="60000.00", size="0.001", time_in_force="IOC")
        assert (await feed.next("done"))["cancel_reason"] == "101:Time In Force"
        assert kinds(feed.seen, ioc["id"]) == ["received", "done"]


async def test_a_remainder_that_rests_is_told_after_its_matches() -> None:
    async with exchange() as (_, client), client.feed() as feed:
        await feed.subscribe("user", signed=True)
        await feed.next("subscriptions")
        ask = (await client.get("/products/BTC-USD/book"))["asks"][0]
        size = Decimal(ask[1]) + 1
        order = await client.place(price=ask[0], size=f"{size}")
        opened = await feed.next("open")
        assert opened["remaining_size"] == "1.00000000"
        assert kinds(feed.seen, order["id"]) == ["received", "match", "open"]


async def test_balances_are_told_when_they_change(shared_data: Path) -> None:
    async with exchange() as (_, client), client.feed() as feed:
        accounts = {account["currency"]: account["id"] for account in await client.get("/accounts")}
        await feed.subscribe("balance", signed=True)
        assert "account_ids is required" in (await feed.next("error"))["reason"]
        await feed.subscribe("balance", signed=True, account_ids=[accounts["USD"]])
        first = await feed.next("balance")
        assert first.keys() == fixture(shared_data, "balance").keys()
        order = await client.place(price="60000.00", size="0.01")
        held = await feed.next("balance")
        assert (held["account_id"], held["currency"]) == (accounts["USD"], "USD")
        assert Decimal(held["holds"]) == Decimal("600") * Decimal("1.012")
        await client.ask("DELETE", f"/orders/{order['id']}")
        assert Decimal((await feed.next("balance"))["holds"]) == 0
        assert {one["currency"] for one in feed.seen if one["type"] == "balance"} == {"USD"}


async def test_nobody_else_is_told_of_our_orders() -> None:
    async with exchange() as (_, client), client.feed() as feed:
        await feed.subscribe("full", signed=True)
        await feed.next("subscriptions")
        order = await client.place()
        await feed.next("open", lambda event: event["order_id"] == order["id"])
        assert not any("user_id" in one for one in feed.seen)
