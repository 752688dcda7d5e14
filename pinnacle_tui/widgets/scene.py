"""A scene: everything that a panel may draw from, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from engine.link.mirror import EngineMirror, LinkState
from engine.link.view import Product, ProductView, View
from pinnacle_tui.numbers import Numbers


@dataclass(frozen=True, slots=True)
class Scene:
    """One product of the newest view, how to write its numbers, and what is known besides.

    `now_ns` is the console's monotonic clock, `wall_ns` its wall clock.
    """

    mirror: EngineMirror
    view: View
    book: ProductView
    product: Product
    numbers: Numbers
    link: LinkState
    now_ns: int
    wall_ns: int

    @property
    def is_stale(self) -> bool:
        """True when what is shown may not be the present any more: it is greyed."""
        return self.link in (LinkState.DOWN, LinkState.ENDED)
