"""Section `credentials`: where the vault is and which of its keys is used. Secrets are never in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.settings import setting

FILE_NAME: Final = "credentials.vault"


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """Which vault, which key in it, and how long it stays open."""

    vault: str | None = setting(
        None, "The file of the vault; unset is credentials.vault beside the configuration file."
    )
    key: str | None = setting(
        None, "The name of the key in the vault; unset is the only one of the venue, for live trading."
    )
    keyring: bool = setting(
        False, "Ask the system's keyring for the master password (needs the extra `keyring`)."
    )
    lock_after_s: int = setting(
        300,
        "An open vault that nobody uses is locked again after this time.",
        unit="s",
        at_least=10,
        at_most=3_600,
    )

    @property
    def path(self) -> Path:
        """The vault's file, whether it exists or not."""
        if self.vault is not None:
            return Path(os.path.expanduser(self.vault)).absolute()  # pathlib raises where nobody is ~NAME
        from platformdirs import user_config_path  # only where nobody named a file

        return user_config_path("pinnacle-tui", appauthor=False) / FILE_NAME
