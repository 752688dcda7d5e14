"""Damages a journal's files and tells, without the engine, what recovery has to make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final

from durability.recovery_kit import Files, History, found_in, recovered, written_journal

from engine.persistence.errors import DamageError

HEADER_FIELDS: Final = 96
PAGE: Final = 4096
REFUSED: Final = None
"""What `expected_end` says where recovery must start nothing."""


def expected_end(history: History, name: str, image: bytes) -> int | None:
    """The record that recovery must end with when the file `name` reads `image`, else `REFUSED`.

    A record that was damaged ends the journal, unless a later one tells that it was on the disk before.
    """
    old, segments = history.files[name], history.segments
    if image[:HEADER_FIELDS] != old[:HEADER_FIELDS]:
        return REFUSED
    segment = next(segment for segment in segments if segment.name == name)
    intact = {
        record.seq
        for record in segment.records
        if image[record.offset : record.end] == old[record.offset : record.end]
    }
    end = segment.records[-1].end
    if segment.is_sealed and any(image[end:]):
        return REFUSED
    damaged = [record.seq for record in segment.records if record.seq not in intact]
    if not damaged:
        return history.last_seq
    last = history.batch_before(damaged[0])
    if segment is not segments[-1]:
        return REFUSED
    watermark = max((history.durable_at[seq] for seq in intact if seq > last), default=0)
    return REFUSED if watermark > last else last


def outcome(history: History, files: Files) -> int | None:
    """The record that recovery ends with, `REFUSED` for damage that it names. All before it is as it was."""
    try:
        result = recovered(files)
    except DamageError:
        return REFUSED
    last = result.last_seq
    if result.continuation.cut is not None:
        last -= 1  # the SEAL that it closed the file with
    assert found_in(result) == history.upto(last), "no prefix"
    return last


def flip_campaign(seed: int, flips: int, *, each_journal: int = 500) -> Counter[str]:
    """Flip single bits of journals with real syncs, and compare what recovery says with what it must say."""
    rng, counts = Random(seed), Counter[str]()
    for number in range(-(-flips // each_journal)):
        mode = ("group", "interval", "every", "none")[number % 4]
        is_long = number % 5 == 2
        history = written_journal(rng, 900 if is_long else rng.choice((6, 25, 60)), mode)
        counts["segments"] += len(history.segments)
        for name, at, bit in _places(rng, history, each_journal):
            check_flip(history, name, at, bit, counts)
    return counts


def check_flip(history: History, name: str, at: int, bit: int, counts: Counter[str]) -> None:
    """One flip, its expected outcome, and the promise itself: what an earlier sync covered is never lost in
    silence."""
    image = bytearray(history.files[name])
    image[at] ^= 1 << bit
    expected = expected_end(history, name, bytes(image))
    got = outcome(history, history.files | {name: bytes(image)})
    where = f"bit {bit} of byte {at} of {name}"
    assert got == expected, f"{where}: ended with {got} where it must be {expected}"
    counts["flips"] += 1
    if got is REFUSED:
        counts["refused"] += 1
        return
    counts["whole" if got == history.last_seq else "cut"] += 1
    synced = history.durable_at[history.last_seq]
    assert got >= synced, f"{where}: {synced} was on the disk before the last batch, {got} is left"


def _places(rng: Random, history: History, count: int) -> Iterator[tuple[str, int, int]]:
    """Files, offsets and bits: most in records, more in the last file, some in headers and behind the end."""
    segments = history.segments
    for _ in range(count):
        segment = segments[-1] if rng.random() < 0.7 else rng.choice(segments)
        drawn = rng.random()
        if drawn < 0.04:
            at = rng.randrange(PAGE)
        elif drawn < 0.08:
            at = rng.randrange(min(segment.records[-1].end, segment.size - 1), segment.size)
        else:
            at = rng.randrange(PAGE, segment.records[-1].end)
        yield segment.name, at, rng.randrange(8)
