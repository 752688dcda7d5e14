"""The engine as a console sees it: one immutable view, built when somebody watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from engine.config import Config, schema
from engine.config_schema import value_text
from engine.core.clock import Clock
from engine.core.instrument import Instrument
from engine.exchange.coinbase.wire.session import FeedCounters
from engine.link.messages import Point
from engine.link.view import Feed, Health, Journal, Product, ProductView, Queue, StandingAlert, View
from engine.risk.portfolio import Portfolio
from engine.runtime.desk import Desk
from engine.runtime.desk_view import DeskViewer
from engine.runtime.portfolio_view import portfolio_view
from engine.telemetry.histogram import Histogram
from engine.telemetry.process import resident_bytes

MEASURE_EVERY_NS: Final = 1_000_000_000
"""Real time between two looks at latencies and memory, which take longer than all the rest."""


class Audience(NamedTuple):
    """Who looks on: connected consoles, views that found a peer too slow, and who holds control."""

    viewers: int = 0
    views_dropped: int = 0
    controller: str = ""


class VenueWatch(Protocol):
    """What is known of a venue on the network, for people."""

    @property
    def clock_offset_ns(self) -> int | None:
        """Its time minus ours; None before it was measured."""
        ...

    def trust(self, product: str) -> tuple[int, str]:
        """How far a book may be believed, 0 to 100, and what lowers it."""
        ...


class ViewBuilder:
    """Builds views of all desks. To look changes nothing: it is for whoever asks to say how often.

    It runs on the engine's own loop, between wake-ups, so every view is of one moment.
    """

    def __init__(
        self,
        desks: Sequence[Desk],
        clock: Clock,
        real: Clock,
        *,
        lateness: Callable[[], Histogram],
        audience: Callable[[], Audience],
        feed: FeedCounters | None = None,
        journal: Callable[[], Journal | None] = lambda: None,
        venue_watch: VenueWatch | None = None,
        alerts: Callable[[], tuple[StandingAlert, ...]] = tuple,
        portfolio: Portfolio | None = None,
    ) -> None:
        """`clock` is the engine's own. `lateness` gives how late wake-ups came, `feed` what frames were,
        `venue_watch` what is known of a venue on the network, `alerts` what nobody has acknowledged;
        `portfolio` has the limits over several products."""
        self._desks = desks
        self._viewers = [DeskViewer(desk) for desk in desks]
        self._clock = clock
        self._real = real
        self._lateness = lateness
        self._audience = audience
        self._feed = feed
        self._journal = journal
        self._venue_watch = venue_watch
        self._alerts = alerts
        self._groups = () if portfolio is None else tuple(portfolio.groups)
        self._seq = 0
        self._measured_ns: int | None = None
        self._rss_bytes = 0
        self._late = (0, 0, 0)

    def view(self) -> View:
        """The engine now."""
        self._seq += 1
        self._measure()
        now_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
        return View(
            seq=self._seq,
            wall_ns=self._real.wall_ns(),
            time_ns=now_ns,
            market_wall_ns=wall_ns,
            products=tuple([self._product(viewer.view(now_ns, wall_ns)) for viewer in self._viewers]),
            health=self._health(),
            alerts=self._alerts(),
            portfolio=tuple([portfolio_view(group.totals()) for group in self._groups]),
        )

    def products(self) -> tuple[Product, ...]:
        """How to read the integers of each product, for the engine's hello."""
        return tuple(product_of(desk.trader.instrument) for desk in self._desks)

    def history(self) -> dict[str, tuple[Point, ...]]:
        """By product, the profit since the start, thinned, for the engine's hello."""
        return {
            desk.product: tuple(Point(time_ns, total) for time_ns, total in desk.watcher.profit)
            for desk in self._desks
        }

    def _measure(self) -> None:
        real_ns = self._real.monotonic_ns()
        if self._measured_ns is not None and real_ns - self._measured_ns < MEASURE_EVERY_NS:
            return
        self._measured_ns = real_ns
        for viewer in self._viewers:
            viewer.measure()
        late = self._lateness().summary()
        self._late = late["p50"], late["p99"], late["max"]
        self._rss_bytes = resident_bytes()

    def _product(self, product: ProductView) -> ProductView:
        watch = self._venue_watch
        if watch is None:
            return product
        score, note = watch.trust(product.symbol)
        return msgspec.structs.replace(product, trust=score, trust_note=note)

    def _health(self) -> Health:
        return Health(
            self._rss_bytes,
            *self._late,
            *self._audience(),
            tuple(
                Queue(each.name, each.capacity, each.depth, each.high_water, each.lost)
                for desk in self._desks
                for each in desk.queue_counters()
            ),
            _feed(self._feed),
            self._journal(),
            None if self._venue_watch is None else self._venue_watch.clock_offset_ns,
        )


def _feed(counters: FeedCounters | None) -> Feed | None:
    if counters is None:
        return None
    return Feed(
        counters.frames,
        counters.gaps,
        counters.duplicates,
        counters.malformed,
        counters.errors,
        counters.unknown,
        counters.reconnects,
    )


def product_of(instrument: Instrument) -> Product:
    """What an instrument's integers mean."""
    return Product(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        price_places=instrument.price_places,
        tick_steps=instrument.tick_steps,
        size_places=instrument.size_places,
        lot_steps=instrument.lot_steps,
        money_places=instrument.money_places,
        atoms_per_half_tick_lot=instrument.atoms_per_half_tick_lot,
        model_places=instrument.model_places,
    )


def settings_of(config: Config) -> dict[str, str]:
    """Every key with its value, as the configuration writes it."""
    return {
        key.name: value_text(getattr(getattr(config, key.section), key.field))
        for key in schema().keys.values()
    }
