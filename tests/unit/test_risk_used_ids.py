"""Every id that was used is known for good, and no other is."""

from __future__ import annotations

import random

import msgspec
import pytest

from engine.core.client_ids import ClientIds
from engine.risk.used_ids import UsedIds, UsedIdsState


@pytest.mark.parametrize("seed", range(3))
def test_it_is_a_set(seed: int) -> None:
    source, ids = random.Random(seed), ClientIds(seed)
    pool = [ids.next() for _ in range(9_000)] + [
        "",
        "a",
        "abc",
        "ABC",
        "+1f",
        " 1f",
        "1_f",
        "x",
        "1é2",
        "xyzw",
    ]
    used, known = UsedIds(), set[str]()
    for _ in range(4_000):
        client_id = source.choice(pool)
        assert (client_id in used) == (client_id in known)
        used.add(client_id)
        known.add(client_id)
    assert {each for each in pool if each in used} == known


def test_it_is_saved_whole_and_small() -> None:
    ids, used = ClientIds(1), UsedIds()
    told = [ids.next() for _ in range(100_000)]
    for client_id in told:
        used.add(client_id)
    encoded = msgspec.msgpack.encode(used.save())
    assert len(encoded) < 20_000
    again = UsedIds()
    again.load(msgspec.msgpack.decode(encoded, type=UsedIdsState))
    assert all(client_id in again for client_id in told)
    assert ids.next() not in again
