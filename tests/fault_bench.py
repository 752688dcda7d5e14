"""The whole engine against the local venue in one process, with a fault proxy on every way between them.

Time is virtual: a wait of a minute costs nothing, and with the same seed everything happens again in the
same order. REST, market data and own orders each go through a `FaultProxy` of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
import pytest
from fault_loop import FaultLoop, SteppedClock
from fault_proxy import FaultProxy

from engine.config import Resolved, load_config
from engine.core.clock import ManualClock
from engine.core.events import Alert, FeedState, OperatorAction, SubmitOrder
from engine.core.order import Side
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.feed.live_feed import LiveFeed
from engine.exchange.coinbase.feed.user_stream import UserStream
from engine.exchange.coinbase.network import Endpoints, NetworkSettings
from engine.exchange.live.venue import LiveVenue
from engine.exchange.protocol import Edge
from engine.exchange.simulator.settings import SimulatorSettings
from engine.local_venue.faults.interference import FaultInterference
from engine.local_venue.faults.plan import FaultPlan, parse_fault
from engine.local_venue.faults.strangers import CoreStrangers
from engine.local_venue.keys import make_cdp_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings
from engine.risk.state import TradingState
from engine.runtime import network
from engine.runtime.builder import build_engine
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp
from engine.runtime.outcome import Outcome
from engine.runtime.session import open_session

PRODUCT = "BTC-USD"
S = 1_000_000_000
LOOK_EVERY_S = 0.01
CALM = SimulatorSettings(
    maker_count=2,
    maker_rate_per_min=60.0,
    liquidity_refresh_ms=100.0,
)
"""A market that changes ten times a second and seldom trades."""
QUOTES = (
    "strategy.levels=1",
    "strategy.order_quantity=0.002",
    "strategy.order_timeout_ms=60000",
    "engine.live=true",
    "strategy.allow_negative_edge=true",
    "persistence.journal=false",
    f"engine.symbols={PRODUCT}",
)
START_WALL_NS = 1_790_000_000 * S


@dataclass(frozen=True, slots=True)
class ProxiedNetwork(NetworkSettings):
    """Network settings of a venue whose three addresses are at three ports."""

    proxied: Endpoints | None = None

    def endpoints(self, api: str) -> Endpoints:
        assert self.proxied is not None
        return self.proxied


class NoGuardian:
    """A watchdog that always watches: the real one is a process, which lives in real time."""

    class _Lease:
        def is_held(self) -> bool:
            return True

    def __init__(self, *_: Any, **__: Any) -> None:
        self.lease = self._Lease()

    async def start(self) -> None:
        """See `Edge`."""

    async def stop(self) -> None:
        """See `Edge`."""

    async def end(self, is_proven: bool) -> None:
        """See `Guardian`."""


@dataclass
class Log:
    """What the engine has done, for assertions. See `Observer`."""

    clock: ManualClock
    submits: list[tuple[int, SubmitOrder]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        now = self.clock.monotonic_ns()
        self.submits += [(now, command) for command in wake.commands if isinstance(command, SubmitOrder)]

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        self.alerts += alerts

    def on_status(self, now_ns: int) -> None:
        """Nobody looks."""


class FaultBench:
    """See the module. Entered, it trades: book live, quotes at the venue."""

    def __init__(
        self,
        clock: ManualClock,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        seed: int = 1,
        venue_settings: VenueSettings | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        self.clock = clock
        self.engine_clock = SteppedClock(clock)
        self.venue_clock = SteppedClock(clock)
        self.product = PRODUCT
        self.plan = FaultPlan(seed=seed)
        self._counters_before: dict[str, int] = {}
        self._accepted_before = 0
        self.venue_settings = venue_settings or VenueSettings(
            products=(PRODUCT,), simulator=replace(CALM, seed=seed)
        )
        self.log = Log(clock)
        self._seed = seed
        self._folder = folder
        self._overrides = overrides
        self._stack = AsyncExitStack()
        self._run: asyncio.Task[Outcome] | None = None
        self._edges: list[Edge] = []
        monkeypatch.setattr(network, "Guardian", NoGuardian)
        monkeypatch.setattr(network, "LiveFeed", partial(LiveFeed, random=Random(seed)))
        monkeypatch.setattr(network, "UserStream", partial(UserStream, random=Random(seed)))

    # -- life ------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            await self._open()
            await self.start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None and not self._run.done():
            self._run.cancel()
            await asyncio.gather(self._run, return_exceptions=True)
            await self._stop_edges(is_proven=False)
        await self._stack.aclose()

    async def _open(self) -> None:
        """The venue and the proxies before it."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FaultLoop)
        self.loop = loop
        key = make_cdp_key()
        self.key_file = self._folder / "key.json"
        await asyncio.sleep(0)
        _write_private(self.key_file, key.file_content())
        self.venue: LocalVenue = LocalVenue(
            self.venue_settings,
            clock=self.venue_clock,
            cdp_keys=[key],
            interference=FaultInterference(self.plan, CoreStrangers(lambda: self.venue.core)),
        )
        await self._stack.enter_async_context(self.venue)
        port = urlsplit(self.venue.url).port
        assert port is not None
        loop.servers.add(port)
        seeds = range(3 * self._seed, 3 * self._seed + 3)
        self.rest, self.market, self.user = [
            await self._stack.enter_async_context(FaultProxy(port, seed=seed)) for seed in seeds
        ]
        self.proxies = (self.rest, self.market, self.user)

    def _resolved(self) -> Resolved:
        overrides = [
            *QUOTES,
            "network.endpoint=http://localhost:1",
            f"network.key_file={self.key_file}",
            f"engine.order_tag={self._seed}",
            *self._overrides,
        ]
        resolved = load_config(None, {}, overrides, {"engine.mode": "live"})
        settings = {
            name: getattr(resolved.config.network, name) for name in NetworkSettings.__dataclass_fields__
        }
        proxied = ProxiedNetwork(
            **settings,
            proxied=Endpoints(
                f"http://localhost:{self.rest.port}",
                f"ws://localhost:{self.market.port}/advanced",
                f"ws://localhost:{self.user.port}/advanced-user",
            ),
        )
        return replace(resolved, config=replace(resolved.config, network=proxied))

    async def start(self) -> None:
        """Begin to trade, as on the command line."""
        self.network = await network.connect(self._resolved(), self.engine_clock)
        session = open_session(self.network.resolved, self.engine_clock, making=self.network)
        self.session_market = session.market
        self.engine: Engine = build_engine(
            session.resolved.config,
            session.market,
            self.engine_clock,
            self.log,
            status_interval_ns=S,
            recorder=session.recorder,
            clock=session.clock,
        )
        session.attach(self.engine)
        (self.desk,) = session.market.desks
        self.trader = self.desk.trader
        for edge in session.market.edges:
            self._edges.append(edge)
            await edge.start()
        self._run = asyncio.create_task(self.engine.run(), name="engine")

    async def end(self) -> Outcome:
        """The orderly end, as by SIGTERM."""
        assert self._run is not None
        self.engine.interrupt("stopped by SIGTERM", 0)
        outcome = await self._run
        await self._stop_edges(is_proven=outcome.is_proven)
        return outcome

    async def _stop_edges(self, *, is_proven: bool) -> None:
        await self.session_market.bell.end(is_proven=is_proven)
        while self._edges:
            await self._edges.pop().stop()

    # -- time ------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        """Virtual seconds."""
        return self.clock.monotonic_ns() / 1e9

    async def until(self, is_so: Callable[[], object], within_s: float, what: str) -> float:
        """Return as soon as it is so, with the virtual seconds that took. Fails after `within_s`."""
        began = self.now_s
        # Polled: what is waited for is a property of objects that tell nobody when they change.
        while not is_so():
            assert self.now_s - began <= within_s, f"not so within {within_s:g} s: {what}; {self.words}"
            await asyncio.sleep(LOOK_EVERY_S)
            if self._run is not None and self._run.done() and self._run.exception() is not None:
                self._run.result()
        return self.now_s - began

    async def pass_s(self, seconds: float) -> None:
        """Let so much time pass."""
        await asyncio.sleep(seconds)

    # -- how things stand ------------------------------------------------------------------------------

    @property
    def words(self) -> str:
        """The state of everything, for a failed assertion."""
        alerts = [f"{alert.code}: {alert.text}" for alert in self.log.alerts[-6:]]
        restrictions = [(each.code, each.state.name, each.reason) for each in self.trader.risk.restrictions()]
        return (
            f"state {self.state.name} {restrictions}, feed {self.trader.feed_state.value}, own "
            f"{sorted(self.own_orders)}, venue {sorted(self.venue_orders)}, alerts {alerts}, "
            f"note {self.trader.decision.reason}"
        )

    @property
    def broker(self) -> Broker:
        """The engine's own account at the venue."""
        return self.network._broker

    @property
    def live_venue(self) -> LiveVenue:
        """The engine's trading edge."""
        venue = self.desk.venue
        assert isinstance(venue, LiveVenue)
        return venue

    @property
    def state(self) -> TradingState:
        """Of the Trader."""
        return self.trader.risk.effective

    @property
    def is_live(self) -> bool:
        """True while the book may be believed."""
        return self.trader.feed_state is FeedState.LIVE

    @property
    def own_orders(self) -> set[str]:
        """Client ids of open orders by our record."""
        return {order.client_id for order in self.trader.orders.open_orders()}

    @property
    def venue_orders(self) -> set[str]:
        """Client ids of open orders by the venue's own books."""
        return {order.client_order_id for order in self.venue.core.live_orders()}

    @property
    def is_quoting(self) -> bool:
        """True while bid and ask of ours rest at the venue, and both sides know it."""
        live = self.venue.core.live_orders()
        return (
            self.state is TradingState.ACTIVE
            and self.is_live
            and {order.side for order in live if order.client_order_id} == {Side.BUY, Side.SELL}
            and self.ours_agree
        )

    @property
    def is_pulled(self) -> bool:
        """True when nothing of ours rests at the venue (an order of another front end may)."""
        return not any(self.venue_orders)

    @property
    def ours_agree(self) -> bool:
        """True when both sides have the same open orders of ours."""
        return self.own_orders == {each for each in self.venue_orders if each}

    @property
    def has_venues_fills(self) -> bool:
        """True when position and fees are those of the venue's own list of executions, to the last lot."""
        instrument, ledger = self.trader.instrument, self.trader.ledger
        position, fees = Decimal(0), Decimal(0)
        for fill in self.venue.core.fills():
            position += fill.size if fill.side is Side.BUY else -fill.size
            fees += fill.commission
        return (
            ledger.position == int(position / instrument.lot)
            and abs(ledger.fees - fees.scaleb(instrument.money_places)) < len(self.venue.core.fills()) + 1
        )

    @property
    def has_venues_book(self) -> bool:
        """True when our book is the venue's, level by level."""
        ours, theirs = self.trader.book, self.venue.core.tape(PRODUCT).levels
        return all(ours.levels(side) == theirs.levels(side) for side in Side)

    def submits_since(self, at_s: float) -> list[SubmitOrder]:
        """Orders that were sent after a moment."""
        return [command for at_ns, command in self.log.submits if at_ns > at_s * S]

    def was_told(self, *codes: str) -> bool:
        """True when an alert with one of these codes was raised."""
        return any(alert.code in codes for alert in self.log.alerts)

    def restrained_by(self, code: str) -> bool:
        """True while a hold or a latch of this code lasts."""
        return any(each.code == code for each in self.trader.risk.restrictions())

    @property
    def is_halted(self) -> bool:
        """True when no order may leave until a person acts."""
        return self.state is TradingState.HALTED

    def begin_count(self) -> None:
        """`counted` and `tries` count from now on."""
        counters = self.session_market.feed_counters
        assert counters is not None
        self._counters_before = msgspec.structs.asdict(counters)
        self._accepted_before = self.market.accepted

    def counted(self, field: str) -> int:
        """What the feed has counted of something since `begin_count`."""
        return int(getattr(self.session_market.feed_counters, field)) - self._counters_before[field]

    @property
    def tries(self) -> int:
        """Attempts to connect market data since `begin_count`."""
        return self.market.accepted - self._accepted_before

    @property
    def most_tries_a_minute(self) -> int:
        """Attempts to connect market data in the busiest minute since the start."""
        times = self.market.accepted_at
        return max(sum(at <= each < at + 60 for each in times) for at in times)

    # -- deeds -----------------------------------------------------------------------------------------

    def arm(self, *faults: str) -> None:
        """Let the venue commit these faults; see its catalogue."""
        self.plan.arm(*map(parse_fault, faults))

    def heal(self) -> None:
        """No fault any more, at the venue or on the way."""
        self.plan.clear()
        self.venue_clock.reset()
        self.loop.has_names = self.loop.has_network = self.loop.has_descriptors = True
        for proxy in self.proxies:
            proxy.heal()

    def cancel_all(self) -> None:
        """A person cancels every order; quoting goes on."""
        self.engine.tell(None, OperatorAction.CANCEL_ALL, "a test")

    async def heal_ports(self) -> None:
        """Closed ports are open again."""
        for proxy in self.proxies:
            await proxy.listen()

    def stranger_takes(self, client_id: str, part: Decimal = Decimal(1)) -> None:
        """A stranger trades against a part of what is left of a resting order of ours."""
        order = self.venue.core.order_by_client_id(client_id)
        assert order is not None
        self.venue.core.trade_against(order.order_id, order.leaves * part)


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
