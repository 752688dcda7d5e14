"""No accepted order breaks R1-R8, R11, R13, R20-R22, over any sequence (invariant 25).

A second implementation judges, too. It works in exact decimals of the quote and base currencies and keeps
its own list of open orders; it shares with the gate the settings and nothing else.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest

from engine.core.client_ids import ClientIds
from engine.core.events import OrderAccepted, OrderCancelled, OrderFilled, SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import Side, TimeInForce
from engine.core.order_manager import OrderManager, RefreshPolicy
from engine.risk.gate import RiskContext, RiskGate
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState, TradingState

TICK, LOT = Fraction(1, 100), Fraction(1, 1_000)
BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.001", min_size="0.002", min_notional="25")
S = 1_000_000_000
MAX_STRATEGY_POSITION = Decimal("0.3")
INTENTS_PER_SESSION = 200


@dataclass
class Open:
    """An open order in the test's own books."""

    side: Side
    price: Fraction
    size: Fraction
    slot: str


class Session:
    """Random intents against a random market; what the gate accepts is sent, filled and cancelled."""

    def __init__(self, seed: int, counts: Counter[str]) -> None:
        self.rng = rng = random.Random(seed)
        self.counts = counts
        self.settings = RiskSettings(
            max_order_size_base=rng.choice((None, Decimal("0.05"), Decimal("0.0207"))),
            max_order_notional=Decimal(rng.choice(("1000", "333.33", "60"))),
            collar_pct=Decimal(rng.choice(("2", "0.7", "0.505"))),
            band_bps=Decimal(rng.choice(("50", "7", "12.5"))),
            max_open_orders=rng.choice((20, 4)),
            max_open_orders_per_side=rng.choice((10, 3)),
            max_position_base=rng.choice((None, Decimal("0.25"), Decimal("0.06"))),
            max_gross_notional=Decimal(rng.choice(("10000", "1500", "450.5"))),
            min_free_balance_pct=Decimal(rng.choice(("5", "0", "33.3"))),
            max_orders_per_s=rng.choice((1_000, 5, 2)),
            max_order_burst=rng.choice((1_000, 10, 3)),
            runaway_ratio=rng.choice((3, 1)),
        )
        self.state = RiskState()
        self.gate = RiskGate(BTC, self.settings.limits(BTC, MAX_STRATEGY_POSITION), self.state)
        self.manager = OrderManager(BTC, ClientIds(seed), RefreshPolicy())
        self.context = RiskContext(self.manager.own)
        self.open: dict[str, Open] = {}
        self.sent: dict[str, tuple[Side, int, int, int]] = {}
        self.used: set[str] = set()
        self.obedience = rng.choice((1.0, 1.0, 0.1))
        """How often an order was meant to be sent."""
        self.tokens = Fraction(self.settings.max_order_burst)
        self.filled_ns: int | None = None
        self.asked: list[tuple[int, int]] = []
        """Second and lots of everything that was meant anew."""
        self.wanted: dict[str, tuple[int, int]] = {}
        self.left: list[tuple[int, int]] = []
        """Second and lots of everything that was sent, and below 0 what came back of it."""
        self.position = 0
        self.base = rng.choice((10_000, 10_000, 10_000, 20))
        self.mid = 2_000_000
        self.cash = Fraction(rng.choice((100_000, 2_000)))
        self.equity = Fraction(3_000)
        self.fill_number = 0
        self.now_ns = 0

    # -- the world -------------------------------------------------------------------------------

    def step(self) -> None:
        rng = self.rng
        self.now_ns += rng.choice((1, 60, 200)) * 1_000_000
        self.mid += rng.randint(-2_000, 2_000)
        half_spread = rng.choice((1, 3, 50)) if rng.random() < 0.97 else -1
        context = self.context
        context.now_ns = self.now_ns
        context.is_book_live = rng.random() < 0.99
        context.mid = self.mid
        context.best_bid, context.best_ask = (self.mid - half_spread) // 2, (self.mid + half_spread + 1) // 2
        context.position = self.position
        context.quote_balance = int(self.cash * 10**BTC.money_places)
        context.base_balance = self.base + self.position
        context.equity = int(self.equity * 10**BTC.money_places)
        if rng.random() < 0.01:
            self.state.hold("TEST", rng.choice(list(TradingState)), "", "", self.now_ns)
        elif rng.random() < 0.1:
            self.state.release("TEST")
        order = self.intent()
        if rng.random() < self.obedience:
            self.mean(order)
        self.offer(order)
        if rng.random() < 0.35:
            self.end_one()
        limit = self.settings.max_position_base or 2 * MAX_STRATEGY_POSITION
        assert abs(self.position * LOT) <= limit

    def intent(self) -> SubmitOrder:
        rng, limits = self.rng, self.gate.limits
        free = [slot for slot in self.sent if slot not in self.manager.own.by_slot and slot != "hedge"]
        if free and rng.random() < 0.1:
            slot = max(free, key=lambda name: self.sent[name][3])  # ended a moment ago
            side, price, size, _ = self.sent[slot]
            return self.quote(side, price, size, slot)
        side = rng.choice(list(Side))
        mid = self.mid // 2
        distance = rng.choice((
            rng.randint(60, 700),
            rng.randint(60, 700),
            rng.randint(-60, 3_000),
            mid * limits.band.numerator // limits.band.denominator + rng.randint(-1, 1),
            mid * limits.collar.numerator // limits.collar.denominator + rng.randint(-1, 1),
        ))  # fmt: skip
        price = mid - side * distance
        worst = self.position * side + sum(round(o.size / LOT) for o in self.open.values() if o.side is side)
        size = rng.choice((
            rng.randint(3, 5),
            rng.randint(3, 5),
            rng.randint(3, 5),
            rng.randint(3, 5),
            rng.randint(1, 8),
            limits.max_order_size + rng.randint(-1, 1),
            limits.max_order_notional // BTC.notional(max(price, 1), 1) + rng.randint(0, 1),
            limits.max_position - worst + rng.randint(-1, 1),
            limits.max_gross_notional // BTC.value(self.mid, 1) - worst + rng.randint(0, 1),
        ))  # fmt: skip
        if rng.random() < 0.2:
            return self.manager.take_intent(
                side, price, size, "hedge", self.now_ns, reduce_only=rng.random() < 0.5
            )
        return self.quote(side, price, size, f"{'B' if side is Side.BUY else 'A'}{rng.randint(0, 9)}")

    def mean(self, order: SubmitOrder) -> None:
        """A decision asks for the order before it is made."""
        assert order.price is not None
        if self.wanted.get(order.slot) != (order.price, order.size):
            self.asked.append((self.now_ns // S, order.size))
        self.wanted[order.slot] = (order.price, order.size)
        self.gate.runaway.mean(order.slot, order.price, order.size, self.now_ns)

    def quote(self, side: Side, price: int, size: int, slot: str) -> SubmitOrder:
        client_id = f"i{self.rng.getrandbits(64):x}"
        if self.used and self.rng.random() < 0.01:
            client_id = self.rng.choice(sorted(self.used))
        return SubmitOrder("BTC-USD", self.now_ns, client_id, side, size, price, post_only=True, slot=slot)

    def offer(self, order: SubmitOrder) -> None:
        broken = self.broken_rules(order)
        denial = self.gate.check(order, self.context)
        self.counts["intents"] += 1
        if denial is not None:
            self.counts[denial.code] += 1
            assert denial.code in broken
            if denial.code == "RUNAWAY":
                assert self.state.effective is TradingState.KILLED
                self.state.reset()
            return
        assert broken == set()
        self.counts["accepted"] += 1
        price = order.price
        assert price is not None
        self.manager.submit(order)
        self.open[order.client_id] = Open(order.side, price * TICK, order.size * LOT, order.slot)
        self.sent[order.slot] = (order.side, price, order.size, self.now_ns)
        self.used.add(order.client_id)
        self.tokens -= 1
        self.left.append((self.now_ns // S, order.size))

    def end_one(self) -> None:
        if not self.open:
            return
        rng = self.rng
        client_id = rng.choice(sorted(self.open))
        mine = self.open[client_id]
        lots = int(mine.size / LOT)
        if rng.random() < 0.5:
            self.manager.on_event(OrderAccepted("BTC-USD", self.now_ns, 0, client_id, "v"))
        if rng.random() < 0.35:
            size = rng.randint(1, lots)
            self.fill_number += 1
            price = int(mine.price / TICK)
            self.manager.on_event(
                OrderFilled(
                    "BTC-USD",
                    self.now_ns,
                    0,
                    client_id,
                    f"f{self.fill_number}",
                    mine.side,
                    price,
                    size,
                    0,
                    True,
                )
            )
            self.position += mine.side * size
            self.cash -= mine.side * size * LOT * mine.price
            mine.size -= size * LOT
            lots -= size
            self.counts["fills"] += 1
            self.gate.on_position(self.position, self.now_ns)
            self.gate.runaway.forget()
            self.wanted.clear()
        elif rng.random() < 0.8:
            order = self.manager.order(client_id)
            assert order is not None
            self.manager.on_event(OrderCancelled("BTC-USD", self.now_ns, 0, client_id, lots))
            self.gate.runaway.come_back(lots, order.sent_ns)
            self.left.append((order.sent_ns // S, -lots))
            lots = 0
        if not lots:
            del self.open[client_id]

    # -- the rules once more ---------------------------------------------------------------------

    def broken_rules(self, order: SubmitOrder) -> set[str]:
        """Every control the order fails, from decimals and the test's own books."""
        rules, context, broken = self.settings, self.context, set()
        assert order.price is not None
        price, size, sign = order.price * TICK, order.size * LOT, int(order.side)
        position, mid = self.position * LOT, self.mid * TICK / 2
        same = [o for o in self.open.values() if o.side is order.side]
        other = [o for o in self.open.values() if o.side is not order.side]
        open_same = sum((o.size for o in same), Fraction(0))
        only_reduces = sign * position < 0 and size + open_same <= abs(position)
        is_quote = order.purpose == "quote"

        state = self.state.effective
        if state.name in ("HALTED", "KILLED"):
            broken.add(state.name)
        elif state.name == "PAUSED" and (is_quote or not only_reduces):
            broken.add("PAUSED")
        elif state.name == "REDUCING" and not only_reduces:
            broken.add("REDUCING")
        if not context.is_book_live:
            broken.add("STALE")
        if order.price < 1 or order.size < 2 or price * size < 25:
            broken.add("INVALID")
        if size > Fraction(rules.max_order_size_base or MAX_STRATEGY_POSITION):
            broken.add("SIZE")
        if price * size > Fraction(rules.max_order_notional):
            broken.add("NOTIONAL")
        if (
            not mid * (1 - Fraction(rules.collar_pct) / 100)
            <= price
            <= mid * (1 + Fraction(rules.collar_pct) / 100)
        ):
            broken.add("COLLAR")
        if is_quote:
            bid, ask = Fraction(context.best_bid or 0) * TICK, Fraction(context.best_ask or 0) * TICK
            band = mid * Fraction(rules.band_bps) / 10_000
            crosses = price >= ask if order.side is Side.BUY else price <= bid
            if crosses or bid >= ask or not mid - band <= price <= mid + band:
                broken.add("BAND")
        if order.client_id in self.used:
            broken.add("DUPLICATE")
        last = self.sent.get(order.slot)
        if (
            last is not None
            and last[:3] == (order.side, order.price, order.size)
            and self.now_ns - last[3] < 10**8
        ):
            broken.add("DUPLICATE")
        if any(sign * (price - o.price) >= 0 for o in other):
            broken.add("SELF_TRADE")
        if any(o.slot == order.slot for o in self.open.values()):
            broken.add("UNCERTAIN")
        if len(self.open) >= rules.max_open_orders or len(same) >= rules.max_open_orders_per_side:
            broken.add("OPEN_ORDERS")
        worst = sign * position + open_same + size
        if worst > Fraction(rules.max_position_base or 2 * MAX_STRATEGY_POSITION):
            broken.add("POSITION")
        if order.reduce_only and not only_reduces:
            broken.add("POSITION")
        if worst * mid > Fraction(rules.max_gross_notional):
            broken.add("EXPOSURE")
        if order.side is Side.SELL:
            to_sell = size + sum((o.size for o in same), Fraction(0))
            if to_sell > Fraction(context.base_balance or 0) * LOT:
                broken.add("EXPOSURE")
        elif not only_reduces:
            held = price * size + sum((o.size * o.price for o in same), Fraction(0))
            if self.cash - held < max(0, self.equity * Fraction(rules.min_free_balance_pct) / 100):
                broken.add("EXPOSURE")
        if self.filled_ns is not None:
            self.tokens += Fraction(self.now_ns - self.filled_ns, S) * rules.max_orders_per_s
            self.tokens = min(self.tokens, Fraction(rules.max_order_burst))
        self.filled_ns = self.now_ns
        if self.tokens < 1:
            broken.add("RATE")
        first = self.now_ns // S - 9
        sent = sum(lots for second, lots in self.left if second >= first)
        meant = sum(lots for second, lots in self.asked if second >= first)
        meant = max(meant, sum(size for _, size in self.wanted.values()))
        if sent + order.size > rules.runaway_ratio * meant:
            broken.add("RUNAWAY")
        return broken


CODES = {
    "HALTED", "KILLED", "PAUSED", "REDUCING", "STALE", "INVALID", "SIZE", "NOTIONAL", "COLLAR", "BAND",
    "DUPLICATE", "SELF_TRADE", "UNCERTAIN", "OPEN_ORDERS", "POSITION", "EXPOSURE", "RATE", "RUNAWAY",
}  # fmt: skip


def campaign(intents: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(intents // INTENTS_PER_SESSION):
        session = Session(seed, counts)
        for _ in range(INTENTS_PER_SESSION):
            session.step()
    assert counts["intents"] == intents
    assert counts["accepted"] > intents // 20
    assert counts["fills"] > intents // 100
    for code in CODES:
        assert counts[code] >= intents // 2_000, f"{code}: {counts}"
    assert counts.keys() <= CODES | {"intents", "accepted", "fills"}
    return counts


def test_no_accepted_order_breaks_a_limit() -> None:
    campaign(10_000)


@pytest.mark.nightly
def test_no_accepted_order_breaks_a_limit_in_a_million() -> None:
    campaign(1_000_000)


def test_takes_are_immediate_in_this_campaign() -> None:
    """The campaign's takes are what the Trader sends: IOC, never post-only."""
    session = Session(1, Counter())
    takes = [order for order in (session.intent() for _ in range(200)) if order.purpose != "quote"]
    assert takes
    assert all(order.time_in_force is TimeInForce.IOC and not order.post_only for order in takes)
