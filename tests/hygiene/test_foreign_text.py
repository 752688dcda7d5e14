"""Text of strangers: what is left of it, and where it comes in."""

from __future__ import annotations

import json
import ssl
from decimal import Decimal

import aiohttp
import pytest
from hygiene.payloads import PAYLOADS, WIRED, WORDLESS, steers
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError, ProtocolError
from websockets.frames import Close

from engine.core.foreign_text import MOST, harmless, identifier, visible, visible_lines

HOSTILE = pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
FROM_A_VENUE = pytest.mark.parametrize("payload", WIRED.values(), ids=WIRED.keys())


def assert_harmless(text: str, *, most: int = MOST + 200) -> None:
    assert not steers(text)
    assert len(text) <= most
    assert not any(word in text for word in WORDLESS)
    text.encode("utf-8")


# -- the function --------------------------------------------------------------------------------


@HOSTILE
def test_what_is_left_of_it(payload: str) -> None:
    kept = harmless(f"before {payload} after")
    assert_harmless(kept, most=MOST)
    assert kept.startswith("before")
    assert harmless(kept) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("insufficient funds", "insufficient funds"),
        ("  two\n\nlines\t ", "two lines"),
        ("price ≥ 1 € – é 価", "price ≥ 1 € – é 価"),
        ("[bold]not fat[/bold]", "[bold]not fat[/bold]"),
        ("\x1b]52;c;ZXZpbA==\x07x\x1b[2J", "x"),
        ("a\ud800b", "a\N{REPLACEMENT CHARACTER}b"),
        ("x" * 600, "x" * 511 + "…"),
    ],
)
def test_what_is_kept(text: str, kept: str) -> None:
    assert harmless(text) == kept


@given(st.text())
def test_nothing_that_steers_is_left_of_any_text(text: str) -> None:
    for kept in (harmless(text), visible(text), identifier(text), *visible_lines(text).split("\n")):
        assert not steers(kept)
        kept.encode("utf-8")
    assert visible(visible(text)) == visible(text)


def test_lines_stay_lines() -> None:
    assert visible_lines("one\n\n  two\x1b[31m\r\nthree") == "one\n\n  two \nthree"


@HOSTILE
def test_no_id_becomes_one_of_ours(payload: str) -> None:
    ours = "pt-7-abc"
    assert identifier(ours) == ours
    for hostile in (payload + ours, ours + payload, ours[:3] + payload + ours[3:]):
        assert identifier(hostile) != ours
        assert len(identifier(hostile)) <= 256
        assert not steers(identifier(hostile))


def test_different_ids_stay_different() -> None:
    ids = ["a", "a\u200b", "a\u200c", "a\x00", "a" * 257, "a" * 258, "a" * 256]
    assert len({identifier(one) for one in ids}) == len(ids)


# -- where it comes in ---------------------------------------------------------------------------


@FROM_A_VENUE
def test_reasons_of_the_venue(payload: str) -> None:
    from engine.exchange.coinbase.rest.reasons import (
        EditError,
        ErrorResponse,
        body_reason,
        edit_reason,
        order_reason,
        text_reason,
        word_reason,
    )

    body = json.dumps({"error": payload, "message": payload, "error_details": payload}).encode()
    reasons = [
        word_reason(payload, payload),
        text_reason(payload),
        text_reason(f"insufficient funds {payload}"),
        order_reason(ErrorResponse(error=payload, message=payload)),
        edit_reason([EditError(edit_failure_reason=payload)]),
        body_reason(body),
        body_reason(json.dumps({"errors": [{"message": payload}]}).encode()),
    ]
    for reason in reasons:
        assert reason is not None
        assert_harmless(reason.code)
        assert_harmless(reason.sentence)
    assert body_reason(payload.encode()) is None, "what is not the venue's JSON is not quoted at all"


@HOSTILE
def test_failures_of_a_connection(payload: str) -> None:
    from engine.exchange.coinbase.feed.refusals import ending_of
    from engine.exchange.coinbase.rest.http import _reason

    certificate = ssl.SSLCertVerificationError(1, payload)
    certificate.verify_message = payload
    errors: list[Exception] = [
        ProtocolError(payload),
        OSError(5, payload),
        ssl.SSLError(1, payload),
        certificate,
        RuntimeError(payload),
    ]
    if "\ud800" not in payload and "\udc9b" not in payload:
        errors.append(ConnectionClosedError(Close(4000, payload[:120]), None))
    for error in errors:
        assert_harmless(ending_of(error, "venue.example").words)
    for failure in (aiohttp.ClientError(payload), OSError(5, payload), ssl.SSLError(1, payload), certificate):
        assert_harmless(_reason(failure, "https://venue.example")[1])


