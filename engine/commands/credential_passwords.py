"""Where the commands take passwords from: what was named for it, else a person at the terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Final

from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import CredentialDesk, VaultState, WrongPassword
from engine.credentials.settings import CredentialSettings
from engine.credentials.sources import PasswordSources, prompt, read_descriptor

_MASTER: Final = "Master password"


@dataclass(frozen=True, slots=True)
class Passwords:
    """The ways to a password. None is ever an argument, and none is printed."""

    sources: PasswordSources
    """Of the master password as it is."""
    say: Callable[[str], None]
    """Tells whoever is at the terminal what happens; not for answers."""
    new_descriptor: int | None = None
    """The file that a new master password is read from."""
    ask: Callable[[str], Secret] = prompt
    """Asks a person, without showing what is typed. Raises `CredentialError` where nobody can be asked."""
    sleep: Callable[[float], None] = time.sleep

    def unlock(self, desk: CredentialDesk) -> None:
        """Open the vault. A person who mistypes is asked again; a source that was named is read once."""
        require_vault(desk)
        found = self.sources.read()
        if found is not None:
            password, source = found
            self.say(f"the master password comes from {source}")
            try:
                asyncio.run(desk.unlock(password))
            finally:
                password.wipe()
            return
        while not self._is_unlocked_by_a_person(desk):
            pass

    def _is_unlocked_by_a_person(self, desk: CredentialDesk) -> bool:
        password = self.ask(f"{_MASTER}: ")
        try:
            asyncio.run(desk.unlock(password))
        except WrongPassword as error:
            self.say(f"{error}; it can be tried again in {desk.wait_s:.0f} s")
            self.sleep(desk.wait_s)
            return False
        finally:
            password.wipe()
        return True

    def first(self) -> Secret:
        """The master password of a vault that is yet to be made."""
        if self.new_descriptor is None and (found := self.sources.read()) is not None:
            password, source = found
            self.say(f"the master password of the new vault comes from {source}")
            return password
        return self.new()

    def new(self) -> Secret:
        """Another master password: read from its own file, or typed twice."""
        if self.new_descriptor is not None:
            return read_descriptor(self.new_descriptor)
        password = self.ask(f"New {_MASTER.lower()}: ")
        again = self.ask("Once more: ")
        try:
            if password != again:
                password.wipe()
                raise CredentialError("the two are not the same; nothing was changed")
        finally:
            again.wipe()
        return password


def require_vault(desk: CredentialDesk) -> None:
    """Raise `CredentialError` where there is no vault that could be opened."""
    state = desk.state
    if state is VaultState.ABSENT:
        raise CredentialError(f"there is no vault at {desk.path} yet: `pinnacle-tui credentials` makes one")
    if state is VaultState.REFUSED:
        raise CredentialError(desk.trouble)


def passwords_of(
    settings: CredentialSettings,
    environ: MutableMapping[str, str],
    descriptor: int | None,
    new_descriptor: int | None,
    say: Callable[[str], None],
) -> Passwords:
    """The ways to a password that these settings, this environment and these options leave open."""
    return Passwords(PasswordSources.of(settings, environ, descriptor), say, new_descriptor)
