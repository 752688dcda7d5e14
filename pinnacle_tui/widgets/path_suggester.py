"""Completes the path of a file that exists, while it is typed."""

from __future__ import annotations

import asyncio
import os

from textual.suggester import Suggester


class PathSuggester(Suggester):
    """The first file or folder, by name, that what is typed is the beginning of; hidden ones are asked for by
    their dot."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """See `Suggester`. The disk is asked in a thread."""
        return await asyncio.to_thread(_completed, value)


def _completed(value: str) -> str | None:
    front, slash, begun = value.rpartition("/")
    if not slash and begun.startswith("~"):
        return None
    try:
        with os.scandir(os.path.expanduser(front + slash or ".")) as entries:
            names = sorted(
                entry.name + ("/" if entry.is_dir() else "")
                for entry in entries
                if entry.name.startswith(begun) and (begun or not entry.name.startswith("."))
            )
    except (OSError, RuntimeError, ValueError):
        return None  # no such folder, no such home, or no path at all
    printable = next((name for name in names if name.isprintable()), None)
    return None if printable is None else f"{front}{slash}{printable}"
