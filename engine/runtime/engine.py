"""The engine's loop: one wake-up after the other, from the first event to a proven end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from engine.core.clock import Clock, ManualClock
from engine.core.errors import PinnacleError, UsageError
from engine.core.events import (
    Alert,
    Answer,
    AnyEvent,
    CancelOrder,
    DayCarried,
    EdgeStatus,
    OperatorAction,
    OperatorCommand,
    Restraint,
    SettingsChange,
    Severity,
)
from engine.core.foreign_text import visible
from engine.exchange.protocol import Feed, ListingPending
from engine.persistence.errors import JournalError
from engine.risk.portfolio import Portfolio
from engine.risk.state import UNTIL_RESUMED
from engine.runtime.desk import Desk
from engine.runtime.observers import Observer, WakeUp
from engine.runtime.outcome import EXIT_DONE, EXIT_ERROR, EXIT_WITHOUT_PROOF, ListingError, Outcome
from engine.runtime.pacer import Pacer
from engine.runtime.recorder import UNRECORDED, Recorder
from engine.runtime.slow_products import SLOW, SlowProducts
from engine.runtime.stages import (
    CROSSED,
    ExecutionStage,
    MarketDataStage,
    MonitoringStage,
    Sent,
    StrategyStage,
)
from engine.runtime.supervisor import ALERTS, StageFailure, Supervisor
from engine.telemetry.histogram import Histogram

PROOF_WITHIN_NS = 5_000_000_000
"""Engine time that a shutdown waits for the venue's evidence."""
HURRIED_PROOF_WITHIN_NS = 1_000_000_000
"""The same after a second interrupt by a person; a third ends the waiting at once."""


class _Untold(NamedTuple):
    """A wake-up that waits for its record."""

    number: int
    desk: Desk
    wake: WakeUp
    alerts: Sequence[Alert]


