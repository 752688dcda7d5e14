"""Market makers that weigh the risk of inventory against fills: `avellaneda-stoikov` and `glft`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

import msgspec

from engine.core.events import TradePrint
from engine.core.order import Side
from engine.strategy.calibration import Calibrated, calibrated
from engine.strategy.fill_intensity import FillIntensity, FillIntensityState
from engine.strategy.market_maker import MarketMaker
from engine.strategy.model_explanation import ModelCycle
from engine.strategy.model_offsets import (
    AvellanedaStoikovOffsets,
    GlftClosedOffsets,
    GlftExactOffsets,
    ModelOffsets,
)
from engine.strategy.model_parameters import ModelParameters
from engine.strategy.protocol import StrategyContext
from engine.strategy.quote_explanation import Cycle

RECALCULATED_EVERY_NS: Final = 1_000_000_000


class ModelState(msgspec.Struct, frozen=True):
    """What the model has measured, and what it calculates with until the next second."""

    fills: FillIntensityState
    in_force: Calibrated | None
    next_ns: int


class ModelMarketMaker(MarketMaker):
    """See `MarketMaker`; half-spread and skew come out of a model of inventory risk.

    Volatility and fill intensity are measured all the time. Once a second they are put into force, if they
    have changed noticeably; every other decision only reads them. What cannot be measured soundly is as
    configured, and the explanation of every price says which it was. The half-spread ends at the maker fee
    unless `allow_negative_edge`, and the fill intensity is measured from the least half-spread on.
    """

    def __init__(self, context: StrategyContext) -> None:
        self._parameters = ModelParameters(context)
        super().__init__(self._parameters)
        self._fills = FillIntensity(self._parameters.half_least)
        self._in_force: Calibrated | None = None
        self._offsets: ModelOffsets | None = None
        self._next_ns = 0
        """When parameters are calculated next."""

    def configure(self, context: StrategyContext) -> None:
        """See `Strategy`."""
        self._parameters = parameters = ModelParameters(context)
        self._use(parameters)
        self._in_force = self._offsets = None
        if self._fills.nearest != parameters.half_least:
            # What was left out so far cannot be made up for: measured anew.
            self._fills = FillIntensity(parameters.half_least)

    def on_trade(self, trade: TradePrint) -> None:
        """See `Strategy`."""
        self._fills.on_trade(trade)

    @abstractmethod
    def _model(self, parameters: Calibrated) -> ModelOffsets:
        """The model with these parameters."""

    def _on_mid(self, now_ns: int, mid: int) -> None:
        self._fills.on_mid(now_ns, mid)

    def _interrupt(self) -> None:
        self._fills.interrupt()

    def _advance(self, now_ns: int) -> None:
        """Nothing is judged before the interval has passed."""

    def _cycle(
        self, now_ns: int, bid: int, ask: int, bid_depth: int, ask_depth: int, distance: int
    ) -> ModelCycle:
        parameters, in_force, offsets = self._parameters, self._in_force, self._offsets
        if in_force is None or offsets is None or now_ns >= self._next_ns:
            self._next_ns = now_ns + RECALCULATED_EVERY_NS
            found = calibrated(parameters.model, now_ns, (bid + ask) / 2, self._volatility, self._fills)
            if in_force is None or offsets is None or found.differs_from(in_force):
                self._in_force, self._offsets = in_force, offsets = found, self._model(found)
            elif found != in_force:
                # The numbers stay; how well they are known is told as it is now.
                self._in_force = in_force = in_force.known_as(found)
        inventory = distance / parameters.order_lots
        skew, risk_ticks, stopped = offsets.at(inventory)
        mid, tick = (bid + ask) * parameters.instrument.half_tick_units, parameters.tick_units
        at = float(mid)
        risk, liquidity = round(risk_ticks * tick), round(offsets.liquidity * tick)
        clamped = parameters.clamped(risk + liquidity, at)
        half = max(clamped, round(parameters.half_floor * at))
        return ModelCycle(
            parameters,
            bid,
            ask,
            mid,
            distance,
            half,
            round(skew * tick),
            parameters.offsets(half, at),
            most=None if offsets.most_units is None else offsets.most_units * parameters.order_lots,
            model=parameters,
            model_offsets=offsets,
            in_force=in_force,
            inventory=inventory,
            risk=risk,
            liquidity=liquidity,
            clamped=clamped,
            stopped=stopped,
        )

    def _stops(self, cycle: Cycle, side: Side) -> str:
        return self._stops_at(cycle) if isinstance(cycle, ModelCycle) and side is cycle.stopped else ""

    def _stops_at(self, cycle: Cycle) -> str:
        assert isinstance(cycle, ModelCycle)
        return (
            f"{cycle.inventory:.4g} order units away from the target, "
            f"max_inventory_units is {self._parameters.model.max_inventory_units}"
        )

    def _save_model(self) -> bytes:
        return msgspec.msgpack.encode(ModelState(self._fills.save(), self._in_force, self._next_ns))

    def _load_model(self, state: bytes) -> None:
        saved = msgspec.msgpack.decode(state, type=ModelState)
        self._fills.load(saved.fills)
        self._in_force, self._next_ns = saved.in_force, saved.next_ns
        self._offsets = None if saved.in_force is None else self._model(saved.in_force)


class AvellanedaStoikovMarketMaker(ModelMarketMaker):
    """Quotes around the reservation price of Avellaneda and Stoikov."""

    name = "avellaneda-stoikov"

    def _model(self, parameters: Calibrated) -> ModelOffsets:
        return AvellanedaStoikovOffsets(parameters, self._parameters.model)


class GlftMarketMaker(ModelMarketMaker):
    """Quotes by the stationary solution of Guéant, Lehalle and Fernandez-Tapia."""

    name = "glft"

    def _model(self, parameters: Calibrated) -> ModelOffsets:
        settings = self._parameters.model
        if settings.glft_solution == "closed":
            return GlftClosedOffsets(parameters)
        return GlftExactOffsets(parameters, settings.max_inventory_units)
