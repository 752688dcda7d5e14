"""What all quoting models share of section `strategy`, worked out once for an instrument."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Final

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.core.settings import require_valid
from engine.strategy.basic_settings import SECTION, BasicSettings
from engine.strategy.explain import number_text

BP: Final = Decimal("0.0001")
NS_PER_MS: Final = 1_000_000


class QuotingParameters:
    """Sizes in lots, intervals in nanoseconds, prices as fractions of the mid.

    Minimum sizes round up to the lot, maximum sizes down; the base size and the target must be whole
    lots. Raises `UsageError` naming key, value and bound for settings that are invalid or that the
    instrument cannot express.
    """

    __slots__ = (
        "ask_slots",
        "bid_slots",
        "brake_n",
        "brake_window_ns",
        "depth_share",
        "fair_max",
        "fair_max_words",
        "fair_model",
        "half_base",
        "half_max",
        "half_min",
        "hedge_distance",
        "hedge_enabled",
        "hedge_interval_ns",
        "instrument",
        "interval_ns",
        "level_offsets",
        "level_words",
        "max_lots",
        "max_position",
        "min_lots",
        "order_lots",
        "pull_z",
        "settings",
        "smallest_tick_lots",
        "target",
        "tick_down",
        "tick_units",
        "tick_up",
        "unhedged_distance",
        "watches_touch",
    )
    half_min: float
    half_max: float
    """What a half-spread is clamped to; set by the parameters of each model."""

    def __init__(self, instrument: Instrument, settings: BasicSettings) -> None:
        require_valid(SECTION, settings)
        self.instrument = instrument
        self.settings = settings
        self.tick_units = 2 * instrument.half_tick_units
        """One tick in model units."""
        self.half_base = float(settings.base_spread_bps * BP / 2)
        spacing = settings.price_level_spacing * settings.base_spread_bps * BP
        self.level_offsets = tuple(float(level * spacing) for level in range(settings.levels))
        self.bid_slots, self.ask_slots = (
            tuple(f"{letter}{level}" for level in range(settings.levels)) for letter in "BA"
        )
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
        self.smallest_tick_lots = -(-instrument.min_notional // instrument.notional(1, 1))
        """Price times size of the smallest order that the venue takes, in ticks times lots."""
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
        self.hedge_interval_ns = settings.hedge_interval_ms * NS_PER_MS
        self.interval_ns = settings.quote_update_interval_ms * NS_PER_MS

        self.fair_model = settings.fv_model
        self.fair_max = float(settings.fv_max_dev_bps * BP)
        self.fair_max_words = f"{number_text(settings.fv_max_dev_bps)} bp"
        self.pull_z = float(settings.ofi_pull_z)
        self.watches_touch = settings.fv_model != "mid" or settings.ofi_pull_z > 0
        """Whether anything asks for the signals of the touch."""
        self.brake_n = settings.fill_brake_n
        self.brake_window_ns = int(settings.fill_brake_window_s * 1_000 * NS_PER_MS)
        distance = settings.min_distance_from_unhedged_bps
        self.unhedged_distance = None if distance is None else float(distance * BP)

        step, spread = number_text(settings.price_level_spacing), number_text(settings.base_spread_bps)
        self.level_words = tuple(f"{level}·{step}·{spread} bp" for level in range(settings.levels))
        self.tick_down = f"down to {instrument.price_text(1)}"
        self.tick_up = f"up to {instrument.price_text(1)}"

    def clamped(self, half: int, mid: float) -> int:
        """A half-spread between `half_min` and `half_max` of the mid, all in model units.

        One unit at least: bid and ask must never meet, however small the price.
        """
        most, least = round(self.half_max * mid), round(self.half_min * mid)
        bounded = half if half < most else most
        bounded = bounded if bounded > least else least
        return bounded if bounded > 1 else 1

    def offsets(self, half: int, mid: float) -> list[int]:
        """Each level's distance from where the quotes stand around, in model units."""
        return [half + round(share * mid) for share in self.level_offsets]

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
