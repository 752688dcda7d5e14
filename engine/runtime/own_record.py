"""Our own record of one product, as the network edge of its venue reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.core.own_orders import OwnOrder
from engine.exchange.account import Opening
from engine.trader.trader import Trader


class TraderRecord:
    """An `OwnRecord` over a Trader, which is built after the venue that reads it."""

    def __init__(self, opening: Opening, earned: Callable[[str], Decimal]) -> None:
        """`earned` gives what all products have earned or spent of a currency since the start."""
        self._opening = opening
        self._earned = earned
        self._trader: Trader | None = None

    def attach(self, trader: Trader) -> None:
        """Read this one from now on."""
        self._trader = trader

    @property
    def trader(self) -> Trader:
        """The Trader that is read."""
        assert self._trader is not None, "read before its Trader was built"
        return self._trader

    def open_orders(self) -> Sequence[OwnOrder]:
        """See `OwnRecord`."""
        return self.trader.orders.open_orders()

    def order(self, client_id: str) -> OwnOrder | None:
        """See `OwnRecord`."""
        return self.trader.orders.order(client_id)

    def is_ours(self, client_id: str) -> bool:
        """See `OwnRecord`."""
        return self.trader.orders.is_ours(client_id)

    def knows_fill(self, fill_id: str) -> bool:
        """See `OwnRecord`."""
        return self.trader.orders.knows_fill(fill_id)

    @property
    def base_balance(self) -> int:
        """See `OwnRecord`. Products of one currency share its balance."""
        instrument = self.trader.instrument
        return instrument.lots_floor(self._opening.base + self._earned(instrument.base))

    @property
    def quote_balance(self) -> int:
        """See `OwnRecord`. Products of one currency share its balance."""
        instrument = self.trader.instrument
        return instrument.atoms_rounded(self._opening.quote + self._earned(instrument.quote))[0]


def earned(records: Sequence[TraderRecord], currency: str) -> Decimal:
    """What the Traders have earned or spent of a currency since the start, in whole units."""
    total = Decimal(0)
    for record in records:
        instrument, ledger = record.trader.instrument, record.trader.ledger
        if instrument.base == currency:
            total += ledger.position * instrument.lot
        if instrument.quote == currency:
            total += Decimal(ledger.cash).scaleb(-instrument.money_places)
    return total
