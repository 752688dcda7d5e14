"""What can go wrong between an engine and its consoles."""

from __future__ import annotations

from engine.core.errors import PinnacleError


class LinkError(PinnacleError):
    """A connection that cannot be made or kept. The engine behind it trades on as it did."""
