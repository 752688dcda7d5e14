"""The fault plan: which faults are armed, and which of them strikes at an occasion.

Everything that happens follows from the order of occasions and one seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Final, NamedTuple

from engine.core.errors import UsageError
from engine.local_venue.faults.catalogue import CATALOGUE, Kind, Nature, Place

_LARGEST: Final = 1e9
_REMEMBERED: Final = 1_000
"""Strikes that are remembered; the count goes on."""


class Occasion(NamedTuple):
    """Something at which a fault may strike."""

    place: Place
    path: str
    method: str = ""
    channel: str = ""
    nature: Nature = Nature.OTHER

    def __str__(self) -> str:
        return " ".join(word for word in (self.method, self.path, self.channel) if word)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as it was asked for."""

    kind: Kind
    argument: str
    nth: int = 1
    times: int = 1
    """0: at every occasion from the n-th on."""
    probability: float = 1.0
    method: str = ""
    path: str = ""
    channel: str = ""

    @property
    def number(self) -> float:
        """The argument of a fault that takes a number."""
        return float(self.argument)

    def fits(self, occasion: Occasion) -> bool:
        """Whether it may strike there at all."""
        return (
            occasion.place is self.kind.place
            and (not self.kind.needs or occasion.nature in self.kind.needs)
            and (not self.method or self.method == occasion.method)
            and (not self.channel or self.channel == occasion.channel)
            and (not self.path or fnmatchcase(occasion.path, self.path))
        )


class Strike(NamedTuple):
    """A fault that has struck."""

    name: str
    occasion: str


def parse_fault(text: str) -> Fault:
    """Read `NAME[:ITEM[,ITEM...]]`; `UsageError` says what is wrong with it."""
    name, _, rest = text.partition(":")
    kind = CATALOGUE.get(name)
    if kind is None:
        raise UsageError(f"--fault {text}: there is no fault {name}; --list-faults names them")
    given: dict[str, str] = {}
    for item in filter(None, rest.split(",")):
        key, is_pair, value = item.partition("=")
        key, value = (key, value) if is_pair and key in _KEYS else ("", item)
        if key in given:
            raise UsageError(f"--fault {text}: {key or 'the argument'} is given twice")
        given[key] = value
    return Fault(
        kind,
        _argument(text, kind, given.get("")),
        _whole(text, "nth", given.get("nth", "1"), at_least=1),
        _whole(text, "times", given.get("times", str(kind.times)), at_least=0),
        _probability(text, given.get("p", "1")),
        given.get("method", "").upper(),
        given.get("path", ""),
        given.get("channel", ""),
    )


_KEYS: Final = frozenset({"nth", "times", "p", "method", "path", "channel"})


def _argument(text: str, kind: Kind, given: str | None) -> str:
    if given is None:
        return kind.default
    if not kind.argument:
        raise UsageError(f"--fault {text}: {kind.name} takes no argument {given}")
    if kind.choices and given not in kind.choices:
        raise UsageError(f"--fault {text}: must be one of {', '.join(kind.choices)}")
    if kind.is_number and not 0 <= _number(given) <= _LARGEST:
        raise UsageError(f"--fault {text}: {kind.argument} must be a number from 0 to {_LARGEST:.0f}")
    return given


def _number(text: str) -> float:
    """The number, or not-a-number, which fits no bounds."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _whole(text: str, key: str, given: str, *, at_least: int) -> int:
    if not (given.isdecimal() and at_least <= int(given) <= _LARGEST):
        raise UsageError(f"--fault {text}: {key} must be a whole number, at least {at_least}")
    return int(given)


def _probability(text: str, given: str) -> float:
    if not 0 < _number(given) <= 1:
        raise UsageError(f"--fault {text}: p must be above 0 and at most 1")
    return float(given)


class FaultPlan:
    """The armed faults of a venue."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.random = Random(seed)
        """What a fault draws from, where it chooses."""
        self.strikes: list[Strike] = []
        """The last strikes, oldest first."""
        self.strike_count = 0
        self._armed: list[_Armed] = [_Armed(fault) for fault in faults]

    def arm(self, *faults: Fault) -> None:
        """From now on these too; each counts its occasions from here."""
        self._armed += [_Armed(fault) for fault in faults]

    def clear(self) -> None:
        """Disarm all; what they did to a connection that lives on stays done."""
        self._armed.clear()

    @property
    def armed(self) -> list[str]:
        """Names of the faults that may strike yet."""
        return [one.fault.kind.name for one in self._armed]

    @property
    def is_idle(self) -> bool:
        """True while nothing is armed."""
        return not self._armed

    def strikes_at(self, occasion: Occasion) -> list[Fault]:
        """The faults that strike here, in the order in which they were armed."""
        if not self._armed:
            return []
        struck = [one.fault for one in self._armed if one.strikes(occasion, self.random)]
        if struck:
            self._armed = [one for one in self._armed if not one.is_spent]
            self.strike_count += len(struck)
            self.strikes += [Strike(fault.kind.name, str(occasion)) for fault in struck]
            del self.strikes[:-_REMEMBERED]
        return struck


class _Armed:
    """A fault and how many of its occasions have been."""

    __slots__ = ("_seen", "_struck", "fault")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._seen = 0
        self._struck = 0

    @property
    def is_spent(self) -> bool:
        """True when it has struck as often as it may."""
        return 0 < self.fault.times <= self._struck

    def strikes(self, occasion: Occasion, random: Random) -> bool:
        """Count the occasion; whether it is one to strike at."""
        fault = self.fault
        if self.is_spent or not fault.fits(occasion):
            return False
        self._seen += 1
        if self._seen < fault.nth or (fault.probability < 1 and random.random() >= fault.probability):
            return False
        self._struck += 1
        return True