class Engine:
    """Drives feeds, desks and venues on one clock.

    Each wake-up runs market data -> strategy -> execution to completion at one moment of engine time:
    the next one at which a feed, a venue, a timer or the status is due. Between two wake-ups a person may
    `tell` the Traders something, from the same event loop.
    """

    def __init__(
        self,
        desks: Sequence[Desk],
        feeds: Sequence[Feed],
        clock: ManualClock,
        real: Clock,
        observer: Observer,
        *,
        speed: float | None,
        timer_interval_ns: int,
        status_interval_ns: int,
        duration_ns: int | None = None,
        recorder: Recorder = UNRECORDED,
        is_live: bool = False,
        waits_for_record: bool = True,
        portfolio: Portfolio | None = None,
    ) -> None:
        """`is_live`: the market does not wait for us, and `real` is the engine's own time.

        `waits_for_record`: nothing else happens while an order waits for its record. A venue of our own
        then sees the same whatever the disk takes; with real orders everything else goes on meanwhile.

        `portfolio` has the limits over all desks, judged before the first wake-up, after every
        one and after what a person changes; None: there are none.
        """
        self.desks: Mapping[str, Desk] = {desk.product: desk for desk in desks}
        self.clock = clock
        self._feeds = feeds
        self._real = real
        self._observer = observer
        self._timer_interval_ns = timer_interval_ns
        self._end_ns = None if duration_ns is None else clock.monotonic_ns() + duration_ns
        self._speed = speed
        self._is_live = is_live
        self._waits_for_record = waits_for_record
        self._market_data = MarketDataStage(feeds, self.desks, clock, real, is_live=is_live)
        self._strategy = StrategyStage(clock, real)
        self._execution = ExecutionStage(recorder, clock)
        self._recorder = recorder
        self.portfolio = portfolio
        # A market that waits for us makes nobody late.
        self._slow = SlowProducts() if is_live and len(desks) > 1 else None
        self._untold: deque[_Untold] = deque()
        """What happened and may not be told before it is on record for good."""
        self._acknowledged = asyncio.Event()
        # The first look comes right after the first event: whoever started the engine wants to see it live.
        first_look_ns = min(
            (due for feed in feeds if (due := feed.next_due_ns()) is not None), default=clock.monotonic_ns()
        )
        self._monitoring = MonitoringStage(status_interval_ns, first_look_ns, observer.on_status)
        self._supervisor = Supervisor(self._report)
        self.before_step: Callable[[], Awaitable[None]] | None = None
        """Awaited before every step while trading, never while closing: somebody may have to keep up. It
        must return when `end_asked` is set."""
        self.after_step: Callable[[], None] | None = None
        """Called after every step while trading, when all of it is on record and has been told."""
        self.lateness = Histogram()
        """How late each wake-up came against the moment it was due, in real ns; empty at full speed."""
        self.end_asked = asyncio.Event()
        """Set once somebody, or something beside the market, has asked for the end."""
        self._failure: str | None = None
        """What came of the last `inform`, where a stage failed over it."""
        self._ending: tuple[str, int] | None = None
        """The reason and the exit code of the end that is under way."""
        self._interrupts = 0
        self._disturbed = asyncio.Event()
        """Set when what the loop waits for may not be what is due next."""
        self._pacer: Pacer | None = None
        self._awaited_ns = clock.monotonic_ns()
        """The moment of engine time that the loop waits for; nothing happens by itself before it."""

    def interrupt(self, reason: str, exit_code: int) -> None:
        """A person wants an orderly end; further calls shorten the waiting for proof, never the list."""
        self._interrupts += 1
        self.end_asked.set()
        self._disturbed.set()
        self.end(reason, exit_code)

    def end(self, reason: str, exit_code: int) -> None:
        """Ask for an orderly end that no person asks for; nothing happens when one is under way."""
        if self._ending is None:
            self._ending = reason, exit_code
            self.end_asked.set()
            self._disturbed.set()
            self._acknowledged.set()

    def wake(self) -> None:
        """Something waits in a feed or a venue that was not there when the loop went to sleep."""
        self._disturbed.set()

    def restrain(self, code: str, restraint: Restraint, reason: str, release: str = "") -> None:
        """Tell every Trader what an edge of the engine asks of trading; see `EdgeStatus`."""
        now, wall = self._present()
        for product, desk in self.desks.items():
            self.inform(desk, [EdgeStatus(product, now, wall, code, restraint, reason, release)])

    def carry_day(self, product: str, day: int, profit: int) -> None:
        """Tell a Trader what earlier sessions have earned in its UTC day; see `DayCarried`."""
        now, wall = self._present()
        self.inform(self.desks[product], [DayCarried(product, now, wall, day, profit)])

    def sweep(self, reason: str, product: str | None = None) -> None:
        """Let every venue, or that of a product, cancel what it has of ours, known to us or not."""
        for desk in self.desks.values() if product is None else (self.desks[product],):
            try:
                desk.venue.sweep(reason)
            except Exception as error:
                self._report("SWEEP_FAILED", f"{desk.venue.name} takes no cancels: {error}")

    def tell(self, product: str | None, action: OperatorAction, reason: str) -> dict[str, Answer]:
        """Hand a person's command to the Trader of a product, or to all of them (None), at once.

        The answers, by product. Cancels and orders that follow have been sent on return. A Trader or a
        venue that fails over it ends the run, which cancels all orders. Raises `UsageError`, with nothing
        done, for a product that is not traded here.
        """
        if product is not None and product not in self.desks:
            raise UsageError(
                f"{product} is not traded here, nothing was done; products: {', '.join(self.desks)}"
            )
        desks = self.desks.values() if product is None else (self.desks[product],)
        now, wall = self._present()
        answers = {}
        for desk in desks:
            told = action is OperatorAction.REARM and self._lost_today(desk)
            asked = OperatorCommand(desk.product, now, wall, action, reason)
            answers[desk.product] = Answer(False, told) if told else self._ask(desk, asked)
        self._judge_at_once()
        if action is OperatorAction.REARM:
            return {
                product: self._rearmed(self.desks[product], answer) for product, answer in answers.items()
            }
        return answers

    def _lost_today(self, desk: Desk) -> str:
        """Why a product cannot be rearmed, where the day's loss of all products forbids it."""
        lost = "" if self.portfolio is None else self.portfolio.loss_today(desk.product)
        return f"nothing is taken back: {lost}" if lost else ""

    def _rearmed(self, desk: Desk, answer: Answer) -> Answer:
        """What came of a rearm: the drop of all products together may have latched at once again."""
        latch = desk.trader.risk.latched
        if latch is None or not answer.is_taken:
            return answer
        return Answer(False, f"{latch.state.name} is back at once: {latch.reason}; rearm all products")

    def change_settings(self, changes: Mapping[str, str]) -> dict[str, Answer]:
        """Put settings into force in every Trader at once; see `SettingsChange`. The answers, by product.

        Check them first with `engine.runtime.settings_change`: each Trader refuses what is not valid, but
        only for itself.
        """
        now, wall = self._present()
        answers = {
            desk.product: self._ask(desk, SettingsChange(desk.product, now, wall, dict(changes)))
            for desk in self.desks.values()
        }
        self._judge_at_once()
        return answers

    def possibly_open(self) -> dict[str, tuple[str, ...]]:
        """By product, the client ids of orders that the venue lists or that we have no proof of an end for.

        Empty tuples are the proof that nothing is open. Raises `ListingError`, which has what is known,
        when a venue's list cannot be had.
        """
        known, failures, are_pending = {}, [], True
        for product, desk in self.desks.items():
            ids = {order.client_id for order in desk.trader.orders.open_orders()}
            try:
                ids.update(desk.venue.open_orders())
            except ListingPending as pending:
                failures.append(str(pending))
            except Exception as error:
                are_pending = False
                failures.append(
                    f"{desk.venue.name}'s list of orders in {product} cannot be had "
                    f"({type(error).__name__}: {error})"
                )
            known[product] = tuple(sorted(ids))
        if failures:
            raise ListingError("; ".join(failures), known, is_pending=are_pending)
        return known

    def unproven(self, reason: str) -> Outcome:
        """The outcome of a run that was stopped before it could prove its end."""
        open_orders, _ = self._left()
        return Outcome(reason, EXIT_WITHOUT_PROOF, open_orders)

    def _present(self) -> tuple[int, int]:
        """The present engine and wall time: the clock is moved on, never beyond what is awaited."""
        now = None if self._pacer is None else self._pacer.now_ns()
        if now is not None:
            self.clock.advance_to(min(now, self._awaited_ns))
        return self.clock.monotonic_ns(), self.clock.wall_ns()

    def _ask(self, desk: Desk, asked: OperatorCommand | SettingsChange) -> Answer:
        self.inform(desk, [asked])
        return desk.trader.answer if self._failure is None else Answer(False, self._failure)

    def inform(self, desk: Desk, events: Sequence[AnyEvent]) -> None:
        """Show a Trader what did not come from its market: at once, whatever waits in its queues.

        A Trader or a venue that fails over it ends the run, which cancels all orders.
        """
        self._execution.call_back("called back: something else came before it was on record")
        shown: list[AnyEvent] = []
        sent = Sent((), 0)
        self._failure = None
        try:
            for event in events:
                self._supervisor.run(self._strategy.name, partial(self._strategy.tell, desk, event, shown))
            sent = self._supervisor.run(self._execution.name, lambda: self._execution.step(desk, shown))
            self._explain(desk, sent)
        except StageFailure as failure:
            self.end(str(failure), failure.exit_code)
            self._failure = str(failure)
        self._disturbed.set()
        self._show(desk, shown, sent)

    async def run(self) -> Outcome:
        """Run until the duration has passed, the recording has ended, or the end is asked for.

        All orders are cancelled at the end, whatever the reason, and the venue's listing proves it.
        """
        if self._ending is not None and not self._may_have_orders():
            return Outcome(*self._ending)  # asked for before anything began: there is nothing to be proven
        if self._is_live:
            self.clock.advance_to(self._real.monotonic_ns())
        pacer = self._pacer = Pacer(self._real, self._speed, self.clock.monotonic_ns())
        try:
            reason, code = await self._trade(pacer)
        except PinnacleError as error:
            reason, code = str(error), error.exit_code
        except Exception as error:  # whatever broke, the orders must go
            reason, code = f"the engine failed: {type(error).__name__}: {error}", EXIT_ERROR
            self._report("ENGINE_FAILED", reason)
        self._ending = reason, code
        open_orders, doubt = await self._close(pacer, reason)
        self._tell_recorded(is_all=True)
        if open_orders or doubt:
            told = f"{reason}; no proof that every order is gone" + (f": {doubt}" if doubt else "")
            return Outcome(told, EXIT_WITHOUT_PROOF, open_orders)
        return Outcome(reason, code)

    def _may_have_orders(self) -> bool:
        """True where by our record, that of a session that goes on too, an order may be open."""
        return not all(desk.trader.is_quiet for desk in self.desks.values())

    async def _trade(self, pacer: Pacer) -> tuple[str, int]:
        for desk in self.desks.values():
            desk.trader.strategy.start()
        # Before anybody quotes: earlier sessions of the day have lost, too, and after a crash not every
        # product may have been told.
        self._judge()
        while self._ending is None:
            self._disturbed.clear()
            due = self._next_due_ns()
            if due is None:
                return "the recording has ended", EXIT_DONE
            is_last = self._end_ns is not None and due >= self._end_ns
            if self._end_ns is not None and is_last:
                due = self._end_ns
            if self.before_step is not None:
                await self.before_step()
            is_done = await self._run_until(due, pacer)
            if is_last and is_done and self._ending is None:
                return "the duration has passed", EXIT_DONE
        return self._ending

    def _next_due_ns(self) -> int | None:
        """When the desks have something to do next; None when nothing can happen any more."""
        due = [at for feed in self._feeds if (at := feed.next_due_ns()) is not None]
        due += [at for desk in self.desks.values() if (at := desk.venue.next_due_ns()) is not None]
        if not all(feed.is_exhausted for feed in self._feeds):
            due += [desk.next_timer_ns for desk in self.desks.values()]
        return min(due, default=None)

    async def _run_until(self, due_ns: int, pacer: Pacer) -> bool:
        """Wait for a moment of engine time and do what is due then; False, left undone, when disturbed.

        Monitoring comes at its own moments, without a wake-up of the desks: whether and how often
        somebody looks must not change what is traded.
        """
        while (look_ns := self._monitoring.next_due_ns) < due_ns:
            if not await self._reach(look_ns, pacer):
                return False
            self.clock.advance_to(look_ns)
            self._look(look_ns)
        if not await self._reach(due_ns, pacer):
            return False
        if (late_ns := pacer.late_ns(due_ns)) is not None:
            self.lateness.record(max(0, late_ns))
        if self._is_live:
            # All that has come meanwhile is taken in at once, and the strategy is asked once.
            due_ns = max(due_ns, self._real.monotonic_ns())
        self._step(due_ns)
        if not self._waits_for_record:
            self._execution.release()
            self._tell_recorded()
        elif self._untold or self._execution.is_holding:
            await self._recorded()
        self._look(due_ns)
        if self.after_step is not None and self._ending is None:
            self.after_step()
        return True

    async def _recorded(self) -> None:
        """Wait until all that has happened is on record for good; then orders have left and all is told.

        Engine time stands still meanwhile, so a market that waits for us does not depend on the disk. A
        person can still ask for anything, and cancels leave at once.
        """
        while self._ending is None:
            self._acknowledged.clear()
            self._execution.release()
            self._tell_recorded()
            if not (self._untold or self._execution.is_holding):
                break
            await self._acknowledged.wait()

    def on_acknowledged(self) -> None:
        """To be called, from the engine's own loop, when the journal has acknowledged more.

        A venue that fails over an order that leaves now ends the run, which cancels all orders.
        """
        try:
            self._supervisor.run(self._execution.name, self._execution.release)
        except StageFailure as failure:
            self.end(str(failure), failure.exit_code)
        self._tell_recorded()
        self._acknowledged.set()

    async def _reach(self, at_ns: int, pacer: Pacer) -> bool:
        self._awaited_ns = at_ns
        await pacer.until(at_ns, self._disturbed)
        return not self._disturbed.is_set()

    def _look(self, now_ns: int) -> None:
        if self._monitoring.claim(now_ns):
            self._supervisor.watch(self._monitoring.name, now_ns, partial(self._monitoring.step, now_ns))

    def _step(self, now_ns: int) -> None:
        """One wake-up of the desks that it is for, those with the least to do first: a flood of one waits
        for the others, not they for it."""
        self.clock.advance_to(now_ns)
        awake, started = self._supervisor.run(self._market_data.name, self._market_data.step)
        awake.sort(key=lambda desk: len(desk.market_events))
        # Every wake-up ends with a timer event; the cadence is for a market that is quiet for longer. Set
        # first: a wake-up that fails must not fall due again at the same moment.
        for desk in awake:
            desk.next_timer_ns = now_ns + self._timer_interval_ns
        for desk in awake:
            begun = self._real.monotonic_ns()
            self._work(desk, started)
            if self._slow is not None:
                self._note_slowness(self._slow, desk, self._real.monotonic_ns() - begun)
        self._judge()

    def _note_slowness(self, slow: SlowProducts, desk: Desk, took_ns: int) -> None:
        """Pause a product that keeps the others waiting."""
        product, now, wall = desk.product, self.clock.monotonic_ns(), self.clock.wall_ns()
        if reason := slow.note(product, took_ns, self._real.monotonic_ns()):
            held = EdgeStatus(product, now, wall, SLOW, Restraint.PAUSED, reason, UNTIL_RESUMED)
            self.inform(desk, [held])

    def _judge(self) -> None:
        """Hold all Traders to the limits over all of them. What they are told is an event like any other."""
        if self.portfolio is None or self._ending is not None:
            return
        now, wall = self.clock.monotonic_ns(), self.clock.wall_ns()
        for verdict in self._supervisor.run("portfolio", self.portfolio.judge):
            self.inform(self.desks[verdict.product], [EdgeStatus(verdict.product, now, wall, *verdict[1:])])

    def _judge_at_once(self) -> None:
        """The same after what a person has changed: no order may leave before. A failure ends the run."""
        try:
            self._judge()
        except StageFailure as failure:
            self.end(str(failure), failure.exit_code)

    def _work(self, desk: Desk, started_ns: int) -> None:
        events: list[AnyEvent] = []
        try:
            self._supervisor.run(self._strategy.name, lambda: self._strategy.step(desk, events))
            sent = self._supervisor.run(self._execution.name, lambda: self._execution.step(desk, events))
        except StageFailure as failure:
            # What the Trader was shown has happened all the same: its fills are money.
            if events:
                if failure.stage == self._strategy.name:
                    self._execution.record_failure(desk, events, failure)
                self._show(desk, events, Sent((), 0))
            raise
        if desk.is_book_impossible:
            self._market_data.distrust(desk, CROSSED)
        if sent.commands:
            desk.latency.stage("tick_to_quote").record(self._real.monotonic_ns() - started_ns)
        try:
            self._explain(desk, sent)
        finally:
            self._show(desk, events, sent)

    def _explain(self, desk: Desk, sent: Sent) -> None:
        self._supervisor.run(self._execution.name, lambda: self._execution.explain(desk, sent.commands))

    def _show(self, desk: Desk, events: Sequence[AnyEvent], sent: Sent) -> None:
        """Tell whoever watches what happened, once it is on record for good."""
        trader = desk.trader
        alerts = trader.drain_alerts()
        wake = WakeUp(events, sent.commands, trader.drain_fills(), trader.orders.drain_ended())
        if not self._untold and (
            self._recorder.is_acknowledged(sent.number)
            or not (sent.commands or alerts or wake.fills or wake.ended)  # nothing that anybody counts on
        ):
            self._tell(desk, wake, alerts)
        else:
            self._untold.append(_Untold(sent.number, desk, wake, alerts))

    def _tell_recorded(self, *, is_all: bool = False) -> None:
        untold = self._untold
        while untold and (is_all or self._recorder.is_acknowledged(untold[0].number)):
            _, desk, wake, alerts = untold.popleft()
            self._tell(desk, wake, alerts)

    def _tell(self, desk: Desk, wake: WakeUp, alerts: Sequence[Alert]) -> None:
        """Whoever watches must not be able to stop the trading."""
        now = self.clock.monotonic_ns()
        if wake.events:
            self._supervisor.watch("observer", now, partial(self._observer.on_wake_up, desk, wake))
        if alerts:
            self._supervisor.watch(ALERTS, now, partial(self._observer.on_alerts, desk, alerts))

    async def _close(self, pacer: Pacer, reason: str) -> tuple[tuple[str, ...], str]:
        """Cancel everything and wait for the venues' proof; what is left then, see `_left`."""
        self._execution.call_back("called back: the engine is ending")
        for desk in self.desks.values():
            self._cancel_all(desk, reason)
        self.sweep(reason)
        deadline = self.clock.monotonic_ns() + PROOF_WITHIN_NS
        is_hurried = False
        while any(self._left()):
            if self._interrupts > 1 and not is_hurried:
                is_hurried = True
                deadline = min(deadline, self.clock.monotonic_ns() + HURRIED_PROOF_WITHIN_NS)
            if self._interrupts > 2:
                break
            self._disturbed.clear()
            try:
                due = self._next_due_ns()
                if due is None:
                    # Cancels are repeated while nothing else happens.
                    due = min(desk.next_timer_ns for desk in self.desks.values())
                if due > deadline:
                    break
                await self._run_until(due, pacer)
            except Exception:
                # The failed part has reported itself. What is left is the venue's own listing; and time
                # must go on, or the same failure would fall due for ever.
                self._feeds = ()
                self._market_data.stop_asking_feeds()
                self.clock.advance(self._timer_interval_ns)
                if self.clock.monotonic_ns() > deadline:
                    break
                for desk in self.desks.values():
                    self._cancel_listed(desk, reason)
        return self._left()

    def _left(self) -> tuple[tuple[str, ...], str]:
        """The orders that may be open, and why they may not be all; both are empty where that is proven."""
        try:
            known, doubt = self.possibly_open(), ""
        except ListingError as error:
            known, doubt = dict(error.known), str(error)
        return tuple(order_id for orders in known.values() for order_id in orders), doubt

    def _cancel_all(self, desk: Desk, reason: str) -> None:
        now, wall = self.clock.monotonic_ns(), self.clock.wall_ns()
        order = OperatorCommand(desk.product, now, wall, OperatorAction.SHUTDOWN, reason)
        shown: list[AnyEvent] = []
        sent = Sent((), 0)
        try:
            self._strategy.tell(desk, order, shown)
            sent = self._execution.step(desk, shown)
        except JournalError as error:  # the cancels have left all the same
            self._report("JOURNAL", str(error))
        except Exception as error:
            self._report(
                "SHUTDOWN", f"the Trader could not cancel its orders ({error}); the listed ones are cancelled"
            )
            self._cancel_listed(desk, reason)
        self._show(desk, shown, sent)

    def _cancel_listed(self, desk: Desk, reason: str) -> None:
        """Cancel what the venue lists, without the Trader."""
        now = self.clock.monotonic_ns()
        try:
            for order_id in desk.venue.open_orders():
                desk.venue.cancel(CancelOrder(desk.product, now, order_id, reason=reason))
        except Exception as error:
            self._report("CANCEL_FAILED", f"{desk.venue.name} takes no cancels: {error}")

    def warn(self, code: str, text: str) -> None:
        """Tell people of something beside the trading that is not well."""
        self._report(code, text, Severity.WARNING)

    def _report(self, code: str, text: str, severity: Severity = Severity.CRITICAL) -> None:
        now, wall, said = self.clock.monotonic_ns(), self.clock.wall_ns(), visible(text)
        for desk in self.desks.values():
            alert = Alert(desk.product, now, wall, severity, code, said)
            self._supervisor.watch(ALERTS, now, partial(self._observer.on_alerts, desk, [alert]))
