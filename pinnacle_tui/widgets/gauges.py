"""The risk screen's tables: limits and what is used of them, what restricts trading, and markouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import ClassVar, Final

from rich.cells import cell_len

from engine.link.view import Gauge, Markout, Restriction
from pinnacle_tui.numbers import NOTHING, age, grouped
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.pnl import per_fill_text
from pinnacle_tui.widgets.rows import Row, bar, left, right
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import profit_style, state_style

WARNING_SHARE: Final = 0.8
_PPM_SHOWN: Final = 100
"""Parts per million in the last decimal of a share."""
_MOST_BAR: Final = 40
_LEAST_BAR: Final = 6


def gauge_share(gauge: Gauge) -> float | None:
    """What is used of a limit, 1 for all; None while it cannot be told. A limit of 0 allows nothing."""
    if gauge.used is None:
        return None
    if gauge.limit <= 0:
        return 1.0 if gauge.used > 0 else 0.0
    return max(0.0, gauge.used / gauge.limit)


def gauge_percent(gauge: Gauge) -> str:
    """The share in whole percent, rounded down so that 100 % means all of it; above 0 never `0 %`."""
    if gauge.used is None:
        return NOTHING
    if gauge.used <= 0 or gauge.limit <= 0:
        return "100 %" if gauge.used > 0 else "0 %"
    percent = 100 * gauge.used // gauge.limit
    return f"{percent:,} %" if percent else "<1 %"


def gauge_label(gauge: Gauge) -> str:
    """The short name of a limit, in words."""
    return gauge.code.replace("_", " ").lower()


def gauge_word(gauge: Gauge) -> str:
    """What to call a share that should be noticed; empty for others."""
    share = gauge_share(gauge)
    if share is None:
        return "unknown"
    if share >= 1:
        return "AT THE LIMIT" if gauge.used == gauge.limit or gauge.limit <= 0 else "OVER THE LIMIT"
    return "near" if share > WARNING_SHARE else ""


def gauge_style(gauge: Gauge) -> str:
    """The style of a share."""
    share = gauge_share(gauge)
    if share is None:
        return "warning"
    return "danger bold" if share >= 1 else "warning" if share > WARNING_SHARE else "text"


class GaugesPanel(Panel):
    """Every limit of the risk controls with what is used of it."""

    TITLE: ClassVar[str] = "LIMITS"
    HELP: ClassVar[str] = (
        "Each risk limit, what is used of it, and the share. Above 80 % it is marked as near; at 100 % the\n"
        "control acts: it denies orders, reduces, or halts. Positions and exposures count every open order\n"
        "of a side as filled, so they can be larger than the position."
    )

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """A line for each."""
        return gauge_rows(scene, width)[:height]


class RestrictionsPanel(Panel):
    """What keeps trading from being ACTIVE, and what the risk gate kept back."""

    TITLE: ClassVar[str] = "RESTRICTIONS"
    HELP: ClassVar[str] = (
        "Latches and holds on trading, each with its reason and what ends it. A latch stays until a person\n"
        "rearms; a hold ends with its condition. REDUCING lets only orders pass that reduce the position,\n"
        "PAUSED no quotes, HALTED and KILLED nothing; cancels always pass. Below: orders that the risk\n"
        "gate kept back since the start, by code. The circuit breaker is closed while the market behaves,\n"
        "open when it does not or a person has tripped it, half-open with smaller quotes on the way back."
    )

    def remark(self, scene: Scene) -> str:
        """The trading state."""
        return scene.book.state

    def remark_style(self, scene: Scene) -> str:
        """Calm while ACTIVE."""
        return "ok" if scene.book.state == "ACTIVE" else state_style(scene.book.state)

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """Every restriction with its reason and its end, then the denials."""
        return [
            *restriction_rows(scene, width),
            (),
            *breaker_rows(scene, width),
            denied_row(scene, width),
        ][:height]


class MarkoutsPanel(Panel):
    """Where the market went after our passive fills."""

    TITLE: ClassVar[str] = "MARKOUTS"
    HELP: ClassVar[str] = (
        "Passive fills measured some time after they happened: what the spread gave (captured), what the\n"
        "market then took or gave (adverse), and the net of both after fees. A net below 0 soon after the\n"
        "fill means that quotes are picked off. Waiting: fills whose time has not come, or had no mid."
    )

    def remark(self, scene: Scene) -> str:
        """The currency."""
        return scene.product.quote

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """A line for each horizon."""
        return markout_rows(scene, width)[:height]


def gauge_rows(scene: Scene, width: int) -> list[Row]:
    """The limits as a table. Names give way to short ones, then bars, words and limits go."""
    gauges = scene.book.gauges
    if not gauges:
        return [(("no limits are told", "muted"),)]
    used = [_quantity(scene, gauge, gauge.used) for gauge in gauges]
    limits = [_quantity(scene, gauge, gauge.limit) for gauge in gauges]
    percents = [gauge_percent(gauge) for gauge in gauges]
    columns = [_widest("used", used), _widest("limit", limits), _widest("share", percents)]
    words = max(map(len, map(gauge_word, gauges)))
    numbers = sum(columns) + 2 * len(columns)
    titles = [gauge.name for gauge in gauges]
    if _widest("", titles) + numbers + words + _LEAST_BAR + 4 > width:
        titles = [gauge_label(gauge) for gauge in gauges]
    name = _widest("limit of", titles)
    has_limit = name + numbers <= width
    if not has_limit:
        numbers = columns[2] + 2
        name = max(0, min(name, width - numbers))
    length = min(_MOST_BAR, width - name - numbers - words - 4)
    heading = left("limit of", name)
    if has_limit:
        heading += f"  {right('used', columns[0])}  {right('limit', columns[1])}"
    made: list[Row] = [((heading + f"  {right('share', columns[2])}", "muted"),)]
    for at, gauge in enumerate(gauges):
        style, word = gauge_style(gauge), gauge_word(gauge)
        row: Row = ((left(titles[at], name), "text"),)
        if has_limit:
            row = (*row, (f"  {right(used[at], columns[0])}", "text"))
            row = (*row, (f"  {right(limits[at], columns[1])}", "muted"))
        row = (*row, ("  ", "text"), (right(percents[at], columns[2]), style))
        if length >= _LEAST_BAR:
            row = (*row, ("  ", "text"), (bar(gauge_share(gauge) or 0.0, length), _bar_style(style)))
        if word and name + numbers + (length + 2) * (length >= _LEAST_BAR) + 2 + len(word) <= width:
            row = (*row, ("  ", "text"), (word, style))
        made.append(row)
    return made


def restriction_rows(scene: Scene, width: int) -> list[Row]:
    """What restricts trading, two lines each, or more where its reason is long."""
    if not scene.book.restrictions:
        return [((left("nothing restricts trading", width), "ok"),)]
    made: list[Row] = []
    for restriction in scene.book.restrictions:
        made += _restriction(restriction, scene.view.time_ns, width)
    return made


def breaker_rows(scene: Scene, width: int) -> list[Row]:
    """Where the circuit breaker stands, when it goes on by itself, what opened it last and how often."""
    breaker = scene.book.breaker
    if breaker is None:
        return []
    is_closed = breaker.state == "closed"
    parts = [f"circuit breaker {breaker.state if is_closed else breaker.state.upper()}"]
    if breaker.next_ns is not None:
        left_ns = max(0, breaker.next_ns - scene.view.time_ns)
        parts.append(f"{'half-open' if breaker.state == 'open' else 'closed'} in {age(left_ns)}")
    if breaker.trips:
        parts.append(f"opened {breaker.trips:,} time{'' if breaker.trips == 1 else 's'}")
        parts.append(f"last by {breaker.trigger}: {breaker.reason}")
    style = "muted" if is_closed else "warning"
    return [((left(line, width), style),) for line in wrap("  ·  ".join(parts), max(1, width))]


def denied_row(scene: Scene, width: int) -> Row:
    """Orders that the risk gate kept back, by code, the most first."""
    denied = sorted(scene.book.denied.items(), key=lambda item: (-item[1], item[0]))
    if not denied:
        return ((left("the risk gate kept no order back", width), "muted"),)
    counts = [f"{code} {count:,}" for code, count in denied]
    for words in ("kept back by the risk gate: ", "denied: "):
        if cell_len(text := words + "  ".join(counts)) <= width:
            return ((text, "warning"),)
    while len(counts) > 1 and cell_len(text) > width:
        counts.pop()
        text = f"denied: {'  '.join(counts)}  +{len(denied) - len(counts)} codes"
    return ((text if cell_len(text) <= width else left("orders denied", width), "warning"),)


def markout_rows(scene: Scene, width: int) -> list[Row]:
    """The markouts as a table of the columns that fit; the net always does."""
    markouts = scene.book.markouts
    if not markouts:
        return [(("no passive fill yet", "muted"),)]
    money = scene.numbers.money

    def told(write: Callable[[Markout], str]) -> list[str]:
        return [write(markout) if markout.fills else NOTHING for markout in markouts]

    columns = [
        ("after", [_horizon(markout.horizon_ns) for markout in markouts], 0),
        ("fills", [f"{markout.fills:,}" for markout in markouts], 2),
        ("captured", told(lambda markout: money(markout.captured)), 4),
        ("adverse", told(lambda markout: money(markout.adverse)), 3),
        ("fees", told(lambda markout: scene.numbers.amount(markout.fees)), 5),
        ("net", told(lambda markout: money(_net(markout))), 0),
        ("per fill", told(lambda markout: per_fill_text(scene.product, _net(markout), markout.fills)), 1),
        ("waiting", [f"{markout.waiting_or_lost:,}" for markout in markouts], 6),
    ]
    widths = {name: _widest(name, cells) for name, cells, _ in columns}
    while len(columns) > 2 and sum(widths[name] for name, _, _ in columns) + 2 * (len(columns) - 1) > width:
        columns.remove(max(columns, key=lambda column: column[2]))
    made: list[Row] = [(("  ".join(right(name, widths[name]) for name, _, _ in columns), "muted"),)]
    for at, markout in enumerate(markouts):
        styles = {"captured": markout.captured, "adverse": markout.adverse}
        styles |= {"net": _net(markout), "per fill": _net(markout)}
        made.append(
            tuple(
                (
                    "  " * (name != columns[0][0]) + right(cells[at], widths[name]),
                    profit_style(styles[name]) if name in styles and markout.fills else "text",
                )
                for name, cells, _ in columns
            )
        )
    return made


def _net(markout: Markout) -> int:
    return markout.captured + markout.adverse - markout.fees


def _horizon(ns: int) -> str:
    if ns < 1_000_000_000:
        return f"{ns // 1_000_000} ms"
    seconds = ns // 1_000_000_000
    return f"{seconds} s" if seconds < 60 or seconds % 60 else f"{seconds // 60} min"


def _quantity(scene: Scene, gauge: Gauge, value: int | None) -> str:
    """A gauge's number in its unit; with more decimals where its limit would else be too small for them."""
    if value is None:
        return NOTHING
    product, numbers = scene.product, scene.numbers
    if gauge.unit == "lots":
        is_small = 0 < gauge.limit * product.lot_steps < numbers.smallest
        return f"{numbers.whole_size(value) if is_small else numbers.size(value)} {product.base}"
    if gauge.unit == "atoms":
        cent, places = 10 ** (product.money_places - numbers.money_places), product.money_places
        text = grouped(value, places, places).rstrip("0") if 0 < gauge.limit < cent else numbers.amount(value)
        return f"{text} {product.quote}"
    if gauge.unit == "ppm":
        return f"{grouped(value, 4, 4 if 0 < gauge.limit < _PPM_SHOWN else 2)} %"
    return f"{value:,}"


