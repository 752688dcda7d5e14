"""The venue shows less than we booked: it is asked again after 2 s, and what stays is HALTED."""

from __future__ import annotations

import asyncio
from typing import Final

from engine.exchange.live.halts import Halts
from engine.exchange.live.matrix import Decision, decide
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.settle import Settler
from engine.exchange.live.standing import Remote
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import TrackedOrder

RECHECK_S: Final = 2.0


class Rechecks:
    """One recheck per order at a time."""

    def __init__(self, orders: LiveOrders, settler: Settler, halts: Halts, tasks: Tasks) -> None:
        self._settler = settler
        self._halts = halts
        self._tasks = tasks
        self._under_way: set[TrackedOrder] = set()
        orders.on_less = self.begin

    @property
    def is_under_way(self) -> bool:
        """True while any order is to be asked for again."""
        return bool(self._under_way)

    def begin(self, order: TrackedOrder) -> None:
        """The venue showed less of this order than we booked."""
        if order not in self._under_way:
            self._under_way.add(order)
            self._tasks.spawn("recheck", self._recheck(order))

    async def _recheck(self, order: TrackedOrder) -> None:
        try:
            remote = Remote.QUERY_FAILED
            while remote is Remote.QUERY_FAILED:
                await asyncio.sleep(RECHECK_S)
                remote = await self._settler.ask(order)
            shows_less = order.shown < order.booked.lots
            if decide(order.local, remote, shows_less=shows_less) is Decision.RECHECK:
                self._halts.halt(
                    order.name,
                    f"order {order.name} is {remote.value.replace('_', ' ')} by the venue's word with "
                    f"{order.shown} lots filled, and {order.booked.lots} of its {order.size} lots are filled "
                    "by our record",
                )
        finally:
            self._under_way.discard(order)
