"""The errors of the engine. Each message says what happened, what it means, and what to do."""

from __future__ import annotations


class PinnacleError(Exception):
    """Base of every error this program raises on purpose; `exit_code` is what the command line returns."""

    exit_code: int = 1


class UsageError(PinnacleError):
    """A flag, a configuration key or a file that cannot be what was meant."""

    exit_code = 2


class InstrumentError(PinnacleError, ValueError):
    """A price, size or amount that the instrument cannot express, or an impossible instrument."""

    exit_code = 2


class OrderError(PinnacleError, ValueError):
    """An order that breaks a rule, or a state change that is not legal."""


class RecordingError(PinnacleError):
    """A recording that is damaged or is something else; the message names file and line."""

    exit_code = 6


class IntegrityError(PinnacleError):
    """The engine's own accounts contradict each other. Quoting must stop."""


class StateError(PinnacleError):
    """A saved state that this version cannot continue."""

    exit_code = 6


class CredentialError(PinnacleError):
    """A key or its vault that is missing, locked, damaged, of the wrong kind, or open to others."""

    exit_code = 4
