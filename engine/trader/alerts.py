"""What a Trader has to tell people, until it is collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.events import Alert, Event, Severity

_SAME_AGAIN_AFTER_NS: Final = 60_000_000_000
"""The same code of a denial or rejection is told once a minute; every one of them is counted."""


class TraderAlerts:
    """Alerts in the order in which they arose. Each carries the times of the event that caused it."""

    def __init__(self) -> None:
        self._alerts: list[Alert] = []
        self._told_ns: dict[str, int] = {}
        """When each code was told last by `tell_once`."""

    def tell(self, event: Event, severity: Severity, code: str, text: str) -> None:
        """Tell it now."""
        self._alerts.append(Alert(event.product, event.recv_ns, event.wall_ns, severity, code, text))

    def tell_once(self, event: Event, code: str, text: str, severity: Severity = Severity.WARNING, /) -> None:
        """Tell it unless the same code was told within the last minute."""
        told = self._told_ns.get(code)
        if told is None or event.recv_ns - told >= _SAME_AGAIN_AFTER_NS:
            self._told_ns[code] = event.recv_ns
            self.tell(event, severity, code, text)

    def extend(self, alerts: Sequence[Alert]) -> None:
        """Pass on what another part has told."""
        self._alerts.extend(alerts)

    def drain(self) -> list[Alert]:
        """What was told since the last call."""
        alerts, self._alerts = self._alerts, []
        return alerts

    def save(self) -> dict[str, int]:
        """When each code was told last, copied."""
        return self._told_ns.copy()

    def load(self, told_ns: dict[str, int]) -> None:
        """Go on from there."""
        self._told_ns = dict(told_ns)
