"""A WebSocket server that sends one thing too big for its own good; run as a process, prints its port.

It speaks the protocol by hand: a library would refuse to send what it is made for.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import sys
import zlib
from collections.abc import Iterator

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MIB = 1 << 20
_LEVELS = 46_000


def frame(payload: bytes, first_byte: int) -> bytes:
    return bytes([first_byte, 127]) + len(payload).to_bytes(8, "big") + payload


def huge() -> Iterator[bytes]:
    yield bytes([0x81, 127]) + (64 * _MIB).to_bytes(8, "big")
    for _ in range(64):
        yield b" " * _MIB


def fragments() -> Iterator[bytes]:
    yield frame(b" " * _MIB, 0x01)
    for _ in range(63):
        yield frame(b" " * _MIB, 0x00)
    yield frame(b"", 0x80)


def bomb() -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(_MIB)) for _ in range(256)) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield frame(packed.removesuffix(b"\x00\x00\xff\xff"), 0xC1)


def snapshot() -> Iterator[bytes]:
    updates = [
        {
            "side": side,
            "event_time": "2026-08-09T21:05:48.100000Z",
            "price_level": f"{price / 100:.2f}",
            "new_quantity": "0.12345678",
        }
        for side, prices in (("bid", range(_LEVELS, 0, -1)), ("offer", range(_LEVELS + 1, _LEVELS + 1_000)))
        for price in prices
    ]
    event = {"type": "snapshot", "product_id": "BTC-USD", "updates": updates}
    envelope = {"channel": "l2_data", "timestamp": "2026-08-09T21:05:48.483587501Z", "sequence_num": 0}
    text = json.dumps({**envelope, "events": [event]}).encode()
    assert len(text) > 5_000_000
    yield frame(text, 0x81)


def serve(what: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 (how its starter learns it)
    while True:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65_536)
            key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
            assert key is not None
            accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC).digest())
            answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            if b"permessage-deflate" in request:
                answer += b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
            client.sendall(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
            for piece in globals()[what]():
                client.sendall(piece)
            while client.recv(65_536):
                pass


if __name__ == "__main__":
    serve(sys.argv[1])
