"""A venue that lives in the test, and the broker that leads to it: late, silent, forgetful, as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from engine.core.clock import Clock
from engine.core.instrument import Instrument
from engine.core.order import Side, TimeInForce
from engine.exchange.coinbase.broker import (
    Balance,
    BookTop,
    BrokerError,
    CancelAnswer,
    FeeRates,
    Gate,
    NewOrder,
    OrderRef,
    Outcome,
    Permissions,
    ProductState,
    SubmitAnswer,
    VenueFill,
    open_gate,
)
from engine.exchange.coinbase.wire.user import OrderReport

FEE = Decimal("0.0004")
LIVE = ("PENDING", "OPEN", "QUEUED", "CANCEL_QUEUED")


@dataclass(eq=False)
class VenueOrder:
    """An order as the venue has it."""

    order_id: str
    client_id: str
    product: str
    side: Side
    price: Decimal
    size: Decimal
    post_only: bool = True
    status: str = "OPEN"
    reason: str = ""
    fills: list[VenueFill] = field(default_factory=list)
    can_cancel: bool = True

    @property
    def filled(self) -> Decimal:
        return sum((fill.size for fill in self.fills), Decimal(0))

    def report(self) -> OrderReport:
        value = sum((fill.price * fill.size for fill in self.fills), Decimal(0))
        filled = self.filled
        return OrderReport(
            order_id=self.order_id,
            client_order_id=self.client_id,
            product=self.product,
            side=self.side,
            status=self.status,
            order_type="LIMIT",
            time_in_force="GOOD_UNTIL_CANCELLED",
            post_only=self.post_only,
            limit_price=self.price,
            stop_price=None,
            filled=filled,
            remaining=self.size - filled if self.status in LIVE else Decimal(0),
            average_price=value / filled if filled else Decimal(0),
            filled_value=value,
            fees=sum((fill.fee for fill in self.fills), Decimal(0)),
            number_of_fills=len(self.fills),
            cancel_reason=self.reason,
            reject_reason=self.reason if self.status == "FAILED" else "",
        )


class ScriptedVenue:
    """The matching side. `on_change` is told of every change of an order."""

    def __init__(self, instrument: Instrument, clock: Clock) -> None:
        self.instrument = instrument
        self.clock = clock
        self.orders: dict[str, VenueOrder] = {}
        self.by_client: dict[str, list[VenueOrder]] = {}
        self.on_change: Callable[[VenueOrder], None] = lambda _: None
        self.opening = {instrument.base: Decimal(100), instrument.quote: Decimal(100_000)}
        self.executed: list[VenueFill] = []
        self._numbers = 0

    def create(self, new: NewOrder, status: str = "OPEN") -> VenueOrder:
        assert new.price is not None
        return self.place(new.client_id, new.side, new.price, new.size, status, post_only=new.post_only)

    def place(
        self,
        client_id: str,
        side: Side,
        price: Decimal,
        size: Decimal,
        status: str = "OPEN",
        *,
        post_only: bool = True,
    ) -> VenueOrder:
        self._numbers += 1
        order = VenueOrder(
            f"v-{self._numbers}", client_id, self.instrument.symbol, side, price, size, post_only, status
        )
        self.orders[order.order_id] = order
        self.by_client.setdefault(client_id, []).append(order)
        self.on_change(order)
        return order

    def fill(self, order: VenueOrder, size: Decimal, price: Decimal | None = None) -> VenueFill:
        """An execution, whatever the order's state: venues fill orders that are being cancelled."""
        self._numbers += 1
        price = order.price if price is None else price
        fill = VenueFill(
            f"e-{self._numbers}",
            order.order_id,
            order.product,
            order.side,
            price,
            size,
            price * size * FEE,
            order.post_only,
            self.clock.wall_ns(),
        )
        order.fills.append(fill)
        self.executed.append(fill)
        if order.filled >= order.size:
            order.status = "FILLED"
        self.on_change(order)
        return fill

    def end(self, order: VenueOrder, status: str = "CANCELLED", reason: str = "") -> None:
        if order.status in LIVE:
            order.status, order.reason = status, reason
            self.on_change(order)

    def live(self) -> list[VenueOrder]:
        return [order for order in self.orders.values() if order.status in LIVE]

    def balances(self) -> dict[str, Balance]:
        instrument = self.instrument
        base, quote = self.opening[instrument.base], self.opening[instrument.quote]
        for fill in self.executed:
            base += fill.side * fill.size
            quote -= fill.side * fill.price * fill.size + fill.fee
        return {
            instrument.base: Balance(instrument.base, base, Decimal(0)),
            instrument.quote: Balance(instrument.quote, quote, Decimal(0)),
        }


class Fate:
    """What befalls a call. The defaults: nothing, after 10 ms there and 10 ms back."""

    async def there(self, call: str) -> None:
        """Before the venue sees it; raises `Lost` for a request that never comes."""
        await asyncio.sleep(0.01)

    async def back(self, call: str) -> None:
        """After the venue has seen it; raises `Lost` for an answer that never comes."""
        await asyncio.sleep(0.01)


