"""Shared fixtures. Recorded market data lives beside the repository and is optional."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real recordings are not on this machine (they are not part of the project)")
    return SHARED
