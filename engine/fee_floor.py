"""Configured spreads that cannot earn the account's fees: what is said of them, and what is refused.

The break-even spread of a market maker is that of two maker fees. `basic` quotes the spread it is told; the
models of section `model` end at the fee by themselves unless `strategy.allow_negative_edge`, so only a
largest half-spread below the fee contradicts itself. A plugin answers for its own prices.

Nor does a spread earn anything that risk control denies: the band of R4 ends at a distance from the mid, and
where the spread that the fees ask for is wider, nothing is ever quoted.
"""

from __future__ import annotations

from decimal import Decimal

from engine.config_schema import value_text
from engine.strategies import BASIC, BUILT_IN
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.model_settings import ModelSettings

_ALLOWED = "strategy.allow_negative_edge = true"


def refusal(name: str, shared: BasicSettings, model: ModelSettings, maker_bps: Decimal) -> str | None:
    """What a run with real money needs instead; None where a spread earns `maker_bps` twice, or need not."""
    if shared.allow_negative_edge or name not in BUILT_IN:
        return None
    if name == BASIC:
        spread, least = shared.base_spread_bps, 2 * maker_bps
        words = f"strategy.base_spread_bps of at least {value_text(least)} bp, the break-even spread of two"
        words = f"{words} maker fills"
    else:
        spread, least = model.max_half_spread_bps, maker_bps
        words = f"model.max_half_spread_bps of at least {value_text(least)} bp, the maker fee"
    return None if spread >= least else f"{words} (it is {value_text(spread)}), or {_ALLOWED}"


def warning(name: str, shared: BasicSettings, model: ModelSettings, maker_bps: Decimal) -> str | None:
    """What whoever runs it should know all the time, in any mode; None where spreads earn their fees."""
    if name not in BUILT_IN:
        return None
    if name == BASIC:
        spread, least = shared.base_spread_bps, 2 * maker_bps
        if spread >= least:
            return None
        return (
            f"strategy.base_spread_bps = {value_text(spread)} is below the break-even spread of "
            f"{value_text(least)} bps: a round trip of two maker fills loses money"
        )
    fee = f"the maker fee of {value_text(maker_bps)} bps"
    if shared.allow_negative_edge:
        if model.min_half_spread_bps >= maker_bps:
            return None
        return f"{_ALLOWED}: {name} may quote nearer to the fair value than {fee}, and lose money by it"
    if model.max_half_spread_bps >= maker_bps:
        return None
    largest = value_text(model.max_half_spread_bps)
    return f"model.max_half_spread_bps = {largest} is below {fee}, which is the half-spread that is quoted"


def band_warning(
    name: str, shared: BasicSettings, model: ModelSettings, maker_bps: Decimal, band_bps: Decimal
) -> str | None:
    """What is said where the least half-spread lies outside the band around the mid; None where it fits."""
    if name not in BUILT_IN:
        return None
    if name == BASIC:
        least, words = shared.base_spread_bps / 2, "half of strategy.base_spread_bps"
    else:
        least, words = model.min_half_spread_bps, "model.min_half_spread_bps"
        floor = min(maker_bps, model.max_half_spread_bps)
        if not shared.allow_negative_edge and floor > least:
            least, words = floor, f"the maker fee, the least half-spread of {name},"
    if least <= band_bps:
        return None
    return (
        f"{words} is {value_text(least)} bp, but risk.band_bps = {value_text(band_bps)} denies every quote "
        "further than that from the mid: few or none will be sent"
    )
