"""The key that a run takes out of the vault: which one, and how it is had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.config import Config
from engine.core.errors import CredentialError
from engine.core.private_file import PrivateFileMissing
from engine.core.secret import Secret, wipe
from engine.credentials.desk import FIELDS, KIND_NAMES
from engine.credentials.entries import Entry
from engine.credentials.vault import Vault
from engine.credentials.vault_file import read_vault
from engine.exchange.coinbase.keys import AdvancedKey, ApiKey, ExchangeKey
from engine.exchange.coinbase.network import ADVANCED


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A key that lies in a vault, which is locked."""

    path: Path
    """The vault's file."""
    name: str | None
    """What the key is called there; None is the only one of its API."""
    api: str
    """Whose key it must be, as `exchange.name` has it."""

    def look(self) -> None:
        """Refuse, before a person is asked for a password, a vault that is not there or not private.

        Raises `CredentialError`.
        """
        try:
            wipe(read_vault(self.path))
        except PrivateFileMissing:
            raise CredentialError(
                f"there is no API key: no vault at {self.path}. Store a key with `pinnacle-tui credentials`, "
                "or name its file with --key-file. Nothing was sent"
            ) from None

    def take(self, password: Secret) -> ApiKey:
        """Open the vault, take the key out, and lock the vault again. Blocks for the derivation.

        Raises `WrongPassword`, and `CredentialError` for a vault that is damaged or has no such key.
        """
        vault = Vault.open(self.path, password)
        try:
            entries = vault.entries
            return _key(entries[self._chosen({name: entry.kind for name, entry in entries.items()})])
        finally:
            vault.lock()

    def _chosen(self, kinds: dict[str, str]) -> str:
        """The name of the key among those of the vault, given with their kinds."""
        wanted = KIND_NAMES[self.api]
        held = ", ".join(f"{name} ({KIND_NAMES[kind]})" for name, kind in kinds.items()) or "no key at all"
        if self.name is not None:
            if self.name not in kinds:
                raise CredentialError(
                    f"the vault has no key {self.name}; it holds {held}. Name one of them with --key. "
                    "Nothing was sent"
                )
            if (kind := kinds[self.name]) != self.api:
                raise CredentialError(
                    f"{self.name} is a key of {KIND_NAMES[kind]}, and this run is at {wanted}: name another "
                    f"key with --key, or the venue with --exchange {kind}. Nothing was sent"
                )
            return self.name
        fitting = [name for name, kind in kinds.items() if kind == self.api]
        if not fitting:
            raise CredentialError(
                f"the vault has no key of {wanted}; it holds {held}. Store one with "
                "`pinnacle-tui credentials`. Nothing was sent"
            )
        if len(fitting) > 1:
            raise CredentialError(
                f"the vault has several keys of {wanted}: name one with --key ({', '.join(fitting)}). "
                "Nothing was sent"
            )
        return fitting[0]


def vault_key(config: Config) -> VaultKey:
    """The key in the vault that these settings name, for runs that use one (`Config.uses_vault`)."""
    credentials = config.credentials
    return VaultKey(credentials.path, credentials.key, config.exchange.name or ADVANCED)


def _key(entry: Entry) -> ApiKey:
    parts = [entry.fields[name].text() for name in FIELDS[entry.kind]]
    return AdvancedKey.create(*parts) if entry.kind == ADVANCED else ExchangeKey.create(*parts)
