"""The screens beside the main one, by name. Each is imported when it is first opened."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pinnacle_tui.screens.base import Dialog
from pinnacle_tui.screens.side import SideScreen

if TYPE_CHECKING:
    from pinnacle_tui.app import ConsoleApp

SCREENS: Final[Mapping[str, str]] = {
    "orders": "OrdersScreen",
    "overview": "OverviewScreen",
    "risk": "RiskScreen",
    "latency": "LatencyScreen",
    "analytics": "AnalyticsScreen",
    "explain": "ExplainScreen",
    "settings": "SettingsScreen",
    "log": "LogScreen",
}
"""Names, which are those of the modules, and classes."""


def screen_class(name: str) -> type[SideScreen]:
    """The class of a screen. Raises `KeyError` for a name that no screen has."""
    module = importlib.import_module(f"pinnacle_tui.screens.{name}") if name in SCREENS else None
    made: type[SideScreen] = getattr(module, SCREENS[name])
    return made


def open_screen(app: ConsoleApp, name: str) -> None:
    """Open a screen over the main one, in place of another that is open; asked for again, go back."""
    made, top = screen_class(name), app.screen
    if isinstance(top, made):
        top.action_back()
    elif not isinstance(top, Dialog):  # a question that is open is answered first
        _put_on(app, made(id=name))


def explain_slot(app: ConsoleApp, slot: str) -> None:
    """Open the explanation of what the strategy does in a slot."""
    from pinnacle_tui.screens.explain import ExplainScreen

    _put_on(app, ExplainScreen(slot, id="explain"))


def _put_on(app: ConsoleApp, screen: SideScreen) -> None:
    if isinstance(app.screen, SideScreen):
        app.screen.action_back()
    app.push_screen(screen)
