"""Both ends over a real line, in virtual time: the engine's guardian and the watchdog at work."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from virtual_sockets import run
from watchdog_kit import MS, InProcess, InProcessWatchdog, LaggingVenue, S, hello, ours, stranger

from engine.core.clock import ManualClock
from engine.core.events import Restraint
from engine.watchdog.channel import Channel, engine_end, watchdog_end
from engine.watchdog.guardian import Guardian, WatchdogError
from engine.watchdog.hands import broker_of
from engine.watchdog.lease import LEASE_NS
from engine.watchdog.log import Line, read_log
from engine.watchdog.messages import (
    Beat,
    Confirm,
    Farewell,
    Fired,
    Kill,
    Report,
    ToEngine,
    ToWatchdog,
    Waiting,
)
from engine.watchdog.posts import Posts
from engine.watchdog.process import EXIT_FAILED


class Scene:
    """A venue, a place for watchdogs, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(100 * S, 1_700_000_000 * S)
        self.venue = LaggingVenue(self.clock)
        self.place = InProcess(self.venue, self.clock)
        self.told: list[tuple[int, str, Restraint, str, str]] = []
        self.reports: list[Report] = []
        self.lines: list[Channel[ToWatchdog, ToEngine]] = []

    def guardian(self, *, may_have_orders: Callable[[], bool] = lambda: False, **changes: object) -> Guardian:
        return Guardian(
            hello(self.folder, **changes),
            lambda *said: self.told.append((self.clock.monotonic_ns(), *said)),
            on_report=self.reports.append,
            clock=self.clock,
            spawn=self.place,
            may_have_orders=may_have_orders,
        )

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        async def running() -> None:
            await main()

        run(running(), self.clock)

    def log(self, event: str) -> list[Line]:
        return [line for line in read_log(self.folder) if line.event == event]

    @property
    def restraints(self) -> list[Restraint]:
        """Without repetitions."""
        kinds = [said[2] for said in self.told]
        return [kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] is not kind]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    for line in made.lines:
        line.close()


class Engine:
    """An engine that beats only when the test says so."""

    def __init__(self, scene: Scene, **changes: object) -> None:
        ours_, theirs = socket.socketpair()
        with theirs:
            self.watchdog = scene.place(theirs)
        self.clock = scene.clock
        self.line: Channel[ToWatchdog, ToEngine] = engine_end(ours_)
        scene.lines.append(self.line)
        self.line.send(hello(scene.folder, **changes))
        self.number = 0

    def beat(self) -> None:
        self.number += 1
        self.line.send(Beat(self.number, self.clock.monotonic_ns()))

    async def watched(self) -> None:
        """Beat until the watchdog confirms."""
        while not any(isinstance(message, Confirm) for message in self.line.receive()):
            self.beat()
            await asyncio.sleep(0.05)

    async def ended(self) -> None:
        await asyncio.wait_for(self.watchdog.ended.wait(), 120)


# -- the watchdog ------------------------------------------------------------------------------------


def test_it_confirms_beats_only_once_the_venue_has_answered_it(scene):
    async def main() -> None:
        scene.venue.fault = "refused"
        engine = Engine(scene)
        for _ in range(10):
            engine.beat()
            await asyncio.sleep(0.5)
        answers = engine.line.receive()
        assert answers
        assert all(isinstance(answer, Waiting) for answer in answers)
        assert "CONNECT" in answers[-1].text
        scene.venue.fault = None
        await engine.watched()
        engine.line.send(Farewell("done"))
        await engine.ended()

    scene.run(main)


