"""Latency on the whole screen."""

from __future__ import annotations

from textual.app import ComposeResult

from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.latency import LatencyPanel


class LatencyScreen(SideScreen):
    """Every stage, and the histogram at its full width."""

    CSS_PATH = "side.tcss"
    HELP_TITLE = "Latency"
    HELP_TEXT = (
        "From a market event to the quote that answered it, and the stages on the way. Sending an order "
        "and the venue's answer are not in it: that way is the network's."
    )

    def compose_body(self) -> ComposeResult:
        """The latency panel."""
        yield LatencyPanel(self.console.palette, id="latency")
