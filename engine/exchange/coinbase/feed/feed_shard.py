"""One market-data connection with the products on it: its frames, its health, and what may be believed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, Protocol

from engine.core.clock import Clock
from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, MarketEvent
from engine.core.instrument import Instrument
from engine.exchange.coinbase.feed.connection import Connection
from engine.exchange.coinbase.feed.lateness import FAR_NS, LATE_NS, Lateness
from engine.exchange.coinbase.feed.product_guard import ProductGuard
from engine.exchange.coinbase.feed.refusals import Ending
from engine.exchange.coinbase.feed.resync import Resync, Step
from engine.exchange.coinbase.feed.sliced import take_frame
from engine.exchange.coinbase.feed.subscriptions import book_request, market_requests
from engine.exchange.coinbase.feed.trust import TRUSTED, BookTrust, Difference, Trust
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.coinbase.wire.exchange import ExchangeSession
from engine.exchange.coinbase.wire.session import FeedCounters
from engine.exchange.coinbase.wire.sessions import Api

_MS: Final = 1_000_000
_HEARTBEAT_NS: Final = 3 * 10**9
"""Heartbeats come every second; without one for so long the connection is suspect."""
_NO_HEARTBEAT_NS: Final = 10 * 10**9
_FIRST_BOOKS_NS: Final = 60 * 10**9
"""So long the first books may take on a slow line."""
_MALFORMED: Final = 3
_MALFORMED_WITHIN_NS: Final = 10 * 10**9
_LAG_EVERY_NS: Final = 20 * _MS


class Outlet(Protocol):
    """Where a shard's news go."""

    def emit(self, events: Sequence[MarketEvent]) -> None:
        """Events, in order."""
        ...

    def ended(self, shard: FeedShard, ending: Ending) -> None:
        """A connection has ended, or could not be made."""
        ...

    def opened(self, shard: FeedShard) -> None:
        """A connection is up."""
        ...

    def complained(self, text: str) -> None:
        """The venue sent an error message."""
        ...


