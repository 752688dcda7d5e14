"""The venue's Advanced Trade WebSockets: rules of subscribing, numbers, books, trades, the user channel."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from local_venue.advanced_client import AdvancedClient, Frame, Socket, token
from local_venue.conftest import OpenVenue
from local_venue.venue_kit import still_settings

from engine.core.clock import ManualClock, SystemClock
from engine.core.order import Side, TimeInForce
from engine.exchange.simulator.settings import SimulatorSettings
from engine.local_venue.keys import Rights, make_cdp_key
from engine.local_venue.orders import NewOrder
from engine.local_venue.settings import Limits

D = Decimal
CAPTURE = "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
SECOND = 10**9


def advance(client: AdvancedClient, clock: ManualClock, ns: int) -> None:
    """Let time pass at the venue, step by step, as its own driver would."""
    while ns > 0:
        clock.advance(min(ns, 50_000_000))
        client.venue.step()
        ns -= 50_000_000


@pytest.fixture
async def socket(client: AdvancedClient) -> AsyncIterator[Socket]:
    opened = await client.socket()
    yield opened
    await opened.raw.close()


@pytest.fixture
async def user(client: AdvancedClient) -> AsyncIterator[Socket]:
    opened = await client.socket("/advanced-user")
    yield opened
    await opened.raw.close()


def names(value: Any) -> Any:
    """The field names of a frame, of a list those of its first member."""
    if isinstance(value, dict):
        return {name: names(each) for name, each in value.items()}
    return [names(value[0])] if isinstance(value, list) and value else type(value).__name__


class Reader:
    """Books and trades of a connection, read the simplest way."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, dict[D, D]]] = {}
        self.trades: dict[str, dict[int, Frame]] = {}
        self.kinds: dict[str, list[str]] = {}

    def read(self, frames: list[Frame]) -> None:
        for number, frame in enumerate(frames):
            assert frame["sequence_num"] == number
            for event in frame["events"]:
                if frame["channel"] == "l2_data":
                    self._book(event)
                elif frame["channel"] == "market_trades":
                    ids = [int(trade["trade_id"]) for trade in event["trades"]]
                    assert ids == sorted(ids, reverse=True)
                    for trade in event["trades"]:
                        self.trades.setdefault(trade["product_id"], {})[int(trade["trade_id"])] = trade

    def _book(self, event: Frame) -> None:
        product = event["product_id"]
        self.kinds.setdefault(product, []).append(event["type"])
        if event["type"] == "snapshot":
            self.books[product] = {"bid": {}, "offer": {}}
        for change in event["updates"]:
            side = self.books[product][change["side"]]
            price, size = D(change["price_level"]), D(change["new_quantity"])
            if size:
                side[price] = size
            else:
                side.pop(price, None)
        bids, offers = self.books[product]["bid"], self.books[product]["offer"]
        assert not bids or not offers or max(bids) < min(offers)

    def digest(self, product: str) -> str:
        """SHA-256 over the whole book, as the reference answers have it."""

        def plain(number: D) -> str:
            text = f"{number:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text

        book = self.books[product]
        lines = [f"b {plain(p)} {plain(book['bid'][p])}\n" for p in sorted(book["bid"], reverse=True)]
        lines += [f"a {plain(p)} {plain(book['offer'][p])}\n" for p in sorted(book["offer"])]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


# -- subscribing -----------------------------------------------------------------------------------


