"""An app that holds one panel and nothing else, for tests of the panel's drawing and keys."""

from __future__ import annotations

from textual.app import App, ComposeResult

from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import row_text


class PanelApp(App[None]):
    """Shows `panel` over the whole screen; `copied` holds what it wanted on the clipboard."""

    CSS = "Screen { layout: vertical; } Panel { width: 1fr; height: 1fr; }"

    def __init__(self, panel: Panel) -> None:
        super().__init__()
        self.panel = panel
        self.copied: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield self.panel

    def copy(self, text: str, what: str) -> None:
        """As `ConsoleApp.copy`."""
        self.copied.append((text, what))


def shown(panel: Panel) -> list[str]:
    """The lines that stand on the screen, without styles and trailing blanks."""
    return [row_text(row).rstrip() for row in panel.shown_rows]
