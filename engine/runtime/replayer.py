"""Shows recorded batches to Traders again and compares what they answer with what is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, get_args

from engine.core.events import Alert, AnyCommand, AnyEvent
from engine.persistence.records import Entry, Recorded, StateDigest
from engine.runtime.builder import build_trader
from engine.runtime.session_store import StoredSession
from engine.runtime.supervisor import STAGE_FAILED
from engine.trader.trader import Trader

_EVENTS: Final = frozenset(get_args(AnyEvent))
_COMMANDS: Final = frozenset(get_args(AnyCommand))
_new: Final = tuple.__new__
"""Makes a named tuple in a fraction of the time that its own constructor takes."""


class Parts(NamedTuple):
    """A batch taken apart: one wake-up of a product's Trader, or something it was told, or notes alone."""

    seq: int
    """Of its last record."""
    events: list[AnyEvent]
    """All of one product; empty where the batch has notes alone."""
    commands: list[AnyCommand]
    notes: list[Recorded]
    batch: Sequence[Entry]
    """All of it, as it was."""

    @property
    def product(self) -> str:
        """Whose wake-up it is; empty for notes."""
        return self.events[0].product if self.events else ""

    def seq_of(self, value: Recorded) -> int:
        """The record that one of its values stands in."""
        return next(entry.seq for entry in self.batch if entry.value is value)


def take_apart(batch: Sequence[Entry]) -> Parts:
    """A batch by what its records are."""
    events: list[Any] = []
    commands: list[Any] = []
    notes: list[Recorded] = []
    for entry in batch:
        value = entry[2]
        kind = type(value)
        if kind in _EVENTS:
            events.append(value)
        elif kind in _COMMANDS:
            commands.append(value)
        else:
            notes.append(value)
    return _new(Parts, (batch[-1][0], events, commands, notes, batch))


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first record that is not what the Traders do."""

    seq: int
    product: str
    expected: str
    """On record."""
    got: str

    def sentence(self) -> str:
        """For people."""
        return (
            f"record {self.seq}, {self.product}: on record is {self.expected}; computed anew it is {self.got}"
        )


@dataclass(slots=True)
class Replayer:
    """Takes batches in order, until the first divergence; from then on it takes nothing."""

    traders: Mapping[str, Trader]
    batches: int = 0
    events: int = 0
    commands: int = 0
    digests: int = 0
    """That were compared."""
    recorded_digests: dict[str, str] = field(default_factory=dict)
    """By product, the last one on record."""
    divergence: Divergence | None = None
    _left: dict[str, list[AnyCommand]] = field(default_factory=dict)
    """Commands of a wake-up over which its Trader failed: they left with what came next."""

    def take(self, parts: Parts) -> None:
        """Show a batch to the Trader it belongs to."""
        if self.divergence is not None:
            return
        self.batches += 1
        if parts.events:
            self._show(parts)
        elif parts.commands:  # which nothing has caused
            self.divergence = _difference(parts, ())
        for note in parts.notes:
            if isinstance(note, StateDigest) and self.divergence is None:
                self._compare(parts.seq_of(note), note)

    def _show(self, parts: Parts) -> None:
        product = parts.product
        trader = self.traders.get(product)
        if trader is None:
            self.divergence = Divergence(
                parts.seq_of(parts.events[0]), product, "an event of it", "no such product in the session"
            )
            return
        answers = self._left.pop(product, [])
        failed = ""
        try:
            for event in parts.events:
                if event.product != product:
                    self.divergence = Divergence(
                        parts.seq_of(event),
                        product,
                        f"an event of {event.product!r} in one wake-up with it",
                        "a wake-up of one product",
                    )
                    return
                commands = trader.on_event(event)
                if commands:
                    answers += commands
        except Exception as error:
            failed = f"the Trader fails: {type(error).__name__}: {error}"
        self.events += len(parts.events)
        recorded = _failure_in(parts.notes) if parts.notes else ""
        if failed or recorded:
            self._left[product] = answers
            answers = []
            if not (failed and recorded):
                self.divergence = Divergence(
                    parts.seq_of(parts.events[-1]), product, recorded or "no failure", failed or "no failure"
                )
                return
        self.commands += len(answers)
        if answers != parts.commands:
            self.divergence = _difference(parts, answers)

    def _compare(self, seq: int, note: StateDigest) -> None:
        self.digests += 1
        self.recorded_digests[note.product] = note.digest
        trader = self.traders.get(note.product)
        got = "no such product" if trader is None else trader.digest()
        if got != note.digest:
            self.divergence = Divergence(seq, note.product, f"the digest {note.digest}", got)


def traders_of(session: StoredSession) -> dict[str, Trader]:
    """Traders as they were when the session began. `UsageError` when this version cannot express it."""
    config, info = session.config(), session.info
    traders = {
        instrument.symbol: build_trader(
            config,
            instrument,
            number,
            displays_own=info.displays_own,
            opening=info.openings.get(instrument.symbol),
        )
        for number, instrument in enumerate(info.instruments)
    }
    for trader in traders.values():
        trader.strategy.start()
    return traders


def _failure_in(notes: Sequence[Recorded]) -> str:
    """What a wake-up's notes say of a failure over it; empty where they say nothing."""
    for note in notes:
        if isinstance(note, Alert) and note.code == STAGE_FAILED:
            return note.text
    return ""


def _difference(parts: Parts, answers: Sequence[AnyCommand]) -> Divergence:
    recorded = parts.commands
    for index in range(max(len(recorded), len(answers))):
        expected = recorded[index] if index < len(recorded) else None
        got = answers[index] if index < len(answers) else None
        if expected != got:
            break
    seq = parts.seq if expected is None else parts.seq_of(expected)
    return Divergence(seq, parts.product or recorded[0].product, _words(expected), _words(got))


def _words(command: AnyCommand | None) -> str:
    return "no further order" if command is None else repr(command)
