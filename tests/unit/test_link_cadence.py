"""The cadence: as often as asked, never making up for lost beats, never ended by a beat that fails."""

from __future__ import annotations

import asyncio

from link_kit import in_virtual_time, virtual_loop

from engine.link.cadence import Cadence


@in_virtual_time
async def test_it_beats_as_often_as_asked_and_follows_a_change_at_once():
    loop, beats = asyncio.get_running_loop(), []
    cadence = Cadence(loop, lambda: beats.append(loop.time()))
    await asyncio.sleep(5)
    assert beats == []
    cadence.hz = 2.0
    await asyncio.sleep(2.1)
    assert [round(t - 5, 3) for t in beats] == [0.5, 1.0, 1.5, 2.0]
    cadence.hz = 20.0
    await asyncio.sleep(0.12)
    assert [round(t - 7.1, 3) for t in beats[4:]] == [0.05, 0.1]
    cadence.hz = 1.0
    await asyncio.sleep(1.9)
    assert len(beats) == 8, "the beat that was due comes, then one a second"
    cadence.hz = 0.0
    await asyncio.sleep(5)
    assert len(beats) == 8


@in_virtual_time
async def test_beats_that_were_missed_are_not_made_up_for():
    loop, beats = asyncio.get_running_loop(), []
    cadence = Cadence(loop, lambda: beats.append(loop.time()))
    cadence.hz = 10.0
    virtual_loop().pass_time(3.0)  # an event loop that was busy for so long
    await asyncio.sleep(0.95)
    assert len(beats) == 10
    cadence.hz = 0.0


@in_virtual_time
async def test_a_beat_that_fails_is_not_the_last_and_one_that_rests_is():
    failures = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: failures.append(context["exception"])
    )

    def fail() -> None:
        if len(failures) == 2:
            cadence.hz = 0.0
        raise ValueError("beat")

    cadence = Cadence(asyncio.get_running_loop(), fail)
    cadence.hz = 10.0
    await asyncio.sleep(1)
    assert [str(error) for error in failures] == ["beat"] * 3
