"""The console: screens over one engine. It draws what the engine tells and sends what a person asks.

It holds no trading state and decides nothing about orders.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from engine.config_schema import NOT_SET
from engine.link.events import AnyEngineEvent, Notice, SettingChanged
from engine.link.messages import CommandName
from engine.link.mirror import LinkState
from engine.link.settings import ConsoleSettings
from pinnacle_tui.bindings import APP_BINDINGS
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.frame_meter import FrameMeter, known_rate, lower_rate
from pinnacle_tui.keymap import Keymap
from pinnacle_tui.life import Life, is_hung_up
from pinnacle_tui.numbers import Numbers, age
from pinnacle_tui.operations import Operations
from pinnacle_tui.palette import Palette
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.base import ConsoleScreen
from pinnacle_tui.session import EngineSession, left_unproven
from pinnacle_tui.terminal import ConsoleDriver
from pinnacle_tui.themes import DEFAULT, ThemeLibrary, default_variables, palette_variables
from pinnacle_tui.widgets.scene import Scene

_LOUD: dict[str, SeverityLevel] = {"critical": "error", "error": "error"}
"""Notices that come as a toast as well; the others stand in the log."""


class ConsoleApp(App[None]):
    """The screen of one engine session."""

    TITLE = "pinnacle"
    # The first screen is there before a screen's own styles would be read.
    CSS_PATH = ["app.tcss", "screens/main.tcss"]  # noqa: RUF012
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (104, "-normal"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-medium"), (50, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = APP_BINDINGS

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
        """`notices` are sentences that are told at the start. `is_theme_given`: somebody named the theme
        for this run, so that the remembered one does not count."""
        # Without colours nothing is to be mixed from them: the terminal's own are left as they are.
        super().__init__(driver_class=ConsoleDriver, ansi_color=True if "NO_COLOR" in os.environ else None)
        self.session = session
        self.mirror = session.mirror
        self.settings = settings
        self.bindings_file = keymap
        self.themes = themes
        self.remembered = remembered
        self.meter = FrameMeter()
        self.operations = Operations(session, self)
        self.hz = known_rate(settings.refresh_hz)
        self.frozen_ns: int | None = None
        """Since when a person has stopped the drawing; None while it goes on."""
        self.undoable: SettingChanged | None = None
        self.is_debugging = False
        self.crash: Exception | None = None
        """What failed on a screen; the console may be started anew over the same session."""
        self._notices = tuple(notices)
        self._symbol: str | None = None
        self._numbers: dict[str, Numbers] = {}
        self._drawn: tuple[object, ...] = ()
        self._frames: Timer | None = None
        self._has_left = False
        self._life = Life(self._signalled, session.stop_at_once)
        self._choose_theme(is_theme_given)
        self.palette = self._made_palette()
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
        self.set_keymap(self.bindings_file.keys)
        for notice in (*self.bindings_file.problems, *self._notices):
            self.say(notice)
        if self.themes.problems:
            self.say(self.themes.problem_text(), "warning")
        await self.session.start()
        self._set_pace(self.hz)
        self.set_interval(1.0, self._once_a_second)
        self.call_after_refresh(self._settled)

    def _settled(self) -> None:
        # What lives now lives to the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    async def on_unmount(self) -> None:
        """However the screen ends, the terminal is restored; only a person's leaving stops the engine."""
        self._life.end()
        self._remember()
        if self.crash is not None:
            await self.session.detach()
        else:
            await self.session.close()

    def _handle_exception(self, error: Exception) -> None:
        """See `App`: a screen has failed. The engine is left alone, whoever runs us decides what next."""
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """See `App`. No traceback over the terminal: it goes into a report."""
        self.bell()
        self._close_messages_no_wait()

    def leave(self, code: int | None = None) -> None:
        """End the screen. The exit code is the engine's, where it is ours, else `code`, else 0."""
        self._has_left = True
        ending = self.session.ending
        worst = ending.code if ending is not None else 0
        self.exit(return_code=worst or code or 0)

    @property
    def ending(self) -> Ending:
        """How the run ended, for the last words."""
        return left_unproven(self.session)

    def _signalled(self, number: int) -> None:
        if self.session.ending is not None or not self.session.host.is_owned:
            self.leave(128 + number)
            return
        self.session.stop()
        self._exit_code = 128 + number

    _exit_code: int | None = None

    def _engine_ended(self, ending: Ending) -> None:
        if self.session.is_stopping:
            self.leave(self._exit_code)
        elif ending.code:
            self.bell()
            self.say(f"{ending.sentence}. The figures are its last ones.", "error")

    # -- the frame -------------------------------------------------------------------------------

    def _set_pace(self, hz: int) -> None:
        self.hz = hz
        if self._frames is not None:
            self._frames.stop()
        self._frames = self.set_interval(1 / hz, self._frame)
        self.session.pace(hz)

    def action_refresh_rate(self, hz: int) -> None:
        """Redraw so many times a second from now on."""
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
            self.say(
                f"drawing took too much of the processor: {self.hz} redraws a second from now on", "warning"
            )
        driver = self._driver
        if isinstance(driver, ConsoleDriver) and driver.is_behind:
            return
        self.draw_now()

    def draw_anew(self) -> None:
        """Draw everything that can be seen, whether or not the view is another one."""
        self._drawn = ()
        self.draw_now()

    def draw_now(self) -> None:
        """Draw the newest view on the screen at the top; under a dialog nothing is drawn."""
        screen = self.screen
        if not isinstance(screen, ConsoleScreen) or not screen.is_mounted:
            return
        scene = self.scene()
        with self.batch_update():
            if scene is None:
                screen.status.show_waiting(self._waiting_for())
                return
            # What a view did not change is not asked again; clocks and ages move by themselves.
            drawn = (screen, scene.view.seq, scene.link, self._symbol, self.size)
            if self.frozen_ns is not None or drawn == self._drawn:
                screen.status.show(scene)
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
        clock = self.session.clock
        return Scene(
            self.mirror,
            view,
            book,
            product,
            numbers,
            self.session.link_state,
            clock.monotonic_ns(),
            clock.wall_ns(),
        )

    def _waiting_for(self) -> str:
        session = self.session
        if session.ending is not None:
            return session.ending.sentence
        return session.trouble or "connecting to the engine"

    def _once_a_second(self) -> None:
        driver = self._driver
        if isinstance(driver, ConsoleDriver) and (driver.is_gone or is_hung_up(driver.fileno)):
            self._signalled(1)
            return
        if self.themes.changed():
            self._reload_themes()
        self._tell_title()

    def _tell_title(self) -> None:
        scene = self.scene()
        if scene is not None and self.mirror.hello is not None:
            mark = "! " if scene.is_stale or scene.book.state != "ACTIVE" else ""
            profit = scene.numbers.money(scene.book.pnl.total)
            words = f"{mark}{self.mirror.hello.mode.upper()} {scene.book.symbol} {scene.book.state} {profit}"
            if self._driver is not None and words != self.sub_title:
                self.sub_title = words
                self._driver.write(f"\x1b]0;{words}\x07")

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

    def say(self, text: str, severity: SeverityLevel = "information", title: str = "") -> None:
        """A sentence in the corner of the screen, for a while. Text is data: no markup."""
        self.notify(
            text, severity=severity, title=title, markup=False, timeout=8 if severity == "error" else 4
        )

    def copy(self, text: str, what: str) -> None:
        """Put text on the clipboard of the terminal (OSC 52), also over ssh, and say how much it was."""
        self.copy_to_clipboard(text)
        self.say(f"copied {what}")

    # -- themes ----------------------------------------------------------------------------------

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """See `App`: a colour for every name, also under a theme that lacks it."""
        return default_variables()

    def _choose_theme(self, is_given: bool) -> None:
        for theme in self.themes.themes.values():
            self.register_theme(theme)
        wanted = None if is_given else self.remembered.get("theme")
        names = [wanted, self.settings.theme, DEFAULT]
        self.theme = next(name for name in names if name in self.themes.themes)

    def _made_palette(self) -> Palette:
        return Palette(palette_variables(self.themes.themes[self.theme]), is_colourless=self.no_color)

    def use_theme(self, name: str) -> None:
        """Change the colours of everything, now."""
        self.theme = name
        self.palette = self._made_palette()
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.follow_theme()
        self._drawn = ()

    def _reload_themes(self) -> None:
        self.themes.load()
        if self.themes.problems:
            self.say(self.themes.problem_text(), "warning")
        for theme in self.themes.themes.values():
            self.register_theme(theme)
        self.use_theme(self.theme if self.theme in self.themes.themes else DEFAULT)
        self.refresh_css()

    def _remember(self) -> None:
        self.remembered.keep("theme", self.theme)
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.remember(self.remembered)
        if problem := self.remembered.save():
            self.log.warning(problem)

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would do something now is offered."""
        scene = self.scene()
        state = scene.book.state if scene is not None else ""
        can_steer = self.mirror.is_controller and self.session.link_state in (LinkState.UP, LinkState.SILENT)
        match action:
            case "pause":
                return can_steer and state in ("ACTIVE", "REDUCING")
            case "resume":
                return can_steer and state == "PAUSED"
            case "cancel_all" | "flatten":
                return can_steer
            case "rearm":
                return can_steer and state in ("HALTED", "KILLED")
            case "kill":
                return not isinstance(self.focused, Input)
            case "kill_now":
                return isinstance(self.focused, Input)
            case "freeze" | "unfreeze":
                return (self.frozen_ns is not None) == (action == "unfreeze")
            case "next_product":
                return self.mirror.view is not None and len(self.mirror.view.products) > 1
            case "take_control":
                return not self.mirror.is_controller and self.session.link_state is LinkState.UP
            case "undo":
                return can_steer and self.undoable is not None
            case "suspend_process":
                return self.mirror.hello is not None and self.mirror.hello.mode != "live"
        return True

    def action_pause(self) -> None:
        """Pull all quotes and quote no more."""
        self.operations.send(CommandName.PAUSE)

    def action_resume(self) -> None:
        """Let the strategy quote again."""
        self.operations.send(CommandName.RESUME)

    def action_kill(self) -> None:
        """The kill switch: sent first, shown afterwards."""
        from pinnacle_tui.screens.kill_report import KillReport

        report = KillReport()
        report.pending = self.operations.kill(report.told)
        self.push_screen(report)

    action_kill_now = action_kill

    def action_take_control(self) -> None:
        """Become the console that may steer."""
        self.operations.send(CommandName.TAKE_CONTROL)

    def action_undo(self) -> None:
        """Set the value that was in force before the last change."""
        change, self.undoable = self.undoable, None
        if change is not None:
            value = "" if change.old == NOT_SET else change.old
            self.operations.send(CommandName.SET, {"key": change.key, "value": value})

    def action_cancel_all(self) -> None:
        """Cancel every order, after a question."""
        from pinnacle_tui.screens.questions import cancel_all

        self.push_screen(cancel_all(self), partial(self._if_yes, CommandName.CANCEL_ALL))

    def action_flatten(self) -> None:
        """Close the position, after a question."""
        from pinnacle_tui.screens.questions import flatten

        self.push_screen(flatten(self), partial(self._if_yes, CommandName.FLATTEN))

    def action_rearm(self) -> None:
        """Take a latch back, after a word was typed."""
        from pinnacle_tui.screens.questions import rearm

        self.push_screen(rearm(self), partial(self._if_yes, CommandName.REARM))

    def _if_yes(self, name: CommandName, answer: bool | None) -> None:
        if answer:
            self.operations.send(name)

    async def action_quit(self) -> None:
        """Leave; with open orders, after a question. While the engine is stopping, once more kills it."""
        from pinnacle_tui.screens.quit import ask_to_quit

        ask_to_quit(self)

    def action_freeze(self) -> None:
        """Stop drawing; trading and data go on."""
        self.frozen_ns = self.session.clock.monotonic_ns()
        self.refresh_bindings()

    def action_unfreeze(self) -> None:
        """Draw the present again."""
        self.frozen_ns, self._drawn = None, ()
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
        """Show or hide what drawing costs."""
        self.is_debugging = not self.is_debugging
        self._drawn = ()

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
