"""The composition root: from a checked configuration to an engine that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from engine.config import Config
from engine.core.client_ids import INSTALLATION_TAG, ClientIds
from engine.core.clock import Clock, LiveClock, ManualClock
from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order_manager import OrderManager
from engine.exchange.account import Account, Opening
from engine.exchange.coinbase.products import catalogue, reference_prices
from engine.exchange.coinbase.wire.session import FeedCounters
from engine.exchange.paper import PaperVenue
from engine.exchange.protocol import Edge, Feed, Venue
from engine.exchange.recording import RecordingFeed, recorded_api
from engine.exchange.simulator.exchange import SimulatedExchange
from engine.risk.gate import RiskGate
from engine.risk.loss_guard import LossGuard
from engine.risk.market_guards import MarketGuards
from engine.risk.portfolio import CurrencyPortfolio, Portfolio
from engine.risk.state import RiskState
from engine.runtime.bell import Bell
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.instruments import recorded_instruments
from engine.runtime.observers import Observer
from engine.runtime.recorder import UNRECORDED, Recorder
from engine.runtime.settings_change import LiveSettings, refresh_policy, risk_limits, strategy_context
from engine.runtime.view import VenueWatch
from engine.strategies import build_strategy
from engine.trader.trader import Trader

_MS = 1_000_000
_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Market:
    """What trading stands on: desks, the feeds that serve them, and the wall time at engine time zero.

    `feed_counters` is what a venue's frames have been found to be; None for the simulator, which has none.
    """

    desks: Sequence[Desk]
    feeds: Sequence[Feed]
    start_wall_ns: int
    feed_counters: FeedCounters | None = None
    exchanges: Mapping[str, SimulatedExchange] = field(default_factory=dict)
    """By product, the markets that are made by us and can therefore be saved."""
    clock: LiveClock | None = None
    """The engine's time where the market is on the network and does not wait for us; None elsewhere."""
    bell: Bell = field(default_factory=Bell)
    """By which what lives on the network reaches the engine."""
    edges: Sequence[Edge] = ()
    """What lives on the network, in the order it is to be started."""
    venue_watch: VenueWatch | None = None
    """What is known of a venue on the network."""
    openings: Mapping[str, Opening] = field(default_factory=dict)
    """By product, what the account held at the start, where the settings do not say it."""
    account: str = ""
    """Tells the account at the venue from others; empty where there is none, or the venue does not say."""


def build_market(config: Config) -> Market:
    """Desks and feeds of a market that is here: made by us or recorded. `UsageError` if it cannot be."""
    return _simulated(config) if config.engine.mode == "sim" else _recorded(config)


def build_engine(
    config: Config,
    market: Market,
    real: Clock,
    observer: Observer,
    *,
    status_interval_ns: int,
    recorder: Recorder = UNRECORDED,
    clock: ManualClock | None = None,
) -> Engine:
    """An engine over a market; nothing runs yet. `clock` is that of a session that goes on."""
    settings = config.engine
    speed = settings.speed_factor
    engine = Engine(
        market.desks,
        market.feeds,
        clock or ManualClock(0, market.start_wall_ns),
        market.clock or real,
        observer,
        speed=None if speed is None else float(speed),
        timer_interval_ns=settings.timer_interval_ms * _MS,
        status_interval_ns=status_interval_ns,
        duration_ns=None if settings.duration_s is None else int(settings.duration_s * _S),
        recorder=recorder,
        is_live=market.clock is not None,
        waits_for_record=settings.mode != "live",
        portfolio=build_portfolio(config, [desk.trader for desk in market.desks]),
    )
    market.bell.connect(engine.wake, engine.restrain, engine.warn)
    return engine


def build_portfolio(config: Config, traders: Sequence[Trader]) -> Portfolio:
    """What joins the Traders of an engine: limits over all products of a quote currency."""
    by_quote: dict[str, list[Trader]] = {}
    for trader in traders:
        by_quote.setdefault(trader.instrument.quote, []).append(trader)
    settings = config.portfolio
    # One product alone has its own limits, unless others are set.
    is_set = any(limit is not None for limit in settings.limits(0))
    groups = [
        CurrencyPortfolio(members, settings.limits)
        for members in by_quote.values()
        if len(members) > 1 or is_set
    ]
    return Portfolio(groups)


