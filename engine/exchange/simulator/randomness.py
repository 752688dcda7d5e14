"""Random numbers that depend on a seed and a name, and on nothing else."""

from __future__ import annotations

import hashlib
import struct
from random import Random
from typing import Final

import msgspec

_WORDS: Final = struct.Struct("<625I")
"""The Mersenne twister's 624 words and its place among them."""


class RandomState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where a generator stands. `gauss_next` is the second normal number of a pair, not yet drawn."""

    words: bytes
    gauss_next: float | None


def named_random(seed: int, name: str) -> Random:
    """A generator of its own for everyone who needs one, so that nobody disturbs another's numbers.

    The state comes from SHA-256 and not from `hash`, which changes with `PYTHONHASHSEED`.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return Random(int.from_bytes(digest[:16], "big"))


def save_random(random: Random) -> RandomState:
    """Where it stands now."""
    _, words, gauss_next = random.getstate()
    return RandomState(_WORDS.pack(*words), gauss_next)


def load_random(random: Random, state: RandomState) -> None:
    """Let it go on from there."""
    random.setstate((Random.VERSION, _WORDS.unpack(state.words), state.gauss_next))
