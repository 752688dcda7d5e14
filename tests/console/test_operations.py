"""Commands and their results: asked, taken up, answered; what takes its time says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from console.fakes import FakeSession
from console.running import Running

from engine.link.messages import CommandName, Verdict
from pinnacle_tui import operations
from pinnacle_tui.operations import ASKED_S, Operations
from pinnacle_tui.session import EngineSession


class Told:
    """Writes down what is said, and runs timers when a test says so."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def say(self, text: str, severity: str = "information") -> None:
        self.said.append((text, severity))

    def set_timer(self, delay: float, callback: Callable[[], None]) -> None:
        self.timers.append((delay, callback))

    def later(self) -> None:
        """The time of every timer comes."""
        timers, self.timers = self.timers, []
        for _, callback in timers:
            callback()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


def made(session: FakeSession, told: Told) -> Operations:
    return Operations(cast(EngineSession, session), told)


def test_a_quick_answer_is_the_only_word(session: FakeSession, told: Told):
    made(session, told).send(CommandName.PAUSE)
    session.answer(Verdict.DONE, "PAUSED", ms=2.0)
    told.later()
    assert told.said == [("pause quoting: done in 2 ms: PAUSED", "information")]


def test_what_is_not_answered_soon_is_told_as_asked_and_then_with_its_result(
    session: FakeSession, told: Told
):
    made(session, told).send(CommandName.PAUSE)
    assert [delay for delay, _ in told.timers] == [ASKED_S]
    told.later()
    session.answer(Verdict.REJECTED, "somebody else holds control")
    assert told.said == [
        ("pause quoting: asked…", "information"),
        ("pause quoting was refused: somebody else holds control", "error"),
    ]


def test_what_is_taken_up_and_not_proven_says_so(session: FakeSession, told: Told):
    made(session, told).send(CommandName.CANCEL_ALL)
    session.answer(Verdict.ACCEPTED, "4 orders are being cancelled")
    told.later()
    assert told.said == [("cancel all: taken up, waiting for proof…", "information")]


def test_who_tells_by_themselves_are_left_to_it(session: FakeSession, told: Told):
    made(session, told).send(CommandName.SET, {"key": "a", "value": "b"}, lambda pending: None)
    told.later()
    assert told.said == []


def test_what_could_not_be_sent_has_changed_nothing(session: FakeSession, told: Told):
    session.lose("no engine")
    assert made(session, told).send(CommandName.PAUSE) is None
    assert told.timers == []
    assert told.said == [
        ("pause quoting was not sent: no engine. Nothing has changed at the engine.", "error")
    ]


async def test_the_screen_tells_what_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(operations, "ASKED_S", 0.001)
    async with Running() as console:
        await console.press("space")
        while not console.told:
            await console.pilot.pause()
        assert console.told == ["pause quoting: asked…"]
