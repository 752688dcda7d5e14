"""Where a journal goes on: what recovery hands to the writer."""

from __future__ import annotations

from dataclasses import dataclass

from engine.persistence.format import SegmentHeader
from engine.persistence.records import LogCut


@dataclass(frozen=True, slots=True)
class Chain:
    """What a new segment's header says of the segment before it, which is sealed."""

    index: int
    """Of the segment before."""
    salt: int
    seal_crc: int
    """The crc field of its SEAL."""


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """A last segment that ended cleanly and is appended to."""

    name: str
    header: SegmentHeader
    end: int
    """Offset of the first free byte."""
    records: int
    """In it so far."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """The next record's number and where it goes: into the open segment, else into a new one behind `chain`.

    Everything before `next_seq` is on the disk. `cut` is to be the first record written.
    """

    next_seq: int = 1
    segment: OpenSegment | None = None
    chain: Chain | None = None
    """None where there is no segment yet, or where `segment` goes on."""
    last_crc: int = 0
    """The crc field of record `next_seq - 1`; 0 before any."""
    cut: LogCut | None = None
