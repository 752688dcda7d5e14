"""A trader's balances at a simulated or paper venue: totals, holds, fees."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.fees import FeeSchedule


class Opening(msgspec.Struct, frozen=True):
    """What an account held when a session began, in whole currency units."""

    quote: Decimal
    base: Decimal


class AccountState(msgspec.Struct, frozen=True, gc=False):
    """An `Account`'s totals and holds. Whole numbers, as decimals: MessagePack ends at 64 bits, and a
    balance may not."""

    quote: Decimal
    base: Decimal
    quote_held: Decimal
    base_held: Decimal


class Account:
    """Quote atoms and base lots, with what open orders hold.

    A buy holds its notional plus the taker fee it might pay, a sell holds its lots. `hold` says whether
    the account can afford an order; every hold ends with `release` (of what was not filled) and `fill`.
    """

    __slots__ = ("base", "base_held", "fees", "instrument", "quote", "quote_held")

    def __init__(self, instrument: Instrument, fees: FeeSchedule, *, quote: int, base: int) -> None:
        self.instrument = instrument
        self.fees = fees
        self.quote = quote
        self.base = base
        self.quote_held = 0
        self.base_held = 0

    def _quote_hold(self, price: int, size: int) -> int:
        # Linear in size, so that releasing an order in parts gives back exactly what it held.
        per_lot = self.instrument.notional(price, 1)
        return size * (per_lot + max(0, self.fees.fee(per_lot, is_maker=False)))

    def hold(self, side: Side, price: int, size: int) -> bool:
        """Set funds aside for an order; False, with nothing changed, when they do not suffice."""
        if side is Side.BUY:
            amount = self._quote_hold(price, size)
            if amount > self.quote - self.quote_held:
                return False
            self.quote_held += amount
        else:
            if size > self.base - self.base_held:
                return False
            self.base_held += size
        return True

    def release(self, side: Side, price: int, size: int) -> None:
        """Give back the hold of `size` lots of an order at its limit `price`."""
        if side is Side.BUY:
            self.quote_held -= self._quote_hold(price, size)
        else:
            self.base_held -= size

    def fill(self, side: Side, price: int, size: int, *, is_maker: bool) -> int:
        """Book an execution and return its fee in atoms. The hold is released separately."""
        notional = self.instrument.notional(price, size)
        fee = self.fees.fee(notional, is_maker)
        self.quote -= side * notional + fee
        self.base += side * size
        return fee

    def save(self) -> AccountState:
        """A copy."""
        return AccountState(*map(Decimal, (self.quote, self.base, self.quote_held, self.base_held)))

    def load(self, state: AccountState) -> None:
        """Go on from a saved one."""
        self.quote, self.base = int(state.quote), int(state.base)
        self.quote_held, self.base_held = int(state.quote_held), int(state.base_held)
