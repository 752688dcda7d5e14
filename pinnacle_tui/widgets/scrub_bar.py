"""The scrub bar: where in a recorded session one stands, and what happened around it."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.message import Message

from engine.link.view import ALERTS, CANCELS, FILLS, Playback, Track
from pinnacle_tui.numbers import age, clock
from pinnacle_tui.palette import Palette
from pinnacle_tui.player import speed_words
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, Span
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.word_groups import Item, fitted, item

_DENSITIES: Final = "▁▂▃▄▅▆▇█"
_DENSITY_ROWS: Final = 4
"""Rows from which the bar has one for how often orders were cancelled."""
_CLOCK_WIDTH: Final = 60
"""Columns from which the rail has a time at each end."""


class _Mark(NamedTuple):
    """How a kind is shown."""

    glyph: str
    several: str
    style: str
    plural: str


_MARKS: Final = {
    ALERTS: _Mark("!", "‼", "warning bold", "alerts"),
    FILLS: _Mark("●", "●", "own bold", "fills"),
    CANCELS: _Mark("▂", "▂", "muted", "cancels"),
}
"""The first that happened in a column stands for it."""


class ScrubBar(Panel, can_focus=False):
    """Words, marks, rail; in a higher one how often orders were cancelled. A click goes there."""

    TITLE: ClassVar[str] = "PLAYBACK"
    HAS_HEADING: ClassVar[bool] = False

    class Sought(Message):
        """A person pointed at a moment, in engine time."""

        def __init__(self, time_ns: int) -> None:
            super().__init__()
            self.time_ns = time_ns

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._rail = (0, 0)
        """The first column of the rail, and how many it has."""

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """See `Panel`."""
        playback = scene.view.playback
        if playback is None:
            return []
        now_ns = scene.view.time_ns
        words = fitted(_words(playback, now_ns), width, _note(playback))
        before, after = _ends(playback, width)
        cells = width - cell_len(before) - cell_len(after)
        self._rail = (cell_len(before), cells)
        head = column(playback, now_ns, cells)
        marks = _marks(playback, cells)
        made = [words]
        if height == 2:
            made.append(_between(before, _rail(playback, cells, head, marks), after))
        else:
            blanks = " " * cell_len(before), " " * cell_len(after)
            made.append(_between(blanks[0], _lane(cells, head, marks), blanks[1]))
            made.append(_between(before, _rail(playback, cells, head, {}), after))
        if height >= _DENSITY_ROWS:
            made.append(_between(" " * cell_len(before), _density(playback, cells, head), ""))
        return made

    def on_click(self, event: events.Click) -> None:
        """A click on the rail, or on what is drawn along it, goes there."""
        playback = self.scene.view.playback if self.scene is not None else None
        first, cells = self._rail
        if playback is None or event.y == 0 or not first <= event.x < first + cells:
            return
        span_ns = playback.last_ns - playback.first_ns
        self.post_message(self.Sought(playback.first_ns + span_ns * (event.x - first) // max(1, cells - 1)))


def column(playback: Playback, time_ns: int, cells: int) -> int:
    """The column of a moment on a rail of so many cells; moments outside stand at its ends."""
    span_ns = playback.last_ns - playback.first_ns
    if span_ns <= 0 or cells < 2:
        return 0
    passed_ns = min(max(time_ns - playback.first_ns, 0), span_ns)
    return min(passed_ns * cells // span_ns, cells - 1)


def _columns(track: Track, cells: int) -> dict[int, int]:
    """How often something happened, by column."""
    counts, found = track.counts, dict[int, int]()
    for bucket, count in enumerate(counts):
        if count:
            at = (2 * bucket + 1) * cells // (2 * len(counts))
            found[at] = found.get(at, 0) + count
    return found


def _marks(playback: Playback, cells: int) -> dict[int, Span]:
    """What stands at each column: the weightiest of what happened there, cancels left out."""
    found: dict[int, Span] = {}
    tracks = {track.kind: track for track in playback.tracks}
    for kind, mark in _MARKS.items():
        if kind != CANCELS and kind in tracks:
            for at, count in _columns(tracks[kind], cells).items():
                found.setdefault(at, (mark.several if count > 1 else mark.glyph, mark.style))
    return found


def _lane(cells: int, head: int, marks: dict[int, Span]) -> Row:
    return _joined(
        [
            marks.get(at, ("┃" if at == head else " ", "replay bold"))
            if at != head or at not in marks
            else (marks[at][0], "replay bold reverse")
            for at in range(cells)
        ]
    )


def _rail(playback: Playback, cells: int, head: int, marks: dict[int, Span]) -> Row:
    read = cells if playback.read >= 1 else int(playback.read * cells)
    made: list[Span] = []
    for at in range(cells):
        if at == head:
            made.append(
                (marks[at][0], "replay bold reverse")
                if at in marks
                else ("┃" if not marks else "╋", "replay bold")
            )
        elif at in marks:
            made.append(marks[at])
        else:
            made.append(("━", "replay") if at < head else ("─" if at < read else "┄", "rule"))
    return _joined(made)


def _density(playback: Playback, cells: int, head: int) -> Row:
    track = next((track for track in playback.tracks if track.kind == CANCELS), None)
    found = _columns(track, cells) if track is not None else {}
    most = max(found.values(), default=1)
    return _joined(
        [
            (_DENSITIES[(found[at] * 8 - 1) // most], "replay" if at == head else "muted")
            if at in found
            else (" ", "text")
            for at in range(cells)
        ]
    )


def _joined(cells: list[Span]) -> Row:
    """Neighbours of one style as one span."""
    made: list[Span] = []
    for text, style in cells:
        if made and made[-1][1] == style:
            made[-1] = (made[-1][0] + text, style)
        else:
            made.append((text, style))
    return tuple(made)


def _between(before: str, row: Row, after: str) -> Row:
    return ((before, "muted"), *row, (after, "muted"))


def _ends(playback: Playback, width: int) -> tuple[str, str]:
    if width < _CLOCK_WIDTH:
        return " ", " "
    return f" {clock(playback.first_wall_ns)} ", f" {clock(playback.last_wall_ns)} "


def _note(playback: Playback) -> Span:
    return playback.divergence, "danger bold"


def _words(playback: Playback, now_ns: int) -> list[Item]:
    passed, span = now_ns - playback.first_ns, playback.last_ns - playback.first_ns
    seq, last = playback.position_seq, playback.last_seq
    state = ("▶ ", "replay bold") if playback.is_playing else ("❚❚", "replay bold")
    made = [
        item(1, (" ", "text"), state, (f" {speed_words(playback.speed)}", "text bold")),
        Item(
            2,
            False,
            (((age(passed), "text bold"), (f" of {age(span)}", "muted")), ((age(passed), "text bold"),)),
        ),
        Item(
            6,
            False,
            (((f"record {seq:,}", "text"), (f" of {last:,}", "muted")), ((f"#{seq:,}", "text"),), ()),
        ),
    ]
    if playback.read < 1:
        made.append(item(3, (f"reading {playback.read:.0%}", "warning")))
    if playback.divergence:
        made.append(item(2, (" DIVERGED ", "danger bold reverse")))
    tracks = {track.kind: track for track in playback.tracks}
    for rank, kind in ((4, FILLS), (7, CANCELS), (5, ALERTS)):
        if kind in tracks:
            made.append(_counted(rank, kind, tracks[kind], now_ns))
    return made


def _counted(rank: int, kind: str, track: Track, now_ns: int) -> Item:
    """`● fill 12/31  3.2s ago, next in 12s`."""
    mark = _MARKS[kind]
    front = (f"{mark.glyph} ", mark.style)
    count = (f"{track.passed:,}/{track.total:,}", "text")
    parts = []
    if track.last_ns is not None:
        parts.append(f"{age(now_ns - track.last_ns)} ago")
    if track.next_ns is not None:
        parts.append(f"next in {age(track.next_ns - now_ns)}")
    near = (f" {', '.join(parts)}" if parts else "", "muted")
    name = (f"{mark.plural} ", "muted")
    return Item(rank, True, ((front, name, count, near), (front, name, count), (front, count), ()))
