"""Carries out what people ask for over the link, and says when it is proven rather than when it was sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engine.config import Config
from engine.core.errors import UsageError
from engine.core.events import Alert, OperatorAction
from engine.link.event_log import EventLog
from engine.link.events import Operated, SettingChanged
from engine.link.messages import Command, CommandName, Verdict
from engine.runtime.desk import Desk
from engine.runtime.engine import EXIT_DONE, Engine, WakeUp
from engine.runtime.settings_change import check_change
from engine.runtime.view import settings_of

_ACTIONS: Final = {
    CommandName.PAUSE: OperatorAction.PAUSE,
    CommandName.RESUME: OperatorAction.RESUME,
    CommandName.CANCEL_ALL: OperatorAction.CANCEL_ALL,
    CommandName.FLATTEN: OperatorAction.FLATTEN,
    CommandName.KILL: OperatorAction.KILL,
    CommandName.REARM: OperatorAction.REARM,
}
_PROVEN_BY_CANCELS: Final = frozenset(
    {CommandName.PAUSE, CommandName.CANCEL_ALL, CommandName.FLATTEN, CommandName.KILL}
)
_LOOKS: Final = {CommandName.KILL: 2}
"""How many wake-ups in a row must find nothing open: the kill switch asks the venue twice."""


class Answering(Protocol):
    """Where answers go; see `LinkServer.answer`."""

    def __call__(
        self, command_id: str, verdict: Verdict, text: str = "", open_orders: tuple[str, ...] = ()
    ) -> bool:
        """Tell how a command stands; False where the final word was said already."""
        ...


@dataclass(slots=True)
class _Unproven:
    """A command whose effect has been ordered and is not proven yet."""

    id: str
    name: CommandName
    orders: frozenset[str]
    """The orders that must be gone; empty for those that want every order gone."""
    text: str
    looks: int


class Operator:
    """Turns a peer's commands into the Traders' and follows them to their proof. Also an `Observer`.

    `answer` is given after construction, by whoever serves the link.
    """

    def __init__(self, engine: Engine, config: Config, log: EventLog) -> None:
        self.config = config
        """The configuration as it is in force."""
        self.answer: Answering = lambda *_: False
        self.on_owner_policy: Callable[[str], None] = lambda _: None
        self._engine = engine
        self._log = log
        self._unproven: list[_Unproven] = []

    # -- commands --------------------------------------------------------------------------------

    def on_command(self, who: str, command: Command) -> None:
        """Carry out a command that its peer may give."""
        name = CommandName(command.name)
        if name is CommandName.SET:
            self._set(who, command)
        elif name is CommandName.SHUTDOWN:
            self._note(name, who, "")
            self.answer(command.id, Verdict.ACCEPTED, "all orders are being cancelled, then the engine ends")
            self._engine.interrupt(f"stopped by {who}", EXIT_DONE)
        elif name in _ACTIONS:
            self._tell(name, who, command)
        else:
            self.answer(command.id, Verdict.REJECTED, f"nothing was done: {name} asks the engine for nothing")

    def kill(self, who: str) -> None:
        """The kill switch by another way than the link."""
        self._note(CommandName.KILL, who, "")
        self._engine.tell(None, OperatorAction.KILL, f"kill switch, {who}")

    def _tell(self, name: CommandName, who: str, command: Command) -> None:
        open_before = self._open_orders()
        answers = self._engine.tell(None, _ACTIONS[name], f"{name.replace('_', ' ')}, {who}")
        text = _joined({product: answer.text for product, answer in answers.items()})
        self._note(name, who, text)
        if not any(answer.is_taken for answer in answers.values()):
            self.answer(command.id, Verdict.REJECTED, text)
        elif name not in _PROVEN_BY_CANCELS:
            self.answer(command.id, Verdict.DONE, text)
        else:
            self.answer(command.id, Verdict.ACCEPTED, text, tuple(sorted(open_before)))
            everything = name in (CommandName.KILL, CommandName.FLATTEN)
            must_go = frozenset() if everything else frozenset(open_before)
            self._unproven.append(_Unproven(command.id, name, must_go, text, _LOOKS.get(name, 1)))

    def _set(self, who: str, command: Command) -> None:
        key, value = command.arguments.get("key", ""), command.arguments.get("value", "")
        try:
            instruments = [desk.trader.instrument for desk in self._engine.desks.values()]
            change = check_change(self.config, instruments, f"{key}={value}")
        except UsageError as error:
            self.answer(command.id, Verdict.REJECTED, str(error))
            return
        if change.old == change.new:
            self.answer(command.id, Verdict.DONE, f"{key} is {change.new} already")
            return
        if key.startswith("console."):
            self.on_owner_policy(change.new)
        else:
            answers = self._engine.change_settings(change.changes)
            refused = {product: answer.text for product, answer in answers.items() if not answer.is_taken}
            if refused:
                self.answer(command.id, Verdict.REJECTED, _joined(refused))
                return
        self.config = change.config
        clock = self._engine.clock
        self._log.publish(
            SettingChanged, clock.wall_ns(), clock.monotonic_ns(), "", key, change.old, change.new, who
        )
        self.answer(command.id, Verdict.DONE, f"{key}: {change.old} → {change.new}")

    def settings(self) -> dict[str, str]:
        """Every key with the value in force."""
        return settings_of(self.config)

    def _note(self, name: CommandName, who: str, text: str) -> None:
        clock = self._engine.clock
        self._log.publish(Operated, clock.wall_ns(), clock.monotonic_ns(), "", name.value, who, text)

    # -- proof -----------------------------------------------------------------------------------

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`. Whatever waits for proof is looked at whenever something may have changed."""
        if self._unproven:
            self.look()

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`: nothing of ours."""

    def on_status(self, now_ns: int) -> None:
        """See `Observer`: nothing of ours."""

    def look(self) -> None:
        """Tell of every command whose effect is proven by now."""
        still_open = self._open_orders()
        waiting = []
        for unproven in self._unproven:
            is_met = self._is_met(unproven, still_open)
            unproven.looks = unproven.looks - 1 if is_met else _LOOKS.get(unproven.name, 1)
            if unproven.looks:
                waiting.append(unproven)
            else:
                self.answer(unproven.id, Verdict.DONE, f"{unproven.text}; {_PROOFS[unproven.name]}")
        self._unproven = waiting

    def _is_met(self, unproven: _Unproven, still_open: set[str]) -> bool:
        if unproven.name is CommandName.FLATTEN:
            flattening = any(desk.trader.risk.is_flattening for desk in self._engine.desks.values())
            return not flattening and not still_open
        if unproven.orders:
            return not unproven.orders & still_open
        return unproven.name is not CommandName.KILL or not still_open

    def _open_orders(self) -> set[str]:
        return {order for orders in self._engine.possibly_open().values() for order in orders}


_PROOFS: Final = {
    CommandName.PAUSE: "the venue lists none of the orders that were open",
    CommandName.CANCEL_ALL: "the venue lists none of the orders that were open",
    CommandName.FLATTEN: "no order is open",
    CommandName.KILL: "the venue was asked twice and lists no order of ours",
}


def _joined(texts: dict[str, str]) -> str:
    """One sentence where all products say the same, else one a product."""
    different = set(texts.values())
    if len(different) == 1:
        return different.pop()
    return "; ".join(f"{product}: {text}" for product, text in texts.items())
