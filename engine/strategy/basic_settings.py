"""The settings that all quoting models share, and those of the basic one: section `strategy`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.core.settings import setting

SECTION = "strategy"
MOST_BRAKING_FILLS = 100
"""Fills of a side that are remembered."""


@dataclass(frozen=True, slots=True)
class BasicSettings:
    """Every parameter of the basic model, with unit, bounds and default.

    The models of section `model` share sizes, levels, position, hedge and what follows after it, and leave
    the spread, skew, imbalance and stress of the basic one aside. From `order_timeout_ms` to
    `post_fill_pause_ms` the order manager reads them: they say when a resting order is kept and when it is
    replaced. Check a whole section with `engine.core.settings.require_valid`.
    """

    base_spread_bps: Decimal = setting(
        Decimal(10), "Full distance between bid and ask in a calm market.", unit="bp", above=0, live=True
    )
    min_spread_bps: Decimal = setting(
        Decimal(5), "The quoted spread is never below this.", unit="bp", above=0, live=True
    )
    max_spread_bps: Decimal = setting(
        Decimal(50), "The quoted spread is never above this.", unit="bp", above=0, live=True
    )
    order_quantity: Decimal = setting(
        Decimal("0.01"), "Size of one quote before taper and caps.", unit="base", above=0, live=True
    )
    min_order_quantity: Decimal = setting(
        Decimal("0.001"), "Smallest quote sent.", unit="base", above=0, live=True
    )
    max_order_quantity: Decimal = setting(
        Decimal("1.0"), "Largest order sent, hedges included.", unit="base", above=0, live=True
    )
    target_position: Decimal = setting(Decimal(0), "Inventory considered neutral.", unit="base", live=True)
    max_position: Decimal = setting(
        Decimal(10), "Hard cap on the position, all resting orders filled.", unit="base", above=0, live=True
    )
    inventory_skew_factor: Decimal = setting(
        Decimal("0.5"),
        "Price shift against inventory at max_position, in inventory_skew_unit.",
        at_least=0,
        at_most=1,
        live=True,
    )
    inventory_skew_unit: str = setting(
        "bp",
        "What the skew factor counts: basis points of the mid, or half-spreads.",
        choices=("bp", "half_spread"),
        live=True,
    )
    levels: int = setting(3, "Price levels per side.", at_least=1, at_most=100, live=True)
    price_level_spacing: Decimal = setting(
        Decimal("0.1"), "Distance between levels.", unit="base spreads", at_least=0, live=True
    )
    imbalance_threshold: Decimal = setting(
        Decimal("0.3"),
        "Book imbalance strictly above this widens the spread.",
        at_least=0,
        at_most=1,
        live=True,
    )
    volume_weight_factor: Decimal = setting(
        Decimal("0.5"), "How strongly imbalance widens the spread.", at_least=0, at_most=1, live=True
    )
    volume_depth_factor: Decimal = setting(
        Decimal("0.5"),
        "Largest share of the displayed depth (five levels, own side) one quote may be.",
        at_least=0,
        at_most=1,
        live=True,
    )
    quote_update_interval_ms: int = setting(
        100, "Requote at most once per interval.", unit="ms", above=0, live=True
    )
    auto_hedge_enabled: bool = setting(False, "Trade towards the target when far away from it.", live=True)
    hedge_threshold_pct: Decimal = setting(
        Decimal(50),
        "Hedge at this distance from the target.",
        unit="% of max_position",
        above=0,
        at_most=100,
        live=True,
    )
    hedge_interval_ms: int = setting(5000, "At most one hedge per interval.", unit="ms", above=0, live=True)
    volatility_threshold: Decimal = setting(
        Decimal("0.5"),
        "Volatility at which the market counts as stressed.",
        unit="% per √minute",
        above=0,
        live=True,
    )
    spread_widen_factor: Decimal = setting(
        Decimal("2.0"), "Spread multiplier while the market is stressed.", above=1, live=True
    )
    market_stress_check_ms: int = setting(1000, "How often stress is judged.", unit="ms", above=0, live=True)
    order_timeout_ms: int = setting(
        5000, "A resting order older than this is replaced.", unit="ms", above=0, live=True
    )
    cancel_retry_interval_ms: int = setting(
        100, "First resend of an unconfirmed cancel, then doubling.", unit="ms", above=0, live=True
    )
    reprice_tolerance_ticks: int = setting(
        1, "An order this close to its wanted price is kept.", unit="ticks", at_least=0, live=True
    )
    min_quote_life_ms: int = setting(
        500, "An order younger than this is not replaced.", unit="ms", at_least=0, live=True
    )
    wait_cancel_ack: bool = setting(
        True, "Place no replacement before the venue proved the cancel.", live=True
    )
    post_fill_pause_ms: int = setting(
        0, "Quote nothing new on a side for this long after its fill.", unit="ms", at_least=0, live=True
    )
    fv_model: str = setting(
        "mid",
        "What quotes stand around: the mid, the size-weighted mid, or the learnt micro-price.",
        choices=("mid", "weighted", "micro"),
        live=True,
    )
    fv_max_dev_bps: Decimal = setting(
        Decimal(5),
        "The fair value is never further from the mid than this.",
        unit="bp",
        at_least=0,
        live=True,
    )
    ofi_pull_z: Decimal = setting(
        Decimal(0),
        "Quote nothing on the side that order flow of this strength runs into; 0 is never.",
        unit="standard deviations",
        at_least=0,
        live=True,
    )
    fill_brake_n: int = setting(
        0,
        "This many fills of a side within fill_brake_window_s pause it; 0 is never.",
        at_least=0,
        at_most=MOST_BRAKING_FILLS,
        live=True,
    )
    fill_brake_window_s: Decimal = setting(
        Decimal(10), "How far back fill_brake_n counts.", unit="s", above=0, at_most=3600, live=True
    )
    min_distance_from_unhedged_bps: Decimal | None = setting(
        None,
        "Quotes that close a position keep this far from its last fill not hedged yet; unset is no rule.",
        unit="bp",
        at_least=0,
        live=True,
    )
    allow_negative_edge: bool = setting(
        False, "Allow quotes nearer to the fair value than the maker fee of a fill.", live=True
    )

    def violation(self) -> str | None:
        """The first rule between fields that is broken: key, value and bound; None if none."""
        for low, value, high, unit in (
            ("min_spread_bps", "base_spread_bps", "max_spread_bps", "bp"),
            ("min_order_quantity", "order_quantity", "max_order_quantity", "base"),
        ):
            number = getattr(self, value)
            if number < getattr(self, low):
                return f"{SECTION}.{value} = {number}: must be at least {low} = {getattr(self, low)} {unit}"
            if number > getattr(self, high):
                return f"{SECTION}.{value} = {number}: must be at most {high} = {getattr(self, high)} {unit}"
        if abs(self.target_position) > self.max_position:
            return (
                f"{SECTION}.target_position = {self.target_position}: "
                f"must lie within max_position = {self.max_position} base"
            )
        return None
