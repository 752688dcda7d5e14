"""The status bar: one line that says what this is, whether it is safe, and whether it is the present."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import ClassVar, Final

from rich.cells import cell_len

from engine.core.foreign_text import visible
from engine.link.messages import Role
from engine.link.mirror import LinkState
from pinnacle_tui.numbers import NOTHING, age, clock, grouped, signed
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.book_trust import GREY_AFTER_NS, STALE_AFTER_NS, book_age_ns
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, Span, left
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.word_groups import Item, fitted, item
from pinnacle_tui.widgets.words import NO_QUOTES, profit_style, state_style, working_per_side

_SAME_CLOCK_NS: Final = 2_000_000_000
_WHOLE_TRUST: Final = 100
_LITTLE_TRUST: Final = 60
_CLOCK_TOLD_NS: Final = 100_000_000
_UNCERTAIN: Final = "uncertain"
_SENTENCE_CELLS: Final = (60, 40, 28, 20, 12)
"""To so many cells a sentence is cut before it is left out."""
_MODES: Final = ("sim", "paper", "live", "replay")


class StatusBar(Panel, can_focus=False):
    """One row. What is not in the scene is set from outside and shown with the next `show` or `redraw`."""

    TITLE: ClassVar[str] = "STATUS"
    HAS_HEADING: ClassVar[bool] = False
    HELP: ClassVar[str] = (
        "The mode and the product in the mode's colour, the trading state, how old the market data is, what\n"
        "is quoted (bids x asks that work), the total P&L. To the right the market's time in UTC, your own\n"
        "where it differs, the speed where it is not 1, and how long the engine is up.\n"
        "Data older than 2 s is marked STALE, in alarm from 5 s on. An engine that has ended is told with\n"
        "its exit code and how it ended, a link that is down with the reason. Where the row is short, the\n"
        "least important goes; numbers are never cut. On a live market also: how far the book is trusted\n"
        "where not wholly (0 to 100), this machine's clock against the venue's, connections made anew.\n"
        "PAST: a recorded session is played back. Everything is as it was at the moment at the right end."
    )

    def __init__(
        self, palette: Palette, *, id: str, number: int | None = None, zone: tzinfo | None = None
    ) -> None:
        """`zone` is the time zone of the person; None: the machine's."""
        super().__init__(palette, id=id, number=number)
        self.frozen_since_ns: int | None = None
        """Since when the screen stands still, on the console's monotonic clock; None while it moves."""
        self._zone = zone
        self._waiting = ""

    def show_waiting(self, text: str) -> None:
        """Say what is waited for while there is no view to show."""
        self.scene = None
        self._waiting = text
        self._draw()

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The one row."""
        return [fitted(self._items(scene), width, _trouble(scene))]

    def _draw(self) -> None:
        if self.scene is not None or not self._waiting:
            super()._draw()
            return
        self.put([((left(f" pinnacle  {self._waiting}", self.size.width), "text"),)])

    def put(self, rows: list[Row], *, is_grey: bool = False) -> None:
        """See `Drawn`. The bar itself says what is stale, loudly; the words about the link are not greyed."""
        super().put(rows)

    def _items(self, scene: Scene) -> list[Item]:
        """Everything there is to say, in the order it stands in the row."""
        hello = scene.mirror.hello
        made = [_mode(scene)]
        state, feed = Item(2, False, (_state(scene), ())), Item(3, False, (*_feed(scene), ()))
        if scene.link is LinkState.ENDED:
            made.append(feed)
        elif scene.is_stale:
            made += [state, *_quoting(scene), feed]  # why comes behind it
        else:
            made = [item(12, (" pinnacle", "title bold")), *made, *_played(scene), state, feed]
            made += [*_venue(scene), *_quoting(scene), *_trial(scene)]
        made += _others(scene)
        if self.frozen_since_ns is not None:
            frozen = f" FROZEN {age(scene.now_ns - self.frozen_since_ns)} "
            made.append(item(4, (frozen, "warning bold reverse"), is_right=True))
        if hello is not None and hello.role is not Role.OWNER:
            word = "view only" if hello.role is Role.VIEW else "CONTROL"
            made.append(item(7, (word, "warning" if hello.role is Role.VIEW else "accent"), is_right=True))
        return [*made, *_whole_profit(scene), _profit(scene), *self._clocks(scene)]

    def _clocks(self, scene: Scene) -> list[Item]:
        hello, view = scene.mirror.hello, scene.view
        if view.playback is not None:
            return [_moment(view.market_wall_ns)]
        market = (f"{clock(view.market_wall_ns)}Z", _data_style(scene, "text"))
        made = [item(6, market, is_right=True)]
        if scene.is_stale:
            return made
        local = self._local(scene)
        if local:
            made.append(item(11, (local, "muted"), is_right=True))
        if hello is not None and hello.speed != 1.0:
            speed = "max speed" if hello.speed is None else f"{hello.speed:g}x"
            made.append(item(8, (speed, "accent"), is_right=True))
        if hello is not None:
            up = age(view.wall_ns - hello.started_wall_ns)
            made.append(item(10, (f"up {up}", "muted"), is_right=True))
        return made

    def _local(self, scene: Scene) -> str:
        """The person's own time of day, where the market's clock does not show it already."""
        here = datetime.fromtimestamp(scene.wall_ns // 1_000_000_000, UTC).astimezone(self._zone)
        has_offset = bool(here.utcoffset())
        if not has_offset and abs(scene.wall_ns - scene.view.market_wall_ns) < _SAME_CLOCK_NS:
            return ""
        return f"{here:%H:%M} local"


def _data_style(scene: Scene, style: str) -> str:
    return "stale" if scene.is_stale else style


def _mode(scene: Scene) -> Item:
    """Mode and product as one block in the colour of the mode: no glance may take one for another."""
    hello, symbol = scene.mirror.hello, scene.book.symbol
    mode = hello.mode if hello is not None else ""
    word, colour = mode.upper(), mode if mode in _MODES else "text"
    if scene.view.playback is not None:
        word, colour = "PAST", "replay"
    words = f"{colour} bold reverse"
    return Item(1, False, (((f" {word}  {symbol} ", words),), ((f" {word} ", words),), ()))


def _played(scene: Scene) -> list[Item]:
    """Which recorded session it is."""
    hello = scene.mirror.hello
    return [item(10, (hello.plays, "muted"))] if hello is not None and hello.plays else []


def _moment(wall_ns: int) -> Item:
    """The position of a playback by the market's clock, in the colour of the past."""
    words = "replay bold"
    date = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
    time = clock(wall_ns)
    return Item(2, True, (((f"{date:%Y-%m-%d} {time}Z ", words),), ((f"{time}Z ", words),), ()))


