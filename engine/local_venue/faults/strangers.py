"""Strangers at a venue's market, who act when a fault wants it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_UP, Decimal

from engine.local_venue.core import VenueCore
from engine.local_venue.money import EXACT
from engine.local_venue.orders import VenueOrder


class CoreStrangers:
    """See `Strangers`; `core` is asked for when they act."""

    def __init__(self, core: Callable[[], VenueCore]) -> None:
        self._core = core

    def trade_part(self, order_id: str, part: Decimal) -> None:
        """See `Strangers`. An order that does not rest is left alone: it has ended by itself."""
        order = self._named(order_id)
        if order is None or not order.is_live or order.price is None:
            return
        core, left = self._core(), order.leaves
        size = self._part(order, left, part)
        core.trade_against(order.order_id, min(size, left))
        if size > left:
            core.overfill(order.order_id, EXACT.subtract(size, left))

    def fill_late(self, order_id: str, part: Decimal) -> None:
        """See `Strangers`. Nothing for an order that has not ended, or has nothing left."""
        order = self._named(order_id)
        if order is None or order.is_live or order.price is None:
            return
        left = EXACT.subtract(order.size, order.filled)
        if left > 0:
            self._core().overfill(order.order_id, self._part(order, left, part))

    def _named(self, name: str) -> VenueOrder | None:
        core = self._core()
        if name.startswith("client:"):
            return core.order_by_client_id(name.removeprefix("client:"))
        return core.order(name)

    def _part(self, order: VenueOrder, left: Decimal, part: Decimal) -> Decimal:
        step = self._core().products[order.product_id].step
        return EXACT.multiply(left, part).quantize(step, ROUND_UP, EXACT)
