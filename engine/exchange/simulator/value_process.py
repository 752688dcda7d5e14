"""The latent value: what the product is worth, known to some participants and to no screen."""

from __future__ import annotations

import math
from collections import deque
from random import Random

import msgspec

from engine.exchange.simulator.randomness import RandomState, load_random, save_random
from engine.exchange.simulator.settings import SimulatorSettings

STEP_NS = 50_000_000
"""The value moves on this grid; finer than any participant reacts."""

_MINUTE_NS = 60_000_000_000
_HOUR_NS = 60 * _MINUTE_NS


class ValueState(msgspec.Struct, frozen=True, gc=False):
    """A `ValueProcess`: the log value at the path's end, the path from step `step` on, the generator."""

    log: float
    path: list[float]
    step: int
    random: RandomState


class ValueProcess:
    """Merton's jump diffusion of the log value (Merton 1976, eq. 3, with normal jumps), on a fixed grid.

    d ln V = drift dt + sigma dW + J dN. The path is drawn ahead of time, up to `horizon_ns`, because
    informed participants look into it. Values are in ticks, as floats: they are opinions, not prices.
    """

    __slots__ = (
        "_drift",
        "_horizon",
        "_jump_chance",
        "_jump_size",
        "_log",
        "_path",
        "_random",
        "_sigma",
        "_start",
        "_step",
    )

    def __init__(self, settings: SimulatorSettings, start_ticks: float, random: Random) -> None:
        self._random = random
        self._drift = settings.drift_pct_per_hour / 100 * STEP_NS / _HOUR_NS
        self._sigma = settings.volatility_pct_sqrt_min / 100 * math.sqrt(STEP_NS / _MINUTE_NS)
        self._jump_chance = settings.jump_rate_per_hour * STEP_NS / _HOUR_NS
        self._jump_size = settings.jump_size_bps / 10_000
        self._horizon = int(settings.informed_horizon_s * 1e9) // STEP_NS
        self._start = start_ticks
        self._log = 0.0
        self._path: deque[float] = deque([start_ticks])
        self._step = 0
        self._extend()

    def advance(self, now_ns: int) -> None:
        """Move to a time; earlier ones change nothing."""
        step = now_ns // STEP_NS
        while self._step < step:
            self._step += 1
            self._path.popleft()
            self._extend()

    def shift(self, log_move: float) -> None:
        """Move the whole path from now on: somebody's trade has told the market something."""
        self._log += log_move
        factor = math.exp(log_move)
        self._path = deque(value * factor for value in self._path)

    def _extend(self) -> None:
        draw = self._random
        while len(self._path) <= self._horizon:
            self._log += self._drift + self._sigma * draw.gauss(0.0, 1.0)
            if draw.random() < self._jump_chance:
                self._log += self._jump_size * draw.gauss(0.0, 1.0)
            self._path.append(self._start * math.exp(self._log))

    @property
    def now(self) -> float:
        """The value now, in ticks."""
        return self._path[0]

    @property
    def ahead(self) -> float:
        """The value one informed horizon from now, in ticks."""
        return self._path[-1]

    def save(self) -> ValueState:
        """A copy."""
        return ValueState(self._log, list(self._path), self._step, save_random(self._random))

    def load(self, state: ValueState) -> None:
        """Go on from a saved one."""
        self._log = state.log
        self._path = deque(state.path)
        self._step = state.step
        load_random(self._random, state.random)