class FeedShard:
    """The listener of one `Connection`. `instruments` are by the name the venue uses on this feed."""

    def __init__(
        self,
        api: Api,
        instruments: Mapping[str, Instrument],
        counters: FeedCounters,
        clock: Clock,
        random: Random,
        outlet: Outlet,
        clock_offset_ns: Callable[[], int | None],
    ) -> None:
        session = AdvancedSession if api is Api.ADVANCED else ExchangeSession
        self.session: AdvancedSession | ExchangeSession = session(instruments)
        self.session.counters = counters
        self.connection: Connection | None = None
        self.guards: dict[str, ProductGuard] = {
            wire: ProductGuard(instrument.symbol) for wire, instrument in instruments.items()
        }
        self.lateness = Lateness()
        self._api = api
        self._by_symbol = {instrument.symbol: wire for wire, instrument in instruments.items()}
        self._clock = clock
        self._outlet = outlet
        self._clock_offset_ns = clock_offset_ns
        self._trusts = {wire: BookTrust() for wire in instruments}
        self._resyncs = {wire: Resync(clock, random) for wire in instruments}
        self._malformed: deque[int] = deque(maxlen=_MALFORMED)
        self._opened_ns = self._frame_ns = self._heartbeat_ns = self._bytes_ns = self._lag_ns = 0
        self._bytes = 0

    # -- what the connection tells ---------------------------------------------------------------

    def requests(self) -> Sequence[str]:
        """See `Listener`."""
        return market_requests(self._api, list(self.guards))

    def on_open(self) -> None:
        """See `Listener`."""
        now_ns, wall_ns = self._stamps()
        self._opened_ns = self._frame_ns = self._heartbeat_ns = self._bytes_ns = now_ns
        self._bytes = 0
        self._malformed.clear()
        self.lateness.reset()
        self._take(self.session.on_connect(now_ns, wall_ns))
        self._outlet.opened(self)

    def on_sent(self, raw: str) -> None:
        """See `Listener`."""
        self._take(self.session.on_send(raw, *self._stamps()))

    async def on_frame(self, raw: str | bytes) -> None:
        """See `Listener`."""
        counters = self.session.counters
        before = (counters.malformed, counters.heartbeats, counters.errors, counters.gaps)
        if isinstance(raw, bytes):
            # The venue speaks text only; what else comes is noise, whatever it looks like inside.
            counters.frames += 1
            counters.malformed += 1
            events: list[MarketEvent] = []
        else:
            events = await take_frame(self.session, raw, self._stamps)
        now_ns = self._frame_ns = self._clock.monotonic_ns()
        self._take(events)
        for event in events:
            if isinstance(event, FeedStatus) and event.state is FeedState.STALE:
                self.guard(event.product).on_refused()
        if (counters.malformed, counters.heartbeats, counters.errors, counters.gaps) != before:
            self._judge(before, now_ns)
        if now_ns - self._lag_ns >= _LAG_EVERY_NS:
            self._measure(now_ns)

    def on_down(self, ending: Ending) -> None:
        """See `Listener`."""
        for wire, guard in self.guards.items():
            guard.on_down(ending.words)
            self._resyncs[wire].cancel()
        self._settle()
        self._outlet.ended(self, ending)

    # -- what follows ----------------------------------------------------------------------------

    def distrust(self, symbol: str, reason: str, recv_ns: int, wall_ns: int) -> FeedStatus | None:
        """Whoever holds the book found it wrong."""
        wire = self._by_symbol[symbol]
        guard = self.guards[wire]
        if guard.told is FeedState.LIVE:
            self._trusts[wire].note_contradiction(recv_ns)
        guard.suspect(reason)
        return guard.status(recv_ns, wall_ns)

    def audited(self, symbol: str, found: Difference) -> None:
        """REST was asked about a book. One that does not stand it is asked for anew."""
        wire = self._by_symbol[symbol]
        trust, guard = self._trusts[wire], self.guards[wire]
        trust.audit = found
        if 100 - found.wrong_percent < TRUSTED:
            guard.suspect(f"REST differs in {found.wrong} of {found.levels} levels")
            self._settle()

    def guard(self, symbol: str) -> ProductGuard:
        """What is believed of a product, by our own name for it."""
        return self.guards[self._by_symbol[symbol]]

    def unique_trades(self, symbol: str) -> int:
        """Distinct trades of a product seen, history included."""
        return self.session.unique_trades(self._by_symbol[symbol])

    def trust(self, symbol: str, settings: NetworkSettings) -> Trust:
        """How far a book is to be trusted, and why no further."""
        return self._assess(self._by_symbol[symbol], settings, self._clock.monotonic_ns())

    def drop(self, reason: str) -> None:
        """Make the connection anew."""
        if self.connection is not None:
            self.connection.drop(reason)

    def look(self, settings: NetworkSettings) -> None:
        """See how things stand; called a few times in every tenth of a second."""
        connection = self.connection
        if connection is None or not connection.is_open:
            return
        now_ns = self._clock.monotonic_ns()
        if connection.bytes_received != self._bytes:
            self._bytes, self._bytes_ns = connection.bytes_received, now_ns
        self._look_at_connection(connection, settings, now_ns)
        for wire, guard in self.guards.items():
            guard.check_silence(now_ns, settings.stale_soft_ms * _MS)
            if guard.book_ns is not None:
                trust = self._assess(wire, settings, now_ns)
                guard.set_condition("trust", "" if trust.is_enough else trust.reason)
            self._pursue(connection, wire, guard)
        if all(guard.told is FeedState.LIVE for guard in self.guards.values()):
            connection.healthy()
        self._settle()

    # -- inside ----------------------------------------------------------------------------------

    def _assess(self, wire: str, settings: NetworkSettings, now_ns: int) -> Trust:
        book_ns = self.guards[wire].book_ns
        age_ns = settings.stale_soft_ms * _MS if book_ns is None else now_ns - book_ns
        return self._trusts[wire].assess(
            now_ns, age_ns, settings.stale_soft_ms * _MS, now_ns - self._heartbeat_ns
        )

    def _stamps(self) -> tuple[int, int]:
        return self._clock.monotonic_ns(), self._clock.wall_ns()

    def _take(self, events: list[MarketEvent]) -> None:
        """Pass a session's events on, with our own word on the books in place of the session's."""
        out: list[MarketEvent] = []
        for event in events:
            kind = type(event)
            if kind is BookUpdate or kind is BookSnapshot:
                wire = self._by_symbol[event.product]
                guard = self.guards[wire]
                guard.on_book(event.recv_ns, is_snapshot=kind is BookSnapshot)
                if kind is BookSnapshot:
                    self._trusts[wire].note_snapshot()
                out.append(event)
            elif isinstance(event, FeedStatus):
                guard = self.guards[self._by_symbol[event.product]]
                guard.on_session(event.state, event.reason)
                status = guard.status(event.recv_ns, event.wall_ns)
                if status is not None:
                    out.append(status)
            else:
                out.append(event)
        if out:
            self._outlet.emit(out)

    def _judge(self, before: tuple[int, int, int, int], now_ns: int) -> None:
        """What the last frame was, by what it has been counted as."""
        counters = self.session.counters
        malformed, heartbeats, errors, _ = before
        if counters.heartbeats > heartbeats:
            self._heartbeat_ns = now_ns
        if counters.errors > errors:
            self._outlet.complained(counters.last_error)
        if counters.malformed > malformed:
            self._malformed.append(now_ns)
            if len(self._malformed) == _MALFORMED and now_ns - self._malformed[0] <= _MALFORMED_WITHIN_NS:
                self.drop(f"{_MALFORMED} frames within 10 s could not be read")
        if self.session.has_lost_frames:
            for trust in self._trusts.values():
                trust.note_gap(now_ns)
            guard = next(iter(self.guards.values()))
            self.drop(guard.suspicion or "frames were lost")

    def _measure(self, now_ns: int) -> None:
        self._lag_ns = now_ns
        text = self.session.last_sent
        sent_ns = self.session.times.ns(text) if text else 0
        if not sent_ns:
            return
        self.lateness.note(now_ns, self._clock.wall_ns(), sent_ns)
        if self.lateness.behind_ns > LATE_NS:
            reason = f"{self.lateness.behind_ns / 1e6:,.0f} ms behind the venue"
            for guard in self.guards.values():
                guard.suspect(reason)
            self._settle()
            self.drop(reason)

    def _look_at_connection(self, connection: Connection, settings: NetworkSettings, now_ns: int) -> None:
        is_settled = all(
            guard.book_ns is not None and not self._resyncs[wire].is_under_way
            for wire, guard in self.guards.items()
        )
        connection.settled(is_settled)
        silent_ns = now_ns - (self._frame_ns if is_settled else max(self._frame_ns, self._bytes_ns))
        beat_ns = now_ns - self._heartbeat_ns
        late_ns = self.lateness.late_by_ns(self._clock_offset_ns())
        no_beat = f"no heartbeat for {beat_ns / 1e9:.1f} s" if beat_ns > _HEARTBEAT_NS else ""
        late = f"{late_ns / 1e6:,.0f} ms late" if late_ns is not None and late_ns > FAR_NS else ""
        for guard in self.guards.values():
            guard.set_condition("heartbeat", no_beat)
            guard.set_condition("late", late)
        if silent_ns > settings.stale_hard_ms * _MS:
            connection.drop(f"silent for {silent_ns / 1e9:.1f} s")
        elif is_settled and beat_ns > _NO_HEARTBEAT_NS:
            connection.drop(no_beat)
        elif now_ns - self._opened_ns > _FIRST_BOOKS_NS and self._missing():
            connection.drop(f"no book of {', '.join(self._missing())} within 60 s")

    def _missing(self) -> list[str]:
        """Products whose first book on this connection has not come, and was not asked for again."""
        return [
            guard.symbol
            for wire, guard in self.guards.items()
            if guard.book_ns is None and not self._resyncs[wire].is_under_way
        ]

    def _pursue(self, connection: Connection, wire: str, guard: ProductGuard) -> None:
        """Get a new book where one is wanted: one on its way already, or a silent product, is waited for."""
        is_wanted = guard.wants_snapshot and not guard.was_silent
        listed = self.session.listed
        resync = self._resyncs[wire]
        step = resync.step(is_wanted=is_wanted, has_left=listed is not None and wire not in listed)
        if step is Step.LEAVE:
            connection.send(book_request(self._api, "unsubscribe", wire))
        elif step is Step.ASK:
            connection.send(book_request(self._api, "subscribe", wire))
        elif step is Step.GIVE_UP:
            connection.drop(f"no new book of {guard.symbol} came: {guard.suspicion}")

    def _settle(self) -> None:
        """Say what has changed by the passing of time."""
        now_ns, wall_ns = self._stamps()
        out: list[MarketEvent] = [
            status for guard in self.guards.values() if (status := guard.status(now_ns, wall_ns))
        ]
        if out:
            self._outlet.emit(out)
