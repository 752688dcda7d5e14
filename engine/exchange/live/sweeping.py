"""Cancel and verify: goes on until the venue itself has shown twice that nothing of ours is open.

Used by the trading edge for a kill and for the end, and by the watchdog when the engine is silent. A cancel
that was taken up proves nothing, a list that could not be had proves nothing: only two complete listings
without an order of ours do (control R24).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import msgspec

from engine.core.clock import Clock
from engine.exchange.coinbase.broker import Broker, BrokerError, CancelAnswer, OrderRef, Outcome
from engine.exchange.coinbase.user import OrderReport

PROOF_GAP_NS: Final = 500_000_000
"""From the end of the first empty listing to the begin of the second one, at least."""
_S: Final = 1_000_000_000
_FAST_FOR_NS: Final = 3 * _S
"""So long after it began, or after the venue answered again, it goes at the fast pace."""
_FIRST_STEP_NS: Final = 50_000_000
_MOST_STEP_NS: Final = 500_000_000
"""At the fast pace every wait is twice the one before, within these."""
_SLOW_NS: Final = 2 * _S
"""From the begin of a round to the begin of the next one, where the venue lists orders and keeps them."""
_RETRY_NS: Final = _S
"""The same where it does not answer: shorter, since proof must follow within 3 s of its coming back."""
_BREATH_NS: Final = 50_000_000
"""Between rounds at least, however long one took."""


class SweepReport(msgspec.Struct, frozen=True):
    """What a sweep has found out by now. Orders are named by our client id, else by the venue's id."""

    began_ns: int
    """Wall time."""
    took_ns: int
    rounds: int
    listings: int
    """Complete ones."""
    cancelled: tuple[str, ...] = ()
    """The venue took our cancel up, and lists the order no longer. What was filled before is filled."""
    gone: tuple[str, ...] = ()
    """Is not listed, though no cancel of ours was taken up: filled, ended, or the answer was lost."""
    still_open: tuple[str, ...] = ()
    """In the last complete listing."""
    unknown: tuple[str, ...] = ()
    """We wanted it cancelled, and the venue has neither answered that nor ever listed the order."""
    is_proven: bool = False
    """Two complete listings in a row, 500 ms apart, had no order of ours."""
    failure: str = ""
    """Why the last listing could not be had; empty when it was."""

    def __str__(self) -> str:
        """For people."""
        counts = (
            f"{len(self.cancelled)} cancelled, {len(self.gone)} gone otherwise, "
            f"{len(self.still_open)} still open, {len(self.unknown)} unknown"
        )
        after = f"after {self.took_ns / 1e9:.1f} s"
        if self.is_proven:
            return f"nothing of ours is open, proven by two complete listings {after}: {counts}"
        why = f"; the venue's list cannot be had: {self.failure}" if self.failure else ""
        return f"no proof {after} ({self.rounds} rounds): {counts}{why}"


class SweepRound(msgspec.Struct, frozen=True):
    """One round: what was listed, what was cancelled, and where that leaves the sweep."""

    number: int
    listed: tuple[OrderReport, ...] | None
    """Orders of ours; None when the list could not be had."""
    answers: tuple[CancelAnswer, ...]
    error: BrokerError | None
    """Why the list could not be had."""
    report: SweepReport


def _none_known() -> Sequence[OrderRef]:
    return ()


async def sweep(
    broker: Broker,
    is_ours: Callable[[str], bool],
    products: Collection[str],
    clock: Clock,
    sleep: Callable[[float], Awaitable[None]],
    on_progress: Callable[[SweepRound], None],
    *,
    known: Callable[[], Sequence[OrderRef]] = _none_known,
) -> SweepReport:
    """Cancel every order of ours in `products` (all of the account's for none) until that is proven.

    `is_ours` is asked for client ids; orders of strangers are never touched. `known`, asked before every
    round, names orders to be cancelled without waiting for a listing to have them. `sleep` takes seconds.
    Returns with proof only: whoever cannot wait cancels the task and reads the last `on_progress`.
    """
    sweeper = _Sweeper(broker, is_ours, frozenset(products), clock)
    while True:
        began_ns = clock.monotonic_ns()
        round_ = await sweeper.round(known())
        on_progress(round_)
        if round_.report.is_proven:
            return round_.report
        await sleep(sweeper.pause_ns(began_ns) / 1e9)


