"""The base of every screen beside the main one: escape goes back, and what was chosen there is kept."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.base import ConsoleScreen


class SideScreen(ConsoleScreen):
    """A screen over the main one. Subclasses give `compose_body` and the help texts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "back", "back", key_display="esc", tooltip="Back to the main screen", id="screen.back"
        )
    ]

    def on_mount(self) -> None:
        """The first panel has the focus, and every panel is as it was left."""
        panels = list(self.panels())
        for panel in panels:
            kept = self.console.remembered.get(f"screen.{panel.id}")
            if isinstance(kept, dict):
                panel.restore(kept)
        focusable = next((panel for panel in panels if panel.focusable), None)
        if focusable is not None:
            focusable.focus()

    def remember(self, remembered: Remembered) -> None:
        """Keep what is worth keeping of each panel, apart from the same panel of the main screen."""
        for panel in self.panels():
            kept = panel.state()
            if kept:
                remembered.keep(f"screen.{panel.id}", kept)

    def action_back(self) -> None:
        """To the screen below."""
        self.remember(self.console.remembered)
        self.dismiss(None)
