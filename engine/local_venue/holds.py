"""What an order keeps of the account while it may still trade, and whether the account has it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from engine.core.events import Level
from engine.core.order import Side
from engine.local_venue.accounts import Accounts
from engine.local_venue.money import EXACT, ZERO, floor_to, product_of
from engine.local_venue.orders import OrderRefused, Refusal, VenueOrder
from engine.local_venue.products import Product


class Holds:
    """Keeps each order's hold equal to what it needs."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def check(self, product: Product, side: Side, amount: Decimal, given_back: Decimal = ZERO) -> None:
        """Raise `OrderRefused` unless the account can keep `amount` aside, after it got `given_back`."""
        wallet = self._accounts.get(product.quote if side is Side.BUY else product.base)
        if wallet is None:
            raise OrderRefused(Refusal.NO_ACCOUNT)
        if amount > EXACT.add(wallet.available, given_back):
            raise OrderRefused(Refusal.INSUFFICIENT_FUNDS)

    def update(self, product: Product, order: VenueOrder, reserved: Decimal | None, now_ns: int) -> None:
        """Let the order hold what it needs now; `reserved` is what a market order may spend in all."""
        needed = self._needed(order, reserved)
        if needed != order.hold:
            currency = product.quote if order.side is Side.BUY else product.base
            self._accounts.hold(currency, EXACT.subtract(needed, order.hold), now_ns)
            order.hold = needed

    @staticmethod
    def _needed(order: VenueOrder, reserved: Decimal | None) -> Decimal:
        if not order.is_live:
            return ZERO
        if order.side is Side.SELL:
            return order.leaves
        if order.price is not None:
            return cost(order.price, order.leaves, order.maker_rate, order.taker_rate)
        assert reserved is not None
        return max(ZERO, EXACT.subtract(reserved, EXACT.add(order.value, order.fees)))


def cost(price: Decimal, size: Decimal, maker_rate: Decimal, taker_rate: Decimal) -> Decimal:
    """Quote money that a buy may need, with the dearer of the two fees."""
    return product_of(price, size, EXACT.add(Decimal(1), max(maker_rate, taker_rate, ZERO)))


def cost_at_market(product: Product, offers: Sequence[Level], size: Decimal, taker_rate: Decimal) -> Decimal:
    """Quote money that taking `size` from these levels needs with its fee, as far as they reach."""
    left, value = product.instrument.lots(size), ZERO
    for price, lots in offers:
        taken = min(left, lots)
        value = EXACT.add(value, product_of(Decimal(price), product.tick, Decimal(taken), product.step))
        left -= taken
        if not left:
            break
    return product_of(value, EXACT.add(Decimal(1), max(taker_rate, ZERO)))


def size_for_quote(
    product: Product, offers: Sequence[Level], quote_size: Decimal, taker_rate: Decimal
) -> Decimal:
    """The base size that so much quote money buys from these levels, fee included, cut to the increment."""
    left = EXACT.divide(quote_size, EXACT.add(Decimal(1), max(taker_rate, ZERO)))
    size = ZERO
    for ticks, lots in offers:
        price = EXACT.multiply(Decimal(ticks), product.tick)
        most = EXACT.multiply(Decimal(lots), product.step)
        affordable = floor_to(EXACT.divide(left, price), product.step)
        if affordable <= most:
            return EXACT.add(size, affordable)
        size = EXACT.add(size, most)
        left = EXACT.subtract(left, EXACT.multiply(most, price))
    return size
