"""Paper and live trading: the venue spoken to, the account checked, and everything on the network put together."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from engine.config import Config, Resolved
from engine.core.clock import Clock, LiveClock
from engine.core.errors import UsageError
from engine.exchange.account import Opening
from engine.exchange.coinbase.broker import (
    AuthenticationError,
    Balance,
    Broker,
    BrokerError,
    Permissions,
    ProductState,
)
from engine.exchange.coinbase.brokers import broker_for
from engine.exchange.coinbase.keys import ApiKey, read_key_file
from engine.exchange.coinbase.network import ADVANCED
from engine.runtime.bell import Bell
from engine.runtime.builder import Market
from engine.runtime.clock_watch import HALT_NS

_KEY_ADVICE: Final = "make a key that may view and trade, and no more, and name it with --key-file"


async def connect(resolved: Resolved, real: Clock) -> Network:
    """Speak to the venue and check what trading there needs. Nothing is sent that changes anything.

    Raises `UsageError` for what the settings cannot mean there, `BrokerError` for a venue that is not
    reached or a key that is refused.
    """
    config = resolved.config
    api = config.exchange.name or ADVANCED
    endpoints = config.network.endpoints(api)
    key = None if config.network.key_file is None else read_key_file(Path(config.network.key_file), api)
    clock = LiveClock(real)
    broker = broker_for(
        api,
        endpoints,
        key,
        clock=clock,
        ca_file=config.network.ca_file,
        answer_timeout_s=config.network.answer_timeout_ms / 1_000,
    )
    try:
        await broker.open()
        products = await _products(broker, config)
        balances: dict[str, Balance] = {}
        if key is not None:
            _require_rights(await broker.permissions(), config)
            rates = await broker.fees()
            resolved = _with_fees(resolved, rates.maker_bps, rates.taker_bps, rates.tier, broker.name)
        if config.engine.mode == "live":
            _require_clock(broker)
            balances = await broker.balances()
    except BaseException:
        await broker.close()
        raise
    return Network(resolved, api, key, clock, broker, products, balances)


async def _products(broker: Broker, config: Config) -> dict[str, ProductState]:
    wanted = config.engine.symbols
    known = await broker.products(wanted)
    for symbol in wanted:
        state = known.get(symbol)
        if state is None:
            raise UsageError(f"{broker.name} has no product {symbol}; nothing was sent")
        if config.engine.mode == "live" and not state.is_tradable:
            raise UsageError(f"{symbol} cannot be traded now: {state.note}; nothing was sent")
    return {symbol: known[symbol] for symbol in wanted}


def _require_rights(rights: Permissions, config: Config) -> None:
    if rights.can_transfer:
        raise AuthenticationError(
            "KEY_TOO_STRONG",
            f"this key may move money out of the account, which trading never needs: {_KEY_ADVICE}. "
            "Nothing was sent",
        )
    if config.engine.mode == "live" and rights.can_trade is False:
        raise AuthenticationError("PERMISSION", f"this key may not trade: {_KEY_ADVICE}. Nothing was sent")


def _require_clock(broker: Broker) -> None:
    offset = broker.clock_offset_ns
    if offset is not None and abs(offset) > HALT_NS:
        raise BrokerError(
            "CLOCK",
            f"this machine's clock is {abs(offset) / 1e9:.1f} s off the venue's: set it "
            "(timedatectl set-ntp true). Nothing was sent",
        )


def _with_fees(resolved: Resolved, maker: Decimal, taker: Decimal, tier: str, venue: str) -> Resolved:
    """The account's own rates, unless somebody has said otherwise."""
    sources = dict(resolved.sources)
    fees = resolved.config.fees
    for name, rate in (("maker_bps", maker), ("taker_bps", taker)):
        if sources[f"fees.{name}"].startswith("default"):
            fees = replace(fees, **{name: rate})
            sources[f"fees.{name}"] = f"the account at {venue}" + (f", {tier}" if tier else "")
    return replace(resolved, config=replace(resolved.config, fees=fees), sources=sources)


class Network:
    """A venue that was spoken to. See `engine.runtime.session.MarketMaking`."""

    def __init__(
        self,
        resolved: Resolved,
        api: str,
        key: ApiKey | None,
        clock: LiveClock,
        broker: Broker,
        products: Mapping[str, ProductState],
        balances: Mapping[str, Balance],
    ) -> None:
        config = resolved.config
        if not config.engine.order_tag:
            # No id of this session may have been used by another one of this account.
            tagged = replace(config.engine, order_tag=1 + secrets.randbelow(2**32 - 1))
            resolved = replace(resolved, config=replace(config, engine=tagged))
        self.resolved = resolved
        """The configuration with what the venue says of the account."""
        self._api = api
        self._key = key
        self._clock = clock
        self._broker = broker
        self._products = products
        self._balances = balances
        self._bell = Bell()

    async def close(self) -> None:
        """Let go of the venue; for a start that ends before anything runs."""
        await self._broker.close()

    def market(self, config: Config, openings: Mapping[str, Opening] | None) -> Market:
        """See `MarketMaking`."""
        raise NotImplementedError

    def _opening(self, state: ProductState) -> Opening:
        """What the account has of a product's two currencies."""
        instrument, nothing = state.instrument, Decimal(0)
        base, quote = self._balances.get(instrument.base), self._balances.get(instrument.quote)
        return Opening(nothing if quote is None else quote.total, nothing if base is None else base.total)
