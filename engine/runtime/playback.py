"""A recorded session at a position that can be moved: the machine under the time travel."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Concatenate, NamedTuple, ParamSpec

from engine.core.clock import ManualClock
from engine.link.event_log import EventLog
from engine.link.events import AnyEngineEvent
from engine.link.view import MOST_BUCKETS, Track
from engine.link.view import Playback as PlaybackView
from engine.risk.portfolio import Portfolio
from engine.runtime.playback_index import KINDS, PlaybackIndex, Stage
from engine.runtime.recorded_session import RecordedSession
from engine.runtime.replayer import Parts
from engine.runtime.view_events import EventTeller

P = ParamSpec("P")

_MOST_EVENTS_TOLD = 1_000
"""Events up to a position that a console is told when it comes there."""
_WALKED = 3_000
"""Wake-ups that are shown one after the other where a jump goes onward."""


def _to_nobody(
    event: Callable[Concatenate[int, P], AnyEngineEvent], *args: P.args, **kwargs: P.kwargs
) -> None:
    """What happens on the way to a position is on record already."""


class _Span(NamedTuple):
    """The wake-ups between two saved states, decoded: a step back needs them again."""

    first: int
    """The position before them."""
    wake_ups: list[Parts]


class Playback:
    """Desks at a position, the index of all positions, and the events up to it in a log.

    `epoch` counts the moves that were anywhere but onward: after one, whoever looks on has to forget.
    """

    def __init__(self, recorded: RecordedSession, log: EventLog) -> None:
        self.recorded = recorded
        self.index = PlaybackIndex(recorded)
        self.log = log
        self.position = 0
        self.epoch = 0
        self.speed: float | None = 1.0
        self.is_playing = False
        self._teller = EventTeller(log.publish)
        self._counted: tuple[int, dict[str, bytes]] = (-1, {})
        self._span = _Span(0, [])
        self._settle_on(self._stage_at(0))

    # -- where it stands -------------------------------------------------------------------------

    @property
    def time_ns(self) -> int:
        """Engine time of the position."""
        return self.index.times[self.position]

    @property
    def portfolio(self) -> Portfolio:
        """Limits over all products at the position; another one after each jump."""
        return self._stage.portfolio

    @property
    def is_at_end(self) -> bool:
        """True where nothing more can be played, or not yet."""
        return self.position >= self.index.last

    def view(self) -> PlaybackView:
        """For consoles."""
        index = self.index
        return PlaybackView(
            position_seq=index.seqs[self.position],
            first_seq=index.seqs[0],
            last_seq=index.seqs[-1] if index.is_read else self.recorded.last_seq,
            first_ns=index.times[0],
            last_ns=index.times[-1],
            first_wall_ns=index.walls[0],
            last_wall_ns=index.walls[0] + index.times[-1] - index.times[0],
            speed=self.speed,
            is_playing=self.is_playing,
            read=index.share,
            tracks=tuple(self._track(kind) for kind in KINDS),
            divergence=index.divergence,
        )

    def _track(self, kind: str) -> Track:
        index = self.index
        marks = index.marks[kind]
        passed = bisect_right(marks, self.position)
        following = marks[passed] if passed < len(marks) else None
        return Track(
            kind,
            self._counts()[kind],
            passed,
            len(marks),
            index.times[marks[passed - 1]] if passed else None,
            None if following is None else index.times[following],
        )

    def _counts(self) -> dict[str, bytes]:
        """By kind, how often it happened in each bucket; counted anew only when more has been read."""
        index = self.index
        last, counts = self._counted
        if last == index.last:
            return counts
        first_ns, span = index.times[0], max(1, index.times[-1] - index.times[0])
        # A bucket ends before the first position whose time belongs to the next one.
        ends = [
            bisect_left(index.times, first_ns - (-number * span // MOST_BUCKETS))
            for number in range(1, MOST_BUCKETS)
        ]
        counts = {}
        for kind, marks in index.marks.items():
            passed = [0, *(bisect_left(marks, end) for end in ends), len(marks)]
            counts[kind] = bytes(min(after - before, 255) for before, after in pairwise(passed))
        self._counted = index.last, counts
        return counts

    # -- moving ----------------------------------------------------------------------------------

    def advance(self, wake_ups: int = 1, until_ns: int | None = None) -> int:
        """Show the next wake-ups, up to an engine time, which is reached between two; how many were shown."""
        shown = 0
        while shown < wake_ups and not self.is_at_end:
            if until_ns is not None and self.index.times[self.position + 1] > until_ns:
                self.clock.advance_to(until_ns)
                break
            self._show_next()
            shown += 1
        return shown

    def go_to(self, position: int) -> None:
        """Stand at a position. Onward and near, everything on the way is told; else `epoch` counts up."""
        target = min(max(0, position), self.index.last)
        if self.position <= target <= self.position + _WALKED:
            self.advance(target - self.position)
            return
        self.epoch += 1
        self._settle_on(self._stage_at(target), target)

    def _stage_at(self, target: int) -> Stage:
        keyframe = self.index.keyframe(target)
        stage = Stage(self.recorded, EventTeller(_to_nobody))
        stage.load(keyframe.body)
        for parts in islice(self._wake_ups(keyframe.position, target), target - keyframe.position):
            stage.show(parts)
        return stage

    def _wake_ups(self, first: int, target: int) -> list[Parts]:
        """Those from a saved state to the next one, or as far as has been read; `target` is among them."""
        span = self._span
        if span.first != first or first + len(span.wake_ups) < target:
            index = self.index
            count = index.next_keyframe(first) - first
            span = self._span = _Span(first, list(islice(index.wake_ups(first), count)))
        return span.wake_ups

    def _settle_on(self, stage: Stage, position: int = 0) -> None:
        index = self.index
        self.position = position
        self.desks = list(stage.desks.values())
        stage.tell_to(self._teller)
        self._stage = stage
        self.clock = ManualClock(index.times[position], index.walls[position])
        told = index.told[position]
        self.log.begin_anew(told, index.events[max(0, told - _MOST_EVENTS_TOLD) : told])
        self._next: Iterator[Parts] | None = None

    def _show_next(self) -> None:
        if self._next is None:
            self._next = self._following()
        self._stage.show(next(self._next))
        self.position += 1
        self.clock.advance_to(self.index.times[self.position])

    def _following(self) -> Iterator[Parts]:
        """The wake-ups after the position: those that are decoded already, then the others."""
        first, known = self._span
        passed = self.position - first
        if 0 <= passed < len(known):
            yield from known[passed:]
            yield from self.index.wake_ups(first + len(known))
        else:
            yield from self.index.wake_ups(self.position)
