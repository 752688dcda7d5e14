"""An account at Coinbase Advanced Trade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Final

import msgspec

from engine.core.foreign_text import harmless
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
from engine.exchange.coinbase.network import ADVANCED
from engine.exchange.coinbase.rest import advanced_commands as commands
from engine.exchange.coinbase.rest import advanced_rest as rest
from engine.exchange.coinbase.rest.product_states import advanced_page
from engine.exchange.coinbase.rest.rate_budget import Purpose
from engine.exchange.coinbase.rest.rest_broker import RestBroker, all_pages, by_currency, doubtful, impossible
from engine.exchange.coinbase.rest.rest_client import Doubt, segment
from engine.exchange.coinbase.rest.texts import plain, rfc3339
from engine.exchange.coinbase.wire.user import OrderReport

_PREFIX: Final = "/api/v3/brokerage"
_ORDERS: Final = f"{_PREFIX}/orders"
_PAGE: Final = ("limit", "250")
_MOST_CANCELS: Final = 100
_ON_THE_MOVE: Final = tuple(
    ("order_status", status) for status in ("PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED")
)
_OPEN: Final = (("order_status", "OPEN"),)
_LATE_NS: Final = 60 * 10**9
"""By how much the two clocks may disagree where a search begins."""


class AdvancedBroker(RestBroker):
    """See `Broker`."""

    name = ADVANCED
    can_find_by_client_id = False

    async def products(self, symbols: Sequence[str] = ()) -> dict[str, ProductState]:
        """See `Broker`. With a key the answer has what this very account may trade."""
        has_key = self._client.has_key
        purpose = Purpose.PRIVATE if has_key else Purpose.PUBLIC
        path = f"{_PREFIX}/products" if has_key else f"{_PREFIX}/market/products"
        wanted = [("product_ids", symbol) for symbol in symbols]
        known: dict[str, ProductState] = {}
        offset, is_more = 0, True
        while is_more:
            query = [*wanted, ("offset", str(offset))] if offset else wanted
            states, entries, has_next = await self._client.ask(
                purpose, path, query, advanced_page, is_long=True
            )
            known |= {state.instrument.symbol: state for state in states}
            offset += entries
            is_more = has_next and entries > 0
        return {symbol: known[symbol] for symbol in symbols if symbol in known} if symbols else known

    async def permissions(self) -> Permissions:
        """See `Broker`."""
        return await self._client.ask(Purpose.PRIVATE, f"{_PREFIX}/key_permissions", (), rest.rights)

    async def fees(self) -> FeeRates:
        """See `Broker`."""
        return await self._client.ask(Purpose.PRIVATE, f"{_PREFIX}/transaction_summary", (), rest.fee_rates)

    async def balances(self) -> dict[str, Balance]:
        """See `Broker`. Vaults, which cannot trade, are left out."""

        async def page(cursor: str) -> tuple[list[Balance], str | None]:
            return await self._client.ask(
                Purpose.PRIVATE, f"{_PREFIX}/accounts", _paged((), cursor), rest.accounts_page
            )

        return by_currency(await all_pages(page))

    async def submit(self, order: NewOrder, gate: Gate = open_gate) -> SubmitAnswer:
        """See `Broker`."""
        body = commands.order_body(order)
        if body is None:
            return impossible("Advanced Trade has no order of this kind")
        answer = await self._client.command(Purpose.ORDER, "POST", _ORDERS, body, gate=gate)
        if isinstance(answer, Doubt):
            return doubtful(answer)
        return commands.created(answer.body, order.client_id)

    async def edit(self, ref: OrderRef, price: Decimal, size: Decimal) -> SubmitAnswer:
        """See `Broker`. The place in the queue is kept only where the size alone is lowered."""
        if not ref.order_id:
            return impossible("Advanced Trade edits an order by its own id only, which is not known")
        body = msgspec.json.encode({"order_id": ref.order_id, "price": plain(price), "size": plain(size)})
        answer = await self._client.command(Purpose.ORDER, "POST", f"{_ORDERS}/edit", body)
        if isinstance(answer, Doubt):
            return doubtful(answer, ref.order_id)
        return commands.edited(answer.body, ref.order_id)

    async def cancel(self, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
        """See `Broker`. An order whose venue id is not known cannot be cancelled here (NOT_SENT)."""
        by_id = {ref.order_id: ref for ref in refs if ref.order_id}
        ids = list(by_id)
        answers: dict[str, CancelAnswer] = {}
        for start in range(0, len(ids), _MOST_CANCELS):
            chunk = [by_id[order_id] for order_id in ids[start : start + _MOST_CANCELS]]
            for told in await self._cancel(chunk):
                answers[told.ref.order_id] = told
        return [
            msgspec.structs.replace(answers[ref.order_id], ref=ref) if ref.order_id else _not_cancelled(ref)
            for ref in refs
        ]

    async def _cancel(self, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
        body = msgspec.json.encode({"order_ids": [ref.order_id for ref in refs]})
        answer = await self._client.command(Purpose.CANCEL, "POST", f"{_ORDERS}/batch_cancel", body)
        if isinstance(answer, Doubt):
            return [CancelAnswer(ref, answer.outcome, answer.code, answer.reason) for ref in refs]
        return commands.cancelled(answer.body, refs)

    async def live_orders(self, product: str | None = None) -> list[OrderReport]:
        """See `Broker`.

        `OPEN` leaves out the orders on the move, and cannot be asked for together with them. What changes
        hands between two questions would be in neither answer: those on the move are asked for before and
        after.
        """
        found: dict[str, OrderReport] = {}
        for statuses in (_ON_THE_MOVE, _OPEN, _ON_THE_MOVE):
            for report in await self._orders([*statuses, *_of_product(product)]):
                known = found.get(report.order_id)
                if known is None or report.filled >= known.filled:
                    found[report.order_id] = report
        return list(found.values())

    async def order(self, ref: OrderRef) -> OrderReport | None:
        """See `Broker`. By our own id alone the lists are searched: the live orders, then all."""
        if ref.order_id:
            return await self._order(ref.order_id)
        if not ref.client_id:
            return None
        for report in await self.live_orders(ref.product or None):
            if report.client_order_id == ref.client_id:
                return report
        query = _of_product(ref.product or None)
        if ref.since_ns is not None:
            offset_ns = self.clock_offset_ns or 0
            query.append(("start_date", rfc3339(max(0, ref.since_ns + offset_ns - _LATE_NS))))
        found = (report for report in await self._orders(query) if report.client_order_id == ref.client_id)
        return next(found, None)

    async def fills(
        self, product: str | None = None, order_id: str | None = None, since_ns: int | None = None
    ) -> list[VenueFill]:
        """See `Broker`."""
        query = [("product_ids", product)] if product else []
        if order_id:
            query.append(("order_ids", order_id))
        if since_ns is not None:
            query.append(("start_sequence_timestamp", rfc3339(since_ns)))

        async def page(cursor: str) -> tuple[list[rest.PlainFill], str | None]:
            return await self._client.ask(
                Purpose.FILLS, f"{_ORDERS}/historical/fills", _paged(query, cursor), rest.fills_page
            )

        listed = {entry.fill.fill_id: entry for entry in await all_pages(page)}
        in_quote = {entry.fill.product for entry in listed.values() if entry.is_in_quote}
        states = await self.products(sorted(in_quote)) if in_quote else {}
        # The newest comes first; what happened at the same time keeps the venue's order.
        fills = [_in_base(entry, states) for entry in reversed(listed.values())]
        return sorted(fills, key=lambda fill: fill.time_ns)

    async def book_top(self, product: str, depth: int) -> BookTop:
        """See `Broker`."""
        query = (("product_id", product), ("limit", str(depth)))
        return await self._client.ask(
            Purpose.PUBLIC,
            f"{_PREFIX}/market/product_book",
            query,
            lambda body: rest.book_top(body, depth),
        )

    async def _server_ns(self) -> int:
        return await self._client.ask(Purpose.PUBLIC, f"{_PREFIX}/time", (), rest.server_ns)

    async def _order(self, order_id: str) -> OrderReport | None:
        try:
            return await self._client.ask(
                Purpose.PRIVATE, f"{_ORDERS}/historical/{segment(order_id)}", (), rest.one_order
            )
        except BrokerError as error:
            if error.code == "NOT_FOUND":
                return None
            raise

    async def _orders(self, query: Sequence[tuple[str, str]]) -> list[OrderReport]:
        async def page(cursor: str) -> tuple[list[OrderReport], str | None]:
            return await self._client.ask(
                Purpose.PRIVATE, f"{_ORDERS}/historical/batch", _paged(query, cursor), rest.orders_page
            )

        return await all_pages(page)


def _in_base(entry: rest.PlainFill, states: Mapping[str, ProductState]) -> VenueFill:
    """A fill in base units. What the venue tells in quote money it has rounded: to the nearest lot."""
    fill = entry.fill
    if not entry.is_in_quote:
        return fill
    state = states.get(fill.product)
    if state is None or fill.price <= 0:
        raise BrokerError(
            "UNREADABLE",
            f"fill {harmless(fill.fill_id)} is told in quote money, and its product {fill.product!r} "
            "is not listed or its price is none: its size is not known",
        )
    lot = state.instrument.lot
    with localcontext() as exact:
        exact.prec = 60
        lots = (fill.size / fill.price / lot).to_integral_value()
        return msgspec.structs.replace(fill, size=lots * lot)


def _paged(query: Sequence[tuple[str, str]], cursor: str) -> list[tuple[str, str]]:
    return [*query, _PAGE, ("cursor", cursor)] if cursor else [*query, _PAGE]


def _of_product(product: str | None) -> list[tuple[str, str]]:
    return [("product_ids", product)] if product else []


def _not_cancelled(ref: OrderRef) -> CancelAnswer:
    return CancelAnswer(
        ref,
        Outcome.NOT_SENT,
        "NO_ORDER_ID",
        "Advanced Trade cancels an order by its own id only, which is not known yet; nothing was sent",
    )
