"""What the console remembers between runs: theme, redraws a second, focus, a panel alone, zoom, sort, levels.

One small JSON file, written whole.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


class Remembered:
    """A dictionary in a file. What cannot be read is as if it were not there; nothing depends on it."""

    def __init__(self, path: Path | None) -> None:
        """`path` is None where nothing is to be kept."""
        self._path = path
        self._values: dict[str, Any] = {}
        if path is not None:
            try:
                read = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                read = None
            self._values = read if isinstance(read, dict) else {}

    def get(self, key: str) -> Any:
        """What was kept under a key; None when nothing was."""
        return self._values.get(key)

    def keep(self, key: str, value: Any) -> None:
        """Keep a value for the next run."""
        self._values[key] = value

    def save(self) -> str:
        """Write the file, all or nothing; why it could not be written, or an empty text."""
        if self._path is None:
            return ""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".console-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as stream:
                    json.dump(self._values, stream, indent=1, sort_keys=True)
                os.replace(name, self._path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            return f"{self._path}: what the screen looks like could not be kept: {error.strerror}"
        return ""
