"""What a live venue has to tell the engine: stamped when it came, kept until it is polled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from engine.core.clock import Clock
from engine.core.events import (
    CancelRejected,
    EdgeStatus,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
    Restraint,
)
from engine.core.order import Side

NewsItem = OrderEvent | EdgeStatus


class Outbox:
    """A queue without bound: an acknowledgement or a fill is never dropped."""

    def __init__(self, product: str, clock: Clock, notify: Callable[[], None]) -> None:
        self._product = product
        self._clock = clock
        self._notify = notify
        self._waiting: deque[NewsItem] = deque()

    def next_due_ns(self) -> int | None:
        """When the oldest waiting event came; None when none waits."""
        return self._waiting[0].recv_ns if self._waiting else None

    def poll(self, now_ns: int) -> list[NewsItem]:
        """Take out what came up to `now_ns`, in order."""
        waiting, due = self._waiting, []
        while waiting and waiting[0].recv_ns <= now_ns:
            due.append(waiting.popleft())
        return due

    def accepted(self, client_id: str, venue_id: str) -> None:
        """The venue has it."""
        self._put(OrderAccepted(*self._stamp(), client_id, venue_id))

    def uncertain(self, client_id: str, reason: str) -> None:
        """Only the venue knows."""
        self._put(OrderUncertain(*self._stamp(), client_id, reason))

    def rejected(self, client_id: str, code: str, reason: str) -> None:
        """It does not exist and never will."""
        self._put(OrderRejected(*self._stamp(), client_id, code, reason))

    def cancel_rejected(self, client_id: str, code: str, reason: str) -> None:
        """The venue refused a cancel."""
        self._put(CancelRejected(*self._stamp(), client_id, code, reason))

    def cancelled(self, client_id: str, remaining: int, reason: str) -> None:
        """It is gone, with `remaining` lots not filled."""
        self._put(OrderCancelled(*self._stamp(), client_id, remaining, reason))

    def expired(self, client_id: str, remaining: int, reason: str) -> None:
        """It ended by its own terms."""
        self._put(OrderExpired(*self._stamp(), client_id, remaining, reason))

    def filled(
        self,
        client_id: str,
        fill_id: str,
        side: Side,
        price: int,
        size: int,
        fee: tuple[int, Decimal],
        *,
        is_maker: bool,
        exchange_ns: int = 0,
    ) -> int:
        """One execution; `fee` in quote atoms, with what rounding it left out. When it was told."""
        atoms, dust = fee
        stamp = self._stamp()
        self._put(
            OrderFilled(
                *stamp,
                client_id,
                fill_id,
                side,
                price,
                size,
                atoms,
                is_maker,
                exchange_ns=exchange_ns,
                fee_dust=dust or None,
            )
        )
        return stamp[1]

    def restrain(self, code: str, restraint: Restraint, reason: str, release: str = "") -> None:
        """Ask trading to be kept back, or no longer."""
        self._put(EdgeStatus(*self._stamp(), code, restraint, reason, release))

    def _stamp(self) -> tuple[str, int, int]:
        return self._product, self._clock.monotonic_ns(), self._clock.wall_ns()

    def _put(self, event: NewsItem) -> None:
        self._waiting.append(event)
        self._notify()
