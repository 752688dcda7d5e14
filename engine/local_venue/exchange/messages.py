"""Market data frames of the Exchange feed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from engine.core.events import BookUpdate
from engine.core.order import BUY, SELL, Side
from engine.local_venue.accounts import Wallet
from engine.local_venue.exchange.books import ProductBook
from engine.local_venue.exchange.texts import money, price, product_body, size
from engine.local_venue.money import rfc3339
from engine.local_venue.products import Product
from engine.local_venue.tape import Tape

Message = dict[str, Any]
BookChanges = dict[tuple[Side, int], int]
"""Lots by side and price, in the order in which they changed."""
_CURRENCY_PLACES: Final = 8


def changes_of(update: BookUpdate) -> BookChanges:
    """The levels that an update sets."""
    return {
        (side, ticks): lots
        for side, rows in ((BUY, update.bids), (SELL, update.asks))
        for ticks, lots in rows
    }


def l2update(product: Product, changes: BookChanges, wall_ns: int) -> Message:
    """Absolute sizes of levels."""
    rows = [
        [side.word, price(product, ticks * product.tick), size(product, lots * product.step)]
        for (side, ticks), lots in changes.items()
    ]
    return {
        "type": "l2update",
        "product_id": product.product_id,
        "changes": rows,
        "time": rfc3339(wall_ns),
    }


def snapshot(product: Product, tape: Tape, wall_ns: int) -> Message:
    """The whole book."""

    def rows(side: Side) -> list[list[str]]:
        return [
            [price(product, ticks * product.tick), size(product, lots * product.step)]
            for ticks, lots in tape.levels.levels(side)
        ]

    return {
        "type": "snapshot",
        "product_id": product.product_id,
        "asks": rows(SELL),
        "bids": rows(BUY),
        "time": rfc3339(wall_ns),
    }


def heartbeat(book: ProductBook, tape: Tape, wall_ns: int) -> Message:
    """How far a product has come."""
    return {
        "type": "heartbeat",
        "last_trade_id": tape.trades[-1].trade_id if tape.trades else 0,
        "product_id": book.product.product_id,
        "sequence": book.sequence,
        "time": rfc3339(wall_ns // 1_000_000_000 * 1_000_000_000),
    }


def ticker(product: Product, tape: Tape, sequence: int) -> Message | None:
    """The last trade with the figures of the day; None before the first trade."""
    if not tape.trades:
        return None
    trade = tape.trades[-1]
    volume = size(product, tape.volume * product.step)
    message = {
        "type": "ticker",
        "sequence": sequence,
        "product_id": product.product_id,
        "price": price(product, trade.price * product.tick),
        "open_24h": price(product, (tape.first_price or 0) * product.tick),
        "volume_24h": volume,
        "low_24h": price(product, tape.low * product.tick),
        "high_24h": price(product, tape.high * product.tick),
        "volume_30d": volume,
    }
    for name, side in (("bid", BUY), ("ask", SELL)):
        best = tape.levels.levels(side, 1) or [(0, 0)]
        message[f"best_{name}"] = price(product, best[0][0] * product.tick)
        message[f"best_{name}_size"] = size(product, best[0][1] * product.step)
    return message | {
        "side": trade.taker_side.word,
        "time": rfc3339(trade.exchange_ns),
        "trade_id": trade.trade_id,
        "last_size": size(product, trade.size * product.step),
    }


def status(products: Iterable[Product]) -> Message:
    """All products and currencies."""
    products = list(products)
    currencies = dict.fromkeys(one for product in products for one in (product.base, product.quote))
    smallest = f"{Decimal(1).scaleb(-_CURRENCY_PLACES):f}"
    return {
        "type": "status",
        "products": [product_body(product) for product in products],
        "currencies": [
            {
                "id": currency,
                "name": currency,
                "min_size": smallest,
                "status": "online",
                "status_message": "",
                "max_precision": smallest,
                "convertible_to": [],
                "details": {},
            }
            for currency in currencies
        ],
    }


def balance(wallet: Wallet, wall_ns: int) -> Message:
    """What an account holds now."""
    return {
        "type": "balance",
        "account_id": wallet.account_id,
        "currency": wallet.currency,
        "holds": money(wallet.hold),
        "available": money(wallet.available),
        "updated": rfc3339(wallet.updated_ns),
        "timestamp": rfc3339(wall_ns),
    }


def error(message: str, reason: str) -> Message:
    """A refusal."""
    return {"type": "error", "message": message, **({"reason": reason} if reason else {})}


def owned(message: Mapping[str, Any], private: Mapping[str, Any]) -> Message:
    """An event of an order of ours, as its owner is told."""
    return {**message, **private}
