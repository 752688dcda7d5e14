"""Which journal a person means, and how to read it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.persistence.directory import META
from engine.persistence.reader import JournalReader
from engine.runtime.session_store import StoredSession, find

_SESSION: Final = "session.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A journal's folder; `session` is None for a bare journal, of which nobody knows the products."""

    folder: Path
    session: StoredSession | None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By product; empty for a bare journal."""
        return {} if self.session is None else {each.symbol: each for each in self.session.info.instruments}

    def reader(self) -> JournalReader:
        """Reads it, without a lock. Raises as `read_meta` does."""
        return JournalReader(str(self.folder))


def source(wanted: str, data_dir: Path) -> Source:
    """A session's name, its folder, a folder of sessions (the newest one), or a bare journal's folder.

    Raises `UsageError` where there is none, `DamageError` where a session does not say what it is.
    """
    try:
        for path in (data_dir / wanted, Path(os.path.expanduser(wanted))):
            if (path / META).is_file() and not (path / _SESSION).exists():
                return Source(path, None)
        session = find(wanted, data_dir)
    except OSError as error:  # a name that no file can have, a folder that may not be looked into
        raise UsageError(f"{wanted}: {error.strerror}; nothing was read") from None
    return Source(session.path, session)
