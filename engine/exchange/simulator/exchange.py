"""The simulated exchange: one product, one matching engine, discrete events in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial

from engine.core.errors import UsageError
from engine.core.events import (
    AnyCommand,
    CancelOrder,
    FeedState,
    FeedStatus,
    MarketEvent,
    OrderEvent,
    OrderFilled,
    SubmitOrder,
)
from engine.core.instrument import Instrument
from engine.core.settings import require_valid
from engine.exchange.account import Account
from engine.exchange.simulator.link import Link
from engine.exchange.simulator.market import Market
from engine.exchange.simulator.market_data import MarketData
from engine.exchange.simulator.order_desk import OrderDesk
from engine.exchange.simulator.participants import Participant, background
from engine.exchange.simulator.randomness import named_random
from engine.exchange.simulator.settings import SimulatorSettings
from engine.exchange.simulator.value_process import ValueProcess

_REACH = 2 / 3
"""Background takers leave the last third of the ladder alone, so that no side of the book runs empty."""

_LEAST_START_TICKS = 100
"""Below it a tick is more than 1 % of the price, and no participant finds a price for its opinion."""


class SimulatedExchange:
    """A market that runs by itself and takes our orders.

    Time is virtual: it starts at 0 ns monotonic and `settings.start_time` on the wall, and moves only
    when `feed` or `venue` is polled. Everything that happens follows from instrument, settings, seed
    and the orders we send. Our fees and balances are those of `account`.
    """

    def __init__(
        self, instrument: Instrument, settings: SimulatorSettings, account: Account, seed: int | None = None
    ) -> None:
        """`settings` are the product's own (`SimulatorSettings.for_product`); `seed` overrules theirs.

        Raises `UsageError` for settings that are impossible.
        """
        require_valid("simulator", settings)
        if seed is None:
            seed = settings.seed
        self.instrument = instrument
        self.settings = settings
        self.account = account
        self.now_ns = 0
        start_ticks = _start_ticks(instrument, settings.start_price)
        value = ValueProcess(settings, start_ticks, named_random(seed, "value"))
        reach = _REACH * settings.liquidity_levels * settings.liquidity_spacing_bps / 10_000
        self.market = Market(instrument, value, reach)

        def link(path: str, mean_ms: float, jitter_ms: float) -> Link:
            return Link(mean_ms, jitter_ms, named_random(seed, f"latency.{path}"))

        self._orders_link = link("order", settings.order_latency_ms, settings.order_latency_jitter_ms)
        self._answers_link = link("answer", settings.answer_latency_ms, settings.answer_latency_jitter_ms)
        self._feed_link = link("feed", settings.feed_latency_ms, settings.feed_latency_jitter_ms)
        self._data = MarketData(instrument.symbol, self.market.book, self._feed_link, settings.start_wall_ns)
        self._desk = OrderDesk(
            self.market, account, settings, self._answers_link, named_random(seed, "venue")
        )
        self._in_flight = 0
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._batch_ns = round(settings.feed_batch_ms * 1e6)
        self._next_batch_ns = self._batch_ns
        self._open(background(settings, seed, instrument.lot_float))
        self.feed = SimulatorFeed(self)
        self.venue = SimulatorVenue(self)

    def _open(self, everyone: list[Participant]) -> None:
        for participant in everyone:
            participant.open(self.market)
            self._schedule_turn(participant)
        self._settle()
        self._data.open(0)
        if self._batch_ns:
            self._schedule(self._next_batch_ns, self._publish_batch)

    # -- virtual time ---------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> None:
        """Let everything happen that is due up to `now_ns`."""
        agenda = self._agenda
        while agenda and agenda[0][0] <= now_ns:
            self.now_ns, _, action = heapq.heappop(agenda)
            action()
        self.now_ns = max(self.now_ns, now_ns)

    def _schedule(self, due_ns: int, action: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._agenda, (due_ns, self._scheduled, action))

    def _schedule_turn(self, participant: Participant) -> None:
        wait = participant.wait_ns()
        if wait is not None:
            self._schedule(self.now_ns + wait, partial(self._take_turn, participant))

    def _take_turn(self, participant: Participant) -> None:
        self.market.value.advance(self.now_ns)
        participant.act(self.market)
        self._settle()
        self._schedule_turn(participant)

    def _publish_batch(self) -> None:
        self._data.publish(self.now_ns)
        self._next_batch_ns = self.now_ns + self._batch_ns
        self._schedule(self._next_batch_ns, self._publish_batch)

    def _settle(self) -> None:
        """Tell the tape and the desk what the book just did."""
        trades = self.market.book.drain_trades()
        for trade in trades:
            self._data.record(self.now_ns, trade)
        self._desk.settle(self.now_ns, trades)
        if not self._batch_ns and self.now_ns:
            self._data.publish(self.now_ns)

    # -- our side ---------------------------------------------------------------------------------------

    def send(self, command: AnyCommand) -> None:
        """Put a command on its way; it arrives one latency after its creation, behind earlier ones."""
        arrival = self._orders_link.arrival(max(self.now_ns, command.created_ns))
        self._in_flight += 1
        self._schedule(arrival, partial(self._receive, command))

    def _receive(self, command: AnyCommand) -> None:
        self._in_flight -= 1
        if isinstance(command, SubmitOrder):
            self._desk.submit(self.now_ns, command)
        else:
            self._desk.cancel(self.now_ns, command)
        self._settle()

    def open_orders(self) -> list[str]:
        """Client ids of our orders that rest in the book now."""
        return self._desk.working_ids

    def lots_ahead(self, client_id: str) -> int | None:
        """Strangers' lots before an order of ours at this moment; None while it does not rest."""
        return self._desk.lots_ahead(client_id)

    def trade_of(self, fill: OrderFilled) -> int:
        """The number of the trade, on the tape its id, that a fill of ours is a part of."""
        return self._desk.trade_of(fill)

    def resend_book(self) -> None:
        """Publish the whole book again, for whoever lost track of it."""
        self._data.publish(self.now_ns)
        self._data.open(self.now_ns)

    def market_events(self, now_ns: int) -> list[MarketEvent]:
        """Market data that has arrived by `now_ns`."""
        self.advance(now_ns)
        return self._data.arrived(now_ns)

    def order_events(self, now_ns: int) -> list[OrderEvent]:
        """Answers that have arrived by `now_ns`."""
        self.advance(now_ns)
        return self._desk.arrived(now_ns)

    def next_market_ns(self) -> int | None:
        """When market data can arrive next."""
        sent = self._data.next_arrival_ns()
        if sent is not None:
            return sent
        source = self._next_batch_ns if self._batch_ns else self._next_event_ns()
        return None if source is None else source + self._feed_link.least_ns

    def next_order_ns(self) -> int | None:
        """When an answer can arrive next; None while we have no order and no command on its way."""
        sent = self._desk.next_arrival_ns()
        if sent is not None or not (self._in_flight or self._desk.working_ids):
            return sent
        source = self._next_event_ns()
        return None if source is None else source + self._answers_link.least_ns

    def _next_event_ns(self) -> int | None:
        return self._agenda[0][0] if self._agenda else None


