"""Orders that nobody answered for: asked for until found, or until five complete answers have none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from engine.core.clock import Clock
from engine.exchange.coinbase.broker import Broker, BrokerError
from engine.exchange.live.history import History
from engine.exchange.live.listing import Listings
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.settle import Settler
from engine.exchange.live.standing import Remote
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import Phase, TrackedOrder

QUERIES: Final = 5
EVERY_S: Final = 2.0
_MARGIN_NS: Final = 60_000_000_000


class Resolver:
    """Five complete questions 2 s apart: the list of live orders, the order itself where it has a name,
    the list of executions, and a user channel that was up all the while (where the venue cannot be asked
    by our own ids). A question that failed proves nothing and is not counted.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        orders: LiveOrders,
        listings: Listings,
        settler: Settler,
        history: History,
        tasks: Tasks,
        user_epoch: Callable[[], int | None],
    ) -> None:
        """`user_epoch` names the present connection of the user channel whose snapshot has come to its end;
        None while there is none."""
        self._broker = broker
        self._clock = clock
        self._orders = orders
        self._listings = listings
        self._settler = settler
        self._history = history
        self._tasks = tasks
        self._user_epoch = user_epoch
        self._is_running = False
        orders.on_doubt = self.wake

    def wake(self) -> None:
        """See to the orders that are in doubt."""
        if not self._is_running:
            self._is_running = True
            self._tasks.spawn("resolve", self._run())

    async def _run(self) -> None:
        try:
            while self._orders.doubted:
                await self._round()
                if not self._orders.doubted:
                    return
                await asyncio.sleep(EVERY_S)
        finally:
            self._is_running = False

    async def _round(self) -> None:
        asked, epoch = self._orders.doubted, self._user_epoch()
        oldest_ns = min(order.touched_ns for order in asked)
        try:
            listing = await self._listings.take()
            for report in listing.orders:
                self._orders.observe(report, listing.began_ns)
            answered = [order for order in asked if await self._settler.ask(order) is not Remote.QUERY_FAILED]
            age_ns = self._clock.monotonic_ns() - oldest_ns
            looked = await self._history.look(self._clock.wall_ns() - age_ns - _MARGIN_NS)
        except BrokerError:
            return
        self._history.import_missing(looked)
        if not self._broker.can_find_by_client_id and (epoch is None or epoch != self._user_epoch()):
            return
        for order in answered:
            self._count(order)

    def _count(self, order: TrackedOrder) -> None:
        if order.phase is not Phase.DOUBTED or not order.is_live:
            return
        order.queries += 1
        if order.queries >= QUERIES:
            what = "knows it no longer" if order.was_accepted else "has never had it"
            self._orders.gone(order, f"the venue {what}, by {QUERIES} complete answers")
