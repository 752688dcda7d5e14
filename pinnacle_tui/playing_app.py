"""The keys by which a person moves through a recorded session. Nothing in it can be steered."""

from __future__ import annotations

from typing import Final

from engine.link.view import Playback
from pinnacle_tui.player import SKIP_S, SPEEDS, Player
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.base import ConsoleScreen
from pinnacle_tui.session import EngineSession
from pinnacle_tui.steering_app import SteeringApp
from pinnacle_tui.themes import ThemeLibrary

OF_THE_PRESENT: Final = frozenset(
    (
        *("pause", "resume", "cancel_all", "flatten", "rearm", "acknowledge", "undo"),
        *("kill", "kill_now", "freeze", "unfreeze"),
    )
)
"""Actions that mean nothing in the past."""
PLAYBACK_HELP: Final = (
    "A recorded session is played back: everything on every screen is as it was at the moment that the "
    "status shows, computed anew from the journal by the same code that traded. Nothing trades here, and "
    "nothing can be changed. The bar above the keys is the whole session: ● our fills, ! alerts, below them "
    "how often orders were cancelled; ┃ is where you are. A click there goes there."
)
_PLAYING: Final = frozenset(
    ("play", "hold", "step", "skip", "faster", "slower", "to_start", "to_end", "jump", "go_to")
)


class PlayingApp(SteeringApp):
    """`player` sends what the keys of playing ask for."""

    def __init__(
        self,
        session: EngineSession,
        themes: ThemeLibrary,
        remembered: Remembered,
        wanted_theme: str,
        *,
        is_theme_given: bool,
    ) -> None:
        super().__init__(session, themes, remembered, wanted_theme, is_theme_given=is_theme_given)
        self.player = Player(session, self)
        self._told_divergence = ""

    @property
    def is_playback(self) -> bool:
        """True where everything on the screen is the past."""
        hello = self.mirror.hello
        return hello is not None and hello.is_playback

    @property
    def can_steer(self) -> bool:
        """See `SteeringApp`. What is past cannot be steered."""
        return self.has_control and not self.is_playback

    @property
    def playback(self) -> Playback | None:
        """Where the playback stands; None where nothing is played, and before the first view."""
        return self.player.playback if self.is_playback else None

    def may_play(self, action: str, parameters: tuple[object, ...]) -> bool:
        """True for an action of playing that would do something now, whatever has the keyboard.

        Moves are always taken: at an end of the session they lead nowhere, and their keys must not mean
        something else there.
        """
        playback = self.playback
        if playback is None or not self.has_control:
            return False
        match action:
            case "play":
                return not playback.is_playing and not playback.is_at_end
            case "hold":
                return playback.is_playing
            case "jump":
                kind, to = parameters
                track = next((track for track in playback.tracks if track.kind == kind), None)
                return track is not None and (track.next_ns if to == "next" else track.last_ns) is not None
            case "faster":
                return self.player.speed is not SPEEDS[-1]
            case "slower":
                return self.player.speed != SPEEDS[0]
        return True

    @property
    def playing_keys(self) -> tuple[object, ...]:
        """What decides which keys of playing are offered; empty where nothing is played."""
        playback = self.playback
        if playback is None:
            return ()
        jumps = tuple((track.last_ns is None, track.next_ns is None) for track in playback.tracks)
        return playback.is_playing, playback.is_at_end, playback.speed, jumps

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what would do something now is offered."""
        if action in _PLAYING:
            is_free = isinstance(self.screen, ConsoleScreen) and not self.is_typing
            return is_free and self.may_play(action, parameters)
        return super().check_action(action, parameters)

    def tell_divergence(self) -> None:
        """Say once that what is shown is not what was recorded; the scrub bar says it for good."""
        playback = self.playback
        found = playback.divergence if playback is not None else ""
        if found and found != self._told_divergence:
            self.say(found, "error", title="DIVERGED")
        self._told_divergence = found

    def action_kill(self) -> None:
        """The kill switch; whoever presses it over the past must not believe that it has worked."""
        if self.is_playback:
            self.say(
                "nothing was killed: this is the past, and nothing trades in it. "
                "An engine that runs is killed with: pinnacle-tui ctl kill",
                "error",
            )
        else:
            super().action_kill()

    action_kill_now = action_kill

    def action_play(self) -> None:
        """Go on from here."""
        self.player.play()

    def action_hold(self) -> None:
        """Stand still."""
        self.player.hold()

    def action_step(self, wakeups: int) -> None:
        """So many wake-ups on, below 0 back."""
        self.player.step(wakeups)

    def action_skip(self, times: int) -> None:
        """Ten seconds on, below 0 back."""
        self.player.skip(times * SKIP_S)

    def action_faster(self) -> None:
        """Play faster."""
        self.player.change_speed(1)

    def action_slower(self) -> None:
        """Play slower."""
        self.player.change_speed(-1)

    def action_to_start(self) -> None:
        """To the first position."""
        if self.playback is not None:
            self.player.seek_record(self.playback.first_seq)

    def action_to_end(self) -> None:
        """To the last position."""
        if self.playback is not None:
            self.player.seek_record(self.playback.last_seq)

    def action_jump(self, kind: str, to: str) -> None:
        """Right after the next or the previous thing of a kind."""
        self.player.jump(kind, to)

    def action_go_to(self) -> None:
        """To a moment that is typed."""
        from pinnacle_tui.screens.go_to import GoTo

        self.push_screen(GoTo())
