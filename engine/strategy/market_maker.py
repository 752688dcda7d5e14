"""What every quoting model shares: lifecycle, levels, sizes, clamps, hedge, and when a side steps aside."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import msgspec

from engine.core.depth import DepthReader
from engine.core.events import OrderFilled, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, Side
from engine.core.volatility import Volatility, VolatilityState
from engine.strategy.fair_value import TouchSignals, TouchSignalsState
from engine.strategy.fill_brake import FillBrake, FillBrakeState
from engine.strategy.protocol import Decision, MarketView, Quote, StrategyContext
from engine.strategy.quote_explanation import DEPTH_LEVELS, Cycle, PriceReason, SizeReason
from engine.strategy.quoting_parameters import QuotingParameters
from engine.strategy.sizing import hedge_order, quote_size

_STOPPED = Decision(reason="not running")
_ONE_SIDED = Decision(reason="no quotes: the market does not have both sides")
_CROSSED = Decision(reason="no quotes: the book is crossed or locked")


class MarketMakerState(msgspec.Struct, frozen=True):
    """What has been learnt of the market, and when the maker acted last; `model` is the model's own."""

    volatility: VolatilityState
    signals: TouchSignalsState
    brake: FillBrakeState
    is_running: bool
    decided_ns: int | None
    hedged_ns: int | None
    bought_at: int | None
    sold_at: int | None
    model: bytes


