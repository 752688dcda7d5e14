"""The matching benchmark does the work it reports, and says what it left out. No timing is asserted."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest

from engine.commands.bench_matching import OwnBook, Print, bench_matching, workload
from engine.commands.bench_timing import Candidate, time_interleaved


def test_the_workload_has_the_stated_mix_and_repeats_with_its_seed() -> None:
    load = workload(seed=3, count=20_000)
    cancels = sum(side is None for _, side, _, _ in load.operations)
    trading = sum(side is not None and abs(price - 100_000) == 1_000 for _, side, _, price in load.operations)
    assert len(load.operations) == 20_000
    assert cancels / 20_000 == pytest.approx(0.35, abs=0.01)
    assert trading / 20_000 == pytest.approx(0.10, abs=0.01)
    assert load == workload(seed=3, count=20_000)
    assert load != workload(seed=4, count=20_000)


def test_every_operation_of_the_workload_does_something() -> None:
    load = workload(seed=3, count=2_000)
    own = OwnBook()
    own.run(load.opening)
    assert own.book.order_count == len(load.opening)
    for operation in load.operations:
        before = own.book.sequence()
        own.run([operation])
        assert own.book.sequence() > before
    assert own.tape()
    own.check()


def test_results_tell_what_was_verified() -> None:
    own, tracked, *peers = bench_matching(count=1_000, chunks=4)
    assert own.name == "matching, order book"
    assert tracked.name == "matching, order book, levels tracked"
    assert tracked.count == own.count
    assert own.count == 750
    assert 0 < own.low <= own.median <= own.high
    assert re.fullmatch(r"same tape of \d+ trades", own.note)
    for peer in (tracked, *peers):
        assert ("times the cost of ours" in peer.note) is (peer.count > 0)


def test_absent_peers_are_skipped_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightmatchingengine", "lightmatchingengine.lightmatchingengine", "pyorderbook"):
        monkeypatch.setitem(sys.modules, name, None)
    results = bench_matching(count=400, chunks=4)
    assert [result.count > 0 for result in results] == [True, True, False, False]
    assert all("is not installed" in result.note for result in results[2:])


@pytest.mark.parametrize("spoil", [lambda tape: tape[::-1], lambda tape: [(p + 1, s) for p, s in tape]])
def test_another_tape_of_the_same_amount_is_noticed(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[list[Print]], list[Print]]
) -> None:
    honest = OwnBook.tape

    def tape(book: OwnBook) -> list[Print]:
        return honest(book) if book.name == "order book" else spoil(honest(book))

    monkeypatch.setattr(OwnBook, "tape", tape)
    with pytest.raises(AssertionError, match="levels tracked printed another tape than order book"):
        bench_matching(count=400, chunks=4)


def test_candidates_take_turns_and_the_warm_up_does_not_count() -> None:
    ran: list[str] = []
    candidates: list[Candidate[str]] = [
        Candidate("a", lambda chunk: ran.append("a" + chunk)),
        Candidate("b", lambda chunk: ran.append("b" + chunk)),
    ]
    timings = time_interleaved(candidates, ["1", "2", "3"], len, warm_up=1)
    assert ran == ["a1", "b1", "b2", "a2", "a3", "b3"]
    assert [len(timing.cpu_ns) for timing in timings] == [2, 2]
    assert {timing.operations for timing in timings} == {2}
