"""Puts a fault plan between a venue and its clients."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Middleware

from engine.local_venue.faults.frames import FrameFaults
from engine.local_venue.faults.plan import FaultPlan
from engine.local_venue.faults.requests import Strangers, fault_middleware
from engine.local_venue.faults.sending import carry_out
from engine.local_venue.wire import Resnapshot, SendFrame


class FaultInterference:
    """Every request and every frame passes the plan. See `Interference`."""

    def __init__(self, plan: FaultPlan, strangers: Strangers) -> None:
        self.plan = plan
        self._strangers = strangers

    @property
    def middleware(self) -> Middleware:
        """See `Interference`."""
        return fault_middleware(self.plan, self._strangers)

    def sender(
        self, request: web.Request, socket: web.WebSocketResponse, resnapshot: Resnapshot
    ) -> SendFrame:
        """See `Interference`."""
        faults = FrameFaults(self.plan, request.path, resnapshot)
        transport = request.transport

        async def send(text: str) -> None:
            if transport is not None:
                await carry_out(faults.pass_on(text), socket, transport)

        return send
