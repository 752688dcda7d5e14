"""Section `breaker`: when the circuit breaker opens, and how it closes again.

Every upper bound is a hard ceiling: a configuration may tighten, only a change of this file can lift it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from engine.core.settings import setting
from engine.risk.guard_settings import NO_MONEY_MODES
from engine.risk.limits import BreakerLimits, Ratio

_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """What the market must do for quoting to rest. The defaults are those of paper and live trading."""

    move_1m_pct: Decimal = setting(
        Decimal(2),
        "Move of the mid within a minute that opens the breaker.",
        unit="%",
        above=0,
        at_most=100,
        live=True,
    )
    move_5m_pct: Decimal = setting(
        Decimal(4),
        "Move of the mid within five minutes that opens the breaker.",
        unit="%",
        above=0,
        at_most=100,
        live=True,
    )
    max_spread_bps: Decimal = setting(
        Decimal(100),
        "Spread that opens the breaker.",
        unit="bp",
        above=0,
        at_most=10_000,
        live=True,
    )
    max_volatility: Decimal = setting(
        Decimal(2),
        "Volatility of the last minute that opens the breaker.",
        unit="% per √minute",
        above=0,
        at_most=100,
        live=True,
    )
    volume_burst: int = setting(
        50,
        "Volume of a minute, as a multiple of the average minute of the last 30, that opens the breaker.",
        unit="x",
        at_least=2,
        at_most=100_000,
        live=True,
    )
    max_latency_ms: int = setting(
        1_000,
        "Age of market data on arrival, for a second on end, that opens the breaker.",
        unit="ms",
        at_least=1,
        at_most=10_000,
        live=True,
    )
    max_disconnects: int = setting(
        3,
        "Losses of the book within five minutes that open the breaker.",
        at_least=1,
        at_most=1_000,
        live=True,
    )
    cooldown_s: int = setting(
        60,
        "Time without a trigger after which smaller quotes are tried.",
        unit="s",
        at_least=1,
        at_most=86_400,
        live=True,
    )
    trial_s: int = setting(
        60,
        "Time of smaller quotes without a trigger after which all is as before.",
        unit="s",
        at_least=1,
        at_most=86_400,
        live=True,
    )
    trial_size_pct: Decimal = setting(
        Decimal(50),
        "Share of its size that a quote has while on trial.",
        unit="%",
        above=0,
        at_most=100,
        live=True,
    )

    @classmethod
    def for_mode(cls, mode: str) -> Self:
        """The defaults of a mode: with play money nothing but the impossible opens the breaker."""
        if mode not in NO_MONEY_MODES:
            return cls()
        return cls(
            move_1m_pct=Decimal(100),
            move_5m_pct=Decimal(100),
            max_spread_bps=Decimal(10_000),
            max_volatility=Decimal(100),
            volume_burst=100_000,
            max_latency_ms=10_000,
            max_disconnects=1_000,
        )

    def violation(self) -> str | None:
        """The first rule between fields that is broken."""
        if self.move_1m_pct > self.move_5m_pct:
            return (
                f"breaker.move_1m_pct = {self.move_1m_pct}: must be at most "
                f"move_5m_pct = {self.move_5m_pct}, which looks at more"
            )
        return None

    def limits(self) -> BreakerLimits:
        """The settings as exact numbers."""
        return BreakerLimits(
            move_1m=Ratio.of(self.move_1m_pct, 100),
            move_5m=Ratio.of(self.move_5m_pct, 100),
            max_spread=Ratio.of(self.max_spread_bps, 10_000),
            volatility=float(self.max_volatility),
            volume_burst=self.volume_burst,
            latency_ns=self.max_latency_ms * 1_000_000,
            max_disconnects=self.max_disconnects,
            cooldown_ns=self.cooldown_s * _S,
            trial_ns=self.trial_s * _S,
            trial_size=Ratio.of(self.trial_size_pct, 100),
        )
