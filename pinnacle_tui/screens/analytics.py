"""Analytics: where the profit came from, and what the market did after our fills."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.side import SideScreen
from pinnacle_tui.widgets.analytics_choice import Choice
from pinnacle_tui.widgets.attribution import AttributionPanel
from pinnacle_tui.widgets.execution_quality import ExecutionPanel
from pinnacle_tui.widgets.fill_groups import GroupsPanel
from pinnacle_tui.widgets.markout_curve import MarkoutCurvePanel

_KEPT: Final = "screen.analytics"


class AnalyticsScreen(SideScreen):
    """Attribution and groups above, markouts and quoting below; one choice for all four."""

    CSS_PATH = ["side.tcss", "analytics.tcss"]  # noqa: RUF012
    HELP_TITLE = "Analytics"
    HELP_TEXT = (
        "What the fills since the start came to: the profit split into spread captured, adverse selection, "
        "holding and fees, by side, level, age of the quote and hour; the markouts of the chosen fills; and "
        "how we quoted. In a playback: up to the moment that is shown."
    )
    PANELS = (AttributionPanel, GroupsPanel, MarkoutCurvePanel, ExecutionPanel)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "next_kind", "by", id="analytics.by", tooltip="By side, level, age or hour"),
        Binding(
            "h", "next_horizon", "horizon", id="analytics.horizon", tooltip="Look farther after each fill"
        ),
        Binding(
            "up", "select(-1)", "above", id="analytics.above", tooltip="Choose the group above", show=False
        ),
        Binding(
            "down",
            "select(1)",
            "group",
            key_display="↑↓",
            id="analytics.below",
            tooltip="Choose the group below",
        ),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.choice = Choice()

    def compose_body(self) -> ComposeResult:
        """Attribution, groups; markouts, quoting."""
        palette, choice = self.console.palette, self.choice
        with Horizontal(id="earned"):
            yield AttributionPanel(palette, choice, id="attribution")
            yield GroupsPanel(palette, choice, id="groups")
        with Horizontal(id="quality"):
            yield MarkoutCurvePanel(palette, choice, id="markout-curve")
            yield ExecutionPanel(palette, choice, id="quoting")

    def on_mount(self) -> None:
        """As it was left."""
        kept: Any = self.console.remembered.get(_KEPT)
        if isinstance(kept, dict):
            self.choice.restore(kept)
        super().on_mount()

    def remember(self, remembered: Remembered) -> None:
        """Keep the choice."""
        super().remember(remembered)
        remembered.keep(_KEPT, self.choice.state())

    def action_next_kind(self) -> None:
        """Tell fills apart by something else."""
        self.choice.next_kind()
        self._redraw()

    def action_next_horizon(self) -> None:
        """Another horizon."""
        scene = self.query_one(GroupsPanel).scene
        if scene is not None and scene.book.analytics is not None:
            self.choice.next_horizon(scene.book.analytics)
            self._redraw()

    def action_select(self, step: int) -> None:
        """Another group."""
        scene = self.query_one(GroupsPanel).scene
        if scene is not None and scene.book.analytics is not None:
            self.choice.select(scene.book.analytics, step)
            self._redraw()

    def _redraw(self) -> None:
        for panel in self.panels():
            panel.redraw()
