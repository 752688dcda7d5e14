"""What is compared with the venue again and again: orders, balances, fills."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Protocol

from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, BrokerError
from engine.exchange.live.balances import AccountCheck
from engine.exchange.live.drop_copy import DropCopy
from engine.exchange.live.halts import Halts
from engine.exchange.live.reconcile import Reconciler
from engine.exchange.live.tasks import Tasks

_SOON_S: Final = 1.0
"""After the start balances are compared as soon as orders agree and the record has all that was told."""
_LOCKED_S: Final = 2.0
"""Between two comparisons while the record does not agree with the venue."""
_CENT: Final = Decimal("0.01")


class EdgeSettings(Protocol):
    """How patient the edge is and how often it compares; see `NetworkSettings`."""

    @property
    def reconcile_interval_s(self) -> Decimal: ...
    @property
    def balance_interval_s(self) -> Decimal: ...
    @property
    def fills_interval_s(self) -> Decimal: ...
    @property
    def answer_timeout_ms(self) -> int: ...


class Upkeep:
    """Runs the comparisons. What the venue does not answer is compared the next time."""

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        settings: EdgeSettings,
        account: AccountCheck,
        reconciler: Reconciler,
        drop_copy: DropCopy,
        halts: Halts,
        last_price: Callable[[], Decimal],
        has_untold: Callable[[], bool],
    ) -> None:
        """`has_untold`: something was learned that the record has not been told yet."""
        self._has_untold = has_untold
        self._instrument = instrument
        self._broker = broker
        self._settings = settings
        self._account = account
        self._reconciler = reconciler
        self._drop_copy = drop_copy
        self._halts = halts
        self._last_price = last_price
        self._asked = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        """Begin."""
        tasks.spawn("reconcile", self._orders())
        tasks.spawn("balances", self._balances())
        tasks.spawn("drop copy", self._fills())

    def ask(self) -> None:
        """Compare orders at once."""
        self._asked.set()

    async def accept_balances(self) -> Mapping[str, Decimal]:
        """A person has looked: what the account holds now is right. By currency, what that is beyond our
        record. Raises `BrokerError`.
        """
        self._account.accept(await self._broker.balances())
        return dict(self._account.baseline)

    async def _orders(self) -> None:
        cause = "start"
        while True:
            is_locked = self._reconciler.is_locked
            self._asked.clear()
            report = await self._reconciler.reconcile(cause, with_history=is_locked)
            is_agreed = report.is_clean and not self._reconciler.is_locked
            wait_s = float(self._settings.reconcile_interval_s) if is_agreed else _LOCKED_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
                cause = "asked"
            except TimeoutError:
                cause = "interval" if is_agreed else cause

    async def _fills(self) -> None:
        while True:
            await asyncio.sleep(float(self._settings.fills_interval_s))
            try:
                await self._drop_copy.check()
            except BrokerError:
                continue  # nothing is known by it; the comparison of orders holds trading back

    async def _balances(self) -> None:
        wait_s = _SOON_S
        while True:
            await asyncio.sleep(wait_s)
            if self._reconciler.is_locked or self._has_untold():
                continue
            try:
                await self._compare_balances()
            except BrokerError:
                continue
            wait_s = float(self._settings.balance_interval_s)

    async def _compare_balances(self) -> None:
        """The position identity, looked at twice: a fill may be on its way to either side, one of another
        product that shares a currency with ours too."""
        if not self._account.differences(await self._broker.balances(), self._tolerance()):
            return
        recorded = self._account.recorded()
        await asyncio.sleep(_LOCKED_S)
        differences = self._account.differences(await self._broker.balances(), self._tolerance())
        if differences and recorded == self._account.recorded():
            self._halts.halt(
                "balances",
                f"{'; '.join(map(str, differences))}: a fill is missing on one side, or somebody else has "
                "traded or moved money",
            )

    def _tolerance(self) -> dict[str, Decimal]:
        """One lot, and what it is worth."""
        instrument = self._instrument
        return {
            instrument.base: instrument.lot,
            instrument.quote: max(_CENT, self._last_price() * instrument.lot),
        }
