"""The trading state: how far trading is restricted, since when, why, and what releases it.

A *latch* moves the state to the right and stays until a person resets it. A *hold* restricts for as
long as its condition lasts. The effective state is the most restrictive of the latch and all holds.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

import msgspec

from engine.core.errors import OrderError

OPERATOR_HOLD: Final = "OPERATOR"
GUARDS: Final = frozenset(
    {
        "BOOK",
        "DRAWDOWN",
        "FILLS",
        "GUARD_FAILED",
        "LOSS",
        "POSITION",
        "RUNAWAY",
        "STOP_LOSS",
        "TAKE_PROFIT",
        "VAR",
        "VOLUME",
    }
)
"""The codes of what restricts trading without anybody having asked for it; the circuit breaker tells of its
steps by itself."""
UNTIL_RESUMED: Final = "a person resumes"
"""What releases a hold that a resume ends."""


class TradingState(enum.IntEnum):
    """What may be sent, ever less to the right. Cancels may always be sent.

    ACTIVE: everything. REDUCING: only what reduces the position. PAUSED: no quotes; an order that takes
    may reduce the position. HALTED and KILLED: nothing but what a flatten asked for by a person sends;
    KILLED survives a restart.
    """

    ACTIVE = 0
    REDUCING = 1
    PAUSED = 2
    HALTED = 3
    KILLED = 4


@dataclass(frozen=True, slots=True)
class Restriction:
    """One latch or hold, as the screen shows it."""

    code: str
    state: TradingState
    since_ns: int
    reason: str
    release: str
    """What ends it, in words."""
    is_of_edge: bool = False
    """Held by an edge of the running engine, which alone releases it."""


class RiskStateSaved(msgspec.Struct, frozen=True):
    """The latch and the holds, in the order they began."""

    latch: Restriction | None
    holds: tuple[Restriction, ...]
    is_flattening: bool


class RiskState:
    """The latch and the holds of one Trader."""

    __slots__ = ("_changes", "_holds", "_latch", "effective", "is_flattening", "version")

    def __init__(self) -> None:
        self._latch: Restriction | None = None
        self._holds: dict[str, Restriction] = {}
        self._changes: list[tuple[Restriction, bool]] = []
        self.effective = TradingState.ACTIVE
        """The most restrictive of the latch and all holds."""
        self.version = 0
        """Changes with every change of latch and holds; means nothing by itself."""
        self.is_flattening = False
        """True while a flatten asked for by a person is under way: the one exemption in HALTED and KILLED."""

    def latch(self, state: TradingState, code: str, reason: str, now_ns: int) -> None:
        """Move the latch to the right; one that is as far already stays as it is."""
        if self._latch is None or state > self._latch.state:
            self._latch = Restriction(code, state, now_ns, reason, "a person resets it")
            self._changes.append((self._latch, True))
            self._settle()

    def hold(
        self,
        code: str,
        state: TradingState,
        reason: str,
        release: str,
        now_ns: int,
        *,
        is_of_edge: bool = False,
    ) -> None:
        """Begin a hold, or change the one of that code, which keeps its time of beginning."""
        old = self._holds.get(code)
        since_ns = now_ns if old is None else old.since_ns
        self._holds[code] = Restriction(code, state, since_ns, reason, release, is_of_edge)
        if old is None:
            self._changes.append((self._holds[code], True))
        self._settle()

    def release(self, code: str) -> None:
        """End the hold of that code, if there is one: its condition is over."""
        if (held := self._holds.pop(code, None)) is not None:
            self._changes.append((held, False))
            self._settle()

    def release_edges(self) -> None:
        """The engine that held for its edges is gone: those of the next one judge anew. What a person ends
        stays."""
        for hold in tuple(self._holds.values()):
            if hold.is_of_edge and hold.release != UNTIL_RESUMED:
                self.release(hold.code)

    def has_hold(self, code: str) -> bool:
        """True while a hold of that code lasts."""
        return code in self._holds

    def drain_changes(self) -> list[tuple[Restriction, bool]]:
        """The latches and holds that have begun (True) and the holds that were released (False) since the
        last call."""
        changes, self._changes = self._changes, []
        return changes

    def pause(self, reason: str, now_ns: int) -> None:
        """A person stops the quoting."""
        self.hold(OPERATOR_HOLD, TradingState.PAUSED, reason, UNTIL_RESUMED, now_ns)

    def flatten(self, reason: str, now_ns: int) -> None:
        """A person wants the position closed: quoting stays paused until a person resumes."""
        self.is_flattening = True
        self.pause(reason, now_ns)

    def end_flatten(self) -> None:
        """The position is closed, or is not to be closed any more; the pause stays."""
        self.is_flattening = False

    def resume(self) -> bool:
        """A person lets quoting go on: ends every pause that a person can end, and a flatten.

        False when there is no such pause.
        """
        self.is_flattening = False
        paused = [code for code, hold in self._holds.items() if hold.release == UNTIL_RESUMED]
        for code in paused:
            del self._holds[code]
        self._settle()
        return bool(paused)

    @property
    def latched(self) -> Restriction | None:
        """The latch, if there is one."""
        return self._latch

    def reset(self) -> None:
        """A person takes the latch back; holds stay. Raises `OrderError` when nothing is latched."""
        if self._latch is None:
            raise OrderError("nothing is latched: there is nothing to reset")
        self._latch = None
        self._settle()

    def restrictions(self) -> tuple[Restriction, ...]:
        """The latch, if any, and every hold in the order they began."""
        holds = tuple(self._holds.values())
        return holds if self._latch is None else (self._latch, *holds)

    @property
    def worst(self) -> Restriction | None:
        """The most restrictive of them, the latch before a hold that goes as far; None while ACTIVE."""
        return max(self.restrictions(), key=lambda restriction: restriction.state, default=None)

    def save(self) -> RiskStateSaved:
        """All of it."""
        return RiskStateSaved(self._latch, tuple(self._holds.values()), self.is_flattening)

    def load(self, state: RiskStateSaved) -> None:
        """Be as restricted as then."""
        self._latch = state.latch
        self._holds = {hold.code: hold for hold in state.holds}
        self.is_flattening = state.is_flattening
        self._settle()

    def _settle(self) -> None:
        self.version += 1
        self.effective = max((r.state for r in self.restrictions()), default=TradingState.ACTIVE)