def _trouble(scene: Scene) -> Span:
    """Why what is shown is not the present any more."""
    if not scene.is_stale:
        return "", "text"
    return scene.trouble, "warning" if scene.exit_code == 0 else "danger"


def _feed(scene: Scene) -> tuple[Row, ...]:
    """How far the link and the market data may be believed, the worse of both first."""
    silent = age(scene.mirror.silent_ns(scene.now_ns))
    book = scene.book
    match scene.link:
        case LinkState.ENDED:
            words = f"{'danger' if scene.exit_code != 0 else 'warning'} bold reverse"
            what = "ENGINE" if scene.view.playback is None else "PLAYBACK"
            short: Row = ((f" {what} ENDED ", words),)
            return (((f" {what} ENDED {scene.exit_code} ", words),), short) if scene.exit_code else (short,)
        case LinkState.DOWN:
            return (((f" LINK DOWN {silent} ", "danger bold reverse"),),)
        case LinkState.CONNECTING:
            return ((("○ connecting", "warning"),),)
        case LinkState.SILENT:
            return (((f"○ silent {silent}", "warning bold"),),)
        case LinkState.UP:
            pass
    old_ns = book_age_ns(scene)
    if old_ns is None:
        return (((f"○ {book.connection}, no data yet", "warning"),), (("○ no data", "warning"),))
    if book.connection == "stale" or old_ns > GREY_AFTER_NS:
        return (((f" STALE {age(old_ns)} ", "danger bold reverse"),),)
    if book.connection != "live":
        return (((f"○ {book.connection}", "warning"),),)
    if old_ns > STALE_AFTER_NS:
        return (((f"○ STALE {age(old_ns)}", "warning bold"),),)
    if scene.view.playback is not None:
        return ()  # it was live; nothing is
    return ((("● ", "ok"), (f"live {age(old_ns)}", "text")),)


def _venue(scene: Scene) -> list[Item]:
    """What is not as it should be with the venue: a book that is not wholly trusted, a clock that is off."""
    book, health = scene.book, scene.view.health
    made = []
    if book.trust is not None and book.trust < _WHOLE_TRUST:
        style = "danger bold" if book.trust < _LITTLE_TRUST else "warning"
        made += [item(7, (f"trust {book.trust}", style)), *_sentence(11, book.trust_note, "muted")]
    offset = health.clock_offset_ns
    if offset is not None and abs(offset) >= _CLOCK_TOLD_NS:
        made.append(item(9, (f"clock {-offset // 1_000_000:+} ms", "warning")))
    if health.feed is not None and health.feed.reconnects:
        count = health.feed.reconnects
        made.append(item(11, (f"{count} reconnect{'s' if count > 1 else ''}", "muted")))
    return made


