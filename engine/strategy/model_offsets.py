"""Half-spread and skew of the two models behind one face: made once per change of parameters, then read."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from engine.core.order import BUY, SELL, Side
from engine.strategy.avellaneda_stoikov_model import (
    liquidity_half_spread_ticks,
    reservation_offset_ticks,
    risk_half_spread_ticks,
)
from engine.strategy.calibration import Calibrated
from engine.strategy.explain import number_text
from engine.strategy.glft_model import ClosedForm, ExactSolution
from engine.strategy.model_settings import ModelSettings
from engine.strategy.optimal_quoting import OptimalQuotingParameters


class Placement(NamedTuple):
    """Where an inventory puts the quotes: `risk` and liquidity part around the fair value less `skew`."""

    skew: float
    risk: float
    stopped: Side | None = None
    """The side on which nothing more is added."""


class ModelOffsets(Protocol):
    """Distances in ticks."""

    liquidity: float
    """The part of the half-spread that earns most from those who come."""
    skew_words: str
    risk_words: str

    @property
    def most_units(self) -> int | None:
        """Inventory in order units beyond which nothing is added; None where the model has no such edge."""
        ...

    def at(self, inventory: float) -> Placement:
        """For an inventory in order units, positive when long."""
        ...


class AvellanedaStoikovOffsets:
    """The reservation price and the half-spread, with a horizon that rolls along."""

    most_units = None

    def __init__(self, parameters: Calibrated, settings: ModelSettings) -> None:
        own = OptimalQuotingParameters(
            parameters.gamma_per_tick,
            parameters.sigma_ticks_sqrt_s,
            parameters.A_per_s,
            parameters.k_per_tick,
        )
        self._parameters = own
        self._horizon = horizon = float(settings.horizon_s)
        self._risk = risk_half_spread_ticks(own, horizon)
        self.liquidity = liquidity_half_spread_ticks(own)
        words = f"γ·σ²·T, T {number_text(settings.horizon_s)} s"
        self.skew_words = f"q·{words}"
        self.risk_words = f"half of {words}"

    def at(self, inventory: float) -> Placement:
        """See `ModelOffsets`."""
        return Placement(-reservation_offset_ticks(self._parameters, inventory, self._horizon), self._risk)


class GlftClosedOffsets:
    """The asymptotic solution of Guéant, Lehalle and Fernandez-Tapia."""

    most_units = None

    def __init__(self, parameters: Calibrated) -> None:
        closed = ClosedForm(_glft(parameters))
        self.liquidity = closed.c1_ticks
        self._risk = closed.half_spread_ticks - closed.c1_ticks
        self._skew = closed.skew_ticks
        self.skew_words = "q·σ·c₂, closed form"
        self.risk_words = "half of σ·c₂, closed form"

    def at(self, inventory: float) -> Placement:
        """See `ModelOffsets`."""
        return Placement(self._skew * inventory, self._risk)


class GlftExactOffsets:
    """The stationary solution, tabulated for every whole inventory up to Q and straight in between."""

    def __init__(self, parameters: Calibrated, most_units: int) -> None:
        own = _glft(parameters)
        exact, closed = ExactSolution(own, most_units), ClosedForm(own)
        depths = [exact.bid_depth(inventory) for inventory in range(-most_units, most_units)]
        self._depths = [depth for depth in depths if depth is not None]
        """Of the bid below the fair value, for inventories from -Q to Q - 1."""
        self.most_units = most_units
        self.liquidity = closed.c1_ticks
        self.skew_words = (
            f"exact up to {most_units} units; {closed.skew_ticks:.4g} ticks a unit in closed form"
        )
        flat = closed.half_spread_ticks - closed.c1_ticks
        self.risk_words = f"exact; {flat:.4g} ticks in closed form"

    def at(self, inventory: float) -> Placement:
        """See `ModelOffsets`. The ask of an inventory is the bid of its opposite."""
        bid, ask = self._bid_depth(inventory), self._bid_depth(-inventory)
        if bid is not None and ask is not None:
            return Placement((bid - ask) / 2, (bid + ask) / 2 - self.liquidity)
        # At the edge one side is left, at its own depth; the half-spread is the last one of two sides.
        half = (self._depths[-1] + self._depths[1]) / 2
        if ask is not None:
            return Placement(half - ask, half - self.liquidity, BUY)
        assert bid is not None
        return Placement(bid - half, half - self.liquidity, SELL)

    def _bid_depth(self, inventory: float) -> float | None:
        """None where another unit would lead beyond Q."""
        place = max(inventory + self.most_units, 0.0)
        last = len(self._depths) - 1
        if place > last:
            return None
        below = min(math.floor(place), last - 1)
        low, high = self._depths[below], self._depths[below + 1]
        return low + (place - below) * (high - low)


def _glft(parameters: Calibrated) -> OptimalQuotingParameters:
    return OptimalQuotingParameters(
        parameters.gamma_per_tick, parameters.sigma_ticks_sqrt_s, parameters.A_per_s, parameters.k_per_tick
    )
