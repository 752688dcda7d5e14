"""No order that leaves breaks R1-R8, R11, R13, R20 or R22, whatever is intended (promise P10).

Random intents of a strategy go into a Trader in a random market at a random venue, among them order loops
and repeated ids; an auditor that shares nothing with the engine judges what comes out. That the auditor sees
a breach is shown by gates that have lost one control each.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from control_desk import Puppet
from order_auditor import AUDITED, OrderAuditor
from trader_bench import MS, D, configured

from engine.core.events import (
    AnyCommand,
    AnyEvent,
    BookSnapshot,
    CancelOrder,
    FeedState,
    FeedStatus,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
    Timer,
)
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.risk.gate import RiskContext, RiskGate
from engine.risk.settings import RiskSettings
from engine.runtime.builder import build_trader
from engine.strategy.protocol import Decision, Quote, Take

P = "X-USD"
COIN = Instrument.create(P, tick="0.01", lot="0.001", min_size="0.002", min_notional="25")
MAX_POSITION = D("0.3")
STEPS = 60
"""Decisions of a session."""
LOOPS, REPEATED_IDS = 0.2, 0.05
"""The shares of sessions with an order loop, and of steps at which ids begin to repeat."""


def rules_of(rng: random.Random, *, loops: bool) -> RiskSettings:
    """Limits that random intents meet, each of them often; a loop finds many open orders allowed."""
    return RiskSettings(
        max_order_size_base=rng.choice((None, D("0.05"), D("0.0207"))),
        max_order_notional=D(rng.choice(("1000", "333.33", "60"))),
        collar_pct=D(rng.choice(("2", "0.7", "0.505"))),
        band_bps=D(rng.choice(("50", "7", "12.5"))),
        max_open_orders=200 if loops else rng.choice((20, 4)),
        max_open_orders_per_side=100 if loops else rng.choice((10, 3)),
        max_position_base=rng.choice((D("0.25"), D("0.06"))),
        max_gross_notional=D(rng.choice(("10000", "1500", "450.5"))),
        min_free_balance_pct=D(rng.choice(("5", "0", "33.3"))),
        max_orders_per_s=rng.choice((1_000, 5, 20)),
        max_order_burst=rng.choice((1_000, 10, 3)),
        order_wait_ms=rng.choice((250, 0)),
        runaway_ratio=rng.choice((3, 2)),
        max_daily_loss=D(1_000_000),
        max_drawdown=D(1_000_000),
        max_drawdown_pct=D(100),
        stop_loss_pct=D(100),
        take_profit_pct=D(1_000),
        max_trading_volume=D(1_000_000),
        max_fills_per_s=1_000,
        max_filled_orders_per_s=1_000,
        max_spread_pct=D(100),
        max_mid_move_pct=D(100),
    )


class Session:
    """One Trader's random life; `counts` gets every verdict of the gate and of the auditor."""

    def __init__(self, seed: int, counts: Counter[str], *, repeats_ids: bool = True) -> None:
        self.repeats_ids = repeats_ids
        self.rng = rng = random.Random(seed)
        self.counts = counts
        self.loops = rng.random() < LOOPS
        rules = rules_of(rng, loops=self.loops)
        quote, base = D(rng.choice((100_000, 2_000))), D(rng.choice((10, 10, "0.02")))
        config = configured(
            strategy__max_position=MAX_POSITION,
            strategy__post_fill_pause_ms=0,
            engine__opening_quote_balance=quote,
            engine__opening_base_balance=base,
        )
        self.trader = build_trader(dataclasses.replace(config, risk=rules), COIN, 0, displays_own=False)
        self.puppet = Puppet()
        self.trader.strategy = self.puppet  # type: ignore[assignment]
        self.auditor = OrderAuditor(
            rules, COIN, max_strategy_position=MAX_POSITION, opening_quote=quote, opening_base=base
        )
        self.now = 0
        self.mid = 2_000_000
        self.fills = 0
        self.waiting: list[SubmitOrder] = []
        """Orders that the venue has not answered."""
        self.asked: list[str] = []
        """Orders whose cancel the venue has not answered."""
        self.market()
        self.tell(FeedStatus(P, 0, 0, FeedState.LIVE, "a test"))
        if self.loops:
            self._loop()

    def _loop(self) -> None:
        """The defect of an order loop: what is wanted is sent again and again."""
        number = 0

        def diff(quotes: Sequence[Quote], *rest: object) -> tuple[list[AnyCommand], list[Quote]]:
            nonlocal number
            number += 1
            return [], [msgspec.structs.replace(quote, slot=f"{quote.slot}-{number}") for quote in quotes]

        self.trader.orders.diff = diff  # type: ignore[method-assign, assignment]

    def live(self) -> None:
        """The whole session."""
        for _ in range(STEPS):
            self.step()
        gate = self.trader.gate
        self.counts["intents"] += gate.approved + sum(gate.denied.values())
        self.counts["approved"] += gate.approved
        for code, count in gate.denied.items():
            self.counts[f"denied {code}"] += count

    def step(self) -> None:
        rng = self.rng
        self.now += rng.choice((1, 20, 60, 200)) * MS
        self.mid += rng.randint(-2_000, 2_000)
        self.market()
        self.venue()
        self.person()
        if self.repeats_ids and rng.random() < REPEATED_IDS and self.trader.orders._ids.sequence:
            self.trader.orders._ids.sequence -= 1
        if rng.random() < (0.05 if self.loops else 0.8):
            self.puppet.decision = self.decision()
        self.auditor.on_decision(self.puppet.decision, self.now)
        self.tell(Timer(P, self.now, self.now))

    def tell(self, event: AnyEvent) -> None:
        """Show an event to both; the auditor judges what leaves."""
        self.auditor.on_event(event)
        for command in self.trader.on_event(event):
            if isinstance(command, SubmitOrder):
                for code in self.auditor.judge(command, self.now):
                    self.counts[f"breach {code}"] += 1
                self.counts["left"] += 1
                self.waiting.append(command)
            elif isinstance(command, CancelOrder):
                self.asked.append(command.client_id)
        self.trader.drain_alerts()
        self.trader.drain_fills()

    # -- the world -------------------------------------------------------------------------------

    def market(self) -> None:
        rng = self.rng
        half = rng.choice((1, 3, 50)) if rng.random() < 0.97 else -1
        bids = [((self.mid - half) // 2, 1_000)]
        asks = [((self.mid + half + 1) // 2, 1_000)] if rng.random() < 0.99 else []
        self.tell(BookSnapshot(P, self.now, self.now, bids, asks))
        if rng.random() < 0.01:
            self.tell(FeedStatus(P, self.now, self.now, FeedState.STALE, "a test"))
        elif self.trader.feed_state is not FeedState.LIVE and rng.random() < 0.5:
            self.tell(FeedStatus(P, self.now, self.now, FeedState.LIVE, "a test"))

    def person(self) -> None:
        chance = self.rng.random()
        if chance < 0.01:
            self.ask(self.rng.choice((OperatorAction.PAUSE, OperatorAction.FLATTEN, OperatorAction.KILL)))
        elif chance < 0.15 and self.trader.risk.restrictions():
            self.ask(OperatorAction.REARM)
            self.ask(OperatorAction.RESUME)

    def ask(self, action: OperatorAction) -> None:
        self.tell(OperatorCommand(P, self.now, self.now, action, "a test"))

    def venue(self) -> None:
        rng = self.rng
        # In a loop hardly anything fills: what is wanted after a fill is meant anew.
        waiting, self.waiting = self.waiting, []
        for order in waiting:
            chance = rng.random()
            if chance < 0.15:
                self.waiting.append(order)
            elif chance < 0.25 and order.client_id in self.auditor.open:
                self.tell(OrderRejected(P, self.now, self.now, order.client_id, "REJECTED", "a test"))
            elif order.client_id in self.auditor.open:
                self.tell(OrderAccepted(P, self.now, self.now, order.client_id, f"v{order.client_id}"))
        for client_id in self.asked:
            if client_id in self.auditor.open and rng.random() < 0.8:
                self.end(client_id)
        self.asked = [client_id for client_id in self.asked if client_id in self.auditor.open]
        for client_id in list(self.auditor.open):
            chance = rng.random()
            if chance < (0.002 if self.loops else 0.05):
                self.fill(client_id)
            elif chance < 0.08:
                self.end(client_id)

    def end(self, client_id: str) -> None:
        lots = int(self.auditor.open[client_id].left / self.auditor.lot)
        self.tell(OrderCancelled(P, self.now, self.now, client_id, lots))

    def fill(self, client_id: str) -> None:
        order = self.auditor.open[client_id]
        self.fills += 1
        price, most = int(order.price / self.auditor.tick), int(order.left / self.auditor.lot)
        size = self.rng.randint(1, most)
        self.tell(
            OrderFilled(P, self.now, self.now, client_id, f"f{self.fills}", order.side, price, size, 0, True)
        )
        self.counts["fills"] += 1

    # -- the intents -----------------------------------------------------------------------------

    def decision(self) -> Decision:
        rng = self.rng
        slots = rng.sample(range(10), rng.randint(1, 6))
        quotes = [self.quote(rng.choice(list(Side)), number) for number in slots]
        old = [quote for quote in self.puppet.decision.quotes if rng.random() < 0.5]
        taken = {quote.slot for quote in quotes}
        quotes += [quote for quote in old if quote.slot not in taken]
        take = None
        if rng.random() < 0.2:
            side = rng.choice(list(Side))
            price = self.mid // 2 + side * rng.choice((100, 6_000, 30_000))
            take = Take(side, price, self.size(side, price), "hedge", "a test")
        return Decision(quotes=tuple(quotes), take=take)

    def quote(self, side: Side, number: int) -> Quote:
        rng, limits = self.rng, self.trader.gate.limits
        mid = self.mid // 2
        distance = rng.randint(30, 700) if self.loops else rng.choice((
            *[rng.randint(30, 700)] * 8,
            rng.randint(-60, 3_000),
            mid * limits.band.numerator // limits.band.denominator + rng.randint(-1, 1),
            mid * limits.collar.numerator // limits.collar.denominator + rng.randint(-1, 1),
            mid,
        ))  # fmt: skip
        price = mid - side * distance
        return Quote(f"{side.name[0]}{number}", side, number, price, self.size(side, price), tuple, tuple)

    def size(self, side: Side, price: int) -> int:
        """Small mostly, in a loop always; else around one of the limits."""
        rng, limits, own = self.rng, self.trader.gate.limits, self.trader.orders.own
        if self.loops:
            return rng.randint(3, 5)
        position = self.trader.ledger.position
        worst = position * side + (own.buy_lots if side is Side.BUY else own.sell_lots)
        return rng.choice((
            *[rng.randint(3, 5)] * 8,
            rng.randint(0, 8),
            limits.max_order_size + rng.randint(-1, 1),
            limits.max_order_notional // COIN.notional(max(price, 1), 1) + rng.randint(0, 1),
            max(1, limits.max_position - worst + rng.randint(-1, 1)),
            max(1, limits.max_gross_notional // COIN.value(self.mid, 1) - worst + rng.randint(0, 1)),
        ))  # fmt: skip


def campaign(intents: int, first_seed: int = 0) -> Counter[str]:
    """Sessions until the gates have judged so many intents."""
    counts: Counter[str] = Counter()
    seed = first_seed
    while counts["intents"] < intents:
        Session(seed, counts).live()
        seed += 1
    counts["sessions"] = seed - first_seed
    return counts


def check(counts: Counter[str], intents: int) -> None:
    """No breach, and every control had its work."""
    assert not {name: count for name, count in counts.items() if name.startswith("breach")}
    assert counts["intents"] >= intents
    assert counts["left"] == counts["approved"] > intents // 10
    assert counts["fills"] > intents // 100
    for code in AUDITED:
        assert counts[f"denied {code}"] >= intents // 10_000, (code, counts)


def test_no_order_that_leaves_breaks_a_limit() -> None:
    check(campaign(10_000), 10_000)


@pytest.mark.nightly
def test_no_order_of_a_million_intents_breaks_a_limit() -> None:
    check(campaign(1_000_000), 1_000_000)


@pytest.mark.parametrize("code", sorted(AUDITED))
def test_a_gate_that_has_lost_a_control_is_found_out(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = RiskGate.check

    def lost(gate: RiskGate, order: SubmitOrder, context: RiskContext) -> Any:
        denial = real(gate, order, context)
        return None if denial is not None and denial.code == code else denial

    monkeypatch.setattr(RiskGate, "check", lost)
    counts: Counter[str] = Counter()
    seed = 0
    while not counts[f"breach {code}"]:
        assert seed < 100, counts
        Session(seed, counts, repeats_ids=False).live()  # which the order manager refuses, too
        seed += 1
