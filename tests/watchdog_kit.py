"""A venue behind the Broker interface whose lists lag and whose answers get lost, in any clock's time."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.core.clock import Clock
from engine.core.order import Side
from engine.exchange.coinbase.broker import BrokerError, CancelAnswer, OrderRef, Outcome
from engine.exchange.coinbase.network import Endpoints
from engine.exchange.coinbase.wire.user import OrderReport
from engine.watchdog.messages import Hello
from engine.watchdog.process import watch_over

TAG = "50544d4d-"
PRODUCT = "BTC-USD"
S = 1_000_000_000
MS = 1_000_000


def ours(number: int) -> str:
    """A client id of this installation."""
    return f"{TAG}0000-4000-8001-{number:012x}"


def stranger(number: int) -> str:
    """A client id of somebody else."""
    return f"11111111-0000-4000-8001-{number:012x}"


class LaggingVenue:
    """Orders rest until they are cancelled. It answers after 40 ms."""

    name = "coinbase"
    can_find_by_client_id = False

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.orders: dict[str, OrderReport] = {}
        self.latency_s = 0.04
        self.list_latencies_s: list[float] = []
        """Of the next lists; what they say is from when they were asked for."""
        self.lag_s = 0.0
        """So long an order is still listed after its end, and not yet listed after its begin."""
        self.fault: str | None = None
        """`refused`: no connection. `swallowed`: no answer for 2 s, nothing is done. `broken`: an error of
        ours. None: all is well."""
        self.lost_cancels = 0
        """So many cancel requests from now on are not answered,"""
        self.are_lost_carried_out = False
        """and are carried out, or not."""
        self.calls: list[tuple[int, str]] = []
        self.cancelled_at: dict[str, int] = {}
        self._began: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._all: dict[str, OrderReport] = {}

    # -- what a test does ------------------------------------------------------------------------

    def rest(self, client_id: str, product: str = PRODUCT) -> str:
        """An order rests from now on; its id at the venue."""
        order_id = f"venue-{len(self._all)}"
        self.orders[order_id] = self._all[order_id] = OrderReport(
            order_id, client_id, product, Side.BUY, "OPEN", "LIMIT", "GTC", True, Decimal(10), None,
            Decimal(0), Decimal(1), Decimal(0), None, Decimal(0), 0, "", "",
        )  # fmt: skip
        self._began[order_id] = self.clock.monotonic_ns()
        return order_id

    def end(self, order_id: str) -> None:
        """It is filled, or ends otherwise."""
        del self.orders[order_id]
        self._ended[order_id] = self.clock.monotonic_ns()

    def open_ids(self) -> set[str]:
        """Client ids of what rests."""
        return {order.client_order_id for order in self.orders.values()}

    # -- Broker ----------------------------------------------------------------------------------

    async def open(self) -> None:
        await self._answer("open")

    async def close(self) -> None:
        self.calls.append((self.clock.monotonic_ns(), "close"))

    async def measure_clock(self) -> int:
        await self._answer("measure_clock")
        return 0

    async def live_orders(self, product: str | None = None) -> list[OrderReport]:
        now, lag = self.clock.monotonic_ns(), int(self.lag_s * 1e9)
        listed = [
            order
            for id_, order in self._all.items()
            if self._began[id_] + lag <= now
            and (id_ not in self._ended or now < self._ended[id_] + lag)
            and product in (None, order.product)
        ]
        await self._answer("list", self.list_latencies_s.pop(0) if self.list_latencies_s else self.latency_s)
        return listed

    async def cancel(self, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
        self.calls.append((self.clock.monotonic_ns(), "cancel"))
        if self.fault == "refused":
            return [CancelAnswer(ref, Outcome.NOT_SENT, "CONNECT") for ref in refs]
        if self.fault == "swallowed":
            await asyncio.sleep(2)
            return [CancelAnswer(ref, Outcome.UNKNOWN, "TIMEOUT") for ref in refs]
        is_lost = self.lost_cancels > 0
        self.lost_cancels -= is_lost
        answers = []
        for ref in refs:
            order = self.orders.get(ref.order_id)
            if is_lost and not self.are_lost_carried_out:
                outcome = Outcome.UNKNOWN
            elif order is None:
                outcome = Outcome.REFUSED
            else:
                self.end(ref.order_id)
                self.cancelled_at[order.client_order_id] = self.clock.monotonic_ns()
                outcome = Outcome.ACCEPTED
            answers.append(CancelAnswer(ref, Outcome.UNKNOWN if is_lost else outcome))
        await asyncio.sleep(2 if is_lost else self.latency_s)
        return answers

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a sweep has no business with Broker.{name}")

    async def _answer(self, call: str, latency_s: float | None = None) -> None:
        self.calls.append((self.clock.monotonic_ns(), call))
        if self.fault == "refused":
            raise BrokerError("CONNECT", "connection refused")
        if self.fault == "swallowed":
            await asyncio.sleep(2)
            raise BrokerError("TIMEOUT", "no answer within 2 s")
        if self.fault == "broken":
            raise ZeroDivisionError("a mistake of ours")
        await asyncio.sleep(self.latency_s if latency_s is None else latency_s)

    def times(self, call: str) -> list[int]:
        """When a call was made."""
        return [at for at, name in self.calls if name == call]


def hello(folder: object, **changes: Any) -> Hello:
    """What an engine in this folder tells its watchdog."""
    given: dict[str, Any] = {
        "api": "coinbase",
        "endpoints": Endpoints("http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1"),
        "key": b"",
        "products": (PRODUCT,),
        "tag": TAG,
        "log": f"{folder}/watchdog.jsonl",
        "data_dir": str(folder),
    }
    return Hello(**(given | changes))


class InProcess:
    """Spawns watchdogs as tasks of this loop, over a venue of the test."""

    def __init__(self, venue: LaggingVenue, clock: Clock) -> None:
        self.venue = venue
        self.clock = clock
        self.make_broker: Any = lambda hello, clock: venue
        self.started: list[InProcessWatchdog] = []
        self.failures = 0
        """So many starts from now on fail."""

    def __call__(self, theirs: socket.socket) -> InProcessWatchdog:
        if self.failures:
            self.failures -= 1
            raise OSError(12, "Cannot allocate memory")
        self.started.append(InProcessWatchdog(theirs, self, 1_000 + len(self.started)))
        return self.started[-1]


class InProcessWatchdog:
    """A watchdog that can be killed, and made deaf."""

    def __init__(self, theirs: socket.socket, place: InProcess, pid: int) -> None:
        self.pid = pid
        self.ended = asyncio.Event()
        self.exit_code: int | None = None
        self._end = socket.socket(fileno=os.dup(theirs.fileno()))
        self._task = asyncio.create_task(self._run(place))

    async def _run(self, place: InProcess) -> None:
        try:
            self.exit_code = await watch_over(self._end, place.make_broker, place.clock)
        finally:
            self.ended.set()

    def kill(self) -> None:
        """As SIGKILL does: the line is cut, nothing is said."""
        self.exit_code = -9
        self._task.cancel()
