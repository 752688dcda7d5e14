"""The network's faults, as the fault proxy commits them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from random import Random

import pytest
from byte_damage import Damage, Kind, Mangler
from fault_proxy import BlackHole, Door, FaultProxy
from waiting import until

WITHIN_S = 5.0
TEXT = bytes(range(256)) * 40


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back what it reads."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
            try:
                await writer.wait_closed()
            except OSError:
                pass


class Client:
    """The client's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, data: bytes) -> bytes:
        """Send, and read as many bytes as were sent."""
        self.writer.write(data)
        return await self.read(len(data))

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(WITHIN_S):
            return await self.reader.readexactly(count)

    async def rest(self) -> bytes:
        async with asyncio.timeout(WITHIN_S):
            return await self.reader.read()

    async def is_silent(self, seconds: float = 0.1) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        self.writer.transport.abort()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


@pytest.fixture
async def proxy(echo: int) -> AsyncIterator[FaultProxy]:
    before = asyncio.all_tasks()
    async with FaultProxy(echo, seed=1) as proxy:
        yield proxy
    left = {task for task in asyncio.all_tasks() - before if task.get_name().startswith("line")}
    assert not left
    assert proxy.lines == 0


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[Client]:
    client = await Client.connect(proxy.port)
    yield client
    await client.close()


async def test_without_a_fault_every_byte_arrives_and_ends_are_handed_on(
    proxy: FaultProxy, client: Client
) -> None:
    assert await client.ask(TEXT) == TEXT
    client.writer.write_eof()
    assert await client.rest() == b""
    assert (proxy.up.bytes_seen, proxy.down.bytes_passed) == (len(TEXT), len(TEXT))


async def test_a_closed_port_refuses_and_the_same_port_opens_again(proxy: FaultProxy, client: Client) -> None:
    port = proxy.port
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await Client.connect(port)
    await proxy.listen()
    assert proxy.port == port
    again = await Client.connect(port)
    assert await again.ask(b"x") == b"x"
    await again.close()


async def test_open_connections_outlive_a_closed_port(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"1") == b"1"
    await proxy.refuse()
    assert await client.ask(b"2") == b"2"


async def test_accepted_and_silent(proxy: FaultProxy) -> None:
    proxy.door = Door.SILENT
    client = await Client.connect(proxy.port)
    client.writer.write(b"anybody there?")
    assert await client.is_silent()
    await client.close()


async def test_accepted_and_closed(proxy: FaultProxy) -> None:
    proxy.door = Door.SLAMMED
    for _ in range(3):
        client = await Client.connect(proxy.port)
        assert await client.rest() == b""
        await client.close()
    assert proxy.accepted == 3


@pytest.mark.parametrize("way", ["up", "down"])
async def test_swallowing_one_way_leaves_the_other(proxy: FaultProxy, client: Client, way: str) -> None:
    assert await client.ask(b"before") == b"before"
    getattr(proxy, way).is_swallowing = True
    client.writer.write(b"lost")
    assert await client.is_silent()
    assert proxy.up.bytes_seen == 10
    assert proxy.down.bytes_seen == (6 if way == "up" else 10)
    proxy.heal()
    assert await client.ask(b"after") == b"after"


async def test_while_swallowing_the_end_of_a_stream_is_not_seen(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"before") == b"before"
    proxy.swallow()
    client.writer.write_eof()
    assert await client.is_silent()
    assert proxy.lines == 1


async def test_delay_with_jitter_keeps_the_order(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"quick") == b"quick"
    proxy.down.delay_s, proxy.down.jitter_s = 0.05, 0.05
    began = time.monotonic()
    for number in range(20):
        client.writer.write(bytes([number]))
        await client.writer.drain()
        await asyncio.sleep(0.002)
    assert await client.read(20) == bytes(range(20))
    assert 0.05 <= time.monotonic() - began < 1.0


async def test_a_rate_limits_bytes_a_second(proxy: FaultProxy, client: Client) -> None:
    proxy.down.bytes_per_s = 10_000
    began = time.monotonic()
    assert await client.ask(TEXT[:2_000]) == TEXT[:2_000]
    assert 0.15 <= time.monotonic() - began < 1.0


