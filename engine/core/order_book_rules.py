"""What an order must be to enter a book: whole numbers, the instrument's limits, terms that make sense."""

from __future__ import annotations

from typing import Final

from engine.core.instrument import Instrument
from engine.core.order import OrderType, TimeInForce
from engine.core.order_book_events import Reason, ReasonCode
from engine.core.order_book_levels import OrderTerms

MOST_SIZE: Final = 2**63 - 1
"""The largest size in lots where the instrument names none: what a record's field holds."""


class OrderRules:
    """The rules of one instrument. Each check gives the reason of a refusal, or None."""

    __slots__ = ("_instrument", "limits")

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        # A notional is a fixed number of atoms times ticks times lots: compare ticks times lots.
        self.limits = (
            max(1, instrument.min_size),
            MOST_SIZE if instrument.max_size is None else instrument.max_size,
            max(1, -(-instrument.min_notional // instrument.notional(1, 1))),
        )
        """Least size, most size, least product of price and size. All are at least 1, so that a size and a
        product within them mean a price above 0 too."""

    def amounts(self, size: int, price: int | None) -> Reason | None:
        """Check a total size and a limit price.

        An order without a limit price has no notional yet: only its size is checked.
        """
        least_size, most_size, least_cost = self.limits
        if type(size) is not int or not least_size <= size <= most_size:
            return self._size_refusal(size)
        if price is not None and (type(price) is not int or price <= 0 or price * size < least_cost):
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
        text, (least, most, _) = self._instrument.size_text, self.limits
        if type(size) is not int or size <= 0:
            return Reason(ReasonCode.BAD_SIZE, f"size {size!r} must be a whole number of lots above 0")
        if size < least:
            return Reason(ReasonCode.MIN_SIZE, f"size {text(size)} is below {text(least)}")
        return Reason(ReasonCode.MAX_SIZE, f"size {text(size)} is above {text(most)}")

    def _price_refusal(self, size: int, price: int) -> Reason:
        if type(price) is not int or price <= 0:
            return Reason(ReasonCode.BAD_PRICE, f"price {price!r} must be a whole number of ticks above 0")
        worth = self._instrument.money_text(self._instrument.notional(price, size))
        least = self._instrument.money_text(self._instrument.min_notional)
        return Reason(ReasonCode.MIN_NOTIONAL, f"a notional of {worth} is below {least}")
