"""A console over an engine that a test plays: what is sent is kept, what is answered the test decides."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from console import views

from engine.core.clock import ManualClock
from engine.link.events import AnyEngineEvent
from engine.link.messages import Ack, Command, CommandName, EventMessage, Verdict
from engine.link.mirror import EngineMirror, LinkState, Pending
from engine.link.settings import ConsoleSettings
from engine.link.view import View
from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.keymap import Keymap
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.theme_file import themes_folder
from pinnacle_tui.themes import ThemeLibrary


class FakeHost:
    """An engine's process that nobody started."""

    def __init__(self, *, is_owned: bool = True) -> None:
        self.is_owned = self.takes_signals = is_owned
        self.is_in_process = False
        self.words: list[str] = []
        self.signals: list[signal.Signals] = []

    def insist(self, number: signal.Signals) -> bool:
        self.signals.append(number)
        return self.takes_signals

    def terminate(self) -> bool:
        self.signals.append(signal.SIGTERM)
        return self.is_owned

    def is_known_at(self, path: Path) -> None:
        """Nothing is connected to again."""

    def last_words(self) -> list[str]:
        return self.words


class FakeSession:
    """The surface of `EngineSession`, without an engine. `sent` are the commands, oldest first."""

    def __init__(
        self,
        mirror: EngineMirror | None = None,
        *,
        clock: ManualClock | None = None,
        is_owned: bool = True,
        may_kill: bool = True,
    ) -> None:
        self.clock = clock or ManualClock(40 * views.MS, views.WALL + 40 * views.MS)
        self.mirror = mirror or views.mirror()
        self.host = FakeHost(is_owned=is_owned)
        self.ending: Ending | None = None
        self.name = "console pid 1"
        self.trouble = ""
        self.may_kill = may_kill
        self.is_stopping = False
        self.is_kept = False
        self.is_closed = False
        self.stops = 0
        self.paces: list[float] = []
        self.sent: list[Pending] = []
        self.on_change: Callable[[], None] = lambda: None
        self.on_end: Callable[[Ending], None] = lambda _: None

    @property
    def link_state(self) -> LinkState:
        if self.ending is not None:
            return LinkState.ENDED
        return self.mirror.state(self.clock.monotonic_ns())

    async def start(self) -> None:
        """The mirror knows everything already."""

    def command(
        self,
        name: CommandName,
        arguments: dict[str, str] | None = None,
        *,
        deadline_s: float = 5.0,
        on_change: Callable[[Pending], None] | None = None,
    ) -> Pending:
        if not self.mirror.is_connected:
            raise ConnectionError(self.trouble or "there is no connection to the engine")
        command = Command(f"test-{len(self.sent) + 1}", name, dict(arguments or {}), deadline_s)
        pending = Pending(command, self.clock.monotonic_ns(), on_change)
        self.mirror.pending[command.id] = pending
        self.sent.append(pending)
        return pending

    def pace(self, hz: float) -> None:
        self.paces.append(hz)

    def stop(self) -> None:
        self.stops += 1
        self.is_stopping = True
        self.on_change()

    def stop_at_once(self) -> None:
        self.stop()

    def follow_stop(self) -> None:
        """Nothing more has to be done for a played engine to end."""

    async def until_ended(self) -> Ending:
        assert self.ending is not None
        return self.ending

    def let_run(self) -> None:
        self.is_kept = True

    async def detach(self) -> None:
        self.is_closed = True
        self.mirror.is_connected = False
        self.on_change()  # as the real one, when its connection closes

    async def close(self) -> None:
        await self.detach()

    # -- what the test's engine does -------------------------------------------------------------

    @property
    def names(self) -> list[CommandName]:
        """Of the commands that were sent."""
        return [pending.command.name for pending in self.sent]

    def answer(
        self, verdict: Verdict, text: str = "", *, ms: float = 3.0, open_orders: tuple[str, ...] = ()
    ) -> None:
        """Answer the last command."""
        self._hear(Ack(self.sent[-1].command.id, verdict, text, ms, open_orders))

    def show(self, view: View) -> None:
        """Tell a view."""
        self._hear(view)

    def tell(self, *events: AnyEngineEvent) -> None:
        """Tell events."""
        self._hear(EventMessage(events))

    def lose(self, trouble: str = "the connection to the engine is gone") -> None:
        """The link goes down."""
        self.mirror.is_connected = False
        self.trouble = trouble
        self.on_change()

    def end(self, ending: Ending) -> None:
        """The engine ends."""
        self.ending = ending
        self.mirror.is_connected = False
        self.on_change()
        self.on_end(ending)

    def _hear(self, message: Any) -> None:
        self.mirror.apply(message, self.clock.monotonic_ns())


def console_app(session: FakeSession | None = None, **changes: Any) -> ConsoleApp:
    """A console over `session`, with the shipped themes, nothing remembered and the usual keys.

    `changes` are other arguments of `ConsoleApp`.
    """
    themes = ThemeLibrary([themes_folder()])
    themes.load()
    given: dict[str, Any] = {
        "settings": ConsoleSettings(),
        "keymap": Keymap({}, []),
        "themes": themes,
        "remembered": Remembered(None),
    } | changes
    return ConsoleApp(session or FakeSession(), given.pop("settings"), **given)


async def settle(pilot: Any) -> None:
    """Let everything that was caused happen, and draw."""
    await pilot.pause()
    pilot.app.draw_anew()
    await pilot.pause()


async def until(pilot: Any, met: Callable[[], bool]) -> None:
    """Wait for what Textual does on a timer of its own: sizes after a change of the layout."""
    async with asyncio.timeout(20):
        while not met():
            await pilot.pause(0.01)
