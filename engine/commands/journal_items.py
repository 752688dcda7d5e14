"""A journal's records one by one, each with what it means: also end marks and what only others know."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from engine.core.errors import UsageError
from engine.persistence.errors import DamageError
from engine.persistence.format import MORE, SKIPPABLE, RecordType
from engine.persistence.reader import JournalReader
from engine.persistence.records import Recorded, decode
from engine.persistence.scanner import Record


class SegmentEnd(msgspec.Struct, frozen=True):
    """The end mark of a file of the journal."""

    records: int
    """Before it in the file."""


class Unknown(msgspec.Struct, frozen=True):
    """Something that a newer version writes and an older one may leave out."""

    payload_bytes: int


class Item(NamedTuple):
    """A record; one that is split over several has the number and the time of the last of them."""

    seq: int
    ts_ns: int
    kind: int
    value: Recorded | SegmentEnd | Unknown


Parts = list[Record]
"""The records that carry one payload, nearly always one."""

KINDS: Final = {kind.name.lower(): kind for kind in RecordType}
_NAMES: Final = {int(kind): name for name, kind in KINDS.items()}


def kind_name(kind: int) -> str:
    """The word of a record's type; its number for one that this version does not know."""
    return _NAMES.get(kind) or f"type_{kind:#06x}"


def kind_of(name: str) -> RecordType:
    """The type with that word. Raises `UsageError` naming those there are."""
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, 1, 0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"--type {name}: {hint}there are {', '.join(KINDS)}")
    return KINDS[name]


def parts_of(records: Iterable[Record]) -> Iterator[Parts]:
    """Records by payload. What is cut off before its last part is left out."""
    parts: Parts = []
    for record in records:
        parts.append(record)
        if not record.flags & MORE:
            yield parts
            parts = []


def item_of(parts: Parts) -> Item:
    """What a payload means. `DamageError` for what this version cannot read."""
    last = parts[-1]
    payload = last.payload if len(parts) == 1 else b"".join(part.payload for part in parts)
    value: Recorded | SegmentEnd | Unknown
    if last.kind == RecordType.SEAL:
        value = SegmentEnd(int.from_bytes(payload, "little"))
    elif last.kind in _NAMES:
        value = decode(payload, last.seq)
    elif last.kind & SKIPPABLE:
        value = Unknown(len(payload))
    else:
        raise DamageError(
            f"record {last.seq} has the unknown type {last.kind}: written by a newer version; use that "
            "version. Nothing was changed"
        )
    return Item(last.seq, last.ts_ns, last.kind, value)


def payloads(reader: JournalReader, from_seq: int = 1, to_seq: int | None = None) -> Iterator[Parts]:
    """What whole batches hold between two numbers, both included. Raises as `JournalReader.records`."""
    # From the file's first record on: what ends within the numbers may begin before them.
    for parts in parts_of(reader.records(reader.segment_start(from_seq), to_seq)):
        if parts[-1].seq >= from_seq:
            yield parts


def items(
    reader: JournalReader,
    from_seq: int = 1,
    to_seq: int | None = None,
    kinds: Collection[int] | None = None,
) -> Iterator[Item]:
    """The same with what they mean, of some types where they are named."""
    for parts in payloads(reader, from_seq, to_seq):
        if kinds is None or parts[-1].kind in kinds:
            yield item_of(parts)


def last_items(reader: JournalReader, count: int) -> list[Item]:
    """The last records of a journal, in order."""
    kept: deque[Parts] = deque(maxlen=count)
    if count:
        for segment in reversed(reader.segments()):
            kept.clear()
            kept.extend(payloads(reader, segment.header.first_seq))
            if len(kept) == count:
                break
    return [item_of(parts) for parts in kept]
