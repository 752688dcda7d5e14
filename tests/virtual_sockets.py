"""An event loop on which waiting costs nothing, with sockets that work between parts of the same loop.

Time jumps to the next timer only when no socket has anything to say: what was sent is there before time
moves on. For loops without sockets see `virtual_time`.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from engine.core.clock import ManualClock

T = TypeVar("T")

_PATIENCE_S = 5.0
"""Of real time, for a thread or a process when no timer is left."""


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            ready = super().select(_PATIENCE_S)
            assert ready, "nothing will ever happen any more"
            return ready
        self._clock.advance(math.ceil(timeout * 1e9))
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose time is a `ManualClock`."""

    def __init__(self, clock: ManualClock) -> None:
        self._virtual = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._virtual.monotonic_ns() / 1e9


def run(main: Coroutine[Any, Any, T], clock: ManualClock) -> T:
    """Run to the end in virtual time; errors that nobody has seen are errors of the test."""
    unseen: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=lambda: JumpingLoop(clock)) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: unseen.append(context))
        result = runner.run(main)
    assert not unseen, unseen
    return result
