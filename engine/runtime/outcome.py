"""How a run ended, and what nobody could prove of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.errors import PinnacleError

EXIT_DONE = 0
EXIT_ERROR = 1
EXIT_WITHOUT_PROOF = 75


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the reason in words, the exit code, and the orders that may still be open.

    Without orders there is a proof only where `is_proven` says so: a venue's list may not have been had.
    """

    reason: str
    exit_code: int
    open_orders: tuple[str, ...] = ()

    @property
    def is_proven(self) -> bool:
        """True when the venues have proven that no order is open."""
        return self.exit_code != EXIT_WITHOUT_PROOF


class ListingError(PinnacleError):
    """A venue does not say which orders it holds, so none of them is proven gone.

    `known` is by product what is known all the same: our own record, and the lists that could be had.
    """

    exit_code = EXIT_WITHOUT_PROOF

    def __init__(
        self, message: str, known: Mapping[str, tuple[str, ...]], *, is_pending: bool = False
    ) -> None:
        super().__init__(message)
        self.known = known
        self.is_pending = is_pending
        """True where every list that is missing is on its way."""
