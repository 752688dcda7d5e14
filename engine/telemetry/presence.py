"""Presence: for how long we quoted, how often at the market's best, and how wide.

Averages are over engine time, not over events: a quote that stood a minute counts sixty times one that
stood a second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(slots=True)
class PresenceSums:
    """Times in ns, spreads in ticks times ns."""

    watched_ns: int = 0
    """While the market had two sides to compare with."""
    bid_ns: int = 0
    ask_ns: int = 0
    both_ns: int = 0
    """While an order of ours was working on that side, and on both."""
    bid_touch_ns: int = 0
    ask_touch_ns: int = 0
    """While our best order of that side was at the market's best price, or better."""
    own_spread: float = 0.0
    """Of our best orders, while both sides worked."""
    market_spread: float = 0.0

    @property
    def average_own_spread(self) -> float | None:
        """In ticks, over the time with orders on both sides."""
        return self.own_spread / self.both_ns if self.both_ns else None

    @property
    def average_market_spread(self) -> float | None:
        """In ticks."""
        return self.market_spread / self.watched_ns if self.watched_ns else None


Touch = tuple[int, int] | None
"""Best bid and ask in ticks; None where the market has no two sides that can be believed."""


class Presence:
    """Follows our best prices beside the market's. Prices are ticks, times engine ns."""

    __slots__ = ("_ask", "_bid", "_since_ns", "_touch", "sums")

    def __init__(self) -> None:
        self.sums = PresenceSums()
        self._since_ns: int | None = None
        self._bid: int | None = None
        self._ask: int | None = None
        self._touch: Touch = None

    def on_state(self, now_ns: int, bid: int | None, ask: int | None, touch: Touch) -> None:
        """From now on our best working prices are these, and the market's best are `touch`."""
        since = self._since_ns
        if since is not None and self._touch is not None and now_ns > since:
            self._add(now_ns - since, self._touch)
        self._since_ns = now_ns
        self._bid, self._ask, self._touch = bid, ask, touch

    def _add(self, ns: int, touch: tuple[int, int]) -> None:
        sums, bid, ask = self.sums, self._bid, self._ask
        sums.watched_ns += ns
        sums.market_spread += float(touch[1] - touch[0]) * ns
        if bid is not None:
            sums.bid_ns += ns
            if bid >= touch[0]:
                sums.bid_touch_ns += ns
        if ask is not None:
            sums.ask_ns += ns
            if ask <= touch[1]:
                sums.ask_touch_ns += ns
        if bid is not None and ask is not None:
            sums.both_ns += ns
            sums.own_spread += float(ask - bid) * ns

    def save(self) -> PresenceState:
        """All of it, copied."""
        return PresenceState(replace(self.sums), self._since_ns, self._bid, self._ask, self._touch)

    def load(self, state: PresenceState) -> None:
        """Be what was saved."""
        self.sums, self._since_ns = replace(state.sums), state.since_ns
        self._bid, self._ask, self._touch = state.bid, state.ask, state.touch


@dataclass(frozen=True, slots=True)
class PresenceState:
    """Each field is the `Presence`'s of that name."""

    sums: PresenceSums
    since_ns: int | None
    bid: int | None
    ask: int | None
    touch: Touch
