"""A line of text that is typed into a panel: while it is open, letters are text and no commands."""

from __future__ import annotations

from typing import Final

from engine.core.foreign_text import visible

_LONGEST: Final = 100


class Entry:
    """The text, and whether the keyboard goes to it. It outlives the typing: a filter stays in force."""

    def __init__(self) -> None:
        self.text = ""
        self.is_open = False

    def takes(self, key: str, character: str | None) -> bool:
        """True for keys that `press` turns into text."""
        if not self.is_open:
            return False
        return key in ("backspace", "ctrl+u", "ctrl+w") or (character is not None and character.isprintable())

    def press(self, key: str, character: str | None) -> None:
        """A key that `takes` has accepted."""
        if key == "backspace":
            self.text = self.text[:-1]
        elif key == "ctrl+u":
            self.text = ""
        elif key == "ctrl+w":
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif character is not None:
            self.insert(character)

    def insert(self, text: str) -> None:
        """Append text, as from a paste: on one line, and no longer than anyone types."""
        self.text = (self.text + visible(text))[:_LONGEST]

    def clear(self) -> None:
        """No text, and nothing is typed any more."""
        self.text = ""
        self.is_open = False
