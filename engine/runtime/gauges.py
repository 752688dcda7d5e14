"""How much of each limit is used, by the measures of the risk gate and the loss guard themselves."""

from __future__ import annotations

from typing import Final

from engine.link.view import Gauge
from engine.risk.limits import Ratio
from engine.trader.trader import Trader

_MILLION: Final = 1_000_000


def gauges_of(trader: Trader, wall_ns: int) -> tuple[Gauge, ...]:
    """The limits of a Trader with what is used of them at a market wall time, the worst case of both sides.

    An order that the gate denies for one of them would take more than the gauge has left; a guard that
    has acted has its gauge at or beyond the limit at that moment.
    """
    ledger, limits, own = trader.ledger, trader.gate.limits, trader.orders.own
    position, mark, unrealised = ledger.position, ledger.mark_half_ticks, ledger.unrealised
    worst = max(own.buy_lots + position, own.sell_lots - position)
    gain = None if unrealised is None else max(0, unrealised)
    loss = None if unrealised is None else max(0, -unrealised)
    cost = abs(ledger.open_cost)
    return (
        Gauge("POSITION", "position, all open orders of a side filled", "lots", worst, limits.max_position),
        Gauge(
            "EXPOSURE",
            "position at the mid, all open orders of a side filled",
            "atoms",
            None if mark is None else trader.instrument.value(mark, worst),
            limits.max_gross_notional,
        ),
        _open_orders(trader),
        _drawdown(trader),
        Gauge("LOSS", "loss of the UTC day", "atoms", _day_loss(trader), limits.max_daily_loss),
        *_tail_risks(trader),
        Gauge(
            "VOLUME",
            "bought plus sold today",
            "lots",
            ledger.day_volume(wall_ns),
            limits.max_trading_volume,
        ),
        Gauge("STOP_LOSS", "loss on the open position", "ppm", _share(loss, cost), _ppm(limits.stop_loss)),
        Gauge(
            "TAKE_PROFIT",
            "gain on the open position",
            "ppm",
            _share(gain, cost),
            _ppm(limits.take_profit),
        ),
    )


def _open_orders(trader: Trader) -> Gauge:
    """The limit on all open orders or that on those of a side, whichever is nearer."""
    limits, own = trader.gate.limits, trader.orders.own
    total, side = own.buy_count + own.sell_count, max(own.buy_count, own.sell_count)
    if side * limits.max_open_orders > total * limits.max_open_orders_per_side:
        return Gauge("OPEN_ORDERS", "open orders of a side", "count", side, limits.max_open_orders_per_side)
    return Gauge("OPEN_ORDERS", "open orders", "count", total, limits.max_open_orders)


def _drawdown(trader: Trader) -> Gauge:
    """The limit on the amount or that on the share of the capital, whichever is reached first."""
    equity, limits, guard = trader.ledger.equity, trader.gate.limits, trader.guard
    drop, most = None if equity is None else max(0, guard.peak - equity), limits.max_drawdown
    if limits.max_drawdown_money * most.denominator < guard.capital * most.numerator:
        return Gauge("DRAWDOWN", "drop from the peak", "atoms", drop, limits.max_drawdown_money)
    return Gauge("DRAWDOWN", "drop from the peak", "ppm", _share(drop, guard.capital), _ppm(most))


def _day_loss(trader: Trader) -> int | None:
    profit = trader.guard.day_profit(trader.ledger.equity)
    return None if profit is None else max(0, -profit)


def _tail_risks(trader: Trader) -> tuple[Gauge, Gauge]:
    """Against their limit, and where there is none, against what a day may lose."""
    limits, risk, ledger = trader.gate.limits, trader.guards.position, trader.ledger
    limit = limits.max_daily_loss if limits.max_var is None else limits.max_var
    over = f"over {limits.var_interval_ns // 1_000_000_000} s at {100 * limits.var_confidence:g} %"
    at = ledger.position, ledger.mark_half_ticks
    return (
        Gauge("VAR", f"value at risk {over}", "atoms", risk.value_at_risk(*at), limit),
        Gauge("SHORTFALL", f"expected shortfall {over}", "atoms", risk.expected_shortfall(*at), limit),
    )


def _share(amount: int | None, whole: int) -> int | None:
    """Rounded down, like the limit: a limit that is reached reads as reached."""
    return None if amount is None else amount * _MILLION // max(1, whole)


def _ppm(limit: Ratio) -> int:
    return limit.numerator * _MILLION // limit.denominator
