"""Advanced Trade's user channel: the account's orders, told with cumulative figures."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from engine.core.events import MarketEvent
from engine.local_venue.advanced.account_bodies import USER_ID, user_order_body
from engine.local_venue.advanced.frames import SNAPSHOT, UPDATE, json_text
from engine.local_venue.advanced.market_bodies import Body
from engine.local_venue.advanced.session import (
    AUTHENTICATION_FAILURE,
    FAILURE_TO_SUBSCRIBE,
    HEARTBEATS,
    Session,
    SessionLimits,
    SessionServer,
    SocketMessage,
)
from engine.local_venue.advanced.tokens import TokenJudge, TokenRefused
from engine.local_venue.core import VenueCore
from engine.local_venue.market import RecordedFrame
from engine.local_venue.orders import Fill, VenueOrder
from engine.local_venue.wire import Interference

USER: Final = "user"
_BATCH: Final = 50
_POSITIONS: Final[Body] = {"perpetual_futures_positions": [], "expiring_futures_positions": []}


class UserSocket:
    """Tells orders of the account to those who bring a token. See `VenueListener`."""

    def __init__(
        self, core: VenueCore, judge: TokenJudge, interference: Interference, limits: SessionLimits
    ) -> None:
        self._core = core
        self._judge = judge
        self._server = SessionServer(core.clock, interference, limits, self._on_message)
        self._products: dict[Session, frozenset[str]] = {}
        """What each subscriber named; nothing is everything."""
        core.add_listener(self)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """GET /advanced-user"""
        try:
            return await self._server.serve(request, lambda session, product_id: None)
        finally:
            open_sessions = set(self._server.sessions)
            for session in [each for each in self._products if each not in open_sessions]:
                del self._products[session]

    def _on_message(self, session: Session, message: SocketMessage) -> None:
        if message.channel == HEARTBEATS:
            if message.type == "subscribe":
                session.subscribe(HEARTBEATS, {HEARTBEATS})
            else:
                session.unsubscribe(HEARTBEATS, set())
            session.confirm()
            return
        if message.channel != USER:
            session.refuse(FAILURE_TO_SUBSCRIBE)
            return
        try:
            key = self._judge.judge(message.jwt)
        except TokenRefused:
            session.refuse(AUTHENTICATION_FAILURE)
            return
        if not key.rights.view:
            session.refuse(AUTHENTICATION_FAILURE)
            return
        if message.type == "unsubscribe":
            session.unsubscribe(USER, set())
            self._products.pop(session, None)
        elif session not in self._products:
            # Products cannot be added later: who has subscribed keeps what was named first.
            self._products[session] = frozenset(message.product_ids)
            self._send_snapshot(session)
            session.subscribe(USER, {USER_ID})
        session.confirm()

    def _send_snapshot(self, session: Session) -> None:
        """Open orders in batches; one that is not full, be it empty, is the last."""
        chosen = [order for order in self._core.live_orders() if self._concerns(session, order)]
        for begin in range(0, len(chosen) + 1, _BATCH):
            batch = chosen[begin : begin + _BATCH]
            session.send(USER, _events(SNAPSHOT, batch))

    def _concerns(self, session: Session, order: VenueOrder) -> bool:
        named = self._products[session]
        return not named or order.product_id in named

    def on_market(self, event: MarketEvent) -> None:
        """See `VenueListener`: the market is told elsewhere."""

    def on_recorded(self, frame: RecordedFrame) -> None:
        """See `VenueListener`: the market is told elsewhere."""

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        """See `VenueListener`."""
        events = _events(UPDATE, [order]) if self._products else ""
        for session in self._products:
            if self._concerns(session, order):
                session.send(USER, events)

    def tick(self, now_ns: int) -> None:
        """Send what is sent on a cadence."""
        self._server.tick(now_ns)

    @property
    def is_congested(self) -> bool:
        """True while one of the clients is far behind."""
        return self._server.is_congested

    def close(self) -> None:
        """Ask every connection to end."""
        self._server.close()


def _events(kind: str, orders: list[VenueOrder]) -> str:
    rows = [user_order_body(order) for order in orders]
    return json_text([{"type": kind, "orders": rows, "positions": _POSITIONS}])
