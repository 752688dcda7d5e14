"""Where the profit came from: a waterfall of the chosen fills, and all groups as a table."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len

from engine.link.analytics import Analytics
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.analytics_choice import Choice, Split, horizon_words, markout_at
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, left, right
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import profit_style

NOT_TOLD: Final = "this engine does not tell of its fills"
_LEAST_BARS: Final = 7
_BLOCK: Final = "█"
_ZERO: Final = "┊"


class AttributionPanel(Panel):
    """The profit of the chosen fills as a waterfall."""

    TITLE: ClassVar[str] = "ATTRIBUTION"
    HELP: ClassVar[str] = (
        "Where the profit of the chosen fills came from, in quote currency. Captured: our prices against\n"
        "the mid of their moment. Adverse: what the market then did against our passive fills up to the\n"
        "chosen horizon. Holding: what it did to the inventory otherwise. Less fees, that is the profit;\n"
        "for all fills it is checked against the accounts, and the residual must be 0. Fills whose horizon\n"
        "has not come, or came without a mid, are in holding: their number is told."
    )

    def __init__(self, palette: Palette, choice: Choice, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._choice = choice

    def remark(self, scene: Scene) -> str:
        """Which fills, and the horizon."""
        analytics = scene.book.analytics
        split = None if analytics is None else self._choice.split(analytics)
        if analytics is None or split is None:
            return scene.product.quote
        horizon = horizon_words(analytics.horizons_ns[self._choice.horizon_at(analytics)])
        return f"{split.name}, {scene.product.quote}, {horizon}"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The steps, then what is worth knowing of them."""
        return waterfall_rows(scene, self._choice, width)[:height]


class _Step(NamedTuple):
    """A line of the waterfall: what is added, from where."""

    name: str
    value: int
    start: int
    is_sum: bool = False


def waterfall_rows(scene: Scene, choice: Choice, width: int) -> list[Row]:
    """The steps from nothing to the profit. Bars give way to numbers."""
    analytics = scene.book.analytics
    split = None if analytics is None else choice.split(analytics)
    if analytics is None or split is None:
        return [((left(NOT_TOLD, width), "muted"),)]
    steps = _steps(split)
    texts = [scene.numbers.money(step.value) for step in steps]
    name = max(cell_len(step.name) for step in steps)
    number = max(map(cell_len, texts))
    name = max(0, min(name, width - number - 1))
    bars = width - name - number - 2
    low = min(0, *(min(step.start, step.start + step.value) for step in steps))
    high = max(0, *(max(step.start, step.start + step.value) for step in steps))
    made: list[Row] = []
    for step, text in zip(steps, texts, strict=True):
        style = profit_style(step.value)
        row: Row = (
            (left(step.name, name) + " ", "text bold" if step.is_sum else "muted"),
            (right(text, min(number, width)), f"{style} bold" if step.is_sum else style),
        )
        if bars >= _LEAST_BARS:
            row = (*row, (" ", "text"), *_bar(step, low, high, bars))
        made.append(row)
    return [*made, *_notes(scene, analytics, choice, split, width)]


def _steps(split: Split) -> list[_Step]:
    made, running = [], 0
    for name, value in (
        ("captured", split.captured),
        ("adverse", split.adverse),
        ("holding", split.holding),
        ("− fees", -split.fees),
    ):
        made.append(_Step(name, value, running))
        running += value
    return [*made, _Step("= profit", running, 0, is_sum=True)]


def _bar(step: _Step, low: int, high: int, cells: int) -> Row:
    """A bar between two amounts on a scale from low to high, and the line of zero where it is free."""
    span = high - low

    def place(value: int) -> int:
        return (2 * (value - low) * (cells - 1) + span) // (2 * span) if span else 0

    first, last = sorted((place(step.start), place(step.start + step.value)))
    zero = place(0)
    line = [_ZERO if at == zero else " " for at in range(cells)]
    if not step.value:
        return (("".join(line), "rule"),)
    style = profit_style(step.value)
    before, after = "".join(line[:first]), "".join(line[last + 1 :])
    spans = ((before, "rule"), (_BLOCK * (last - first + 1), style), (after, "rule"))
    return tuple(span for span in spans if span[0])


def _notes(scene: Scene, analytics: Analytics, choice: Choice, split: Split, width: int) -> list[Row]:
    numbers, made = scene.numbers, list[Row]()
    group = choice.group(analytics)
    markout = None if group is None else markout_at(group, choice.horizon_at(analytics))
    if group is not None and group.name == split.name and markout is not None:
        open_ones = [f"{markout.waiting:,} waiting"] if markout.waiting else []
        open_ones += [f"{markout.censored:,} without a mid"] if markout.censored else []
        counted = f"{markout.fills:,} of {group.fills:,} fills followed"
        made.append(((left(", ".join([counted, *open_ones]), width), "muted"),))
    total, pnl = analytics.groups[0], scene.book.pnl
    if split.name == total.name:
        residual = pnl.residual
        words = f"residual {numbers.money(residual)}" if not residual else "DOES NOT ADD UP"
        made.append(((left(words, width), "muted" if not residual else "danger bold reverse"),))
        if analytics.hold is not None:
            # What trading earned is what it earned over holding; the account moved by both.
            words = f"opening balance by itself {numbers.money(analytics.hold)}"
            made.append(((left(words, width), "muted"),))
    return made
