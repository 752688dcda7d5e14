"""The base of the console's screens: a status line above, keys below, panels that draw one scene between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer

from pinnacle_tui.remembered import Remembered
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from pinnacle_tui.app import ConsoleApp


class ConsoleScreen(Screen[None]):
    """A full screen. Subclasses give `compose_body`; every panel in it is drawn when it can be seen."""

    ALLOW_IN_MAXIMIZED_VIEW = "StatusBar, Footer"
    HELP_TITLE: ClassVar[str] = ""
    HELP_TEXT: ClassVar[str] = ""
    """What the screen is for, for the help screen."""

    def compose(self) -> ComposeResult:
        """Status, body, keys."""
        yield StatusBar(self.console.palette, id="status")
        yield from self.compose_body()
        yield Footer(compact=True, show_command_palette=False)

    def compose_body(self) -> ComposeResult:
        """What stands between status and keys."""
        raise NotImplementedError

    @property
    def console(self) -> ConsoleApp:
        """The app, by its own type."""
        return cast("ConsoleApp", self.app)

    @property
    def status(self) -> StatusBar:
        """The line at the top."""
        return self.query_one(StatusBar)

    def panels(self) -> Iterable[Panel]:
        """Every panel of the screen, in reading order."""
        return self.query(Panel)

    def draw(self, scene: Scene) -> None:
        """Draw a scene in every panel that can be seen: what cannot be seen costs nothing."""
        solo = self.maximized
        for panel in self.panels():
            if panel.is_on_screen and (solo is None or panel is solo or panel is self.status):
                panel.show(scene)

    def remember(self, remembered: Remembered) -> None:
        """Keep what is worth keeping for the next run."""

    def follow_theme(self) -> None:
        """Another theme: every panel is drawn anew."""
        for panel in self.panels():
            panel.use_palette(self.console.palette)

    def on_screen_resume(self) -> None:
        """What was covered has missed frames."""
        self.console.draw_now()


class Dialog(ModalScreen[Any]):
    """The base of everything that asks or tells over another screen. `escape` is always the safe way out."""

    @property
    def console(self) -> ConsoleApp:
        """The app, by its own type."""
        return cast("ConsoleApp", self.app)
