"""Where in a recorded session to go: typed, and refused in place where there is no such moment."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.core.foreign_text import visible
from engine.link.messages import Verdict
from engine.link.mirror import Pending
from engine.link.view import Playback
from pinnacle_tui.numbers import clock
from pinnacle_tui.screens.answers import Answer, Question


class GoTo(Question):
    """A field for a moment. Enter goes there; the question stays until the playback has got there."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", key_display="esc", tooltip="Stay here", id="go_to.back")
    ]

    def compose(self) -> ComposeResult:
        """The field, what can stand in it, what came of it."""
        with Vertical(id="dialog"):
            yield Static("Go to", classes="title", markup=False)
            yield Input(id="moment", compact=True)
            yield Static(self._forms(), classes="words", id="told", markup=False)
            with Vertical(id="answers"):
                yield Answer("go", "Go there", key="enter", id="go")
                yield Answer("back", "Stay here", id="back")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another text: what was said of the one before does not hold."""
        self._tell(self._forms())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.action_go()

    def action_go(self) -> None:
        """Go there."""
        text = self.query_one(Input).value.strip()
        if text:
            self._tell(Content.styled("going there…", "$muted"))
            self.console.player.seek_text(text, self._told)

    def action_back(self) -> None:
        """Stay, or look on while it still goes."""
        self.dismiss(None)

    def _told(self, pending: Pending) -> None:
        ack = pending.ack
        if ack is None or not pending.is_final:
            return
        if ack.verdict is Verdict.DONE:
            if self.is_current:
                self.dismiss(None)
        elif self.is_attached:
            self._tell(Content.styled(visible(ack.text) or "no answer came in time", "$error"))
        else:
            self.console.say(ack.text or "no answer came in time", "warning")

    def _forms(self) -> Content:
        """What can be typed, with this session's own ends."""
        playback = self.console.playback
        if playback is None:
            return Content("")
        return Content("\n").join(
            [
                Content.assemble((f"{form:<14}", "$accent"), (words, "$muted"))
                for form, words in _examples(playback)
            ]
        )

    def _tell(self, content: Content) -> None:
        self.query_one("#told", Static).update(content)


def _examples(playback: Playback) -> list[tuple[str, str]]:
    first, last = clock(playback.first_wall_ns), clock(playback.last_wall_ns)
    middle = (playback.first_seq + playback.last_seq) // 2
    return [
        (
            clock((playback.first_wall_ns + playback.last_wall_ns) // 2),
            f"a time of day, UTC: {first} to {last}",
        ),
        ("12m31s", "since the start; 90s and 1h05m, too"),
        (f"{middle}", f"a record: {playback.first_seq:,} to {playback.last_seq:,}"),
    ]
