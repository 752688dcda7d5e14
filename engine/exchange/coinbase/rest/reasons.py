"""The venue's reasons for saying no: its own word as the code, and a sentence that says what to do.

What is not known here is shown as the venue wrote it, without control characters.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from engine.core.foreign_text import harmless

DUPLICATE: Final = "DUPLICATE_CLIENT_ORDER_ID"


class Reason(NamedTuple):
    """One word for programs, one sentence for people."""

    code: str
    sentence: str


_MEANINGLESS: Final = re.compile(r"UNKNOWN(?:_[A-Z_]+)?_REASON|REJECT_REASON_UNSPECIFIED|UNKNOWN_FAILURE")
"""Defaults of the venue's enumerations, which stand beside successes as well."""

_FUNDS: Final = "the account has too little free money for the order: add funds, free some, or quote less"
_PRICE_STEP: Final = "the price is no multiple of the product's price increment: read the products anew"
_SIZE_STEP: Final = "the size is no multiple of the product's size increment: read the products anew"
_WOULD_CROSS: Final = "a post-only order at this price would trade at once: quote further from the other side"
_HALTED: Final = "the product cannot be traded now: wait until the venue says that it is online again"
_RIGHTS: Final = "the key may not do this: give it the right to trade, or use another one"
_TOO_SMALL: Final = "the order is below the product's smallest size: quote more"
_TOO_LARGE: Final = "the order is above the product's largest size: quote less"
_GONE: Final = "the venue knows no such live order: it is filled, ended, or was never there; ask for it"
_BUG: Final = "this is an error of the program: please report it"
_LIMITER: Final = "the venue's rate limit is used up: wait before the next request"

_WORDS: Final = {
    # creating an order
    "INSUFFICIENT_FUND": _FUNDS,
    "INSUFFICIENT_FUNDS": _FUNDS,
    "REJECT_REASON_INSUFFICIENT_FUNDS": _FUNDS,
    "HOLD_FAILURE": f"the venue could not set the money aside; {_FUNDS}",
    "TOO_MANY_OPEN_ORDERS": "the account has as many open orders as the venue allows: cancel some",
    "RATE_LIMIT_EXCEEDED": _LIMITER,
    "INVALID_PRICE_PRECISION": _PRICE_STEP,
    "INVALID_SIZE_PRECISION": _SIZE_STEP,
    "INVALID_LIMIT_PRICE": "the venue does not take this price: compare it with the market and the increment",
    "INVALID_LIMIT_PRICE_POST_ONLY": _WOULD_CROSS,
    "LIMIT_PRICE_TOO_FAR_FROM_MARKET": "the price is too far from the market for the venue: quote nearer",
    "UNTRADABLE_PRODUCT": _HALTED,
    "TRADING_DISABLED": _HALTED,
    "UNSUPPORTED_ORDER_CONFIGURATION": f"the product does not take orders of this kind; {_BUG}",
    "INVALID_SIDE": _BUG,
    "INVALID_PRODUCT_ID": "the venue has no such product: look at its name",
    "INVALID_REQUEST": _BUG,
    "GTD_ORDERS_MUST_HAVE_END_TIME": _BUG,
    "END_TIME_IS_IN_THE_PAST": "the order's end time has passed: set the machine's clock, or give it longer",
    "POST_ONLY_NOT_ALLOWED_WITH_FOK": _BUG,
    "INVALID_NO_LIQUIDITY": "there is nobody on the other side of the book: wait",
    "GEOFENCING_RESTRICTION": "the venue does not offer this product where you are: trade another one",
    DUPLICATE: "the venue has an order with this id already: find that order before anything else is sent",
    "INVALID_BASE_SIZE_TOO_SMALL": _TOO_SMALL,
    "INVALID_BASE_SIZE_TOO_LARGE": _TOO_LARGE,
    "INVALID_QUOTE_SIZE_TOO_SMALL": "the order is worth less than the smallest notional: quote more",
    "INVALID_QUOTE_SIZE_TOO_LARGE": "the order is worth more than the largest notional: quote less",
    # cancelling
    "UNKNOWN_CANCEL_ORDER": _GONE,
    "INVALID_CANCEL_REQUEST": _BUG,
    "COMMANDER_REJECTED_CANCEL_ORDER": "the venue refused to cancel: ask for the order, then try again",
    "DUPLICATE_CANCEL_REQUEST": "the order is being cancelled already: wait for its end",
    "INVALID_CANCEL_PRODUCT_ID": _BUG,
    "NOT_ALLOWED_TO_CANCEL": _RIGHTS,
    "ORDER_IS_FULLY_FILLED": "the order is filled: there is nothing to cancel; read its fills",
    "ORDER_IS_BEING_REPLACED": "the order is being edited: try again in a moment",
    # editing
    "CANNOT_EDIT_TO_BELOW_FILLED_SIZE": "more than the new size is filled already: read the order's fills",
    "ORDER_NOT_FOUND": _GONE,
    "ONLY_LIMIT_ORDER_EDITS_SUPPORTED": f"only GTC limit orders can be edited; {_BUG}",
    "INVALID_EDITED_SIZE": _SIZE_STEP,
    "INVALID_EDITED_PRICE": _PRICE_STEP,
    "ONLY_OPEN_ORDERS_CAN_BE_EDITED": "the order is not open (any more): ask for it",
    "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST": "the edit would change nothing",
    "EXCEEDED_MAX_ALLOWED_EDIT_REQUEST_COUNT": "the order was edited too often: cancel it and send a new one",
    # any request
    "INVALID_ARGUMENT": _BUG,
    "UNAUTHORIZED": "the venue does not take the key: look at the key, its list of addresses and the clock",
    "PERMISSION_DENIED": _RIGHTS,
    "NOT_FOUND": "the venue knows nothing by that name",
}

