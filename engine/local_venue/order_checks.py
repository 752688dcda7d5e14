"""Whether an order or an edit may be taken: the product's rules, the account's money, the market's state."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal

from engine.core.clock import Clock
from engine.core.order import Side, TimeInForce
from engine.local_venue.fee_tiers import FeeTier
from engine.local_venue.holds import Holds, cost, cost_at_market, size_for_quote
from engine.local_venue.market import MarketEngine
from engine.local_venue.money import EXACT, ZERO
from engine.local_venue.orders import NewOrder, OrderRefused, OrderStatus, Refusal, VenueOrder
from engine.local_venue.products import Product
from engine.local_venue.rules import check_order, check_price, check_size, check_value


class OrderChecks:
    """Raises `OrderRefused` for what may not be taken; changes nothing."""

    def __init__(
        self,
        clock: Clock,
        products: Mapping[str, Product],
        holds: Holds,
        market: MarketEngine,
        *,
        refuses_crossing: bool,
    ) -> None:
        """`refuses_crossing`: a post-only order that would take is not let in at all."""
        self._clock = clock
        self._products = products
        self._holds = holds
        self._market = market
        self._refuses_crossing = refuses_crossing

    def new_order(self, asked: NewOrder, tier: FeeTier) -> tuple[VenueOrder, Decimal | None]:
        """The order as it would be taken, and the quote money that a market buy may spend."""
        product = self._products.get(asked.product_id)
        if product is None:
            raise OrderRefused(Refusal.UNKNOWN_PRODUCT)
        now_ns = self._clock.wall_ns()
        check_order(product, asked, now_ns)
        reserved, size = None, asked.size
        if asked.price is None:
            size, reserved = self._at_market(product, asked, tier.taker_rate)
        elif asked.post_only and self._refuses_crossing:
            self._check_post_only(product, asked.side, asked.price)
        assert size is not None
        if asked.side is Side.SELL:
            needed = size
        elif asked.price is None:
            needed = reserved or ZERO
        else:
            needed = cost(asked.price, size, tier.maker_rate, tier.taker_rate)
        self._holds.check(product, asked.side, needed)
        order_id = str(uuid.uuid4())
        order = VenueOrder(order_id, asked, asked.price, size, now_ns, tier.maker_rate, tier.taker_rate)
        return order, reserved

    def edit(self, order: VenueOrder, price: Decimal, size: Decimal) -> None:
        """Whether a resting order may have another price or total size."""
        if order.status is not OrderStatus.OPEN:
            raise OrderRefused(Refusal.NOT_OPEN)
        if order.price is None or order.asked.time_in_force is not TimeInForce.GTC:
            raise OrderRefused(Refusal.NOT_LIMIT_GTC)
        if (price, size) == (order.price, order.size):
            raise OrderRefused(Refusal.UNCHANGED)
        if size <= order.filled:
            raise OrderRefused(Refusal.BELOW_FILLED)
        product = self._products[order.product_id]
        check_price(product, price)
        check_size(product, size)
        check_value(product, EXACT.multiply(price, size))
        if order.asked.post_only and price != order.price:
            self._check_post_only(product, order.side, price)
        leaves = EXACT.subtract(size, order.filled)
        is_sell = order.side is Side.SELL
        needed = leaves if is_sell else cost(price, leaves, order.maker_rate, order.taker_rate)
        self._holds.check(product, order.side, needed, given_back=order.hold)

    def _check_post_only(self, product: Product, side: Side, price: Decimal) -> None:
        touch = self._market.levels(product.product_id, side.opposite, 1)
        if touch and side * (product.instrument.ticks(price) - touch[0][0]) >= 0:
            raise OrderRefused(Refusal.POST_ONLY_CROSSES)

    def _at_market(
        self, product: Product, asked: NewOrder, taker_rate: Decimal
    ) -> tuple[Decimal, Decimal | None]:
        """Base size of a market order, and the quote money it may spend (a sell: None)."""
        others = self._market.levels(product.product_id, asked.side.opposite)
        if not others:
            raise OrderRefused(Refusal.NO_LIQUIDITY)
        if asked.quote_size is None:
            assert asked.size is not None
            if asked.side is Side.SELL:
                return asked.size, None
            return asked.size, cost_at_market(product, others, asked.size, taker_rate)
        if asked.side is Side.SELL:
            raise OrderRefused(Refusal.UNSUPPORTED, "a sell names its base size")
        size = size_for_quote(product, others, asked.quote_size, taker_rate)
        if size < product.min_size:
            raise OrderRefused(Refusal.NOTIONAL_TOO_SMALL)
        return size, asked.quote_size
