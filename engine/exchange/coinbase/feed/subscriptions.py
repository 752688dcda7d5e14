"""What we ask the venue for, as the frames that are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from engine.exchange.coinbase.wire.sessions import Api

PUBLIC_CHANNELS: Final[Mapping[Api, tuple[str, ...]]] = {
    Api.ADVANCED: ("level2", "market_trades", "ticker", "ticker_batch", "candles", "status"),
    Api.EXCHANGE: ("level2_batch", "matches", "ticker", "ticker_batch", "status"),
}
"""What may be asked for without a key, heartbeats aside; the usual ones first."""


class Signer(Protocol):
    """Proves who we are in a subscription."""

    def ws_fields(self, channel: str, products: Sequence[str]) -> dict[str, Any]:
        """The fields to be added to the message, fresh each time."""
        ...


def market_requests(api: Api, products: Sequence[str]) -> list[str]:
    """Everything that a new connection for trading asks for: books and trades, heartbeats first."""
    return channel_requests(api, products, PUBLIC_CHANNELS[api][:2])


def channel_requests(api: Api, products: Sequence[str], channels: Sequence[str]) -> list[str]:
    """Requests for public channels, heartbeats first."""
    if api is Api.ADVANCED:
        return [
            _frame({"type": "subscribe", "channel": "heartbeats"}),
            *(
                _frame({"type": "subscribe", "channel": channel, "product_ids": list(products)})
                for channel in channels
            ),
        ]
    return [
        _frame({"type": "subscribe", "product_ids": list(products), "channels": ["heartbeat"]}),
        _frame({"type": "subscribe", "product_ids": list(products), "channels": list(channels)}),
    ]


def book_request(api: Api, kind: str, product: str) -> str:
    """`subscribe` to or `unsubscribe` from the book of one product."""
    if api is Api.ADVANCED:
        return _frame({"type": kind, "channel": "level2", "product_ids": [product]})
    return _frame({"type": kind, "product_ids": [product], "channels": ["level2_batch"]})


def user_requests(api: Api, products: Sequence[str], signer: Signer) -> list[str]:
    """Everything that a connection for our own orders asks for; heartbeats first.

    On Advanced Trade all products are asked for: one more cannot be added later.
    """
    if api is Api.ADVANCED:
        return [
            _frame({"type": "subscribe", "channel": "heartbeats"}),
            _frame({"type": "subscribe", "channel": "user", **signer.ws_fields("user", ())}),
        ]
    return [
        _frame(
            {
                "type": "subscribe",
                "product_ids": list(products),
                "channels": ["heartbeat", "user"],
                **signer.ws_fields("user", products),
            }
        )
    ]


def _frame(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
