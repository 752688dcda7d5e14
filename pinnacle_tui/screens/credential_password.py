"""Choosing a master password: typed twice, with what it is worth said as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.core.secret import Secret
from engine.credentials.desk import Strength
from pinnacle_tui.credential_wizard import Stage, Wizard
from pinnacle_tui.screens.credential_step import Step, sentence, told
from pinnacle_tui.widgets.rows import left
from pinnacle_tui.widgets.secret_input import SecretInput

_CALM_S: Final = 0.15
_BEST: Final = 4
_FULL: Final = "■ "
_FREE: Final = "□ "
_LABEL_CELLS: Final = 15


class PasswordStep(Step):
    """For a vault that is yet to be made."""

    HEADING = "Choose a master password"
    ADVICE: ClassVar[str] = "Four or five words at random are strong, and can be remembered."
    DEED: ClassVar[str] = "go on"

    def __init__(self, wizard: Wizard) -> None:
        super().__init__(wizard)
        self._strength: Strength | None = None
        """Of what stands in the first field; None until it was judged."""
        self._calm: Timer | None = None

    def compose(self) -> ComposeResult:
        """Advice, the two fields, the meter, what is wrong."""
        yield sentence(
            f"It encrypts the vault. {self.ADVICE} Nobody can recover a forgotten one: the venue's keys have "
            "to be made anew then.",
            "muted",
        )
        for words, name in (("password", "first"), ("once more", "second")):
            with Horizontal(classes="field"):
                yield Static(words, classes="label", markup=False)
                yield SecretInput(id=name)
        yield Static(classes="words", id="meter", markup=False)
        yield told()

    def on_mount(self) -> None:
        """What was chosen before stands there again."""
        if self.wizard.password is not None:
            for field in self.query(SecretInput):
                field.fill(self.wizard.password)
        self._first.focus()
        self._say()

    @property
    def _first(self) -> SecretInput:
        return self.query_one("#first", SecretInput)

    @property
    def _second(self) -> SecretInput:
        return self.query_one("#second", SecretInput)

    # -- what is typed -----------------------------------------------------------------------------

    def on_secret_input_changed(self, event: SecretInput.Changed) -> None:
        """Judge it when the typing pauses."""
        if event.field is self._first:
            self._strength = None
            if self._calm is not None:
                self._calm.stop()
            self._calm = self.set_timer(_CALM_S, self._judge)
        self._say()

    def on_secret_input_refused(self, event: SecretInput.Refused) -> None:
        """It does not belong here."""
        event.stop()
        self.tell(event.why, "$error")

    def on_secret_input_submitted(self, event: SecretInput.Submitted) -> None:
        """Enter: to the second field, or on."""
        event.stop()
        if event.field is self._first and not self._second.size_bytes:
            self._second.focus()
        elif self.offers():
            self._finish()

    def _judge(self) -> None:
        self.run_worker(
            self._judged(self._first.copy()), name="judge a password", group="judge", exclusive=True
        )

    async def _judged(self, password: Secret) -> None:
        try:
            self._strength = await self.wizard.desk.strength(password)
        finally:
            password.wipe()
        self._say()

    # -- what it is worth --------------------------------------------------------------------------

    def offers(self) -> Mapping[str, str]:
        """See `Step`."""
        is_good = self._strength is not None and self._strength.is_enough and self._are_equal()
        return {"next": self.DEED} if is_good and not self.wizard.is_busy else {}

    def do(self, deed: str) -> None:
        """See `Step`."""
        self._finish()

    def _finish(self) -> None:
        self.wizard.choose_password(self._first.take())
        self.go(self.wizard.next_stage)

    def _are_equal(self) -> bool:
        one, other = self._first.copy(), self._second.copy()
        try:
            return one == other
        finally:
            one.wipe()
            other.wipe()

    def _say(self) -> None:
        self.query_one("#meter", Static).update(self._meter())
        if not self._second.size_bytes or self._strength is None or not self._strength.is_enough:
            self.tell("")
        elif self._are_equal():
            self.tell("both are the same")
        else:
            self.tell("the two are not the same", "$error")

    def _meter(self) -> Content:
        strength = self._strength
        label = (left("strength", _LABEL_CELLS), "$muted")
        if not self._first.size_bytes or strength is None:
            return Content.assemble(label, (_FREE * (_BEST + 1), "$muted"))
        style = "$success" if strength.is_enough else "$error"
        full = strength.score + 1
        return Content.assemble(
            label,
            (_FULL * full, style),
            (_FREE * (_BEST + 1 - full), "$muted"),
            (f"\n{visible(strength.words)}", style),
        )


class ChangePasswordStep(PasswordStep):
    """For the vault that is open."""

    HEADING = "Change the master password"
    ADVICE = "All keys are sealed anew with it."
    DEED = "change it"

    def _finish(self) -> None:
        self.wizard.is_busy = True
        self.tell("deriving the key from the password, and sealing the vault…")
        self.run_worker(self._change(self._first.copy()), name="change the password")

    async def _change(self, password: Secret) -> None:
        try:
            await self.wizard.desk.change_password(password)
        except CredentialError as error:
            self.tell(visible(str(error)), "$error")
        else:
            self.wizard.notice = (
                "the master password was changed; copies of the file made before keep the old one"
            )
            self.go(Stage.VAULT)
        finally:
            password.wipe()
            self.wizard.is_busy = False
            self.post_message(self.Changed())
