"""Invariants 14-17, 19-23, 25 and 26 over the whole Trader: random markets, answers, people and delays.

(1-13, 18 and 24 are the order book's: test_order_book_invariants.py.)
"""

from __future__ import annotations

import copy
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from trader_bench import MS, D, X, configured

from engine.core.events import (
    AnyEvent,
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    FeedState,
    FeedStatus,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SettingsChange,
    SubmitOrder,
    Timer,
)
from engine.core.order import OrderState, Side
from engine.risk.state import TradingState
from engine.runtime.builder import build_trader
from engine.trader.trader import Trader

SEEN: Counter[str] = Counter()
"""What happened over all examples, so that nothing is proven about nothing."""

LIMIT_NOTIONAL, LIMIT_GROSS = 700, 1_800
CONFIG = configured(
    strategy__order_quantity=D("0.02"),
    strategy__max_position=D("0.1"),
    strategy__base_spread_bps=D(4),
    strategy__min_spread_bps=D(1),
    strategy__inventory_skew_unit="half_spread",
    strategy__auto_hedge_enabled=True,
    strategy__hedge_interval_ms=300,
    strategy__hedge_threshold_pct=D(15),
    risk__max_order_size_base=D("0.06"),
    risk__max_order_notional=D(LIMIT_NOTIONAL),
    risk__max_position_base=D("0.15"),
    risk__max_gross_notional=D(LIMIT_GROSS),
    risk__collar_pct=D(1),
    risk__band_bps=D(50),
    risk__max_open_orders=7,
    risk__max_open_orders_per_side=4,
    risk__stop_loss_pct=D("0.5"),
    engine__opening_quote_balance=D(5_000),
)
MID = 1_000_000
REFUSED = (
    {"strategy.levels": "0"},
    {"strategy.levels": "2", "strategy.base_spread_bps": "0.5"},
    {"risk.max_open_orders_per_side": "99"},
    {"engine.mode": "replay"},
    {"strategy.nonsense": "1"},
)

# Live settings with the number that this file's own checks use for each text.
CHANGES: dict[str, tuple[tuple[str, int], ...]] = {
    "risk.max_order_size_base": (("0.06", 60), ("0.03", 30), ("0.011", 11)),
    "risk.max_order_notional": (("700", 700), ("350", 350)),
    "risk.max_position_base": (("0.15", 150), ("0.07", 70)),
    "risk.max_gross_notional": (("1800", 1_800), ("900", 900)),
    "risk.max_open_orders_per_side": (("4", 4), ("2", 2)),
    "risk.max_open_orders": (("7", 7), ("5", 5)),
    "strategy.max_position": (("0.1", 100), ("0.05", 50)),
    "strategy.levels": (("3", 3), ("1", 1)),
    "strategy.base_spread_bps": (("4", 4), ("9", 9)),
    "strategy.post_fill_pause_ms": (("0", 0), ("400", 400)),
    "strategy.wait_cancel_ack": (("true", 1), ("false", 0)),
    "risk.stop_loss_pct": (("0.5", 0), ("3", 0)),
}


def fresh() -> Trader:
    trader = build_trader(CONFIG, X, 0, displays_own=False)
    trader.strategy.start()
    return trader


