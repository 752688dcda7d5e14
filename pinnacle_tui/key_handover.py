"""The key of a run on its way from the vault to the engine, which waits for it at the end of a pipe."""

from __future__ import annotations

import os
from typing import Final, Protocol

from engine.core.secret import Secret

_OPTION: Final = "--key-fd"


class LockedKey(Protocol):
    """A key in a vault, and what a person is told who is asked for the password. See `engine.commands`."""

    vault: str
    """The vault's file."""
    key: str
    """Which key is taken out of it, for people."""
    purpose: str
    """What begins once it is open, for people."""

    @property
    def wait_s(self) -> float:
        """How long nothing can be tried after a wrong password; 0 when it can."""
        ...

    @property
    def document(self) -> Secret | None:
        """The key, where the password was found without asking anybody."""
        ...

    async def unlock(self, password: Secret) -> Secret:
        """The key as a document. The derivation runs off the loop.

        Raises `WrongPassword`, after the fifth one `TooManyAttempts`, and `CredentialError`.
        """
        ...


class KeyHandover:
    """Gives an engine one key, or none: once, whatever becomes of the screen meanwhile.

    The engine's end of the pipe is inherited by it alone. While ours is open it waits; it is closed by the
    key, by leaving, and by the end of this process, however that comes.
    """

    def __init__(self, locked: LockedKey) -> None:
        self.locked = locked
        self.ending = ""
        """Why no key was given, where something else than a person's wish was the reason."""
        self.is_refused = False
        """True once it is decided that there will be no key: the engine ends by itself, without a trace."""
        self._theirs, ours = os.pipe()
        self._ours: int | None = ours

    @property
    def inherits(self) -> int:
        """The descriptor that the engine inherits."""
        return self._theirs

    @property
    def options(self) -> tuple[str, str]:
        """By which the engine is told of it."""
        return _OPTION, str(self._theirs)

    @property
    def is_pending(self) -> bool:
        """True until a key was given or refused."""
        return self._ours is not None

    def engine_started(self) -> None:
        """The engine has its end of the pipe: it is not ours any more. A password that was found is used."""
        os.close(self._theirs)
        if self.locked.document is not None:
            self._give(self.locked.document)

    async def unlock(self, password: Secret) -> None:
        """Open the vault and hand the key over; see `LockedKey.unlock` for what it raises."""
        self._give(await self.locked.unlock(password))

    def refuse(self, ending: str = "") -> bool:
        """There will be no key: the engine ends, and nothing was sent. False when that was decided before."""
        if self._ours is None:
            return False
        self.ending, self.is_refused = ending, True
        os.close(self._ours)
        self._ours = None
        return True

    def _give(self, document: Secret) -> None:
        try:
            if self._ours is not None:  # a person may have left while the vault was being opened
                with open(self._ours, "wb", buffering=0) as pipe:
                    self._ours = None
                    pipe.write(document.reveal())  # less than a pipe holds: it does not block
        except BrokenPipeError:
            return  # the engine has ended, which is told by its exit code
        finally:
            document.wipe()
