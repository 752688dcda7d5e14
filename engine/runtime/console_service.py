"""What a running engine offers to consoles: its link, and what becomes of it when its owner is gone."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from importlib.metadata import version

from engine.config import Resolved
from engine.core.clock import Clock
from engine.core.errors import UsageError
from engine.core.events import Alert, Severity
from engine.link.event_log import EventLog
from engine.link.messages import PROTOCOL, Bye, Command, EngineHello, Role
from engine.link.peer import Peer
from engine.link.runtime_folder import Claim, claim, default_folder
from engine.link.server import LinkServer
from engine.link.settings import CANCEL_ALL_AND_EXIT
from engine.link.view import Journal
from engine.runtime.builder import Market
from engine.runtime.engine import Engine
from engine.runtime.observers import Observers
from engine.runtime.operator import Operator
from engine.runtime.outcome import EXIT_DONE, Outcome
from engine.runtime.view import Audience, ViewBuilder
from engine.runtime.view_events import EventTeller

_SAME_ERROR_EVERY_S = 60.0


class ConsoleService:
    """Serves consoles from the engine's own loop. Nothing of it can stop the trading.

    The owner is the console that started the engine. When it is gone, the engine waits
    `console.owner_grace_s` for it to come back, then follows `console.on_owner_lost`.
    """

    def __init__(
        self,
        engine: Engine,
        market: Market,
        resolved: Resolved,
        observers: Observers,
        real: Clock,
        journal: Callable[[], Journal | None] = lambda: None,
    ) -> None:
        """To be made inside the running event loop; `observers` are those of the engine.

        `journal` says how the journal does.
        """
        self.log = EventLog()
        self.operator = Operator(engine, resolved.config, self.log)
        self._engine = engine
        self._observers = observers
        self._real = real
        self._mode = resolved.config.engine.mode
        self._speed = resolved.config.engine.speed_factor
        self._venue = market.desks[0].venue.name
        self._grace_s = float(resolved.config.console.owner_grace_s)
        self._policy = resolved.config.console.on_owner_lost
        self._build = version("pinnacle-tui")
        self._engine_id = secrets.token_hex(8)
        self._started_wall_ns = real.wall_ns()
        self._claim: Claim | None = None
        self._giving_up: asyncio.TimerHandle | None = None
        self._is_owner_lost = False
        self._told_of = ""
        """Who steers an engine without its owner, as told last."""
        self._told_errors: dict[type[Exception], float] = {}
        self._views = ViewBuilder(
            market.desks,
            engine.clock,
            real,
            lateness=lambda: engine.lateness,
            audience=self._audience,
            feed=market.feed_counters,
            journal=journal,
            venue_watch=market.venue_watch,
            alerts=lambda: self.operator.alerts.standing,
            portfolio=engine.portfolio,
        )
        self._server = LinkServer(
            events=self.log,
            identity=self._identity,
            make_view=self._views.view,
            on_command=self._take,
            on_error=self._failed,
            on_owner_lost=self._owner_lost,
            on_owner_back=self._owner_back,
            owner_silent_s=float(resolved.config.console.owner_silent_s),
        )
        self.operator.answer = self._server.answer
        self.operator.on_owner_policy = self._change_policy
        self.operator.tell = self._tell
        self.operator.on_rearm = market.bell.rearmed
        observers.add(EventTeller(self.log.publish))
        observers.add(self.operator)
        observers.add(self.operator.alerts)

    async def start(self, owner: socket.socket | None = None) -> None:
        """Serve the owner, if there is one, and whoever attaches by name."""
        products = list(self._engine.desks)
        try:
            self._claim = claim(default_folder(), f"{self._mode}-{products[0].lower()}")
        except (UsageError, OSError) as error:
            self._tell(Severity.WARNING, "LINK", f"consoles cannot attach to this engine: {error}")
        if owner is not None:
            await self._server.adopt(owner)
        if self._claim is not None:
            await self._server.start(self._claim.socket)

    async def close(self, outcome: Outcome) -> None:
        """Tell everybody how the engine ended, and leave nothing behind."""
        if self._giving_up is not None:
            self._giving_up.cancel()
        try:
            self.operator.end(outcome)
            await self._server.close(
                Bye(outcome.reason, outcome.exit_code, outcome.open_orders, self._digests())
            )
        finally:
            if self._claim is not None:
                self._claim.release()

    def _digests(self) -> dict[str, str]:
        return {product: desk.trader.digest() for product, desk in self._engine.desks.items()}

    # -- for the server --------------------------------------------------------------------------

    def _identity(self, role: Role) -> EngineHello:
        return EngineHello(
            protocol=PROTOCOL,
            build=self._build,
            engine_id=self._engine_id,
            session="" if self._claim is None else self._claim.name,
            pid=os.getpid(),
            mode=self._mode,
            venue=self._venue,
            role=role,
            products=self._views.products(),
            settings=self.operator.settings(),
            started_wall_ns=self._started_wall_ns,
            speed=None if self._speed is None else float(self._speed),
            on_owner_lost=self._policy,
            last_event=0,
            history=self._views.history(),
        )

    def _audience(self) -> Audience:
        server = self._server
        return Audience(server.viewers, server.views_dropped, server.controller)

    def _take(self, peer: Peer, command: Command) -> None:
        self.operator.on_command(peer.name, command)

    def _failed(self, error: Exception) -> None:
        """Tell of what went wrong with a console, once a minute for each kind."""
        kind, now = type(error), asyncio.get_running_loop().time()
        if now - self._told_errors.get(kind, -_SAME_ERROR_EVERY_S) >= _SAME_ERROR_EVERY_S:
            self._told_errors[kind] = now
            text = f"a console could not be served: {kind.__name__}: {error}; trading goes on"
            self._tell(Severity.ERROR, "LINK", text)

    # -- the owner -------------------------------------------------------------------------------

    def _change_policy(self, policy: str) -> None:
        self._policy = policy
        if self._is_owner_lost and self._giving_up is None:
            self._wait_for_owner()

    def _owner_lost(self) -> None:
        self._is_owner_lost = True
        self._wait_for_owner()
        what = "cancels all orders and ends" if self._policy == CANCEL_ALL_AND_EXIT else "goes on without one"
        self._tell(
            Severity.WARNING,
            "OWNER",
            f"the console that owns this engine is gone; in {self._grace_s:g} s the engine {what}",
        )

    def _wait_for_owner(self) -> None:
        self._giving_up = asyncio.get_running_loop().call_later(self._grace_s, self._follow_policy)

    def _owner_back(self) -> None:
        self._is_owner_lost = False
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        self._tell(Severity.INFO, "OWNER", "the owner's console is back")

    def _follow_policy(self) -> None:
        self._giving_up = None
        if self._policy != CANCEL_ALL_AND_EXIT:
            return
        if steers := self._server.stand_in:
            # Somebody has come to its rescue: the engine ends when that one leaves, too.
            self._wait_for_owner()
            if steers != self._told_of:
                self._told_of = steers
                text = (
                    f"{steers} steers in the owner's place; when it leaves, the engine cancels all and ends"
                )
                self._tell(Severity.WARNING, "OWNER", text)
        else:
            self._engine.end("the console that owned this engine is gone", EXIT_DONE)

    def _tell(self, severity: Severity, code: str, text: str) -> None:
        """Tell the consoles and the engine's own output."""
        clock, desk = self._engine.clock, next(iter(self._engine.desks.values()))
        alert = Alert("", clock.monotonic_ns(), clock.wall_ns(), severity, code, text)
        self._observers.on_alerts(desk, [alert])
