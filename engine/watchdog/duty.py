"""The watchdog at work: it listens; once it fires, it cancels until the venue has proven that all is gone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from engine.core.clock import Clock
from engine.core.kill_file import KillFile
from engine.exchange.coinbase.broker import AuthenticationError, Broker, BrokerError
from engine.exchange.live.sweeping import SweepReport, SweepRound, sweep
from engine.watchdog.channel import Channel, ChannelError
from engine.watchdog.log import WatchdogLog
from engine.watchdog.messages import (
    Beat,
    Confirm,
    Farewell,
    Fired,
    Hello,
    Kill,
    Report,
    ToEngine,
    ToWatchdog,
    Waiting,
)
from engine.watchdog.posts import Posts
from engine.watchdog.watch import Watch

LOOK_EVERY_S: Final = 0.1
"""How often it looks at the clock; half as often at the KILL file."""
_AGAIN_S: Final = 1.0


class Duty:
    """One engine's watchdog, from its hello to the end of the work."""

    def __init__(
        self,
        hello: Hello,
        line: Channel[ToEngine, ToWatchdog],
        broker: Broker,
        clock: Clock,
        log: WatchdogLog,
        posts: Posts,
        kill_file: KillFile,
    ) -> None:
        self._hello = hello
        self._line = line
        self._broker = broker
        self._clock = clock
        self._log = log
        self._posts = posts
        self._kill_file = kill_file
        self._watch = Watch(clock.monotonic_ns())
        self._wait_reason: str | None = "the watchdog has just been started"
        """Why no beat can be confirmed yet; None when one can."""
        self._is_open = False
        self._is_refused = False
        """Whether the venue did not take the key, or the time, at the last listing."""
        self._called = asyncio.Event()
        """Set when there is something to do, or nothing any more."""

    async def run(self) -> None:
        """Watch until there is something to do, and do it. Returns when nothing is left to be done."""
        self._note("watching", ", ".join(self._hello.products))
        self._kill_file.has_appeared()  # one that was there before is the engine's to see: it starts with it
        loop = asyncio.get_running_loop()
        loop.add_reader(self._line.fileno(), self._listen)
        looking = asyncio.create_task(self._look(), name="look")
        preparing = asyncio.create_task(self._prepare(), name="prepare")
        try:
            await self._called.wait()
            await _end(preparing)
            if self._watch.fired is not None:
                await self._act(self._watch.fired)
            self._note("end", "the engine said farewell" if self._watch.is_dismissed else "")
        finally:
            await _end(preparing)
            await _end(looking)
            loop.remove_reader(self._line.fileno())
            self._posts.release()
            await self._broker.close()

    # -- watching --------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Take in what the engine says; nothing else may come between the reading and the judging."""
        try:
            messages = self._line.receive()
        except ChannelError as error:
            self._note("trouble", str(error))
            messages = []
            self._line.is_ended = True
        last: Beat | None = None
        for message in messages:
            match message:
                case Beat():
                    if self._watch.beat(message.sent_ns, self._clock.monotonic_ns()):
                        last = message
                case Farewell():
                    self._watch.farewell()
                case Kill():
                    self._watch.kill(message.reason)
                case Hello():
                    self._note("trouble", "a second hello came")
        if self._line.is_ended:
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._watch.hung_up()
        elif last is not None and self._watch.fired is None:
            waiting = self._wait_reason
            self._line.send(Confirm(last.number) if waiting is None else Waiting(last.number, waiting))
        self._judge()

    async def _look(self) -> None:
        is_file_due = True
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._line.is_ended:
                self._listen()  # what has come by now counts, however late this process is
            self._watch.check(self._clock.monotonic_ns())
            if is_file_due and self._kill_file.has_appeared():
                self._watch.kill(f"the file {self._kill_file.path} appeared")
            is_file_due = not is_file_due
            self._line.flush()
            self._judge()

    def _judge(self) -> None:
        if (self._watch.fired is not None or self._watch.is_dismissed) and not self._called.is_set():
            self._called.set()
            if self._watch.fired is not None:
                self._line.send(Fired(self._watch.fired))

    async def _prepare(self) -> None:
        """Become able to cancel: no beat is confirmed before the venue has listed orders for this process."""
        while (reason := await self._hindrance()) is not None:
            self._wait_reason = reason
            self._note("waiting", reason)
            await asyncio.sleep(_AGAIN_S)
        self._wait_reason = None
        self._note("ready")

    async def _hindrance(self) -> str | None:
        try:
            if not self._posts.take():
                return _taken(self._posts.holder)
            await self._open()
            await self._broker.live_orders()
        except BrokerError as error:
            return f"the watchdog cannot ask the venue: {error.code}: {error}"
        except OSError as error:
            return f"the watchdog cannot take its place in {self._hello.data_dir}: {error.strerror}"
        except Exception as error:
            return f"the watchdog cannot do its work: {type(error).__name__}: {error}"
        return None

    # -- acting ----------------------------------------------------------------------------------

    async def _act(self, reason: str) -> None:
        self._note("fired", reason)
        report = await self._sweep()
        self._line.send(Report(reason, report))
        self._posts.release()
        before_s = 0.0
        for at_s in self._hello.late_looks_s:
            await asyncio.sleep(at_s - before_s)
            before_s = at_s
            if self._watch.is_dismissed or not self._posts.take():
                return  # the next watchdog has the post, and its engine reconciles with the venue itself
            await self._look_again(at_s)
            self._posts.release()

    async def _sweep(self) -> SweepReport:
        """Cancel until it is proven. Whatever goes wrong on the way is begun anew."""
        while True:
            try:
                await self._open()
                return await sweep(
                    self._broker,
                    self._hello.is_ours,
                    self._hello.products,
                    self._clock,
                    self._between_rounds,
                    self._on_round,
                )
            except Exception as error:
                self._note("trouble", f"{type(error).__name__}: {error}")
                await asyncio.sleep(_AGAIN_S)

    async def _open(self) -> None:
        if not self._is_open:
            await self._broker.open()
            self._is_open = True

    async def _between_rounds(self, seconds: float) -> None:
        if self._is_refused:
            with suppress(BrokerError):
                await self._broker.measure_clock()  # a clock that was set since makes every token a wrong one
        await asyncio.sleep(seconds)

    async def _look_again(self, at_s: float) -> None:
        """The venue's lists lag: an order that was on its way when the engine died may show up late."""
        try:
            late = [
                order.client_order_id
                for order in await self._broker.live_orders()
                if self._hello.is_ours(order.client_order_id) and order.product in self._hello.products
            ]
        except BrokerError as error:
            self._note("late_look", f"{at_s:.0f} s later: {error.code}: {error}")  # the proof stands
            return
        self._note("late_look", f"{at_s:.0f} s later: {len(late)} orders", tuple(late))
        if late:
            await self._sweep()

    def _on_round(self, done: SweepRound) -> None:
        self._is_refused = isinstance(done.error, AuthenticationError)
        if done.listed is None:
            self._note("listed", f"no list: {done.report.failure}")
        else:
            names = tuple(order.client_order_id or order.order_id for order in done.listed)
            self._note("listed", f"{len(names)} orders of ours", names)
        for answer in done.answers:
            name = answer.ref.client_id or answer.ref.order_id
            why = f"{answer.code} {answer.reason}".strip()
            self._note("cancel", f"{answer.outcome.value} {why}".strip(), (name,))
        if done.report.is_proven:
            self._log.write(
                self._clock.wall_ns(), "proof", str(done.report), done.report.cancelled, is_proven=True
            )

    def _note(self, event: str, text: str = "", orders: tuple[str, ...] = ()) -> None:
        self._log.write(self._clock.wall_ns(), event, text, orders)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _taken(holder: int | None) -> str:
    """Why this watchdog cannot take its place, and what a person can do."""
    which, end = (f" (process {holder})", f" before you end it (kill -9 {holder})") if holder else ("", "")
    return (
        f"the watchdog of an engine before{which} still cancels, or another engine trades this product; "
        f"see at the venue that nothing of yours is open{end}"
    )
