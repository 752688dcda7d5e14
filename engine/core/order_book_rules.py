"""What an order must be to enter a book: whole numbers, the instrument's limits, terms that make sense."""

from __future__ import annotations

from engine.core.instrument import Instrument
from engine.core.order import OrderType, Side, TimeInForce
from engine.core.order_book_events import Reason, ReasonCode
from engine.core.order_book_levels import BookOrder

_LIMIT = OrderType.LIMIT
_GTC = TimeInForce.GTC


class OrderRules:
    """The rules of one instrument. Each check gives the reason of a refusal, or None."""

    __slots__ = ("_instrument", "_least_cost", "_least_size", "_most_size")

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._least_size = max(1, instrument.min_size)
        self._most_size = instrument.max_size
        # A notional is a fixed number of atoms times ticks times lots: compare ticks times lots.
        self._least_cost = -(-instrument.min_notional // instrument.notional(1, 1))

    def refusal(self, order: BookOrder, symbol: str) -> Reason | None:
        """Check a new order, and the product it was sent for when that is given."""
        if symbol and symbol != self._instrument.symbol:
            text = f"this is the book of {self._instrument.symbol}, the order is for {symbol}"
            return Reason(ReasonCode.WRONG_PRODUCT, text)
        if type(order.side) is not Side:
            return Reason(ReasonCode.BAD_TERMS, f"{order.side!r} is not a side")
        reason = self.amounts(order.size, order.price)
        if reason is None and not (
            order.order_type is _LIMIT
            and order.time_in_force is _GTC
            and order.price is not None
            and order.stop_price is None
            and not order.expires_ns
        ):
            reason = self.terms(order)
        return reason

    def amounts(self, size: int, price: int | None) -> Reason | None:
        """Check a total size and a limit price against the instrument.

        An order without a limit price has no notional yet: only its size is checked.
        """
        if type(size) is not int or size < self._least_size:
            return self._size_too_small(size)
        if self._most_size is not None and size > self._most_size:
            most = self._instrument.size_text(self._most_size)
            return Reason(ReasonCode.MAX_SIZE, f"size {self._instrument.size_text(size)} is above {most}")
        if price is None:
            return None
        if type(price) is not int or price <= 0:
            return Reason(ReasonCode.BAD_PRICE, f"price {price!r} must be a whole number of ticks above 0")
        if price * size < self._least_cost:
            worth = self._instrument.money_text(self._instrument.notional(price, size))
            least = self._instrument.money_text(self._instrument.min_notional)
            return Reason(ReasonCode.MIN_NOTIONAL, f"a notional of {worth} is below the least, {least}")
        return None

    def terms(self, order: BookOrder) -> Reason | None:
        """Check that type, prices, time in force and post-only go together."""
        order_type, price, stop_price = order.order_type, order.price, order.stop_price
        wants_price = order_type is _LIMIT or order_type is OrderType.STOP_LIMIT
        is_stop = order_type is OrderType.STOP or order_type is OrderType.STOP_LIMIT
        if wants_price and price is None:
            return Reason(ReasonCode.BAD_PRICE, f"a {order_type.value} order needs a price")
        if not wants_price and price is not None:
            return Reason(ReasonCode.BAD_TERMS, f"a {order_type.value} order takes no price")
        if is_stop and (type(stop_price) is not int or stop_price <= 0):
            return Reason(
                ReasonCode.BAD_PRICE, f"stop price {stop_price!r} must be a whole number of ticks above 0"
            )
        if not is_stop and stop_price is not None:
            return Reason(ReasonCode.BAD_TERMS, f"a {order_type.value} order takes no stop price")
        return self._time_terms(order, is_stop)

    def _time_terms(self, order: BookOrder, is_stop: bool) -> Reason | None:
        time_in_force, expires_ns = order.time_in_force, order.expires_ns
        may_wait = time_in_force is _GTC or time_in_force is TimeInForce.GTD
        if order.post_only and not (order.order_type is _LIMIT and may_wait):
            return Reason(ReasonCode.BAD_TERMS, "post-only is for limit orders that may rest")
        if is_stop and not may_wait:
            return Reason(ReasonCode.BAD_TERMS, f"a stop waits: {time_in_force.value} contradicts it")
        if time_in_force is TimeInForce.GTD:
            if order.order_type is OrderType.MARKET:
                return Reason(ReasonCode.BAD_TERMS, "a market order does not wait: gtd contradicts it")
            if type(expires_ns) is not int or expires_ns <= 0:
                return Reason(ReasonCode.BAD_TERMS, f"gtd needs a time to expire, not {expires_ns!r}")
        elif expires_ns:
            return Reason(ReasonCode.BAD_TERMS, f"{time_in_force.value} takes no time to expire")
        return None

    def _size_too_small(self, size: int) -> Reason:
        if type(size) is not int or size <= 0:
            return Reason(ReasonCode.BAD_SIZE, f"size {size!r} must be a whole number of lots above 0")
        least = self._instrument.size_text(self._least_size)
        return Reason(ReasonCode.MIN_SIZE, f"size {self._instrument.size_text(size)} is below {least}")
