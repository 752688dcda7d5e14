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
from engine.trader import Trader

_EVENTS: Final = frozenset(get_args(AnyEvent))
_COMMANDS: Final = frozenset(get_args(AnyCommand))


class Parts(NamedTuple):
    """A batch taken apart: one wake-up of a product's Trader, or something it was told, or notes alone."""

    seq: int
    """Of its last record."""
    events: list[AnyEvent]
    """All of one product; empty where the batch has notes alone."""
    commands: list[AnyCommand]
    notes: list[Recorded]

    @property
    def product(self) -> str:
        """Whose wake-up it is; empty for notes."""
        return self.events[0].product if self.events else ""


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
    return Parts(batch[-1][0], events, commands, notes)


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
        for note in parts.notes:
            if isinstance(note, StateDigest):
                self._compare(parts.seq, note)

    def _show(self, parts: Parts) -> None:
        product = parts.product
        trader = self.traders.get(product)
        if trader is None:
            self.divergence = Divergence(
                parts.seq, product, "an event of it", "no such product in the session"
            )
            return
        answers = self._left.pop(product, [])
        try:
            for event in parts.events:
                commands = trader.on_event(event)
                if commands:
                    answers += commands
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
            if not any(isinstance(note, Alert) and note.code == STAGE_FAILED for note in parts.notes):
                self.divergence = Divergence(parts.seq, product, "no failure", f"the Trader fails: {failed}")
            self._left[product] = answers
            return
        self.events += len(parts.events)
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
        instrument.symbol: build_trader(config, instrument, number, displays_own=info.displays_own)
        for number, instrument in enumerate(info.instruments)
    }
    for trader in traders.values():
        trader.strategy.start()
    return traders


def _difference(parts: Parts, answers: Sequence[AnyCommand]) -> Divergence:
    recorded = parts.commands
    for index in range(max(len(recorded), len(answers))):
        expected = recorded[index] if index < len(recorded) else None
        got = answers[index] if index < len(answers) else None
        if expected != got:
            break
    return Divergence(parts.seq, parts.product, _words(expected), _words(got))


def _words(command: AnyCommand | None) -> str:
    return "no further order" if command is None else repr(command)
