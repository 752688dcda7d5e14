"""The reconciliation matrix: every cell through the edge, each twice; the second run changes nothing."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from broker_kit import Fate, VenueOrder
from edge_bench import EdgeBench, on_bench
from trader_bench import X
from virtual_time import run_virtual

from engine.core.client_ids import ClientIds
from engine.core.events import CancelRejected, EdgeStatus, OrderFilled, Restraint
from engine.core.order import OrderState, Side
from engine.exchange.coinbase.broker import Outcome, SubmitAnswer
from engine.exchange.live.matrix import Decision, Local, decide
from engine.exchange.live.sending import MOST_IN_FLIGHT
from engine.exchange.live.standing import Remote

D = Decimal

# As the requirements have it: one line a row, one letter a column.
TABLE = """
absent       X X X I I - W
queued       H H H H H - -
uncertain    A A A F E N W
open         A A A F E Q W
part_filled  R R A F E Q W
cancel_sent  C C C F E Q W
filled       R R R - R - -
ended        C C C F E - -
"""
WORDS = ["pending", "open", "part_filled", "filled", "ended", "not_found", "query_failed"]
COLUMNS = [Remote(word) for word in WORDS]
CELLS = [
    (Local(line.split()[0]), remote, letter)
    for line in TABLE.strip().splitlines()
    for remote, letter in zip(COLUMNS, line.split()[1:], strict=True)
]
PARTS = {Remote.PART_FILLED: D("0.4"), Remote.FILLED: D(1)}
STATUS = {Remote.PENDING: "PENDING", Remote.ENDED: "CANCELLED", Remote.FILLED: "FILLED"}
TOLD = {
    (Local.QUEUED, Remote.ENDED),
    (Local.UNCERTAIN, Remote.ENDED),
    (Local.FILLED, Remote.ENDED),
}
"""Ends without a new fill are in no list: only the user channel can tell."""
LIVE = (Remote.PENDING, Remote.OPEN, Remote.PART_FILLED)


def test_the_table_has_56_cells() -> None:
    assert len(CELLS) == 56


@pytest.mark.parametrize(("local", "remote", "letter"), CELLS)
def test_the_decision_is_that_of_the_table(local: Local, remote: Remote, letter: str) -> None:
    assert decide(local, remote) == letter
    answered = remote not in (Remote.NOT_FOUND, Remote.QUERY_FAILED)
    assert decide(local, remote, shows_less=True) == ("R" if answered and letter != "H" else letter)
    stranger = decide(local, remote, is_ours=False)
    assert stranger is Decision.EXTERNAL if letter in "XI" else stranger == letter


def words(bench: EdgeBench) -> list[object]:
    """What was said of orders. A halt repeats its cancels, and the venue its refusals."""
    return [event for event in bench.events if not isinstance(event, EdgeStatus | CancelRejected)]


class Gate(Fate):
    """Holds submits back until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.is_shut = False

    async def there(self, call: str) -> None:
        if call == "submit" and self.is_shut:
            await self.open.wait()
        await super().there(call)


class Cell:
    """One order, brought into its row and its column."""

    def __init__(self, bench: EdgeBench, gate: Gate) -> None:
        self.bench = bench
        self.gate = gate
        self.client_id = ""
        self.order: VenueOrder | None = None

    async def row(self, local: Local) -> None:
        bench = self.bench
        if local is Local.ABSENT:
            self.client_id = ClientIds(99).next()
        elif local is Local.QUEUED:
            self.gate.is_shut = True
            for n in range(MOST_IN_FLIGHT):
                bench.send(price=str(10 + n))
            await bench.after(0.01)
            self.client_id = bench.send().client_id
        elif local is Local.UNCERTAIN:
            bench.broker.answers = [SubmitAnswer(Outcome.UNKNOWN, reason="time-out")]
            self.client_id = bench.send().client_id
            await bench.after(0.05)
        else:
            self.order = await bench.rest()
            self.client_id = self.order.client_id
            if local is Local.PART_FILLED:
                bench.exchange.fill(self.order, D("0.4"))
            elif local is Local.FILLED:
                bench.exchange.fill(self.order, D(1))
            elif local is Local.CANCEL_SENT:
                self.order.can_cancel = False
                bench.ask_cancel(self.client_id)
            elif local is Local.ENDED:
                bench.exchange.end(self.order)
            await bench.after(0.05)

    def column(self, local: Local, remote: Remote) -> None:
        """What the venue has from now on; nobody tells."""
        bench, exchange = self.bench, self.bench.exchange
        bench.user.is_mute = True
        if remote is Remote.QUERY_FAILED:
            bench.broker.failing = {"live_orders", "order", "fills"}
            return
        if remote is Remote.NOT_FOUND:
            if self.order is not None:
                del exchange.orders[self.order.order_id]
            return
        order = self.order or exchange.place(self.client_id, Side.BUY, D(100), D(1))
        self.order = order
        order.can_cancel = True
        booked = order.filled if local is Local.PART_FILLED else D(0)
        wanted = PARTS.get(remote, D(0))
        if local is Local.PART_FILLED and remote is Remote.ENDED:
            wanted = booked
        if wanted < order.filled:
            exchange.executed[:] = [fill for fill in exchange.executed if fill.order_id != order.order_id]
            order.fills.clear()
        if wanted > order.filled:
            exchange.fill(order, wanted - order.filled)
        order.status = STATUS.get(remote, "OPEN")

    async def run(self, local: Local, remote: Remote) -> None:
        self.bench.edge.on_user_lost()
        if self.order is not None and (local, remote) in TOLD:
            self.bench.edge.on_user(self.order.report())
        self.bench.edge.on_user_ready()
        await self.bench.after(12)


