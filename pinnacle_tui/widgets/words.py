"""How sides, states, gains and moments are worded and coloured, wherever on the screen they stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from engine.link.view import Quote

NO_QUOTES: Final = "no quotes: "
"""How the engine begins a reason that says by itself what it is the reason of."""


def because(what: str, reason: str) -> str:
    """What is so, and why; a reason that says it itself stands alone."""
    return reason if reason.startswith(NO_QUOTES) else f"{what}: {reason}"


def last_known(state: str, *, is_stale: bool) -> str:
    """An order's state; `was open` where nobody knows whether it still is. Words in capitals stay."""
    return f"was {state}" if is_stale and not state.isupper() else state


def side_word(side: int) -> str:
    """`buy` or `sell`."""
    return "buy" if side > 0 else "sell"


INCOMPLETE: Final = "incomplete: a fee has no price"
"""Said beside a profit that is overstated by a fee in an asset that nobody could value."""


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