def test_silence_of_three_seconds_and_everything_is_cancelled_and_proven(scene):
    async def main() -> None:
        engine = Engine(scene, late_looks_s=())
        await engine.watched()
        scene.venue.rest(ours(1))
        scene.venue.rest(stranger(2))
        engine.beat()
        last = scene.clock.monotonic_ns()
        await engine.ended()
        first_cancel = scene.venue.times("cancel")[0] - last
        assert 3 * S <= first_cancel <= 3 * S + 250 * MS
        assert scene.clock.monotonic_ns() - last < 4 * S
        assert scene.venue.open_ids() == {stranger(2)}
        assert engine.watchdog.exit_code == 0
        fired, report = [said for said in engine.line.receive() if not isinstance(said, Confirm)]
        assert isinstance(fired, Fired)
        assert isinstance(report, Report)
        assert report.sweep.cancelled == (ours(1),)
        engine.line.close()

    scene.run(main)
    assert [line.event for line in read_log(scene.folder)][:3] == ["watching", "ready", "fired"]
    (proof,) = scene.log("proof")
    assert proof.is_proven
    assert proof.orders == (ours(1),)
    assert [line.orders for line in scene.log("cancel")] == [(ours(1),)]


def test_the_lease_has_run_out_when_it_fires_whatever_the_phase(scene):
    async def main() -> None:
        engine = Engine(scene, late_looks_s=())
        await engine.watched()
        engine.beat()
        sent = scene.clock.monotonic_ns()
        await engine.ended()
        fired_at = scene.venue.times("list")[1]
        assert fired_at - sent > LEASE_NS
        engine.line.close()

    scene.run(main)


def test_the_end_of_the_line_without_a_farewell_is_acted_on_at_once(scene):
    async def main() -> None:
        engine = Engine(scene)
        await engine.watched()
        scene.venue.rest(ours(1))
        engine.line.close()
        gone = scene.clock.monotonic_ns()
        await engine.ended()
        assert scene.venue.cancelled_at[ours(1)] - gone < 500 * MS

    scene.run(main)
    assert scene.log("fired")[0].text == "the engine is gone without a farewell"


def test_after_the_proof_it_looks_again_for_what_was_on_its_way(scene):
    async def main() -> None:
        engine = Engine(scene)
        await engine.watched()
        engine.line.close()
        await asyncio.sleep(4)
        scene.venue.rest(ours(9))
        began = scene.clock.monotonic_ns()
        await engine.ended()
        assert not scene.venue.orders
        assert scene.venue.cancelled_at[ours(9)] - began < 4 * S
        assert scene.clock.monotonic_ns() - began > 25 * S

    scene.run(main)
    assert [line.text for line in scene.log("late_look")] == [
        "1 s later: 0 orders",
        "5 s later: 1 orders",
        "30 s later: 0 orders",
    ]


def test_a_venue_that_is_gone_after_the_proof_keeps_nobody_for_ever(scene):
    async def main() -> None:
        engine = Engine(scene)
        await engine.watched()
        engine.line.close()
        await asyncio.sleep(0.9)
        scene.venue.fault = "refused"
        await engine.ended()
        assert engine.watchdog.exit_code == 0

    scene.run(main)
    assert [line.text for line in scene.log("late_look")] == [
        f"{seconds} s later: CONNECT: connection refused" for seconds in (1, 5, 30)
    ]


def test_a_farewell_leaves_everything_as_it_is(scene):
    async def main() -> None:
        engine = Engine(scene)
        await engine.watched()
        scene.venue.rest(ours(1))
        engine.line.send(Farewell("done"))
        engine.line.close()
        await engine.ended()
        assert engine.watchdog.exit_code == 0
        assert scene.venue.times("cancel") == []
        assert scene.venue.open_ids() == {ours(1)}
        assert scene.clock.monotonic_ns() < 102 * S

    scene.run(main)
    assert not scene.log("fired")


def test_an_engine_that_comes_back_finds_no_watchdog_that_confirms(scene):
    async def main() -> None:
        engine = Engine(scene, late_looks_s=())
        await engine.watched()
        scene.venue.rest(ours(1))
        scene.venue.fault = "refused"
        await asyncio.sleep(4)
        engine.line.receive()
        for _ in range(20):
            engine.beat()
            await asyncio.sleep(0.5)
        assert engine.line.receive() == [], "once fired it stays fired"
        scene.venue.fault = None
        healed = scene.clock.monotonic_ns()
        await engine.ended()
        assert scene.clock.monotonic_ns() - healed < 3 * S
        assert not scene.venue.orders
        engine.line.close()

    scene.run(main)