async def test_one_channel_a_message_and_cumulative_subscriptions(socket: Socket) -> None:
    await socket.subscribe("level2", "BTC-USD", "ETH-USD")
    await socket.subscribe("heartbeats")
    await socket.subscribe("market_trades", "BTC-USD")
    await socket.say(type="unsubscribe", channel="level2", product_ids=["ETH-USD"])
    await socket.say(type="unsubscribe", channel="level2")
    seen = []
    while len(seen) < 5:
        frame = await socket.next()
        if frame["channel"] == "subscriptions":
            seen.append(frame["events"][0]["subscriptions"])
    books, beats, trades = ["BTC-USD", "ETH-USD"], ["heartbeats"], ["BTC-USD"]
    assert seen == [
        {"level2": books},
        {"level2": books, "heartbeats": beats},
        {"level2": books, "heartbeats": beats, "market_trades": trades},
        {"level2": trades, "heartbeats": beats, "market_trades": trades},
        {"heartbeats": beats, "market_trades": trades},
    ]
    assert [frame["sequence_num"] for frame in socket.frames] == list(range(len(socket.frames)))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "subscribe", "channel": "heartbeat"}, "authentication failure"),
        ({"type": "subscribe", "channel": "user"}, "failure to subscribe"),
        (
            {"type": "subscribe", "channel": "level2", "product_ids": ["GIBBERISH-USD"]},
            "failure to subscribe",
        ),
        ({"type": "subscribe", "channel": "level2"}, "failure to subscribe"),
        ({"type": "subscribe", "channels": ["level2"]}, "failure to subscribe"),
        ({"type": "shout", "channel": "level2"}, "failure to subscribe"),
        (
            {"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"], "jwt": "a.b.c"},
            "authentication failure",
        ),
    ],
)
async def test_a_wrong_message_gets_an_error_frame(socket: Socket, message: Frame, text: str) -> None:
    await socket.say(**message)
    assert await socket.next() == {"type": "error", "message": text}


async def test_usdc_products_are_told_as_usd(socket: Socket) -> None:
    await socket.subscribe("level2", "BTC-USDC")
    frame = await socket.channel("l2_data")
    assert frame["events"][0]["product_id"] == "BTC-USD"


async def test_who_says_nothing_for_5_seconds_is_closed(
    client: AdvancedClient, socket: Socket, clock: ManualClock
) -> None:
    advance(client, clock, 4 * SECOND)
    assert not socket.raw.closed
    advance(client, clock, SECOND)
    assert await socket.closed() == 1008


async def test_messages_are_limited_by_the_second(open_venue: OpenVenue) -> None:
    client = await open_venue(still_settings(socket_messages=Limits(D(8), 8)))
    socket = await client.socket()
    for _ in range(9):
        await socket.subscribe("heartbeats")
    await socket.until(lambda frame: frame.get("message") == "rate limit exceeded")
    assert len(socket.frames) == 9
    await socket.raw.close()


async def test_connections_are_limited_by_the_second(open_venue: OpenVenue) -> None:
    client = await open_venue(still_settings(socket_connections=Limits(D(8), 1)))
    socket = await client.socket()
    with pytest.raises(Exception, match="429"):
        await client.socket()
    await socket.raw.close()


# -- market data -----------------------------------------------------------------------------------


async def test_heartbeats_come_every_second_with_a_counter(
    client: AdvancedClient, socket: Socket, clock: ManualClock, shared_data: Path
) -> None:
    await socket.subscribe("heartbeats")
    await socket.channel("subscriptions")
    advance(client, clock, 3 * SECOND)
    beats = [await socket.channel("heartbeats") for _ in range(3)]
    assert [beat["events"][0]["heartbeat_counter"] for beat in beats] == [1, 2, 3]
    assert "m=+" in beats[0]["events"][0]["current_time"]
    real = json.loads((shared_data / "coinbase/fixtures/advanced_ws/heartbeats.json").read_text())
    assert names(beats[0]) == names(real)


