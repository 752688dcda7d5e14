"""The settings of the models that weigh inventory risk against fills: configuration section `model`.

Both models think in basis points of the mid and in order units (one unit is `strategy.order_quantity`), so
that one set of numbers means the same on every product. What is measured or configured per tick is
converted when the parameters are put into force.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.core.settings import setting

SECTION = "model"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Every parameter of `avellaneda-stoikov` and `glft`, with unit, bounds and default."""

    gamma_per_bp: Decimal = setting(
        Decimal("0.01"),
        "Risk aversion: of one order unit of inventory and one basis point of price.",
        unit="per order unit and bp",
        at_least="0.000001",
        at_most=100,
        live=True,
    )
    horizon_s: Decimal = setting(
        Decimal(60),
        "T - t of avellaneda-stoikov, which rolls along: a market that never closes has no end of session.",
        unit="s",
        above=0,
        at_most=86_400,
        live=True,
    )
    glft_solution: str = setting(
        "exact",
        "Which solution glft quotes by: the stationary one itself, or its closed approximation.",
        choices=("exact", "closed"),
        live=True,
    )
    max_inventory_units: int = setting(
        30,
        "Inventory at which the exact solution of glft stops adding.",
        unit="order units",
        at_least=1,
        at_most=200,
        live=True,
    )
    calibrate: bool = setting(True, "Measure volatility and fill intensity in the market.", live=True)
    calib_window_s: int = setting(
        600,
        "How far back trades count for the fill intensity.",
        unit="s",
        at_least=10,
        at_most=86_400,
        live=True,
    )
    calib_min_fills: int = setting(
        50,
        "With fewer trades than this in the window, A and k are the configured ones.",
        at_least=3,
        at_most=1_000,
        live=True,
    )
    sigma_ticks_sqrt_s: Decimal | None = setting(
        None,
        "Volatility of the mid where it is not measured; unset is half a basis point.",
        unit="ticks per √s",
        above=0,
        at_most=1_000_000_000,
        live=True,
    )
    A_per_s: Decimal = setting(
        Decimal(1),
        "Fills per second of a quote at the mid, where they are not measured.",
        unit="per s",
        at_least="0.000001",
        at_most=1_000_000,
        live=True,
    )
    k_per_tick: Decimal | None = setting(
        None,
        "How quickly fills become rare with depth, where it is not measured; unset is 0.2 per bp.",
        unit="per tick",
        at_least="0.000000000001",
        at_most=1_000_000,
        live=True,
    )
    min_half_spread_bps: Decimal = setting(
        Decimal("0.5"), "The half-spread is never below this.", unit="bp", above=0, live=True
    )
    max_half_spread_bps: Decimal = setting(
        Decimal(100), "The half-spread is never above this.", unit="bp", above=0, at_most=5_000, live=True
    )

    def violation(self) -> str | None:
        """The first rule between fields that is broken: key, value and bound; None if none."""
        if self.max_half_spread_bps < self.min_half_spread_bps:
            return (
                f"{SECTION}.max_half_spread_bps = {self.max_half_spread_bps}: must be at least "
                f"min_half_spread_bps = {self.min_half_spread_bps} bp"
            )
        return None
