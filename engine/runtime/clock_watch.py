"""Watches our clock against the venue's: tokens are judged by theirs, and so is how old data is (R19)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from engine.core.events import Restraint
from engine.exchange.coinbase.broker import Broker, BrokerError
from engine.runtime.bell import Bell

LOOK_EVERY_S: Final = 30.0
WARN_NS: Final = 250_000_000
HALT_NS: Final = 1_000_000_000
_CODE: Final = "CLOCK"


class ClockWatch:
    """An `Edge`: warns above 250 ms of difference, holds HALTED above 1 s until it is below 250 ms.

    A measurement that fails changes nothing: whoever needs the venue finds out by itself.
    """

    def __init__(self, broker: Broker, bell: Bell) -> None:
        self._broker = broker
        self._bell = bell
        self._is_held = False
        self._is_warned = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See `Edge`."""
        if (offset := self._broker.clock_offset_ns) is not None:
            self.judge(offset)
        self._task = asyncio.create_task(self._watch(), name="clock watch")

    async def stop(self) -> None:
        """See `Edge`."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with suppress(BrokerError):
                self.judge(await self._broker.measure_clock())

    def judge(self, offset_ns: int) -> None:
        """Take in a difference, the venue's time minus ours."""
        off = abs(offset_ns)
        which = "behind" if offset_ns > 0 else "ahead of"
        told = f"this engine's clock is {off // 1_000_000} ms {which} the venue's"
        if off > HALT_NS:
            self._is_held = True
            # The engine's time runs on from its start, whatever is done to the machine's clock meanwhile.
            advice = "set the clock (timedatectl set-ntp true) and start the engine again"
            self._bell.restrain(_CODE, Restraint.HALTED, f"{told}: {advice}", "it is below 250 ms")
        elif off < WARN_NS:
            self._is_warned = False
            if self._is_held:
                self._is_held = False
                self._bell.restrain(_CODE, Restraint.NONE, told)
        elif not self._is_warned:
            self._is_warned = True
            self._bell.warn(_CODE, f"{told}; tokens and ages are corrected for it")
