"""The terms of the basic model: skew, half-spread, imbalance, stress, clamp."""

from __future__ import annotations

from engine.core.events import Term
from engine.core.order import Side
from engine.strategy.basic_parameters import BasicParameters
from engine.strategy.quote_explanation import Cycle


class BasicCycle(Cycle, kw_only=True, eq=False):
    """`base`, `imbalance_part` and `stress_part` are what `half` is made of before its clamp."""

    basic: BasicParameters
    volatility: float
    imbalance: float
    base: int
    imbalance_part: int
    stress_part: int

    def _model_terms(self, side: Side) -> tuple[Term, ...]:
        words, sign = self.basic.words, side.value
        unwidened = self.base + self.imbalance_part + self.stress_part
        return (
            Term("skew", -self.skew, self._skew_inputs()),
            Term("half spread", -sign * self.base, words.half_spread),
            Term("imbalance", -sign * self.imbalance_part, self._imbalance_inputs()),
            Term("stress", -sign * self.stress_part, self._stress_inputs()),
            Term("clamp", -sign * (self.half - unwidened), words.clamp),
        )

    def _skew_inputs(self) -> str:
        words, distance = self.basic.words, self.basic.instrument.size_text(abs(self.distance))
        # The minus in front: a long position lowers the price, a short one raises it.
        return f"−{words.skew_factor}·{f'(−{distance})' if self.distance < 0 else distance}/{words.skew_unit}"

    def _imbalance_inputs(self) -> str:
        basic, threshold = self.basic, self.basic.words.imbalance_threshold
        if abs(self.imbalance) <= basic.imbalance_threshold:
            return f"|{self.imbalance:.4g}| ≤ {threshold}"
        factor = 1 + basic.imbalance_weight * abs(self.imbalance)
        return f"×{factor:.6g}, |{self.imbalance:.4g}| > {threshold}"

    def _stress_inputs(self) -> str:
        words = self.basic.words
        factor = words.stress_factor if self.stress_part else "calm"
        return f"{factor}, volatility {self.volatility:.4g} {words.stress_threshold}"
