"""Lists by pages: the newest first, cursors in the headers CB-BEFORE and CB-AFTER."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from engine.local_venue.exchange.answers import BadRequest

_MOST: Final = 1_000


class Numbered(NamedTuple):
    """One item of a list, under a number that rises with time."""

    number: int
    body: Any


def page(items: Sequence[Numbered], query: Mapping[str, str]) -> tuple[list[Any], dict[str, str]]:
    """The part of a list (newest first) that `limit`, `after` and `before` ask for, and its headers.

    After a cursor come older items. `BadRequest` for a cursor or a limit that is none.
    """
    limit = min(_whole(query, "limit", 100), _MOST)
    after, before = _whole(query, "after", None), _whole(query, "before", None)
    chosen = [
        item
        for item in items
        if (after is None or item.number < after) and (before is None or item.number > before)
    ]
    # Newer than a cursor: those next to it, not the newest of all.
    shown = chosen[-limit:] if before is not None and after is None else chosen[:limit]
    headers = {"CB-BEFORE": str(shown[0].number), "CB-AFTER": str(shown[-1].number)} if shown else {}
    return [item.body for item in shown], headers


def _whole(query: Mapping[str, str], name: str, default: Any) -> Any:
    given = query.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 20 and (int(given) or name != "limit")):
        raise BadRequest(f"Invalid {name}")
    return int(given)