@pytest.mark.parametrize(("local", "remote", "letter"), CELLS)
def test_a_cell_through_the_edge(local: Local, remote: Remote, letter: str) -> None:
    async def work(bench: EdgeBench) -> None:
        gate = bench.broker.fate
        assert isinstance(gate, Gate)
        cell = Cell(bench, gate)
        await cell.row(local)
        cell.column(local, remote)
        begin = len(bench.reports)
        await cell.run(local, remote)
        said = {
            judged.decision
            for report in bench.reports[begin : begin + 1]
            for judged in report.judged
            if judged.order == cell.client_id
        }
        assert said <= {Decision(letter)}, said
        is_asked_for = local not in (Local.FILLED, Local.ENDED, Local.ABSENT, Local.QUEUED)
        if remote in LIVE or (is_asked_for and (local, remote) not in TOLD):
            assert said == {Decision(letter)}
        check(bench, cell, local, letter)
        seen = words(bench)
        latched = bench.holds("RECONCILE").count(Restraint.LATCHED)
        at_venue = [(order.order_id, order.status) for order in bench.exchange.orders.values()]
        await cell.run(local, remote)
        assert words(bench) == seen
        assert bench.holds("RECONCILE").count(Restraint.LATCHED) == latched
        assert [(order.order_id, order.status) for order in bench.exchange.orders.values()] == at_venue
        gate.open.set()
        bench.broker.failing = set()
        await bench.after(0.2)

    def check(bench: EdgeBench, cell: Cell, local: Local, letter: str) -> None:
        own = bench.trader.orders.order(cell.client_id)
        state = None if own is None else own.state
        is_latched = Restraint.LATCHED in bench.holds("RECONCILE")
        assert is_latched == (letter in "RH")
        if letter == "A":
            assert state in (OrderState.NEW, OrderState.PARTIALLY_FILLED)
            bench.check_open_sets()
        elif letter == "F":
            assert state is (OrderState.CANCELLED if local is Local.ENDED else OrderState.FILLED)
        elif letter == "E":
            assert state is OrderState.CANCELLED
        elif letter == "N":
            assert state is OrderState.REJECTED
        elif letter == "Q":
            assert state is OrderState.CANCELLED  # after doubt, and five complete answers
        elif letter == "W":
            assert state is (None if local is Local.ABSENT else OrderState.UNCERTAIN)
            assert bench.holds("RECONCILE")[-1] is Restraint.PAUSED
        elif letter in "CX":
            assert cell.order is not None
            assert cell.order.status == "CANCELLED"
        elif letter == "H":
            assert cell.order is not None
            assert cell.order.status != "OPEN"
        if letter in "AFECXI":
            bench.check_accounts()
            assert sum(f.size for f in bench.of(OrderFilled)) == sum(
                X.lots(f.size) for f in bench.exchange.executed
            )

    async def run() -> None:
        bench = EdgeBench(Gate())
        await bench.start()
        await work(bench)
        await bench.stop()

    run_virtual(run())


def test_orders_of_strangers_are_shown_and_never_touched() -> None:
    async def work(bench: EdgeBench) -> None:
        theirs = bench.exchange.place("somebody-else", Side.SELL, D(120), D(2))
        bench.exchange.fill(theirs, D(1))
        bench.exchange.place("", Side.BUY, D(90), D(1))
        bench.edge.sweep("said the test")
        await bench.after(40)
        assert len(bench.edge.strangers) == 2
        assert len(bench.exchange.live()) == 2
        assert not bench.of(OrderFilled)

    on_bench(work)
