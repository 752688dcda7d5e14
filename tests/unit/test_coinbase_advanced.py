"""Advanced Trade: sequence, snapshots, trades, states, and everything a venue can send that is wrong."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from coinbase_frames import (
    INSTRUMENTS,
    TIMESTAMP_NS,
    Holder,
    advanced,
    heartbeat,
    l2,
    l2_event,
    l2_snapshot,
    subscribe,
    trades,
)

from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, TradePrint
from engine.core.order import Side
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.coinbase.wire.user import UserEvent

EVENT_NS = 1786309548100000000
"""The time of the changes that `l2_event` composes."""


def session() -> AdvancedSession:
    return AdvancedSession(INSTRUMENTS)


@pytest.fixture
def held() -> Holder:
    return Holder(session())


def live(held: Holder) -> Holder:
    held.feed(l2_snapshot(0))
    assert held.session.state("BTC-USD") is FeedState.LIVE
    return held


# -- books ---------------------------------------------------------------------------------------


def test_a_snapshot_becomes_ticks_and_lots(held: Holder) -> None:
    events = held.feed(l2_snapshot(0))
    assert events == [
        BookSnapshot(
            "BTC-USD",
            5,
            7,
            [(9999, 10**8), (9998, 2 * 10**8)],
            [(10001, 5 * 10**7), (10002, 25 * 10**6)],
            EVENT_NS,
        ),
        FeedStatus("BTC-USD", 5, 7, FeedState.LIVE, "snapshot"),
    ]


def test_an_update_sets_and_deletes(held: Holder) -> None:
    live(held)
    change = l2(1, "update", bids=[("99.99", "0"), ("99.97", "3")], asks=[("100.01", "0.00000001")])
    (event,) = held.feed(change)
    assert event == BookUpdate("BTC-USD", 5, 7, [(9999, 0), (9997, 3 * 10**8)], [(10001, 1)], EVENT_NS)
    assert held.books["BTC-USD"].best_bid() == 9998
    assert held.session.counters.frames == 2


def test_a_second_snapshot_replaces(held: Holder) -> None:
    live(held)
    events = held.feed(l2(1, "snapshot", bids=[("50", "1")], asks=[("51", "1")]))
    assert [type(event).__name__ for event in events] == ["BookSnapshot"]
    assert held.books["BTC-USD"].bids() == [(5000, 10**8)]


def test_an_empty_snapshot_is_a_book(held: Holder) -> None:
    held.feed(l2(0, "snapshot"))
    assert held.session.state("BTC-USD") is FeedState.LIVE
    assert held.books["BTC-USD"].best_bid() is None


def test_an_update_before_the_snapshot_is_dropped_and_counted(held: Holder) -> None:
    assert held.feed(l2(0, "update", bids=[("1", "1")])) == []
    assert held.session.counters.before_snapshot == 1
    assert held.session.state("BTC-USD") is FeedState.IDLE


def test_prices_beyond_the_fast_range_are_exact(held: Holder) -> None:
    held.feed(
        l2(
            0,
            "snapshot",
            bids=[("0.01", "123456789012.12345678"), ("0.07", "90071992.54740993")],
            asks=[("9999999999999999.99", "0.00000001"), ("4503599627370495.99", "3")],
        )
    )
    book = held.books["BTC-USD"]
    assert book.bids() == [(7, 9007199254740993), (1, 12345678901212345678)]
    assert book.asks() == [(450359962737049599, 3 * 10**8), (999999999999999999, 1)]


def test_a_crossed_snapshot_is_never_live(held: Holder) -> None:
    events = held.feed(l2(0, "snapshot", bids=[("100", "1")], asks=[("100", "1")]))
    assert events[-1] == FeedStatus("BTC-USD", 5, 7, FeedState.STALE, "crossed snapshot")


def test_the_holder_can_mark_a_book_stale_until_the_next_snapshot(held: Holder) -> None:
    live(held)
    told = held.session.mark_stale("BTC-USD", "crossed book", 8, 9)
    assert told == [FeedStatus("BTC-USD", 8, 9, FeedState.STALE, "crossed book")]
    assert held.session.mark_stale("BTC-USD", "crossed book", 8, 9) == []
    assert held.session.mark_stale("XXX-USD", "crossed book", 8, 9) == []
    held.feed(l2_snapshot(1))
    assert held.session.state("BTC-USD") is FeedState.LIVE


# -- sequence ------------------------------------------------------------------------------------


def test_a_gap_makes_every_book_stale(held: Holder) -> None:
    held.feed(l2_snapshot(0), l2_snapshot(1, "ETH-USD"))
    events = held.feed(heartbeat(3, 1))
    assert {(event.product, event.state) for event in events if isinstance(event, FeedStatus)} == {
        ("BTC-USD", FeedState.STALE),
        ("ETH-USD", FeedState.STALE),
    }
    assert held.session.counters.gaps == 1
    # The mirror goes on, for people to look at; it is not live.
    assert [type(event).__name__ for event in held.feed(l2(4, "update", bids=[("99", "1")]))] == [
        "BookUpdate"
    ]
    assert held.session.state("BTC-USD") is FeedState.STALE


def test_the_first_frame_must_be_number_0(held: Holder) -> None:
    held.session.on_send(subscribe("BTC-USD"), 0, 0)
    held.feed(l2_snapshot(1))
    assert held.session.counters.gaps == 1
    assert held.session.state("BTC-USD") is FeedState.STALE


def test_after_a_gap_a_replacing_snapshot_is_believed(held: Holder) -> None:
    live(held)
    held.feed(heartbeat(2, 1))
    assert held.session.state("BTC-USD") is FeedState.STALE
    held.feed(l2_snapshot(3))
    assert held.session.state("BTC-USD") is FeedState.LIVE


def test_after_a_gap_a_first_snapshot_under_way_is_not_believed(held: Holder) -> None:
    held.session.on_send(subscribe("BTC-USD"), 0, 0)
    held.session.on_send(subscribe("ETH-USD"), 0, 0)
    held.feed(l2_snapshot(0), heartbeat(2, 1), l2_snapshot(3, "ETH-USD"))
    assert held.session.state("ETH-USD") is FeedState.STALE
    assert held.books["ETH-USD"].best_bid() == 9999
    held.feed(l2_snapshot(4, "ETH-USD"))
    assert held.session.state("ETH-USD") is FeedState.LIVE
    assert held.session.state("BTC-USD") is FeedState.STALE


def test_after_a_gap_a_snapshot_asked_for_since_is_believed(held: Holder) -> None:
    held.feed(heartbeat(0, 1), heartbeat(2, 3))
    held.session.on_send(subscribe("ETH-USD"), 0, 0)
    held.feed(l2_snapshot(3, "ETH-USD"))
    assert held.session.state("ETH-USD") is FeedState.LIVE
    # ... and not if frames were lost again in between.
    held.session.on_send(subscribe("BTC-USD"), 0, 0)
    held.feed(l2_snapshot(5, "BTC-USD"))
    assert held.session.state("BTC-USD") is FeedState.STALE


def test_a_repeated_frame_is_dropped_and_counted(held: Holder) -> None:
    live(held)
    frame = l2(1, "update", bids=[("99.99", "5")])
    assert held.feed(frame)
    assert held.feed(frame) == []
    assert held.session.counters.duplicates == 1
    assert held.session.counters.gaps == 0
    assert held.session.state("BTC-USD") is FeedState.LIVE


def test_swapped_frames_are_a_gap_and_a_late_frame(held: Holder) -> None:
    live(held)
    held.feed(l2(2, "update", bids=[("99.99", "5")]), l2(1, "update", bids=[("99.99", "4")]))
    counters = held.session.counters
    assert (counters.gaps, counters.duplicates) == (1, 1)
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9999) == 5 * 10**8
    assert held.session.state("BTC-USD") is FeedState.STALE


def test_a_new_connection_counts_from_0_again(held: Holder) -> None:
    held.session.on_connect(0, 0)
    live(held)
    held.feed(l2_snapshot(1, "ETH-USD"))
    told = held.session.on_connect(1, 2)
    assert {event.product for event in told if isinstance(event, FeedStatus)} == {"BTC-USD", "ETH-USD"}
    assert held.feed(l2(0, "update", bids=[("99", "1")])) == []
    held.feed(l2_snapshot(1))
    assert held.session.state("BTC-USD") is FeedState.LIVE
    assert held.session.state("ETH-USD") is FeedState.STALE
    assert (held.session.counters.reconnects, held.session.counters.gaps) == (1, 0)


def test_a_restart_without_a_connect_line_is_seen(held: Holder) -> None:
    live(held)
    held.feed(*(l2(n, "update", bids=[("99.5", "1")]) for n in range(1, 9)))
    held.feed(l2_snapshot(0), l2(1, "update", bids=[("99.6", "1")]), l2(2, "update", bids=[("99.7", "1")]))
    counters = held.session.counters
    assert (counters.reconnects, counters.duplicates, counters.gaps, counters.frames) == (1, 0, 0, 12)
    assert held.session.state("BTC-USD") is FeedState.LIVE
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9970) == 10**8
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9950) == 0


def test_a_late_first_frame_alone_is_a_duplicate(held: Holder) -> None:
    live(held)
    held.feed(l2(1, "update"), l2(2, "update"), l2_snapshot(0), l2(3, "update", bids=[("99.5", "1")]))
    counters = held.session.counters
    assert (counters.reconnects, counters.duplicates, counters.gaps) == (0, 1, 0)
    assert held.session.state("BTC-USD") is FeedState.LIVE


def test_heartbeats_are_counted_and_a_jump_is_a_loss(held: Holder) -> None:
    live(held)
    held.feed(heartbeat(1, 41691), heartbeat(2, "41692"))
    assert (held.session.counters.heartbeats, held.session.counters.gaps) == (2, 0)
    held.feed(heartbeat(3, 41694))
    assert held.session.counters.gaps == 1
    assert held.session.state("BTC-USD") is FeedState.STALE


def test_a_lost_heartbeat_counts_once(held: Holder) -> None:
    held.feed(heartbeat(0, 1), heartbeat(2, 3), heartbeat(3, 4))
    assert held.session.counters.gaps == 1


def test_subscribing_and_unsubscribing_are_told(held: Holder) -> None:
    (event,) = held.session.on_send(subscribe("BTC-USD"), 1, 2)
    assert event == FeedStatus("BTC-USD", 1, 2, FeedState.SUBSCRIBED, "asked for")
    live(held)
    (event,) = held.session.on_send(subscribe("BTC-USD", "unsubscribe"), 1, 2)
    assert event == FeedStatus("BTC-USD", 1, 2, FeedState.STALE, "unsubscribed")
    assert held.feed(l2(1, "update", bids=[("99", "1")])) == []
    for other in ("garbage", '{"type":"subscribe","channel":"ticker","product_ids":["ETH-USD"]}', "[]"):
        assert held.session.on_send(other, 1, 2) == []
    assert held.session.state("ETH-USD") is FeedState.IDLE


# -- trades --------------------------------------------------------------------------------------


def test_trades_are_reversed_and_told_from_the_takers_side(held: Holder) -> None:
    events = held.feed(trades(0, "update", (12, "100.02", "0.3", "BUY"), (11, "100.01", "0.2", "SELL")))
    time_ns = 1786309542500000000
    assert events == [
        TradePrint("BTC-USD", 5, 7, 11, 10001, 2 * 10**7, Side.BUY, time_ns),
        TradePrint("BTC-USD", 5, 7, 12, 10002, 3 * 10**7, Side.SELL, time_ns),
    ]


def test_history_is_known_and_not_told(held: Holder) -> None:
    assert held.feed(trades(0, "snapshot", (12, "1", "1", "BUY"), (11, "1", "1", "BUY"))) == []
    (event,) = held.feed(trades(1, "update", (13, "1", "1", "BUY"), (12, "1", "1", "BUY")))
    assert isinstance(event, TradePrint)
    assert event.trade_id == 13
    assert held.session.unique_trades("BTC-USD") == 3
    assert held.session.counters.known_trades == 1


def test_trades_overlap_after_a_reconnect(held: Holder) -> None:
    held.feed(trades(0, "update", (12, "1", "1", "BUY"), (11, "1", "1", "BUY")))
    held.session.on_connect(0, 0)
    held.feed(trades(0, "snapshot", *((n, "1", "1", "BUY") for n in range(14, 9, -1))))
    (event,) = held.feed(trades(1, "update", (15, "1", "1", "BUY"), (14, "1", "1", "BUY")))
    assert isinstance(event, TradePrint)
    assert event.trade_id == 15
    assert held.session.unique_trades("BTC-USD") == 6


def test_an_unknown_side_or_product_of_a_trade_is_counted(held: Holder) -> None:
    events = held.feed(trades(0, "update", (2, "1", "1", "UNKNOWN_ORDER_SIDE"), (1, "1", "1", "BUY")))
    assert len(events) == 1
    assert held.feed(trades(1, "update", (3, "1", "1", "BUY"), product="XYZ-USD")) == []
    assert held.session.counters.unknown == 2


@pytest.mark.parametrize(
    ("price", "size"), [("1", "0"), ("0", "1"), ("1", "-1"), ("1.001", "1"), ("NaN", "1")]
)
def test_a_frame_with_an_impossible_trade_counts_as_a_whole(held: Holder, price: str, size: str) -> None:
    live(held)
    assert held.feed(trades(1, "update", (2, price, size, "BUY"), (1, "1", "1", "BUY"))) == []
    assert held.session.counters.malformed == 1
    assert held.session.unique_trades("BTC-USD") == 0
    assert held.session.state("BTC-USD") is FeedState.LIVE


# -- what else comes -----------------------------------------------------------------------------


def test_errors_win_over_any_channel(held: Holder) -> None:
    live(held)
    held.feed('{"type":"error","message":"authentication failure"}')
    held.feed(
        '{"type":"error","channel":"l2_data","sequence_num":1,"events":[],"message":"rate limit exceeded"}'
    )
    assert held.session.counters.errors == 2
    assert held.session.counters.last_error == "rate limit exceeded"
    held.feed(heartbeat(1, 1))
    assert held.session.counters.gaps == 0


def test_unknown_channels_types_products_and_fields(held: Holder) -> None:
    live(held)
    held.feed(
        advanced("candles_of_tomorrow", 1, {"x": 1}),
        l2(2, "revision", bids=[("99", "1")]),
        l2(3, "update", "XYZ-USD", bids=[("99", "1")]),
        '{"type":"notice"}',
    )
    assert held.session.counters.unknown == 4
    assert held.session.counters.malformed == 0
    assert held.session.state("BTC-USD") is FeedState.LIVE
    extra = json.loads(l2(4, "update", bids=[("99", "1")]))
    extra["new_field"] = extra["events"][0]["another"] = {"a": [1]}
    assert len(held.feed(json.dumps(extra))) == 1


def test_channels_that_carry_no_book(held: Holder) -> None:
    live(held)
    held.feed(
        advanced("candles", 1, {"type": "update", "candles": []}),
        advanced("status", 2, {"type": "snapshot", "products": []}),
        advanced("subscriptions", 3, {"subscriptions": {}}),
        advanced("subscriptions", 4, {"subscriptions": {"user": ["0"], "heartbeats": ["heartbeats"]}}),
        advanced("futures_balance_summary", 5, {"type": "snapshot"}),
        advanced(
            "ticker_batch", 6, {"type": "snapshot", "tickers": [{"product_id": "BTC-USD", "price": "3"}]}
        ),
    )
    counters = held.session.counters
    assert (counters.gaps, counters.unknown, counters.malformed) == (0, 0, 0)
    assert isinstance(held.session, AdvancedSession)
    assert held.session.last_ticker["BTC-USD"].price == "3"


BAD_NUMBERS = [
    "",
    " 1",
    "1 ",
    "-1",
    "+1",
    "1e5",
    "1E5",
    "1e-400",
    "1e999",
    "NaN",
    "nan",
    "Infinity",
    "-Infinity",
    "inf",
    "1_000",
    "0x10",
    "1.2.3",
    "1,5",
    "\u0661",
    "\uff11",
    "9" * 400,
    ".",
    "abc",
]


@pytest.mark.parametrize("text", [*BAD_NUMBERS, "0", "0.00", "100.001", "99.9900000001"])
def test_a_bad_price_refuses_the_frame(held: Holder, text: str) -> None:
    live(held)
    events = held.feed(l2(1, "update", bids=[("99.98", "7"), (text, "1")]))
    assert events == [FeedStatus("BTC-USD", 5, 7, FeedState.STALE, "a book frame was refused")]
    assert held.session.counters.malformed == 1
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9998) == 2 * 10**8
    held.feed(heartbeat(2, 1))
    assert held.session.counters.gaps == 0


@pytest.mark.parametrize("text", [*BAD_NUMBERS, "0.000000001", "1.000000001"])
def test_a_bad_size_refuses_the_frame(held: Holder, text: str) -> None:
    live(held)
    held.feed(l2(1, "update", asks=[("100.02", "7"), ("100.03", text)]))
    assert held.session.counters.malformed == 1
    assert held.session.state("BTC-USD") is FeedState.STALE
    assert held.books["BTC-USD"].volume_at(Side.SELL, 10002) == 25 * 10**6


def test_a_refused_event_refuses_the_events_beside_it(held: Holder) -> None:
    held.feed(l2_snapshot(0), l2_snapshot(1, "ETH-USD"))
    good = l2_event("update", "ETH-USD", [("99.99", "9")])
    bad = l2_event("update", "BTC-USD", [("99.99", "-9")])
    held.feed(advanced("l2_data", 2, good, bad))
    assert held.books["ETH-USD"].volume_at(Side.BUY, 9999) == 10**8
    assert held.session.state("ETH-USD") is held.session.state("BTC-USD") is FeedState.STALE


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "true",
        "5",
        '"text"',
        "[]",
        "{}",
        "[" * 100_000,
        '{"channel":' * 50_000,
        '{"sequence_num":' + "9" * 5_000 + "}",
        '{"channel":"l2_data","sequence_num":' + "9" * 5_000 + ',"events":[]}',
        '{"channel":"l2_data","sequence_num":null,"events":[]}',
        '{"channel":"l2_data","sequence_num":1.5,"events":[]}',
        '{"channel":5,"sequence_num":1,"events":[]}',
        '{"channel":null,"sequence_num":1,"events":[]}',
        '{"sequence_num":1,"events":[]}',
        l2(1, "update", bids=[("99", "1")])[:-40],
        b"\x00\x01\x02\xff\xfe",
        b"\x1f\x8b\x08",
        "\udcff",
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_garbage_is_counted_and_touches_nothing(held: Holder, raw: bytes | str) -> None:
    live(held)
    before = held.books["BTC-USD"].snapshot()
    assert held.feed(raw) == []
    assert held.session.counters.malformed == 1
    assert held.books["BTC-USD"].snapshot() == before
    held.feed(heartbeat(1, 1))
    assert held.session.counters.gaps == 0, "garbage took no place in the sequence"


@pytest.mark.parametrize(
    "events",
    [
        "null",
        "{}",
        '"x"',
        "[5]",
        '[{"type":"update","product_id":5,"updates":[]}]',
        '[{"type":"update","updates":[]}]',
        '[{"type":"update","product_id":"BTC-USD"}]',
        '[{"type":"update","product_id":"BTC-USD","updates":null}]',
        '[{"type":"update","product_id":"BTC-USD","updates":[{}]}]',
        '[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","price_level":5,"new_quantity":"1"}]}]',
        '[{"type":"update","product_id":"BTC-USD","updates":[{"side":"ask","price_level":"5","new_quantity":"1"}]}]',
        '[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","price_level":null,"new_quantity":"1"}]}]',
    ],
)
def test_a_book_frame_of_the_wrong_shape_is_refused_and_counted_in_sequence(
    held: Holder, events: str
) -> None:
    live(held)
    before = held.books["BTC-USD"].snapshot()
    held.feed(f'{{"channel":"l2_data","sequence_num":1,"events":{events}}}')
    assert held.session.counters.malformed == 1
    assert held.books["BTC-USD"].snapshot() == before
    assert held.session.state("BTC-USD") is FeedState.STALE
    held.feed(heartbeat(2, 1))
    assert held.session.counters.gaps == 0


def test_a_truncated_frame_is_a_loss_at_the_next_one(held: Holder) -> None:
    live(held)
    held.feed(l2(1, "update", bids=[("99", "1")])[:100], l2(2, "update", bids=[("98", "1")]))
    assert (held.session.counters.malformed, held.session.counters.gaps) == (1, 1)
    assert held.session.state("BTC-USD") is FeedState.STALE


@pytest.mark.parametrize(
    "time", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "soon", "", "2026-08-09T21:05:48"]
)
def test_an_unusable_time_is_none_and_refuses_nothing(held: Holder, time: str) -> None:
    frame = json.loads(l2_snapshot(0))
    frame["timestamp"] = frame["events"][0]["updates"][0]["event_time"] = time
    event = held.feed(json.dumps(frame))[0]
    assert isinstance(event, BookSnapshot)
    assert event.exchange_ns == 0


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "", "soon", None])
def test_a_book_whose_changes_have_no_time_has_that_of_its_envelope(held: Holder, time: str | None) -> None:
    frame = json.loads(l2_snapshot(0))
    first = frame["events"][0]["updates"][0]
    first["event_time"] = time
    if time is None:
        del first["event_time"]
    event = held.feed(json.dumps(frame))[0]
    assert isinstance(event, BookSnapshot)
    assert event.exchange_ns == TIMESTAMP_NS


def test_a_book_of_no_changes_has_the_time_of_its_envelope(held: Holder) -> None:
    live(held)
    (event,) = held.feed(l2(1, "update"))
    assert isinstance(event, BookUpdate)
    assert event.exchange_ns == TIMESTAMP_NS


# -- our own orders ------------------------------------------------------------------------------

USER_ORDER = {
    "order_id": "11111111-2222-4333-8444-555555555555",
    "client_order_id": "pt-1",
    "product_id": "BTC-USD",
    "order_side": "SELL",
    "status": "OPEN",
    "time_in_force": "GOOD_UNTIL_CANCELLED",
    "limit_price": "60000.1",
    "stop_price": "",
    "cumulative_quantity": "0.1",
    "leaves_quantity": "0.2",
    "avg_price": "60000.1",
    "filled_value": "6000.01",
    "total_fees": "30.00005",
    "number_of_fills": "1",
    "end_time": "0001-01-01T00:00:00Z",
}


@pytest.mark.parametrize("spelling", ["Limit", "LIMIT", "limit"])
@pytest.mark.parametrize("post_only", ["true", True])
@pytest.mark.parametrize("positions", [[], {"perpetual_futures_positions": []}])
def test_user_orders_are_exact(held: Holder, spelling: str, post_only: object, positions: object) -> None:
    order = {**USER_ORDER, "order_type": spelling, "post_only": post_only}
    held.feed(advanced("user", 0, {"type": "update", "orders": [order], "positions": positions}))
    (event,) = held.session.take_user_events()
    assert isinstance(event, UserEvent)
    (report,) = event.orders
    assert (event.is_snapshot, report.post_only, report.order_type, report.side) == (
        False,
        True,
        "LIMIT",
        Side.SELL,
    )
    assert (report.filled, report.remaining, report.fees) == (
        Decimal("0.1"),
        Decimal("0.2"),
        Decimal("30.00005"),
    )
    assert (report.limit_price, report.stop_price) == (Decimal("60000.1"), None)
    assert held.session.take_user_events() == []


@pytest.mark.parametrize("spelling", ["Stop Limit", "StopLimit", "STOP_LIMIT", "stop limit"])
def test_order_types_are_told_apart_however_spelled(held: Holder, spelling: str) -> None:
    order = {**USER_ORDER, "order_type": spelling, "post_only": "false", "reject_Reason": "why"}
    held.feed(advanced("user", 0, {"type": "snapshot", "orders": [order]}))
    (event,) = held.session.take_user_events()
    assert isinstance(event, UserEvent)
    assert event.is_snapshot
    report = event.orders[0]
    assert (report.order_type, report.post_only, report.reject_reason) == ("STOP_LIMIT", False, "why")


@pytest.mark.parametrize(
    "change", [{"order_side": "UP"}, {"total_fees": "NaN"}, {"cumulative_quantity": "1e5"}]
)
def test_an_impossible_user_order_is_malformed(held: Holder, change: dict[str, str]) -> None:
    held.feed(advanced("user", 0, {"type": "update", "orders": [{**USER_ORDER, **change}]}))
    assert held.session.counters.malformed == 1
    assert held.session.take_user_events() == []


# -- fuzz ----------------------------------------------------------------------------------------


def fuzz(rounds: int, seed: int) -> dict[str, int]:
    """Mutated frames into one session: nothing raises, refused frames leave the books as they were."""
    source = random.Random(seed)
    seeds = [
        l2_snapshot(0),
        l2(0, "update", bids=[("99.98", "1"), ("99.97", "0")], asks=[("100.03", "0.001")]),
        trades(0, "update", (2, "100.01", "0.5", "BUY"), (1, "99.99", "1", "SELL")),
        heartbeat(0, 7),
        advanced("ticker", 0, {"type": "update", "tickers": [{"product_id": "BTC-USD", "price": "1"}]}),
        advanced("user", 0, {"type": "update", "orders": [{**USER_ORDER, "order_type": "LIMIT"}]}),
        advanced("subscriptions", 0, {"subscriptions": {"level2": ["BTC-USD"]}}),
        '{"type":"error","message":"rate limit exceeded"}',
    ]
    held = Holder(session())
    expected = 0
    for _ in range(rounds):
        sequence = max(0, expected + source.choice((0,) * 28 + (1, -1)))
        raw = source.choice(seeds).replace('"sequence_num": 0', f'"sequence_num": {sequence}')
        body = bytearray(raw.encode())
        for _ in range(source.choice((0, 1, 1, 2, 8))):
            place = source.randrange(len(body))
            action = source.randrange(4)
            if action == 0:
                body[place] = source.randrange(256)
            elif action == 1:
                del body[place : place + source.randrange(1, 20)]
            elif action == 2:
                body[place:place] = source.choice(
                    (b"9" * 30, b"-", b"null", b"[[", b'"', b"e5", b"\x00", b"NaN")
                )
            else:
                del body[place:]
            body = body or bytearray(b"{")
        before = {symbol: book.snapshot(5) for symbol, book in held.books.items()}
        malformed = held.session.counters.malformed
        events = held.feed(bytes(body))
        if held.session.counters.malformed > malformed:
            assert not [event for event in events if not isinstance(event, FeedStatus)]
            assert before == {symbol: book.snapshot(5) for symbol, book in held.books.items()}
        for event in events:
            if isinstance(event, BookSnapshot | BookUpdate):
                assert all(price > 0 and size >= 0 for price, size in event.bids + event.asks)
        expected = held.session._expected  # type: ignore[attr-defined]
        if expected > 10**9:
            held.session.on_connect(0, 0)
            expected = 0
    counters = held.session.counters
    assert counters.frames == rounds
    kinds = {type(event).__name__ for event in held.events}
    assert kinds == {"BookSnapshot", "BookUpdate", "TradePrint", "FeedStatus"}
    return {
        name: getattr(counters, name) for name in ("malformed", "gaps", "duplicates", "unknown", "errors")
    }


def test_fuzzed_frames() -> None:
    seen = fuzz(3_000, seed=11)
    assert seen["malformed"] > 500
    assert min(seen.values()) > 3, seen


@pytest.mark.nightly
def test_fuzzed_frames_at_length() -> None:
    assert fuzz(1_000_000, seed=12)["malformed"] > 100_000
