"""Puts on record what goes into the Traders and what comes out, before anything leaves the engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from engine.core.events import Alert, AnyCommand, AnyEvent, SubmitOrder
from engine.core.own_orders import Reasons
from engine.persistence.errors import JournalError
from engine.persistence.journal import Journal
from engine.persistence.records import TYPES, AnyNote, Explained, StateDigest, encode
from engine.runtime.missing_quotes import denied_sides, why_missing
from engine.trader.trader import Trader


class Recorder(Protocol):
    """Where wake-ups are recorded. What is not acknowledged may be lost by a crash, so nobody is told of it
    and no order of it leaves."""

    @property
    def is_failed(self) -> bool:
        """True when nothing can be recorded any more: no order may leave."""
        ...

    def record(
        self, trader: Trader, events: Sequence[AnyEvent | Alert], commands: Sequence[AnyCommand]
    ) -> int:
        """Record one wake-up of a Trader as a whole; its number. Raises `JournalError`, once."""
        ...

    def explain(self, trader: Trader, commands: Sequence[AnyCommand]) -> None:
        """Record why the quotes among these commands, just recorded, are as they are, and why there are no
        others where that has changed. Raises nothing: a journal that fails says so at the next record."""
        ...

    def note(self, value: AnyNote | Alert) -> int:
        """Record what no Trader is shown; its number. Raises `JournalError`, once."""
        ...

    def is_acknowledged(self, number: int) -> bool:
        """True when no crash that was promised to be survived can lose what was recorded up to `number`."""
        ...


class Unrecorded:
    """Keeps nothing, so there is nothing to wait for. See `Recorder`."""

    __slots__ = ()
    is_failed = False

    def record(
        self, trader: Trader, events: Sequence[AnyEvent | Alert], commands: Sequence[AnyCommand]
    ) -> int:
        """See `Recorder`."""
        return 0

    def explain(self, trader: Trader, commands: Sequence[AnyCommand]) -> None:
        """See `Recorder`."""

    def note(self, value: AnyNote | Alert) -> int:
        """See `Recorder`."""
        return 0

    def is_acknowledged(self, number: int) -> bool:
        """See `Recorder`."""
        return True


UNRECORDED: Final = Unrecorded()


class JournalRecorder:
    """Records in a journal; each wake-up is one batch, which a crash leaves whole or not at all.

    A journal that failed is said to have failed once. From then on nothing is recorded, everything counts
    as acknowledged, and no new order may leave: see `ExecutionStage`.
    """

    def __init__(self, journal: Journal, digest_every: int) -> None:
        """After `digest_every` events of a Trader a digest of its state follows."""
        self._journal = journal
        self._digest_every = digest_every
        self._digested: dict[str, int] = {}
        self._causes: dict[str, str] = {}
        """By product, why quotes are missing, as it was recorded last."""
        self._is_said = False

    @property
    def is_failed(self) -> bool:
        """See `Recorder`."""
        return self._journal.failed is not None

    def record(
        self, trader: Trader, events: Sequence[AnyEvent | Alert], commands: Sequence[AnyCommand]
    ) -> int:
        """See `Recorder`."""
        if self._is_said:
            return 0
        batch = [(TYPES[type(event)], encode(event)) for event in events]
        if commands:
            batch += [(TYPES[type(command)], encode(command)) for command in commands]
        try:
            number = self._journal.append_batch(batch)
            product, count = trader.instrument.symbol, trader.event_count
            if count - self._digested.setdefault(product, count - len(events)) >= self._digest_every:
                self._digested[product] = count
                self._append(StateDigest(product, trader.digest()))
        except JournalError:
            self._is_said = True
            raise
        return number

    def explain(self, trader: Trader, commands: Sequence[AnyCommand]) -> None:
        """See `Recorder`."""
        product = trader.instrument.symbol
        # The numbers in a denial move with the market: only another control is news.
        denied = [f"{side} {denial.code}" for side, denial in denied_sides(trader)]
        cause = "; ".join([trader.decision.reason, *denied])
        told: dict[str, Reasons] = {}
        for command in commands:
            if isinstance(command, SubmitOrder) and command.purpose == "quote":
                order = trader.orders.order(command.client_id)
                if order is not None:
                    told[command.client_id] = order.reasons()
        if self._is_said or not (told or cause != self._causes.get(product, "")):
            return
        self._causes[product] = cause
        with suppress(JournalError):
            self._append(Explained.of(product, why_missing(trader), told))

    def note(self, value: AnyNote | Alert) -> int:
        """See `Recorder`."""
        if self._is_said:
            return 0
        try:
            return self._append(value)
        except JournalError:
            self._is_said = True
            raise

    def is_acknowledged(self, number: int) -> bool:
        """See `Recorder`."""
        return number <= self._journal.acked_seq or self.is_failed

    def _append(self, value: AnyNote | Alert) -> int:
        return self._journal.append(TYPES[type(value)], encode(value))
