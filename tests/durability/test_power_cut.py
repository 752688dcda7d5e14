"""P2: the power fails at any moment; what was promised to be on the disk is there, and nothing half.

The real journal, its sync thread's work done by `step`, on a disk that forgets like a real one: mapped and
written with calls, with rotations, snapshots and retired segments, over several lives.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from durability.cut_campaign import campaign

from engine.persistence.settings import Durability

STATES = 20_000


def judged(counts: Counter[str], states: int) -> None:
    """Enough happened that the promise could have been broken."""
    assert counts["states"] >= states, counts
    for durability in Durability:
        assert counts[f"states in {durability}"] >= states // 5, counts
    assert counts["states that lost something"] >= states // 20, counts
    assert counts["torn"] >= states // 20, counts
    assert counts["recoveries cut"] >= states // 50, counts
    assert counts["kills"] >= states // 20, counts
    assert counts["retired"] >= states // 100, counts
    assert counts["saved"] >= states // 100, counts
    assert counts["starts that had cut something"] >= states // 1_000, counts


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.nightly) for part in (1, 2, 3))])
def test_a_power_cut_leaves_a_prefix_that_has_all_that_was_promised(part: int) -> None:
    counts = campaign(range(6 * part, 6 * part + 6), actions=60)
    judged(counts, STATES // 4)


@pytest.mark.nightly
def test_a_hundred_thousand_cuts() -> None:
    start = random.SystemRandom().randrange(1 << 30)
    counts: Counter[str] = Counter()
    while counts["states"] < 5 * STATES:
        counts += campaign(range(start, start + 8), actions=60)
        start += 8
    judged(counts, 5 * STATES)
