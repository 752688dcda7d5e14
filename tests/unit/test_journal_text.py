"""A journal's records in words and as objects: every kind, in the units of its product."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from engine.commands.journal_items import KINDS, Item, SegmentEnd, Unknown, kind_name, kind_of
from engine.commands.journal_objects import Objects
from engine.commands.journal_words import Words, clock
from engine.core.errors import UsageError
from engine.core.events import (
    Alert,
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    DayCarried,
    EdgeStatus,
    FeedState,
    FeedStatus,
    FillEvidence,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
    Recovered,
    Restraint,
    SettingsChange,
    Severity,
    StorageStatus,
    SubmitOrder,
    Term,
    Timer,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.order import OrderType, Side, TimeInForce
from engine.core.own_orders import Reasons
from engine.persistence.format import RecordType
from engine.persistence.records import (
    TYPES,
    ArchiveDeleted,
    Explained,
    LogCut,
    Reconciled,
    SessionEnded,
    SessionStarted,
    SnapshotRef,
    StateDigest,
)

BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")
WORDS, BARE_WORDS = Words({"BTC-USD": BTC}), Words({})
OBJECTS, BARE_OBJECTS = Objects({"BTC-USD": BTC}), Objects({})
P = "BTC-USD"
WHEN = 1_700_000_000_123_456_789

TOLD: list[tuple[Any, str]] = [
    (
        SubmitOrder(P, 1, "c-1", Side.BUY, 1_000_000, 6_508_800, post_only=True, slot="B0"),
        "buy 0.01 BTC at 65,088.00 in B0 (c-1), post only",
    ),
    (
        SubmitOrder(
            P, 1, "c-1", Side.SELL, 150_000_000, None, OrderType.MARKET, TimeInForce.IOC, purpose="flatten"
        ),
        "sell 1.5 BTC at the market (c-1), flatten, market, ioc",
    ),
    (CancelOrder(P, 1, "c-1", "v-1", "replace"), "cancel c-1: replace"),
    (OrderAccepted(P, 1, 2, "c-1", "v-1"), "the venue has c-1 as v-1"),
    (OrderRejected(P, 1, 2, "c-1", "BUSY", "too many"), "c-1 was refused, BUSY: too many"),
    (
        OrderFilled(P, 1, 2, "c-1", "f-1", Side.BUY, 6_508_800, 1_000_000, 39_052_800_000, True),
        "buy 0.01 BTC at 65,088.00, maker, fee 0.390528 USD (c-1, f-1)",
    ),
    (
        OrderFilled(P, 1, 2, "c-1", "f-1", Side.SELL, 6_508_805, 1_000_000, 500, False, "BTC"),
        "sell 0.01 BTC at 65,088.05, taker, fee 0.000005 BTC (c-1, f-1)",
    ),
    (
        OrderFilled(P, 1, 2, "c-1", "f-1", Side.SELL, 6_508_805, 1_000_000, 7, False, "XYZ"),
        "sell 0.01 BTC at 65,088.05, taker, fee 7 XYZ (c-1, f-1)",
    ),
    (OrderCancelled(P, 1, 2, "c-1", 1_000_000), "c-1 is cancelled, 0.01 BTC not filled"),
    (OrderExpired(P, 1, 2, "c-1", 0, "its time"), "c-1 is expired, 0 BTC not filled: its time"),
    (CancelRejected(P, 1, 2, "c-1", "UNKNOWN", "gone"), "no cancel of c-1, UNKNOWN: gone"),
    (BookSnapshot(P, 1, 2, [(1, 1)] * 1_200, []), "the whole book, 1,200 bids and 0 asks"),
    (
        BookUpdate(P, 1, 2, [(6_508_800, 0)], [(6_508_900, 7)]),
        "bid 65,088.00 gone, ask 65,089.00 0.00000007 BTC",
    ),
    (
        BookUpdate(P, 1, 2, [(n, 100_000_000) for n in range(1, 6)], []),
        "bid 0.01 1 BTC, bid 0.02 1 BTC, bid 0.03 1 BTC and 2 more",
    ),
    (TradePrint(P, 1, 2, 9, 6_508_800, 1_000_000, Side.SELL), "trade 9, sell 0.01 BTC at 65,088.00"),
    (FeedStatus(P, 1, 2, FeedState.STALE, "a gap"), "the book is stale: a gap"),
    (FeedStatus(P, 1, 2, FeedState.LIVE), "the book is live"),
    (Timer(P, 3_723_000_042_000, 2), "decide at 3,723.000042 s"),
    (OperatorCommand(P, 1, 2, OperatorAction.CANCEL_ALL, "a person"), "cancel all: a person"),
    (
        SettingsChange(P, 1, 2, {"strategy.levels": "2", "engine.input": ""}),
        "strategy.levels = 2, engine.input = unset",
    ),
    (StorageStatus(P, 1, 2, False, "DISK_SLOW", "1.2 s"), "not sound, DISK_SLOW: 1.2 s"),
    (StorageStatus(P, 1, 2, True, "DISK_SLOW"), "sound, DISK_SLOW"),
    (EdgeStatus(P, 1, 2, "CLOCK", Restraint.HALTED, "1.2 s ahead"), "CLOCK: halted: 1.2 s ahead"),
    (DayCarried(P, 1, 2, 20_458, -12_345), "earlier sessions of this UTC day have earned -0.00000012345 USD"),
    (OrderUncertain(P, 1, 2, "id", "no answer"), "id is uncertain: no answer"),
    (Recovered(P, 1, 2, "killed"), "the engine goes on after a crash: killed"),
    (Alert(P, 1, 2, Severity.ERROR, "FEED", "a gap"), "error FEED: a gap"),
    (SessionStarted("0.3.0", 12), "taken up by process 12, version 0.3.0"),
    (SessionEnded("done", 0), "ended with 0: done"),
    (SessionEnded("no answer", 75, ("c-1", "c-2")), "ended with 75: no answer; possibly open: c-1, c-2"),
    (StateDigest(P, "ab" * 32), "the state is " + "ab" * 32),
    (
        Explained.of(
            P,
            "no ask: too thin",
            {
                "c-1": Reasons(
                    (Term("fair", 65_088_000_000_000, "mid"), Term("half spread", -5_000_000_000, "5 bp")),
                    (Term("base", 1_000_000, ""), Term("lot", 0, "")),
                )
            },
        ),
        "c-1 at 65083 = fair 65088, half spread -5; size 0.01 = base 0.01 | no ask: too thin",
    ),
    (Explained.of(P, "", {}), "nothing is left out any more"),
    (SnapshotRef(7, 12_345), "the state after record 7 was saved, 12,345 bytes"),
    (LogCut(40, 1, "x.broken"), "40 bytes of 1 whole record were cut off and kept in x.broken"),
    (
        LogCut(4_000, 0, "x.broken"),
        "4,000 bytes of no whole record were cut off and kept in x.broken",
    ),
    (
        Reconciled(P, "open orders", {"a": "confirmed", "b": "never_arrived", "c": "confirmed"}),
        "asked the venue for open orders: 2 confirmed, 1 never arrived",
    ),
    (Reconciled(P, "open orders", {}), "asked the venue for open orders: none was open"),
    (ArchiveDeleted(("a.pjl", "b.pjl"), "too large"), "deleted a.pjl, b.pjl: too large"),
    (SegmentEnd(1_234), "the file ends after 1,234 records"),
    (Unknown(17), "17 bytes that a newer version wrote"),
]


def item(value: Any, seq: int = 5) -> Item:
    kind = {SegmentEnd: int(RecordType.SEAL), Unknown: 0x0090}.get(type(value))
    return Item(seq, WHEN, TYPES[type(value)] if kind is None else kind, value)


@pytest.mark.parametrize(("value", "sentence"), TOLD, ids=lambda each: type(each).__name__)
def test_a_record_in_words(value: Any, sentence: str) -> None:
    product = "BTC-USD  " if hasattr(value, "product") else ""
    kind = kind_name(item(value).kind)
    assert WORDS.line(item(value)) == f"         5  2023-11-14 22:13:20.123Z  {kind:<13}  {product}{sentence}"


def test_every_kind_of_record_is_told() -> None:
    assert {type(value) for value, _ in TOLD} == {*TYPES, SegmentEnd, Unknown}


@pytest.mark.parametrize("value", [value for value, _ in TOLD], ids=lambda each: type(each).__name__)
def test_a_record_as_an_object(value: Any) -> None:
    for objects in (OBJECTS, BARE_OBJECTS):
        told = json.loads(json.dumps(objects.object(item(value))))
        head = {key: told.pop(key) for key in ("v", "seq", "ts_ns", "type", "event")}
        kind = kind_name(item(value).kind)
        assert head == {"v": 1, "seq": 5, "ts_ns": WHEN, "type": kind, "event": type(value).__name__}
        fields = set(type(value).__struct_fields__)
        if isinstance(value, Explained) and objects is OBJECTS:
            fields.remove("terms")  # every order has its own
        assert set(told) == fields
        assert not any(isinstance(each, float) for each in told.values())
    assert BARE_WORDS.line(item(value)).isprintable()


def test_an_object_has_decimals_as_text() -> None:
    evidence = FillEvidence("queue_cleared", 250_000_000, 0, 9)
    fill = OrderFilled(
        P, 1, 2, "c-1", "f-1", Side.SELL, 6_508_800, 1_000_000, 39_052_800_000, True, "", 3, evidence, 5,
        Decimal("-1E-10"),
    )  # fmt: skip
    told = OBJECTS.object(item(fill))
    assert told["side"] == "sell"
    assert (told["price"], told["size"]) == ("65088", "0.01")
    assert (told["fee"], told["fee_asset"], told["fee_value"]) == ("0.390528", "USD", "0.00000000005")
    assert told["fee_dust"] == "-0.0000000001"
    assert told["evidence"] == {
        "reason": "queue_cleared", "ahead_before": "2.5", "ahead_after": "0", "trade_id": 9,
    }  # fmt: skip
    in_base = OrderFilled(P, 1, 2, "c", "f", Side.BUY, 1, 1, 500, True, "BTC", fee_dust=Decimal("2.500"))
    assert OBJECTS.object(item(in_base))["fee"] == "0.000005"
    assert OBJECTS.object(item(in_base))["fee_dust"] == "2.5"
    other = OrderFilled(P, 1, 2, "c", "f", Side.BUY, 1, 1, 7, True, "XYZ")
    assert (OBJECTS.object(item(other))["fee"], OBJECTS.object(item(other))["fee_value"]) == ("7", None)
    book = BookUpdate(P, 1, 2, [(6_508_800, 0)], [(6_508_901, 7)])
    told = OBJECTS.object(item(book))
    assert (told["bids"], told["asks"]) == ([["65088", "0"]], [["65089.01", "0.00000007"]])
    order = SubmitOrder(P, 1, "c-1", Side.BUY, 1, None)
    assert OBJECTS.object(item(order))["price"] is None


def test_an_explanation_as_an_object_tells_every_order_on_its_own() -> None:
    bid, ask = (
        Reasons((Term("fair", 5_000_000_000, "mid"), Term("half", sign * 10**7, "")), (Term("base", 3, ""),))
        for sign in (-1, 1)
    )
    told = Explained.of(P, "", {"b": bid, "a": ask})
    assert len(told.terms) == 4, "what both have is there once"
    assert (told.reasons("b"), told.reasons("a")) == (bid, ask)
    orders = OBJECTS.object(item(told))["orders"]
    assert [order["client_id"] for order in orders] == ["b", "a"]
    assert [term["value"] for order in orders for term in order["price"]] == ["5", "-0.01", "5", "0.01"]
    assert orders[0]["size"] == [{"name": "base", "value": "0.00000003", "inputs": ""}]


def test_an_unknown_product_keeps_its_integers() -> None:
    order = SubmitOrder(P, 1, "c-1", Side.BUY, 1_000_000, 6_508_800, slot="B0")
    fill = OrderFilled(P, 1, 2, "c-1", "f-1", Side.BUY, 6_508_800, 1_000_000, 5, True)
    assert "buy 1000000 lots at 6508800 ticks in B0 (c-1)" in BARE_WORDS.line(item(order))
    assert "fee 5 atoms" in BARE_WORDS.line(item(fill))
    told = BARE_OBJECTS.object(item(order))
    assert (told["price"], told["size"], told["side"]) == (6_508_800, 1_000_000, "buy")


def test_a_tick_that_is_no_power_of_ten() -> None:
    odd = Instrument.create("ODD-USD", tick="0.25", lot="5")
    order = SubmitOrder("ODD-USD", 1, "c", Side.BUY, 300, 4_003, slot="B0")
    assert "buy 1,500 ODD at 1,000.75 in B0" in Words({"ODD-USD": odd}).line(item(order))
    assert Objects({"ODD-USD": odd}).object(item(order))["price"] == "1000.75"


def test_what_a_venue_wrote_stays_on_its_line_and_steers_no_terminal() -> None:
    line = WORDS.line(item(OrderRejected(P, 1, 2, "c-1", "BUSY", "no\n\x1b[2Jway\u202e")))
    assert line.endswith("c-1 was refused, BUSY: no\\n\\x1b[2Jway\\u202e")
    assert line.isprintable()


def test_a_clock_that_was_never_right_is_told_as_it_is() -> None:
    assert clock(0) == "1970-01-01 00:00:00.000Z"
    assert clock(2**64 - 1) == "2554-07-21 23:34:33.709Z"
    assert clock(10**30) == f"{10**30} ns"


def test_names_of_types() -> None:
    assert kind_of("fill") is RecordType.FILL
    assert kind_name(0x0090) == "type_0x0090"
    assert len(KINDS) == len(RecordType)
    with pytest.raises(UsageError, match=r"--type fills: did you mean fill\? there are order_intent, "):
        kind_of("fills")
    with pytest.raises(UsageError, match=r"--type zzz: there are order_intent, "):
        kind_of("zzz")
