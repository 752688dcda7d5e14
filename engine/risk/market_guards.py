"""What a market does that must stop the quoting: one place that is told of all of it."""

from __future__ import annotations

import msgspec

from engine.core.instrument import Instrument
from engine.risk.circuit_breaker import CircuitBreaker, CircuitBreakerState
from engine.risk.fill_burst import FillBurst, FillBurstState
from engine.risk.limits import BreakerLimits, RiskLimits
from engine.risk.position_risk import PositionRisk, PositionRiskState
from engine.risk.price_sanity import PriceSanity, PriceSanityState
from engine.risk.state import RiskState, TradingState

GUARD_FAILED = "GUARD_FAILED"


class MarketGuardsState(msgspec.Struct, frozen=True):
    """That of each guard."""

    fills: FillBurstState
    sanity: PriceSanityState
    breaker: CircuitBreakerState
    position: PositionRiskState


class MarketGuards:
    """Bursts of fills (R15), absurd prices (R17), the circuit breaker, and value at risk.

    Each of them holds and releases by itself. One that raises has judged nothing: trading is HALTED,
    until a person has looked.
    """

    def __init__(
        self, instrument: Instrument, limits: RiskLimits, breaker: BreakerLimits, state: RiskState
    ) -> None:
        self.fills = FillBurst(instrument, limits, state)
        self.sanity = PriceSanity(instrument, limits, state)
        self.breaker = CircuitBreaker(breaker, state)
        self.position = PositionRisk(instrument, limits, state)
        self._state = state

    def configure(self, limits: RiskLimits, breaker: BreakerLimits) -> None:
        """Other limits from now on."""
        self.fills.limits = self.sanity.limits = self.position.limits = limits
        self.breaker.limits = breaker

    def on_time(self, bid: int | None, ask: int | None, position: int, now_ns: int) -> None:
        """Judge everything. `bid` and `ask` are the best prices of a book that may be believed, in ticks;
        None where there is no such book, or no such side."""
        try:
            self.fills.on_time(now_ns)
            self.breaker.on_time(now_ns)
            if bid is None or ask is None or bid >= ask:
                self.position.judge(position, None, now_ns)
                return
            self.sanity.on_touch(bid, ask, now_ns)
            self.breaker.on_touch(bid, ask, now_ns)
            self.position.on_mid(bid + ask, now_ns)
            self.position.judge(position, bid + ask, now_ns)
        except Exception as error:  # a guard that breaks must stop the trading, whatever broke it
            reason = f"a guard could not judge the market: {error!r}"
            self._state.latch(TradingState.HALTED, GUARD_FAILED, reason, now_ns)

    def on_feed_lost(self, now_ns: int) -> None:
        """A book that was live is not any more."""
        self.sanity.forget()
        self.breaker.on_feed_lost(now_ns)

    def save(self) -> MarketGuardsState:
        """That of each; the limits are settings."""
        return MarketGuardsState(
            self.fills.save(), self.sanity.save(), self.breaker.save(), self.position.save()
        )

    def load(self, state: MarketGuardsState) -> None:
        """Go on from there."""
        self.fills.load(state.fills)
        self.sanity.load(state.sanity)
        self.breaker.load(state.breaker)
        self.position.load(state.position)
