"""No answer of the venue, however broken, leaves a decoder as anything but what its callers expect."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exchange.coinbase.broker import OrderRef, Outcome, SubmitAnswer
from engine.exchange.coinbase.rest import advanced_commands, advanced_rest, exchange_rest
from engine.exchange.coinbase.rest.product_states import advanced_page, exchange_list
from engine.exchange.coinbase.rest.texts import figure, plain, rfc3339

QUESTIONS: list[tuple[Callable[[bytes], Any], Any]] = [
    (advanced_rest.server_ns, {"epochMillis": "1"}),
    (
        advanced_rest.one_order,
        {
            "order": {
                "order_id": "o",
                "product_id": "p",
                "side": "BUY",
                "status": "OPEN",
                "filled_size": "1",
                "order_configuration": {"limit_limit_gtc": {"base_size": "1", "limit_price": "1"}},
            }
        },
    ),
    (
        advanced_rest.orders_page,
        {"orders": [{"order_id": "o", "product_id": "p", "side": "SELL", "status": "x"}], "has_next": True},
    ),
    (
        advanced_rest.fills_page,
        {
            "fills": [
                {
                    "entry_id": "e",
                    "order_id": "o",
                    "product_id": "p",
                    "side": "BUY",
                    "price": "1",
                    "size": "2",
                    "trade_time": "2026-09-30T01:41:50.644Z",
                }
            ]
        },
    ),
    (
        advanced_rest.accounts_page,
        {"accounts": [{"currency": "USD", "available_balance": {"value": "1"}, "hold": {"value": "0"}}]},
    ),
    (advanced_rest.fee_rates, {"fee_tier": {"maker_fee_rate": "0.1", "taker_fee_rate": 0.2}}),
    (advanced_rest.rights, {"can_view": True}),
    (
        lambda body: advanced_rest.book_top(body, 5),
        {"pricebook": {"bids": [{"price": "1", "size": "1"}], "asks": []}},
    ),
    (advanced_page, {"products": [{"product_id": "A-B", "base_increment": "1", "quote_increment": "1"}]}),
    (exchange_rest.server_ns, {"epoch": 1.5}),
    (
        exchange_rest.one_order,
        {"id": "o", "product_id": "p", "side": "buy", "status": "done", "filled_size": "1", "size": "2"},
    ),
    (
        exchange_rest.fills,
        [{"trade_id": 1, "order_id": "o", "product_id": "p", "side": "buy", "price": "1", "size": "2"}],
    ),
    (exchange_rest.accounts, [{"currency": "USD", "available": "1", "hold": "1"}]),
    (exchange_rest.fee_rates, {"maker_fee_rate": "0.1", "taker_fee_rate": "0.2"}),
    (lambda body: exchange_rest.book_top(body, 5), {"bids": [["1", "2", 3]], "asks": []}),
    (exchange_list, [{"id": "A-B", "base_increment": "1", "quote_increment": "1"}]),
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["", "NaN", "Infinity", "-1", "1e999", "1E+70", "0", "٣", "1_0", "9" * 200, "0001-01-01T00:00:00Z"]
    ),
    st.just([]),
    st.just({}),
    st.just(["x"]),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path, *(below for key, child in children for below in _paths(child, (*path, key)))]


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    head, *rest = path
    if isinstance(value, dict):
        return {**value, head: _with(value[head], tuple(rest), new)}
    return [_with(child, tuple(rest), new) if at == head else child for at, child in enumerate(value)]


@pytest.mark.parametrize(("decode", "good"), QUESTIONS)
def test_a_good_answer_is_read(decode: Callable[[bytes], Any], good: Any) -> None:
    decode(json.dumps(good).encode())


@pytest.mark.parametrize(("decode", "good"), QUESTIONS)
def test_one_odd_value_is_read_or_refused(decode: Callable[[bytes], Any], good: Any) -> None:
    @given(path=st.sampled_from(_paths(good)), odd=ODD)
    def check(path: tuple[Any, ...], odd: Any) -> None:
        try:
            decode(json.dumps(_with(good, path, odd)).encode())
        except (msgspec.MsgspecError, ValueError):
            pass

    check()


@pytest.mark.parametrize(("decode", "good"), QUESTIONS)
def test_a_cut_answer_is_refused(decode: Callable[[bytes], Any], good: Any) -> None:
    body = json.dumps(good).encode()
    for end in range(len(body)):
        with pytest.raises((msgspec.MsgspecError, ValueError)):
            decode(body[:end])


COMMANDS: list[Callable[[bytes], SubmitAnswer]] = [
    lambda body: advanced_commands.created(body, "c"),
    lambda body: advanced_commands.edited(body, "o"),
    lambda body: exchange_rest.created(body, "c"),
]
ANSWER = {
    "success": True,
    "order_id": "o",
    "success_response": {"order_id": "o", "client_order_id": "c"},
    "error_response": {"error": "X"},
    "errors": [{"edit_failure_reason": "Y"}],
    "id": "o",
    "client_oid": "c",
    "product_id": "p",
    "side": "buy",
    "status": "open",
}


@pytest.mark.parametrize("decode", COMMANDS)
@given(path=st.sampled_from(_paths(ANSWER)), odd=ODD)
def test_an_odd_answer_to_a_command_is_some_outcome(
    decode: Callable[[bytes], SubmitAnswer], path: tuple[Any, ...], odd: Any
) -> None:
    answer = decode(json.dumps(_with(ANSWER, path, odd)).encode())
    assert answer.outcome in (Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNKNOWN)
    if answer.outcome is Outcome.ACCEPTED:
        assert answer.order_id


@given(st.binary(max_size=100))
def test_no_bytes_break_the_answer_to_a_command(body: bytes) -> None:
    for decode in COMMANDS:
        assert decode(body).outcome is Outcome.UNKNOWN
    (cancelled,) = advanced_commands.cancelled(body, [OrderRef("o")])
    assert cancelled.outcome is Outcome.UNKNOWN


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=Decimal("1e40"), places=30))
def test_a_figure_survives_the_way_to_the_venue_and_back(value: Decimal) -> None:
    text = plain(value)
    assert "E" not in text
    assert Decimal(text) == value
    for raw in (f'"{text}"', text):
        assert (figure(msgspec.Raw(raw.encode()), "x") or 0) == value


@pytest.mark.parametrize(
    "text", ['"NaN"', '"1e999"', '"0x10"', '" 1"', '"1_0"', "true", "[]", '"٣"', '"\\u0031"']
)
def test_what_is_no_figure_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        figure(msgspec.Raw(text.encode()), "x")


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_790_732_510_644_000_999, "2026-09-30T01:41:50.644000Z"),
        (1_796_083_200 * 10**9, "2026-12-01T00:00:00Z"),
    ],
)
def test_times_are_written_as_the_venue_takes_them(ns: int, text: str) -> None:
    assert rfc3339(ns) == text
