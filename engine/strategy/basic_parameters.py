"""The basic model's settings, worked out once for an instrument: the numbers the hot path uses."""

from __future__ import annotations

from engine.core.instrument import Instrument
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.explain import number_text
from engine.strategy.quoting_parameters import BP, NS_PER_MS, QuotingParameters


class BasicParameters(QuotingParameters):
    """What the basic model adds to the parameters that all models share."""

    __slots__ = (
        "imbalance_threshold",
        "imbalance_weight",
        "skew_by_half_spread",
        "skew_factor",
        "stress_factor",
        "stress_interval_ns",
        "stress_threshold",
        "words",
    )

    def __init__(self, instrument: Instrument, settings: BasicSettings) -> None:
        super().__init__(instrument, settings)
        self.half_min = float(settings.min_spread_bps * BP / 2)
        self.half_max = float(settings.max_spread_bps * BP / 2)
        self.imbalance_threshold = float(settings.imbalance_threshold)
        self.imbalance_weight = float(2 * settings.volume_weight_factor)
        self.stress_factor = float(settings.spread_widen_factor)
        self.stress_threshold = float(settings.volatility_threshold)
        self.stress_interval_ns = settings.market_stress_check_ms * NS_PER_MS
        self.skew_by_half_spread = settings.inventory_skew_unit == "half_spread"
        unit = 1 if self.skew_by_half_spread else BP
        self.skew_factor = float(settings.inventory_skew_factor * unit)
        """Skew at a distance of max_position: in half-spreads, or as a fraction of the mid."""
        self.words = Words(settings)


class Words:
    """The parts of a price's explanation that follow from the settings alone, written once."""

    __slots__ = (
        "clamp",
        "half_spread",
        "imbalance_threshold",
        "skew_factor",
        "skew_unit",
        "stress_factor",
        "stress_threshold",
    )

    def __init__(self, settings: BasicSettings) -> None:
        limit = number_text(settings.volatility_threshold)
        unit = "half-spread" if settings.inventory_skew_unit == "half_spread" else "1 bp"
        self.half_spread = f"{number_text(settings.base_spread_bps / 2)} bp"
        self.clamp = (
            f"{number_text(settings.min_spread_bps / 2)} to {number_text(settings.max_spread_bps / 2)} bp"
        )
        self.skew_factor = number_text(settings.inventory_skew_factor)
        self.skew_unit = f"{number_text(settings.max_position)}·{unit}"
        self.imbalance_threshold = number_text(settings.imbalance_threshold)
        self.stress_factor = f"×{number_text(settings.spread_widen_factor)}"
        self.stress_threshold = f"(threshold {limit}) % per √minute"
