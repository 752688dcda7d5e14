"""The errors of what is written to disk. Each message says what it means for orders and what to do."""

from __future__ import annotations

from engine.core.errors import PinnacleError


class JournalError(PinnacleError):
    """The disk failed or is full: what was not written before is not promised. Trading must stop."""

    exit_code = 74


class DamageError(PinnacleError):
    """Durable data is damaged, or is something else than it claims. Nothing was changed.

    `file`, `offset` and `seq` say where, as far as it is known.
    """

    exit_code = 6

    def __init__(
        self, text: str, *, file: str = "", offset: int | None = None, seq: int | None = None
    ) -> None:
        """`text` says all of it to people."""
        super().__init__(text)
        self.file = file
        self.offset = offset
        self.seq = seq


class LockedError(PinnacleError):
    """Another process works on this directory."""

    exit_code = 3
