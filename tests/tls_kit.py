"""A TLS server of the plainest kind, which refuses a handshake as servers do: with an alert."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_HANDSHAKE_WITHIN_S = 5.0


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """Shake hands with every client, then hang up. The port.

    A thread, as asyncio drops the connection of a failed handshake before the alert is sent.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):  # closing the listener ends it
            while True:
                client, _ = listener.accept()
                client.settimeout(_HANDSHAKE_WITHIN_S)
                with client, suppress(OSError), context.wrap_socket(client, server_side=True):
                    pass

    thread = threading.Thread(target=serve, name="tls server")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(_HANDSHAKE_WITHIN_S)
