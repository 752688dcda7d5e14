"""Why quotes are missing, whoever kept them back: the strategy, or risk control."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.order import BUY, SELL
from engine.risk.denials import Denial
from engine.trader.trader import Trader


def why_missing(trader: Trader) -> str:
    """The strategy's reason, and that of each side of which risk control lets no quote work.

    Empty where both sides are quoted. A side of which some quotes work says nothing of those that were
    denied.
    """
    reason = trader.decision.reason
    denied = [f"no {side}: {denial.reason}" for side, denial in denied_sides(trader)]
    return "; ".join([reason, *denied] if reason else denied)


def denied_sides(trader: Trader) -> Sequence[tuple[str, Denial]]:
    """`bid` or `ask`, and the control that decided, for each side that is wanted and wholly denied."""
    denials = trader.denials
    if not denials:
        return ()
    working = {order.side for order in trader.orders.own.by_id.values()}
    found = []
    for side, word in ((BUY, "bid"), (SELL, "ask")):
        denied = [denials.get(quote.slot) for quote in trader.wanted if quote.side is side]
        if denied and denied[0] and side not in working:
            found.append((word, denied[0][0]))
    return found
