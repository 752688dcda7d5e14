"""Waiting in tests for what other tasks bring about: as short as possible, never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WITHIN_S = 5.0
_LOOK_EVERY_S = 0.002


async def until(is_so: Callable[[], object], within_s: float = WITHIN_S) -> float:
    """Return as soon as it is so, with the seconds that took. `AssertionError` when it does not come."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    # Polled: what is waited for is a property of objects that tell nobody when they change.
    while not is_so():
        waited = loop.time() - began
        assert waited < within_s, f"waited {waited:.2f} s in vain"
        await asyncio.sleep(_LOOK_EVERY_S)
    return loop.time() - began
