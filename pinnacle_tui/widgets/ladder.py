"""The depth ladder: asks above, bids below, the spread between them, and our own orders at their prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.link.view import ProductView
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.book_panel import BookPanel
from pinnacle_tui.widgets.book_trust import book_trouble, is_too_old
from pinnacle_tui.widgets.ladder_levels import (
    MULTIPLES,
    Ladder,
    Rung,
    Scale,
    changed_prices,
    grouped_price,
    in_queue,
    traded_rung,
    typical_largest,
)
from pinnacle_tui.widgets.ladder_rows import PLAIN, Marks, RungWriter
from pinnacle_tui.widgets.ladder_window import FarRows, Gap, Mark, Standing, around, around_spread
from pinnacle_tui.widgets.rows import Row
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.spread_row import gap_row, spread_row, words_row

_NAMES_FROM_HEIGHT: Final = 12
"""Rows below the heading from which the columns are named."""
_WHEEL_ROWS: Final = 3
_MARKED_WITHIN_NS: Final = 3_000_000_000
"""After a longer pause nearly everything has changed, and marking it would say nothing."""


class OrderSelected(Message):
    """A person pointed at one of our orders in the ladder."""

    def __init__(self, client_id: str) -> None:
        super().__init__()
        self.client_id = client_id


class DepthLadder(BookPanel):
    """See the module. `marks_changes` switches the marks of changed levels on and off; `selected` is the
    client id of a chosen order."""

    TITLE = "DEPTH"
    HELP = """\
