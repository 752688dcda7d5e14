"""`journal dump` and `tail`: the records of a journal, one line each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from engine.commands.journal_items import Item, SegmentEnd, item_of, items, kind_of, last_items, parts_of
from engine.commands.journal_objects import Objects
from engine.commands.journal_source import Source, source
from engine.commands.journal_words import Words
from engine.core.errors import UsageError
from engine.persistence.directory import is_in_use
from engine.persistence.follower import Follower
from engine.persistence.reader import JournalReader
from engine.persistence.records import SessionEnded

LOOK_EVERY_S: Final = 0.1
"""How often a journal that is followed is looked at."""


def dump(
    wanted: str,
    data_dir: Path,
    *,
    from_seq: int = 1,
    to_seq: int | None = None,
    kind: str | None = None,
    product: str | None = None,
    as_json: bool,
) -> Iterator[str]:
    """The records between two numbers, both included, of one type and one product where named.

    Raises `UsageError` for an unknown type or product, and as `JournalReader.records`, after what was
    before it.
    """
    kinds = None if kind is None else (kind_of(kind),)
    journal = source(wanted, data_dir)
    if product is not None and journal.session is not None and product not in journal.instruments:
        raise UsageError(f"--product {product}: the session has {', '.join(journal.instruments)}")
    told = _teller(journal, as_json)
    for item in items(journal.reader(), from_seq, to_seq, kinds):
        if product is None or getattr(item.value, "product", None) == product:
            yield told(item)


class Tail:
    """The last records of a journal, and those that come."""

    def __init__(self, wanted: str, data_dir: Path, *, as_json: bool) -> None:
        """Raises as `source` and `read_meta` do."""
        journal = source(wanted, data_dir)
        self._reader = JournalReader(str(journal.folder))
        self._told = _teller(journal, as_json)
        self._seen = 0
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether the session has ended in order, so that nothing comes any more."""
        return self._is_over

    @property
    def is_written(self) -> bool:
        """Whether a process works on the journal."""
        return is_in_use(self._reader.path)

    def last(self, count: int) -> list[str]:
        """The last records there are now."""
        # Two at least: a file's end mark does not say whether the session has ended, what is before it does.
        found = last_items(self._reader, max(count, 2))
        self._note(found)
        return [self._told(item) for item in found[max(0, len(found) - count) :]]

    def follow(self, pause: Callable[[], None]) -> Iterator[list[str]]:
        """What comes behind it, until the session has ended; `pause` is called where there is nothing new."""
        with Follower(self._reader, self._seen) as follower:
            while not self._is_over:
                new = [item_of(parts) for parts in parts_of(follower.look())]
                self._note(new)
                if self._is_over and isinstance(new[-1].value, SegmentEnd):
                    new.pop()  # whether it came along is chance
                if new:
                    yield [self._told(item) for item in new]
                else:
                    pause()

    def _note(self, found: list[Item]) -> None:
        for item in found:
            self._seen = item.seq
            if not isinstance(item.value, SegmentEnd):
                self._is_over = isinstance(item.value, SessionEnded)


def _teller(journal: Source, as_json: bool) -> Callable[[Item], str]:
    if not as_json:
        return Words(journal.instruments).line
    objects, encode = Objects(journal.instruments), json.JSONEncoder().encode
    return lambda item: encode(objects.object(item))
