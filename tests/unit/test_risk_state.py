"""Trading states: latches move right only, holds release themselves, the strictest wins."""

from __future__ import annotations

import itertools

import pytest

from engine.core.errors import OrderError
from engine.risk.state import RiskState, TradingState

S = TradingState


def test_a_fresh_state_is_active_without_restrictions() -> None:
    state = RiskState()
    assert state.effective is S.ACTIVE
    assert state.restrictions() == ()


@pytest.mark.parametrize(("latch", "hold"), list(itertools.product(S, S)))
def test_the_effective_state_is_the_most_restrictive(latch: S, hold: S) -> None:
    state = RiskState()
    state.hold("A", hold, "", "", 1)
    state.latch(latch, "B", "", 2)
    assert state.effective is max(latch, hold)


def test_a_latch_moves_to_the_right_only() -> None:
    state = RiskState()
    state.latch(S.REDUCING, "FIRST", "", 1)
    assert state.effective is S.REDUCING
    state.latch(S.KILLED, "SECOND", "", 2)
    state.latch(S.HALTED, "THIRD", "", 3)
    state.latch(S.KILLED, "FOURTH", "", 4)
    assert state.effective is S.KILLED
    (latch,) = state.restrictions()
    assert (latch.code, latch.state, latch.since_ns) == ("SECOND", S.KILLED, 2)


def test_only_a_person_takes_a_latch_back_and_holds_stay() -> None:
    state = RiskState()
    state.latch(S.HALTED, "DRAWDOWN", "", 1)
    state.hold("VOLUME", S.REDUCING, "", "the next UTC day", 2)
    state.release("VOLUME")
    state.resume()
    assert state.effective is S.HALTED
    state.hold("VOLUME", S.REDUCING, "", "the next UTC day", 3)
    state.reset()
    assert state.effective is S.REDUCING
    with pytest.raises(OrderError, match="nothing is latched"):
        state.reset()


def test_a_hold_keeps_its_beginning_and_may_change() -> None:
    state = RiskState()
    state.hold("STALE", S.REDUCING, "2 s old", "3 s fresh", 10)
    state.hold("STALE", S.HALTED, "5 s old", "3 s fresh", 20)
    assert state.effective is S.HALTED
    state.hold("STALE", S.REDUCING, "2 s old", "3 s fresh", 30)
    (hold,) = state.restrictions()
    assert (hold.since_ns, hold.state, hold.reason, hold.release) == (10, S.REDUCING, "2 s old", "3 s fresh")
    assert state.effective is S.REDUCING


def test_a_hold_ends_by_its_code_and_the_others_go_on() -> None:
    state = RiskState()
    state.hold("A", S.HALTED, "", "", 1)
    state.hold("B", S.REDUCING, "", "", 2)
    state.release("C")
    assert state.effective is S.HALTED
    for _ in range(2):
        state.release("A")
        assert (state.effective, state.has_hold("A"), state.has_hold("B")) == (S.REDUCING, False, True)


def test_pause_and_resume_by_a_person() -> None:
    state = RiskState()
    state.pause("lunch", 5)
    state.pause("again", 6)
    assert state.effective is S.PAUSED
    state.hold("STOP_LOSS", S.PAUSED, "", "a person resumes", 7)
    state.hold("VOLUME", S.REDUCING, "", "", 8)
    assert state.resume()
    assert state.effective is S.REDUCING
    assert [hold.code for hold in state.restrictions()] == ["VOLUME"]
    assert not state.resume()


def test_every_restriction_is_named() -> None:
    state = RiskState()
    state.hold("A", S.REDUCING, "why", "when", 3)
    state.latch(S.KILLED, "KILL", "asked", 4)
    assert [(r.code, r.since_ns, r.reason) for r in state.restrictions()] == [
        ("KILL", 4, "asked"),
        ("A", 3, "why"),
    ]
    assert all(r.release for r in state.restrictions())


def test_state_for_the_digest() -> None:
    state = RiskState()
    seen = {state.save()}
    state.hold("A", S.REDUCING, "", "", 1)
    seen.add(state.save())
    state.hold("A", S.HALTED, "", "", 1)
    seen.add(state.save())
    state.latch(S.KILLED, "K", "", 2)
    seen.add(state.save())
    assert len(seen) == 4
