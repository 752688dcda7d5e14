"""Order-flow imbalance at the touch: what was added, taken and withdrawn, signed by where it pushes prices.

Cont, Kukanov and Stoikov, Journal of Financial Econometrics 12(1), 2014, 47-88. It goes with the price move
of the same moment and does not foretell the next one: a reason to step back, not to lean.
"""

from __future__ import annotations

from typing import NamedTuple


class Touch(NamedTuple):
    """The best prices in ticks and what rests there in lots."""

    bid: int
    bid_size: int
    ask: int
    ask_size: int


def order_flow(before: Touch, now: Touch) -> int:
    """The event between two touches, in lots; positive pushes up.

    e = q_bid 1{bid not lower} - q_bid' 1{bid not higher} - q_ask 1{ask not higher} + q_ask' 1{ask not lower},
    where ' is before.
    """
    flow = 0
    if now.bid >= before.bid:
        flow += now.bid_size
    if now.bid <= before.bid:
        flow -= before.bid_size
    if now.ask <= before.ask:
        flow -= now.ask_size
    if now.ask >= before.ask:
        flow += before.ask_size
    return flow
