"""A quoting model on a bench: one instrument, one book, a tape, and terms by their names."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.core.events import OrderFilled, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, Side
from engine.core.price_levels import PriceLevels
from engine.strategies import build_strategy
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.model_settings import ModelSettings
from engine.strategy.protocol import Decision, MarketView, Quote, Strategy, StrategyContext

MS = 1_000_000
SECOND = 1_000_000_000
X = Instrument.create("X-USD", tick="0.01", lot="0.001")
MID = 10_000
"""Quote units; the touch is one dollar away from it, so one basis point is 100 ticks."""
FLAT_MODEL = {"calibrate": False, "min_half_spread_bps": Decimal("0.1")}


class ModelBench:
    """Settings with the prefix `model__` are of section `model`, all others of section `strategy`."""

    def __init__(self, name: str = "glft", *, fee: str = "0", **settings: Any) -> None:
        self.name, self.fee = name, Decimal(fee)
        self.context = self._context(settings)
        self.maker: Strategy = build_strategy(name, self.context)
        self.book = PriceLevels()
        self.now = 0
        self.fills = self.trades = 0
        self.view = MarketView(0, 0, self.book, self.book, 0)
        self.maker.start()
        self.market()

    def _context(self, settings: dict[str, Any]) -> StrategyContext:
        model: dict[str, Any] = dict(FLAT_MODEL)
        model |= {k.removeprefix("model__"): v for k, v in settings.items() if k.startswith("model__")}
        shared = {k: v for k, v in settings.items() if not k.startswith("model__")}
        return StrategyContext(X, BasicSettings(**shared), ModelSettings(**model), self.fee)

    def configure(self, **settings: Any) -> None:
        self.context = self._context(settings)
        self.maker.configure(self.context)

    def reloaded(self) -> ModelBench:
        """Another bench that goes on from what the maker has saved."""
        again = ModelBench.__new__(ModelBench)
        again.__dict__ |= self.__dict__
        again.maker = build_strategy(self.name, self.context)
        again.maker.load(self.maker.save())
        again.book = PriceLevels()
        again.book.apply_snapshot(self.book.bids(), self.book.asks())
        again.view = MarketView(0, 0, again.book, again.book, 0)
        return again

    def market(
        self, bid: str = "9999", ask: str = "10001", bid_size: str = "10", ask_size: str = "10"
    ) -> None:
        """Replace the book, without telling the maker."""
        bids, asks = [(X.ticks(bid), X.lots(bid_size))], [(X.ticks(ask), X.lots(ask_size))]
        self.book.apply_snapshot(bids, asks)

    def look(self, after_ns: int = SECOND) -> None:
        """Time passes and the maker is shown the book."""
        self.now += after_ns
        self.maker.on_book(self.now, self.book)

    def trade(self, price: str, side: Side) -> None:
        self.trades += 1
        self.maker.on_trade(TradePrint("X-USD", self.now, self.now, self.trades, X.ticks(price), 1, side))

    def fill(self, side: Side, price: str = "10000", size: str = "0.01", *, is_maker: bool = True) -> None:
        self.fills += 1
        self.maker.on_fill(
            OrderFilled(
                "X-USD",
                self.now,
                self.now,
                "c",
                f"f{self.fills}",
                side,
                X.ticks(price),
                X.lots(size),
                0,
                is_maker,
            )
        )

    def decide(self, position: str = "0", after_ns: int = SECOND) -> Decision:
        self.look(after_ns)
        view = self.view
        view.now_ns = self.now
        lots = X.lots(position.removeprefix("-"))
        view.position = -lots if position.startswith("-") else lots
        decision = self.maker.decide(view)
        assert decision is not None
        return decision

    def touch(self, position: str = "0", **options: Any) -> tuple[str, str]:
        """Bid and ask of level 0; empty where there is none."""
        decision = self.decide(position, **options)
        return price_of(decision, BUY), price_of(decision, SELL)


def side_of(decision: Decision, side: Side) -> list[Quote]:
    return [quote for quote in decision.quotes if quote.side is side]


def price_of(decision: Decision, side: Side) -> str:
    quotes = side_of(decision, side)
    return X.price_text(quotes[0].price) if quotes else ""


def terms(quote: Quote) -> dict[str, int]:
    return {term.name: term.value for term in quote.explain()}


def inputs(quotes: Sequence[Quote]) -> dict[str, str]:
    return {term.name: term.inputs for term in quotes[0].explain()}
