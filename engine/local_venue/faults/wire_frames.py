"""WebSocket frames as bytes, for what no library will send: RFC 6455 §5.2, a server's frames, unmasked."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

TEXT: Final = 0x1
BINARY: Final = 0x2
_CONTINUED: Final = 0x0
_FINAL: Final = 0x80
_COMPRESSED: Final = 0x40
_MIB: Final = 1 << 20


def frame(payload: bytes, opcode: int = TEXT, *, is_final: bool = True, is_compressed: bool = False) -> bytes:
    """One frame."""
    first = opcode | (_FINAL if is_final else 0) | (_COMPRESSED if is_compressed else 0)
    return _head(first, len(payload)) + payload


def fragments(mib: int) -> Iterator[bytes]:
    """A text message of so many MiB, one frame a MiB."""
    piece = b" " * _MIB
    for number in range(mib):
        yield frame(piece, TEXT if number == 0 else _CONTINUED, is_final=number == mib - 1)


def bomb(mib: int) -> bytes:
    """A compressed frame that is a thousandth of what it inflates to."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = b" " * _MIB
    parts = [deflate.compress(piece) for _ in range(mib)]
    # permessage-deflate leaves out the empty block that a sync flush ends with.
    parts.append(deflate.flush(zlib.Z_SYNC_FLUSH).removesuffix(b"\x00\x00\xff\xff"))
    return frame(b"".join(parts), is_compressed=True)


def huge(mib: int) -> Iterator[bytes]:
    """One text frame of so many MiB, in pieces."""
    yield _head(TEXT | _FINAL, mib * _MIB)
    piece = b" " * _MIB
    for _ in range(mib):
        yield piece


def _head(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)
