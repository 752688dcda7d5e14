"""What a recorded session holds and where: read once, in slices, while it can already be looked at."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Concatenate, Final, NamedTuple, ParamSpec

import msgspec

from engine.core.events import Alert, AnyEvent, OrderCancelled, OrderFilled, Recovered, Severity
from engine.link.events import AnyEngineEvent
from engine.link.view import ALERTS, CANCELS, FILLS
from engine.runtime.builder import build_portfolio
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.runtime.past_venue import PastVenue
from engine.runtime.recorded_session import RecordedSession
from engine.runtime.replayer import Parts, Replayer, take_apart
from engine.runtime.view_events import EventTeller
from engine.runtime.watcher import WatcherState
from engine.trader.state import TraderState

P = ParamSpec("P")

KINDS: Final = (FILLS, CANCELS, ALERTS)
_KEYFRAME_EVERY: Final = 5_000
"""Events between two saved states at first; a jump computes no more than that anew."""
_MOST_KEYFRAMES: Final = 2_000
"""Of about 50 KB each. Where more are needed, every second one is let go."""
_ALARMING: Final = frozenset({Severity.WARNING, Severity.ERROR, Severity.CRITICAL})


class PastDesk(msgspec.Struct, frozen=True):
    """One product of a saved state."""

    trader: TraderState
    watcher: WatcherState


class PastEngine(msgspec.Struct, frozen=True):
    """A saved state."""

    desks: dict[str, PastDesk]
    now_ns: int
    peaks: dict[str, int | None]
    """Of all products together, by quote currency."""


class Keyframe(NamedTuple):
    """The state at a position, encoded and compressed."""

    position: int
    body: bytes


class Stage:
    """The desks of a session at one position, and what happens on them when a batch is shown to them."""

    def __init__(self, recorded: RecordedSession, teller: EventTeller) -> None:
        self.replayer: Replayer = recorded.replayer()
        venue = recorded.session.info.venue
        self.desks = {
            product: Desk(trader, PastVenue(venue)) for product, trader in self.replayer.traders.items()
        }
        if recorded.begin is not None:
            for product, desk in self.desks.items():
                desk.watcher.load(recorded.begin.desks[product].watcher)
        traders = [desk.trader for desk in self.desks.values()]
        self.portfolio = build_portfolio(recorded.session.config(), traders)
        """Limits over all products. What it asks of the Traders is on record: it is only looked at."""
        self._now_ns = -1
        self._teller = teller

    def tell_to(self, teller: EventTeller) -> None:
        """Whoever is told from now on."""
        self._teller = teller

    def show(self, parts: Parts) -> list[Alert]:
        """Show a wake-up; the alerts that came of it. What happened is told to the teller."""
        if parts.events:
            self._follow_peaks(parts.events)
        self.replayer.take(parts)
        desk = self.desks.get(parts.product)
        if desk is None or self.replayer.divergence is not None:
            return []
        trader = desk.trader
        wake = WakeUp(parts.events, parts.commands, trader.drain_fills(), trader.orders.drain_ended())
        alerts = [*trader.drain_alerts(), *(note for note in parts.notes if isinstance(note, Alert))]
        desk.watcher.on_wake_up(wake)
        self._teller.on_wake_up(desk, wake)
        if alerts:
            self._teller.on_alerts(desk, alerts)
        return alerts

    def _follow_peaks(self, coming: Sequence[AnyEvent]) -> None:
        """Judge all products as the engine did: once a moment, after all wake-ups of it."""
        if coming[-1].recv_ns > self._now_ns:
            self.portfolio.judge()
            self._now_ns = coming[-1].recv_ns
        if any(type(event) is Recovered for event in coming):
            # An engine that goes on after a crash does not know what there was.
            self.portfolio.load_peaks(dict.fromkeys(self.portfolio.peaks()))

    def save(self) -> bytes:
        """The state now, as the body of a keyframe."""
        desks = {
            product: PastDesk(desk.trader.save(), desk.watcher.save()) for product, desk in self.desks.items()
        }
        return zlib.compress(
            msgspec.msgpack.encode(PastEngine(desks, self._now_ns, self.portfolio.peaks())), level=1
        )

    def load(self, body: bytes) -> None:
        """Be at the position where this was saved. The desks must be fresh."""
        saved = msgspec.msgpack.decode(zlib.decompress(body), type=PastEngine)
        for product, desk in self.desks.items():
            desk.trader.load(saved.desks[product].trader)
            desk.watcher.load(saved.desks[product].watcher)
        self._now_ns = saved.now_ns
        self.portfolio.load_peaks(saved.peaks)


class PlaybackIndex:
    """Positions between wake-ups, counted from 0, the beginning, and everything that is told on the way.

    `read` reads on; until it has come to the end, what is behind `count` cannot be gone to.
    """

    def __init__(self, recorded: RecordedSession) -> None:
        info, begin = recorded.session.info, recorded.begin
        self.seqs = array("q", [recorded.from_seq - 1])
        """The record before each position,"""
        self.times = array("q", [0 if begin is None else begin.now_ns])
        """and its engine time,"""
        self.walls = array("q", [info.start_wall_ns if begin is None else begin.wall_ns])
        """and its wall time,"""
        self.told = array("q", [0])
        """and how many events were told up to it."""
        self.events: list[AnyEngineEvent] = []
        self.marks: dict[str, array[int]] = {kind: array("q") for kind in KINDS}
        """By kind, the position right after each such thing, in order."""
        self.keyframes: list[Keyframe] = []
        self.divergence = ""
        self._recorded = recorded
        self._stage = Stage(recorded, EventTeller(self._publish))
        self.keyframes.append(Keyframe(0, self._stage.save()))
        self._every = _KEYFRAME_EVERY
        self._since = 0
        self._batches = self._reading()
        self.is_read = False

    def _publish(
        self, event: Callable[Concatenate[int, P], AnyEngineEvent], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        self.events.append(event(len(self.events) + 1, *args, **kwargs))

    @property
    def share(self) -> float:
        """How much of the session has been read, 0 to 1."""
        return 1.0 if self.is_read else min(0.999, self.seqs[-1] / max(1, self._recorded.last_seq))

    @property
    def last(self) -> int:
        """The last position that can be gone to."""
        return len(self.seqs) - 1

    def read(self, wake_ups: int) -> None:
        """Read so many wake-ups on."""
        for _ in range(wake_ups):
            if next(self._batches, None) is None:
                self.is_read = True
                return

    def _reading(self) -> Iterator[int]:
        for batch in self._recorded.batches():
            parts = take_apart(batch)
            alerts = self._stage.show(parts)
            found = self._stage.replayer.divergence
            if found is not None:
                self.divergence = found.sentence()
                return
            if not parts.events:
                continue
            last = parts.events[-1]
            self.seqs.append(parts.seq)
            self.times.append(last.recv_ns)
            self.walls.append(last.wall_ns)
            self.told.append(len(self.events))
            self._mark(parts, alerts)
            self._since += len(parts.events)
            if self._since >= self._every:
                self._since = 0
                self.keyframes.append(Keyframe(self.last, self._stage.save()))
                if len(self.keyframes) > _MOST_KEYFRAMES:
                    del self.keyframes[1::2]
                    self._every *= 2
            yield self.last

    def _mark(self, parts: Parts, alerts: list[Alert]) -> None:
        at = self.last
        for event in parts.events:
            if isinstance(event, OrderFilled):
                self.marks[FILLS].append(at)
            elif isinstance(event, OrderCancelled):
                self.marks[CANCELS].append(at)
        for alert in alerts:
            if alert.severity in _ALARMING:
                self.marks[ALERTS].append(at)

    # -- finding ---------------------------------------------------------------------------------

    def position_of_seq(self, seq: int) -> int:
        """The last position up to a record."""
        return max(0, bisect_right(self.seqs, seq) - 1)

    def position_at(self, time_ns: int) -> int:
        """The last position up to an engine time."""
        return max(0, bisect_right(self.times, time_ns) - 1)

    def next_mark(self, kind: str, position: int) -> int | None:
        """The position right after the next thing of a kind; None where there is none."""
        marks = self.marks[kind]
        index = bisect_right(marks, position)
        return marks[index] if index < len(marks) else None

    def previous_mark(self, kind: str, position: int) -> int | None:
        """The position right after the last thing of a kind before the one that `position` is right after."""
        marks = self.marks[kind]
        index = bisect_right(marks, position - 1) - 1
        return marks[index] if index >= 0 else None

    def keyframe(self, position: int) -> Keyframe:
        """The last saved state at or before a position."""
        return self.keyframes[self._saved_up_to(position) - 1]

    def next_keyframe(self, position: int) -> int:
        """The position of the first saved state behind a position; the last position where there is none."""
        following = self._saved_up_to(position)
        return self.keyframes[following].position if following < len(self.keyframes) else self.last

    def _saved_up_to(self, position: int) -> int:
        return bisect_right(self.keyframes, position, key=lambda each: each.position)

    def wake_ups(self, position: int) -> Iterator[Parts]:
        """The wake-ups after a position, from the disk."""
        for batch in self._recorded.batches(self.seqs[position] + 1):
            parts = take_apart(batch)
            if parts.events:
                yield parts
