"""Exact decimals, and how the venue writes numbers and times."""

from __future__ import annotations

import time
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Final

EXACT: Final = Context(prec=200)
"""Wide enough that no product of price, size and rate is ever rounded."""

ZERO: Final = Decimal(0)
NO_TIME: Final = "0001-01-01T00:00:00Z"
"""How the venue writes that there is no such time."""

_SECOND_NS: Final = 1_000_000_000


def product_of(*factors: Decimal) -> Decimal:
    """The factors multiplied, exactly."""
    result = Decimal(1)
    for factor in factors:
        result = EXACT.multiply(result, factor)
    return result


def plain(value: Decimal) -> str:
    """A number without exponent and without trailing zeros."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def quotient(dividend: Decimal, divisor: Decimal, places: int) -> Decimal:
    """A ratio cut to so many places (an average price, a percentage); 0 for a divisor of 0."""
    if not divisor:
        return ZERO
    return EXACT.divide(dividend, divisor).quantize(Decimal(1).scaleb(-places), ROUND_FLOOR, EXACT)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    return EXACT.multiply(EXACT.divide_int(value, step), step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """True when `value` is a whole number of steps."""
    return not EXACT.remainder(value, step)


def rfc3339(wall_ns: int, digits: int = 6) -> str:
    """A UTC time with so many digits after the second."""
    seconds, rest = divmod(wall_ns, _SECOND_NS)
    fraction = f".{rest:09d}"[: digits + 1] if digits else ""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}{fraction}Z"
