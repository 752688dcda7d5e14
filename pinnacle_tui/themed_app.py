"""An app whose colours come from theme files: chosen, remembered, changed and reloaded while it runs."""

from __future__ import annotations

import os

from textual.app import App
from textual.notifications import SeverityLevel

from engine.core.foreign_text import visible, visible_lines
from pinnacle_tui.palette import Palette
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.base import ConsoleScreen
from pinnacle_tui.terminal import ConsoleDriver
from pinnacle_tui.themes import DEFAULT, ThemeLibrary, default_variables, palette_variables


class ThemedApp(App[None]):
    """`palette` holds the styles of the theme in force."""

    def __init__(self, themes: ThemeLibrary, remembered: Remembered, wanted: str, *, is_given: bool) -> None:
        """`wanted` names the theme of the settings; `is_given`: for this run, so that what is remembered
        does not count."""
        # Without colours nothing is to be mixed from them: the terminal's own are left as they are.
        super().__init__(driver_class=ConsoleDriver, ansi_color=True if "NO_COLOR" in os.environ else None)
        self.themes = themes
        self.remembered = remembered
        for theme in themes.themes.values():
            self.register_theme(theme)
        names = [None if is_given else remembered.get("theme"), wanted, DEFAULT]
        self.theme = next(name for name in names if name in themes.themes)
        self.unknown_theme = wanted if wanted not in themes.themes else ""
        """The theme of the settings where there is none of that name."""
        self.palette = self._made_palette()
        self.crash: Exception | None = None
        """What failed on a screen; the console may be started anew over the same session."""

    def _handle_exception(self, error: Exception) -> None:
        """See `App`: a screen has failed. Whoever runs us decides what next."""
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """See `App`. No traceback over the terminal, where it would show what variables hold: it goes into a
        report without them."""
        self._close_messages_no_wait()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """See `App`: a colour for every name, also under a theme that lacks it."""
        return default_variables()

    def say(self, text: str, severity: SeverityLevel = "information", title: str = "") -> None:
        """A sentence in the corner of the screen, for a while. Text is data: no markup."""
        timeout_s = 8 if severity == "error" else 4
        self.notify(
            visible_lines(text), severity=severity, title=visible(title), markup=False, timeout=timeout_s
        )

    def use_theme(self, name: str) -> None:
        """Change the colours of everything, now."""
        self.theme = name
        self.palette = self._made_palette()
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.follow_theme()

    def look_at_theme_files(self) -> None:
        """Take up what was changed in them since the last look, and say what is wrong with them."""
        if not self.themes.changed():
            return
        self.themes.load()
        self.tell_theme_problems()
        for theme in self.themes.themes.values():
            self.register_theme(theme)
        self.use_theme(self.theme if self.theme in self.themes.themes else DEFAULT)
        self.refresh_css()

    def tell_theme_problems(self) -> None:
        """All of them in one toast."""
        if self.themes.problems:
            self.say(self.themes.problem_text(), "warning")

    def _made_palette(self) -> Palette:
        return Palette(palette_variables(self.themes.themes[self.theme]), is_colourless=self.no_color)
