"""The products of a quote currency together, as a console and a reader of the JSON lines see them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
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
        net=totals.net,
        open_orders=totals.open_orders,
        gauges=(
            Gauge("GROSS", "positions, longs and shorts added up", "atoms", totals.gross, totals.max_gross),
            Gauge("LOSS", "loss of the UTC day", "atoms", max(0, -totals.day_profit), totals.max_day_loss),
            Gauge("DRAWDOWN", "drop from the peak", "atoms", totals.drawdown, totals.max_drawdown),
            Gauge("OPEN_ORDERS", "open orders", "count", totals.open_orders, totals.max_open_orders),
        ),
    )


def portfolio_report(shown: PortfolioView, now_ns: int) -> dict[str, Any]:
    """The same as a machine-readable object, at a moment of engine time."""
    gauges = {gauge.code: gauge for gauge in shown.gauges}

    def money(amount: int | None) -> str:
        return scaled_text(amount or 0, shown.money_places)

    return {
        "type": "portfolio",
        "v": VERSION,
        "time_ns": now_ns,
        "quote": shown.quote,
        "products": list(shown.products),
        "equity_change": money(shown.profit),
        "day_profit": money(shown.day_profit),
        "max_daily_loss": money(gauges["LOSS"].limit),
        "drawdown": money(gauges["DRAWDOWN"].used),
        "max_drawdown": money(gauges["DRAWDOWN"].limit),
        "gross_notional": money(shown.gross),
        "net_notional": money(shown.net),
        "max_gross_notional": money(gauges["GROSS"].limit),
        "open_orders": shown.open_orders,
        "max_open_orders": gauges["OPEN_ORDERS"].limit,
    }


def portfolio_text(report: Mapping[str, Any]) -> str:
    """A report in one line, for people."""

    def money(key: str) -> str:
        return f"{Decimal(report[key]):,.2f}"

    return (
        f"{len(report['products'])} products in {report['quote']}"
        f"  P&L {Decimal(report['equity_change']):+,.2f}"
        f"  today {Decimal(report['day_profit']):+,.2f} (limit -{money('max_daily_loss')})"
        f"  below the peak {money('drawdown')} of {money('max_drawdown')}"
        f"  positions {money('gross_notional')} of {money('max_gross_notional')}"
        f"  open {report['open_orders']} of {report['max_open_orders']}"
    )
