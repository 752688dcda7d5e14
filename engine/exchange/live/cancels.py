"""Cancels: collected within one tick of the loop, sent in batches, never behind an order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from engine.exchange.coinbase.broker import Broker, CancelAnswer, OrderRef, Outcome
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import TrackedOrder

BATCH: Final = 100
"""The most that one call takes."""


class Cancels:
    """Sends cancels of tracked orders; `on_answer` is told what became of each.

    One that is asked for while the same order's last cancel is unanswered is that cancel.
    """

    def __init__(
        self,
        broker: Broker,
        product: str,
        tasks: Tasks,
        on_leave: Callable[[], None],
        on_answer: Callable[[TrackedOrder, CancelAnswer], None],
    ) -> None:
        self._broker = broker
        self._product = product
        self._tasks = tasks
        self._on_leave = on_leave
        self._on_answer = on_answer
        self._waiting: dict[TrackedOrder, None] = {}
        self._in_flight: set[TrackedOrder] = set()

    def can_name(self, order: TrackedOrder) -> bool:
        """True where the venue can be told which order is meant."""
        return bool(order.venue_id) or (self._broker.can_find_by_client_id and bool(order.client_id))

    def ask(self, order: TrackedOrder) -> None:
        """Cancel an order that `can_name`, with whatever else is asked for in this tick."""
        if order in self._in_flight or order in self._waiting:
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting[order] = None
        self._on_leave()  # a list that is begun before it has left does not count either

    def _flush(self) -> None:
        orders = list(self._waiting)
        self._waiting.clear()
        for begin in range(0, len(orders), BATCH):
            batch = orders[begin : begin + BATCH]
            self._in_flight.update(batch)
            self._tasks.spawn("cancel", self._send(batch))

    async def _send(self, batch: list[TrackedOrder]) -> None:
        refs = [order.ref(self._product) for order in batch]
        for order in batch:
            order.cancel_sent = True
        self._on_leave()
        try:
            answers = {_key(answer.ref): answer for answer in await self._broker.cancel(refs)}
        finally:
            self._in_flight.difference_update(batch)
        for order, ref in zip(batch, refs, strict=True):
            self._on_answer(order, answers.get(_key(ref)) or CancelAnswer(ref, Outcome.UNKNOWN))


def _key(ref: OrderRef) -> str:
    return ref.order_id or ref.client_id
