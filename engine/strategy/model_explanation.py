"""The terms of the risk models: skew, and the half-spread as risk, liquidity, clamp and fee floor."""

from __future__ import annotations

from engine.core.events import Term
from engine.core.order import Side
from engine.strategy.calibration import Calibrated
from engine.strategy.model_offsets import ModelOffsets
from engine.strategy.model_parameters import ModelParameters
from engine.strategy.quote_explanation import Cycle


class ModelCycle(Cycle):
    """One decision of a risk model: `half` is risk plus liquidity, clamped, and at least the fee floor."""

    __slots__ = ("clamped", "in_force", "inventory", "liquidity", "model", "model_offsets", "risk", "stopped")

    def __init__(
        self,
        parameters: ModelParameters,
        best_bid: int,
        best_ask: int,
        distance: int,
        model_offsets: ModelOffsets,
        in_force: Calibrated,
    ) -> None:
        super().__init__(parameters, best_bid, best_ask, distance)
        self.model = parameters
        self.model_offsets = model_offsets
        self.in_force = in_force
        self.inventory = inventory = distance / parameters.order_lots
        """Order units away from the target, positive when long."""
        skew, risk, self.stopped = model_offsets.at(inventory)
        tick, mid = parameters.tick_units, float(self.mid)
        self.skew = round(skew * tick)
        self.risk = round(risk * tick)
        self.liquidity = round(model_offsets.liquidity * tick)
        half = min(self.risk + self.liquidity, round(parameters.half_max * mid))
        # One unit at least: bid and ask must never meet, however small the price.
        self.clamped = max(half, round(parameters.half_min * mid), 1)
        self.half = half = max(self.clamped, round(parameters.half_floor * mid))
        self.offsets = [half + round(share * mid) for share in parameters.level_offsets]

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
