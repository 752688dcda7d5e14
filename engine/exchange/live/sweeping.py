"""Cancel and verify: goes on until the venue itself has shown twice that nothing of ours is open.

Used by the trading edge for a kill and for the end, and by the watchdog when the engine is silent. A cancel
that was taken up proves nothing, a list that could not be had proves nothing: only two complete listings
without an order of ours do (control R24).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from engine.core.clock import Clock
from engine.exchange.coinbase.broker import Broker, BrokerError, CancelAnswer, OrderRef, Outcome
from engine.exchange.coinbase.wire.user import OrderReport
from engine.exchange.live.sweep_report import SweepReport as SweepReport
from engine.exchange.live.sweep_report import SweepRound as SweepRound

T = TypeVar("T")

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
_ROUND_S: Final = 0.75
"""So long a round waits for the venue. What is not answered by then is asked anew beside it: a request that
was swallowed must not keep the next one waiting until its time is out."""
_AGAIN_NS: Final = 750_000_000
"""So soon a cancel may be sent again that was not answered, or that had no effect yet."""


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
    sweeper = _Sweeper(broker, is_ours, frozenset(products), clock, sleep)
    try:
        while True:
            began_ns = clock.monotonic_ns()
            round_ = await sweeper.round(known())
            on_progress(round_)
            if round_.report.is_proven:
                return round_.report
            await sleep(sweeper.pause_ns(began_ns) / 1e9)
    finally:
        await sweeper.close()


class _Sweeper:
    """What is known between the rounds, and what is still under way."""

    def __init__(
        self,
        broker: Broker,
        is_ours: Callable[[str], bool],
        products: frozenset[str],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._broker = broker
        self._is_ours = is_ours
        self._products = products
        self._clock = clock
        self._sleep = sleep
        self._began_ns = clock.monotonic_ns()
        self._began_wall_ns = clock.wall_ns()
        self._fast_until_ns = self._began_ns + _FAST_FOR_NS
        self._step_ns = _FIRST_STEP_NS
        self._listing: dict[asyncio.Task[list[OrderReport]], int] = {}
        """Questions under way, and when they were asked."""
        self._cancelling: dict[asyncio.Task[list[CancelAnswer]], Sequence[OrderRef]] = {}
        self._asked_ns: dict[str, int] = {}
        """By name of the order, when its last cancel was sent; not for those that may be sent again now."""
        self._answers: list[CancelAnswer] = []
        """That came in this round."""
        self._empty_ns: int | None = None
        """When the listing ended that is the first half of the proof."""
        self._error: BrokerError | None = None
        """Why there was no listing in this round."""
        self._is_silent = False
        """True from a round without a listing to the next one with one."""
        self._rounds = 0
        self._listings = 0
        self._open: dict[str, OrderReport] = {}
        """By venue id, the last complete listing."""
        self._seen: dict[str, str] = {}
        """By venue id, the names of all orders of ours that were ever listed."""
        self._wanted: set[str] = set()
        """Names of orders that were to be cancelled before any listing had them."""
        self._confirmed: set[str] = set()
        """Names of orders of which the venue has taken a cancel up."""
        self._refused: set[str] = set()
        """Names of orders of which it has not, by its own word: it knows none that could be cancelled."""

    async def round(self, known: Sequence[OrderRef]) -> SweepRound:
        """Cancel what is known and unconfirmed while the list is being asked for, then what is listed."""
        self._rounds += 1
        self._wanted.update(map(_name_of, known))
        refs = {_name_of(ref): ref for ref in (*known, *map(_ref, self._open.values()))}
        self._cancel(ref for name, ref in refs.items() if name not in self._confirmed)
        is_proven = await self._list()
        if self._error is None:
            self._cancel(map(_ref, self._open.values()))
            await self._wait(self._cancelling, lambda: all(task.done() for task in self._cancelling))
        self._take_answers()
        answers, self._answers = tuple(self._answers), []
        return SweepRound(
            self._rounds,
            tuple(self._open.values()) if self._error is None else None,
            answers,
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

    async def close(self) -> None:
        """Let go of what is under way."""
        await _drop([*self._listing, *self._cancelling])

    # -- listing ---------------------------------------------------------------------------------

    async def _list(self) -> bool:
        """Ask for the venue's list; True when what comes completes the proof."""
        product = next(iter(self._products)) if len(self._products) == 1 else None
        asked_ns = self._clock.monotonic_ns()
        self._listing[_task("listing", lambda: self._broker.live_orders(product))] = asked_ns
        self._error = BrokerError("NO_ANSWER", f"the venue has not answered within {_ROUND_S} s")
        listed: list[OrderReport] | None = None
        await self._wait(self._listing, lambda: any(_has_result(task) for task in self._listing))
        for task, began_ns in sorted(self._listing.items(), key=lambda item: item[1]):
            if not task.done():
                continue
            del self._listing[task]
            try:
                listed, asked_ns = task.result(), began_ns
                self._error = None
            except BrokerError as error:
                self._error = error if listed is None else self._error
        if listed is None:
            self._is_silent = True
            return False
        await self._forget_older(asked_ns)
        return self._judge(listed, asked_ns)

    async def _forget_older(self, asked_ns: int) -> None:
        """What was asked before may be answered yet, and would say less."""
        older = [task for task, began_ns in self._listing.items() if began_ns <= asked_ns]
        for task in older:
            del self._listing[task]
        await _drop(older)

    def _judge(self, listed: list[OrderReport], asked_ns: int) -> bool:
        """Take a complete listing in; True when it completes the proof."""
        now = self._clock.monotonic_ns()
        if self._is_silent:
            self._is_silent = False
            self._hurry(now)
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
                self._hurry(now)
        if self._open:
            self._empty_ns = None
        elif self._empty_ns is None:
            self._empty_ns = now
        return self._empty_ns is not None and asked_ns - self._empty_ns >= PROOF_GAP_NS

    def _hurry(self, now_ns: int) -> None:
        """There is news: go at the fast pace again."""
        self._fast_until_ns = now_ns + _FAST_FOR_NS
        self._step_ns = _FIRST_STEP_NS

    # -- cancelling ------------------------------------------------------------------------------

    def _cancel(self, refs: Iterable[OrderRef]) -> None:
        """Send cancels, but none twice within `_AGAIN_NS` unless its answer said that it had not arrived."""
        now = self._clock.monotonic_ns()
        due = [ref for ref in refs if now - self._asked_ns.get(_name_of(ref), -_AGAIN_NS) >= _AGAIN_NS]
        if due:
            self._asked_ns.update((_name_of(ref), now) for ref in due)
            self._cancelling[_task("cancels", lambda: self._broker.cancel(due))] = due

    def _take_answers(self) -> None:
        for task in [task for task in self._cancelling if task.done()]:
            del self._cancelling[task]
            for answer in task.result():
                self._answers.append(answer)
                name = _name_of(answer.ref)
                if answer.outcome is Outcome.ACCEPTED:
                    self._confirmed.add(name)
                elif answer.outcome is Outcome.REFUSED:
                    self._refused.add(name)
                else:
                    self._asked_ns.pop(name, None)

    async def _wait(self, tasks: Iterable[asyncio.Task[Any]], is_enough: Callable[[], bool]) -> None:
        """Until it is enough, or nothing more can come of these tasks, or a round's time is over."""
        timer = _task("round", lambda: self._sleep(_ROUND_S))
        try:
            while not timer.done() and not is_enough():
                pending = {task for task in tasks if not task.done()}
                if not pending:
                    return
                await asyncio.wait({timer, *pending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            with suppress(asyncio.CancelledError):
                await timer

    def _report(self, *, is_proven: bool) -> SweepReport:
        names = set(self._seen.values())
        still_open = {self._seen[id_] for id_ in self._open}
        ended = names - still_open
        unlisted = self._wanted - names
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


def _task(name: str, begin: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
    async def working() -> T:
        return await begin()

    return asyncio.create_task(working(), name=f"sweep: {name}")


def _has_result(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def _drop(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """End them; what they would have said is of no interest any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
