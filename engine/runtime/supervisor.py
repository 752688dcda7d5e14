"""Supervision: an exception in a stage is an event with an action, never a silent dead task."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.core.errors import PinnacleError

T = TypeVar("T")

ALERTS = "alerts"
"""The name under which the telling of alerts is watched."""
_MONITORING_RESTARTS = 3


class StageFailure(PinnacleError):
    """A stage on the trading path failed. Quotes are pulled and the engine ends: fail closed.

    The exit code is that of the cause, where the cause has one.
    """

    def __init__(self, message: str, cause: Exception) -> None:
        super().__init__(message)
        self.exit_code = cause.exit_code if isinstance(cause, PinnacleError) else PinnacleError.exit_code


class Supervisor:
    """Runs stage steps and decides what an exception means.

    A stage on the trading path that raises cannot be trusted with the next event: the failure is
    reported and `StageFailure` ends the run, which cancels all orders. Monitoring only watches: it is
    restarted, a few times, and then left out; trading goes on.
    """

    def __init__(self, report: Callable[[str, str], None]) -> None:
        """`report(code, text)` makes an alert of a failure."""
        self._report = report
        self.failures: dict[str, int] = {}
        """How often each stage failed."""

    def run(self, stage: str, step: Callable[[], T]) -> T:
        """One step of a stage on the trading path."""
        try:
            return step()
        except Exception as error:
            text = str(error) if isinstance(error, PinnacleError) else f"{type(error).__name__}: {error}"
            if self._count(stage) == 1:
                self._report("STAGE_FAILED", f"the {stage} stage failed: {text}")
            message = f"the {stage} stage failed ({text}); all orders are being cancelled and the engine ends"
            raise StageFailure(message, error) from error

    def watch(self, stage: str, step: Callable[[], None]) -> None:
        """One step of a stage that only watches."""
        if self.failures.get(stage, 0) > _MONITORING_RESTARTS:
            return
        try:
            step()
        except Exception as error:
            count = self._count(stage)
            what = "it is restarted" if count <= _MONITORING_RESTARTS else "it stays off; trading goes on"
            text = f"the {stage} stage failed: {type(error).__name__}: {error}; {what}"
            if stage != ALERTS:  # nobody could be told that nobody can be told
                self._report("STAGE_FAILED", text)

    def _count(self, stage: str) -> int:
        self.failures[stage] = self.failures.get(stage, 0) + 1
        return self.failures[stage]
