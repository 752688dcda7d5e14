"""The last gate, and the way of an order to the venue behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from engine.core.clock import Clock
from engine.core.events import Restraint, SubmitOrder
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, NewOrder, Outcome, SubmitAnswer
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.outcomes import RATE_LIMIT
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import Phase, TrackedOrder

MOST_IN_FLIGHT: Final = 16
"""Submits that wait for an answer at once; further ones wait their turn."""
_OUR_OWN: Final = frozenset({"BARRED", "OVERSLEPT", "RATE_BUDGET", "UNSUPPORTED"})
"""Codes of what was kept back here, which says nothing of the venue."""
_LIMIT_S: Final = 1.0
"""How long nothing is sent after a 429 that does not say how long."""


class Sending:
    """Sends orders. `forbidden` is the gate: why none may leave now, asked again directly before the send."""

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        clock: Clock,
        outbox: Outbox,
        orders: LiveOrders,
        calls: Tasks,
        forbidden: Callable[[], str],
        on_leave: Callable[[], None],
        on_limit_over: Callable[[], None],
        on_unreachable: Callable[[str], None],
    ) -> None:
        """`on_unreachable` is told why an order could not even be handed to the network."""
        self._on_unreachable = on_unreachable
        self.in_flight = 0
        """Submits that have been begun and are not answered."""
        self.last_price = Decimal(0)
        """Of the last order, in quote units."""
        self._instrument = instrument
        self._broker = broker
        self._clock = clock
        self._outbox = outbox
        self._orders = orders
        self._calls = calls
        self._forbidden = forbidden
        self._on_leave = on_leave
        self._on_limit_over = on_limit_over
        self._waiting: deque[tuple[TrackedOrder, SubmitOrder]] = deque()
        self._limited_until_ns = 0
        self._limit: asyncio.TimerHandle | None = None

    def submit(self, command: SubmitOrder) -> None:
        """Send an order, at once or as soon as another submit is answered."""
        order = self._orders.submitting(command)
        if reason := self._barred():
            self._orders.not_sent(order, reason)
            return
        self._waiting.append((order, command))
        self._send_waiting()

    def drop(self, reason: str) -> None:
        """What waits for its turn is not sent."""
        while self._waiting:
            self._orders.not_sent(self._waiting.popleft()[0], reason)

    def stop(self) -> None:
        """End the timer."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _barred(self) -> str:
        if self._clock.monotonic_ns() < self._limited_until_ns:
            return "the venue's rate limit is used up"
        return self._forbidden()

    def _send_waiting(self) -> None:
        while self._waiting and self.in_flight < MOST_IN_FLIGHT:
            self.in_flight += 1
            self._calls.spawn("submit", self._send(*self._waiting.popleft()))

    async def _send(self, order: TrackedOrder, command: SubmitOrder) -> None:
        answer = SubmitAnswer(Outcome.UNKNOWN, reason="the submit was broken off")
        try:
            if reason := self._barred():
                self._orders.not_sent(order, reason)
            if order.phase is not Phase.QUEUED:
                return  # cancelled, or barred, before a byte of it left
            order.phase = Phase.SENT
            self._on_leave()
            answer = await self._broker.submit(self._new_order(command), self._barred)
        finally:
            self.in_flight -= 1
            if not order.is_told or order.phase is Phase.SENT:
                self._orders.answered(order, answer)
            self._send_waiting()
        if answer.outcome is Outcome.LIMITED:
            self._limited(answer)
        elif answer.outcome is Outcome.NOT_SENT and answer.code not in _OUR_OWN:
            self._on_unreachable(answer.reason)

    def _new_order(self, command: SubmitOrder) -> NewOrder:
        instrument = self._instrument
        price = None if command.price is None else Decimal(instrument.price_text(command.price))
        self.last_price = price or self.last_price
        return NewOrder(
            command.client_id,
            instrument.symbol,
            command.side,
            Decimal(instrument.size_text(command.size)),
            price,
            command.time_in_force,
            command.post_only,
        )

    def _limited(self, answer: SubmitAnswer) -> None:
        wait_s = _LIMIT_S if answer.retry_after_s is None else answer.retry_after_s
        self._limited_until_ns = self._clock.monotonic_ns() + int(wait_s * 1e9)
        self.stop()
        self._limit = asyncio.get_running_loop().call_later(wait_s, self._unlimited)
        self._outbox.restrain(
            RATE_LIMIT,
            Restraint.PAUSED,
            f"the venue's rate limit is used up: nothing is sent for {wait_s:g} s",
            f"{wait_s:g} s have passed",
        )

    def _unlimited(self) -> None:
        self._limit = None
        self._outbox.restrain(RATE_LIMIT, Restraint.NONE, "the venue's rate limit has been waited for")
        self._on_limit_over()
