"""A machine whose clock, resolver, network and file descriptors may fail a test's engine, in virtual time."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Any

from virtual_sockets import JumpingLoop

from engine.core.clock import ManualClock


class SteppedClock:
    """A clock whose wall reading may be set; intervals are those of the loop."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._offset_ns = 0

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return self._clock.monotonic_ns()

    def wall_ns(self) -> int:
        """See `Clock`."""
        return self._clock.wall_ns() + self._offset_ns

    def step(self, ns: int) -> None:
        """Somebody sets the wall clock."""
        self._offset_ns += ns

    def reset(self) -> None:
        """Somebody sets it right."""
        self._offset_ns = 0


class FaultLoop(JumpingLoop):
    """A loop whose machine may lose its resolver, its network or its file descriptors."""

    def __init__(self, clock: ManualClock) -> None:
        self.servers: set[int] = set()
        """Ports that are reached whatever is wrong with the network: those behind a proxy."""
        self.has_names = True
        self.has_network = True
        self.has_descriptors = True
        super().__init__(clock)

    async def getaddrinfo(self, host: Any, port: Any, **given: Any) -> Any:
        if not self.has_names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if address[1] not in self.servers:
            if not self.has_descriptors:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            if not self.has_network:
                await asyncio.Event().wait()
        await super().sock_connect(sock, address)
