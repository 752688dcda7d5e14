"""What an order must be to enter a book: whole numbers, the instrument's limits, terms that make sense."""

from __future__ import annotations

from engine.core.instrument import Instrument
from engine.core.order import OrderType, TimeInForce
from engine.core.order_book_events import Reason, ReasonCode
from engine.core.order_book_levels import OrderTerms


class OrderRules:
    """The rules of one instrument. Each check gives the reason of a refusal, or None."""

    __slots__ = ("_instrument", "_least_cost", "_least_size", "_most_size")

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._least_size = max(1, instrument.min_size)
        # 0 stands for no maximum: a size is above 0 anyway.
        self._most_size = instrument.max_size or 0
        # A notional is a fixed number of atoms times ticks times lots: compare ticks times lots.
        self._least_cost = -(-instrument.min_notional // instrument.notional(1, 1))

    def amounts(self, size: int, price: int | None) -> Reason | None:
        """Check a total size and a limit price.

        An order without a limit price has no notional yet: only its size is checked.
        """
        if type(size) is not int or size < self._least_size or (self._most_size and size > self._most_size):
            return self._size_refusal(size)
        if price is not None and (type(price) is not int or price <= 0 or price * size < self._least_cost):
            return self._price_refusal(size, price)
        return None

    def terms(self, terms: OrderTerms, price: int | None) -> Reason | None:
        """Check that type, prices, time in force and post-only go together."""
        name, stop_price = terms.order_type.value, terms.stop_price
        is_limit = terms.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        is_stop = terms.order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
        if is_limit and price is None:
            return Reason(ReasonCode.BAD_PRICE, f"a {name} order needs a price")
        if not is_limit and price is not None:
            return Reason(ReasonCode.BAD_TERMS, f"a {name} order takes no price")
        if not is_stop and stop_price is not None:
            return Reason(ReasonCode.BAD_TERMS, f"a {name} order takes no stop price")
        if is_stop and (type(stop_price) is not int or stop_price <= 0):
            text = f"stop price {stop_price!r} must be a whole number of ticks above 0"
            return Reason(ReasonCode.BAD_PRICE, text)
        return self._time_refusal(terms, is_stop)

    def _time_refusal(self, terms: OrderTerms, is_stop: bool) -> Reason | None:
        time_in_force, expires_ns = terms.time_in_force, terms.expires_ns
        may_wait = time_in_force in (TimeInForce.GTC, TimeInForce.GTD)
        if terms.post_only and not (terms.order_type is OrderType.LIMIT and may_wait):
            return Reason(ReasonCode.BAD_TERMS, "post-only is for limit orders that may rest")
        if is_stop and not may_wait:
            return Reason(ReasonCode.BAD_TERMS, f"a stop waits: {time_in_force.value} contradicts it")
        if time_in_force is TimeInForce.GTD:
            if terms.order_type is OrderType.MARKET:
                return Reason(ReasonCode.BAD_TERMS, "a market order does not wait: gtd contradicts it")
            if type(expires_ns) is not int or expires_ns <= 0:
                return Reason(ReasonCode.BAD_TERMS, f"gtd needs a time to expire, not {expires_ns!r}")
        elif expires_ns:
            return Reason(ReasonCode.BAD_TERMS, f"{time_in_force.value} takes no time to expire")
        return None

    def _size_refusal(self, size: int) -> Reason:
        text = self._instrument.size_text
        if type(size) is not int or size <= 0:
            return Reason(ReasonCode.BAD_SIZE, f"size {size!r} must be a whole number of lots above 0")
        if size < self._least_size:
            return Reason(ReasonCode.MIN_SIZE, f"size {text(size)} is below {text(self._least_size)}")
        return Reason(ReasonCode.MAX_SIZE, f"size {text(size)} is above {text(self._most_size)}")

    def _price_refusal(self, size: int, price: int) -> Reason:
        if type(price) is not int or price <= 0:
            return Reason(ReasonCode.BAD_PRICE, f"price {price!r} must be a whole number of ticks above 0")
        worth = self._instrument.money_text(self._instrument.notional(price, size))
        least = self._instrument.money_text(self._instrument.min_notional)
        return Reason(ReasonCode.MIN_NOTIONAL, f"a notional of {worth} is below {least}")
