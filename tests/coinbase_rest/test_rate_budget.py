"""The rate budget on a clock of the test: limits kept, cancels never starved, refusals honoured."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clock import ManualClock
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE
from engine.exchange.coinbase.rest.rate_budget import LIMITS, Bucket, Limit, Limits, Purpose, RateBudget

S = 10**9
SMALL = Limits(Limit(2, 2), Limit(4, 5), Limit(1, 2), Limit(1, 1))


class Bench:
    """A budget whose sleeping moves the clock."""

    def __init__(self, limits: Limits = SMALL) -> None:
        self.clock = ManualClock(wall_ns=1_800_000_000 * S)
        self.slept: list[float] = []
        self.budget = RateBudget(limits, self.clock, Random(1), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(round(seconds * S))

    async def at_once(self, purpose: Purpose) -> int:
        """How many leaves there are now."""
        given_ = 0
        while await self.budget.try_take(purpose, 0.0) is None:
            given_ += 1
        return given_


@pytest.mark.parametrize(
    ("api", "purpose", "burst"),
    [
        (ADVANCED, Purpose.PUBLIC, 10),
        (ADVANCED, Purpose.ORDER, 24),
        (ADVANCED, Purpose.FILLS, 24),
        (ADVANCED, Purpose.CANCEL, 30),
        (EXCHANGE, Purpose.PUBLIC, 15),
        (EXCHANGE, Purpose.ORDER, 20),
        (EXCHANGE, Purpose.FILLS, 20),
        (EXCHANGE, Purpose.CANCEL, 30),
    ],
)
async def test_a_burst_is_what_the_venue_allows(api: str, purpose: Purpose, burst: int) -> None:
    bench = Bench(LIMITS[api])
    assert await bench.at_once(purpose) == burst
    bench.clock.advance(60 * S)
    assert await bench.at_once(purpose) == burst


async def test_orders_and_questions_never_take_what_is_kept_for_cancels() -> None:
    bench = Bench(LIMITS[ADVANCED])
    for _ in range(300):
        await bench.budget.try_take(Purpose.ORDER, 0.0)
        await bench.budget.try_take(Purpose.PRIVATE, 0.0)
    assert await bench.at_once(Purpose.CANCEL) == 6
    for _ in range(20):
        bench.clock.advance(S // 6)
        assert await bench.budget.try_take(Purpose.ORDER, 0.0) is None
        while await bench.budget.try_take(Purpose.ORDER, 0.0) is None:
            pass
        assert await bench.budget.try_take(Purpose.CANCEL, 0.001) is None


async def test_whoever_waits_is_served_in_turn_at_the_venues_pace() -> None:
    bench = Bench()
    assert await bench.at_once(Purpose.PRIVATE) == 3
    await bench.budget.take(Purpose.PRIVATE)
    await bench.budget.take(Purpose.PRIVATE)
    assert bench.slept == pytest.approx([1 / 3, 1 / 3], abs=1e-6)


async def test_a_wait_that_is_too_long_takes_nothing() -> None:
    bench = Bench()
    await bench.at_once(Purpose.ORDER)
    for _ in range(5):
        assert await bench.budget.try_take(Purpose.ORDER, 0.2) == pytest.approx(1 / 3, abs=1e-6)
    assert bench.slept == []
    assert await bench.budget.try_take(Purpose.ORDER, 0.4) is None
    assert len(bench.slept) == 1


async def test_a_task_that_is_cancelled_while_it_waits_gives_its_turn_back() -> None:
    clock = ManualClock()
    entered, never = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        entered.set()
        await never.wait()

    budget = RateBudget(SMALL, clock, Random(1), sleep=sleep)
    while await budget.try_take(Purpose.ORDER, 0.0) is None:
        pass
    before = await budget.try_take(Purpose.ORDER, 0.0)
    task = asyncio.create_task(budget.take(Purpose.ORDER))
    await entered.wait()
    behind = await budget.try_take(Purpose.ORDER, 0.0)
    assert before is not None
    assert behind is not None
    assert behind > before
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await budget.try_take(Purpose.ORDER, 0.0) == before


async def test_a_refusal_with_a_time_is_honoured_and_cancels_try_each_second() -> None:
    bench = Bench()
    wait_s = bench.budget.answered(Purpose.ORDER, 429, {"Retry-After": "7"})
    assert wait_s is not None
    assert 7.0 <= wait_s <= 8.0
    assert await bench.budget.try_take(Purpose.ORDER, 1.0) == pytest.approx(wait_s, abs=1e-6)
    assert await bench.budget.try_take(Purpose.PUBLIC, 0.0) is None
    assert await bench.budget.try_take(Purpose.CANCEL, 0.5) == pytest.approx(1.0)
    assert await bench.budget.try_take(Purpose.CANCEL, 1.0) is None
    assert bench.slept == [1.0]
    bench.clock.advance(int(7.1 * S))
    assert await bench.budget.try_take(Purpose.ORDER, 0.0) is None


async def test_refusals_without_a_time_back_off_with_full_jitter_up_to_a_cap() -> None:
    bench = Bench()
    waits = [bench.budget.answered(Purpose.ORDER, 429, {}) or 0.0 for _ in range(200)]
    ceilings = [min(30.0, 2.0**step) for step in range(200)]
    assert all(0 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))
    assert max(waits[10:]) > 25
    assert min(waits[10:]) < 5
    assert bench.budget.answered(Purpose.ORDER, 200, {}) is None
    again = bench.budget.answered(Purpose.ORDER, 429, {})
    assert again is not None
    assert again <= 1.0


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3"}, 3.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000004"}, 4.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000004000"}, 4.0),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "3"}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000000"}, None),
    ],
)
async def test_what_the_headers_say_of_an_empty_budget(headers: dict[str, str], wait_s: float | None) -> None:
    bench = Bench()
    assert bench.budget.answered(Purpose.ORDER, 200, headers) is None
    told = await bench.budget.try_take(Purpose.ORDER, 0.0)
    assert told == (None if wait_s is None else pytest.approx(wait_s))


@pytest.mark.parametrize(
    "text", ["-5", "1e9", "NaN", "inf", "", "٣", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 30, "1.2.3"]
)
async def test_a_retry_after_that_is_no_number_counts_as_none(text: str) -> None:
    wait_s = Bench().budget.answered(Purpose.ORDER, 429, {"Retry-After": text})
    assert wait_s is not None
    assert wait_s <= 1.0


async def test_no_header_stops_us_for_longer_than_ten_minutes() -> None:
    wait_s = Bench().budget.answered(Purpose.ORDER, 429, {"Retry-After": "86400"})
    assert wait_s is not None
    assert wait_s <= 601.0


@given(
    per_second=st.integers(1, 50),
    burst=st.integers(1, 60),
    steps=st.lists(st.integers(0, 3 * S // 2), min_size=1, max_size=60),
)
def test_no_second_ever_has_more_than_the_burst_and_the_rate(
    per_second: int, burst: int, steps: list[int]
) -> None:
    bucket, now_ns, taken = Bucket(Limit(per_second, burst)), 0, []
    for step in steps:
        now_ns += step
        while bucket.wait_ns(now_ns) == 0:
            bucket.take(now_ns)
            taken.append(now_ns)
    for start in taken:
        window = [at for at in taken if start <= at < start + S]
        # The interval between two tokens is rounded down to nanoseconds.
        assert len(window) <= burst + per_second
