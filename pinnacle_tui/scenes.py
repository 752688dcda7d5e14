"""The scene of the moment, from what a session knows, of the product that a person has chosen."""

from __future__ import annotations

from typing import Final

from engine.core.foreign_text import visible
from engine.link.mirror import LinkState
from pinnacle_tui.numbers import Numbers, clock
from pinnacle_tui.session import EngineSession
from pinnacle_tui.widgets.scene import Scene

_NOT_NOW: Final = {LinkState.ENDED: "ENDED", LinkState.DOWN: "LINK DOWN"}


class Scenes:
    """Reads the session anew each time; what it keeps is the chosen product and how numbers are written."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._chosen: str | None = None
        self._numbers: dict[str, Numbers] = {}

    def now(self) -> Scene | None:
        """The scene of this moment; None before there is a view of a product that the engine has told of."""
        session, mirror = self._session, self._session.mirror
        symbol = self.symbol
        book, product = mirror.product_view(symbol), mirror.product(symbol)
        if mirror.view is None or book is None or product is None:
            return None
        numbers = self._numbers.get(symbol)
        if numbers is None or (numbers.reference is None and book.bids):
            # Written with the same decimals from then on, whatever the price does.
            numbers = self._numbers[symbol] = Numbers.of(product, book)
        ending, bye, clock = session.ending, mirror.bye, session.clock
        code = ending.code if ending is not None else bye.exit_code if bye is not None else None
        return Scene(
            mirror,
            mirror.view,
            book,
            product,
            numbers,
            session.link_state,
            clock.monotonic_ns(),
            clock.wall_ns(),
            exit_code=code,
            trouble=ending.sentence if ending is not None else session.trouble,
        )

    @property
    def symbol(self) -> str:
        """The product that is shown: the chosen one, else the first; empty while there is none."""
        symbols = self._symbols
        return self._chosen if self._chosen in symbols else next(iter(symbols), "")

    @property
    def has_several(self) -> bool:
        """True where there is a next product."""
        return len(self._symbols) > 1

    def next_product(self, by: int = 1) -> None:
        """Choose the product so many places further on; after the last comes the first."""
        symbols = self._symbols
        if symbols:
            self._chosen = symbols[(symbols.index(self.symbol) + by) % len(symbols)]

    def choose(self, symbol: str) -> None:
        """Choose a product; one that is not traded leaves it at the first."""
        self._chosen = symbol

    @property
    def _symbols(self) -> list[str]:
        view = self._session.mirror.view
        return [book.symbol for book in view.products] if view is not None else []


def window_title(scene: Scene) -> str:
    """`SIM BTC-USD ACTIVE +12.48`: what a window list shows; a mark in front where somebody should look.

    Of a playback the moment in place of the state: `PAST BTC-USD 09:13:38 +12.48`.
    """
    hello = scene.mirror.hello
    state = _NOT_NOW.get(scene.link, scene.book.state)
    mark = "" if state == "ACTIVE" and not scene.view.alerts else "! "
    mode = hello.mode.upper() if hello is not None else ""
    profit = scene.numbers.money(scene.book.pnl.total).strip()
    if scene.view.playback is not None and scene.link not in _NOT_NOW:
        return visible(f"PAST {scene.book.symbol} {clock(scene.view.market_wall_ns)} {profit}")
    return visible(f"{mark}{mode} {scene.book.symbol} {state} {profit}")
