"""What lives beside the engine's loop: started in order, and stopped in the opposite one, come what may."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from engine.core.errors import PinnacleError
from engine.exchange.protocol import Edge
from engine.runtime.engine import Engine


class Edges:
    """The edges of one engine, which ends when one of them cannot be started."""

    def __init__(self, edges: Sequence[Edge], engine: Engine) -> None:
        self._edges = edges
        self._engine = engine

    async def start(self) -> None:
        """Start them, one after the other. Once the end of the engine is asked for, what is being started is
        broken off and nothing more is begun: the engine's run then ends at once.
        """
        for edge in self._edges:
            if self._engine.end_asked.is_set():
                return
            try:
                await self._unless_ended(edge.start())
            except PinnacleError as error:
                self._engine.end(str(error), error.exit_code)

    async def stop(self) -> None:
        """Stop all of them, those too that were not started: a venue that was not may have been swept.

        Raises what the first one raised that could not be stopped, after the others were.
        """
        failures: list[Exception] = []
        for edge in reversed(self._edges):
            try:
                await edge.stop()
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _unless_ended(self, starting: Coroutine[Any, Any, None]) -> None:
        work = asyncio.create_task(starting, name="start of an edge")
        asked = asyncio.create_task(self._engine.end_asked.wait(), name="end asked")
        try:
            await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            work.cancel()  # does nothing to one that is done
            await asyncio.wait((work, asked))
        if not work.cancelled():
            work.result()
