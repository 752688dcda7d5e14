"""An account at Coinbase Exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from engine.core.clock import Clock
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
from engine.exchange.coinbase.keys import ApiKey
from engine.exchange.coinbase.network import EXCHANGE
from engine.exchange.coinbase.rest import exchange_rest as rest
from engine.exchange.coinbase.rest.product_states import exchange_list, exchange_state
from engine.exchange.coinbase.rest.rate_budget import Purpose
from engine.exchange.coinbase.rest.rest_broker import RestBroker, all_pages, by_currency, doubtful, impossible
from engine.exchange.coinbase.rest.rest_client import Doubt, Query, segment
from engine.exchange.coinbase.wire.user import OrderReport

T = TypeVar("T")

_LIVE: Final = tuple(("status", status) for status in ("open", "pending", "active", "received"))
_PAGE: Final = ("limit", "1000")
_FEW: Final = 5
"""So many products are asked for one by one; for more, the list of all is the shorter way."""
_CANCELS_AT_ONCE: Final = 8
_MOMENT_NS: Final = 2_000_000_000
_NO_SUCH: Final = frozenset({"NOT_FOUND", "ORDER_ALREADY_DONE"})


class ExchangeBroker(RestBroker):
    """See `Broker`."""

    name = EXCHANGE
    can_find_by_client_id = True

    def __init__(
        self, base: str, key: ApiKey | None, *, clock: Clock, ca_file: str | None, answer_timeout_s: float
    ) -> None:
        super().__init__(base, key, clock=clock, ca_file=ca_file, answer_timeout_s=answer_timeout_s)
        self._clock = clock
        self._waiting: dict[str, object] = {}
        """By path, cancels whose turn has not come."""
        self._taken_up_ns: dict[str, int] = {}
        """By path, when the venue took a cancel up, for those of the last moment."""

    async def products(self, symbols: Sequence[str] = ()) -> dict[str, ProductState]:
        """See `Broker`."""
        if symbols and len(symbols) <= _FEW:
            asked = [await self._product(symbol) for symbol in symbols]
            states = [state for state in asked if state is not None]
        else:
            states = await self._client.ask(Purpose.PUBLIC, "/products", (), exchange_list, is_long=True)
        known = {state.instrument.symbol: state for state in states}
        return {symbol: known[symbol] for symbol in symbols if symbol in known} if symbols else known

    async def permissions(self) -> Permissions:
        """See `Broker`. The venue does not tell; that the key may look is seen by looking."""
        _, profile = await self._client.ask(Purpose.PRIVATE, "/accounts", (), rest.accounts)
        return Permissions(can_view=True, can_trade=None, can_transfer=None, portfolio=profile)

    async def fees(self) -> FeeRates:
        """See `Broker`."""
        return await self._client.ask(Purpose.PRIVATE, "/fees", (), rest.fee_rates)

    async def balances(self) -> dict[str, Balance]:
        """See `Broker`."""
        wallets, _ = await self._client.ask(Purpose.PRIVATE, "/accounts", (), rest.accounts)
        return by_currency(wallets)

    async def submit(self, order: NewOrder, gate: Gate = open_gate) -> SubmitAnswer:
        """See `Broker`."""
        if not rest.is_uuid(order.client_id):
            return impossible("Coinbase Exchange takes a UUID as our id of an order and nothing else")
        body = rest.order_body(order)
        if body is None:
            return impossible("Coinbase Exchange has no order of this kind")
        answer = await self._client.command(Purpose.ORDER, "POST", "/orders", body, gate=gate)
        if isinstance(answer, Doubt):
            return doubtful(answer)
        return rest.created(answer.body, order.client_id)

    async def edit(self, ref: OrderRef, price: Decimal, size: Decimal) -> SubmitAnswer:
        """See `Broker`: this API has no edit."""
        self._client.require_key()
        return SubmitAnswer(
            Outcome.REFUSED,
            ref.order_id,
            "NO_EDIT",
            "Coinbase Exchange cannot edit an order: cancel it and send a new one; nothing was sent",
        )

    async def cancel(self, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
        """See `Broker`. The API takes one at a time: several are under way at once.

        Who cancels many orders asks again before the last one's turn has come. One that still waits for its
        turn is not sent twice for that (NOT_SENT), nor, while others wait, one that was taken up a moment ago
        (ACCEPTED).
        """
        turns = asyncio.Semaphore(_CANCELS_AT_ONCE)
        moment_ago_ns = self._clock.monotonic_ns() - _MOMENT_NS
        self._taken_up_ns = {path: ns for path, ns in self._taken_up_ns.items() if ns > moment_ago_ns}

        async def one(ref: OrderRef) -> CancelAnswer:
            if not (ref.order_id or ref.client_id):
                return _not_sent(ref, "NO_ORDER_ID", "the order has no id")
            path, mark = _path(ref), object()
            if path in self._waiting:
                return _not_sent(ref, "WAITING", "the same cancel waits for its turn already")
            if self._waiting and path in self._taken_up_ns:
                return CancelAnswer(ref, Outcome.ACCEPTED)
            self._waiting[path] = mark

            def left() -> None:
                if self._waiting.get(path) is mark:
                    del self._waiting[path]

            try:
                async with turns:
                    return await self._cancel(ref, left)
            finally:
                left()

        return await asyncio.gather(*map(one, refs))

    async def _cancel(self, ref: OrderRef, on_leave: Callable[[], None]) -> CancelAnswer:
        query = (("product_id", ref.product),) if ref.product else ()
        answer = await self._client.command(
            Purpose.CANCEL, "DELETE", _path(ref), query=query, on_leave=on_leave
        )
        if isinstance(answer, Doubt):
            # That it knows no such live order is the venue's own word, and an answer.
            is_told = answer.outcome is Outcome.UNKNOWN and answer.code in _NO_SUCH
            outcome = Outcome.REFUSED if is_told else answer.outcome
            return CancelAnswer(ref, outcome, answer.code, answer.reason)
        if rest.cancelled(answer.body):
            self._taken_up_ns[_path(ref)] = self._clock.monotonic_ns()
            return CancelAnswer(ref, Outcome.ACCEPTED)
        return CancelAnswer(
            ref, Outcome.UNKNOWN, "UNREADABLE", "the venue's answer does not say what became of this cancel"
        )

    async def live_orders(self, product: str | None = None) -> list[OrderReport]:
        """See `Broker`."""
        query = [*_LIVE, *([("product_id", product)] if product else [])]
        found = await self._pages(Purpose.PRIVATE, "/orders", query, rest.orders)
        return list({report.order_id: report for report in found}.values())

    async def order(self, ref: OrderRef) -> OrderReport | None:
        """See `Broker`."""
        if not (ref.order_id or ref.client_id):
            return None
        return await self._unless_unknown(Purpose.PRIVATE, _path(ref), rest.one_order)

    async def fills(
        self, product: str | None = None, order_id: str | None = None, since_ns: int | None = None
    ) -> list[VenueFill]:
        """See `Broker`. The API wants a product or an order."""
        if not (product or order_id):
            raise BrokerError(
                "UNSUPPORTED", "Coinbase Exchange lists fills of a product or of an order; nothing was asked"
            )
        query = [("order_id", order_id)] if order_id else [("product_id", product or "")]

        def is_old(page: Sequence[VenueFill]) -> bool:
            return since_ns is not None and all(0 < fill.time_ns < since_ns for fill in page)

        listed = await self._pages(Purpose.FILLS, "/fills", query, rest.fills, is_enough=is_old)
        fills = {
            fill.fill_id: fill
            for fill in reversed(listed)
            if (since_ns is None or fill.time_ns >= since_ns or not fill.time_ns)
            and (not product or fill.product == product)
        }
        # The newest comes first; what happened at the same time keeps the venue's order.
        return sorted(fills.values(), key=lambda fill: fill.time_ns)

    async def book_top(self, product: str, depth: int) -> BookTop:
        """See `Broker`."""
        return await self._client.ask(
            Purpose.PUBLIC,
            f"/products/{segment(product)}/book",
            (("level", "1" if depth == 1 else "2"),),
            lambda body: rest.book_top(body, depth),
            is_long=True,
        )

    async def _server_ns(self) -> int:
        return await self._client.ask(Purpose.PUBLIC, "/time", (), rest.server_ns)

    async def _product(self, symbol: str) -> ProductState | None:
        return await self._unless_unknown(Purpose.PUBLIC, f"/products/{segment(symbol)}", exchange_state)

    async def _unless_unknown(self, purpose: Purpose, path: str, decode: Callable[[bytes], T]) -> T | None:
        """An answer; None where the venue itself says that it knows nothing by that name."""
        try:
            return await self._client.ask(purpose, path, (), decode)
        except BrokerError as error:
            if error.code == "NOT_FOUND":
                return None
            raise

    async def _pages(
        self,
        purpose: Purpose,
        path: str,
        query: Query,
        decode: Callable[[bytes], list[T]],
        *,
        is_enough: Callable[[Sequence[T]], bool] = lambda page: False,
    ) -> list[T]:
        """A whole list, newest first: the header `CB-AFTER` leads on until a page is empty."""

        async def page(cursor: str) -> tuple[list[T], str | None]:
            asked = [*query, _PAGE, *([("after", cursor)] if cursor else [])]
            entries, headers = await self._client.ask_page(purpose, path, asked, decode)
            following = headers.get("CB-AFTER") if entries and not is_enough(entries) else None
            return entries, following or None

        return await all_pages(page)


def _path(ref: OrderRef) -> str:
    """Where an order is found: by the venue's id where it is known."""
    return f"/orders/{segment(ref.order_id)}" if ref.order_id else f"/orders/client:{segment(ref.client_id)}"


def _not_sent(ref: OrderRef, code: str, why: str) -> CancelAnswer:
    return CancelAnswer(ref, Outcome.NOT_SENT, code, f"{why}; nothing was sent")
