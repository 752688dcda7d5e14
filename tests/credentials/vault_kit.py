"""Vaults that open at once: few iterations, given through the arguments that every vault has."""

from __future__ import annotations

from pathlib import Path

from engine.core.secret import Secret
from engine.credentials import vault_format
from engine.credentials.desk import ADVANCED, EXCHANGE
from engine.credentials.entries import Entry
from engine.credentials.vault import Vault

ITERATIONS = 2
FLOOR = 1
PASSWORD = "correct horse battery staple"
NAME = "organizations/5f0c9d5e-0000-4000-8000-3a1d2b4c5d6e/apiKeys/77aa11bb-0000-4000-8000-cc22dd33ee44"
PRIVATE_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/89Ez2ujI1LmN8uWNoqBq5YtNvPkX/IXtj0l0yw=="
"""Base64 of an Ed25519 key, as Coinbase writes one."""


def advanced(private_key: str = PRIVATE_KEY) -> Entry:
    """A key of Advanced Trade."""
    return Entry(ADVANCED, {"name": Secret(NAME), "privateKey": Secret(private_key)})


def exchange(passphrase: str = "open sesame") -> Entry:
    """A key of Coinbase Exchange."""
    parts = {"key": "4d1f", "secret": "c2VjcmV0IG9mIGEga2V5", "passphrase": passphrase}
    return Entry(EXCHANGE, {name: Secret(text) for name, text in parts.items()})


def seal(plaintext: bytes, password: str = PASSWORD, iterations: int = ITERATIONS) -> bytes:
    """A vault file as it would be written."""
    return vault_format.seal(plaintext, Secret(password), iterations)


def unseal(blob: bytes | bytearray, password: str = PASSWORD) -> bytearray:
    """What `vault_format.open_sealed` says to it."""
    return vault_format.open_sealed(blob, Secret(password), floor=FLOOR)


def make(path: Path, password: str = PASSWORD, iterations: int = ITERATIONS) -> Vault:
    """A vault that is not saved yet."""
    return Vault.create(path, Secret(password), iterations=iterations, floor=FLOOR)


def reopen(path: Path, password: str = PASSWORD, iterations: int = ITERATIONS) -> Vault:
    """The vault in a file."""
    return Vault.open(path, Secret(password), iterations=iterations, floor=FLOOR)


def held(vault: Vault) -> dict[str, dict[str, str]]:
    """Everything in a vault, in clear."""
    return {
        name: {part: text.text() for part, text in (entry.fields | entry.others).items()}
        for name, entry in vault.entries.items()
    }


def seal_like(iterations: int) -> bytes:
    """A file whose header says so many iterations, with a length that fits."""
    blob = bytearray(seal(b'{"entries":{},"v":1}'))
    blob[12:16] = iterations.to_bytes(4, "little")
    return bytes(blob)
