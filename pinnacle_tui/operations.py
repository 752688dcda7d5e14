"""What a person does to the engine, and how each deed is reported: asked, acknowledged, proven or not."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Literal, Protocol

from engine.link.messages import CommandName, Verdict
from engine.link.mirror import Pending
from pinnacle_tui.session import EngineSession

WORDS = {
    CommandName.PAUSE: "pause quoting",
    CommandName.RESUME: "resume quoting",
    CommandName.CANCEL_ALL: "cancel all",
    CommandName.FLATTEN: "flatten",
    CommandName.KILL: "kill switch",
    CommandName.REARM: "rearm",
    CommandName.SET: "set",
    CommandName.TAKE_CONTROL: "take control",
    CommandName.RELEASE_CONTROL: "release control",
}
PROOF_S = 8.0
"""How long proof is waited for before the word is: unknown."""


Severity = Literal["information", "warning", "error"]


class Reporter(Protocol):
    """Where results are told."""

    def say(self, text: str, severity: Severity = "information") -> None:
        """Tell a sentence; `severity` is information, warning or error."""
        ...


class Operations:
    """Sends commands and tells what became of them. Nothing is called done before the engine proved it."""

    def __init__(self, session: EngineSession, reporter: Reporter) -> None:
        self._session = session
        self._reporter = reporter
        self.latest: Pending | None = None
        """The command sent last, for the status line."""

    def send(
        self,
        name: CommandName,
        arguments: dict[str, str] | None = None,
        on_change: Callable[[Pending], None] | None = None,
    ) -> Pending | None:
        """Send a command; None, and a sentence on the screen, when there is no connection."""
        what = describe(name, arguments)

        def changed(pending: Pending) -> None:
            if on_change is not None:
                on_change(pending)
            elif pending.is_final:
                self._tell(what, pending)

        try:
            self.latest = self._session.command(name, arguments, deadline_s=PROOF_S, on_change=changed)
        except ConnectionError as error:
            self._reporter.say(f"{what} was not sent: {error}. Nothing has changed at the engine.", "error")
            return None
        return self.latest

    def kill(self, on_change: Callable[[Pending], None]) -> Pending | None:
        """The kill switch, at once: over the link, or by a signal to an engine of ours without one."""
        try:
            self.latest = self._session.command(CommandName.KILL, deadline_s=PROOF_S, on_change=on_change)
        except ConnectionError:
            self._session.host.insist(signal.SIGUSR1)
            return None
        return self.latest

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
    return WORDS.get(name, name.value)
