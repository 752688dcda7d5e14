"""The session that this process writes: begun or gone on with, kept, and ended in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from os import getpid
from typing import Final, NamedTuple, Protocol

import msgspec

from engine.config import Config, Resolved
from engine.core.clock import Clock, ManualClock
from engine.core.events import AnyEvent, FeedState, FeedStatus, OrderAccepted, Recovered
from engine.exchange.account import Opening
from engine.exchange.protocol import ListingPending
from engine.link.view import Journal as JournalView
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.journal import Journal
from engine.persistence.records import Reconciled, SessionEnded, SessionStarted
from engine.persistence.settings import Durability
from engine.runtime import session_opening as opening
from engine.runtime.builder import Market, build_market
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.outcome import Outcome
from engine.runtime.read_in import ReadIn, Report, read_in
from engine.runtime.recorder import UNRECORDED, JournalRecorder, Recorder
from engine.runtime.session_snapshots import SessionSnapshots
from engine.runtime.session_state import StateKeeper
from engine.runtime.session_store import StoredSession, data_dir_of, end_of, write
from engine.runtime.storage_watch import StorageWatch

_MS: Final = 1_000_000
_KIB: Final = 1 << 10


class Session:
    """What a run trades on and where it is kept. Made by `open_session`.

    In order: `attach` it to the engine that was built over it, `resume` when whoever watches is there,
    run, `end`. Without a journal all of them do nothing.
    """

    def __init__(self, resolved: Resolved, market: Market, clock: ManualClock) -> None:
        self.resolved = resolved
        """The configuration in force: that of the session where it goes on."""
        self.market = market
        self.clock = clock
        """The engine's own."""
        self.recorder: Recorder = UNRECORDED
        self.report: Report | None = None
        """What was found of a session that goes on; None for a new one."""

    @property
    def name(self) -> str:
        """What it is kept as; empty when it is not."""
        return ""

    def gauge(self) -> JournalView | None:
        """How the journal does; None where there is none."""
        return None

    def notices(self) -> tuple[str, ...]:
        """What whoever starts the run should be told, one sentence each."""
        return () if self.report is None else (self.report.sentence(),)

    def attach(self, engine: Engine) -> None:
        """Record what this engine does. To be called inside the running event loop."""

    def resume(self, engine: Engine) -> None:
        """Tell the Traders of a session that goes on what befell them, and what the market has of them."""

    async def end(self, outcome: Outcome) -> Outcome:
        """The run has ended: so has the session, in order, where no order is open.

        The outcome to be told: a session that could not be ended on the disk did not end well.
        """
        return outcome


