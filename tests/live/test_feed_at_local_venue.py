"""The live feed and the user stream against the local venue, which shares no decoder with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from local_venue.venue_kit import still_settings
from ws_kit import QUICK, FeedReader, book_sha256

from engine.core.clock import SystemClock
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.exchange.coinbase.feed.live_feed import LiveFeed
from engine.exchange.coinbase.feed.user_stream import UserStream
from engine.exchange.coinbase.keys import parse_key_document
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.products import catalogue
from engine.exchange.coinbase.signing import signer_for
from engine.exchange.coinbase.wire.sessions import Api
from engine.exchange.coinbase.wire.user import OrderReport, UserMatch
from engine.exchange.recording import observe
from engine.local_venue.server import LocalVenue

CAPTURE = "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"


async def until(what: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 - the venue tells nobody when
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("api", list(Api))
async def test_the_books_of_a_capture_are_the_reference_answers(shared_data: Path, api: Api) -> None:
    path = shared_data / "coinbase" / CAPTURE
    expected = json.loads((shared_data / "coinbase" / "expected.json").read_text())[CAPTURE]["books"]
    instruments = observe(path).instruments()
    reader = FeedReader()
    async with LocalVenue(
        still_settings(capture=path, capture_speed=Decimal(20), products=tuple(instruments))
    ) as venue:
        settings = NetworkSettings(endpoint=venue.url, stale_soft_ms=60_000, stale_hard_ms=60_000)
        feed = LiveFeed(
            api,
            settings.endpoints(api),
            instruments,
            settings,
            reader.clock,
            reader.notify,
            patience=QUICK,
            random=Random(1),
        )
        reader.feed = feed
        await feed.start()
        try:
            await reader.until(
                lambda: all(
                    product in reader.books
                    and book_sha256(instruments[product], reader.books[product]) == book["book_sha256"]
                    for product, book in expected.items()
                ),
                20,
            )
            # Venue and feed share one loop here: a slow machine keeps the heartbeats waiting for a moment.
            await reader.until(lambda: reader.is_live(*expected))
        finally:
            await feed.stop()
    assert feed.counters.gaps == feed.counters.malformed == feed.counters.unknown == feed.overflows == 0


class Listener:
    """Writes down what it is told of our orders."""

    def __init__(self) -> None:
        self.reports: list[OrderReport] = []
        self.matches: list[UserMatch] = []
        self.readies = 0
        self.losses = 0

    def on_user(self, report: OrderReport) -> None:
        self.reports.append(report)

    def on_user_match(self, match: UserMatch) -> None:
        self.matches.append(match)

    def on_user_ready(self) -> None:
        self.readies += 1

    def on_user_lost(self) -> None:
        self.losses += 1

    def last(self, order_id: str) -> OrderReport | None:
        """What was told last of an order."""
        return next((report for report in reversed(self.reports) if report.order_id == order_id), None)


def user_stream(venue: LocalVenue, api: Api, listener: Listener) -> UserStream:
    key = venue.cdp_keys[0] if api is Api.ADVANCED else venue.exchange_keys[0]
    clock = SystemClock()
    settings = NetworkSettings(endpoint=venue.url)
    return UserStream(
        api,
        settings.endpoints(api),
        {"BTC-USD": listener},
        signer_for(parse_key_document(key.file_content().encode(), api), clock.wall_ns),
        settings,
        clock,
        random=Random(1),
        patience=QUICK,
    )


def figures(report: OrderReport | None) -> Sequence[object]:
    assert report is not None
    return report.status, report.filled, report.filled_value, report.fees


@pytest.mark.parametrize("api", list(Api))
async def test_the_life_of_our_orders_is_told_to_the_end(api: Api) -> None:
    listener = Listener()
    async with LocalVenue(still_settings()) as venue:
        stream = user_stream(venue, api, listener)
        price = Decimal("60000.01")
        before = venue.core.external_order("BTC-USD", Side.BUY, Decimal("0.5"), price, "from-before")
        await stream.start()
        try:
            await until(lambda: listener.readies == 1)
            if api is Api.ADVANCED:
                assert [report.client_order_id for report in listener.reports] == ["from-before"]
            order = venue.core.external_order("BTC-USD", Side.BUY, Decimal("0.4"), price, "of-now")
            await until(lambda: (told := listener.last(order.order_id)) is not None and told.status == "OPEN")
            venue.core.trade_against(before.order_id)
            venue.core.trade_against(order.order_id, Decimal("0.1"))
            await until(lambda: (told := listener.last(order.order_id)) is not None and told.filled)
            told = listener.last(order.order_id)
            fee = venue.core.fills(order_ids=[order.order_id])[0].commission
            assert figures(told) == ("OPEN", Decimal("0.1"), Decimal("6000.001"), fee)
            venue.core.cancel([order.order_id])
            await until(
                lambda: (told := listener.last(order.order_id)) is not None and told.status == "CANCELLED"
            )
            assert listener.last(order.order_id).filled == Decimal("0.1")  # type: ignore[union-attr]
            if api is Api.EXCHANGE:
                assert [match.order_id for match in listener.matches] == [before.order_id, order.order_id]
                assert [match.is_maker for match in listener.matches] == [True, True]
                # It ended, and its sum is not known here: whoever keeps it was told to ask.
                await until(lambda: (listener.readies, listener.losses) == (2, 1))
            else:
                assert figures(listener.last(before.order_id))[:2] == ("FILLED", Decimal("0.5"))
                assert (listener.readies, listener.losses) == (1, 0)
        finally:
            await stream.stop()


async def test_a_key_that_the_venue_does_not_know_is_said_and_never_ready() -> None:
    listener = Listener()
    warnings: list[str] = []
    async with LocalVenue(still_settings()) as venue, LocalVenue(still_settings()) as other:
        stream = user_stream(other, Api.ADVANCED, listener)
        settings = NetworkSettings(endpoint=venue.url)
        stream = UserStream(
            Api.ADVANCED,
            settings.endpoints(Api.ADVANCED),
            {"BTC-USD": listener},
            signer_for(
                parse_key_document(other.cdp_keys[0].file_content().encode(), Api.ADVANCED),
                SystemClock().wall_ns,
            ),
            settings,
            SystemClock(),
            warn=lambda code, text: warnings.append(text),
            random=Random(1),
            patience=QUICK,
        )
        await stream.start()
        try:
            await until(lambda: warnings)
            assert "authentication failure" in warnings[0]
            assert listener.readies == 0
        finally:
            await stream.stop()


async def test_a_simulated_market_is_followed_exactly() -> None:
    """Our mirror equals the venue's own book, level by level, while it trades."""
    instruments = {"BTC-USD": catalogue()["BTC-USD"]}
    reader = FeedReader()
    settings = still_settings(products=("BTC-USD",))
    async with LocalVenue(settings) as venue:
        network = NetworkSettings(endpoint=venue.url, stale_soft_ms=60_000, stale_hard_ms=60_000)
        feed = LiveFeed(
            Api.ADVANCED,
            network.endpoints(Api.ADVANCED),
            instruments,
            network,
            reader.clock,
            reader.notify,
            patience=QUICK,
        )
        reader.feed = feed
        await feed.start()
        try:
            await reader.until(lambda: reader.is_live("BTC-USD"))
            source = Random(5)
            for _ in range(60):
                side = source.choice([Side.BUY, Side.SELL])
                price = Decimal(source.randrange(6_400_000, 6_600_000)) / 100
                venue.core.stranger_order("BTC-USD", side, Decimal(source.randrange(1, 900)) / 1000, price)
                await asyncio.sleep(0.002)
            truth = PriceLevels()
            tape = venue.core.tape("BTC-USD")
            truth.apply_snapshot(tape.levels.bids(), tape.levels.asks())
            digest = book_sha256(instruments["BTC-USD"], truth)
            await reader.until(lambda: book_sha256(instruments["BTC-USD"], reader.books["BTC-USD"]) == digest)
        finally:
            await feed.stop()
