"""Orders and fills on the whole screen."""

from __future__ import annotations

from textual.app import ComposeResult

from pinnacle_tui.screens.catalogue import explain_slot
from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.blotter import BlotterPanel


class OrdersScreen(SideScreen):
    """The blotter with all its columns."""

    CSS_PATH = "side.tcss"
    HELP_TITLE = "Orders and fills"
    HELP_TEXT = (
        "Orders that work, fills, and orders that have ended, with every column that there is room for. "
        "What was before the console came is told as far as the engine still keeps it."
    )

    def compose_body(self) -> ComposeResult:
        """The blotter."""
        yield BlotterPanel(self.console.palette, id="orders")

    def on_blotter_panel_explain_requested(self, event: BlotterPanel.ExplainRequested) -> None:
        """Explain the quote that an order is."""
        explain_slot(self.console, event.slot)
