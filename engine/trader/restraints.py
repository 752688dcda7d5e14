"""What holds a Trader back besides its limits: recovery, disk, edges, a failing strategy, a halt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.events import (
    AnyCommand,
    EdgeStatus,
    Event,
    Recovered,
    Restraint,
    Severity,
    StorageStatus,
    Timer,
)
from engine.core.order_manager import OrderManager
from engine.risk.circuit_breaker import BREAKER, BreakerState, CircuitBreaker, Trigger
from engine.risk.state import GUARDS, UNTIL_RESUMED, RiskState, TradingState
from engine.trader.alerts import TraderAlerts
from engine.trader.operator_commands import OperatorCommands
from engine.trader.order_entry import OrderEntry

_PAUSED: Final = TradingState.PAUSED
_NOTHING: Final[tuple[AnyCommand, ...]] = ()
_RECOVERED: Final = "RECOVERED"
_STRATEGY: Final = "STRATEGY"
"""The strategy itself has failed; a person looks at it before it is asked again."""
_ASKED_BY: Final = {
    Restraint.REDUCING: (TradingState.REDUCING, Severity.ERROR),
    Restraint.REDUCING_LATCHED: (TradingState.REDUCING, Severity.ERROR),
    Restraint.AWAITED: (TradingState.PAUSED, Severity.INFO),
    Restraint.PAUSED: (TradingState.PAUSED, Severity.WARNING),
    Restraint.HALTED: (TradingState.HALTED, Severity.ERROR),
}
"""What a restraint holds, and how loudly it is told."""


class Restraints:
    """Holds and latches the trading state for them, withdraws what rests, and tells of it."""

    def __init__(
        self,
        orders: OrderManager,
        risk: RiskState,
        breaker: CircuitBreaker,
        entry: OrderEntry,
        operator: OperatorCommands,
        alerts: TraderAlerts,
    ) -> None:
        self._orders = orders
        self._risk = risk
        self._breaker = breaker
        self._entry = entry
        self._operator = operator
        self._alerts = alerts

    def on_recovered(self, event: Recovered) -> Sequence[AnyCommand]:
        """A crash lies behind the engine: orders of before are uncertain until the venue has told of them."""
        self._operator.go_on()
        self._risk.release_edges()
        uncertain = self._orders.doubt_all(event.recv_ns)
        self._entry.forget()
        self._risk.hold(
            _RECOVERED,
            _PAUSED,
            "orders of before the crash are being accounted for",
            "the venue has told of each of them",
            event.recv_ns,
        )
        orders = f"{uncertain} {'order of before is' if uncertain == 1 else 'orders of before are'} uncertain"
        self._alerts.tell(
            event, Severity.WARNING, _RECOVERED, f"{event.reason}; {orders}" if event.reason else orders
        )
        return _NOTHING

    def on_storage(self, event: StorageStatus) -> Sequence[AnyCommand]:
        """The disk fails, or is well again: without a record nothing is quoted."""
        if event.is_sound:
            self._risk.release(event.code)
            self._alerts.tell(event, Severity.INFO, event.code, event.reason)
            return _NOTHING
        release = "the disk has been well for 10 s"
        self._risk.hold(event.code, _PAUSED, event.reason, release, event.recv_ns, is_of_edge=True)
        self._alerts.tell(event, Severity.ERROR, event.code, event.reason)
        self._entry.forget()
        return self._entry.pull(event.recv_ns)

    def on_edge(self, event: EdgeStatus) -> Sequence[AnyCommand]:
        """What the edges ask for: to hold trading back, to halt it, or to let it go on."""
        now, restraint = event.recv_ns, event.restraint
        if restraint is Restraint.NONE:
            if self._risk.has_hold(event.code):
                self._risk.release(event.code)
                self._alerts.tell(event, Severity.INFO, event.code, event.reason)
            return _NOTHING
        self._entry.forget()
        if restraint is Restraint.LATCHED:
            return self.halt(event, event.code, event.reason)
        state, severity = _ASKED_BY[restraint]
        is_new = not self._risk.has_hold(event.code)
        if restraint is Restraint.REDUCING_LATCHED:
            self._risk.latch(state, event.code, event.reason, now)
        else:
            # REDUCING is the portfolio's, which judges by the accounts: they outlive a crash, edges do not.
            is_of_edge = restraint is not Restraint.REDUCING
            self._risk.hold(event.code, state, event.reason, event.release, now, is_of_edge=is_of_edge)
        if is_new:
            self._alerts.tell(event, severity, event.code, event.reason)
        if restraint is Restraint.HALTED:
            return self._orders.cancel_all(now, event.code)
        return self._entry.pull(now)

    def end_recovery(self) -> None:
        """Let trading go on once no order is uncertain any more."""
        if self._risk.has_hold(_RECOVERED) and not self._orders.has_uncertain:
            self._risk.release(_RECOVERED)

    def halt(self, event: Event, code: str, reason: str) -> Sequence[AnyCommand]:
        """Latch HALTED and cancel everything; a flatten that is under way ends."""
        self._risk.latch(TradingState.HALTED, code, reason, event.recv_ns)
        text = f"HALTED: {reason}; all orders are being cancelled"
        if self._risk.is_flattening:
            # The position may not be what we think: orders that close it must not go on by themselves.
            self._risk.end_flatten()
            text += "; the flatten has ended, ask for it again when the position is certain"
        self._alerts.tell(event, Severity.CRITICAL, code, text)
        return self._orders.cancel_all(event.recv_ns, code)

    def distrust(self, reason: str, event: Timer) -> Sequence[AnyCommand]:
        """The strategy has failed: its quotes are withdrawn, and it is not asked again before a resume."""
        self._risk.hold(_STRATEGY, _PAUSED, reason, UNTIL_RESUMED, event.recv_ns)
        self._alerts.tell(event, Severity.ERROR, _STRATEGY, reason)
        self._entry.forget()
        return self._entry.pull(event.recv_ns)

    def tell_changes(self, event: Timer) -> None:
        """Tell of what the guards hold, latch and release. Whatever else does has told of it by itself."""
        for step in self._breaker.drain_changes():
            severity = Severity.INFO
            if step.after is BreakerState.OPEN:
                severity = Severity.WARNING if step.trigger is Trigger.MANUAL else Severity.ERROR
            self._alerts.tell(event, severity, BREAKER, step.sentence)
        for change, has_begun in self._risk.drain_changes():
            if change.code not in GUARDS:
                continue
            if has_begun:
                severity = Severity.CRITICAL if change.state >= TradingState.HALTED else Severity.ERROR
                text = f"{change.state.name}: {change.reason}; released when {change.release}"
                self._alerts.tell(event, severity, change.code, text)
            else:
                self._alerts.tell(event, Severity.INFO, change.code, f"over: {change.reason}")