def test_a_farewell_after_it_has_fired_stops_nothing(scene):
    async def main() -> None:
        engine = Engine(scene)
        await engine.watched()
        scene.venue.rest(ours(1))
        scene.venue.fault = "refused"
        await asyncio.sleep(4)
        engine.line.send(Farewell("done"))
        engine.line.close()
        await asyncio.sleep(5)
        assert scene.venue.orders
        scene.venue.fault = None
        await engine.ended()
        assert not scene.venue.orders

    scene.run(main)


def test_the_kill_file_and_a_kill_fire_at_once(scene):
    async def main() -> None:
        for number, kill in enumerate((None, "a person wants it")):
            engine = Engine(scene)
            await engine.watched()
            scene.venue.rest(ours(number))
            began = scene.clock.monotonic_ns()
            if kill is None:
                (scene.folder / "KILL").touch()
            else:
                engine.line.send(Kill(kill))
            while scene.venue.orders:
                engine.beat()
                await asyncio.sleep(0.01)
            assert scene.clock.monotonic_ns() - began < 500 * MS
            await asyncio.sleep(1)
            assert any(isinstance(said, Report) for said in engine.line.receive())
            engine.line.close()
            await engine.ended()

    scene.run(main)
    assert [line.text for line in scene.log("fired")] == [
        f"the file {scene.folder}/KILL appeared",
        "a person wants it",
    ]


def test_mistakes_of_ours_do_not_end_the_work(scene):
    async def main() -> None:
        engine = Engine(scene, late_looks_s=())
        await engine.watched()
        scene.venue.rest(ours(1))
        scene.venue.fault = "broken"
        engine.line.close()
        await asyncio.sleep(5)
        scene.venue.fault = None
        await engine.ended()
        assert not scene.venue.orders

    scene.run(main)
    assert scene.log("trouble")[0].text == "ZeroDivisionError: a mistake of ours"


def test_an_engine_that_is_gone_before_its_hello_and_one_that_talks_nonsense(scene):
    async def main() -> None:
        for said in (b"", b"\0\0\0\3abc"):
            ours_, theirs = socket.socketpair()
            with theirs:
                watchdog = scene.place(theirs)
            ours_.send(said)
            ours_.close()
            await asyncio.wait_for(watchdog.ended.wait(), 5)
            assert watchdog.exit_code == 2

    scene.run(main)


def test_nonsense_after_the_hello_is_the_end_of_the_line(scene):
    async def main() -> None:
        engine = Engine(scene, late_looks_s=())
        await engine.watched()
        scene.venue.rest(ours(1))
        os.write(engine.line.fileno(), b"\0\0\0\3abc")
        await engine.ended()
        assert not scene.venue.orders
        engine.line.close()

    scene.run(main)


def test_an_engine_that_begins_while_the_last_watchdog_cancels_must_wait_for_it(scene):
    async def main() -> None:
        before = Engine(scene)
        await before.watched()
        scene.venue.rest(ours(1))
        scene.venue.fault = "refused"
        before.line.close()
        await asyncio.sleep(1)
        guardian = scene.guardian()
        starting = asyncio.create_task(guardian.start())
        await asyncio.sleep(5)
        assert not guardian.lease.is_held()
        assert guardian.hold == (
            f"the watchdog of an engine before (process {os.getpid()}) still cancels, or another engine "
            "trades this product; see at the venue that nothing of yours is open before you end it "
            f"(kill -9 {os.getpid()})"
        )
        scene.venue.fault = None
        await starting
        assert not scene.venue.orders
        assert guardian.lease.is_held()
        scene.venue.rest(ours(2))
        await asyncio.sleep(40)
        assert scene.venue.open_ids() == {ours(2)}, "the old watchdog leaves the new engine alone"
        assert before.watchdog.exit_code == 0
        await guardian.end(True)
        await guardian.stop()

    scene.run(main)


# -- the guardian ------------------------------------------------------------------------------------


