"""The basic market maker: a spread widened by imbalance and stress, and skewed by inventory."""

from __future__ import annotations

import msgspec

from engine.core.events import TradePrint
from engine.core.instrument import Instrument
from engine.strategy.basic_explanation import BasicCycle
from engine.strategy.basic_parameters import BasicParameters
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.market_maker import MarketMaker
from engine.strategy.protocol import StrategyContext
from engine.strategy.stress import StressGauge, StressState


class BasicMarketMaker(MarketMaker):
    """See `MarketMaker`; the half-spread is `base_spread_bps / 2`, widened, then clamped."""

    name = "basic"

    def __init__(self, instrument: Instrument, settings: BasicSettings) -> None:
        self._parameters = BasicParameters(instrument, settings)
        super().__init__(self._parameters)
        self._stress = StressGauge(self._parameters.stress_threshold, self._parameters.stress_interval_ns)

    def configure(self, context: StrategyContext) -> None:
        """See `Strategy`."""
        self._parameters = parameters = BasicParameters(self.instrument, context.settings)
        self._use(parameters)
        self._stress.configure(parameters.stress_threshold, parameters.stress_interval_ns)

    @property
    def settings(self) -> BasicSettings:
        """The settings in force."""
        return self._parameters.settings

    @property
    def is_stressed(self) -> bool:
        """True while the volatility widens the spread."""
        return self._stress.is_stressed

    def on_trade(self, trade: TradePrint) -> None:
        """See `Strategy`. The basic model takes no signal from the tape."""

    def _on_mid(self, now_ns: int, mid: int) -> None:
        """Nothing beside the volatility."""

    def _interrupt(self) -> None:
        """Nor is anything else measured."""

    def _advance(self, now_ns: int) -> None:
        self._stress.judge(now_ns, self._volatility.value)

    def _cycle(
        self, now_ns: int, bid: int, ask: int, bid_depth: int, ask_depth: int, distance: int
    ) -> BasicCycle:
        parameters = self._parameters
        mid = (bid + ask) * parameters.instrument.half_tick_units
        at = float(mid)
        spread = parameters.half_base * at
        base = half = round(spread)
        total = bid_depth + ask_depth
        imbalance = (bid_depth - ask_depth) / total if total else 0.0
        strength = abs(imbalance)
        imbalance_part = stress_part = skew = 0
        if strength > parameters.imbalance_threshold:
            widening = spread * parameters.imbalance_weight * strength
            imbalance_part = round(widening)
            half += imbalance_part
            spread += widening
        if self._stress.is_stressed:
            stress_part = round(spread * (parameters.stress_factor - 1.0))
            half += stress_part
        half = parameters.clamped(half, at)
        if distance:
            unit = half if parameters.skew_by_half_spread else at
            skew = round(parameters.skew_factor * distance / parameters.max_position * unit)
        return BasicCycle(
            parameters,
            bid,
            ask,
            mid,
            distance,
            half,
            skew,
            parameters.offsets(half, at),
            basic=parameters,
            volatility=self._volatility.value,
            imbalance=imbalance,
            base=base,
            imbalance_part=imbalance_part,
            stress_part=stress_part,
        )

    def _save_model(self) -> bytes:
        return msgspec.msgpack.encode(self._stress.save())

    def _load_model(self, state: bytes) -> None:
        self._stress.load(msgspec.msgpack.decode(state, type=StressState))
