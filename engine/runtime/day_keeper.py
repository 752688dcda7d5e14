"""Keeps the day's profit beyond the session (R9): whoever starts again goes on with what the day has lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation

from engine.core.events import Alert, Restraint
from engine.core.ledger import DAY_NS
from engine.persistence.day_file import Day, DayFile
from engine.persistence.errors import JournalError
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine, WakeUp

DAY_FILE = "DAY_FILE"


class DayKeeper:
    """An `Observer` and an `Edge`: tells the Traders what earlier sessions of the day have earned, and keeps
    what they earn from then on, after every fill and at every status interval.

    Where the file cannot be read, trading is HALTED until a person has looked: the loss is unknown.
    """

    def __init__(self, engine: Engine, file: DayFile, session: str) -> None:
        self._engine = engine
        self._file = file
        self._session = session
        self._others = Day(0)
        """What other sessions have earned in the last day they traded."""
        self._kept: Day | None = None
        self._wanted: Day | None = None
        self._changed = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See `Edge`."""
        try:
            held = await asyncio.to_thread(self._file.read)
            carried = self._carried(held)
        except (JournalError, InvalidOperation) as error:
            reason = f"what was lost today is not known: {error}"
            self._engine.restrain(DAY_FILE, Restraint.LATCHED, reason)
        else:
            for product, profit in carried.items():
                self._engine.carry_day(product, self._others.day, profit)
            if self._engine.portfolio is not None:
                self._engine.portfolio.carry(self._others.day, self._gone())
        self._writer = asyncio.create_task(self._write(), name="day file")

    def _carried(self, held: Day | None) -> dict[str, int]:
        """By product, what other sessions have earned today, in atoms."""
        today = self._engine.clock.wall_ns() // DAY_NS
        if held is None or held.day != today:
            return {}
        self._others = Day(today, {name: of for name, of in held.profits.items() if name != self._session})
        carried: dict[str, int] = {}
        for profits in self._others.profits.values():
            for product, text in profits.items():
                if (desk := self._engine.desks.get(product)) is not None:
                    atoms, _ = desk.trader.instrument.atoms_rounded(Decimal(text))
                    carried[product] = carried.get(product, 0) + atoms
        return carried

    def _gone(self) -> dict[str, Decimal]:
        """By quote currency, what products that are not traded now have earned today: their losses count."""
        gone: dict[str, Decimal] = {}
        for profits in self._others.profits.values():
            for product, text in profits.items():
                if product not in self._engine.desks:
                    quote = product.rpartition("-")[2]
                    gone[quote] = gone.get(quote, Decimal(0)) + Decimal(text)
        return gone

    async def stop(self) -> None:
        """See `Edge`. What was earned last is kept."""
        if self._writer is None:
            return
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer
        self._note()
        await self._keep()

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`."""
        if wake.fills:
            self._note()

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`: nothing of ours."""

    def on_status(self, now_ns: int) -> None:
        """See `Observer`."""
        self._note()

    def _note(self) -> None:
        day, profits = 0, dict(self._wanted.profits.get(self._session, {}) if self._wanted else {})
        for product, desk in self._engine.desks.items():
            guard, trader = desk.trader.guard, desk.trader
            if guard.day is None:
                continue
            if guard.day > day:
                day = guard.day
                if self._wanted is not None and self._wanted.day != day:
                    profits = {}
            earned = guard.session_day_profit(trader.ledger.equity)
            if earned is not None:
                profits[product] = trader.instrument.money_text(earned)
        if not profits:
            return
        others = self._others.profits if self._others.day == day else {}
        self._wanted = Day(day, others | {self._session: profits})
        self._changed.set()

    async def _write(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._keep()

    async def _keep(self) -> None:
        day = self._wanted
        if day is None or day == self._kept:
            return
        try:
            await asyncio.to_thread(self._file.write, day)
            self._kept = day
        except JournalError as error:
            self._engine.warn(DAY_FILE, str(error))
