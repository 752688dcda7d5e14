"""The wizard as a program of its own: no engine runs, and nothing trades."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.config import Resolved
from engine.core.clock import Clock, SystemClock
from engine.core.errors import CredentialError
from engine.credentials.desk import CredentialDesk
from pinnacle_tui.credential_wizard import Wizard
from pinnacle_tui.launch import ConsoleError, crash_report
from pinnacle_tui.life import Life
from pinnacle_tui.paths import state_folder
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.credential_opening import open_wizard, watch
from pinnacle_tui.screens.credentials import CredentialsScreen
from pinnacle_tui.themed_app import ThemedApp
from pinnacle_tui.themes import ThemeLibrary, has_sixteen_colours


def run_wizard(resolved: Resolved, make_desk: Callable[[], CredentialDesk]) -> int:
    """The screen that leads through the vault; its exit code.

    Raises `CredentialError` when the master password was wrong too often. Whatever happens, the vault is
    locked afterwards, and what was entered is wiped.
    """
    themes = ThemeLibrary(is_sixteen=has_sixteen_colours() and "NO_COLOR" not in os.environ)
    themes.load()
    clock = SystemClock()
    wizard = Wizard(make_desk(), clock)
    app = WizardApp(
        wizard,
        clock,
        themes=themes,
        remembered=Remembered(state_folder() / "console.json"),
        wanted_theme=resolved.config.console.theme,
        is_theme_given=resolved.sources["console.theme"] != "default",
    )
    try:
        app.run(mouse=resolved.config.console.mouse)
    finally:
        wizard.close()
    if app.crash is not None:
        raise ConsoleError(
            "the screen failed; a key that was not saved is forgotten, and the vault is as it was saved "
            f"last. What happened is in {crash_report(app.crash)}"
        )
    if wizard.ending:
        raise CredentialError(wizard.ending)
    return app.return_code or 0


class WizardApp(ThemedApp):
    """Nothing but the wizard."""

    TITLE = "pinnacle credentials"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", "leave", show=False, priority=True),
    ]

    def __init__(
        self,
        wizard: Wizard,
        clock: Clock,
        *,
        themes: ThemeLibrary,
        remembered: Remembered,
        wanted_theme: str,
        is_theme_given: bool,
    ) -> None:
        super().__init__(themes, remembered, wanted_theme, is_given=is_theme_given)
        self.wizard = wizard
        self.clock = clock
        self._life = Life(lambda number: self.exit(return_code=128 + number), lambda: None)

    def on_mount(self) -> None:
        """Put the wizard on; when it is left, so is the program."""
        self.animation_level = "none"
        self._life.begin()
        watch(self, self.wizard)
        open_wizard(self, self.wizard, lambda _: self.exit(), may_return=False)

    def on_unmount(self) -> None:
        """The signals are the system's again."""
        self._life.end()

    async def action_quit(self) -> None:
        """Leave, as by the wizard's own key."""
        if isinstance(self.screen, CredentialsScreen):
            self.screen.action_leave()
        else:
            self.exit()