def test_the_lease_is_held_from_the_start_to_the_farewell(scene):
    async def main() -> None:
        guardian = scene.guardian()
        assert not guardian.lease.is_held()
        await guardian.start()
        for _ in range(600):
            assert guardian.lease.is_held()
            await asyncio.sleep(0.1)
        assert guardian.pid == 1_000
        scene.venue.rest(ours(1))
        await guardian.end(True)
        assert not guardian.lease.is_held()
        await guardian.stop()
        assert scene.place.started[0].exit_code == 0
        assert scene.venue.open_ids() == {ours(1)}

    scene.run(main)
    assert scene.restraints == [Restraint.AWAITED, Restraint.NONE]
    assert {code for _, code, *_ in scene.told} == {"WATCHDOG"}
    assert scene.reports == []


def test_an_end_without_proof_is_left_to_the_watchdog(scene):
    async def main() -> None:
        guardian = scene.guardian(late_looks_s=())
        await guardian.start()
        scene.venue.rest(ours(1))
        await guardian.end(False)
        await asyncio.sleep(2)
        assert not guardian.lease.is_held(), "beats go on, but no order may leave any more"
        assert scene.venue.orders
        await guardian.stop()
        await asyncio.wait_for(scene.place.started[0].ended.wait(), 10)
        assert not scene.venue.orders

    scene.run(main)
    assert scene.log("proof")


def test_a_watchdog_that_is_killed_is_replaced_and_trading_waits_for_it(scene):
    async def main() -> None:
        guardian = scene.guardian()
        await guardian.start()
        for number in range(1, 4):
            before = len(scene.told)
            scene.place.started[-1].kill()
            await asyncio.sleep(0.001)
            assert not guardian.lease.is_held()
            assert scene.told[before][2:] == (
                Restraint.HALTED,
                "the watchdog is gone; no order leaves",
                "a watchdog confirms that it watches",
            )
            await asyncio.sleep(2)
            assert guardian.lease.is_held()
            assert scene.told[-1][2] is Restraint.NONE
            assert guardian.pid == 1_000 + number
        await guardian.end(True)
        await guardian.stop()

    scene.run(main)
    assert scene.restraints == [Restraint.AWAITED, Restraint.NONE] + [Restraint.HALTED, Restraint.NONE] * 3


def test_one_that_cannot_be_started_is_tried_again_ever_less_often(scene):
    async def main() -> None:
        guardian = scene.guardian()
        await guardian.start()
        scene.place.failures = 5
        scene.place.started[-1].kill()
        await asyncio.sleep(3)
        assert not guardian.lease.is_held()
        assert "cannot be started: Cannot allocate memory" in scene.told[-1][3]
        await asyncio.sleep(20)
        assert guardian.lease.is_held()
        await guardian.end(True)
        await guardian.stop()

    scene.run(main)


def test_a_watchdog_that_does_not_confirm_holds_trading_and_is_replaced_when_it_hangs(scene):
    async def main() -> None:
        guardian = scene.guardian()
        await guardian.start()
        watchdog = scene.place.started[0]
        asyncio.get_running_loop().remove_reader(watchdog._end.fileno())  # it does not read any more
        watchdog._task.cancel()
        deaf = watchdog._end.dup()
        await asyncio.sleep(0)
        await asyncio.sleep(3)
        assert not guardian.lease.is_held()
        assert scene.told[-1][3] == "the watchdog has not confirmed for 2.5 s; no order leaves"
        await asyncio.sleep(7)
        assert "was ended" in " ".join(said[3] for said in scene.told)
        assert guardian.pid == 1_001
        assert watchdog.exit_code == -9
        assert guardian.lease.is_held()
        deaf.close()
        await guardian.end(True)
        await guardian.stop()

    scene.run(main)


def test_what_a_watchdog_cancelled_beside_a_living_engine_is_reported(scene):
    async def main() -> None:
        guardian = scene.guardian()
        await guardian.start()
        scene.venue.rest(ours(1))
        guardian.kill("a person wants it")
        assert not guardian.lease.is_held()
        await asyncio.sleep(3)
        assert not scene.venue.orders
        (report,) = scene.reports
        assert report.reason == "a person wants it"
        assert report.sweep.cancelled == (ours(1),)
        assert guardian.lease.is_held(), "the next one watches"
        scene.venue.rest(ours(2))
        await asyncio.sleep(40)
        assert scene.venue.open_ids() == {ours(2)}
        await guardian.end(True)
        await guardian.stop()

    scene.run(main)


