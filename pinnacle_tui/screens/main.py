"""The main screen: where the market is and we in it, what it earns, how fast, and what just happened."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from engine.link.settings import ALONE, PANELS
from engine.link.view import WorkingOrder
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.base import ConsoleScreen
from pinnacle_tui.screens.catalogue import explain_slot
from pinnacle_tui.widgets.blotter import BlotterPanel
from pinnacle_tui.widgets.depth_chart import DepthChart
from pinnacle_tui.widgets.inventory import InventoryPanel
from pinnacle_tui.widgets.ladder import DepthLadder, OrderSelected
from pinnacle_tui.widgets.latency import LatencyPanel
from pinnacle_tui.widgets.log import LogPanel
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.pnl import PnlPanel
from pinnacle_tui.widgets.quotes import QuotesPanel
from pinnacle_tui.widgets.too_small import TooSmall
from pinnacle_tui.widgets.trades import TradesPanel

_FOCUS, _ALONE = "main.focus", "main.alone"
_NUMBER = {name: number for number, name in enumerate(PANELS, start=1)}


class MainScreen(ConsoleScreen):
    """Nine panels. A digit leads to its panel; one that has no place at this size fills the screen."""

    HELP_TITLE = "Main screen"
    HELP_TEXT = (
        "One glance answers, in this order: am I safe, where is the market and where am I in it, am I making "
        "money and from what, how fast am I, what just happened.\n"
        "A digit leads to the panel with that number; where the terminal is too small to show it, it fills "
        "the screen. z does that for any panel; escape or 0 comes back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number),
                f"go('{name}')",
                name,
                show=False,
                tooltip=f"Go to the panel {name}",
                id=f"main.{name}",
            )
            for name, number in _NUMBER.items()
        ),
        Binding(
            "z", "solo", "whole screen", show=False, tooltip="This panel alone, or all again", id="main.solo"
        ),
        Binding("0,escape", "all", "all panels", key_display="0", tooltip="All panels again", id="main.all"),
        Binding(
            "h", "hide_log", "log", show=False, tooltip="Hide the log, or show it again", id="main.hide_log"
        ),
    ]

    def compose_body(self) -> ComposeResult:
        """Depth at the left, money and speed beside it, orders and tape below, the log at the bottom."""
        palette = self.console.palette
        with Horizontal(id="upper"):
            yield DepthLadder(palette, id="depth", number=_NUMBER["depth"])
            with Vertical(id="figures"):
                with Horizontal(id="money-and-speed"):
                    with Vertical(id="money"):
                        yield PnlPanel(palette, id="pnl", number=_NUMBER["pnl"])
                        yield InventoryPanel(palette, id="inventory", number=_NUMBER["inventory"])
                    with Vertical(id="speed"):
                        yield LatencyPanel(palette, id="latency", number=_NUMBER["latency"])
                        yield DepthChart(palette, id="chart", number=_NUMBER["chart"])
                yield QuotesPanel(palette, id="quotes", number=_NUMBER["quotes"])
        with Horizontal(id="lower"):
            yield BlotterPanel(palette, id="orders", number=_NUMBER["orders"])
            yield TradesPanel(palette, id="trades", number=_NUMBER["trades"])
        yield LogPanel(palette, id="log", number=_NUMBER["log"])
        yield TooSmall(id="too-small")

    def on_mount(self) -> None:
        """Focus where the settings want it, with the panels as they were left."""
        for panel in self.panels():
            kept = self.console.remembered.get(f"panel.{panel.id}")
            if isinstance(kept, dict):
                panel.restore(kept)
        ladder = self.query_one(DepthLadder)
        ladder.marks_changes = self.console.settings.mark_changes
        self.set_class(self.console.remembered.get("log_hidden") is True, "-without-log")
        wanted = self.console.settings.panel
        if wanted is None:
            ladder.focus()
            self.call_after_refresh(self._go_where_it_was_left)
            return
        name, is_alone, _ = wanted.partition(ALONE)
        self.action_go(name)
        if is_alone:
            self.maximize(self.query_one(f"#{name}", Panel))

    def _go_where_it_was_left(self) -> None:
        """To the panel that had the focus, alone if it was, unless it has no place in this size."""
        kept, alone = (self.console.remembered.get(key) for key in (_FOCUS, _ALONE))
        if kept not in PANELS:
            return
        panel = self.query_one(f"#{kept}", Panel)
        if kept == alone:
            self.maximize(panel)
        if kept == alone or self._has_place(panel):
            panel.focus()
            self.call_after_refresh(self.console.draw_anew)

    def on_resize(self, event: events.Resize) -> None:
        """Where there is no room for the panels, say so; the state and the keys stay in view."""
        self.set_class(self.query_one(TooSmall).measure(event.size), "-too-small")
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        if self.focused is None and self.is_current and not self.has_class("-too-small"):
            self.query_one(DepthLadder).focus()  # all panels were hidden, which took the focus away
        self.console.draw_anew()

    def remember(self, remembered: Remembered) -> None:
        """Keep what is worth keeping of each panel, where the focus is and which panel is alone."""
        focused, alone = self.focused, self.maximized
        remembered.keep(_FOCUS, focused.id if isinstance(focused, Panel) else None)
        remembered.keep(_ALONE, alone.id if alone is not None else None)
        for panel in self.panels():
            kept = panel.state()
            if kept:
                remembered.keep(f"panel.{panel.id}", kept)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """All panels again only while one is alone."""
        return action != "all" or self.maximized is not None

    def action_go(self, name: str) -> None:
        """Lead to a panel; one that is not shown fills the screen."""
        panel = self.query_one(f"#{name}", Panel)
        if self.maximized is not None and self.maximized is not panel:
            self.minimize()
        if not self._has_place(panel):
            self.maximize(panel)
        panel.focus()
        self.call_after_refresh(self.console.draw_anew)

    def action_solo(self) -> None:
        """The focused panel alone, or all again."""
        if self.maximized is not None:
            self.action_all()
        elif isinstance(self.focused, Panel):
            self.maximize(self.focused)
            self.call_after_refresh(self.console.draw_anew)

    def action_all(self) -> None:
        """All panels again."""
        self.minimize()
        self.call_after_refresh(self.console.draw_anew)

    def action_hide_log(self) -> None:
        """Hide the log, or show it again, now and in later runs."""
        self.toggle_class("-without-log")
        is_hidden = self.has_class("-without-log")
        self.console.remembered.keep("log_hidden", is_hidden)
        if is_hidden and isinstance(self.focused, LogPanel):
            self.query_one(DepthLadder).focus()
        self.call_after_refresh(self.console.draw_anew)

    # -- one order, several panels ---------------------------------------------------------------

    def on_blotter_panel_order_selected(self, event: BlotterPanel.OrderSelected) -> None:
        """Select it everywhere."""
        self._select(event.client_id)

    def on_order_selected(self, event: OrderSelected) -> None:
        """Select it everywhere; it was pointed at in the ladder."""
        self._select(event.client_id)

    def on_quotes_panel_slot_selected(self, event: QuotesPanel.SlotSelected) -> None:
        """Select the order that works in the slot."""
        found = (order for order in self._orders() if order.slot == event.slot)
        self._select(next((order.client_id for order in found), None))

    def on_blotter_panel_explain_requested(self, event: BlotterPanel.ExplainRequested) -> None:
        """Explain the quote that an order is."""
        explain_slot(self.console, event.slot)

    def _orders(self) -> tuple[WorkingOrder, ...]:
        scene = self.console.scene()
        return scene.book.orders if scene is not None else ()

    def _select(self, client_id: str | None) -> None:
        self.query_one(DepthLadder).select(client_id)
        for order in self._orders():
            if order.client_id == client_id:
                self.query_one(BlotterPanel).select(order)
                self.query_one(QuotesPanel).select(order.slot)

    def _has_place(self, panel: Panel) -> bool:
        """True where the layout for this size shows the panel."""
        return all(widget.display for widget in panel.ancestors_with_self if widget is not self)