_EXCHANGE: Final = (
    # pattern in the venue's text, code, what to do
    ("insufficient funds", "INSUFFICIENT_FUNDS", _FUNDS),
    ("order already done", "ORDER_ALREADY_DONE", _GONE),
    ("order not found|^not ?found$", "NOT_FOUND", "the venue knows nothing by that name"),
    (
        "invalid api key",
        "INVALID_API_KEY",
        "the venue does not know the key: look at it, and whether it is one of Coinbase Exchange",
    ),
    (
        "invalid signature",
        "INVALID_SIGNATURE",
        "the secret does not fit the key: copy it again",
    ),
    ("invalid passphrase", "INVALID_PASSPHRASE", "the passphrase does not belong to the key: copy it again"),
    ("timestamp expired|invalid timestamp", "CLOCK", "the clock is off: set it (timedatectl set-ntp true)"),
    ("rate.limit.exceeded|too many requests", "RATE_LIMIT", _LIMITER),
    ("client_oid.*(duplicate|already|exists|unique)|duplicate.*client_oid", DUPLICATE, _WORDS[DUPLICATE]),
    ("client_oid", "INVALID_CLIENT_OID", f"the venue wants a UUID as our id; {_BUG}"),
    ("price.*too precise", "INVALID_PRICE_PRECISION", _PRICE_STEP),
    ("size.*too precise", "INVALID_SIZE_PRECISION", _SIZE_STEP),
    ("price.*too small", "INVALID_LIMIT_PRICE", "the price is below the product's price increment"),
    ("funds.*too small", "INVALID_FUNDS_TOO_SMALL", _WORDS["INVALID_QUOTE_SIZE_TOO_SMALL"]),
    ("funds.*too large", "INVALID_FUNDS_TOO_LARGE", _WORDS["INVALID_QUOTE_SIZE_TOO_LARGE"]),
    ("size.*too small", "INVALID_SIZE_TOO_SMALL", _TOO_SMALL),
    ("size.*too large", "INVALID_SIZE_TOO_LARGE", _TOO_LARGE),
    ("post[ _-]?only mode", "POST_ONLY_MODE", "the product takes post-only orders alone for now: wait"),
    ("cancel[ _-]?only mode", "CANCEL_ONLY_MODE", "the product takes cancels alone for now: wait"),
    ("limit[ _-]?only mode", "LIMIT_ONLY_MODE", "the product takes limit orders alone for now"),
    ("post only", "POST_ONLY", _WOULD_CROSS),
    (
        "maintenance|temporarily unavailable",
        "MAINTENANCE",
        "the venue is being maintained: wait",
    ),
    ("trading.*disabled|not tradable|offline", "TRADING_DISABLED", _HALTED),
    ("forbidden|not allowed|permission", "PERMISSION", _RIGHTS),
    (
        "account is not available",
        "ACCOUNT_NOT_AVAILABLE",
        "the account lacks a wallet: open one",
    ),
    ("open orders", "TOO_MANY_OPEN_ORDERS", _WORDS["TOO_MANY_OPEN_ORDERS"]),
)


