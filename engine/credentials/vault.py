"""A vault in the hands of this program: opened with its password, changed, and sealed again.

Every method that touches the file derives keys (0.2 to 0.8 s each time) and belongs into a thread, one at a
time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from engine.core.errors import CredentialError
from engine.core.foreign_text import harmless, visible
from engine.core.private_file import PrivateFileMissing, PrivateFileReplaced
from engine.core.secret import Secret, wipe
from engine.credentials.entries import Entry, decode_entries, encode_entries, require_name
from engine.credentials.log_filter import never_show
from engine.credentials.vault_file import read_vault, saving, write_vault
from engine.credentials.vault_format import (
    DEFAULT_ITERATIONS,
    FLOOR,
    VaultTampered,
    iterations_of,
    open_sealed,
    seal,
)

_SHOWN: Final = 64
"""Characters of a name that messages show."""


class Vault:
    """Keys by name, and the file that keeps them. `create` or `open` it, and `lock` it in the end."""

    def __init__(
        self,
        path: Path,
        password: Secret,
        entries: Mapping[str, Entry],
        found: bytes | None,
        iterations: int,
        floor: int,
    ) -> None:
        """`found` is the digest of the file that was opened, None where there was none."""
        self.path = path
        self._password = Secret(password)
        never_show(self._password)
        self._entries = dict(entries)
        self._saved = dict(entries)
        self._found = found
        self._iterations = iterations
        self._floor = floor
        self._is_locked = False

    @classmethod
    def create(
        cls, path: Path, password: Secret, *, iterations: int = DEFAULT_ITERATIONS, floor: int = FLOOR
    ) -> Vault:
        """A vault without keys. The first `save` makes its file, and never replaces another one."""
        return cls(path, password, {}, None, iterations, floor)

    @classmethod
    def open(
        cls, path: Path, password: Secret, *, iterations: int = DEFAULT_ITERATIONS, floor: int = FLOOR
    ) -> Vault:
        """The vault in a file; a save raises its iterations to `iterations` where it has fewer.

        Raises `PrivateFileError`, `VaultFormatError`, `WrongPassword` or `VaultTampered`.
        """
        sealed = read_vault(path)
        plaintext = open_sealed(sealed, password, floor=floor)
        try:
            entries = decode_entries(plaintext)
        finally:
            wipe(plaintext)
        return cls(path, password, entries, _digest(sealed), max(iterations, iterations_of(sealed)), floor)

    # -- keys --------------------------------------------------------------------------------------

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The keys by name, in alphabetical order."""
        self._require_open()
        return MappingProxyType(dict(sorted(self._entries.items())))

    def entry(self, name: str) -> Entry:
        """One of them. Raises `CredentialError` where there is none of this name."""
        self._require_open()
        try:
            return self._entries[name]
        except KeyError:
            names = ", ".join(sorted(self._entries)) or "none"
            raise CredentialError(
                f"the vault has no key called {harmless(name, _SHOWN)!r}; it has: {names}"
            ) from None

    def put(self, name: str, entry: Entry) -> None:
        """Add a key, or replace the one of this name; `save` keeps it. Raises `CredentialError`."""
        self._require_open()
        self._entries[require_name(name)] = entry

    def remove(self, name: str) -> None:
        """Take a key out; `save` makes it so. Raises `CredentialError` where there is none of this name."""
        self.entry(name)
        del self._entries[name]

    # -- the file ----------------------------------------------------------------------------------

    def save(self) -> None:
        """Seal the keys anew and replace the file, once it was read back and opened with the password.

        Raises `CredentialError`, also when the file is not the one that was opened. Then it is as it was, and
        so are the keys here: what was put or removed since the last save is taken back. It is only otherwise
        after `PrivateFileReplaced`: the new file is in place, and something else needs a person.
        """
        self._require_open()
        self._write(self._password, keep_old=True)

    def change_password(self, new: Secret) -> None:
        """The same with another password. Copies that the old one opens are overwritten as best effort; file
        systems and backups may keep others."""
        self._require_open()
        password = Secret(new)
        never_show(password)
        try:
            self._write(password, keep_old=False)
        finally:
            if self._password is not password:
                password.wipe()

    def lock(self) -> None:
        """Forget the password and the keys, and whatever was not saved. Harmless where it is locked."""
        self._is_locked = True
        self._password.wipe()
        for entry in (*self._entries.values(), *self._saved.values()):
            entry.wipe()
        self._entries.clear()
        self._saved.clear()

    def _write(self, password: Secret, *, keep_old: bool) -> None:
        plaintext, is_replaced = bytearray(), False

        def verify(read_back: bytearray) -> None:
            opened = open_sealed(read_back, password, floor=self._floor)
            try:
                if not hmac.compare_digest(opened, plaintext):
                    raise VaultTampered(
                        "the disk gives back another vault than was written; look after the disk"
                    )
            finally:
                wipe(opened)

        try:
            plaintext = encode_entries(self._entries)
            sealed = seal(plaintext, password, self._iterations)
            with saving(self.path):
                self._require_unchanged()
                write_vault(self.path, sealed, verify, keep_old=keep_old)
            is_replaced = True
        except PrivateFileReplaced:
            is_replaced = True
            raise
        finally:
            wipe(plaintext)
            if is_replaced:
                self._settle(_digest(sealed), password)
            else:
                _wipe_all_but(self._saved, self._entries)
                self._entries = dict(self._saved)

    def _settle(self, found: bytes, password: Secret) -> None:
        """The file is now what is here; what it no longer holds is forgotten."""
        self._found = found
        if password is not self._password:
            self._password.wipe()
            self._password = password
        _wipe_all_but(self._entries, self._saved)
        self._saved = dict(self._entries)

    def _require_unchanged(self) -> None:
        """Nothing that somebody else saved meanwhile is overwritten."""
        try:
            found = _digest(read_vault(self.path))
        except PrivateFileMissing:
            found = None
        if found == self._found:
            return
        if self._found is None:
            happened = "somebody else made one there meanwhile: open that one"
        elif found is None:
            happened = "its file is gone: put back a copy, or make a new vault"
        else:
            happened = "another program changed it since it was opened: lock it, open it again"
        raise CredentialError(f"the vault {visible(str(self.path))} is not saved, {happened}")

    def _require_open(self) -> None:
        if self._is_locked:
            raise CredentialError("the vault is locked: open it with its master password")


def _wipe_all_but(kept: Mapping[str, Entry], entries: Mapping[str, Entry]) -> None:
    """Wipe those of `entries` that are not among `kept`."""
    ids = set(map(id, kept.values()))
    for entry in entries.values():
        if id(entry) not in ids:
            entry.wipe()


def _digest(sealed: bytes | bytearray) -> bytes:
    """Tells one state of a file from another: no two saves have the same salt."""
    return hashlib.sha256(sealed).digest()
