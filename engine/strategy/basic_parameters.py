"""The basic model's settings, worked out once for an instrument: the numbers the hot path uses."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Final

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.settings import require_valid
from engine.strategy.basic_settings import SECTION, BasicSettings
from engine.strategy.explain import number_text

DEPTH_LEVELS: Final = 5
"""Levels a side that imbalance and the depth cap look at."""

_BP: Final = Decimal("0.0001")
_NS_PER_MS: Final = 1_000_000


class BasicParameters:
    """Sizes in lots, intervals in nanoseconds, prices as fractions of the mid.

    Minimum sizes round up to the lot, maximum sizes down; the base size and the target must be whole
    lots. Raises `UsageError` naming key, value and bound for settings that are invalid or that the
    instrument cannot express.
    """

    __slots__ = (
        "depth_share",
        "half_base",
        "half_max",
        "half_min",
        "hedge_distance",
        "hedge_enabled",
        "hedge_interval_ns",
        "imbalance_threshold",
        "imbalance_weight",
        "instrument",
        "interval_ns",
        "level_offsets",
        "max_lots",
        "max_position",
        "min_lots",
        "order_lots",
        "settings",
        "skew_by_half_spread",
        "skew_factor",
        "slots",
        "stress_factor",
        "stress_interval_ns",
        "stress_threshold",
        "target",
        "tick_units",
        "words",
    )

    def __init__(self, instrument: Instrument, settings: BasicSettings) -> None:
        require_valid(SECTION, settings)
        self.instrument = instrument
        self.settings = settings
        self.tick_units = 2 * instrument.half_tick_units
        """One tick in model units."""
        self.half_base = float(settings.base_spread_bps * _BP / 2)
        self.half_min = float(settings.min_spread_bps * _BP / 2)
        self.half_max = float(settings.max_spread_bps * _BP / 2)
        spacing = settings.price_level_spacing * settings.base_spread_bps * _BP
        self.level_offsets = tuple(float(level * spacing) for level in range(settings.levels))
        self.slots = {
            side: tuple(f"{letter}{level}" for level in range(settings.levels))
            for side, letter in ((Side.BUY, "B"), (Side.SELL, "A"))
        }
        self.imbalance_threshold = float(settings.imbalance_threshold)
        self.imbalance_weight = float(2 * settings.volume_weight_factor)
        self.stress_factor = float(settings.spread_widen_factor)
        self.stress_threshold = float(settings.volatility_threshold)
        self.stress_interval_ns = settings.market_stress_check_ms * _NS_PER_MS
        self.skew_by_half_spread = settings.inventory_skew_unit == "half_spread"
        unit = 1 if self.skew_by_half_spread else _BP
        self.skew_factor = float(settings.inventory_skew_factor * unit)
        """Skew at a distance of max_position: in half-spreads, or as a fraction of the mid."""
        self.depth_share = settings.volume_depth_factor.as_integer_ratio()

        self.order_lots = self._whole_lots("order_quantity", settings.order_quantity)
        self.target = self._whole_lots("target_position", settings.target_position)
        self.min_lots = max(self._lots(settings.min_order_quantity, ROUND_CEILING), instrument.min_size)
        largest = self._lots(settings.max_order_quantity, ROUND_FLOOR)
        self.max_lots = largest if instrument.max_size is None else min(largest, instrument.max_size)
        if self.max_lots < self.min_lots:
            raise UsageError(
                f"{SECTION}.max_order_quantity = {settings.max_order_quantity}: must be at least "
                f"{instrument.size_text(self.min_lots)}, the smallest order of {instrument.symbol}"
            )
        self.max_position = self._lots(settings.max_position, ROUND_FLOOR)
        if self.max_position < 1:
            raise UsageError(
                f"{SECTION}.max_position = {settings.max_position}: must be at least one lot "
                f"({instrument.size_text(1)}) of {instrument.symbol}"
            )
        self.hedge_enabled = settings.auto_hedge_enabled
        self.hedge_distance = max(
            1, self._lots(settings.max_position * settings.hedge_threshold_pct / 100, ROUND_CEILING)
        )
        self.words = Words(instrument, settings)
        self.interval_ns = settings.quote_update_interval_ms * _NS_PER_MS
        self.hedge_interval_ns = settings.hedge_interval_ms * _NS_PER_MS

    def _lots(self, size: Decimal, rounding: str) -> int:
        with localcontext() as context:
            context.prec = 120
            return int((size / self.instrument.lot).to_integral_value(rounding))

    def _whole_lots(self, key: str, size: Decimal) -> int:
        lots = self._lots(size, ROUND_FLOOR)
        if lots != self._lots(size, ROUND_CEILING):
            raise UsageError(
                f"{SECTION}.{key} = {size}: must be a multiple of the lot "
                f"{self.instrument.size_text(1)} of {self.instrument.symbol}"
            )
        return lots


class Words:
    """The parts of a price's explanation that follow from the settings alone, written once."""

    __slots__ = (
        "clamp",
        "half_spread",
        "imbalance_threshold",
        "levels",
        "skew_factor",
        "skew_unit",
        "stress_factor",
        "stress_threshold",
        "tick_down",
        "tick_up",
    )

    def __init__(self, instrument: Instrument, settings: BasicSettings) -> None:
        spacing, spread = number_text(settings.price_level_spacing), number_text(settings.base_spread_bps)
        limit = number_text(settings.volatility_threshold)
        unit = "half-spread" if settings.inventory_skew_unit == "half_spread" else "1 bp"
        tick = instrument.price_text(1)
        self.half_spread = f"{number_text(settings.base_spread_bps / 2)} bp"
        self.clamp = (
            f"{number_text(settings.min_spread_bps / 2)} to {number_text(settings.max_spread_bps / 2)} bp"
        )
        self.levels = tuple(f"{level}·{spacing}·{spread} bp" for level in range(settings.levels))
        self.skew_factor = number_text(settings.inventory_skew_factor)
        self.skew_unit = f"{number_text(settings.max_position)}·{unit}"
        self.imbalance_threshold = number_text(settings.imbalance_threshold)
        self.stress_factor = f"×{number_text(settings.spread_widen_factor)}"
        self.stress_threshold = f"(threshold {limit}) % per √minute"
        self.tick_down = f"down to {tick}"
        self.tick_up = f"up to {tick}"
