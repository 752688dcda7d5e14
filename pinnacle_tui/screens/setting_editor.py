"""Changing one live setting: typed, checked as it is typed, shown as a change, confirmed, answered."""

from __future__ import annotations

import enum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from engine.config_schema import NOT_SET, Key, value_text
from engine.core.foreign_text import visible
from engine.link.messages import CommandName, Verdict
from engine.link.mirror import Pending
from pinnacle_tui.bound_keys import key_of
from pinnacle_tui.screens.answers import Answer, Question
from pinnacle_tui.widgets.settings_table import Setting, bounds


class Step(enum.Enum):
    """How far a change has come."""

    TYPING = "typing"
    CONFIRMING = "confirming"
    SENT = "sent"
    DONE = "done"


class SettingEditor(Question):
    """One setting. Enter leads from typing to the question; only `y` there sends; escape is one step back.

    What the engine refuses to loosen unless it is confirmed is asked for once more, by the key's name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", key_display="esc", tooltip="One step back", id="setting.back"),
        Binding("enter", "back", "back", show=False, tooltip="One step back", id="setting.no"),
        Binding("y", "send", "change it", tooltip="Send the change to the engine", id="setting.send"),
    ]

    def __init__(self, setting: Setting) -> None:
        """`setting` must be one that has a key and may change while the engine runs."""
        super().__init__()
        if setting.key is None:
            raise ValueError(f"{setting.name} is no setting but a section")
        self.setting = setting
        self.key: Key = setting.key
        self.step = Step.TYPING

    def compose(self) -> ComposeResult:
        """Name, meaning, the field, what is wrong or would change, the answers."""
        setting, key = self.setting, self.key
        words = list(key.meta.choices) + (["true", "false"] if bool in key.kinds else [])
        now = f"{bounds(setting)}; default {setting.default}"
        with Vertical(id="dialog"):
            yield Static(setting.name, classes="title", markup=False)
            yield Static(
                Content.assemble(key.meta.help, "\n", (now, "$muted")), classes="words", markup=False
            )
            yield Input(
                "" if setting.value == NOT_SET and key.optional else setting.value,
                id="value",
                compact=True,
                suggester=SuggestFromList(words) if words else None,
            )
            yield Static(classes="words", id="told", markup=False)
            with Vertical(id="answers"):
                yield Answer("back", "Back", is_safe=True, id="back")
                yield Answer("send", "Change it", id="send")

    def on_mount(self) -> None:
        """Typing comes first."""
        self._go(Step.TYPING)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a change that was shown can be sent."""
        return action != "send" or self.step is Step.CONFIRMING

    # -- typing ----------------------------------------------------------------------------------

    @property
    def typed(self) -> str:
        """What stands in the field."""
        return self.query_one(Input).value.strip()

    def problem(self) -> str:
        """What is wrong with what is typed, as one sentence; empty when it may be sent."""
        try:
            text = value_text(self.key.from_text(self.typed))
        except ValueError as error:
            return str(error)
        return "that is its value now" if text == self.setting.value else ""

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check while it is typed."""
        if self.step is Step.TYPING:
            self._say_typed()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: to the question, where nothing is wrong."""
        event.stop()
        if self.step is Step.TYPING and not self.problem():
            self._go(Step.CONFIRMING)

    def _say_typed(self) -> None:
        problem = "" if self.typed == self.setting.value else self.problem()
        if problem:
            self._tell(Content.styled(problem, "$error"))
        else:
            self._tell(Content.styled("enter shows the change before anything is sent", "$muted"))

    # -- steps -----------------------------------------------------------------------------------

    def action_back(self) -> None:
        """One step back; from the first and the last ones out."""
        if self.step is Step.CONFIRMING:
            self._go(Step.TYPING)
        else:
            self.dismiss(None)

    def action_send(self) -> None:
        """The change is meant: ask the engine for it."""
        if not self.is_meant():
            return
        self._send({"key": self.setting.name, "value": self.typed})

    def _send(self, arguments: dict[str, str]) -> None:
        self._go(Step.SENT)
        if self.console.operations.send(CommandName.SET, arguments, self._told) is None:
            self._go(Step.TYPING)

    def _told(self, pending: Pending) -> None:
        ack = pending.ack
        if ack is None or not pending.is_final:
            return
        text = f": {visible(ack.text)}" if ack.text else ""
        if not self.is_attached or self.step is not Step.SENT:
            refused = ack.verdict is not Verdict.DONE
            said = f"{self.setting.name}: {ack.verdict.value}{text}"
            self.console.say(said, "error" if refused else "information")
        elif ack.verdict is Verdict.DONE:
            self._go(Step.DONE)
            undo = key_of(self.app, "app.undo", now=False)
            said = f" in {ack.ms:.0f} ms{text}; {undo} takes it back"
            self._tell(Content.assemble(("done", "$success"), said))
        elif ack.verdict is Verdict.REJECTED:
            self._go(Step.TYPING)
            self._tell(Content.styled(f"the engine refused{text}. Nothing has changed.", "$error"))
            if ack.confirm:
                self.console.ask_to_loosen(self.setting.value, pending.command.arguments, ack, self._send)
        else:
            self._go(Step.DONE)
            self._tell(Content.styled(f"no proof that it was changed{text}. Look at its value.", "$error"))

    def _go(self, step: Step) -> None:
        self.step = step
        field, back, send = (
            self.query_one(Input),
            self.query_one("#back", Answer),
            self.query_one("#send", Answer),
        )
        field.disabled = step is not Step.TYPING
        send.display = step is Step.CONFIRMING
        back.display = step is not Step.TYPING
        back.words = {Step.CONFIRMING: "No, back to typing", Step.SENT: "Close; the answer will be told"}.get(
            step, "Close"
        )
        back.refresh()
        if step is Step.TYPING:
            field.focus()
            self._say_typed()
        else:
            back.focus()
        if step is Step.CONFIRMING:
            self.begin()
            self._tell(self._change())
        elif step is Step.SENT:
            self._tell(Content.assemble(self._change(), ("\nsent, waiting for the engine", "$muted")))
        self.refresh_bindings()

    def _change(self) -> Content:
        new = value_text(self.key.from_text(self.typed))
        unit = f" {self.key.meta.unit}" if self.key.meta.unit else ""
        return Content.assemble(
            (self.setting.value, "$muted"), ("  →  ", "$muted"), (new, "bold $accent"), (unit, "$muted")
        )

    def _tell(self, content: Content) -> None:
        self.query_one("#told", Static).update(content)
