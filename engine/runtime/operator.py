"""Carries out what people ask for over the link, and says when it is proven rather than when it was sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engine.config import Config
from engine.core.errors import UsageError
from engine.core.events import Alert, OperatorAction, Severity
from engine.link.event_log import EventLog
from engine.link.events import Operated, SettingChanged
from engine.link.messages import Command, CommandName, Verdict
from engine.runtime.alert_book import AlertBook
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp
from engine.runtime.outcome import EXIT_DONE, ListingError, Outcome
from engine.runtime.settings_change import CheckedChange, check_change
from engine.runtime.view import settings_of

_ACTIONS: Final = {
    CommandName.PAUSE: OperatorAction.PAUSE,
    CommandName.RESUME: OperatorAction.RESUME,
    CommandName.CANCEL_ALL: OperatorAction.CANCEL_ALL,
    CommandName.FLATTEN: OperatorAction.FLATTEN,
    CommandName.KILL: OperatorAction.KILL,
    CommandName.REARM: OperatorAction.REARM,
    CommandName.TRIP_BREAKER: OperatorAction.TRIP_BREAKER,
    CommandName.RESET_BREAKER: OperatorAction.RESET_BREAKER,
}
_PROVEN_BY_CANCELS: Final = frozenset(
    {
        CommandName.PAUSE,
        CommandName.CANCEL_ALL,
        CommandName.FLATTEN,
        CommandName.KILL,
        CommandName.TRIP_BREAKER,
    }
)
MOST_REASON: Final = 200
"""Characters of the reason that a person gives."""
_LOOK_AGAIN_NS: Final = 500_000_000
"""The kill switch asks the venue twice, so far apart in engine time: a list may lag."""
_SAME_EVERY_NS: Final = 60_000_000_000
_MOST_UNPROVEN: Final = 100
_ENDED: Final = "the engine has ended; no order is open"


class Answering(Protocol):
    """Where answers go; see `LinkServer.answer`."""

    def __call__(
        self,
        command_id: str,
        verdict: Verdict,
        text: str = "",
        open_orders: tuple[str, ...] = (),
        *,
        confirm: str = "",
    ) -> bool:
        """Tell how a command stands; False where the final word was said already."""
        ...


@dataclass(slots=True)
class _Unproven:
    """A command whose effect has been ordered and is not proven yet."""

    id: str
    """Empty where nobody waits for the answer."""
    name: CommandName
    orders: frozenset[str]
    """The orders that must be gone, where not every order must."""
    text: str
    product: str | None = None
    """The only one that it is for; None: for all of them."""
    met_ns: int | None = None
    """Since when every look has found it met."""


class Operator:
    """Turns a peer's commands into the Traders' and follows them to their proof. Also an `Observer`.

    `answer` is given after construction, by whoever serves the link.
    """

    def __init__(self, engine: Engine, config: Config, log: EventLog) -> None:
        self.config = config
        """The configuration as it is in force."""
        self.answer: Answering = lambda *_, **__: False
        self.on_owner_policy: Callable[[str], None] = lambda _: None
        self.tell: Callable[[Severity, str, str], None] = lambda *_: None
        """Tells everybody: severity, code, text."""
        self.on_rearm: Callable[[Collection[str]], None] = lambda _: None
        """Called with the products whose latches were taken back, where that of none was kept."""
        self.alerts = AlertBook()
        """What nobody has acknowledged yet."""
        self._engine = engine
        self._log = log
        self._unproven: list[_Unproven] = []
        self._unlisted_ns: int | None = None
        """When it was told last that a venue's list cannot be had."""

    # -- commands --------------------------------------------------------------------------------

    def on_command(self, who: str, command: Command) -> None:
        """Carry out a command that its peer may give."""
        name = CommandName(command.name)
        if name is CommandName.SET:
            self._set(who, command)
        elif name is CommandName.SHUTDOWN:
            self._note(name, who, "")
            text = "all orders are being cancelled, then the engine ends"
            self._follow(command.id, name, text, self._our_orders(None))
            self._engine.interrupt(f"stopped by {who}", EXIT_DONE)
        elif name is CommandName.ACK:
            self._acknowledge(who, command)
        elif name in _ACTIONS:
            given = command.arguments
            self._act(name, who, command.id, given.get("product"), given.get("reason", ""))
        else:
            self.answer(command.id, Verdict.REJECTED, f"nothing was done: {name} asks the engine for nothing")

    def _acknowledge(self, who: str, command: Command) -> None:
        name = command.arguments.get("name", "")
        if not self.alerts.acknowledge(name):
            standing = ", ".join(alert.name for alert in self.alerts.standing) or "none"
            text = f"no alert {name} waits to be acknowledged; those that do: {standing}"
            self.answer(command.id, Verdict.REJECTED, text)
            return
        self._note(CommandName.ACK, who, name)
        self.answer(command.id, Verdict.DONE, f"{name} is acknowledged")

    def kill(self, who: str) -> None:
        """The kill switch by another way than the link; its proof is told to everybody."""
        self._act(CommandName.KILL, who, "", None)

    def _act(self, name: CommandName, who: str, command_id: str, product: str | None, why: str = "") -> None:
        if len(why) > MOST_REASON:
            text = f"nothing was done: a reason has at most {MOST_REASON} characters"
            self.answer(command_id, Verdict.REJECTED, text)
            return
        reason = f"{why or name.replace('_', ' ')}, {who}"
        try:
            # The venue is asked nothing before: one that does not answer must not keep a kill from Traders.
            open_before = self._our_orders(product)
            answers = self._engine.tell(product, _ACTIONS[name], reason)
        except UsageError as error:
            self.answer(command_id, Verdict.REJECTED, str(error))
            return
        if name is CommandName.KILL:
            self._engine.sweep(reason, product)
        if name is CommandName.REARM and all(answer.is_taken for answer in answers.values()):
            self.on_rearm(answers.keys())
        text = _joined({product: answer.text for product, answer in answers.items()})
        if product is not None and len(self._engine.desks) > 1:
            text = f"{product} alone: {text}"
        self._note(name, who, text)
        is_taken = any(answer.is_taken for answer in answers.values())
        if not is_taken and name is not CommandName.KILL:
            self.answer(command_id, Verdict.REJECTED, text)
        elif name in _PROVEN_BY_CANCELS:
            self._follow(command_id, name, text, open_before, product)
        else:
            self.answer(command_id, Verdict.DONE, text)

    def _follow(
        self,
        command_id: str,
        name: CommandName,
        text: str,
        open_before: set[str],
        product: str | None = None,
    ) -> None:
        """Answer that it is under way, and see to it that its proof is told."""
        self.answer(command_id, Verdict.ACCEPTED, text, tuple(sorted(open_before)))
        self._unproven.append(_Unproven(command_id, name, frozenset(open_before), text, product))
        del self._unproven[:-_MOST_UNPROVEN]  # whose deadlines have passed long ago

    def _set(self, who: str, command: Command) -> None:
        try:
            instruments = [desk.trader.instrument for desk in self._engine.desks.values()]
            change = check_change(self.config, instruments, _assignment(command.arguments))
        except UsageError as error:
            self.answer(command.id, Verdict.REJECTED, str(error))
            return
        if (unconfirmed := self._unconfirmed(change, command.arguments)) is not None:
            self.answer(command.id, Verdict.REJECTED, unconfirmed, confirm=change.key)
            return
        if change.old == change.new:
            self.answer(command.id, Verdict.DONE, f"{change.key} is {change.new} already")
            return
        if change.key.startswith("console."):
            self.on_owner_policy(change.new)
        else:
            answers = self._engine.change_settings(change.changes)
            refused = {product: answer.text for product, answer in answers.items() if not answer.is_taken}
            if refused:
                self.answer(command.id, Verdict.REJECTED, _joined(refused))
                return
        if change.loosened:
            text = f"{who} has loosened {change.key}: {change.old} → {change.new}"
            self.tell(Severity.WARNING, "LOOSENED", text)
        if (warning := change.config.edge_warning()) and warning != self.config.edge_warning():
            self.tell(Severity.WARNING, "FEES", warning)
        if (warning := change.config.band_warning()) and warning != self.config.band_warning():
            self.tell(Severity.WARNING, "BAND", warning)
        self.config = change.config
        clock = self._engine.clock
        self._log.publish(
            SettingChanged, clock.wall_ns(), clock.monotonic_ns(), "", change.key, change.old, change.new, who
        )
        self.answer(command.id, Verdict.DONE, f"{change.key}: {change.old} → {change.new}")

    def _unconfirmed(self, change: CheckedChange, arguments: Mapping[str, str]) -> str | None:
        """Why a change must be asked for once more: a limit of real money loosens on purpose only (R29)."""
        if self.config.engine.mode != "live" or not change.loosened:
            return None
        if arguments.get("confirm") == change.key:
            return None
        return (
            f"{change.key}: {change.new} would allow more than {change.old} while real money is traded: it "
            f"loosens {_listed(change.loosened)}. Nothing was changed; whoever means it gives the key's name "
            "once more"
        )

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
        """Tell of every command whose effect is proven by now.

        A venue whose list cannot be had proves nothing and ends nothing: it is asked again.
        """
        try:
            listed = self._engine.possibly_open()
        except Exception as error:
            if isinstance(error, ListingError) and error.is_pending:
                return
            for unproven in self._unproven:
                unproven.met_ns = None
            self._tell_unlisted(error)
            return
        waiting = []
        for unproven in self._unproven:
            if self._was_given_up(unproven):
                text = f"{unproven.text}; that has ended before the position was closed"
                self.answer(unproven.id, Verdict.REJECTED, text)
            elif self._is_proven(unproven, _of(listed, unproven.product)):
                self._prove(unproven, _PROOFS[unproven.name])
            else:
                waiting.append(unproven)
        self._unproven = waiting

    def end(self, outcome: Outcome) -> None:
        """The engine has ended: answer what its end proves, or leaves open."""
        for unproven in self._unproven:
            if not outcome.is_proven:
                self.answer(unproven.id, Verdict.UNKNOWN, outcome.reason, outcome.open_orders)
            elif not self._was_given_up(unproven):
                self._prove(unproven, _ENDED)
        self._unproven = []

    def _prove(self, unproven: _Unproven, proof: str) -> None:
        text = f"{unproven.text}; {proof}"
        # Whoever was told in the meantime that there is no proof must hear that there is one now.
        is_heard = self.answer(unproven.id, Verdict.DONE, text)
        if not is_heard or unproven.name is CommandName.KILL:
            self.tell(Severity.INFO, "PROVEN", f"{unproven.name.replace('_', ' ')}: {text}")

    def _is_proven(self, unproven: _Unproven, still_open: set[str]) -> bool:
        match unproven.name:
            case CommandName.SHUTDOWN:
                return False  # only the engine's end proves it
            case CommandName.FLATTEN:
                return not still_open and not self._is_flattening(unproven.product)
            case CommandName.KILL:
                now = self._engine.clock.monotonic_ns()
                if still_open:
                    unproven.met_ns = None
                elif unproven.met_ns is None:
                    unproven.met_ns = now
                return unproven.met_ns is not None and now - unproven.met_ns >= _LOOK_AGAIN_NS
            case _:
                return not unproven.orders & still_open

    def _was_given_up(self, unproven: _Unproven) -> bool:
        """True for a flatten that goes on no more and has not closed everything."""
        is_flatten = unproven.name is CommandName.FLATTEN
        return is_flatten and any(
            not desk.trader.is_flat and not desk.trader.risk.is_flattening
            for desk in self._desks(unproven.product)
        )

    def _is_flattening(self, product: str | None) -> bool:
        return any(desk.trader.risk.is_flattening for desk in self._desks(product))

    def _tell_unlisted(self, error: Exception) -> None:
        now = self._engine.clock.monotonic_ns()
        if self._unlisted_ns is None or now - self._unlisted_ns >= _SAME_EVERY_NS:
            self._unlisted_ns = now
            text = f"nothing is proven: {error}; it is asked again"
            self.tell(Severity.ERROR, "UNPROVEN", text)

    def _desks(self, product: str | None) -> Iterable[Desk]:
        """That of a product, or all; none of a product that is not traded here."""
        desks = self._engine.desks
        return desks.values() if product is None else [desks[product]] if product in desks else []

    def _our_orders(self, product: str | None) -> set[str]:
        """Orders that may still trade, by our own record."""
        return {
            order.client_id for desk in self._desks(product) for order in desk.trader.orders.open_orders()
        }


