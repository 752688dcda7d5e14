"""A console that runs, for tests of screens and dialogs: press keys, read what is said."""

from __future__ import annotations

from typing import Any

from console.fakes import FakeSession, console_app, settle
from textual.pilot import Pilot
from textual.widgets import Static

from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.held_keys import HELD_NS


def words(app: ConsoleApp) -> str:
    """What the dialog says."""
    return "\n".join(str(widget.render()) for widget in app.screen.query(Static) if widget.display)


class Console:
    """A running console with its pilot; a key that is pressed is one that was not held before."""

    def __init__(self, pilot: Pilot[Any], session: FakeSession) -> None:
        self.pilot = pilot
        self.session = session

    @property
    def app(self) -> ConsoleApp:
        app = self.pilot.app
        assert isinstance(app, ConsoleApp)
        return app

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.session.clock.advance(HELD_NS)
            self.session.mirror.heard_ns = self.session.clock.monotonic_ns()
            self.app._frame()  # between two keys of a person there are frames: the screen did not stand still
            await self.pilot.press(key)
            await self.pilot.pause()

    async def settle(self) -> None:
        await settle(self.pilot)

    @property
    def told(self) -> list[str]:
        """The sentences that were told in the corner of the screen."""
        return [notification.message for notification in self.app._notifications]


class Running:
    """`async with Running(session) as console`."""

    def __init__(
        self, session: FakeSession | None = None, *, size: tuple[int, int] = (100, 30), **changes: Any
    ) -> None:
        self.session = session or FakeSession()
        self._context = console_app(self.session, **changes).run_test(size=size, notifications=True)

    async def __aenter__(self) -> Console:
        console = Console(await self._context.__aenter__(), self.session)
        await console.settle()
        return console

    async def __aexit__(self, *error: Any) -> None:
        await self._context.__aexit__(*error)
