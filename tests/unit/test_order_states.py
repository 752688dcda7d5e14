"""Conformance cases 33-34 and the whole table of legal order state transitions."""

from __future__ import annotations

import itertools

import pytest

from engine.core.errors import OrderError
from engine.core.instrument import Instrument
from engine.core.order import TERMINAL, OrderState, OrderType, Side, TimeInForce, check_transition
from engine.core.order_book import OrderBook

S = OrderState
ONE = Instrument.create("BTC-USD", tick="1", lot="1")

LEGAL = (
    {(S.PENDING, new) for new in S if new is not S.PENDING}
    | {
        (S.NEW, S.PARTIALLY_FILLED),
        (S.NEW, S.FILLED),
        (S.NEW, S.PENDING_CANCEL),
        (S.NEW, S.CANCELLED),
        (S.NEW, S.EXPIRED),
        (S.NEW, S.REJECTED),
        (S.NEW, S.UNCERTAIN),
        (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED),
        (S.PARTIALLY_FILLED, S.FILLED),
        (S.PARTIALLY_FILLED, S.PENDING_CANCEL),
        (S.PARTIALLY_FILLED, S.CANCELLED),
        (S.PARTIALLY_FILLED, S.EXPIRED),
        (S.PARTIALLY_FILLED, S.UNCERTAIN),
        (S.PENDING_CANCEL, S.PENDING_CANCEL),
        (S.PENDING_CANCEL, S.FILLED),
        (S.PENDING_CANCEL, S.CANCELLED),
        (S.PENDING_CANCEL, S.EXPIRED),
        (S.PENDING_CANCEL, S.REJECTED),
        (S.PENDING_CANCEL, S.UNCERTAIN),
    }
    | {(S.UNCERTAIN, new) for new in S if new not in (S.PENDING, S.UNCERTAIN)}
)


@pytest.mark.parametrize(
    ("old", "new", "is_legal"),
    [
        (S.FILLED, S.CANCELLED, False),
        (S.PARTIALLY_FILLED, S.REJECTED, False),
        (S.NEW, S.EXPIRED, True),
        (S.CANCELLED, S.PARTIALLY_FILLED, False),
        (S.CANCELLED, S.FILLED, False),
    ],
)
def test_case_33_named_transitions(old: OrderState, new: OrderState, is_legal: bool) -> None:
    if is_legal:
        check_transition(old, new)
    else:
        with pytest.raises(OrderError, match=f"{old.value} cannot become {new.value}"):
            check_transition(old, new)


def test_case_33_the_book_refuses_them_too() -> None:
    book = OrderBook(ONE)
    filled = book.submit("filled", Side.SELL, 1, 100)
    book.submit("taker", Side.BUY, 1, 100)
    assert book.cancel("filled") is False
    assert filled.state is S.FILLED

    expiring = book.submit("expiring", Side.BUY, 1, 90, time_in_force=TimeInForce.GTD, expires_ns=5)
    assert book.expire(4) == []
    assert book.expire(5) == [expiring]
    assert expiring.state is S.EXPIRED

    cancelled = book.submit("cancelled", Side.BUY, 1, 90)
    book.cancel("cancelled")
    assert book.execute("cancelled", 1) is False
    assert book.submit("m", Side.SELL, 1, order_type=OrderType.MARKET).filled == 0
    assert (cancelled.state, cancelled.filled) == (S.CANCELLED, 0)


def test_case_34_a_fill_beyond_the_quantity_is_refused() -> None:
    book = OrderBook(ONE)
    order = book.submit("b", Side.BUY, 5, 100)
    book.execute("b", 2)
    assert book.execute("b", 4) is False
    assert (order.state, order.filled, order.remaining) == (S.PARTIALLY_FILLED, 2, 3)


def test_every_pair_of_states_is_decided() -> None:
    decided = 0
    for old, new in itertools.product(S, S):
        if (old, new) in LEGAL:
            check_transition(old, new)
        else:
            with pytest.raises(OrderError):
                check_transition(old, new)
        decided += 1
    assert decided == len(S) ** 2


def test_a_terminal_state_is_never_left() -> None:
    assert {state for state in S if state.is_terminal} == TERMINAL
    assert not [(old, new) for old, new in LEGAL if old.is_terminal]


def test_every_live_state_can_end_and_every_state_can_be_reached() -> None:
    for state in set(S) - TERMINAL:
        assert {new for old, new in LEGAL if old is state} & TERMINAL
    assert {new for _, new in LEGAL} == set(S) - {S.PENDING}
