"""Vaults with keys of the local venue in them, for runs that take one out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from engine.core.secret import Secret
from engine.credentials.desk import ADVANCED, EXCHANGE
from engine.credentials.entries import Entry
from engine.credentials.vault import Vault
from engine.credentials.vault_format import FLOOR
from engine.local_venue.keys import CdpKey, ExchangeKey

PASSWORD = "tidal quartz 41 lantern"


def store(path: Path, keys: Mapping[str, CdpKey | ExchangeKey | str], *, iterations: int = FLOOR) -> Path:
    """A vault at `path` that `PASSWORD` opens. A key may be given as what its file holds."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    vault = Vault.create(path, Secret(PASSWORD), iterations=iterations, floor=iterations)
    for name, key in keys.items():
        held = json.loads(key if isinstance(key, str) else key.file_content())
        kind = ADVANCED if "privateKey" in held else EXCHANGE
        vault.put(name, Entry(kind, {part: Secret(text) for part, text in held.items()}))
    vault.save()
    vault.lock()
    return path


def piped(text: str) -> int:
    """A descriptor from which `text` is read, to its end."""
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    return read
