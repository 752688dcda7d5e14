"""The venue's order desk: takes orders in, changes and cancels them, and books what the market reports."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from engine.core.clock import Clock
from engine.core.order import Side, TimeInForce
from engine.local_venue.accounts import Accounts
from engine.local_venue.fee_tiers import FeeTier, tier_of
from engine.local_venue.holds import Holds
from engine.local_venue.market import Accepted, Ended, Executed, MarketEngine, Rejected, Report
from engine.local_venue.money import EXACT, product_of
from engine.local_venue.order_checks import OrderChecks
from engine.local_venue.orders import (
    Edit,
    Fill,
    NewOrder,
    OrderRefused,
    OrderStatus,
    Refusal,
    VenueOrder,
)
from engine.local_venue.products import Product
from engine.local_venue.settings import ORIGINAL, REFUSE, VenueSettings

_MS: Final = 1_000_000
_AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)

OrderListener = Callable[[VenueOrder, Fill | None], None]
"""Called at every change of an order, with the fill that made it; the order changes afterwards."""


class OrderDesk:
    """All orders and fills of the account. Raises `OrderRefused` for what it does not do."""

    def __init__(
        self,
        settings: VenueSettings,
        clock: Clock,
        products: Mapping[str, Product],
        accounts: Accounts,
        market: MarketEngine,
        tell: OrderListener,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._products = products
        self._accounts = accounts
        self._market = market
        self._tell = tell
        self._holds = Holds(accounts)
        self._checks = OrderChecks(
            clock, products, self._holds, market, refuses_crossing=settings.post_only_crossing == REFUSE
        )
        self.orders: dict[str, VenueOrder] = {}
        """Every order there ever was, by id, oldest first."""
        self.fills: list[Fill] = []
        """Every execution, oldest first."""
        self._live: dict[str, VenueOrder] = {}
        self._by_client_id: dict[str, str] = {}
        self._reserved: dict[str, Decimal] = {}
        self._expiring: set[str] = set()
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    # -- what is asked -----------------------------------------------------------------------------

    @property
    def live(self) -> list[VenueOrder]:
        """Orders that may still trade, oldest first."""
        return list(self._live.values())

    @property
    def volume(self) -> Decimal:
        """Quote money traded in thirty days, what came before this venue included."""
        return sum((fill.value for fill in self.fills), self._settings.traded_volume)

    @property
    def tier(self) -> FeeTier:
        """The account's fees now."""
        return tier_of(self._settings.fee_tiers, self.volume)

    # -- what is ordered -----------------------------------------------------------------------------

    def submit(self, asked: NewOrder) -> VenueOrder:
        """Take an order; the order of before for a client id that was used, where the settings say so."""
        first = self._by_client_id.get(asked.client_order_id) if asked.client_order_id else None
        if first is not None:
            if self._settings.duplicate_client_id == ORIGINAL:
                return self.orders[first]
            raise OrderRefused(Refusal.DUPLICATE_CLIENT_ID)
        order, reserved = self.preview(asked)
        if sum(each.product_id == asked.product_id for each in self._live.values()) >= (
            self._settings.max_open_orders
        ):
            raise OrderRefused(Refusal.TOO_MANY_OPEN)
        if asked.client_order_id:
            self._by_client_id[asked.client_order_id] = order.order_id
        self.orders[order.order_id] = self._live[order.order_id] = order
        if reserved is not None:
            self._reserved[order.order_id] = reserved
        self._changed(order)
        self._later(self._settings.accept_delay_ms, lambda: self._enter(order))
        return order

    def preview(self, asked: NewOrder) -> tuple[VenueOrder, Decimal | None]:
        """The order as it would be taken, and what a market buy may spend; nothing is kept of it."""
        return self._checks.new_order(asked, self.tier)

    def edit(self, order_id: str, price: Decimal, size: Decimal) -> VenueOrder:
        """Give a resting GTC limit order another price or total size."""
        order = self.check_edit(order_id, price, size)
        assert order.price is not None
        order.edits.append(Edit(order.price, order.size, self._clock.wall_ns()))
        order.price, order.size = price, size
        instrument = self._products[order.product_id].instrument
        self._market.amend(
            self._clock.monotonic_ns(), order_id, instrument.ticks(price), instrument.lots(order.leaves)
        )
        self._changed(order)
        self.settle()
        return order

    def check_edit(self, order_id: str, price: Decimal, size: Decimal) -> VenueOrder:
        """The order, if it may be edited so."""
        order = self.orders.get(order_id)
        if order is None:
            raise OrderRefused(Refusal.UNKNOWN_ORDER)
        self._checks.edit(order, price, size)
        return order

    def cancel(self, order_id: str) -> VenueOrder:
        """Take a cancel up: the order is queued for it, and gone when the market says so."""
        order = self.orders.get(order_id)
        if order is None:
            raise OrderRefused(Refusal.UNKNOWN_ORDER)
        if order.status is OrderStatus.FILLED:
            raise OrderRefused(Refusal.ALREADY_FILLED)
        if order.status is OrderStatus.CANCEL_QUEUED:
            raise OrderRefused(Refusal.CANCEL_PENDING)
        if not order.is_live:
            raise OrderRefused(Refusal.NOT_OPEN)
        was_pending = order.status is OrderStatus.PENDING
        order.status, order.cancel_reason = OrderStatus.CANCEL_QUEUED, "User requested cancel"
        self._changed(order)
        if was_pending:
            self._end(order, OrderStatus.CANCELLED)
        else:
            self._later(self._settings.cancel_delay_ms, lambda: self._withdraw(order))
        return order

    # -- time ------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Do what has fallen due, then book what the market reports."""
        now_ns = self._clock.monotonic_ns()
        while self._agenda and self._agenda[0][0] <= now_ns:
            heapq.heappop(self._agenda)[2]()
        wall_ns = self._clock.wall_ns()
        for order in self.live:
            end_ns = order.asked.end_time_ns
            if end_ns is not None and end_ns <= wall_ns and order.order_id not in self._expiring:
                self._expiring.add(order.order_id)
                self._withdraw(order)
        self.settle()

    def settle(self) -> None:
        """Book what the market reports of our orders."""
        for report in self._market.reports(self._clock.monotonic_ns()):
            order = self._live.get(report.key)
            if order is not None:
                self._book(order, report)

    def next_due_ns(self) -> int | None:
        """Monotonic time of the next thing to do; None when there is none."""
        return self._agenda[0][0] if self._agenda else None

    def _later(self, delay_ms: int, deed: Callable[[], None]) -> None:
        if not delay_ms:
            deed()
            return
        due = self._clock.monotonic_ns() + delay_ms * _MS
        heapq.heappush(self._agenda, (due, next(self._numbers), deed))

    def _enter(self, order: VenueOrder) -> None:
        if not order.is_live:
            return
        instrument = self._products[order.product_id].instrument
        # The desk itself ends GTD orders, by the wall clock.
        waits = order.asked.time_in_force is TimeInForce.GTD
        self._market.submit(
            self._clock.monotonic_ns(),
            order.order_id,
            order.product_id,
            order.side,
            instrument.lots(order.size),
            None if order.price is None else instrument.ticks(order.price),
            TimeInForce.GTC if waits else order.asked.time_in_force,
            order.asked.post_only,
        )
        self.settle()

    def _withdraw(self, order: VenueOrder) -> None:
        if order.is_live:
            self._market.cancel(self._clock.monotonic_ns(), order.order_id)
            self.settle()

    # -- what the market reports -----------------------------------------------------------------------

    def _book(self, order: VenueOrder, report: Report) -> None:
        if isinstance(report, Executed):
            self._fill(order, report)
        elif isinstance(report, Ended):
            expired = order.order_id in self._expiring
            if order.status is not OrderStatus.CANCEL_QUEUED:
                order.cancel_reason = "Order expired" if expired else report.text
            self._end(order, OrderStatus.EXPIRED if expired else OrderStatus.CANCELLED)
        elif isinstance(report, Rejected):
            order.refusal = report.refusal
            self._end(order, OrderStatus.FAILED)
        elif isinstance(report, Accepted) and order.asked.time_in_force not in _AT_ONCE:
            order.status = OrderStatus.OPEN
            self._changed(order)

    def _fill(self, order: VenueOrder, report: Executed) -> None:
        product = self._products[order.product_id]
        price = product_of(Decimal(report.price), product.tick)
        # An order that was made smaller in its place may be larger in a market that cannot shrink it.
        size = min(product_of(Decimal(report.size), product.step), order.leaves)
        fill = self._execute(order, price, size, report.is_maker, report.trade_id)
        if order.filled == order.size:
            if order.edits:
                self._market.cancel(self._clock.monotonic_ns(), order.order_id)
            self._end(order, OrderStatus.FILLED, fill)
        else:
            self._changed(order, fill)

    def overfill(self, order_id: str, size: Decimal) -> None:
        """Book a maker's fill that the market never made, whatever the order has left: a venue's mistake."""
        order = self.orders[order_id]
        assert order.price is not None
        self._changed(order, self._execute(order, order.price, size, True, str(uuid.uuid4())))

    def _execute(
        self, order: VenueOrder, price: Decimal, size: Decimal, is_maker: bool, trade_id: str
    ) -> Fill:
        """Write a fill down: in the list, in the accounts, in the order's figures."""
        product = self._products[order.product_id]
        rate = order.maker_rate if is_maker else order.taker_rate
        value = product_of(price, size)
        commission = product_of(value, rate)
        now_ns = self._clock.wall_ns()
        fill = Fill(
            str(uuid.uuid4()),
            trade_id,
            order.order_id,
            order.product_id,
            order.side,
            price,
            size,
            commission,
            is_maker,
            now_ns,
        )
        self.fills.append(fill)
        sign = Decimal(order.side.value)
        self._accounts.add(product.base, EXACT.multiply(sign, size), now_ns)
        self._accounts.add(
            product.quote, EXACT.minus(EXACT.add(EXACT.multiply(sign, value), commission)), now_ns
        )
        order.filled = EXACT.add(order.filled, size)
        order.value = EXACT.add(order.value, value)
        order.fees = EXACT.add(order.fees, commission)
        order.fill_count += 1
        order.last_fill_ns = now_ns
        return fill

    def _end(self, order: VenueOrder, status: OrderStatus, fill: Fill | None = None) -> None:
        order.status, order.ended_ns = status, self._clock.wall_ns()
        self._live.pop(order.order_id, None)
        self._expiring.discard(order.order_id)
        self._changed(order, fill)

    def _changed(self, order: VenueOrder, fill: Fill | None = None) -> None:
        product = self._products[order.product_id]
        self._holds.update(product, order, self._reserved.get(order.order_id), self._clock.wall_ns())
        self._tell(order, fill)


def select(
    orders: Iterable[VenueOrder],
    *,
    order_ids: Sequence[str] = (),
    product_ids: Sequence[str] = (),
    statuses: Sequence[OrderStatus] = (),
    side: Side | None = None,
    client_order_id: str | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> list[VenueOrder]:
    """The orders that meet every condition given; an empty list of a condition is none."""
    return [
        order
        for order in orders
        if (not order_ids or order.order_id in order_ids)
        and (not product_ids or order.product_id in product_ids)
        and (not statuses or order.status in statuses)
        and (side is None or order.side is side)
        and (client_order_id is None or order.client_order_id == client_order_id)
        and (start_ns is None or order.created_ns >= start_ns)
        and (end_ns is None or order.created_ns < end_ns)
    ]
