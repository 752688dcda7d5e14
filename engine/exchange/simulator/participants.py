"""Who else is in the market: the ladder, makers, takers, noise traders and an arbitrageur.

Each acts at the times of its own Poisson process, with numbers of its own generator, on what it sees
in the book and on what it believes of the latent value.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from random import Random

import msgspec

from engine.core.order import Side
from engine.core.order_book_levels import BookOrder
from engine.exchange.simulator.market import Market
from engine.exchange.simulator.randomness import RandomState, load_random, named_random, save_random
from engine.exchange.simulator.settings import SimulatorSettings

_BPS = 1e-4
_MINUTE_NS = 60_000_000_000

TOUCH_SHARE = 0.5
"""Half of the makers' orders stand as near as the maker's view allows, the others further out."""
NOISE_LIMIT_SHARE = 0.5
"""Half of the noise traders rest near the touch, the others take."""
NOISE_DEPTH_BPS = 1.0
NOISE_ORDERS = 20


class ParticipantState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A `Participant`: its generator, its orders group by group (see `Market.reference`), and the level
    that the ladder moves next."""

    random: RandomState
    orders: list[list[str]]
    level: int = 0


class Participant(ABC):
    """Someone who acts now and then."""

    __slots__ = ("_random", "_rate")

    def __init__(self, rate_per_min: float, random: Random) -> None:
        self._rate = rate_per_min / _MINUTE_NS
        self._random = random

    def wait_ns(self) -> int | None:
        """Nanoseconds until it acts again (exponential); None for one who never does."""
        return 1 + int(self._random.expovariate(self._rate)) if self._rate else None

    def open(self, market: Market) -> None:  # noqa: B027 - most have nothing to do
        """Take part in the opening, before anything is published."""

    @abstractmethod
    def act(self, market: Market) -> None:
        """Do what it does."""

    def _groups(self) -> Sequence[list[BookOrder] | deque[BookOrder]]:
        """Its orders, as it keeps them."""
        return ()

    def save(self) -> ParticipantState:
        """A copy."""
        orders = [[Market.reference(order) for order in group] for group in self._groups()]
        return ParticipantState(save_random(self._random), orders)

    def load(self, state: ParticipantState, market: Market) -> None:
        """Go on from a saved one; the market must have been loaded."""
        load_random(self._random, state.random)
        for group, references in zip(self._groups(), state.orders, strict=True):
            group.clear()
            group.extend(map(market.order_of, references))


class Sizes:
    """Log-normal order sizes around a median."""

    __slots__ = ("_mu", "_random", "_sigma")

    def __init__(self, median_lots: float, sigma: float, random: Random) -> None:
        self._mu = math.log(median_lots)
        self._sigma = sigma
        self._random = random

    def draw(self) -> int:
        """A size in lots, before the product's minimum; it may be 0."""
        return round(self._random.lognormvariate(self._mu, self._sigma))


class Ladder(Participant):
    """Liquidity that is there from the start: even levels around the value, kept up in turn."""

    __slots__ = ("_index", "_interval", "_orders", "_size", "_spacing")

    def __init__(self, settings: SimulatorSettings, size: int, random: Random) -> None:
        super().__init__(0.0, random)
        self._interval = round(settings.liquidity_refresh_ms * 1e6)
        self._spacing = settings.liquidity_spacing_bps * _BPS
        self._size = size
        self._orders: list[list[BookOrder]] = [[] for _ in range(settings.liquidity_levels)]
        self._index = 0

    def wait_ns(self) -> int | None:
        """One level each interval, like clockwork."""
        return self._interval

    def open(self, market: Market) -> None:
        """Place every level."""
        for _ in self._orders:
            self.act(market)

    def act(self, market: Market) -> None:
        """Move the next level to where it belongs now, at full size."""
        orders = self._orders[self._index]
        for order in orders:
            market.cancel(order)
        orders.clear()
        value = market.value.now
        distance = value * self._spacing * (self._index + 1)
        for side in (Side.BUY, Side.SELL):
            placed = market.quote(side, value - side * distance, self._size)
            if placed is not None:
                orders.append(placed)
        self._index = (self._index + 1) % len(self._orders)

    def _groups(self) -> Sequence[list[BookOrder]]:
        return self._orders

    def save(self) -> ParticipantState:
        """See `Participant`."""
        return msgspec.structs.replace(super().save(), level=self._index)

    def load(self, state: ParticipantState, market: Market) -> None:
        """See `Participant`."""
        super().load(state, market)
        self._index = state.level


class Maker(Participant):
    """Quotes both sides around a noisy view of the value and pulls what its view no longer supports."""

    __slots__ = ("_depth", "_half_spread", "_noise", "_orders", "_sizes")

    def __init__(self, settings: SimulatorSettings, median_lots: float, random: Random) -> None:
        super().__init__(settings.maker_rate_per_min / settings.maker_count, random)
        self._sizes = Sizes(median_lots, settings.maker_size_sigma, random)
        self._half_spread = settings.maker_half_spread_bps * _BPS
        self._depth = settings.maker_depth_bps * _BPS
        self._noise = settings.maker_noise_bps * _BPS
        depth = settings.maker_orders_per_side
        self._orders = {side: deque[BookOrder](maxlen=depth) for side in (Side.BUY, Side.SELL)}

    def open(self, market: Market) -> None:
        """Fill the first places."""
        for _ in range(self._orders[Side.BUY].maxlen or 0):
            self.act(market)

    def act(self, market: Market) -> None:
        """Form a view, cancel what it makes stale, and put a new order on each side."""
        draw = self._random
        view = market.value.now * (1.0 + self._noise * draw.gauss(0.0, 1.0))
        for side, orders in self._orders.items():
            self._pull_stale(market, side, orders, view * (1.0 - side * self._half_spread))
        for side, orders in self._orders.items():
            distance = self._half_spread
            if draw.random() >= TOUCH_SHARE:
                distance += self._depth * draw.expovariate(1.0)
            size = self._sizes.draw()
            if len(orders) == orders.maxlen:
                market.cancel(orders.popleft())
            order = market.quote(side, view * (1.0 - side * distance), size)
            if order is not None:
                orders.append(order)

    def _groups(self) -> Sequence[deque[BookOrder]]:
        return tuple(self._orders.values())

    @staticmethod
    def _pull_stale(market: Market, side: Side, orders: deque[BookOrder], limit: float) -> None:
        """Cancel what stands beyond `limit` and forget what is gone."""
        for _ in range(len(orders)):
            order = orders.popleft()
            if not order.is_resting:
                continue
            if order.price is not None and side * (order.price - limit) > 0.0:
                market.cancel(order)
            else:
                orders.append(order)


