"""The keys by which a person steers the engine: each asks first where it must, and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from textual.binding import Binding
from textual.widgets import Input

from engine.config_schema import NOT_SET
from engine.core.clock import Clock
from engine.core.foreign_text import visible
from engine.link.events import SettingChanged
from engine.link.messages import Ack, CommandName
from engine.link.mirror import LinkState
from pinnacle_tui.alerts import AlertWatch
from pinnacle_tui.bound_keys import key_of
from pinnacle_tui.operations import Operations
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.session import EngineSession
from pinnacle_tui.themed_app import ThemedApp
from pinnacle_tui.themes import ThemeLibrary
from pinnacle_tui.widgets.scene import Scene

_LATCHED: Final = ("HALTED", "KILLED")
_FOR_ALL: Final = ("pause", "resume", "flatten", "kill", "kill_now", "rearm")
"""Keys that act on every product; where there are several, they say so."""
UNDO_S: Final = 60
"""How long a change of a setting can be taken back by a key."""


class SteeringApp(ThemedApp):
    """`operations` sends what the keys ask for."""

    def __init__(
        self,
        session: EngineSession,
        themes: ThemeLibrary,
        remembered: Remembered,
        wanted_theme: str,
        *,
        is_theme_given: bool,
    ) -> None:
        super().__init__(themes, remembered, wanted_theme, is_given=is_theme_given)
        self.session = session
        self.mirror = session.mirror
        self.operations = Operations(session, self)
        self.alerts = AlertWatch(session.clock)
        self._undoable: SettingChanged | None = None
        self._undo_until_ns = 0

    @property
    def clock(self) -> Clock:
        """By which times are told and held keys known."""
        return self.session.clock

    def scene(self) -> Scene | None:
        """What there is to draw now; None before the first view."""
        raise NotImplementedError

    @property
    def has_control(self) -> bool:
        """True while the engine takes commands from this console."""
        return self.mirror.is_controller and self.session.link_state in (LinkState.UP, LinkState.SILENT)

    @property
    def can_steer(self) -> bool:
        """True while there is something that can be steered, and this console may."""
        return self.has_control

    @property
    def undoable(self) -> SettingChanged | None:
        """The change of a setting that can be taken back: ours, the last one, of less than a minute ago."""
        return self._undoable if self.session.clock.monotonic_ns() < self._undo_until_ns else None

    def setting_changed(self, change: SettingChanged) -> None:
        """Tell of a change, and how to take it back where it was ours."""
        self._undoable = change if change.who == self.session.name else None
        self._undo_until_ns = self.session.clock.monotonic_ns() + UNDO_S * 1_000_000_000
        self.set_timer(UNDO_S, self.refresh_bindings)
        undo = key_of(self, "app.undo")
        words = f"; {undo} takes it back" if undo else ""
        self.say(f"{change.key}: {change.old} → {change.new}, by {change.who}{words}")

    def forget_change(self) -> None:
        """What was changed while there was no link is not known: nothing is taken back over it."""
        self._undoable = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would do something now is offered."""
        match action:
            case "pause":
                return self.can_steer and self._pauses
            case "resume":
                return self.can_steer and not self._pauses and bool(self.resumable)
            case "cancel_all" | "flatten":
                return self.can_steer
            case "rearm":
                return self.can_steer and self.has_latch
            case "acknowledge":
                return self.can_steer and self.alerts.shown is not None
            case "trip_breaker":
                return self.can_steer and self._breakers - {"open"} != set()
            case "reset_breaker":
                return self.can_steer and self._breakers - {"closed"} != set()
            case "undo":
                return self.can_steer and self.undoable is not None
            case "kill":
                return not self.is_typing
            case "take_control":
                return self._may_kill and not self.mirror.is_controller and self._is_up
            case "suspend_process":
                hello = self.mirror.hello
                return hello is not None and (hello.mode != "live" or hello.is_playback)
        return True

    @property
    def _shown(self) -> str:
        scene = self.scene()
        return scene.book.symbol if scene is not None else ""

    @property
    def states(self) -> frozenset[str]:
        """Those of all products: the keys are for all of them."""
        view = self.mirror.view
        return frozenset(book.state for book in view.products) if view is not None else frozenset()

    @property
    def resumable(self) -> frozenset[str]:
        """The products that stand still until a person resumes, and are not latched besides."""
        view = self.mirror.view
        books = view.products if view is not None else ()
        return frozenset(
            book.symbol
            for book in books
            if book.state not in _LATCHED and any(held.is_resumable for held in book.restrictions)
        )

    @property
    def has_latch(self) -> bool:
        """True where a product waits for a person to rearm it, whatever it may do meanwhile."""
        view = self.mirror.view
        books = view.products if view is not None else ()
        return any(
            book.state in _LATCHED or any(held.is_latch for held in book.restrictions) for book in books
        )

    @property
    def _pauses(self) -> bool:
        """True where the key pauses, not resumes: something quotes or may do so again by itself, as after
        the circuit breaker's cool-down, and what is shown does not wait for a person."""
        view, resumable = self.mirror.view, self.resumable
        if view is None or self._shown in resumable:
            return False
        return any(book.state not in _LATCHED and book.symbol not in resumable for book in view.products)

    @property
    def shown_of_several(self) -> str:
        """The product that is shown, where the engine trades others, too; empty where it trades one."""
        scene = self.scene()
        return scene.book.symbol if scene is not None and len(scene.view.products) > 1 else ""

    @property
    def _breakers(self) -> set[str]:
        """The states of the circuit breakers that are told of."""
        view = self.mirror.view
        books = view.products if view is not None else ()
        return {book.breaker.state for book in books if book.breaker is not None}

    def key_words(self, binding: Binding) -> str:
        """What a key does now, in a few words."""
        alert = self.alerts.shown
        if binding.id == "app.acknowledge" and alert is not None:
            return f"ack {visible(alert.name)}"
        if binding.action in _FOR_ALL and self.shown_of_several:
            return f"{binding.description} all"
        return binding.description

    @property
    def _may_kill(self) -> bool:
        return self.session.may_kill

    @property
    def _is_up(self) -> bool:
        return self.session.link_state is LinkState.UP

    @property
    def is_typing(self) -> bool:
        """True while letters are text. Then `K` is one; `F9` kills all the same."""
        focused = self.focused
        return isinstance(focused, Input) or (focused is not None and focused.check_consume_key("K", "K"))

    def action_pause(self) -> None:
        """Pull all quotes and quote no more."""
        self.operations.send(CommandName.PAUSE)

    def action_resume(self) -> None:
        """Let the strategy quote again."""
        self.operations.send(CommandName.RESUME)

    def act_on(self, product: str, name: CommandName) -> None:
        """Pause, resume, cancel all, flatten, kill or rearm one product alone; asks as for all of them."""
        from pinnacle_tui.screens import questions

        asked = {
            CommandName.CANCEL_ALL: questions.cancel_all,
            CommandName.FLATTEN: questions.flatten,
            CommandName.REARM: questions.rearm,
        }.get(name)
        if asked is None:
            self.operations.send(name, {"product": product})
        else:
            self.push_screen(asked(self, product), partial(self._if_yes, name, product=product))

    def action_kill(self) -> None:
        """The kill switch: sent first, shown afterwards."""
        if not self._may_kill:
            # Whoever presses it must not believe that it has worked.
            name = self.mirror.hello.session if self.mirror.hello is not None else ""
            self.say(
                "nothing was killed: this screen was opened to watch only. "
                f"Kill with: pinnacle-tui ctl kill --session {name}",
                "error",
            )
            return
        from pinnacle_tui.screens.kill_report import KillReport

        shown = self.screen
        report = shown if isinstance(shown, KillReport) else KillReport()
        report.show(self.operations.kill(report.told))
        if report is not shown:
            self.push_screen(report)

    action_kill_now = action_kill

    def action_take_control(self) -> None:
        """Become the console that may steer."""
        self.operations.send(CommandName.TAKE_CONTROL)

    def action_acknowledge(self) -> None:
        """The alert of the banner was seen, if it has stood there for long enough to be read."""
        shown = self.alerts.shown
        if shown is not None and self.alerts.is_meant():
            self.acknowledge(shown.name)

    def acknowledge(self, name: str) -> None:
        """The alert of that name was seen."""
        self.operations.send(CommandName.ACK, {"name": name})

    def action_trip_breaker(self) -> None:
        """Open the circuit breaker: no quotes for its cool-down."""
        self.operations.send(CommandName.TRIP_BREAKER)

    def action_reset_breaker(self) -> None:
        """Close the circuit breaker, after a question."""
        from pinnacle_tui.screens import questions

        self.push_screen(questions.reset_breaker(self), partial(self._if_yes, CommandName.RESET_BREAKER))

    def action_undo(self) -> None:
        """Set the value that was in force before the last change."""
        change = self.undoable
        self.forget_change()
        if change is not None:
            value = "" if change.old == NOT_SET else change.old
            arguments = {"key": change.key, "value": value}

            def loosen(confirmed: dict[str, str]) -> None:
                self.operations.send(CommandName.SET, confirmed)

            self.operations.send(
                CommandName.SET,
                arguments,
                on_confirm=lambda ack: self.ask_to_loosen(change.new, arguments, ack, loosen),
            )
            self.refresh_bindings()

    def ask_to_loosen(
        self, old: str, arguments: dict[str, str], ack: Ack, send: Callable[[dict[str, str]], None]
    ) -> None:
        """The engine wants a setting's key typed once more; `send` gets the arguments with it if it was."""
        from pinnacle_tui.screens import questions

        def answered(is_meant: bool | None) -> None:
            if is_meant:
                send(arguments | {"confirm": ack.confirm})

        new = arguments["value"] or NOT_SET
        self.push_screen(questions.loosen(f"{old}  →  {new}", ack), answered)

    def action_cancel_all(self) -> None:
        """Cancel every order, after a question."""
        from pinnacle_tui.screens import questions

        self.push_screen(questions.cancel_all(self), partial(self._if_yes, CommandName.CANCEL_ALL))

    def action_flatten(self) -> None:
        """Close the position, after a question."""
        from pinnacle_tui.screens import questions

        self.push_screen(questions.flatten(self), partial(self._if_yes, CommandName.FLATTEN))

    def action_rearm(self) -> None:
        """Take a latch back, after a word was typed."""
        from pinnacle_tui.screens import questions

        self.push_screen(questions.rearm(self), partial(self._if_yes, CommandName.REARM))

    def _if_yes(self, name: CommandName, answer: bool | None, product: str = "") -> None:
        if answer:
            self.operations.send(name, {"product": product} if product else None)
