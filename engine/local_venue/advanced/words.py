"""Advanced Trade's words for what the venue refuses."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.local_venue.orders import Refusal

UNKNOWN_FAILURE: Final = "UNKNOWN_FAILURE_REASON"
UNKNOWN_PREVIEW: Final = "UNKNOWN_PREVIEW_FAILURE_REASON"
UNKNOWN_CANCEL: Final = "UNKNOWN_CANCEL_FAILURE_REASON"
UNKNOWN_EDIT: Final = "UNKNOWN_EDIT_ORDER_FAILURE_REASON"


class OrderFailure(NamedTuple):
    """The fields of `error_response`."""

    error: str
    preview: str = UNKNOWN_PREVIEW
    message: str = ""
    details: str = ""


ORDER_FAILURES: Final = {
    Refusal.UNKNOWN_PRODUCT: OrderFailure("INVALID_PRODUCT_ID", "PREVIEW_INVALID_PRODUCT_ID"),
    Refusal.TRADING_DISABLED: OrderFailure("TRADING_DISABLED", message="Trading is disabled"),
    Refusal.CANCEL_ONLY: OrderFailure("UNTRADABLE_PRODUCT", message="Cancel only mode"),
    Refusal.LIMIT_ONLY: OrderFailure("UNSUPPORTED_ORDER_CONFIGURATION", message="Limit only mode"),
    Refusal.POST_ONLY_MODE: OrderFailure("UNSUPPORTED_ORDER_CONFIGURATION", message="Post only mode"),
    Refusal.BAD_SIZE: OrderFailure("INVALID_SIZE_PRECISION", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
    Refusal.BAD_PRICE: OrderFailure("INVALID_LIMIT_PRICE", "PREVIEW_INVALID_LIMIT_PRICE"),
    Refusal.PRICE_PRECISION: OrderFailure(
        "INVALID_PRICE_PRECISION", "PREVIEW_INVALID_PRICE_PRECISION", "", "Too many decimals in order price"
    ),
    Refusal.SIZE_PRECISION: OrderFailure(
        "INVALID_SIZE_PRECISION", "PREVIEW_INVALID_SIZE_PRECISION", "", "Too many decimals in order amount"
    ),
    Refusal.SIZE_TOO_SMALL: OrderFailure(UNKNOWN_FAILURE, "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
    Refusal.SIZE_TOO_LARGE: OrderFailure(UNKNOWN_FAILURE, "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE"),
    Refusal.NOTIONAL_TOO_SMALL: OrderFailure(UNKNOWN_FAILURE, "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
    Refusal.NOTIONAL_TOO_LARGE: OrderFailure(UNKNOWN_FAILURE, "PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE"),
    Refusal.POST_ONLY_CROSSES: OrderFailure(
        "INVALID_LIMIT_PRICE_POST_ONLY", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"
    ),
    Refusal.INSUFFICIENT_FUNDS: OrderFailure(
        "INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND", Refusal.INSUFFICIENT_FUNDS.value
    ),
    Refusal.NO_LIQUIDITY: OrderFailure("INVALID_NO_LIQUIDITY"),
    Refusal.UNFILLABLE: OrderFailure("INVALID_NO_LIQUIDITY"),
    Refusal.UNSUPPORTED: OrderFailure("UNSUPPORTED_ORDER_CONFIGURATION"),
    Refusal.END_TIME_MISSING: OrderFailure("GTD_ORDERS_MUST_HAVE_END_TIME"),
    Refusal.END_TIME_PAST: OrderFailure("END_TIME_IS_IN_THE_PAST"),
    Refusal.DUPLICATE_CLIENT_ID: OrderFailure("DUPLICATE_CLIENT_ORDER_ID"),
    Refusal.TOO_MANY_OPEN: OrderFailure("TOO_MANY_OPEN_ORDERS"),
}

CANCEL_FAILURES: Final = {
    Refusal.UNKNOWN_ORDER: "UNKNOWN_CANCEL_ORDER",
    Refusal.NOT_OPEN: "UNKNOWN_CANCEL_ORDER",
    Refusal.ALREADY_FILLED: "ORDER_IS_FULLY_FILLED",
    Refusal.CANCEL_PENDING: "DUPLICATE_CANCEL_REQUEST",
}

EDIT_FAILURES: Final = {
    Refusal.UNKNOWN_ORDER: "ORDER_NOT_FOUND",
    Refusal.NOT_OPEN: "ONLY_OPEN_ORDERS_CAN_BE_EDITED",
    Refusal.NOT_LIMIT_GTC: "ONLY_LIMIT_ORDER_EDITS_SUPPORTED",
    Refusal.BELOW_FILLED: "CANNOT_EDIT_TO_BELOW_FILLED_SIZE",
    Refusal.UNCHANGED: "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST",
    Refusal.BAD_SIZE: "INVALID_EDITED_SIZE",
    Refusal.SIZE_PRECISION: "INVALID_EDITED_SIZE",
    Refusal.SIZE_TOO_SMALL: "INVALID_EDITED_SIZE",
    Refusal.SIZE_TOO_LARGE: "INVALID_EDITED_SIZE",
    Refusal.NOTIONAL_TOO_SMALL: "INVALID_EDITED_SIZE",
    Refusal.NOTIONAL_TOO_LARGE: "INVALID_EDITED_SIZE",
    Refusal.BAD_PRICE: "INVALID_EDITED_PRICE",
    Refusal.PRICE_PRECISION: "INVALID_EDITED_PRICE",
}


def failure_of(refusal: Refusal) -> OrderFailure:
    """How a refused order is explained."""
    return ORDER_FAILURES.get(refusal, OrderFailure(UNKNOWN_FAILURE, message=refusal.value))


def edit_failure_of(refusal: Refusal) -> tuple[str, str]:
    """`edit_failure_reason` and `preview_failure_reason` of a refused edit."""
    return EDIT_FAILURES.get(refusal, UNKNOWN_EDIT), failure_of(refusal).preview


def reject_reason_of(refusal: Refusal | None) -> str:
    """`reject_reason` of an order on the user channel: empty for one that was not refused."""
    if refusal is None:
        return ""
    error = failure_of(refusal).error
    return failure_of(refusal).preview if error == UNKNOWN_FAILURE else error
