"""The quotes panel: what the strategy wants in each slot, what works there, and why."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.link.view import Quote
from pinnacle_tui.numbers import NOTHING, signed
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.explanation import explanation_rows, why_rows
from pinnacle_tui.widgets.failures import failure_rows
from pinnacle_tui.widgets.gauges import denied_row
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, left, right
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import NO_QUOTES, because, last_known, working_per_side

MOST_FOR_ONE_LINE: Final = 3
"""Rows below the heading up to which only the reasons are told, one line each."""
_NUMBER_AND_GAP: Final = 4
_STATES: Final = {
    "pending": "being sent",
    "new": "open",
    "partially_filled": "partly filled",
    "pending_cancel": "cancelling",
    "uncertain": "UNCERTAIN",
}
_LEAST_EXPLAINED: Final = 8
"""Rows that the reasons get before the table gets a second slot: six terms and the ends."""


class QuotesPanel(Panel):
    """The strategy's slots, asks above bids, and the explanation of the selected one."""

    TITLE: ClassVar[str] = "QUOTES"
    HELP: ClassVar[str] = (
        "Each slot of the strategy: the quote it wants, the order that works there, and the difference\n"
        "(working − target). Below, why the selected quote stands where it stands: every term with its\n"
        "running sum and its inputs. The terms add up to the price exactly, and it is checked here; in a\n"
        "small panel the last terms share the row others. The size is explained in the same way. Of a quote\n"
        "that the risk gate kept back, every control that it fails is told; the first one decided."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "up",
            "select(-1)",
            "slot above",
            id="quotes.slot_above",
            tooltip="Explain the quote of the slot above",
        ),
        Binding(
            "down",
            "select(1)",
            "slot below",
            id="quotes.slot_below",
            tooltip="Explain the quote of the slot below",
        ),
    ]

    class SlotSelected(Message):
        """Another slot is explained."""

        def __init__(self, panel: QuotesPanel, slot: str) -> None:
            super().__init__()
            self.panel = panel
            self.slot = slot

        @property
        def control(self) -> QuotesPanel:
            """The panel."""
            return self.panel

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        super().__init__(palette, id=id, number=number)
        self.slot = ""
        """The slot that was chosen; while the strategy has none of that name, the first bid is explained."""
        self._slots: list[str] = []
        """Those of the table's lines, for the mouse."""

    def remark(self, scene: Scene) -> str:
        """How many work on each side, and how wide they are beside what a round trip costs."""
        bids, asks = working_per_side(scene.book.quotes)
        sides = f"{bids} bid{'' if bids == 1 else 's'}, {asks} ask{'' if asks == 1 else 's'}"
        if scene.is_stale:
            return f"last known: {sides}"
        told, quoted, even = f"{sides} working", _quoted_spread_bps(scene), _break_even_bps(scene)
        if quoted is None or even is None:
            return told
        wide = f"{quoted:.1f} bp wide, break-even {even:.1f}"
        whole = f"{wide} · {told}"
        return whole if cell_len(self.TITLE) + cell_len(whole) + _NUMBER_AND_GAP <= self.size.width else wide

    def remark_style(self, scene: Scene) -> str:
        """Loud where a round trip of two passive fills loses money."""
        quoted, even = _quoted_spread_bps(scene), _break_even_bps(scene)
        if scene.is_stale or quoted is None or even is None or quoted >= even:
            return super().remark_style(scene)
        return "warning"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """Reasons alone in a few rows; with more, the table and the selected slot's explanation."""
        quotes = in_order(scene.book.quotes)
        self._slots = []
        if not quotes:
            return _notes(scene, width)[:height]
        chosen = self._chosen(quotes)
        if height <= MOST_FOR_ONE_LINE:
            return why_rows(scene, _with_other_side(quotes, chosen), width)[:height]
        notes = _notes(scene, width)
        lines = min(len(quotes), max(1, height - 1 - len(notes) - _LEAST_EXPLAINED))
        at = quotes.index(chosen)
        first = max(0, min(at - lines // 2, len(quotes) - lines))
        shown = quotes[first : first + lines]
        self._slots = [quote.slot for quote in shown]
        rows = [*_table(scene, shown, chosen, width), *notes, *failure_rows(chosen, width)]
        if height - len(rows) > _LEAST_EXPLAINED:
            rows.append(())
        return [*rows, *explanation_rows(scene, chosen, width, height - len(rows))]

    def action_select(self, step: int) -> None:
        """Explain the slot above or below; the ends hold."""
        if self.scene is None or not self.scene.book.quotes:
            return
        quotes = in_order(self.scene.book.quotes)
        at = quotes.index(self._chosen(quotes)) + step
        self._select(quotes[max(0, min(len(quotes) - 1, at))].slot)

    def on_click(self, event: events.Click) -> None:
        """Explain the slot under the pointer."""
        line = event.y - 2  # below the heading and the names of the columns
        if 0 <= line < len(self._slots):
            self._select(self._slots[line])

    def select(self, slot: str) -> None:
        """Explain a slot."""
        self.slot = slot
        self.redraw()

    def _select(self, slot: str) -> None:
        if slot != self.slot:
            self.select(slot)
            self.post_message(self.SlotSelected(self, slot))

    def _chosen(self, quotes: list[Quote]) -> Quote:
        by_slot = {quote.slot: quote for quote in quotes}
        first_bid = next((quote for quote in quotes if quote.side > 0), quotes[-1])
        return by_slot.get(self.slot, first_bid)


def in_order(quotes: tuple[Quote, ...]) -> list[Quote]:
    """As a ladder has them: the farthest ask first, the farthest bid last."""
    return sorted(quotes, key=lambda quote: (quote.side, quote.side * _level(quote.slot), quote.slot))


def _level(slot: str) -> int:
    digits = slot.lstrip("ABab")
    return int(digits) if digits.isdecimal() else 0


def _with_other_side(quotes: list[Quote], chosen: Quote) -> list[Quote]:
    """The chosen one, then the other side's first."""
    others = [quote for quote in quotes if quote.side != chosen.side]
    return [chosen, *sorted(others, key=lambda quote: _level(quote.slot))[:1]]


def no_quote(scene: Scene) -> str:
    """In words, why nothing is quoted."""
    book = scene.book
    reasons = [restriction.reason for restriction in book.restrictions if restriction.reason]
    reason = book.note or next(iter(reasons), "")
    return because("no quote", reason) if reason else "no quote: the strategy wants none and gave no reason"


def _notes(scene: Scene, width: int) -> list[Row]:
    """Why quotes are missing or smaller, and what the risk gate kept back."""
    book, made = scene.book, list[Row]()
    if all(quote.wanted_price is None and quote.working_price is None for quote in book.quotes):
        made.append(((left(no_quote(scene), width), "warning"),))
    elif book.note:
        reason = book.note.removeprefix(NO_QUOTES)
        made.append(((left(f"quotes are limited: {reason}", width), "warning"),))
    if book.denied:
        made.append(denied_row(scene, width))
    return made


def _break_even_bps(scene: Scene) -> float | None:
    """The spread whose two passive fills earn their fees and no more; None before the settings are told."""
    maker_bps = scene.mirror.settings.get("fees.maker_bps")
    return None if maker_bps is None else 2 * float(maker_bps)


def _quoted_spread_bps(scene: Scene) -> float | None:
    """From the best working bid to the best working ask; None unless both sides work."""
    working = [(quote.side, quote.working_price) for quote in scene.book.quotes]
    bids = [price for side, price in working if side > 0 and price is not None]
    asks = [price for side, price in working if side < 0 and price is not None]
    if not bids or not asks:
        return None
    bid, ask = max(bids), min(asks)
    return (ask - bid) / (ask + bid) * 20_000


def _table(scene: Scene, quotes: list[Quote], chosen: Quote, width: int) -> list[Row]:
    """The slots as a table of the columns that fit; the target goes last."""
    states = [_state(scene, quote) for quote in quotes]
    numbers = scene.numbers
    columns = [
        ("slot", [("▸ " if quote is chosen else "  ") + quote.slot for quote in quotes]),
        ("target", [numbers.price(quote.wanted_price) for quote in quotes]),
        ("size", [_size(scene, quote.wanted_price, quote.wanted_size) for quote in quotes]),
        ("working", [numbers.price(quote.working_price) for quote in quotes]),
        ("size", [_size(scene, quote.working_price, quote.working_size) for quote in quotes]),
        ("price ±", [_difference(scene, quote) for quote in quotes]),
        ("size ±", [_size_difference(scene, quote) for quote in quotes]),
        ("state", states),
    ]
    for dropped in ((), (6,), (6, 2), (6, 2, 5), (6, 2, 5, 4), (6, 2, 5, 4, 7), (6, 2, 5, 4, 7, 3)):
        kept = [column for at, column in enumerate(columns) if at not in dropped]
        widths = [max(cell_len(head), *map(cell_len, cells)) for head, cells in kept]
        if sum(widths) + 2 * (len(kept) - 1) <= width:
            break
    heads = [
        (left if head in ("slot", "state") else right)(head, size)
        for (head, _), size in zip(kept, widths, strict=True)
    ]
    made: list[Row] = [(("  ".join(heads), "muted"),)]
    for at, quote in enumerate(quotes):
        ground = " on selected" if quote is chosen else ""
        row: Row = ()
        for (head, cells), size in zip(kept, widths, strict=True):
            text = (left if head in ("slot", "state") else right)(cells[at], size)
            style = _style(head, quote, cells[at])
            row = (*row, (("  " if row else "") + text, style + ground))
        made.append(row)
    return made


def _style(head: str, quote: Quote, cell: str) -> str:
    if head == "slot":
        return ("bid" if quote.side > 0 else "ask") + " bold"
    if head == "target" or cell in (NOTHING, "="):
        return "muted"
    if head == "state":
        return "danger bold" if cell == _STATES["uncertain"] else "muted" if cell == "open" else "warning"
    return "own" if head == "working" else "text"


def _size(scene: Scene, price: int | None, size: int) -> str:
    return NOTHING if price is None else scene.numbers.size(size)


def _difference(scene: Scene, quote: Quote) -> str:
    if quote.wanted_price is None or quote.working_price is None:
        return NOTHING
    difference = quote.working_price - quote.wanted_price
    return signed(scene.numbers.price(difference)) if difference else "="


def _size_difference(scene: Scene, quote: Quote) -> str:
    if quote.wanted_price is None or quote.working_price is None:
        return NOTHING
    difference = quote.working_size - quote.wanted_size
    return scene.numbers.position(difference) if difference else "="


def _state(scene: Scene, quote: Quote) -> str:
    """What happens in the slot."""
    if quote.working_price is None:
        if quote.wanted_price is None:
            return "nothing"
        return f"not sent: {quote.failures[0].code}" if quote.failures else "not sent"
    orders = [order for order in scene.book.orders if order.slot == quote.slot]
    at_price = [order for order in orders if order.price == quote.working_price]
    state = next((order.state for order in (*at_price, *orders)), "")
    word = last_known(_STATES.get(state, state or "open"), is_stale=scene.is_stale)
    return f"{word}, not wanted" if quote.wanted_price is None and state != "pending_cancel" else word
