"""The keys that work on every screen. Each has an id, by which a keymap file moves it, and a sentence.

Those of playing are valid while a recorded session is played back, and come before those of the panels:
time must go on and back by the same keys wherever one looks.
"""

from __future__ import annotations

from typing import Final

from textual.binding import Binding, BindingType


def _key(
    keys: str,
    action: str,
    words: str,
    id: str,
    tooltip: str,
    *,
    show: bool = True,
    display: str | None = None,
    priority: bool = False,
    place: str = "app",
) -> Binding:
    return Binding(
        keys,
        action,
        words,
        show=show,
        key_display=display,
        priority=priority,
        tooltip=tooltip,
        id=f"{place}.{id}",
    )


APP_BINDINGS: Final[list[BindingType]] = [
    _key("space", "pause", "pause", "pause", "Pull all quotes and quote no more"),
    _key("space", "resume", "resume", "resume", "Let the strategy quote again"),
    _key("c", "cancel_all", "cancel all", "cancel_all", "Cancel every order; asks first"),
    _key(
        "X",
        "flatten",
        "flatten",
        "flatten",
        "Cancel all and close the position with orders that take; asks first",
        show=False,
    ),
    _key(
        "K",
        "kill",
        "kill",
        "kill",
        "Kill switch: cancel all orders and halt, at once, without asking",
        priority=True,
    ),
    _key(
        "f9",
        "kill_now",
        "kill",
        "kill_now",
        "Kill switch, the same, also while text is typed",
        priority=True,
        display="F9",
    ),
    _key("R", "rearm", "rearm", "rearm", "Take a halt or the kill switch back; a word has to be typed"),
    _key("e", "show('explain')", "explain", "explain", "Why each quote stands where it stands"),
    _key("s", "show('settings')", "settings", "settings", "Look at settings and change them"),
    _key("o", "show('orders')", "orders", "orders", "Orders and fills on the whole screen"),
    _key("r", "show('risk')", "risk", "risk", "Limits, what is used of them, what restricts trading"),
    _key("l", "show('latency')", "latency", "latency", "Every stage, and the histogram"),
    _key("m", "show('analytics')", "analytics", "analytics", "Where the profit came from, and markouts"),
    _key("f", "freeze", "freeze", "freeze", "Stop drawing, to read; trading and data go on", show=False),
    _key("f", "unfreeze", "unfreeze", "unfreeze", "Draw the present again"),
    _key("t", "themes", "theme", "theme", "Choose the colours", show=False),
    _key("n", "next_product", "next product", "next_product", "Show the next product"),
    _key("N", "next_product(-1)", "product before", "product_before", "Show the product before", show=False),
    _key("O", "show('overview')", "overview", "overview", "All products, and their limits together"),
    _key(
        "T",
        "take_control",
        "take control",
        "take_control",
        "Become the console that may steer; the one that does now will only watch",
    ),
    _key("a", "acknowledge", "acknowledge", "acknowledge", "Acknowledge the alert in the banner"),
    _key("u", "undo", "undo", "undo", "Take your last change of a setting back, for a minute"),
    _key(
        "d",
        "debug",
        "frame cost",
        "debug",
        "What drawing costs, and how late the engine wakes up",
        show=False,
    ),
    _key(
        "ctrl+p",
        "command_palette",
        "palette",
        "palette",
        "Every command by its name",
        priority=True,
        display="^p",
    ),
    _key("question_mark", "help", "help", "help", "Keys and words for what is on the screen", display="?"),
    # A question mark may be text; f1 never is.
    _key(
        "f1",
        "help_anywhere",
        "help",
        "help_anywhere",
        "The same, also over a question and while typing",
        show=False,
        priority=True,
    ),
    _key("q,ctrl+q", "quit", "quit", "quit", "Leave; asks while orders are open", display="q"),
    _key("ctrl+c", "quit", "quit", "interrupt", "Leave, like q", show=False, priority=True),
    _key(
        "ctrl+z",
        "suspend_process",
        "suspend",
        "suspend",
        "Back to the shell; after console.owner_silent_s (60 s) the engine takes its console for gone "
        "and cancels all",
        show=False,
    ),
]


def _playing(
    keys: str,
    action: str,
    words: str,
    id: str,
    tooltip: str,
    *,
    show: bool = False,
    display: str | None = None,
) -> Binding:
    return _key(keys, action, words, id, tooltip, show=show, display=display, priority=True, place="playback")


PLAYBACK_BINDINGS: Final[list[BindingType]] = [
    _playing("space", "play", "play", "play", "Play the session on from here", show=True),
    _playing("space", "hold", "hold", "hold", "Stand still", show=True),
    _playing("right", "step(1)", "step", "step", "One wake-up of the engine on", show=True, display="←→"),
    _playing("left", "step(-1)", "step back", "step_back", "One wake-up back", display="←"),
    _playing(
        "shift+right,right_parenthesis", "skip(1)", "10 s", "skip", "10 seconds on", show=True, display="( )"
    ),
    _playing(
        "shift+left,left_parenthesis", "skip(-1)", "10 s back", "skip_back", "10 seconds back", display="("
    ),
    _playing(
        "shift+up,right_curly_bracket", "faster", "speed", "faster", "Play faster", show=True, display="{ }"
    ),
    _playing("shift+down,left_curly_bracket", "slower", "slower", "slower", "Play slower", display="{"),
    _playing("home", "to_start", "start", "start", "To the start of the session"),
    _playing("end", "to_end", "end", "end", "To the end of the session"),
    _playing("j", "jump('fill', 'next')", "fill", "next_fill", "To our next fill", show=True),
    _playing("J", "jump('fill', 'previous')", "last fill", "last_fill", "Back to our fill before"),
    _playing("a", "jump('alert', 'next')", "alert", "next_alert", "To the next alert", show=True),
    _playing("A", "jump('alert', 'previous')", "last alert", "last_alert", "Back to the alert before"),
    _playing(
        "w", "jump('cancel', 'next')", "cancel", "next_cancel", "To our next cancelled order", show=True
    ),
    _playing(
        "W",
        "jump('cancel', 'previous')",
        "last cancel",
        "last_cancel",
        "Back to our cancelled order before",
    ),
    _playing(
        "g,colon", "go_to", "go to", "go_to", "To a time or a record that you type", show=True, display="g"
    ),
]
