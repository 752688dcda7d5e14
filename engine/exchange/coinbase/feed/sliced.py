"""Big book frames read piece by piece, so that nothing else waits for them.

The first book of BTC-USD is one frame of 5 MB; read at once it stops everything for a tenth of a second.
Here only its outline is read at once, the levels in pieces of a few hundred kilobytes, with the loop
running between them. What comes out is what the session would have made of the whole frame; a frame
that cannot be cut is left to the session.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from engine.core.events import Level, MarketEvent
from engine.exchange.coinbase.wire.advanced import AdvancedSession, BookChange, SlicedBook, convert
from engine.exchange.coinbase.wire.advanced_messages import L2Change
from engine.exchange.coinbase.wire.exchange import ExchangeSession
from engine.exchange.coinbase.wire.product_feed import ProductFeed
from engine.exchange.coinbase.wire.session import REFUSED

BIG_FRAME: Final = 256 * 1024
"""Characters from which on a frame is cut."""
PIECE_BYTES: Final = 128 * 1024
_BETWEEN_OBJECTS: Final = re.compile(rb"\}\s*,\s*\{")
_BETWEEN_ARRAYS: Final = re.compile(rb"\]\s*,\s*\[")
_TextLevel = tuple[str, str]
Stamps = Callable[[], tuple[int, int]]
"""What monotonic and wall time it is."""


class _RawEvent(msgspec.Struct, gc=False):
    type: str
    product_id: str
    updates: msgspec.Raw


class _RawBook(msgspec.Struct, tag_field="channel", tag="l2_data", gc=False):
    sequence_num: int
    events: list[_RawEvent]
    timestamp: str = ""
    type: str = ""


class _RawSnapshot(msgspec.Struct, tag_field="type", tag="snapshot", gc=False):
    product_id: str
    bids: msgspec.Raw
    asks: msgspec.Raw
    time: str = ""


_BOOK: Final = msgspec.json.Decoder(_RawBook, strict=False)
_SNAPSHOT: Final = msgspec.json.Decoder(_RawSnapshot, strict=False)
_CHANGES: Final = msgspec.json.Decoder(list[L2Change], strict=False)
_LEVELS: Final = msgspec.json.Decoder(list[_TextLevel], strict=False)


async def read_advanced(session: AdvancedSession, raw: str | bytes) -> SlicedBook | None:
    """The levels of a big level2 frame, for `on_sliced_book`; None where the session must read it whole.

    The session is not touched.
    """
    data = raw.encode() if isinstance(raw, str) else raw
    await asyncio.sleep(0)
    try:
        frame = _BOOK.decode(data)
        if frame.type == "error":
            return None
        first: L2Change | None = None
        changes: list[BookChange] = []
        for number, event in enumerate(frame.events):
            feed = session.product_feed(event.product_id)
            if feed is None or event.type not in ("snapshot", "update"):
                return None
            bids: list[Level] = []
            asks: list[Level] = []
            for piece in _pieces(event.updates, _BETWEEN_OBJECTS):
                await asyncio.sleep(0)
                levels = _CHANGES.decode(piece)
                if number == 0 and first is None and levels:
                    first = levels[0]
                convert(feed, levels, bids, asks)
            changes.append(BookChange(feed, event.type == "update", bids, asks))
    except REFUSED:
        return None
    await asyncio.sleep(0)
    return SlicedBook(frame.sequence_num, frame.timestamp, first, changes)


async def read_exchange(
    session: ExchangeSession, raw: str | bytes
) -> tuple[str, list[Level], list[Level], str] | None:
    """Product, bids, asks and time of a big snapshot, for `on_sliced_snapshot`; None as above."""
    data = raw.encode() if isinstance(raw, str) else raw
    await asyncio.sleep(0)
    try:
        frame = _SNAPSHOT.decode(data)
        feed = session.product_feed(frame.product_id)
        if feed is None:
            return None
        bids = await _text_levels(feed, frame.bids)
        asks = await _text_levels(feed, frame.asks)
    except REFUSED:
        return None
    await asyncio.sleep(0)
    return frame.product_id, bids, asks, frame.time


async def _text_levels(feed: ProductFeed, raw: msgspec.Raw) -> list[Level]:
    levels: list[Level] = []
    for piece in _pieces(raw, _BETWEEN_ARRAYS):
        await asyncio.sleep(0)
        levels += [(feed.ticks(price), feed.lots(size)) for price, size in _LEVELS.decode(piece)]
    return levels


async def take_frame(
    session: AdvancedSession | ExchangeSession, raw: str | bytes, stamps: Stamps
) -> list[MarketEvent]:
    """`session.on_frame` for a frame of any size, stamped with the time when it has been read."""
    if len(raw) >= BIG_FRAME:
        if isinstance(session, AdvancedSession):
            book = await read_advanced(session, raw)
            if book is not None:
                return session.on_sliced_book(book, raw, *stamps())
        else:
            snapshot = await read_exchange(session, raw)
            if snapshot is not None:
                return session.on_sliced_snapshot(*snapshot, *stamps())
    return session.on_frame(raw, *stamps())


def _pieces(array: msgspec.Raw, between: re.Pattern[bytes]) -> Iterator[bytes]:
    """The elements of a JSON array as arrays of about `PIECE_BYTES`.

    Where a text within an element looks like a boundary the pieces are no JSON, and refused as such.
    """
    data = bytes(array)
    start, end = data.index(b"[") + 1, data.rindex(b"]")
    while end - start > PIECE_BYTES:
        cut = between.search(data, start + PIECE_BYTES, end)
        if cut is None:
            break
        yield b"[" + data[start : cut.start() + 1] + b"]"
        start = cut.end() - 1
    yield b"[" + data[start:end] + b"]"
