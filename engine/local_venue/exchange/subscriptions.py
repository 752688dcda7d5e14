"""What a client of the Exchange feed asks for, and what it has."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.core.errors import PinnacleError

NAMES: Final = {"level2_batch": "level2_50", "ticker_batch": "ticker_1000"}
"""How the venue names a channel again."""
_ASKED: Final = {name: asked for asked, name in NAMES.items()}
CHANNELS: Final = frozenset(
    {
        "heartbeat",
        "status",
        "ticker",
        "ticker_batch",
        "level2",
        "level2_batch",
        "full",
        "matches",
        "user",
        "balance",
    }
)
MARKET_DATA_FOR_KEYS: Final = frozenset({"level2", "full"})
"""Public data that nevertheless needs a signature."""
PRIVATE: Final = frozenset({"user", "balance"})
_WITHOUT_PRODUCTS: Final = frozenset({"status", "balance"})
_FAILED: Final = "Failed to subscribe"
_NEEDS_KEY: Final = (
    "level2, level3, and full channels now require authentication. "
    "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"
)


class SubscriptionRefused(PinnacleError):
    """A message that the feed answers with an error: its `message` and its `reason`."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(f"{message}: {reason}")
        self.message = message
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Request:
    """One channel of a message; no products in an `unsubscribe` is all of them."""

    channel: str
    product_ids: tuple[str, ...]
    account_ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Subscriptions:
    """What one connection has: products by channel, accounts of the balance channel."""

    products: dict[str, dict[str, None]] = field(default_factory=dict)
    accounts: dict[str, None] = field(default_factory=dict)

    def add(self, request: Request) -> list[str]:
        """Take a channel up; the products that are new in it."""
        have = self.products.setdefault(request.channel, {})
        new = [product_id for product_id in request.product_ids if product_id not in have]
        have.update(dict.fromkeys(new))
        self.accounts.update(dict.fromkeys(request.account_ids))
        return new

    def remove(self, request: Request) -> None:
        """Give a channel up, or some products of it."""
        have = self.products.get(request.channel, {})
        for product_id in request.product_ids or tuple(have):
            have.pop(product_id, None)
        if not have:
            self.products.pop(request.channel, None)
            if request.channel == "balance":
                self.accounts.clear()

    def has(self, channel: str, product_id: str) -> bool:
        """Whether frames of a channel about a product are wanted."""
        return product_id in self.products.get(channel, ())

    def message(self) -> dict[str, Any]:
        """The frame that says it."""
        channels = [
            {
                "name": NAMES.get(channel, channel),
                "product_ids": [one for one in product_ids if one],
                "account_ids": list(self.accounts) if channel == "balance" else None,
            }
            for channel, product_ids in self.products.items()
        ]
        return {"type": "subscriptions", "channels": channels}


def read_requests(message: Mapping[str, Any], products: Container[str], *, has_key: bool) -> list[Request]:
    """The channels that a `subscribe` or `unsubscribe` names; one bad word refuses all of it."""
    is_subscribe = message.get("type") == "subscribe"
    listed = message.get("channels")
    if not isinstance(listed, list) or not listed:
        raise SubscriptionRefused(_FAILED, "channels is required")
    common = _products(message.get("product_ids", []), products)
    accounts = message.get("account_ids", [])
    requests = []
    for entry in listed:
        name = entry.get("name") if isinstance(entry, dict) else entry
        channel = _ASKED.get(name, name) if isinstance(name, str) else None
        if channel not in CHANNELS:
            raise SubscriptionRefused(_FAILED, f"{name} is not a valid channel")
        own = entry.get("product_ids") if isinstance(entry, dict) else None
        product_ids = common if own is None else _products(own, products)
        if is_subscribe:
            if channel in MARKET_DATA_FOR_KEYS and not has_key:
                raise SubscriptionRefused(_FAILED, _NEEDS_KEY)
            if channel in PRIVATE and not has_key:
                raise SubscriptionRefused("Authentication Failed", "Invalid API Key")
            if channel == "balance" and not accounts:
                raise SubscriptionRefused(_FAILED, "account_ids is required for the balance channel")
            if channel not in _WITHOUT_PRODUCTS and not product_ids:
                raise SubscriptionRefused(_FAILED, f"product_ids is required for the {channel} channel")
        if channel in _WITHOUT_PRODUCTS and is_subscribe:
            product_ids = product_ids or ("",)
        requests.append(Request(channel, product_ids, tuple(accounts) if channel == "balance" else ()))
    return requests


def _products(given: object, products: Container[str]) -> tuple[str, ...]:
    if not isinstance(given, list):
        raise SubscriptionRefused(_FAILED, "product_ids must be a list")
    for product_id in given:
        if not isinstance(product_id, str) or product_id not in products:
            raise SubscriptionRefused(_FAILED, f"{product_id} is not a valid product")
    return tuple(given)
