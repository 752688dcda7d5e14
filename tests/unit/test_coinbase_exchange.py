"""Exchange: price levels without a sequence, orders with one, trades, and what is wrong with frames."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from coinbase_frames import INSTRUMENTS, Holder

from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, TradePrint
from engine.core.order import Side
from engine.exchange.coinbase.wire.exchange import ExchangeSession
from engine.exchange.coinbase.wire.user import UserMatch

TIME = "2021-04-17T16:43:37.075687Z"
TIME_NS = 1618677817075687000


def message(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "product_id": "BTC-USD", "time": TIME, **fields})


def snapshot(**fields: object) -> str:
    book = {"bids": [["99.99", "1"], ["99.98", "2"]], "asks": [["100.01", "0.5"], ["100.02", "0.25"]]}
    return message("snapshot", **{**book, **fields})


def l2update(*changes: list[str], product: str = "BTC-USD") -> str:
    return message("l2update", product_id=product, changes=list(changes))


def match(trade_id: int, side: str = "sell", kind: str = "match", **fields: object) -> str:
    return message(kind, **{"trade_id": trade_id, "side": side, "size": "0.5", "price": "100.01", **fields})


def level3(sequence: int) -> bytes:
    book = {
        "sequence": sequence,
        "bids": [["99.99", "1", "b1"], ["99.99", "2", "b2"], ["99", "3", "b3"]],
        "asks": [["100.01", "0.5", "a1"], ["100.02", "0.25", "a2"]],
    }
    return json.dumps(book).encode()


def order(kind: str, sequence: int, order_id: str, **fields: object) -> str:
    return message(kind, sequence=sequence, order_id=order_id, **fields)


@pytest.fixture
def held() -> Holder:
    return Holder(ExchangeSession(INSTRUMENTS))


def subscribe(held: Holder, *channels: object, kind: str = "subscribe") -> None:
    request = {"type": kind, "product_ids": ["BTC-USD"], "channels": list(channels)}
    held.take(held.session.on_send(json.dumps(request), 1, 2))


# -- price levels --------------------------------------------------------------------------------


def test_snapshot_and_update(held: Holder) -> None:
    first = held.feed(snapshot())
    assert first == [
        BookSnapshot(
            "BTC-USD",
            5,
            7,
            [(9999, 10**8), (9998, 2 * 10**8)],
            [(10001, 5 * 10**7), (10002, 25 * 10**6)],
            TIME_NS,
        ),
        FeedStatus("BTC-USD", 5, 7, FeedState.LIVE, "snapshot"),
    ]
    (event,) = held.feed(
        l2update(["buy", "99.99", "0.00000000"], ["sell", "100.01", "3"], ["buy", "99.97", "0"])
    )
    assert event == BookUpdate("BTC-USD", 5, 7, [(9999, 0), (9997, 0)], [(10001, 3 * 10**8)], TIME_NS)
    assert held.books["BTC-USD"].best_bid() == 9998


def test_changes_apply_in_order(held: Holder) -> None:
    held.feed(snapshot(), l2update(["buy", "99.97", "1"], ["buy", "99.97", "0.0"], ["buy", "99.97", "4"]))
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9997) == 4 * 10**8


def test_a_snapshot_of_2021_has_no_time(held: Holder) -> None:
    frame = json.loads(snapshot())
    del frame["time"]
    event = held.feed(json.dumps(frame))[0]
    assert isinstance(event, BookSnapshot)
    assert event.exchange_ns == 0


def test_trailing_zeros_are_the_same_number(held: Holder) -> None:
    held.feed(
        message(
            "snapshot",
            product_id="SKL-BTC",
            bids=[["0.00001300", "4781.0"]],
            asks=[["0.0000131", "1230.50000"]],
        )
    )
    assert held.books["SKL-BTC"].bids() == [(1300, 47810)]
    assert held.books["SKL-BTC"].asks() == [(1310, 12305)]


def test_updates_before_the_snapshot_are_dropped(held: Holder) -> None:
    assert held.feed(l2update(["buy", "99", "1"])) == []
    assert held.session.counters.before_snapshot == 1


def test_a_second_snapshot_replaces_and_reconnecting_waits_for_one(held: Holder) -> None:
    held.feed(snapshot(), snapshot(bids=[["50", "1"]], asks=[]))
    assert (held.books["BTC-USD"].bids(), held.books["BTC-USD"].asks()) == ([(5000, 10**8)], [])
    (event,) = held.session.on_connect(0, 0)
    assert event == FeedStatus("BTC-USD", 0, 0, FeedState.STALE, "reconnected")
    assert held.feed(l2update(["buy", "99", "1"])) == []
    held.feed(snapshot())
    assert held.session.state("BTC-USD") is FeedState.LIVE
    assert held.session.counters.reconnects == 1


def test_subscriptions_are_read_by_meaning(held: Holder) -> None:
    channels = [{"name": "level2_50", "product_ids": ["BTC-USD"], "account_ids": None}, {"name": "matches"}]
    (event,) = held.feed(json.dumps({"type": "subscriptions", "channels": channels}))
    assert event == FeedStatus("BTC-USD", 5, 7, FeedState.SUBSCRIBED, "asked for")
    held.feed(snapshot())
    subscribe(held, "level2_batch", kind="unsubscribe")
    assert held.session.state("BTC-USD") is FeedState.STALE
    assert held.feed('{"type":"subscriptions","channels":[]}') == []


def test_requests_with_objects_and_lists(held: Holder) -> None:
    subscribe(held, "heartbeat", {"name": "level2_batch", "product_ids": ["ETH-USD"]})
    assert held.session.state("ETH-USD") is FeedState.SUBSCRIBED
    assert held.session.state("BTC-USD") is FeedState.IDLE
    assert held.session.on_send("garbage", 0, 0) == []


# -- trades --------------------------------------------------------------------------------------


def test_a_match_is_told_from_the_takers_side(held: Holder) -> None:
    (event,) = held.feed(match(7, "sell", sequence=177100030))
    assert event == TradePrint("BTC-USD", 5, 7, 7, 10001, 5 * 10**7, Side.BUY, TIME_NS)


def test_the_last_match_is_history(held: Holder) -> None:
    assert held.feed(match(7, kind="last_match")) == []
    assert len(held.feed(match(8))) == 1
    assert held.session.unique_trades("BTC-USD") == 2
    assert held.session.counters.gaps == 0


def test_holes_and_repeats_in_trade_ids(held: Holder) -> None:
    held.feed(match(7), match(9))
    assert held.session.counters.gaps == 1
    assert held.feed(match(9)) == []
    assert held.session.counters.duplicates == 1
    # The missing one, late: a trade all the same.
    assert len(held.feed(match(8))) == 1
    assert held.session.unique_trades("BTC-USD") == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "0"},
        {"size": "-1"},
        {"price": "NaN"},
        {"price": "100.001"},
        {"side": "up"},
        {"trade_id": None},
        {"price": None},
        {"size": 5},
    ],
)
def test_an_impossible_match_is_malformed(held: Holder, fields: dict[str, object]) -> None:
    held.feed(snapshot())
    frame = {**json.loads(match(7)), **fields}
    assert held.feed(json.dumps(frame)) == []
    assert held.session.counters.malformed == 1
    assert held.session.unique_trades("BTC-USD") == 0
    assert held.session.state("BTC-USD") is FeedState.LIVE


def test_own_matches_are_told_exactly(held: Holder) -> None:
    ids = {"maker_order_id": "m", "taker_order_id": "t", "user_id": "u", "sequence": 50}
    held.feed(
        match(1, "sell", **ids, maker_user_id="u", maker_fee_rate="0.004"),
        match(2, "sell", **ids, taker_user_id="u", taker_fee_rate="0.006"),
    )
    price, size = Decimal("100.01"), Decimal("0.5")
    assert held.session.take_user_events() == [
        UserMatch("BTC-USD", 1, "m", Side.SELL, True, price, size, Decimal("0.004")),
        UserMatch("BTC-USD", 2, "t", Side.BUY, False, price, size, Decimal("0.006")),
    ]
    held.feed(order("done", 51, "m", reason="canceled", user_id="u"))
    assert held.session.open_orders("BTC-USD") is None, "our own messages alone are no full channel"


# -- orders --------------------------------------------------------------------------------------


def full(held: Holder, sequence: int = 100) -> Holder:
    subscribe(held, "full")
    held.take(held.session.load_level3("BTC-USD", level3(sequence), 3, 4))
    assert held.session.state("BTC-USD") is FeedState.LIVE
    return held


def test_a_level_3_snapshot_becomes_levels(held: Holder) -> None:
    full(held)
    book = held.books["BTC-USD"]
    assert book.bids() == [(9999, 3 * 10**8), (9900, 3 * 10**8)]
    assert book.asks() == [(10001, 5 * 10**7), (10002, 25 * 10**6)]
    assert held.session.open_orders("BTC-USD") == 5


def test_orders_come_match_change_and_go(held: Holder) -> None:
    full(held)
    book = held.books["BTC-USD"]
    held.feed(
        order("received", 101, "n1", order_type="limit", side="buy", price="100", size="1"),
        order("open", 102, "n1", side="buy", price="100", remaining_size="1"),
    )
    assert (book.best_bid(), held.session.open_orders("BTC-USD")) == (10000, 6)
    tape, change = held.feed(
        match(9, "buy", sequence=103, maker_order_id="n1", price="100", size="0.4", taker_order_id="x")
    )
    assert isinstance(tape, TradePrint)
    assert (tape.taker_side, tape.size) == (Side.SELL, 4 * 10**7)
    assert isinstance(change, BookUpdate)
    assert book.volume_at(Side.BUY, 10000) == 6 * 10**7
    held.feed(
        order("change", 104, "n1", reason="STP", side="buy", price="100", old_size="0.6", new_size="0.1")
    )
    assert book.volume_at(Side.BUY, 10000) == 10**7
    held.feed(
        order("change", 105, "n1", reason="modify_order", old_price="100", new_price="99.5", new_size="2")
    )
    assert (book.volume_at(Side.BUY, 10000), book.volume_at(Side.BUY, 9950)) == (0, 2 * 10**8)
    held.feed(order("done", 106, "n1", reason="canceled", side="buy", price="99.5", remaining_size="2"))
    assert (book.volume_at(Side.BUY, 9950), held.session.open_orders("BTC-USD")) == (0, 5)
    held.feed(match(10, "sell", sequence=107, maker_order_id="a1", price="100.01", size="0.5"))
    held.feed(order("done", 108, "a1", reason="filled", side="sell", price="100.01", remaining_size="0"))
    assert (book.best_ask(), held.session.open_orders("BTC-USD")) == (10002, 4)
    # Orders that never rested, and what is outside the sequence, change nothing.
    held.feed(
        order("done", 109, "never", reason="filled", side="buy"),
        order("change", 110, "never", new_size="1", old_size="2"),
        message("activate", order_id="s", stop_type="entry"),
    )
    assert held.session.open_orders("BTC-USD") == 4
    assert held.session.state("BTC-USD") is FeedState.LIVE
    counters = held.session.counters
    assert (counters.gaps, counters.malformed, counters.unknown, counters.duplicates) == (0, 0, 0, 0)


def test_messages_wait_for_the_snapshot(held: Holder) -> None:
    subscribe(held, "full")
    for sequence in range(99, 104):
        assert (
            held.feed(order("open", sequence, f"n{sequence}", side="buy", price="98", remaining_size="1"))
            == []
        )
    held.take(held.session.load_level3("BTC-USD", level3(101), 3, 4))
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9800) == 2 * 10**8, "102 and 103, not 99 to 101"
    held.feed(order("open", 104, "n104", side="buy", price="98", remaining_size="1"))
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9800) == 3 * 10**8
    assert held.session.state("BTC-USD") is FeedState.LIVE


def test_a_snapshot_ahead_of_the_messages(held: Holder) -> None:
    full(held, 101)
    held.feed(
        *(order("open", n, f"n{n}", side="buy", price="98", remaining_size="1") for n in (100, 101, 102))
    )
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9800) == 10**8
    assert (held.session.counters.gaps, held.session.counters.duplicates) == (0, 0)


def test_a_snapshot_older_than_the_messages_is_of_no_use(held: Holder) -> None:
    subscribe(held, "full")
    held.feed(order("open", 103, "n", side="buy", price="98", remaining_size="1"))
    (event,) = held.session.load_level3("BTC-USD", level3(101), 3, 4)
    assert isinstance(event, FeedStatus)
    assert event.state is FeedState.STALE
    held.take(held.session.load_level3("BTC-USD", level3(102), 3, 4))
    assert held.session.state("BTC-USD") is FeedState.LIVE
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9800) == 10**8


@pytest.mark.parametrize("first", [101, 102, 150])
def test_a_hole_in_the_sequence_starts_over(held: Holder, first: int) -> None:
    full(held)
    held.feed(order("open", first, "n", side="buy", price="98", remaining_size="1"))
    held.feed(order("open", first + 2, "o", side="buy", price="98", remaining_size="1"))
    assert held.session.counters.gaps == (1 if first == 101 else 2)
    assert held.session.state("BTC-USD") is FeedState.STALE
    held.take(held.session.load_level3("BTC-USD", level3(first + 1), 3, 4))
    assert held.session.state("BTC-USD") is FeedState.LIVE
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9800) == 10**8, "the message kept since the hole"


def test_a_repeated_message_is_dropped(held: Holder) -> None:
    full(held)
    frame = order("open", 101, "n", side="buy", price="98", remaining_size="1")
    held.feed(frame, frame)
    assert held.session.counters.duplicates == 1
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9800) == 10**8


@pytest.mark.parametrize(
    "frame",
    [
        order("open", 101, "b1", side="buy", price="98", remaining_size="1"),
        match(5, "sell", sequence=101, maker_order_id="nobody"),
        match(5, "sell", sequence=101, maker_order_id="a1", size="0.6"),
        match(5, "sell", sequence=101, maker_order_id="a1", price="100.02"),
        order("open", 101, "n", side="buy", price="NaN", remaining_size="1"),
        order("open", 101, "n", side="up", price="98", remaining_size="1"),
        order("open", 101, "n", side="buy", price="98", remaining_size="0"),
    ],
)
def test_a_message_that_contradicts_the_book_makes_it_stale(held: Holder, frame: str) -> None:
    full(held)
    before = held.books["BTC-USD"].snapshot()
    (event,) = held.feed(frame)
    assert isinstance(event, FeedStatus)
    assert event.state is FeedState.STALE
    assert held.session.counters.malformed == 1
    assert held.books["BTC-USD"].snapshot() == before


def test_a_bad_level_3_body_changes_nothing(held: Holder) -> None:
    full(held)
    for body in (
        b"",
        b"{}",
        b"[]",
        b'{"sequence":1,"bids":[["1","-1","x"]],"asks":[]}',
        level3(1).replace(b"b2", b"b1"),
    ):
        assert held.session.load_level3("BTC-USD", body, 3, 4) == []
    assert held.session.counters.malformed == 5
    assert held.session.open_orders("BTC-USD") == 5
    assert held.session.load_level3("XYZ-USD", level3(1), 3, 4) == []
    assert held.session.counters.unknown == 1


def test_a_reconnect_starts_the_orders_over(held: Holder) -> None:
    full(held)
    held.take(held.session.on_connect(0, 0))
    assert held.session.state("BTC-USD") is FeedState.STALE
    held.feed(order("open", 500, "n", side="buy", price="98", remaining_size="1"))
    assert held.session.counters.gaps == 0
    held.take(held.session.load_level3("BTC-USD", level3(499), 3, 4))
    assert held.session.state("BTC-USD") is FeedState.LIVE


# -- what else comes, and what is wrong ----------------------------------------------------------


def test_other_frames(held: Holder) -> None:
    held.feed(snapshot())
    held.feed(
        message("heartbeat", sequence=5, last_trade_id=9),
        message("ticker", price="100.01", best_bid="99.99", best_ask="100.01", side="buy", last_size="1"),
        message("status", products=[], currencies=[]),
        message("balance", currency="USD"),
        message("rfq_match", side="BUY", price="1", size="1", trade_id=3),
        '{"type":"error","message":"Failed to subscribe","reason":"X-USD is not a valid product"}',
        '{"type":"auction_of_tomorrow","product_id":"BTC-USD"}',
        '["open","BTC-USD","1"]',
        l2update(["buy", "1", "1"], product="XYZ-USD"),
    )
    counters = held.session.counters
    assert (counters.heartbeats, counters.errors, counters.unknown, counters.malformed) == (1, 1, 3, 0)
    assert counters.last_error == "Failed to subscribe: X-USD is not a valid product"
    assert held.session.unique_trades("BTC-USD") == 0
    assert held.session.state("BTC-USD") is FeedState.LIVE
    assert isinstance(held.session, ExchangeSession)
    assert held.session.last_ticker["BTC-USD"].best_bid_size == ""


@pytest.mark.parametrize(
    "changes",
    [
        [["buy", "99.98", "7"], ["buy", "-1", "1"]],
        [["buy", "99.98", "7"], ["hold", "99", "1"]],
        [["buy", "99.98", "7"], ["buy", "99"]],
        [["buy", "99.98", "7"], ["buy", "99", "1", "2"]],
        [["buy", "99.98", "7"], ["buy", 99, "1"]],
        [["buy", "99.98", "7"], None],
        [["buy", "99.98", "7"], ["buy", "99.999", "1"]],
        [["buy", "99.98", "7"], ["buy", "99", "1e400"]],
        "text",
        None,
    ],
)
def test_a_bad_update_is_refused_as_a_whole(held: Holder, changes: object) -> None:
    held.feed(snapshot())
    (event,) = held.feed(message("l2update", changes=changes))
    assert event == FeedStatus("BTC-USD", 5, 7, FeedState.STALE, "a book frame was refused")
    assert held.session.counters.malformed == 1
    assert held.books["BTC-USD"].volume_at(Side.BUY, 9998) == 2 * 10**8


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "5",
        "{}",
        '{"type":5}',
        '{"type":null}',
        "[" * 100_000,
        b"\xff\x00",
        l2update(["buy", "1", "1"])[:60],
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_cannot_be_read_makes_the_books_suspect(held: Holder, raw: bytes | str) -> None:
    held.feed(snapshot())
    (event,) = held.feed(raw)
    assert isinstance(event, FeedStatus)
    assert event.state is FeedState.STALE, "without a sequence nobody knows what was lost"
    assert held.session.counters.malformed == 1
    held.feed(snapshot())
    assert held.session.state("BTC-USD") is FeedState.LIVE


def fuzz(rounds: int, seed: int) -> dict[str, int]:
    """Mutated frames of all kinds into a session with a level book and an order book."""
    source = random.Random(seed)
    held = Holder(ExchangeSession(INSTRUMENTS))
    held.take(held.session.load_level3("ETH-USD", level3(0), 0, 0))
    for number in range(1, rounds + 1):
        seeds = [
            snapshot(),
            l2update(["buy", "99.98", "1"], ["sell", "100.02", "0"], ["buy", "99.97", "0.00000001"]),
            match(number, sequence=number),
            match(number, kind="last_match"),
            order(
                "open", number, f"n{number}", side="buy", price="98", remaining_size="1", product_id="ETH-USD"
            ),
            order("done", number, f"n{number - 1}", product_id="ETH-USD"),
            message("heartbeat", sequence=5, last_trade_id=9),
            '{"type":"error","message":"x","reason":"y"}',
        ]
        body = bytearray(source.choice(seeds).encode())
        for _ in range(source.choice((0, 0, 1, 2))):
            place = source.randrange(len(body))
            if source.random() < 0.5:
                body[place] = source.randrange(256)
            else:
                del body[place : place + source.choice((1, 3, 1_000))]
            body = body or bytearray(b"[")
        before = {symbol: book.snapshot(5) for symbol, book in held.books.items()}
        malformed = held.session.counters.malformed
        events = held.feed(bytes(body))
        if held.session.counters.malformed > malformed:
            assert not [event for event in events if not isinstance(event, FeedStatus)]
            assert before == {symbol: book.snapshot(5) for symbol, book in held.books.items()}
        if held.session.state("ETH-USD") is FeedState.STALE and source.random() < 0.5:
            held.take(held.session.load_level3("ETH-USD", level3(number), 0, 0))
    counters = held.session.counters
    assert counters.frames == rounds
    kinds = {type(event).__name__ for event in held.events}
    assert kinds == {"BookSnapshot", "BookUpdate", "TradePrint", "FeedStatus"}
    return {
        name: getattr(counters, name) for name in ("malformed", "gaps", "unknown", "errors", "heartbeats")
    }


def test_fuzzed_frames() -> None:
    seen = fuzz(3_000, seed=21)
    assert min(seen.values()) > 3, seen
    assert seen["malformed"] > 300


@pytest.mark.nightly
def test_fuzzed_frames_at_length() -> None:
    assert fuzz(1_000_000, seed=22)["malformed"] > 100_000
