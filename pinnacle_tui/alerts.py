"""What a person at this screen has seen of the alerts that nobody has acknowledged yet."""

from __future__ import annotations

from engine.core.clock import Clock
from engine.link.view import StandingAlert
from pinnacle_tui.held_keys import HeldKeys
from pinnacle_tui.widgets.alert_banner import foremost, gravity


class AlertWatch:
    """Follows the alerts of every view: which of them is news, and which one a key acknowledges."""

    def __init__(self, clock: Clock) -> None:
        self.standing: tuple[StandingAlert, ...] = ()
        """Those of the last view, the newest last."""
        self._clock = clock
        self._held = HeldKeys(clock)

    @property
    def shown(self) -> StandingAlert | None:
        """The one that the banner names; None while nothing waits."""
        return foremost(self.standing) if self.standing else None

    def look(self, alerts: tuple[StandingAlert, ...]) -> bool:
        """Take in those of a view. True where one has come, or has become graver: that rings the bell.

        An alert that only came again is no news: it stands there already.
        """
        if alerts == self.standing:
            return False
        known = {(alert.name, alert.since_wall_ns): gravity(alert) for alert in self.standing}
        before = self.shown
        self.standing = alerts
        shown = self.shown
        if shown is not None and (before is None or before.name != shown.name):
            self._held = HeldKeys(self._clock)
        return any(gravity(alert) > known.get((alert.name, alert.since_wall_ns), -1) for alert in alerts)

    def is_meant(self) -> bool:
        """Asked once a stroke: False while the alert that is shown cannot have been read yet, and while the
        key that acknowledged the one before is held down."""
        return self._held.is_meant()
