"""Faults of REST: what becomes of a request and of its answer; and of a WebSocket that is being opened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Final, Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from engine.local_venue.faults import answers
from engine.local_venue.faults.catalogue import Place
from engine.local_venue.faults.plan import Fault, FaultPlan, Occasion

_LOOK_EVERY_S: Final = 0.02


class Strangers(Protocol):
    """What other people do to our orders when a fault wants it."""

    def trade_part(self, order_id: str, part: Decimal) -> None:
        """Somebody trades this part of what is open of an order; more than 1 is more than there is of it."""
        ...

    def fill_late(self, order_id: str, part: Decimal) -> None:
        """This part of what an ended order had left turns out to be filled."""
        ...


def fault_middleware(plan: FaultPlan, strangers: Strangers) -> Middleware:
    """Lets every request pass through the plan; to be the outermost of the application's middlewares."""

    @web.middleware
    async def strike(request: web.Request, handler: Handler) -> web.StreamResponse:
        if plan.is_idle or request.path.startswith("/_control/"):
            return await handler(request)
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            faults = plan.strikes_at(Occasion(Place.UPGRADE, request.path))
            return await (_refused_upgrade(request, faults[0]) if faults else handler(request))
        faults = [fault for place in _places(request) for fault in plan.strikes_at(_occasion(place, request))]
        call = handler
        for fault in reversed(faults):  # the first that was armed is the outermost
            call = _wrapped(fault, call, strangers)
        return await call(request)

    return strike


def _occasion(place: Place, request: web.Request) -> Occasion:
    return Occasion(place, request.path, request.method)


def _places(request: web.Request) -> list[Place]:
    """What a request is to the plan: always a request, and perhaps one of three in particular."""
    path = request.path.removeprefix("/api/v3/brokerage")
    if request.method == "POST" and path == "/orders":
        return [Place.ORDER, Place.REQUEST]
    if (request.method == "POST" and path == "/orders/batch_cancel") or request.method == "DELETE":
        return [Place.CANCEL, Place.REQUEST]
    if path in ("/fills", "/orders/historical/fills"):
        return [Place.FILLS, Place.REQUEST]
    return [Place.REQUEST]


_Treatment = Callable[[web.Request, Fault, Handler, Strangers], Awaitable[web.StreamResponse]]


def _wrapped(fault: Fault, handler: Handler, strangers: Strangers) -> Handler:
    treatment = _TREATMENTS[fault.kind.name]

    async def treated(request: web.Request) -> web.StreamResponse:
        return await treatment(request, fault, handler, strangers)

    return treated


# -- connections that end ---------------------------------------------------------------------------


def hang_up(request: web.Request) -> web.Response:
    """End the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _drop_request(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await request.read()
    return hang_up(request)


async def _drop_answer(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await _answer(handler, request)
    return hang_up(request)


async def _truncate(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    answer = await _answer(handler, request)
    body = _body(answer)
    half = web.StreamResponse(status=answer.status, headers={hdrs.CONTENT_TYPE: "application/json"})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # unlike abort, after what was written
    return half


# -- answers that come late -------------------------------------------------------------------------


async def _act_late(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await request.read()
    await asyncio.sleep(fault.number)
    return await handler(request)


async def _answer_late(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    answer = await _answer(handler, request)
    await asyncio.sleep(fault.number)
    return answer


# -- answers that say something else ----------------------------------------------------------------


async def _refuse(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await request.read()
    return answers.refusal(int(fault.number))


async def _limit_rate(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await request.read()
    return answers.rate_refusal(fault.argument, is_advanced=_is_advanced(request))


async def _redirect(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await request.read()
    return web.Response(status=307, headers={hdrs.LOCATION: fault.argument})


async def _web_page(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await _answer(handler, request)
    return answers.web_page(200)


async def _garbage(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    body = _body(await _answer(handler, request))
    return web.Response(body=body[:-1] + b",", content_type="application/json")


async def _wrong_json(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await _answer(handler, request)
    return web.json_response([{"of": "another shape"}])


async def _reject_order(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    await request.read()
    return answers.order_refusal(fault.argument, is_advanced=_is_advanced(request))


async def _reject_cancel(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    body = await request.read()
    if not _is_advanced(request):
        return answers.exchange_cancel_refusal(fault.argument)
    return answers.advanced_cancel_refusal(fault.argument, json.loads(body or b"{}").get("order_ids", []))


async def _change_fills(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    answer = await _answer(handler, request)
    return answers.changed_fills(answer, fault.kind.name)


# -- strangers ----------------------------------------------------------------------------------------


async def _stranger_trades(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    answer = await _answer(handler, request)
    order_id = answers.order_id_of(_body(answer))
    if order_id:
        strangers.trade_part(order_id, Decimal(fault.argument))
    return answer


async def _stranger_trades_first(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    for order_id in await _cancelled_ids(request):
        strangers.trade_part(order_id, Decimal(fault.argument))
    return await handler(request)


async def _fill_turns_up(
    request: web.Request, fault: Fault, handler: Handler, strangers: Strangers
) -> web.StreamResponse:
    ids = await _cancelled_ids(request)
    answer = await _answer(handler, request)
    for order_id in ids:
        strangers.fill_late(order_id, Decimal(fault.argument))
    return answer


async def _cancelled_ids(request: web.Request) -> list[str]:
    """The orders that a request wants to cancel by name; `client:…` is a name by our id."""
    if _is_advanced(request):
        ids = json.loads(await request.read() or b"{}").get("order_ids", [])
        return [str(order_id) for order_id in ids]
    name = request.path.removeprefix("/orders").strip("/")
    return [name] if name else []


_TREATMENTS: Final[dict[str, _Treatment]] = {
    "rest-drop-request": _drop_request,
    "rest-drop-answer": _drop_answer,
    "rest-delay": _act_late,
    "rest-late-answer": _answer_late,
    "rest-status": _refuse,
    "rest-429": _limit_rate,
    "rest-html": _web_page,
    "rest-truncated": _truncate,
    "rest-garbage": _garbage,
    "rest-wrong-json": _wrong_json,
    "rest-redirect": _redirect,
    "order-lost": _drop_request,
    "order-ack-lost": _drop_answer,
    "order-ack-late": _answer_late,
    "order-fill-first": _stranger_trades,
    "order-overfill": _stranger_trades,
    "order-reject": _reject_order,
    "cancel-reject": _reject_cancel,
    "cancel-fill-first": _stranger_trades_first,
    "cancel-fill-after": _fill_turns_up,
    "fills-duplicate": _change_fills,
    "fills-reversed": _change_fills,
    "fills-empty": _change_fills,
}


# -- WebSockets that are not opened -------------------------------------------------------------------


async def _refused_upgrade(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind.name == "upgrade-status":
        return answers.refusal(int(fault.number))
    if fault.kind.name == "upgrade-close":
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket
    # Looked at now and then: the server tells a handler nothing of a connection that ends.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY_S)
    return web.Response()


async def _answer(handler: Handler, request: web.Request) -> web.StreamResponse:
    """The answer, also where the handler raises it."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return answer


def _body(answer: web.StreamResponse) -> bytes:
    body = answer.body if isinstance(answer, web.Response) else None
    return bytes(body) if isinstance(body, bytes | bytearray) else b""


def _is_advanced(request: web.Request) -> bool:
    return request.path.startswith("/api/v3/")
