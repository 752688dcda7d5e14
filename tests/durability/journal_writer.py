"""A process that writes a journal until it is killed: `python journal_writer.py FOLDER MODE [PACE]`.

It goes on where the last one ended, and says on its standard output, a number a line, up to which record it
was told that its records are safe. Batch n has `batch_of(n)`, so what is found can be told from its content.
With PACE it waits for a byte on its standard input before every so many batches.
"""

from __future__ import annotations

import os
import sys
import threading

from engine.persistence.directory import JournalDirectory
from engine.persistence.format import LEAST_SEGMENT
from engine.persistence.journal import Journal
from engine.persistence.recovery import recover
from engine.persistence.settings import Durability

_MOST_WAITING = 300
_PATIENCE_S = 60.0


def batch_of(number: int) -> list[tuple[int, bytes]]:
    """One to three records; each names its batch, its place and how many there are."""
    count = number % 3 + 1
    return [
        (14, b"%d %d %d " % (number, place, count) + b"x" * (number * 37 % 200)) for place in range(count)
    ]


def main() -> int:
    path, mode, *pace = sys.argv[1:]
    directory = JournalDirectory.open(path)
    result = recover(directory)
    number = 0
    for record in result.records():
        if record.kind == 14:
            number = int(record.payload.split()[0])
    news = threading.Event()
    journal = Journal(
        directory,
        result.continuation,
        durability=Durability(mode),
        segment_bytes=LEAST_SEGMENT,
        sync_interval_ns=5_000_000,
        on_acked=lambda seq: news.set(),
        on_failed=lambda error: os._exit(error.exit_code),
    )
    journal.start()
    told = 0
    while True:
        if pace and number % int(pace[0]) == 0 and not os.read(0, 1):
            return 0
        number += 1
        last = journal.append_batch(batch_of(number))
        if (acked := journal.acked_seq) > told:
            told = acked
            os.write(1, b"%d\n" % acked)
        while last - journal.acked_seq > _MOST_WAITING:
            if not news.wait(_PATIENCE_S):
                return 1
            news.clear()


if __name__ == "__main__":
    sys.exit(main())
