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
        if order is None or not order.is_live:
            return
        step = core.products[order.product_id].step
        size = EXACT.multiply(order.leaves, part)
        core.trade_against(order_id, min(size.quantize(step, ROUND_UP, EXACT), order.leaves))
