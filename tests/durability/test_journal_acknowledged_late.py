"""Whoever waits for an acknowledgement is told of it, whatever is appended meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.journal import Journal
from engine.persistence.settings import Durability


@pytest.mark.parametrize("durability", list(Durability))
def test_an_append_between_the_file_and_its_telling_swallows_nothing(
    tmp_path: Path, durability: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segment has its file, the thread has not said so yet, and another record comes: it is acknowledged
    at once, and with it those before it, whose owner waits to be told."""
    told: list[int] = []
    directory = JournalDirectory.create(str(tmp_path / "j"), created_ns=1)
    journal = Journal(
        directory,
        Continuation(),
        durability=durability,
        segment_bytes=64 << 10,
        on_acked=told.append,
        on_failed=lambda error: None,
    )
    waiting = journal.append(14, b"waits for its file")
    assert journal.acked_seq < waiting
    advance: Any = journal._syncer._advance

    def late(seq: int, since_ns: int) -> None:
        monkeypatch.undo()
        journal.append(14, b"comes meanwhile")
        advance(seq, since_ns)

    monkeypatch.setattr(journal._syncer, "_advance", late)
    journal.step()
    assert told
    assert max(told) >= waiting
    journal.close()
    directory.close()
