"""Frames: four bytes of length, big end first, then one message as msgpack.

What comes in was written by another process and is trusted in nothing: lengths are checked before a
byte of the body is kept, keys and kinds that are not known are left out, bodies that make no sense are
counted until there are too many.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, Generic, TypeVar, get_args

import msgspec

from engine.link.errors import LinkError
from engine.link.messages import MOST_TO_CONSOLE, MOST_TO_ENGINE, ToConsole, ToEngine

M = TypeVar("M")

MOST_GARBAGE: Final = 1_000
"""Senseless frames that cost a client its connection."""
_LENGTH: Final = struct.Struct(">I")
_ENCODER: Final = msgspec.msgpack.Encoder()


class _Tagged(msgspec.Struct):
    """What every message has, whatever else is in it."""

    kind: str


_TAGGED: Final = msgspec.msgpack.Decoder(_Tagged)


def to_console(message: ToConsole) -> bytes:
    """The frame of a message of the engine; a `LinkError` where it is larger than a console takes."""
    return _frame(message, MOST_TO_CONSOLE)


def to_engine(message: ToEngine) -> bytes:
    """The frame of a message of a client; a `LinkError` where it is larger than an engine takes."""
    return _frame(message, MOST_TO_ENGINE)


def _frame(message: msgspec.Struct, most: int) -> bytes:
    body = _ENCODER.encode(message)
    if len(body) > most:
        name = type(message).__name__
        raise LinkError(
            f"a {name} of {len(body):,} bytes is too large for the link ({most:,}); it was not sent"
        )
    return _LENGTH.pack(len(body)) + body


class FrameDecoder(Generic[M]):
    """Makes messages of bytes, however they were cut. It holds one frame at most."""

    def __init__(
        self, decoder: msgspec.msgpack.Decoder[M], kinds: frozenset[str], most: int, garbage: int
    ) -> None:
        """`kinds` are the tags that `decoder` knows; see `of_engine` and `of_client`."""
        self.unknown = 0
        """Frames of a kind that is not known here; left out."""
        self.garbage = 0
        """Frames that could not be understood; left out."""
        self._decoder = decoder
        self._kinds = kinds
        self._most = most
        self._most_garbage = garbage
        self._buffer = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[M]:
        """Take bytes; the messages that they complete, to be read to the end.

        The iterator raises a `LinkError` at a frame that is too large and at one senseless frame too
        many. The connection is lost then: where the next frame begins cannot be told.
        """
        self._buffer += data
        return self._messages()

    def _messages(self) -> Iterator[M]:
        buffer = self._buffer
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > self._most:
                raise LinkError(f"a frame of {length:,} bytes came, at most {self._most:,} are taken")
            end = _LENGTH.size + length
            if len(buffer) < end:
                return
            body = bytes(buffer[_LENGTH.size : end])
            del buffer[:end]
            message = self._decode(body)
            if message is not None:
                yield message

    def _decode(self, body: bytes) -> M | None:
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            if self._is_of_unknown_kind(body):
                self.unknown += 1
                return None
            self.garbage += 1
            if self.garbage >= self._most_garbage:
                raise LinkError(
                    f"what came makes no sense ({self.garbage:,} frames, the last: {error})"
                ) from error
            return None

    def _is_of_unknown_kind(self, body: bytes) -> bool:
        try:
            return _TAGGED.decode(body).kind not in self._kinds
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False


def of_engine() -> FrameDecoder[ToConsole]:
    """Reads an engine. One frame that cannot be understood is enough: what a screen shows must be true."""
    decoder: msgspec.msgpack.Decoder[ToConsole] = msgspec.msgpack.Decoder(ToConsole)
    return FrameDecoder(decoder, _kinds(ToConsole), MOST_TO_CONSOLE, 1)


def of_client() -> FrameDecoder[ToEngine]:
    """Reads a client."""
    decoder: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)
    return FrameDecoder(decoder, _kinds(ToEngine), MOST_TO_ENGINE, MOST_GARBAGE)


def _kinds(union: object) -> frozenset[str]:
    return frozenset(str(member.__struct_config__.tag) for member in get_args(union))
