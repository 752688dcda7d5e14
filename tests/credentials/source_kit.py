"""Passwords that were left somewhere, and how it is told that one cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.core.errors import CredentialError

PASSWORD = "tidal quartz 41 lantérn"


def written(path: Path, data: bytes | str = f"{PASSWORD}\n", mode: int = 0o600) -> Path:
    """A file with a password in it."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(mode)
    return path


def refusal(deed: Callable[[], object]) -> str:
    """What is said instead of a password; the words hold nothing of it."""
    with pytest.raises(CredentialError) as refused:
        deed()
    assert refused.value.exit_code == 4
    assert refused.value.__cause__ is None
    assert PASSWORD not in str(refused.value)
    return str(refused.value)
