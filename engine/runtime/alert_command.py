"""Hands alerts to a program of the account holder's own: a mail, a message, a siren."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from engine.core.errors import UsageError
from engine.core.events import Alert, Severity
from engine.runtime.alert_settings import AlertSettings
from engine.runtime.alert_throttle import GRAVITY, AlertThrottle
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp

ALERT_COMMAND: Final = "ALERT_COMMAND"
_MINUTE_S: Final = 60.0
_PASSED_ON: Final = ("HOME", "LANG", "PATH", "TZ")
"""What the program gets of our environment: nothing that a key or a password could be in."""


class AlertCommand:
    """An `Observer` and an `Edge`: runs the program once for each alert that is grave enough and news.

    Critical alerts have as many runs a minute again: a flood of lesser ones must not keep them back.

    The program gets one line of JSON and the end of its input, has no terminal and no share in the trading:
    it runs in a session of its own, what it writes is thrown away, and it is killed when its time is up. An
    alert that says it failed is not handed to it again.
    """

    def __init__(self, engine: Engine, settings: AlertSettings) -> None:
        """Raises `UsageError` for a command that cannot be taken apart, or whose program is not there."""
        try:
            self._arguments = shlex.split(settings.command or "")
        except ValueError as error:
            raise UsageError(f"alerts.command = {settings.command}: {error}") from None
        if not self._arguments:
            raise UsageError("alerts.command is empty: name a program, or leave the key out")
        if shutil.which(self._arguments[0]) is None:
            # Found out at the first alert, it would be too late for that alert.
            raise UsageError(f"alerts.command = {settings.command}: there is no program {self._arguments[0]}")
        self._engine = engine
        self._settings = settings
        self._least = GRAVITY[Severity(settings.severity)]
        self._throttle = AlertThrottle()
        self._started: deque[float] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """See `Edge`: alerts are what starts it."""

    async def stop(self) -> None:
        """See `Edge`. What runs may end; its time is bounded."""
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`: nothing of ours."""

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`."""
        for alert in alerts:
            if (
                alert.code != ALERT_COMMAND
                and GRAVITY[alert.severity] >= self._least
                and self._throttle.is_news(alert)
                and self._may_run(alert.severity)
            ):
                task = asyncio.get_running_loop().create_task(self._run(alert), name="alert command")
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    def on_status(self, now_ns: int) -> None:
        """See `Observer`: nothing of ours."""

    def _may_run(self, severity: Severity) -> bool:
        now, started = asyncio.get_running_loop().time(), self._started
        while started and now - started[0] >= _MINUTE_S:
            started.popleft()
        most = self._settings.max_per_minute * (2 if severity is Severity.CRITICAL else 1)
        if len(started) >= most:
            return False
        started.append(now)
        return True

    async def _run(self, alert: Alert) -> None:
        try:
            program = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )
        except (OSError, ValueError) as error:
            self._engine.warn(ALERT_COMMAND, f"alerts.command cannot be run: {error}")
            return
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await program.communicate(alert_line(alert))
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)  # what it has started, too
            await program.wait()
            self._engine.warn(ALERT_COMMAND, f"alerts.command took more than {self._settings.timeout_s} s")
            return
        if program.returncode:
            self._engine.warn(ALERT_COMMAND, f"alerts.command ended with {program.returncode}")


def alert_line(alert: Alert) -> bytes:
    """An alert as one line of JSON: severity, code, product, text, wall time in nanoseconds."""
    told = {
        "v": 1,
        "severity": alert.severity.value,
        "code": alert.code,
        "product": alert.product,
        "text": alert.text,
        "wall_ns": alert.wall_ns,
    }
    return msgspec.json.encode(told) + b"\n"