def _start_ticks(instrument: Instrument, start_price: float | None) -> float:
    if start_price is None:
        raise UsageError(f"simulator.start_price: no price of {instrument.symbol} is known; set one")
    start_ticks = start_price / instrument.tick_float
    if start_ticks < _LEAST_START_TICKS:
        least = instrument.price_text(_LEAST_START_TICKS)
        raise UsageError(
            f"simulator.start_price = {start_price}: {instrument.symbol} moves in steps of "
            f"{instrument.tick:f}, too coarse for a market at that price; must be at least {least}"
        )
    return start_ticks


class SimulatorFeed:
    """The exchange's market data as a `Feed`. Endless."""

    makes_market = True
    is_exhausted = False

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange

    def next_due_ns(self) -> int | None:
        """See `Feed`. Nothing arrives before it, though it may be that nothing arrives then."""
        return self._exchange.next_market_ns()

    def poll(self, now_ns: int) -> list[MarketEvent]:
        """See `Feed`."""
        return self._exchange.market_events(now_ns)

    def distrust(self, product: str, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `Feed`. The exchange sends the whole book anew."""
        self._exchange.resend_book()
        return [FeedStatus(product, recv_ns, wall_ns, FeedState.STALE, reason)]


class SimulatorVenue:
    """The exchange's order entry as a `Venue`. Our orders are part of its market data."""

    name = "simulator"
    displays_own_orders = True

    def __init__(self, exchange: SimulatedExchange) -> None:
        self._exchange = exchange

    def submit(self, order: SubmitOrder) -> None:
        """See `Venue`."""
        self._exchange.send(order)

    def cancel(self, order: CancelOrder) -> None:
        """See `Venue`."""
        self._exchange.send(order)

    def on_market(self, event: MarketEvent) -> None:
        """See `Venue`: this one matches in its own book and needs no help."""

    def next_due_ns(self) -> int | None:
        """See `Venue`. Nothing arrives before it, though it may be that nothing arrives then."""
        return self._exchange.next_order_ns()

    def poll(self, now_ns: int) -> list[OrderEvent]:
        """See `Venue`."""
        return self._exchange.order_events(now_ns)

    def open_orders(self) -> list[str]:
        """See `Venue`."""
        return self._exchange.open_orders()

    def estimated_ahead(self, client_id: str) -> int | None:
        """See `Venue`. Exact, and as of now: no latency lies between it and the book."""
        return self._exchange.lots_ahead(client_id)

    def print_of(self, fill: OrderFilled) -> int | None:
        """See `Venue`. Always known: our fills and the tape number the same trades."""
        return self._exchange.trade_of(fill)