Asks above the spread, bids below; bold is the best price. Bars share one scale; ▸: more than a bar can show.
Beside a price: ● our order, ◐ partly filled, ○ sent, × being cancelled, ? uncertain; 2× means two orders.
"ahead": strangers' size before the first of ours (~ estimated). ▲ ▼: the last trade was a buy, a sale.
Our orders beyond the rows stand at the ends; ⋮ tells how far from the best price they are. Lit: has changed.
+ and - put fewer or more ticks into a row (×5); ≥ marks a sum that may go on beyond the known depth.
Arrows, page keys and the wheel look away from the spread; home or . comes back. A click selects our order."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "plus,equals_sign",
            "zoom_in",
            "finer",
            id="ladder.zoom_in",
            key_display="+",
            tooltip="Put fewer ticks into a row of the ladder",
        ),
        Binding(
            "minus",
            "zoom_out",
            "coarser",
            id="ladder.zoom_out",
            key_display="-",
            tooltip="Put more ticks into a row of the ladder",
        ),
        Binding(
            "home,full_stop",
            "follow",
            "follow",
            id="ladder.follow",
            key_display=".",
            tooltip="Keep the spread in the middle again",
        ),
        Binding("up", "look(-1)", "up", id="ladder.up", show=False, tooltip="Look at higher prices"),
        Binding("down", "look(1)", "down", id="ladder.down", show=False, tooltip="Look at lower prices"),
        Binding(
            "pageup",
            "page(-1)",
            "page up",
            id="ladder.page_up",
            show=False,
            tooltip="A screen of higher prices",
        ),
        Binding(
            "pagedown",
            "page(1)",
            "page down",
            id="ladder.page_down",
            show=False,
            tooltip="A screen of lower prices",
        ),
    ]

    def __init__(self, palette: Palette, *, id: str = "ladder", number: int | None = None) -> None:
        super().__init__(palette, id=id, number=number)
        self.marks_changes = True
        self.multiple = 1
        """Ticks in a row."""
        self.selected: str | None = None
        self._watched: int | None = None
        """The price (half ticks) that a person looks at; None while the spread stays in the middle."""
        self._ladder: Ladder | None = None
        self._ladder_of: ProductView | None = None
        self._changed: frozenset[tuple[int, int]] = frozenset()
        self._scale = Scale()
        self._writer = RungWriter()
        self._far_rows = FarRows()
        self._standings: list[Standing] = []
        """What stands in each row below the names of the columns."""

    # -- what is remembered between sessions -----------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The choices worth remembering."""
        return {"multiple": self.multiple}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take remembered choices; what makes no sense is ignored."""
        multiple = state.get("multiple")
        if type(multiple) is int and multiple in MULTIPLES:
            self._group_by(multiple)

    # -- drawing ---------------------------------------------------------------------------------

    def show(self, scene: Scene) -> None:
        """See `Panel`; notes what has changed since the scene before."""
        seen = self.scene
        if seen is None or seen.book.symbol != scene.book.symbol:
            self._watched, self._changed, self._scale = None, frozenset(), Scale()
        elif self.marks_changes and scene.now_ns - seen.now_ns < _MARKED_WITHIN_NS:
            # In this order: the ladder of what was seen is still at hand, that of now is needed again.
            before = self._arranged(seen)
            now = self._arranged(scene)
            changed = changed_prices(before, now)
            # At many times the speed of life everything changes, and a mark on everything marks nothing.
            is_calm = 2 * len(changed) < len(now.bids) + len(now.asks)
            self._changed = changed if is_calm else frozenset()
        else:
            self._changed = frozenset()
        super().show(scene)

    def remark_words(self, scene: Scene) -> list[str]:
        """Whether the spread is followed, then the grouping."""
        return ["follow off" if self._watched is not None else "", f"×{self.multiple}"]

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """See `Panel`."""
        ladder = self._arranged(scene)
        self._standings = []
        if not ladder.asks and not ladder.bids:
            rows = [()] * ((height - 1) // 2) + [words_row(book_trouble(scene.book), width, "muted")]
        else:
            rows = self._ladder_rows(scene, ladder, width, height)
        if is_too_old(scene):
            return [tuple((text, "stale") for text, _ in row) for row in rows]
        return rows

    def _ladder_rows(self, scene: Scene, ladder: Ladder, width: int, height: int) -> list[Row]:
        book, writer = scene.book, self._writer
        has_names = height >= _NAMES_FROM_HEIGHT
        body = height - has_names
        standings = self._standings = self._stand(scene, ladder, body)
        visible = [each for each in standings if isinstance(each, Rung)]
        # What is near the spread makes the scale, so that it stays when a person looks elsewhere.
        half = (body + 1) // 2
        near = (*ladder.asks[:half], *ladder.bids[:half])
        full = self._scale.fit(typical_largest(rung.size for rung in near if rung.size))
        writer.begin(
            scene.numbers,
            visible,
            width,
            full=full,
            shows_own=book.shows_own,
            grouping=(book.symbol, self.multiple),
        )
        rows: list[Row] = []
        if has_names:
            rows.append(writer.heading(scene.product.base, scene.product.quote, _ahead_name(scene)))
        special = self._special(scene, ladder)
        for each in standings:
            if isinstance(each, Rung):
                rows.append(writer.row(each, special.get((each.side, each.price), PLAIN)))
            elif isinstance(each, Gap):
                rows.append(gap_row(scene, each, width))
            elif each is Mark.SPREAD:
                rows.append(spread_row(scene, width))
            elif each is Mark.END:
                rows.append(words_row("deeper levels are not shown", width, "muted"))
            else:
                rows.append(())
        return rows

    def _stand(self, scene: Scene, ladder: Ladder, body: int) -> list[Standing]:
        """Our far orders are seen while the spread is followed; who looks elsewhere sees the book alone."""
        if self._watched is not None:
            return around(ladder, self._centre(ladder, body), body)
        self._far_rows.begin((scene.book.symbol, self.multiple, body), scene.now_ns)
        return around_spread(ladder, body, self._far_rows)

    def _special(self, scene: Scene, ladder: Ladder) -> dict[tuple[int, int], Marks]:
        """The marks of every rung that has any."""
        book = scene.book
        touch = {
            (side, grouped_price(side, levels[0][0], self.multiple))
            for side, levels in ((1, book.bids), (-1, book.asks))
            if levels
        }
        last = book.trades[-1] if book.trades else None
        traded = traded_rung(ladder, last, self.multiple) if last is not None else None
        chosen = {
            (order.side, grouped_price(order.side, order.price, self.multiple))
            for order in book.orders
            if order.client_id == self.selected
        }
        keys = self._changed | touch | chosen
        if traded is not None:
            keys |= {traded}
        return {
            key: Marks(
                is_touch=key in touch,
                traded=last.side if last is not None and key == traded else 0,
                is_changed=key in self._changed,
                is_selected=key in chosen,
            )
            for key in keys
        }

    def _arranged(self, scene: Scene) -> Ladder:
        """The ladder of a scene, made once for each book and grouping."""
        if self._ladder is None or self._ladder_of is not scene.book:
            self._ladder, self._ladder_of = Ladder.of(scene.book, self.multiple), scene.book
        return self._ladder

    def _centre(self, ladder: Ladder, body: int) -> int:
        if self._watched is None:
            return 0
        return ladder.scrolled(ladder.place_of(self._watched), 0, body)

    # -- choices of a person ---------------------------------------------------------------------

    def select(self, client_id: str | None) -> None:
        """Mark the rung of an order, or of none."""
        if client_id != self.selected:
            self.selected = client_id
            self.redraw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing are not offered."""
        if action == "follow":
            return self._watched is not None
        if action == "zoom_in":
            return self.multiple > MULTIPLES[0]
        if action == "zoom_out":
            return self.multiple < MULTIPLES[-1]
        return True

    def action_zoom_in(self) -> None:
        """Fewer ticks in a row."""
        self._group_by(MULTIPLES[MULTIPLES.index(self.multiple) - 1])

    def action_zoom_out(self) -> None:
        """More ticks in a row."""
        self._group_by(MULTIPLES[MULTIPLES.index(self.multiple) + 1])

    def action_follow(self) -> None:
        """Keep the spread in the middle."""
        self._watch(None)

    def action_look(self, rows: int) -> None:
        """Look `rows` further down; reaching the spread follows it again."""
        if self.scene is None:
            return
        ladder, body = self._arranged(self.scene), self._body_height()
        place = ladder.scrolled(self._centre(ladder, body), rows, body)
        rung = ladder.at(place)
        if rung is not None:
            self._watch(2 * rung.price)
        elif place == 0:
            self._watch(None)

    def action_page(self, direction: int) -> None:
        """Look a screen further down or up, one row of which stays."""
        self.action_look(direction * max(1, self._body_height() - 1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel looks away from the spread."""
        event.stop()
        self.action_look(-_WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel looks away from the spread."""
        event.stop()
        self.action_look(_WHEEL_ROWS)

    def on_click(self, event: events.Click) -> None:
        """Select our order in a row; with several, the next one at every click."""
        offset = event.get_content_offset(self)
        rung = None if offset is None else self._rung_in_row(offset.y - self.HAS_HEADING)
        if rung is None or rung.own is None or self.scene is None:
            return
        here = (rung.side, rung.price)
        ids = [
            order.client_id
            for order in in_queue(rung.side, self.scene.book.orders)
            if (order.side, grouped_price(order.side, order.price, self.multiple)) == here
        ]
        following = ids.index(self.selected) + 1 if self.selected in ids else 0
        self.select(ids[following % len(ids)])
        self.post_message(OrderSelected(ids[following % len(ids)]))

    def _rung_in_row(self, row: int) -> Rung | None:
        row -= self.size.height - self.HAS_HEADING >= _NAMES_FROM_HEIGHT
        standing = self._standings[row] if 0 <= row < len(self._standings) else None
        return standing if isinstance(standing, Rung) else None

    def _body_height(self) -> int:
        height = self.size.height - self.HAS_HEADING
        return height - (height >= _NAMES_FROM_HEIGHT)

    def _group_by(self, multiple: int) -> None:
        if multiple != self.multiple:
            self.multiple = multiple
            self._ladder = None
            self._changed = frozenset()
            self._scale = Scale()
            self.redraw()
            self.refresh_bindings()

    def _watch(self, half_ticks: int | None) -> None:
        if half_ticks != self._watched:
            self._watched = half_ticks
            self.redraw()
            self.refresh_bindings()


def _ahead_name(scene: Scene) -> str:
    """The simulator tells the queue exactly; elsewhere it is estimated, and is said to be."""
    hello = scene.mirror.hello
    return "ahead" if hello is not None and hello.mode == "sim" else "~ahead"
