"""What happened, as lines of a log: one event, one line of text that no terminal obeys."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.core.foreign_text import visible
from engine.link.events import AnyEngineEvent, Filled, Notice, Operated, OrderEnded, SettingChanged
from pinnacle_tui.numbers import Numbers
from pinnacle_tui.widgets.blotter_columns import fee_text, words
from pinnacle_tui.widgets.words import side_word


class Level(enum.IntEnum):
    """How much a line matters."""

    INFO = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `number` is that of its event; a line about lost events stands half way behind one."""

    number: float
    wall_ns: int | None
    level: Level
    word: str
    """Of the kind: warning, fill, setting ..."""
    text: str
    style: str


NumbersOf = Callable[[str], Numbers | None]
"""How a product's integers are written; None for a product that nobody has told of."""

_SEVERITIES: Final = {
    "info": (Level.INFO, "muted"),
    "warning": (Level.WARNING, "warning"),
    "error": (Level.ERROR, "danger"),
    "critical": (Level.ERROR, "danger bold"),
}


def line_of(event: AnyEngineEvent, numbers_of: NumbersOf, *, names_product: bool) -> Line:
    """An event as a line. `names_product`: there are several, so each line says whose it is."""
    level, word, style, text = _told(event, numbers_of(event.product))
    if names_product and event.product:
        text = f"{event.product}  {text}"
    return Line(event.eseq, event.wall_ns, level, word, visible(text), style)


def lost_line(count: int, after: int) -> Line:
    """A line for events that can never be told."""
    events, were = ("event", "was") if count == 1 else ("events", "were")
    text = f"{count:,} {events} {were} lost: the console was away too long"
    return Line(after + 0.5, None, Level.WARNING, "lost", text, "warning")


def _told(event: AnyEngineEvent, numbers: Numbers | None) -> tuple[Level, str, str, str]:
    match event:
        case Notice():
            level, style = _SEVERITIES.get(event.severity, (Level.INFO, "text"))
            return level, event.severity, style, f"{event.code}  {event.text}"
        case Filled():
            return Level.INFO, "fill", "own", _fill_text(event, numbers)
        case Operated():
            said = f": {event.text}" if event.text else ""
            return Level.INFO, "command", "accent", f"{words(event.name)} by {event.who}{said}"
        case SettingChanged():
            text = f"{event.key} = {event.new}, was {event.old}, by {event.who}"
            return Level.INFO, "setting", "accent", text
        case OrderEnded():
            text = f"{side_word(event.side)} {event.client_id} {event.state}: {words(event.reason)}"
            return Level.INFO, "order", "muted", text


def _fill_text(fill: Filled, numbers: Numbers | None) -> str:
    if numbers is None:
        return f"{side_word(fill.side)}, order {fill.client_id}"
    parts = [
        f"{side_word(fill.side)} {numbers.size(fill.size)} at {numbers.price(fill.price)}",
        "maker" if fill.is_maker else "taker",
        f"fee {fee_text(fill, numbers)}",
        f"position {numbers.position(fill.position)}",
    ]
    if fill.reason:
        parts.append(words(fill.reason))
    return " · ".join(parts)
