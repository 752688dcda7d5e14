"""How what lives on the network reaches the engine, which is built after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from decimal import Decimal

from engine.core.events import Restraint
from engine.persistence.records import Reconciled

Restrain = Callable[[str, Restraint, str, str], None]
"""Code, how far, why, and what ends it; see `EdgeStatus`."""


class Bell:
    """Rung from the engine's own loop. Until an engine is connected nothing happens."""

    __slots__ = ("_accept", "_note", "_restrain", "_wake", "_warn", "known_until_ns", "on_end", "on_rearm")

    def __init__(self) -> None:
        self._wake: Callable[[], None] = lambda: None
        self._restrain: Restrain = lambda *_: None
        self._warn: Callable[[str, str], None] = lambda *_: None
        self.on_end: list[Callable[[bool], Awaitable[None]]] = []
        """Told when the engine has ended, while every edge is still there: whether the end is proven."""
        self._note: Callable[[Reconciled], None] = lambda _: None
        self._accept: Callable[[str, Mapping[str, Decimal]], None] = lambda *_: None
        self.on_rearm: list[Callable[[Collection[str]], None]] = []
        """Told when a person has taken a halt or a kill back, and of which products."""
        self.known_until_ns: int | None = None
        """Wall time up to which our record is whole, for a session that goes on."""

    def connect(self, wake: Callable[[], None], restrain: Restrain, warn: Callable[[str, str], None]) -> None:
        """From now on it rings there."""
        self._wake, self._restrain, self._warn = wake, restrain, warn

    def keep_notes(
        self, note: Callable[[Reconciled], None], accept: Callable[[str, Mapping[str, Decimal]], None]
    ) -> None:
        """From now on comparisons with the venue are put on record there, and what people accepted."""
        self._note, self._accept = note, accept

    def note(self, compared: Reconciled) -> None:
        """Put a comparison with the venue on record."""
        self._note(compared)

    def accepted(self, product: str, baseline: Mapping[str, Decimal]) -> None:
        """A person has accepted that the account holds so much beyond our record, by currency."""
        self._accept(product, baseline)

    def rearmed(self, products: Collection[str]) -> None:
        """A person has taken a halt or a kill of these products back."""
        for told in self.on_rearm:
            told(products)

    def ring(self) -> None:
        """Something waits to be polled."""
        self._wake()

    def restrain(self, code: str, restraint: Restraint, reason: str, release: str = "") -> None:
        """Something asks all trading to be kept back, or no longer."""
        self._restrain(code, restraint, reason, release)

    def warn(self, code: str, text: str) -> None:
        """People should know."""
        self._warn(code, text)

    async def end(self, *, is_proven: bool) -> None:
        """The engine has ended; see `on_end`."""
        for told in self.on_end:
            await told(is_proven)
