"""The heart of the local venue: products, accounts, orders and market data, whatever API shows them.

Nothing here knows HTTP, WebSockets or a clock of its own: a face asks, and somebody calls `poll` as time
goes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Protocol

from engine.core.clock import Clock
from engine.core.events import MarketEvent
from engine.core.order import Side, TimeInForce
from engine.local_venue.accounts import Accounts
from engine.local_venue.capture_file import recorded_products
from engine.local_venue.captured import CapturedMarket
from engine.local_venue.desk import OrderDesk, select
from engine.local_venue.fee_tiers import FeeTier
from engine.local_venue.market import MarketEngine, RecordedFrame
from engine.local_venue.orders import Fill, NewOrder, OrderRefused, OrderStatus, Refusal, VenueOrder
from engine.local_venue.products import Product, choose_products
from engine.local_venue.settings import DEFAULT_PRODUCTS, VenueSettings
from engine.local_venue.simulated import SimulatedMarket
from engine.local_venue.tape import Tape

_MS: Final = 1_000_000


class VenueListener(Protocol):
    """Somebody who is told what happens at the venue, at once and in order. Must not raise."""

    def on_market(self, event: MarketEvent) -> None:
        """A market event was published; the product's tape has it already."""
        ...

    def on_recorded(self, frame: RecordedFrame) -> None:
        """The frame of a recording whose events were published just now."""
        ...

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        """An order changed, by `fill` where it is given; read it now, it will change again."""
        ...


