"""What a start that comes to nothing has to say of the run before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.config import Resolved
from engine.core.errors import PinnacleError
from engine.persistence.errors import LockedError


@contextmanager
def left_open_told(resolved: Resolved) -> Iterator[None]:
    """Where a run cannot be started, its error says which orders of the one before may still be open.

    As a note of the exception (`add_note`), which whoever prints the error prints with it: a console shows
    the last line of its engine's log alone.
    """
    try:
        yield
    except LockedError:
        raise  # its engine runs, and looks after them
    except PinnacleError as error:
        # Loaded where it is needed alone: a console has no engine to load.
        from engine.runtime.session_opening import left_open
        from engine.runtime.session_store import data_dir_of

        if warning := left_open(resolved, data_dir_of(resolved.config)):
            error.add_note(warning)
        raise
