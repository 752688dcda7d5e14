"""Opens the vault for a run: with a password that was left for it, else with one that a person types."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Final

from engine.config import Config
from engine.core.clock import Clock, SystemClock
from engine.core.foreign_text import visible_lines
from engine.core.secret import Secret
from engine.credentials.attempts import Attempts
from engine.credentials.desk import KIND_NAMES, WrongPassword
from engine.credentials.sources import PasswordSources, prompt
from engine.exchange.coinbase.keys import ApiKey, secret_document
from engine.runtime.key_source import VaultKey, vault_key

_SECRETS_NAME: Final = "Master password"


def key_of_run(config: Config, password_fd: int | None = None) -> ApiKey:
    """The key out of the vault. Blocks: for the derivation, and for a person where no password was left.

    A source of passwords is asked once; a person may try again, after a wait, until `TooManyAttempts`. Raises
    `CredentialError`, also where there is neither a source nor anybody to ask.
    """
    wanted = vault_key(config)
    wanted.look()
    if (key := _key_by_source(wanted, config, password_fd)) is not None:
        return key
    attempts = Attempts(SystemClock())
    while True:
        password = prompt(f"{_SECRETS_NAME} of {wanted.path}: ")
        try:
            return wanted.take(password)
        except WrongPassword as error:
            attempts.failed()
            _say(f"{error}; it can be tried again in {attempts.wait_s:.0f} s")
        finally:
            password.wipe()
        time.sleep(attempts.wait_s)


def locked_key_of_run(config: Config, password_fd: int | None = None) -> LockedVaultKey:
    """The key that a console hands to its engine. A password that was left somewhere is used here and now, so
    that nobody is asked. Raises `CredentialError`."""
    wanted = vault_key(config)
    wanted.look()
    return LockedVaultKey(wanted, config, key=_key_by_source(wanted, config, password_fd))


def _key_by_source(wanted: VaultKey, config: Config, password_fd: int | None) -> ApiKey | None:
    """The key, where a source has a password. Which one is told, the password never."""
    found = PasswordSources.of(config.credentials, os.environ, password_fd).read()
    if found is None:
        return None
    password, source = found
    _say(f"the master password comes from {source}")
    try:
        return wanted.take(password)
    finally:
        password.wipe()


def _say(sentence: str) -> None:
    sys.stderr.write(f"{visible_lines(sentence)}\n")
    sys.stderr.flush()


class LockedVaultKey:
    """A key in the vault and the person who is asked for the password. See `pinnacle_tui.key_handover`."""

    def __init__(
        self, wanted: VaultKey, config: Config, *, key: ApiKey | None = None, clock: Clock | None = None
    ) -> None:
        """`key` is what was taken out of the vault already, by a password that needed nobody to be asked."""
        self._wanted = wanted
        self._attempts = Attempts(clock or SystemClock())
        self.document = None if key is None else Secret(secret_document(key))
        kind = KIND_NAMES[wanted.api]
        self.vault = str(wanted.path)
        self.key = f"the key {wanted.name}" if wanted.name is not None else f"the key of {kind}"
        trading = "live trading" if config.engine.mode == "live" else "trading on paper"
        symbols = ", ".join(config.engine.symbols)
        self.purpose = f"{trading} of {symbols} at {config.network.endpoint or kind}"

    @property
    def wait_s(self) -> float:
        """See `LockedKey`."""
        return self._attempts.wait_s

    async def unlock(self, password: Secret) -> Secret:
        """See `LockedKey`."""
        try:
            key = await asyncio.to_thread(self._wanted.take, password)
        except WrongPassword:
            self._attempts.failed()
            raise
        return Secret(secret_document(key))