_PROOFS: Final = {
    CommandName.PAUSE: "the venue lists none of the orders that were open",
    CommandName.CANCEL_ALL: "the venue lists none of the orders that were open",
    CommandName.TRIP_BREAKER: "the venue lists none of the orders that were open",
    CommandName.FLATTEN: "no order is open",
    CommandName.KILL: "the venue was asked twice and lists no order of ours",
}


def _assignment(arguments: Mapping[str, str]) -> str:
    """`key=value`. To unset is to give empty text, not to forget the value."""
    if "value" not in arguments:
        raise UsageError(f"{arguments.get('key', '')}: no value was given, nothing was changed")
    return f"{arguments.get('key', '')}={arguments['value']}"


def _of(listed: Mapping[str, tuple[str, ...]], product: str | None) -> set[str]:
    """The orders of a product, or of all."""
    return {order for symbol, orders in listed.items() if product in (None, symbol) for order in orders}


def _listed(names: tuple[str, ...]) -> str:
    """Names of limits as words: `max position, max quoted position`."""
    return ", ".join(name.replace("_", " ") for name in names)


def _joined(texts: dict[str, str]) -> str:
    """One sentence where all products say the same, else one a product."""
    different = set(texts.values())
    if len(different) == 1:
        return different.pop()
    return "; ".join(f"{product}: {text}" for product, text in texts.items())