async def test_every_channel_has_the_shape_of_the_real_one(
    client: AdvancedClient, socket: Socket, clock: ManualClock, shared_data: Path
) -> None:
    core = client.venue.core
    core.stranger_order("BTC-USD", Side.BUY, D("0.01"), None)
    advance(client, clock, SECOND)
    for channel in ("level2", "market_trades", "ticker", "ticker_batch", "candles", "status"):
        await socket.subscribe(channel, "BTC-USD")
    await socket.until(lambda frame: "status" in frame["events"][0].get("subscriptions", {}))
    core.stranger_order("BTC-USD", Side.BUY, D("0.01"), None)
    core.stranger_order("BTC-USD", Side.SELL, D("0.01"), None)
    advance(client, clock, 6 * SECOND)
    await socket.until(
        lambda frame: frame["channel"] == "ticker_batch" and frame["events"][0]["type"] == "update"
    )
    seen: dict[tuple[str, str], Frame] = {}
    for frame in socket.frames:
        seen.setdefault((frame["channel"], frame["events"][0].get("type", "")), frame)
    folder = shared_data / "coinbase" / "fixtures" / "advanced_ws"
    for key, fixture in {
        ("l2_data", "snapshot"): "l2_snapshot_trimmed",
        ("l2_data", "update"): "l2_update_with_deletes",
        ("market_trades", "snapshot"): "market_trades_snapshot_trimmed",
        ("market_trades", "update"): "market_trades_update_many",
        ("ticker", "snapshot"): "ticker_snapshot",
        ("ticker", "update"): "ticker_update",
        ("candles", "snapshot"): "candles_snapshot_trimmed",
        ("candles", "update"): "candles_update",
        ("ticker_batch", "snapshot"): "ticker_batch",
        ("status", "snapshot"): "status_snapshot",
        ("subscriptions", ""): "subscriptions_first",
    }.items():
        real = json.loads((folder / f"{fixture}.json").read_text())
        real.pop("client_id", None)
        if key[0] == "subscriptions":
            real["events"] = seen[key]["events"]
        assert names(seen[key]) == names(real), key
    update = seen["market_trades", "update"]["events"][0]["trades"]
    # The last one sold, so the maker bought.
    assert [trade["side"] for trade in update] == ["BUY", "SELL"]


async def test_books_of_a_lively_market_are_those_of_the_venue(
    open_venue: OpenVenue, clock: ManualClock
) -> None:
    client = await open_venue(still_settings(simulator=SimulatorSettings(seed=5)))
    early = await client.socket()
    await early.subscribe("market_trades", "BTC-USD", "ETH-USD")
    await early.subscribe("level2", "BTC-USD", "ETH-USD")
    await early.channel("subscriptions")
    await early.channel("subscriptions")
    advance(client, clock, 10 * SECOND)
    late = await client.socket()
    await late.subscribe("level2", "BTC-USD")
    await late.subscribe("market_trades", "BTC-USD")
    await late.channel("subscriptions")
    await late.channel("subscriptions")
    advance(client, clock, 10 * SECOND)
    for socket in (early, late):
        await socket.subscribe("heartbeats")
        await socket.until(lambda frame: "heartbeats" in frame["events"][0].get("subscriptions", {}))
    readers = [Reader(), Reader()]
    readers[0].read(early.frames)
    readers[1].read(late.frames)
    tape = client.venue.core.tape("BTC-USD")
    own = {"bid": tape.levels.bids(), "offer": tape.levels.asks()}
    instrument = client.venue.core.products["BTC-USD"].instrument
    for reader in readers:
        for side, levels in own.items():
            assert reader.books["BTC-USD"][side] == {
                D(instrument.price_text(price)): D(instrument.size_text(size)) for price, size in levels
            }
    # The late one saw the last hundred trades and everything after, each once.
    ids = sorted(readers[0].trades["BTC-USD"])
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    late_ids = sorted(readers[1].trades["BTC-USD"])
    assert late_ids == ids[-len(late_ids) :]
    listed = [
        trade["trade_id"]
        for frame in late.frames
        if frame["channel"] == "market_trades"
        for trade in frame["events"][0]["trades"]
    ]
    assert len(listed) == len(set(listed))
    assert readers[0].kinds["BTC-USD"][0] == readers[1].kinds["BTC-USD"][0] == "snapshot"
    await early.raw.close()
    await late.raw.close()


# -- a recorded market -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def answers(shared_data: Path) -> Any:
    return json.loads((shared_data / "coinbase" / "expected.json").read_text())[CAPTURE]


