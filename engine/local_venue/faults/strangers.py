"""Strangers at a venue's market, who act when a fault wants it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_UP, Decimal

from engine.local_venue.core import VenueCore
from engine.local_venue.money import EXACT


class CoreStrangers:
    """See `Strangers`; `core` is asked for when they act."""

    def __init__(self, core: Callable[[], VenueCore]) -> None:
        self._core = core

    def trade_part(self, order_id: str, part: Decimal) -> None:
        """See `Strangers`. An order that does not rest is left alone: it has ended by itself."""
        core = self._core()
        order = core.order(order_id)
        if order is None or not order.is_live or order.price is None:
            return
        step, left = core.products[order.product_id].step, order.leaves
        size = EXACT.multiply(left, part).quantize(step, ROUND_UP, EXACT)
        core.trade_against(order_id, min(size, left))
        if size > left:
            core.overfill(order_id, EXACT.subtract(size, left))
