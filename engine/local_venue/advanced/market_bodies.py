"""Shapes of Advanced Trade's REST bodies that tell of the market."""

from __future__ import annotations

from typing import Any

from engine.core.events import TradePrint
from engine.core.order import Side
from engine.local_venue.money import plain, quotient, rfc3339
from engine.local_venue.products import Product
from engine.local_venue.tape import Candle, Tape

Body = dict[str, Any]


def side_word(side: Side) -> str:
    """`BUY` or `SELL`."""
    return side.word.upper()


def product_body(product: Product, tape: Tape) -> Body:
    """One product, with the prices of its tape."""
    instrument = product.instrument
    last = product.reference_price if tape.last_price is None else tape.last_price * product.tick
    first = last if tape.first_price is None else tape.first_price * product.tick
    bid, ask = tape.levels.best_bid(), tape.levels.best_ask()
    volume = tape.volume * product.step
    has_traded = tape.first_price is not None
    return {
        "product_id": product.product_id,
        "price": plain(last),
        "price_percentage_change_24h": plain(quotient((last - first) * 100, first, 14)),
        "volume_24h": plain(volume),
        "volume_percentage_change_24h": "0",
        "base_increment": plain(product.step),
        "quote_increment": plain(product.tick),
        "quote_min_size": plain(product.min_value),
        "quote_max_size": plain(product.max_value),
        "base_min_size": plain(product.min_size),
        "base_max_size": plain(product.max_size),
        "base_name": product.base_name,
        "quote_name": product.quote_name,
        "watched": False,
        "is_disabled": product.status != "online",
        "new": False,
        "status": product.status,
        "cancel_only": product.cancel_only,
        "limit_only": product.limit_only,
        "post_only": product.post_only,
        "trading_disabled": product.trading_disabled,
        "auction_mode": product.auction_mode,
        "product_type": "SPOT",
        "quote_currency_id": product.quote,
        "base_currency_id": product.base,
        "fcm_trading_session_details": None,
        "mid_market_price": "",
        "alias": "",
        "alias_to": [],
        "base_display_symbol": product.base,
        "quote_display_symbol": product.quote,
        "view_only": False,
        "price_increment": plain(product.tick),
        "display_name": product.product_id,
        "product_venue": "CBE",
        "approximate_quote_24h_volume": plain(volume * last),
        "new_at": "2023-01-01T00:00:00Z",
        "market_cap": "",
        "base_cbrn": "",
        "quote_cbrn": "",
        "product_cbrn": "",
        "icon_color": "",
        "icon_url": "",
        "display_name_overwrite": "",
        "is_alpha_testing": False,
        "about_description": "",
        "best_bid_price": "" if bid is None else instrument.price_text(bid),
        "best_ask_price": "" if ask is None else instrument.price_text(ask),
        "high_24h": instrument.price_text(tape.high) if has_traded else "",
        "low_24h": instrument.price_text(tape.low) if has_traded else "",
    }


def book_body(product: Product, tape: Tape, limit: int | None) -> Body:
    """The best levels of a product, all of them without a limit."""
    instrument = product.instrument

    def side(which: Side) -> list[Body]:
        return [
            {"price": instrument.price_text(price), "size": instrument.size_text(size)}
            for price, size in tape.levels.levels(which, limit)
        ]

    return {
        "product_id": product.product_id,
        "bids": side(Side.BUY),
        "asks": side(Side.SELL),
        "time": rfc3339(tape.book_ns),
    }


def product_book_body(product: Product, tape: Tape, limit: int | None) -> Body:
    """The book with what is derived from its best prices; those are empty while a side is."""
    bid, ask = tape.levels.best_bid(), tape.levels.best_ask()
    mid = spread = basis_points = ""
    if bid is not None and ask is not None:
        middle = (bid + ask) * product.tick / 2
        mid, spread = plain(middle), plain((ask - bid) * product.tick)
        basis_points = plain(quotient((ask - bid) * product.tick * 10_000, middle, 12))
    last = "" if tape.last_price is None else product.instrument.price_text(tape.last_price)
    return {
        "pricebook": book_body(product, tape, limit),
        "last": last,
        "mid_market": mid,
        "spread_bps": basis_points,
        "spread_absolute": spread,
    }


def trade_body(product: Product, trade: TradePrint) -> Body:
    """One trade of the tape as REST tells it; the side is the maker's."""
    return {
        "trade_id": str(trade.trade_id),
        "product_id": product.product_id,
        "price": product.instrument.price_text(trade.price),
        "size": product.instrument.size_text(trade.size),
        "time": rfc3339(trade.exchange_ns),
        "side": side_word(trade.taker_side.opposite),
        "bid": "",
        "ask": "",
        "exchange": "coinbase",
    }


def candle_body(product: Product, candle: Candle) -> Body:
    """One candle."""
    price, size = product.instrument.price_text, product.instrument.size_text
    return {
        "start": str(candle.start),
        "low": price(candle.low),
        "high": price(candle.high),
        "open": price(candle.open),
        "close": price(candle.close),
        "volume": size(candle.volume),
    }
