"""Control R14: refusals that come in storms stop the orders, for as long as their kind asks for."""

from __future__ import annotations

import asyncio

import pytest
from virtual_time import LoopClock, run_virtual

from engine.core.events import EdgeStatus, Restraint
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.rejects import RejectStorms

POST_ONLY = "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"


class _Bench:
    def __init__(self) -> None:
        self.clock = LoopClock(asyncio.get_running_loop())
        self.outbox = Outbox("X-USD", self.clock, lambda: None)
        self.storms = RejectStorms(self.clock, self.outbox)

    def storm(self, *codes: str) -> None:
        for code in codes:
            self.storms.note(*code.split(": ")) if ": " in code else self.storms.note(code, "no")

    def told(self) -> list[tuple[Restraint, str]]:
        events = self.outbox.poll(1 << 62)
        return [(event.restraint, event.release) for event in events if isinstance(event, EdgeStatus)]


@pytest.mark.parametrize(
    ("count", "last_after_s", "is_storm"),
    [(4, 0, False), (5, 0, True), (6, 0, True), (5, 9.9, True), (5, 10.1, False)],
)
def test_five_refusals_within_ten_seconds_are_a_storm(
    count: int, last_after_s: float, is_storm: bool
) -> None:
    async def work() -> None:
        bench = _Bench()
        bench.storm(*["INVALID"] * (count - 1))
        await asyncio.sleep(last_after_s)
        bench.storm("INVALID")
        assert [restraint for restraint, _ in bench.told()] == [Restraint.HALTED] * is_storm
        await asyncio.sleep(61)

    run_virtual(work())


def test_a_storm_halts_for_a_minute_and_the_next_within_the_hour_for_good() -> None:
    async def work() -> None:
        bench = _Bench()
        bench.storm(*["INVALID"] * 5)
        assert bench.told() == [(Restraint.HALTED, "60 s have passed")]
        await asyncio.sleep(61)
        assert bench.told() == [(Restraint.NONE, "")]
        await asyncio.sleep(3_500)
        bench.storm(*["INVALID"] * 5)
        assert bench.told() == [(Restraint.LATCHED, "a person")]

    run_virtual(work())


def test_after_an_hour_of_calm_a_storm_is_the_first_again() -> None:
    async def work() -> None:
        bench = _Bench()
        bench.storm(*["INVALID"] * 5)
        await asyncio.sleep(3_601)
        bench.told()
        bench.storm(*["INVALID"] * 5)
        assert bench.told() == [(Restraint.HALTED, "60 s have passed")]
        await asyncio.sleep(61)

    run_virtual(work())


@pytest.mark.parametrize("code", [POST_ONLY, "PREVIEW_INSUFFICIENT_FUND", "FAILED: post only would cross"])
def test_what_passes_by_itself_is_held_twice_as_long_each_time_and_never_latched(code: str) -> None:
    async def work() -> None:
        bench = _Bench()
        holds = []
        for _ in range(10):
            bench.storm(*[code] * 5)
            [(restraint, release)] = bench.told()
            assert restraint is Restraint.HALTED
            holds.append(int(release.split()[0]))
            await asyncio.sleep(holds[-1] + 0.1)
            assert bench.told() == [(Restraint.NONE, "")]
        assert holds == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]

    run_virtual(work())


def test_one_of_another_kind_among_them_makes_it_grave() -> None:
    async def work() -> None:
        bench = _Bench()
        bench.storm(POST_ONLY, POST_ONLY, "INVALID", POST_ONLY, POST_ONLY)
        assert bench.told() == [(Restraint.HALTED, "60 s have passed")]
        await asyncio.sleep(61)

    run_virtual(work())