class Taker(Participant):
    """Takes liquidity: mostly for reasons of its own, at times in a hurry, at times informed.

    The informed know the value one horizon ahead and take whatever is cheaper than that; theirs is the
    flow that makers lose to (Glosten and Milgrom 1985).
    """

    __slots__ = ("_hurried", "_informed", "_informed_sizes", "_sizes", "_sweep_depth", "_sweep_impact")

    def __init__(
        self, settings: SimulatorSettings, median_lots: float, informed_median_lots: float, random: Random
    ) -> None:
        super().__init__(settings.taker_rate_per_min, random)
        self._sizes = Sizes(median_lots, settings.taker_size_sigma, random)
        self._informed_sizes = Sizes(informed_median_lots, settings.taker_size_sigma, random)
        self._informed = settings.informed_share
        self._hurried = settings.informed_share + settings.sweep_share
        self._sweep_depth = settings.sweep_depth_bps * _BPS
        self._sweep_impact = settings.sweep_impact

    def act(self, market: Market) -> None:
        """Take, for one of the three reasons."""
        draw = self._random
        kind = draw.random()
        if kind < self._informed:
            self._take_informed(market)
            return
        side = Side.BUY if draw.random() < 0.5 else Side.SELL
        if kind < self._hurried:
            touch = market.touch(side.opposite)
            if touch is not None:
                depth = side * self._sweep_depth * draw.expovariate(1.0)
                limit = touch * (1.0 + depth)
                market.take(side, market.lots_within(side, limit), limit)
                # Hurry has its reasons: part of the move stays, and whoever was swept has lost to it.
                market.value.shift(self._sweep_impact * depth)
        else:
            market.take(side, self._sizes.draw())

    def _take_informed(self, market: Market) -> None:
        known = market.value.ahead
        size = self._informed_sizes.draw()
        for side in (Side.BUY, Side.SELL):
            market.take(side, size, known)


class NoiseTrader(Participant):
    """Small orders for no reason: some rest near the touch, some take."""

    __slots__ = ("_orders", "_sizes")

    def __init__(self, settings: SimulatorSettings, median_lots: float, random: Random) -> None:
        super().__init__(settings.noise_rate_per_min, random)
        self._sizes = Sizes(median_lots, settings.taker_size_sigma, random)
        self._orders: deque[BookOrder] = deque(maxlen=NOISE_ORDERS)

    def act(self, market: Market) -> None:
        """Toss a coin for the side and another for the kind."""
        draw = self._random
        side = Side.BUY if draw.random() < 0.5 else Side.SELL
        size = self._sizes.draw()
        if draw.random() >= NOISE_LIMIT_SHARE:
            market.take(side, size)
            return
        touch = market.touch(side)
        if touch is None:
            return
        if len(self._orders) == NOISE_ORDERS:
            market.cancel(self._orders.popleft())
        distance = NOISE_DEPTH_BPS * _BPS * draw.expovariate(1.0)
        order = market.quote(side, touch * (1.0 - side * distance), size)
        if order is not None:
            self._orders.append(order)

    def _groups(self) -> Sequence[deque[BookOrder]]:
        return (self._orders,)


class Arbitrageur(Participant):
    """Knows the value now and takes when the touch is off it by more than a margin."""

    __slots__ = ("_margin", "_size")

    def __init__(self, settings: SimulatorSettings, size: int, random: Random) -> None:
        super().__init__(settings.arbitrageur_rate_per_min, random)
        self._margin = settings.arbitrageur_margin_bps * _BPS
        self._size = size

    def act(self, market: Market) -> None:
        """Take what is mispriced, up to a size."""
        value = market.value.now
        for side in (Side.BUY, Side.SELL):
            market.take(side, self._size, value * (1.0 - side * self._margin))


def background(settings: SimulatorSettings, seed: int, lot: float) -> list[Participant]:
    """Everyone, each with a generator of its own. `lot` is the product's lot in base units."""
    base = settings.order_size_base / lot

    def random(name: str) -> Random:
        return named_random(seed, name)

    everyone: list[Participant] = [
        Ladder(settings, round(settings.liquidity_size_base / lot), random("ladder")),
    ]
    everyone += [
        Maker(settings, base * settings.maker_size_factor, random(f"maker.{index}"))
        for index in range(settings.maker_count)
    ]
    everyone.append(
        Taker(
            settings,
            base * settings.taker_size_factor,
            base * settings.informed_size_factor,
            random("taker"),
        )
    )
    everyone.append(NoiseTrader(settings, base * settings.noise_size_factor, random("noise")))
    everyone.append(
        Arbitrageur(settings, round(base * settings.arbitrageur_size_factor), random("arbitrageur"))
    )
    return everyone
