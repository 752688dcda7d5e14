"""Waits after wrong passwords, ever longer, and an end after the fifth.

It slows a person at the keyboard. Against somebody who has the file, only the derivation and the password
help.
"""

from __future__ import annotations

from typing import Final

from engine.core.clock import Clock
from engine.credentials.desk import TooManyAttempts

MOST: Final = 5
_NS: Final = 10**9


class Attempts:
    """The wrong passwords in a row."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._until_ns = 0

    @property
    def wait_s(self) -> float:
        """How long nothing can be tried; 0 when it can."""
        return max(0, self._until_ns - self._clock.monotonic_ns()) / _NS

    def failed(self) -> None:
        """A password was wrong: wait 1, 2, 4, 8 s. The fifth raises `TooManyAttempts`."""
        self._failures += 1
        if self._failures >= MOST:
            raise TooManyAttempts(
                f"the password was wrong {MOST} times: nothing was opened. Start again with the right one; "
                "a forgotten password cannot be recovered, but a new vault can be made of the venue's keys"
            )
        self._until_ns = self._clock.monotonic_ns() + 2 ** (self._failures - 1) * _NS

    def succeeded(self) -> None:
        """The password was right: the next mistake is the first one."""
        self._failures, self._until_ns = 0, 0
