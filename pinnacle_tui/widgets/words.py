"""How sides, states, gains and moments are worded and coloured, wherever on the screen they stand."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.link.view import Quote


def side_word(side: int) -> str:
    """`buy` or `sell`."""
    return "buy" if side > 0 else "sell"


def profit_style(value: int | None) -> str:
    """The colour of a gain or loss; its sign says the same."""
    if value is None:
        return "muted"
    return "up" if value > 0 else "down" if value < 0 else "text"


def state_style(state: str) -> str:
    """The style of a trading state other than ACTIVE."""
    return "danger bold" if state in ("HALTED", "KILLED") else "warning bold"


def working_per_side(quotes: tuple[Quote, ...]) -> tuple[int, int]:
    """Slots with a working order: bids, asks."""
    sides = [quote.side for quote in quotes if quote.working_price is not None]
    return sides.count(1), sides.count(-1)


def exact_time(wall_ns: int) -> str:
    """A moment for machines: ISO 8601, UTC, to the nanosecond."""
    seconds, ns = divmod(wall_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09}Z"
