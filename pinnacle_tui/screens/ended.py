"""The engine has ended badly: how, what may still be open, and the last it said. Nothing is to be decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from engine.core.foreign_text import visible
from pinnacle_tui.engine_host import EXIT_WITHOUT_PROOF, Ending
from pinnacle_tui.screens.answers import Answer, Question
from pinnacle_tui.screens.order_list import orders_text, working_orders

_SHORT: Final = 32
"""Rows of a terminal below which less is told, so that the answers stay in view."""


class EndedDialog(Question):
    """Comes up by itself and stays until it is closed; the status says so for as long as the screen is up."""

    AUTO_FOCUS = "#close"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape,enter",
            "close",
            "close",
            key_display="esc",
            tooltip="Look at the last figures",
            id="ended.close",
        ),
        Binding("q", "leave", "quit", tooltip="Leave the console", id="ended.quit"),
    ]

    def __init__(self, ending: Ending) -> None:
        super().__init__(is_grave=True)
        self.ending = ending

    def compose(self) -> ComposeResult:
        """How it ended, what follows, its last lines."""
        is_short = self.app.size.height < _SHORT
        with Vertical(id="dialog"):
            what = "playback" if self.console.is_playback else "engine"
            yield Static(f"The {what} has ended: exit code {self.ending.code}", classes="title", markup=False)
            yield Static(f"{visible(self.ending.sentence)}.", classes="words error", markup=False)
            yield from self._consequences(3 if is_short else 8)
            lines = self.console.session.host.last_words()[-2 if is_short else -8 :]
            if lines:
                yield Static("The last lines of its log:", classes="words", markup=False)
                yield Static("\n".join(map(visible, lines)), id="lines", markup=False)
            with Vertical(id="answers"):
                yield Answer("close", "Close this", is_safe=True, id="close")
                yield Answer("leave", "Quit")

    def _consequences(self, most: int) -> Iterator[Static]:
        """What is known of orders, `most` of them, and what the figures behind this are."""
        app = self.console
        hello, bye, orders = app.mirror.hello, app.mirror.bye, working_orders(app)
        if bye is not None and bye.open_orders:
            words = visible(f"Possibly open: {', '.join(bye.open_orders)}")
            yield Static(words, classes="words", markup=False)
        elif self.ending.code == EXIT_WITHOUT_PROOF and orders:
            yield Static("Open when it was last heard of:", classes="words", markup=False)
            yield Static(orders_text(orders, most), markup=False)
        if hello is not None and hello.mode == "live" and self.ending.code == EXIT_WITHOUT_PROOF:
            words = "Look at your orders at the venue itself, and cancel there what is left."
            yield Static(words, classes="words", markup=False)
        if app.scene() is not None:
            yield Static("The figures on the screen are its last ones.", classes="words muted", markup=False)

    def action_close(self) -> None:
        """Back to the screen."""
        if self.is_meant():
            self.dismiss(None)

    def action_leave(self) -> None:
        """Leave, with the exit code of the engine."""
        if self.is_meant():
            self.console.leave()
