"""The fault plan, and what becomes of the frames and requests that it strikes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from engine.core.errors import UsageError
from engine.local_venue.faults.catalogue import CATALOGUE, Nature, Place, catalogue_text
from engine.local_venue.faults.frames import Close, FrameFaults, HalfClose, Pause, Reset, Step, Text, Wire
from engine.local_venue.faults.plan import Fault, FaultPlan, Occasion, parse_fault
from engine.local_venue.faults.requests import fault_middleware
from engine.local_venue.faults.sending import carry_out

# -- reading a fault ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_fault_can_be_asked_for_by_its_name_alone(name: str) -> None:
    fault = parse_fault(name)
    assert fault.kind.name == name
    if fault.kind.is_number:
        assert fault.number >= 0


def test_every_fault_is_named_in_the_help_with_its_argument() -> None:
    text = catalogue_text()
    for kind in CATALOGUE.values():
        assert f"  {kind.name}{f'[:{kind.argument}]' if kind.argument else ''} " in text


def test_a_fault_with_everything() -> None:
    fault = parse_fault("rest-status:502,nth=3,times=2,p=0.5,method=post,path=*/orders/*")
    assert fault == Fault(CATALOGUE["rest-status"], "502", 3, 2, 0.5, "POST", "*/orders/*", "")
    assert parse_fault("ws-error:rate limit exceeded,channel=l2_data").argument == "rate limit exceeded"
    assert parse_fault("rest-redirect:https://localhost/?a=b").argument == "https://localhost/?a=b"
    assert parse_fault("ws-heartbeats-stop").times == 0
    assert parse_fault("ws-heartbeats-stop:times=3").times == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ws-dorp", "there is no fault ws-dorp; --list-faults"),
        ("ws-drop:5", "ws-drop takes no argument 5"),
        ("ws-delay:soon", "SECONDS must be a number"),
        ("ws-delay:-1", "SECONDS must be a number"),
        ("ws-delay:nan", "SECONDS must be a number"),
        ("ws-numbers:small", "must be one of nan, infinity"),
        ("ws-drop:nth=0", "nth must be a whole number, at least 1"),
        ("ws-drop:times=-1", "times must be a whole number, at least 0"),
        ("ws-drop:p=0", "p must be above 0"),
        ("ws-drop:p=2", "p must be above 0"),
        ("ws-delay:1,2", "the argument is given twice"),
        ("ws-drop:nth=1,nth=2", "nth is given twice"),
    ],
)
def test_a_fault_that_is_none(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match="--fault ") as caught:
        parse_fault(text)
    assert complaint in str(caught.value)


# -- when it strikes ----------------------------------------------------------------------------------


def _struck(
    plan: FaultPlan, count: int, channel: str = "l2_data", nature: Nature = Nature.CHANGE
) -> list[int]:
    occasion = Occasion(Place.FRAME, "/advanced", "", channel, nature)
    return [number for number in range(1, count + 1) if plan.strikes_at(occasion)]


def test_it_strikes_at_the_nth_occasion_and_as_often_as_asked() -> None:
    assert _struck(FaultPlan([parse_fault("ws-drop")]), 5) == [1]
    assert _struck(FaultPlan([parse_fault("ws-drop:nth=3,times=2")]), 9) == [3, 4]
    assert _struck(FaultPlan([parse_fault("ws-drop:nth=4,times=0")]), 6) == [4, 5, 6]


def test_it_counts_only_occasions_that_fit() -> None:
    plan = FaultPlan([parse_fault("ws-drop:channel=user,nth=2")])
    assert _struck(plan, 5) == []
    assert _struck(plan, 5, "user") == [2]
    assert not plan.strikes_at(Occasion(Place.REQUEST, "/orders", "POST"))


def test_a_fault_of_books_leaves_other_frames_alone() -> None:
    plan = FaultPlan([parse_fault("ws-crossed")])
    assert _struck(plan, 3, "ticker", Nature.DATA) == []
    assert _struck(plan, 3) == [1]


def test_a_spent_fault_is_disarmed_and_remembered() -> None:
    plan = FaultPlan([parse_fault("ws-drop"), parse_fault("ws-flip:nth=2")])
    _struck(plan, 1)
    assert plan.armed == ["ws-flip"]
    assert [(strike.name, strike.occasion) for strike in plan.strikes] == [("ws-drop", "/advanced l2_data")]
    plan.clear()
    assert plan.is_idle
    assert _struck(plan, 5) == []


@given(seed=st.integers(0, 2**32), probability=st.floats(0.01, 1))
def test_the_same_seed_strikes_at_the_same_occasions(seed: int, probability: float) -> None:
    fault = parse_fault(f"ws-drop:p={probability!r},times=0")
    assert _struck(FaultPlan([fault], seed), 40) == _struck(FaultPlan([fault], seed), 40)


# -- frames -------------------------------------------------------------------------------------------


def _update(number: int, product: str = "BTC-USD", kind: str = "update") -> str:
    return json.dumps(
        {
            "channel": "l2_data",
            "timestamp": "2026-08-09T21:05:48.483587501Z",
            "sequence_num": number,
            "events": [
                {
                    "type": kind,
                    "product_id": product,
                    "updates": [
                        {
                            "side": "bid",
                            "event_time": "2026-08-09T21:05:48.4Z",
                            "price_level": "65083.66",
                            "new_quantity": "0.25",
                        }
                    ],
                }
            ],
        }
    )


def _heartbeat(number: int) -> str:
    beat = {"current_time": "2026", "heartbeat_counter": 100 + number}
    return json.dumps({"channel": "heartbeats", "sequence_num": number, "events": [beat]})


class Line:
    """One connection, and what its frames came to."""

    def __init__(self, *faults: str, seed: int = 7) -> None:
        self.snapshots: dict[str, str] = {}
        self.faults = FrameFaults(FaultPlan(map(parse_fault, faults), seed), "/advanced", self.snapshots.get)

    def steps(self, *frames: str) -> list[Step]:
        return [step for frame in frames for step in self.faults.pass_on(frame)]

    def texts(self, *frames: str) -> list[str]:
        return [step.text for step in self.steps(*frames) if isinstance(step, Text)]

    def messages(self, *frames: str) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts(*frames)]

    def numbers(self, *frames: str) -> list[int]:
        return [message["sequence_num"] for message in self.messages(*frames)]


FOUR = [_update(number) for number in range(4)]


def test_without_a_fault_every_frame_passes_as_it_is() -> None:
    assert Line().texts(*FOUR) == FOUR


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [
        ("ws-drop:nth=2", [0, 2, 3]),
        ("ws-duplicate:nth=2", [0, 1, 1, 2, 3]),
        ("ws-swap:nth=2", [0, 2, 1, 3]),
        ("ws-skip:5,nth=2", [0, 6, 7, 8]),
        ("ws-burst:3,nth=2", [0, 1, 2, 3, 4, 5]),
        ("ws-unknown-channel:nth=2", [0, 1, 2, 3, 4]),
        ("ws-silence:nth=3", [0, 1]),
    ],
)
def test_what_the_sequence_shows(fault: str, numbers: list[int]) -> None:
    assert Line(fault).numbers(*FOUR) == numbers


def test_heartbeats_that_stop_leave_no_gap() -> None:
    frames = [_update(0), _heartbeat(1), _update(2), _heartbeat(3), _update(4)]
    assert Line("ws-heartbeats-stop").numbers(*frames) == [0, 1, 2]


def test_a_counter_that_jumps() -> None:
    counters = [
        message["events"][0]["heartbeat_counter"]
        for message in Line("ws-heartbeats-jump:5,nth=2").messages(*map(_heartbeat, range(3)))
    ]
    assert counters == [100, 106, 102]


def test_the_snapshot_comes_in_place_of_a_change_under_its_number() -> None:
    line = Line("ws-snapshot-again:nth=2")
    line.snapshots["BTC-USD"] = _update(0, kind="snapshot")
    messages = line.messages(*FOUR)
    assert [message["events"][0]["type"] for message in messages] == [
        "update",
        "snapshot",
        "update",
        "update",
    ]
    assert [message["sequence_num"] for message in messages] == [0, 1, 2, 3]


def test_a_change_before_its_snapshot() -> None:
    messages = Line("ws-deltas-first").messages(_update(0, kind="snapshot"), _update(1))
    assert [message["events"][0]["type"] for message in messages] == ["update", "snapshot", "update"]
    assert [message["sequence_num"] for message in messages] == [0, 1, 2]
    assert messages[0]["events"][0]["updates"][0]["new_quantity"] == "123"


def test_a_crossed_book() -> None:
    (message,) = Line("ws-crossed").messages(FOUR[0])
    bid = message["events"][0]["updates"][-1]
    assert (bid["side"], bid["price_level"]) == ("bid", "650836.60")


@pytest.mark.parametrize(
    ("how", "wrong"),
    [("nan", "NaN"), ("infinity", "Infinity"), ("1e999", "1e999"), ("negative", "-1"), ("huge", "9" * 60)],
)
def test_numbers_that_are_none(how: str, wrong: str) -> None:
    (message,) = Line(f"ws-numbers:{how}").messages(FOUR[0])
    level = message["events"][0]["updates"][0]
    assert (level["price_level"], level["new_quantity"]) == (wrong, wrong)


def test_a_price_of_zero_has_a_size() -> None:
    (message,) = Line("ws-numbers:zero").messages(FOUR[0])
    level = message["events"][0]["updates"][0]
    assert (level["price_level"], level["new_quantity"]) == ("0", "0.25")
    update = json.dumps({"type": "l2update", "product_id": "BTC-USD", "changes": [["sell", "10.5", "0"]]})
    assert Line("ws-numbers:zero").messages(update)[0]["changes"] == [["sell", "0", "1"]]


def test_an_order_that_nobody_placed() -> None:
    own = json.dumps(
        {
            "channel": "user",
            "sequence_num": 5,
            "events": [{"type": "update", "orders": [{"order_id": "a", "client_order_id": "b"}]}],
        }
    )
    line = Line("ws-other-order")
    assert line.texts(FOUR[0]) == [FOUR[0]]  # it tells of no order
    (message,) = line.messages(own)
    (order,) = message["events"][0]["orders"]
    assert len({order["order_id"], order["client_order_id"], "a", "b"}) == 4
    done = json.dumps({"type": "done", "order_id": "a", "product_id": "BTC-USD", "user_id": "u"})
    assert Line("ws-other-order").messages(done)[0]["order_id"] != "a"


def test_an_integer_of_five_thousand_digits() -> None:
    (text,) = Line("ws-numbers:digits").texts(FOUR[0])
    with pytest.raises(ValueError, match="digits"):
        json.loads(text)


@pytest.mark.parametrize("how", ["missing", "null", "type"])
@pytest.mark.parametrize("seed", range(3))
def test_fields_that_are_wrong(how: str, seed: int) -> None:
    (message,) = Line(f"ws-fields:{how}", seed=seed).messages(FOUR[0])
    level, right = message["events"][0]["updates"][0], json.loads(FOUR[0])["events"][0]["updates"][0]
    different = [key for key in right if key not in level or level[key] != right[key]]
    assert len(different) == 1


def test_fields_that_are_new_change_nothing_else() -> None:
    (message,) = Line("ws-fields:extra").messages(FOUR[0])
    assert "a_new_field" in message
    del message["a_new_field"], message["events"][0]["updates"][0]["another_new_field"]
    assert message == json.loads(FOUR[0])


def test_other_alterations() -> None:
    assert Line("ws-other-product").messages(FOUR[0])[0]["events"][0]["product_id"] == "OTHER-USD"
    assert Line("ws-times:year-1").messages(FOUR[0])[0]["timestamp"] == "0001-01-01T00:00:00Z"
    assert Line("ws-duplicate-keys").texts(FOUR[0])[0].count('"channel":') == 2
    assert Line("ws-duplicate-keys").messages(FOUR[0]) == [json.loads(FOUR[0])]
    assert Line("ws-error:authentication failure").messages(FOUR[0])[0] == {
        "type": "error",
        "message": "authentication failure",
    }
    with pytest.raises(json.JSONDecodeError):
        Line("ws-truncate").messages(FOUR[0])
    with pytest.raises(RecursionError):
        json.loads(Line("ws-deep").texts(FOUR[0])[0])


def test_what_ends_a_connection_or_is_written_past_the_library() -> None:
    kinds = {
        "ws-close:1013": Close(1013),
        "ws-reset": Reset(),
        "ws-half-close": HalfClose(),
        "ws-delay:0.5": Pause(0.5),
    }
    for fault, step in kinds.items():
        assert Line(fault).steps(FOUR[0])[0] == step
    for fault in ("ws-flip", "ws-binary", "ws-utf8", "ws-huge", "ws-fragments", "ws-bomb:1"):
        assert isinstance(Line(fault).steps(FOUR[0])[0], Wire)


def test_the_exchange_dialect() -> None:
    update = json.dumps(
        {"type": "l2update", "product_id": "BTC-USD", "changes": [["sell", "10.5", "0"]], "time": "2026"}
    )
    snapshot = json.dumps(
        {"type": "snapshot", "product_id": "BTC-USD", "bids": [["10.4", "1"]], "asks": [], "time": "2026"}
    )
    assert Line("ws-crossed").messages(update)[0]["changes"][-1] == ["buy", "105.0", "1"]
    assert Line("ws-numbers:nan").messages(update)[0]["changes"] == [["sell", "NaN", "NaN"]]
    assert Line("ws-numbers:nan").messages(snapshot)[0]["bids"] == [["NaN", "NaN"]]
    assert [m["type"] for m in Line("ws-deltas-first").messages(snapshot)] == ["l2update", "snapshot"]
    line = Line("ws-snapshot-again")
    line.snapshots["BTC-USD"] = snapshot
    assert line.messages(update) == [json.loads(snapshot)]
    beat = json.dumps({"type": "heartbeat", "sequence": 90, "last_trade_id": 5, "product_id": "BTC-USD"})
    assert Line("ws-heartbeats-jump:2").messages(beat)[0]["last_trade_id"] == 7
    assert Line("ws-skip:3").messages(beat)[0]["sequence"] == 93


@given(
    faults=st.lists(
        st.sampled_from(
            ["ws-drop", "ws-duplicate", "ws-swap", "ws-skip:2", "ws-burst:2", "ws-heartbeats-stop"]
        ),
        max_size=4,
    ),
    seed=st.integers(0, 99),
)
def test_frames_are_neither_invented_nor_lost_without_a_sign(faults: list[str], seed: int) -> None:
    """Whatever is armed: numbers never repeat but by duplication, and nothing but a gap hides a loss."""
    chance = [f"{fault}{',' if ':' in fault else ':'}p=0.3,times=0" for fault in faults]
    frames = [_update(n) if n % 3 else _heartbeat(n) for n in range(30)]
    line = Line(*chance, seed=seed)
    numbers = line.numbers(*frames)
    if not {"ws-duplicate", "ws-swap"} & set(faults):
        assert numbers == sorted(set(numbers))
    if not {"ws-drop", "ws-skip:2", "ws-swap"} & set(faults):
        assert sorted(set(numbers)) == list(range(len(set(numbers))))


# -- requests, on a server ------------------------------------------------------------------------------


class Nobody:
    """Strangers who only remember what they were asked to do."""

    def __init__(self) -> None:
        self.trades: list[tuple[str, Decimal]] = []

    def trade_part(self, order_id: str, part: Decimal) -> None:
        self.trades.append((order_id, part))

    def fill_late(self, order_id: str, part: Decimal) -> None:
        self.trades.append((f"late {order_id}", part))


class Shop:
    """A server of both dialects whose every request passes the faults."""

    def __init__(self, *faults: str) -> None:
        self.plan = FaultPlan(map(parse_fault, faults), 3)
        self.strangers = Nobody()
        self.done: list[str] = []
        app = web.Application(middlewares=[fault_middleware(self.plan, self.strangers)])
        app.router.add_post("/api/v3/brokerage/orders", self._order)
        app.router.add_post("/api/v3/brokerage/orders/batch_cancel", self._cancel)
        app.router.add_post("/orders", self._order)
        app.router.add_delete("/orders/{id}", self._cancel)
        app.router.add_get("/fills", self._fills)
        app.router.add_get("/feed", self._feed)
        self._runner = web.AppRunner(app, shutdown_timeout=1)

    async def _order(self, request: web.Request) -> web.Response:
        self.done.append(await request.text())
        if request.path == "/orders":
            return web.json_response({"id": "o-1", "status": "open"})
        return web.json_response({"success": True, "success_response": {"order_id": "o-1"}})

    async def _cancel(self, request: web.Request) -> web.Response:
        self.done.append("cancel")
        return web.json_response({"results": []})

    async def _fills(self, request: web.Request) -> web.Response:
        return web.json_response([{"trade_id": 1}, {"trade_id": 2}])

    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        feed = web.WebSocketResponse()
        await feed.prepare(request)
        transport = request.transport
        assert transport is not None
        line = FrameFaults(self.plan, "/feed", lambda product: None)
        async for _ in feed:
            await carry_out(line.pass_on(FOUR[0]), feed, transport)
        return feed

    async def __aenter__(self) -> Shop:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self._runner.cleanup()

    async def order(self, path: str = "/orders") -> tuple[int, str]:
        async with self.client.post(self.url + path, data="body", allow_redirects=False) as answer:
            return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("fault", "is_done"),
    [
        ("rest-drop-request", False),
        ("order-lost", False),
        ("rest-drop-answer", True),
        ("order-ack-lost", True),
        ("rest-truncated", True),
    ],
)
async def test_a_request_without_an_answer(fault: str, is_done: bool) -> None:
    async with Shop(fault) as shop:
        with pytest.raises(aiohttp.ClientError):
            await shop.order()
        assert bool(shop.done) is is_done
        assert (await shop.order())[0] == 200


@pytest.mark.parametrize(
    ("fault", "status", "words", "is_done"),
    [
        ("rest-status:503", 503, "<html>", False),
        ("rest-status:401", 401, "Unauthorized", False),
        ("rest-status:400", 400, "refused by a fault", False),
        ("rest-429:2", 429, "Private rate limit exceeded", False),
        ("rest-redirect:http://127.0.0.1:1/", 307, "", False),
        ("order-reject", 400, "Insufficient funds", False),
        ("rest-html", 200, "<html>", True),
        ("rest-wrong-json", 200, "another shape", True),
        ("rest-delay:0.01", 200, "o-1", True),
        ("order-ack-late:0.01", 200, "o-1", True),
    ],
)
async def test_an_answer_that_is_none(fault: str, status: int, words: str, is_done: bool) -> None:
    async with Shop(fault) as shop:
        answer = await shop.order()
        assert answer[0] == status
        assert words in answer[1]
        assert bool(shop.done) is is_done


async def test_a_broken_answer_with_status_200() -> None:
    async with Shop("rest-garbage") as shop:
        status, text = await shop.order()
        assert status == 200
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


async def test_a_rate_that_was_too_high_says_when_to_come_back() -> None:
    async with Shop("rest-429:2") as shop, shop.client.get(f"{shop.url}/fills") as answer:
        assert answer.headers["Retry-After"] == "2"


async def test_refusals_in_the_words_of_advanced_trade() -> None:
    async with Shop("order-reject:UNTRADABLE_PRODUCT,times=1", "cancel-reject:filled") as shop:
        status, text = await shop.order("/api/v3/brokerage/orders")
        refused = json.loads(text)
        assert (status, refused["success"]) == (200, False)
        assert refused["error_response"]["error"] == "UNTRADABLE_PRODUCT"
        url = f"{shop.url}/api/v3/brokerage/orders/batch_cancel"
        async with shop.client.post(url, json={"order_ids": ["a", "b"]}) as answer:
            results = (await answer.json())["results"]
        assert [one["order_id"] for one in results] == ["a", "b"]
        assert {one["failure_reason"] for one in results} == {"ORDER_IS_FULLY_FILLED"}
        assert not shop.done


async def test_refused_cancels_of_the_exchange() -> None:
    async with Shop("cancel-reject:unknown", "cancel-reject:filled,nth=2") as shop:
        seen = []
        for _ in range(3):
            async with shop.client.delete(f"{shop.url}/orders/o-1") as answer:
                seen.append((answer.status, (await answer.json()).get("message")))
        assert seen == [(404, "order not found"), (400, "Order already done"), (200, None)]


@pytest.mark.parametrize("path", ["/orders", "/api/v3/brokerage/orders"])
async def test_a_stranger_is_quicker_than_the_answer(path: str) -> None:
    async with Shop("order-fill-first:0.5") as shop:
        await shop.order(path)
        assert shop.strangers.trades == [("o-1", Decimal("0.5"))]


async def test_strangers_at_a_cancel() -> None:
    async with Shop("cancel-fill-first", "cancel-fill-after:0.25,nth=2") as shop:
        async with shop.client.delete(f"{shop.url}/orders/client:o-1?product_id=BTC-USD"):
            assert shop.strangers.trades == [("client:o-1", Decimal(1))]
        url = f"{shop.url}/api/v3/brokerage/orders/batch_cancel"
        async with shop.client.post(url, json={"order_ids": ["a", "b"]}) as answer:
            assert answer.status == 200
        late = Decimal("0.25")
        assert shop.strangers.trades[1:] == [("late a", late), ("late b", late)]


@pytest.mark.parametrize(
    ("fault", "ids"), [("fills-duplicate", [1, 1, 2, 2]), ("fills-reversed", [2, 1]), ("fills-empty", [])]
)
async def test_lists_of_fills(fault: str, ids: list[int]) -> None:
    async with Shop(fault) as shop, shop.client.get(f"{shop.url}/fills") as answer:
        assert [fill["trade_id"] for fill in await answer.json()] == ids


async def test_a_fault_for_one_path_and_method_only() -> None:
    async with Shop("rest-status:503,method=DELETE,path=/orders/*") as shop:
        assert (await shop.order())[0] == 200
        async with shop.client.delete(f"{shop.url}/orders/o-1") as answer:
            assert answer.status == 503


# -- WebSockets, on a server ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [401, 403, 429, 503])
async def test_a_refused_upgrade(code: int) -> None:
    async with Shop(f"upgrade-status:{code}") as shop:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await shop.client.ws_connect(f"{shop.url}/feed")
        assert caught.value.status == code


async def test_accepted_and_closed_again_and_again() -> None:
    async with Shop("upgrade-close:times=3") as shop:
        for _ in range(3):
            async with shop.client.ws_connect(f"{shop.url}/feed") as feed:
                assert (await feed.receive(timeout=2)).type is aiohttp.WSMsgType.CLOSE
        async with shop.client.ws_connect(f"{shop.url}/feed") as feed:
            await feed.send_str("next")
            assert (await feed.receive(timeout=2)).data == FOUR[0]


async def test_a_handshake_that_is_never_answered() -> None:
    async with Shop("upgrade-stall") as shop:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(shop.client.ws_connect(f"{shop.url}/feed"), 0.2)


async def test_a_connection_that_is_reset() -> None:
    async with Shop("ws-reset") as shop:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(shop.url).port)
        writer.write(
            b"GET /feed HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
        writer.write(b"\x81\x81\x00\x00\x00\x00a")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 2)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("ws-close:1013", aiohttp.WSMsgType.CLOSE, 1013),
        ("ws-utf8", aiohttp.WSMsgType.ERROR, 1007),
        ("ws-binary", aiohttp.WSMsgType.BINARY, None),
        ("ws-bomb:8", aiohttp.WSMsgType.ERROR, 1002),
        ("ws-huge:5", aiohttp.WSMsgType.ERROR, 1009),
        ("ws-fragments:5", aiohttp.WSMsgType.ERROR, 1009),
        ("ws-half-close", aiohttp.WSMsgType.CLOSED, 1006),
    ],
)
async def test_what_a_client_sees(fault: str, kind: aiohttp.WSMsgType, code: int | None) -> None:
    async with Shop(fault) as shop, shop.client.ws_connect(f"{shop.url}/feed", compress=0) as feed:
        await feed.send_str("next")
        message = await feed.receive(timeout=3)
        assert message.type is kind
        if message.type is aiohttp.WSMsgType.CLOSE:
            assert message.data == code
        elif code is not None:
            assert feed.close_code == code


def test_flipped_bits_differ_by_seed_and_repeat_with_it() -> None:
    def flipped(seed: int) -> list[bytes]:
        (step,) = Line("ws-flip", seed=seed).steps(FOUR[0])
        assert isinstance(step, Wire)
        return list(step.pieces)

    assert flipped(1) == flipped(1)
    assert flipped(1) != flipped(2)
