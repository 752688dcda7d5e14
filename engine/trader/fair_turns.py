"""Who is sent first where the rate of orders (R11) does not serve every quote.

In the strategy's order, bids before asks, a market that moves faster than orders may leave would keep bids
alone at work, and the position would grow by the fills of one side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.core.order import BUY, SELL, Side
from engine.core.own_orders import OwnOrder
from engine.strategy.protocol import Quote


def in_turn(quotes: Sequence[Quote], own: Iterable[OwnOrder], sent_last: Side | None) -> list[Quote]:
    """The quotes in the order in which both sides come to rest alike, each from the touch outwards.

    Next is always the side of which fewer orders rest; of equals the one that was not sent last. Orders that
    are being cancelled do not count as resting.
    """
    resting = {BUY: 0, SELL: 0}
    for order in own:
        resting[order.side] += order.cancel_asked_ns is None
    turns = []
    for quote in quotes:
        resting[quote.side] += 1
        turns.append((resting[quote.side], quote.side is sent_last))
    return [quotes[at] for at in sorted(range(len(quotes)), key=turns.__getitem__)]
