"""Everything that can be done, by its name: the commands of the palette (ctrl+p)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from textual.actions import parse
from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

from engine.core.foreign_text import visible
from engine.link.messages import CommandName
from engine.link.settings import PANELS, RATES
from pinnacle_tui.bound_keys import bindings_of, keys_in, playback_bindings, written_key
from pinnacle_tui.numbers import speed_words
from pinnacle_tui.player import SPEEDS
from pinnacle_tui.screens.base import Dialog

if TYPE_CHECKING:
    from pinnacle_tui.app import ConsoleApp

_TOLD_APART: Final = ("go(", "show(", "command_palette", "kill", "help")
"""Actions that have commands with better names here."""
_SPEED_KEYS: Final = ("playback.faster", "playback.slower")
"""The palette offers every speed by its name."""


_OF_A_PRODUCT: Final = {
    CommandName.PAUSE: "Pull its quotes and quote it no more",
    CommandName.RESUME: "Let the strategy quote it again",
    CommandName.CANCEL_ALL: "Cancel its orders; asks first",
    CommandName.FLATTEN: "Cancel its orders and close its position with orders that take; asks first",
    CommandName.REARM: "Take its halt or kill back; its name has to be typed",
    CommandName.KILL: "Cancel its orders and halt it, at once, without asking",
}
"""What can be done to one product alone, kill last: enter takes what comes first."""


class PaletteCommand(NamedTuple):
    """A line of the palette."""

    name: str
    help: str
    run: Callable[[], Any]
    is_for_one: bool = False
    """Of one product alone: found after what is for all, for who types `kill` means all of them."""


class ConsoleCommands(Provider):
    """Keys that are valid now, screens, panels, themes, refresh rates, a screenshot."""

    @property
    def console(self) -> ConsoleApp:
        """The app, by its own type."""
        return cast("ConsoleApp", self.app)

    def commands(self) -> Iterator[PaletteCommand]:
        """What would do something, the likeliest first. Enter takes the first: kill is the last.

        A question that is open is answered first, by its own keys.
        """
        of_screen = (
            ()
            if isinstance(self.screen, Dialog)
            else (
                self._playing,
                self._screens,
                self._alerts,
                self._bound,
                self._breaker,
                self._of_product,
                self._panels,
            )
        )
        for part in (*of_screen, self._help, self._themes, self._rates, self._picture, self._kill):
            try:
                yield from part()
            # Textual says nothing of errors in here: they would look like a palette without commands.
            except Exception as error:
                self.console.say(f"the palette is not complete: {error or type(error).__name__}", "error")

    async def search(self, query: str) -> Hits:
        """See `Provider`."""
        matcher = self.matcher(query)
        for command in self.commands():
            score = matcher.match(command.name)
            if score > 0:
                score /= 2 if command.is_for_one else 1
                yield Hit(score, matcher.highlight(command.name), command.run, command.name, command.help)

    async def discover(self) -> Hits:
        """See `Provider`."""
        for command in self.commands():
            yield DiscoveryHit(command.name, command.run, command.name, command.help)

    def _kill(self) -> Iterator[PaletteCommand]:
        # By its method: the palette's own text field decides which of the two kill keys is valid now.
        if self.console.session.may_kill and not self.console.is_playback:
            yield self._of_app("app.kill", self.console.action_kill)

    def _help(self) -> Iterator[PaletteCommand]:
        over_question = "_anywhere" if isinstance(self.screen, Dialog) else ""
        yield self._of_app(f"app.help{over_question}", self.console.action_help)

    def _of_app(self, binding_id: str, run: Callable[[], Any]) -> PaletteCommand:
        bound = next(bound for bound in bindings_of(self.console) if bound.id == binding_id)
        key = written_key(keys_in(self.console, bound)[0])
        return PaletteCommand(f"{bound.words} ({key})", bound.tooltip, run)

    def _bound(self) -> Iterator[PaletteCommand]:
        console, seen = self.console, set[str]()
        for active in sorted(self.screen.active_bindings.values(), key=self._rank):
            binding = active.binding
            if binding.action in seen or binding.action.startswith(_TOLD_APART):
                continue
            if binding.tooltip and active.enabled:
                seen.add(binding.action)
                name = f"{console.key_words(binding)} ({console.get_key_display(binding)})"
                yield PaletteCommand(
                    name, binding.tooltip, partial(console.run_action, binding.action, active.node)
                )

    def _of_product(self) -> Iterator[PaletteCommand]:
        """Of the product that is shown, where there are several: the keys act on all of them."""
        console, product = self.console, self.console.shown_of_several
        for name, words in _OF_A_PRODUCT.items() if product and console.can_steer else ():
            yield PaletteCommand(
                f"{product} alone: {name.replace('_', ' ')}",
                words,
                partial(console.act_on, product, name),
                is_for_one=True,
            )

    def _alerts(self) -> Iterator[PaletteCommand]:
        console = self.console
        if console.check_action("acknowledge", ()):
            for alert in reversed(console.alerts.standing):
                name = f"acknowledge alert: {visible(alert.name)}"
                yield PaletteCommand(name, visible(alert.text), partial(console.acknowledge, alert.name))

    def _breaker(self) -> Iterator[PaletteCommand]:
        console = self.console
        for name, words, run in (
            ("trip", "No quotes for its cool-down, then smaller ones on trial", console.action_trip_breaker),
            ("reset", "Close it, and quote again; asks first", console.action_reset_breaker),
        ):
            if console.check_action(f"{name}_breaker", ()):
                yield PaletteCommand(f"circuit breaker: {name}", words, run)

    def _playing(self) -> Iterator[PaletteCommand]:
        # Not by what is bound now: the palette's own text field takes the keys.
        console, player = self.console, self.console.player
        for bound in playback_bindings():
            _, action, parameters = parse(bound.action)
            if bound.id not in _SPEED_KEYS and console.may_play(action, parameters):
                name = f"playback: {bound.words} ({written_key(keys_in(console, bound)[0])})"
                yield PaletteCommand(name, bound.tooltip, partial(console.run_action, bound.action))
        for speed in SPEEDS if console.may_play("speed", ()) else ():
            words = speed_words(speed)
            yield PaletteCommand(
                f"playback speed: {words}",
                "As fast as this machine can" if speed is None else f"{words} of the market's own time",
                partial(player.set_speed, speed),
            )

    def _rank(self, active: ActiveBinding) -> tuple[int, bool]:
        """What concerns everything comes first, then the screen, then the panel; of twins the one shown."""
        where = 0 if active.node is self.app else 1 if active.node is self.screen else 2
        return where, not active.binding.show

    def _screens(self) -> Iterator[PaletteCommand]:
        from pinnacle_tui.screens.catalogue import SCREENS, screen_class

        for name in SCREENS:
            made = screen_class(name)
            yield PaletteCommand(f"screen: {name}", made.HELP_TITLE, partial(self.console.action_show, name))
        yield PaletteCommand(
            "credentials", "The keys in the vault: add, check, remove", self.console.action_credentials
        )

    def _panels(self) -> Iterator[PaletteCommand]:
        for number, name in enumerate(PANELS, start=1):
            yield PaletteCommand(
                f"go to panel {number}: {name}", "Lead there", partial(go_to, self.console, name)
            )

    def _themes(self) -> Iterator[PaletteCommand]:
        for name, words in self.console.themes.descriptions.items():
            yield PaletteCommand(f"theme: {name}", words, partial(self.console.use_theme, name))

    def _rates(self) -> Iterator[PaletteCommand]:
        for hz in RATES:
            words = f"Redraw {hz} time{'' if hz == 1 else 's'} a second"
            yield PaletteCommand(
                f"refresh rate: {hz} Hz", words, partial(self.console.action_refresh_rate, hz)
            )

    def _picture(self) -> Iterator[PaletteCommand]:
        yield PaletteCommand(
            "screenshot", "What is on the screen as a picture (SVG)", partial(take_screenshot, self.console)
        )


def go_to(app: ConsoleApp, panel: str) -> None:
    """Lead to a panel of the main screen, from wherever one is."""
    from pinnacle_tui.screens.main import MainScreen
    from pinnacle_tui.screens.side import SideScreen

    if isinstance(app.screen, SideScreen):
        app.screen.action_back()
        app.call_later(go_to, app, panel)
    elif isinstance(app.screen, MainScreen):
        app.screen.action_go(panel)


def take_screenshot(app: ConsoleApp) -> None:
    """Save the screen to the downloads folder and say where it is."""
    from platformdirs import user_downloads_path

    folder = user_downloads_path()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = app.save_screenshot(path=str(folder))
    except OSError as error:
        app.say(f"the picture could not be saved in {folder}: {error.strerror}", "error")
    else:
        app.say(f"saved {path}")
