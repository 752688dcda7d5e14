"""Reads a session in again: the newest snapshot, then what the journal has after it, through the Traders.

A market that we make ourselves happens once more beside them, from the same moment, seed and orders; what
it tells must be what is on record. So it goes on afterwards as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.config import Config
from engine.core.clock import Clock, ManualClock
from engine.core.events import (
    NOT_SENT,
    AnyCommand,
    AnyEvent,
    CancelOrder,
    MarketEvent,
    OrderEvent,
    OrderRejected,
    SubmitOrder,
    Timer,
)
from engine.exchange.paper import PaperVenue
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError
from engine.persistence.format import RecordType
from engine.persistence.records import Entry, SessionEnded
from engine.persistence.records import decode as decode_record
from engine.persistence.recovery import recover
from engine.persistence.scanner import Record
from engine.runtime.builder import Market
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.runtime.replayer import Parts, Replayer, take_apart
from engine.runtime.session_state import StateKeeper, decode
from engine.runtime.stages import CROSSED, MarketDataStage, in_order_of_arrival

_ADVICE = (
    ". Nothing was changed and no order was sent; look at it with `pinnacle-tui replay SESSION --verify`, or "
    "begin another session with --new"
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found of a session that goes on; told once all of it has been verified."""

    session: str
    snapshot_seq: int | None
    """None where everything was read from the first record on."""
    records: int
    """After the snapshot."""
    events: int
    digests: int
    seconds: float
    bytes_dropped: int
    records_dropped: int
    kept_as: str
    warnings: tuple[str, ...]

    def sentence(self) -> str:
        """All of it, for people."""
        start = f"its state at record {self.snapshot_seq}, then " if self.snapshot_seq is not None else ""
        checked = f", {self.digests} digests agree" if self.digests else ""
        dropped = ""
        if self.bytes_dropped:
            dropped = (
                f"; {self.bytes_dropped} bytes behind its last whole batch were cut off and are kept in "
                f"{self.kept_as}"
            )
        warned = "".join(f"; {warning}" for warning in self.warnings)
        return (
            f"session {self.session} goes on: {start}{self.records} records with {self.events} events were "
            f"read in {self.seconds:.2f} s{checked}{dropped}{warned}"
        )


@dataclass(slots=True)
class ReadIn:
    """Where a session stands, and what was read to get there."""

    continuation: Continuation = field(default_factory=Continuation)
    report: Report | None = None
    records: int = 0
    """After the snapshot."""
    events: int = 0
    digests: int = 0
    """That were checked."""
    ended: SessionEnded | None = None
    """The session's last word, if it is one."""


def read_in(
    name: str,
    directory: JournalDirectory,
    market: Market,
    clock: ManualClock,
    real: Clock,
    config: Config,
) -> ReadIn:
    """Bring freshly built desks and markets to where the session's journal ends, and repair a torn end.

    Raises `DamageError` when the journal is damaged, or is not what the Traders and the market do.
    """
    began = real.monotonic_ns()
    log = recover(directory, is_cut_allowed=config.engine.mode != "live")
    resumption = Resumption(
        market,
        clock,
        real,
        config.engine.timer_interval_ms * 1_000_000,
        unsent_orders(log.records()),
    )
    read = resumption.read
    for desk in market.desks:
        desk.trader.strategy.start()
    if log.snapshot is not None:
        state = decode(log.snapshot.body)
        StateKeeper(market.desks, market.exchanges, clock).load(state)
    for batch in log.batches():
        resumption.take(batch)
    read.continuation = log.continuation
    read.report = Report(
        session=name,
        snapshot_seq=None if log.snapshot is None else log.snapshot.seq,
        records=read.records,
        events=read.events,
        digests=read.digests,
        seconds=(real.monotonic_ns() - began) / 1e9,
        bytes_dropped=log.bytes_dropped,
        records_dropped=log.records_dropped,
        kept_as=log.kept_as,
        warnings=tuple(log.warnings),
    )
    return read


