"""Refusals as the Exchange API answers them: a status, and a message that is the only code there is."""

from __future__ import annotations

import json

from aiohttp import web


def refused(status: int, message: str) -> web.Response:
    """A refusal."""
    return web.json_response({"message": message}, status=status)


class NotFound(web.HTTPNotFound):
    """404 with this API's body."""

    def __init__(self) -> None:
        super().__init__(text=json.dumps({"message": "NotFound"}), content_type="application/json")


class BadRequest(web.HTTPBadRequest):
    """400 with this API's body."""

    def __init__(self, message: str) -> None:
        super().__init__(text=json.dumps({"message": message}), content_type="application/json")
