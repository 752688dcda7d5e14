"""The password out of an open file that was inherited: what is read, what is refused, what stays open."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest
from credentials.run_kit import piped
from credentials.source_kit import PASSWORD, refusal, written

from engine.credentials.sources import read_descriptor


def test_a_descriptor_is_read_to_its_end_and_closed() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"tidal ")
    os.write(write_end, b"quartz\n")
    os.close(write_end)
    assert read_descriptor(read_end).text() == "tidal quartz"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)


def test_a_descriptor_of_a_file_is_read_from_where_it_stands(tmp_path: Path) -> None:
    descriptor = os.open(written(tmp_path / "p", "tidal quartz\n"), os.O_RDONLY)
    os.lseek(descriptor, 6, os.SEEK_SET)
    assert read_descriptor(descriptor).text() == "quartz"


def test_a_reader_that_does_not_wait_is_made_to_wait() -> None:
    # Else nothing yet would count as the end, and the password would be a part of itself.
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.write(write_end, b"tidal quartz\n")
    os.close(write_end)
    other = os.dup(read_end)
    assert read_descriptor(read_end).text() == "tidal quartz"
    assert os.get_blocking(other)
    os.close(other)


def test_a_descriptor_that_is_a_terminal_is_refused_at_once() -> None:
    master, terminal = pty.openpty()
    try:
        said = refusal(lambda: read_descriptor(terminal))
        assert f"--password-fd {terminal} is a terminal, which would show what is typed" in said
        os.fstat(terminal)
    finally:
        os.close(master)
        os.close(terminal)


@pytest.mark.parametrize("descriptor", [987, 1 << 40])
def test_a_number_that_nobody_opened_is_refused(descriptor: int) -> None:
    said = refusal(lambda: read_descriptor(descriptor))
    assert said.startswith(f"--password-fd {descriptor} cannot be read: Bad file descriptor; ")


def test_a_folder_and_the_writing_end_of_a_pipe_are_refused_and_closed(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    folder = os.open(tmp_path, os.O_RDONLY)
    for descriptor, reason in ((folder, "Is a directory"), (write_end, "Bad file descriptor")):
        assert reason in refusal(lambda given=descriptor: read_descriptor(given))
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.parametrize("descriptor", [1, 2])
def test_where_the_program_writes_nothing_is_read(descriptor: int) -> None:
    said = refusal(lambda: read_descriptor(descriptor))
    assert "is where this program writes: give another number, as 3 with 3<FILE" in said
    os.fstat(descriptor)


def test_standard_input_is_read_and_empty_afterwards() -> None:
    kept, given = os.dup(0), piped(f"{PASSWORD}\n")
    os.dup2(given, 0)
    os.close(given)
    try:
        assert read_descriptor(0).text() == PASSWORD
        assert os.read(0, 1) == b""
        assert os.path.samestat(os.fstat(0), os.stat(os.devnull))
    finally:
        os.dup2(kept, 0)
        os.close(kept)
