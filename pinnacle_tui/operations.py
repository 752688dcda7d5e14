"""What a person does to the engine, and how each deed is reported: asked, acknowledged, proven or not."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, Protocol

from engine.link.messages import Ack, CommandName, Verdict
from engine.link.mirror import Pending
from pinnacle_tui.session import EngineSession

WORDS = {
    CommandName.PAUSE: "pause quoting",
    CommandName.RESUME: "resume quoting",
    CommandName.CANCEL_ALL: "cancel all",
    CommandName.FLATTEN: "flatten",
    CommandName.KILL: "kill switch",
    CommandName.REARM: "rearm",
    CommandName.TRIP_BREAKER: "trip the circuit breaker",
    CommandName.RESET_BREAKER: "reset the circuit breaker",
    CommandName.SET: "set",
    CommandName.ACK: "acknowledge",
    CommandName.TAKE_CONTROL: "take control",
}
PROOF_S: Final = 8.0
"""How long proof is waited for before the word is: unknown."""
ASKED_S: Final = 0.3
"""A result that takes longer is told of as asked for, so that no key seems to do nothing."""

Severity = Literal["information", "warning", "error"]


class Reporter(Protocol):
    """Where results are told."""

    def say(self, text: str, severity: Severity = "information") -> None:
        """Tell a sentence; `severity` is information, warning or error."""
        ...

    def set_timer(self, delay: float, callback: Callable[[], None]) -> object:
        """Call once, after `delay` seconds."""
        ...


class Unsent(NamedTuple):
    """A kill that found no link."""

    reason: str
    """Why there is none, or how the engine ended."""
    is_signalled: bool
    """True when a signal went to the engine's process instead."""


class Operations:
    """Sends commands and tells what became of them. Nothing is called done before the engine proved it."""

    def __init__(self, session: EngineSession, reporter: Reporter) -> None:
        self._session = session
        self._reporter = reporter

    def send(
        self,
        name: CommandName,
        arguments: dict[str, str] | None = None,
        on_change: Callable[[Pending], None] | None = None,
        on_confirm: Callable[[Ack], None] | None = None,
    ) -> Pending | None:
        """Send a command; None, and a sentence on the screen, when there is no connection.

        `on_change` tells what becomes of it in place of the usual sentences. `on_confirm` is called where
        the engine refuses it only because it was not confirmed.
        """
        what = describe(name, arguments)

        def changed(pending: Pending) -> None:
            if on_change is not None:
                on_change(pending)
            elif on_confirm is not None and pending.ack is not None and pending.ack.confirm:
                on_confirm(pending.ack)
            elif pending.is_final:
                self._tell(what, pending)

        try:
            pending = self._session.command(name, arguments, deadline_s=PROOF_S, on_change=changed)
        except ConnectionError as error:
            self._reporter.say(f"{what} was not sent: {error}. Nothing has changed at the engine.", "error")
            return None
        if on_change is None:
            self._reporter.set_timer(ASKED_S, lambda: self._tell_asked(what, pending))
        return pending

    def kill(self, on_change: Callable[[Pending], None]) -> Pending | Unsent:
        """The kill switch, at once: over the link, or by a signal to an engine of ours without one."""
        session = self._session
        try:
            return session.command(CommandName.KILL, deadline_s=PROOF_S, on_change=on_change)
        except ConnectionError as error:
            reason = session.ending.sentence if session.ending is not None else str(error)
            return Unsent(reason, session.host.insist(signal.SIGUSR1))

    def _tell_asked(self, what: str, pending: Pending) -> None:
        if not pending.is_final:
            how = "asked" if pending.ack is None else "taken up, waiting for proof"
            self._reporter.say(f"{what}: {how}…")

    def _tell(self, what: str, pending: Pending) -> None:
        ack = pending.ack
        if ack is None:
            return
        text = f": {ack.text}" if ack.text else ""
        if ack.verdict is Verdict.DONE:
            self._reporter.say(f"{what}: done in {ack.ms:.0f} ms{text}")
        elif ack.verdict is Verdict.REJECTED:
            self._reporter.say(f"{what} was refused{text}", "error")
        else:
            listed = f" Possibly open: {', '.join(ack.open_orders)}." if ack.open_orders else ""
            self._reporter.say(f"{what}: not proven{text}.{listed}", "error")


def describe(name: CommandName, arguments: dict[str, str] | None = None) -> str:
    """A command in words."""
    if name is CommandName.SET and arguments:
        return f"set {arguments.get('key')} to {arguments.get('value')}"
    if name is CommandName.ACK and arguments:
        return f"acknowledge {arguments.get('name')}"
    words = WORDS.get(name, name.value)
    if arguments and "product" in arguments:
        return f"{words} of {arguments['product']} alone"
    return words