class TraderMachine(RuleBasedStateMachine):
    """A venue that keeps its own naive list of our orders and answers in any legal order, or late."""

    def __init__(self) -> None:
        super().__init__()
        self.trader = fresh()
        self.now = 0
        self.log: list[AnyEvent] = []
        self.sent: list[object] = []
        self.open: dict[str, SubmitOrder] = {}
        self.filled: Counter[str] = Counter()
        self.ended: dict[str, OrderState] = {}
        self.position = 0
        self.cash = 0
        self.fees = 0
        self.fills: list[OrderFilled] = []
        self.mid = MID
        self.is_live = False
        self.cut: tuple[int, Trader] | None = None
        self.limits = {key: choices[0][1] for key, choices in CHANGES.items()}
        self.flatten_asked = False
        """Whether a person's flatten may still be under way."""
        self.must_not_quote = False
        """True from a flatten until a person resumes."""

    # -- driving ---------------------------------------------------------------------------------

    def tell(self, event: AnyEvent) -> None:
        bid, ask = self.trader.book.best_bid(), self.trader.book.best_ask()
        position_before = self.trader.ledger.position
        self.log.append(event)
        for command in self.trader.on_event(event):
            self.sent.append(command)
            if isinstance(command, SubmitOrder):
                self.check_limits(command, bid, ask, position_before)
                self.open[command.client_id] = command
                SEEN[f"sent {command.purpose}"] += 1
            else:
                assert command.client_id in self.open or command.client_id in self.ended
                SEEN["cancel"] += 1

    def check_limits(self, order: SubmitOrder, bid: int | None, ask: int | None, position: int) -> None:
        """Invariants 25 and 26, recomputed from the venue's own list."""
        assert order.price is not None
        assert bid is not None
        assert ask is not None
        assert self.is_live
        price, lots, sign, limits = order.price, order.size, int(order.side), self.limits
        assert 0 < lots <= limits["risk.max_order_size_base"]  # R1
        assert price * lots <= limits["risk.max_order_notional"] * 100 * 1_000  # R2: cents times thousandths
        assert abs(2 * price - bid - ask) * 100 <= bid + ask  # R3: 1 %
        if order.purpose == "quote":  # R4
            assert order.post_only
            assert (price < ask) if sign > 0 else (price > bid)
            assert abs(2 * price - bid - ask) * 10_000 <= 50 * (bid + ask)
        same = [o for o in self.open.values() if o.side is order.side]
        other = [o for o in self.open.values() if o.side is not order.side]
        assert len(same) < limits["risk.max_open_orders_per_side"]  # R6
        assert len(same) + len(other) < limits["risk.max_open_orders"]
        resting = sum(o.size - self.filled[o.client_id] for o in same)
        worst = sign * position + resting + lots
        assert worst <= limits["risk.max_position_base"]  # R7
        assert worst * (bid + ask) <= 2 * limits["risk.max_gross_notional"] * 100 * 1_000  # R8
        if order.purpose == "quote":
            assert worst <= limits["strategy.max_position"]
            assert not self.must_not_quote
        # The table of trading states, and its one exemption.
        state = self.trader.risk.effective
        if order.purpose == "flatten":
            assert self.flatten_asked
            assert order.reduce_only
        else:
            assert state < TradingState.HALTED
        if state is not TradingState.ACTIVE:
            assert sign * position < 0
            assert lots + resting <= abs(position), "it could turn the position around"
        if state >= TradingState.HALTED:
            SEEN["flatten while halted"] += 1
        for o in other:  # 14: it cannot meet our own
            assert o.price is not None
            assert sign * (price - o.price) < 0

    def step(self, ms: int) -> None:
        self.now += ms * MS
        self.tell(Timer("X-USD", self.now, self.now))

    # -- rules -----------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.snapshot(10)
        self.step(100)

    @rule(spread=st.integers(1, 200))
    def snapshot(self, spread: int) -> None:
        bids = [(self.mid - spread - 10 * n, 500) for n in range(8)]
        asks = [(self.mid + spread + 10 * n, 500) for n in range(8)]
        self.tell(BookSnapshot("X-USD", self.now, self.now, bids, asks))
        self.tell(FeedStatus("X-USD", self.now, self.now, FeedState.LIVE, ""))
        self.is_live = True

    @rule(move=st.integers(-400, 400))
    def market_moves(self, move: int) -> None:
        self.mid += move
        self.snapshot(15)

    @rule(side=st.sampled_from([-1, 1]), distance=st.integers(-30, 60), size=st.integers(0, 300))
    def level_changes(self, side: int, distance: int, size: int) -> None:
        level = [(self.mid - side * distance, size)]
        bids, asks = (level, []) if side > 0 else ([], level)
        self.tell(BookUpdate("X-USD", self.now, self.now, bids, asks))

    @rule(ms=st.integers(1, 250))
    def time_passes(self, ms: int) -> None:
        self.step(ms)

    @rule()
    def silence(self) -> None:
        self.step(2_100)

    @precondition(lambda self: self.open)
    @rule(pick=st.integers(0, 50), what=st.sampled_from(["accept", "accept", "reject", "refuse cancel"]))
    def venue_answers(self, pick: int, what: str) -> None:
        order = self.pick(pick)
        head = ("X-USD", self.now, self.now, order.client_id)
        if what == "accept":
            self.tell(OrderAccepted(*head, "v"))
        elif what == "refuse cancel":
            self.tell(CancelRejected(*head, "UNKNOWN_ORDER"))
        elif not self.filled[order.client_id]:
            self.end(order, OrderRejected(*head, "POST_ONLY", "would take"), OrderState.REJECTED)

    @precondition(lambda self: self.open)
    @rule(pick=st.integers(0, 50), share=st.integers(1, 4), fee=st.integers(-3, 9), is_late=st.booleans())
    def venue_fills(self, pick: int, share: int, fee: int, is_late: bool) -> None:
        order = self.pick(pick)
        assert order.price is not None
        left = order.size - self.filled[order.client_id]
        lots = max(1, left // share)
        number = f"fill-{len(self.fills):06}"
        fill = OrderFilled(
            "X-USD", self.now, self.now, order.client_id, number, order.side, order.price, lots, fee, True
        )
        self.filled[order.client_id] += lots
        self.fills.append(fill)
        self.position += order.side * lots
        self.cash -= order.side * X.notional(order.price, lots)
        self.fees += fee
        if lots == left:
            self.open.pop(order.client_id)
            self.ended[order.client_id] = OrderState.FILLED
        elif is_late:
            # The end overtakes the fill; the fill must be booked all the same.
            remaining = order.size - self.filled[order.client_id]
            event = OrderCancelled("X-USD", self.now, self.now, order.client_id, remaining)
            self.end(order, event, OrderState.CANCELLED)
            SEEN["late fill"] += 1
        self.tell(fill)
        SEEN["partial" if lots < left else "full fill"] += 1

    @precondition(lambda self: self.fills)
    @rule(pick=st.integers(0, 50))
    def fill_is_told_again(self, pick: int) -> None:
        self.tell(self.fills[pick % len(self.fills)])
        SEEN["duplicate fill"] += 1

    @rule(rounds=st.integers(2, 5))
    def venue_keeps_up(self, rounds: int) -> None:
        """A while in which every answer comes promptly."""
        self.snapshot(15)
        for _ in range(rounds):
            for order in list(self.open.values()):
                self.tell(OrderAccepted("X-USD", self.now, self.now, order.client_id, "v"))
            self.cancels_are_proven()
            self.step(110)

    def cancels_are_proven(self) -> None:
        asked = {command.client_id for command in self.sent if isinstance(command, CancelOrder)}
        for order in [order for order in self.open.values() if order.client_id in asked]:
            remaining = order.size - self.filled[order.client_id]
            event = OrderCancelled("X-USD", self.now, self.now, order.client_id, remaining)
            self.end(order, event, OrderState.CANCELLED)

    @precondition(lambda self: any(order.purpose != "quote" for order in self.open.values()))
    @rule()
    def takes_expire(self) -> None:
        for order in [order for order in self.open.values() if order.purpose != "quote"]:
            remaining = order.size - self.filled[order.client_id]
            event = OrderExpired("X-USD", self.now, self.now, order.client_id, remaining)
            self.end(order, event, OrderState.EXPIRED)

    @rule()
    def feed_fails(self) -> None:
        self.is_live = False
        self.tell(FeedStatus("X-USD", self.now, self.now, FeedState.STALE, "gap"))
        SEEN["stale"] += 1

    @rule(
        action=st.sampled_from(
            [
                OperatorAction.PAUSE,
                OperatorAction.RESUME,
                OperatorAction.RESUME,
                OperatorAction.CANCEL_ALL,
                OperatorAction.FLATTEN,
                OperatorAction.KILL,
                OperatorAction.REARM,
            ]
        )
    )
    def person_asks(self, action: OperatorAction) -> None:
        self.person_acts(action)

    def person_acts(self, action: OperatorAction) -> None:
        state, was_latched = self.trader.risk, self.trader.risk.latched is not None
        before = state.effective
        unproven = [
            order
            for order in self.trader.orders.open_orders()
            if order.state is OrderState.UNCERTAIN or order.cancel_asked_ns is not None
        ]
        if action is OperatorAction.FLATTEN:
            self.flatten_asked = self.must_not_quote = True
        elif action is OperatorAction.RESUME:
            self.flatten_asked = self.must_not_quote = False
        elif action is OperatorAction.KILL:
            self.flatten_asked = False
        sent_before = len(self.sent)
        self.tell(OperatorCommand("X-USD", self.now, self.now, action, "said the test"))
        assert all(isinstance(command, CancelOrder) for command in self.sent[sent_before:])
        if action is OperatorAction.FLATTEN:
            assert state.effective is max(before, TradingState.PAUSED)
        elif action is OperatorAction.REARM:
            assert self.trader.answer.is_taken is (was_latched and not unproven)
            assert (state.latched is None) is (self.trader.answer.is_taken or not was_latched)
        SEEN[f"{action} taken" if self.trader.answer.is_taken else f"{action} refused"] += 1

    @precondition(lambda self: self.position)
    @rule(rounds=st.integers(2, 4))
    def person_flattens_and_the_venue_keeps_up(self, rounds: int) -> None:
        self.person_acts(OperatorAction.FLATTEN)
        self.venue_keeps_up(rounds)

    @precondition(lambda self: self.position)
    @rule()
    def person_kills_and_then_flattens(self) -> None:
        self.person_acts(OperatorAction.KILL)
        self.person_flattens_and_the_venue_keeps_up(3)
        assert self.trader.risk.effective is TradingState.KILLED

    @precondition(lambda self: self.trader.risk.latched)
    @rule()
    def person_rearms_and_resumes(self) -> None:
        self.venue_keeps_up(2)
        self.person_acts(OperatorAction.REARM)
        self.person_acts(OperatorAction.RESUME)

    @rule(first=st.sampled_from(sorted(CHANGES)), second=st.sampled_from(sorted(CHANGES)), data=st.data())
    def settings_change(self, first: str, second: str, data: st.DataObject) -> None:
        chosen = {key: data.draw(st.sampled_from(CHANGES[key])) for key in (first, second)}
        changes = {key: text for key, (text, _) in chosen.items()}
        self.tell(SettingsChange("X-USD", self.now, self.now, changes))
        if self.trader.answer.is_taken:
            self.limits |= {key: number for key, (_, number) in chosen.items()}
            SEEN["settings changed"] += 1

    @rule(changes=st.sampled_from(REFUSED))
    def settings_are_refused(self, changes: dict[str, str]) -> None:
        limits, policy = self.trader.gate.limits, self.trader.orders.policy
        sent_before = len(self.sent)
        self.tell(SettingsChange("X-USD", self.now, self.now, changes))
        assert not self.trader.answer.is_taken
        assert len(self.sent) == sent_before
        assert (self.trader.gate.limits, self.trader.orders.policy) == (limits, policy)
        SEEN["settings refused"] += 1

    @precondition(lambda self: self.cut is None and len(self.log) > 20)
    @rule()
    def state_is_copied(self) -> None:
        self.cut = (len(self.log), copy.deepcopy(self.trader))

    def pick(self, number: int) -> SubmitOrder:
        return list(self.open.values())[number % len(self.open)]

    def end(self, order: SubmitOrder, event: AnyEvent, state: OrderState) -> None:
        self.open.pop(order.client_id)
        self.ended[order.client_id] = state
        self.tell(event)

    # -- invariants ------------------------------------------------------------------------------

    @invariant()
    def accounts_add_up(self) -> None:
        """19 and 20."""
        ledger = self.trader.ledger
        assert ledger.position == self.position
        assert ledger.fees == self.fees
        assert ledger.cash == self.cash - self.fees
        assert ledger.residual == 0
        if ledger.mark_half_ticks is not None:
            assert ledger.profit == self.cash - self.fees + X.value(ledger.mark_half_ticks, self.position)

    @invariant()
    def orders_are_what_the_venue_has(self) -> None:
        """15 and 16: nothing is lost, nothing ends twice, live totals are the venue's."""
        manager = self.trader.orders
        assert set(manager.own.by_id) == set(self.open)
        for side, lots in ((Side.BUY, manager.own.buy_lots), (Side.SELL, manager.own.sell_lots)):
            assert lots == sum(
                order.size - self.filled[order.client_id]
                for order in self.open.values()
                if order.side is side
            )
        for client_id, state in self.ended.items():
            order = manager.order(client_id)
            assert order is not None
            assert order.state is state
            assert order.filled == self.filled[client_id]

    @invariant()
    def a_flatten_is_somebodys_wish(self) -> None:
        """One that runs was asked for and pauses; one that has ended leaves the pause."""
        risk = self.trader.risk
        assert self.flatten_asked or not risk.is_flattening
        if self.must_not_quote:
            assert risk.effective >= TradingState.PAUSED

    @invariant()
    def ids_rise(self) -> None:
        """17."""
        ids = [command.client_id for command in self.sent if isinstance(command, SubmitOrder)]
        assert ids == sorted(set(ids))

    def teardown(self) -> None:
        """21-23: the same events, or a copied state and the tail, lead to the same state and commands."""
        again, sent = fresh(), []
        for event in self.log:
            sent += again.on_event(event)
        assert sent == self.sent
        assert again.digest() == self.trader.digest()
        if self.cut is not None:
            at, copied = self.cut
            for event in self.log[at:]:
                copied.on_event(event)
            assert copied.digest() == self.trader.digest()
            SEEN["copied state and tail"] += 1


@pytest.fixture
def seen() -> Counter[str]:
    SEEN.clear()
    return SEEN


def run(examples: int, steps: int, *, derandomize: bool) -> None:
    run_state_machine_as_test(
        TraderMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=derandomize,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_invariants_14_to_26_of_the_trader(seen: Counter[str]) -> None:
    run(200, 50, derandomize=True)
    for what in ("sent quote", "cancel", "partial", "full fill", "duplicate fill", "late fill", "stale"):
        assert seen[what] >= 30, f"{what}: {seen}"
    assert seen["sent hedge"] + seen["sent stop_loss"] + seen["sent take_profit"] >= 2, seen
    for what in ("settings changed", "settings refused", "flatten taken", "sent flatten"):
        assert seen[what] >= 50, f"{what}: {seen}"
    for what in ("rearm taken", "rearm refused", "flatten while halted"):
        assert seen[what] >= 15, f"{what}: {seen}"
    assert seen["copied state and tail"] >= 20


@pytest.mark.nightly
def test_invariants_14_to_26_of_the_trader_at_length(seen: Counter[str]) -> None:
    run(2_000, 100, derandomize=False)
    assert seen["copied state and tail"] >= 500
