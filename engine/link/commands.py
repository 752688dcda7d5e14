"""Commands and their answers: each id is carried out once and answered finally once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from engine.link.messages import Ack, Command, Verdict
from engine.link.peer import Peer

REMEMBERED: Final = 1_000
MOST_ID: Final = 64
"""Characters of a command's id."""
MOST_DEADLINE_S: Final = 600.0
_USUAL_DEADLINE_S: Final = 5.0


@dataclass(slots=True)
class _Asked:
    """A command that came in."""

    arrived: float
    peer: Peer | None
    """Who waits for the answer; None when the final one was given."""
    deadline: asyncio.TimerHandle | None = None
    ack: Ack | None = None


class CommandBook:
    """The last commands with their answers. Memory is bounded; what is pushed out unanswered is UNKNOWN."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    def is_repeat(self, peer: Peer, command_id: str) -> bool:
        """True for an id that is known; `peer` gets the last answer, if there is one, and those to come."""
        asked = self._asked.get(command_id)
        if asked is None:
            return False
        if asked.peer is not None:
            asked.peer = peer
        if asked.ack is not None:
            peer.send(asked.ack)
        return True

    def open(self, peer: Peer, command: Command) -> None:
        """Remember a new command of `peer`, and answer it when its deadline passes."""
        if len(self._asked) >= REMEMBERED:
            oldest = next(iter(self._asked))
            self.answer(
                oldest, Verdict.UNKNOWN, "too many commands came after it; it may have been carried out"
            )
            del self._asked[oldest]
        asked = self._asked[command.id] = _Asked(self._loop.time(), peer)
        wanted_s = command.deadline_s
        # Written so that it also refuses what is not a number.
        deadline_s = min(wanted_s, MOST_DEADLINE_S) if wanted_s > 0 else _USUAL_DEADLINE_S
        asked.deadline = self._loop.call_later(deadline_s, self._late, command.id, deadline_s)

    def answer(
        self,
        command_id: str,
        verdict: Verdict,
        text: str = "",
        open_orders: tuple[str, ...] = (),
        *,
        confirm: str = "",
    ) -> bool:
        """Tell how a command stands; False, and nothing is told, where the final word was said already."""
        asked = self._asked.get(command_id)
        if asked is None or asked.peer is None:
            return False
        ms = (self._loop.time() - asked.arrived) * 1_000
        asked.ack = Ack(command_id, verdict, text, ms, open_orders, confirm)
        peer = asked.peer
        if verdict is not Verdict.ACCEPTED:
            asked.peer = None
            if asked.deadline is not None:
                asked.deadline.cancel()
                asked.deadline = None
        peer.send(asked.ack)
        return True

    def _late(self, command_id: str, deadline_s: float) -> None:
        text = f"no proof within {deadline_s:g} s: it may have been carried out"
        ack = self._asked[command_id].ack
        self.answer(command_id, Verdict.UNKNOWN, text, ack.open_orders if ack is not None else ())

    def close(self) -> None:
        """The engine ends: whatever is unanswered will not be."""
        for command_id in tuple(self._asked):
            self.answer(command_id, Verdict.UNKNOWN, "the engine ended before it could tell")
