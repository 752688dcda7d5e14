"""The alerts that nobody has acknowledged yet: each name once, until a person has seen it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.events import Alert, Severity
from engine.link.view import StandingAlert
from engine.runtime.alert_throttle import AlertThrottle
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp

MOST_STANDING: Final = 100
"""Names that are kept; beyond them the oldest is given up."""


class AlertBook:
    """An `Observer` that keeps what is graver than INFO, by name: the newest text, how often, since when."""

    def __init__(self) -> None:
        self._standing: dict[str, StandingAlert] = {}
        self._throttle = AlertThrottle()
        self._last_id = 0

    def take(self, alert: Alert) -> int:
        """Keep an alert; its number where it is news, 0 where the same was told a moment ago or is INFO."""
        if alert.severity is Severity.INFO:
            return 0
        old = self._standing.pop(alert.code, None)
        self._standing[alert.code] = StandingAlert(
            alert.code,
            alert.severity.value,
            alert.product,
            alert.text,
            alert.wall_ns if old is None else old.since_wall_ns,
            1 if old is None else old.count + 1,
        )
        if len(self._standing) > MOST_STANDING:
            del self._standing[next(iter(self._standing))]
        if not self._throttle.is_news(alert):
            return 0
        self._last_id += 1
        return self._last_id

    def acknowledge(self, name: str) -> bool:
        """A person has seen it; False where nothing of that name stands."""
        return self._standing.pop(name, None) is not None

    @property
    def standing(self) -> tuple[StandingAlert, ...]:
        """What nobody has acknowledged, the newest last."""
        return tuple(self._standing.values())

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`: nothing of ours."""

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`."""
        for alert in alerts:
            self.take(alert)

    def on_status(self, now_ns: int) -> None:
        """See `Observer`: nothing of ours."""
