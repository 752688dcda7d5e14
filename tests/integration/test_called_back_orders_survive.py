"""An order that was called back before it left: a state saved at that moment must be one to go on from."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from engine.commands import headless
from engine.config import load_config
from engine.core.events import NOT_SENT, OperatorAction, OrderRejected
from engine.persistence import archive
from engine.persistence.errors import DamageError
from engine.persistence.reader import JournalReader
from engine.runtime.engine import Engine
from engine.runtime.session_snapshots import SessionSnapshots
from engine.runtime.session_store import sessions

BEFORE = 30
"""So many wake-ups have waited for their record when a person asks for something."""


def run(data_dir: Path, seconds: int) -> tuple[int, str]:
    given = (
        "engine.speed=max", f"engine.duration_s={seconds}", "simulator.seed=7",
        "persistence.durability=every", f"persistence.data_dir={data_dir}",
    )  # fmt: skip
    errors = io.StringIO()
    resolved = load_config(None, {}, given)
    return headless.run(resolved, as_json=True, stdout=io.StringIO(), stderr=errors), errors.getvalue()


def test_a_crash_after_a_state_that_was_due_while_an_order_was_called_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir, image = tmp_path / "sessions", tmp_path / "image"
    waited = 0
    is_due = False
    recorded, after_step = Engine._recorded, SessionSnapshots.after_step

    async def asked_while_waiting(engine: Engine) -> None:
        nonlocal waited, is_due
        if engine._execution.is_holding:
            waited += 1
            if waited == BEFORE:
                engine.tell(None, OperatorAction.CANCEL_ALL, "a person")
                is_due = True
        await recorded(engine)

    def saved_at_the_first_moment(saver: SessionSnapshots) -> None:
        if is_due and saver._task is None:
            saver._due_ns = 0
        after_step(saver)
        if saver._task is not None and saver._task.done() and not image.exists():
            [session] = sessions(data_dir)
            if _called_back(session.path):
                shutil.copytree(session.path, image / session.name)  # what kill -9 leaves

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "_recorded", asked_while_waiting)
        patched.setattr(SessionSnapshots, "after_step", saved_at_the_first_moment)
        assert run(data_dir, 60)[0] == 0
    [session] = sessions(image)
    assert session.info.ended is None
    assert JournalReader(str(session.path)).snapshots()
    code, told = run(image, 1)
    assert (code, "goes on: its state at record" in told) == (0, True), told


def _called_back(folder: Path) -> bool:
    entries = (entry for batch in JournalReader(str(folder)).batches() for entry in batch)
    return any(isinstance(entry.value, OrderRejected) and entry.value.code == NOT_SENT for entry in entries)


def test_whatever_keeps_a_state_from_being_saved_is_told_and_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise DamageError("a file is no journal segment")

    monkeypatch.setattr(archive, "retire", damaged)
    after_step = SessionSnapshots.after_step

    def always_due(saver: SessionSnapshots) -> None:
        saver._due_ns = 0
        after_step(saver)

    monkeypatch.setattr(SessionSnapshots, "after_step", always_due)
    code, told = run(tmp_path / "sessions", 60)
    assert code == 74
    assert "the state could not be saved (a file is no journal segment)" in told
