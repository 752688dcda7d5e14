"""Keeps a latch beyond the session: what was HALTED or KILLED stays so, whatever is started next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from engine.core.events import Alert, OperatorAction, Restraint
from engine.persistence.errors import JournalError
from engine.persistence.latch_file import Latch, LatchFile
from engine.risk.state import Restriction, TradingState
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp


class LatchKeeper:
    """An `Observer` and an `Edge`: latches the Traders at the start, and follows their latch from then on.

    The file is written beside the trading, which has stopped already, in the order things happened.
    """

    def __init__(self, engine: Engine, file: LatchFile, session: str) -> None:
        self._engine = engine
        self._file = file
        self._session = session
        self._kept: TradingState | None = None
        """What the file says, as far as it was told to; None where there is none."""
        self._queue: asyncio.Queue[Latch | None] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See `Edge`. Traders that were stopped for good are stopped again before anything else."""
        held = await asyncio.to_thread(self._file.read)
        self._writer = asyncio.create_task(self._write(), name="latch file")
        if held is None:
            return
        self._kept = TradingState[held.state]
        since = f"latched before ({held.code}: {held.reason}); it stays so until a person rearms"
        if held.state == TradingState.KILLED.name:
            self._engine.tell(None, OperatorAction.KILL, since)
        else:
            self._engine.restrain(held.code, Restraint.LATCHED, since)

    async def stop(self) -> None:
        """See `Edge`. What is still to be written is written."""
        if self._writer is None:
            return
        await self._queue.join()
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`."""
        worst = max(
            (
                latch
                for each in self._engine.desks.values()
                if (latch := each.trader.risk.latched) is not None and latch.state >= TradingState.HALTED
            ),
            key=lambda latch: latch.state,
            default=None,
        )
        if worst is not None and (self._kept is None or worst.state > self._kept):
            self._kept = worst.state
            self._queue.put_nowait(self._told(worst))
        elif worst is None and self._kept is not None:
            self._kept = None
            self._queue.put_nowait(None)

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`: nothing of ours."""

    def on_status(self, now_ns: int) -> None:
        """See `Observer`: nothing of ours."""

    def _told(self, latch: Restriction) -> Latch:
        state: Literal["KILLED", "HALTED"] = "KILLED" if latch.state is TradingState.KILLED else "HALTED"
        return Latch(state, latch.code, latch.reason, self._engine.clock.wall_ns(), self._session)

    async def _write(self) -> None:
        while True:
            latch = await self._queue.get()
            try:
                if latch is None:
                    await asyncio.to_thread(self._file.remove)
                else:
                    await asyncio.to_thread(self._file.write, latch)
            except JournalError as error:
                self._engine.warn("LATCH_FILE", str(error))
            finally:
                self._queue.task_done()