class Resumption:
    """Takes in the batches of a journal, in order, and brings desks and market to where they ended.

    Raises `DamageError`, naming the record, when a Trader or a market of ours does other than what is on
    record: what stands there is not what these programs do.
    """

    def __init__(
        self, market: Market, clock: ManualClock, real: Clock, timer_interval_ns: int, unsent: frozenset[str]
    ) -> None:
        """`unsent` are the client ids of recorded orders that never left; see `unsent_orders`."""
        self.read = ReadIn()
        self._desks = {desk.product: desk for desk in market.desks}
        self._awake = set(self._desks)
        """The desks that have had their wake-up at the present moment."""
        self._clock = clock
        self._timer_interval_ns = timer_interval_ns
        self._is_live = market.clock is not None
        self._unsent = unsent
        self._replayer = Replayer({product: desk.trader for product, desk in self._desks.items()})
        self._market_data = MarketDataStage(market.feeds, self._desks, clock, real)

    def take(self, batch: Sequence[Entry]) -> None:
        """One batch: a wake-up of a desk, something it was told, or notes."""
        parts = take_apart(batch)
        self.read.records += len(batch)
        desk = self._desks.get(parts.product)
        timer = parts.events[-1] if parts.events else None
        if desk is not None and isinstance(timer, Timer):
            if self._is_live:
                self._happen_on_paper(desk, timer, parts)
            else:
                self._happen(desk, timer, parts)
        self._replayer.take(parts)
        if self._replayer.divergence is not None:
            raise DamageError(f"{self._replayer.divergence.sentence()}{_ADVICE}")
        if desk is not None:
            if self._happens_again(desk):
                self._send(desk, parts.commands)
            if isinstance(timer, Timer) and desk.is_book_impossible and not self._is_live:
                self._market_data.distrust(desk, CROSSED)
            self._watch(desk, parts)
        self.read.events, self.read.digests = self._replayer.events, self._replayer.digests
        last = parts.notes[-1] if parts.notes else None
        self.read.ended = last if isinstance(last, SessionEnded) else None

    def _happen(self, desk: Desk, timer: Timer, parts: Parts) -> None:
        """Let the market go on to the moment of a wake-up; it must tell what is on record."""
        if timer.recv_ns > self._clock.monotonic_ns() or desk.product in self._awake:
            self._clock.advance_to(timer.recv_ns)
            self._market_data.step()
            self._awake.clear()
        self._awake.add(desk.product)
        desk.next_timer_ns = timer.recv_ns + self._timer_interval_ns
        if in_order_of_arrival(desk) != [event for event in parts.events[:-1] if not _is_our_word(event)]:
            raise DamageError(
                f"record {parts.seq}: the market of {desk.product} does not repeat itself{_ADVICE}"
            )

    def _happens_again(self, desk: Desk) -> bool:
        """False for a venue on the network: what was sent then it has had, and nothing is sent twice."""
        return not self._is_live or isinstance(desk.venue, PaperVenue)

    def _happen_on_paper(self, desk: Desk, timer: Timer, parts: Parts) -> None:
        """The market on the network is what is on record; a paper venue in it must answer what is, too."""
        self._clock.advance_to(timer.recv_ns)
        desk.next_timer_ns = timer.recv_ns + self._timer_interval_ns
        venue = desk.venue
        if not isinstance(venue, PaperVenue):
            return
        for event in parts.events:
            if isinstance(event, MarketEvent):
                venue.on_market(event)
        answers = [
            event for event in parts.events if isinstance(event, OrderEvent) and not _is_our_word(event)
        ]
        if venue.poll(timer.recv_ns) != answers:
            raise DamageError(
                f"record {parts.seq}: the paper venue of {desk.product} does not repeat itself{_ADVICE}"
            )

    def _send(self, desk: Desk, commands: Sequence[AnyCommand]) -> None:
        unsent = self._unsent
        for command in commands:
            if isinstance(command, CancelOrder) and command.client_id not in unsent:
                desk.venue.cancel(command)
        for command in commands:
            if isinstance(command, SubmitOrder) and command.client_id not in unsent:
                desk.venue.submit(command)

    @staticmethod
    def _watch(desk: Desk, parts: Parts) -> None:
        trader = desk.trader
        trader.drain_alerts()
        wake = WakeUp(parts.events, parts.commands, trader.drain_fills(), trader.orders.drain_ended())
        desk.watcher.on_wake_up(wake)


def unsent_orders(records: Iterable[Record]) -> frozenset[str]:
    """The client ids of orders that were recorded and never left, by our own word."""
    rejected = (
        decode_record(record.payload, record.seq)
        for record in records
        if record.kind == RecordType.ORDER_REJECT
    )
    return frozenset(
        each.client_id for each in rejected if isinstance(each, OrderRejected) and each.code == NOT_SENT
    )


def _is_our_word(event: AnyEvent) -> bool:
    return isinstance(event, OrderRejected) and event.code == NOT_SENT
