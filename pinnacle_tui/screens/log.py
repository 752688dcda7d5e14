"""The log on the whole screen."""

from __future__ import annotations

from textual.app import ComposeResult

from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.log import LogPanel


class LogScreen(SideScreen):
    """What happened, line by line."""

    CSS_PATH = "side.tcss"
    HELP_TITLE = "Log"
    HELP_TEXT = (
        "Notices of the engine, fills, what people did and which settings changed. The last lines that "
        "are still known; the session's journal has all of it."
    )

    def compose_body(self) -> ComposeResult:
        """The log panel."""
        yield LogPanel(self.console.palette, id="log")
