"""Section `alerts`: who else is told when something goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.settings import setting


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """A program of the account holder's own that every alert is handed to."""

    command: str | None = setting(
        None, "Program and arguments that get each alert as JSON on standard input; no shell reads it."
    )
    severity: str = setting(
        "warning",
        "The least grave alert that the program gets.",
        choices=("info", "warning", "error", "critical"),
    )
    max_per_minute: int = setting(
        10,
        "How often the program is run; what is more is not handed to it. Critical alerts have as many again.",
        unit="1/min",
        at_least=1,
        at_most=60,
    )
    timeout_s: int = setting(10, "How long the program may take.", unit="s", at_least=1, at_most=60)
