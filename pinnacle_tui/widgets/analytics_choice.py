"""Which fills the analytics screen tells of, and at which horizon: one choice for all of its panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from engine.link.analytics import AGE, LEVEL, SIDE, TOTAL, Analytics, FillGroup, GroupMarkout, HourShare
from pinnacle_tui.numbers import clock
from pinnacle_tui.widgets.words import exact_time

HOUR: Final = "hour"
KINDS: Final = (SIDE, LEVEL, AGE, HOUR)
"""What fills can be told apart by; `HOUR` for what was earned alone."""
_S: Final = 1_000_000_000
DAY_NS: Final = 86_400 * _S
USUAL_HORIZON_NS: Final = 10 * _S


class Split(NamedTuple):
    """A profit and where it came from, in atoms: captured + adverse + holding - fees."""

    name: str
    fills: int
    captured: int
    adverse: int
    holding: int
    fees: int
    is_followed: bool = True
    """False while no fill of it has come to the horizon: its adverse selection is not known yet."""

    @property
    def profit(self) -> int:
        """What is left."""
        return self.captured + self.adverse + self.holding - self.fees


@dataclass(slots=True)
class Choice:
    """What was chosen. Read it through the methods: what was chosen may not be there (yet)."""

    kind: str = SIDE
    name: str = ""
    """Of a group of the kind; empty for all fills."""
    horizon_ns: int = USUAL_HORIZON_NS

    def groups(self, analytics: Analytics) -> list[FillGroup]:
        """All fills together, then the groups of the kind."""
        return [each for each in analytics.groups if each.kind in (TOTAL, self.kind)]

    def splits(self, analytics: Analytics, at: int | None = None) -> list[Split]:
        """The lines of the table: all fills, then each group or hour, the newest hour first.

        `at` is the index of a horizon, by default of the chosen one.
        """
        at = self.horizon_at(analytics) if at is None else at
        made = [split_of(group, at) for group in self.groups(analytics)]
        if self.kind == HOUR:
            newest = max((hour.start_wall_ns for hour in analytics.hours), default=0)
            made += [split_of_hour(hour, at, newest) for hour in reversed(analytics.hours)]
        return made

    def split(self, analytics: Analytics, at: int | None = None) -> Split | None:
        """The chosen line; all fills where it is not there. `at` as in `splits`."""
        splits = self.splits(analytics, at)
        return next((each for each in splits if each.name == self.name), splits[0] if splits else None)

    def group(self, analytics: Analytics) -> FillGroup | None:
        """The group whose markouts are told: the chosen one; all fills for an hour."""
        groups = self.groups(analytics)
        return next((each for each in groups if each.name == self.name), groups[0] if groups else None)

    def horizon_at(self, analytics: Analytics) -> int:
        """Which of the engine's horizons is the chosen one, or nearest to it."""
        horizons = analytics.horizons_ns
        return min(range(len(horizons)), key=lambda at: abs(horizons[at] - self.horizon_ns), default=0)

    def next_kind(self) -> None:
        """Tell fills apart by something else."""
        self.kind, self.name = KINDS[(KINDS.index(self.kind) + 1) % len(KINDS)], ""

    def next_horizon(self, analytics: Analytics) -> None:
        """Look farther after each fill; behind the last horizon comes the first."""
        horizons = analytics.horizons_ns
        if horizons:
            self.horizon_ns = horizons[(self.horizon_at(analytics) + 1) % len(horizons)]

    def select(self, analytics: Analytics, step: int) -> None:
        """The line above or below; the ends hold."""
        names = [each.name for each in self.splits(analytics)]
        if names:
            at = names.index(self.name) if self.name in names else 0
            self.name = names[max(0, min(len(names) - 1, at + step))]

    def state(self) -> dict[str, Any]:
        """What is worth remembering."""
        return {"kind": self.kind, "horizon_ns": self.horizon_ns}

    def restore(self, state: dict[str, Any]) -> None:
        """Be as `state` says; what is no sensible value in it is ignored."""
        kind, horizon = state.get("kind"), state.get("horizon_ns")
        if kind in KINDS:
            self.kind = kind
        if isinstance(horizon, int) and horizon > 0:
            self.horizon_ns = horizon


def split_of(group: FillGroup, at: int) -> Split:
    """What a group has earned; adverse selection at the horizon of that index."""
    markout = markout_at(group, at)
    adverse = 0 if markout is None else markout.adverse
    holding = group.revaluation - adverse
    is_followed = markout is not None and markout.fills > 0
    return Split(group.name, group.fills, group.captured, adverse, holding, group.fees, is_followed)


def split_of_hour(hour: HourShare, at: int, newest_ns: int) -> Split:
    """What an hour has earned, named by when it began: with its day where that is not the newest hour's."""
    adverse = hour.adverse[at] if hour.adverse else 0
    name = clock(hour.start_wall_ns)[:5]
    if hour.start_wall_ns // DAY_NS != newest_ns // DAY_NS:
        name = f"{exact_time(hour.start_wall_ns)[5:10]} {name}"
    return Split(name, hour.fills, hour.captured, adverse, hour.revaluation - adverse, hour.fees)


def horizon_name(ns: int) -> str:
    """A horizon in at most four cells, for columns: `0`, `0.1s`, `10s`, `5m`."""
    seconds = ns / _S
    return f"{seconds / 60:g}m" if seconds >= 60 else f"{seconds:g}s" if ns else "0"


def horizon_words(ns: int) -> str:
    """`100 ms`, `10 s`, `5 min`."""
    if ns < _S:
        return f"{ns // 1_000_000} ms"
    seconds = ns // _S
    return f"{seconds} s" if seconds <= 60 or seconds % 60 else f"{seconds // 60} min"


def markout_at(group: FillGroup, at: int) -> GroupMarkout | None:
    """A group's markouts at the horizon of that index; None where nothing is followed."""
    return group.markouts[at] if at < len(group.markouts) else None
