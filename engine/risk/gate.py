"""The risk gate: the one place every order passes, directly before it is sent.

The controls are those of the trading-safety sheet, in its order; the first that fails decides the
code. Each of them fails closed: what it cannot judge, it denies.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

import msgspec

from engine.core.events import SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import OrderType, Side, TimeInForce
from engine.core.own_orders import OwnOrders
from engine.risk.settings import RiskLimits
from engine.risk.state import RiskState, TradingState

DUPLICATE_WINDOW_NS: Final = 100_000_000
"""The same side, price and size in one slot within this time is one order sent twice (R20)."""

_POSITION_HOLD: Final = "POSITION"
# Looking a member up on an enum class costs more than most of what is done here.
_BUY: Final = Side.BUY
_LIMIT: Final = OrderType.LIMIT
_ACTIVE: Final = TradingState.ACTIVE
_IMMEDIATE: Final = (TimeInForce.IOC, TimeInForce.FOK)


class Denial(msgspec.Struct, frozen=True, gc=False):
    """Why an order was not sent: one upper-case word, and a sentence with the numbers."""

    code: str
    reason: str


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
    equity: int | None = None


Control = Callable[[SubmitOrder, RiskContext], Denial | None]


class RiskGate:
    """Judges orders against the limits and the trading state.

    Controls R3 and R4 measure from the mid: R3, the collar, holds for every order; R4, the band and the
    rule never to cross, for quotes only. R7 and R8 take the worst case: every live order of the same
    side filled, working or uncertain, and none of the other side. An order that can only reduce the
    position passes both, even beyond their limits.
    """

    def __init__(self, instrument: Instrument, limits: RiskLimits, state: RiskState) -> None:
        self.limits = limits
        self.approved = 0
        """Orders let through."""
        self.denied: dict[str, int] = {}
        """Orders denied, by code."""
        self._instrument = instrument
        self._state = state
        self._atoms_per_tick_lot = instrument.notional(1, 1)
        self._last_in_slot: dict[str, SubmitOrder] = {}
        self._controls: tuple[Control, ...] = (
            self._trading_state,
            self._book,
            self._validity,
            self._size,
            self._notional,
            self._collar,
            self._band,
            self._duplicate,
            self._self_trade,
            self._slot,
            self._open_orders,
            self._position,
            self._exposure,
        )

    def check(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """None lets the order through, which must then be sent; else the first control that failed."""
        control = self._controls[0]
        try:
            for control in self._controls:
                denial = control(order, context)
                if denial is not None:
                    break
            else:
                self.approved += 1
                self._last_in_slot[order.slot] = order
                return None
        except Exception as error:  # a control that breaks must deny, whatever broke it
            denial = _broken(control, error)
        self.denied[denial.code] = self.denied.get(denial.code, 0) + 1
        return denial

    def check_all(self, order: SubmitOrder, context: RiskContext) -> list[Denial]:
        """Every control that fails, for the explain view; counts and remembers nothing."""
        denials = []
        for control in self._controls:
            try:
                denial = control(order, context)
            except Exception as error:  # as in `check`
                denial = _broken(control, error)
            if denial is not None:
                denials.append(denial)
        return denials

    def reducible(self, side: Side, context: RiskContext) -> int:
        """Lots that an order on `side` may have at most and still only reduce the position.

        Our live orders of that side count as filled; 0 when the side does not reduce.
        """
        if side is _BUY:
            return max(0, -context.position - context.own.buy_lots)
        return max(0, context.position - context.own.sell_lots)

    def on_position(self, position: int, now_ns: int) -> bool:
        """After a fill: hold REDUCING at 100 % of the position limit, until below 80 % (R7).

        True when the trading state became more restrictive.
        """
        size, limit = abs(position), self.limits.max_position
        if size >= limit:
            if not self._state.has_hold(_POSITION_HOLD):
                text = self._instrument.size_text
                reason = f"the position is {text(position)} {self._instrument.base}, the limit {text(limit)}"
                return self._state.hold(
                    _POSITION_HOLD,
                    TradingState.REDUCING,
                    reason,
                    "the position is below 80 % of the limit",
                    now_ns,
                )
        elif 10 * size < 8 * limit:
            self._state.release(_POSITION_HOLD)
        return False

    def state(self) -> Hashable:
        """Everything that future decisions depend on, for the Trader's digest."""
        return (
            self.approved,
            tuple(sorted(self.denied.items())),
            tuple((slot, order.client_id) for slot, order in sorted(self._last_in_slot.items())),
        )

    # -- the controls, in order ------------------------------------------------------------------

    def _trading_state(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        state = self._state.effective
        if state is _ACTIVE:
            return None
        if state >= TradingState.HALTED:
            return Denial(state.name, f"trading is {state.name}: no order leaves")
        if state is TradingState.PAUSED and order.purpose == "quote":
            return Denial(state.name, "quoting is paused")
        room = self.reducible(order.side, context)
        if order.size > room:
            return Denial(
                state.name,
                f"only orders that reduce the position are sent now: at most {self._lots(room)} "
                f"on the {order.side.word} side",
            )
        return None

    def _book(self, _order: SubmitOrder, context: RiskContext) -> Denial | None:
        if context.is_book_live:
            return None
        return Denial("STALE", "the book is not live: nothing is sent on old prices")

    def _validity(self, order: SubmitOrder, _context: RiskContext) -> Denial | None:
        """R5. Only limit orders leave: a market order has no price that the collar could hold."""
        instrument, price, size = self._instrument, order.price, order.size
        if order.product != instrument.symbol:
            return Denial("INVALID", f"an order for {order.product} at the gate of {instrument.symbol}")
        if order.order_type is not _LIMIT or type(price) is not int:
            return Denial("INVALID", "only limit orders with a price in whole ticks are sent")
        if type(size) is not int or price <= 0 or size <= 0:
            return Denial(
                "INVALID", f"price {price!r} ticks and size {size!r} lots must be whole and above 0"
            )
        if size < instrument.min_size or (instrument.max_size is not None and size > instrument.max_size):
            return Denial(
                "INVALID", f"{self._lots(size)} is outside the sizes that {instrument.symbol} takes"
            )
        if self._atoms_per_tick_lot * price * size < instrument.min_notional:
            return Denial(
                "INVALID", f"worth less than {self._money(instrument.min_notional)}, the smallest order"
            )
        if order.post_only and order.time_in_force in _IMMEDIATE:
            return Denial("INVALID", "post-only contradicts immediate-or-cancel")
        return None

    def _size(self, order: SubmitOrder, _context: RiskContext) -> Denial | None:
        """R1."""
        limit = self.limits.max_order_size
        if order.size <= limit:
            return None
        return Denial("SIZE", f"order of {self._lots(order.size)}, the limit is {self._lots(limit)}")

    def _notional(self, order: SubmitOrder, _context: RiskContext) -> Denial | None:
        """R2."""
        notional, limit = (
            self._atoms_per_tick_lot * _price(order) * order.size,
            self.limits.max_order_notional,
        )
        if notional <= limit:
            return None
        return Denial("NOTIONAL", f"order worth {self._money(notional)}, the limit is {self._money(limit)}")

    def _collar(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R3."""
        mid = context.mid
        if mid is None or mid <= 0:
            return Denial("COLLAR", "there is no reference price to measure from")
        numerator, denominator = self.limits.collar
        if abs(2 * _price(order) - mid) * denominator <= mid * numerator:
            return None
        return Denial(
            "COLLAR", f"{self._away(order, mid)}, outside the collar of {_percent(self.limits.collar)}"
        )

    def _band(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R4."""
        if order.purpose != "quote":
            return None
        if not order.post_only:
            return Denial("BAND", "a quote must be post-only")
        bid, ask, mid = context.best_bid, context.best_ask, context.mid
        if bid is None or ask is None or mid is None:
            return Denial("BAND", "a side of the book is empty")
        if bid >= ask:
            return Denial("BAND", "the book is crossed")
        price = _price(order)
        if price >= ask if order.side is _BUY else price <= bid:
            touch = ask if order.side is _BUY else bid
            return Denial("BAND", f"{self._at(price)} would cross {self._at(touch)}")
        numerator, denominator = self.limits.band
        if abs(2 * price - mid) * denominator <= mid * numerator:
            return None
        return Denial("BAND", f"{self._away(order, mid)}, outside the band of {_percent(self.limits.band)}")

    def _duplicate(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R20."""
        last = self._last_in_slot.get(order.slot)
        if last is None:
            return None
        if last.client_id == order.client_id:
            return Denial("DUPLICATE", f"client id {order.client_id} was used before")
        if (
            last.price == order.price
            and last.size == order.size
            and last.side is order.side
            and context.now_ns - last.created_ns < DUPLICATE_WINDOW_NS
        ):
            return Denial("DUPLICATE", f"the same order was sent to {order.slot} less than 100 ms ago")
        return None

    def _self_trade(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R22."""
        price = _price(order)
        if order.side is _BUY:
            own = context.own.best_ask
            matches = own is not None and price >= own
        else:
            own = context.own.best_bid
            matches = own is not None and price <= own
        if not matches or own is None:
            return None
        return Denial("SELF_TRADE", f"{self._at(price)} would meet our own order at {self._at(own)}")

    def _slot(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R21: an order whose end is not proven blocks its slot."""
        other = context.own.by_slot.get(order.slot)
        if other is None:
            return None
        return Denial("UNCERTAIN", f"slot {order.slot} is taken by {other.client_id} ({other.state.value})")

    def _open_orders(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R6."""
        own, limits = context.own, self.limits
        of_side = own.buy_count if order.side is _BUY else own.sell_count
        if (
            of_side < limits.max_open_orders_per_side
            and own.buy_count + own.sell_count < limits.max_open_orders
        ):
            return None
        return Denial(
            "OPEN_ORDERS",
            f"{own.buy_count} buys and {own.sell_count} sells are open; the limits are "
            f"{limits.max_open_orders}, {limits.max_open_orders_per_side} a side",
        )

    def _position(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R7."""
        if order.reduce_only and order.size > self.reducible(order.side, context):
            return Denial("POSITION", "a reduce-only order could turn the position around")
        worst, limit = _worst_case(order, context), self.limits.max_position
        if worst <= limit:
            return None
        return Denial("POSITION", f"{self._lots(worst)} if all fills, the limit is {self._lots(limit)}")

    def _exposure(self, order: SubmitOrder, context: RiskContext) -> Denial | None:
        """R8."""
        mid, cash, equity = context.mid, context.quote_balance, context.equity
        if mid is None:
            return Denial("EXPOSURE", "there is no reference price to value the position at")
        gross, limit = (
            self._instrument.value(mid, _worst_case(order, context)),
            self.limits.max_gross_notional,
        )
        if gross > limit:
            return Denial("EXPOSURE", f"{self._money(gross)} if all fills, the limit is {self._money(limit)}")
        if order.side is Side.SELL or order.size <= self.reducible(_BUY, context):
            return None
        if cash is None or equity is None:
            return Denial("EXPOSURE", "the balances are not known")
        held = context.own.buy_tick_lots + _price(order) * order.size
        free = cash - self._atoms_per_tick_lot * held
        numerator, denominator = self.limits.min_free_balance
        if free * denominator >= equity * numerator and free >= 0:
            return None
        return Denial(
            "EXPOSURE",
            f"would leave {self._money(free)} free, the minimum is {_percent(self.limits.min_free_balance)} "
            f"of {self._money(equity)}",
        )

    # -- words -----------------------------------------------------------------------------------

    def _lots(self, lots: int) -> str:
        return f"{self._instrument.size_text(lots)} {self._instrument.base}"

    def _money(self, atoms: int) -> str:
        return f"{self._instrument.money_text(atoms)} {self._instrument.quote}"

    def _at(self, price: int) -> str:
        return self._instrument.price_text(price)

    def _away(self, order: SubmitOrder, mid: int) -> str:
        return f"{self._at(_price(order))} against a mid of {self._instrument.half_ticks_text(mid)}"


def _broken(control: Control, error: Exception) -> Denial:
    name = getattr(control, "__name__", "control").strip("_")
    return Denial("CONTROL_FAILED", f"the control of {name} failed: {error!r}")


def _price(order: SubmitOrder) -> int:
    if order.price is None:
        raise ValueError("the order has no price")
    return order.price


def _worst_case(order: SubmitOrder, context: RiskContext) -> int:
    """Lots held on the order's side if it and all our live orders of that side fill; below 0 if reduced."""
    if order.side is _BUY:
        return context.position + context.own.buy_lots + order.size
    return context.own.sell_lots + order.size - context.position


def _percent(ratio: tuple[int, int]) -> str:
    return f"{100 * ratio[0] / ratio[1]:g} %"
