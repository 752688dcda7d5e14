"""`journal diff`: the first record in which two journals differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.commands.journal_items import Item, Parts, item_of, payloads
from engine.commands.journal_objects import Objects
from engine.commands.journal_source import Source, source
from engine.commands.journal_words import Words
from engine.core.events import Event
from engine.persistence.format import RecordType
from engine.persistence.records import ArchiveDeleted, LogCut, SessionStarted

EXIT_DIFFERENT: Final = 1
_OF_THE_DISK: Final = frozenset({RecordType.SNAPSHOT_REF, RecordType.SEAL, RecordType.MD_CHECKPOINT})
_MIXED: Final = frozenset({RecordType.SESSION, RecordType.RECOVERED, RecordType.CONFIG_CHANGE})
_NOTES: Final = (SessionStarted, LogCut, ArchiveDeleted)
"""What these say is of the process and of the disk: two equal sessions differ in it."""


def diff(a: str, b: str, data_dir: Path, *, with_times: bool) -> dict[str, Any]:
    """Compare what went into the Traders and what came out of them.

    Wall clocks are compared only `with_times`; what is of the process, of its files and of its saved states
    never is, nor are the numbers of records, which such notes shift.
    """
    one, other = source(a, data_dir), source(b, data_dir)
    counts = [0, 0]
    equal = 0
    difference: dict[str, Any] | None = None
    for left, right in zip_longest(_compared(one), _compared(other)):
        counts[0] += left is not None
        counts[1] += right is not None
        if difference is None:
            if _is_equal(left, right, with_times):
                equal += 1
            else:
                difference = {"a": _told(left, one), "b": _told(right, other)}
    return {
        "v": 1,
        "a": str(one.folder),
        "b": str(other.folder),
        "records_equal": equal,
        "records_a": counts[0],
        "records_b": counts[1],
        "first_difference": difference,
        "exit_code": 0 if difference is None else EXIT_DIFFERENT,
    }


def _compared(journal: Source) -> Iterator[Parts]:
    for parts in payloads(journal.reader()):
        kind = parts[-1].kind
        if kind in _OF_THE_DISK:
            continue
        if kind not in _MIXED or not isinstance(item_of(parts).value, _NOTES):
            yield parts


def _is_equal(left: Parts | None, right: Parts | None, with_times: bool) -> bool:
    if left is None or right is None:
        return False
    if with_times and left[-1].ts_ns != right[-1].ts_ns:
        return False
    if _payload(left) == _payload(right):
        return left[-1].kind == right[-1].kind
    return not with_times and _timeless(item_of(left)) == _timeless(item_of(right))


def _payload(parts: Parts) -> bytes:
    return parts[0].payload if len(parts) == 1 else b"".join(part.payload for part in parts)


def _timeless(item: Item) -> object:
    value = item.value
    return msgspec.structs.replace(value, wall_ns=0) if isinstance(value, Event) else value


def _told(parts: Parts | None, journal: Source) -> dict[str, Any] | None:
    if parts is None:
        return None
    item = item_of(parts)
    return Objects(journal.instruments).object(item) | {"text": Words(journal.instruments).line(item)}


def diff_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    equal = f"{answer['records_equal']:,} records are equal"
    found = answer["first_difference"]
    if found is None:
        return f"{equal}, and there are no others"
    return "\n".join(
        [
            f"{equal}, then they differ",
            *(f"  {side.upper()} {_side(found[side])}" for side in ("a", "b")),
            f"A, {answer['a']}, has {answer['records_a']:,} records that count; "
            f"B, {answer['b']}, {answer['records_b']:,}",
        ]
    )


def _side(told: Mapping[str, Any] | None) -> str:
    return "has ended" if told is None else str(told["text"])