class MarketMaker(ABC):
    """Quotes `levels` prices a side around the fair value of the market without our own orders.

    A model says where: its offsets are floats that are rounded once to the instrument's model units;
    from there on everything is integer. The price then moves to a tick on the safe side (a bid down, an
    ask up) and, if need be, away from the displayed touch, so that a quote is always passive; a price
    that would not be positive is not quoted. All terms of a price and of a size add up exactly.

    With hedging on, a position far from the target sends one marketable limit towards it per hedge
    interval. Its limit lies half a base spread behind the opposite touch, and in that decision the
    side it could hit of our own quotes is withdrawn.
    """

    name: str

    def __init__(self, parameters: QuotingParameters) -> None:
        self.instrument: Instrument = parameters.instrument
        self._quoting = parameters
        self._volatility = Volatility()
        self._signals = TouchSignals()
        self._brake = FillBrake()
        self._bought_at: int | None = None
        """Price of our last fill of that side, in ticks. The oldest fills count as hedged first, so while the
        position is long the last purchase is not hedged, or not all of it,"""
        self._sold_at: int | None = None
        """and while it is short, the last sale."""
        self._is_running = False
        self._touch: tuple[int | None, int | None] = (None, None)
        """The market's touch when it was shown last,"""
        self._touch_ns: int | None = None
        """and when that was."""
        self._decided_ns: int | None = None
        self._hedged_ns: int | None = None

    @abstractmethod
    def configure(self, context: StrategyContext) -> None:
        """See `Strategy`."""

    @property
    def is_running(self) -> bool:
        """True between `start` and `stop`."""
        return self._is_running

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
        """See `Strategy`. A crossed or one-sided book has no mid and leaves the last one in force; an empty
        one interrupts all that is measured."""
        bid, ask = market.best_bid(), market.best_ask()
        self._touch, self._touch_ns = (bid, ask), now_ns
        if bid is not None and ask is not None and bid < ask:
            self._volatility.on_mid(now_ns, bid + ask)
            self._on_mid(now_ns, bid + ask)
            if self._quoting.watches_touch:
                self._signals.on_book(now_ns, market, bid, ask)
            return
        if self._quoting.watches_touch:
            self._signals.interrupt()
        if bid is None and ask is None:
            self._volatility.interrupt()
            self._interrupt()

    @abstractmethod
    def on_trade(self, trade: TradePrint) -> None:
        """See `Strategy`."""

    def on_fill(self, fill: OrderFilled) -> None:
        """See `Strategy`. Taking orders are no quotes and do not brake them."""
        if fill.is_maker:
            self._brake.on_fill(fill.side, fill.recv_ns)
        if fill.side is BUY:
            self._bought_at = fill.price
        else:
            self._sold_at = fill.price

    def decide(self, view: MarketView) -> Decision | None:
        """See `Strategy`. Withdraws at once without a sound two-sided book, whatever the interval."""
        if not self._is_running:
            return _STOPPED
        now, parameters = view.now_ns, self._quoting
        self._volatility.advance(now)
        self._advance(now)
        # The Trader has shown this very market a moment ago, and looking past our own orders takes time.
        bid, ask = self._touch if self._touch_ns == now else (view.market.best_bid(), view.market.best_ask())
        shown_bid, shown_ask = view.touch.best_bid(), view.touch.best_ask()
        if bid is None or ask is None or shown_bid is None or shown_ask is None:
            return _ONE_SIDED
        if bid >= ask or shown_bid >= shown_ask:
            return _CROSSED
        if self._decided_ns is not None and now - self._decided_ns < parameters.interval_ns:
            return None
        self._decided_ns = now

        bid_depth, ask_depth = view.market.volumes(DEPTH_LEVELS)
        cycle = self._cycle(now, bid, ask, bid_depth, ask_depth, view.position - parameters.target)
        if parameters.fair_model != "mid":
            self._shift(cycle, view.market)
        if parameters.unhedged_distance is not None:
            self._keep_away(cycle, view.position, parameters.unhedged_distance)
        take = None
        if self._hedged_ns is None or now - self._hedged_ns >= parameters.hedge_interval_ns:
            take = hedge_order(cycle)
        hedged = 0
        if take is not None:
            hedged, self._hedged_ns = take.side, now
        quotes: list[Quote] = []
        reasons = []
        for side, depth, opposite in ((BUY, bid_depth, shown_ask), (SELL, ask_depth, shown_bid)):
            if hedged == -side:
                reason = f"{_left_out(side, 0)}: a hedge trades against this side"
            elif aside := self._aside(cycle, side, now):
                reason = f"{_left_out(side, 0)}: {aside}"
            else:
                reason = self._quote_side(cycle, side, depth, opposite, view.position, quotes)
            if reason:
                reasons.append(reason)
        return Decision(tuple(quotes), take, "; ".join(reasons))

    def save(self) -> bytes:
        """See `Strategy`."""
        return msgspec.msgpack.encode(
            MarketMakerState(
                self._volatility.save(),
                self._signals.save(),
                self._brake.save(),
                self._is_running,
                self._decided_ns,
                self._hedged_ns,
                self._bought_at,
                self._sold_at,
                self._save_model(),
            )
        )

    def load(self, state: bytes) -> None:
        """See `Strategy`."""
        saved = msgspec.msgpack.decode(state, type=MarketMakerState)
        self._volatility.load(saved.volatility)
        self._signals.load(saved.signals)
        self._brake.load(saved.brake)
        self._is_running = saved.is_running
        self._decided_ns, self._hedged_ns = saved.decided_ns, saved.hedged_ns
        self._bought_at, self._sold_at = saved.bought_at, saved.sold_at
        self._load_model(saved.model)

    # -- the model's part ------------------------------------------------------------------------

    @abstractmethod
    def _on_mid(self, now_ns: int, mid: int) -> None:
        """The mid, in half ticks, of a book that was just shown."""

    @abstractmethod
    def _interrupt(self) -> None:
        """Nobody watches the market until the next mid."""

    @abstractmethod
    def _advance(self, now_ns: int) -> None:
        """A decision comes next, at this time; the volatility is that of now."""

    @abstractmethod
    def _cycle(self, now_ns: int, bid: int, ask: int, bid_depth: int, ask_depth: int, distance: int) -> Cycle:
        """Half-spread, levels and skew of this moment, in model units. `distance` is from the target."""

    def _stops(self, cycle: Cycle, side: Side) -> str:
        """Why the model quotes nothing on a side; empty when it does."""
        return ""

    def _stops_at(self, cycle: Cycle) -> str:
        """What `most` of a cycle follows from."""
        return ""

    @abstractmethod
    def _save_model(self) -> bytes:
        """The model's own state, encoded; equal for equal."""

    @abstractmethod
    def _load_model(self, state: bytes) -> None:
        """Go on from there."""

    # -- one decision ----------------------------------------------------------------------------

    def _use(self, parameters: QuotingParameters) -> None:
        """Put other parameters into force."""
        self._quoting = parameters
        if not parameters.watches_touch:
            self._signals.interrupt()

    def _shift(self, cycle: Cycle, market: DepthReader) -> None:
        """From the mid to the fair value."""
        parameters = self._quoting
        ticks, inputs = self._signals.fair_shift(
            parameters.fair_model, market, cycle.best_bid, cycle.best_ask
        )
        units, most = round(ticks * parameters.tick_units), round(parameters.fair_max * float(cycle.mid))
        cycle.fair_shift = max(-most, min(units, most))
        cycle.fair_inputs = f"{inputs}; at most {parameters.fair_max_words}"

    def _keep_away(self, cycle: Cycle, position: int, distance: float) -> None:
        """Where the side that closes the position may begin."""
        if position * cycle.distance <= 0:
            return
        last, tick = self._bought_at if position > 0 else self._sold_at, self._quoting.tick_units
        if last is None:
            return
        if position > 0:
            cycle.unhedged = math.ceil(last * tick * (1 + distance))
        else:
            cycle.unhedged = math.floor(last * tick * (1 - distance))

    def _aside(self, cycle: Cycle, side: Side, now: int) -> str:
        """Why nothing is quoted on a side, whatever its price would be; empty for no reason."""
        parameters = self._quoting
        if parameters.brake_n and self._brake.holds(
            side, parameters.brake_n, parameters.brake_window_ns, now
        ):
            settings = parameters.settings
            return f"{parameters.brake_n} fills within {settings.fill_brake_window_s} s (fill_brake_n)"
        if parameters.pull_z:
            self._signals.flow.advance(now)
            z = self._signals.flow.z
            # A flow that pushes up runs into asks.
            if -side * z >= parameters.pull_z:
                return f"order flow of {z:.3g} standard deviations runs into it (ofi_pull_z)"
        return self._stops(cycle, side)

    def _quote_side(
        self, cycle: Cycle, side: Side, depth: int, opposite: int, position: int, quotes: list[Quote]
    ) -> str:
        """Append the quotes of one side; why there are none or fewer, else an empty text."""
        parameters = self._quoting
        is_adding = cycle.distance * side > 0
        size, reason = quote_size(cycle, is_adding, depth)
        if not size:
            return f"{_left_out(side, 0)}: {reason}"
        offsets = cycle.offsets
        levels = len(offsets)
        room = max(0, parameters.max_position - side * position) // size
        if room < levels:
            text = self.instrument.size_text
            reason = (
                f"{_left_out(side, room)}: position {text(position)} may not pass "
                f"max_position {text(parameters.max_position)} by orders of {text(size)}"
            )
            levels = room
        if cycle.most is not None and (room := max(0, cycle.most - side * cycle.distance) // size) < levels:
            reason = f"{_left_out(side, room)}: {self._stops_at(cycle)}"
            levels = room

        tick, smallest = parameters.tick_units, parameters.smallest_tick_lots
        slots, passive = (
            (parameters.bid_slots, opposite - 1) if side is BUY else (parameters.ask_slots, opposite + 1)
        )
        centre, held = cycle.mid + cycle.fair_shift - cycle.skew, 0
        if cycle.unhedged is not None and cycle.distance * side < 0:
            # The whole side moves, so that its levels keep their distances.
            held = -side * max(0, side * (centre - cycle.unhedged) - offsets[0])
            centre += held
        explain_size = SizeReason(cycle, is_adding, depth, size)
        for level in range(levels):
            # Down for a bid, up for an ask; then at least a tick away from the other side's touch.
            if side is BUY:
                raw = centre - offsets[level]
                price = rounded = raw // tick
                if price > passive:
                    price = passive
            else:
                raw = centre + offsets[level]
                price = rounded = -(-raw // tick)
                if price < passive:
                    price = passive
            if price <= 0:
                return f"{_left_out(side, level)}: the price would not be positive"
            if price * size < smallest:
                least = self.instrument.money_text(self.instrument.min_notional)
                return f"{_left_out(side, level)}: worth less than the venue's minimum, {least}"
            why = PriceReason(cycle, side, level, held, raw, rounded, price, opposite)
            quotes.append(Quote(slots[level], side, level, price, size, why, explain_size))
        return reason


def _left_out(side: Side, level: int) -> str:
    word = "bid" if side is BUY else "ask"
    return f"{word} levels from {level} on left out" if level else f"no {word}"
