"""The vault is locked: the master password is typed, and the key goes to the engine that waits for it."""

from __future__ import annotations

import math
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.core.secret import Secret
from engine.credentials.desk import TooManyAttempts, WrongPassword
from pinnacle_tui.key_handover import KeyHandover
from pinnacle_tui.screens.answers import Answer
from pinnacle_tui.screens.base import Dialog
from pinnacle_tui.widgets.secret_input import SecretInput

_TICK_S: Final = 0.2


class UnlockScreen(Dialog):
    """Closes when the engine has its key. Left, it lets the engine end without one: nothing was sent."""

    AUTO_FOCUS = "SecretInput"
    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "leave", "leave", key_display="esc", tooltip="Leave, send nothing", id="unlock.leave"
        ),
    ]

    def __init__(self, handover: KeyHandover) -> None:
        super().__init__()
        self._handover = handover
        self._failure = ""
        """Why what was typed last did not do."""
        self._is_opening = False
        self._told = Content()

    def compose(self) -> ComposeResult:
        """What is locked, what begins when it is open, the field, what became of it, the answers."""
        locked = self._handover.locked
        with Vertical(id="dialog"):
            yield Static("The vault is locked", classes="title", markup=False)
            yield Static(
                Content.assemble(
                    (visible(locked.vault), "$muted"),
                    f"\nWith {visible(locked.key)} out of it, {visible(locked.purpose)} begins.",
                ),
                classes="words",
                markup=False,
            )
            yield Static("Master password:", classes="words", markup=False)
            yield SecretInput(id="password")
            yield Static(classes="words", id="told", markup=False)
            with Vertical(id="answers"):
                yield Answer("open", "Open it", key="enter", id="open")
                yield Answer("leave", "Leave; nothing is sent", id="leave")

    def on_mount(self) -> None:
        """Count down while nothing can be tried."""
        self.set_interval(_TICK_S, self._say)
        self._say()

    def on_secret_input_submitted(self, event: SecretInput.Submitted) -> None:
        """Enter in the field."""
        event.stop()
        self.action_open()

    def on_secret_input_refused(self, event: SecretInput.Refused) -> None:
        """What was pasted is no password."""
        event.stop()
        self._failure = event.why
        self._say()

    def action_open(self) -> None:
        """Try what is typed, where it can be tried now."""
        field = self.query_one(SecretInput)
        if self._is_opening or not self._handover.is_pending or self._handover.locked.wait_s > 0:
            return
        if not field.size_bytes:
            return
        self._is_opening = True
        self.run_worker(self._open(field.take()), name="open the vault")
        self._say()

    def action_leave(self) -> None:
        """The engine gets no key; when it has ended, so does the console. Asked again, it is told to."""
        if self._handover.refuse():
            self._say()
        else:
            self.console.session.stop()

    async def _open(self, password: Secret) -> None:
        try:
            await self._handover.unlock(password)
        except TooManyAttempts as error:
            self._handover.refuse(str(error))
        except WrongPassword as error:
            self._failure = str(error)
        except CredentialError as error:
            # No other password would help.
            self._handover.refuse(str(error))
        else:
            self.dismiss(None)
            return
        finally:
            password.wipe()
        self._is_opening = False
        self._say()

    def _say(self) -> None:
        state = self._state()
        if state != self._told:
            self._told = state
            self.query_one("#told", Static).update(state)

    def _state(self) -> Content:
        handover = self._handover
        wait_s = handover.locked.wait_s
        if handover.is_refused:
            told = f"{visible(handover.ending)}\n" if handover.ending else ""
            return Content.assemble((told, "$error"), ("leaving; nothing was sent", "$muted"))
        if self._is_opening:
            return Content.styled("deriving the key from the password", "$muted")
        if not self._failure:
            return Content.styled("it is read by this program alone, and shown nowhere", "$muted")
        again = f"again in {math.ceil(wait_s)} s" if wait_s > 0 else "try again"
        return Content.assemble((visible(self._failure), "$error"), f"\n{again}")
