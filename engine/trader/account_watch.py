"""The accounts of one Trader: whether they add up, and what must be closed because of them."""

from __future__ import annotations

from engine.core.errors import IntegrityError
from engine.core.events import Timer
from engine.core.instrument import Instrument
from engine.core.ledger import DAY_NS, Ledger
from engine.core.order import BUY, SELL
from engine.risk.loss_guard import LossGuard
from engine.risk.state import RiskState
from engine.trader.order_entry import OrderEntry


class AccountWatch:
    """Shows the accounts to the loss guard. What it answers follows from the state of its parts alone."""

    def __init__(
        self, instrument: Instrument, ledger: Ledger, risk: RiskState, guard: LossGuard, entry: OrderEntry
    ) -> None:
        self._instrument = instrument
        self._ledger = ledger
        self._risk = risk
        self._guard = guard
        self._entry = entry
        self._judged: tuple[object, ...] = ()
        """What the accounts were judged by last; the judgement follows from it."""
        self._closing = ""

    def is_tradable(self, position: int) -> bool:
        """False for a remainder too small for any order: there is nothing that could close it."""
        instrument, mark = self._instrument, self._ledger.mark_half_ticks
        size = abs(position)
        if size < max(1, instrument.min_size) or mark is None or not instrument.min_notional:
            return size >= max(1, instrument.min_size)
        price = self._entry.closing_price(SELL if position > 0 else BUY, mark)
        return instrument.notional(price, size) >= instrument.min_notional

    def forget(self) -> None:
        """Something that the judgement depends on has changed unseen: judge anew."""
        self._judged = ()

    def closing(self, event: Timer) -> str:
        """What must be closed. The accounts are judged anew only where something they depend on changed."""
        ledger, risk = self._ledger, self._risk
        judged = (
            ledger.mark_half_ticks,
            ledger.fill_count,
            event.wall_ns // DAY_NS,
            risk.version,
            self._guard.limits,
        )
        if judged != self._judged:
            self._closing = self._judge(event)
            self.check()
            self._judged = (*judged[:3], risk.version, judged[4])
        return self._closing

    def check(self) -> None:
        """Raises `IntegrityError` where the two ways of counting the profit differ."""
        if self._ledger.residual:
            raise IntegrityError(
                f"the accounts are off by {self._instrument.money_text(self._ledger.residual)} "
                f"{self._instrument.quote}; quoting stops. Compare position and balances with the venue "
                "before starting again"
            )

    def _judge(self, event: Timer) -> str:
        """Judge the accounts; what must be closed."""
        ledger = self._ledger
        return self._guard.check(
            equity=ledger.equity,
            last_equity=ledger.last_equity,
            position=ledger.position if self.is_tradable(ledger.position) else 0,
            open_cost=ledger.open_cost,
            unrealised=ledger.unrealised,
            day_volume=ledger.day_volume(event.wall_ns),
            day=event.wall_ns // DAY_NS,
            now_ns=event.recv_ns,
        )
