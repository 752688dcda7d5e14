"""The engine's side of its watchdog: keeps one alive, beats for it, and holds the lease that it gives."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from engine.core.clock import Clock
from engine.core.errors import PinnacleError
from engine.core.events import Restraint
from engine.watchdog.channel import Channel, ChannelError, engine_end
from engine.watchdog.lease import Lease
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
from engine.watchdog.spawning import Spawn, Spawned, WatchdogProcess
from engine.watchdog.uptime import Uptime

BEAT_EVERY_S: Final = 0.5
START_WITHIN_S: Final = 20.0
_HUNG_BEATS: Final = 12
"""So many beats in a row without any answer, and the watchdog is taken for hung: it is ended and replaced."""
_SLOW_START_BEATS: Final = 60
"""The same before its first answer: an interpreter on a busy machine needs its time."""
_MOST_AGAIN_S: Final = 10.0
_PARTING_S: Final = 3.0
_CODE: Final = "WATCHDOG"
_RELEASE: Final = "a watchdog confirms that it watches"

Tell = Callable[[str, Restraint, str, str], None]
"""Code, how far trading is kept back, why, and what ends it; see `EdgeStatus`."""


class WatchdogError(PinnacleError):
    """No watchdog could be brought to watch."""


def _nobody(report: Report) -> None:
    """Nobody wants to know."""


class Guardian:
    """An `Edge`. While no watchdog confirms, trading is HALTED and the lease is not held.

    When it is stopped without a farewell, the watchdog goes on by itself: it cancels everything of ours
    until it has proof, whether or not this process still exists.
    """

    def __init__(
        self,
        hello: Hello,
        tell: Tell,
        *,
        on_report: Callable[[Report], None] = _nobody,
        clock: Clock | None = None,
        spawn: Spawn = WatchdogProcess,
        start_within_s: float = START_WITHIN_S,
        may_have_orders: Callable[[], bool] = lambda: False,
    ) -> None:
        """`on_report` is called with the proof of a watchdog that has fired while this engine lives: what it
        cancelled must be reconciled. `clock` must be the one that the watchdog reads, see `Uptime`.
        `may_have_orders`: orders of before this engine may be open, so a watchdog that was started is not
        dismissed because the engine was not."""
        self._hello = hello
        self._tell = tell
        self._on_report = on_report
        self._clock = Uptime() if clock is None else clock
        self._spawn = spawn
        self._start_within_s = start_within_s
        self._may_have_orders = may_have_orders
        self.lease = Lease(self._clock)
        """Asked at the last gate before an order leaves."""
        self._line: Channel[ToWatchdog, ToEngine] | None = None
        self._process: Spawned | None = None
        self._number = 0
        self._sent: dict[int, int] = {}
        """When the beats were sent that are not confirmed yet."""
        self._hold: str | None = "no watchdog has confirmed yet"
        """Why trading is kept back; None while it is not."""
        self._told: str | None = None
        self._confirmed = asyncio.Event()
        self._last_words = ""
        """Why the present watchdog cannot watch, as far as it has said so."""
        self._attempts = 0
        """Since the last confirmation."""
        self._most_unanswered = _SLOW_START_BEATS
        self._has_fired = False
        self._is_stopped = False
        self._beat_timer: asyncio.TimerHandle | None = None
        self._spawn_timer: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process of the present watchdog; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def hold(self) -> str | None:
        """Why trading is kept back; None while a watchdog watches."""
        return self._hold

    async def start(self) -> None:
        """See `Edge`. Raises `WatchdogError` when none confirms in time: without one nothing is traded."""
        self._is_stopped = False
        self._keep_back("the watchdog is being started", Restraint.AWAITED)
        self._begin()
        self._beat()
        try:
            await asyncio.wait_for(self._confirmed.wait(), self._start_within_s)
        except TimeoutError:
            reason = self._hold
            await self._give_up()
            raise WatchdogError(
                f"no watchdog watches after {self._start_within_s:.0f} s ({reason}); live trading does not "
                "begin without one, no order was sent"
            ) from None
        except BaseException:
            await self._give_up()
            raise

    async def _give_up(self) -> None:
        """Nothing was sent by this engine: there is nothing to be cancelled, unless it is of before."""
        if not self._may_have_orders():
            self._part()
        await self.stop()

    async def stop(self) -> None:
        """See `Edge`."""
        self._is_stopped = True
        self.lease.revoke()
        for timer in (self._beat_timer, self._spawn_timer):
            if timer is not None:
                timer.cancel()
        self._hang_up()

    async def end(self, is_proven: bool) -> None:
        """The engine ends. With proof the watchdog is dismissed, without it is left to its work."""
        process = self._process
        if is_proven:
            self._part()
        self.lease.revoke()
        self._is_stopped = True
        if is_proven and process is not None:
            with suppress(TimeoutError):  # it has not read the farewell yet; it will, before the line's end
                await asyncio.wait_for(process.ended.wait(), _PARTING_S)

    def _part(self) -> None:
        if self._line is not None:
            self._line.send(Farewell("the engine has ended and proven that nothing of ours is open"))

    def kill(self, reason: str) -> None:
        """Let the watchdog cancel too, at once. No order leaves until a new watchdog confirms."""
        self.lease.revoke()
        if self._line is not None:
            self._line.send(Kill(reason))
        self._keep_back(f"the watchdog was told to cancel everything: {reason}")

    # -- the process -----------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start a watchdog and tell it what it has to know."""
        self._attempts += 1
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = self._spawn(theirs)
        except OSError as error:
            ours.close()
            self._lost(f"the watchdog cannot be started: {error.strerror}")
            return
        self._line = engine_end(ours)
        self._has_fired = False
        self._last_words = ""
        self._most_unanswered = _SLOW_START_BEATS
        self._sent.clear()
        self._line.send(self._hello)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._listen)

    def _lost(self, reason: str) -> None:
        """This watchdog is none any more: hold, and start another one."""
        self._hang_up()
        self._keep_back(reason)
        if not self._is_stopped and (self._spawn_timer is None or self._spawn_timer.cancelled()):
            wait_s = 0.0 if self._attempts == 0 else min(2.0 ** (self._attempts - 1) / 2, _MOST_AGAIN_S)
            self._spawn_timer = asyncio.get_running_loop().call_later(wait_s, self._begin_again)

    def _begin_again(self) -> None:
        self._spawn_timer = None
        self._begin()

    def _hang_up(self) -> None:
        self.lease.revoke()
        self._process = None
        self._sent.clear()
        if self._line is not None:
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._line.close()
            self._line = None

    # -- beats -----------------------------------------------------------------------------------

    def _beat(self) -> None:
        self._beat_timer = asyncio.get_running_loop().call_later(BEAT_EVERY_S, self._beat)
        line = self._line
        if line is None or self._has_fired:
            return
        line.flush()
        if not line.is_stuck:  # else it does not read, and the beats that it has will do
            self._number += 1
            self._sent[self._number] = sent_ns = self._clock.monotonic_ns()
            line.send(Beat(self._number, sent_ns))
        if self._hold is None and not self.lease.is_held():
            self._keep_back("the watchdog has not confirmed for 2.5 s")
        if len(self._sent) > self._most_unanswered and self._process is not None:
            self._process.kill()
            self._lost(f"the watchdog gave no answer to {len(self._sent)} beats and was ended")

    def _listen(self) -> None:
        line = self._line
        if line is None:
            return
        try:
            messages = line.receive()
        except ChannelError as error:
            self._lost(str(error))
            return
        for message in messages:
            self._take(message)
        if self._line is line and line.is_ended:
            self._lost(f"the watchdog is gone{self._last_words}")

    def _take(self, message: ToEngine) -> None:
        match message:
            case Confirm():
                self._confirm(message.number)
            case Waiting():
                self._answered(message.number)
                self._last_words = f": {message.text}"
                self._keep_back(message.text)
            case Fired():
                self._has_fired = True
                self.lease.revoke()
                self._keep_back(f"the watchdog is cancelling everything: {message.reason}")
            case Report():
                self._lost(str(message))
                self._on_report(message)

    def _confirm(self, number: int) -> None:
        sent_ns = self._answered(number)
        if sent_ns is None or self._has_fired or self._is_stopped:
            return
        self._last_words = ""
        self.lease.confirm(sent_ns)
        if self.lease.is_held():
            self._attempts = 0
            self._hold = None
            self._confirmed.set()
            self._say(Restraint.NONE, "a watchdog watches")

    def _answered(self, number: int) -> int | None:
        """A beat was taken in, and so were those before it."""
        self._most_unanswered = _HUNG_BEATS
        sent_ns = self._sent.get(number)
        for each in [each for each in self._sent if each <= number]:
            del self._sent[each]
        return sent_ns

    def _keep_back(self, reason: str, restraint: Restraint = Restraint.HALTED) -> None:
        self._hold = reason
        self._confirmed.clear()
        if not self._is_stopped:
            self._say(restraint, f"{reason}; no order leaves")

    def _say(self, restraint: Restraint, reason: str) -> None:
        if reason == self._told:
            return
        self._told = reason
        self._tell(_CODE, restraint, reason, "" if restraint is Restraint.NONE else _RELEASE)
