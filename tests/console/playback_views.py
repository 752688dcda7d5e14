"""A scripted playback: an hour of a recorded session, seen from its thirteenth minute."""

from __future__ import annotations

from typing import Any

import msgspec
from console import views
from console.fakes import FakeSession

from engine.link.events import AnyEngineEvent
from engine.link.messages import EngineHello, Moved
from engine.link.mirror import EngineMirror
from engine.link.view import ALERTS, CANCELS, FILLS, MOST_BUCKETS, Playback, Track, View

NAME = "sim-btc-usd-0007"
START = views.WALL - views.TIME
HOUR_NS = 3_600 * views.S


def track(kind: str, counts: dict[int, int], **changes: Any) -> Track:
    """Counts by bucket; the position stands in bucket 83."""
    passed = sum(count for bucket, count in counts.items() if bucket <= 83)
    made = Track(
        kind,
        bytes(counts.get(bucket, 0) for bucket in range(MOST_BUCKETS)),
        passed,
        sum(counts.values()),
        views.TIME - 3_200 * views.MS,
        views.TIME + 12 * views.S,
    )
    return msgspec.structs.replace(made, **changes)


def tracks() -> tuple[Track, ...]:
    fills = {
        bucket: 1 + bucket % 3 // 2 for bucket in range(400) if bucket * 37 % 23 < 3 or 180 < bucket < 190
    }
    alerts = {61: 1, 187: 2, 188: 1, 330: 1}
    cancels = {n: 2 + n * n % 11 + (30 if 176 < n < 200 else 0) for n in range(400)}
    return (
        track(FILLS, fills),
        track(ALERTS, alerts, last_ns=views.TIME - 201 * views.S, next_ns=views.TIME + 938 * views.S),
        track(CANCELS, cancels, last_ns=views.TIME - 400 * views.MS, next_ns=views.TIME + 200 * views.MS),
    )


def playback(**changes: Any) -> Playback:
    made = Playback(24_360, 0, 118_204, 0, HOUR_NS, START, START + HOUR_NS, 1.0, False, tracks=tracks())
    return msgspec.structs.replace(made, **changes)


def view(*, at: dict[str, Any] | None = None, **changes: Any) -> View:
    """A view of the playback; `at` are other values of its `Playback`."""
    made = views.view(playback=playback(**(at or {})), wall_ns=views.WALL + 86_400 * 30 * views.S)
    return msgspec.structs.replace(made, **changes)


def hello(**changes: Any) -> EngineHello:
    return msgspec.structs.replace(views.hello(engine_id="9a.1", session="", plays=NAME), **changes)


def mirror(*, shown: View | None = None, events: tuple[AnyEngineEvent, ...] | None = None) -> EngineMirror:
    return views.mirror(greeting=hello(), shown=shown or view(), events=events)


def session(**changes: Any) -> FakeSession:
    """A console's session with the scripted playback; `changes` are those of its `Playback`."""
    return FakeSession(mirror(shown=view(at=changes)))


def moved(last: int, at: dict[str, Any] | None = None, **changes: Any) -> Moved:
    """The playback stands elsewhere: up to event `last` of those that happened."""
    events = tuple(event for event in views.happened() if event.eseq <= last)
    return Moved(hello(engine_id=f"9a.{last}", last_event=last), events, view(at=at, **changes))