def _simulated(config: Config) -> Market:
    known, prices = catalogue(), reference_prices()
    desks, feeds, exchanges = [], [], {}
    for number, symbol in enumerate(config.engine.symbols):
        if symbol not in known:
            raise UsageError(
                f"the simulator does not know the increments of {symbol}; "
                f"products it knows: {', '.join(sorted(known))}"
            )
        instrument = known[symbol]
        # Each product is a market of its own: the same seed must not move them in step.
        # Sizes are set in BTC and mean their value: what a product's base is worth in BTC scales them.
        size_scale = prices["BTC-USD"] / prices[f"{instrument.base}-USD"]
        exchange = SimulatedExchange(
            instrument,
            config.simulator.for_product(float(prices[symbol]), float(size_scale)),
            build_account(config, instrument),
            config.simulator.seed + number,
        )
        trader = build_trader(config, instrument, number, displays_own=exchange.venue.displays_own_orders)
        desks.append(Desk(trader, exchange.venue, exchange.feed))
        feeds.append(exchange.feed)
        exchanges[symbol] = exchange
    return Market(desks, feeds, config.simulator.start_wall_ns, exchanges=exchanges)


def _recorded(config: Config) -> Market:
    path = Path(config.engine.input or "")
    api, wanted = recorded_api(path), config.exchange.name
    if wanted is not None and api != wanted:
        raise UsageError(f"{path} was recorded at {api.value}, and exchange.name is {wanted}")
    instruments = recorded_instruments(path, config.engine.symbols)
    desks = [
        build_desk(config, instrument, build_paper(config, instrument), number)
        for number, instrument in enumerate(instruments.values())
    ]
    feed = RecordingFeed(path, instruments)
    return Market(desks, [feed], feed.start_wall_ns, feed.session.counters)


def build_paper(config: Config, instrument: Instrument) -> PaperVenue:
    """The paper venue of one product."""
    return PaperVenue(instrument, build_account(config, instrument), config.exchange)


def build_desk(
    config: Config, instrument: Instrument, venue: Venue, number: int, opening: Opening | None = None
) -> Desk:
    """A Trader of a product at its venue."""
    displays_own = venue.displays_own_orders
    return Desk(build_trader(config, instrument, number, displays_own=displays_own, opening=opening), venue)


def build_account(config: Config, instrument: Instrument) -> Account:
    """The simulated or paper account of a product."""
    opening = _opening_of(config, instrument)
    return Account(
        instrument,
        config.fees.schedule(),
        quote=instrument.atoms_rounded(opening.quote)[0],
        base=instrument.lots_floor(opening.base),
    )


def _opening_of(config: Config, instrument: Instrument, held: Opening | None = None) -> Opening:
    """What a product begins with: its part of what the account held, or holds by the settings."""
    if held is None:
        factor = config.portfolio.size_factor(instrument.symbol, config.engine.symbols)
        held = Opening(config.engine.opening_quote_balance, factor * config.engine.opening_base_balance)
    part = partial(config.portfolio.balance_of, instrument.symbol, config.engine.symbols)
    return Opening(
        part(held.quote, instrument.quote, instrument.money_places),
        part(held.base, instrument.base, instrument.size_places),
    )


def build_trader(
    config: Config, instrument: Instrument, number: int, *, displays_own: bool, opening: Opening | None = None
) -> Trader:
    """A Trader with everything it needs; `number` keeps the client ids of an engine's Traders apart.

    `opening` is what the account held at the start, for all products; None: what the settings say.
    """
    opening = _opening_of(config, instrument, opening)
    quote = instrument.atoms_rounded(opening.quote)[0]
    limits, risk = risk_limits(config, instrument), RiskState()
    strategy = build_strategy(config.engine.strategy, strategy_context(config, instrument))
    tag = config.engine.order_tag or config.simulator.seed % 2**32
    ids = ClientIds(tag * 256 + number, config.engine.installation_tag or INSTALLATION_TAG)
    orders = OrderManager(instrument, ids, refresh_policy(config.strategy))
    gate, guard = RiskGate(instrument, limits, risk), LossGuard(instrument, limits, risk, quote)
    guards = MarketGuards(instrument, limits, config.breaker.limits(), risk)
    return Trader(
        instrument,
        strategy,
        orders,
        Ledger(instrument, quote),
        gate,
        risk,
        guard,
        guards,
        opening_quote=quote,
        opening_base=instrument.lots_floor(opening.base),
        displays_own=displays_own,
        reconfigure=LiveSettings(config, strategy, orders, gate, guard, guards),
    )