def _widest(heading: str, cells: Sequence[str]) -> int:
    return max(cell_len(heading), *map(cell_len, cells))


def _bar_style(style: str) -> str:
    """A reversed block would look empty, so a full bar is not `danger` where there are no colours."""
    return "chart" if style == "text" else "warning"


def _restriction(restriction: Restriction, now_ns: int, width: int) -> list[Row]:
    since = f"since {age(now_ns - restriction.since_ns)}"
    style = state_style(restriction.state)
    head = f"{restriction.state}  {restriction.code}  {since}"
    room = width - cell_len(head) - 2
    first: Row = ((left(head, min(width, cell_len(head))), style),)
    if room >= cell_len(restriction.reason):
        return [
            (*first, (f"  {restriction.reason}", "text")),
            ((left(f"  until {restriction.release}", width), "muted"),),
        ]
    return [
        first,
        *_indented(restriction.reason, width, "text"),
        *_indented(f"until {restriction.release}", width, "muted"),
    ]


def _indented(words: str, width: int, style: str) -> list[Row]:
    """A sentence over as many lines as it takes: what keeps trading back is read to its end."""
    cells = width - 2 if words.isascii() else (width - 2) // 2
    return [((left(f"  {line}", width), style),) for line in wrap(words, max(1, cells))]
