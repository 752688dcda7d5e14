"""Who sees what an engine does: what is told, and several who hear it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import NamedTuple, Protocol

from engine.core.events import Alert, AnyCommand, AnyEvent, Severity
from engine.core.ledger import BookedFill
from engine.core.own_orders import OwnOrder
from engine.runtime.desk import Desk
from engine.runtime.supervisor import ALERTS, Supervisor


class WakeUp(NamedTuple):
    """One wake-up of a desk, for whoever watches."""

    events: Sequence[AnyEvent]
    """What the Trader was shown, in order, whether or not it failed over it; at least one."""
    commands: Sequence[AnyCommand]
    """What was sent."""
    fills: Sequence[BookedFill] = ()
    """Those of the events that are fills and were booked."""
    ended: Sequence[OwnOrder] = ()
    """The orders that cannot trade any more from this wake-up on, each once, in the order they ended."""

    def timeline(self) -> Iterable[tuple[AnyEvent, int | None]]:
        """The events in order, each booked fill with the position after it; a repeated fill has none."""
        return self._paired() if self.fills else zip(self.events, repeat(None))

    def _paired(self) -> Iterator[tuple[AnyEvent, int | None]]:
        fills = deque(self.fills)
        for event in self.events:
            is_booked = bool(fills) and fills[0].fill is event
            yield event, fills.popleft().position if is_booked else None


class Observer(Protocol):
    """Whoever wants to see what happens: status lines, a journal, a console."""

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """What a desk was shown in one wake-up, and what it did."""
        ...

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """What a person should know."""
        ...

    def on_status(self, now_ns: int) -> None:
        """A status interval of engine time has passed."""
        ...


class Observers:
    """Shows what happens to each desk's own watcher, then to every observer in turn. See `Observer`.

    Each is supervised on its own: one that keeps failing is told of and left out for a while, and the
    others see everything all the same.
    """

    __slots__ = ("_last", "_observers", "_watchers")

    def __init__(self, *observers: Observer) -> None:
        self._watchers = Supervisor(self._report)
        self._observers: list[tuple[Observer, Supervisor]] = []
        self._last: tuple[Desk, int, int] | None = None
        """The desk seen last, and the engine and wall time then: an alert needs all three."""
        for observer in observers:
            self.add(observer)

    def add(self, observer: Observer) -> None:
        """One more, from now on."""
        self._observers.append((observer, Supervisor(self._report)))

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`."""
        now = wake.events[-1].recv_ns
        self._last = desk, now, wake.events[-1].wall_ns
        self._watchers.watch("desk watcher", now, lambda: desk.watcher.on_wake_up(wake))
        self._each("observer", now, lambda observer: observer.on_wake_up(desk, wake))

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`."""
        self._each(ALERTS, alerts[-1].recv_ns, lambda observer: observer.on_alerts(desk, alerts))

    def on_status(self, now_ns: int) -> None:
        """See `Observer`."""
        self._each("monitoring", now_ns, lambda observer: observer.on_status(now_ns))

    def _each(self, stage: str, now_ns: int, show: Callable[[Observer], None]) -> None:
        for observer, supervisor in self._observers:
            supervisor.watch(stage, now_ns, partial(show, observer))

    def _report(self, code: str, text: str) -> None:
        if self._last is not None:
            desk, now, wall = self._last
            self.on_alerts(desk, [Alert(desk.product, now, wall, Severity.ERROR, code, text)])
