"""`doctor`: what the venue itself says: its clock, the products, what the key may do, the fees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.commands.doctor_check import EXIT_USAGE, EXIT_VENUE, Check, Verdict
from engine.config import Resolved
from engine.config_schema import value_text
from engine.exchange.coinbase.broker import (
    AuthenticationError,
    Broker,
    BrokerError,
    Permissions,
    ProductState,
)
from engine.runtime.clock_watch import HALT_NS, WARN_NS
from engine.runtime.network import with_account_fees

_SET_CLOCK: Final = "set it: timedatectl set-ntp true"
_BETTER_KEY: Final = "make a key that may view and trade, and nothing else"


async def check_venue(broker: Broker, resolved: Resolved, *, has_key: bool) -> list[Check]:
    """Every question that the venue answers. It is opened and closed here."""
    symbols = resolved.config.engine.symbols
    try:
        await broker.open()
        offset = await broker.measure_clock()
    except BrokerError as error:
        return [_unanswered("network", "requests", error), *_not_reached(symbols)]
    else:
        answered = Check("network", "requests", Verdict.OK, "the venue answers requests")
        checks = [answered, clock_check(offset), *await _products(broker, symbols)]
        if has_key:
            checks += [await _rights(broker, resolved), await _fees(broker, resolved)]
        return checks
    finally:
        await broker.close()


def _not_reached(symbols: Sequence[str]) -> list[Check]:
    words = "not asked for: the venue does not answer"
    names = [("clock", "clock"), *(("products", symbol) for symbol in symbols)]
    names += [("key", "rights"), ("fees", "fees")]
    return [Check(group, name, Verdict.SKIPPED, words) for group, name in names]


def _unanswered(group: str, name: str, error: BrokerError) -> Check:
    about = "key" if isinstance(error, AuthenticationError) else group
    return Check(about, name, Verdict.FAIL, str(error), exit_code=EXIT_VENUE)


def clock_check(offset_ns: int) -> Check:
    """What a difference means, the venue's time minus ours."""
    off = abs(offset_ns)
    words = f"{off / 1e6:,.0f} ms {'behind' if offset_ns > 0 else 'ahead of'} the venue's clock"
    if off > HALT_NS:
        return Check(
            "clock",
            "clock",
            Verdict.FAIL,
            f"{words}: live trading does not start, data looks old",
            _SET_CLOCK,
        )
    if off > WARN_NS:
        return Check("clock", "clock", Verdict.WARN, f"{words}: it is corrected for, but drifts", _SET_CLOCK)
    return Check("clock", "clock", Verdict.OK, words)


async def _products(broker: Broker, symbols: Sequence[str]) -> list[Check]:
    try:
        known = await broker.products(symbols)
    except BrokerError as error:
        return [_unanswered("products", "products", error)]
    return [product_check(symbol, known.get(symbol)) for symbol in symbols]


def product_check(symbol: str, state: ProductState | None) -> Check:
    """Whether a product can be quoted, and in which steps."""
    if state is None:
        return Check(
            "products", symbol, Verdict.FAIL, "the venue has no such product", "correct engine.symbols"
        )
    instrument = state.instrument
    steps = f"price in steps of {value_text(instrument.tick)} {instrument.quote}, size of "
    steps += f"{value_text(instrument.lot)} {instrument.base}"
    if not state.is_tradable:
        why = state.note or "the venue does not say why"
        return Check(
            "products", symbol, Verdict.FAIL, f"not tradable now: {why}", "wait, or trade another product"
        )
    if state.is_cancel_only or state.is_post_only:
        rule = "orders can only be cancelled" if state.is_cancel_only else "only post-only orders are taken"
        return Check(
            "products",
            symbol,
            Verdict.WARN,
            f"{rule} at the moment; {steps}",
            "a position cannot be closed by an order that takes; wait for the venue to lift it",
        )
    limits = "; market orders are not taken" if state.is_limit_only else ""
    alias = f"; its market data comes under the name {state.alias}" if state.alias else ""
    return Check("products", symbol, Verdict.OK, f"tradable, {steps}{limits}{alias}")


async def _rights(broker: Broker, resolved: Resolved) -> Check:
    try:
        rights = await broker.permissions()
    except BrokerError as error:
        return _unanswered("key", "rights", error)
    return rights_check(rights, must_trade=resolved.config.engine.mode == "live")


def rights_check(rights: Permissions, *, must_trade: bool) -> Check:
    """What it means that a key may do this and no more."""
    may = {"view": rights.can_view, "trade": rights.can_trade, "transfer": rights.can_transfer}
    told = ", ".join(f"{name} {_yes_or_no(value)}" for name, value in may.items())
    if rights.can_transfer:
        return Check(
            "key",
            "rights",
            Verdict.FAIL,
            f"{told}: this key may move money out of the account, which trading never needs",
            f"{_BETTER_KEY}; delete this one",
            exit_code=EXIT_VENUE,
        )
    if rights.can_view is False or (rights.can_trade is False and must_trade):
        return Check(
            "key", "rights", Verdict.FAIL, f"{told}: that is too little", _BETTER_KEY, exit_code=EXIT_VENUE
        )
    if rights.can_trade is False:
        return Check("key", "rights", Verdict.WARN, f"{told}: enough to look, not to trade", _BETTER_KEY)
    if rights.can_transfer is None:
        return Check(
            "key",
            "rights",
            Verdict.WARN,
            f"{told}: the venue does not tell whether this key may move money out of the account",
            "see in the venue's settings that it may not",
        )
    return Check("key", "rights", Verdict.OK, told)


def _yes_or_no(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


async def _fees(broker: Broker, resolved: Resolved) -> Check:
    try:
        rates = await broker.fees()
    except BrokerError as error:
        return _unanswered("fees", "fees", error)
    tier = f" ({rates.tier})" if rates.tier else ""
    words = f"maker {value_text(rates.maker_bps)} bps, taker {value_text(rates.taker_bps)} bps{tier}"
    fees, own = resolved.config.fees, {"maker_bps": rates.maker_bps, "taker_bps": rates.taker_bps}
    wrong = [
        f"fees.{name} = {value_text(getattr(fees, name))}"
        for name, rate in own.items()
        if not resolved.sources[f"fees.{name}"].startswith("default") and getattr(fees, name) != rate
    ]
    if wrong:
        return Check(
            "fees",
            "fees",
            Verdict.WARN,
            f"{words}; the configuration says {', '.join(wrong)}",
            "leave it out",
        )
    own_fees = with_account_fees(resolved, rates, broker.name).config
    if own_fees.engine.mode == "live" and (reason := own_fees.edge_violation()):
        told = f"{words}; a run would not start"
        return Check("fees", "fees", Verdict.FAIL, told, f"set {reason}", exit_code=EXIT_USAGE)
    if warning := own_fees.band_warning():
        return Check("fees", "fees", Verdict.WARN, f"{words}; {warning}", "set risk.band_bps wider")
    return Check("fees", "fees", Verdict.OK, words)
