"""Section `console`: the screen, and what becomes of an engine whose console goes away."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.core.settings import setting

CANCEL_ALL_AND_EXIT = "cancel-all-and-exit"
KEEP_RUNNING = "keep-running"
PANELS = ("depth", "pnl", "inventory", "latency", "quotes", "orders", "trades", "log", "chart")
"""The panels of the main screen; each is reached by its number, counted from 1."""
ALONE = "+"
"""Behind a panel's name: it fills the screen."""
RATES = (1, 2, 5, 10, 20, 30)
"""Redraws a second to choose from."""


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """How the screen looks, and how long an engine waits for the console that started it."""

    theme: str = setting("pinnacle", "The colours; `pinnacle-tui themes` lists them.")
    refresh_hz: int = setting(
        10, "Redraws a second: 1, 2, 5, 10, 20 or 30; others count as the next lower.", at_least=1, at_most=30
    )
    panel: str | None = setting(
        None,
        "The panel that has the focus at the start; with a + behind its name it fills the screen.",
        choices=(*PANELS, *(name + ALONE for name in PANELS)),
    )
    mouse: bool = setting(True, "Whether the screen takes clicks and the wheel.")
    mark_changes: bool = setting(True, "Whether a level of the ladder is marked when it changes.")
    on_owner_lost: str = setting(
        CANCEL_ALL_AND_EXIT,
        "What an engine does whose console is gone.",
        choices=(CANCEL_ALL_AND_EXIT, KEEP_RUNNING),
        live=True,
    )
    owner_grace_s: Decimal = setting(
        Decimal(5), "How long it waits for a restarted console before.", unit="s", at_least=0, at_most=3600
    )
    owner_silent_s: Decimal = setting(
        Decimal(60),
        "A console that is connected and says nothing for so long counts as gone.",
        unit="s",
        at_least=5,
        at_most=86_400,
    )