@pytest.mark.parametrize("speed", [None, D(5)])
async def test_a_recording_gives_the_books_of_the_reference(
    open_venue: OpenVenue, shared_data: Path, answers: Any, speed: Decimal | None
) -> None:
    settings = still_settings(capture=shared_data / "coinbase" / CAPTURE, capture_speed=speed)
    client = await open_venue(settings, SystemClock())
    socket = await client.socket()
    for channel in ("market_trades", "candles", "ticker", "level2"):
        await socket.subscribe(channel, "BTC-USD", "ETH-USD")
    await socket.channel("subscriptions")
    last = {product: book["last_update_id"] for product, book in answers["trades"].items()}
    reader = Reader()
    while client.venue.core.next_due_ns() is not None:
        await socket.next()
    await socket.subscribe("heartbeats")
    await socket.until(lambda frame: "heartbeats" in frame["events"][0].get("subscriptions", {}))
    reader.read(socket.frames)
    for product, book in answers["books"].items():
        assert reader.digest(product) == book["book_sha256"]
        assert max(reader.trades[product]) == last[product]
    assert {product: len(trades) for product, trades in reader.trades.items()} == {
        "BTC-USD": 126,
        "ETH-USD": 118,
    }
    await socket.raw.close()


async def test_events_of_a_recording_are_untouched(
    open_venue: OpenVenue, shared_data: Path, clock: ManualClock
) -> None:
    path = shared_data / "coinbase" / CAPTURE
    with gzip.open(path, "rt") as file:
        lines = [json.loads(line) for line in file]
    real = [json.loads(line["raw"]) for line in lines if line["dir"] == "recv"]
    client = await open_venue(still_settings(capture=path))
    socket = await client.socket()
    for channel in ("market_trades", "candles", "ticker", "level2"):
        await socket.subscribe(channel, "BTC-USD", "ETH-USD")
    for _ in range(4):
        await socket.channel("subscriptions")
    for _ in range(12):
        advance(client, clock, SECOND)
        await asyncio.sleep(0)
    await socket.subscribe("heartbeats")
    await socket.channel("subscriptions")
    silent = ("subscriptions", "heartbeats")
    wanted = [
        (each["channel"], each["timestamp"], each["events"]) for each in real if each["channel"] not in silent
    ]
    got = [
        (each["channel"], each["timestamp"], each["events"])
        for each in socket.frames
        if each["channel"] not in silent
    ]
    assert got == wanted
    await socket.raw.close()


async def test_a_late_client_of_a_recording_gets_its_own_snapshot_and_products(
    open_venue: OpenVenue, shared_data: Path, answers: Any, clock: ManualClock
) -> None:
    client = await open_venue(still_settings(capture=shared_data / "coinbase" / CAPTURE))
    first = await client.socket()
    await first.subscribe("ticker", "BTC-USD")
    await first.channel("subscriptions")
    advance(client, clock, 5 * SECOND)
    late = await client.socket()
    await late.subscribe("level2", "ETH-USD")
    await late.channel("subscriptions")
    advance(client, clock, 7 * SECOND)
    await late.subscribe("heartbeats")
    await late.channel("subscriptions")
    reader = Reader()
    reader.read(late.frames)
    assert reader.digest("ETH-USD") == answers["books"]["ETH-USD"]["book_sha256"]
    assert list(reader.books) == ["ETH-USD"]
    await first.raw.close()
    await late.raw.close()


async def test_a_recording_may_seem_to_happen_now(
    open_venue: OpenVenue, shared_data: Path, answers: Any, clock: ManualClock
) -> None:
    settings = still_settings(capture=shared_data / "coinbase" / CAPTURE, capture_now=True)
    client = await open_venue(settings)
    socket = await client.socket()
    await socket.subscribe("level2", "BTC-USD")
    await socket.channel("subscriptions")
    advance(client, clock, 2 * SECOND)
    frame = await socket.channel("l2_data")
    assert frame["timestamp"].startswith("2026-09-30T02:37:2")
    assert frame["events"][0]["updates"][0]["event_time"].startswith("2026-09-30T02:37:2")
    await socket.raw.close()


