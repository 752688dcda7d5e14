"""The basic market maker: a spread around the mid, widened by imbalance and stress, skewed by inventory."""

from __future__ import annotations

import msgspec

from engine.core.depth import DepthReader
from engine.core.events import TradePrint
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, Side
from engine.strategy.basic_explanation import Cycle, PriceReason, SizeReason
from engine.strategy.basic_parameters import DEPTH_LEVELS, BasicParameters
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.protocol import Decision, MarketView, Quote, Take
from engine.strategy.volatility import StressGauge, StressState, Volatility, VolatilityState

_STOPPED = Decision(reason="not running")
_ONE_SIDED = Decision(reason="no quotes: the market does not have both sides")
_CROSSED = Decision(reason="no quotes: the book is crossed or locked")


class BasicState(msgspec.Struct, frozen=True):
    """What the model has learnt of the market, and when it acted last."""

    volatility: VolatilityState
    stress: StressState
    is_running: bool
    decided_ns: int | None
    hedged_ns: int | None


class BasicMarketMaker:
    """Quotes `levels` prices a side around the mid of the market without our own orders.

    Offsets from the mid are floats that are rounded once to the instrument's model units; from there
    on everything is integer. The price then moves to a tick on the safe side (a bid down, an ask up)
    and, if need be, away from the displayed touch, so that a quote is always passive; a price that
    would not be positive is not quoted. All terms of a price and of a size add up exactly.

    With hedging on, a position far from the target sends one marketable limit towards it per hedge
    interval. Its limit lies half a base spread behind the opposite touch, and in that decision the
    side it could hit of our own quotes is withdrawn.
    """

    name = "basic"

    def __init__(self, instrument: Instrument, settings: BasicSettings) -> None:
        self.instrument = instrument
        self._parameters = BasicParameters(instrument, settings)
        self._volatility = Volatility()
        self._stress = StressGauge(self._parameters.stress_threshold, self._parameters.stress_interval_ns)
        self._is_running = False
        self._touch: tuple[int | None, int | None] = (None, None)
        """The market's touch when it was shown last,"""
        self._touch_ns: int | None = None
        """and when that was."""
        self._decided_ns: int | None = None
        self._hedged_ns: int | None = None

    def configure(self, settings: BasicSettings) -> None:
        """Other settings from the next decision on; what was learnt of the market stays.

        Raises `UsageError`, with nothing changed, for settings that are invalid or that the instrument
        cannot express.
        """
        self._parameters = parameters = BasicParameters(self.instrument, settings)
        self._stress.configure(parameters.stress_threshold, parameters.stress_interval_ns)

    @property
    def settings(self) -> BasicSettings:
        """The settings in force."""
        return self._parameters.settings

    @property
    def is_running(self) -> bool:
        """True between `start` and `stop`."""
        return self._is_running

    @property
    def is_stressed(self) -> bool:
        """True while the volatility widens the spread."""
        return self._stress.is_stressed

    @property
    def volatility(self) -> float:
        """Realised volatility of the mid, in % per √minute."""
        return self._volatility.value

    def start(self) -> bool:
        """See `Strategy`."""
        changed = not self._is_running
        self._is_running = True
        return changed

    def stop(self) -> bool:
        """See `Strategy`."""
        changed = self._is_running
        self._is_running = False
        return changed

    def on_book(self, now_ns: int, market: DepthReader) -> None:
        """See `Strategy`. A crossed or one-sided book has no mid and leaves the last one in force."""
        bid, ask = market.best_bid(), market.best_ask()
        self._touch, self._touch_ns = (bid, ask), now_ns
        if bid is not None and ask is not None and bid < ask:
            self._volatility.on_mid(now_ns, bid + ask)

    def on_trade(self, trade: TradePrint) -> None:
        """See `Strategy`. The basic model takes no signal from the tape."""

    def decide(self, view: MarketView) -> Decision | None:
        """See `Strategy`. Withdraws at once without a sound two-sided book, whatever the interval."""
        if not self._is_running:
            return _STOPPED
        now = view.now_ns
        self._volatility.advance(now)
        self._stress.judge(now, self._volatility.value)
        # The Trader has shown this very market a moment ago, and looking past our own orders takes time.
        bid, ask = self._touch if self._touch_ns == now else (view.market.best_bid(), view.market.best_ask())
        shown_bid, shown_ask = view.touch.best_bid(), view.touch.best_ask()
        if bid is None or ask is None or shown_bid is None or shown_ask is None:
            return _ONE_SIDED
        if bid >= ask or shown_bid >= shown_ask:
            return _CROSSED
        if self._decided_ns is not None and now - self._decided_ns < self._parameters.interval_ns:
            return None
        self._decided_ns = now

        bid_depth, ask_depth = view.market.volumes(DEPTH_LEVELS)
        cycle = self._cycle(bid, ask, bid_depth, ask_depth, view.position)
        take = self._hedge(cycle, now)
        hedged = 0 if take is None else take.side.value
        quotes: list[Quote] = []
        reasons = []
        for side, depth, opposite in ((BUY, bid_depth, shown_ask), (SELL, ask_depth, shown_bid)):
            if hedged == -side.value:
                reason = f"{_left_out(side, 0)}: a hedge trades against this side"
            else:
                reason = self._quote_side(cycle, side, depth, opposite, view.position, quotes)
            if reason:
                reasons.append(reason)
        return Decision(tuple(quotes), take, "; ".join(reasons))

    def save(self) -> bytes:
        """See `Strategy`."""
        return msgspec.msgpack.encode(
            BasicState(
                self._volatility.save(),
                self._stress.save(),
                self._is_running,
                self._decided_ns,
                self._hedged_ns,
            )
        )

    def load(self, state: bytes) -> None:
        """See `Strategy`."""
        saved = msgspec.msgpack.decode(state, type=BasicState)
        self._volatility.load(saved.volatility)
        self._stress.load(saved.stress)
        self._is_running = saved.is_running
        self._decided_ns, self._hedged_ns = saved.decided_ns, saved.hedged_ns

    def _cycle(self, bid: int, ask: int, bid_depth: int, ask_depth: int, position: int) -> Cycle:
        """Half-spread, levels and skew of this moment, in model units."""
        parameters = self._parameters
        cycle = Cycle(parameters, bid, ask, position - parameters.target, self._volatility.value)
        mid = float(cycle.mid)
        spread = parameters.half_base * mid
        cycle.base = half = round(spread)
        total = bid_depth + ask_depth
        cycle.imbalance = (bid_depth - ask_depth) / total if total else 0.0
        strength = abs(cycle.imbalance)
        if strength > parameters.imbalance_threshold:
            widening = spread * parameters.imbalance_weight * strength
            cycle.imbalance_part = round(widening)
            half += cycle.imbalance_part
            spread += widening
        if self._stress.is_stressed:
            cycle.stress_part = round(spread * (parameters.stress_factor - 1.0))
            half += cycle.stress_part
        half = min(half, round(parameters.half_max * mid))
        # One unit at least: bid and ask must never meet, however small the price.
        cycle.half = half = max(half, round(parameters.half_min * mid), 1)
        cycle.offsets = [half + round(share * mid) for share in parameters.level_offsets]
        if cycle.distance:
            unit = half if parameters.skew_by_half_spread else mid
            cycle.skew = round(parameters.skew_factor * cycle.distance / parameters.max_position * unit)
        return cycle

    def _quote_side(
        self, cycle: Cycle, side: Side, depth: int, opposite: int, position: int, quotes: list[Quote]
    ) -> str:
        """Append the quotes of one side; why there are none or fewer, else an empty text."""
        parameters, sign = self._parameters, side.value
        is_adding = cycle.distance * sign > 0
        size, reason = self._size(cycle, is_adding, depth)
        if not size:
            return f"{_left_out(side, 0)}: {reason}"
        levels = len(cycle.offsets)
        room = max(0, parameters.max_position - sign * position) // size
        if room < levels:
            text = self.instrument.size_text
            reason = (
                f"{_left_out(side, room)}: position {text(position)} may not pass "
                f"max_position {text(parameters.max_position)} by orders of {text(size)}"
            )
            levels = room

        tick, slots = parameters.tick_units, parameters.slots[side]
        centre = cycle.mid - cycle.skew
        size_terms = SizeReason(cycle, is_adding, depth, size).terms
        smallest = self.instrument.min_notional
        for level in range(levels):
            raw = centre - sign * cycle.offsets[level]
            # Down for a bid, up for an ask; then at least a tick away from the other side's touch.
            rounded = sign * (sign * raw // tick)
            price = sign * min(sign * rounded, sign * opposite - 1)
            if price <= 0:
                return f"{_left_out(side, level)}: the price would not be positive"
            if smallest and self.instrument.notional(price, size) < smallest:
                least = self.instrument.money_text(smallest)
                return f"{_left_out(side, level)}: worth less than the venue's minimum, {least}"
            why = PriceReason(cycle, side, level, raw, rounded, price, opposite)
            quotes.append(Quote(slots[level], side, level, price, size, why.terms, size_terms))
        return reason

    def _size(self, cycle: Cycle, is_adding: bool, depth: int) -> tuple[int, str]:
        """Lots of one quote; 0 with the reason when there must be none."""
        parameters = self._parameters
        size, limit = parameters.order_lots, parameters.max_position
        if is_adding:
            room = limit - abs(cycle.distance)
            if room <= 0:
                text = self.instrument.size_text
                return 0, f"{text(abs(cycle.distance))} away from the target, max_position is {text(limit)}"
            size = size * room // limit
        share, whole = parameters.depth_share
        cap = depth * share // whole
        if cap < parameters.min_lots:
            text = self.instrument.size_text
            return 0, (
                f"book too thin, {text(depth)} on {DEPTH_LEVELS} levels allows {text(cap)}, "
                f"the minimum is {text(parameters.min_lots)}"
            )
        return max(min(size, cap, parameters.max_lots), parameters.min_lots), ""

    def _hedge(self, cycle: Cycle, now: int) -> Take | None:
        """The taking order that is due, if any."""
        parameters, distance = self._parameters, cycle.distance
        if not parameters.hedge_enabled or abs(distance) < parameters.hedge_distance:
            return None
        if self._hedged_ns is not None and now - self._hedged_ns < parameters.hedge_interval_ns:
            return None
        size = min(abs(distance), parameters.max_lots)
        if size < parameters.min_lots:
            return None
        slip = round(parameters.half_base * float(cycle.mid)) // parameters.tick_units
        side = SELL if distance > 0 else BUY
        price = max(1, cycle.best_bid - slip) if side is SELL else cycle.best_ask + slip
        self._hedged_ns = now
        text = self.instrument.size_text
        threshold = text(parameters.hedge_distance)
        reason = f"{text(abs(distance))} away from the target, hedged from {threshold} on"
        return Take(side, price, size, "hedge", reason)


def _left_out(side: Side, level: int) -> str:
    word = "bid" if side is BUY else "ask"
    return f"{word} levels from {level} on left out" if level else f"no {word}"