async def test_slices_change_nothing_but_the_pieces(proxy: FaultProxy, client: Client) -> None:
    proxy.down.slice_bytes = 1
    client.writer.write(b"sliced")
    pieces = []
    async with asyncio.timeout(WITHIN_S):
        while sum(map(len, pieces)) < 6:
            pieces.append(await client.reader.read(100))
    assert b"".join(pieces) == b"sliced"
    assert len(pieces) > 1
    assert await client.ask(TEXT) == TEXT


async def test_a_flipped_byte(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.damage(Kind.FLIP, at=2, size=1)
    answer = await client.ask(b"abcde")
    assert [was == now for was, now in zip(b"abcde", answer, strict=True)] == [True, True, False, True, True]
    assert (answer[2] ^ ord("c")).bit_count() == 1
    assert await client.ask(b"abcde") == b"abcde"


async def test_dropped_bytes(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.damage(Kind.DROP, at=1, size=3, is_up=True)
    client.writer.write(b"abcdef")
    assert await client.read(3) == b"aef"
    assert await client.is_silent(0.05)


async def test_duplicated_bytes(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.damage(Kind.DUPLICATE, at=1, size=2)
    client.writer.write(b"abcd")
    assert await client.read(6) == b"abcbcd"


async def test_a_truncated_stream_ends_in_the_middle(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.damage(Kind.TRUNCATE, at=4)
    client.writer.write(b"abcdefgh")
    assert await client.rest() == b"abcd"


async def test_every_new_connection_is_given_its_damage(proxy: FaultProxy) -> None:
    proxy.down.damages_at_start = (Damage(Kind.TRUNCATE, at=3),)
    for _ in range(2):
        client = await Client.connect(proxy.port)
        client.writer.write(b"abcdefgh")
        assert await client.rest() == b"abc"
        await client.close()


async def test_a_reset_is_seen_as_one_by_both_sides(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await client.read(1)
    await until(lambda: not proxy.lines)


async def test_a_half_closed_connection_still_takes_what_the_client_says(
    proxy: FaultProxy, client: Client
) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.half_close()
    assert await client.rest() == b""
    client.writer.write(b"still here")
    await until(lambda: proxy.up.bytes_passed == 12)


async def test_a_frozen_way_fills_the_senders_buffer_and_loses_nothing(
    proxy: FaultProxy, client: Client
) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.up.freeze()
    client.writer.transport.set_write_buffer_limits(high=1 << 16)
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    sent = TEXT * 400
    client.writer.write(sent)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.writer.drain()
    proxy.up.thaw()
    assert await client.read(len(sent)) == sent


async def test_cut_ends_every_connection(proxy: FaultProxy, client: Client) -> None:
    assert await client.ask(b"ok") == b"ok"
    proxy.cut()
    assert await client.rest() == b""


async def test_a_server_that_is_not_there_closes_the_clients_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with FaultProxy(port) as proxy:
            client = await Client.connect(proxy.port)
            assert await client.rest() == b""
            await client.close()


async def test_a_black_hole_answers_nothing() -> None:
    with BlackHole() as hole, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await Client.connect(hole.port)


async def test_the_end_of_the_proxy_leaves_no_task_whatever_it_does(echo: int) -> None:
    before = asyncio.all_tasks()
    async with FaultProxy(echo) as proxy:
        clients = [await Client.connect(proxy.port) for _ in range(4)]
        for client in clients:
            assert await client.ask(b"x") == b"x"
        proxy.up.freeze()
        proxy.down.delay_s = 60
        for client in clients:
            client.writer.write(TEXT)
    for client in clients:
        assert await client.rest() == b""
        await client.close()
    assert not [task for task in asyncio.all_tasks() - before if "line" in task.get_name()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_damage_does_not_depend_on_how_the_stream_is_cut_into_chunks(size: int) -> None:
    text = bytes(range(100))

    def damaged(size: int) -> bytes:
        mangler = Mangler(Random(3))
        mangler.give(Damage(Kind.DROP, 50, 10))
        mangler.give(Damage(Kind.FLIP, 10, 5))
        mangler.give(Damage(Kind.DUPLICATE, 30, 5))
        mangler.give(Damage(Kind.TRUNCATE, 90))
        return b"".join(
            mangler.pass_on(text[at : at + size]) for at in range(0, 100, size) if not mangler.is_ended
        )

    whole = damaged(100)
    assert damaged(size) == whole
    assert whole[:10] == text[:10]
    assert whole[15:40] == text[15:35] + text[30:35]
    assert whole[40:] == text[35:50] + text[60:90]
