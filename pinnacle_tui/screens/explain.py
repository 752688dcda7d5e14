"""Why each quote stands where it stands, on the whole screen."""

from __future__ import annotations

from textual.app import ComposeResult

from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.quotes import QuotesPanel


class ExplainScreen(SideScreen):
    """Every slot of the strategy, and the explanation of the selected one, term by term."""

    CSS_PATH = "side.tcss"
    HELP_TITLE = "Explain the quotes"
    HELP_TEXT = (
        "A quote begins at the fair value; skew, half of the spread, rounding and clamps follow, each "
        "with its number. The terms add up to the price exactly."
    )

    def __init__(self, slot: str = "", *, id: str | None = None) -> None:
        """`slot` is the one that is explained first; without one it is the first bid."""
        super().__init__(id=id)
        self._slot = slot

    def compose_body(self) -> ComposeResult:
        """The quotes panel."""
        panel = QuotesPanel(self.console.palette, id="quotes")
        panel.slot = self._slot
        yield panel
