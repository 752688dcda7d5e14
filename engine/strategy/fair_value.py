"""What quotes stand around, and the order flow that tells when to step aside: signals of the touch."""

from __future__ import annotations

import msgspec

from engine.core.depth import DepthReader
from engine.core.order import BUY, SELL
from engine.strategy.flow_gauge import FlowGauge, FlowGaugeState
from engine.strategy.micro_price import weighted_mid
from engine.strategy.micro_price_learner import MicroPriceLearner, MicroPriceState
from engine.strategy.order_flow import Touch, order_flow


class TouchSignalsState(msgspec.Struct, frozen=True):
    """What has been learnt of the touch."""

    last: Touch | None
    flow: FlowGaugeState
    micro: MicroPriceState


class TouchSignals:
    """Order flow and micro-price of one market. Costs nothing while nobody shows it a book."""

    __slots__ = ("_last", "_micro", "flow")

    def __init__(self) -> None:
        self._last: Touch | None = None
        self._micro = MicroPriceLearner()
        self.flow = FlowGauge()
        """Of the touch."""

    def on_book(self, now_ns: int, market: DepthReader, bid: int, ask: int) -> None:
        """The market has this touch now; it is neither crossed nor one-sided."""
        touch, last = _touch(market, bid, ask), self._last
        if touch == last:
            return
        self._last = touch
        if last is not None:
            self.flow.on_flow(now_ns, order_flow(last, touch))
        self._micro.on_touch(now_ns, touch)

    def interrupt(self) -> None:
        """The market has no sound touch now, or nobody looks at it for a while."""
        self._last = None
        self._micro.interrupt()

    def fair_shift(self, model: str, market: DepthReader, bid: int, ask: int) -> tuple[float, str]:
        """How far above the mid the fair value lies, in ticks, and what that follows from."""
        touch = _touch(market, bid, ask)
        share = touch.bid_size / (touch.bid_size + touch.ask_size)
        weighted = weighted_mid(touch.bid, touch.bid_size, touch.ask, touch.ask_size) - (bid + ask) / 2
        if model == "weighted":
            return weighted, f"weighted mid, {share:.3g} of the touch is bid"
        half_ticks = self._micro.half_ticks(touch)
        seen = f"{self._micro.moves} moves of the mid seen"
        if half_ticks is None:
            return weighted, f"weighted mid until the micro-price is learnt, {seen}"
        return half_ticks / 2, f"micro-price, {share:.3g} of the touch is bid, {seen}"

    def save(self) -> TouchSignalsState:
        """All of it, copied."""
        return TouchSignalsState(self._last, self.flow.save(), self._micro.save())

    def load(self, state: TouchSignalsState) -> None:
        """Go on from there."""
        self._last = state.last
        self.flow.load(state.flow)
        self._micro.load(state.micro)


def _touch(market: DepthReader, bid: int, ask: int) -> Touch:
    return Touch(bid, market.volume_at(BUY, bid), ask, market.volume_at(SELL, ask))
