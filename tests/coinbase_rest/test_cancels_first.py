"""Cancels leave whatever else waits for the venue, and no order leaves later than it was decided for."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from random import Random
from typing import Any, cast

import pytest
from http_kit import Answer, HttpServer, Request, Silence, Step
from rest_kit import APIS, KEYS, MakeBroker
from virtual_time import LoopClock, run_virtual
from waiting import until

from engine.core.clock import ManualClock
from engine.core.order import Side
from engine.exchange.coinbase.broker import Broker, NewOrder, OrderRef, Outcome
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE, Endpoints
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.exchange.coinbase.rest.http import HttpAnswer, HttpTransport
from engine.exchange.coinbase.rest.rate_budget import LIMITS, Purpose, RateBudget
from engine.exchange.coinbase.rest.rest_broker import RestBroker
from engine.exchange.coinbase.rest.rest_client import Doubt, RestClient
from engine.exchange.live.sweeping import sweep

ORDER = NewOrder(
    "d50ec974-76a2-454b-66f1-35b1ea8c0000",
    "BTC-USD",
    Side.BUY,
    Decimal("0.001"),
    Decimal("60000.1"),
    post_only=True,
)
CANCELLED = {ADVANCED: {"results": [{"success": True, "order_id": "o-1"}]}}


@pytest.mark.parametrize("api", APIS)
async def test_a_venue_that_answers_no_order_does_not_keep_a_cancel_waiting(
    broker_at: MakeBroker, api: str
) -> None:
    def handler(request: Request) -> Step:
        is_cancel = request.method == "DELETE" or request.path.endswith("batch_cancel")
        return Answer(200, CANCELLED.get(api, "o-1")) if is_cancel else Silence()

    async with HttpServer(handler) as server:
        broker = await broker_at(server.url, api, timeout_s=5.0)
        submits = [asyncio.create_task(broker.submit(ORDER)) for _ in range(16)]
        await until(lambda: len(server.requests) == 16)
        asking = asyncio.create_task(broker.live_orders())
        try:
            async with asyncio.timeout(0.5):
                (answer,) = await broker.cancel([OrderRef("o-1", "", "BTC-USD")])
            assert answer.outcome is Outcome.ACCEPTED
        finally:
            for task in (*submits, asking):
                task.cancel()
            await asyncio.gather(*submits, asking, return_exceptions=True)


class Counting:
    """A transport that counts what leaves."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, method: str, target: str, **more: Any) -> HttpAnswer:
        self.sent.append(method)
        return HttpAnswer(200, {}, b"{}")


@pytest.mark.parametrize(("oversleeps_s", "leaves"), [(0.01, True), (5.0, False)])
async def test_an_order_that_overslept_its_turn_is_not_sent_and_a_cancel_is(
    oversleeps_s: float, leaves: bool
) -> None:
    """A process that was stopped while an order waited for its turn wakes long after the gate let it pass."""
    clock = ManualClock(wall_ns=1_800_000_000 * 10**9)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(round((seconds + oversleeps_s) * 1e9))

    transport = Counting()
    client = RestClient(
        cast(HttpTransport, transport), KEYS[ADVANCED], LIMITS[ADVANCED], clock=clock, answer_timeout_s=2.0
    )
    client._budget = RateBudget(LIMITS[ADVANCED], clock, Random(1), sleep=sleep)
    answer: HttpAnswer | Doubt | None = None
    while not slept:
        answer = await client.command(Purpose.ORDER, "POST", "/orders", b"{}")
    burst = LIMITS[ADVANCED].private.burst - LIMITS[ADVANCED].reserve.burst
    assert len(transport.sent) == burst + leaves
    if not leaves:
        assert isinstance(answer, Doubt)
        assert answer.outcome is Outcome.NOT_SENT
        assert "nothing was sent" in answer.reason
    slept.clear()
    transport.sent.clear()
    while not slept:
        await client.command(Purpose.CANCEL, "POST", "/orders/batch_cancel", b"{}")
        assert len(transport.sent) < 100
    assert isinstance(await client.command(Purpose.CANCEL, "POST", "/batch_cancel", b"{}"), HttpAnswer)


