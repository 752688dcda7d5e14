"""Who may steer: at most one peer at a time, and the owner whenever nobody else does."""

from __future__ import annotations

from typing import Generic, TypeVar

from engine.link.messages import Role

P = TypeVar("P")


class ControlLease(Generic[P]):
    """Who owns the engine and who has taken control of it. Peers are told apart by identity only."""

    def __init__(self) -> None:
        self.owner: P | None = None
        self._taken_by: P | None = None

    @property
    def holder(self) -> P | None:
        """Who may steer; None while nobody may."""
        return self._taken_by if self._taken_by is not None else self.owner

    def role(self, peer: P) -> Role:
        """What a peer is now. The owner only watches while somebody else steers."""
        if peer is not self.holder:
            return Role.VIEW
        return Role.OWNER if peer is self.owner else Role.CONTROL

    def join(self, peer: P, wanted: Role) -> None:
        """A peer comes and wants a role; it gets what is free. There is never a second owner."""
        if wanted is Role.OWNER and self.owner is None:
            self.owner = peer
        elif wanted is not Role.VIEW and self.holder is None:
            self._taken_by = peer

    def take(self, peer: P) -> None:
        """Control goes to `peer`, whoever had it."""
        self._taken_by = None if peer is self.owner else peer

    def leave(self, peer: P) -> None:
        """A peer is gone."""
        if peer is self._taken_by:
            self._taken_by = None
        if peer is self.owner:
            self.owner = None
