"""The products of a quote currency together, as a console and a reader of the JSON lines see them."""

from __future__ import annotations

from typing import Any

from engine.core.instrument import scaled_text
from engine.link.view import Gauge
from engine.link.view import Portfolio as PortfolioView
from engine.risk.portfolio import Totals

VERSION = 1


def portfolio_view(totals: Totals) -> PortfolioView:
    """Sums and limits, for a view."""
    return PortfolioView(
        quote=totals.quote,
        money_places=totals.places,
        products=totals.products,
        profit=totals.profit,
        day_profit=totals.day_profit,
        gross=totals.gross,
        open_orders=totals.open_orders,
        gauges=(
            Gauge("GROSS", "positions, longs and shorts added up", "atoms", totals.gross, totals.max_gross),
            Gauge("LOSS", "loss of the UTC day", "atoms", max(0, -totals.day_profit), totals.max_day_loss),
            Gauge("DRAWDOWN", "drop from the peak", "atoms", totals.drawdown, totals.max_drawdown),
            Gauge("OPEN_ORDERS", "open orders", "count", totals.open_orders, totals.max_open_orders),
        ),
    )


def portfolio_report(totals: Totals, now_ns: int) -> dict[str, Any]:
    """The same as a machine-readable object, at a moment of engine time."""

    def money(amount: int) -> str:
        return scaled_text(amount, totals.places)

    return {
        "type": "portfolio",
        "v": VERSION,
        "time_ns": now_ns,
        "quote": totals.quote,
        "products": list(totals.products),
        "equity_change": money(totals.profit),
        "day_profit": money(totals.day_profit),
        "max_daily_loss": money(totals.max_day_loss),
        "drawdown": money(totals.drawdown),
        "max_drawdown": money(totals.max_drawdown),
        "gross_notional": money(totals.gross),
        "net_notional": money(totals.net),
        "max_gross_notional": money(totals.max_gross),
        "open_orders": totals.open_orders,
        "max_open_orders": totals.max_open_orders,
    }
