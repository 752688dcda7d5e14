"""Where the profit came from: a waterfall of the chosen fills, and how it looks at each horizon."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len

from engine.link.analytics import Analytics
from pinnacle_tui.numbers import NOTHING
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.analytics_choice import Choice, Split, horizon_name, horizon_words, markout_at
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, left, right
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import INCOMPLETE, profit_style

NOT_TOLD: Final = "this engine does not tell of its fills"
NO_FILL: Final = "no fill yet"
_NO_MARK: Final = "no mark now: at the last one"
_ADVERSE: Final = "adverse"
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
        "has not come, or came without a mid, are in holding: their number is told. The profit is over\n"
        "holding: + opening is what the base balance of the start did by itself, = account is both. The\n"
        "figures are read once a second; below them, the same fills at every horizon."
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
        return f"{split.name}, {scene.product.quote}, after {horizon}"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The steps, what is worth knowing of them, and the horizons where all of it fits."""
        made = waterfall_rows(scene, self._choice, width)
        table = horizon_rows(scene, self._choice, width)
        if table and len(made) + 1 + len(table) <= height:
            made += [(), *table]
        return made[:height]


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
    is_all = split.name == analytics.groups[0].name
    if not split.fills:
        return [((left(NO_FILL, width), "muted"),), *_alarms(scene, analytics, width, is_all=is_all)]
    steps = _steps(split)
    account = _account(analytics, split) if is_all else []
    texts = [scene.numbers.money(step.value) for step in (*steps, *account)]
    if not split.is_followed:
        texts[[step.name for step in steps].index(_ADVERSE)] = NOTHING
    name = max(cell_len(step.name) for step in (*steps, *account))
    number = max(map(cell_len, texts))
    name = max(0, min(name, width - number - 1))
    bars = width - name - number - 2
    low = min(0, *(min(step.start, step.start + step.value) for step in steps))
    high = max(0, *(max(step.start, step.start + step.value) for step in steps))
    made: list[Row] = []
    for at, (step, text) in enumerate(zip((*steps, *account), texts, strict=True)):
        style = profit_style(step.value)
        row: Row = (
            (left(step.name, name) + " ", "text bold" if step.is_sum else "muted"),
            (right(text, min(number, width)), f"{style} bold" if step.is_sum else style),
        )
        if bars >= _LEAST_BARS and at < len(steps):
            row = (*row, (" ", "text"), *_bar(step, low, high, bars))
        made.append(row)
    made += _alarms(scene, analytics, width, is_all=is_all)
    return [*made, *_notes(scene, analytics, choice, split, width)]


def horizon_rows(scene: Scene, choice: Choice, width: int) -> list[Row]:
    """Adverse selection and holding of the chosen fills at each horizon; none where that does not fit."""
    analytics = scene.book.analytics
    if analytics is None:
        return []
    splits = [choice.split(analytics, at) for at in range(len(analytics.horizons_ns))]
    told = [split for split in splits if split is not None and split.fills]
    if not told:
        return []
    columns = [
        (horizon_name(ns), *(_at_horizon(scene, split, value) for value in (split.adverse, split.holding)))
        for ns, split in zip(analytics.horizons_ns, told, strict=True)
    ]
    names = ("after", _ADVERSE, "holding")
    name = max(map(cell_len, names))
    cell = 2 + max(cell_len(text) for column in columns for text in column)
    if name + cell * len(columns) > width:
        return []
    chosen = choice.horizon_at(analytics)
    made: list[Row] = []
    for line, words in enumerate(names):
        row: Row = ((left(words, name), "muted"),)
        for at, (column, split) in enumerate(zip(columns, told, strict=True)):
            style = "text bold" if at == chosen else "muted"
            if line:
                value = (split.adverse, split.holding)[line - 1]
                style = profit_style(value if split.is_followed else None)
            row = (*row, (right(column[line], cell), style))
        made.append(row)
    return made


def _at_horizon(scene: Scene, split: Split, value: int) -> str:
    return scene.numbers.money(value if split.is_followed else None)


def _steps(split: Split) -> list[_Step]:
    made, running = [], 0
    for name, value in (
        ("captured", split.captured),
        (_ADVERSE, split.adverse),
        ("holding", split.holding),
        ("− fees", -split.fees),
    ):
        made.append(_Step(name, value, running))
        running += value
    return [*made, _Step("= profit", running, 0, is_sum=True)]


def _account(analytics: Analytics, split: Split) -> list[_Step]:
    """From the profit to what the account moved by; too far apart, as a rule, for one scale of bars."""
    if not analytics.hold:
        return []
    whole = split.profit + analytics.hold
    return [_Step("+ opening", analytics.hold, split.profit), _Step("= account", whole, 0, is_sum=True)]


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


def _alarms(scene: Scene, analytics: Analytics, width: int, *, is_all: bool) -> list[Row]:
    """What must be known before the figures are believed."""
    pnl, made = scene.book.pnl, list[Row]()
    if is_all and (pnl.residual or analytics.residual):
        made.append(((left("DOES NOT ADD UP", width), "danger bold reverse"),))
    if not pnl.is_complete:
        made.append(((left(INCOMPLETE, width), "warning"),))
    if pnl.mark is None:
        made.append(((left(_NO_MARK, width), "warning"),))
    return made


def _notes(scene: Scene, analytics: Analytics, choice: Choice, split: Split, width: int) -> list[Row]:
    made: list[Row] = []
    group = choice.group(analytics)
    markout = None if group is None else markout_at(group, choice.horizon_at(analytics))
    if group is not None and group.name == split.name and markout is not None:
        open_ones = [f"{markout.waiting:,} waiting"] if markout.waiting else []
        open_ones += [f"{markout.censored:,} without a mid"] if markout.censored else []
        counted = f"{markout.fills:,} of {group.fills:,} fills followed"
        made.append(((left(", ".join([counted, *open_ones]), width), "muted"),))
    if split.name == analytics.groups[0].name and not (scene.book.pnl.residual or analytics.residual):
        made.append(((left(f"residual {scene.numbers.money(0)}", width), "muted"),))
    return made
