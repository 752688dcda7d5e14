"""Moves a playback: what the keys of playing ask for, no faster than it can be answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from engine.link.messages import CommandName, Verdict
from engine.link.mirror import Pending
from engine.link.view import Playback
from pinnacle_tui.operations import Severity
from pinnacle_tui.session import EngineSession

SPEEDS: Final[tuple[float | None, ...]] = (
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, None,
)  # fmt: skip
"""Engine seconds per second, slow to fast; None: as fast as the machine can."""
SKIP_S: Final = 10
ANSWER_S: Final = 120.0
"""A move to the other end of a long session takes its time."""
SPACING_NS: Final = 60_000_000
"""Between two commands: a key that is held repeats faster than an engine lets itself be asked."""
_MOVES: Final = (CommandName.STEP, CommandName.JUMP, CommandName.SEEK)
_FROM_HERE: Final = (CommandName.STEP, CommandName.JUMP)
_WAITING: Final = (CommandName.STEP, CommandName.JUMP, CommandName.PLAY)
"""What goes on from where the move before it leads: it waits for that."""


class Reporter(Protocol):
    """Where refusals are told."""

    def say(self, text: str, severity: Severity = "information") -> None:
        """Tell a sentence."""
        ...

    def set_timer(self, delay: float, callback: Callable[[], None]) -> object:
        """Call once, after `delay` seconds."""
        ...


class _Wish(NamedTuple):
    """A command that was not sent yet."""

    name: CommandName
    arguments: dict[str, str]
    on_answer: Callable[[Pending], None] | None = None

    def with_next(self, other: _Wish) -> _Wish | None:
        """Both as one command; None where each has to be sent."""
        if self.name is not other.name or self.on_answer or other.on_answer:
            return None
        if self.name is CommandName.STEP:
            (unit, count), (its, more) = *self.arguments.items(), *other.arguments.items()
            return _Wish(self.name, {unit: str(int(count) + int(more))}) if unit == its else None
        if self.name is CommandName.JUMP:
            return self if self.arguments == other.arguments else None
        return other


class Player:
    """Sends the commands of playing. Presses that come faster than answers are added up, not queued up."""

    def __init__(self, session: EngineSession, reporter: Reporter) -> None:
        self._session = session
        self._reporter = reporter
        self._wishes: list[_Wish] = []
        self._awaited: Pending | None = None
        """The move that is under way, where nothing has given it up."""
        self._sent_ns: int | None = None
        self._is_timed = False
        self._is_speed_asked = False
        self._asked_speed: float | None = None
        """What was asked for, until a view shows it."""

    @property
    def playback(self) -> Playback | None:
        """Where the playback stands, as the newest view tells; None where there is none."""
        view = self._session.mirror.view
        return view.playback if view is not None else None

    def play(self) -> None:
        """Go on from the position."""
        self._ask(CommandName.PLAY)

    def hold(self) -> None:
        """Stand still. Moves that were asked for and not begun are given up."""
        self._wishes.clear()
        self._ask(CommandName.HOLD)

    def step(self, wakeups: int) -> None:
        """So many wake-ups on, below 0 back, and stand still."""
        self._ask(CommandName.STEP, wakeups=str(wakeups))

    def skip(self, seconds: int) -> None:
        """So much engine time on, below 0 back."""
        self._ask(CommandName.STEP, seconds=str(seconds))

    def seek_record(self, seq: int) -> None:
        """To the position of a record."""
        self._seek("seq", str(seq))

    def seek_time(self, time_ns: int) -> None:
        """To a moment of engine time."""
        self._seek("time_ns", str(time_ns))

    def seek_text(self, text: str, on_answer: Callable[[Pending], None]) -> None:
        """To a moment as a person writes it; `on_answer` is told of every answer, refusals too."""
        self._seek("at", text, on_answer)

    def jump(self, kind: str, to: str) -> None:
        """Right after the `next` or the `previous` thing of a kind, and stand still."""
        self._ask(CommandName.JUMP, kind=kind, to=to)

    def change_speed(self, by: int) -> None:
        """To the next speed above (1) or below (-1)."""
        wanted = next_speed(self.speed, by)
        if wanted != self.speed:
            self.set_speed(wanted)

    def set_speed(self, speed: float | None) -> None:
        """Play at one of `SPEEDS`."""
        self._is_speed_asked, self._asked_speed = True, speed
        self._ask(CommandName.SPEED, factor="max" if speed is None else f"{speed:g}")

    @property
    def speed(self) -> float | None:
        """The speed that holds, or will once the playback has heard of it."""
        playback = self.playback
        shown = playback.speed if playback is not None else 1.0
        if self._asked_speed == shown:
            self._is_speed_asked = False
        return self._asked_speed if self._is_speed_asked else shown

    # -- sending ---------------------------------------------------------------------------------

    def _seek(self, what: str, value: str, on_answer: Callable[[Pending], None] | None = None) -> None:
        """A place of its own: what was to be gone on from the old one is given up."""
        self._wishes = [wish for wish in self._wishes if wish.name not in _FROM_HERE]
        self._awaited = None
        self._put(_Wish(CommandName.SEEK, {what: value}, on_answer))

    def _ask(self, name: CommandName, **arguments: str) -> None:
        self._put(_Wish(name, arguments))

    def _put(self, wish: _Wish) -> None:
        both = self._wishes[-1].with_next(wish) if self._wishes else None
        if both is not None:
            self._wishes[-1] = both
        else:
            self._wishes.append(wish)
        self._send()

    def _send(self) -> None:
        """Send what may be sent now."""
        while self._wishes and not self._is_timed:
            wish, now_ns = self._wishes[0], self._session.clock.monotonic_ns()
            if wish.name in _WAITING and self._awaited is not None:
                return  # its answer comes back here
            if self._sent_ns is not None and now_ns - self._sent_ns < SPACING_NS:
                self._is_timed = True
                self._reporter.set_timer((SPACING_NS - now_ns + self._sent_ns) / 1e9, self._go_on)
                return
            self._sent_ns = now_ns
            del self._wishes[0]
            self._command(wish)

    def _go_on(self) -> None:
        self._is_timed = False
        self._send()

    def _command(self, wish: _Wish) -> None:
        try:
            pending = self._session.command(
                wish.name,
                wish.arguments,
                deadline_s=ANSWER_S,
                on_change=lambda pending: self._answered(pending, wish),
            )
        except ConnectionError as error:
            self._wishes.clear()
            self._is_speed_asked = False
            self._reporter.say(f"the playback cannot be moved: {error}", "error")
            return
        if wish.name in _MOVES:
            self._awaited = pending

    def _answered(self, pending: Pending, wish: _Wish) -> None:
        ack = pending.ack
        if wish.on_answer is not None:
            wish.on_answer(pending)
        if ack is None or not pending.is_final:
            return
        if ack.verdict is not Verdict.DONE:
            if wish.name is CommandName.SPEED:
                self._is_speed_asked = False
            if wish.on_answer is None:
                self._reporter.say(ack.text or f"{wish.name}: {ack.verdict}", "warning")
        if pending is self._awaited:
            self._awaited = None
            self._send()


def next_speed(speed: float | None, by: int) -> float | None:
    """The next of `SPEEDS` above (1) or below (-1); at the ends the same."""
    if speed is None:
        return None if by > 0 else SPEEDS[-2]
    rising = [known for known in SPEEDS if known is not None]
    if by > 0:
        return next((known for known in rising if known > speed), None)
    return next((known for known in reversed(rising) if known < speed), speed)
