"""A scene: everything that a panel may draw from, at one moment."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace

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
    exit_code: int | None = None
    """Of an engine that has ended; None for one that has not, and where nobody knows."""
    trouble: str = ""
    """How the engine ended, or why there is no link to it: a sentence. Empty while all is well."""

    def kept(self) -> Scene:
        """The same for good: its mirror is a copy that hears nothing any more."""
        known = self.mirror
        still = replace(
            known,
            fills=known.fills.copy(),
            ended_orders=known.ended_orders.copy(),
            log=known.log.copy(),
            settings=dict(known.settings),
            profits={symbol: deepcopy(series) for symbol, series in known.profits.items()},
            tapes={symbol: tape.copy() for symbol, tape in known.tapes.items()},
            pending={},
            on_event=None,
            on_view=None,
        )
        return replace(self, mirror=still)

    @property
    def is_stale(self) -> bool:
        """True when what is shown may not be the present any more: it is greyed."""
        return self.link in (LinkState.DOWN, LinkState.ENDED)
