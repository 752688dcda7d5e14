"""Which API a connection speaks, and the session for it."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from engine.core.instrument import Instrument
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.coinbase.wire.exchange import ExchangeSession
from engine.exchange.coinbase.wire.session import REFUSED, FeedSession


class Api(enum.StrEnum):
    """The two live Coinbase APIs."""

    ADVANCED = "coinbase"
    EXCHANGE = "coinbase-exchange"


class _Shape(msgspec.Struct):
    type: str = ""
    channel: str = ""
    channels: msgspec.Raw = msgspec.Raw()


_EXCHANGE_WORDS = frozenset(
    {"subscriptions", "snapshot", "l2update", "ticker", "heartbeat", "match", "last_match", "received"}
) | {"open", "done", "change", "activate", "status"}


def detect_api(direction: str, raw: bytes | str) -> Api | None:
    """The API that one line of a connection (`connect` with its address, `send` or `recv`) belongs to.

    None where the line does not tell, as an error message: look at the next one.
    """
    if direction == "connect":
        address = raw if isinstance(raw, str) else raw.decode("ascii", "replace")
        if "advanced-trade-ws" in address:
            return Api.ADVANCED
        # ws-feed and ws-direct, under each of the names they have had.
        return Api.EXCHANGE if "://ws-" in address else None
    try:
        shape = msgspec.json.decode(raw, type=_Shape)
    except REFUSED:
        return None
    if shape.channel:
        return Api.ADVANCED
    if shape.channels or shape.type in _EXCHANGE_WORDS:
        return Api.EXCHANGE
    return None


def open_session(api: Api, instruments: Mapping[str, Instrument]) -> FeedSession:
    """A new session for an API; products without an instrument are ignored and counted."""
    if api is Api.ADVANCED:
        return AdvancedSession(instruments)
    return ExchangeSession(instruments)
