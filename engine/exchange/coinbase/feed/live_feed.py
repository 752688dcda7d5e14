"""The venue's market data as it happens: products spread over connections, one queue of events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

from engine.core.clock import Clock
from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, MarketEvent, Restraint
from engine.core.instrument import Instrument
from engine.exchange.coinbase.feed.connection import Connection, ConnectionFigures, Patience
from engine.exchange.coinbase.feed.feed_shard import FeedShard
from engine.exchange.coinbase.feed.refusals import Ending
from engine.exchange.coinbase.feed.trust import Difference, Trust
from engine.exchange.coinbase.network import Endpoints, NetworkSettings
from engine.exchange.coinbase.tls import tls_context
from engine.exchange.coinbase.wire.session import FeedCounters
from engine.exchange.coinbase.wire.sessions import Api

MOST_PENDING: Final = 5_000
"""Events that may wait to be polled; more, or older ones than this, and the books are asked for anew."""
OLDEST_PENDING_NS: Final = 500_000_000
_LOOK_S: Final = 0.05
_BETWEEN_CONNECTS_S: Final = 0.13
"""The venue takes eight connections a second."""
_DOWN_NS: Final = 300 * 10**9
"""After so long without market data trading is halted, whatever the books say."""
_HOLD: Final = "FEED"

Restrain = Callable[[str, Restraint, str, str], None]
Warn = Callable[[str, str], None]


class LiveFeed:
    """A `Feed` and an `Edge`: market data of `instruments` from a venue's live connections.

    `aliases` maps a product to the one whose market data it shares (BTC-USDC to BTC-USD): the venue sends
    it under that name, and it comes out under ours. `notify` is called when events wait. `restrain` and
    `warn` tell the engine and people what is not about one book. `clock_offset_ns` is the venue's clock
    minus ours where it is measured.
    """

    makes_market = False
    is_exhausted = False

    def __init__(
        self,
        api: Api,
        endpoints: Endpoints,
        instruments: Mapping[str, Instrument],
        settings: NetworkSettings,
        clock: Clock,
        notify: Callable[[], None],
        *,
        aliases: Mapping[str, str] | None = None,
        restrain: Restrain = lambda *_: None,
        warn: Warn = lambda *_: None,
        clock_offset_ns: Callable[[], int | None] = lambda: None,
        random: Random | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.settings = settings
        """May be replaced while it runs; what is about connections acts on the next one."""
        self.counters = FeedCounters()
        """What the frames of all connections have been found to be."""
        self.overflows = 0
        """How often the engine was too slow for the market and everything was asked for anew."""
        self._clock = clock
        self._notify = notify
        self._restrain = restrain
        self._warn = warn
        self._pending: deque[MarketEvent] = deque()
        self._shards: list[FeedShard] = []
        self._of: dict[str, FeedShard] = {}
        self._looking: asyncio.Task[None] | None = None
        self._is_polled = False
        """Until the engine runs it cannot be behind."""
        self._well_ns: int | None = None
        self._is_halted = False
        self._warned: dict[int, str] = {}
        random = random or Random()
        tls = tls_context(settings.ca_file) if endpoints.market.startswith("wss:") else None
        for number, group in enumerate(_groups(instruments, aliases or {}, settings.products_per_connection)):
            shard = FeedShard(api, group, self.counters, clock, random, self, clock_offset_ns)
            shard.connection = Connection(
                f"market {number}",
                endpoints.market,
                shard,
                clock,
                random,
                tls=tls,
                deflate=settings.deflate,
                patience=patience,
            )
            self._shards.append(shard)
            for instrument in group.values():
                self._of[instrument.symbol] = shard

    # -- an edge ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect. Raises `ConnectionRefusedForGood` for what cannot get well by itself.

        A venue that cannot be reached yet is tried again and again from now on.
        """
        self._well_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.TaskGroup() as starting:
                for number, connection in enumerate(self._connections()):
                    starting.create_task(_start_later(connection, number * _BETWEEN_CONNECTS_S))
        except BaseExceptionGroup as group:
            await self.stop()
            raise group.exceptions[0] from None
        except BaseException:
            await self.stop()
            raise
        self._looking = asyncio.create_task(self._look(), name="feed watch")
        self._looking.add_done_callback(self._unwatched)

    async def stop(self) -> None:
        """See `Edge`."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        await asyncio.gather(*(connection.stop() for connection in self._connections()))

    # -- a feed ----------------------------------------------------------------------------------

    def next_due_ns(self) -> int | None:
        """See `Feed`."""
        return self._pending[0].recv_ns if self._pending else None

    def poll(self, now_ns: int) -> list[MarketEvent]:
        """See `Feed`."""
        pending = self._pending
        self._is_polled = True
        if not pending or pending[0].recv_ns > now_ns:
            return []
        if pending[-1].recv_ns <= now_ns:
            events = list(pending)
            pending.clear()
            return events
        events = []
        while pending and pending[0].recv_ns <= now_ns:
            events.append(pending.popleft())
        return events

    def distrust(self, product: str, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `Feed`."""
        shard = self._of.get(product)
        if shard is None:
            return []
        status = shard.distrust(product, reason, recv_ns, wall_ns)
        if status is None:
            return []
        # A word on this book that has not been heard yet is older than this one.
        self._forget(lambda event: isinstance(event, FeedStatus) and event.product == product)
        return [status]

    # -- for people ------------------------------------------------------------------------------

    def state(self, product: str) -> FeedState:
        """How far a product's book may be believed."""
        shard = self._of.get(product)
        return FeedState.IDLE if shard is None else shard.guard(product).told

    def snapshots(self, product: str) -> int:
        """Whole books of a product that came so far."""
        shard = self._of.get(product)
        return 0 if shard is None else shard.guard(product).snapshots

    def trust(self, product: str) -> Trust:
        """How far a product's book is to be trusted, and why no further. `KeyError` for a stranger."""
        return self._of[product].trust(product, self.settings)

    def audited(self, product: str, found: Difference) -> None:
        """What `BookAudit` found about a product's book."""
        self._of[product].audited(product, found)

    def figures(self) -> list[ConnectionFigures]:
        """What has become of every connection."""
        return [connection.figures for connection in self._connections()]

    def unique_trades(self, product: str) -> int:
        """Distinct trades seen, history included."""
        shard = self._of.get(product)
        return 0 if shard is None else shard.unique_trades(product)

    # -- what the shards tell --------------------------------------------------------------------

    def emit(self, events: Sequence[MarketEvent]) -> None:
        """See `Outlet`."""
        pending = self._pending
        if pending and (
            len(pending) + len(events) > MOST_PENDING
            or (self._is_polled and events[0].recv_ns - pending[0].recv_ns > OLDEST_PENDING_NS)
        ):
            self._overflow(events)
        else:
            pending.extend(events)
        self._notify()

    def opened(self, shard: FeedShard) -> None:
        """See `Outlet`."""
        self._warned.pop(id(shard), None)

    def ended(self, shard: FeedShard, ending: Ending) -> None:
        """See `Outlet`."""
        if ending.is_fatal:
            self._is_halted = True
            reason = f"market data has ended for good: {ending.words}"
            self._restrain(_HOLD, Restraint.HALTED, reason, "set it right and start again")
            self._warn(ending.code, reason)
        elif ending.code not in ("DROPPED", self._warned.get(id(shard))):
            self._warned[id(shard)] = ending.code
            self._warn(ending.code, f"market data: {ending.words}; connecting again")

    def complained(self, text: str) -> None:
        """See `Outlet`."""
        self._warn("VENUE", f"the venue refused a request for market data: {text}")

    # -- inside ----------------------------------------------------------------------------------

    def _connections(self) -> list[Connection]:
        return [shard.connection for shard in self._shards if shard.connection is not None]

    async def _look(self) -> None:
        while True:
            for shard in self._shards:
                shard.look(self.settings)
            self._watch_downtime()
            await asyncio.sleep(_LOOK_S)

    def _unwatched(self, looking: asyncio.Task[None]) -> None:
        """Without the watch nobody would see a silence: that must not go on."""
        error = None if looking.cancelled() else looking.exception()
        if error is not None:
            self._is_halted = True
            reason = f"the watch over market data has failed ({error!r})"
            self._restrain(_HOLD, Restraint.HALTED, reason, "start again")
            self._warn("FEED", reason)

    def _watch_downtime(self) -> None:
        """Market data that stays away for minutes is more than a stale book."""
        now_ns = self._clock.monotonic_ns()
        connections = self._connections()
        if any(connection.figures.state == "parked" for connection in connections):
            return
        if all(connection.is_open for connection in connections) and any(
            guard.told is FeedState.LIVE for shard in self._shards for guard in shard.guards.values()
        ):
            self._well_ns = now_ns
            if self._is_halted:
                self._is_halted = False
                self._restrain(_HOLD, Restraint.NONE, "market data is back", "")
        elif not self._is_halted and self._well_ns is not None and now_ns - self._well_ns > _DOWN_NS:
            self._is_halted = True
            words = next((it.figures.last_ending for it in connections if it.figures.last_ending), "")
            reason = f"no market data for {_DOWN_NS / 60e9:g} minutes" + (f": {words}" if words else "")
            self._restrain(_HOLD, Restraint.HALTED, reason, "market data is back")

    def _forget(self, what: Callable[[MarketEvent], bool]) -> None:
        kept = [event for event in self._pending if not what(event)]
        self._pending.clear()
        self._pending.extend(kept)

    def _overflow(self, events: Sequence[MarketEvent]) -> None:
        """Nobody has polled for too long: changes are forgotten, and with them every book."""
        oldest_ns = events[0].recv_ns - self._pending[0].recv_ns
        count = len(self._pending) + len(events)
        reason = f"the engine is behind: {count:,} events waited, the oldest for {oldest_ns / 1e6:,.0f} ms"
        self.overflows += 1
        self._pending.extend(events)
        self._forget(lambda event: isinstance(event, BookUpdate | BookSnapshot | FeedStatus))
        last = events[-1]
        for product, shard in self._of.items():
            status = shard.distrust(product, reason, last.recv_ns, last.wall_ns)
            self._pending.append(
                status or FeedStatus(product, last.recv_ns, last.wall_ns, self.state(product), reason)
            )
        for shard in self._shards:
            shard.drop(reason)


async def _start_later(connection: Connection, wait_s: float) -> None:
    await asyncio.sleep(wait_s)
    await connection.start()


def _groups(
    instruments: Mapping[str, Instrument], aliases: Mapping[str, str], most: int
) -> list[dict[str, Instrument]]:
    """The products of each connection, by the name the venue uses; no name twice on one connection."""
    groups: list[dict[str, Instrument]] = []
    for symbol, instrument in instruments.items():
        wire = aliases.get(symbol) or symbol
        for group in groups:
            if len(group) < most and wire not in group:
                group[wire] = instrument
                break
        else:
            groups.append({wire: instrument})
    return groups
