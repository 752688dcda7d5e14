"""The connection that tells of our own orders: kept, proven whole, and loud when it is not.

Advanced Trade: a snapshot of the open orders in batches of fifty, then every change in cumulative figures.
Exchange: received, open, match and done of our orders, made into the same cumulative reports; there is
no snapshot, so what happened before is asked of REST by whoever is told that the stream is ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, Protocol

from engine.core.clock import Clock
from engine.exchange.coinbase.feed.connection import Connection, ConnectionFigures, Patience
from engine.exchange.coinbase.feed.refusals import Ending
from engine.exchange.coinbase.feed.subscriptions import Signer, user_requests
from engine.exchange.coinbase.network import Endpoints, NetworkSettings
from engine.exchange.coinbase.tls import tls_context
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.coinbase.wire.own_messages import OwnMessages
from engine.exchange.coinbase.wire.session import FeedCounters
from engine.exchange.coinbase.wire.sessions import Api
from engine.exchange.coinbase.wire.user import OrderReport, UserEvent, UserMatch

SNAPSHOT_BATCH: Final = 50
"""Open orders in a full batch of the snapshot; the first batch with fewer ends it."""
_HEARTBEAT_NS: Final = 3 * 10**9
"""Without a heartbeat for so long, news may be missing and nobody would know."""
_READY_NS: Final = 10 * 10**9
"""So long the venue may take to take us in and list our orders."""
_LOOK_S: Final = 0.1

Warn = Callable[[str, str], None]


class UserListener(Protocol):
    """Whoever keeps the orders of a product. Called on the loop, in the order of the venue's messages."""

    def on_user(self, report: OrderReport) -> None:
        """An order stands so now. The same may be told again, and a snapshot tells what is known."""
        ...

    def on_user_match(self, match: UserMatch) -> None:
        """One execution (Exchange only); the cumulative report that contains it follows."""
        ...

    def on_user_ready(self) -> None:
        """The snapshot is complete: from here on nothing is missing."""
        ...

    def on_user_lost(self) -> None:
        """Something may have happened that nobody told us; until ready again nothing is proven."""
        ...


class _AdvancedReader:
    """Frames of an Advanced user connection; `is_listed` from the end of the snapshot."""

    def __init__(self) -> None:
        self._session = AdvancedSession({})
        self.counters: FeedCounters = self._session.counters
        self.is_listed = False

    @property
    def has_lost_frames(self) -> bool:
        return self._session.has_lost_frames

    def on_connect(self) -> None:
        self.is_listed = False
        self._session.on_connect(0, 0)
        self._session.take_user_events()

    def on_frame(self, raw: str) -> bool:
        self._session.on_frame(raw, 0, 0)
        return True

    def take(self) -> list[OrderReport | UserMatch]:
        news: list[OrderReport | UserMatch] = []
        for event in self._session.take_user_events():
            if isinstance(event, UserEvent):
                news += event.orders
                if event.is_snapshot and len(event.orders) < SNAPSHOT_BATCH:
                    self.is_listed = True
        return news


class _ExchangeReader:
    """Messages of an Exchange user connection; `is_listed` as soon as the venue has taken us in."""

    has_lost_frames = False
    """No message of this channel carries a count."""

    def __init__(self) -> None:
        self._messages = OwnMessages()
        self.counters: FeedCounters = self._messages.counters

    @property
    def is_listed(self) -> bool:
        return self._messages.is_subscribed

    def on_connect(self) -> None:
        self._messages.on_connect()

    def on_frame(self, raw: str) -> bool:
        return self._messages.on_message(raw)

    def take(self) -> list[OrderReport | UserMatch]:
        return self._messages.take()


