"""No memory is held after the consoles of tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import count

import pytest

_THAW_EVERY = 50
_tests = count(1)


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """A console that stands is kept from the collector for good; those of tests are let go now and then."""
    yield
    if next(_tests) % _THAW_EVERY == 0:
        gc.unfreeze()
