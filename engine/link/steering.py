"""Who may ask what of an engine: checks commands against the lease of control, and moves the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from engine.link.commands import MOST_ID, CommandBook
from engine.link.control import ControlLease
from engine.link.messages import Ack, Bye, Command, CommandName, Role, Verdict
from engine.link.peer import MOST_COMMANDS_A_SECOND, Peer

_NAMES: Final = frozenset(CommandName)
_TAKE_FIRST: Final = "Take control first (T in a console, --take with ctl), then repeat it"
_TOO_MANY: Final = f"nothing was done: more than {MOST_COMMANDS_A_SECOND} commands within a second"


class Steering:
    """Takes the commands of all peers. What it does not do itself goes to the engine, each id once."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        lease: ControlLease[Peer],
        on_command: Callable[[Peer, Command], None],
        on_error: Callable[[Exception], None],
        tell_roles: Callable[[], None],
    ) -> None:
        """`tell_roles` is called when the lease has moved; the rest is as in `LinkServer`."""
        self._loop = loop
        self._lease = lease
        self._on_command = on_command
        self._on_error = on_error
        self._tell_roles = tell_roles
        self._commands = CommandBook(loop)
        self.answer = self._commands.answer
        self.close = self._commands.close

    @property
    def controller(self) -> str:
        """Who holds control; empty when nobody does."""
        holder = self._lease.holder
        return holder.name if holder is not None else ""

    def take(self, peer: Peer, command: Command) -> None:
        """A peer that has said hello asks for something."""
        if len(command.id) > MOST_ID:
            peer.end(Bye(f"a command's id has at most {MOST_ID} characters; the engine goes on"))
            return
        if self._commands.is_repeat(peer, command.id):
            return
        if not peer.may_ask(self._loop.time()) and command.name != CommandName.KILL:
            peer.send(Ack(command.id, Verdict.REJECTED, _TOO_MANY))  # and not remembered: it may come again
            return
        self._commands.open(peer, command)
        refusal = self._why_not(peer, command)
        if refusal:
            self.answer(command.id, Verdict.REJECTED, refusal)
        elif command.name == CommandName.TAKE_CONTROL:
            self._take_control(peer, command.id)
        else:
            try:
                self._on_command(peer, command)
            except Exception as error:
                text = f"the engine failed over it ({error}): it may have been carried out in part"
                self.answer(command.id, Verdict.UNKNOWN, text)
                self._on_error(error)

    def _why_not(self, peer: Peer, command: Command) -> str:
        """Why a peer may not ask this; empty when it may."""
        assert peer.hello is not None
        may_kill = peer.hello.may_kill
        match command.name:
            case CommandName.TAKE_CONTROL:
                is_read_only = peer.hello.role is Role.VIEW and not may_kill
                return "nothing was done: this link is read-only" if is_read_only else ""
            case CommandName.KILL if may_kill:
                return ""
            case name if name in _NAMES:
                if peer is self._lease.holder:
                    return ""
                holder = self.controller or "nobody"
                return f"nothing was done: {holder} holds control. {_TAKE_FIRST}"
            case name:
                return f"nothing was done: {name[:64]!r} is no command; there are {', '.join(sorted(_NAMES))}"

    def _take_control(self, peer: Peer, command_id: str) -> None:
        before = self._lease.holder
        self._lease.take(peer)
        self._tell_roles()
        text = "you hold control"
        if before is not None and before is not peer:
            text = f"you hold control; {before.name} only watches now"
        self.answer(command_id, Verdict.DONE, text)
