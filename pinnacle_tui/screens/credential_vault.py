"""The first step of the wizard, as the vault is: not there yet, locked, or not to be used as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from textual.app import ComposeResult

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible, visible_lines
from engine.core.secret import Secret
from engine.credentials.desk import TooManyAttempts, VaultState, WrongPassword
from pinnacle_tui.credential_wizard import Stage, Wizard
from pinnacle_tui.screens.credential_keys import KeysStep
from pinnacle_tui.screens.credential_step import Step, sentence, told
from pinnacle_tui.widgets.secret_input import SecretInput

_TICK_S: Final = 0.2


class AbsentStep(Step):
    """No vault yet: what it will be, and where."""

    HEADING = "Store a key for trading"

    def compose(self) -> ComposeResult:
        """What a vault is."""
        yield sentence(
            "Keys of the venue rest in a vault: one file, encrypted with a master password that you choose. "
            "It is made together with the first key."
        )
        yield sentence(f"It will be {visible(str(self.wizard.desk.path))}", "muted")
        yield sentence(
            "The key is checked at the venue before it is saved, and nothing is saved before the end. "
            "Paper trading and replays need no key."
        )
        yield told()

    def on_mount(self) -> None:
        """Say how one came here."""
        self.tell(self.wizard.notice, "$warning")
        self.wizard.notice = ""

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {"next": "begin"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self.go(Stage.VENUE)


class RefusedStep(Step):
    """A file that must not be used as it is."""

    HEADING = "The vault cannot be used as it is"

    def compose(self) -> ComposeResult:
        """Why, and what mends it."""
        yield sentence(visible_lines(self.wizard.desk.trouble), "error")
        yield sentence("Put it right in another terminal, then look again.", "muted")

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {"again": "look again"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self.go(Stage.VAULT)


class UnlockStep(Step):
    """A locked vault, and the field for its master password."""

    HEADING = "The vault is locked"

    def __init__(self, wizard: Wizard) -> None:
        super().__init__(wizard)
        self._failure = wizard.notice
        """Why it is not open, where that is to be said."""
        wizard.notice = ""

    def compose(self) -> ComposeResult:
        """Which vault, the field, what became of it."""
        yield sentence(visible(str(self.wizard.desk.path)), "muted")
        yield sentence("Master password:")
        yield SecretInput(id="password")
        yield told()

    def on_mount(self) -> None:
        """Count down while nothing can be tried."""
        self.query_one(SecretInput).focus()
        self.set_interval(_TICK_S, self._say)
        self._say()

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        return {} if self.wizard.is_busy or self.wizard.desk.wait_s > 0 else {"next": "open"}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self._try()

    def on_secret_input_submitted(self, event: SecretInput.Submitted) -> None:
        """Enter in the field."""
        event.stop()
        self._try()

    def _try(self) -> None:
        field = self.query_one(SecretInput)
        if self.offers() and field.size_bytes:
            self.wizard.is_busy = True
            self.run_worker(self._open(field.take()), name="open the vault")
            self._say()

    async def _open(self, password: Secret) -> None:
        wizard = self.wizard
        try:
            await wizard.desk.unlock(password)
        except TooManyAttempts as error:
            wizard.end(str(error))
            self.post_message(self.Ended())
        except WrongPassword as error:
            self._failure = str(error)
        except CredentialError as error:
            self._failure = str(error)
            if wizard.desk.state is not VaultState.LOCKED:
                self.go(Stage.VAULT)
        else:
            wizard.opened()
            self.go(Stage.VAULT)
        finally:
            password.wipe()
            wizard.is_busy = False
        self._say()

    def _say(self) -> None:
        wait_s = self.wizard.desk.wait_s
        if self.wizard.is_busy:
            self.tell("deriving the key from the password…")
        elif wait_s > 0:
            self.tell(f"{visible(self._failure)}; again in {math.ceil(wait_s)} s", "$error")
        elif self._failure:
            self.tell(visible(self._failure), "$warning")
        else:
            self.tell("it is read by this program alone, and shown nowhere")


STEPS: Final[Mapping[VaultState, type[Step]]] = {
    VaultState.ABSENT: AbsentStep,
    VaultState.LOCKED: UnlockStep,
    VaultState.OPEN: KeysStep,
    VaultState.REFUSED: RefusedStep,
}
"""What is to be done at the vault, as it is now."""
