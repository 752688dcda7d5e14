"""The limits of one instrument as exact numbers, and which way each of them is looser."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple, Self


class Ratio(NamedTuple):
    """An exact fraction; compare by cross-multiplying."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, value: Decimal, whole: int) -> Self:
        """`value` parts of `whole`: 2 of 100 for 2 %."""
        numerator, denominator = value.as_integer_ratio()
        return cls(numerator, denominator * whole)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """The settings as integers of one instrument: lots, atoms, nanoseconds, exact fractions."""

    max_order_size: int
    max_order_notional: int
    collar: Ratio
    band: Ratio
    max_open_orders: int
    max_open_orders_per_side: int
    max_position: int
    max_gross_notional: int
    min_free_balance: Ratio
    max_drawdown: Ratio
    max_drawdown_money: int
    max_daily_loss: int
    stop_loss: Ratio
    take_profit: Ratio
    max_trading_volume: int
    risk_capital: int | None
    max_quoted_position: int
    """The strategy's own cap: no quote may lead beyond it, everything that rests on its side filled."""
    max_orders_per_s: int
    max_order_burst: int
    order_wait_ns: int
    runaway_ratio: int
    max_fills_per_s: int
    max_filled_per_s: int
    fill_hold_ns: int
    max_spread: Ratio
    max_mid_move: Ratio
    book_hold_ns: int
    max_var: int | None
    var_confidence: float
    var_method: str
    var_interval_ns: int
    var_samples: int


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """Section `breaker` as exact numbers; times in nanoseconds."""

    move_1m: Ratio
    move_5m: Ratio
    max_spread: Ratio
    volatility: float
    """In % per √minute: of a judgement of markets, not of money."""
    volume_burst: int
    latency_ns: int
    max_disconnects: int
    cooldown_ns: int
    trial_ns: int
    trial_size: Ratio


_LESS_IS_LOOSER: Final = frozenset(
    {"min_free_balance", "fill_hold_ns", "book_hold_ns", "var_confidence", "cooldown_ns", "trial_ns"}
)
_ANY_CHANGE: Final = frozenset({"var_method", "var_interval_ns", "var_samples"})
"""Another way of measuring is neither tighter nor looser: a person must say so."""


def loosened(old: RiskLimits | BreakerLimits, new: RiskLimits | BreakerLimits) -> Iterator[str]:
    """The names of the limits of one kind that allow more in `new` than in `old`; no limit allows all."""
    for entry in dataclasses.fields(old):
        name = entry.name
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if name in _ANY_CHANGE or (
            _is_less(after, before) if name in _LESS_IS_LOOSER else _is_less(before, after)
        ):
            yield name


def _is_less(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is not None
    if isinstance(one, Ratio):
        less: bool = one.numerator * other.denominator < other.numerator * one.denominator
        return less
    return bool(one < other)