class KeptSession(Session):
    """A session with a journal."""

    def __init__(
        self,
        resolved: Resolved,
        market: Market,
        clock: ManualClock,
        real: Clock,
        stored: StoredSession,
        directory: JournalDirectory,
        read: ReadIn,
        changes: dict[str, str],
    ) -> None:
        super().__init__(resolved, market, clock)
        self.report = read.report
        self.stored = stored
        self._directory = directory
        self._read = read
        self._changes = changes
        self._real = real
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        settings = resolved.config.persistence
        self.journal = Journal(
            directory,
            read.continuation,
            durability=Durability(settings.durability),
            segment_bytes=settings.segment_kib * _KIB,
            sync_interval_ns=settings.sync_interval_ms * _MS,
            wall_ns=real.wall_ns,
            monotonic_ns=real.monotonic_ns,
            on_acked=self._acked,
            on_failed=self._failed,
        )
        self._recorder = JournalRecorder(self.journal, settings.digest_every)
        self.recorder = self._recorder
        self._snapshots: SessionSnapshots | None = None
        self._watch: StorageWatch | None = None

    @property
    def name(self) -> str:
        """See `Session`."""
        return self.stored.name

    def gauge(self) -> JournalView | None:
        """See `Session`."""
        journal = self.journal
        return JournalView(
            self.name, self.resolved.config.persistence.durability, journal.last_seq, *journal.lag()
        )

    def attach(self, engine: Engine) -> None:
        """See `Session`."""
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self.journal.start()
        self._recorder.note(SessionStarted(version("pinnacle-tui"), getpid()))
        settings = self.resolved.config.persistence
        if self.market.exchanges or self.market.clock is not None:
            states = StateKeeper(self.market.desks, self.market.exchanges, self.clock)
            self._snapshots = SessionSnapshots(
                self.journal, self._directory, self._recorder, settings, self._real, states, engine
            )
            engine.after_step = self._snapshots.after_step
        self.market.bell.keep_notes(self._note, self._accept)

    def resume(self, engine: Engine) -> None:
        """See `Session`."""
        if self.report is not None:
            for desk in self.market.desks:
                self._account_for(desk, engine)
            if self._changes:
                engine.change_settings(self._changes)
        # From here on: what was held for the disk of before the crash has ended, and is judged anew.
        self._watch = StorageWatch(self.journal, engine, self._real)
        self._watch.start(asyncio.get_running_loop())

    def _account_for(self, desk: Desk, engine: Engine) -> None:
        """Every order of before is uncertain; those that the venue lists are certain again.

        A venue on the network is asked by its own edge, which accounts for each of them.
        """
        now, wall = self.clock.monotonic_ns(), self.clock.wall_ns()
        try:
            listed = set(desk.venue.open_orders())
        except ListingPending:
            listed = set()
        decided: dict[str, str] = {}
        assert self.report is not None
        news: list[AnyEvent] = [Recovered(desk.product, now, wall, self.report.sentence())]
        if self.market.clock is not None:
            # The book is that of before: nothing is judged by it until the feed has brought another one.
            reason = "the engine has not heard of it since it ended"
            news.append(FeedStatus(desk.product, now, wall, FeedState.STALE, reason))
        for order in desk.trader.orders.open_orders():
            is_found = order.client_id in listed and order.accepted_ns is not None
            decided[order.client_id] = "confirmed" if is_found else "unresolved"
            if is_found:
                news.append(OrderAccepted(desk.product, now, wall, order.client_id, order.venue_order_id))
        engine.inform(desk, news)
        if not self._recorder.is_failed:
            self._recorder.note(Reconciled(desk.product, f"open orders at {desk.venue.name}", decided))

    def _note(self, compared: Reconciled) -> None:
        """Put a comparison with the venue on record; a journal that fails over it ends the engine itself."""
        with suppress(JournalError):
            self._recorder.note(compared)

    def _accept(self, product: str, baseline: Mapping[str, Decimal]) -> None:
        """What a person has accepted of the account holds for the next engine too."""
        info = self.stored.info
        try:
            self.stored = write(
                self.stored.path,
                msgspec.structs.replace(info, baselines=info.baselines | {product: dict(baseline)}),
            )
        except JournalError:
            assert self._engine is not None
            text = (
                "what was accepted of the account cannot be kept: after a restart it must be accepted again"
            )
            self._engine.warn("BALANCES", text)

    def _acked(self, seq: int) -> None:
        if self._engine is not None:
            self._call(self._engine.on_acknowledged)

    def _failed(self, error: JournalError) -> None:
        if self._engine is not None:
            self._call(partial(self._engine.end, str(error), error.exit_code))

    def _call(self, what: Callable[[], object]) -> None:
        """From the journal's thread to the engine's loop."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._loop.call_soon_threadsafe(what)

    async def end(self, outcome: Outcome) -> Outcome:
        """See `Session`. With orders that may be open it is not over: the next start goes on with it."""
        if self._watch is not None:
            self._watch.stop()
        if self._snapshots is not None:
            await self._snapshots.settle()
        try:
            if outcome.is_proven and not self._recorder.is_failed:
                await self._finish(outcome)
            else:
                await asyncio.to_thread(self.journal.close)
        except JournalError as error:
            if not outcome.exit_code:
                return Outcome(f"{outcome.reason}; {error}", error.exit_code, outcome.open_orders)
        finally:
            self._directory.close()
        return outcome

    async def _finish(self, outcome: Outcome) -> None:
        self._recorder.note(SessionEnded(outcome.reason, outcome.exit_code, outcome.open_orders))
        await asyncio.to_thread(self.journal.finish)
        ended = end_of(self.market.desks, self.clock.wall_ns(), outcome.reason, outcome.exit_code)
        write(self.stored.path, self.stored.info, ended)


class Begun(NamedTuple):
    """How a session began: what the account held by product, and the wall time."""

    openings: Mapping[str, Opening]
    wall_ns: int
    baselines: Mapping[str, Mapping[str, Decimal]] = {}
    """See `SessionInfo`."""


class MarketMaking(Protocol):
    """Builds what is traded on: here (`Here`), or over the network."""

    def market(self, config: Config, begun: Begun | None) -> Market:
        """Desks, feeds and edges. `begun` is how the session that goes on began; None for a new one."""
        ...


class Here:
    """A market that is made by us or recorded. See `MarketMaking`."""

    def market(self, config: Config, begun: Begun | None) -> Market:
        """See `MarketMaking`."""
        return build_market(config)


def open_session(
    resolved: Resolved, real: Clock, *, is_new: bool = False, making: MarketMaking | None = None
) -> Session:
    """The session that a run goes on with, or a new one. Nothing was sent yet.

    Raises `LockedError` when its engine runs, `DamageError` for one that cannot be gone on with as it is,
    `UsageError` for settings that do not fit it.
    """
    making = making or Here()
    if not resolved.config.persistence.journal:
        market = making.market(resolved.config, None)
        return Session(resolved, market, _clock_of(market))
    data_dir = data_dir_of(resolved.config)
    with opening.choosing(data_dir):
        last = None if is_new else opening.unfinished(resolved, data_dir)
        if last is not None and (goes_on := _go_on(last, resolved, real, making)) is not None:
            return goes_on
        market = making.market(resolved.config, None)
        stored, directory = opening.begin(data_dir, resolved, market, real)
    try:
        return KeptSession(resolved, market, _clock_of(market), real, stored, directory, ReadIn(), {})
    except BaseException:
        directory.close()
        raise


def _clock_of(market: Market) -> ManualClock:
    """Engine time of a session that begins."""
    if market.clock is not None:
        market.clock.begin_at(0)
    return ManualClock(0, market.start_wall_ns)


def _go_on(last: StoredSession, resolved: Resolved, real: Clock, making: MarketMaking) -> Session | None:
    """Go on with a session; None when it turns out to have ended in order."""
    directory = opening.lock(last, resolved.config.engine.mode)
    try:
        resolved, changes = opening.continued(last, resolved)
        market = making.market(
            resolved.config, Begun(last.info.openings, last.info.start_wall_ns, last.info.baselines)
        )
        opening.require_same_account(last, market)
        opening.require_same_instruments(last, market)
        clock = ManualClock(0, last.info.start_wall_ns)
        read = read_in(last.name, directory, market, clock, real, resolved.config)
        resolved = opening.in_force(resolved, market, changes)
        if read.ended is not None:  # it was killed after its last word and before it could say so here
            ended = end_of(market.desks, clock.wall_ns(), read.ended.reason, read.ended.exit_code)
            write(last.path, last.info, ended)
            directory.close()
            return None
        if market.clock is not None:
            market.bell.known_until_ns = clock.wall_ns()
            market.clock.begin_at(clock.monotonic_ns())
            clock.realign(market.clock.wall_ns())
        return KeptSession(resolved, market, clock, real, last, directory, read, changes)
    except BaseException:
        directory.close()
        raise
