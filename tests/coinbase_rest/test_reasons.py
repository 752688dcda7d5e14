"""Every documented reason has a sentence; whatever else the venue says is shown, harmless."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exchange.coinbase.rest.reasons import (
    ErrorResponse,
    body_reason,
    is_meaningless,
    order_reason,
    text_reason,
    word_reason,
)

CREATE = [
    "INSUFFICIENT_FUND",
    "INVALID_PRICE_PRECISION",
    "INVALID_SIZE_PRECISION",
    "INVALID_LIMIT_PRICE",
    "INVALID_LIMIT_PRICE_POST_ONLY",
    "LIMIT_PRICE_TOO_FAR_FROM_MARKET",
    "UNTRADABLE_PRODUCT",
    "TRADING_DISABLED",
    "UNSUPPORTED_ORDER_CONFIGURATION",
    "INVALID_SIDE",
    "INVALID_PRODUCT_ID",
    "INVALID_REQUEST",
    "GTD_ORDERS_MUST_HAVE_END_TIME",
    "END_TIME_IS_IN_THE_PAST",
    "POST_ONLY_NOT_ALLOWED_WITH_FOK",
    "INVALID_NO_LIQUIDITY",
    "GEOFENCING_RESTRICTION",
    "DUPLICATE_CLIENT_ORDER_ID",
    "PREVIEW_INSUFFICIENT_FUND",
    "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL",
    "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE",
    "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL",
    "PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE",
    "PREVIEW_INVALID_PRICE_PRECISION",
    "PREVIEW_INVALID_SIZE_PRECISION",
    "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY",
    "HOLD_FAILURE",
    "TOO_MANY_OPEN_ORDERS",
    "REJECT_REASON_INSUFFICIENT_FUNDS",
    "RATE_LIMIT_EXCEEDED",
]
CANCEL = [
    "UNKNOWN_CANCEL_ORDER",
    "INVALID_CANCEL_REQUEST",
    "COMMANDER_REJECTED_CANCEL_ORDER",
    "DUPLICATE_CANCEL_REQUEST",
    "INVALID_CANCEL_PRODUCT_ID",
    "NOT_ALLOWED_TO_CANCEL",
    "ORDER_IS_FULLY_FILLED",
    "ORDER_IS_BEING_REPLACED",
]
EDIT = [
    "CANNOT_EDIT_TO_BELOW_FILLED_SIZE",
    "ORDER_NOT_FOUND",
    "ONLY_LIMIT_ORDER_EDITS_SUPPORTED",
    "INVALID_EDITED_SIZE",
    "INVALID_EDITED_PRICE",
    "ONLY_OPEN_ORDERS_CAN_BE_EDITED",
    "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST",
    "EXCEEDED_MAX_ALLOWED_EDIT_REQUEST_COUNT",
]


@pytest.mark.parametrize("word", [*CREATE, *CANCEL, *EDIT])
def test_every_documented_word_has_a_sentence_of_its_own(word: str) -> None:
    reason = word_reason(word)
    assert reason.code == word
    assert word not in reason.sentence
    assert len(reason.sentence) > 15


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Insufficient funds", "INSUFFICIENT_FUNDS"),
        ("NotFound", "NOT_FOUND"),
        ("order not found", "NOT_FOUND"),
        ("Order already done", "ORDER_ALREADY_DONE"),
        ("Invalid API Key", "INVALID_API_KEY"),
        ("invalid signature", "INVALID_SIGNATURE"),
        ("Invalid Passphrase", "INVALID_PASSPHRASE"),
        ("request timestamp expired", "CLOCK"),
        ("price is too small", "INVALID_LIMIT_PRICE"),
        ("price too precise", "INVALID_PRICE_PRECISION"),
        ("price is too precise", "INVALID_PRICE_PRECISION"),
        ("size is too small. Minimum size is 0.001", "INVALID_SIZE_TOO_SMALL"),
        ("size is too precise", "INVALID_SIZE_PRECISION"),
        ("Post only mode", "POST_ONLY_MODE"),
        ("Cancel only mode", "CANCEL_ONLY_MODE"),
        ("Limit only mode", "LIMIT_ONLY_MODE"),
        ("post only", "POST_ONLY"),
        ("Public rate limit exceeded", "RATE_LIMIT"),
        ("Private rate limit exceeded", "RATE_LIMIT"),
        ("We are down for maintenance", "MAINTENANCE"),
        ("client_oid already exists", "DUPLICATE_CLIENT_ORDER_ID"),
        ("invalid client_oid", "INVALID_CLIENT_OID"),
        ("account is not available", "ACCOUNT_NOT_AVAILABLE"),
    ],
)
def test_every_documented_text_of_exchange_has_a_code_and_is_shown(text: str, code: str) -> None:
    reason = text_reason(text)
    assert reason.code == code
    assert text in reason.sentence
    assert reason.sentence != text


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (ErrorResponse(error="A", preview_failure_reason="P", new_order_failure_reason="N"), "P"),
        (ErrorResponse(error="A", preview_failure_reason="", new_order_failure_reason="N"), "N"),
        (
            ErrorResponse(
                error="A",
                preview_failure_reason="UNKNOWN_PREVIEW_FAILURE_REASON",
                new_order_failure_reason="UNKNOWN_FAILURE_REASON",
            ),
            "A",
        ),
        (
            ErrorResponse(error="UNKNOWN_FAILURE_REASON", message="price too precise"),
            "INVALID_PRICE_PRECISION",
        ),
        (ErrorResponse(error="UNKNOWN_FAILURE_REASON"), "REFUSED"),
        (None, "REFUSED"),
    ],
)
def test_the_first_useful_word_counts(told: ErrorResponse | None, code: str) -> None:
    assert order_reason(told).code == code


def test_an_unknown_word_is_shown_as_it_is_without_what_steers_a_terminal() -> None:
    reason = word_reason("NEW\x1b[31m_REASON", "Do\x00 not\r\n\u202edo that\x07")
    assert reason.code == "NEW_REASON"
    assert reason.sentence == "Do not do that"
    assert word_reason("BRAND_NEW").sentence == "BRAND_NEW"


BODIES = {
    "advanced_rest/error_unauthorized_json": "UNAUTHORIZED",
    "advanced_rest/error_not_found": "NOT_FOUND",
    "advanced_rest/error_invalid_argument": "ACCOUNT_NOT_AVAILABLE",
    "advanced_rest/error_429": "RATE_LIMIT",
    "advanced_rest/edit_fail": "CANNOT_EDIT_TO_BELOW_FILLED_SIZE",
    "exchange_rest/error_insufficient_funds": "INSUFFICIENT_FUNDS",
    "exchange_rest/error_not_found": "NOT_FOUND",
    "exchange_rest/error_invalid_signature": "INVALID_SIGNATURE",
    "exchange_rest/error_timestamp_expired": "CLOCK",
    "exchange_rest/error_public_rate_limit": "RATE_LIMIT",
    "exchange_rest/error_private_rate_limit": "RATE_LIMIT",
    "exchange_rest/error_order_already_done": "ORDER_ALREADY_DONE",
    "exchange_rest/error_price_too_precise": "INVALID_PRICE_PRECISION",
    "exchange_rest/error_post_only_mode": "POST_ONLY_MODE",
}


@pytest.mark.parametrize(("name", "code"), BODIES.items())
def test_every_error_body_is_understood(fixture_body: Callable[[str], bytes], name: str, code: str) -> None:
    reason = body_reason(fixture_body(name))
    assert reason is not None
    assert reason.code == code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"[]",
        b'"text"',
        b"5",
        b"null",
        b"{}",
        b'{"message":""}',
        b'{"message":5}',
        b'{"other":"x"}',
        b'{"message":"cut o',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_the_venue_did_not_write_is_no_reason(body: bytes) -> None:
    assert body_reason(body) is None


def test_the_plain_word_is_the_venues_too() -> None:
    reason = body_reason(b"Unauthorized\n")
    assert reason is not None
    assert reason.code == "UNAUTHORIZED"
    unknown = body_reason(b'{"error":"unknown","code":13}')
    assert unknown is not None
    assert unknown.code == "REFUSED"


@pytest.mark.parametrize(
    "word", ["UNKNOWN_FAILURE_REASON", "UNKNOWN_CANCEL_FAILURE_REASON", "REJECT_REASON_UNSPECIFIED"]
)
def test_defaults_of_enumerations_mean_nothing(word: str) -> None:
    assert is_meaningless(word)
    assert not is_meaningless("UNKNOWN_CANCEL_ORDER")


@given(st.text(max_size=2_000))
def test_no_text_of_the_venue_reaches_a_screen_raw_or_long(text: str) -> None:
    for reason in (text_reason(text), word_reason(text, text)):
        for shown in reason:
            assert shown.isprintable()
            assert len(shown) < 500
