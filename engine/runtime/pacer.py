"""How engine time follows real time: at 1x, at any multiple, or as fast as the machine can."""

from __future__ import annotations

import asyncio

from engine.core.clock import Clock

_YIELD_EVERY_NS = 10_000_000
"""At full speed the loop is handed back this often, so that signals and sockets are served."""


class Pacer:
    """Waits until the real clock has caught up with a moment of engine time.

    `speed` is engine seconds per real second; None means never wait. Falling behind is not made up
    for by skipping: every event still happens, later.
    """

    def __init__(self, clock: Clock, speed: float | None, origin_ns: int = 0) -> None:
        self._clock = clock
        self._speed = speed
        self._engine_origin = origin_ns
        self._real_origin = clock.monotonic_ns()
        self._last_yield = self._real_origin

    def now_ns(self) -> int | None:
        """Engine time by the real clock; None at full speed, where the real clock says nothing."""
        if self._speed is None:
            return None
        return self._engine_origin + int((self._clock.monotonic_ns() - self._real_origin) * self._speed)

    def late_ns(self, engine_ns: int) -> int | None:
        """Real nanoseconds since `engine_ns` was due, below 0 before it; None at full speed."""
        if self._speed is None:
            return None
        return self._clock.monotonic_ns() - self._real_ns(engine_ns, self._speed)

    def _real_ns(self, engine_ns: int, speed: float) -> int:
        return self._real_origin + int((engine_ns - self._engine_origin) / speed)

    async def until(self, engine_ns: int, disturbed: asyncio.Event) -> None:
        """Return when real time has reached `engine_ns`, or at once when `disturbed` is set."""
        now = self._clock.monotonic_ns()
        if self._speed is not None:
            wait = self._real_ns(engine_ns, self._speed) - now
            if wait > 0:
                try:
                    async with asyncio.timeout(wait / 1e9):
                        await disturbed.wait()
                except TimeoutError:
                    pass
                self._last_yield = self._clock.monotonic_ns()
                return
        if now - self._last_yield > _YIELD_EVERY_NS:
            self._last_yield = now
            await asyncio.sleep(0)