class _Sweeper:
    """What is known between the rounds."""

    def __init__(
        self, broker: Broker, is_ours: Callable[[str], bool], products: frozenset[str], clock: Clock
    ) -> None:
        self._broker = broker
        self._is_ours = is_ours
        self._products = products
        self._clock = clock
        self._began_ns = clock.monotonic_ns()
        self._began_wall_ns = clock.wall_ns()
        self._fast_until_ns = self._began_ns + _FAST_FOR_NS
        self._step_ns = _FIRST_STEP_NS
        self._empty_ns: int | None = None
        """When the listing ended that is the first half of the proof."""
        self._error: BrokerError | None = None
        """Why the last listing could not be had."""
        self._rounds = 0
        self._listings = 0
        self._open: dict[str, OrderReport] = {}
        """By venue id, the last complete listing."""
        self._seen: dict[str, str] = {}
        """By venue id, the names of all orders of ours that were ever listed."""
        self._confirmed: set[str] = set()
        """Names of orders of which the venue has taken a cancel up."""
        self._refused: set[str] = set()
        """Names of orders of which it has not, by its own word: it knows none that could be cancelled."""
        self._asked: set[str] = set()
        """Names of orders that were to be cancelled before any listing had them."""

    async def round(self, known: Sequence[OrderRef]) -> SweepRound:
        """Cancel what is known and unconfirmed while the list is being asked for, then what is listed."""
        self._rounds += 1
        self._asked.update(map(_name_of, known))
        refs = {_name_of(ref): ref for ref in (*known, *map(_ref, self._open.values()))}
        at_once = [ref for name, ref in refs.items() if name not in self._confirmed]
        answers, is_proven = await asyncio.gather(self._cancel(at_once), self._list())
        if self._error is None:
            asked = {ref.order_id for ref in at_once}
            answers += await self._cancel(
                [_ref(order) for id_, order in self._open.items() if id_ not in asked]
            )
        return SweepRound(
            self._rounds,
            tuple(self._open.values()) if self._error is None else None,
            tuple(answers),
            self._error,
            self._report(is_proven=is_proven),
        )

    def pause_ns(self, began_ns: int) -> int:
        """How long to wait after a round that began then."""
        now = self._clock.monotonic_ns()
        if self._error is None and self._empty_ns is not None:
            return max(self._empty_ns + PROOF_GAP_NS - now, 0)
        if now < self._fast_until_ns:
            step, self._step_ns = self._step_ns, min(2 * self._step_ns, _MOST_STEP_NS)
            return step
        step = _SLOW_NS if self._error is None else _RETRY_NS
        return max(began_ns + step - now, _BREATH_NS)

    async def _list(self) -> bool:
        """Ask for the venue's list; True when it completes the proof."""
        began_ns = self._clock.monotonic_ns()
        product = next(iter(self._products)) if len(self._products) == 1 else None
        try:
            listed = await self._broker.live_orders(product)
        except BrokerError as error:
            self._error = error
            return False
        ended_ns = self._clock.monotonic_ns()
        if self._error is not None:
            self._error = None
            self._hurry(ended_ns)
        self._listings += 1
        self._open = {
            order.order_id: order
            for order in listed
            if self._is_ours(order.client_order_id)
            and (not self._products or order.product in self._products)
        }
        for id_, order in self._open.items():
            if id_ not in self._seen:
                self._seen[id_] = _name(order)
                self._hurry(ended_ns)
        if self._open:
            self._empty_ns = None
        elif self._empty_ns is None:
            self._empty_ns = ended_ns
        return self._empty_ns is not None and began_ns - self._empty_ns >= PROOF_GAP_NS

    def _hurry(self, now_ns: int) -> None:
        """There is news: go at the fast pace again."""
        self._fast_until_ns = now_ns + _FAST_FOR_NS
        self._step_ns = _FIRST_STEP_NS

    async def _cancel(self, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
        if not refs:
            return []
        answers = await self._broker.cancel(refs)
        for answer in answers:
            if answer.outcome is Outcome.ACCEPTED:
                self._confirmed.add(_name_of(answer.ref))
            elif answer.outcome is Outcome.REFUSED:
                self._refused.add(_name_of(answer.ref))
        return answers

    def _report(self, *, is_proven: bool) -> SweepReport:
        names = set(self._seen.values())
        still_open = {self._seen[id_] for id_ in self._open}
        ended = names - still_open
        unlisted = self._asked - names
        refused = unlisted & self._refused
        return SweepReport(
            self._began_wall_ns,
            self._clock.monotonic_ns() - self._began_ns,
            self._rounds,
            self._listings,
            cancelled=tuple(sorted((ended | unlisted) & self._confirmed)),
            gone=tuple(sorted((ended | refused) - self._confirmed)),
            still_open=tuple(sorted(still_open)),
            unknown=tuple(sorted(unlisted - self._confirmed - refused)),
            is_proven=is_proven,
            failure="" if self._error is None else f"{self._error.code}: {self._error}",
        )


def _ref(order: OrderReport) -> OrderRef:
    return OrderRef(order.order_id, order.client_order_id, order.product)


def _name(order: OrderReport) -> str:
    return order.client_order_id or order.order_id


def _name_of(ref: OrderRef) -> str:
    return ref.client_id or ref.order_id
