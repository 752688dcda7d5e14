"""Which alert is news: the same one again within a minute is not, unless it has become graver."""

from __future__ import annotations

from typing import Final

from engine.core.events import Alert, Severity

THROTTLE_NS: Final = 60_000_000_000
"""The same name of the same product is new once in so much engine time."""
MOST_REMEMBERED: Final = 100
"""Names whose time is remembered; beyond them the oldest is forgotten."""
GRAVITY: Final = {severity: place for place, severity in enumerate(Severity)}
"""How grave a severity is, to compare with others."""


class AlertThrottle:
    """Remembers when each alert was news last, and how grave it was."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[int, int]] = {}

    def is_news(self, alert: Alert) -> bool:
        """True where it is to be told; it is remembered then."""
        key, gravity = (alert.product, alert.code), GRAVITY[alert.severity]
        told = self._told.get(key)
        if told is not None and alert.recv_ns - told[0] < THROTTLE_NS and gravity <= told[1]:
            return False
        self._told.pop(key, None)  # so that the oldest comes first
        self._told[key] = alert.recv_ns, gravity
        if len(self._told) > MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        return True
