"""The settings of the risk models, worked out once for an instrument."""

from __future__ import annotations

from engine.core.settings import require_valid
from engine.strategy.calibration import gamma_words
from engine.strategy.explain import number_text
from engine.strategy.model_settings import SECTION
from engine.strategy.protocol import StrategyContext
from engine.strategy.quoting_parameters import BP, QuotingParameters


class ModelParameters(QuotingParameters):
    """What the risk models add to the parameters that all models share, as fractions of the mid."""

    __slots__ = ("clamp_words", "floor_words", "gamma_words", "half_floor", "half_least", "model")

    def __init__(self, context: StrategyContext) -> None:
        super().__init__(context.instrument, context.settings)
        model = context.model
        require_valid(SECTION, model)
        self.model = model
        self.half_min = float(model.min_half_spread_bps * BP)
        self.half_max = float(model.max_half_spread_bps * BP)
        fee = number_text(context.maker_fee_bps)
        is_floor = not context.settings.allow_negative_edge
        self.half_floor = max(0.0, float(context.maker_fee_bps * BP)) if is_floor else 0.0
        """The half-spread at which a round trip of two maker fills earns its fees."""
        self.half_least = max(self.half_min, self.half_floor)
        least, most = number_text(model.min_half_spread_bps), number_text(model.max_half_spread_bps)
        self.clamp_words = f"{least} to {most} bp"
        self.floor_words = f"maker fee {fee} bp" if is_floor else "allow_negative_edge"
        self.gamma_words = gamma_words(model)
