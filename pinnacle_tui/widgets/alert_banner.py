"""The alert banner: one row below the status that stays until a person has acknowledged every alert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.foreign_text import visible
from engine.link.view import StandingAlert
from pinnacle_tui.numbers import age, clock
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.drawn import Drawn
from pinnacle_tui.widgets.rows import Row, left
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.word_groups import Item, fitted, item

_SEVERITIES: Final = ("warning", "error", "critical")
"""Ever graver."""
_SHORTER_BELOW: Final = (132, 104)
"""Cells of a row in which the same is said in fewer words."""
_STYLES: Final = {"warning": "warning bold", "error": "danger", "critical": "danger bold"}


class AlertBanner(Drawn, can_focus=False):
    """Names the foremost alert in the colour of its severity, how many wait, and which key takes it."""

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._scene: Scene | None = None
        self._key = ""

    def show(self, scene: Scene, key: str) -> None:
        """Draw the alerts of a scene. `key` acknowledges the one that is named; empty where none would."""
        self._scene, self._key = scene, key
        self.redraw()

    def redraw(self) -> None:
        """See `Drawn`."""
        if self._scene is not None and self._scene.view.alerts and self.size:
            self.put([banner_row(self._scene, self._key, self.size.width)], is_grey=self._scene.is_stale)


def banner_row(scene: Scene, key: str, width: int) -> Row:
    """How many, the foremost with its text, since when, the key. There must be an alert.

    The text gets what the rest leaves: in a short row that rest is put in fewer words.
    """
    alerts, brevity = scene.view.alerts, sum(width < cells for cells in _SHORTER_BELOW)
    shown = foremost(alerts)
    count = "1 ALERT" if len(alerts) == 1 else f"{len(alerts)} ALERTS"
    items = [
        item(0, (f" {count} ", f"{_style(shown)} reverse")),
        Item(1, False, tuple(((form, _style(shown)),) for form in _names(shown))),
        *_product(scene, shown),
        Item(4, True, (*(((form, "muted"),) for form in _since(scene, shown)[brevity:]), ())),
    ]
    if key:
        words = f" acknowledges {visible(shown.name)} " if not brevity else " acknowledges "
        items.append(item(2, (key, "accent bold"), (words, "muted"), is_right=True))
    return fitted(items, width, (shown.text, "text"))


def _names(alert: StandingAlert) -> tuple[str, ...]:
    """Severity and name, then the name alone, then what fits of it."""
    name = visible(alert.name)
    return f"{alert.severity.upper()} {name}", name, *(left(name, cells) for cells in (20, 10))


def gravity(alert: StandingAlert) -> int:
    """How grave an alert is, to compare with others; what nobody knows is as grave as can be."""
    return _SEVERITIES.index(alert.severity) if alert.severity in _SEVERITIES else len(_SEVERITIES)


def foremost(alerts: Sequence[StandingAlert]) -> StandingAlert:
    """The one to be seen first: the gravest, of several the newest. There must be an alert."""
    return max(reversed(alerts), key=gravity)


def _style(alert: StandingAlert) -> str:
    return _STYLES.get(alert.severity, "danger bold")


def _product(scene: Scene, alert: StandingAlert) -> list[Item]:
    """Whose it is, where there are several products."""
    has_several = len(scene.view.products) > 1
    return [item(3, (visible(alert.product), "text"))] if has_several and alert.product else []


def _since(scene: Scene, alert: StandingAlert) -> tuple[str, ...]:
    """Since when, by the market's clock, and how often where it came again; in ever fewer words."""
    at = f"{clock(alert.since_wall_ns)}Z"
    times = f"{alert.count:,} times " if alert.count > 1 else ""
    ago = age(max(0, scene.view.market_wall_ns - alert.since_wall_ns))
    return f"{times}since {at}, {ago}", f"since {at}", at
