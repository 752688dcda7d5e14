"""Whether one product's book may be believed, all things considered. Pure: time is given, nothing is read.

The session knows what the frames say. Beside it stand suspicions, which end with the next snapshot, and
conditions, which end by themselves. Only where none of them speaks is the book LIVE.
"""

from __future__ import annotations

from typing import Final

from engine.core.events import FeedState, FeedStatus

FRESH_NS: Final = 3 * 10**9
"""After a silence a book must be fresh for so long before it is believed again."""


class ProductGuard:
    """One product on one feed, over all its connections."""

    __slots__ = (
        "_conditions",
        "_fresh_until_ns",
        "_is_awaited",
        "_session",
        "_session_reason",
        "_suspicion",
        "book_ns",
        "silences",
        "snapshots",
        "symbol",
        "told",
        "was_silent",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.told = FeedState.IDLE
        """What was said last."""
        self.book_ns: int | None = None
        """When its book was last spoken of; None before the first snapshot of a connection."""
        self.silences = 0
        self.snapshots = 0
        self.was_silent = False
        """Silence was the last thing noticed; nothing has come since."""
        self._session = FeedState.IDLE
        self._session_reason = ""
        self._suspicion = ""
        self._is_awaited = True
        self._fresh_until_ns: int | None = None
        self._conditions: dict[str, str] = {}

    # -- what happens ----------------------------------------------------------------------------

    def on_session(self, state: FeedState, reason: str) -> None:
        """The session's own word."""
        self._session, self._session_reason = state, reason

    def on_book(self, now_ns: int, *, is_snapshot: bool) -> None:
        """A change of the book or a whole one. A whole one ends every suspicion."""
        self.book_ns = now_ns
        self.was_silent = False
        if is_snapshot:
            self.snapshots += 1
            self._is_awaited = False
            self._suspicion = ""
            if self._fresh_until_ns is not None:
                self._fresh_until_ns = now_ns + FRESH_NS

    def on_down(self, reason: str) -> None:
        """The connection has ended: a new book is needed."""
        self.book_ns = None
        self.was_silent = False
        self._is_awaited = True
        self.suspect(reason)

    def on_refused(self) -> None:
        """The book that came was refused: none is on its way any more."""
        self._is_awaited = False

    def suspect(self, reason: str) -> None:
        """The book cannot be right. It takes a new snapshot to be believed again."""
        self._suspicion = self._suspicion or reason

    def set_condition(self, code: str, reason: str) -> None:
        """The book is not believed while this lasts; an empty reason ends it."""
        if reason:
            self._conditions[code] = reason
        else:
            self._conditions.pop(code, None)

    def check_silence(self, now_ns: int, most_ns: int) -> bool:
        """True when the product has just been found silent: it takes a snapshot, and then to be fresh."""
        if self.book_ns is None or self.was_silent or now_ns - self.book_ns <= most_ns:
            return False
        self.was_silent = True
        self.silences += 1
        self._fresh_until_ns = now_ns + FRESH_NS
        self.suspect(f"silent for {(now_ns - self.book_ns) / 1e9:.1f} s")
        return True

    # -- what follows ----------------------------------------------------------------------------

    @property
    def wants_snapshot(self) -> bool:
        """True when only a new book helps, and it has to be asked for."""
        return not self._is_awaited and (bool(self._suspicion) or self._session is FeedState.STALE)

    @property
    def suspicion(self) -> str:
        """Why a new book is wanted; empty where it is not."""
        if self._suspicion:
            return self._suspicion
        return self._session_reason if self._session is FeedState.STALE else ""

    def verdict(self, now_ns: int) -> tuple[FeedState, str]:
        """How far the book may be believed now, and why."""
        if self._suspicion:
            return self._unfit(self._suspicion)
        if self._session is not FeedState.LIVE:
            return self._unfit(self._session_reason)
        if self._conditions:
            return FeedState.STALE, next(iter(self._conditions.values()))
        if self._fresh_until_ns is not None:
            if now_ns < self._fresh_until_ns:
                return FeedState.STALE, f"fresh again, but not for {FRESH_NS / 1e9:g} s yet"
            self._fresh_until_ns = None
        return FeedState.LIVE, self._session_reason

    def _unfit(self, reason: str) -> tuple[FeedState, str]:
        """A book that was never there is not stale: it has still to come."""
        if self.told in (FeedState.IDLE, FeedState.SUBSCRIBED) and self._session is not FeedState.STALE:
            return self._session if self._session is FeedState.SUBSCRIBED else self.told, reason
        return FeedState.STALE, reason

    def status(self, now_ns: int, wall_ns: int) -> FeedStatus | None:
        """What is to be said, if it is another state than was said last."""
        state, reason = self.verdict(now_ns)
        if state is self.told:
            return None
        self.told = state
        return FeedStatus(self.symbol, now_ns, wall_ns, state, reason)
