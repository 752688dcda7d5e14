"""The risk gate: the one place every order passes, directly before it is sent.

The controls are those of the trading-safety sheet, in its order; the first that fails decides the
code. Each of them fails closed: what it cannot judge, it denies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from engine.core.events import SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import BUY, OrderType, Side, TimeInForce
from engine.core.own_orders import OwnOrders
from engine.risk.denials import RUNAWAY, Denial, DenialWords
from engine.risk.limits import RiskLimits
from engine.risk.order_rate import OrderRate, OrderRateState
from engine.risk.runaway import Runaway, RunawayState
from engine.risk.state import RiskState, TradingState
from engine.risk.used_ids import UsedIds, UsedIdsState

FLATTEN: Final = "flatten"
"""The purpose of orders that close the position because a person asked for it."""
DUPLICATE_WINDOW_NS: Final = 100_000_000
"""The same side, price and size in one slot within this time is one order sent twice (R20)."""

_POSITION_HOLD: Final = "POSITION"
# Looking a member up on an enum class costs more than most of what is done here.
_LIMIT: Final = OrderType.LIMIT
_ACTIVE: Final = TradingState.ACTIVE
_IMMEDIATE: Final = (TimeInForce.IOC, TimeInForce.FOK)


class RiskGateState(msgspec.Struct, frozen=True):
    """The counters, and what was sent last to each slot."""

    approved: int
    denied: dict[str, int]
    last_in_slot: dict[str, SubmitOrder]
    used_ids: UsedIdsState
    runaway: RunawayState
    rate: OrderRateState


@dataclass(slots=True)
class RiskContext:
    """What the gate needs to know at the moment of an order. One object, refilled by the Trader.

    Prices in ticks, `mid` in half ticks, money in atoms. None means unknown, and denies.
    """

    own: OwnOrders
    """Our live orders; their totals are always current."""
    now_ns: int = 0
    is_book_live: bool = False
    mid: int | None = None
    """The reference of collar and band: best bid plus best ask."""
    best_bid: int | None = None
    best_ask: int | None = None
    """The displayed touch."""
    position: int = 0
    quote_balance: int | None = None
    """Quote currency of the account, what open orders hold included."""
    base_balance: int | None = None
    """Base currency of the account in lots, what open orders hold included."""
    equity: int | None = None


class RiskGate:
    """Judges orders against the limits and the trading state.

    Controls R3 and R4 measure from the mid: R3, the collar, holds for every order; R4, the band and the
    rule never to cross, for quotes only. R7 and R8 take the worst case: every live order of the same
    side filled, working or uncertain, and none of the other side. An order that can only reduce the
    position passes both, even beyond their limits. R13, the runaway, is the one that does more than deny: it
    latches KILLED. R11, the rate, comes last: an order that is denied must not use up another one's turn.

    In HALTED and KILLED one kind of order leaves: one of a flatten that a person asked for, and only if
    it cannot increase the position. Every other control holds for it, too.
    """

    def __init__(self, instrument: Instrument, limits: RiskLimits, state: RiskState) -> None:
        self.limits = limits
        self.approved = 0
        """Orders let through."""
        self.denied: dict[str, int] = {}
        """Orders denied, by code."""
        self._instrument = instrument
        self._state = state
        self._words = DenialWords(instrument)
        self._atoms_per_tick_lot = instrument.notional(1, 1)
        self._last_in_slot: dict[str, SubmitOrder] = {}
        self._used_ids = UsedIds()
        self._rate = OrderRate()
        self.runaway = Runaway()
        """To be told what is meant to be sent before it is sent, and what came back unfilled."""
        self.failures: Sequence[Denial] = ()
        """Every control that the order denied last has failed, the one that decided first. It is for people
        and no part of the state."""

    def check(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """None lets the order through, which must then be sent; else the first control that failed, and
        `failures` has all of them."""
        found: list[Denial] = []
        try:
            self._judge(order, context, found)
        except Exception as error:  # a control that breaks must deny, whatever broke it
            found.append(Denial("CONTROL_FAILED", f"a control could not judge the order: {error!r}"))
        if not found:
            self.approved += 1
            self._last_in_slot[order.slot] = order
            self._used_ids.add(order.client_id)
            self._rate.take()
            self.runaway.send(order.size, context.now_ns)
            return None
        self.failures, denial = found, found[0]
        self.denied[denial.code] = self.denied.get(denial.code, 0) + 1
        if denial.code == RUNAWAY:
            self._state.latch(TradingState.KILLED, RUNAWAY, denial.reason, context.now_ns)
        return denial

    def is_free(self, now_ns: int, orders: int = 1) -> bool:
        """True when the rate of orders lets that many leave now (R11)."""
        return self._rate.is_free(now_ns, self.limits.max_orders_per_s, self.limits.max_order_burst, orders)

    def last_side(self) -> Side | None:
        """The side of the order that left last; None before the first."""
        orders = self._last_in_slot.values()
        last = max(orders, key=lambda order: (order.created_ns, order.client_id), default=None)
        return None if last is None else last.side

    def reducible(self, side: Side, context: RiskContext) -> int:
        """Lots that an order on `side` may have at most and still only reduce the position.

        Our live orders of that side count as filled; 0 when the side does not reduce.
        """
        if side is BUY:
            return max(0, -context.position - context.own.buy_lots)
        return max(0, context.position - context.own.sell_lots)

    def on_position(self, position: int, now_ns: int) -> None:
        """After a fill: hold REDUCING at 100 % of the position limit, until below 80 % (R7)."""
        size, limit = abs(position), self.limits.max_position
        if size >= limit:
            if not self._state.has_hold(_POSITION_HOLD):
                text = self._instrument.size_text
                self._state.hold(
                    _POSITION_HOLD,
                    TradingState.REDUCING,
                    f"the position is {text(position)} {self._instrument.base}, the limit {text(limit)}",
                    "the position is below 80 % of the limit",
                    now_ns,
                )
        elif 10 * size < 8 * limit:
            self._state.release(_POSITION_HOLD)

    def save(self) -> RiskGateState:
        """All of it, copied; the limits are settings."""
        return RiskGateState(
            self.approved,
            self.denied.copy(),
            self._last_in_slot.copy(),
            self._used_ids.save(),
            self.runaway.save(),
            self._rate.save(),
        )

    def load(self, state: RiskGateState) -> None:
        """Go on from there."""
        self.approved = state.approved
        self.denied = dict(state.denied)
        self._last_in_slot = dict(state.last_in_slot)
        self._used_ids.load(state.used_ids)
        self.runaway.load(state.runaway)
        self._rate.load(state.rate)

    # -- the controls, in order ------------------------------------------------------------------

    def _judge(self, order: SubmitOrder, context: RiskContext, found: list[Denial]) -> None:
        """Put every control that fails into `found`, in order.

        All are one walk: it runs for every order that leaves, and calls would cost more than it. The
        words of a denial are made only when there is one. What cannot be measured, because an earlier
        control has found nothing to measure by, is not told of again.
        """
        limits, own, side = self.limits, context.own, order.side
        is_buy = side is BUY
        if self._state.effective is not _ACTIVE:
            self._restrict(order, context, found)
        if not context.is_book_live:
            found.append(Denial("STALE", "the book is not live: nothing is sent on old prices"))

        # R5. Only limit orders leave: a market order has no price that the collar could hold.
        words, invalid = self._words, self._invalid(order)
        price, size = order.price, order.size
        if invalid or price is None:
            found.append(Denial("INVALID", invalid))
            return
        if size > limits.max_order_size:  # R1
            found.append(words.too_large(order, limits))
        if (notional := self._atoms_per_tick_lot * price * size) > limits.max_order_notional:  # R2
            found.append(words.too_dear(notional, limits))

        mid, bid, ask = context.mid, context.best_bid, context.best_ask
        collar, collar_whole = limits.collar
        if mid is None or mid <= 0:  # R3
            found.append(Denial("COLLAR", "there is no reference price to measure from"))
        elif abs(2 * price - mid) * collar_whole > mid * collar:
            found.append(Denial("COLLAR", words.away(price, mid, "collar", limits.collar)))
        if order.purpose == "quote":  # R4
            band, band_whole = limits.band
            if not order.post_only:
                found.append(Denial("BAND", "a quote must be post-only"))
            if bid is None or ask is None:
                found.append(Denial("BAND", "a side of the book is empty"))
            elif bid >= ask:
                found.append(Denial("BAND", "the book is crossed"))
            elif price >= ask if is_buy else price <= bid:
                crossed = words.at(ask if is_buy else bid)
                found.append(Denial("BAND", f"{words.at(price)} would cross {crossed}"))
            elif mid and abs(2 * price - mid) * band_whole > mid * band:
                found.append(Denial("BAND", words.away(price, mid, "band", limits.band)))

        if order.client_id in self._used_ids:  # R20
            found.append(Denial("DUPLICATE", f"client id {order.client_id} was used before"))
        last = self._last_in_slot.get(order.slot)
        if (
            last is not None
            and last.price == price
            and last.size == size
            and last.side is side
            and context.now_ns - last.created_ns < DUPLICATE_WINDOW_NS
        ):
            text = f"the same order was sent to {order.slot} less than 100 ms ago"
            found.append(Denial("DUPLICATE", text))
        meets = own.best_ask if is_buy else own.best_bid  # R22
        if meets is not None and (price >= meets if is_buy else price <= meets):
            text = f"{words.at(price)} would meet our own order at {words.at(meets)}"
            found.append(Denial("SELF_TRADE", text))
        if (other := own.by_slot.get(order.slot)) is not None:  # R21: unproven, so still in the way
            text = f"slot {order.slot} is taken by {other.client_id} ({other.state.value})"
            found.append(Denial("UNCERTAIN", text))
        if (  # R6
            (own.buy_count if is_buy else own.sell_count) >= limits.max_open_orders_per_side
            or own.buy_count + own.sell_count >= limits.max_open_orders
        ):
            found.append(words.too_many(own, limits))

        # R7: every live order of this side filled, and none of the other. Above 0 only where the order can do
        # more than reduce.
        worst = size + (own.buy_lots + context.position if is_buy else own.sell_lots - context.position)
        if order.reduce_only and worst > 0:
            found.append(Denial("POSITION", "a reduce-only order could turn the position around"))
        if worst > limits.max_position:
            found.append(words.too_much(worst, limits))

        if mid is not None:  # R8
            gross = self._atoms_per_tick_lot * mid * worst // 2
            if gross > limits.max_gross_notional:
                found.append(words.too_exposed(gross, limits))
        if not is_buy:
            if context.base_balance is None:
                found.append(Denial("EXPOSURE", "the balances are not known"))
            elif own.sell_lots + size > context.base_balance:
                found.append(words.too_little_base(context.base_balance))
        elif worst > 0:
            if context.quote_balance is None or context.equity is None:
                found.append(Denial("EXPOSURE", "the balances are not known"))
            else:
                held = self._atoms_per_tick_lot * (own.buy_tick_lots + price * size)
                free, least = context.quote_balance - held, limits.min_free_balance
                if free < 0 or free * least.denominator < context.equity * least.numerator:
                    found.append(words.too_little_free(free, context.equity, limits))
        if self.runaway.is_beyond(size, limits.runaway_ratio, context.now_ns):  # R13
            found.append(words.run_away(size, *self.runaway.totals(context.now_ns)))
        if not self._rate.is_free(context.now_ns, limits.max_orders_per_s, limits.max_order_burst):  # R11
            found.append(Denial("RATE", f"more than {limits.max_orders_per_s} orders a second are wanted"))

    def _restrict(self, order: SubmitOrder, context: RiskContext, found: list[Denial]) -> None:
        state = self._state.effective
        is_exempt = order.purpose == FLATTEN and self._state.is_flattening
        if state >= TradingState.HALTED and not is_exempt:
            found.append(Denial(state.name, f"trading is {state.name}: no order leaves"))
        elif state is TradingState.PAUSED and order.purpose == "quote":
            found.append(Denial(state.name, "quoting is paused"))
        elif order.size > (room := self.reducible(order.side, context)):
            text = (
                f"only orders that reduce the position are sent now: at most {self._words.lots(room)} "
                f"on the {order.side.word} side"
            )
            found.append(Denial(state.name, text))

    def _invalid(self, order: SubmitOrder) -> str:
        """Why this is no order that the instrument takes; empty when it is one (R5)."""
        instrument, price, size = self._instrument, order.price, order.size
        if order.product != instrument.symbol:
            return f"an order for {order.product} at the gate of {instrument.symbol}"
        if order.order_type is not _LIMIT or type(price) is not int:
            return "only limit orders with a price in whole ticks are sent"
        if type(size) is not int or price <= 0 or size <= 0:
            return f"price {price!r} ticks and size {size!r} lots must be whole and above 0"
        if size < instrument.min_size or (instrument.max_size is not None and size > instrument.max_size):
            return f"{self._words.lots(size)} is outside the sizes that {instrument.symbol} takes"
        if self._atoms_per_tick_lot * price * size < instrument.min_notional:
            return f"worth less than {self._words.money(instrument.min_notional)}, the smallest order"
        if order.post_only and order.time_in_force in _IMMEDIATE:
            return "post-only contradicts immediate-or-cancel"
        return ""
