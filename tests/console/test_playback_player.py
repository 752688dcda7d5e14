"""What the keys of playing send: no more than an engine takes, in the order in which it was meant."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import pytest
from console import playback_views
from console.fakes import FakeSession
from console.views import MS
from hypothesis import given
from hypothesis import strategies as st

from engine.link.messages import Ack, CommandName, Verdict
from engine.link.mirror import Pending
from engine.link.peer import MOST_COMMANDS_A_SECOND
from pinnacle_tui.player import SPACING_NS, SPEEDS, Player, next_speed


class Desk:
    """A player, what it has sent, and a clock whose timers ring."""

    def __init__(self, **at: Any) -> None:
        self.session = playback_views.session(**at)
        self.told: list[tuple[str, str]] = []
        self.timers: list[tuple[int, Callable[[], None]]] = []
        self.player = Player(cast("Any", self.session), self)

    def say(self, text: str, severity: str = "information") -> None:
        self.told.append((severity, text))

    def set_timer(self, delay: float, callback: Callable[[], None]) -> None:
        self.timers.append((self.session.clock.monotonic_ns() + round(delay * 1e9), callback))

    def wait(self, ms: int = 60) -> None:
        """Time passes; what was to happen then happens."""
        end_ns = self.session.clock.monotonic_ns() + ms * MS
        while due := [timer for timer in self.timers if timer[0] <= end_ns]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.session.clock.advance(max(0, first[0] - self.session.clock.monotonic_ns()))
            first[1]()
        self.session.clock.advance(end_ns - self.session.clock.monotonic_ns())

    def done(self, verdict: Verdict = Verdict.DONE, text: str = "") -> None:
        """The command that was sent first and is not answered yet is answered."""
        mirror = self.session.mirror
        mirror.settle(Ack(next(iter(mirror.pending)), verdict, text, 2.0))

    @property
    def sent(self) -> list[tuple[CommandName, dict[str, str]]]:
        return [(each.command.name, each.command.arguments) for each in self.session.sent]


@pytest.mark.parametrize(
    ("ask", "name", "arguments"),
    [
        (lambda p: p.play(), "play", {}),
        (lambda p: p.hold(), "hold", {}),
        (lambda p: p.step(1), "step", {"wakeups": "1"}),
        (lambda p: p.step(-1), "step", {"wakeups": "-1"}),
        (lambda p: p.skip(10), "step", {"seconds": "10"}),
        (lambda p: p.seek_record(7), "seek", {"seq": "7"}),
        (lambda p: p.seek_time(8), "seek", {"time_ns": "8"}),
        (lambda p: p.jump("fill", "next"), "jump", {"kind": "fill", "to": "next"}),
        (lambda p: p.change_speed(1), "speed", {"factor": "2"}),
        (lambda p: p.change_speed(-1), "speed", {"factor": "0.5"}),
        (lambda p: p.set_speed(0.1), "speed", {"factor": "0.1"}),
        (lambda p: p.set_speed(1_000.0), "speed", {"factor": "1000"}),
        (lambda p: p.set_speed(None), "speed", {"factor": "max"}),
    ],
)
def test_each_wish_is_a_command_with_its_arguments(
    ask: Callable[[Player], None], name: str, arguments: dict[str, str]
):
    desk = Desk()
    ask(desk.player)
    assert desk.sent == [(name, arguments)]
    assert desk.session.sent[0].command.deadline_s > 60


def test_steps_that_come_faster_than_answers_are_one_step():
    desk = Desk()
    for _ in range(30):
        desk.player.step(1)
        desk.wait(30)
    assert desk.sent == [("step", {"wakeups": "1"})]
    desk.done()
    assert desk.sent[1:] == [("step", {"wakeups": "29"})]


def test_steps_there_and_back_lead_nowhere_but_are_still_asked_for():
    desk = Desk()
    desk.player.step(5)
    for wakeups in (1, -3, 2):
        desk.player.step(wakeups)
    desk.wait()
    desk.done()
    assert desk.sent[1:] == [("step", {"wakeups": "0"})]


def test_wake_ups_and_seconds_are_not_added_up():
    desk = Desk()
    desk.player.step(1)
    desk.player.step(1)
    desk.player.skip(10)
    desk.player.skip(10)
    for _ in range(2):
        desk.wait()
        desk.done()
    assert [arguments for _, arguments in desk.sent] == [
        {"wakeups": "1"},
        {"wakeups": "1"},
        {"seconds": "20"},
    ]


def test_a_jump_that_is_held_down_goes_on_from_where_the_last_one_led_and_stops_with_the_key():
    desk = Desk()
    for _ in range(50):
        desk.player.jump("fill", "next")
        desk.wait(30)
    assert len(desk.sent) == 1
    desk.done()
    assert len(desk.sent) == 2
    desk.wait()
    desk.done()
    desk.wait(1_000)
    assert len(desk.sent) == 2


def test_to_stand_still_comes_at_once_and_gives_up_what_was_not_begun():
    desk = Desk()
    desk.player.jump("fill", "next")
    desk.player.jump("alert", "next")
    desk.player.play()
    desk.wait()
    desk.player.hold()
    assert [name for name, _ in desk.sent] == ["jump", "hold"]
    desk.done()
    desk.wait(1_000)
    assert [name for name, _ in desk.sent] == ["jump", "hold"]


def test_another_place_does_not_wait_for_the_way_to_the_one_before():
    desk = Desk()
    desk.player.seek_record(100_000)
    desk.player.step(-1)
    desk.wait()
    desk.player.seek_record(0)
    assert desk.sent == [("seek", {"seq": "100000"}), ("seek", {"seq": "0"})]
    desk.player.step(1)
    desk.wait()
    desk.done()  # the first seek, which the second has overtaken
    assert len(desk.sent) == 2
    desk.done()
    assert desk.sent[2:] == [("step", {"wakeups": "1"})]


def test_play_after_a_step_waits_for_it():
    desk = Desk()
    desk.player.step(1)
    desk.wait()
    desk.player.play()
    assert [name for name, _ in desk.sent] == ["step"]
    desk.done()
    assert [name for name, _ in desk.sent] == ["step", "play"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["step", "skip", "jump", "seek", "play", "hold", "speed"]), st.integers(0, 90)
        ),
        max_size=80,
    ),
    st.integers(0, 200),
)
def test_whatever_is_pressed_no_second_has_more_commands_than_the_engine_takes(
    presses: list[tuple[str, int]], answer_ms: int
):
    desk, times = Desk(), list[int]()
    command = desk.session.command

    def timed(*args: Any, **kwargs: Any) -> Pending:
        times.append(desk.session.clock.monotonic_ns())
        return command(*args, **kwargs)

    desk.session.command = timed  # type: ignore[method-assign]
    deeds: dict[str, Callable[[], None]] = {
        "step": lambda: desk.player.step(1),
        "skip": lambda: desk.player.skip(-10),
        "jump": lambda: desk.player.jump("alert", "previous"),
        "seek": lambda: desk.player.seek_time(3),
        "play": desk.player.play,
        "hold": desk.player.hold,
        "speed": lambda: desk.player.change_speed(1),
    }
    for name, ms in presses:
        deeds[name]()
        desk.wait(ms)
        if ms > answer_ms and desk.session.mirror.pending:
            desk.done()
    for _ in range(200):
        desk.wait()
        if desk.session.mirror.pending:
            desk.done()
    assert desk.player._wishes == []
    assert all(later - earlier >= SPACING_NS for earlier, later in pairwise(times))
    assert 1_000 * MS // SPACING_NS < MOST_COMMANDS_A_SECOND
    assert bool(presses) is bool(times)


# -- answers ---------------------------------------------------------------------------------------


def test_a_refusal_is_told_in_the_words_of_the_engine_and_a_success_is_seen():
    desk = Desk()
    desk.player.jump("alert", "next")
    desk.done(Verdict.REJECTED, "there is no alert after this")
    desk.wait()
    desk.player.jump("fill", "next")
    desk.done()
    assert desk.told == [("warning", "there is no alert after this")]


def test_a_command_that_is_not_answered_is_told_and_the_next_one_goes_out():
    desk = Desk()
    desk.player.step(1)
    desk.wait()
    desk.player.step(1)
    desk.done(Verdict.UNKNOWN)
    assert desk.told == [("warning", "step: unknown")]
    assert len(desk.sent) == 2


def test_without_a_connection_nothing_is_sent_and_nothing_is_kept():
    desk = Desk()
    desk.session.lose("the playback is gone")
    desk.player.change_speed(1)
    desk.player.step(1)
    desk.wait(1_000)
    assert desk.sent == []
    assert ("error", "the playback cannot be moved: the playback is gone") in desk.told
    assert desk.player._wishes == []
    assert desk.player.speed == 1.0


def test_who_types_a_moment_is_told_of_the_answer_and_no_other():
    desk, answers = Desk(), list[Verdict]()

    def note(pending: Pending) -> None:
        assert pending.ack is not None
        answers.append(pending.ack.verdict)

    desk.player.seek_text("25:61", note)
    assert desk.sent == [("seek", {"at": "25:61"})]
    desk.done(Verdict.ACCEPTED)
    desk.done(Verdict.REJECTED, "no such time")
    assert answers == [Verdict.ACCEPTED, Verdict.REJECTED]
    assert desk.told == []


# -- speeds ----------------------------------------------------------------------------------------


def test_speeds_rise_from_a_tenth_to_as_fast_as_can_be():
    known = [speed for speed in SPEEDS if speed is not None]
    assert known == sorted(known)
    assert (known[0], known[-1], SPEEDS[-1]) == (0.1, 1_000.0, None)
    for slower, faster in pairwise(SPEEDS):
        assert next_speed(slower, 1) == faster
        assert next_speed(faster, -1) == slower
    assert next_speed(SPEEDS[0], -1) == SPEEDS[0]
    assert next_speed(None, 1) is None
    assert (next_speed(3.0, 1), next_speed(3.0, -1)) == (5.0, 2.0)


def test_presses_count_from_the_speed_that_was_asked_for_until_the_playback_shows_it():
    desk = Desk(speed=1.0)
    for _ in range(3):
        desk.player.change_speed(1)
        desk.wait()
    assert [arguments["factor"] for _, arguments in desk.sent] == ["2", "5", "10"]
    assert desk.player.speed == 10.0
    desk.session.show(playback_views.view(at={"speed": 10.0}, seq=8_000))
    assert desk.player.speed == 10.0
    desk.session.show(playback_views.view(at={"speed": 50.0}, seq=8_001))  # somebody else's doing
    assert desk.player.speed == 50.0


def test_a_speed_that_was_refused_is_not_counted_from():
    desk = Desk(speed=1.0)
    desk.player.change_speed(1)
    desk.done(Verdict.REJECTED, "no")
    assert desk.player.speed == 1.0


def test_there_is_nothing_faster_than_as_fast_as_can_be():
    desk = Desk(speed=None)
    desk.player.change_speed(1)
    assert desk.sent == []


def test_an_engine_that_trades_is_no_playback():
    session = FakeSession()
    player = Player(cast("Any", session), Desk())
    assert player.playback is None
    assert player.speed == 1.0
