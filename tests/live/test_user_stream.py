"""The channel of our own orders over real sockets: told whole, or told to be lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from coinbase_frames import advanced, heartbeat
from ws_kit import QUICK, Peer, Script, ScriptedVenue

from engine.core.clock import SystemClock
from engine.exchange.coinbase.feed.refusals import ConnectionRefusedForGood
from engine.exchange.coinbase.feed.user_stream import UserStream
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.wire.sessions import Api
from engine.exchange.coinbase.wire.user import OrderReport, UserMatch

SHORT = NetworkSettings(stale_soft_ms=300, stale_hard_ms=600)


class FakeSigner:
    """Signs with a number that is never used twice."""

    def __init__(self) -> None:
        self.signed: list[tuple[str, tuple[str, ...]]] = []

    def ws_fields(self, channel: str, products: Sequence[str]) -> dict[str, Any]:
        self.signed.append((channel, tuple(products)))
        return {"jwt": f"token {len(self.signed)}"}


class Listener:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.news = asyncio.Event()

    def _tell(self, what: object) -> None:
        self.told.append(what)
        self.news.set()

    def on_user(self, report: OrderReport) -> None:
        self._tell(report)

    def on_user_match(self, match: UserMatch) -> None:
        self._tell(match)

    def on_user_ready(self) -> None:
        self._tell("ready")

    def on_user_lost(self) -> None:
        self._tell("lost")

    def words(self) -> list[str]:
        """What was told, in short."""
        words = []
        for told in self.told:
            if isinstance(told, OrderReport):
                words.append(f"{told.order_id} {told.status} {told.filled}")
            elif isinstance(told, UserMatch):
                words.append(f"match {told.trade_id}")
            else:
                words.append(str(told))
        return words


class Watch:
    """A stream with one listener, and what it says of itself."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.changes: list[tuple[bool, str]] = []
        self.warnings: list[tuple[str, str]] = []
        self.signer = FakeSigner()
        self.stream: UserStream

    async def until_told(self, word: str, count: int = 1, seconds: float = 5.0) -> None:
        """Wait until the listener has been told something so many times."""
        await self._until(lambda: self.listener.words().count(word) >= count, seconds)

    async def until_warned(self) -> None:
        """Wait for the first warning."""
        await self._until(lambda: bool(self.warnings), 5.0)

    async def _until(self, what: Callable[[], bool], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not what():
                    self.listener.news.clear()
                    await self.listener.news.wait()
        except TimeoutError:
            raise AssertionError(
                f"not so; {self.listener.words()}, {self.changes}, {self.warnings}"
            ) from None

    def warn(self, code: str, text: str) -> None:
        self.warnings.append((code, text))
        self.listener.news.set()


@asynccontextmanager
async def running(
    script: Script, api: Api = Api.ADVANCED, **given: Any
) -> AsyncIterator[tuple[Watch, ScriptedVenue]]:
    watch = Watch()
    async with ScriptedVenue(script) as venue:
        watch.stream = UserStream(
            api,
            venue.endpoints,
            {"BTC-USD": watch.listener},
            watch.signer,
            given.pop("settings", NetworkSettings()),
            SystemClock(),
            on_change=lambda is_ready, reason: watch.changes.append((is_ready, reason)),
            warn=watch.warn,
            random=Random(1),
            patience=QUICK,
        )
        await watch.stream.start()
        try:
            yield watch, venue
        finally:
            await watch.stream.stop()


def order(number: int, status: str = "OPEN", filled: str = "0", product: str = "BTC-USD") -> dict[str, Any]:
    return {
        "order_id": f"o{number}",
        "client_order_id": f"c{number}",
        "product_id": product,
        "order_side": "BUY",
        "order_type": "Limit",
        "status": status,
        "limit_price": "100",
        "cumulative_quantity": filled,
        "leaves_quantity": "1",
        "avg_price": "100",
        "total_fees": "0",
    }


def user(sequence: int, kind: str, *orders: dict[str, Any]) -> str:
    return advanced("user", sequence, {"type": kind, "orders": list(orders), "positions": []})


# -- Advanced ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 109])
async def test_the_snapshot_ends_with_the_first_batch_that_is_not_full(count: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(heartbeat(0, 1))
        sequence, batches = 1, [range(count)[at : at + 50] for at in range(0, count + 1, 50)]
        for batch in batches:
            await peer.send(user(sequence, "snapshot", *(order(number) for number in batch)))
            sequence += 1
        await peer.send(user(sequence, "update", order(0, "FILLED", "1")))

    async with running(script) as (watch, _):
        await watch.until_told("o0 FILLED 1")
        words = watch.listener.words()
        assert words.index("ready") == count
        assert words.count("ready") == 1
        assert words[:count] == [f"o{number} OPEN 0" for number in range(count)]
        assert watch.stream.is_ready
        assert watch.changes == [(True, "the venue tells us of our orders")]


async def test_heartbeats_first_then_a_fresh_token_on_every_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(heartbeat(0, 1), user(1, "snapshot"))
        if not peer.number:
            await peer.socket.close(1001)

    async with running(script) as (watch, venue):
        await watch.until_told("ready", 2)
        for peer in venue.peers:
            assert [request["channel"] for request in peer.requests] == ["heartbeats", "user"]
            # All products: one more could not be added later.
            assert "product_ids" not in peer.requests[1]
        assert [peer.requests[1]["jwt"] for peer in venue.peers] == ["token 1", "token 2"]
        assert watch.listener.words() == ["ready", "lost", "ready"]
        assert watch.stream.losses == 1
        assert watch.changes[1] == (False, "the venue closed the connection (code 1001)")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (user(3, "update", order(1, "FILLED", "1")), "messages about our orders were lost"),
        (heartbeat(2, 9), "messages about our orders were lost"),
        (user(2, "update", order(1, "OPEN", "NaN")), "a message about our orders could not be read"),
        ("{", "a message about our orders could not be read"),
        (b"\x00", "a message about our orders could not be read"),
        ('{"type":"error","message":"rate limit exceeded"}', "refused: rate limit exceeded"),
    ],
    ids=["sequence", "heartbeat", "figures", "json", "binary", "error"],
)
async def test_whatever_may_be_missing_is_a_loss(bad: str | bytes, reason: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(heartbeat(0, 1), user(1, "snapshot", order(1)))
        if not peer.number:
            await peer.send(bad)

    async with running(script) as (watch, _):
        await watch.until_told("lost")
        assert watch.listener.words()[:3] == ["o1 OPEN 0", "ready", "lost"]
        assert watch.changes[1] == (False, reason)
        assert not watch.stream.is_ready
        if "error" not in str(bad):
            await watch.until_told("ready", 2)


async def test_a_duplicate_is_no_news() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        news = user(2, "update", order(1, "OPEN", "0.5"))
        await peer.send(
            heartbeat(0, 1), user(1, "snapshot"), news, news, user(3, "update", order(1, "FILLED", "1"))
        )

    async with running(script) as (watch, _):
        await watch.until_told("o1 FILLED 1")
        assert watch.listener.words() == ["ready", "o1 OPEN 0.5", "o1 FILLED 1"]


async def test_silence_is_a_loss() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(heartbeat(0, 1), user(1, "snapshot"))

    async with running(script, settings=SHORT) as (watch, _):
        await watch.until_told("ready", 2)
        assert watch.listener.words()[:2] == ["ready", "lost"]
        assert watch.changes[1][1].startswith("silent for 0.")


async def test_an_unauthorised_channel_is_said_and_never_ready() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send('{"type":"error","message":"authentication failure"}')
        await peer.gone()

    async with running(script) as (watch, venue):
        await watch.until_warned()
        assert watch.warnings[0][0] == "USER_CHANNEL"
        assert "authentication failure" in watch.warnings[0][1]
        assert "does the key belong to this API" in watch.warnings[0][1]
        assert watch.listener.told == []
        await asyncio.sleep(0.3)
        assert len(venue.peers) == 1
        await watch.stream.on_frame('{"type":"error","message":"authentication failure"}')
        assert len(watch.warnings) == 1, "the same refusal is told once"


async def test_other_products_are_left_alone() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(heartbeat(0, 1), user(1, "snapshot", order(7, product="DOGE-USD")))

    async with running(script) as (watch, _):
        await watch.until_told("ready")
        assert watch.listener.words() == ["ready"]
        assert watch.stream.others == 1


async def test_a_signer_that_fails_does_not_end_the_stream() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(heartbeat(0, 1), user(1, "snapshot"))

    class Failing(FakeSigner):
        def ws_fields(self, channel: str, products: Sequence[str]) -> dict[str, Any]:
            super().ws_fields(channel, products)
            if len(self.signed) == 1:
                raise ConnectionRefusedForGood("KEY", "the key cannot sign")
            return {"jwt": "token"}

    watch = Watch()
    async with ScriptedVenue(script) as venue:
        stream = UserStream(
            Api.ADVANCED,
            venue.endpoints,
            {"BTC-USD": watch.listener},
            Failing(),
            NetworkSettings(),
            SystemClock(),
            warn=watch.warn,
            random=Random(1),
            patience=QUICK,
        )
        await stream.start()
        try:
            await watch.until_told("ready")
            assert "the key cannot sign" in watch.warnings[0][1]
        finally:
            await stream.stop()


# -- Exchange ----------------------------------------------------------------------------------------

SUBSCRIBED = json.dumps(
    {
        "type": "subscriptions",
        "channels": [
            {"name": "heartbeat", "product_ids": ["BTC-USD"]},
            {"name": "user", "product_ids": ["BTC-USD"]},
        ],
    }
)


def message(kind: str, number: int, sequence: int, **fields: str) -> str:
    return json.dumps(
        {
            "type": kind,
            "product_id": "BTC-USD",
            "order_id": f"o{number}",
            "sequence": sequence,
            "side": "sell",
            "time": "2026-09-30T01:41:52Z",
            "user_id": "u",
        }
        | fields
    )


def match(trade_id: int, number: int, size: str, price: str) -> str:
    return json.dumps(
        {
            "type": "match",
            "trade_id": trade_id,
            "sequence": trade_id,
            "maker_order_id": f"o{number}",
            "taker_order_id": "theirs",
            "time": "2026-09-30T01:41:51.000001Z",
            "product_id": "BTC-USD",
            "size": size,
            "price": price,
            "side": "sell",
            "user_id": "u",
            "maker_user_id": "u",
            "maker_fee_rate": "0.004",
        }
    )


async def test_exchange_messages_are_added_up_exactly() -> None:
    async def script(peer: Peer) -> None:
        request = await peer.asked("subscribe", "user")
        assert request["channels"] == ["heartbeat", "user"]
        assert request["product_ids"] == ["BTC-USD"]
        assert request["jwt"] == "token 1"
        await peer.send(
            SUBSCRIBED,
            message("received", 1, 1, price="60000.1", size="0.3", order_type="limit", client_oid="c1"),
            message("open", 1, 2, price="60000.1", remaining_size="0.3"),
            match(3, 1, "0.1", "60000.1"),
            match(3, 1, "0.1", "60000.1"),
            match(4, 1, "0.1", "60000.2"),
            message("change", 1, 5, old_size="0.1", new_size="0.05", price="60000.1", reason="STP"),
            message(
                "done",
                1,
                6,
                reason="canceled",
                remaining_size="0.05",
                cancel_reason="102:Self Trade Prevention",
            ),
        )

    async with running(script, Api.EXCHANGE) as (watch, _):
        await watch.until_told("o1 CANCELLED 0.2")
        assert watch.listener.words() == [
            "ready",
            "o1 PENDING 0",
            "o1 OPEN 0",
            "match 3",
            "o1 OPEN 0.1",
            "match 4",
            "o1 OPEN 0.2",
            "o1 OPEN 0.2",
            "o1 CANCELLED 0.2",
        ]
        last = watch.listener.told[-1]
        assert isinstance(last, OrderReport)
        assert last.client_order_id == "c1"
        assert last.filled_value == Decimal("12000.03")
        assert last.fees == Decimal("48.00012")
        assert last.number_of_fills == 2
        assert last.cancel_reason == "102:Self Trade Prevention"
        assert watch.listener.told[-2].remaining == Decimal("0.05")  # type: ignore[attr-defined]


async def test_a_market_order_has_no_price_and_perhaps_no_size() -> None:
    nothing: dict[str, Any] = {"price": None, "size": None, "client_oid": None, "cancel_reason": None}

    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(
            SUBSCRIBED,
            json.dumps(json.loads(message("received", 1, 1, order_type="market", funds="50")) | nothing),
            json.dumps(json.loads(match(3, 1, "0.1", "500")) | {"taker_order_id": "o1"}),
            json.dumps(json.loads(message("done", 1, 6, reason="filled")) | nothing),
        )

    async with running(script, Api.EXCHANGE) as (watch, _):
        await watch.until_told("o1 FILLED 0.1")
        assert watch.listener.words() == [
            "ready",
            "o1 PENDING 0",
            "match 3",
            "o1 PENDING 0.1",
            "o1 FILLED 0.1",
        ]


async def test_the_end_of_an_order_from_before_is_a_loss_that_the_venues_list_heals() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send(
            SUBSCRIBED,
            match(3, 9, "0.1", "60000.1"),
            message("done", 9, 6, reason="filled", remaining_size="0"),
        )

    async with running(script, Api.EXCHANGE) as (watch, venue):
        await watch.until_told("ready", 2)
        assert watch.listener.words() == ["ready", "match 3", "lost", "ready"]
        assert len(venue.peers) == 1


async def test_exchange_refuses_in_words() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "user")
        await peer.send('{"type":"error","message":"Authentication Failed","reason":"invalid signature"}')

    async with running(script, Api.EXCHANGE) as (watch, _):
        await watch.until_warned()
        assert "Authentication Failed: invalid signature" in watch.warnings[0][1]
        assert watch.listener.told == []
