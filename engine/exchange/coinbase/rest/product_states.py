"""Products with the flags that decide whether an order may be sent, from either API's REST answers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.core.errors import InstrumentError
from engine.core.foreign_text import harmless
from engine.exchange.coinbase.broker import ProductState
from engine.exchange.coinbase.products import (
    AdvancedProduct,
    ExchangeProduct,
    advanced_instrument,
    exchange_instrument,
)


class _Advanced(AdvancedProduct):
    status: str = ""
    alias: str = ""
    is_disabled: bool = False
    trading_disabled: bool = False
    view_only: bool = False
    auction_mode: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False


class _Pagination(msgspec.Struct):
    has_next: bool = False


class _AdvancedPage(msgspec.Struct):
    products: list[msgspec.Raw]
    pagination: _Pagination | None = None


class _Exchange(ExchangeProduct):
    status: str = ""
    status_message: str | None = ""
    trading_disabled: bool = False
    auction_mode: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False


def advanced_state(body: bytes | msgspec.Raw) -> ProductState:
    """One product of Advanced Trade. Raises `InstrumentError` or msgspec's errors for an impossible one."""
    entry = msgspec.json.decode(body, type=_Advanced)
    notes = [
        words
        for is_so, words in (
            (entry.status not in ("", "online"), f"its status is {harmless(entry.status)}"),
            (entry.is_disabled, "it is disabled"),
            (entry.trading_disabled, "trading in it is disabled"),
            (entry.view_only, "this account may only look at it"),
            (entry.auction_mode, "it is in an auction"),
        )
        if is_so
    ]
    return ProductState(
        instrument=advanced_instrument(entry),
        is_tradable=not notes,
        note=", ".join(notes),
        is_post_only=entry.post_only,
        is_cancel_only=entry.cancel_only,
        is_limit_only=entry.limit_only,
        alias=entry.alias,
    )


def exchange_state(body: bytes | msgspec.Raw) -> ProductState:
    """One product of Exchange. Raises `InstrumentError` or msgspec's errors for an impossible one."""
    entry = msgspec.json.decode(body, type=_Exchange)
    said = harmless(entry.status_message or "")
    notes = [
        words
        for is_so, words in (
            (
                entry.status not in ("", "online"),
                f"its status is {harmless(entry.status)}" + (f" ({said})" if said else ""),
            ),
            (entry.trading_disabled, "trading in it is disabled"),
            (entry.auction_mode, "it is in an auction"),
        )
        if is_so
    ]
    return ProductState(
        instrument=exchange_instrument(entry),
        is_tradable=not notes,
        note=", ".join(notes),
        is_post_only=entry.post_only,
        is_cancel_only=entry.cancel_only,
        is_limit_only=entry.limit_only,
    )


def advanced_page(body: bytes) -> tuple[list[ProductState], int, bool]:
    """The possible products of one page, how many entries it had, and whether there is another page.

    An impossible entry among a thousand is left out: it is missed only by whoever wants that very product.
    """
    page = msgspec.json.decode(body, type=_AdvancedPage)
    states = [state for entry in page.products if (state := _possible(advanced_state, entry)) is not None]
    return states, len(page.products), page.pagination is not None and page.pagination.has_next


def exchange_list(body: bytes) -> list[ProductState]:
    """The possible products of Exchange's list."""
    entries = msgspec.json.decode(body, type=list[msgspec.Raw])
    return [state for entry in entries if (state := _possible(exchange_state, entry)) is not None]


def _possible(read: Callable[[msgspec.Raw], ProductState], entry: msgspec.Raw) -> ProductState | None:
    try:
        return read(entry)
    except (InstrumentError, msgspec.MsgspecError):
        return None
