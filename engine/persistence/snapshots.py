"""Snapshots: a whole state in one file, there whole or not at all, and the choice of the newest.

The file is a header of 72 bytes, the body, and SHA-256 over both. Its name is the number of the record
that the state stands behind: order comes from numbers, never from clocks.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import Disk
from engine.persistence.errors import DamageError
from engine.persistence.segments import read_file

MAGIC: Final = b"PNCLSNP1"
MAJOR: Final = 1
MINOR: Final = 0
MESSAGE_PACK: Final = 2
LEAST_KEPT: Final = 2
_HEADER: Final = struct.Struct("<8sHHIQQ16sIIQII")
_DIGEST: Final = 32
_NAME: Final = re.compile(r"snap-\d{20}\.psn")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state that was read back and is what was written."""

    name: str
    seq: int
    """The state is that right after this record."""
    ts_ns: int
    record_crc: int
    """The crc field of record `seq`."""
    body: bytes


def snapshot_name(seq: int) -> str:
    """The file of the state after a record."""
    return f"snap-{seq:020}.psn"


def snapshot_names(folder: str, disk: Disk) -> list[str]:
    """The names of snapshots in a folder, oldest first."""
    return [name for name in disk.listdir(folder) if _NAME.fullmatch(name)]


def seq_of(name: str) -> int:
    """The record that a snapshot's name speaks of."""
    return int(name[5:25])


def write(
    directory: JournalDirectory, *, seq: int, ts_ns: int, body: bytes, record_crc: int, crc_kind: int
) -> str:
    """Write a snapshot and put it on the disk; its name. Everything up to record `seq` must be there before.

    Raises `OSError`. Blocks; meant for a thread.
    """
    header = _HEADER.pack(
        MAGIC,
        MAJOR,
        MINOR,
        _HEADER.size,
        seq,
        ts_ns,
        directory.uuid,
        record_crc,
        crc_kind,
        len(body),
        MESSAGE_PACK,
        0,
    )
    digest = hashlib.sha256(header)
    digest.update(body)
    name = snapshot_name(seq)
    directory.disk.write_whole(directory.path, name, header + body + digest.digest())
    return name


def load(folder: str, name: str, disk: Disk, uuid: bytes) -> Snapshot:
    """A snapshot. `DamageError` when it is damaged, another journal's, or another version's."""
    path = f"{folder}/{name}"
    data = read_file(path, disk)
    if len(data) < _HEADER.size + _DIGEST or data[:8] != MAGIC:
        raise DamageError(f"{path} is no snapshot, or was cut off")
    (_, major, _, length, seq, ts_ns, owner, record_crc, _, body_length, encoding, _) = _HEADER.unpack_from(
        data
    )
    if major != MAJOR or encoding != MESSAGE_PACK:
        raise DamageError(f"{path} was written by a newer version; use that version")
    if length != _HEADER.size or len(data) != length + body_length + _DIGEST:
        raise DamageError(f"{path} has {len(data)} bytes, not as many as it says")
    if hashlib.sha256(memoryview(data)[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise DamageError(f"{path} does not match its digest")
    if owner != uuid:
        raise DamageError(f"{path} belongs to another journal ({owner.hex()})")
    if seq != seq_of(name):
        raise DamageError(f"{path} is the state after record {seq}, not what its name says")
    return Snapshot(name, seq, ts_ns, record_crc, data[length:-_DIGEST])


def newest_first(folder: str, disk: Disk, uuid: bytes, warnings: list[str]) -> Iterator[Snapshot]:
    """The sound snapshots, newest first; each one that is passed over is put into `warnings`."""
    for name in reversed(snapshot_names(folder, disk)):
        try:
            yield load(folder, name, disk, uuid)
        except DamageError as error:
            warnings.append(f"{error}; an older state was taken")
