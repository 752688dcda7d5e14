"""Recorded batches against what Traders answer: every kind of difference is found, at the right record."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import (
    Alert,
    AnyCommand,
    AnyEvent,
    CancelOrder,
    OrderCancelled,
    Severity,
    SubmitOrder,
    Timer,
)
from engine.core.order import Side
from engine.persistence.records import Entry, Recorded, SessionStarted, StateDigest
from engine.runtime.replayer import Replayer, take_apart
from engine.runtime.supervisor import STAGE_FAILED

BTC, ETH = "BTC-USD", "ETH-USD"


class Echo:
    """A Trader to the replayer: answers an event with an order for each million of its time; fails at 13."""

    def __init__(self, product: str) -> None:
        self.product = product
        self.shown: list[AnyEvent] = []

    def on_event(self, event: AnyEvent) -> Sequence[AnyCommand]:
        self.shown.append(event)
        if event.recv_ns == 13:
            raise ZeroDivisionError("thirteen")
        return [order(self.product, event.recv_ns, each) for each in range(event.recv_ns // 1_000_000)]

    def digest(self) -> str:
        return f"{self.product} after {len(self.shown)}"


def order(product: str, ns: int, number: int) -> SubmitOrder:
    return SubmitOrder(product, ns, f"{ns}-{number}", Side.BUY, 1, 100)


def timer(ns: int, product: str = BTC) -> Timer:
    return Timer(product, ns, ns)


def failure(ns: int, product: str = BTC) -> Alert:
    return Alert(product, ns, ns, Severity.CRITICAL, STAGE_FAILED, "the strategy stage failed")


def batch(first: int, *values: Recorded) -> list[Entry]:
    return [Entry(first + index, 0, value) for index, value in enumerate(values)]


def replayed(*batches: Sequence[Recorded]) -> Replayer:
    """A replayer that was shown batches whose records are numbered from 1."""
    traders: dict[str, Any] = {product: Echo(product) for product in (BTC, ETH)}
    replayer, numbers = Replayer(traders), count(1)
    for values in batches:
        replayer.take(take_apart([Entry(next(numbers), 0, value) for value in values]))
    return replayer


def test_a_batch_is_taken_apart_by_what_its_records_are() -> None:
    cancel, note = CancelOrder(BTC, 5, "a"), failure(5)
    gone = OrderCancelled(BTC, 5, 5, "a", 0)
    parts = take_apart(batch(7, gone, timer(5), note, order(BTC, 5, 0), cancel))
    assert (parts.events, parts.commands, parts.notes) == (
        [gone, timer(5)],
        [order(BTC, 5, 0), cancel],
        [note],
    )
    assert (parts.seq, parts.product, parts.seq_of(cancel), parts.seq_of(gone)) == (11, BTC, 11, 7)
    assert take_apart(batch(3, SessionStarted("1", 2))).product == ""


def test_what_is_on_record_is_what_is_computed() -> None:
    ns = 2_000_000
    replayer = replayed(
        [SessionStarted("1", 2)],
        [timer(1), timer(ns), order(BTC, ns, 0), order(BTC, ns, 1)],
        [StateDigest(BTC, f"{BTC} after 2")],
        [timer(7, ETH)],
        [StateDigest(ETH, f"{ETH} after 1")],
    )
    assert replayer.divergence is None
    assert (replayer.batches, replayer.events, replayer.commands, replayer.digests) == (5, 3, 2, 2)
    assert replayer.recorded_digests == {BTC: f"{BTC} after 2", ETH: f"{ETH} after 1"}


NS = 3_000_000
ORDERS = [order(BTC, NS, number) for number in range(3)]


@pytest.mark.parametrize(
    ("batches", "seq", "expected", "got"),
    [
        ([[timer(1)], [timer(NS), ORDERS[0], ORDERS[2], ORDERS[1]]], 4, repr(ORDERS[2]), repr(ORDERS[1])),
        ([[timer(NS), ORDERS[0], ORDERS[2]]], 3, repr(ORDERS[2]), repr(ORDERS[1])),
        ([[timer(NS), *ORDERS[:2]]], 3, "no further order", repr(ORDERS[2])),
        ([[timer(1), ORDERS[0]]], 2, repr(ORDERS[0]), "no further order"),
        ([[timer(1)], [ORDERS[0]]], 2, repr(ORDERS[0]), "no further order"),
        ([[StateDigest(BTC, "0")]], 1, "the digest 0", f"{BTC} after 0"),
        ([[StateDigest("DOGE-USD", "0")]], 1, "the digest 0", "no such product"),
        ([[timer(1, "DOGE-USD")]], 1, "an event of it", "no such product in the session"),
        (
            [[timer(1), timer(2, ETH)]],
            2,
            "an event of 'ETH-USD' in one wake-up with it",
            "a wake-up of one product",
        ),
        ([[timer(13)]], 1, "no failure", "the Trader fails: ZeroDivisionError: thirteen"),
        ([[timer(12), failure(12)]], 1, "the strategy stage failed", "no failure"),
        ([[timer(13), failure(13), ORDERS[0]]], 3, repr(ORDERS[0]), "no further order"),
    ],
    ids=[
        "order of orders", "another order", "a missing order", "a further order", "an order by itself",
        "digest", "digest of nobody", "unknown product", "two products", "a failure", "no failure",
        "sent at a failure",
    ],
)  # fmt: skip
def test_the_first_difference_is_named(
    batches: list[list[Recorded]], seq: int, expected: str, got: str
) -> None:
    replayer = replayed(*batches)
    found = replayer.divergence
    assert found is not None
    assert (found.seq, found.expected, found.got) == (seq, expected, got)
    assert f"record {seq}, " in found.sentence()


def test_nothing_is_taken_behind_the_first_difference() -> None:
    lie = [timer(1), ORDERS[0]]
    replayer = replayed(lie, [timer(2)], [StateDigest(BTC, "0")], [timer(13)])
    assert replayer.divergence is not None
    assert replayer.divergence.seq == 2
    assert (replayer.batches, replayer.events, replayer.digests) == (1, 1, 0)


def test_a_digest_in_the_batch_of_a_difference_does_not_hide_it() -> None:
    replayer = replayed([timer(1), ORDERS[0], StateDigest(BTC, "0")])
    assert replayer.divergence is not None
    assert replayer.divergence.seq == 2


def test_orders_of_a_wake_up_that_failed_leave_with_what_came_next() -> None:
    """They wait in the desk's queue when the Trader fails, and the end of the run sends them."""
    replayer = replayed(
        [timer(NS), timer(13), failure(13)],
        [timer(1, ETH)],
        [timer(1_000_000), *ORDERS, order(BTC, 1_000_000, 0)],
    )
    assert replayer.divergence is None
    assert (replayer.events, replayer.commands) == (4, 4)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[list[Recorded]], int, int]:
    """Batches as the Traders cause them, and where one of the orders is."""
    batches: list[list[Recorded]] = []
    for _ in range(draw(st.integers(1, 6))):
        product = draw(st.sampled_from((BTC, ETH)))
        millions = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(any))
        times = [each * 1_000_000 + 14 + index for index, each in enumerate(millions)]
        orders = [order(product, ns, each) for ns in times for each in range(ns // 1_000_000)]
        batches.append([*(timer(ns, product) for ns in times), *orders])
    places = [
        (at, index)
        for at, values in enumerate(batches)
        for index, value in enumerate(values)
        if isinstance(value, SubmitOrder)
    ]
    return batches, *draw(st.sampled_from(places))


def test_any_changed_or_missing_order_is_found_where_it_stands() -> None:
    tried = {"changed": 0, "missing": 0}

    @given(sessions(), st.sampled_from(sorted(tried)))
    def check(session: tuple[list[list[Recorded]], int, int], what: str) -> None:
        batches, at, index = session
        assert replayed(*batches).divergence is None
        values = batches[at]
        was = values[index]
        assert isinstance(was, SubmitOrder)
        seq = sum(map(len, batches[:at])) + index + 1
        if what == "changed":
            values[index] = msgspec.structs.replace(was, size=2)
        else:
            del values[index]
            seq = min(seq, sum(map(len, batches[: at + 1])))  # the last of the batch, where it was the last
        found = replayed(*batches).divergence
        assert found is not None
        assert (found.seq, found.got) == (seq, repr(was))
        tried[what] += 1

    check()
    assert min(tried.values()) > 20
