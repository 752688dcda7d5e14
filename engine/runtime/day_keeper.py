"""Keeps the day's profit beyond the session (R9): whoever starts again goes on with what the day has lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal

from engine.core.events import Alert, Restraint
from engine.core.ledger import DAY_NS
from engine.persistence.day_file import Day, DayFile
from engine.persistence.errors import JournalError
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp

DAY_FILE = "DAY_FILE"

Profits = dict[str, str]
"""By product, in quote units as decimal text."""


class DayKeeper:
    """An `Observer` and an `Edge`: tells the Traders what earlier sessions of the day have earned, and keeps
    what they earn from then on, after every fill and at every status interval.

    Where the file cannot be read, trading is HALTED until a person has looked: the loss is unknown.
    """

    def __init__(self, engine: Engine, file: DayFile, session: str) -> None:
        self._engine = engine
        self._file = file
        self._session = session
        self._wanted: tuple[int, Profits] | None = None
        """The day and this session's profits in it."""
        self._kept: tuple[int, Profits] | None = None
        """What of it is on the disk."""
        self._changed = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See `Edge`."""
        today = self._engine.clock.wall_ns() // DAY_NS
        try:
            held = await asyncio.to_thread(self._file.read)
            if held is not None and held.day > today:
                raise JournalError(
                    f"{self._file.path} is of a day to come: set the clock, or remove the file"
                )
        except JournalError as error:
            reason = f"what was lost today is not known: {error}"
            self._engine.restrain(DAY_FILE, Restraint.LATCHED, reason)
        else:
            if held is not None and held.day == today:
                self._carry(held)
        self._writer = asyncio.create_task(self._write(), name="day file")

    def _carry(self, held: Day) -> None:
        """Tell what other sessions have earned today. Products that are not traded now count, too."""
        carried: dict[str, int] = {}
        gone: dict[str, Decimal] = {}
        for profits in held.without(self._session).values():
            for product, profit in profits.items():
                if (desk := self._engine.desks.get(product)) is not None:
                    atoms, _ = desk.trader.instrument.atoms_rounded(profit)
                    carried[product] = carried.get(product, 0) + atoms
                else:
                    quote = product.rpartition("-")[2]
                    gone[quote] = gone.get(quote, Decimal(0)) + profit
        for product, earned in carried.items():
            self._engine.carry_day(product, held.day, earned)
        if self._engine.portfolio is not None:
            self._engine.portfolio.carry(held.day, gone)

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
        """Take down what the day has earned. A product that has not begun it yet has earned nothing in it;
        of one that cannot be valued now, what was known last stays."""
        days = {
            product: day
            for product, desk in self._engine.desks.items()
            if (day := desk.trader.guard.day) is not None
        }
        day = max(days.values(), default=0)
        before: Mapping[str, str] = {}
        if self._wanted is not None and self._wanted[0] == day:
            before = self._wanted[1]
        profits = dict(before)
        for product in (each for each, begun in days.items() if begun == day):
            trader = self._engine.desks[product].trader
            earned = trader.guard.session_day_profit(trader.ledger.equity)
            if earned is not None:
                profits[product] = trader.instrument.money_text(earned)
        if profits:
            self._wanted = day, profits
            self._changed.set()

    async def _write(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._keep()

    async def _keep(self) -> None:
        wanted = self._wanted
        if wanted is None or wanted == self._kept:
            return
        try:
            await asyncio.to_thread(self._file.keep, self._session, *wanted)
            self._kept = wanted
        except JournalError as error:
            self._engine.warn(DAY_FILE, str(error))
