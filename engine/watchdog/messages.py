"""What the engine and its watchdog say to each other."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from engine.exchange.coinbase.network import Endpoints
from engine.exchange.live.sweeping import SweepReport

LATE_LOOKS_S: Final = (1.0, 5.0, 30.0)
"""After the proof the venue is asked again so much later: its lists lag."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Everything that a watchdog has to know; the first message, and the only one with a secret."""

    api: str
    """`exchange.name`."""
    endpoints: Endpoints
    key: bytes
    """The API key, as `secret_document` makes it. Empty: none."""
    products: tuple[str, ...]
    """Of the engine; orders in others are not touched."""
    tag: str
    """How the client ids of this installation begin."""
    log: str
    """Path of the file that is written to."""
    data_dir: str
    """Where the file KILL is looked for, and where one watchdog a product is seen to."""
    ca_file: str | None = None
    answer_timeout_ms: int = 2_000
    late_looks_s: tuple[float, ...] = LATE_LOOKS_S

    def is_ours(self, client_id: str) -> bool:
        """True for an order of this installation, whatever its session."""
        return client_id.startswith(self.tag)

    def __repr__(self) -> str:
        """Without the key."""
        return f"Hello({self.api}, {', '.join(self.products)}, {self.tag}...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The same for printers of structs, which would list every field."""
        return [("api", self.api), ("products", self.products), ("tag", self.tag)]


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """The engine lives."""

    number: int
    sent_ns: int
    """By the clock of `engine.watchdog.uptime`, which both processes read."""


class Farewell(msgspec.Struct, frozen=True, tag="farewell"):
    """The engine ends, and has proven that nothing of ours is open. Nobody needs to watch any more."""

    reason: str


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """Cancel everything of ours now, whether the engine lives or not."""

    reason: str


class Confirm(msgspec.Struct, frozen=True, tag="confirm"):
    """A beat was taken in by a watchdog that could cancel: the lease counts from when it was sent."""

    number: int


class Waiting(msgspec.Struct, frozen=True, tag="waiting"):
    """A beat was taken in, but this watchdog cannot do its work yet."""

    number: int
    text: str
    """Why not, for people."""


class Fired(msgspec.Struct, frozen=True, tag="fired"):
    """Everything is being cancelled; no beat will be confirmed any more."""

    reason: str


class Report(msgspec.Struct, frozen=True, tag="report"):
    """The proof. The watchdog ends after it."""

    reason: str
    """Why it fired."""
    sweep: SweepReport

    def __str__(self) -> str:
        """For people."""
        return f"the watchdog has cancelled everything ({self.reason}): {self.sweep}"


ToWatchdog: TypeAlias = Hello | Beat | Farewell | Kill
ToEngine: TypeAlias = Confirm | Waiting | Fired | Report
