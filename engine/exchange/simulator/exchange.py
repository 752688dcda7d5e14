"""The simulated exchange: one product, one matching engine, discrete events in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from engine.core.errors import StateError, UsageError
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
from engine.exchange.account import Account, AccountState
from engine.exchange.simulator.agenda import Agenda, AgendaState, Batch, Turn
from engine.exchange.simulator.link import Link, LinkState
from engine.exchange.simulator.market import Market, MarketState
from engine.exchange.simulator.market_data import MarketData, MarketDataState
from engine.exchange.simulator.order_desk import OrderDesk, OrderDeskState
from engine.exchange.simulator.participants import ParticipantState, background
from engine.exchange.simulator.randomness import named_random
from engine.exchange.simulator.settings import SimulatorSettings
from engine.exchange.simulator.value_process import ValueProcess

_REACH = 2 / 3
"""Background takers leave the last third of the ladder alone, so that no side of the book runs empty."""

_LEAST_START_TICKS = 100
"""Below it a tick is more than 1 % of the price, and no participant finds a price for its opinion."""

STATE_VERSION: Final = 1
"""To be raised by every change after which a saved market would go on differently."""


class ExchangeState(msgspec.Struct, frozen=True, gc=False):
    """A `SimulatedExchange` between two polls: all that it does not get from its terms and its seed."""

    version: int
    product: str
    now_ns: int
    next_batch_ns: int
    in_flight: int
    agenda: AgendaState
    market: MarketState
    participants: list[ParticipantState]
    orders_link: LinkState
    answers_link: LinkState
    feed_link: LinkState
    data: MarketDataState
    desk: OrderDeskState
    account: AccountState


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
        self._agenda = Agenda()
        self._batch_ns = round(settings.feed_batch_ms * 1e6)
        self._next_batch_ns = self._batch_ns
        self._participants = background(settings, seed, instrument.lot_float)
        self._open()
        self.feed = SimulatorFeed(self)
        self.venue = SimulatorVenue(self)

    def _open(self) -> None:
        for number, participant in enumerate(self._participants):
            participant.open(self.market)
            self._schedule(Turn(number))
        self._settle()
        self._data.open(0)
        if self._batch_ns:
            self._agenda.add(self._next_batch_ns, Batch())

    # -- virtual time ---------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> None:
        """Let everything happen that is due up to `now_ns`."""
        agenda = self._agenda
        while (due_ns := agenda.next_ns()) is not None and due_ns <= now_ns:
            self.now_ns, task = agenda.take()
            if isinstance(task, Turn):
                self._take_turn(task)
            elif isinstance(task, Batch):
                self._publish_batch()
            else:
                self._receive(task)
        self.now_ns = max(self.now_ns, now_ns)

    def _schedule(self, turn: Turn) -> None:
        wait = self._participants[turn.participant].wait_ns()
        if wait is not None:
            self._agenda.add(self.now_ns + wait, turn)

    def _take_turn(self, turn: Turn) -> None:
        self.market.value.advance(self.now_ns)
        self._participants[turn.participant].act(self.market)
        self._settle()
        self._schedule(turn)

    def _publish_batch(self) -> None:
        self._data.publish(self.now_ns)
        self._next_batch_ns = self.now_ns + self._batch_ns
        self._agenda.add(self._next_batch_ns, Batch())

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
        self._agenda.add(arrival, command)

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

    def act(self, deed: Callable[[Market], None]) -> None:
        """Let somebody who is not of the simulation do something in the market now."""
        deed(self.market)
        self._settle()

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
        source = self._next_batch_ns if self._batch_ns else self._agenda.next_ns()
        return None if source is None else source + self._feed_link.least_ns

    def next_order_ns(self) -> int | None:
        """When an answer can arrive next; None while we have no order and no command on its way."""
        sent = self._desk.next_arrival_ns()
        if sent is not None or not (self._in_flight or self._desk.working_ids):
            return sent
        source = self._agenda.next_ns()
        return None if source is None else source + self._answers_link.least_ns

    # -- the exchange as a value ------------------------------------------------------------------------

    def save(self) -> ExchangeState:
        """A copy of all that changes; what happens later does not show in it."""
        return ExchangeState(
            STATE_VERSION,
            self.instrument.symbol,
            self.now_ns,
            self._next_batch_ns,
            self._in_flight,
            self._agenda.save(),
            self.market.save(),
            [participant.save() for participant in self._participants],
            self._orders_link.save(),
            self._answers_link.save(),
            self._feed_link.save(),
            self._data.save(),
            self._desk.save(),
            self.account.save(),
        )

    def load(self, state: ExchangeState) -> None:
        """Go on exactly as the one that was saved.

        This one must have been built with the same instrument, settings, account terms and seed; what it
        did so far is forgotten. Raises `StateError`, with nothing changed, for a state of another version
        or product.
        """
        if state.version != STATE_VERSION:
            raise StateError(
                f"the saved market has version {state.version}, this program reads {STATE_VERSION}: use the "
                "version that wrote it. Nothing was changed"
            )
        if state.product != self.instrument.symbol:
            raise StateError(
                f"the saved market is one of {state.product}, this is {self.instrument.symbol}. "
                "Nothing was changed"
            )
        self.now_ns = state.now_ns
        self._next_batch_ns = state.next_batch_ns
        self._in_flight = state.in_flight
        self._agenda.load(state.agenda)
        self.market.load(state.market)
        for participant, saved in zip(self._participants, state.participants, strict=True):
            participant.load(saved, self.market)
        self._orders_link.load(state.orders_link)
        self._answers_link.load(state.answers_link)
        self._feed_link.load(state.feed_link)
        self._data.load(state.data)
        self._desk.load(state.desk)
        self.account.load(state.account)


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

    def sweep(self, reason: str) -> None:
        """See `Venue`. No order is here that its Trader does not know."""

    def estimated_ahead(self, client_id: str) -> int | None:
        """See `Venue`. Exact, and as of now: no latency lies between it and the book."""
        return self._exchange.lots_ahead(client_id)

    def print_of(self, fill: OrderFilled) -> int | None:
        """See `Venue`. Always known: our fills and the tape number the same trades."""
        return self._exchange.trade_of(fill)
