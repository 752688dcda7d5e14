"""The pacer: engine time follows real time at the speed asked for, and never sleeps at full speed."""

from __future__ import annotations

import asyncio

import pytest

from engine.core.clock import ManualClock, SystemClock
from engine.runtime.pacer import Pacer

S = 1_000_000_000


async def test_full_speed_never_waits_and_lets_others_run():
    real = ManualClock()
    pacer = Pacer(real, None)
    ran = asyncio.Event()
    asyncio.get_running_loop().call_soon(ran.set)
    real.advance(S)
    await pacer.until(10_000 * S, asyncio.Event())
    assert ran.is_set(), "the event loop was not served"


async def test_a_moment_that_has_passed_does_not_wait():
    real = ManualClock()
    pacer = Pacer(real, 2.0)
    real.advance(S)
    async with asyncio.timeout(5):
        await pacer.until(2 * S, asyncio.Event())


async def test_an_interrupt_ends_the_waiting():
    interrupt = asyncio.Event()
    pacer = Pacer(SystemClock(), 1.0)
    asyncio.get_running_loop().call_soon(interrupt.set)
    async with asyncio.timeout(5):
        await pacer.until(3_600 * S, interrupt)
    assert interrupt.is_set()


async def test_speed_divides_the_waiting():
    real = SystemClock()
    pacer = Pacer(real, 1_000.0)
    begin = real.monotonic_ns()
    async with asyncio.timeout(30):
        await pacer.until(10 * S, asyncio.Event())
    assert real.monotonic_ns() - begin >= 10 * S // 1_000


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_engine_time_and_lateness_follow_the_real_clock_at_the_speed(speed: float) -> None:
    real = ManualClock(7 * S)
    pacer = Pacer(real, speed, 100 * S)
    assert pacer.now_ns() == 100 * S
    real.advance(2 * S)
    assert pacer.now_ns() == 100 * S + int(2 * speed * S)
    assert pacer.late_ns(100 * S) == 2 * S
    assert pacer.late_ns(100 * S + int(3 * speed * S)) == -S


def test_full_speed_has_no_present_and_no_lateness() -> None:
    pacer = Pacer(ManualClock(), None)
    assert pacer.now_ns() is None
    assert pacer.late_ns(5) is None
