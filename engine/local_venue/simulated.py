"""A market of simulated strangers, run in real time: our orders stand in one book with theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from engine.core.errors import IntegrityError, UsageError
from engine.core.events import (
    CancelOrder,
    Level,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from engine.core.order import OrderType, Side, TimeInForce
from engine.core.order_book_events import ReasonCode
from engine.core.order_book_levels import BookOrder
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule
from engine.exchange.simulator.exchange import SimulatedExchange
from engine.exchange.simulator.market import Market
from engine.exchange.simulator.order_desk import OWNER
from engine.exchange.simulator.settings import SimulatorSettings
from engine.local_venue.market import Accepted, Batch, Ended, Executed, Rejected, Report
from engine.local_venue.orders import Refusal
from engine.local_venue.products import Product, known_products

_UNLIMITED: Final = 10**40
"""The book's own account can afford everything: the venue's accounts have decided already."""

_REFUSALS: Final = {
    ReasonCode.POST_ONLY.value: Refusal.POST_ONLY_CROSSES,
    ReasonCode.FOK_UNFILLABLE.value: Refusal.UNFILLABLE,
    ReasonCode.NO_LIQUIDITY.value: Refusal.NO_LIQUIDITY,
}

STILL: Final = SimulatorSettings(
    volatility_pct_sqrt_min=0.0,
    jump_rate_per_hour=0.0,
    maker_count=0,
    taker_rate_per_min=0.0,
    noise_rate_per_min=0.0,
    arbitrageur_rate_per_min=0.0,
)
"""A market in which only the ladder stands and nobody acts unless told to."""


class SimulatedMarket:
    """One `SimulatedExchange` for each product, without latency. See `MarketEngine`."""

    def __init__(
        self, products: Mapping[str, Product], settings: SimulatorSettings, now_ns: int, wall_ns: int
    ) -> None:
        """It begins at once, at `now_ns`; `wall_ns` is the wall time then."""
        self._origin_ns = now_ns
        start = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
        instant = replace(
            settings,
            start_time=start.replace(microsecond=wall_ns % 1_000_000_000 // 1000).isoformat(),
            order_latency_ms=0.0,
            order_latency_jitter_ms=0.0,
            answer_latency_ms=0.0,
            answer_latency_jitter_ms=0.0,
            feed_latency_ms=0.0,
            feed_latency_jitter_ms=0.0,
            rate_limit_per_s=1_000_000,
        )
        self._exchanges = {
            product_id: _exchange(product, instant, settings.seed + number)
            for number, (product_id, product) in enumerate(products.items())
        }
        self._product_of: dict[str, str] = {}
        self._book_ids: dict[str, str] = {}

    def begin(self, now_ns: int) -> None:
        """See `MarketEngine`: this market needs no onlookers."""

    def poll(self, now_ns: int) -> list[Batch]:
        """See `MarketEngine`."""
        batches = []
        for exchange in self._exchanges.values():
            events = exchange.feed.poll(now_ns - self._origin_ns)
            if events:
                batches.append(Batch(events))
        return batches

    def next_due_ns(self) -> int | None:
        """See `MarketEngine`."""
        due = [at for each in self._exchanges.values() if (at := each.feed.next_due_ns()) is not None]
        return min(due) + self._origin_ns if due else None

    def reports(self, now_ns: int) -> list[Report]:
        """See `MarketEngine`."""
        return [
            report
            for exchange in self._exchanges.values()
            for event in exchange.venue.poll(now_ns - self._origin_ns)
            if (report := self._report(exchange, event)) is not None
        ]

    def _report(self, exchange: SimulatedExchange, event: OrderEvent) -> Report | None:
        if isinstance(event, OrderAccepted):
            self._book_ids[event.client_id] = event.venue_order_id
            return Accepted(event.client_id)
        if isinstance(event, OrderFilled):
            trade_id = str(exchange.trade_of(event))
            return Executed(event.client_id, event.price, event.size, event.is_maker, trade_id)
        if isinstance(event, OrderCancelled | OrderExpired):
            return Ended(event.client_id, event.reason)
        if isinstance(event, OrderRejected):
            refusal = _REFUSALS.get(event.code, Refusal.VENUE_BUSY)
            return Rejected(event.client_id, refusal, event.reason)
        return None

    def submit(
        self,
        now_ns: int,
        key: str,
        product_id: str,
        side: Side,
        size: int,
        price: int | None,
        time_in_force: TimeInForce,
        post_only: bool,
    ) -> None:
        """See `MarketEngine`."""
        self._product_of[key] = product_id
        self._exchanges[product_id].venue.submit(
            SubmitOrder(
                product_id,
                now_ns - self._origin_ns,
                key,
                side,
                size,
                price,
                OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force,
                post_only,
            )
        )

    def cancel(self, now_ns: int, key: str) -> None:
        """See `MarketEngine`."""
        product_id = self._product_of[key]
        self._exchanges[product_id].venue.cancel(CancelOrder(product_id, now_ns - self._origin_ns, key))

    def amend(self, now_ns: int, key: str, price: int, remaining: int) -> None:
        """See `MarketEngine`."""

        def change(market: Market) -> None:
            order = market.book.get(self._book_ids[key])
            if order is None:
                return
            reason = market.book.amend(order.order_id, price, order.size - order.remaining + remaining)
            if reason is not None:
                raise IntegrityError(f"order {key} was edited and its book does not take it: {reason.text}")

        self._at(now_ns, self._product_of[key]).act(change)

    def levels(self, product_id: str, side: Side, depth: int | None = None) -> list[Level]:
        """See `MarketEngine`."""
        return self._exchanges[product_id].market.book.levels(side, depth)

    def stranger_order(self, now_ns: int, product_id: str, side: Side, size: int, price: int | None) -> None:
        """See `MarketEngine`."""
        order_type = OrderType.MARKET if price is None else OrderType.LIMIT
        self._at(now_ns, product_id).act(
            lambda market: _enter(market, side, size, price, order_type, TimeInForce.GTC)
        )

    def trade_against(self, now_ns: int, key: str, size: int) -> None:
        """See `MarketEngine`."""

        def trade(market: Market) -> None:
            order = market.book.get(self._book_ids[key])
            if order is None or order.price is None:
                raise UsageError(f"order {key} does not rest: nobody can trade against it")
            ours = 0
            for other in _before(market, order):
                if other.owner == OWNER:
                    ours += other.remaining
                else:
                    market.cancel(other)
            _enter(market, order.side.opposite, ours + size, order.price, OrderType.LIMIT, TimeInForce.IOC)

        self._at(now_ns, self._product_of[key]).act(trade)

    def _at(self, now_ns: int, product_id: str) -> SimulatedExchange:
        """The exchange of a product, with everything behind it that was to happen by now."""
        exchange = self._exchanges[product_id]
        exchange.advance(now_ns - self._origin_ns)
        return exchange


def _exchange(product: Product, settings: SimulatorSettings, seed: int) -> SimulatedExchange:
    instrument = product.instrument
    prices = known_products()
    # Sizes are set in BTC and mean their value.
    scale = prices["BTC-USD"].reference_price / prices[f"{product.base}-USD"].reference_price
    account = Account(instrument, FeeSchedule(0, 0), quote=_UNLIMITED, base=_UNLIMITED)
    own = settings.for_product(float(product.reference_price), float(scale))
    return SimulatedExchange(instrument, own, account, seed)


def _enter(
    market: Market,
    side: Side,
    size: int,
    price: int | None,
    order_type: OrderType,
    time_in_force: TimeInForce,
) -> None:
    market.book.submit(market.new_id(), side, size, price, order_type, time_in_force)


def _before(market: Market, order: BookOrder) -> list[BookOrder]:
    """Orders of the same side that trade before this one."""
    assert order.price is not None
    better = [
        other
        for other in market.book.orders()
        if other.side is order.side
        and other.price is not None
        and order.side * (other.price - order.price) > 0
    ]
    queue = market.book.queue(order.side, order.price)
    return better + queue[: queue.index(order)]
