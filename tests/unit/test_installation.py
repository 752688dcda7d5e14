"""The number that tells this installation's orders apart is drawn once, and damage is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.persistence.errors import DamageError, JournalError
from engine.persistence.installation import FILE, installation_tag


def test_it_is_drawn_once_and_kept(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "b", tmp_path / "c"
    tag = installation_tag(first)
    assert 0 < tag < 2**32
    assert installation_tag(first) == tag
    assert (first / FILE).read_text() == f"{tag:08x}\n"
    assert installation_tag(second) != tag


@pytest.mark.parametrize("content", [b"", b"xyz", b"123456789", b"\xff" * 8, b"0000000g"])
def test_something_else_in_its_place_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DamageError, match="eight hexadecimal digits"):
        installation_tag(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="no order was sent"):
        installation_tag(tmp_path / "file")
