"""The scrub bar: where in a recorded session one stands, and what happened around it."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.message import Message

from engine.link.view import ALERTS, CANCELS, FILLS, Playback, Track
from pinnacle_tui.numbers import age, clock, elapsed, speed_words
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.drawn import Drawn
from pinnacle_tui.widgets.rows import Row, Span
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.word_groups import Item, fitted, item

_HEAD: Final = ("┃", "replay bold")
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
    ALERTS: _Mark("!", "!", "warning bold", "alerts"),
    FILLS: _Mark("•", "●", "own bold", "fills"),
    CANCELS: _Mark("▂", "▂", "muted", "cancels"),
}
"""By kind; the first of them that happened in a column stands for it."""


class ScrubBar(Drawn, can_focus=False):
    """Words, marks, rail; in a higher one how often orders were cancelled. A click goes there."""

    class Sought(Message):
        """A person pointed at a moment, in engine time."""

        def __init__(self, time_ns: int) -> None:
            super().__init__()
            self.time_ns = time_ns

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._scene: Scene | None = None
        self._rail = (0, 0)
        """The first column of the rail, and how many it has."""

    def show(self, scene: Scene) -> None:
        """Draw where the playback of a scene stands."""
        self._scene = scene
        self.redraw()

    def redraw(self) -> None:
        """See `Drawn`."""
        if self._scene is not None and self.size:
            self.put(self.rows(self._scene, *self.size), is_grey=self._scene.is_stale)

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The rows of a bar of this size; none where nothing is played."""
        playback = scene.view.playback
        if playback is None:
            return []
        now_ns = scene.view.time_ns
        words = fitted(_words(playback, now_ns), width, _note(playback))
        before, after = _ends(playback, width)
        cells = max(1, width - cell_len(before) - cell_len(after))
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
        playback = self._scene.view.playback if self._scene is not None else None
        first, cells = self._rail
        if playback is None or event.y == 0 or not first <= event.x < first + cells:
            return
        self.post_message(self.Sought(moment(playback, event.x - first, cells)))


def moment(playback: Playback, at: int, cells: int) -> int:
    """The first moment of a column, of the last column the end of the session, in engine time."""
    if at >= cells - 1:
        return playback.last_ns
    span_ns = playback.last_ns - playback.first_ns
    return playback.first_ns - (-span_ns * at // cells)  # rounded up: not before the column begins


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
    made = [marks.get(at, (" ", "text")) for at in range(cells)]
    made[head] = (marks[head][0], "replay bold reverse") if head in marks else _HEAD
    return _joined(made)


def _rail(playback: Playback, cells: int, head: int, marks: dict[int, Span]) -> Row:
    read = cells if playback.read >= 1 else int(playback.read * cells)
    made = [
        marks.get(at, ("━", "replay") if at < head else ("─" if at < read else "┄", "rule"))
        for at in range(cells)
    ]
    made[head] = (marks[head][0], "replay bold reverse") if head in marks else _HEAD
    return _joined(made)


def _density(playback: Playback, cells: int, head: int) -> Row:
    """How often orders were cancelled, by the root: a storm must not hide the ordinary."""
    track = next((track for track in playback.tracks if track.kind == CANCELS), None)
    found = _columns(track, cells) if track is not None else {}
    most = max(found.values(), default=1)
    made: list[Span] = []
    for at in range(cells):
        height = ceil(len(_DENSITIES) * sqrt(found.get(at, 0) / most))
        made.append((_DENSITIES[height - 1] if height else " ", "replay" if at == head else "muted"))
    return _joined(made)


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
    passed = elapsed(now_ns - playback.first_ns, millis=True)
    whole = elapsed(playback.last_ns - playback.first_ns)
    seq, last = f"{playback.position_seq:,}", f"{playback.last_seq:,}"
    state = "▶ " if playback.is_playing else "❚❚"
    made = [
        item(1, (f" {state}", "replay bold"), (f" {speed_words(playback.speed)}", "text bold")),
        Item(2, False, (((passed, "text bold"), (f" of {whole}", "muted")), ((passed, "text bold"),), ())),
        Item(
            8,
            False,
            ((("record ", "muted"), (seq, "text"), (f" of {last}", "muted")), ((f"#{seq}", "text"),), ()),
        ),
    ]
    if playback.read < 1:
        made.append(item(3, (f"reading {int(100 * playback.read)} %", "warning")))
    if playback.divergence:
        # The sentence behind it needs the room; what has happened can be seen below.
        return [*made, item(2, (" DIVERGED ", "danger bold reverse"))]
    tracks = {track.kind: track for track in playback.tracks}
    for rank, kind in ((4, FILLS), (6, CANCELS), (5, ALERTS)):
        if kind in tracks:
            made += _told(rank, kind, tracks[kind], now_ns)
    return made


def _told(rank: int, kind: str, track: Track, now_ns: int) -> list[Item]:
    """`● fills 12/31`, and how far away the nearest are: `◂3.2s ▸12s`."""
    mark = _MARKS[kind]
    front, name = (f"{mark.several} ", mark.style), (f"{mark.plural} ", "muted")
    count = (f"{track.passed:,}/{track.total:,}", "text")
    made = [Item(rank, True, ((front, name, count), (front, count), ()))]
    near = []
    if track.last_ns is not None:
        near.append(f"◂{age(now_ns - track.last_ns)}")
    if track.next_ns is not None:
        near.append(f"▸{age(track.next_ns - now_ns)}")
    return [*made, item(rank + 5, (" ".join(near), "muted"), is_right=True)] if near else made
