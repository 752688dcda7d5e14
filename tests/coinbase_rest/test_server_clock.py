"""The venue's clock: the quickest answer counts, and a wall clock that is set meanwhile does not matter."""

from __future__ import annotations

import pytest

from engine.core.clock import ManualClock
from engine.exchange.coinbase.broker import BrokerError
from engine.exchange.coinbase.rest.server_clock import WARN_NS, ServerClock

MS = 1_000_000


class Venue:
    """Answers with its own time in the middle of trips of given lengths (None: no answer)."""

    def __init__(self, clock: ManualClock, offset_ns: int, *trips_ms: int | None) -> None:
        self.clock, self.offset_ns, self.trips = clock, offset_ns, list(trips_ms)
        self.skew_ns = 0
        """How much later than in the middle the venue reads its clock."""
        self.asked = 0

    async def __call__(self) -> int:
        self.asked += 1
        trip = self.trips.pop(0)
        if trip is None:
            raise BrokerError("TIMEOUT", "no answer")
        self.clock.advance(trip * MS // 2)
        told = self.clock.wall_ns() + self.offset_ns + self.skew_ns
        self.clock.advance(trip * MS // 2)
        return told


async def test_nothing_is_known_before_the_first_measurement() -> None:
    clock = ManualClock(wall_ns=5)
    server = ServerClock(clock)
    assert (server.offset_ns, server.age_ns, server.warning, server.wall_ns()) == (None, None, None, 5)


@pytest.mark.parametrize("offset_ms", [0, 1, -16, 250, 3_600_000, -3_600_000])
async def test_the_offset_is_servers_time_minus_ours(offset_ms: int) -> None:
    clock = ManualClock(wall_ns=10**18)
    server = ServerClock(clock)
    assert await server.measure(Venue(clock, offset_ms * MS, 40, 20, 60)) == offset_ms * MS
    assert server.offset_ns == offset_ms * MS
    assert server.uncertainty_ns == 10 * MS
    assert server.wall_ns() == clock.wall_ns() + offset_ms * MS
    clock.advance(7 * MS)
    assert server.age_ns == 7 * MS


async def test_the_quickest_sample_counts() -> None:
    clock = ManualClock(wall_ns=10**18)
    venue = Venue(clock, 0, 400, 10, 300)

    async def ask() -> int:
        venue.skew_ns = 0 if venue.asked == 1 else 90 * MS
        return await venue()

    server = ServerClock(clock)
    assert await server.measure(ask) == 0
    assert venue.asked == 3


async def test_samples_that_fail_are_left_out_and_all_of_them_together_raise() -> None:
    clock = ManualClock(wall_ns=10**18)
    server = ServerClock(clock)
    assert await server.measure(Venue(clock, 5 * MS, None, 10, None)) == 5 * MS
    with pytest.raises(BrokerError, match="no answer"):
        await server.measure(Venue(clock, 9 * MS, None, None, None))
    assert server.offset_ns == 5 * MS


async def test_a_wall_clock_that_is_set_during_the_question_does_not_count() -> None:
    clock = ManualClock(wall_ns=10**18)

    async def ask() -> int:
        told = clock.wall_ns() + 3 * MS
        clock.realign(clock.wall_ns() + 10**12)
        return told

    server = ServerClock(clock)
    await server.measure(ask)
    assert server.offset_ns is not None
    # The last sample began when the clock was set already.
    assert abs(server.offset_ns - 3 * MS) < MS


@pytest.mark.parametrize(
    ("offset_ns", "word"), [(WARN_NS, None), (WARN_NS + 1, "behind"), (-WARN_NS - 1, "ahead of")]
)
async def test_a_clock_that_is_off_by_more_than_250_ms_is_worth_a_word(
    offset_ns: int, word: str | None
) -> None:
    clock = ManualClock(wall_ns=10**18)
    server = ServerClock(clock)
    await server.measure(Venue(clock, offset_ns, 0, 0, 0))
    assert (word is None) == (server.warning is None)
    assert word is None or word in str(server.warning)
