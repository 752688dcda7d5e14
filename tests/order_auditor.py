"""A second opinion on every order that left a Trader: naive, and with books and arithmetic of its own.

It is told what the Trader was told and what its strategy wanted, works in exact decimals of the base and
quote currencies, and shares with the engine the settings and the events, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.core.events import (
    AnyEvent,
    BookSnapshot,
    FeedState,
    FeedStatus,
    OperatorCommand,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.risk.settings import RiskSettings
from engine.strategy.protocol import Decision

S = 1_000_000_000
AUDITED = frozenset(
    {
        *("SIZE", "NOTIONAL", "COLLAR", "BAND", "INVALID", "OPEN_ORDERS", "POSITION", "EXPOSURE"),
        *("RATE", "RUNAWAY", "DUPLICATE", "SELF_TRADE"),
    }
)
"""The codes of R1-R8, R11, R13, R20 and R22."""


@dataclass
class Open:
    """An order that may trade, as far as the auditor has been told."""

    side: Side
    price: Decimal
    left: Decimal
    sent_ns: int


class OrderAuditor:
    """Judges each order by itself, from the sums over everything that came before it."""

    def __init__(
        self,
        rules: RiskSettings,
        instrument: Instrument,
        *,
        max_strategy_position: Decimal,
        opening_quote: Decimal,
        opening_base: Decimal,
    ) -> None:
        """`max_strategy_position` stands in for limits that the settings leave open."""
        self.rules = rules
        self.tick, self.lot = Decimal(str(instrument.tick)), Decimal(str(instrument.lot))
        self.min_size = Decimal(instrument.min_size) * self.lot
        self.min_value = Decimal(instrument.min_notional).scaleb(-instrument.money_places)
        self.max_size = rules.max_order_size_base or max_strategy_position
        self.max_position = rules.max_position_base or 2 * max_strategy_position
        self.opening_quote, self.opening_base = opening_quote, opening_base
        self.position = self.cash = Decimal(0)
        self.bid = self.ask = Decimal(0)
        self.is_live = False
        self.open: dict[str, Open] = {}
        self.used: set[str] = set()
        self.last_in_slot: dict[str, SubmitOrder] = {}
        self.left_ns: list[int] = []
        """When each order left."""
        self.flow: list[tuple[int, Decimal]] = []
        """By second, what left, and below 0 what came back of it."""
        self.meant: list[tuple[int, Decimal]] = []
        """By second, what was asked for that had not been asked for before."""
        self.asked: dict[str, tuple[int, int]] = {}
        self.old: set[str] = set()
        """Slots whose wish counts anew: something has happened since it was uttered."""

    # -- what happens ----------------------------------------------------------------------------

    def on_decision(self, decision: Decision, now_ns: int) -> None:
        """What the strategy wants from now on."""
        wanted = [(quote.slot, quote.price, quote.size) for quote in decision.quotes]
        if decision.take is not None:
            wanted.append((decision.take.purpose, decision.take.price, decision.take.size))
        for slot, price, size in wanted:
            if slot in self.old or self.asked.get(slot) != (price, size):
                self.meant.append((now_ns // S, size * self.lot))
            self.old.discard(slot)
            self.asked[slot] = (price, size)

    def on_event(self, event: AnyEvent) -> None:
        """What the Trader is told."""
        if isinstance(event, OrderFilled | OperatorCommand | FeedStatus):
            self.old.update(self.asked)
        if isinstance(event, BookSnapshot):
            self.bid = max((price for price, _ in event.bids), default=0) * self.tick
            self.ask = min((price for price, _ in event.asks), default=0) * self.tick
        elif isinstance(event, FeedStatus):
            self.is_live = event.state is FeedState.LIVE
        elif isinstance(event, OrderFilled):
            amount = event.size * self.lot
            self.position += event.side * amount
            self.cash -= event.side * amount * event.price * self.tick
            order = self.open[event.client_id]
            order.left -= amount
            if not order.left:
                del self.open[event.client_id]
        elif isinstance(event, OrderCancelled | OrderExpired | OrderRejected):
            order = self.open.pop(event.client_id)
            self.flow.append((order.sent_ns // S, -order.left))

    # -- what leaves -----------------------------------------------------------------------------

    def judge(self, order: SubmitOrder, now_ns: int) -> set[str]:
        """The codes of the limits that an order which has left breaks; it is open from now on."""
        assert order.price is not None
        price, size = order.price * self.tick, order.size * self.lot
        broken = self._form(order, price, size)
        if self.bid and self.ask and self.is_live:
            broken |= self._market(order, price)
            broken |= self._money(order, price, size)
        else:
            broken |= {"COLLAR", "EXPOSURE"}  # there is nothing to judge it by
        broken |= self._among_ours(order, price, size, now_ns)
        broken |= self._pace(size, now_ns)
        self.open[order.client_id] = Open(order.side, price, size, now_ns)
        self.used.add(order.client_id)
        self.last_in_slot[order.slot] = order
        self.left_ns.append(now_ns)
        self.flow.append((now_ns // S, size))
        return broken

    def _form(self, order: SubmitOrder, price: Decimal, size: Decimal) -> set[str]:
        """R1, R2, R5."""
        broken = set()
        if price <= 0 or size <= 0 or size < self.min_size or price * size < self.min_value:
            broken.add("INVALID")
        if size > self.max_size:
            broken.add("SIZE")
        if price * size > self.rules.max_order_notional:
            broken.add("NOTIONAL")
        return broken

    def _market(self, order: SubmitOrder, price: Decimal) -> set[str]:
        """R3, R4."""
        broken, mid = set(), (self.bid + self.ask) / 2
        if abs(price - mid) > mid * self.rules.collar_pct / 100:
            broken.add("COLLAR")
        if order.purpose == "quote":
            crosses = price >= self.ask if order.side is Side.BUY else price <= self.bid
            is_far = abs(price - mid) > mid * self.rules.band_bps / 10_000
            if crosses or is_far or self.bid >= self.ask or not order.post_only:
                broken.add("BAND")
        return broken

    def _money(self, order: SubmitOrder, price: Decimal, size: Decimal) -> set[str]:
        """R8."""
        mid = (self.bid + self.ask) / 2
        same = [each for each in self.open.values() if each.side is order.side]
        worst = self._worst(order, size)
        if worst * mid > self.rules.max_gross_notional:
            return {"EXPOSURE"}
        if order.side is Side.SELL:
            has_base = size + sum(each.left for each in same) <= self.opening_base + self.position
            return set() if has_base else {"EXPOSURE"}
        if self.position < 0 and worst <= 0:
            return set()  # it can only reduce a short position
        held = price * size + sum(each.price * each.left for each in same)
        equity = self.opening_quote + self.cash + self.position * mid
        least = max(Decimal(0), equity * self.rules.min_free_balance_pct / 100)
        return {"EXPOSURE"} if self.opening_quote + self.cash - held < least else set()

    def _worst(self, order: SubmitOrder, size: Decimal) -> Decimal:
        """The position in the order's direction with it and all open orders of its side filled."""
        same = sum(each.left for each in self.open.values() if each.side is order.side)
        return order.side * self.position + same + size

    def _among_ours(self, order: SubmitOrder, price: Decimal, size: Decimal, now_ns: int) -> set[str]:
        """R6, R7, R20, R22."""
        broken = set()
        same = [each for each in self.open.values() if each.side is order.side]
        if len(self.open) >= self.rules.max_open_orders or len(same) >= self.rules.max_open_orders_per_side:
            broken.add("OPEN_ORDERS")
        if self._worst(order, size) > self.max_position:
            broken.add("POSITION")
        last = self.last_in_slot.get(order.slot)
        if order.client_id in self.used or (
            last is not None
            and (last.side, last.price, last.size) == (order.side, order.price, order.size)
            and now_ns - last.created_ns < S // 10
        ):
            broken.add("DUPLICATE")
        if any(
            each.side is not order.side and order.side * (price - each.price) >= 0
            for each in self.open.values()
        ):
            broken.add("SELF_TRADE")
        return broken

    def _pace(self, size: Decimal, now_ns: int) -> set[str]:
        """R11, R13. From whenever one looks: never more than the burst and what the rate has added."""
        broken, rules = set(), self.rules
        times = [*self.left_ns, now_ns]
        for number, since_ns in enumerate(times):
            allowed = rules.max_order_burst * S + rules.max_orders_per_s * (now_ns - since_ns)
            if (len(times) - number) * S > allowed:
                broken.add("RATE")
        first = now_ns // S - 9
        sent = size + sum(amount for second, amount in self.flow if second >= first)
        meant = sum(amount for second, amount in self.meant if second >= first)
        standing = sum(lots for _, lots in self.asked.values()) * self.lot
        if sent > rules.runaway_ratio * max(meant, standing):
            broken.add("RUNAWAY")
        return broken
