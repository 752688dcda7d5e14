"""Why a quote of the basic model stands where it stands: recorded cheaply, told when somebody asks."""

from __future__ import annotations

from engine.core.events import Term
from engine.core.order import Side
from engine.strategy.basic_parameters import DEPTH_LEVELS, BasicParameters
from engine.strategy.explain import number_text


class Cycle:
    """What all quotes of one decision share. Prices in ticks, offsets in model units.

    `skew` is subtracted from both sides; `half` is the half-spread after its clamp, of which `base`,
    `imbalance_part` and `stress_part` are the parts before; `offsets` adds each level's distance to it.
    """

    __slots__ = (
        "base",
        "best_ask",
        "best_bid",
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
        instrument, settings = parameters.instrument, parameters.settings
        price_text, tick = instrument.price_text, parameters.tick_units
        unwidened = cycle.base + cycle.imbalance_part + cycle.stress_part
        level_part = cycle.offsets[self.level] - cycle.half
        distance = cycle.distance
        is_buy = self.side is Side.BUY
        return (
            Term("fair", cycle.mid, f"mid of {price_text(cycle.best_bid)} and {price_text(cycle.best_ask)}"),
            Term("skew", -cycle.skew, self._skew_inputs(distance)),
            Term("half spread", -sign * cycle.base, f"{number_text(settings.base_spread_bps / 2)} bp"),
            Term("imbalance", -sign * cycle.imbalance_part, self._imbalance_inputs()),
            Term("stress", -sign * cycle.stress_part, self._stress_inputs()),
            Term(
                "clamp",
                -sign * (cycle.half - unwidened),
                self._clamp_inputs(),
            ),
            Term("level", -sign * level_part, self._level_inputs()),
            Term("tick", self.rounded * tick - self.raw, f"{'down' if is_buy else 'up'} to {price_text(1)}"),
            Term(
                "post-only",
                (self.price - self.rounded) * tick,
                f"best {'ask' if is_buy else 'bid'} {price_text(self.opposite)}",
            ),
        )

    def _skew_inputs(self, distance: int) -> str:
        parameters = self.cycle.parameters
        settings, text = parameters.settings, parameters.instrument.size_text
        unit = "half-spread" if parameters.skew_by_half_spread else "1 bp"
        factor = number_text(settings.inventory_skew_factor)
        return f"{factor}·{text(distance)}/{text(parameters.max_position)}·{unit}"

    def _imbalance_inputs(self) -> str:
        cycle = self.cycle
        parameters = cycle.parameters
        threshold = number_text(parameters.settings.imbalance_threshold)
        if abs(cycle.imbalance) <= parameters.imbalance_threshold:
            return f"|{cycle.imbalance:.4g}| ≤ {threshold}"
        factor = 1 + parameters.imbalance_weight * abs(cycle.imbalance)
        return f"×{factor:.6g}, |{cycle.imbalance:.4g}| > {threshold}"

    def _stress_inputs(self) -> str:
        cycle = self.cycle
        settings = cycle.parameters.settings
        factor = f"×{number_text(settings.spread_widen_factor)}" if cycle.stress_part else "calm"
        limit = number_text(settings.volatility_threshold)
        return f"{factor}, volatility {cycle.volatility:.4g} (threshold {limit}) % per √minute"

    def _clamp_inputs(self) -> str:
        settings = self.cycle.parameters.settings
        return f"{number_text(settings.min_spread_bps / 2)} to {number_text(settings.max_spread_bps / 2)} bp"

    def _level_inputs(self) -> str:
        settings = self.cycle.parameters.settings
        spacing, spread = number_text(settings.price_level_spacing), number_text(settings.base_spread_bps)
        return f"{self.level}·{spacing}·{spread} bp"