def test_a_confirmation_after_it_has_fired_gives_no_lease(scene):
    async def main() -> None:
        ends: list[socket.socket] = []

        def spawn(theirs: socket.socket) -> InProcessWatchdog:
            ends.append(theirs.dup())
            return scene.place(theirs)

        guardian = Guardian(hello(scene.folder), lambda *said: None, clock=scene.clock, spawn=spawn)
        await guardian.start()
        liar = watchdog_end(ends[0])
        liar.send(Fired("I say so"))
        await asyncio.sleep(0.001)
        for number in range(1, 10):
            liar.send(Confirm(number))
        await asyncio.sleep(0.001)
        assert not guardian.lease.is_held()
        assert guardian.hold == "the watchdog is cancelling everything: I say so"
        liar.close()
        await guardian.end(True)
        await guardian.stop()

    scene.run(main)


def test_an_engine_that_was_stopped_for_ten_seconds_has_no_lease_when_it_goes_on(scene):
    """The loop of both ends is one here: what the engine's side has missed is made by hand."""

    async def main() -> None:
        guardian = scene.guardian()
        await guardian.start()
        scene.venue.rest(ours(1))
        timer = guardian._beat_timer
        assert timer is not None
        timer.cancel()
        asyncio.get_running_loop().remove_reader(guardian._line.fileno())
        await asyncio.sleep(10)
        assert not scene.venue.orders
        assert not guardian.lease.is_held()
        guardian._beat()  # it goes on with what was due
        assert not guardian.lease.is_held()
        assert scene.told[-1][2] is Restraint.HALTED
        asyncio.get_running_loop().add_reader(guardian._line.fileno(), guardian._listen)
        await asyncio.sleep(3)
        assert len(scene.reports) == 1
        assert guardian.lease.is_held()
        await guardian.end(True)
        await guardian.stop()

    scene.run(main)


def test_without_a_watchdog_nothing_begins(scene):
    async def main() -> None:
        scene.venue.fault = "refused"
        guardian = scene.guardian()
        with pytest.raises(WatchdogError, match=r"after 20 s .*CONNECT.*no order was sent"):
            await guardian.start()
        await asyncio.wait_for(scene.place.started[0].ended.wait(), 10)
        assert scene.place.started[0].exit_code == 0

    scene.run(main)
    assert not scene.log("fired")


def test_a_watchdog_goes_on_without_the_engine_where_orders_of_before_may_be_open(scene):
    async def main() -> None:
        scene.venue.rest(ours(1))
        scene.venue.fault = "refused"
        guardian = scene.guardian(may_have_orders=lambda: True)
        with pytest.raises(WatchdogError, match="after 20 s"):
            await guardian.start()
        await asyncio.sleep(5)
        assert scene.venue.orders, "the venue is not reached yet"
        scene.venue.fault = None
        await asyncio.wait_for(scene.place.started[0].ended.wait(), 60)
        assert not scene.venue.orders

    scene.run(main)
    assert scene.log("fired")
    assert scene.log("proof")


def test_a_key_that_cannot_be_used_is_told(scene):
    async def main() -> None:
        scene.place.make_broker = broker_of
        guardian = scene.guardian(key=b"{}")
        with pytest.raises(WatchdogError, match=r"it failed: CredentialError: the name of the key"):
            await guardian.start()
        assert {watchdog.exit_code for watchdog in scene.place.started} == {EXIT_FAILED}
        assert 4 < len(scene.place.started) < 10, "tried again, ever less often"

    scene.run(main)


def test_the_posts_are_free_after_the_end(scene):
    async def main() -> None:
        guardian = scene.guardian()
        await guardian.start()
        posts = Posts(str(scene.folder), "coinbase", ["BTC-USD"])
        assert not posts.take()
        await guardian.end(True)
        await guardian.stop()
        assert posts.take()
        posts.release()

    scene.run(main)
