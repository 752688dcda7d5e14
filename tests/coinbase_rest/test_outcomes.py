"""What is known after an order was handed to the network: every way in which a venue can(not) answer."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from http_kit import Answer, Bytes, HttpServer, Silence, Step, script
from rest_kit import APIS, KEYS, MakeBroker

from engine.core.clock import SystemClock
from engine.core.order import Side, TimeInForce
from engine.exchange.coinbase.broker import BrokerError, NewOrder, OrderRef, Outcome
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE, Endpoints
from engine.exchange.coinbase.rest import rate_budget
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.exchange.coinbase.rest.http import MAX_BODY_BYTES

CLIENT_ID = "d50ec974-76a2-454b-66f1-35b1ea8c0000"
ORDER = NewOrder(CLIENT_ID, "BTC-USD", Side.BUY, Decimal("0.001"), Decimal("60000.1"), post_only=True)
HTML = b"<!DOCTYPE html><html><body>Attention Required! | Cloudflare</body></html>"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
VENUE = {ADVANCED: {"error": "SOME_REASON", "message": "some words"}, EXCHANGE: {"message": "some words"}}
TAKEN = {
    ADVANCED: {"success": True, "success_response": {"order_id": "o-1", "client_order_id": CLIENT_ID}},
    EXCHANGE: {"id": "o-1", "product_id": "BTC-USD", "side": "buy", "status": "pending"},
}
UNKNOWN, REFUSED, LIMITED = Outcome.UNKNOWN, Outcome.REFUSED, Outcome.LIMITED

# What is served, and what is known then. A dict stands for the API's own words.
TABLE: dict[str, tuple[Step | int, Outcome, str]] = {
    "400 in the venue's words": (400, REFUSED, ""),
    "401 in the venue's words": (401, REFUSED, ""),
    "403 in the venue's words": (403, REFUSED, ""),
    "404 in the venue's words": (404, UNKNOWN, ""),
    "409 in the venue's words": (409, UNKNOWN, "HTTP_409"),
    "500 in the venue's words": (500, UNKNOWN, "HTTP_500"),
    "503 in the venue's words": (503, UNKNOWN, "HTTP_503"),
    "429 in the venue's words": (429, LIMITED, "RATE_LIMIT"),
    "401 in one word": (Answer(401, b"Unauthorized"), REFUSED, "UNAUTHORIZED"),
    "400 of the edge": (Answer(400, HTML), UNKNOWN, "HTTP_400"),
    "401 of the edge": (Answer(401, HTML), UNKNOWN, "HTTP_401"),
    "403 of the edge": (Answer(403, HTML), UNKNOWN, "HTTP_403"),
    "429 of the edge": (Answer(429, HTML), LIMITED, "RATE_LIMIT"),
    "502 of the edge": (Answer(502, HTML), UNKNOWN, "HTTP_502"),
    "524 of the edge": (Answer(524, HTML), UNKNOWN, "HTTP_524"),
    "an empty 500": (Answer(500), UNKNOWN, "HTTP_500"),
    "204": (Answer(204), UNKNOWN, "HTTP_204"),
    "a redirect": (Answer(307, b"", {"Location": "/elsewhere"}), UNKNOWN, "HTTP_307"),
    "a redirect away": (Answer(302, b"", {"Location": "http://127.0.0.2/"}), UNKNOWN, "HTTP_302"),
    "HTML with 200": (Answer(200, HTML), UNKNOWN, "UNREADABLE"),
    "an empty 200": (Answer(200), UNKNOWN, "UNREADABLE"),
    "another JSON with 200": (Answer(200, {"hello": 1}), UNKNOWN, "UNREADABLE"),
    "a list with 200": (Answer(200, []), UNKNOWN, "UNREADABLE"),
    "deep JSON": (Answer(200, b"[" * 100_000), UNKNOWN, "UNREADABLE"),
    "deep JSON in a field that is not read": (
        Answer(200, b'{"success":true,"x":' + b"[" * 100_000),
        UNKNOWN,
        "UNREADABLE",
    ),
    "invalid UTF-8": (Answer(200, b'{"success":true,"order_id":"\xff"}'), UNKNOWN, "UNREADABLE"),
    "cut JSON": (Answer(200, b'{"success":tr'), UNKNOWN, "UNREADABLE"),
    "silence": (Silence(), UNKNOWN, "TIMEOUT"),
    "closed unanswered": (Bytes(), UNKNOWN, "EOF"),
    "reset unanswered": (Bytes(is_reset=True), UNKNOWN, "RESET"),
    "closed in the head": (Bytes(HEAD), UNKNOWN, "EOF"),
    "closed in the body": (Bytes(HEAD + b'Content-Length: 50\r\n\r\n{"suc'), UNKNOWN, "TRUNCATED"),
    "reset in the body": (Bytes(HEAD + b'Content-Length: 50\r\n\r\n{"suc', is_reset=True), UNKNOWN, "RESET"),
    "closed in a chunk": (Bytes(HEAD + b"Transfer-Encoding: chunked\r\n\r\n20\r\n{"), UNKNOWN, "TRUNCATED"),
    "no HTTP": (Bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), UNKNOWN, "PROTOCOL"),
    "a head without end": (Bytes(HEAD + b"X: " + b"y" * 100_000), UNKNOWN, "PROTOCOL"),
    "too large": (Answer(200, b" " * (MAX_BODY_BYTES + 1)), UNKNOWN, "TOO_LARGE"),
    "compressed": (Answer(200, b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"}), UNKNOWN, "UNREADABLE"),
}
RESETS = {"reset unanswered", "reset in the body"}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", TABLE)
async def test_the_outcome_of_a_submit(broker_at: MakeBroker, api: str, name: str) -> None:
    served, outcome, code = TABLE[name]
    step = Answer(served, VENUE[api]) if isinstance(served, int) else served
    async with HttpServer(script(step)) as server:
        broker = broker_at(server.url, api, timeout_s=0.1 if name == "silence" else 5.0)
        answer = await (await broker).submit(ORDER)
        assert answer.outcome is outcome, answer
        allowed = {code, "EOF", "TRUNCATED", "RESET"} if name in RESETS else {code or answer.code}
        assert answer.code in allowed, answer
        assert len(answer.reason) > 8
        assert "<" not in answer.reason
        assert len(server.requests) == 1, "an order is sent once"
        if outcome is LIMITED:
            assert answer.retry_after_s is not None


@pytest.mark.parametrize("api", APIS)
async def test_an_accepted_order_has_the_venues_id(broker_at: MakeBroker, api: str) -> None:
    async with HttpServer(script(Answer(200, TAKEN[api]))) as server:
        answer = await (await broker_at(server.url, api)).submit(ORDER)
    assert (answer.outcome, answer.order_id) == (Outcome.ACCEPTED, "o-1")


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "change", [{"client_order_id": "another", "client_oid": "another"}, {"order_id": "", "id": ""}]
)
async def test_an_acceptance_of_something_else_is_doubt(
    broker_at: MakeBroker, api: str, change: dict[str, str]
) -> None:
    told = dict(TAKEN[api])
    if api == ADVANCED:
        told["success_response"] = {"order_id": "o-1", "client_order_id": CLIENT_ID} | change
    else:
        told |= change
    async with HttpServer(script(Answer(200, told))) as server:
        answer = await (await broker_at(server.url, api)).submit(ORDER)
    assert answer.outcome is UNKNOWN


@pytest.mark.parametrize("api", APIS)
async def test_a_refused_connection_is_not_sent(broker_at: MakeBroker, api: str) -> None:
    async with HttpServer() as server:
        url = server.url
    answer = await (await broker_at(url, api)).submit(ORDER)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "CONNECT")
    assert "nothing was sent" in answer.reason


@pytest.mark.parametrize("api", APIS)
async def test_a_name_that_does_not_resolve_is_not_sent(broker_at: MakeBroker, api: str) -> None:
    answer = await (await broker_at("https://venue.invalid", api)).submit(ORDER)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "DNS")
    assert "DNS" in answer.reason


@pytest.mark.parametrize(
    ("said", "codes"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", {"TLS"}), (b"", {"TLS", "CONNECT", "RESET"})]
)
async def test_tls_that_fails_is_not_sent(broker_at: MakeBroker, said: bytes, codes: set[str]) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await (await broker_at(f"https://127.0.0.1:{port}")).submit(ORDER)
    assert answer.outcome is Outcome.NOT_SENT
    assert answer.code in codes
    assert "nothing was sent" in answer.reason


async def test_tls_that_is_never_answered_is_not_sent(broker_at: MakeBroker) -> None:
    gone = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await (await broker_at(f"https://127.0.0.1:{port}", timeout_s=0.1)).submit(ORDER)
        assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TIMEOUT")
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_connection_reset_before_anything_is_read_is_doubt(broker_at: MakeBroker) -> None:
    async with HttpServer(is_deaf=True) as server:
        answer = await (await broker_at(server.url)).submit(ORDER)
    assert answer.outcome is UNKNOWN


async def test_a_kept_connection_that_was_closed_meanwhile_is_doubt_for_an_order(
    broker_at: MakeBroker,
) -> None:
    async with HttpServer(script(Answer(200, TAKEN[ADVANCED]), Bytes())) as server:
        broker = await broker_at(server.url)
        assert (await broker.submit(ORDER)).outcome is Outcome.ACCEPTED
        assert (await broker.submit(ORDER)).outcome is UNKNOWN
        assert [request.connection for request in server.requests] == [0, 0]


async def test_a_broker_that_is_not_open_sends_nothing() -> None:
    broker = broker_for(
        ADVANCED, Endpoints("http://127.0.0.1:9", "", ""), KEYS[ADVANCED], clock=SystemClock()
    )
    assert (await broker.submit(ORDER)).outcome is Outcome.NOT_SENT
    with pytest.raises(BrokerError, match="nothing was sent"):
        await broker.live_orders()


async def test_a_cancelled_task_stays_cancelled_and_closes_its_connection(broker_at: MakeBroker) -> None:
    asked = asyncio.Event()

    def handler(request: object) -> Step:
        asked.set()
        return Silence()

    async with HttpServer(handler) as server:
        task = asyncio.create_task((await broker_at(server.url)).submit(ORDER))
        await asyncio.wait_for(asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("api", APIS)
async def test_the_limiter_stops_orders_and_no_cancels(
    broker_at: MakeBroker, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_budget, "_CANCEL_PAUSE_S", 0.05)
    refused = Answer(429, VENUE[api], {"Retry-After": "30"})
    done = Answer(200, {"results": [{"success": True, "order_id": "o-1"}]} if api == ADVANCED else "o-1")
    async with HttpServer(lambda request: refused if request.path.endswith("/orders") else done) as server:
        broker = await broker_at(server.url, api)
        first = await broker.submit(ORDER)
        assert first.outcome is LIMITED
        assert first.retry_after_s is not None
        assert 30 <= first.retry_after_s <= 31
        second = await broker.submit(ORDER)
        assert (second.outcome, second.code) == (Outcome.NOT_SENT, "RATE_BUDGET")
        assert second.retry_after_s is not None
        assert second.retry_after_s > 29
        with pytest.raises(BrokerError) as raised:
            await broker.balances()
        assert raised.value.code == "RATE_LIMIT"
        assert raised.value.retry_after_s is not None
        (answer,) = await broker.cancel([OrderRef("o-1")])
        assert answer.outcome is Outcome.ACCEPTED
        assert len(server.requests) == 2


IMPOSSIBLE = [
    (ADVANCED, {"time_in_force": TimeInForce.IOC, "post_only": True}),
    (ADVANCED, {"time_in_force": TimeInForce.FOK, "post_only": True}),
    (ADVANCED, {"time_in_force": TimeInForce.GTD}),
    (ADVANCED, {"price": None, "post_only": True}),
    (ADVANCED, {"price": None, "time_in_force": TimeInForce.FOK, "post_only": False}),
    (EXCHANGE, {"time_in_force": TimeInForce.IOC, "post_only": True}),
    (EXCHANGE, {"time_in_force": TimeInForce.GTD, "end_time_ns": 10**18}),
    (EXCHANGE, {"price": None, "post_only": True}),
    (EXCHANGE, {"client_id": "not-a-uuid"}),
]


@pytest.mark.parametrize(("api", "change"), IMPOSSIBLE)
async def test_an_order_that_the_api_cannot_express_is_not_sent(
    broker_at: MakeBroker, api: str, change: dict[str, object]
) -> None:
    order = NewOrder(**({name: getattr(ORDER, name) for name in ORDER.__struct_fields__} | change))
    async with HttpServer() as server:
        answer = await (await broker_at(server.url, api)).submit(order)
        assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "UNSUPPORTED")
        assert server.requests == []
