"""What a strategy sees, what it answers, and the protocol between it and the Trader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from engine.core.depth import DepthReader
from engine.core.events import OrderFilled, Term, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.model_settings import ModelSettings


@dataclass(slots=True)
class MarketView:
    """What the Trader shows its strategy at each decision. One object, refilled; keep no reference.

    `market` is the book without our own orders; `touch` is the book as displayed, which post-only
    prices must respect. `position` is in lots, signed.
    """

    now_ns: int
    wall_ns: int
    market: DepthReader
    touch: DepthReader
    position: int


class Quote(msgspec.Struct, frozen=True):
    """One passive order wanted at the venue. `slot` ("B0", "A2") names its place: side and level.

    `explain` gives the additive terms of the price, in model units, when somebody asks: their sum is
    `price * 2 * instrument.half_tick_units`, exactly. `explain_size` does the same for the size in lots.
    """

    slot: str
    side: Side
    level: int
    price: int
    size: int
    explain: Callable[[], tuple[Term, ...]]
    explain_size: Callable[[], tuple[Term, ...]]


class Take(msgspec.Struct, frozen=True, gc=False):
    """A marketable limit order (IOC) wanted now; `purpose` is `hedge`, towards the target position."""

    side: Side
    price: int
    size: int
    purpose: str
    reason: str


class Decision(msgspec.Struct, frozen=True):
    """A strategy's answer: the quotes it wants to have working, at most one taking order, and why.

    `reason` says in words why there is no quote, or none on a side; empty when nothing is left out.
    `is_failure` is True when the strategy itself has failed: it is not asked again before a person resumes.
    """

    quotes: tuple[Quote, ...] = ()
    take: Take | None = None
    reason: str = ""
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class StrategyContext:
    """What a strategy is made with. A plugin finds its own settings in `parameters`."""

    instrument: Instrument
    settings: BasicSettings
    """Section `strategy`."""
    model: ModelSettings = field(default_factory=ModelSettings)
    """Section `model`."""
    maker_fee_bps: Decimal = Decimal(0)
    """What the venue takes of a resting order that is filled."""
    parameters: Any = None
    """The plugin's own settings, an instance of what it declares; None for the built-in models."""


class Strategy(Protocol):
    """A quoting model. Deterministic: its answers follow from the events it was shown."""

    name: str
    instrument: Instrument

    def start(self) -> bool:
        """Begin; False if already running."""
        ...

    def stop(self) -> bool:
        """End; False if not running. A stopped strategy wants no quotes."""
        ...

    def on_book(self, now_ns: int, market: DepthReader) -> None:
        """The book changed (own orders excluded): update signals. Called once per batch, before `decide`.

        When the feed is lost, an empty book is shown: what comes next need not follow from what was seen.
        """
        ...

    def on_trade(self, trade: TradePrint) -> None:
        """A print on the tape."""
        ...

    def on_fill(self, fill: OrderFilled) -> None:
        """One of our orders was filled; told once for each fill, before the next `decide`."""
        ...

    def configure(self, context: StrategyContext) -> None:
        """Other settings from the next decision on; what was learnt of the market stays.

        Raises `UsageError`, with nothing changed, for settings that are invalid or that the instrument
        cannot express.
        """
        ...

    def decide(self, view: MarketView) -> Decision | None:
        """What should be working now; None means: as before (the update interval has not passed)."""
        ...

    def save(self) -> bytes:
        """Everything that future decisions depend on besides the settings, encoded; equal for equal."""
        ...

    def load(self, state: bytes) -> None:
        """Go on from what a strategy of the same settings has saved."""
        ...
