"""One client of the Exchange feed: what it asked for, and what it was told of balances."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from engine.local_venue.accounts import Wallet
from engine.local_venue.exchange.messages import balance
from engine.local_venue.exchange.subscriptions import Subscriptions
from engine.local_venue.wire import Outbox


class Connection:
    """Where its frames go."""

    def __init__(self, outbox: Outbox) -> None:
        self.subscriptions = Subscriptions()
        self.has_key = False
        """True from its first good signature on."""
        self._outbox = outbox
        self._balances: dict[str, tuple[Decimal, Decimal]] = {}

    def send(self, message: dict[str, Any] | None) -> None:
        """Send a frame; None is nothing to send."""
        if message is not None:
            self.send_text(json.dumps(message, separators=(",", ":")))

    def send_text(self, text: str) -> None:
        """Send a frame."""
        self._outbox.send(text)

    def close(self, code: int, reason: str) -> None:
        """End the connection once what waits has left."""
        self._outbox.close_after(code, reason)

    @property
    def is_congested(self) -> bool:
        """True while the client is far behind."""
        return self._outbox.is_congested

    def send_changed_balances(self, wallets: Iterable[Wallet], wall_ns: int) -> None:
        """Tell of the accounts that are asked for and have changed."""
        if self.subscriptions.accounts:
            for wallet in wallets:
                told = self._balances.get(wallet.account_id)
                if told is not None and told != (wallet.hold, wallet.available):
                    self.send_balance(wallet, wall_ns)

    def send_balance(self, wallet: Wallet, wall_ns: int) -> None:
        """Tell of one account."""
        self._balances[wallet.account_id] = (wallet.hold, wallet.available)
        self.send(balance(wallet, wall_ns))
