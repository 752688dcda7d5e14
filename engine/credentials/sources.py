"""Where a master password comes from when nobody is asked, and the prompt where somebody is.

Never from an argument: those are in the list of processes. What was named by hand is asked first: whoever
names a descriptor on a terminal does not want to be asked.
"""

from __future__ import annotations

import errno
import getpass
import os
import shlex
import stat
import sys
import warnings
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.core.private_file import read_private
from engine.core.secret import Secret, wipe
from engine.credentials.settings import CredentialSettings

FILE_VARIABLE: Final = "PINNACLE_MASTER_PASSWORD_FILE"
PLAIN_VARIABLE: Final = "PINNACLE_MASTER_PASSWORD"
SYSTEMD_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
SYSTEMD_NAME: Final = "pinnacle-master"
SERVICE: Final = "pinnacle-tui"
"""By which the keyring knows the password."""
NOTHING_TO_UNLOCK_WITH: Final = (
    "the vault is locked and there is nobody to ask for its password: name a source of it, as "
    f"--password-fd N, {FILE_VARIABLE}=FILE (mode 0600), systemd's LoadCredential={SYSTEMD_NAME}:FILE, or "
    "credentials.keyring = true. Nothing was sent"
)
_MOST_BYTES: Final = 4_096
_WHAT: Final = "the password file"
_UNIT: Final = "use LoadCredential= in the unit of the service"
_LAST_STANDARD: Final = 2
"""Descriptors to this one are standard input, output and errors."""


@dataclass(frozen=True, slots=True)
class PasswordSources:
    """Everything that was set up to give the master password without a person."""

    environ: MutableMapping[str, str]
    descriptor: int | None
    """Of `--password-fd`."""
    keyring: Callable[[], Secret] | None
    """Asks the system's keyring; None where that is not wanted."""

    @classmethod
    def of(
        cls, settings: CredentialSettings, environ: MutableMapping[str, str], descriptor: int | None
    ) -> Self:
        """Those that these settings, this environment and this option leave open."""
        vault = str(settings.path)
        return cls(environ, descriptor, (lambda: read_keyring(vault)) if settings.keyring else None)

    def read(self) -> tuple[Secret, str] | None:
        """The password and the name of its source, which may be told; None where there is no source.

        The first source there is counts; where it fails, no other one is tried. Raises `CredentialError`. A
        password in the environment is taken out of it in any case: whatever is started later inherits that.
        """
        plain = self.environ.pop(PLAIN_VARIABLE, None)
        if self.descriptor is not None:
            return read_descriptor(self.descriptor), f"--password-fd {self.descriptor}"
        if named := self.environ.get(FILE_VARIABLE):
            return _read_file(Path(os.path.expanduser(named))), FILE_VARIABLE
        if folder := self.environ.get(SYSTEMD_VARIABLE):
            found = _read_systemd(Path(folder) / SYSTEMD_NAME)
            if found is not None:
                return found, f"systemd ({SYSTEMD_NAME})"
        if self.keyring is not None:
            return self.keyring(), "the system's keyring"
        if plain is not None:
            return _required(Secret(plain), PLAIN_VARIABLE), (
                f"{PLAIN_VARIABLE}. WARNING: other programs of yours can read it in the environment: "
                f"use {FILE_VARIABLE} instead"
            )
        return None


def prompt(question: str) -> Secret:
    """Ask the person at the terminal itself, wherever errors go, without showing what is typed.

    The question may name files, which strangers have named. Raises `CredentialError` where there is none:
    nothing is read from an input that is no terminal.
    """
    try:
        is_terminal = sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed
        is_terminal = False
    if not is_terminal:
        raise CredentialError(NOTHING_TO_UNLOCK_WITH)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
            return _required(Secret(getpass.getpass(visible(question))), "what was typed")
    except EOFError:
        raise CredentialError("no password was typed: nothing was opened") from None
    except UnicodeDecodeError:
        raise CredentialError(
            "what was typed is no text in the terminal's encoding: nothing was opened; set a UTF-8 locale, "
            "as LANG=C.UTF-8"
        ) from None
    except getpass.GetPassWarning:
        raise CredentialError(
            f"this terminal would show the password: nothing was asked; leave it in {FILE_VARIABLE}=FILE "
            "(mode 0600)"
        ) from None


