"""The console: screens over one engine. It draws what the engine tells and sends what a person asks.

It holds no trading state and decides nothing about orders.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from textual.binding import BindingType
from textual.command import Provider
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.timer import Timer

from engine.link.events import AnyEngineEvent, Notice, SettingChanged
from engine.link.settings import ConsoleSettings
from pinnacle_tui.bindings import APP_BINDINGS
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.frame_meter import FrameMeter, known_rate, lower_rate
from pinnacle_tui.keymap import Keymap
from pinnacle_tui.life import Life
from pinnacle_tui.numbers import Numbers, age, duration
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.base import ConsoleScreen
from pinnacle_tui.session import EngineSession
from pinnacle_tui.steering_app import SteeringApp
from pinnacle_tui.terminal import ConsoleDriver
from pinnacle_tui.themes import ThemeLibrary
from pinnacle_tui.widgets.scene import Scene

_LOUD: Final[dict[str, SeverityLevel]] = {"critical": "error", "error": "error"}
"""Notices that come as a toast as well; the others stand in the log."""
_HANG_UP: Final = 1
"""SIGHUP."""


def _nothing(*_: object) -> None:
    """Told by whoever goes on after the screen."""


def _palette_commands() -> type[Provider]:
    from pinnacle_tui.palette_commands import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(SteeringApp):
    """The screen of one engine session."""

    TITLE = "pinnacle"
    # The first screen is there before a screen's own styles would be read.
    CSS_PATH = ["app.tcss", "screens/main.tcss"]  # noqa: RUF012
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (104, "-normal"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-medium"), (50, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = APP_BINDINGS
    COMMANDS = {_palette_commands}  # noqa: RUF012

    def __init__(
        self,
        session: EngineSession,
        settings: ConsoleSettings,
        *,
        keymap: Keymap,
        themes: ThemeLibrary,
        remembered: Remembered,
        is_theme_given: bool = False,
        notices: Iterable[str] = (),
    ) -> None:
        """`notices` are sentences that are told at the start."""
        super().__init__(session, themes, remembered, settings.theme, is_theme_given=is_theme_given)
        self.settings = settings
        self.keymap_file = keymap
        self.meter = FrameMeter()
        kept_hz = remembered.get("refresh_hz")
        self.hz = known_rate(kept_hz if isinstance(kept_hz, int) and kept_hz > 0 else settings.refresh_hz)
        self.frozen_ns: int | None = None
        """Since when a person has stopped the drawing; None while it goes on."""
        self.is_debugging = False
        self.crash: Exception | None = None
        """What failed on a screen; the console may be started anew over the same session."""
        self._notices = tuple(notices)
        self._symbol: str | None = None
        self._numbers: dict[str, Numbers] = {}
        self._drawn: tuple[object, ...] = ()
        self._frames: Timer | None = None
        self._signal: int | None = None
        self._life = Life(self._signalled, session.stop_at_once)
        session.on_change = self._session_changed
        session.on_end = self._engine_ended
        self.mirror.on_event = self._event

    # -- start and end ---------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        """The main screen."""
        from pinnacle_tui.screens.main import MainScreen

        return MainScreen(id="main")

    async def on_mount(self) -> None:
        """Connect, and draw from now on."""
        self.animation_level = "none"
        self._life.begin()
        self.set_keymap(self.keymap_file.keys)
        for notice in (*self.keymap_file.problems, *self._notices):
            self.say(notice)
        self.tell_theme_problems()
        if self.unknown_theme:
            self.say(
                f"there is no theme {self.unknown_theme}; `pinnacle-tui themes list` names them", "warning"
            )
        # Not awaited: until the engine answers, the screen says what it waits for.
        self.run_worker(self.session.start(), name="connect to the engine")
        self._set_pace(self.hz)
        self.set_interval(1.0, self._once_a_second)
        self.call_after_refresh(self._settled)

    def _settled(self) -> None:
        # What lives now lives to the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.enable()

    async def on_unmount(self) -> None:
        """However the screen ends, the terminal is restored; a failed screen leaves the engine alone."""
        self._life.end()
        session = self.session
        # There is no screen any more on which anything could be told.
        session.on_change, session.on_end, self.mirror.on_event = _nothing, _nothing, None
        if self.crash is not None:
            await session.detach()
        else:
            await session.close()

    def _handle_exception(self, error: Exception) -> None:
        """See `App`: a screen has failed. Whoever runs us decides what next."""
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """See `App`. No traceback over the terminal: it goes into a report."""
        self._close_messages_no_wait()

    def leave(self, code: int | None = None) -> None:
        """End the screen. The exit code is the engine's, where it ended badly, else `code`, else 0."""
        self._remember()
        ending = self.session.ending
        self.exit(return_code=(ending.code if ending is not None else 0) or code or 0)

    def _signalled(self, number: int) -> None:
        self._signal = 128 + number
        if self.session.ending is not None or not self.session.host.is_owned:
            self.leave(self._signal)
        else:
            self.session.follow_stop()

    def _engine_ended(self, ending: Ending) -> None:
        if self.session.is_stopping:
            self.leave(self._signal)
        elif ending.code:
            self.bell()
            self.say(f"{ending.sentence}. The figures are its last ones.", "error")

    async def action_quit(self) -> None:
        """Leave; with open orders, after a question."""
        from pinnacle_tui.screens.quit import ask_to_quit

        ask_to_quit(self)

    def _remember(self) -> None:
        self.remembered.keep("theme", self.theme)
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.remember(self.remembered)
        if problem := self.remembered.save():
            self.log.warning(problem)

    # -- the frame -------------------------------------------------------------------------------

    def _set_pace(self, hz: int) -> None:
        self.hz = hz
        if self._frames is not None:
            self._frames.stop()
        self._frames = self.set_interval(1 / hz, self._frame)
        self.session.pace(hz)

    def action_refresh_rate(self, hz: int) -> None:
        """Redraw so many times a second from now on, and in later runs."""
        self._set_pace(known_rate(hz))
        self.remembered.keep("refresh_hz", self.hz)
        self.say(f"{self.hz} redraws a second")

    def _frame(self) -> None:
        now = self.session.clock.monotonic_ns()
        stalled = self.meter.stalled_ns(now)
        self.meter.tick(now, time.process_time_ns())
        if stalled:
            self.say(f"the display was frozen for {age(stalled)}; the engine was not", "warning")
        if self.meter.is_over_budget() and self.hz > 1:
            self._set_pace(lower_rate(self.hz))
            self.say(f"drawing took too much of the processor: {self.hz} redraws a second now", "warning")
        driver = self._driver
        if isinstance(driver, ConsoleDriver) and driver.is_behind:
            return
        self.draw_now()

    def draw_anew(self) -> None:
        """Draw everything that can be seen, whether or not the view is another one."""
        self._drawn = ()
        self.draw_now()

    def draw_now(self) -> None:
        """Draw the newest view. Under a dialog only the status, which must never tell of a past state."""
        screen = next((each for each in reversed(self.screen_stack) if isinstance(each, ConsoleScreen)), None)
        if screen is None or not screen.has_parts:
            return
        scene = self.scene()
        with self.batch_update():
            screen.status.frozen_since_ns = self.frozen_ns
            if scene is None:
                screen.status.show_waiting(self._waiting_for())
                return
            # What a view did not change is not asked again; clocks and ages move by themselves.
            drawn = (screen, scene.view.seq, scene.link, self._symbol, self.size, self.theme)
            if self.frozen_ns is not None or drawn == self._drawn or screen is not self.screen:
                screen.status.show(scene)
                screen.draw_blank(scene)
                for dialog in self.screen_stack[self.screen_stack.index(screen) + 1 : -1]:
                    dialog.refresh(screen.status.region)  # a dialog keeps what it has drawn of those below
                return
            self._drawn = drawn
            screen.draw(scene)

    def scene(self) -> Scene | None:
        """What there is to draw now; None before the first view."""
        view = self.mirror.view
        if view is None or not view.products:
            return None
        symbols = [book.symbol for book in view.products]
        symbol = self._symbol if self._symbol in symbols else symbols[0]
        book, product = view.products[symbols.index(symbol)], self.mirror.product(symbol)
        if product is None:
            return None
        numbers = self._numbers.get(symbol)
        if numbers is None or (numbers.reference is None and book.bids):
            numbers = self._numbers[symbol] = Numbers(product, book.bids[0][0] if book.bids else None)
        link, clock = self.session.link_state, self.session.clock
        return Scene(self.mirror, view, book, product, numbers, link, clock.monotonic_ns(), clock.wall_ns())

    def _waiting_for(self) -> str:
        session = self.session
        if session.ending is not None:
            return f"{session.ending.sentence}. q quits"
        return session.trouble or "connecting to the engine"

    def _once_a_second(self) -> None:
        driver = self._driver
        if isinstance(driver, ConsoleDriver) and driver.is_gone:
            self._signalled(_HANG_UP)
            return
        self.look_at_theme_files()
        self._tell_cost()
        self._tell_title()

    def _tell_cost(self) -> None:
        screen, meter = self.screen, self.meter
        if not isinstance(screen, ConsoleScreen) or not meter.fps:
            return
        parts = [f"{meter.frame_ns / 1e6:.1f} ms/frame"]
        if self.is_debugging and self.mirror.view is not None:
            health = self.mirror.view.health
            depth = max((queue.depth for queue in health.queues), default=0)
            parts += [
                f"{meter.fps:.1f}/s",
                f"{meter.share:.0%} of a core",
                f"gap {duration(meter.worst_gap_ns)}",
                f"engine late p99 {duration(health.late_p99_ns)}",
                f"queue {depth}",
                f"views dropped {health.views_dropped}",
            ]
        screen.keys.tell_cost(parts)

    def _tell_title(self) -> None:
        scene, hello = self.scene(), self.mirror.hello
        if scene is None or hello is None:
            return
        mark = "! " if scene.is_stale or scene.book.state != "ACTIVE" else ""
        profit = scene.numbers.money(scene.book.pnl.total).strip()
        title = f"{mark}{hello.mode.upper()} {scene.book.symbol} {scene.book.state} {profit}"
        if self._driver is not None and title != self.sub_title:
            self.sub_title = title
            self._driver.write(f"\x1b]0;{title}\x07")

    # -- what the engine says --------------------------------------------------------------------

    def _session_changed(self) -> None:
        self._drawn = ()
        self.refresh_bindings()

    def _event(self, event: AnyEngineEvent) -> None:
        if isinstance(event, Notice) and event.severity in _LOUD:
            self.say(event.text, _LOUD[event.severity], title=event.code)
            if event.severity == "critical":
                self.bell()
        elif isinstance(event, SettingChanged):
            self.undoable = event
            self.say(f"{event.key}: {event.old} → {event.new}, by {event.who}; u takes it back")
        self.refresh_bindings()

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would do something now is offered."""
        match action:
            case "freeze" | "unfreeze":
                return (self.frozen_ns is not None) == (action == "unfreeze")
            case "next_product":
                return self.mirror.view is not None and len(self.mirror.view.products) > 1
        return super().check_action(action, parameters)

    def copy(self, text: str, what: str) -> None:
        """Put text on the clipboard of the terminal (OSC 52), also over ssh, and say how much it was."""
        self.copy_to_clipboard(text)
        self.say(f"copied {what}")

    def action_freeze(self) -> None:
        """Stop drawing; trading and data go on."""
        self.frozen_ns = self.session.clock.monotonic_ns()
        self.refresh_bindings()

    def action_unfreeze(self) -> None:
        """Draw the present again."""
        self.frozen_ns = None
        self.draw_anew()
        self.refresh_bindings()

    def action_next_product(self) -> None:
        """Show the next product."""
        view = self.mirror.view
        if view is not None:
            symbols = [book.symbol for book in view.products]
            at = symbols.index(self._symbol) if self._symbol in symbols else 0
            self._symbol = symbols[(at + 1) % len(symbols)]
            self.draw_now()

    def action_debug(self) -> None:
        """Show or hide what drawing costs in detail."""
        self.is_debugging = not self.is_debugging
        self._tell_cost()

    def action_show(self, name: str) -> None:
        """Open a screen; asked for again, close it."""
        from pinnacle_tui.screens.catalogue import open_screen

        open_screen(self, name)

    def action_themes(self) -> None:
        """Choose the colours, seeing them."""
        from pinnacle_tui.screens.theme_picker import ThemePicker

        self.push_screen(ThemePicker())

    def action_help(self) -> None:
        """Keys and words for what is on the screen."""
        from pinnacle_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))
