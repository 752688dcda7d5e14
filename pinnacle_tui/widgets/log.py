"""The log: everything that happened, one line each, following the news until somebody reads further up."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from textwrap import wrap
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from engine.link.mirror import KEPT
from pinnacle_tui.numbers import Numbers, clock
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.list_panel import ListPanel, list_bindings
from pinnacle_tui.widgets.log_lines import Level, Line, line_of, lost_line
from pinnacle_tui.widgets.rows import Row, Span, left
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import exact_time

_LEVEL_WORDS: Final = {Level.INFO: "all", Level.WARNING: "warning+", Level.ERROR: "error+"}
_WORD_CELLS: Final = 8
_TIME_CELLS: Final = 12
_TIME_FROM: Final = 60
"""Cells from which on a line tells its milliseconds,"""
_CLOCK_FROM: Final = 24
"""and from which on it tells the time at all."""
_DETAIL_FROM: Final = 6
"""Rows below the heading from which on a selected line that is cut is shown in full below the others."""
_DETAIL_ROWS: Final = 3
_NO_TIME: Final = "--:--:--.---"


class LogPanel(ListPanel[Line]):
    """Notices, fills, commands and changed settings of all products, the newest last."""

    TITLE = "LOG"
    FOLLOWS_END = True
    HELP = (
        "What happened: notices, our fills, commands, changed settings; the newest last.\n"
        "It follows the news until you select a line or scroll up; then it stays and counts what is new.\n"
        "It shows all lines, warnings and errors, or errors alone."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *list_bindings("log", "line", "search", "Find lines that have this text"),
        Binding("n", "match(1)", "next match", id="log.match_next", tooltip="To the next line that matches"),
        Binding("N", "match(-1)", "match before", id="log.match_previous", tooltip="To the match before"),
        Binding("v", "level", "level", id="log.level", tooltip="All lines, warnings and errors, errors"),
    ]

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        """See `Panel`."""
        super().__init__(palette, id=id, number=number)
        self._level = Level.INFO
        self._engine_id = ""
        self._lines: dict[int, Line] = {}
        self._losses: list[Line] = []
        self._missed = 0
        self._last_event = 0
        self._listed_for: tuple[Hashable, ...] = ()
        self._listed: list[Line] = []
        self._keys: list[Hashable] = []
        self._matches: list[int] | None = None
        self._read_to = 0.0

    # -- what is shown ---------------------------------------------------------------------------

    @property
    def level(self) -> Level:
        """What is shown: this level and everything above."""
        return self._level

    def show(self, scene: Scene) -> None:
        """See `Panel`."""
        mirror = scene.mirror
        engine_id = mirror.hello.engine_id if mirror.hello is not None else ""
        if engine_id != self._engine_id:
            self._engine_id = engine_id
            self._lines, self._losses = {}, []
            self._last_event = self._missed = 0
        if mirror.missed_events > self._missed:
            # Lost events come after everything that was known when the log was last shown.
            self._losses.append(lost_line(mirror.missed_events - self._missed, self._last_event))
        self._missed, self._last_event = mirror.missed_events, mirror.last_event
        super().show(scene)

    def listed(self, scene: Scene) -> Sequence[Line]:
        """See `ListPanel`."""
        log = scene.mirror.log
        listed_for = (self._engine_id, log[-1].eseq if log else 0, len(log), len(self._losses), self._level)
        if listed_for != self._listed_for:
            self._listed_for = listed_for
            lines = [line for line in self._all(scene) if line.level >= self._level]
            self._listed, self._keys, self._matches = lines, [line.number for line in lines], None
        return self._listed

    def keys(self, scene: Scene, items: Sequence[Line]) -> Sequence[Hashable]:
        """See `ListPanel`."""
        return self._keys

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """See `Panel`."""
        rows = super().rows(scene, width, height)
        if self.window.is_following and self._listed:
            self._read_to = self._listed[-1].number
        return rows

    def item_row(self, scene: Scene, item: Line, width: int, *, is_selected: bool) -> Row:
        """See `ListPanel`."""
        before = self._before(item, width, is_selected=is_selected)
        room = max(0, width - sum(cell_len(text) for text, _ in before))
        text = left(item.text, room)
        words = item.style if item.level is not Level.INFO else "text"
        if is_selected and self.has_focus:
            before, words = [(text, "text bold on selected") for text, _ in before], "text bold on selected"
        return (*before, *self._highlighted(text, words))

    def foot(self, scene: Scene, width: int, height: int) -> list[Row]:
        """See `ListPanel`: the selected line in full, where it is cut, and the text that is searched."""
        return [*self._detail(width, height), *super().foot(scene, width, height)]

    def foot_height(self, width: int, height: int) -> int:
        """See `ListPanel`."""
        return len(self._detail(width, height)) + super().foot_height(width, height)

    def found(self, scene: Scene) -> str:
        """See `ListPanel`."""
        matches = self._found()
        if not matches:
            return " no line has it" if self.entry.text else ""
        index = self.window.index
        if index in matches:
            return f" {matches.index(index) + 1:,} of {len(matches):,}"
        return f" {len(matches):,} {'line' if len(matches) == 1 else 'lines'}"

    def empty(self, scene: Scene) -> str:
        """See `ListPanel`."""
        return "nothing has happened yet" if self._level is Level.INFO else "nothing as grave as that yet"

    def title(self, scene: Scene, room: int) -> Row:
        """`LOG 214 lines`; with a plus where older ones were let go."""
        count = len(self._listed)
        plus = "+" if len(scene.mirror.log) >= KEPT else ""
        text = f" {count:,}{plus} {'line' if count == 1 else 'lines'}"
        title = super().title(scene, room)
        return (*title, (text, "muted")) if room >= len(self.TITLE) + len(text) else title

    def remarks(self, scene: Scene) -> Row:
        """The level where not all is shown, and how much news there is below."""
        level = f"  {_LEVEL_WORDS[self._level]}" if self._level is not Level.INFO else ""
        if self.window.is_following:
            return ((level, "warning"),)
        new = 0
        for line in reversed(self._listed):
            if line.number <= self._read_to:
                break
            new += 1
        return ((self.place(), "muted"), (level, "warning"), (f"  {new:,} new" if new else "", "accent bold"))

    def _all(self, scene: Scene) -> list[Line]:
        """Every line, made once for every event."""
        hello = scene.mirror.hello
        names_product = hello is not None and len(hello.products) > 1
        known, lines = self._lines, {}

        def numbers_of(symbol: str) -> Numbers | None:
            product = scene.mirror.product(symbol)
            if product is None or symbol == scene.product.symbol:
                return scene.numbers if product is not None else None
            return Numbers.of(product, scene.mirror.product_view(symbol))

        for event in scene.mirror.log:
            line = known.get(event.eseq)
            lines[event.eseq] = line or line_of(event, numbers_of, names_product=names_product)
        self._lines = lines
        return sorted([*lines.values(), *self._losses], key=lambda line: line.number)

    def _before(self, line: Line, width: int, *, is_selected: bool) -> list[Span]:
        spans: list[Span] = [("▸" if is_selected else " ", "accent")]
        if width >= _CLOCK_FROM:
            time = clock(line.wall_ns, millis=True) if line.wall_ns is not None else _NO_TIME
            cells = _TIME_CELLS if width >= _TIME_FROM else _TIME_CELLS - 4
            spans.append((time[:cells] + "  ", "muted"))
        spans.append((left(left(line.word, _WORD_CELLS), min(width - 1, _WORD_CELLS + 2)), line.style))
        return spans

    def _detail(self, width: int, height: int) -> list[Row]:
        line = self.selected_item
        if line is None or height < _DETAIL_FROM or width < _CLOCK_FROM:
            return []
        before = sum(cell_len(text) for text, _ in self._before(line, width, is_selected=True))
        if cell_len(line.text) <= width - before:
            return []
        parts = wrap(line.text, max(1, (width - 2) // 2 if not line.text.isascii() else width - 2))
        if len(parts) > _DETAIL_ROWS:
            parts = [*parts[: _DETAIL_ROWS - 1], " ".join(parts[_DETAIL_ROWS - 1 :])]
        return [(("│ ", "accent"), (left(part, width - 2), "text")) for part in parts]

    # -- searching -------------------------------------------------------------------------------

    def _found(self) -> list[int]:
        """Indices of the lines that have the searched text."""
        if self._matches is None:
            needle = self.entry.text.casefold()
            self._matches = [
                index for index, line in enumerate(self._listed) if needle and needle in _searched(line)
            ]
        return self._matches

    def _highlighted(self, text: str, words: str) -> list[Span]:
        needle, folded = self.entry.text.casefold(), text.casefold()
        # Where folding changes lengths (ß), places in the folded text are none of the text itself.
        if not needle or len(folded) != len(text):
            return [(text, words)]
        spans: list[Span] = []
        start = 0
        while (place := folded.find(needle, start)) >= 0:
            end = place + len(needle)
            spans += [(text[start:place], words), (text[place:end], "text bold on changed")]
            start = end
        return [span for span in (*spans, (text[start:], words)) if span[0]]

    def text_changed(self) -> None:
        """See `ListPanel`. The newest match at or above the place that is read."""
        self._matches = None
        matches = self._found()
        if matches:
            here = self.window.index if self.window.index is not None else self.window.bottom - 1
            self.window.select(next((index for index in reversed(matches) if index <= here), matches[0]))

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """See `ListPanel`; without a searched text there is no next match."""
        if action == "match":
            return bool(self.entry.text) and not self.entry.is_open
        return super().check_action(action, parameters)

    def action_match(self, by: int) -> None:
        """The next or last match; from the last one on it begins again."""
        matches = self._found()
        if not matches:
            return
        here = self.window.index
        if here is None:
            here = self.window.bottom if by < 0 else self.window.top - 1
        behind = [index for index in matches if (index > here if by > 0 else index < here)]
        to = (behind or matches)[0 if by > 0 else -1]
        self.window.select(to)
        self.redraw()

    def action_first(self) -> None:
        """To the oldest line, without selecting it."""
        self.window.unselect()
        self.window.scroll(-self.window.count)
        self.redraw()

    def action_last(self) -> None:
        """Back to the news."""
        self.window.to_news()
        self.redraw()

    def action_level(self) -> None:
        """The next level: all, warnings and errors, errors."""
        self._level = Level((self._level + 1) % len(Level))
        self.redraw()

    # -- copying and remembering -----------------------------------------------------------------

    def tsv(self, scene: Scene, items: Sequence[Line]) -> list[str]:
        """See `ListPanel`."""
        return [
            "\t".join((exact_time(line.wall_ns) if line.wall_ns is not None else "", line.word, line.text))
            for line in items
        ]

    def tsv_head(self, scene: Scene) -> str:
        """See `ListPanel`."""
        return "time\tlevel\ttext"

    def what(self, count: int) -> str:
        """See `ListPanel`."""
        return f"{count:,} {'line' if count == 1 else 'lines'}"

    def state(self) -> dict[str, Any]:
        """See `ListPanel`."""
        return {"level": _LEVEL_WORDS[self._level]}

    def restore(self, state: dict[str, Any]) -> None:
        """See `ListPanel`."""
        for level, word in _LEVEL_WORDS.items():
            if state.get("level") == word:
                self._level = level
        self.redraw()


def _searched(line: Line) -> str:
    return f"{line.word} {line.text}".casefold()
