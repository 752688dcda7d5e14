"""A basic market maker on a bench: one instrument, one book, one view, and prices as people read them."""

from __future__ import annotations

from typing import Any

from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.strategy.basic import BasicMarketMaker
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.protocol import Decision, MarketView

MS = 1_000_000
SECOND = 1_000_000_000

Side_ = list[tuple[str, str]]
BALANCED: tuple[Side_, Side_] = ([("9999", "10")], [("10001", "10")])
"""The book of the table in the strategy sheet: mid 10000, imbalance 0."""
BID_HEAVY: tuple[Side_, Side_] = ([("9999", "15")], [("10001", "5")])
"""The same touch with an imbalance of 0.5."""


class MakerBench:
    """Sizes and prices go in and come out as decimal text; time moves one second per decision."""

    def __init__(self, *, tick: str = "0.01", lot: str = "0.001", min_notional: str = "0", **settings: Any):
        self.instrument = Instrument.create("X-USD", tick=tick, lot=lot, min_notional=min_notional)
        self.settings = BasicSettings(**settings)
        self.maker = BasicMarketMaker(self.instrument, self.settings)
        self.book = PriceLevels()
        self.now_ns = 0
        self.view = MarketView(0, 0, self.book, self.book, 0)
        self.maker.start()
        self.market(BALANCED)

    def market(self, book: tuple[Side_, Side_]) -> None:
        """Replace the book, without telling the maker."""
        bids, asks = (
            [(self.instrument.ticks(price), self.instrument.lots(size)) for price, size in side]
            for side in book
        )
        self.book.apply_snapshot(bids, asks)

    def ask(self, position: str = "0", after_ns: int = SECOND) -> Decision | None:
        """Ask for a decision `after_ns` after the last time."""
        self.now_ns += after_ns
        view = self.view
        view.now_ns = self.now_ns
        size = self.instrument.lots(position.removeprefix("-"))
        view.position = -size if position.startswith("-") else size
        return self.maker.decide(view)

    def decide(self, position: str = "0", after_ns: int = SECOND) -> Decision:
        """The same where a decision is due."""
        decision = self.ask(position, after_ns)
        assert decision is not None
        return decision

    def stress(self) -> None:
        """Let the mid jump one percent and back within two seconds: 10.9 % per √minute and less."""
        mid = 10_000
        for step in (0, 100, 0):
            self.market(([(str(mid + step - 1), "10")], [(str(mid + step + 1), "10")]))
            self.maker.on_book(self.now_ns, self.book)
            self.now_ns += SECOND

    def prices(self, decision: Decision, side: Side) -> list[str]:
        """The prices of one side, best first."""
        return [self.instrument.price_text(q.price) for q in decision.quotes if q.side is side]

    def sizes(self, decision: Decision, side: Side) -> list[str]:
        """The sizes of one side, best first."""
        return [self.instrument.size_text(q.size) for q in decision.quotes if q.side is side]

    def touch(self, decision: Decision) -> tuple[str, str]:
        """Bid and ask of level 0."""
        return self.prices(decision, Side.BUY)[0], self.prices(decision, Side.SELL)[0]