# -- the user channel --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "batches"), [(0, [0]), (49, [49]), (50, [50, 0]), (51, [50, 1]), (109, [50, 50, 9])]
)
async def test_open_orders_come_in_batches_that_end_with_one_that_is_not_full(
    client: AdvancedClient, user: Socket, count: int, batches: list[int]
) -> None:
    core = client.venue.core
    ids = [core.external_order("BTC-USD", Side.BUY, D("0.001"), D(60000 - n)).order_id for n in range(count)]
    ended = core.external_order("BTC-USD", Side.BUY, D("0.001"), D(60000))
    core.cancel([ended.order_id])
    await user.subscribe("user")
    frame = await user.channel("subscriptions")
    assert list(frame["events"][0]["subscriptions"]) == ["user"]
    events = [frame["events"][0] for frame in user.frames[:-1]]
    assert {event["type"] for event in events} == {"snapshot"}
    assert [len(event["orders"]) for event in events] == batches
    assert [order["order_id"] for event in events for order in event["orders"]] == ids


async def test_an_order_is_told_with_cumulative_figures(
    client: AdvancedClient, user: Socket, shared_data: Path
) -> None:
    await user.subscribe("user")
    await user.channel("subscriptions")
    core = client.venue.core
    bid = D(core.products["BTC-USD"].instrument.price_text(core.tape("BTC-USD").levels.best_bid() or 0))
    created = await client.limit("BUY", "0.3", f"{bid}", "mine", post_only=True)
    order_id = created["success_response"]["order_id"]
    core.trade_against(order_id, D("0.1"))
    core.cancel([order_id])
    orders = [(await user.channel("user"))["events"][0]["orders"][0] for _ in range(5)]
    assert [
        (each["status"], each["cumulative_quantity"], each["leaves_quantity"], each["number_of_fills"])
        for each in orders
    ] == [
        ("PENDING", "0", "0.3", "0"),
        ("OPEN", "0", "0.3", "0"),
        ("OPEN", "0.1", "0.2", "1"),
        ("CANCEL_QUEUED", "0.1", "0.2", "1"),
        ("CANCELLED", "0.1", "0", "1"),
    ]
    value = D("0.1") * bid
    assert (D(orders[-1]["filled_value"]), D(orders[-1]["total_fees"])) == (value, value * D("0.006"))
    assert {(each["client_order_id"], each["post_only"], each["order_side"]) for each in orders} == {
        ("mine", "true", "BUY")
    }
    folder = shared_data / "coinbase" / "fixtures" / "advanced_ws"
    real = json.loads((folder / "user_sequence_open_partial_cancel.json").read_text())[0]
    assert names(orders[0]) == names(real["events"][0]["orders"][0])


async def test_ioc_and_failed_orders_on_the_user_channel(open_venue: OpenVenue) -> None:
    client = await open_venue(still_settings(post_only_crossing="fail later"))
    user = await client.socket("/advanced-user")
    await user.subscribe("user")
    await user.channel("subscriptions")
    core = client.venue.core
    core.submit(NewOrder("BTC-USD", Side.SELL, D("0.1"), D(90000), time_in_force=TimeInForce.IOC))
    created = await client.limit("BUY", "0.1", "70000", post_only=True)
    assert created["success"] is True
    orders = [(await user.channel("user"))["events"][0]["orders"][0] for _ in range(4)]
    assert [(each["status"], each["reject_reason"]) for each in orders] == [
        ("PENDING", ""),
        ("CANCELLED", ""),
        ("PENDING", ""),
        ("FAILED", "INVALID_LIMIT_PRICE_POST_ONLY"),
    ]
    await user.raw.close()


async def test_the_user_channel_wants_a_fresh_token_each_time(client: AdvancedClient, user: Socket) -> None:
    now_s = client.venue.clock.wall_ns() // SECOND
    good = token(client.key, now_s, None)
    for jwt in (
        "",
        "a.b.c",
        token(client.key, now_s, "GET api.coinbase.com/x"),
        token(client.key, now_s - 300, None),
    ):
        await user.subscribe("user", jwt=jwt)
        assert await user.next() == {"type": "error", "message": "authentication failure"}
    await user.subscribe("user", jwt=good)
    await user.channel("subscriptions")
    await user.say(type="unsubscribe", channel="user", jwt=good)
    assert await user.next() == {"type": "error", "message": "authentication failure"}
    await user.say(type="unsubscribe", channel="user", jwt=token(client.key, now_s, None))
    assert (await user.channel("subscriptions"))["events"] == [{"subscriptions": {}}]
    client.venue.core.external_order("BTC-USD", Side.BUY, D("0.1"), D(60000))
    await user.subscribe("heartbeats")
    assert (await user.next())["channel"] == "subscriptions"