def _state(scene: Scene) -> Row:
    """The trading state: calm while it is ACTIVE, loud otherwise."""
    state = scene.book.state
    if scene.is_stale:
        return ((f"was {state}", "stale"),)
    if state == "ACTIVE":
        return ((state, "ok" if scene.view.playback is None else "text"),)
    return ((f" {state} ", f"{state_style(state)} reverse"),)


def _quoting(scene: Scene) -> list[Item]:
    """What works on each side, and what only the venue knows of."""
    book = scene.book
    if scene.is_stale:
        bids, asks = working_per_side(book.quotes)
        return [item(8, (f"last quoting {bids}x{asks}", "stale"))]
    bids, asks = _known_per_side(scene)
    words = f"quoting {bids}x{asks}" if bids or asks else "not quoting"
    made = [item(8, (words, "text" if bids and asks else "warning"))]
    uncertain = sum(order.state == _UNCERTAIN for order in book.orders)
    if uncertain:
        made.append(item(4, (f"{uncertain} UNCERTAIN", "danger bold")))
    return made if bids and asks else [*made, *_why_not(scene)]


def _trial(scene: Scene) -> list[Item]:
    """The circuit breaker on its way back: quotes are smaller than they seem to be wanted."""
    breaker = scene.book.breaker
    if breaker is None or breaker.state != "half-open" or breaker.next_ns is None:
        return []
    words = f"breaker half-open, closed in {age(max(0, breaker.next_ns - scene.view.time_ns))}"
    return [Item(7, False, (((words, "warning"),), (("breaker half-open", "warning"),), ()))]


def _known_per_side(scene: Scene) -> tuple[int, int]:
    """Slots whose order is known to work: bids, asks."""
    doubted = {order.slot for order in scene.book.orders if order.state == _UNCERTAIN}
    return working_per_side(tuple(quote for quote in scene.book.quotes if quote.slot not in doubted))


def _why_not(scene: Scene) -> list[Item]:
    """Why a side has no quote, cut where it must be; the whole sentence stands in the risk screen."""
    book = scene.book
    note = book.note.removeprefix(NO_QUOTES).removeprefix(f"{book.state}, ")
    reasons = (note if note != book.state else "", *(one.reason for one in book.restrictions))
    return _sentence(9, next(filter(None, reasons), ""), "warning")


def _sentence(rank: int, words: str, style: str) -> list[Item]:
    """Words that are cut where they must be, before they are left out."""
    whole = visible(words)
    cuts = [left(whole, cells) for cells in _SENTENCE_CELLS if cells < cell_len(whole)]
    return [Item(rank, False, (*(((cut, style),) for cut in (whole, *cuts)), ()))] if whole else []


def _others(scene: Scene) -> list[Item]:
    """The products that are not shown and must not be forgotten: those that do not trade freely."""
    return [
        item(3, (f" {book.symbol} {book.state} ", f"{state_style(book.state)} reverse"))
        for book in scene.view.products
        if book.symbol != scene.book.symbol and book.state != "ACTIVE" and not scene.is_stale
    ]


def _whole_profit(scene: Scene) -> list[Item]:
    """The profit of all products together, where there are several of one currency and all can be told."""
    books = scene.view.products
    products = [scene.mirror.product(book.symbol) for book in books]
    known = [
        (book.pnl.total, product.money_places)
        for book, product in zip(books, products, strict=True)
        if book.pnl.total is not None and product is not None and product.quote == scene.product.quote
    ]
    if len(books) < 2 or len(known) < len(books):
        return []
    places = max(places for _, places in known)
    total = sum(atoms * 10 ** (places - its) for atoms, its in known)
    text = signed(grouped(total, places, min(places, 2))).strip()
    return [item(9, ("all ", "muted"), (text, _data_style(scene, profit_style(total))), is_right=True)]


def _profit(scene: Scene) -> Item:
    total = scene.book.pnl.total
    if total is None:
        return item(5, ("P&L ", "muted"), (f"{NOTHING} no mark", "warning"), is_right=True)
    number = (scene.numbers.money(total).strip(), _data_style(scene, f"{profit_style(total)} bold"))
    currency = (f" {scene.product.quote}", "muted")
    return Item(5, True, ((("P&L ", "muted"), number, currency), (number, currency), (number,), ()))
