"""The terms of the risk models: skew, and the half-spread as risk, liquidity, clamp and fee floor."""

from __future__ import annotations

from engine.core.events import Term
from engine.core.order import Side
from engine.strategy.calibration import Calibrated
from engine.strategy.model_offsets import ModelOffsets
from engine.strategy.model_parameters import ModelParameters
from engine.strategy.quote_explanation import Cycle


class ModelCycle(Cycle, kw_only=True, eq=False):
    """One decision of a risk model: `half` is risk plus liquidity, clamped, and at least the fee floor."""

    model: ModelParameters
    model_offsets: ModelOffsets
    in_force: Calibrated
    inventory: float
    """Order units away from the target, positive when long."""
    risk: int
    liquidity: int
    clamped: int
    stopped: Side | None
    """The side on which the model quotes nothing."""

    def _model_terms(self, side: Side) -> tuple[Term, ...]:
        sign, model, offsets, in_force = side.value, self.model, self.model_offsets, self.in_force
        sigma = f"σ {in_force.sigma_ticks_sqrt_s:.4g} ticks per √s ({in_force.sigma_source})"
        fills = (
            f"k {in_force.k_per_tick:.4g} per tick, A {in_force.A_per_s:.4g} per s ({in_force.fill_source})"
        )
        return (
            Term("skew", -self.skew, f"q {self.inventory:.4g} order units; {offsets.skew_words}"),
            Term("risk", -sign * self.risk, f"{offsets.risk_words}; {model.gamma_words}, {sigma}"),
            Term("liquidity", -sign * self.liquidity, f"ln(1 + γ/k)/γ; {fills}"),
            Term("clamp", -sign * (self.clamped - self.risk - self.liquidity), model.clamp_words),
            Term("fee floor", -sign * (self.half - self.clamped), model.floor_words),
        )
