"""What Advanced Trade is told to do with orders, and what its answers to that say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine.core.foreign_text import identifier
from engine.core.order import TimeInForce
from engine.exchange.coinbase.broker import CancelAnswer, NewOrder, OrderRef, Outcome, SubmitAnswer
from engine.exchange.coinbase.rest.reasons import (
    DUPLICATE,
    EditError,
    ErrorResponse,
    edit_reason,
    is_meaningless,
    order_reason,
    word_reason,
)
from engine.exchange.coinbase.rest.texts import plain, rfc3339

_UNREADABLE: Final = "UNREADABLE"


class _Created(msgspec.Struct):
    order_id: str | None = ""
    client_order_id: str | None = ""


class _CreateAnswer(msgspec.Struct):
    success: bool
    order_id: str | None = ""
    failure_reason: str | None = ""
    success_response: _Created | None = None
    error_response: ErrorResponse | None = None


class _EditAnswer(msgspec.Struct):
    success: bool
    errors: list[EditError] = []
    error_response: ErrorResponse | None = None


class _CancelResult(msgspec.Struct):
    success: bool
    order_id: str
    failure_reason: str | None = ""


class _CancelAnswers(msgspec.Struct):
    results: list[_CancelResult]


def order_body(order: NewOrder) -> bytes | None:
    """The request that creates an order; None for one that this API cannot express."""
    size = plain(order.size)
    terms: dict[str, Any]
    if order.price is None:
        if order.post_only or order.time_in_force not in (TimeInForce.GTC, TimeInForce.IOC):
            return None
        kind, terms = "market_market_ioc", {"base_size": size}
    else:
        terms = {"base_size": size, "limit_price": plain(order.price)}
        match order.time_in_force:
            case TimeInForce.GTC:
                kind, terms = "limit_limit_gtc", {**terms, "post_only": order.post_only}
            case TimeInForce.GTD if order.end_time_ns is not None:
                end = rfc3339(order.end_time_ns)
                kind, terms = "limit_limit_gtd", {**terms, "end_time": end, "post_only": order.post_only}
            case TimeInForce.IOC if not order.post_only:
                kind = "sor_limit_ioc"
            case TimeInForce.FOK if not order.post_only:
                kind = "limit_limit_fok"
            case _:
                return None
    return msgspec.json.encode(
        {
            "client_order_id": order.client_id,
            "product_id": order.product,
            "side": order.side.word.upper(),
            "order_configuration": {kind: terms},
        }
    )


def created(body: bytes, client_id: str) -> SubmitAnswer:
    """The answer to a create, sent with status 200 for yes and for no."""
    try:
        answer = msgspec.json.decode(body, type=_CreateAnswer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _unreadable()
    if not answer.success:
        if answer.error_response is None and not answer.failure_reason:
            return _unreadable()
        reason = order_reason(answer.error_response, answer.failure_reason or "")
        is_known = reason.code == DUPLICATE
        return SubmitAnswer(
            Outcome.UNKNOWN if is_known else Outcome.REFUSED, code=reason.code, reason=reason.sentence
        )
    told = answer.success_response or _Created()
    order_id = told.order_id or answer.order_id
    if not order_id or told.client_order_id not in ("", None, client_id):
        return _unreadable()
    return SubmitAnswer(Outcome.ACCEPTED, order_id=identifier(order_id))


def edited(body: bytes, order_id: str) -> SubmitAnswer:
    """The answer to an edit."""
    try:
        answer = msgspec.json.decode(body, type=_EditAnswer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _unreadable()
    if answer.success:
        return SubmitAnswer(Outcome.ACCEPTED, order_id=order_id)
    told = answer.error_response
    reason = edit_reason(answer.errors) if answer.errors or told is None else order_reason(told)
    return SubmitAnswer(Outcome.REFUSED, order_id=order_id, code=reason.code, reason=reason.sentence)


def cancelled(body: bytes, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
    """The answer to a cancel of several orders: one for each ref, whatever the venue left out."""
    try:
        told = {entry.order_id: entry for entry in msgspec.json.decode(body, type=_CancelAnswers).results}
    except (msgspec.MsgspecError, ValueError, RecursionError):
        told = {}
    return [_cancel_answer(ref, told.get(ref.order_id)) for ref in refs]


def _cancel_answer(ref: OrderRef, result: _CancelResult | None) -> CancelAnswer:
    if result is None:
        return CancelAnswer(
            ref, Outcome.UNKNOWN, _UNREADABLE, "the venue's answer does not say what became of this cancel"
        )
    if result.success:
        return CancelAnswer(ref, Outcome.ACCEPTED)
    word = result.failure_reason
    if not word or is_meaningless(word):
        return CancelAnswer(
            ref,
            Outcome.REFUSED,
            "REFUSED",
            "the venue refuses the cancel and does not say why: ask for it",
        )
    reason = word_reason(word)
    return CancelAnswer(ref, Outcome.REFUSED, reason.code, reason.sentence)


def _unreadable() -> SubmitAnswer:
    """What is known after an answer that cannot be read: nothing."""
    return SubmitAnswer(
        Outcome.UNKNOWN,
        code=_UNREADABLE,
        reason="the venue's answer cannot be read; whether it acted on the request is not known",
    )
