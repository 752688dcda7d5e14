"""What the answer to a submit means for the order."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from engine.core.events import NOT_SENT
from engine.exchange.coinbase.broker import Outcome, SubmitAnswer

RATE_LIMIT: Final = "RATE_LIMIT"
_DUPLICATE: Final = "DUPLICATE_CLIENT_ORDER_ID"


class Verdict(enum.Enum):
    """What is known of the order now."""

    EXISTS = "exists"
    REJECTED = "rejected"
    """It does not exist and never will."""
    UNCERTAIN = "uncertain"
    """Only the venue knows."""


class Judged(msgspec.Struct, frozen=True):
    """An answer, judged. `is_refusal`: the venue itself said no, which counts against a reject storm."""

    verdict: Verdict
    code: str = ""
    reason: str = ""
    is_refusal: bool = False


def judge(answer: SubmitAnswer) -> Judged:
    """The table of outcomes. An acceptance without an order id is doubt, not acceptance."""
    code, reason = answer.code, answer.reason
    match answer.outcome:
        case Outcome.ACCEPTED if answer.order_id:
            return Judged(Verdict.EXISTS)
        case Outcome.ACCEPTED:
            return Judged(Verdict.UNCERTAIN, code, "the venue accepted it without telling its order id")
        case Outcome.REFUSED if code == _DUPLICATE:
            return Judged(Verdict.UNCERTAIN, code, "the venue says that it has an order with this id already")
        case Outcome.REFUSED:
            return Judged(
                Verdict.REJECTED, code or "REFUSED", reason or "the venue refused it", is_refusal=True
            )
        case Outcome.LIMITED:
            return Judged(
                Verdict.REJECTED, code or RATE_LIMIT, reason or "the venue's rate limit is used up; not sent"
            )
        case Outcome.NOT_SENT:
            return Judged(Verdict.REJECTED, NOT_SENT, reason or "the venue could not be reached; not sent")
        case Outcome.UNKNOWN:
            return Judged(Verdict.UNCERTAIN, code, reason or "the venue did not answer the submit")
