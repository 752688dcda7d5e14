"""Random numbers that depend on a seed and a name, and on nothing else."""

from __future__ import annotations

import hashlib
from random import Random


def named_random(seed: int, name: str) -> Random:
    """A generator of its own for everyone who needs one, so that nobody disturbs another's numbers.

    The state comes from SHA-256 and not from `hash`, which changes with `PYTHONHASHSEED`.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return Random(int.from_bytes(digest[:16], "big"))
