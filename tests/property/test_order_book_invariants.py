"""Invariants 1-18 and 24 of the order book, after every step of random sessions beside the naive book."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial

import pytest
from book_twins import Twins
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from engine.core.order import OrderState, OrderType, Side, TimeInForce, check_transition
from engine.core.order_book_events import ChangeKind, SelfTrade, Trade
from engine.core.order_book_levels import BookOrder

GTC, GTD, IOC, FOK = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.IOC, TimeInForce.FOK
SIDES = st.sampled_from(Side)
PRICES = st.integers(91, 110)
SIZES = st.integers(1, 20)
OWNERS = st.sampled_from(("", "", "ann", "bob"))
PICKS = st.integers(0, 400)


class BookMachine(RuleBasedStateMachine):
    """Drives both books; `Twins` compares them, this class checks what must hold whatever the oracle says."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.totals = counts
        self.orders: dict[str, BookOrder] = {}
        self.states: dict[str, OrderState] = {}
        self.ended: dict[str, tuple[OrderState, int, int]] = {}
        self.tape: dict[str, int] = defaultdict(int)
        self.entered: dict[str, int] = {}
        self.by_deltas: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self.last_trade = 0
        self.now_ns = 0
        self.number = 0

    @initialize(self_trade=st.sampled_from(SelfTrade))
    def start(self, self_trade: SelfTrade) -> None:
        self.twins = Twins(self_trade)
        self.book = self.twins.book

    def teardown(self) -> None:
        if hasattr(self, "twins"):
            self.totals.update(self.twins.counts)

    # -- operations ----------------------------------------------------------------------------------

    def submit(self, side: Side, size: int, price: int | None, **terms: object) -> BookOrder:
        self.number += 1
        order_id = str(self.number)
        order = self.twins.submit(order_id, side, size, price, **terms)  # type: ignore[arg-type]
        self.orders[order_id] = order
        self.states[order_id] = OrderState.PENDING
        self.observe()
        return order

    def pick(self, number: int) -> str:
        """A live order, or an unknown one."""
        live = self.twins.live_ids()
        return live[number % len(live)] if live and number else "unknown"

    @rule(side=SIDES, size=SIZES, price=PRICES, owner=OWNERS, post_only=st.booleans())
    def limit(self, side: Side, size: int, price: int, owner: str, post_only: bool) -> None:
        order = self.submit(side, size, price, owner=owner, post_only=post_only)
        if post_only:
            assert order.filled == 0  # 12

    @rule(side=SIDES, size=SIZES, distance=st.integers(-3, 9), owner=OWNERS)
    def quote(self, side: Side, size: int, distance: int, owner: str) -> None:
        self.submit(side, size, 100 - side * distance, owner=owner)

    @rule(side=SIDES, size=SIZES, price=PRICES, owner=OWNERS, wait=st.integers(1, 50))
    def good_till_date(self, side: Side, size: int, price: int, owner: str, wait: int) -> None:
        self.submit(side, size, price, owner=owner, time_in_force=GTD, expires_ns=self.now_ns + wait)

    @rule(side=SIDES, size=SIZES, price=PRICES, owner=OWNERS, time_in_force=st.sampled_from((IOC, FOK)))
    def immediate(self, side: Side, size: int, price: int, owner: str, time_in_force: TimeInForce) -> None:
        order = self.submit(side, size, price, owner=owner, time_in_force=time_in_force)
        assert order.state.is_terminal  # 13
        if time_in_force is FOK:
            assert order.filled in (0, size)
            assert (order.state is OrderState.FILLED) == (order.filled == size)

    @rule(side=SIDES, size=SIZES, owner=OWNERS, time_in_force=st.sampled_from((GTC, IOC, FOK)))
    def market(self, side: Side, size: int, owner: str, time_in_force: TimeInForce) -> None:
        order = self.submit(
            side, size, None, owner=owner, order_type=OrderType.MARKET, time_in_force=time_in_force
        )
        assert order.state.is_terminal

    @rule(side=SIDES, size=SIZES, price=PRICES | st.none(), stop_price=PRICES, owner=OWNERS)
    def stop(self, side: Side, size: int, price: int | None, stop_price: int, owner: str) -> None:
        order_type = OrderType.STOP if price is None else OrderType.STOP_LIMIT
        self.submit(side, size, price, owner=owner, order_type=order_type, stop_price=stop_price)

    @rule(number=PICKS)
    def same_id(self, number: int) -> None:
        order_id = self.pick(number)
        if order_id != "unknown":
            before = self.book.snapshot()
            order = self.twins.submit(order_id, Side.BUY, 1, 100)
            assert order.state is OrderState.REJECTED  # 7
            assert self.book.snapshot() == before

    @rule(number=PICKS)
    def cancel(self, number: int) -> None:
        order_id = self.pick(number)
        is_known = order_id in self.orders
        before = self.book.snapshot()
        assert self.twins.cancel(order_id) is is_known
        if not is_known:
            assert self.book.snapshot() == before  # 10
        self.observe()
        after = self.book.snapshot()
        assert self.twins.cancel(order_id) is False
        assert self.book.snapshot() == after
        assert not self.twins.changes

    @rule(number=PICKS, price=PRICES | st.none(), size=SIZES | st.none())
    def amend(self, number: int, price: int | None, size: int | None) -> None:
        order_id = self.pick(number)
        order = self.orders.get(order_id)
        old = None if order is None else (order.price, order.size)
        queue = self.queue_of(order)
        before = self.book.snapshot()
        is_done = self.twins.amend(order_id, price, size)
        self.observe()
        if order is None or not is_done:
            assert self.book.snapshot() == before
        elif queue:  # 11
            assert old is not None
            if price in (None, old[0]) and (size is None or size <= old[1]):
                assert self.queue_of(order) == queue
                self.totals["kept priority"] += 1
            elif order.is_resting and not self.twins.trades:
                assert self.queue_of(order)[-1] == order_id
                self.totals["lost priority"] += 1

    @rule(number=PICKS, size=st.integers(-1, 20))
    def execute(self, number: int, size: int) -> None:
        order_id = self.pick(number)
        if self.twins.execute(order_id, size):
            self.tape[order_id] += size
        self.observe()

    @rule(step=st.integers(1, 30))
    def expire(self, step: int) -> None:
        self.now_ns += step
        self.twins.expire(self.now_ns)
        self.observe()
        assert all(not 0 < order.terms.expires_ns <= self.now_ns for order in self.book.orders())

    # -- what an operation caused --------------------------------------------------------------------

    def queue_of(self, order: BookOrder | None) -> list[str]:
        if order is None or not order.is_resting or order.price is None:
            return []
        return [other.order_id for other in self.book.queue(order.side, order.price)]

    def observe(self) -> None:
        """Check the trades and changes of the last operation."""
        worst: dict[str, int] = {}
        for trade in self.twins.trades:
            self.check_trade(trade)
            # 3: the farther a taker gets, the worse its price.
            signed = trade.price * trade.taker_side
            assert signed >= worst.get(trade.taker_id, signed)
            worst[trade.taker_id] = signed
        for change in self.twins.changes:
            level = self.by_deltas[change.side]
            level[change.price] = level.get(change.price, 0) + change.delta
            assert level[change.price] == change.level_size >= 0
            if not level[change.price]:
                del level[change.price]
            if change.kind is ChangeKind.ADDED:
                self.entered[change.order_id] = change.sequence

    def check_trade(self, trade: Trade) -> None:
        maker, taker = self.orders[trade.maker_id], self.orders[trade.taker_id]
        assert trade.sequence == self.last_trade + 1  # 17
        self.last_trade = trade.sequence
        assert trade.size > 0
        assert maker.side is taker.side.opposite is trade.taker_side.opposite
        assert trade.price == maker.price  # 8
        if taker.price is not None:
            assert trade.price * taker.side <= taker.price * taker.side
        assert not taker.terms.post_only  # 12
        assert not taker.owner or taker.owner != maker.owner  # 14
        self.tape[trade.maker_id] += trade.size
        self.tape[trade.taker_id] += trade.size

    # -- what always holds ---------------------------------------------------------------------------

    @invariant()
    def the_depth_is_sound(self) -> None:
        book = self.book
        bids, asks = book.bids(), book.asks()
        assert not book.is_crossed()  # 1
        assert book.best_bid() == max((price for price, _ in bids), default=None)  # 9
        assert book.best_ask() == min((price for price, _ in asks), default=None)
        assert bids == sorted(bids, reverse=True)  # 18
        assert asks == sorted(asks)
        for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
            assert [book.levels(side, n) for n in range(4)] == [levels[:n] for n in range(4)]
            assert all(size > 0 for _, size in levels)  # 6
            assert dict(levels) == self.by_deltas[side] == self.twins.mirror[side]  # 24

    @invariant()
    def the_queues_are_sound(self) -> None:
        book = self.book
        resting = []
        for side in Side:
            for price, size in book.levels(side):
                queue = book.queue(side, price)
                arrivals = [self.entered[order.order_id] for order in queue]
                assert arrivals == sorted(arrivals)  # 2
                assert sum(order.remaining for order in queue) == size  # 5
                assert all((order.side, order.price) == (side, price) for order in queue)
                resting += queue
        live = {order.order_id: order for order in book.orders()}
        waiting = [order for order in live.values() if not order.is_resting]
        assert len(resting) == book.order_count
        assert len(waiting) == book.stop_count
        assert {order.order_id for order in resting + waiting} == set(live)  # 7
        assert len(resting) + len(waiting) == len(live)
        assert all(book.get(order_id) is order for order_id, order in live.items())
        assert all(order.price and order.terms.time_in_force in (GTC, GTD) for order in resting)  # 13

    @invariant()
    def the_quantities_are_sound(self) -> None:
        filled = 0
        for order_id, order in self.orders.items():
            assert order.filled == self.tape[order_id]  # 4, 15: what the tape says is what is filled
            assert order.filled + order.remaining == order.size
            is_live = self.book.get(order_id) is order
            assert is_live is not order.state.is_terminal
            assert (order.remaining == 0) is (order.state is OrderState.FILLED)
            assert (order.filled > 0) or order.state is not OrderState.PARTIALLY_FILLED
            filled += order.filled
            old = self.states[order_id]
            if order.state is not old:
                check_transition(old, order.state)
                self.states[order_id] = order.state
            if order.state.is_terminal:  # 16
                now = (order.state, order.size, order.remaining)
                assert self.ended.setdefault(order_id, now) == now
        displayed = sum(size for side in Side for _, size in self.book.levels(side))
        waiting = sum(order.remaining for order in self.book.orders() if not order.is_resting)
        over = sum(order.remaining for order in self.orders.values() if order.state.is_terminal)
        assert sum(order.size for order in self.orders.values()) == filled + displayed + waiting + over  # 4


def campaign(examples: int, steps: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    run_state_machine_as_test(
        partial(BookMachine, counts),  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
        ),
    )
    return counts


def assert_not_vacuous(counts: Counter[str], examples: int) -> None:
    for word in (
        "traded",
        "partial",
        "rejected",
        "amended",
        "amend refused",
        "kept priority",
        "lost priority",
        "expired",
        "triggered",
        "reduced",
        "removed",
        "POST_ONLY",
        "FOK_UNFILLABLE",
        "DUPLICATE_ID",
    ):
        # The rarest of them (an order amended down to what is filled) comes up once in some 30 examples.
        assert counts[word] > examples / 60, (word, counts)


def test_invariants_1_to_18_and_24() -> None:
    assert_not_vacuous(campaign(examples=300, steps=50), examples=300)


@pytest.mark.nightly
def test_invariants_1_to_18_and_24_at_length() -> None:
    assert_not_vacuous(campaign(examples=2_000, steps=100), examples=2_000)
