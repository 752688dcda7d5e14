"""Every call of both brokers, against the local venue: another reading of the same protocol."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from local_venue.certificates import bad_context
from rest_kit import APIS
from tls_kit import tls_server

from engine.core.clock import ManualClock, SystemClock
from engine.core.order import Side, TimeInForce
from engine.exchange.coinbase.broker import (
    AuthenticationError,
    Broker,
    BrokerError,
    NewOrder,
    OrderRef,
    Outcome,
    SubmitAnswer,
    VenueFill,
)
from engine.exchange.coinbase.keys import parse_key_document, read_key_file
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE, NetworkSettings
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.local_venue.keys import Algorithm, Rights, make_cdp_key, make_exchange_key, write_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import FAILURE, VenueSettings
from engine.local_venue.tls import server_context, tls_files

ONE = Decimal("0.001")


class Desk(NamedTuple):
    """A venue and our account at it."""

    venue: LocalVenue
    broker: Broker
    api: str


def _broker(
    venue: LocalVenue, api: str, folder: Path, *, ca_file: Path | None = None, key_index: int = 0
) -> Broker:
    keys = venue.cdp_keys if api == ADVANCED else venue.exchange_keys
    key = read_key_file(write_key(folder / f"keys-{key_index}", keys[key_index]), api)
    endpoints = NetworkSettings(endpoint=venue.url).endpoints(api)
    return broker_for(
        api,
        endpoints,
        key,
        clock=SystemClock(),
        ca_file=None if ca_file is None else str(ca_file),
        answer_timeout_s=5.0,
    )


@pytest.fixture(params=APIS)
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    async with LocalVenue(VenueSettings()) as venue:
        broker = _broker(venue, request.param, tmp_path)
        await broker.open()
        yield Desk(venue, broker, request.param)
        await broker.close()


async def _rest(desk: Desk, side: Side = Side.BUY, size: Decimal = ONE) -> tuple[NewOrder, SubmitAnswer]:
    """An order of ours that rests far from the market."""
    top = await desk.broker.book_top("BTC-USD", 1)
    far = Decimal("0.5") if side is Side.BUY else Decimal("1.5")
    price = (top.bids[0][0] * far).quantize(Decimal("0.01"))
    order = NewOrder(str(uuid.uuid4()), "BTC-USD", side, size, price, post_only=True)
    answer = await desk.broker.submit(order)
    assert answer.outcome is Outcome.ACCEPTED, answer
    return order, answer


async def test_the_clock_was_measured(desk: Desk) -> None:
    offset_ns = desk.broker.clock_offset_ns
    assert offset_ns is not None
    assert abs(offset_ns) < 10**9


async def test_products(desk: Desk) -> None:
    every = await desk.broker.products()
    assert {"BTC-USD", "ETH-USD"} <= set(every)
    some = await desk.broker.products(["ETH-USD", "NO-SUCH", "BTC-USD"])
    assert list(some) == ["ETH-USD", "BTC-USD"]
    state = some["BTC-USD"]
    assert state.is_tradable, state.note
    assert (state.instrument.tick, state.instrument.lot) == (Decimal("0.01"), Decimal("0.00000001"))
    desk.venue.core.products["BTC-USD"].trading_disabled = True
    halted = (await desk.broker.products(["BTC-USD"]))["BTC-USD"]
    assert not halted.is_tradable
    assert "disabled" in halted.note


async def test_account(desk: Desk) -> None:
    rights = await desk.broker.permissions()
    assert rights.can_view is True
    if desk.api == ADVANCED:
        assert (rights.can_trade, rights.can_transfer) == (True, False)
    rates = await desk.broker.fees()
    assert 0 < rates.maker_bps < rates.taker_bps < 200
    before = await desk.broker.balances()
    assert (before["USD"].total, before["BTC"].total) == (Decimal(1_000_000), Decimal(10))
    order, _ = await _rest(desk)
    after = (await desk.broker.balances())["USD"]
    assert order.price is not None
    assert after.hold >= order.price * order.size
    assert after.total == before["USD"].total


async def test_an_order_is_asked_for_once_more_whether_it_may_leave(desk: Desk) -> None:
    resting, _ = await _rest(desk)
    order = msgspec.structs.replace(resting, client_id=str(uuid.uuid4()))
    kept = await desk.broker.submit(order, lambda: "the engine was killed")
    assert (kept.outcome, kept.code, kept.reason) == (Outcome.NOT_SENT, "BARRED", "the engine was killed")
    assert len(desk.venue.core.orders()) == 1
    assert (await desk.broker.submit(order, lambda: "")).outcome is Outcome.ACCEPTED


async def test_the_life_of_an_order(desk: Desk) -> None:
    broker = desk.broker
    order, answer = await _rest(desk, Side.SELL)
    ref = OrderRef(answer.order_id, product="BTC-USD")
    report = await broker.order(ref)
    assert report is not None
    assert (report.client_order_id, report.side, report.status) == (order.client_id, Side.SELL, "OPEN")
    assert (report.limit_price, report.filled, report.remaining) == (order.price, 0, ONE)
    assert report.post_only
    assert [found.order_id for found in await broker.live_orders()] == [answer.order_id]
    assert await broker.live_orders("ETH-USD") == []
    assert await broker.order(OrderRef(client_id=order.client_id, product="BTC-USD")) == report

    desk.venue.core.trade_against(answer.order_id, ONE / 4)
    (fill,) = await broker.fills("BTC-USD", answer.order_id)
    assert (fill.price, fill.size, fill.side, fill.is_maker) == (order.price, ONE / 4, Side.SELL, True)
    assert fill.fee > 0
    assert abs(fill.time_ns - SystemClock().wall_ns()) < 60 * 10**9
    report = await broker.order(ref)
    assert report is not None
    assert (report.filled, report.remaining, report.fees) == (ONE / 4, ONE * 3 / 4, fill.fee)
    assert report.filled_value == fill.price * fill.size

    (cancelled,) = await broker.cancel([ref])
    assert cancelled.outcome is Outcome.ACCEPTED
    assert await broker.live_orders() == []
    report = await broker.order(ref)
    assert report is not None
    assert (report.status, report.filled, report.remaining) == ("CANCELLED", ONE / 4, 0)
    (again,) = await broker.cancel([ref])
    assert again.outcome is Outcome.REFUSED, again


async def test_an_order_that_never_was(desk: Desk) -> None:
    broker = desk.broker
    nobody = str(uuid.uuid4())
    assert await broker.order(OrderRef(nobody)) is None
    assert await broker.order(OrderRef(client_id=nobody)) is None
    since_ns = SystemClock().wall_ns()
    assert await broker.order(OrderRef(client_id=nobody, since_ns=since_ns)) is None
    (answer,) = await broker.cancel([OrderRef(nobody)])
    assert answer.outcome is Outcome.REFUSED, answer
    (answer,) = await broker.cancel([OrderRef(client_id=nobody)])
    assert answer.outcome is (Outcome.REFUSED if broker.can_find_by_client_id else Outcome.NOT_SENT)


async def test_an_order_by_our_own_id(desk: Desk) -> None:
    order, answer = await _rest(desk)
    mine = OrderRef(client_id=order.client_id, since_ns=SystemClock().wall_ns())
    found = await desk.broker.order(mine)
    assert found is not None
    assert found.order_id == answer.order_id
    await desk.broker.cancel([OrderRef(answer.order_id)])
    found = await desk.broker.order(mine)
    if desk.api == EXCHANGE:
        assert found is None, "an order that ended without a fill is forgotten there"
    else:
        assert found is not None
        assert found.status == "CANCELLED"


async def test_the_same_id_twice_is_one_order(desk: Desk) -> None:
    order, answer = await _rest(desk)
    again = await desk.broker.submit(order)
    if desk.api == ADVANCED:
        assert (again.outcome, again.order_id) == (Outcome.ACCEPTED, answer.order_id)
    else:
        assert again.outcome is not Outcome.NOT_SENT
    assert len(await desk.broker.live_orders()) == 1


async def test_a_duplicate_that_is_refused_is_a_question(tmp_path: Path) -> None:
    async with LocalVenue(VenueSettings(duplicate_client_id=FAILURE)) as venue:
        broker = _broker(venue, ADVANCED, tmp_path)
        await broker.open()
        order, _ = await _rest(Desk(venue, broker, ADVANCED))
        again = await broker.submit(order)
        assert (again.outcome, again.code) == (Outcome.UNKNOWN, "DUPLICATE_CLIENT_ORDER_ID")
        await broker.close()


async def test_a_post_only_order_that_would_trade_is_refused(desk: Desk) -> None:
    top = await desk.broker.book_top("BTC-USD", 5)
    order = NewOrder(str(uuid.uuid4()), "BTC-USD", Side.BUY, ONE, top.asks[-1][0] * 2, post_only=True)
    answer = await desk.broker.submit(order)
    assert answer.outcome is Outcome.REFUSED, answer
    assert "post-only" in answer.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"price": Decimal("50000.001")}, "price increment"),
        ({"size": Decimal("1000"), "price": Decimal("20000")}, "money"),
    ],
)
async def test_what_the_venue_refuses_comes_with_its_reason(
    desk: Desk, change: dict[str, Decimal], words: str
) -> None:
    order = NewOrder(
        str(uuid.uuid4()),
        "BTC-USD",
        Side.BUY,
        change.get("size", ONE),
        change["price"],
        post_only=True,
    )
    answer = await desk.broker.submit(order)
    assert answer.outcome is Outcome.REFUSED, answer
    assert answer.code
    assert words in answer.reason


@pytest.mark.parametrize("time_in_force", [TimeInForce.IOC, TimeInForce.FOK])
async def test_an_order_that_takes(desk: Desk, time_in_force: TimeInForce) -> None:
    top = await desk.broker.book_top("BTC-USD", 3)
    order = NewOrder(
        str(uuid.uuid4()),
        "BTC-USD",
        Side.BUY,
        Decimal("0.0001"),
        (top.asks[-1][0] * Decimal("1.01")).quantize(Decimal("0.01")),
        time_in_force,
    )
    answer = await desk.broker.submit(order)
    assert answer.outcome is Outcome.ACCEPTED, answer
    report = await desk.broker.order(OrderRef(answer.order_id))
    assert report is not None
    assert (report.status, report.filled) == ("FILLED", order.size)
    fills = await desk.broker.fills(order_id=answer.order_id)
    assert sum(fill.size for fill in fills) == order.size
    assert not any(fill.is_maker for fill in fills)
    assert sum(fill.fee for fill in fills) == report.fees


async def test_a_market_order(desk: Desk) -> None:
    order = NewOrder(str(uuid.uuid4()), "BTC-USD", Side.SELL, Decimal("0.0001"), None, TimeInForce.IOC)
    answer = await desk.broker.submit(order)
    assert answer.outcome is Outcome.ACCEPTED, answer
    assert sum(fill.size for fill in await desk.broker.fills(order_id=answer.order_id)) == order.size


async def test_an_edit(desk: Desk) -> None:
    order, answer = await _rest(desk)
    assert order.price is not None
    edited = await desk.broker.edit(OrderRef(answer.order_id), order.price - 1, ONE * 2)
    if desk.api == EXCHANGE:
        assert (edited.outcome, edited.code) == (Outcome.REFUSED, "NO_EDIT")
        return
    assert (edited.outcome, edited.order_id) == (Outcome.ACCEPTED, answer.order_id)
    report = await desk.broker.order(OrderRef(answer.order_id))
    assert report is not None
    assert (report.limit_price, report.remaining) == (order.price - 1, ONE * 2)
    again = await desk.broker.edit(OrderRef(answer.order_id), order.price - 1, ONE * 2)
    assert again.outcome is Outcome.REFUSED, again


async def test_a_gtd_order(tmp_path: Path) -> None:
    async with LocalVenue() as venue:
        broker = _broker(venue, ADVANCED, tmp_path)
        await broker.open()
        end_ns = SystemClock().wall_ns() + 3_600 * 10**9
        order = NewOrder(
            str(uuid.uuid4()),
            "BTC-USD",
            Side.BUY,
            ONE,
            Decimal(1_000),
            TimeInForce.GTD,
            post_only=True,
            end_time_ns=end_ns,
        )
        answer = await broker.submit(order)
        assert answer.outcome is Outcome.ACCEPTED, answer
        report = await broker.order(OrderRef(answer.order_id))
        assert report is not None
        assert (report.time_in_force, report.post_only) == ("GOOD_UNTIL_DATE_TIME", True)
        await broker.close()


async def test_many_orders_are_listed_and_cancelled_whole(desk: Desk) -> None:
    core = desk.venue.core
    ids = [
        core.external_order("BTC-USD", Side.BUY, ONE, Decimal(1_000 + number)).order_id
        for number in range(23)
    ]
    assert {report.order_id for report in await desk.broker.live_orders("BTC-USD")} == set(ids)
    answers = await desk.broker.cancel([OrderRef(order_id, product="BTC-USD") for order_id in ids])
    assert [answer.ref.order_id for answer in answers] == ids
    assert {answer.outcome for answer in answers} == {Outcome.ACCEPTED}
    assert await desk.broker.live_orders() == []


async def test_fills_are_told_oldest_first(desk: Desk) -> None:
    _, answer = await _rest(desk, size=ONE * 10)
    for part in range(1, 5):
        desk.venue.core.trade_against(answer.order_id, ONE * part)
    fills = await desk.broker.fills("BTC-USD")
    assert [fill.size for fill in fills] == [ONE * part for part in range(1, 5)]
    assert len({fill.fill_id for fill in fills}) == 4
    later: list[VenueFill] = await desk.broker.fills("BTC-USD", since_ns=fills[-1].time_ns + 10**9)
    assert later == []


async def test_the_top_of_the_book(desk: Desk) -> None:
    top = await desk.broker.book_top("BTC-USD", 4)
    bids, asks = [price for price, _ in top.bids], [price for price, _ in top.asks]
    assert (len(bids), len(asks)) == (4, 4)
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert all(size > 0 for _, size in (*top.bids, *top.asks))


async def test_an_ed25519_key(tmp_path: Path) -> None:
    async with LocalVenue(cdp_keys=[make_cdp_key(Algorithm.EDDSA)]) as venue:
        broker = _broker(venue, ADVANCED, tmp_path)
        await broker.open()
        assert (await broker.permissions()).can_trade
        await broker.close()


@pytest.mark.parametrize("api", APIS)
async def test_a_key_that_may_only_look(tmp_path: Path, api: str) -> None:
    looking = Rights(view=True, trade=False)
    venue = LocalVenue(cdp_keys=[make_cdp_key(rights=looking)], exchange_keys=[make_exchange_key(looking)])
    async with venue:
        broker = _broker(venue, api, tmp_path)
        await broker.open()
        await broker.balances()
        rights = await broker.permissions()
        assert rights.can_trade is (False if api == ADVANCED else None)
        order = NewOrder(str(uuid.uuid4()), "BTC-USD", Side.BUY, ONE, Decimal(1_000), post_only=True)
        answer = await broker.submit(order)
        assert answer.outcome is Outcome.REFUSED, answer
        await broker.close()


@pytest.mark.parametrize("api", APIS)
async def test_a_key_that_the_venue_does_not_know(tmp_path: Path, api: str) -> None:
    async with LocalVenue() as other, LocalVenue() as venue:
        strange = _broker(other, api, tmp_path)
        broker = broker_for(
            api,
            NetworkSettings(endpoint=venue.url).endpoints(api),
            read_key_file(next((tmp_path / "keys-0").iterdir()), api),
            clock=SystemClock(),
        )
        await broker.open()
        with pytest.raises(AuthenticationError, match="does not take the key") as refused:
            await broker.balances()
        assert refused.value.code == "UNAUTHORISED"
        order = NewOrder(str(uuid.uuid4()), "BTC-USD", Side.BUY, ONE, Decimal(1_000), post_only=True)
        assert (await broker.submit(order)).outcome is Outcome.REFUSED
        await broker.close()
        await strange.close()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("off_s", [-7_200, 7_200])
async def test_a_machine_whose_clock_is_off_still_signs_with_the_venues_time(
    tmp_path: Path, api: str, off_s: int
) -> None:
    async with LocalVenue() as venue:
        keys = venue.cdp_keys if api == ADVANCED else venue.exchange_keys
        key = read_key_file(write_key(tmp_path, keys[0]), api)
        clock = ManualClock(wall_ns=SystemClock().wall_ns() + off_s * 10**9)
        broker = broker_for(api, NetworkSettings(endpoint=venue.url).endpoints(api), key, clock=clock)
        await broker.open()
        assert broker.clock_offset_ns == pytest.approx(-off_s * 10**9, abs=5 * 10**9)
        await broker.balances()
        await broker.close()


@pytest.mark.parametrize("api", APIS)
async def test_without_a_key_the_public_calls_work_and_the_others_say_so(api: str) -> None:
    async with LocalVenue() as venue:
        endpoints = NetworkSettings(endpoint=venue.url).endpoints(api)
        broker = broker_for(api, endpoints, None, clock=SystemClock(), answer_timeout_s=5.0)
        await broker.open()
        assert "BTC-USD" in await broker.products()
        assert (await broker.book_top("BTC-USD", 1)).bids
        order = NewOrder(str(uuid.uuid4()), "BTC-USD", Side.BUY, ONE, Decimal(1_000))
        for call in (
            broker.balances,
            broker.fees,
            broker.permissions,
            broker.live_orders,
            lambda: broker.fills("BTC-USD"),
            lambda: broker.order(OrderRef("x")),
            lambda: broker.submit(order),
            lambda: broker.cancel([OrderRef("x")]),
            lambda: broker.edit(OrderRef("x"), ONE, ONE),
        ):
            with pytest.raises(AuthenticationError, match="--key-file") as refused:
                await call()
            assert refused.value.code == "NO_KEY"
        await broker.close()


@pytest.mark.parametrize("api", APIS)
async def test_over_tls_with_an_authority_of_its_own(tmp_path: Path, api: str) -> None:
    files = tls_files(tmp_path / "tls", SystemClock())
    async with LocalVenue(ssl_context=server_context(files)) as venue:
        broker = _broker(venue, api, tmp_path, ca_file=files.ca)
        await broker.open()
        assert (await broker.balances())["BTC"].total == 10
        await broker.close()
        suspicious = _broker(venue, api, tmp_path)
        with pytest.raises(BrokerError, match=r"certificate .* is not trusted") as refused:
            await suspicious.open()
        assert refused.value.code == "TLS"


@pytest.mark.parametrize("fault", ["self-signed", "expired", "wrong-host", "tls-1.0"])
async def test_a_certificate_that_is_not_right_is_never_accepted(tmp_path: Path, fault: str) -> None:
    context, trusted = bad_context(tmp_path, fault)
    with tls_server(context) as port:
        endpoints = NetworkSettings(endpoint=f"https://127.0.0.1:{port}").endpoints(ADVANCED)
        key = parse_key_document(make_cdp_key().file_content().encode(), ADVANCED)
        broker = broker_for(ADVANCED, endpoints, key, clock=SystemClock(), ca_file=str(trusted))
        with pytest.raises(BrokerError) as refused:
            await broker.open()
        assert refused.value.code == "TLS"
        assert "nothing was sent" in str(refused.value)
