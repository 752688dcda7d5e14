"""The engine's end of the pipe by which a console hands over the key of a run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# What a run needs is loaded before the pipe is read: a person is typing meanwhile.
import engine.runtime.network  # noqa: F401
from engine.core.errors import CredentialError, UsageError
from engine.core.secret import wipe
from engine.exchange.coinbase.keys import ApiKey, parse_key_document
from engine.exchange.coinbase.network import ADVANCED

_MOST_BYTES: Final = 64 << 10
_NO_KEY: Final = "no key was given to the engine: it has ended, and nothing was sent"


def key_from_console(descriptor: int, exchange: str | None) -> ApiKey:
    """The key of `exchange.name` that comes down an inherited pipe, whole at its end. Blocks until then.

    Raises `CredentialError` when the pipe ends without one, or this process is told to end.
    """
    document, length = bytearray(_MOST_BYTES + 1), 0
    try:
        with open(descriptor, "rb", buffering=0) as pipe, memoryview(document) as view, _told_to_end():
            while count := pipe.readinto(view[length:]):
                length += count
        if not length:
            raise CredentialError(_NO_KEY)
        del document[length:]
        return parse_key_document(document, exchange or ADVANCED)
    except OSError as error:
        raise UsageError(
            f"--key-fd {descriptor}: {error.strerror}; it takes a pipe that was inherited. Nothing was sent"
        ) from None
    finally:
        wipe(document)


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Nothing has been sent yet: SIGTERM means the same as the end of the pipe."""

    def told(number: int, frame: object) -> None:
        raise CredentialError(_NO_KEY)

    before = signal.signal(signal.SIGTERM, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
