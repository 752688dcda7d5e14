"""What the brokers of both APIs share: opening, closing, the venue's clock, and lists that come in pages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from engine.core.clock import Clock
from engine.exchange.coinbase.broker import Balance, BrokerError, Outcome, SubmitAnswer
from engine.exchange.coinbase.keys import ApiKey
from engine.exchange.coinbase.rest.http import HttpTransport
from engine.exchange.coinbase.rest.rate_budget import LIMITS
from engine.exchange.coinbase.rest.rest_client import Doubt, RestClient

T = TypeVar("T")
_MOST_PAGES: Final = 2_000


class RestBroker(ABC):
    """An account at one API over REST. See `Broker` for what the methods promise."""

    name: str

    def __init__(
        self, base: str, key: ApiKey | None, *, clock: Clock, ca_file: str | None, answer_timeout_s: float
    ) -> None:
        self._client = RestClient(
            HttpTransport(base, ca_file=ca_file),
            key,
            LIMITS[self.name],
            clock=clock,
            answer_timeout_s=answer_timeout_s,
        )

    async def open(self) -> None:
        """See `Broker`."""
        await self._client.open()
        try:
            await self.measure_clock()
        except BaseException:
            await self._client.close()
            raise

    async def close(self) -> None:
        """See `Broker`."""
        await self._client.close()

    @property
    def clock_offset_ns(self) -> int | None:
        """See `Broker`."""
        return self._client.server_clock.offset_ns

    async def measure_clock(self) -> int:
        """See `Broker`."""
        return await self._client.server_clock.measure(self._server_ns)

    @abstractmethod
    async def _server_ns(self) -> int:
        """The venue's time now, as nanoseconds since 1970."""


async def all_pages(ask: Callable[[str], Awaitable[tuple[list[T], str | None]]]) -> list[T]:
    """Everything of a list: `ask` gets a cursor (empty for the first page) and gives the next one, or None.

    Raises `BrokerError` for a list that does not come to its end: what came of it is not the whole.
    """
    entries: list[T] = []
    cursor, seen = "", {""}
    for _ in range(_MOST_PAGES):
        page, following = await ask(cursor)
        entries += page
        if following is None:
            return entries
        if following in seen:
            break
        seen.add(following)
        cursor = following
    raise BrokerError(
        "PAGING", "the venue's list does not come to its end (a page leads back); nothing is known by it"
    )


def by_currency(wallets: list[Balance]) -> dict[str, Balance]:
    """Wallets by currency; several of one are one."""
    balances: dict[str, Balance] = {}
    for wallet in wallets:
        known = balances.get(wallet.currency)
        if known is not None:
            wallet = Balance(wallet.currency, known.available + wallet.available, known.hold + wallet.hold)
        balances[wallet.currency] = wallet
    return balances


def doubtful(doubt: Doubt, order_id: str = "") -> SubmitAnswer:
    """The answer to a submit or an edit that the venue did not answer with a yes or no of its own."""
    return SubmitAnswer(doubt.outcome, order_id, doubt.code, doubt.reason, doubt.retry_after_s)


def impossible(why: str) -> SubmitAnswer:
    """The answer to an order that this API cannot express."""
    return SubmitAnswer(Outcome.NOT_SENT, code="UNSUPPORTED", reason=f"{why}; nothing was sent")
