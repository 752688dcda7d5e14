"""What the console remembers: written whole or not at all, and never in the way."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pinnacle_tui.remembered import Remembered


def test_what_was_kept_is_there_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "state" / "console.json"
    first = Remembered(path)
    assert first.get("theme") is None
    first.keep("theme", "nord")
    first.keep("panel.depth", {"multiple": 5})
    assert first.save() == ""
    second = Remembered(path)
    assert second.get("theme") == "nord"
    assert second.get("panel.depth") == {"multiple": 5}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["console.json"]


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '"x"', "[" * 100_000])
def test_a_file_that_makes_no_sense_is_as_if_it_were_not_there(tmp_path: Path, content: str) -> None:
    path = tmp_path / "console.json"
    path.write_text(content)
    remembered = Remembered(path)
    assert remembered.get("theme") is None
    remembered.keep("theme", "amber")
    assert remembered.save() == ""
    assert Remembered(path).get("theme") == "amber"


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    remembered = Remembered(tmp_path / "state" / "console.json")
    remembered.keep("theme", "nord")
    assert "could not be kept" in remembered.save()


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "console.json"
    first = Remembered(path)
    first.keep("theme", "nord")
    first.save()
    first.keep("bad", object())
    with pytest.raises(TypeError):
        first.save()
    assert Remembered(path).get("theme") == "nord"
    assert os.listdir(tmp_path) == ["console.json"]


def test_without_a_place_nothing_is_kept() -> None:
    remembered = Remembered(None)
    remembered.keep("theme", "nord")
    assert remembered.save() == ""
    assert remembered.get("theme") == "nord"
