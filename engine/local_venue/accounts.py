"""The account's wallets: what is there and what open orders hold, exact to the last digit."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from engine.local_venue.money import EXACT, ZERO


@dataclass(slots=True)
class Wallet:
    """One currency. `balance` is all of it, `hold` the part that open orders keep."""

    account_id: str
    currency: str
    balance: Decimal
    hold: Decimal = ZERO
    updated_ns: int = 0

    @property
    def available(self) -> Decimal:
        """What a new order may use."""
        return EXACT.subtract(self.balance, self.hold)


class Accounts:
    """Every wallet of the account, by currency."""

    def __init__(self, opening: Mapping[str, Decimal], opened_ns: int) -> None:
        self.opened_ns = opened_ns
        self._wallets = {currency: self._open(currency, amount) for currency, amount in opening.items()}

    def _open(self, currency: str, amount: Decimal) -> Wallet:
        account_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"wallet {currency}"))
        return Wallet(account_id, currency, amount, updated_ns=self.opened_ns)

    def wallets(self) -> list[Wallet]:
        """All of them, in the order in which they were opened."""
        return list(self._wallets.values())

    def get(self, currency: str) -> Wallet | None:
        """The wallet of a currency; None where the account has none."""
        return self._wallets.get(currency)

    def hold(self, currency: str, amount: Decimal, now_ns: int) -> None:
        """Keep more of a currency for orders, or, below 0, let go of some."""
        wallet = self._wallets[currency]
        wallet.hold = EXACT.add(wallet.hold, amount)
        wallet.updated_ns = now_ns

    def add(self, currency: str, amount: Decimal, now_ns: int) -> None:
        """Change a balance; a wallet that does not exist is opened."""
        wallet = self._wallets.get(currency)
        if wallet is None:
            wallet = self._wallets[currency] = self._open(currency, ZERO)
        wallet.balance = EXACT.add(wallet.balance, amount)
        wallet.updated_ns = now_ns
