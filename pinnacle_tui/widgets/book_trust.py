"""How far a book may be believed, in words: stale, empty, one-sided, crossed."""

from __future__ import annotations

from typing import Final

from engine.link.view import ProductView
from pinnacle_tui.numbers import age
from pinnacle_tui.widgets.scene import Scene

STALE_AFTER_NS: Final = 2_000_000_000
GREY_AFTER_NS: Final = 5_000_000_000


def book_age_ns(scene: Scene) -> int | None:
    """How long the feed and the engine have not spoken of this book; None before they ever did."""
    known = scene.book.book_age_ns
    return None if known is None else known + scene.mirror.silent_ns(scene.now_ns)


def stale_words(scene: Scene) -> str:
    """`STALE 5.2s` where the book may not be the present any more, else nothing."""
    old_ns = book_age_ns(scene)
    if old_ns is None:
        return "STALE" if scene.book.connection == "stale" else ""
    if scene.book.connection == "stale" or old_ns > STALE_AFTER_NS:
        return f"STALE {age(old_ns)}"
    return ""


def is_too_old(scene: Scene) -> bool:
    """True where the book is so old that it is shown in grey."""
    old_ns = book_age_ns(scene)
    return old_ns is not None and old_ns > GREY_AFTER_NS


def book_trouble(book: ProductView) -> str:
    """Why there is no spread to speak of, in words; nothing where bids stand below asks."""
    if not book.bids and not book.asks:
        if book.book_age_ns is None or book.connection in ("idle", "subscribed"):
            return "waiting for the book"
        return "the book is empty"
    if not book.bids:
        return "no bids"
    if not book.asks:
        return "no asks"
    bid, ask = book.bids[0][0], book.asks[0][0]
    if bid > ask:
        return "CROSSED: bid above ask"
    return "LOCKED: bid equals ask" if bid == ask else ""
