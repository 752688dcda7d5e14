"""A live venue between a real Trader and a scripted venue, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from broker_kit import FakeBroker, Fate, ScriptedVenue, VenueOrder
from trader_bench import X, configured
from virtual_time import LoopClock, run_virtual

from engine.core.events import (
    CancelOrder,
    EdgeStatus,
    OrderEvent,
    Recovered,
    Restraint,
    SubmitOrder,
    Timer,
)
from engine.core.order import Side
from engine.core.own_orders import OwnOrder
from engine.exchange.account import Opening
from engine.exchange.live.reconcile import ReconcileReport
from engine.exchange.live.venue import LiveVenue
from engine.runtime.builder import build_trader
from engine.runtime.own_record import TraderRecord, earned
from engine.trader.trader import Trader

OPENING = Opening(quote=Decimal(100_000), base=Decimal(100))
EDGE_TASKS = {
    "submit",
    "cancel",
    "fills",
    "listing",
    "settle",
    "recheck",
    "resolve",
    "sweep",
    "look again",
    "reconcile",
    "balances",
    "drop copy",
}
Event = OrderEvent | EdgeStatus


@dataclass(frozen=True)
class Wanted:
    slot: str
    side: Side
    price: int
    size: int


class UserFeed:
    """The user channel: tells changes after 5 ms, unless it is down; connecting tells what is open."""

    def __init__(self, venue: ScriptedVenue) -> None:
        self._venue = venue
        self.edge: LiveVenue | None = None
        self.is_up = False
        self.connection = 0
        """What one connection has not delivered no other one does."""
        self.is_mute = False
        """Loses every frame, and nobody notices."""
        venue.on_change = self._changed

    def connect(self) -> None:
        assert self.edge is not None
        self.is_up = True
        self.connection += 1
        for order in self._venue.live():
            self.edge.on_user(order.report())
        self.edge.on_user_ready()

    def lose(self) -> None:
        assert self.edge is not None
        self.is_up = False
        self.edge.on_user_lost()

    def _changed(self, order: VenueOrder) -> None:
        if self.is_up and not self.is_mute:
            report = order.report()
            asyncio.get_running_loop().call_later(0.005, self._tell, report, self.connection)

    def _tell(self, report: Any, connection: int) -> None:
        if self.is_up and connection == self.connection and not self.is_mute and self.edge is not None:
            self.edge.on_user(report)


class EdgeBench:
    """`pump` shows the Trader what has come; `after` lets time pass, the Trader asked every 50 ms."""

    def __init__(self, fate: Fate | None = None, *, can_find: bool = False, **changes: Any) -> None:
        self.clock = LoopClock(asyncio.get_running_loop())
        self.config = configured(**changes)
        self.exchange = ScriptedVenue(X, self.clock)
        self.broker = FakeBroker(self.exchange, fate, can_find=can_find)
        self.user = UserFeed(self.exchange)
        self.events: list[Event] = []
        self.reports: list[ReconcileReport] = []
        self.warnings: list[str] = []
        self.lease = True
        self.opened_ns = 0
        self._slots = 0
        self.trader = self._new_trader()
        self.edge = self._new_edge()

    def _new_trader(self) -> Trader:
        trader = build_trader(self.config, X, 0, displays_own=True, opening=OPENING)
        trader.strategy.start()
        return trader

    def _new_edge(self) -> LiveVenue:
        records: list[TraderRecord] = []
        record = TraderRecord(OPENING, lambda quote: earned(records, quote))
        records.append(record)
        record.attach(self.trader)
        self.user.edge = LiveVenue(
            X,
            self.broker,
            record,
            self.clock,
            self.config.network,
            lambda: None,
            lambda: self.lease,
            opened_ns=self.opened_ns,
            on_report=self.reports.append,
            warn=lambda code, text: self.warnings.append(code),
        )
        return self.user.edge

    async def start(self, *, connect: bool = True) -> None:
        await self.edge.start()
        if connect:
            self.user.connect()
        await self.after(0.5)

    async def stop(self) -> None:
        self.user.is_up = False
        await self.edge.stop()

    async def crash(self) -> None:
        """The process dies: what was not polled is lost, the Trader is what its record says."""
        self.user.is_up = False
        while ours := [task for task in asyncio.all_tasks() if task.get_name() in EDGE_TASKS]:
            for task in ours:
                task.cancel()
            await asyncio.gather(*ours, return_exceptions=True)
        state = self.trader.save()
        self.trader = self._new_trader()
        self.trader.load(state)
        self.edge = self._new_edge()
        self.trader.on_event(Recovered(X.symbol, self.clock.monotonic_ns(), self.clock.wall_ns(), "a crash"))

    # -- trading ---------------------------------------------------------------------------------

    def intend(
        self, side: Side = Side.BUY, price: str = "100", size: str = "1", slot: str = ""
    ) -> SubmitOrder:
        """An order on record, not sent."""
        orders = self.trader.orders
        self._slots += 1
        taken = slot or f"S{self._slots}"
        quote = Wanted(taken, side, X.ticks(price), X.lots(size))
        intent = orders.intent(quote, self.clock.monotonic_ns())
        # Not a quote: the Trader would cancel one that its strategy does not want.
        return orders.submit(msgspec.structs.replace(intent, purpose="test"))

    def send(self, side: Side = Side.BUY, price: str = "100", size: str = "1", slot: str = "") -> SubmitOrder:
        order = self.intend(side, price, size, slot)
        self.edge.submit(order)
        return order

    async def rest(self, side: Side = Side.BUY, price: str = "100", size: str = "1") -> VenueOrder:
        """An order that both sides know to be open."""
        order = self.send(side, price, size)
        await self.after(0.1)
        return self.at_venue(order.client_id)

    def ask_cancel(self, client_id: str) -> None:
        order = self.own(client_id)
        self.edge.cancel(self.trader.orders.cancel(order, self.clock.monotonic_ns(), "said the test"))

    def own(self, client_id: str) -> OwnOrder:
        order = self.trader.orders.order(client_id)
        assert order is not None
        return order

    def at_venue(self, client_id: str) -> VenueOrder:
        (order,) = self.exchange.by_client[client_id]
        return order

    def pump(self) -> None:
        for event in self.edge.poll(self.clock.monotonic_ns()):
            self.events.append(event)
            self._carry_out(self.trader.on_event(event))

    def _carry_out(self, commands: Any) -> None:
        for command in commands:
            if isinstance(command, CancelOrder):
                self.edge.cancel(command)
            else:
                self.edge.submit(command)

    async def after(self, seconds: float, step_s: float = 0.05) -> None:
        until = self.clock.monotonic_ns() + round(seconds * 1e9)
        while (left := until - self.clock.monotonic_ns()) > 0:
            await asyncio.sleep(min(left / 1e9, step_s))
            self.pump()
            now, wall = self.clock.monotonic_ns(), self.clock.wall_ns()
            self._carry_out(self.trader.on_event(Timer(X.symbol, now, wall)))

    # -- what came of it -------------------------------------------------------------------------

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def holds(self, code: str) -> list[Restraint]:
        return [event.restraint for event in self.of(EdgeStatus) if event.code == code]

    def check_accounts(self) -> None:
        """Every execution is booked once, and the profit identity is exact."""
        ledger = self.trader.ledger
        executed = self.exchange.executed
        assert ledger.position == sum(fill.side * X.lots(fill.size) for fill in executed)
        assert ledger.residual == 0
        cash = -sum(fill.side * fill.price * fill.size + fill.fee for fill in executed)
        assert Decimal(ledger.cash).scaleb(-X.money_places) - ledger.save().dust == cash

    def check_open_sets(self) -> None:
        at_venue = {order.client_id for order in self.exchange.live()}
        assert at_venue == {order.client_id for order in self.trader.orders.open_orders()}
        assert all(len(orders) == 1 for orders in self.exchange.by_client.values()), "an order lives twice"


def on_bench(work: Callable[[EdgeBench], Coroutine[Any, Any, None]], **given: Any) -> None:
    """Run a test against a fresh bench that is started, connected, and stopped at the end."""

    async def run() -> None:
        bench = EdgeBench(**given)
        await bench.start()
        await work(bench)
        await bench.stop()

    run_virtual(run())
