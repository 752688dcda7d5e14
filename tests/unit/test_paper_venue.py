"""The paper venue, rule by rule (strategy notes 10, protocol notes 10.1, conformance case 76)."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from engine.core.errors import UsageError
from engine.core.events import (
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    FeedState,
    FeedStatus,
    FillEvidence,
    Level,
    MarketEvent,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.order import OrderType, Side, TimeInForce
from engine.core.settings import require_valid
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule
from engine.exchange.paper import PaperSettings, PaperVenue

BUY, SELL = Side.BUY, Side.SELL
IOC = TimeInForce.IOC
MS = 1_000_000
WALL = 1_700_000_000_000_000_000
INSTANT = PaperSettings(order_latency_ms=0, answer_latency_ms=0)
INSTRUMENT = Instrument.create(
    "X-USD", tick="0.01", lot="0.001", min_size="0.002", max_size="1", min_notional="0.004"
)
FEES = FeeSchedule.from_bps(Decimal(10), Decimal(20))


class Market:
    """A venue and a tape by hand: one event a millisecond, bids 99 x 40 and 98 x 50, asks 101, 102."""

    def __init__(self, settings: PaperSettings = INSTANT, *, quote: int = 10**9, base: int = 10**6) -> None:
        self.account = Account(INSTRUMENT, FEES, quote=quote, base=base)
        self.venue = PaperVenue(INSTRUMENT, self.account, settings)
        self.now = 0
        self.trade_id = 0
        self.answers: list[OrderEvent] = []
        self.status(FeedState.LIVE)
        self.snapshot([(99, 40), (98, 50)], [(101, 40), (102, 50)])

    def _times(self) -> tuple[str, int, int]:
        self.now += MS
        return "X-USD", self.now, WALL + self.now

    def _collect(self) -> list[OrderEvent]:
        new = self.venue.poll(self.now)
        self.answers += new
        return new

    def status(self, state: FeedState) -> list[OrderEvent]:
        self.venue.on_market(FeedStatus(*self._times(), state))
        return self._collect()

    def snapshot(self, bids: list[Level], asks: list[Level]) -> list[OrderEvent]:
        self.venue.on_market(BookSnapshot(*self._times(), bids, asks))
        return self._collect()

    def book(self, bids: list[Level] | None = None, asks: list[Level] | None = None) -> list[OrderEvent]:
        self.venue.on_market(BookUpdate(*self._times(), bids or [], asks or []))
        return self._collect()

    def trade(self, taker: Side, price: int, size: int) -> list[OrderEvent]:
        self.trade_id += 1
        self.venue.on_market(TradePrint(*self._times(), self.trade_id, price, size, taker))
        return self._collect()

    def order(
        self, client_id: str, side: Side, price: int | None, size: int, **more: Any
    ) -> list[OrderEvent]:
        self.venue.submit(SubmitOrder("X-USD", self.now, client_id, side, size, price, **more))
        return self._collect()

    def quote(self, client_id: str, side: Side, price: int, size: int) -> list[OrderEvent]:
        return self.order(client_id, side, price, size, post_only=True)

    def take(self, client_id: str, side: Side, price: int, size: int) -> list[OrderEvent]:
        return self.order(client_id, side, price, size, time_in_force=IOC)

    def market_order(self, client_id: str, side: Side, size: int) -> list[OrderEvent]:
        return self.order(client_id, side, None, size, order_type=OrderType.MARKET)

    def cancel(self, client_id: str) -> list[OrderEvent]:
        self.venue.cancel(CancelOrder("X-USD", self.now, client_id, reason="requote"))
        return self._collect()

    def fills(self) -> list[OrderFilled]:
        return [answer for answer in self.answers if isinstance(answer, OrderFilled)]


def only_fill(answers: list[OrderEvent]) -> OrderFilled:
    [fill] = answers
    assert isinstance(fill, OrderFilled)
    return fill


def rejection(answers: list[OrderEvent]) -> tuple[str, str]:
    [answer] = answers
    assert isinstance(answer, OrderRejected)
    return answer.code, answer.reason


# -- the life of a resting order -------------------------------------------------------------------


def test_a_quote_is_accepted_rests_and_can_be_cancelled() -> None:
    market = Market()
    [accepted] = market.quote("a", BUY, 99, 5)
    assert isinstance(accepted, OrderAccepted)
    assert (accepted.client_id, accepted.recv_ns, accepted.wall_ns) == ("a", market.now, WALL + market.now)
    assert market.venue.open_orders() == ["a"]
    assert market.venue.estimated_ahead("a") == 40
    assert market.account.quote_held > 0
    [cancelled] = market.cancel("a")
    assert isinstance(cancelled, OrderCancelled)
    assert (cancelled.remaining, cancelled.reason) == (5, "requote")
    assert market.venue.open_orders() == []
    assert market.venue.estimated_ahead("a") is None
    assert market.account.quote_held == 0


def test_cancel_of_an_unknown_or_finished_order_is_refused() -> None:
    market = Market()
    market.quote("a", BUY, 100, 5)
    market.trade(SELL, 100, 5)
    for client_id in ("a", "nobody"):
        [refused] = market.cancel(client_id)
        assert isinstance(refused, CancelRejected)
        assert (refused.client_id, refused.code) == (client_id, "UNKNOWN_CANCEL_ORDER")


def test_case_76_maker_fill_at_own_limit_with_maker_fee() -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    fill = only_fill(market.trade(SELL, 97, 1))
    assert (fill.price, fill.size, fill.is_maker, fill.side) == (99, 5, True, BUY)
    assert fill.fee == -(-INSTRUMENT.notional(99, 5) * 10 // 10_000)
    market.quote("b", SELL, 101, 5)
    assert only_fill(market.trade(BUY, 105, 1)).price == 101


def test_prints_at_the_price_use_up_the_queue_first() -> None:
    market = Market()
    market.book(bids=[(99, 100)])
    market.quote("a", BUY, 99, 50)
    assert market.trade(SELL, 99, 80) == []
    assert market.venue.estimated_ahead("a") == 20
    first = only_fill(market.trade(SELL, 99, 30))
    assert (first.size, first.evidence) == (10, FillEvidence("queue_cleared", 20, 0, 2))
    second = only_fill(market.trade(SELL, 99, 50))
    assert (second.size, second.evidence) == (40, FillEvidence("queue_cleared", 0, 0, 3))
    assert market.venue.open_orders() == []


def test_a_print_through_the_price_fills_in_full_and_says_so() -> None:
    market = Market()
    market.quote("a", BUY, 99, 30)
    fill = only_fill(market.trade(SELL, 98, 1))
    assert (fill.size, fill.evidence) == (30, FillEvidence("traded_through", 40, 0, 1))
    market.quote("b", SELL, 101, 30)
    fill = only_fill(market.trade(BUY, 102, 1))
    assert (fill.size, fill.evidence) == (30, FillEvidence("traded_through", 40, 0, 2))


def test_the_book_reaching_an_order_fills_in_full_and_says_so() -> None:
    market = Market()
    market.quote("a", BUY, 99, 30)
    fill = only_fill(market.book(bids=[(99, 0)], asks=[(99, 1)]))
    assert (fill.price, fill.size, fill.evidence) == (99, 30, FillEvidence("crossed", 0, 0, 0))
    market.book(bids=[(98, 10)], asks=[(99, 0)])
    market.quote("b", SELL, 101, 30)
    fill = only_fill(market.book(bids=[(103, 1)]))
    assert (fill.price, fill.size, fill.evidence) == (101, 30, FillEvidence("crossed", 40, 0, 0))


def test_prints_of_our_own_side_and_away_from_the_price_do_nothing() -> None:
    market = Market()
    market.quote("a", BUY, 99, 30)
    market.quote("b", SELL, 101, 30)
    assert market.trade(BUY, 99, 500) == []
    assert market.trade(SELL, 101, 500) == []
    assert market.trade(SELL, 100, 500) == []
    assert market.trade(BUY, 100, 500) == []
    assert (market.venue.estimated_ahead("a"), market.venue.estimated_ahead("b")) == (40, 40)


def test_the_best_price_fills_first_and_within_a_price_the_first() -> None:
    market = Market()
    for client_id, price in (("a", 98), ("b", 99), ("c", 99), ("d", 96)):
        market.quote(client_id, BUY, price, 5)
    filled = market.trade(SELL, 97, 1)
    assert [answer.client_id for answer in filled if isinstance(answer, OrderFilled)] == ["b", "c", "a"]
    assert market.venue.open_orders() == ["d"]


def test_a_print_is_used_once_among_own_orders_at_a_price() -> None:
    market = Market()
    market.quote("a", BUY, 99, 10)
    market.quote("b", BUY, 99, 10)
    sizes = {a.client_id: a.size for a in market.trade(SELL, 99, 53) if isinstance(a, OrderFilled)}
    assert sizes == {"a": 10, "b": 3}


def test_prints_out_of_order_all_count() -> None:
    market = Market()
    market.quote("a", BUY, 99, 10)
    for trade_id in (7, 5, 6):
        market.trade_id = trade_id - 1
        market.trade(SELL, 99, 10)
    assert market.venue.estimated_ahead("a") == 10


def test_a_strangers_cancel_does_not_clear_the_queue() -> None:
    market = Market()
    market.book(bids=[(99, 100)])
    market.quote("a", BUY, 99, 5)
    market.book(bids=[(99, 130)])
    assert market.venue.estimated_ahead("a") == 100
    market.book(bids=[(99, 60)])
    assert market.venue.estimated_ahead("a") == 60
    market.book(bids=[(99, 300)])
    assert market.venue.estimated_ahead("a") == 60
    assert market.trade(SELL, 99, 60) == []
    assert only_fill(market.trade(SELL, 99, 1)).size == 1


def test_an_order_alone_at_its_price_fills_by_the_first_print() -> None:
    market = Market()
    market.quote("a", BUY, 100, 5)
    assert market.venue.estimated_ahead("a") == 0
    assert only_fill(market.trade(SELL, 100, 2)).size == 2


def test_a_print_older_than_the_book_we_joined_is_not_ours() -> None:
    market = Market()
    venue = market.venue
    market.now += 1
    venue.on_market(BookUpdate("X-USD", market.now, 0, [(98, 49)], [], exchange_ns=5_000))
    market.quote("a", BUY, 99, 5)
    for trade_id, (price, exchange_ns) in enumerate([(98, 4_999), (99, 5_000)], start=1):
        venue.on_market(TradePrint("X-USD", market.now + 1, 0, trade_id, price, 99, SELL, exchange_ns))
    assert venue.poll(market.now + 1) == []
    assert venue.estimated_ahead("a") == 40
    venue.on_market(TradePrint("X-USD", market.now + 2, 0, 3, 98, 1, SELL, 5_001))
    assert only_fill(venue.poll(market.now + 2)).size == 5


@pytest.mark.parametrize("off_ns", [0, 30 * 10**9, 3600 * 10**9, -3600 * 10**9, WALL])
def test_a_print_older_than_our_arrival_is_not_ours(off_ns: int) -> None:
    """The book is quiet and prints come in batches: only the clock tells that a print was before us."""
    market = Market()
    venue, clock = market.venue, WALL - off_ns
    venue.on_market(BookUpdate(*market._times(), [(98, 49)], [], exchange_ns=clock + market.now))
    market.now += 500 * MS
    venue.on_market(BookUpdate(*market._times(), [], [], exchange_ns=0))
    market.quote("a", BUY, 100, 5)
    joined = market.now
    for trade_id, price in enumerate([100, 98], start=1):
        venue.on_market(TradePrint(*market._times(), trade_id, price, 99, SELL, clock + joined - 200 * MS))
    if off_ns in (0, 30 * 10**9):
        assert venue.poll(market.now) == []
        venue.on_market(TradePrint(*market._times(), 3, 100, 3, SELL, WALL + joined))
        assert venue.poll(market.now) == []
        venue.on_market(TradePrint(*market._times(), 4, 100, 3, SELL, WALL + joined + 1))
        assert only_fill(venue.poll(market.now)).size == 3
    else:
        # A clock that is hours off, or none, says nothing: the book's time alone decides.
        assert only_fill(venue.poll(market.now)).size == 5


def test_other_products_pass_by() -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    market.venue.on_market(TradePrint("Y-USD", market.now, market.now, 1, 1, 100, SELL))
    market.venue.on_market(FeedStatus("Y-USD", market.now, market.now, FeedState.STALE))
    assert market.venue.poll(market.now) == []
    assert only_fill(market.trade(SELL, 98, 1)).client_id == "a"


def test_fill_ids_are_unique() -> None:
    market = Market()
    market.quote("a", BUY, 99, 10)
    market.quote("b", BUY, 99, 10)
    for _ in range(30):
        market.trade(SELL, 99, 2)
    ids = [fill.fill_id for fill in market.fills()]
    assert len(ids) == len(set(ids)) == 10


# -- taking ----------------------------------------------------------------------------------------


def test_a_taker_walks_the_displayed_levels_and_pays_the_taker_fee() -> None:
    market = Market()
    accepted, first, second = market.take("a", BUY, 102, 60)
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(first, OrderFilled)
    assert isinstance(second, OrderFilled)
    assert [(f.price, f.size, f.is_maker) for f in (first, second)] == [(101, 40, False), (102, 20, False)]
    assert first.fee == -(-INSTRUMENT.notional(101, 40) * 20 // 10_000)
    assert market.venue.open_orders() == []
    assert market.account.quote_held == 0


def test_an_ioc_remainder_expires_and_stays_inside_the_limit() -> None:
    market = Market()
    answers = market.take("a", BUY, 101, 60)
    expired = answers[-1]
    assert isinstance(expired, OrderExpired)
    assert expired.remaining == 20
    assert [fill.price for fill in market.fills()] == [101]
    assert market.account.quote_held == 0
    answers = market.take("b", SELL, 100, 60)
    assert [type(answer) for answer in answers] == [OrderAccepted, OrderExpired]


def test_a_market_order_takes_what_there_is_and_the_rest_expires() -> None:
    market = Market()
    answers = market.market_order("a", SELL, 100)
    assert [(f.price, f.size) for f in market.fills()] == [(99, 40), (98, 50)]
    expired = answers[-1]
    assert isinstance(expired, OrderExpired)
    assert expired.remaining == 10
    assert market.account.base_held == 0


def test_a_market_order_into_an_empty_side_is_refused() -> None:
    market = Market()
    market.book(asks=[(101, 0), (102, 0)])
    assert rejection(market.market_order("a", BUY, 5))[0] == "INVALID_NO_LIQUIDITY"


def test_displayed_size_cannot_be_taken_twice() -> None:
    market = Market()
    market.take("a", BUY, 101, 30)
    answers = market.take("b", BUY, 101, 30)
    assert [f.size for f in market.fills()] == [30, 10]
    assert isinstance(answers[-1], OrderExpired)
    market.book(asks=[(101, 35)])  # shrinks: what we took is among what is left
    market.take("c", BUY, 101, 30)
    assert len(market.fills()) == 2
    market.book(asks=[(101, 50)])  # fifteen are new
    market.take("d", BUY, 101, 30)
    assert market.fills()[-1].size == 15
    market.book(asks=[(101, 0)])
    market.book(asks=[(101, 7)])  # a level that went and came is new
    market.take("e", BUY, 101, 30)
    assert market.fills()[-1].size == 7


def test_a_crossing_gtc_limit_takes_and_its_rest_rests() -> None:
    market = Market()
    market.order("a", BUY, 101, 60)
    assert [(f.price, f.size, f.is_maker) for f in market.fills()] == [(101, 40, False)]
    assert market.venue.open_orders() == ["a"]
    # The ask we took is still in the data: it must not cross our own rest.
    assert market.book(asks=[(102, 51)]) == []
    assert market.book(asks=[(101, 25)]) == []
    fill = only_fill(market.book(asks=[(101, 26)]))
    assert (fill.size, fill.is_maker, fill.evidence) == (20, True, FillEvidence("crossed", 0, 0, 0))


def test_walking_a_deep_book_finds_every_level() -> None:
    market = Market()
    market.snapshot([(99, 1)], [(101 + i, 1) for i in range(100)])
    market.take("a", BUY, 300, 100)
    assert [fill.price for fill in market.fills()] == list(range(101, 201))


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "price"), [(BUY, 101), (BUY, 150), (SELL, 99), (SELL, 50)])
def test_post_only_that_would_take_is_refused_with_the_live_reason(side: Side, price: int) -> None:
    market = Market()
    code, reason = rejection(market.quote("a", side, price, 10))
    assert code == "INVALID_LIMIT_PRICE_POST_ONLY"
    assert "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY" in reason
    assert (market.account.quote_held, market.account.base_held) == (0, 0)


def test_a_client_id_serves_once() -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    assert rejection(market.quote("a", BUY, 98, 5))[0] == "DUPLICATE_CLIENT_ORDER_ID"
    market.cancel("a")
    assert rejection(market.quote("a", BUY, 98, 5))[0] == "DUPLICATE_CLIENT_ORDER_ID"


@pytest.mark.parametrize(
    ("size", "price", "more", "code"),
    [
        (1, 99, {}, "INVALID_BASE_SIZE_TOO_SMALL"),
        (0, 99, {}, "INVALID_BASE_SIZE_TOO_SMALL"),
        (1001, 99, {}, "INVALID_BASE_SIZE_TOO_LARGE"),
        (4, 99, {}, "INVALID_QUOTE_SIZE_TOO_SMALL"),
        (10, None, {}, "INVALID_LIMIT_PRICE"),
        (10, 0, {}, "INVALID_LIMIT_PRICE"),
        (10, 99, {"order_type": OrderType.STOP}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        (10, 99, {"time_in_force": TimeInForce.GTD}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        (10, 99, {"time_in_force": TimeInForce.FOK}, "UNSUPPORTED_ORDER_CONFIGURATION"),
        (10, 99, {"time_in_force": IOC, "post_only": True}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ],
)
def test_orders_the_product_does_not_allow(size: int, price: int | None, more: Any, code: str) -> None:
    # 4 lots at 99 ticks are 0.00396 USD; the minimum notional is 0.004.
    market = Market()
    assert rejection(market.order("a", BUY, price, size, **more))[0] == code
    assert market.venue.open_orders() == []


def test_another_product_is_refused() -> None:
    market = Market()
    market.venue.submit(SubmitOrder("Y-USD", market.now, "a", BUY, 10, 99))
    assert rejection(market.venue.poll(market.now))[0] == "INVALID_PRODUCT_ID"


def test_funds_include_what_open_orders_hold() -> None:
    per_lot = INSTRUMENT.notional(99, 1)
    price_of_ten = 10 * (per_lot + -(-per_lot * 20 // 10_000))
    market = Market(quote=2 * price_of_ten - 1, base=19)
    market.quote("a", BUY, 99, 10)
    assert rejection(market.quote("b", BUY, 99, 10))[0] == "INSUFFICIENT_FUND"
    market.quote("c", SELL, 101, 10)
    assert rejection(market.quote("d", SELL, 101, 10))[0] == "INSUFFICIENT_FUND"
    market.cancel("a")
    assert isinstance(market.quote("e", BUY, 99, 10)[0], OrderAccepted)
    assert rejection(market.market_order("f", BUY, 40))[0] == "INSUFFICIENT_FUND"


def test_an_account_adds_up_after_partial_fills_and_cancel() -> None:
    market = Market()
    market.quote("a", BUY, 99, 50)
    market.trade(SELL, 99, 61)
    market.cancel("a")
    [fill] = market.fills()
    assert fill.size == 21
    assert market.account.quote == 10**9 - INSTRUMENT.notional(99, 21) - fill.fee
    assert market.account.base == 10**6 + 21
    assert (market.account.quote_held, market.account.base_held) == (0, 0)


# -- a book that may not be believed ---------------------------------------------------------------


def test_orders_are_refused_until_the_book_is_live() -> None:
    account = Account(INSTRUMENT, FEES, quote=10**9, base=0)
    venue = PaperVenue(INSTRUMENT, account, INSTANT)
    events: list[MarketEvent] = [
        FeedStatus("X-USD", 1, 1, FeedState.SUBSCRIBED),
        BookSnapshot("X-USD", 2, 2, [(99, 1)], [(101, 1)]),
        FeedStatus("X-USD", 3, 3, FeedState.LIVE),
    ]
    seen = []
    for event in [None, *events]:
        if event is not None:
            venue.on_market(event)
        now = 0 if event is None else event.recv_ns
        venue.submit(SubmitOrder("X-USD", now, f"a{now}", BUY, 10, 99))
        [answer] = venue.poll(now)
        seen.append(answer.code if isinstance(answer, OrderRejected) else "accepted")
    assert seen == ["BOOK_NOT_LIVE"] * 3 + ["accepted"]


@pytest.mark.parametrize("is_told_by", ["snapshot", "changes"])
def test_stale_freezes_fills_until_the_feed_vouches_for_the_book_again(is_told_by: str) -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    market.quote("b", BUY, 98, 5)
    market.status(FeedState.STALE)
    assert market.trade(SELL, 97, 100) == []
    assert market.book(asks=[(97, 5)]) == []
    assert rejection(market.quote("c", BUY, 97, 10))[0] == "BOOK_NOT_LIVE"
    bids, asks = [(99, 7), (98, 60)], [(101, 5)]
    if is_told_by == "snapshot":
        market.snapshot(bids, asks)
    else:
        market.book(bids=bids, asks=[(97, 0), *asks])  # a line that was only late or silent
    assert market.trade(SELL, 97, 100) == []
    market.status(FeedState.LIVE)
    assert market.fills() == []
    assert (market.venue.estimated_ahead("a"), market.venue.estimated_ahead("b")) == (7, 50)
    assert only_fill(market.trade(SELL, 99, 8)).size == 1


def test_a_resynchronised_book_through_our_price_fills_as_crossed() -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    market.status(FeedState.STALE)
    market.snapshot([(95, 10)], [(97, 10)])
    assert market.fills() == []
    fill = only_fill(market.status(FeedState.LIVE))
    assert (fill.price, fill.evidence) == (99, FillEvidence("crossed", 0, 0, 0))


def test_a_second_snapshot_of_a_live_book_replaces_it() -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    market.snapshot([(99, 11)], [(101, 5)])
    assert market.venue.estimated_ahead("a") == 11


def test_a_cancel_works_while_the_book_is_stale() -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    market.status(FeedState.STALE)
    assert isinstance(market.cancel("a")[0], OrderCancelled)


# -- time ------------------------------------------------------------------------------------------

SLOW = PaperSettings(order_latency_ms=10, answer_latency_ms=5)


def test_commands_act_and_answers_arrive_after_their_latencies() -> None:
    market = Market(SLOW)
    sent = market.now
    market.venue.submit(SubmitOrder("X-USD", sent, "a", BUY, 5, 100, post_only=True))
    assert market.venue.next_due_ns() == sent + 10 * MS
    assert market.venue.poll(sent + 10 * MS - 1) == []
    assert market.venue.open_orders() == []
    assert market.venue.poll(sent + 10 * MS) == []
    assert market.venue.open_orders() == ["a"]
    assert market.venue.next_due_ns() == sent + 15 * MS
    [accepted] = market.venue.poll(sent + 15 * MS)
    assert (accepted.recv_ns, accepted.wall_ns) == (sent + 15 * MS, WALL + sent + 15 * MS)
    assert market.venue.next_due_ns() is None


def test_commands_act_before_the_first_later_market_event() -> None:
    market = Market(SLOW)
    due = market.now + 10 * MS
    market.venue.submit(SubmitOrder("X-USD", market.now, "a", BUY, 5, 99, post_only=True))
    # At the due time itself the market moves first: the order joins behind 25, not 40.
    market.venue.on_market(BookUpdate("X-USD", due, due, [(99, 25)], []))
    assert market.venue.open_orders() == []
    market.venue.on_market(BookUpdate("X-USD", due + 1, due + 1, [(99, 90)], []))
    assert market.venue.estimated_ahead("a") == 25


def test_a_fill_can_overtake_a_cancel_on_its_way() -> None:
    market = Market(SLOW)
    market.venue.submit(SubmitOrder("X-USD", market.now, "a", BUY, 5, 100, post_only=True))
    market.venue.poll(market.now + 10 * MS)
    market.now += 20 * MS
    market.venue.cancel(CancelOrder("X-USD", market.now, "a"))
    market.trade(SELL, 100, 5)
    kinds = [type(a) for a in market.venue.poll(market.now + 30 * MS)]
    assert kinds == [OrderFilled, CancelRejected]


def test_commands_keep_their_order_and_never_act_in_the_past() -> None:
    market = Market(SLOW)
    market.now += 50 * MS
    market.book()
    market.venue.submit(SubmitOrder("X-USD", 0, "a", BUY, 5, 99, post_only=True))
    market.venue.cancel(CancelOrder("X-USD", 0, "a"))
    answers = market.venue.poll(market.now + 5 * MS)
    assert [(type(a), a.recv_ns) for a in answers] == [
        (OrderAccepted, market.now + 5 * MS),
        (OrderCancelled, market.now + 5 * MS),
    ]


# -- every setting acts ----------------------------------------------------------------------------


def outcome(settings: PaperSettings) -> list[tuple[str, int, int]]:
    """A tape on which every setting shows: (kind, lots, microseconds) of each answer."""
    market = Market(settings)
    start = market.now
    market.book(bids=[(99, 100)])
    market.venue.submit(SubmitOrder("X-USD", market.now, "a", BUY, 50, 99, post_only=True))
    market.now += 40 * MS
    market.book(bids=[(99, 60)])
    market.book(bids=[(99, 200)])
    market.book(bids=[(99, 150)])
    market.trade(SELL, 99, 55)
    market.trade(SELL, 99, 30)
    market.trade(SELL, 99, 500)
    answers = market.answers + market.venue.poll(market.now + 1_000 * MS)
    return [(type(a).__name__, getattr(a, "size", 0), (a.recv_ns - start) // 1_000) for a in answers]


CHANGED: dict[str, Any] = {
    "order_latency_ms": 41.5,
    "answer_latency_ms": 1.5,
    "queue_model": "power",
    "queue_n": 0.5,
    "partial_fills": False,
}


@pytest.mark.parametrize("name", [field.name for field in fields(PaperSettings)])
def test_every_setting_has_an_effect(name: str) -> None:
    base = PaperSettings(queue_model="power2")
    assert outcome(base) == outcome(base)
    assert outcome(replace(base, **{name: CHANGED[name]})) != outcome(base)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("order_latency_ms", -1.0, "must be at least 0"),
        ("answer_latency_ms", -1.0, "must be at least 0"),
        ("queue_model", "fifo", "must be one of risk_averse, power"),
        ("queue_n", 0.0, "must be above 0"),
        ("queue_n", float("nan"), "must be a finite number"),
    ],
)
def test_impossible_settings_are_refused_by_name(name: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=rf"exchange\.{name} = .*{says}"):
        require_valid("exchange", replace(PaperSettings(), **{name: value}))


def test_the_defaults_are_valid_and_conservative() -> None:
    require_valid("exchange", PaperSettings())
    assert PaperSettings().queue_model == "risk_averse"


# -- speed that must not depend on the depth of the book --------------------------------------------


def test_events_away_from_our_prices_leave_our_orders_untouched() -> None:
    market = Market()
    market.quote("a", BUY, 99, 5)
    market.quote("b", SELL, 101, 5)
    for price in range(1, 98):
        assert market.book(bids=[(price, price)], asks=[(price + 102, price)]) == []
    assert (market.venue.estimated_ahead("a"), market.venue.estimated_ahead("b")) == (40, 40)
