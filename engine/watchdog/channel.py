"""Messages over an inherited socket: four bytes of length, big end first, then msgpack.

Both ends are one program of one version, so a frame that makes no sense means the other end is broken.
"""

from __future__ import annotations

import socket
import struct
from typing import Final, Generic, TypeVar

import msgspec

from engine.core.errors import PinnacleError
from engine.watchdog.messages import ToEngine, ToWatchdog

In = TypeVar("In")
Out = TypeVar("Out", bound=msgspec.Struct)

_LENGTH: Final = struct.Struct(">I")
_MOST_BYTES: Final = 4 << 20
_CHUNK: Final = 65_536


class ChannelError(PinnacleError):
    """What came from the other process makes no sense; the connection is worth nothing any more."""


class Channel(Generic[Out, In]):
    """One end of the line between engine and watchdog. Nothing here ever blocks."""

    def __init__(self, end: socket.socket, decoder: msgspec.msgpack.Decoder[In]) -> None:
        """See `engine_end` and `watchdog_end`."""
        end.setblocking(False)
        self._socket = end
        self._decoder = decoder
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self.is_ended = False
        """True when the other end was closed, or is gone; what it said before has been read."""

    def fileno(self) -> int:
        """Of the socket, to wait on."""
        return self._socket.fileno()

    @property
    def is_stuck(self) -> bool:
        """True when the other end does not read: something is still to be sent."""
        return bool(self._outgoing)

    def send(self, message: Out) -> None:
        """Send now, or with the next `flush`."""
        body = msgspec.msgpack.encode(message)
        self._outgoing += _LENGTH.pack(len(body)) + body
        self.flush()

    def flush(self) -> None:
        """Send what could not be sent before."""
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            return
        except OSError:  # nobody is there any more: reading will say so, after what was said last
            self._outgoing.clear()

    def receive(self) -> list[In]:
        """Every message that has come. Raises `ChannelError`."""
        messages: list[In] = []
        while (message := self.receive_one()) is not None:
            messages.append(message)
        return messages

    def receive_one(self) -> In | None:
        """The next message, if one has come. Raises `ChannelError`."""
        self._read()
        if len(self._incoming) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._incoming)
        if length > _MOST_BYTES:
            raise ChannelError(f"a message of {length:,} bytes came from the other process")
        end = _LENGTH.size + length
        if len(self._incoming) < end:
            return None
        body = bytes(self._incoming[_LENGTH.size : end])
        del self._incoming[:end]
        try:
            return self._decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise ChannelError(f"a message of the other process makes no sense: {error}") from None

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _read(self) -> None:
        try:
            while data := self._socket.recv(_CHUNK):
                self._incoming += data
        except BlockingIOError:
            return
        except OSError:  # reset: the same as an end
            pass
        self.is_ended = True


def engine_end(end: socket.socket) -> Channel[ToWatchdog, ToEngine]:
    """The engine's end."""
    decoder: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)
    return Channel(end, decoder)


def watchdog_end(end: socket.socket) -> Channel[ToEngine, ToWatchdog]:
    """The watchdog's end."""
    decoder: msgspec.msgpack.Decoder[ToWatchdog] = msgspec.msgpack.Decoder(ToWatchdog)
    return Channel(end, decoder)
