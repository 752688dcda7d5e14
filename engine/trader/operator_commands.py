"""What a person can ask of a Trader, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from engine.core.errors import UsageError
from engine.core.events import (
    Answer,
    AnyCommand,
    Event,
    OperatorAction,
    OperatorCommand,
    SettingsChange,
    Severity,
)
from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order import OrderState
from engine.core.order_manager import OrderManager
from engine.risk.circuit_breaker import BreakerState, CircuitBreaker, Trigger
from engine.risk.gate import RiskGate
from engine.risk.loss_guard import LossGuard
from engine.risk.state import RiskState, TradingState
from engine.strategy.protocol import Strategy
from engine.trader.order_entry import OrderEntry

Reconfigure = Callable[[Mapping[str, str]], None]
"""Puts changed settings into force, all or none; `UsageError` says why not."""
Tell = Callable[[Event, Severity, str, str], None]

_S: Final = 1_000_000_000
_MOST_NAMED: Final = 5
"""Orders that a sentence names; the rest is counted."""
_NOTHING: Final[tuple[AnyCommand, ...]] = ()


class OperatorState(msgspec.Struct, frozen=True):
    """What people have changed for good."""

    is_stopping: bool
    changed_settings: dict[str, str]


class OperatorCommands:
    """Carries out what a person asks. Every command is answered, none raises for what a person typed."""

    def __init__(
        self,
        instrument: Instrument,
        strategy: Strategy,
        orders: OrderManager,
        ledger: Ledger,
        gate: RiskGate,
        risk: RiskState,
        guard: LossGuard,
        breaker: CircuitBreaker,
        entry: OrderEntry,
        tell: Tell,
        reconfigure: Reconfigure,
    ) -> None:
        self.is_stopping = False
        """True from SHUTDOWN on, until a new engine goes on."""
        self.answer = Answer(False, "nothing was asked yet")
        """What became of the last command or change of settings."""
        self.changed_settings: dict[str, str] = {}
        """Every setting that was changed since the start, with its present text."""
        self._instrument = instrument
        self._strategy = strategy
        self._orders = orders
        self._ledger = ledger
        self._gate = gate
        self._risk = risk
        self._guard = guard
        self._breaker = breaker
        self._entry = entry
        self._tell = tell
        self._reconfigure = reconfigure
        self._actions: dict[OperatorAction, Callable[[OperatorCommand, str], Sequence[AnyCommand]]] = {
            OperatorAction.PAUSE: self._pause,
            OperatorAction.RESUME: self._resume,
            OperatorAction.CANCEL_ALL: self._cancel_all,
            OperatorAction.FLATTEN: self._flatten,
            OperatorAction.KILL: self._kill,
            OperatorAction.REARM: self._rearm,
            OperatorAction.TRIP_BREAKER: self._trip_breaker,
            OperatorAction.RESET_BREAKER: self._reset_breaker,
            OperatorAction.SHUTDOWN: self._shut_down,
        }

    def save(self) -> OperatorState:
        """Whether the end was asked for, and every changed setting."""
        return OperatorState(self.is_stopping, self.changed_settings.copy())

    def load(self, state: OperatorState) -> None:
        """Put the changed settings into force again."""
        if state.changed_settings:
            self._reconfigure(state.changed_settings)
        self.is_stopping, self.changed_settings = state.is_stopping, dict(state.changed_settings)

    def go_on(self) -> None:
        """A new engine goes on with the session: an end that was asked for of the old one has come."""
        self.is_stopping = False
        self._strategy.start()

    def on_command(self, event: OperatorCommand) -> Sequence[AnyCommand]:
        """Do what is asked, or refuse; `answer` then says which."""
        self._entry.forget()
        return self._actions[event.action](event, event.reason or event.action.value)

    def on_settings(self, event: SettingsChange) -> Sequence[AnyCommand]:
        """Put changed settings into force, or refuse all of them."""
        gate, limits = self._gate, self._gate.limits
        try:
            self._reconfigure(event.changes)
        except UsageError as error:
            return self._refuse(event, str(error))
        self.changed_settings |= event.changes
        told = ", ".join(f"{key} = {text or 'unset'}" for key, text in event.changes.items())
        self.answer = Answer(True, f"from now on {told}")
        self._entry.forget()
        if gate.limits == limits:
            return _NOTHING
        # What rests was judged by the old limits: it goes, and what is wanted is judged by the new ones.
        gate.on_position(self._ledger.position, event.recv_ns)
        return self._entry.pull(event.recv_ns)

    # -- the actions -----------------------------------------------------------------------------

    def _pause(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        self._risk.pause(reason, event.recv_ns)
        commands = self._entry.pull(event.recv_ns)
        self.answer = Answer(
            True, f"quoting is paused; {_being_cancelled(commands)}{self._flatten_goes_on()}"
        )
        return commands

    def _resume(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        risk, was_flattening = self._risk, self._risk.is_flattening
        if not risk.resume():
            return self._refuse(event, f"quoting is not paused{self._restricted()}")
        ended = f"the flatten has ended with a position of {self._position()}; " if was_flattening else ""
        self.answer = Answer(True, f"{ended}no pause is left{self._restricted()}")
        return _NOTHING

    def _cancel_all(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        commands = self._orders.cancel_all(event.recv_ns, reason)
        self.answer = Answer(True, f"{_being_cancelled(commands)}{self._flatten_goes_on()}")
        return commands

    def _flatten(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        if self.is_stopping:
            return self._refuse(event, "the engine is ending: it cancels its orders and sends no new ones")
        self._risk.flatten(reason, event.recv_ns)
        commands = self._orders.cancel_all(event.recv_ns, reason)
        what = f"the position of {self._position()} is being closed" if self._ledger.position else "flat"
        text = f"{what}; {_being_cancelled(commands)}; quoting is paused until a person resumes"
        self._tell(event, Severity.WARNING, "FLATTEN", f"flatten: {reason}; {text}")
        self.answer = Answer(True, text)
        return commands

    def _kill(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        # Nothing leaves after a kill, so a flatten ends, too; whoever wants it then asks for it again.
        self._risk.end_flatten()
        self._risk.latch(TradingState.KILLED, "KILL", reason, event.recv_ns)
        self._tell(event, Severity.CRITICAL, "KILL", f"kill switch: {reason}; all orders are being cancelled")
        commands = self._orders.cancel_all(event.recv_ns, reason)
        self.answer = Answer(True, f"KILLED; {_being_cancelled(commands)}")
        return commands

    def _rearm(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        latch = self._risk.latched
        if latch is None:
            return self._refuse(event, "nothing is latched: there is nothing to take back")
        if lost := self._guard.loss_today(self._ledger.equity):  # whatever latched first
            return self._refuse(event, f"{latch.state.name} stays: {lost}")
        if unproven := self._unproven_orders():
            return self._refuse(
                event,
                f"{latch.state.name} stays: {unproven} no proven end yet, and nothing may be traded beside "
                "them; look at the venue, and rearm when they are gone",
            )
        self._risk.reset()
        self._guard.restart()
        text = (
            f"{latch.state.name} is taken back ({latch.code}: {latch.reason}); drawdown is measured from "
            f"the present equity on{self._restricted()}"
        )
        self._tell(event, Severity.WARNING, "REARM", f"rearm: {reason}; {text}")
        self.answer = Answer(True, text)
        return _NOTHING

    def _trip_breaker(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        was = self._breaker.state
        self._breaker.trip(Trigger.MANUAL, reason, event.recv_ns)
        commands = self._entry.pull(event.recv_ns)
        seconds = self._breaker.limits.cooldown_ns // _S
        what = "was open already" if was is BreakerState.OPEN else f"was {was.value} and is open"
        self.answer = Answer(
            True,
            f"the circuit breaker {what}; {_being_cancelled(commands)}{self._flatten_goes_on()}; smaller "
            f"quotes go on trial once {seconds} s have passed without a trigger",
        )
        return commands

    def _reset_breaker(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        was = self._breaker.state
        if was is BreakerState.CLOSED:
            return self._refuse(event, f"the circuit breaker is closed{self._restricted()}")
        self._breaker.reset(event.recv_ns)
        self.answer = Answer(True, f"the circuit breaker was {was.value} and is closed{self._restricted()}")
        return _NOTHING

    def _shut_down(self, event: OperatorCommand, reason: str) -> Sequence[AnyCommand]:
        self.is_stopping = True
        self._risk.end_flatten()
        self._strategy.stop()
        commands = self._orders.cancel_all(event.recv_ns, reason)
        self.answer = Answer(True, f"the engine is ending; {_being_cancelled(commands)}")
        return commands

    # -- words -----------------------------------------------------------------------------------

    def _refuse(self, event: Event, text: str) -> Sequence[AnyCommand]:
        self.answer = Answer(False, text)
        self._tell(event, Severity.INFO, "REFUSED", text)
        return _NOTHING

    def _restricted(self) -> str:
        """What still keeps trading back, to end a sentence with."""
        worst = self._risk.worst
        return (
            "" if worst is None else f"; trading is {worst.state.name}: {worst.reason}, until {worst.release}"
        )

    def _unproven_orders(self) -> str:
        """The orders whose state only the venue knows, or whose cancel it has not proven; empty for none."""
        orders = self._orders.open_orders()
        ids = [
            o.client_id for o in orders if o.state is OrderState.UNCERTAIN or o.cancel_asked_ns is not None
        ]
        if not ids:
            return ""
        named = ", ".join(ids[:_MOST_NAMED]) + (
            f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
        )
        return f"order {named} has" if len(ids) == 1 else f"orders {named} have"

    def _flatten_goes_on(self) -> str:
        return "; the flatten goes on, a resume ends it" if self._risk.is_flattening else ""

    def _position(self) -> str:
        return f"{self._instrument.size_text(self._ledger.position)} {self._instrument.base}"


def _being_cancelled(commands: Sequence[AnyCommand]) -> str:
    count = len(commands)
    return (
        f"{count} {'order is' if count == 1 else 'orders are'} being cancelled"
        if count
        else "no cancel was needed"
    )
