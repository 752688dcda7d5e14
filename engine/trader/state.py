"""What is saved of a Trader: its whole trading state, and the reasons that people are told."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.core.events import FeedState
from engine.core.ledger import LedgerState
from engine.core.order_manager import OrderManagerState
from engine.core.own_orders import Reasons
from engine.core.price_levels import PriceLevelsState
from engine.risk.denials import Denial
from engine.risk.gate import RiskGateState
from engine.risk.loss_guard import LossGuardState
from engine.risk.market_guards import MarketGuardsState
from engine.risk.state import RiskStateSaved, TradingState
from engine.trader.operator_commands import OperatorState
from engine.trader.order_entry import OrderEntryState

STATE_VERSION: Final = 2
"""Of `TraderState`: another one cannot be gone on with."""


class Explanations(msgspec.Struct, frozen=True):
    """Why prices and sizes are as they are: for people, and no part of the digest."""

    orders: dict[str, Reasons] = {}
    """By client id."""
    wanted: dict[str, Reasons] = {}
    """By slot."""
    decision: str = ""
    """Of the last decision."""
    denied: dict[str, tuple[Denial, ...]] = {}
    """By slot, why a wanted quote was not sent."""


class TraderState(msgspec.Struct, frozen=True):
    """Everything that a Trader's future depends on, besides its instrument and the settings it began with."""

    version: int
    product: str
    event_count: int
    command_count: int
    crossed_count: int
    feed_state: FeedState
    settled: TradingState
    told_ns: dict[str, int]
    operator: OperatorState
    book: PriceLevelsState
    orders: OrderManagerState
    ledger: LedgerState
    risk: RiskStateSaved
    guard: LossGuardState
    gate: RiskGateState
    guards: MarketGuardsState
    entry: OrderEntryState
    strategy: bytes
    explanations: Explanations = Explanations()