class ErrorResponse(msgspec.Struct):
    """Where Advanced Trade says no to an order."""

    error: str | None = ""
    message: str | None = ""
    error_details: str | None = ""
    preview_failure_reason: str | None = ""
    new_order_failure_reason: str | None = ""


class EditError(msgspec.Struct):
    """One of the reasons why Advanced Trade does not edit an order, or does not answer at all."""

    edit_failure_reason: str = ""
    preview_failure_reason: str = ""
    id: str = ""
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: str = ""
    message: str = ""
    error_details: str = ""
    errors: list[EditError] = []


def word_reason(word: str, told: str = "") -> Reason:
    """A reason word of Advanced Trade; `told` is what the venue wrote beside it."""
    code = harmless(word)
    known = _WORDS.get(code.removeprefix("PREVIEW_"))
    told = harmless(told)
    if known is None:
        return Reason(code, told or code)
    return Reason(code, f"{known} (the venue says: {told})" if told and told != code else known)


def order_reason(refused: ErrorResponse | None, failure_reason: str = "") -> Reason:
    """Why Advanced Trade does not create an order: the first useful word of its answer."""
    refused = refused or ErrorResponse()
    told = refused.message or refused.error_details or ""
    for word in (
        refused.preview_failure_reason,
        refused.new_order_failure_reason,
        refused.error,
        failure_reason,
    ):
        if word and not is_meaningless(word):
            return word_reason(word, told)
    return text_reason(told) if told else Reason("REFUSED", "the venue refuses and does not say why")


def edit_reason(errors: list[EditError]) -> Reason:
    """Why Advanced Trade does not edit an order."""
    for entry in errors:
        for word in (entry.edit_failure_reason, entry.preview_failure_reason):
            if word and not is_meaningless(word):
                return word_reason(word)
    return Reason("REFUSED", "the venue refuses the edit and does not say why")


def text_reason(text: str) -> Reason:
    """A reason that is a sentence of the venue's: all that Exchange has."""
    told = harmless(text)
    for pattern, code, sentence in _EXCHANGE:
        if re.search(pattern, told, re.IGNORECASE):
            return Reason(code, f"{sentence} (the venue says: {told})")
    return Reason("REFUSED", told or "the venue refuses and does not say why")


def body_reason(body: bytes) -> Reason | None:
    """The reason in an error body of either API; None for HTML and whatever else the venue did not write."""
    if body.strip().lower() == b"unauthorized":
        return word_reason("UNAUTHORIZED")
    try:
        told = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if told.errors:
        first = told.errors[0]
        return (
            text_reason(first.message or first.id) if first.message or first.id else edit_reason(told.errors)
        )
    words = told.message or told.error_details
    if told.error and told.error != "unknown" and not is_meaningless(told.error):
        # "Bad argument" is the least that is said: the sentence beside it may be a reason we know.
        spoken = text_reason(words) if told.error == "INVALID_ARGUMENT" and words else None
        return spoken if spoken is not None and spoken.code != "REFUSED" else word_reason(told.error, words)
    if words or told.error:
        return text_reason(words or told.error)
    return None


def is_meaningless(word: str) -> bool:
    """True for the default of an enumeration, which the venue sends beside successes as well."""
    return _MEANINGLESS.fullmatch(word) is not None
