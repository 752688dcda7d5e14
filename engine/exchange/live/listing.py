"""The venue's list of our live orders: asked for once at a time, believed only when complete and new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from engine.core.clock import Clock
from engine.exchange.coinbase.broker import Broker, BrokerError
from engine.exchange.coinbase.wire.user import OrderReport
from engine.exchange.live.tasks import Tasks
from engine.exchange.protocol import ListingPending

FRESH_NS: Final = 400_000_000


class Listing(msgspec.Struct, frozen=True):
    """A complete list: every live order of the product, of whomever on this account."""

    began_ns: int
    ended_ns: int
    orders: tuple[OrderReport, ...]


class Listings:
    """Takes lists and remembers the last one."""

    def __init__(
        self, broker: Broker, product: str, clock: Clock, tasks: Tasks, notify: Callable[[], None]
    ) -> None:
        self._broker = broker
        self._product = product
        self._clock = clock
        self._tasks = tasks
        self._notify = notify
        self._last: Listing | None = None
        self._failure: tuple[int, BrokerError] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def take(self) -> Listing:
        """A list that is begun now. Raises `BrokerError` where it cannot be had complete."""
        began = self._clock.monotonic_ns()
        try:
            orders = await self._broker.live_orders(self._product)
        except BrokerError as error:
            self._failure = (self._clock.monotonic_ns(), error)
            raise
        mine = tuple([order for order in orders if order.product == self._product])
        listing = Listing(began, self._clock.monotonic_ns(), mine)
        if self._last is None or began >= self._last.began_ns:
            self._last = listing
        self._failure = None
        return listing

    def present(self, since_ns: int) -> Listing:
        """A list begun after `since_ns` and no older than 400 ms.

        Raises `ListingPending` while one is on its way, the `BrokerError` of one that just failed.
        """
        now = self._clock.monotonic_ns()
        last = self._last
        if last is not None and last.began_ns > since_ns and now - last.ended_ns <= FRESH_NS:
            return last
        if self._asking is None or self._asking.done():
            failure, self._failure = self._failure, None
            if failure is not None and now - failure[0] <= FRESH_NS:
                raise failure[1]
            self._asking = self._tasks.spawn("listing", self._ask())
        raise ListingPending(f"{self._broker.name} has been asked for our open orders in {self._product}")

    async def _ask(self) -> None:
        try:
            await self.take()
        except BrokerError:
            pass  # remembered: whoever asks next is told
        self._notify()
