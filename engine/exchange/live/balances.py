"""Position identity: what the account holds against our record of it, by currency."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, localcontext
from typing import NamedTuple

from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Balance
from engine.exchange.protocol import OwnRecord


class Difference(NamedTuple):
    """A currency of which the account holds another amount than our record says."""

    currency: str
    at_venue: Decimal
    by_record: Decimal

    def __str__(self) -> str:
        """For people."""
        return (
            f"the account holds {self.at_venue.normalize():f} {self.currency} and our record says "
            f"{self.by_record.normalize():f}"
        )


class AccountCheck:
    """Compares the venue's balances with the record of one product.

    `baseline` is by currency what the account holds beyond that record: nothing, unless it is given.
    """

    def __init__(
        self, instrument: Instrument, record: OwnRecord, baseline: Mapping[str, Decimal] | None = None
    ) -> None:
        self._instrument = instrument
        self._record = record
        self.baseline: dict[str, Decimal] = dict(baseline or {})

    def recorded(self) -> dict[str, Decimal]:
        """By currency what our record says, without the baseline."""
        instrument, record = self._instrument, self._record
        with localcontext(prec=100):
            return {
                instrument.base: record.base_balance * instrument.lot,
                instrument.quote: Decimal(record.quote_balance).scaleb(-instrument.money_places),
            }

    def differences(
        self, balances: Mapping[str, Balance], tolerance: Mapping[str, Decimal]
    ) -> list[Difference]:
        """Currencies that are off by more than the tolerance. One that the venue leaves out is 0."""
        off = []
        with localcontext(prec=100):
            for currency, recorded in self.recorded().items():
                balance = balances.get(currency)
                total = Decimal(0) if balance is None else balance.total
                expected = recorded + self.baseline.get(currency, 0)
                if abs(total - expected) > tolerance.get(currency, 0):
                    off.append(Difference(currency, total, expected))
        return off

    def accept(self, balances: Mapping[str, Balance]) -> None:
        """A person has looked: what the venue says now is right."""
        with localcontext(prec=100):
            for currency, recorded in self.recorded().items():
                balance = balances.get(currency)
                self.baseline[currency] = (Decimal(0) if balance is None else balance.total) - recorded
