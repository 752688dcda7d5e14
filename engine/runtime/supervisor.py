"""Supervision: an exception in a stage is an event with an action, never a silent dead task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from engine.core.errors import PinnacleError

T = TypeVar("T")

STAGE_FAILED = "STAGE_FAILED"
"""The code of the alert that tells of a failure."""
ALERTS = "alerts"
"""The name under which the telling of alerts is watched."""
_S = 1_000_000_000
_MOST_FAILURES = 3
"""So often may a stage that only watches fail within `_WINDOW_NS` and still go on."""
_WINDOW_NS = 60 * _S
_OUT_NS = 60 * _S
"""Engine time for which it is left out after that."""
_SAME_EVERY_NS = 600 * _S
"""The same failure of a stage is told again after so long."""


class StageFailure(PinnacleError):
    """A stage on the trading path failed. Quotes are pulled and the engine ends: fail closed.

    The exit code is that of the cause, where the cause has one.
    """

    def __init__(self, message: str, stage: str, cause: Exception) -> None:
        super().__init__(message)
        self.stage = stage
        """Its name."""
        self.exit_code = cause.exit_code if isinstance(cause, PinnacleError) else PinnacleError.exit_code


@dataclass(slots=True)
class _Record:
    """What is known of a stage that only watches and has failed. Engine times in nanoseconds."""

    failures: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_FAILURES + 1))
    """When it failed, the last times."""
    out_until_ns: int = 0
    told_ns: dict[str, int] = field(default_factory=dict)
    """What was told lately, and when."""


class Supervisor:
    """Runs stage steps and decides what an exception means.

    A stage on the trading path that raises cannot be trusted with the next event: the failure is
    reported and `StageFailure` ends the run, which cancels all orders. A stage that only watches goes on;
    one that keeps failing is left out for a minute of engine time, then tried again.
    """

    def __init__(self, report: Callable[[str, str], None]) -> None:
        """`report(code, text)` makes an alert of a failure."""
        self._report = report
        self._failed: set[str] = set()
        self._records: dict[str, _Record] = {}

    def run(self, stage: str, step: Callable[[], T]) -> T:
        """One step of a stage on the trading path."""
        try:
            return step()
        except Exception as error:
            text = str(error) if isinstance(error, PinnacleError) else f"{type(error).__name__}: {error}"
            if stage not in self._failed:
                self._failed.add(stage)
                self._report(STAGE_FAILED, f"the {stage} stage failed: {text}")
            message = f"the {stage} stage failed ({text}); all orders are being cancelled and the engine ends"
            raise StageFailure(message, stage, error) from error

    def watch(self, stage: str, now_ns: int, step: Callable[[], None]) -> None:
        """One step of a stage that only watches; `now_ns` is engine time."""
        record = self._records.get(stage)
        if record is not None and now_ns < record.out_until_ns:
            return
        try:
            step()
        except Exception as error:
            if record is None:
                record = self._records[stage] = _Record()
            self._note(stage, record, now_ns, error)

    def _note(self, stage: str, record: _Record, now_ns: int, error: Exception) -> None:
        failures = record.failures
        failures.append(now_ns)
        what = "it goes on"
        if len(failures) > _MOST_FAILURES and now_ns - failures[0] < _WINDOW_NS:
            failures.clear()
            record.out_until_ns = now_ns + _OUT_NS
            what = f"it is left out for {_OUT_NS // _S} s, then tried again; trading goes on"
        text = f"the {stage} stage failed: {type(error).__name__}: {error}; {what}"
        record.told_ns = {told: at for told, at in record.told_ns.items() if now_ns - at < _SAME_EVERY_NS}
        if text not in record.told_ns and stage != ALERTS:  # nobody could be told that nobody can be told
            record.told_ns[text] = now_ns
            self._report(STAGE_FAILED, text)
