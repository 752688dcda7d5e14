"""`doctor`: whether each address of the venue is reached, step by step, and at which step that ends."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from engine.commands.doctor_check import EXIT_VENUE, Check, Verdict
from engine.core.clock import Clock
from engine.exchange.coinbase.feed.refusals import Ending, ending_of
from engine.exchange.coinbase.network import Endpoints

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host, as texts. Raises `socket.gaierror`."""
_PORTS: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_QUIET: Final = logging.Logger("quiet", logging.CRITICAL + 1)
_ADVICE: Final = {
    "DNS": "look at this machine's network and its resolver (resolvectl status), and at network.endpoint",
    "REFUSED": "look at network.endpoint; a local venue must be running, a firewall must let it through",
    "TIMEOUT": "a firewall or a proxy may swallow it; try from another network",
    "NETWORK": "look at this machine's network (ip route)",
    "TLS": "for a venue of your own name its certificate with --ca-file; otherwise do not trade from here",
    "DESCRIPTORS": "raise the limit of open files (ulimit -n 4096)",
}
_OTHER_ADVICE: Final = "look at https://status.coinbase.com, then try again"


class Target(NamedTuple):
    """An address of the venue and what it is for."""

    name: str
    address: str

    @property
    def is_socket(self) -> bool:
        """True for an address that speaks WebSocket."""
        return urlsplit(self.address).scheme in ("ws", "wss")

    @property
    def is_secure(self) -> bool:
        """True where TLS is spoken."""
        return urlsplit(self.address).scheme in ("https", "wss")

    @property
    def host(self) -> str:
        """The name that is resolved, and that the certificate must carry."""
        return urlsplit(self.address).hostname or ""

    @property
    def port(self) -> int:
        """As written, or that of the scheme."""
        parts = urlsplit(self.address)
        return parts.port or _PORTS[parts.scheme]


def targets(endpoints: Endpoints) -> list[Target]:
    """Every address, once each."""
    found = [Target("REST", endpoints.rest), Target("market data", endpoints.market)]
    if endpoints.user != endpoints.market:
        found.append(Target("own orders", endpoints.user))
    return found


async def resolve(host: str, port: int) -> list[str]:
    """See `Resolve`; asks the system."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def check_target(
    target: Target, tls: ssl.SSLContext, clock: Clock, *, resolve: Resolve = resolve, within_s: float = 5.0
) -> Check:
    """DNS, TCP, TLS, and for a WebSocket its opening; `within_s` for each."""
    trip = _Trip(target, tls, clock, resolve, within_s)
    try:
        await trip.go()
    except Exception as error:
        return _failed(trip, ending_of(error, target.address))
    return Check("network", target.name, Verdict.OK, f"{target.address}: {', '.join(trip.told)}")


def _failed(trip: _Trip, ending: Ending) -> Check:
    so_far = f" ({', '.join(trip.told)} before that)" if trip.told else ""
    return Check(
        "network",
        trip.target.name,
        Verdict.FAIL,
        f"{trip.step} failed: {ending.words}{so_far}",
        _ADVICE.get(ending.code, _OTHER_ADVICE),
        exit_code=EXIT_VENUE,
    )


class _Trip:
    """The way to one address."""

    def __init__(
        self, target: Target, tls: ssl.SSLContext, clock: Clock, resolve: Resolve, within_s: float
    ) -> None:
        self.target = target
        self.step = "DNS"
        self.told: list[str] = []
        """What went well, in words."""
        self._tls = tls
        self._clock = clock
        self._resolve = resolve
        self._within_s = within_s

    async def go(self) -> None:
        """Raises whatever the step that fails raises."""
        target = self.target
        async with asyncio.timeout(self._within_s):
            found = await self._resolve(target.host, target.port)
        addresses = list(dict.fromkeys(found))
        if addresses != [target.host]:
            self.told.append(f"DNS {len(addresses)} address{'es' if len(addresses) > 1 else ''}")
        await self._connect(addresses)
        if target.is_socket:
            await self._open_socket()

    async def _connect(self, addresses: list[str]) -> None:
        """TCP to the first address that takes it, then TLS there. Nothing is asked, so no goodbye is said."""
        self.step = "TCP"
        began = self._clock.monotonic_ns()
        address = await self._first(addresses)
        self.told.append(f"TCP {self._ms_since(began)}")
        if not self.target.is_secure:
            return
        self.step = "TLS"
        began = self._clock.monotonic_ns()
        async with asyncio.timeout(self._within_s):
            _, writer = await asyncio.open_connection(
                address, self.target.port, ssl=self._tls, server_hostname=self.target.host
            )
        version = writer.get_extra_info("ssl_object").version()
        writer.transport.abort()
        self.told.append(f"{version.replace('TLSv', 'TLS ')} {self._ms_since(began)}")

    async def _first(self, addresses: list[str]) -> str:
        failure: OSError | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(self._within_s):
                    _, writer = await asyncio.open_connection(address, self.target.port)
            except OSError as error:  # a time-out is one too
                failure = failure or error
            else:
                writer.transport.abort()
                return address
        raise failure or OSError("the name has no address")

    async def _open_socket(self) -> None:
        self.step = "opening the WebSocket"
        began = self._clock.monotonic_ns()
        async with connect(
            self.target.address,
            ssl=self._tls if self.target.is_secure else None,
            open_timeout=self._within_s,
            close_timeout=1.0,
            compression=None,
            proxy=None,
            logger=_QUIET,
        ):
            self.told.append(f"WebSocket {self._ms_since(began)}")

    def _ms_since(self, began_ns: int) -> str:
        return f"{(self._clock.monotonic_ns() - began_ns) / 1e6:.0f} ms"
