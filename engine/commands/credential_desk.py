"""The desk behind the wizard and the commands: one vault, and the venue at which its keys are checked."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import shlex
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

from engine.commands import pasted_keys
from engine.commands.key_check import check_key, fitness
from engine.config import Config
from engine.core.clock import Clock
from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.core.private_file import BACKUP, PrivateFileMissing
from engine.core.secret import Secret
from engine.credentials.attempts import Attempts
from engine.credentials.desk import Draft, Finding, Fitness, KeySummary, Strength, VaultState, WrongPassword
from engine.credentials.entries import Entry, require_name
from engine.credentials.idle_lock import IdleLock
from engine.credentials.passwords import judge
from engine.credentials.vault import Vault
from engine.credentials.vault_file import read_vault
from engine.credentials.vault_format import DEFAULT_ITERATIONS, FLOOR, require_vault
from engine.exchange.coinbase.keys import ApiKey
from engine.exchange.coinbase.network import NetworkSettings
from engine.watchdog.uptime import Uptime


class Desk:
    """See `CredentialDesk`. What takes long runs in a thread, one deed after the other."""

    def __init__(
        self,
        path: Path,
        network: NetworkSettings,
        *,
        lock_after_s: float,
        clock: Clock,
        iterations: int = DEFAULT_ITERATIONS,
        floor: int = FLOOR,
    ) -> None:
        """`iterations` seal a vault."""
        self.path = path
        self.venue = network.endpoint or "Coinbase"
        self.lock_after_s = lock_after_s
        self._network = network
        self._clock = clock
        self._iterations = iterations
        self.floor = floor
        """The fewest iterations of a vault that is opened."""
        self._vault: Vault | None = None
        self._keys: tuple[KeySummary, ...] = ()
        """Those of the open vault, as they were after the last deed."""
        self._attempts = Attempts(clock)
        self._idle = IdleLock(clock, lock_after_s)
        self._turn = asyncio.Lock()
        self._shall_lock = False
        self._refused: set[bytes] = set()
        """Fingerprints of the keys whose last check said that they must not be saved."""

    # -- what there is -----------------------------------------------------------------------------

    @property
    def state(self) -> VaultState:
        """See `CredentialDesk`."""
        return self._look()[0]

    @property
    def trouble(self) -> str:
        """See `CredentialDesk`."""
        return self._look()[1]

    def _look(self) -> tuple[VaultState, str]:
        if self._open_vault() is not None:
            return VaultState.OPEN, ""
        try:
            sealed = read_vault(self.path)
            require_vault(sealed, floor=self.floor)
        except PrivateFileMissing:
            backup = self.path.with_name(self.path.name + BACKUP)
            if not os.path.lexists(backup):
                return VaultState.ABSENT, ""
            return VaultState.REFUSED, (
                f"the vault {visible(str(self.path))} is gone, and its state before the last save is beside "
                f"it: put that back, mv {_quoted(backup)} {_quoted(self.path)}, or move it away to begin anew"
            )
        except CredentialError as error:
            return VaultState.REFUSED, str(error)
        return VaultState.LOCKED, ""

    @property
    def wait_s(self) -> float:
        """See `CredentialDesk`."""
        return self._attempts.wait_s

    def keys(self) -> tuple[KeySummary, ...]:
        """See `CredentialDesk`; empty while the vault is not open."""
        return () if self._open_vault() is None else self._keys

    # -- opening and locking -----------------------------------------------------------------------

    async def unlock(self, password: Secret) -> None:
        """See `CredentialDesk`."""
        if self.wait_s > 0:
            raise CredentialError(f"the next password can be tried in {math.ceil(self.wait_s)} s")

        def opened() -> None:
            before, self._vault = self._vault, None
            if before is not None:
                before.lock()
            self._vault = Vault.open(self.path, password, iterations=self._iterations, floor=self.floor)

        try:
            await self._off_the_loop(opened)
        except WrongPassword:
            self._attempts.failed()
            raise
        self._attempts.succeeded()

    def lock(self) -> None:
        """See `CredentialDesk`. A deed that is under way is finished first."""
        self._shall_lock = self._turn.locked()
        if self._shall_lock:
            return
        vault, self._vault, self._keys = self._vault, None, ()
        if vault is not None:
            vault.lock()

    def touch(self) -> None:
        """See `CredentialDesk`."""
        self._idle.touch()

    def _open_vault(self) -> Vault | None:
        """The vault, where it is open and its time is not over."""
        if self._vault is not None and not self._turn.locked() and self._idle.is_due():
            self.lock()
        return self._vault

    def _required_vault(self) -> Vault:
        vault = self._open_vault()
        if vault is None:
            raise CredentialError(
                "the vault is locked, nothing was changed: open it with its master password"
            )
        return vault

    async def _off_the_loop(self, deed: Callable[[], None]) -> None:
        """Do `deed` in a thread. Whoever stops waiting for it still lets it end: nothing is half saved."""

        def whole() -> None:
            deed()
            if self._vault is not None:
                self._keys = tuple(_summary(*each) for each in self._vault.entries.items())

        try:
            async with self._turn:
                task = asyncio.create_task(asyncio.to_thread(whole), name="credential desk")
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError:
                    await asyncio.gather(task, return_exceptions=True)
                    raise
        finally:
            self.touch()
            if self._shall_lock:
                self.lock()

    # -- keys that are not saved yet ---------------------------------------------------------------

    def read_parts(self, kind: str, parts: Mapping[str, Secret]) -> Draft:
        """See `CredentialDesk`."""
        return pasted_keys.draft_of(pasted_keys.key_of_parts(kind, parts), self._names())

    def read_file(self, kind: str, path: Path) -> Draft:
        """See `CredentialDesk`."""
        return pasted_keys.draft_of(pasted_keys.key_of_file(kind, path), self._names())

    def draft(self, name: str) -> Draft:
        """A key of the open vault, as it may be checked again. Raises `CredentialError`."""
        return pasted_keys.draft_of(_key(self._required_vault().entry(name)))

    async def check(self, draft: Draft) -> AsyncGenerator[Finding, None]:
        """See `CredentialDesk`."""
        found: list[Finding] = []
        asked = check_key(pasted_keys.key_of_draft(draft), self._network, self._clock)
        async with aclosing(asked):
            async for finding in asked:
                self.touch()
                found.append(finding)
                yield finding
        if fitness(found) is Fitness.REFUSED:
            self._refused.add(_fingerprint(draft))
        else:
            self._refused.discard(_fingerprint(draft))

    def fitness(self, findings: tuple[Finding, ...]) -> Fitness:
        """See `CredentialDesk`."""
        return fitness(findings)

    # -- what changes the vault --------------------------------------------------------------------

    async def strength(self, password: Secret) -> Strength:
        """See `CredentialDesk`."""
        return await asyncio.to_thread(judge, password)

    async def require_strong(self, password: Secret) -> None:
        """Raise `CredentialError` for a master password that no vault is sealed with."""
        strength = await self.strength(password)
        if not strength.is_enough:
            raise CredentialError(f"the master password is too weak: {strength.words}")

    async def save(self, name: str, draft: Draft, password: Secret | None = None) -> None:
        """See `CredentialDesk`."""
        require_name(name)
        # Whoever gave it may wipe it while it is being sealed.
        draft = draft._replace(document=Secret(draft.document))
        password = None if password is None else Secret(password)
        try:
            await self._save(name, draft, password)
        finally:
            draft.document.wipe()
            if password is not None:
                password.wipe()

    async def _save(self, name: str, draft: Draft, password: Secret | None) -> None:
        if _fingerprint(draft) in self._refused:
            raise CredentialError(
                "the last check refused this key, so it is not saved: make another one that may view and "
                "trade, and nothing else"
            )
        state, trouble = self._look()
        if state is VaultState.REFUSED:
            raise CredentialError(trouble)
        if state is VaultState.ABSENT:
            await self._save_first(name, draft, password)
            return
        if name in self._required_vault().entries:
            raise CredentialError(f"the vault has a key named {name} already; give this one another name")

        def saved() -> None:
            vault = self._required_vault()
            vault.put(name, _entry(draft))
            vault.save()

        await self._off_the_loop(saved)

    async def _save_first(self, name: str, draft: Draft, password: Secret | None) -> None:
        if password is None:
            raise CredentialError("there is no vault yet: it needs a master password")
        await self.require_strong(password)

        def saved() -> None:
            vault = Vault.create(self.path, password, iterations=self._iterations, floor=self.floor)
            try:
                vault.put(name, _entry(draft))
                vault.save()
            except BaseException:
                vault.lock()
                raise
            self._vault = vault

        await self._off_the_loop(saved)

    async def remove(self, name: str) -> None:
        """See `CredentialDesk`."""
        vault = self._required_vault()

        def removed() -> None:
            vault.remove(name)
            vault.save()

        await self._off_the_loop(removed)

    async def change_password(self, new: Secret) -> None:
        """See `CredentialDesk`."""
        await self.require_strong(new)
        vault = self._required_vault()
        await self._off_the_loop(lambda: vault.change_password(new))

    def _names(self) -> tuple[str, ...]:
        return tuple(key.name for key in self.keys())


def desk_of(config: Config, clock: Clock | None = None) -> Desk:
    """The desk of these settings."""
    credentials = config.credentials
    return Desk(
        # A laptop that wakes has left its vault alone while it slept.
        credentials.path,
        config.network,
        lock_after_s=credentials.lock_after_s,
        clock=clock or Uptime(),
    )


def _entry(draft: Draft) -> Entry:
    return Entry(draft.kind, pasted_keys.fields_of_draft(draft))


def _key(entry: Entry) -> ApiKey:
    return pasted_keys.key_of_parts(entry.kind, entry.fields)


def _summary(name: str, entry: Entry) -> KeySummary:
    try:
        key = _key(entry)
    except CredentialError:
        # Another program may have put it there: the others are to be seen all the same.
        return KeySummary(name, entry.kind, "", "unreadable")
    return KeySummary(name, entry.kind, pasted_keys.tail_of(key), key.algorithm)


def _quoted(path: Path) -> str:
    return shlex.quote(visible(str(path)))


def _fingerprint(draft: Draft) -> bytes:
    return hashlib.sha256(draft.document.reveal()).digest()
