"""An app whose style sheet uses names of meanings, as the console's does, for tests of themes."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

from pinnacle_tui.themes import default_variables


class ThemedApp(App[None]):
    """Shows one price."""

    CSS = "Static { color: $bid; background: $selected; border: solid $depth-ask; }"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return default_variables()

    def compose(self) -> ComposeResult:
        yield Static("65,088.00")
