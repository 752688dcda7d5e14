"""A regular book for tests of the ladder: a level each dollar, sizes 0.1, 0.2, ..."""

from __future__ import annotations

import dataclasses
from typing import Any

from console.views import BTC, MID, MS, WALL, mirror, product_view, scene, view

from engine.link.view import ProductView, Trade
from pinnacle_tui.numbers import Numbers
from pinnacle_tui.widgets.scene import Scene

LOT = 1_000_000
"""0.01 BTC."""
BIDS = tuple((MID - 55 - n * 100, (n + 1) * 10 * LOT) for n in range(30))
ASKS = tuple((MID + 55 + n * 100, (n + 1) * 10 * LOT) for n in range(30))
SOLD = Trade(1, WALL, BIDS[0][0], LOT, -1)


def book(**changes: Any) -> ProductView:
    """A regular book: a level each dollar, sizes 0.1, 0.2, ...; no orders of ours."""
    plain: dict[str, Any] = {
        "bids": BIDS,
        "asks": ASKS,
        "orders": (),
        "trades": (SOLD,),
        "is_depth_cut": False,
    }
    return product_view(**(plain | changes))


def of(shown_book: ProductView, now_ns: int = 40 * MS) -> Scene:
    made = scene(mirror(shown=view(shown_book)), now_ns=now_ns)
    return dataclasses.replace(made, numbers=NUMBERS)


NUMBERS = Numbers(BTC, MID)
