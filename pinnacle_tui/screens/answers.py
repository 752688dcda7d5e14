"""The answers of a dialog: each a line with its key. Only the safe one can have the focus."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from pinnacle_tui.held_keys import HeldKeys
from pinnacle_tui.screens.base import Dialog
from pinnacle_tui.widgets.rows import left

_KEY_CELLS: Final = 7


class Answer(Widget):
    """One way out of a dialog: a click on it, or the key of its action.

    The safe answer can have the focus, where enter chooses it; the others take a key of their own, so that
    no blind enter does anything that cannot be undone.
    """

    def __init__(
        self, action: str, words: str, *, is_safe: bool = False, key: str = "", id: str | None = None
    ) -> None:
        """`action` is one of the dialog's own. `key` is what leads to it, where that is no binding."""
        super().__init__(id=id)
        self.action = action
        self.words = words
        self.can_focus = is_safe
        self._key = key

    def render(self) -> RenderResult:
        """The key as it is now, maybe moved by a keymap, and the words."""
        return Content.assemble((left(self.key, _KEY_CELLS), "$accent"), " ", self.words)

    @property
    def key(self) -> str:
        """The first key of the action, as people write it."""
        if self._key:
            return self._key
        for active in self.screen.active_bindings.values():
            if active.binding.action == self.action:
                return self.app.get_key_display(active.binding)
        return ""

    async def on_click(self, event: events.Click) -> None:
        """A click is meant: choose."""
        event.stop()
        await self.screen.run_action(self.action)


class Question(Dialog):
    """A dialog with answers. Keys that were held down when it came up, or was uncovered, say nothing."""

    CSS_PATH = "dialog.tcss"

    def __init__(self, *, is_grave: bool = False) -> None:
        """`is_grave`: it is about orders or money that would be gone."""
        super().__init__(classes="-grave" if is_grave else "")
        self._held: HeldKeys | None = None

    def on_screen_resume(self) -> None:
        """The question is to be seen from now on."""
        self.begin()

    def begin(self) -> None:
        """What is pressed until now was meant for something else."""
        self._held = HeldKeys(self.console.clock)

    def is_meant(self) -> bool:
        """Asked once a stroke: True when it was meant for this question."""
        return self._held is not None and self._held.is_meant()
