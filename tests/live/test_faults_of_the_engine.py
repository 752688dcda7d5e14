"""Every fault of the table against the whole engine: noticed, acted upon, got over; nothing left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from descriptors import left_open, open_descriptors
from fault_bench import START_WALL_NS, FaultBench
from fault_loop import FaultLoop
from live.fault_table import FAULTS, End, Fault, Meanwhile

from engine.core.clock import ManualClock
from engine.core.order import OrderState

START_WITHIN_S = 30.0
PULL_WITHIN_S = 0.5
"""From the notice until the venue has no order of ours."""
AGREE_WITHIN_S = 20.0
"""For two books, or two sets of orders, to be seen equal while both change."""
SETTLED_S = 1.0


async def endure(bench: FaultBench, fault: Fault) -> None:
    """One fault from beginning to end, with the assertions of section 11."""
    await bench.until(lambda: bench.is_quoting, START_WITHIN_S, "quoting before the fault")
    bench.begin_count()
    began = bench.now_s
    injected = fault.inject(bench)
    if injected is not None:
        await injected

    # 1: noticed within its bound
    await bench.until(lambda: fault.sign(bench), fault.within_s, f"{fault.id} noticed")
    noticed = bench.now_s

    # 2: quotes pulled, none sent
    if fault.meanwhile is Meanwhile.PULLED:
        await bench.until(lambda: bench.is_pulled, PULL_WITHIN_S, "quotes pulled")
    await bench.pass_s(max(0.0, noticed + fault.lasts_s - bench.now_s))
    sent = bench.submits_since(noticed)
    if fault.meanwhile in (Meanwhile.PULLED, Meanwhile.MUTE) and fault.lasts_s:
        assert not sent, f"{len(sent)} orders were sent meanwhile; {bench.words}"
    elif fault.meanwhile is Meanwhile.QUOTING:
        assert bench.is_live, bench.words
        assert bench.counted("reconnects") == bench.counted("gaps") == 0
    elif fault.meanwhile is Meanwhile.DOUBT:
        orders = bench.trader.orders.open_orders()
        doubted = {order.slot for order in orders if order.state is OrderState.UNCERTAIN}
        assert not [command for command in sent if command.slot in doubted], bench.words

    # 3: back to ACTIVE, or in the stated end state
    bench.heal()
    await bench.heal_ports()
    if fault.end is End.ACTIVE:
        await bench.until(lambda: bench.is_quoting, fault.end_within_s, f"quoting after {fault.id}")
    else:
        await bench.pass_s(SETTLED_S)
        assert bench.state.name == fault.end.name, bench.words
        assert bench.is_pulled, bench.words
    if fault.check is not None:
        assert fault.check(bench), bench.words

    # 4: our book is the venue's, and both know of the same orders, each of which exists once
    if fault.end is End.ACTIVE:
        await bench.until(lambda: bench.has_venues_book, AGREE_WITHIN_S, "the venue's book")
    await bench.until(lambda: bench.ours_agree, AGREE_WITHIN_S, "the venue's orders")
    await bench.until(lambda: bench.has_venues_fills, AGREE_WITHIN_S, "the venue's executions")
    ids = [order.client_order_id for order in bench.venue.core.orders() if order.client_order_id]
    assert len(ids) == len(set(ids))
    assert began < bench.now_s


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.nightly), pytest.param(3, marks=pytest.mark.nightly)]
)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=fault.id, marks=[pytest.mark.nightly] if fault.is_slow else [])
        for fault in FAULTS
    ],
)
def test_a_fault(fault: Fault, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(0, START_WALL_NS)

    async def play() -> None:
        async with FaultBench(clock, tmp_path, monkeypatch, seed=seed) as bench:
            await endure(bench, fault)
            outcome = await bench.end()
            assert outcome.exit_code == 0, (outcome, bench.words)
            assert bench.is_pulled
        # 5: no task is left
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    before = open_descriptors()
    with asyncio.Runner(loop_factory=lambda: FaultLoop(clock)) as runner:
        runner.run(play())
    # 5: nor is a descriptor
    assert not left_open(before)


def test_every_fault_of_the_list_has_a_row() -> None:
    # 4 and 46 meet the engine while it starts and ends: `test_faults_at_start_and_end`.
    assert {fault.number for fault in FAULTS} | {4, 46} == set(range(1, 47))
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
