"""The audit of mirrored books: every so often the venue's REST is asked what they should look like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from engine.core.events import FeedState, Level
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, Side
from engine.exchange.coinbase.broker import BookTop, BrokerError
from engine.exchange.coinbase.feed.trust import Difference, Levels, compare

DEPTH: Final = 25
"""Levels a side that are compared."""
_MARGIN: Final = 100
"""Levels a side that we look at: the touch may move while REST answers."""


class TopSource(Protocol):
    """A `Broker`, as far as the audit needs one."""

    async def book_top(self, product: str, depth: int) -> BookTop:
        """See `Broker`."""
        ...


class MirroredBook(Protocol):
    """A book as whoever trades holds it."""

    def levels(self, side: Side, depth: int) -> list[Level]:
        """The best levels of a side."""
        ...


class Audited(Protocol):
    """The feed whose books are audited."""

    def state(self, product: str) -> FeedState:
        """How far a book may be believed."""
        ...

    def snapshots(self, product: str) -> int:
        """Whole books that came so far."""
        ...

    def audited(self, product: str, found: Difference) -> None:
        """What an audit found."""
        ...


class BookAudit:
    """An `Edge` that compares the LIVE books of `instruments` in turn, each every `interval_s`; 0 never.

    `book_of` gives the book that is traded on, None where there is none. A question that REST does not
    answer proves nothing, and is counted.
    """

    def __init__(
        self,
        feed: Audited,
        source: TopSource,
        instruments: Mapping[str, Instrument],
        book_of: Callable[[str], MirroredBook | None],
        interval_s: float,
    ) -> None:
        self.audits = 0
        self.unanswered = 0
        self.last_failure = ""
        self._feed = feed
        self._source = source
        self._instruments = instruments
        self._book_of = book_of
        self._interval_s = interval_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See `Edge`."""
        if self._interval_s > 0 and self._instruments:
            self._task = asyncio.create_task(self._run(), name="book audit")

    async def stop(self) -> None:
        """See `Edge`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def audit(self, symbol: str) -> Difference | None:
        """One audit; None where there was nothing to compare, or no answer."""
        feed = self._feed
        if feed.state(symbol) is not FeedState.LIVE:
            return None
        snapshots, before = feed.snapshots(symbol), self._levels(symbol)
        try:
            top = await self._source.book_top(symbol, DEPTH)
        except BrokerError as error:
            self.unanswered += 1
            self.last_failure = str(error)
            return None
        if feed.state(symbol) is not FeedState.LIVE or feed.snapshots(symbol) != snapshots:
            return None
        found = compare(self._instruments[symbol], top, (before, self._levels(symbol)))
        self.audits += 1
        feed.audited(symbol, found)
        return found

    def _levels(self, symbol: str) -> Levels:
        book = self._book_of(symbol)
        if book is None:
            return {}
        return {(side, price): size for side in (BUY, SELL) for price, size in book.levels(side, _MARGIN)}

    async def _run(self) -> None:
        while True:
            for symbol in self._instruments:
                await asyncio.sleep(self._interval_s / len(self._instruments))
                await self.audit(symbol)