def read_descriptor(descriptor: int) -> Secret:
    """What an inherited descriptor gives to its end, without the newline at the end; it is closed then.

    Standard input is empty afterwards. Raises `CredentialError`.
    """
    option = f"--password-fd {descriptor}"
    if 0 < descriptor <= _LAST_STANDARD:
        raise CredentialError(f"{option} is where this program writes: give another number, as 3 with 3<FILE")
    try:
        if os.isatty(descriptor):
            raise CredentialError(
                f"{option} is a terminal, which would show what is typed: leave the option out and type at "
                "the prompt, or give a pipe or a file"
            )
        os.set_blocking(descriptor, True)  # else what is not written yet would count as the end
        try:
            data = _read_all(descriptor)
        finally:
            _close(descriptor)
    except (OSError, OverflowError) as error:
        reason = os.strerror(getattr(error, "errno", None) or errno.EBADF)
        raise CredentialError(
            f"{option} cannot be read: {reason}; it takes the number of an open file"
        ) from None
    return _one_line(data, option)


def _read_all(descriptor: int) -> bytearray:
    """All there is; one byte more than allowed where there is more. Nothing of it stays elsewhere."""
    room = bytearray(_MOST_BYTES + 1)
    length = 0
    try:
        with memoryview(room) as view:
            while length < len(room) and (count := os.readv(descriptor, [view[length:]])):
                length += count
            return bytearray(view[:length])
    finally:
        wipe(room)


def _close(descriptor: int) -> None:
    """Close it. Standard input becomes empty instead: its number must not go to the next file."""
    if descriptor > _LAST_STANDARD:
        os.close(descriptor)
        return
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def read_keyring(vault: str) -> Secret:
    """The password that the system's keyring keeps for a vault. Raises `CredentialError`."""
    try:
        import keyring
    except ImportError:
        raise CredentialError(
            "credentials.keyring is on and the package is not here: pip install 'pinnacle-tui[keyring]', or "
            "switch it off"
        ) from None
    try:
        found = keyring.get_password(SERVICE, vault)
    except Exception as error:  # what is behind it is made by others, and raises what it likes
        raise CredentialError(
            f"the system's keyring does not answer ({type(error).__name__}): unlock it, or switch "
            "credentials.keyring off"
        ) from None
    if found is None:
        raise CredentialError(
            "the system's keyring has no password for this vault: store it with keyring set "
            f"{SERVICE} {shlex.quote(visible(vault))}, or switch credentials.keyring off"
        )
    return _required(Secret(found), "the keyring's entry")


def _read_file(path: Path) -> Secret:
    return _one_line(read_private(path, _WHAT, _MOST_BYTES), f"{_WHAT} that {FILE_VARIABLE} names")


def _read_systemd(path: Path) -> Secret | None:
    """What systemd left for this service; None where it left something else there, or nothing.

    The file belongs to us or to root, and others cannot read it. Its group may seem to: where systemd gives a
    service's user leave by an access list, the list's mask stands in the place of the group's mode.
    """
    named = f"systemd's credential {SYSTEMD_NAME}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CredentialError(f"{named} cannot be read: {error.strerror}; {_UNIT}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
            raise CredentialError(f"{named} is no file of this service; {_UNIT}")
        if status.st_mode & (stat.S_IWGRP | stat.S_IRWXO):
            mode = stat.S_IMODE(status.st_mode)
            raise CredentialError(f"{named} is open to others (mode {mode:04o}); {_UNIT}")
        data = _read_all(descriptor)
    finally:
        os.close(descriptor)
    return _one_line(data, named)


def _one_line(data: bytearray, source: str) -> Secret:
    if len(data) > _MOST_BYTES:
        wipe(data)
        raise CredentialError(f"{source} holds more than a password may have; nothing was opened")
    if data.endswith(b"\n"):
        del data[-1:]
        if data.endswith(b"\r"):
            del data[-1:]
    return _required(Secret(data), source)


def _required(password: Secret, source: str) -> Secret:
    if not password:
        raise CredentialError(f"the master password is empty ({source}); nothing was opened")
    return password
