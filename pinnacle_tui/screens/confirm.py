"""A question with consequences. The safe answer is the one that has the focus; yes has a key of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from pinnacle_tui.screens.answers import SAFE_KEYS, YES_KEY, Answer, HeldKeys
from pinnacle_tui.screens.base import Dialog


class Confirm(Dialog):
    """Asks; the result is True for yes and False for no. `escape` and `enter` are no."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [SAFE_KEYS, YES_KEY]
    YES_BY: ClassVar[str] = ""
    """The key that says yes, where it is none of the bindings."""

    def __init__(self, question: str, consequences: str | Content, *, yes: str, no: str) -> None:
        """`consequences` say in words and numbers what yes will do; `yes` and `no` what the answers mean."""
        super().__init__(classes="-grave")
        self.question = question
        self.consequences = consequences
        self._yes = yes
        self._no = no
        self._held: HeldKeys | None = None

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

    def on_mount(self) -> None:
        """The safe answer has the focus."""
        self._held = HeldKeys(self.console.session.clock)
        self.query_one("#no").focus()

    def on_screen_resume(self) -> None:
        """Uncovered again: keys that are held now were not meant for this."""
        if self._held is not None:
            self._held.begin()

    def action_no(self) -> None:
        """Leave everything as it is."""
        self.dismiss(False)

    def action_yes(self) -> None:
        """Do it, if the key was pressed for this question."""
        if self._held is not None and self._held.is_meant():
            self.dismiss(True)
