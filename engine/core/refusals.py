"""Why a venue refused an order, as far as it matters to us."""

from __future__ import annotations

from typing import Final

_CROSSED: Final = ("POST_ONLY", "POST ONLY", "POST-ONLY")
_UNFUNDED: Final = "INSUFFICIENT"


def would_have_taken(code: str, reason: str) -> bool:
    """True for a post-only order whose market has moved meanwhile: nothing rests, nothing is wrong."""
    said = f"{code} {reason}".upper()
    return any(word in said for word in _CROSSED)


def is_passing(code: str, reason: str) -> bool:
    """True for what a moving market or a spent balance leads to, and what passes with it."""
    return would_have_taken(code, reason) or _UNFUNDED in f"{code} {reason}".upper()