class Lost(Exception):
    """The request, or its answer, is gone."""


class FakeBroker:
    """A `Broker` over a `ScriptedVenue`."""

    name = "coinbase"

    def __init__(
        self,
        venue: ScriptedVenue,
        fate: Fate | None = None,
        *,
        can_find: bool = False,
        timeout_s: float = 2.0,
    ) -> None:
        self.venue = venue
        self.fate = fate or Fate()
        self.can_find_by_client_id = can_find
        self.timeout_s = timeout_s
        self.failing: set[str] = set()
        """Names of calls that fail."""
        self.calls: list[tuple[int, str, object]] = []
        self.answers: list[SubmitAnswer] = []
        """Answers to the next submits, without the venue having seen them."""
        self.hide_fills_until_ns = 0
        """The list of executions lags: until then it has none of the last ones."""

    async def _ask(self, call: str, detail: object = None) -> None:
        self.calls.append((self.venue.clock.monotonic_ns(), call, detail))
        if call in self.failing:
            await asyncio.sleep(0.01)
            raise BrokerError("HTTP_503", f"{call} is not to be had")
        await self._leg(call, self.fate.there)

    async def _answer(self, call: str) -> None:
        await self._leg(call, self.fate.back)

    async def _leg(self, call: str, leg: Callable[[str], object]) -> None:
        try:
            await leg(call)  # type: ignore[misc]
        except Lost:
            await asyncio.sleep(self.timeout_s)
            raise BrokerError("TIMEOUT", f"{call} was not answered") from None

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    @property
    def clock_offset_ns(self) -> int | None:
        return 0

    async def measure_clock(self) -> int:
        return 0

    async def products(self, symbols: Sequence[str] = ()) -> dict[str, ProductState]:
        return {}

    async def permissions(self) -> Permissions:
        return Permissions(True, True, False)

    async def fees(self) -> FeeRates:
        return FeeRates(Decimal(4), Decimal(6))

    async def book_top(self, product: str, depth: int) -> BookTop:
        return BookTop((), ())

    async def edit(self, ref: OrderRef, price: Decimal, size: Decimal) -> SubmitAnswer:
        return SubmitAnswer(Outcome.REFUSED, code="NO_EDIT")

    async def balances(self) -> dict[str, Balance]:
        await self._ask("balances")
        balances = self.venue.balances()
        await self._answer("balances")
        return balances

    async def submit(self, order: NewOrder, gate: Gate = open_gate) -> SubmitAnswer:
        if self.answers:
            self.calls.append((self.venue.clock.monotonic_ns(), "submit", order))
            await asyncio.sleep(0.01)
            return self.answers.pop(0)
        try:
            await self._ask("submit", order)
            created = self.venue.create(order)
            await self._answer("submit")
        except BrokerError as error:
            return SubmitAnswer(Outcome.UNKNOWN, code=error.code, reason=str(error))
        return SubmitAnswer(Outcome.ACCEPTED, created.order_id)

    async def cancel(self, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
        try:
            await self._ask("cancel", tuple(refs))
            answers = [self._cancel(ref) for ref in refs]
            await self._answer("cancel")
        except BrokerError as error:
            return [CancelAnswer(ref, Outcome.UNKNOWN, error.code) for ref in refs]
        return answers

    def _cancel(self, ref: OrderRef) -> CancelAnswer:
        order = self._find(ref)
        if order is None or order.status not in LIVE:
            return CancelAnswer(ref, Outcome.REFUSED, "UNKNOWN_CANCEL_ORDER", "not found or already done")
        if order.can_cancel:
            self.venue.end(order, reason="User requested cancel")
        return CancelAnswer(ref, Outcome.ACCEPTED)

    def _find(self, ref: OrderRef) -> VenueOrder | None:
        if ref.order_id:
            return self.venue.orders.get(ref.order_id)
        assert self.can_find_by_client_id, "this venue knows no client ids"
        found = self.venue.by_client.get(ref.client_id)
        return found[-1] if found else None

    async def live_orders(self, product: str | None = None) -> list[OrderReport]:
        await self._ask("live_orders")
        reports = [order.report() for order in self.venue.live()]
        await self._answer("live_orders")
        return reports

    async def order(self, ref: OrderRef) -> OrderReport | None:
        await self._ask("order", ref)
        order = self._find(ref)
        report = None if order is None else order.report()
        await self._answer("order")
        if (
            report is not None
            and self.can_find_by_client_id
            and not report.filled
            and report.status not in LIVE
        ):
            return None  # such a venue forgets it
        return report

    async def fills(
        self, product: str | None = None, order_id: str | None = None, since_ns: int | None = None
    ) -> list[VenueFill]:
        await self._ask("fills", order_id)
        lag = self.venue.clock.monotonic_ns() < self.hide_fills_until_ns
        fills = [
            fill
            for fill in self.venue.executed
            if order_id in (None, fill.order_id) and (since_ns is None or fill.time_ns >= since_ns)
        ]
        await self._answer("fills")
        return [] if lag else fills


GTC = TimeInForce.GTC
