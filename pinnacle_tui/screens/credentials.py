"""The wizard: it leads from no vault to a key that is checked and saved, and shows the keys there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from pinnacle_tui.credential_wizard import Stage, Wizard
from pinnacle_tui.screens import credential_vault
from pinnacle_tui.screens.answers import Answer
from pinnacle_tui.screens.base import Dialog
from pinnacle_tui.screens.credential_check import CheckAgainStep, CheckStep
from pinnacle_tui.screens.credential_key import KeyStep
from pinnacle_tui.screens.credential_leaving import Leave, LeaveQuestion
from pinnacle_tui.screens.credential_password import ChangePasswordStep, PasswordStep
from pinnacle_tui.screens.credential_saving import NameStep, SavedStep
from pinnacle_tui.screens.credential_step import Step
from pinnacle_tui.screens.credential_venue import VenueStep
from pinnacle_tui.widgets.secret_input import SecretInput

_STEPS: Final[Mapping[Stage, type[Step]]] = {
    Stage.VENUE: VenueStep,
    Stage.KEY: KeyStep,
    Stage.CHECK: CheckStep,
    Stage.PASSWORD: PasswordStep,
    Stage.NAME: NameStep,
    Stage.SAVED: SavedStep,
    Stage.CHECK_AGAIN: CheckAgainStep,
    Stage.CHANGE_PASSWORD: ChangePasswordStep,
}


class StepKey(Answer):
    """A key of the last line, with what it does in this step; a click on it is the key."""

    def render(self) -> Content:
        """The key and the words."""
        return Content.assemble((self.key, "bold $accent"), (f" {self.words}", "$muted"))


class CredentialsScreen(Dialog):
    """One step of a `Wizard` after the other. Closed, it gives why nothing can be done any more, or None."""

    CSS_PATH = ["dialog.tcss", "credentials.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "step('next')", "go on", tooltip="To the next step", id="credentials.next"),
        Binding("a", "step('add')", "add", tooltip="Add a key to the vault", id="credentials.add"),
        Binding("t", "step('test')", "check", tooltip="Ask the venue about the key", id="credentials.test"),
        Binding("d", "step('remove')", "remove", tooltip="Take the key out", id="credentials.remove"),
        Binding(
            "p",
            "step('password')",
            "change the password",
            tooltip="Choose another master password",
            id="credentials.password",
        ),
        Binding("r", "step('again')", "again", tooltip="Look or ask once more", id="credentials.again"),
        Binding(
            "s",
            "step('unchecked')",
            "save it unchecked",
            tooltip="Go on with a key that the venue could not be asked about",
            id="credentials.unchecked",
        ),
        Binding("escape", "back", "back", key_display="esc", tooltip="One step back", id="credentials.back"),
        # Before the fields, where it would cut.
        Binding(
            "ctrl+x",
            "leave",
            "leave",
            key_display="^x",
            tooltip="Leave; asks where something would be lost",
            id="credentials.leave",
            priority=True,
        ),
    ]

    def __init__(self, wizard: Wizard, *, may_return: bool) -> None:
        """`may_return`: what was entered can be kept for later, because the program goes on."""
        super().__init__()
        self.wizard = wizard
        self._may_return = may_return
        self._offered: tuple[object, ...] = ()
        """What decided which keys are shown."""

    def compose(self) -> ComposeResult:
        """The steps, the step, the keys."""
        with Vertical(id="dialog"):
            yield Static(id="steps", markup=False)
            yield Static(classes="title", id="heading", markup=False)
            yield Vertical(id="step")
            with Horizontal(id="keys"):
                for binding in Binding.make_bindings(self.BINDINGS):
                    key = binding.key if binding.key == "enter" else ""  # a field would take it for its own
                    yield StepKey(binding.action, binding.description, key=key)

    async def on_mount(self) -> None:
        """Begin, or go on where a person was."""
        await self._show()

    # -- steps -------------------------------------------------------------------------------------

    @property
    def step(self) -> Step | None:
        """What is on the screen; None for a moment, between two steps."""
        for step in self.query(Step):
            return step
        return None

    async def on_step_left(self, event: Step.Left) -> None:
        """To another stage."""
        event.stop()
        if self.step is event.step:  # it may have been left in another way meanwhile
            self.wizard.go(event.stage)
            await self._show()

    def on_step_changed(self, event: Step.Changed) -> None:
        """Other keys do something now."""
        event.stop()
        self._offer()

    def on_step_ended(self, event: Step.Ended) -> None:
        """Nothing can be done here any more."""
        event.stop()
        self._close(self.wizard.ending)

    async def _show(self) -> None:
        wizard, body = self.wizard, self.query_one("#step", Vertical)
        if wizard.stage is Stage.VAULT:
            made = credential_vault.STEPS[wizard.desk.state](wizard)
        else:
            made = _STEPS[wizard.stage](wizard)
        await body.remove_children()
        await body.mount(made)
        self.query_one("#heading", Static).update(made.heading)
        self.query_one("#steps", Static).update(self._line())
        self._offer()

    def _line(self) -> Content:
        """All steps; the one that is being taken is marked."""
        now = self.wizard.step
        return Content.styled(" · ", "$muted").join(
            Content.styled(f"{number} {step.value}", "bold $accent" if step is now else "$muted")
            for number, step in enumerate(self.wizard.steps, start=1)
        )

    # -- keys --------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would do something now is offered."""
        if action == "step":
            return self.step is not None and parameters[0] in self.step.offers()
        if action in ("back", "leave"):
            return not self.wizard.is_busy
        return True

    def action_step(self, deed: str) -> None:
        """Do what the step offers by this key."""
        self.wizard.touch()
        if self.step is not None:
            self.step.do(deed)

    async def action_back(self) -> None:
        """One step back; from the first one out."""
        self.wizard.touch()
        before = self.wizard.stage_before
        if before is None:
            self.action_leave()
        else:
            self.wizard.go(before)
            await self._show()

    def action_leave(self) -> None:
        """Out; where something was entered, after a question. What is under way is finished first."""
        if self.wizard.is_busy:
            return
        if self.wizard.has_entries:
            self.app.push_screen(LeaveQuestion(may_return=self._may_return), self._leave)
        else:
            self._leave(Leave.FORGET)

    def _leave(self, answer: Leave | None) -> None:
        self.wizard.touch()
        if answer is Leave.FORGET:
            self.wizard.close()
        if answer in (Leave.FORGET, Leave.KEEP):
            self._close(None)

    def _close(self, why: str | None) -> None:
        if self.is_attached:
            self.dismiss(why)

    def _offer(self) -> None:
        step = self.step
        offered = dict(step.offers()) if step is not None else {}
        state = (step, offered, self.wizard.is_busy)
        if state == self._offered:
            return
        self._offered = state
        for key in self.query(StepKey):
            deed = key.action.removeprefix("step('").removesuffix("')")
            is_step = deed != key.action
            key.display = deed in offered if is_step else not self.wizard.is_busy
            if is_step:
                key.words = offered.get(deed, key.words)
            elif key.action == "back":
                key.words = "leave" if self.wizard.stage_before is None else "back"
            else:
                key.display = key.display and self.wizard.stage_before is not None
            key.refresh(layout=True)
        self.refresh_bindings()

    # -- nobody there ------------------------------------------------------------------------------

    @on(events.Key)
    @on(events.MouseDown)
    @on(events.DescendantFocus)
    @on(SecretInput.Changed)
    @on(Input.Changed)
    @on(OptionList.OptionHighlighted)
    def _touched(self) -> None:
        """A person did something. Keys that a field or a list takes come as what they have changed."""
        self.wizard.touch()

    async def begin_anew(self) -> None:
        """The vault was locked: to its password."""
        if self.is_attached:
            await self._show()
