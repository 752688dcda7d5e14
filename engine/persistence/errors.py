"""The errors of what is written to disk. Each message says what it means for orders and what to do."""

from __future__ import annotations

from engine.core.errors import PinnacleError


class JournalError(PinnacleError):
    """The disk failed or is full: what was not written before is not promised. Trading must stop."""

    exit_code = 74


class DamageError(PinnacleError):
    """Durable data is damaged, or is something else than it claims. Nothing was changed."""

    exit_code = 6


class LockedError(PinnacleError):
    """Another process works on this directory."""

    exit_code = 3
