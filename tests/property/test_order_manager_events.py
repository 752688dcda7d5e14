"""The order manager under answers that are late, doubled, reordered and lost (invariants 15, 16, 20)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.client_ids import ClientIds
from engine.core.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from engine.core.instrument import Instrument
from engine.core.order import OrderState, Side, TimeInForce, check_transition
from engine.core.order_manager import OrderManager, RefreshPolicy

MS = 1_000_000
BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")
LEVELS = 3


@dataclass(frozen=True)
class Wanted:
    slot: str
    side: Side
    price: int
    size: int


@dataclass
class Account:
    """What the test knows of an order, from the answers alone."""

    side: Side
    size: int
    fills: dict[str, int] = field(default_factory=dict)

    @property
    def filled(self) -> int:
        return sum(self.fills.values())


class Session:
    """A manager that quotes, and a venue whose answers reach it in any order."""

    def __init__(self, rng: random.Random, counts: Counter[str]) -> None:
        self.rng = rng
        self.counts = counts
        self.waits = rng.random() < 0.7
        self.manager = OrderManager(
            BTC,
            ClientIds(1),
            RefreshPolicy(
                reprice_tolerance_ticks=rng.choice((0, 2)),
                min_quote_life_ns=rng.choice((0, 20 * MS)),
                wait_cancel_ack=self.waits,
                post_fill_pause_ns=rng.choice((0, 30 * MS)),
                ack_timeout_ns=300 * MS,
                unresolved_limit_ns=3_000 * MS,
            ),
        )
        self.now_ns = 0
        self.under_way: list[OrderEvent] = []
        self.accounts: dict[str, Account] = {}
        self.booked: dict[str, int] = {}
        self.ended: dict[str, OrderState] = {}
        self.fill_number = 0

    # -- the venue -------------------------------------------------------------------------------

    def answer(self, order: SubmitOrder) -> None:
        """Everything the venue will ever say of an order, put among what is under way."""
        rng, client_id = self.rng, order.client_id
        self.accounts[client_id] = Account(order.side, order.size)
        fate = rng.random()
        events: list[OrderEvent] = []
        if fate < 0.1:
            events.append(OrderRejected("BTC-USD", 0, 0, client_id, "POST_ONLY", ""))
        else:
            events.append(OrderAccepted("BTC-USD", 0, 0, client_id, f"v{client_id}"))
            left = order.size
            while left and rng.random() < 0.6:
                size = rng.randint(1, left)
                left -= size
                events.append(self.fill(order, size))
            if not left and rng.random() < 0.1:
                events.append(self.fill(order, rng.randint(1, 3)))
            if left:
                kind = OrderExpired if order.time_in_force is TimeInForce.IOC else OrderCancelled
                events.append(kind("BTC-USD", 0, 0, client_id, left))
            if rng.random() < 0.2:
                events.append(CancelRejected("BTC-USD", 0, 0, client_id, "UNKNOWN_CANCEL_ORDER"))
        for event in events:
            if rng.random() < 0.03 and not isinstance(event, OrderFilled):
                self.counts["lost"] += 1
                continue
            self.under_way.append(event)
            while rng.random() < 0.15:
                self.under_way.append(event)

    def fill(self, order: SubmitOrder, size: int) -> OrderFilled:
        self.fill_number += 1
        price = order.price or 0
        return OrderFilled(
            "BTC-USD", 0, 0, order.client_id, f"f{self.fill_number}", order.side, price, size, 0, True
        )

    # -- one step --------------------------------------------------------------------------------

    def step(self) -> None:
        self.now_ns += self.rng.choice((1, 10, 60)) * MS
        if self.rng.random() < 0.5 and self.under_way:
            # mostly the oldest first, often not
            index = 0 if self.rng.random() < 0.5 else self.rng.randrange(len(self.under_way))
            self.deliver(self.under_way.pop(index))
        else:
            self.decide()
        self.check_totals()

    def decide(self) -> None:
        rng = self.rng
        update = self.manager.on_time(self.now_ns, 0)
        self.counts["resent"] += len(update.cancels)
        self.counts["halts"] += update.must_halt
        mid = 1_000 + rng.randint(-4, 4)
        quotes = [
            Wanted(
                f"{'B' if side is Side.BUY else 'A'}{level}",
                side,
                mid - side * (5 + level),
                rng.choice((5, 9)),
            )
            for side in Side
            for level in range(rng.randint(0, LEVELS))
        ]
        cancels, places = self.manager.diff(quotes, self.now_ns, mid - 1, mid + 1)
        self.counts["cancels"] += len(cancels)
        for quote in places:
            self.answer(self.manager.submit(self.manager.intent(quote, self.now_ns)))
            self.counts["orders"] += 1
        if rng.random() < 0.05 and "hedge" not in self.manager.own.by_slot:
            take = self.manager.take_intent(
                rng.choice(list(Side)), mid, 4, "hedge", self.now_ns, reduce_only=True
            )
            self.answer(self.manager.submit(take))
        if rng.random() < 0.02:
            self.manager.cancel_all(self.now_ns, "test")

    def deliver(self, event: OrderEvent) -> None:
        before = self.manager.order(event.client_id)
        assert before is not None
        old = before.state
        update = self.manager.on_event(event)
        order = update.order
        assert order is before
        if order.state is not old:
            check_transition(old, order.state)
        if old.is_terminal:
            assert order.state is old
        account = self.accounts[event.client_id]
        self.counts["events"] += 1
        if isinstance(event, OrderFilled):
            is_new = event.fill_id not in account.fills
            account.fills[event.fill_id] = event.size
            assert (update.fill is event) is is_new
            assert update.is_duplicate is not is_new
            assert update.must_halt is (is_new and account.filled > account.size)
            assert update.is_late is (is_new and old.is_terminal)
            if update.fill is not None:
                assert event.fill_id not in self.booked
                self.booked[event.fill_id] = event.side * event.size
            self.counts["duplicates"] += not is_new
            self.counts["overfills"] += update.must_halt
            self.counts["late"] += update.is_late
            self.counts["early"] += old is OrderState.PENDING
        assert order.filled == account.filled
        assert order.filled + order.remaining == max(order.size, order.filled)
        if order.state.is_terminal:
            assert self.ended.setdefault(event.client_id, order.state) is order.state

    # -- the same from scratch -------------------------------------------------------------------

    def check_totals(self) -> None:
        own, live = self.manager.own, self.manager.open_orders()
        assert all(not order.state.is_terminal for order in live)
        buys = [order for order in live if order.side is Side.BUY]
        sells = [order for order in live if order.side is Side.SELL]
        assert own.buy_lots == sum(order.remaining for order in buys)
        assert own.sell_lots == sum(order.remaining for order in sells)
        assert (own.buy_count, own.sell_count) == (len(buys), len(sells))
        assert own.buy_tick_lots == sum(order.price * order.remaining for order in buys)
        assert own.best_bid == max((order.price for order in buys), default=None)
        assert own.best_ask == min((order.price for order in sells), default=None)
        for orders, displayed in ((buys, own.displayed_bids), (sells, own.displayed_asks)):
            expected: Counter[int] = Counter()
            for order in orders:
                if order.accepted_ns is not None and order.command.time_in_force is TimeInForce.GTC:
                    expected[order.price] += order.remaining
            assert displayed == dict(expected)
        slots = Counter(order.slot for order in live)
        if self.waits:
            assert max(slots.values(), default=0) <= 1
            assert len(live) <= 2 * LEVELS + 1
        certain = Counter(order.slot for order in live if order.cancel_asked_ns is None)
        assert max(certain.values(), default=0) <= 1
        position = sum(account.side * account.filled for account in self.accounts.values())
        assert sum(self.booked.values()) == position
        self.counts["uncertain"] += any(order.state is OrderState.UNCERTAIN for order in live)


def run(seed: int, steps: int, counts: Counter[str]) -> object:
    session = Session(random.Random(seed), counts)
    for _ in range(steps):
        session.step()
    while session.under_way:
        session.deliver(session.under_way.pop())
        session.check_totals()
    return session.manager.save()


def campaign(examples: int, steps: int) -> Counter[str]:
    counts: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, 2**32))
    def sessions(seed: int) -> None:
        run(seed, steps, counts)

    sessions()
    assert counts["orders"] > 5 * examples
    assert counts["events"] > 20 * examples
    for kind in (
        "cancels",
        "resent",
        "duplicates",
        "late",
        "early",
        "overfills",
        "lost",
        "uncertain",
        "halts",
    ):
        assert counts[kind] > examples // 20, f"{kind}: {counts}"
    return counts


def test_random_schedules_keep_every_invariant() -> None:
    campaign(examples=150, steps=250)


@pytest.mark.nightly
def test_random_schedules_keep_every_invariant_at_length() -> None:
    campaign(examples=5_000, steps=1_000)


def test_the_same_schedule_ends_in_the_same_state() -> None:
    counts: Counter[str] = Counter()
    for seed in range(5):
        assert run(seed, 200, counts) == run(seed, 200, counts)
    assert run(1, 200, counts) != run(2, 200, counts)
