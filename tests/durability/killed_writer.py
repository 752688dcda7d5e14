"""A process that appends to a journal as fast as it can and tells what is acknowledged until it is killed."""

from __future__ import annotations

import os
import struct
import sys
from random import Random

from engine.persistence.directory import JournalDirectory
from engine.persistence.journal import Journal
from engine.persistence.recovery import recover
from engine.persistence.settings import Durability

SEGMENT = 64 << 10
KIND = 14


def payload(number: int) -> bytes:
    """What every record of a batch says: its number, and as many bytes as follow from that."""
    return number.to_bytes(8, "little") + bytes([number & 0xFF]) * (number * 37 % 120)


def main(path: str, durability: str, seed: int) -> None:
    directory = JournalDirectory.open(path)
    log = recover(directory)
    journal = Journal(
        directory,
        log.continuation,
        durability=Durability(durability),
        segment_bytes=SEGMENT,
        sync_interval_ns=2_000_000,
        on_acked=lambda seq: None,
        on_failed=lambda error: os._exit(9),
    )
    journal.start()
    random, told = Random(seed), 0
    number = journal.last_seq
    while True:
        number += 1
        seq = journal.append_batch([(KIND, payload(number))] * random.randrange(1, 6))
        acked = journal.acked_seq
        if acked > told:
            os.write(1, struct.pack("<Q", acked))
            told = acked
        if durability in ("group", "every"):
            journal.wait_durable(seq, 30)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
