"""Opens the wizard over a screen, and watches over what was entered while nobody looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pinnacle_tui.credential_wizard import Wizard
from pinnacle_tui.screens.credentials import CredentialsScreen
from pinnacle_tui.themed_app import ThemedApp

if TYPE_CHECKING:
    from pinnacle_tui.app import ConsoleApp

_LOOK_S: Final = 1.0


def open_in_console(app: ConsoleApp) -> None:
    """The wizard over a console, where it was left; why not, where that cannot be."""
    if app.make_desk is None:
        app.say(
            "keys are not kept by a console that only looks on or plays the past; in another terminal: "
            "pinnacle-tui credentials",
            "warning",
        )
        return
    if app.wizard is None:
        app.wizard = Wizard(app.make_desk(), app.clock)
        watch(app, app.wizard)
    if app.wizard.ending:
        app.say(app.wizard.ending, "error")
    elif not any(isinstance(screen, CredentialsScreen) for screen in app.screen_stack):
        open_wizard(app, app.wizard, lambda ending: app.say(ending, "error") if ending else None)


def open_wizard(
    app: ThemedApp, wizard: Wizard, closed: Callable[[str | None], None], *, may_return: bool = True
) -> None:
    """Put the wizard on; `closed` is told why nothing can be done any more, or None, when it is left."""
    app.push_screen(CredentialsScreen(wizard, may_return=may_return), closed)


def watch(app: ThemedApp, wizard: Wizard) -> None:
    """From now on forget what was entered when nobody does anything for too long, and say so."""

    async def look() -> None:
        if not wizard.is_left_alone():
            return
        for screen in app.screen_stack:
            if isinstance(screen, CredentialsScreen):
                await screen.begin_anew()
                return
        app.say(wizard.notice, "warning")

    app.set_interval(_LOOK_S, look)
