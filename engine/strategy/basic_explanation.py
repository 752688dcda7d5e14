"""Why a quote of the basic model stands where it stands: recorded cheaply, told when somebody asks."""

from __future__ import annotations

from engine.core.events import Term
from engine.core.order import BUY, Side
from engine.strategy.basic_parameters import DEPTH_LEVELS, BasicParameters
from engine.strategy.explain import number_text


class Cycle:
    """What all quotes of one decision share. Prices in ticks, offsets in model units.

    `skew` is subtracted from both sides; `half` is the half-spread after its clamp, of which `base`,
    `imbalance_part` and `stress_part` are the parts before; `offsets` adds each level's distance to it.
    """

    __slots__ = (
        "ask_terms",
        "base",
        "best_ask",
        "best_bid",
        "bid_terms",
        "distance",
        "half",
        "imbalance",
        "imbalance_part",
        "mid",
        "offsets",
        "parameters",
        "skew",
        "stress_part",
        "volatility",
    )

    def __init__(
        self, parameters: BasicParameters, best_bid: int, best_ask: int, distance: int, volatility: float
    ) -> None:
        self.parameters = parameters
        self.best_bid = best_bid
        self.best_ask = best_ask
        self.mid = (best_bid + best_ask) * parameters.instrument.half_tick_units
        self.distance = distance
        self.volatility = volatility
        self.imbalance = 0.0
        self.base = self.imbalance_part = self.stress_part = self.half = self.skew = 0
        self.offsets: list[int] = []
        self.bid_terms: tuple[Term, ...] = ()
        self.ask_terms: tuple[Term, ...] = ()

    def terms(self, side: Side) -> tuple[Term, ...]:
        """The terms that all quotes of a side share, made once."""
        if side is BUY:
            if not self.bid_terms:
                self.bid_terms = self._terms(1)
            return self.bid_terms
        if not self.ask_terms:
            self.ask_terms = self._terms(-1)
        return self.ask_terms

    def _terms(self, sign: int) -> tuple[Term, ...]:
        price_text, words = self.parameters.instrument.price_text, self.parameters.words
        unwidened = self.base + self.imbalance_part + self.stress_part
        return (
            Term("fair", self.mid, f"mid of {price_text(self.best_bid)} and {price_text(self.best_ask)}"),
            Term("skew", -self.skew, self._skew_inputs()),
            Term("half spread", -sign * self.base, words.half_spread),
            Term("imbalance", -sign * self.imbalance_part, self._imbalance_inputs()),
            Term("stress", -sign * self.stress_part, self._stress_inputs()),
            Term("clamp", -sign * (self.half - unwidened), words.clamp),
        )

    def _skew_inputs(self) -> str:
        words, distance = self.parameters.words, self.parameters.instrument.size_text(abs(self.distance))
        # The minus in front: a long position lowers the price, a short one raises it.
        return f"−{words.skew_factor}·{f'(−{distance})' if self.distance < 0 else distance}/{words.skew_unit}"

    def _imbalance_inputs(self) -> str:
        parameters, threshold = self.parameters, self.parameters.words.imbalance_threshold
        if abs(self.imbalance) <= parameters.imbalance_threshold:
            return f"|{self.imbalance:.4g}| ≤ {threshold}"
        factor = 1 + parameters.imbalance_weight * abs(self.imbalance)
        return f"×{factor:.6g}, |{self.imbalance:.4g}| > {threshold}"

    def _stress_inputs(self) -> str:
        words = self.parameters.words
        factor = words.stress_factor if self.stress_part else "calm"
        return f"{factor}, volatility {self.volatility:.4g} {words.stress_threshold}"


class SizeReason:
    """The size of one side: `depth` lots were displayed there, `size` lots came out of it."""

    __slots__ = ("cycle", "depth", "is_adding", "size")

    def __init__(self, cycle: Cycle, is_adding: bool, depth: int, size: int) -> None:
        self.cycle = cycle
        self.is_adding = is_adding
        self.depth = depth
        self.size = size

    def terms(self) -> tuple[Term, ...]:
        """The additive terms of the size, in lots. Fractions of a lot show in the term `lot`."""
        parameters = self.cycle.parameters
        settings, text = parameters.settings, parameters.instrument.size_text
        base, distance = parameters.order_lots, abs(self.cycle.distance)
        limit = parameters.max_position
        tapered_by = distance * base if self.is_adding else 0
        share, whole = parameters.depth_share
        tapered = -(-(base * limit - tapered_by) // limit)
        capped = min(tapered, -(-self.depth * share // whole))
        floored = min((base * limit - tapered_by) // limit, self.depth * share // whole)
        return (
            Term("base", base, f"{text(base)} {parameters.instrument.base}"),
            Term(
                "taper",
                tapered - base,
                f"×(1 − {text(distance)}/{text(limit)})" if tapered_by else "not adding to the position",
            ),
            Term(
                "depth cap",
                capped - tapered,
                f"{number_text(settings.volume_depth_factor)} of {text(self.depth)} on {DEPTH_LEVELS} levels",
            ),
            Term("lot", floored - capped, f"down to {text(1)}"),
            Term("clamp", self.size - floored, f"{text(parameters.min_lots)} to {text(parameters.max_lots)}"),
        )


class PriceReason:
    """The price of one quote. `raw` is the model's price in model units, `rounded` that on a tick."""

    __slots__ = ("cycle", "level", "opposite", "price", "raw", "rounded", "side")

    def __init__(
        self, cycle: Cycle, side: Side, level: int, raw: int, rounded: int, price: int, opposite: int
    ) -> None:
        self.cycle = cycle
        self.side = side
        self.level = level
        self.raw = raw
        self.rounded = rounded
        self.price = price
        self.opposite = opposite
        """The displayed best price of the other side, in ticks."""

    def terms(self) -> tuple[Term, ...]:
        """The additive terms of the price, in model units; their sum is the price, exactly."""
        cycle, sign = self.cycle, self.side.value
        parameters = cycle.parameters
        words, tick = parameters.words, parameters.tick_units
        is_buy = self.side is BUY
        opposite = parameters.instrument.price_text(self.opposite)
        return (
            *cycle.terms(self.side),
            Term("level", sign * (cycle.half - cycle.offsets[self.level]), words.levels[self.level]),
            Term("tick", self.rounded * tick - self.raw, words.tick_down if is_buy else words.tick_up),
            Term(
                "post-only",
                (self.price - self.rounded) * tick,
                f"best ask {opposite}" if is_buy else f"best bid {opposite}",
            ),
        )
