"""Leaving the wizard while something was entered that is not saved."""

from __future__ import annotations

import enum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from pinnacle_tui.screens.answers import Answer, Question


class Leave(enum.Enum):
    """What becomes of what was entered."""

    STAY = "stay"
    KEEP = "keep"
    FORGET = "forget"


class LeaveQuestion(Question):
    """To stay is the answer that has the focus."""

    AUTO_FOCUS = "#stay"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "stay", "stay", key_display="esc", tooltip="Go on", id="leaving.stay"),
        Binding("L", "keep", "later", tooltip="Leave, and come back to it later", id="leaving.keep"),
        Binding("y", "forget", "forget", tooltip="Forget what was entered, and leave", id="leaving.forget"),
    ]

    def __init__(self, *, may_return: bool) -> None:
        """`may_return`: it can be kept for later."""
        super().__init__(is_grave=True)
        self._may_return = may_return

    def compose(self) -> ComposeResult:
        """The question and the ways."""
        with Vertical(id="dialog"):
            yield Static("Leave without saving the key?", classes="title", markup=False)
            yield Static(
                "What was pasted is nowhere but in the memory of this program.", classes="words", markup=False
            )
            with Vertical(id="answers"):
                yield Answer("stay", "Stay, and go on", is_safe=True, id="stay")
                if self._may_return:
                    yield Answer("keep", "Leave it there, and come back later", id="keep")
                yield Answer("forget", "Forget it and leave", id="forget")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Later there is nothing to come back to when the program ends."""
        return self._may_return if action == "keep" else True

    def action_stay(self) -> None:
        """Go on."""
        self.dismiss(Leave.STAY)

    def action_keep(self) -> None:
        """Come back later."""
        if self.is_meant():
            self.dismiss(Leave.KEEP)

    def action_forget(self) -> None:
        """Forget it."""
        if self.is_meant():
            self.dismiss(Leave.FORGET)
