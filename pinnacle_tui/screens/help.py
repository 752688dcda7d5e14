"""Keys and words for what is on the screen. The keys are read off the bindings themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from pinnacle_tui.bound_keys import (
    BoundKey,
    bindings_of,
    key_of,
    keys_in,
    playback_bindings,
    written_key,
)
from pinnacle_tui.playing_app import OF_THE_PRESENT, PLAYBACK_HELP
from pinnacle_tui.screens.base import ConsoleScreen, Dialog
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import left

_KEY_CELLS: Final = 14
_BREAK_IN_SENTENCE: Final = re.compile(r"(?<![.:])\n")


class HelpScreen(Dialog):
    """Help for the screen below: words for its focused panel and for itself, then every key that is bound.

    Keys that do nothing at the moment are muted.
    """

    CSS_PATH = ["dialog.tcss", "help.tcss"]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,question_mark,q",
            "close",
            "close",
            key_display="esc",
            tooltip="Close help",
            id="help.close",
        )
    ]

    def __init__(self, screen_below: Screen[Any]) -> None:
        """`screen_below` is the screen that help is wanted for."""
        super().__init__()
        self._below = screen_below
        app = screen_below.app
        self._valid = {active.binding.id for active in screen_below.active_bindings.values()}
        # What comes before everything is valid over a question too.
        self._valid |= {bound.id for bound in bindings_of(app) if bound.is_priority and key_of(app, bound.id)}

    def compose(self) -> ComposeResult:
        """The panel, the screen, everywhere."""
        below, focused = self._below, self._below.focused
        is_playback = self.console.is_playback
        with VerticalScroll(id="dialog"):
            if is_playback:
                yield from self._part("The past", PLAYBACK_HELP, playback_bindings())
            if isinstance(focused, Panel):
                of_panel = bindings_of(focused)
                yield from self._part(f"This panel: {focused.TITLE.lower()}", focused.HELP, of_panel)
            if isinstance(below, ConsoleScreen):
                of_screen = bindings_of(below)
                yield from self._part(f"This screen: {below.HELP_TITLE.lower()}", below.HELP_TEXT, of_screen)
            elif isinstance(below, Dialog):
                yield from self._part("This question", "", bindings_of(below))
            everywhere = bindings_of(self.app)
            if is_playback:
                everywhere = tuple(bound for bound in everywhere if bound.action not in OF_THE_PRESENT)
            yield from self._part("Everywhere", "", everywhere)
            may_kill = self.console.session.may_kill and not is_playback
            kill = key_of(self.app, "app.kill") if may_kill else ""
            end = f"{key_of(self, 'help.close')} closes this"
            end += f"; {kill} is the kill switch, here too" if kill else ""
            yield Static(end, classes="words muted", markup=False)

    def on_mount(self) -> None:
        """The text can be scrolled at once."""
        self.query_one("#dialog").focus()

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)

    def _part(self, title: str, words: str, keys: Iterable[BoundKey]) -> Iterable[Static]:
        told = [(self._written(bound), bound) for bound in keys if bound.tooltip]
        cells = max([_KEY_CELLS, *(len(written) + 2 for written, _ in told)])
        lines = [self._line(left(written, cells), bound) for written, bound in told]
        if not words and not lines:
            return
        yield Static(title, classes="title", markup=False)
        if words:
            yield Static(_BREAK_IN_SENTENCE.sub(" ", words), classes="words", markup=False)
        if lines:
            yield Static(Content("\n").join(lines), classes="words keys", markup=False)

    def _written(self, bound: BoundKey) -> str:
        return "  ".join(map(written_key, keys_in(self.app, bound)))

    def _line(self, written: str, bound: BoundKey) -> Content:
        is_valid = bound.id in self._valid
        colours = ("$accent", "$text") if is_valid else ("$muted", "$muted")
        return Content.assemble((written, colours[0]), (bound.tooltip, colours[1]))
