"""Client order ids: ours, unique, and recognisable at the venue even without our records."""

from __future__ import annotations

from typing import Final

from engine.core.errors import OrderError

INSTALLATION_TAG: Final = 0x50544D4D
"""The first 32 bits of every id unless an installation chooses its own tag."""

_SESSION_BITS: Final = 40
_SEQUENCE_BITS: Final = 48


class ClientIds:
    """Deterministic ids in the shape of a UUID: installation tag, session tag, sequence.

    `tttttttt-ssss-4sss-8sss-qqqqqqqqqqqq`: 32 bits of installation, 40 of session, 48 of sequence. The
    version and variant digits are those of a random UUID, because venues that demand a UUID check them.
    Every Trader of every session needs a session tag of its own; then no id ever serves two intents.
    """

    __slots__ = ("_head", "_installation", "sequence")

    def __init__(self, session_tag: int, installation_tag: int = INSTALLATION_TAG) -> None:
        if not 0 <= session_tag < 1 << _SESSION_BITS:
            raise OrderError(f"session tag {session_tag} does not fit into {_SESSION_BITS} bits")
        if not 0 <= installation_tag < 1 << 32:
            raise OrderError(f"installation tag {installation_tag} does not fit into 32 bits")
        session = f"{session_tag:010x}"
        self._installation = f"{installation_tag:08x}-"
        self._head = f"{self._installation}{session[:4]}-4{session[4:7]}-8{session[7:]}-"
        self.sequence = 0
        """How many ids were given out."""

    def next(self) -> str:
        """A fresh id."""
        self.sequence += 1
        if self.sequence >> _SEQUENCE_BITS:
            raise OrderError("the session has used up its client order ids; start a new session")
        return f"{self._head}{self.sequence:012x}"

    def is_ours(self, client_id: str) -> bool:
        """True when an id carries our installation's tag, whatever the session."""
        return client_id.startswith(self._installation)