class Exchange:
    """Coinbase Exchange as a transport: cancels end orders, 40 ms there and 40 ms back."""

    def __init__(self, count: int) -> None:
        self.live = {
            f"o{n}": {
                "id": f"o{n}",
                "product_id": "BTC-USD",
                "side": "buy",
                "status": "open",
                "client_oid": f"c{n}",
                "size": "1",
                "price": "1",
            }
            for n in range(count)
        }
        self.cancels: list[str] = []

    async def send(self, method: str, target: str, **more: Any) -> HttpAnswer:
        await asyncio.sleep(0.04)
        answer = self._cancelled(target) if method == "DELETE" else self._listed(target)
        await asyncio.sleep(0.04)
        return answer

    def _cancelled(self, target: str) -> HttpAnswer:
        order_id = target.partition("?")[0].rpartition("/")[2]
        self.cancels.append(order_id)
        if self.live.pop(order_id, None) is None:
            return HttpAnswer(404, {}, b'{"message": "order not found"}')
        return HttpAnswer(200, {}, json.dumps(order_id).encode())

    def _listed(self, target: str) -> HttpAnswer:
        if "after=" in target:
            return HttpAnswer(200, {}, b"[]")
        return HttpAnswer(200, {"CB-AFTER": "next"}, json.dumps(list(self.live.values())).encode())


def exchange_broker(venue: Exchange) -> Broker:
    clock = LoopClock(asyncio.get_running_loop())
    broker = broker_for(EXCHANGE, Endpoints("http://127.0.0.1:9", "", ""), KEYS[EXCHANGE], clock=clock)
    assert isinstance(broker, RestBroker)
    broker._client._transport = cast(HttpTransport, venue)
    return broker


@pytest.mark.parametrize(("count", "within_s"), [(20, 2), (100, 12), (300, 30)])
def test_a_kill_of_many_orders_takes_as_long_as_the_rate_limit_wants_and_no_longer(
    count: int, within_s: float
) -> None:
    """This API cancels one order a request: asking again before the turn comes must not eat the budget."""

    async def kill() -> None:
        venue = Exchange(count)
        report = await sweep(
            exchange_broker(venue),
            lambda client_id: client_id.startswith("c"),
            ("BTC-USD",),
            LoopClock(asyncio.get_running_loop()),
            asyncio.sleep,
            lambda round_: None,
        )
        assert report.is_proven
        assert len(report.cancelled) == count
        assert report.took_ns < within_s * 1e9
        assert len(venue.cancels) < 1.2 * count

    run_virtual(kill())


def test_a_cancel_that_was_taken_up_is_sent_again_unless_others_wait_for_their_first_turn() -> None:
    async def work() -> None:
        venue = Exchange(100)
        broker = exchange_broker(venue)
        refs = [OrderRef(order_id, "", "BTC-USD") for order_id in venue.live]
        await broker.cancel(refs[:1])
        await broker.cancel(refs[:1])
        assert venue.cancels == ["o0", "o0"]
        others = asyncio.create_task(broker.cancel(refs[1:]))
        await asyncio.sleep(0.5)
        (again,) = await broker.cancel(refs[:1])
        assert again.outcome is Outcome.ACCEPTED
        assert venue.cancels.count("o0") == 2
        await asyncio.sleep(2)
        assert not others.done()
        (again,) = await broker.cancel(refs[:1])
        assert again.outcome is Outcome.REFUSED
        assert venue.cancels.count("o0") == 3
        await others

    run_virtual(work())


def test_a_cancel_that_waits_for_its_turn_is_not_queued_twice() -> None:
    async def work() -> None:
        venue = Exchange(100)
        broker = exchange_broker(venue)
        refs = [OrderRef(order_id, "", "BTC-USD") for order_id in venue.live]
        first = asyncio.create_task(broker.cancel(refs))
        await asyncio.sleep(0.5)
        again = await broker.cancel(refs)
        assert {answer.code for answer in again if answer.outcome is Outcome.NOT_SENT} == {"WAITING"}
        assert {answer.outcome for answer in await first} == {Outcome.ACCEPTED}
        assert len(venue.cancels) <= 100 + 8
        # One that was given up while it waited is not taken for one that waits.
        venue = Exchange(100)
        broker = exchange_broker(venue)
        given_up = asyncio.create_task(broker.cancel(refs))
        await asyncio.sleep(0.5)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert not [answer for answer in await broker.cancel(refs) if answer.code == "WAITING"]

    run_virtual(work())
