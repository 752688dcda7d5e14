"""What a faulty venue answers, in the words of the two APIs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

_PAGE: Final = """\
<!DOCTYPE html>
<html><head><title>{status}</title></head>
<body><h1>{status}</h1><p>The web server is not available at the moment.</p></body></html>
"""


def web_page(status: int) -> web.Response:
    """A page of the edge in front of the venue, where JSON was expected."""
    return web.Response(status=status, text=_PAGE.format(status=status), content_type="text/html")


def refusal(status: int) -> web.Response:
    """A status with the body that it comes with: JSON or bare text below 500, a web page from there on."""
    if status >= 500:
        return web_page(status)
    if status == 401:
        return web.Response(status=401, text="Unauthorized\n")
    return web.json_response(
        {"error": "unknown", "code": status, "message": "refused by a fault of the local venue"},
        status=status,
    )


def rate_refusal(retry_after: str, *, is_advanced: bool) -> web.Response:
    """429 with Retry-After (seconds)."""
    body: dict[str, Any] = {"message": "Private rate limit exceeded"}
    if is_advanced:
        body = {"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}
    return web.json_response(body, status=429, headers={"Retry-After": retry_after})


def order_refusal(reason: str, *, is_advanced: bool) -> web.Response:
    """An order that the venue will not have."""
    if not is_advanced:
        return web.json_response({"message": reason or "Insufficient funds"}, status=400)
    reason = reason or "INSUFFICIENT_FUND"
    return web.json_response(
        {
            "success": False,
            "failure_reason": "UNKNOWN_FAILURE_REASON",
            "order_id": "",
            "error_response": {
                "error": reason,
                "message": "refused by a fault of the local venue",
                "error_details": "",
                "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON",
                "new_order_failure_reason": reason,
            },
        }
    )


def advanced_cancel_refusal(why: str, order_ids: Sequence[str]) -> web.Response:
    """One refusal for each order."""
    reason = "ORDER_IS_FULLY_FILLED" if why == "filled" else "UNKNOWN_CANCEL_ORDER"
    results = [{"success": False, "failure_reason": reason, "order_id": one} for one in order_ids]
    return web.json_response({"results": results})


def exchange_cancel_refusal(why: str) -> web.Response:
    """The refusal of a cancel."""
    if why == "filled":
        return web.json_response({"message": "Order already done"}, status=400)
    return web.json_response({"message": "order not found"}, status=404)


def changed_fills(answer: web.StreamResponse, how: str) -> web.StreamResponse:
    """A list of fills that says every fill twice, or all in the opposite order, or nothing."""
    if answer.status != 200 or not isinstance(answer, web.Response) or answer.text is None:
        return answer
    content = json.loads(answer.text)
    fills = content if isinstance(content, list) else content["fills"]
    if how == "fills-duplicate":
        changed = [fill for fill in fills for _ in range(2)]
    else:
        changed = fills[::-1] if how == "fills-reversed" else []
    return web.json_response(changed if isinstance(content, list) else {**content, "fills": changed})


def order_id_of(body: bytes) -> str:
    """The venue's id of the order that an answer says was taken; empty where none was."""
    content = json.loads(body or b"{}")
    if not isinstance(content, dict):
        return ""
    taken = content.get("success_response") or content
    return str(taken.get("order_id") or content.get("id") or "")
