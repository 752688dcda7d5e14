"""Risk: what limits trading, what is used of it, what restricts it now, and whether fills are picked off."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.gauges import GaugesPanel, MarkoutsPanel, RestrictionsPanel


class RiskScreen(SideScreen):
    """Limits above, restrictions and markouts below."""

    CSS_PATH = ["side.tcss", "risk.tcss"]  # noqa: RUF012
    HELP_TITLE = "Risk"
    HELP_TEXT = (
        "Every limit with what is used of it; what keeps trading back now, why, and what ends it; and "
        "where the market went after our fills. Limits are changed in the settings (section risk)."
    )

    def compose_body(self) -> ComposeResult:
        """Limits, restrictions, markouts."""
        palette = self.console.palette
        yield GaugesPanel(palette, id="gauges")
        with Horizontal(id="below"):
            yield RestrictionsPanel(palette, id="restrictions")
            yield MarkoutsPanel(palette, id="markouts")
