"""The base of the console's screens: a status line above, keys below, panels that draw one scene between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.screen import ModalScreen, Screen

from pinnacle_tui.bound_keys import key_of
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.widgets.alert_banner import AlertBanner
from pinnacle_tui.widgets.drawn import Drawn
from pinnacle_tui.widgets.key_bar import Key, KeyBar
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.product_tabs import ProductTabs
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.scrub_bar import ScrubBar
from pinnacle_tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from pinnacle_tui.app import ConsoleApp


_RANKS: Final = {
    "playback.play": 1,
    "playback.hold": 1,
    "playback.step": 2,
    "playback.next_fill": 3,
    "playback.next_alert": 3,
    "playback.next_cancel": 5,
    "playback.go_to": 4,
    "playback.skip": 5,
    "playback.faster": 4,
    "app.kill": 0,
    "app.kill_now": 0,
    "app.unfreeze": 1,
    "app.quit": 1,
    "app.help": 2,
    "app.take_control": 2,
    "app.pause": 3,
    "app.resume": 3,
    "app.rearm": 3,
    "app.acknowledge": 3,
    "main.all": 3,
    "screen.back": 3,
    "app.cancel_all": 4,
    "app.explain": 6,
    "app.settings": 6,
}
"""What stays longest where the line of keys is short; 0 always does."""
_RANK_OF_PANELS: Final = 5
_RANK_OF_APP: Final = 7


class ConsoleScreen(Screen[None]):
    """A full screen. Subclasses give `compose_body`; every panel in it is drawn when it can be seen."""

    ALLOW_IN_MAXIMIZED_VIEW = "StatusBar, AlertBanner, ScrubBar, KeyBar"
    HELP_TITLE: ClassVar[str] = ""
    HELP_TEXT: ClassVar[str] = ""
    """What the screen is for, for the help screen."""
    PANELS: ClassVar[tuple[type[Panel], ...] | None] = None
    """The panels that may stand on it, where its keys are also those of others; None: it may be any."""

    status: StatusBar
    """The line at the top, once there is one."""
    alerts: AlertBanner
    """Below it, while an alert waits to be acknowledged."""
    tabs: ProductTabs
    """Below it, where there are several products."""
    scrub: ScrubBar
    """Above the keys, while a recorded session is played back."""
    keys: KeyBar
    """The line at the bottom."""

    def compose(self) -> ComposeResult:
        """Status, body, keys."""
        palette = self.console.palette
        self.status, self.keys = StatusBar(palette, id="status"), KeyBar(palette, id="keys")
        self.tabs, self.scrub = ProductTabs(palette, id="tabs"), ScrubBar(palette, id="scrub")
        self.alerts = AlertBanner(palette, id="alerts")
        yield self.status
        yield self.alerts
        yield self.tabs
        yield from self.compose_body()
        yield self.scrub
        yield self.keys

    def compose_body(self) -> ComposeResult:
        """What stands between status and keys."""
        raise NotImplementedError

    @property
    def console(self) -> ConsoleApp:
        """The app, by its own type."""
        return cast("ConsoleApp", self.app)

    @property
    def has_parts(self) -> bool:
        """False before the screen is put together and while it is being taken down."""
        return bool(self.query(StatusBar))

    def on_mount(self) -> None:
        """Offer the keys that do something, whenever they may be others."""
        self.bindings_updated_signal.subscribe(self, lambda _: self.call_after_refresh(self._offer_keys))

    def _offer_keys(self) -> None:
        # Under a dialog no key of playing is taken, but it is no reason to show other ones.
        if not self.is_current or (self.console.is_playback and self.app.screen is not self):
            return
        offered: dict[str, Key] = {}
        # What moves through time comes first, wherever the focus is.
        for active in sorted(self.active_bindings.values(), key=lambda one: not _is_of_playback(one)):
            binding = active.binding
            if binding.show and active.enabled and binding.action not in offered:
                rank = _RANKS.get(
                    binding.id or "", _RANK_OF_PANELS if active.node is not self.app else _RANK_OF_APP
                )
                written = self.app.get_key_display(binding)
                offered[binding.action] = Key(binding.key, written, self.console.key_words(binding), rank)
        if "kill" in offered:
            offered.pop("kill_now", None)  # one way to kill is enough for the line
        session = self.console.session
        if not session.may_kill or session.ending is not None or self.console.is_playback:
            offered = {action: key for action, key in offered.items() if not action.startswith("kill")}
        self.keys.offer(list(offered.values()))

    def panels(self) -> Iterable[Panel]:
        """Every panel of the screen, in reading order."""
        return self.query(Panel)

    def draw(self, scene: Scene) -> None:
        """Draw a scene in every panel that can be seen: what cannot be seen costs nothing."""
        solo = self.maximized
        for panel in self.panels():
            if panel.is_on_screen and panel is not self.status and (solo is None or panel is solo):
                panel.show(scene)

    def draw_frame(self, scene: Scene) -> None:
        """Draw what says of which moment everything is: in every frame, whatever lies over the panels."""
        is_playback = scene.view.playback is not None
        if is_playback is not self.has_class("-playback"):
            self.set_class(is_playback, "-playback")
            self.call_after_refresh(self.console.draw_anew)  # there is another place for the panels
        has_several = len(scene.view.products) > 1
        if has_several is not self.has_class("-several"):
            self.set_class(has_several, "-several")
            self.call_after_refresh(self.console.draw_anew)
        self.status.show(scene)
        has_alerts = bool(scene.view.alerts)
        if has_alerts is not self.has_class("-alerting"):
            self.set_class(has_alerts, "-alerting")
            self.call_after_refresh(self.console.draw_anew)
        if has_alerts:
            self.alerts.show(scene, key_of(self.console, "app.acknowledge"))
        if has_several:
            self.tabs.show(scene)
        if is_playback:
            self.scrub.show(scene)

    def on_product_tabs_chosen(self, event: ProductTabs.Chosen) -> None:
        """Show the product whose tab was clicked."""
        self.console.show_product(event.symbol)

    def on_scrub_bar_sought(self, event: ScrubBar.Sought) -> None:
        """Go to the moment that was pointed at."""
        if self.console.check_action("go_to", ()):
            self.console.player.seek_time(event.time_ns)

    def draw_blank(self, scene: Scene) -> None:
        """Draw what has never been drawn: a screen that is opened under a dialog."""
        for panel in self.panels():
            if panel.scene is None and panel.is_on_screen:
                panel.show(scene)

    def remember(self, remembered: Remembered) -> None:
        """Keep what is worth keeping for the next run."""

    def follow_theme(self) -> None:
        """Another theme: every panel is drawn anew."""
        for drawn in self.query(Drawn):
            drawn.use_palette(self.console.palette)

    def on_screen_resume(self) -> None:
        """What was covered has missed frames; what is new has places for its panels after a refresh."""
        self.call_after_refresh(self.console.draw_anew)


def _is_of_playback(active: ActiveBinding) -> bool:
    return (active.binding.id or "").startswith("playback.")


class Dialog(ModalScreen[Any]):
    """The base of everything that asks or tells over another screen. `escape` is always the safe way out."""

    @property
    def console(self) -> ConsoleApp:
        """The app, by its own type."""
        return cast("ConsoleApp", self.app)
