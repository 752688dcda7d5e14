"""What a faulty venue does to the content of a frame; both dialects, Advanced Trade's and the Exchange's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any, Final

Message = dict[str, Any]

_NEEDED: Final = (
    "price_level",
    "new_quantity",
    "side",
    "price",
    "size",
    "trade_id",
    "order_id",
    "cumulative_quantity",
    "status",
    "changes",
    "bids",
    "asks",
    "product_id",
)
"""Fields that a client cannot do without."""
_NUMBERS: Final = frozenset(
    {
        "price_level",
        "new_quantity",
        "price",
        "size",
        "best_bid",
        "best_ask",
        "cumulative_quantity",
        "filled_value",
        "limit_price",
    }
)
_PRICES: Final = frozenset({"price_level", "price", "best_bid", "best_ask", "limit_price"})
_ORDER_IDS: Final = frozenset({"order_id", "client_order_id", "client_oid"})
_TIMES: Final = frozenset({"timestamp", "time", "event_time", "creation_time"})
_WRONG_TIMES: Final = {
    "past": "2001-01-01T00:00:00.000000Z",
    "future": "2199-01-01T00:00:00.000000Z",
    "leap": "2026-06-30T23:59:60.500000Z",
    "no-zone": "2026-08-09T21:05:48.483587",
    "year-1": "0001-01-01T00:00:00Z",
}
_MANY_DIGITS: Final = "@digits@"
"""Stands for an integer that Python would not write, and is replaced in the text."""
_WRONG_NUMBERS: Final = {
    "nan": "NaN",
    "infinity": "Infinity",
    "1e999": "1e999",
    "negative": "-1",
    "zero": "0",
    "huge": "9" * 60,
    "digits": _MANY_DIGITS,
}
_FAR: Final = 10
"""A bid at so many times any price of the book crosses it."""


def text_of(message: Message) -> str:
    """The message as it goes over the wire."""
    text = json.dumps(message, separators=(",", ":"))
    return text.replace(f'"{_MANY_DIGITS}"', "9" * 5_000)


def wrong_fields(text: str, how: str, random: Random) -> str:
    """Fields more, fewer, empty, or of another type than documented."""
    message = json.loads(text)
    item = _item(message)
    if how == "extra":
        message["a_new_field"] = {"of": ["tomorrow"]}
        item["another_new_field"] = None
        return text_of(message)
    present: list[str] = [key for key in _NEEDED if key in item]
    if present:
        key = random.choice(present)
        if how == "missing":
            del item[key]
        else:
            item[key] = None if how == "null" else {"unexpected": [1]}
    return text_of(message)


def wrong_numbers(text: str, how: str) -> str:
    """Prices and sizes that no book can hold."""
    wrong = _WRONG_NUMBERS[how]
    # A size of zero is a deletion, and right: only prices are made zero.
    names = _PRICES if how == "zero" else _NUMBERS
    message = _changed(json.loads(text), lambda key, value: wrong if key in names else value)
    for rows in (message.get("changes"), message.get("bids"), message.get("asks")):
        if rows:
            rows[0][-2:] = [wrong, "1" if how == "zero" else wrong]
    return text_of(message)


def wrong_times(text: str, how: str) -> str:
    """Times that are not now, or no times."""
    wrong = _WRONG_TIMES[how]
    return text_of(_changed(json.loads(text), lambda key, value: wrong if key in _TIMES else value))


def other_product(text: str) -> str:
    """The same about a product that nobody asked for."""
    return text_of(
        _changed(json.loads(text), lambda key, value: "OTHER-USD" if key == "product_id" else value)
    )


def other_order(text: str, random: Random) -> str:
    """The same about an order under ids that nobody gave."""

    def strange(key: str, value: Any) -> Any:
        return str(uuid.UUID(int=random.getrandbits(128), version=4)) if key in _ORDER_IDS else value

    return text_of(_changed(json.loads(text), strange))


def doubled_keys(text: str) -> str:
    """Every key of the outermost object twice."""
    pairs = [f"{json.dumps(key)}:{text_of(value)}" for key, value in json.loads(text).items()]
    return "{" + ",".join(pair for pair in pairs for _ in range(2)) + "}"


def crossed(text: str) -> str:
    """A change of the book with one bid more, far above every offer."""
    message = json.loads(text)
    if "changes" in message:
        _side, price, size = message["changes"][0]
        message["changes"].append(["buy", _times(price), size if Decimal(size) else "1"])
    else:
        changes = message["events"][0]["updates"]
        changes.append(
            {
                **changes[0],
                "side": "bid",
                "price_level": _times(changes[0]["price_level"]),
                "new_quantity": "1",
            }
        )
    return text_of(message)


def change_before(snapshot: str) -> str:
    """A change to the book of a snapshot that has not come yet; the snapshot makes up for it."""
    message = json.loads(snapshot)
    if "events" not in message:
        side, rows = ("buy", message["bids"]) if message["bids"] else ("sell", message["asks"])
        changes = [[side, row[0], "123"] for row in rows[:1]]
        return text_of(
            {
                "type": "l2update",
                "product_id": message["product_id"],
                "changes": changes,
                "time": message["time"],
            }
        )
    event = message["events"][0]
    updates = [{**one, "new_quantity": "123"} for one in event["updates"][:1]]
    return text_of({**message, "events": [{**event, "type": "update", "updates": updates}]})


def jumped_heartbeat(text: str, beats: int) -> str:
    """A heartbeat whose counter is ahead; the Exchange counts trades there."""

    def ahead(key: str, value: Any) -> Any:
        if key not in ("heartbeat_counter", "last_trade_id"):
            return value
        return type(value)(int(value) + beats)

    return text_of(_changed(json.loads(text), ahead))


def flipped(text: str, random: Random) -> bytes:
    """The text with a few bits of it turned over."""
    content = bytearray(text.encode())
    for _ in range(3):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return bytes(content)


def unknown_channel(text: str) -> str:
    """A frame of a channel that was never documented, numbered as `text` is."""
    message = json.loads(text)
    if "channel" in message:
        return text_of({**message, "channel": "of_tomorrow", "events": [{"type": "update", "news": [1]}]})
    return text_of({"type": "of_tomorrow", "product_id": message.get("product_id", ""), "news": [1]})


def _item(message: Message) -> Message:
    """The innermost object of a message: a level, a trade, an order; the message itself where it is flat."""
    events = message.get("events")
    if not events:
        return message
    event: Message = events[0]
    for value in event.values():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return value[0]
    return event


def _changed(value: Any, change: Callable[[str, Any], Any]) -> Any:
    """A copy in which `change` has had its say about every field that is no list and no object."""
    if isinstance(value, list):
        return [_changed(one, change) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _changed(one, change) if isinstance(one, dict | list) else change(key, one)
        for key, one in value.items()
    }


def _times(price: str) -> str:
    return f"{Decimal(price) * _FAR:f}"
