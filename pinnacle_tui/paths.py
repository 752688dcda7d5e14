"""Where the console keeps its files: the platform's folders for configuration and for state.

Nothing here creates a folder; whoever writes first does.
"""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_config_path, user_state_path

_PROGRAM = "pinnacle-tui"


def config_folder() -> Path:
    """What the user writes: the configuration file, themes, the keymap."""
    return user_config_path(_PROGRAM, appauthor=False)


def user_themes_folder() -> Path:
    """The user's own themes; one there shadows a shipped one of the same name."""
    return config_folder() / "themes"


def state_folder() -> Path:
    """What the console writes by itself: how the screen was left (`remembered`), logs and reports."""
    return user_state_path(_PROGRAM, appauthor=False)
