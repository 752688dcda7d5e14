"""Texts of Advanced Trade's WebSocket frames: envelopes, and the events of every channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.core.events import Level, TradePrint
from engine.core.instrument import Instrument
from engine.local_venue.advanced.market_bodies import Body, candle_body, side_word
from engine.local_venue.money import plain, quotient, rfc3339
from engine.local_venue.products import Product
from engine.local_venue.tape import Candle, Tape

SNAPSHOT: Final = "snapshot"
UPDATE: Final = "update"

_encode = msgspec.json.Encoder().encode


def json_text(value: Any) -> str:
    """JSON without blanks."""
    return _encode(value).decode()


def envelope(channel: str, timestamp: str, sequence_num: int, events: str) -> str:
    """A frame; `events` is the text of its array."""
    return (
        f'{{"channel":"{channel}","timestamp":"{timestamp}","sequence_num":{sequence_num},"events":{events}}}'
    )


def error_text(message: str) -> str:
    """An error frame: no channel, no number."""
    return json_text({"type": "error", "message": message})


def subscriptions_events(subscribed: Mapping[str, Iterable[str]]) -> str:
    """Everything that a connection has subscribed to."""
    lists = {channel: sorted(names) for channel, names in sorted(subscribed.items())}
    return json_text([{"subscriptions": lists}])


def heartbeat_events(wall_ns: int, counter: int) -> str:
    """One heartbeat, its time in the spelling of a Go program's log."""
    at = rfc3339(wall_ns, 9).replace("T", " ").removesuffix("Z")
    time = f"{at} +0000 UTC m=+{counter}.{wall_ns % 1_000_000_000:09d}"
    return json_text([{"current_time": time, "heartbeat_counter": counter}])


def book_events(
    kind: str, product: Product, bids: Sequence[Level], asks: Sequence[Level], exchange_ns: int
) -> str:
    """A book or changes of one, each level with its absolute size."""
    at = rfc3339(exchange_ns)
    instrument = product.instrument
    updates = [
        *_levels("bid", instrument, bids, at),
        *_levels("offer", instrument, asks, at),
    ]
    return json_text([{"type": kind, "product_id": product.product_id, "updates": updates}])


def _levels(side: str, instrument: Instrument, levels: Sequence[Level], at: str) -> Iterable[Body]:
    price_text, size_text = instrument.price_text, instrument.size_text
    for price, size in levels:
        yield {
            "side": side,
            "event_time": at,
            "price_level": price_text(price),
            "new_quantity": size_text(size),
        }


def trades_events(kind: str, product: Product, newest_first: Iterable[TradePrint]) -> str:
    """Trades of one product; the side is the maker's."""
    instrument = product.instrument
    trades = [
        {
            "product_id": product.product_id,
            "trade_id": str(trade.trade_id),
            "price": instrument.price_text(trade.price),
            "size": instrument.size_text(trade.size),
            "time": rfc3339(trade.exchange_ns),
            "side": side_word(trade.taker_side.opposite),
        }
        for trade in newest_first
    ]
    return json_text([{"type": kind, "trades": trades}])


def ticker_events(kind: str, product: Product, tape: Tape, *, has_touch: bool) -> str:
    """The figures of one product, with the best prices or without."""
    instrument, levels = product.instrument, tape.levels
    last = tape.last_price or 0
    first = last if tape.first_price is None else tape.first_price
    low, high = instrument.price_text(tape.low), instrument.price_text(tape.high)
    ticker: Body = {
        "type": "ticker",
        "product_id": product.product_id,
        "price": instrument.price_text(last),
        "volume_24_h": instrument.size_text(tape.volume),
        "low_24_h": low,
        "high_24_h": high,
        "low_52_w": low,
        "high_52_w": high,
        "price_percent_chg_24_h": plain(
            quotient((last - first) * 100 * product.tick, first * product.tick, 14)
        ),
    }
    if has_touch:
        for name, best in (("bid", levels.bids(1)), ("ask", levels.asks(1))):
            ticker[f"best_{name}"] = instrument.price_text(best[0][0]) if best else ""
            ticker[f"best_{name}_quantity"] = instrument.size_text(best[0][1]) if best else ""
    return json_text([{"type": kind, "tickers": [ticker]}])


def candles_events(kind: str, product: Product, candles: Iterable[Candle]) -> str:
    """Five-minute candles of one product."""
    rows = [{**candle_body(product, candle), "product_id": product.product_id} for candle in candles]
    return json_text([{"type": kind, "candles": rows}])


def status_events(kind: str, products: Iterable[Product]) -> str:
    """What is traded."""
    rows = [
        {
            "product_type": "SPOT",
            "id": product.product_id,
            "base_currency": product.base,
            "quote_currency": product.quote,
            "base_increment": plain(product.step),
            "quote_increment": plain(product.tick),
            "display_name": f"{product.base}/{product.quote}",
            "status": product.status,
            "status_message": "",
            "min_market_funds": plain(product.min_value),
        }
        for product in products
    ]
    return json_text([{"type": kind, "products": rows}])


def only_products(events: str, product_ids: frozenset[str]) -> str:
    """The events of a frame without what they say of other products, every value as it was."""
    kept = []
    for event in msgspec.json.decode(events):
        if "product_id" in event:
            if event["product_id"] in product_ids:
                kept.append(event)
            continue
        for rows in ("trades", "tickers", "candles"):
            if rows in event:
                event[rows] = [row for row in event[rows] if row["product_id"] in product_ids]
                if event[rows]:
                    kept.append(event)
    return json_text(kept)
