"""How well we quote: spreads quoted, earned and kept, fill ratios, time at the touch, inventory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len

from engine.link.analytics import Analytics, SlotFills
from pinnacle_tui.numbers import NOTHING, grouped
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.analytics_choice import Choice, horizon_words, markout_at
from pinnacle_tui.widgets.attribution import NOT_TOLD
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, left, right
from pinnacle_tui.widgets.scene import Scene

_BETWEEN: Final = 3
_FIGURES: Final = 24
"""Cells that a column of figures is worth."""

Line = tuple[str, str]
"""(name, figure)."""


class ExecutionPanel(Panel):
    """Figures of the quoting, and the fill ratio of each slot."""

    TITLE: ClassVar[str] = "QUOTING"
    HELP: ClassVar[str] = (
        "Spreads in basis points. Quoted and market's are averages over time. Effective: twice what the\n"
        "chosen passive fills captured; realised: twice their markout at the chosen horizon; the impact is\n"
        "the difference, what the market took back. After fees: the realised spread less twice the fees.\n"
        "At touch, bid and ask: the share of time our best price was the market's, or better. Half-life:\n"
        "how long until half of a position is worked off. Fill ratio: lots filled of the lots sent."
    )

    def __init__(self, palette: Palette, choice: Choice, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._choice = choice

    def remark(self, scene: Scene) -> str:
        """What the figures run over."""
        return "since start"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """Figures, and the slots beside or below them."""
        return quality_rows(scene, self._choice, width, height)


def quality_rows(scene: Scene, choice: Choice, width: int, height: int) -> list[Row]:
    """The panel below its heading: two columns where they fit, else figures first, then the slots."""
    analytics = scene.book.analytics
    if analytics is None:
        return [((left(NOT_TOLD, width), "muted"),)]
    figures = _figures(scene, analytics, choice)
    slots = [("slot", "filled"), *(_slot(each) for each in analytics.slots)]
    if width >= 2 * _FIGURES + _BETWEEN:
        half = (width - _BETWEEN) // 2
        one, other = _lines(figures, half), _lines(slots, width - half - _BETWEEN)
        blank: Row = ((" " * half, "text"),)
        count = max(len(one), len(other))
        one += [blank] * (count - len(one))
        other += [()] * (count - len(other))
        gap = (" " * _BETWEEN, "text")
        return [(*a, gap, *b) for a, b in zip(one, other, strict=True)][:height]
    # A heading without its lines would say nothing.
    room = height - len(figures)
    return _lines([*figures, *(slots[:room] if room > 1 else ())], width)[:height]


def _figures(scene: Scene, analytics: Analytics, choice: Choice) -> list[Line]:
    presence, at = analytics.presence, choice.horizon_at(analytics)
    mark = scene.book.pnl.mark
    group = choice.group(analytics)
    markout = None if group is None else markout_at(group, at)
    captured = None if markout is None else markout.captured_average
    average = None if markout is None else markout.average
    fees = None if markout is None else markout.fees_average

    def bp(ticks: float | None) -> str:
        if ticks is None or not mark:
            return NOTHING
        return f"{grouped(round(ticks * 2 * 10_000 * 100 / mark), 2, 2)} bp"

    def spread(ticks: float | None, less: float | None = 0.0) -> str:
        return bp(None if ticks is None or less is None else 2 * (ticks - less))

    of = "" if group is None or group is analytics.groups[0] else f", {group.name}"
    horizon = horizon_words(analytics.horizons_ns[at]) if analytics.horizons_ns else ""
    return [
        ("spread quoted", bp(presence.own_spread)),
        ("market's", bp(presence.market_spread)),
        (f"effective{of}", spread(captured)),
        (f"impact, {horizon}", spread(captured, average)),
        (f"realised, {horizon}", spread(average)),
        ("after fees", spread(average, fees)),
        ("at touch", _shares(presence.watched_ns, presence.bid_touch_ns, presence.ask_touch_ns)),
        ("both sides quoted", _shares(presence.watched_ns, presence.both_ns)),
        ("inventory half-life", _seconds(analytics.half_life_s)),
        ("fill ratio", _ratio(analytics.slots)),
    ]


def _shares(whole: int, *parts: int) -> str:
    return f"{' · '.join([grouped(1_000 * part // whole, 1, 1) for part in parts])} %" if whole else NOTHING


def _seconds(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:.1f} s" if value < 120 else f"{value / 60:,.1f} min"


def _slot(slot: SlotFills) -> Line:
    return f"{slot.slot}  {slot.sent_orders:,} sent", _ratio((slot,))


def _ratio(slots: Sequence[SlotFills]) -> str:
    """Lots filled of the lots sent."""
    sent = sum(each.sent_lots for each in slots)
    filled = sum(each.filled_lots for each in slots)
    return f"{grouped(10_000 * filled // sent, 2, 2)} %" if sent else NOTHING


def _lines(lines: list[Line], width: int) -> list[Row]:
    made: list[Row] = []
    for name, figure in lines:
        room = max(0, width - cell_len(figure) - 1)
        made.append(
            (
                (left(name, room) + " " * bool(room), "muted"),
                (right(figure, width - room - bool(room)), "text"),
            )
        )
    return made