class UserStream:
    """An `Edge`. `listeners` are by product; orders of other products are left alone and counted.

    `on_change` is told in words whenever the stream becomes ready or is lost.
    """

    def __init__(
        self,
        api: Api,
        endpoints: Endpoints,
        listeners: Mapping[str, UserListener],
        signer: Signer,
        settings: NetworkSettings,
        clock: Clock,
        *,
        on_change: Callable[[bool, str], None] = lambda *_: None,
        warn: Warn = lambda *_: None,
        random: Random | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.is_ready = False
        """True from the end of the snapshot until something may be missing."""
        self.losses = 0
        """How often it was lost after it had been ready."""
        self.others = 0
        """Reports about products that nobody here keeps."""
        self._api = api
        self._listeners = listeners
        self._signer = signer
        self._clock = clock
        self._hard_ns = settings.stale_hard_ms * 1_000_000
        self._on_change = on_change
        self._warn = warn
        self._reader: _AdvancedReader | _ExchangeReader = (
            _AdvancedReader() if api is Api.ADVANCED else _ExchangeReader()
        )
        self._connection = Connection(
            "user",
            endpoints.user,
            self,
            clock,
            random or Random(),
            tls=tls_context(settings.ca_file) if endpoints.user.startswith("wss:") else None,
            patience=patience,
        )
        self._looking: asyncio.Task[None] | None = None
        self._opened_ns = self._beat_ns = self._frame_ns = 0
        self._warned = ""

    # -- an edge ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect. Raises `ConnectionRefusedForGood` for a connection that is refused."""
        try:
            await self._connection.start()
        except BaseException:
            await self._connection.stop()
            raise
        self._looking = asyncio.create_task(self._look(), name="user stream watch")
        self._looking.add_done_callback(self._unwatched)

    async def stop(self) -> None:
        """See `Edge`."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        await self._connection.stop()

    @property
    def figures(self) -> ConnectionFigures:
        """What has become of the connection."""
        return self._connection.figures

    # -- what the connection tells ---------------------------------------------------------------

    def requests(self) -> Sequence[str]:
        """See `Listener`."""
        return user_requests(self._api, list(self._listeners), self._signer)

    def on_open(self) -> None:
        """See `Listener`."""
        self._opened_ns = self._beat_ns = self._frame_ns = self._clock.monotonic_ns()
        self._reader.on_connect()

    def on_sent(self, raw: str) -> None:
        """See `Listener`."""

    async def on_frame(self, raw: str | bytes) -> None:
        """See `Listener`."""
        reader = self._reader
        counters = reader.counters
        before = (counters.malformed, counters.errors, counters.heartbeats)
        self._frame_ns = self._clock.monotonic_ns()
        is_whole = True
        if isinstance(raw, bytes):
            counters.malformed += 1
        else:
            is_whole = reader.on_frame(raw)
        malformed, errors, heartbeats = before
        if counters.heartbeats > heartbeats:
            self._beat_ns = self._frame_ns
        if counters.errors > errors:
            words = counters.last_error
            if words != self._warned:  # it is asked again and again: once is enough
                self._warned = words
                self._warn(
                    "USER_CHANNEL",
                    f"the venue refuses the channel of our orders: {words}. No order is sent before it is "
                    "open; does the key belong to this API, and may it view?",
                )
            self._give_up(f"refused: {words}", is_busy=True)
        elif counters.malformed > malformed:
            self._give_up("a message about our orders could not be read")
        elif reader.has_lost_frames:
            self._give_up("messages about our orders were lost")
        else:
            for news in reader.take():
                self._tell(news)
            if not is_whole:
                self._lost("what became of an order is not told whole: the venue's list must be asked")
            if reader.is_listed:
                self._ready()

    def on_down(self, ending: Ending) -> None:
        """See `Listener`."""
        self._lost(ending.words)
        if ending.code != "DROPPED" and (ending.is_fatal or ending.code != self._warned):
            self._warned = ending.code
            self._warn("USER_CHANNEL", f"the channel of our orders: {ending.words}")

    # -- inside ----------------------------------------------------------------------------------

    def _tell(self, news: OrderReport | UserMatch) -> None:
        listener = self._listeners.get(news.product)
        if listener is None:
            self.others += 1
        elif isinstance(news, UserMatch):
            listener.on_user_match(news)
        else:
            listener.on_user(news)

    def _ready(self) -> None:
        if not self.is_ready:
            self.is_ready = True
            self._warned = ""
            self._connection.settled(True)
            for listener in self._listeners.values():
                listener.on_user_ready()
            self._on_change(True, "the venue tells us of our orders")

    def _lost(self, reason: str) -> None:
        if self.is_ready:
            self.is_ready = False
            self.losses += 1
            for listener in self._listeners.values():
                listener.on_user_lost()
            self._on_change(False, reason)

    def _give_up(self, reason: str, *, is_busy: bool = False) -> None:
        self._lost(reason)
        self._connection.drop(reason, is_busy=is_busy)

    def _unwatched(self, looking: asyncio.Task[None]) -> None:
        """Without the watch nobody would see a silence: from then on nothing is proven."""
        error = None if looking.cancelled() else looking.exception()
        if error is not None:
            reason = f"the watch over the channel of our orders has failed ({error!r})"
            self._lost(reason)
            self._warn("USER_CHANNEL", reason)

    async def _look(self) -> None:
        """Silence is a loss too: a line that is dead tells nothing, least of all that it is dead."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if not self._connection.is_open:
                continue
            now_ns = self._clock.monotonic_ns()
            if now_ns - self._frame_ns > self._hard_ns:
                self._give_up(f"silent for {(now_ns - self._frame_ns) / 1e9:.1f} s")
            elif not self.is_ready and now_ns - self._opened_ns > _READY_NS:
                self._give_up("the venue did not list our orders within 10 s")
            elif self.is_ready and now_ns - self._beat_ns > _HEARTBEAT_NS:
                self._give_up(f"no heartbeat for {(now_ns - self._beat_ns) / 1e9:.1f} s")
            elif self.is_ready:
                self._connection.healthy()
