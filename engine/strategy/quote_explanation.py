"""Why a quote stands where it stands: recorded cheaply, told when somebody asks. The same for every model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final

import msgspec

from engine.core.events import Term
from engine.core.order import BUY, Side
from engine.strategy.explain import number_text
from engine.strategy.quoting_parameters import QuotingParameters

DEPTH_LEVELS: Final = 5
"""Levels a side that imbalance and the depth cap look at."""


class Cycle(msgspec.Struct, eq=False):
    """What all quotes of one decision share. Prices in ticks, offsets in model units.

    A model adds the terms between the fair value and the half-spread.
    """

    parameters: QuotingParameters
    best_bid: int
    best_ask: int
    mid: int
    """In model units."""
    distance: int
    """Lots away from the target position, signed."""
    half: int
    """The half-spread: what `offsets` begin with."""
    skew: int
    """Subtracted from the fair value for both sides."""
    offsets: Sequence[int]
    """Each level's distance from the fair value less skew."""
    fair_shift: int = 0
    """From the mid to the fair value."""
    fair_inputs: str = ""
    """Where the fair value comes from; empty for the mid."""
    unhedged: int | None = None
    """What the closing side may not come nearer to the mid than, a price in model units."""
    most: int | None = None
    """Lots away from the target that the model adds up to, all quotes of a side filled; None for any."""
    bid_terms: tuple[Term, ...] = ()
    ask_terms: tuple[Term, ...] = ()

    def terms(self, side: Side) -> tuple[Term, ...]:
        """The terms that all quotes of a side share, made once."""
        if side is BUY:
            if not self.bid_terms:
                self.bid_terms = self._terms(side)
            return self.bid_terms
        if not self.ask_terms:
            self.ask_terms = self._terms(side)
        return self.ask_terms

    def _terms(self, side: Side) -> tuple[Term, ...]:
        price_text = self.parameters.instrument.price_text
        fair = Term("fair", self.mid, f"mid of {price_text(self.best_bid)} and {price_text(self.best_ask)}")
        if not self.fair_inputs:
            return (fair, *self._model_terms(side))
        return (fair, Term("fair value", self.fair_shift, self.fair_inputs), *self._model_terms(side))

    @abstractmethod
    def _model_terms(self, side: Side) -> tuple[Term, ...]:
        """From the fair value to the price of level 0 before rounding: skew and half-spread in parts."""


class SizeReason(msgspec.Struct, frozen=True):
    """The size of one side: `depth` lots were displayed there, `size` lots came out of it."""

    cycle: Cycle
    is_adding: bool
    depth: int
    size: int

    def __call__(self) -> tuple[Term, ...]:
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


class PriceReason(msgspec.Struct, frozen=True):
    """The price of one quote. `raw` is the model's price in model units, `rounded` that on a tick.

    `held` is what keeps the quote away from unhedged fills, in model units, and part of `raw`.
    """

    cycle: Cycle
    side: Side
    level: int
    held: int
    raw: int
    rounded: int
    price: int
    opposite: int
    """The displayed best price of the other side, in ticks."""

    def __call__(self) -> tuple[Term, ...]:
        """The additive terms of the price, in model units; their sum is the price, exactly."""
        cycle, sign = self.cycle, self.side.value
        parameters = cycle.parameters
        tick, is_buy = parameters.tick_units, self.side is BUY
        opposite = parameters.instrument.price_text(self.opposite)
        level = sign * (cycle.half - cycle.offsets[self.level])
        return (
            *cycle.terms(self.side),
            Term("level", level, parameters.level_words[self.level]),
            *self._unhedged(),
            Term(
                "tick", self.rounded * tick - self.raw, parameters.tick_down if is_buy else parameters.tick_up
            ),
            Term(
                "post-only",
                (self.price - self.rounded) * tick,
                f"best ask {opposite}" if is_buy else f"best bid {opposite}",
            ),
        )

    def _unhedged(self) -> tuple[Term, ...]:
        distance = self.cycle.parameters.settings.min_distance_from_unhedged_bps
        if distance is None:
            return ()
        words = f"{number_text(distance)} bp from the last fill that is not hedged"
        return (Term("unhedged", self.held, words),)
