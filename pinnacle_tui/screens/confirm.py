"""A question with consequences. The safe answer is the one that has the focus; yes has a key of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from engine.core.foreign_text import visible_lines
from pinnacle_tui.screens.answers import Answer, Question


class Confirm(Question):
    """Asks; the result is True for yes and False for no. `escape` and `enter` are no."""

    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,enter",
            "no",
            "no",
            key_display="esc",
            tooltip="Leave everything as it is",
            id="dialog.no",
        ),
        # Not enter, and not beside it.
        Binding("y", "yes", "yes", tooltip="Do it", id="dialog.yes"),
    ]
    YES_BY: ClassVar[str] = ""
    """The key that says yes, where it is none of the bindings."""

    def __init__(self, question: str, consequences: str | Content, *, yes: str, no: str) -> None:
        """`consequences` say in words and numbers what yes will do; `yes` and `no` what the answers mean."""
        super().__init__(is_grave=True)
        self.question = question
        self.consequences = consequences if isinstance(consequences, Content) else visible_lines(consequences)
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        """The question, what follows from it, the answers."""
        with Vertical(id="dialog"):
            yield Static(self.question, classes="title", markup=False)
            yield Static(self.consequences, classes="words", id="consequences", markup=False)
            yield from self.compose_more()
            with Vertical(id="answers"):
                yield Answer("no", self._no, is_safe=True, id="no")
                yield Answer("yes", self._yes, key=self.YES_BY, id="yes")

    def compose_more(self) -> Iterable[Widget]:
        """What stands between the words and the answers."""
        return ()

    def action_no(self) -> None:
        """Leave everything as it is."""
        self.dismiss(False)

    def action_yes(self) -> None:
        """Do it, if the key was pressed for this question."""
        if self.is_meant():
            self.dismiss(True)
