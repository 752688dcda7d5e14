"""How much to quote, and how much to hedge."""

from __future__ import annotations

from engine.core.order import BUY, SELL
from engine.strategy.protocol import Take
from engine.strategy.quote_explanation import DEPTH_LEVELS, Cycle


def quote_size(cycle: Cycle, is_adding: bool, depth: int) -> tuple[int, str]:
    """Lots of one quote of a side on which `depth` lots are displayed; 0 with the reason for none."""
    parameters = cycle.parameters
    size, limit = parameters.order_lots, parameters.max_position
    if is_adding:
        room = limit - abs(cycle.distance)
        if room <= 0:
            text = parameters.instrument.size_text
            return 0, f"{text(abs(cycle.distance))} away from the target, max_position is {text(limit)}"
        size = size * room // limit
    share, whole = parameters.depth_share
    cap = depth * share // whole
    if cap < parameters.min_lots:
        text = parameters.instrument.size_text
        return 0, (
            f"book too thin, {text(depth)} on {DEPTH_LEVELS} levels allows {text(cap)}, "
            f"the minimum is {text(parameters.min_lots)}"
        )
    return max(min(size, cap, parameters.max_lots), parameters.min_lots), ""


def hedge_order(cycle: Cycle) -> Take | None:
    """A marketable limit towards the target, where the position is far enough from it."""
    parameters, distance = cycle.parameters, cycle.distance
    if not parameters.hedge_enabled or abs(distance) < parameters.hedge_distance:
        return None
    size = min(abs(distance), parameters.max_lots)
    if size < parameters.min_lots:
        return None
    slip = round(parameters.half_base * float(cycle.mid)) // parameters.tick_units
    side = SELL if distance > 0 else BUY
    price = max(1, cycle.best_bid - slip) if side is SELL else cycle.best_ask + slip
    text = parameters.instrument.size_text
    reason = f"{text(abs(distance))} away from the target, hedged from {text(parameters.hedge_distance)} on"
    return Take(side, price, size, "hedge", reason)
