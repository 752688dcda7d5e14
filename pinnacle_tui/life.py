"""How the console ends: signals, a terminal that goes away, a terminal that stops reading."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
from collections.abc import Callable
from typing import Any, Final

from pinnacle_tui.engine_host import EXIT_WITHOUT_PROOF

LEAVE_WITHIN_S: Final = 30.0
"""After a signal the process ends in any case: a terminal that is gone can block a write for ever."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Life:
    """Owns the signals of the process while the screen is up.

    `on_signal(number)` is called on the loop where it still runs, and at once, on the main thread and
    maybe while the loop is blocked in a write, `on_told()`: what must not wait for the loop.
    """

    def __init__(self, on_signal: Callable[[int], None], on_told: Callable[[], None]) -> None:
        self._on_signal = on_signal
        self._on_told = on_told
        self._previous: dict[signal.Signals, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._was_told = False

    def begin(self) -> None:
        """Take the signals over."""
        self._loop = asyncio.get_running_loop()
        self._previous = {number: signal.signal(number, self._told) for number in _SIGNALS}

    def end(self) -> None:
        """Give them back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _told(self, number: int, frame: object) -> None:
        if not self._was_told:
            self._was_told = True
            self._on_told()
            leave_soon()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_signal, number)


def leave_soon() -> None:
    """End this process within a bounded time, whatever blocks it."""
    timer = threading.Timer(LEAVE_WITHIN_S, os._exit, [EXIT_WITHOUT_PROOF])
    timer.daemon = True
    timer.start()


def is_hung_up(descriptor: int) -> bool:
    """True when the terminal behind a descriptor is gone."""
    poll = select.poll()
    try:
        poll.register(descriptor, 0)
        return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
    except OSError:
        return True
