"""A question for which a word has to be typed: for what must never happen by a slip of the finger."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.core.foreign_text import visible
from pinnacle_tui.screens.confirm import Confirm


class TypedWord(Confirm):
    """Yes counts only while the word stands there exactly; then enter in the field says it."""

    AUTO_FOCUS = "Input"
    YES_BY = "enter"

    def __init__(self, question: str, consequences: str | Content, *, word: str, yes: str, no: str) -> None:
        """`word` is what has to be typed."""
        super().__init__(question, consequences, yes=yes, no=no)
        self.word = word

    def compose_more(self) -> Iterable[Widget]:
        """The field, and what is still missing."""
        yield Static(f"Type {visible(self.word)} to go on:", classes="words", markup=False)
        yield Input(id="word", compact=True)

    def on_mount(self) -> None:
        """Only the field can have the focus: while it holds anything but the word, enter does nothing."""
        self.query_one("#no").can_focus = False
        self.query_one("#yes").visible = False

    def on_input_changed(self, event: Input.Changed) -> None:
        """Offer yes once the word is there."""
        self.query_one("#yes").visible = event.value == self.word

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field."""
        event.stop()
        self.action_yes()

    def action_yes(self) -> None:
        """Yes, if the word is right."""
        if self.query_one(Input).value == self.word:
            super().action_yes()
