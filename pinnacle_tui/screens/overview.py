"""Overview: every product of the engine in one list, and all of them together against their limits."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.css.scalar import Scalar

from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.products import PortfolioPanel, ProductsPanel
from pinnacle_tui.widgets.scene import Scene

_HEADS: Final = 3
"""Heading, titles of the columns, and a line for what is searched."""


class OverviewScreen(SideScreen):
    """Products above, sums and limits below."""

    CSS_PATH = ["side.tcss", "overview.tcss"]  # noqa: RUF012
    HELP_TITLE = "Overview"
    HELP_TEXT = (
        "All products that this engine trades: how each does, and what they use together of the limits over "
        "all of them. Enter goes to the selected product."
    )

    def compose_body(self) -> ComposeResult:
        """Products, sums."""
        palette = self.console.palette
        yield ProductsPanel(palette, id="products")
        yield PortfolioPanel(palette, id="together")

    def draw_frame(self, scene: Scene) -> None:
        """See `ConsoleScreen`. The sums stand right below the last product."""
        super().draw_frame(scene)
        products = self.query_one(ProductsPanel)
        height = _HEADS + len(scene.view.products)
        if products.styles.height != Scalar.from_number(height):
            products.styles.height = height
            self.call_after_refresh(self.console.draw_anew)

    def on_products_panel_chosen(self, event: ProductsPanel.Chosen) -> None:
        """Back to the main screen, which shows that product."""
        self.console.show_product(event.symbol)
        self.action_back()