class VenueCore:
    """One venue with one account.

    `submit`, `edit` and `cancel` raise `OrderRefused`; what comes of them is told to the listeners,
    already within the call where nothing delays it.
    """

    def __init__(self, settings: VenueSettings, clock: Clock) -> None:
        """Raises `UsageError` for products it does not know and for a recording it cannot play."""
        self.settings = settings
        self.clock = clock
        self._products = choose_products(_product_ids(settings))
        self._tapes = {product_id: Tape() for product_id in self._products}
        self._market: MarketEngine
        if settings.capture is None:
            now_ns, wall_ns = clock.monotonic_ns(), clock.wall_ns()
            self._market = SimulatedMarket(self._products, settings.simulator, now_ns, wall_ns)
        else:
            self._market = CapturedMarket(
                settings.capture,
                settings.capture_speed,
                self._products,
                self._tapes,
                clock,
                as_if_now=settings.capture_now,
            )
        self.is_recorded = settings.capture is not None
        """True when market data comes from a recording: `on_recorded` then tells its frames."""
        self._accounts = Accounts(settings.balances, clock.wall_ns())
        self._listeners: list[VenueListener] = []
        self._desk = OrderDesk(
            settings, clock, self._products, self._accounts, self._market, self._tell_order
        )

    # -- listeners and time ----------------------------------------------------------------------------

    def add_listener(self, listener: VenueListener) -> None:
        """Tell somebody from now on."""
        self._listeners.append(listener)

    def remove_listener(self, listener: VenueListener) -> None:
        """Do not tell them any more."""
        self._listeners.remove(listener)

    def begin(self) -> None:
        """Somebody watches the market: a recording begins to play (a simulated market runs anyway)."""
        self._market.begin(self.clock.monotonic_ns())

    def poll(self) -> None:
        """Let happen, and be told, all that is due by the clock."""
        for batch in self._market.poll(self.clock.monotonic_ns()):
            for event in batch.events:
                tape = self._tapes.get(event.product)
                if tape is not None:
                    tape.apply(event)
                    for listener in self._listeners:
                        listener.on_market(event)
            if batch.frame is not None:
                for listener in self._listeners:
                    listener.on_recorded(batch.frame)
        self._desk.poll()

    def next_due_ns(self) -> int | None:
        """Monotonic time at which `poll` may have something to do; None when it has nothing for now."""
        due = [at for at in (self._market.next_due_ns(), self._desk.next_due_ns()) if at is not None]
        return min(due, default=None)

    def _tell_order(self, order: VenueOrder, fill: Fill | None) -> None:
        for listener in self._listeners:
            listener.on_order(order, fill)

    # -- products, market data, accounts -------------------------------------------------------------

    @property
    def products(self) -> dict[str, Product]:
        """Every product by id; their flags may be set at any time."""
        return self._products

    def tape(self, product_id: str) -> Tape:
        """What was published of a product; `KeyError` for one that is not listed."""
        return self._tapes[product_id]

    @property
    def accounts(self) -> Accounts:
        """The account's wallets."""
        return self._accounts

    def deposit(self, currency: str, amount: Decimal) -> None:
        """Money comes from outside, or, below 0, goes there."""
        self._accounts.add(currency, amount, self.clock.wall_ns())

    @property
    def fee_tier(self) -> FeeTier:
        """The account's fees now."""
        return self._desk.tier

    @property
    def traded_volume(self) -> Decimal:
        """Quote money that the account traded in thirty days."""
        return self._desk.volume

    # -- orders ------------------------------------------------------------------------------------------

    def submit(self, order: NewOrder) -> VenueOrder:
        """Take an order. The order of before for a client id used again, where the settings say so."""
        return self._desk.submit(order)

    def preview(self, order: NewOrder) -> VenueOrder:
        """The order as it would be taken; nothing is kept of it."""
        return self._desk.preview(order)[0]

    def edit(self, order_id: str, price: Decimal, size: Decimal) -> VenueOrder:
        """Give a resting GTC limit order another price or total size; less alone keeps its place."""
        return self._desk.edit(order_id, price, size)

    def check_edit(self, order_id: str, price: Decimal, size: Decimal) -> VenueOrder:
        """The order, if it might be edited so."""
        return self._desk.check_edit(order_id, price, size)

    def cancel(self, order_ids: Sequence[str]) -> list[Refusal | None]:
        """Take cancels up; for each id None, or why not."""
        answers: list[Refusal | None] = []
        for order_id in order_ids:
            try:
                self._desk.cancel(order_id)
                answers.append(None)
            except OrderRefused as refused:
                answers.append(refused.refusal)
        return answers

    def order(self, order_id: str) -> VenueOrder | None:
        """One order, whatever became of it."""
        return self._desk.orders.get(order_id)

    def order_by_client_id(self, client_order_id: str) -> VenueOrder | None:
        """One order by its sender's id."""
        found = select(self._desk.orders.values(), client_order_id=client_order_id)
        return found[0] if client_order_id and found else None

    def live_orders(self) -> list[VenueOrder]:
        """Orders that may still trade, oldest first."""
        return self._desk.live

    def orders(
        self,
        *,
        order_ids: Sequence[str] = (),
        product_ids: Sequence[str] = (),
        statuses: Sequence[OrderStatus] = (),
        side: Side | None = None,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> list[VenueOrder]:
        """Orders that meet every condition given (times: wall time of creation), newest first."""
        found = select(
            self._desk.orders.values(),
            order_ids=order_ids,
            product_ids=product_ids,
            statuses=statuses,
            side=side,
            start_ns=start_ns,
            end_ns=end_ns,
        )
        return found[::-1]

    def fills(
        self,
        *,
        order_ids: Sequence[str] = (),
        product_ids: Sequence[str] = (),
        trade_ids: Sequence[str] = (),
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> list[Fill]:
        """Executions that the list shows by now (it lags by `fills_delay_ms`), newest first."""
        shown_ns = self.clock.wall_ns() - self.settings.fills_delay_ms * _MS
        return [
            fill
            for fill in reversed(self._desk.fills)
            if fill.time_ns <= shown_ns
            and (not order_ids or fill.order_id in order_ids)
            and (not product_ids or fill.product_id in product_ids)
            and (not trade_ids or fill.trade_id in trade_ids)
            and (start_ns is None or fill.time_ns >= start_ns)
            and (end_ns is None or fill.time_ns < end_ns)
        ]

    # -- other hands -------------------------------------------------------------------------------------

    def external_order(
        self,
        product_id: str,
        side: Side,
        size: Decimal,
        price: Decimal | None,
        client_order_id: str = "",
    ) -> VenueOrder:
        """An order of the account from another front end: nobody's client id, or a foreign one."""
        terms = TimeInForce.IOC if price is None else TimeInForce.GTC
        return self.submit(
            NewOrder(product_id, side, size, price, client_order_id=client_order_id, time_in_force=terms)
        )

    def stranger_order(self, product_id: str, side: Side, size: Decimal, price: Decimal | None) -> None:
        """Somebody else's order: trades what it can; what is left of one with a price rests.

        `UsageError` where the market is a recording.
        """
        instrument = self._products[product_id].instrument
        ticks = None if price is None else instrument.ticks(price)
        self._market.stranger_order(self.clock.monotonic_ns(), product_id, side, instrument.lots(size), ticks)
        self._desk.settle()

    def trade_against(self, order_id: str, size: Decimal | None = None) -> None:
        """A stranger trades with so much (None: all that is left) of a resting order of the account.

        Price and time rule among the account's own orders: those that stand before it trade too.
        """
        order = self._desk.orders[order_id]
        instrument = self._products[order.product_id].instrument
        lots = instrument.lots(order.leaves if size is None else size)
        self._market.trade_against(self.clock.monotonic_ns(), order_id, lots)
        self._desk.settle()

    def overfill(self, order_id: str, size: Decimal) -> None:
        """Let an order with a price have traded `size` more than it did, and than it may: a mistake."""
        self._desk.overfill(order_id, size)


def _product_ids(settings: VenueSettings) -> tuple[str, ...]:
    if settings.capture is None:
        return settings.products or DEFAULT_PRODUCTS
    # Looked at in any case: a recording of something else must be found out before anybody connects.
    recorded = recorded_products(settings.capture)
    return settings.products or recorded
