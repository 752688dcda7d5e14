"""An event loop on which time passes only when everybody waits: hours of timers take milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Nobody(selectors.BaseSelector):
    """No descriptor is ever ready; waiting is the passing of time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(
            fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data
        )
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits and nothing is due: a deadlock")
        self.now += max(0.0, timeout)
        return []

    def get_map(self) -> Any:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0."""

    def __init__(self) -> None:
        self._nobody = _Nobody()
        super().__init__(self._nobody)

    def time(self) -> float:
        return self._nobody.now


class LoopClock:
    """The clock of a `VirtualLoop`; the wall began at a given nanosecond."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wall_ns: int = 1_760_000_000_000_000_000) -> None:
        self._loop = loop
        self._wall = wall_ns

    def monotonic_ns(self) -> int:
        return round(self._loop.time() * 1e9)

    def wall_ns(self) -> int:
        return self._wall + self.monotonic_ns()


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; a task that is left over, or that fails unseen, is an error."""
    loop = VirtualLoop()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    try:
        result = loop.run_until_complete(work)
        left = asyncio.all_tasks(loop)
        assert not left, f"tasks left over: {left}"
        assert not failures, failures
        return result
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        if left := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
