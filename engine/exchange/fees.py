"""What a venue charges: exact rates, integer fees."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.core.errors import UsageError

_UNITS_PER_BPS = 10_000
_UNITS_PER_ONE = 10_000 * _UNITS_PER_BPS


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """Maker and taker rates in units of 1e-8 of the notional; negative means a rebate."""

    maker_rate: int
    taker_rate: int

    @classmethod
    def from_bps(cls, maker_bps: Decimal, taker_bps: Decimal) -> FeeSchedule:
        """Rates from basis points; finer than 1e-4 bps is a `UsageError`."""
        rates = []
        for name, bps in (("fees.maker_bps", maker_bps), ("fees.taker_bps", taker_bps)):
            units = bps * _UNITS_PER_BPS
            if units != int(units):
                raise UsageError(f"{name} = {bps}: rates are kept to 0.0001 bps")
            rates.append(int(units))
        return cls(*rates)

    def fee(self, notional: int, is_maker: bool) -> int:
        """The fee on a notional in atoms, rounded up to an atom (in the venue's favour)."""
        return -(-notional * (self.maker_rate if is_maker else self.taker_rate) // _UNITS_PER_ONE)

    @property
    def break_even_bps(self) -> Decimal:
        """The spread at which a round trip of two maker fills earns nothing: twice the maker fee."""
        return Decimal(2 * self.maker_rate) / _UNITS_PER_BPS
