"""Carries out what a fault makes of a frame, on a connection that aiohttp serves."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from engine.local_venue.faults.frames import Close, HalfClose, Pause, Reset, Step, Text, Wire

_NO_LINGER: Final = struct.pack("ii", 1, 0)


async def carry_out(
    steps: Iterable[Step], socket_: web.WebSocketResponse, transport: asyncio.Transport
) -> None:
    """Do the steps in order; what is due after the connection's end is left out."""
    for step in steps:
        if socket_.closed or transport.is_closing():
            return
        match step:
            case Text(text):
                await socket_.send_str(text)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Wire(pieces):
                await _write(pieces, transport)
            case Close(code):
                await socket_.close(code=code, message=b"a fault of the local venue")
            case Reset():
                reset(transport)
            case HalfClose():
                half_close(transport)


async def _write(pieces: Iterable[bytes], transport: asyncio.Transport) -> None:
    for piece in pieces:
        if transport.is_closing():  # the client has seen enough of it
            return
        transport.write(piece)
        await asyncio.sleep(0)


def reset(transport: asyncio.Transport) -> None:
    """End the TCP connection by RST: whatever is on its way is lost."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):  # it is gone already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def half_close(transport: asyncio.Transport) -> None:
    """Send FIN and go on reading: the peer sees an end of file."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_WR)