async def test_a_key_that_may_not_view_hears_nothing(client: AdvancedClient, user: Socket) -> None:
    blind = make_cdp_key(rights=Rights(view=False))
    client.venue.advanced.judge.add(blind)
    await user.subscribe("user", jwt=token(blind, client.venue.clock.wall_ns() // SECOND, None))
    assert (await user.next())["message"] == "authentication failure"


async def test_products_can_be_named_on_the_user_channel(client: AdvancedClient, user: Socket) -> None:
    await user.subscribe("user", "ETH-USD")
    await user.channel("subscriptions")
    core = client.venue.core
    core.external_order("BTC-USD", Side.BUY, D("0.1"), D(60000))
    order = core.external_order("ETH-USD", Side.BUY, D("0.1"), D(1000))
    frame = await user.channel("user")
    assert frame["events"][0]["orders"][0]["order_id"] == order.order_id


async def test_the_other_channels_are_not_on_the_users_socket(user: Socket) -> None:
    await user.subscribe("level2", "BTC-USD")
    assert await user.next() == {"type": "error", "message": "failure to subscribe"}


async def test_stopping_closes_every_connection(client: AdvancedClient, socket: Socket, user: Socket) -> None:
    await socket.subscribe("heartbeats")
    await socket.next()
    _, code, user_code = await asyncio.gather(client.venue.stop(), socket.closed(), user.closed())
    assert (code, user_code) == (1001, 1001)


async def test_a_quiet_connection_is_closed_after_90_seconds(
    client: AdvancedClient, socket: Socket, clock: ManualClock
) -> None:
    await socket.subscribe("status", "BTC-USD")
    await socket.channel("subscriptions")
    clock.advance(89 * SECOND)
    client.venue.step()
    assert not socket.raw.closed
    clock.advance(SECOND)
    client.venue.step()
    assert await socket.closed() == 1000


async def test_a_client_that_reads_nothing_is_cut_off_and_harms_nobody(
    client: AdvancedClient, socket: Socket, clock: ManualClock
) -> None:
    await socket.subscribe("heartbeats")
    await socket.channel("subscriptions")
    [session] = client.venue.advanced._market._server.sessions
    # The venue never gets the time to send: everything waits.
    for _ in range(20_001):
        session.send("heartbeats", "[]")
    assert await socket.closed() == 1008


async def test_too_many_books_close_the_connection(open_venue: OpenVenue) -> None:
    client = await open_venue(still_settings(max_books=1))
    socket = await client.socket()
    await socket.subscribe("level2", "BTC-USD")
    await socket.subscribe("level2", "ETH-USD")
    await socket.until(lambda frame: "too many L2 streams" in frame.get("message", ""))
    assert await socket.closed() == 1008


async def test_a_recorded_frame_of_two_products_is_parted(
    open_venue: OpenVenue, clock: ManualClock, tmp_path: Path
) -> None:
    def trade(product: str, number: int) -> Frame:
        at = "2026-08-09T21:05:48.5Z"
        row = {"trade_id": str(number), "price": "1.50", "size": "2", "time": at, "side": "BUY"}
        return {"product_id": product, **row}

    both = [{"type": "update", "trades": [trade("ETH-USD", 9), trade("BTC-USD", 7)]}]
    frame = {"channel": "market_trades", "timestamp": "t", "sequence_num": 0, "events": both}
    line = {"ts": 1.5, "dir": "recv", "raw": json.dumps(frame, separators=(",", ":"))}
    path = tmp_path / "two.jsonl"
    path.write_text(json.dumps(line) + "\n")
    client = await open_venue(still_settings(capture=path, capture_speed=D(1)))
    socket = await client.socket()
    await socket.subscribe("market_trades", "BTC-USD")
    frames = [await socket.next(), await socket.next()]
    [got] = [each for each in frames if each["channel"] == "market_trades"]
    assert got["events"] == [{"type": "update", "trades": [trade("BTC-USD", 7)]}]
    await socket.raw.close()
