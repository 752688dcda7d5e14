"""The circuit breaker: closed while the market behaves, open when it does not, careful on the way back."""

from __future__ import annotations

import enum
from collections import deque
from typing import Final, NamedTuple

import msgspec

from engine.core.volatility import Volatility, VolatilityState
from engine.risk.limits import BreakerLimits, Ratio
from engine.risk.price_range import PriceRange, PriceRangeState
from engine.risk.state import RiskState, TradingState

BREAKER: Final = "BREAKER"
_S: Final = 1_000_000_000
_MINUTE_NS: Final = 60 * _S
_FIVE_MINUTES_NS: Final = 300 * _S
_PARTS: Final = 30
VOLUME_MINUTES: Final = 30
"""The volume of a minute is compared with the average of so many before it; below, nobody knows."""
LEAST_RETURNS: Final = 30
"""Fewer one-second returns say nothing about a market's volatility."""
LATE_FOR_NS: Final = 1 * _S
"""One late message is an accident; data must be late for so long to open the breaker."""


class BreakerState(enum.StrEnum):
    """CLOSED: business as usual. OPEN: no quotes. HALF_OPEN: quotes of reduced size, on trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Trigger(enum.StrEnum):
    """What opened it."""

    MOVE_1M = "move_1m"
    MOVE_5M = "move_5m"
    SPREAD = "spread"
    VOLATILITY = "volatility"
    VOLUME = "volume"
    LATENCY = "latency"
    CONNECTIVITY = "connectivity"
    MANUAL = "manual"


class BreakerChange(NamedTuple):
    """One step of the breaker from a state to another, and what opened it last."""

    before: BreakerState
    after: BreakerState
    trigger: Trigger
    reason: str

    @property
    def sentence(self) -> str:
        """For people."""
        step = f"circuit breaker {self.before.value} → {self.after.value}"
        return f"{step}, {self.trigger.value}: {self.reason}" if self.after is BreakerState.OPEN else step


class CircuitBreakerState(msgspec.Struct, frozen=True):
    """Where it stands, and what it has seen of the market."""

    state: BreakerState
    trigger: Trigger | None
    reason: str
    since_ns: int
    trip_count: int
    minute: PriceRangeState
    five_minutes: PriceRangeState
    volatility: VolatilityState
    volumes: tuple[tuple[int, int], ...]
    lost_ns: tuple[int, ...]
    late_since_ns: int | None


class CircuitBreaker:
    """Watches one product's market. `on_time` is to be called again and again: all its times are timers.

    OPEN holds PAUSED under the code BREAKER. After `cooldown_s` without a new trigger it is HALF_OPEN: quotes
    are cut to `trial_size`. A trigger there opens it again; `trial_s` without one closes it.
    """

    __slots__ = (
        "_changes",
        "_five_minutes",
        "_late_since_ns",
        "_lost_ns",
        "_minute",
        "_risk",
        "_volatility",
        "_volumes",
        "limits",
        "reason",
        "since_ns",
        "state",
        "trigger",
        "trip_count",
    )

    def __init__(self, limits: BreakerLimits, risk: RiskState) -> None:
        self.limits = limits
        self._risk = risk
        self._changes: list[BreakerChange] = []
        self.state = BreakerState.CLOSED
        self.trigger: Trigger | None = None
        """What opened it last."""
        self.reason = ""
        self.since_ns = 0
        """When it came into this state, or saw a trigger last while open."""
        self.trip_count = 0
        """How often it has opened."""
        self._minute = PriceRange(_MINUTE_NS, _PARTS)
        self._five_minutes = PriceRange(_FIVE_MINUTES_NS, _PARTS)
        self._volatility = Volatility()
        self._volumes: deque[tuple[int, int]] = deque(maxlen=VOLUME_MINUTES + 1)
        """Number of each minute and the lots traded in it."""
        self._lost_ns: deque[int] = deque()
        self._late_since_ns: int | None = None

    # -- what is seen ----------------------------------------------------------------------------

    def on_touch(self, bid: int, ask: int, now_ns: int) -> None:
        """The best prices of a book that may be believed, in ticks."""
        mid, limits = bid + ask, self.limits
        if 2 * (ask - bid) * limits.max_spread.denominator > mid * limits.max_spread.numerator:
            self.trip(Trigger.SPREAD, "the spread is too wide", now_ns)
        elif self._minute.has_moved(mid, limits.move_1m, now_ns):
            self.trip(Trigger.MOVE_1M, "the price has moved too far within a minute", now_ns)
        elif self._five_minutes.has_moved(mid, limits.move_5m, now_ns):
            self.trip(Trigger.MOVE_5M, "the price has moved too far within five minutes", now_ns)
        elif self._is_wild(now_ns):
            self.trip(Trigger.VOLATILITY, "the price swings too much, wherever it ends", now_ns)
        self._volatility.on_mid(now_ns, mid)
        self._minute.add(mid, now_ns)
        self._five_minutes.add(mid, now_ns)

    def _is_wild(self, now_ns: int) -> bool:
        volatility = self._volatility
        volatility.advance(now_ns)
        return volatility.count >= LEAST_RETURNS and volatility.value > self.limits.volatility

    def on_trade(self, size: int, now_ns: int) -> None:
        """A trade of the market, in lots."""
        volumes, minute = self._volumes, now_ns // _MINUTE_NS
        if volumes and volumes[-1][0] == minute:
            volumes[-1] = (minute, volumes[-1][1] + size)
        else:
            # Minutes without a trade are minutes, too.
            first = max(volumes[-1][0] + 1, minute - VOLUME_MINUTES) if volumes else minute
            volumes.extend((quiet, 0) for quiet in range(first, minute))
            volumes.append((minute, size))
        if len(volumes) > VOLUME_MINUTES:
            before = sum(lots for _, lots in volumes) - volumes[-1][1]
            if volumes[-1][1] * VOLUME_MINUTES > self.limits.volume_burst * before > 0:
                self.trip(Trigger.VOLUME, "this minute's volume is far beyond that of the last ones", now_ns)

    def on_delay(self, delay_ns: int, now_ns: int) -> None:
        """How old market data was when it came, by the venue's clock and ours."""
        if delay_ns <= self.limits.latency_ns:
            self._late_since_ns = None
        elif self._late_since_ns is None:
            self._late_since_ns = now_ns
        elif now_ns - self._late_since_ns >= LATE_FOR_NS:
            self.trip(Trigger.LATENCY, f"market data is {delay_ns // 1_000_000} ms old when it comes", now_ns)

    def on_feed_lost(self, now_ns: int) -> None:
        """A book that was live is not any more."""
        lost = self._lost_ns
        lost.append(now_ns)
        while lost[0] <= now_ns - _FIVE_MINUTES_NS:
            lost.popleft()
        if len(lost) >= self.limits.max_disconnects:
            self.trip(Trigger.CONNECTIVITY, f"the book was lost {len(lost)} times in five minutes", now_ns)
        self._late_since_ns = None

    # -- where it stands -------------------------------------------------------------------------

    def trip(self, trigger: Trigger, reason: str, now_ns: int) -> None:
        """Open it. While it is open, the cool-down begins anew."""
        if self.state is not BreakerState.OPEN:
            self.trip_count += 1
            self.trigger, self.reason = trigger, reason
            self._step(BreakerState.OPEN)
            seconds = self.limits.cooldown_ns // _S
            release = f"{seconds} s have passed without a trigger; then smaller quotes go on trial"
            why = f"circuit breaker, {trigger.value}: {reason}"
            self._risk.hold(BREAKER, TradingState.PAUSED, why, release, now_ns)
        self.since_ns = now_ns
        # What has moved so far has been answered: the next trigger is a move from here.
        self._minute.clear()
        self._five_minutes.clear()
        self._volatility = Volatility()

    def reset(self, now_ns: int) -> None:
        """A person closes it. What led to it is forgotten."""
        self._lost_ns.clear()
        self._late_since_ns = None
        if self.state is not BreakerState.CLOSED:
            self._enter(BreakerState.CLOSED, now_ns)

    def on_time(self, now_ns: int) -> None:
        """From OPEN to HALF_OPEN, and from there to CLOSED, when the time has come."""
        waited = now_ns - self.since_ns
        if self.state is BreakerState.OPEN and waited >= self.limits.cooldown_ns:
            self._enter(BreakerState.HALF_OPEN, now_ns)
        elif self.state is BreakerState.HALF_OPEN and waited >= self.limits.trial_ns:
            self._enter(BreakerState.CLOSED, now_ns)

    def drain_changes(self) -> list[BreakerChange]:
        """The steps since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    @property
    def next_step_ns(self) -> int | None:
        """When it goes on by itself unless something triggers it before; None while it is closed."""
        match self.state:
            case BreakerState.OPEN:
                return self.since_ns + self.limits.cooldown_ns
            case BreakerState.HALF_OPEN:
                return self.since_ns + self.limits.trial_ns
        return None

    @property
    def size_share(self) -> Ratio | None:
        """The share of its size that a quote may have; None for all of it."""
        return self.limits.trial_size if self.state is BreakerState.HALF_OPEN else None

    def _enter(self, state: BreakerState, now_ns: int) -> None:
        self._step(state)
        self.since_ns = now_ns
        self._risk.release(BREAKER)

    def _step(self, state: BreakerState) -> None:
        assert self.trigger is not None  # nothing but a trip leads away from CLOSED
        self._changes.append(BreakerChange(self.state, state, self.trigger, self.reason))
        self.state = state

    def save(self) -> CircuitBreakerState:
        """All of it; the limits are settings."""
        return CircuitBreakerState(
            self.state,
            self.trigger,
            self.reason,
            self.since_ns,
            self.trip_count,
            self._minute.save(),
            self._five_minutes.save(),
            self._volatility.save(),
            tuple(self._volumes),
            tuple(self._lost_ns),
            self._late_since_ns,
        )

    def load(self, state: CircuitBreakerState) -> None:
        """Go on from there; the hold is part of the risk state."""
        self.state, self.trigger, self.reason = state.state, state.trigger, state.reason
        self.since_ns, self.trip_count = state.since_ns, state.trip_count
        self._minute.load(state.minute)
        self._five_minutes.load(state.five_minutes)
        self._volatility.load(state.volatility)
        self._volumes = deque(state.volumes, maxlen=VOLUME_MINUTES + 1)
        self._lost_ns = deque(state.lost_ns)
        self._late_since_ns = state.late_since_ns
