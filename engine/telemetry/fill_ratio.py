"""Fill ratios: how much of what was quoted at each slot was filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from engine.core.events import OrderFilled, SubmitOrder
from engine.core.own_orders import OwnOrder
from engine.telemetry.fill_groups import NO_LEVEL, level_of


@dataclass(slots=True)
class SlotSums:
    """Quotes of one slot since the start; sizes in lots."""

    sent_orders: int = 0
    sent_lots: int = 0
    filled_orders: int = 0
    """Ended ones of which anything was filled."""
    filled_lots: int = 0


class FillRatios:
    """Counts quotes by slot ("B0" is the first bid), the deepest together. Other orders are left out."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: dict[str, SlotSums] = {}

    def on_sent(self, order: SubmitOrder) -> None:
        """An order was handed to the venue."""
        if (sums := self._sums_of(order.slot)) is not None:
            sums.sent_orders += 1
            sums.sent_lots += order.size

    def on_fill(self, fill: OrderFilled, order: OwnOrder | None) -> None:
        """A fill was booked."""
        if order is not None and (sums := self._sums_of(order.slot)) is not None:
            sums.filled_lots += fill.size

    def on_ended(self, order: OwnOrder) -> None:
        """An order cannot trade any more."""
        if order.filled and (sums := self._sums_of(order.slot)) is not None:
            sums.filled_orders += 1

    def slots(self) -> Mapping[str, SlotSums]:
        """By slot."""
        return MappingProxyType(self._slots)

    def save(self) -> dict[str, SlotSums]:
        """All of it, copied."""
        return {slot: replace(sums) for slot, sums in self._slots.items()}

    def load(self, state: Mapping[str, SlotSums]) -> None:
        """Be what was saved."""
        self._slots = {slot: replace(sums) for slot, sums in state.items()}

    def _sums_of(self, slot: str) -> SlotSums | None:
        sums = self._slots.get(slot)
        if sums is None and (level := level_of(slot)) != NO_LEVEL:
            sums = self._slots.setdefault(f"{slot[0]}{level}", SlotSums())
        return sums