@FROM_A_VENUE
def test_orders_of_strangers(payload: str) -> None:
    from engine.exchange.coinbase.rest import advanced_rest, exchange_rest
    from engine.exchange.coinbase.wire.own_messages import OwnMessages
    from engine.exchange.coinbase.wire.user import WireUserOrder, order_report

    advanced = {"order_id": payload, "product_id": payload, "side": "BUY", "status": payload}
    advanced |= {"client_order_id": payload, "reject_reason": payload, "cancel_message": payload}
    listed, _ = advanced_rest.orders_page(json.dumps({"orders": [advanced], "has_next": False}).encode())
    exchange = {"id": payload, "product_id": payload, "side": "buy", "status": payload, "type": "limit"}
    exchange |= {"client_oid": payload, "reject_reason": payload, "done_reason": payload, "size": "1"}
    listed += exchange_rest.orders(json.dumps([exchange, {**exchange, "status": "done"}]).encode())
    listed.append(
        order_report(
            WireUserOrder(
                payload, payload, "BUY", payload, payload, cancel_reason=payload, reject_reason=payload
            )
        )
    )
    messages = OwnMessages()
    received = {"type": "received", "order_id": payload, "product_id": payload, "side": "buy"}
    done = {"type": "done", "reason": "canceled", "cancel_reason": payload}
    for message in ({**received, "client_oid": payload}, {**received, **done}):
        common = {"sequence": 1, "time": "2026-01-05T09:01:07.412Z", "price": "1", "size": "1"}
        messages.on_message(json.dumps({**common, **message, "remaining_size": "1"}))
    told = [one for one in messages.take() if hasattr(one, "client_order_id")]
    assert told
    for report in (*listed, *told):
        for field in ("order_id", "client_order_id", "product", "status", "cancel_reason", "reject_reason"):
            assert_harmless(getattr(report, field)) if "reason" in field else None
            assert not steers(getattr(report, field))
            assert len(getattr(report, field)) <= MOST


@FROM_A_VENUE
def test_money_fills_and_products(payload: str) -> None:
    from engine.exchange.coinbase.rest import advanced_rest, product_states

    accounts = {"accounts": [{"currency": payload, "available_balance": {"value": "1"}}]}
    (balance,), _ = advanced_rest.accounts_page(json.dumps(accounts).encode())
    fill = {"entry_id": payload, "order_id": payload, "product_id": payload, "side": "BUY"}
    fills, _ = advanced_rest.fills_page(json.dumps({"fills": [{**fill, "price": "1", "size": "1"}]}).encode())
    tier = {"fee_tier": {"maker_fee_rate": "0", "taker_fee_rate": "0", "pricing_tier": payload}}
    rates = advanced_rest.fee_rates(json.dumps(tier).encode())
    made = fills[0].fill
    for text in (balance.currency, made.fill_id, made.order_id, made.product, rates.tier):
        assert not steers(text)
        assert len(text) <= MOST
    product = {
        "product_id": "BTC-USD",
        "price_increment": "0.01",
        "base_increment": "0.00000001",
        "quote_increment": "0.01",
        "base_currency_id": "BTC",
        "quote_currency_id": "USD",
        "status": payload,
    }
    assert_harmless(product_states.advanced_state(json.dumps(product).encode()).note)


@FROM_A_VENUE
def test_error_messages_on_a_socket(payload: str) -> None:
    from engine.exchange.coinbase.wire.advanced import AdvancedSession
    from engine.exchange.coinbase.wire.exchange import ExchangeSession
    from engine.exchange.coinbase.wire.own_messages import OwnMessages

    advanced, exchange, own = AdvancedSession({}), ExchangeSession({}), OwnMessages()
    error = {"type": "error", "message": payload, "reason": payload}
    advanced.on_frame(json.dumps(error), 1, 1)
    exchange.on_frame(json.dumps(error), 1, 1)
    own.on_message(json.dumps(error))
    for counters in (advanced.counters, exchange.counters, own.counters):
        assert counters.errors == 1
        assert_harmless(counters.last_error)


def test_amounts_are_not_text() -> None:
    import msgspec

    from engine.exchange.coinbase.rest.texts import figure

    assert figure(msgspec.Raw(b'"1.5"'), "x") == Decimal("1.5")
    for name, payload in WIRED.items():
        with pytest.raises(ValueError) as caught:
            figure(msgspec.Raw(json.dumps(payload).encode()), "x")
        assert len(str(caught.value)) < 1_000, name
