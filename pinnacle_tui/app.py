"""The console: screens over one engine. It draws what the engine tells and sends what a person asks.

It holds no trading state and decides nothing about orders.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import BindingType
from textual.command import CommandPalette, Provider
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.timer import Timer

from engine.link.events import AnyEngineEvent, Notice, SettingChanged
from engine.link.mirror import LinkState
from engine.link.settings import ConsoleSettings
from pinnacle_tui.bindings import APP_BINDINGS, PLAYBACK_BINDINGS
from pinnacle_tui.bound_keys import key_of
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.frame_meter import FrameMeter, known_rate, lower_rate
from pinnacle_tui.key_handover import KeyHandover
from pinnacle_tui.keymap import Keymap
from pinnacle_tui.life import Life
from pinnacle_tui.numbers import age, duration
from pinnacle_tui.playing_app import PlayingApp
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.scenes import Scenes, window_title
from pinnacle_tui.screens.base import ConsoleScreen
from pinnacle_tui.session import EngineSession
from pinnacle_tui.terminal import ConsoleDriver
from pinnacle_tui.themes import ThemeLibrary
from pinnacle_tui.widgets.book_trust import stale_words
from pinnacle_tui.widgets.scene import Scene

if TYPE_CHECKING:
    from engine.credentials.desk import CredentialDesk
    from pinnacle_tui.credential_wizard import Wizard

_AT_ONCE_NS: Final = 1_000_000_000
_LOUD: Final[dict[str, SeverityLevel]] = {"critical": "error", "error": "error"}
"""Notices that come as a toast as well; the others stand in the log."""
_SECOND_NS: Final = 1_000_000_000
_HANG_UP: Final = 1
"""SIGHUP."""


def _nothing(*_: object) -> None:
    """Told by whoever goes on after the screen."""


def _moment(scene: Scene) -> tuple[object, ...]:
    """What decides whether a scene is another one than that before it; ages go on while nothing comes."""
    is_still = scene.link is not LinkState.UP or bool(stale_words(scene))
    return scene.view.seq, scene.link, scene.book.symbol, scene.now_ns // _SECOND_NS if is_still else 0


def _palette_commands() -> type[Provider]:
    from pinnacle_tui.palette_commands import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(PlayingApp):
    """The screen of one engine session."""

    TITLE = "pinnacle"
    # The first screen is there before a screen's own styles would be read.
    CSS_PATH = ["app.tcss", "screens/main.tcss"]  # noqa: RUF012
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (104, "-normal"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-medium"), (50, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [*PLAYBACK_BINDINGS, *APP_BINDINGS]
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
        handover: KeyHandover | None = None,
        make_desk: Callable[[], CredentialDesk] | None = None,
    ) -> None:
        """`notices` are sentences that are told at the start; `handover` is of the key that the engine waits
        for, where it does; `make_desk` makes the desk at which keys are stored, where that can be done."""
        super().__init__(session, themes, remembered, settings.theme, is_theme_given=is_theme_given)
        self.settings = settings
        self.keymap_file = keymap
        self.meter = FrameMeter()
        kept_hz = remembered.get("refresh_hz")
        self.hz = known_rate(kept_hz if isinstance(kept_hz, int) and kept_hz > 0 else settings.refresh_hz)
        self.frozen: Scene | None = None
        """The moment at which a person has stopped the drawing; None while it goes on."""
        self.is_debugging = False
        self.unsaved = ""
        """Why what the screen looks like could not be kept for the next run."""
        self._notices = tuple(notices)
        self._handover = handover
        self.make_desk = make_desk
        self.wizard: Wizard | None = None
        """What was entered about keys, once a person has begun to."""
        self._scenes = Scenes(session)
        self._drawn: tuple[object, ...] = ()
        self._keys_for: tuple[object, ...] = ()
        """What decided which keys are offered."""
        self._had_control = False
        self._engine_id = ""
        self._news_after = 0
        """The engine's last event before this console came."""
        self._last_loud: Notice | None = None
        self._views_drawn = 0
        self._is_left_out = False
        """True while frames are left out because the terminal takes none."""
        self._frames: Timer | None = None
        self._signal: int | None = None
        self._life = Life(self._signalled, self._stop_at_once)
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
        self.run_worker(self._connect(), name="connect to the engine")
        self._set_pace(self.hz)
        self.set_interval(1.0, self._once_a_second)
        self.call_after_refresh(self._settled)

    async def _connect(self) -> None:
        """Connect to the engine, once it has its key."""
        handover = self._handover
        if handover is not None and handover.is_pending:
            from pinnacle_tui.screens.unlock import UnlockScreen

            self.session.watch()
            await self.push_screen_wait(UnlockScreen(handover))
        await self.session.start()

    def _settled(self) -> None:
        # What lives now lives to the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.enable()

    async def on_unmount(self) -> None:
        """However the screen ends, the terminal is restored; a failed screen leaves the engine alone."""
        self._life.end()
        if self.wizard is not None:
            self.wizard.close()
        session = self.session
        # There is no screen any more on which anything could be told.
        session.on_change, session.on_end, self.mirror.on_event = _nothing, _nothing, None
        if self.crash is not None:
            await session.detach()
        else:
            await session.close()

    def leave(self, code: int | None = None) -> None:
        """End the screen. The exit code is the engine's, where it ended badly, else `code`, else 0."""
        self._remember()
        ending = self.session.ending
        self.exit(return_code=(ending.code if ending is not None else 0) or code or 0)

    def _signalled(self, number: int) -> None:
        self._signal = 128 + number
        if self.session.ending is not None or not self.session.host.is_owned:
            self.leave(self._signal)
        elif self._handover is None or not self._handover.is_refused:
            self.session.follow_stop()

    def _stop_at_once(self) -> None:
        """See `Life`. An engine without a key has sent nothing: it ends by itself when it gets none."""
        if self._handover is None or not self._handover.refuse():
            self.session.stop_at_once()

    def _engine_ended(self, ending: Ending) -> None:
        if self.session.is_stopping or self.mirror.hello is None:
            self.leave(self._signal)  # one that could not start says why in a line, where it can be read
        else:
            self.call_later(self._tell_end, ending)  # it may be a thread that tells us

    def _tell_end(self, ending: Ending) -> None:
        from pinnacle_tui.screens.quit import close_question

        close_question(self)
        if ending.code:
            from pinnacle_tui.screens.ended import EndedDialog

            self.bell()
            self.push_screen(EndedDialog(ending))

    async def action_quit(self) -> None:
        """Leave; with open orders, after a question."""
        from pinnacle_tui.screens.quit import ask_to_quit

        if self._handover is None or not self._handover.refuse():
            ask_to_quit(self)

    def action_kill(self) -> None:
        """The kill switch. An engine that waits for its key has sent nothing, and is never to have it."""
        handover = self._handover
        if handover is None or not (handover.is_pending or handover.is_refused):
            super().action_kill()
        else:
            handover.refuse("killed before the vault was open")

    action_kill_now = action_kill

    def _remember(self) -> None:
        self.remembered.keep("theme", self.theme)
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.remember(self.remembered)
        self.unsaved = self.remembered.save()

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
        driver = self._driver
        if isinstance(driver, ConsoleDriver):
            if driver.is_behind:
                self._is_left_out = True
                return  # nobody looks: no frame, and the meter sees how long
            if driver.has_missed:
                driver.has_missed = False
                self.screen.refresh(layout=True)
        now = self.session.clock.monotonic_ns()
        stalled = self.meter.stalled_ns(now)
        self.meter.tick(now, time.process_time_ns())
        if stalled:
            # Where the process itself was stopped, nobody knows when what it reads now has come.
            came = self.mirror.views - self._views_drawn if self._is_left_out else 0
            meanwhile = f"; {came} views of the engine came meanwhile" if came else ""
            self.say(f"the display was frozen for {age(stalled)}{meanwhile}", "warning")
        self._views_drawn, self._is_left_out = self.mirror.views, False
        # An engine in the same process works in the same sum: fewer frames would not make it less.
        if not self.session.host.is_in_process and self.meter.is_over_budget() and self.hz > 1:
            self._set_pace(lower_rate(self.hz))
            self.say(f"drawing took too much of the processor: {self.hz} redraws a second now", "warning")
        self.draw_now()

    def draw_anew(self) -> None:
        """Draw everything that can be seen, whether or not the view is another one."""
        self._drawn = ()
        self.draw_now()

    @property
    def frozen_ns(self) -> int | None:
        """Since when a person has stopped the drawing; None while it goes on."""
        return self.frozen.now_ns if self.frozen is not None else None

    def draw_now(self) -> None:
        """Draw the newest view, or the frozen one; the status is always that of now.

        Under a dialog only the status and the scrub bar are drawn, which must never tell of a past state.
        """
        screen = next((each for each in reversed(self.screen_stack) if isinstance(each, ConsoleScreen)), None)
        if screen is None or not screen.has_parts:
            return
        scene = self.scene()
        if scene is not None and self.alerts.look(scene.view.alerts):
            self.bell()
        self._offer_keys(scene)
        self.tell_divergence()
        with self.batch_update():
            screen.status.frozen_since_ns = self.frozen_ns
            if scene is None:
                screen.status.show_waiting(self._waiting_for())
                return
            screen.draw_frame(scene)
            shown = self.frozen or scene
            # What a view did not change is not asked again.
            moment = _moment(scene) if self.frozen is None else (self.frozen_ns,)
            drawn = (screen, self.size, self.theme, *moment)
            if drawn == self._drawn or screen is not self.screen:
                screen.draw_blank(shown)
                for dialog in self.screen_stack[self.screen_stack.index(screen) + 1 : -1]:
                    # A dialog keeps what it has drawn of those below.
                    dialog.refresh(screen.status.region, screen.alerts.region, screen.scrub.region)
                return
            self._drawn = drawn
            screen.draw(shown)

    def scene(self) -> Scene | None:
        """What there is to show now, also while the drawing is stopped; None before the first view."""
        return self._scenes.now()

    def _offer_keys(self, scene: Scene | None) -> None:
        """Which keys do something may change without a word of the engine: a link falls silent."""
        hello = self.mirror.hello
        decides = (
            scene.book.symbol if scene is not None else "",
            self.states,
            self.resumable,
            self.has_latch,
            self.session.link_state,
            hello.role if hello is not None else None,
            self._scenes.has_several,
            self.playing_keys,
            self.alerts.shown.name if self.alerts.shown is not None else "",
        )
        if decides != self._keys_for:
            self._keys_for = decides
            self.refresh_bindings()

    def _waiting_for(self) -> str:
        session = self.session
        if session.ending is not None:
            return f"{session.ending.sentence}. {key_of(self, 'app.quit')} quits"
        if self._handover is not None and self._handover.is_pending:
            return "locked; nothing is sent before the vault is open"
        if self.mirror.hello is None or not self.mirror.is_connected:
            return session.trouble or "connecting to the engine"
        if self.mirror.view is None:
            return "connected; waiting for the first view"
        return "connected; the engine shows no product that it has told of"

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
        if not isinstance(screen, ConsoleScreen) or not meter.fps or self.session.host.is_in_process:
            return  # nothing to tell yet, or an engine that works in the same sum
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
        scene = self.scene()
        if scene is not None:
            self.sub_title = window_title(scene)
        elif self.session.ending is not None:
            self.sub_title = "! ENDED"
        if isinstance(self._driver, ConsoleDriver) and self.sub_title:
            self._driver.tell_title(self.sub_title)

    # -- what the engine says --------------------------------------------------------------------

    def _session_changed(self) -> None:
        self._know_engine()
        self._drawn = ()
        if not self.mirror.is_connected:
            self.forget_change()
        elif self._had_control and not self.mirror.is_controller:
            take = key_of(self, "app.take_control")
            self.say(f"another console steers now{f'; {take} takes control back' if take else ''}", "warning")
        self._had_control = self.mirror.is_connected and self.mirror.is_controller
        if self.screen_stack:  # the link ends after the last screen
            self.refresh_bindings()

    def _know_engine(self) -> None:
        """What an engine did before this console came is in the log, but no news."""
        hello = self.mirror.hello
        if hello is not None and hello.engine_id != self._engine_id:
            self._engine_id, self._news_after = hello.engine_id, hello.last_event

    def _event(self, event: AnyEngineEvent) -> None:
        self._know_engine()
        if event.eseq <= self._news_after or self.is_playback:
            return  # what is long past is no news
        if isinstance(event, Notice) and event.code == "REARM":
            self.clear_notifications()  # what was held back is so no more
        if isinstance(event, Notice) and event.severity in _LOUD:
            last, self._last_loud = self._last_loud, event
            # What befalls all products alike, as a kill, is said once: it would hide the screen.
            if last is None or not _is_the_same_of_another(event, last):
                self.say(event.text, _LOUD[event.severity], title=event.code)
        elif isinstance(event, SettingChanged):
            self.setting_changed(event)
            self.refresh_bindings()

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would do something now is offered."""
        match action:
            case "freeze":
                return self.frozen is None and self.mirror.view is not None and not self.is_playback
            case "unfreeze":
                return self.frozen is not None
            case "help_anywhere":
                return not isinstance(self.screen, CommandPalette)
            case "next_product":
                return self.frozen is None and self._scenes.has_several
        return super().check_action(action, parameters)

    def copy(self, text: str, what: str) -> None:
        """Offer text to the terminal's clipboard (OSC 52), also over ssh. No answer comes."""
        self.copy_to_clipboard(text)
        self.say(f"sent to the clipboard: {what}")

    def action_freeze(self) -> None:
        """Stop drawing; trading and data go on."""
        scene = self.scene()
        if scene is not None:
            self.frozen = scene.kept()
            self.draw_anew()
            self.refresh_bindings()

    def action_unfreeze(self) -> None:
        """Draw the present again."""
        self.frozen = None
        self.draw_anew()
        self.refresh_bindings()

    def action_next_product(self, by: int = 1) -> None:
        """Show the next product, or that before."""
        self._scenes.next_product(by)
        self.draw_now()

    def show_product(self, symbol: str) -> None:
        """Show a product; a screen that stands still keeps the one that it shows."""
        if self.frozen is None:
            self._scenes.choose(symbol)
            self.draw_now()

    def action_debug(self) -> None:
        """Show or hide what drawing costs in detail."""
        self.is_debugging = not self.is_debugging
        self._tell_cost()

    def action_show(self, name: str) -> None:
        """Open a screen; asked for again, close it."""
        from pinnacle_tui.screens.catalogue import open_screen

        open_screen(self, name)

    def action_credentials(self) -> None:
        """The keys in the vault: look at them, add, check and remove them. Trading goes on."""
        from pinnacle_tui.screens.credential_opening import open_in_console

        open_in_console(self)

    def action_themes(self) -> None:
        """Choose the colours, seeing them."""
        from pinnacle_tui.screens.theme_picker import ThemePicker

        self.push_screen(ThemePicker())

    def action_help(self) -> None:
        """Keys and words for what is on the screen."""
        from pinnacle_tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    def action_help_anywhere(self) -> None:
        """The same over a question; asked for again, close it."""
        from pinnacle_tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.action_close()
        else:
            self.action_help()


def _is_the_same_of_another(notice: Notice, last: Notice) -> bool:
    is_same = (notice.code, notice.text) == (last.code, last.text)
    return is_same and notice.product != last.product and notice.time_ns - last.time_ns < _AT_ONCE_NS
