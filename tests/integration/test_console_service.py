"""An engine and its consoles: what they are told, who may steer, what becomes of it when its owner goes.

Everything runs in virtual time: a minute of trading at real speed takes no minute.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from link_kit import hello_of, in_virtual_time, settle
from served_engine import ServedEngine, Watching, short_folder, use_folder
from trader_bench import D

from engine.link.client import LinkChange
from engine.link.events import Notice, Operated, SettingChanged
from engine.link.messages import Bye, CommandName, EngineHello, Heartbeat, Resync, Role, Verdict
from engine.link.runtime_folder import claim, default_folder, running
from engine.link.settings import KEEP_RUNNING
from engine.link.view import View
from engine.risk.state import TradingState

N = CommandName


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder() as made:
        use_folder(monkeypatch, made)
        yield made


# -- attaching -------------------------------------------------------------------------------------


@in_virtual_time
async def test_it_listens_under_its_name_for_this_user_only_and_leaves_no_socket():
    served = await ServedEngine().start()
    place = default_folder()
    assert running(place) == ["sim-btc-usd"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "sim-btc-usd.sock").stat().st_mode) == 0o600
    watching = await served.client(Role.VIEW)
    await asyncio.sleep(1)
    hello, view = watching.mirror.hello, watching.mirror.view
    assert hello is not None
    assert view is not None
    assert (hello.session, hello.mode, hello.venue, hello.role) == (
        "sim-btc-usd",
        "sim",
        "simulator",
        Role.VIEW,
    )
    assert hello.settings["strategy.levels"] == "3"
    assert [product.symbol for product in hello.products] == ["BTC-USD"]
    assert (view.health.viewers, view.health.controller) == (1, "")
    await served.stop()
    assert not (place / "sim-btc-usd.sock").exists()
    assert running(place) == []


@in_virtual_time
async def test_a_second_engine_of_the_same_market_has_a_name_of_its_own():
    await ServedEngine().start()
    await ServedEngine().start()
    assert running(default_folder()) == ["sim-btc-usd", "sim-btc-usd-2"]


@in_virtual_time
async def test_an_engine_nobody_can_attach_to_says_so_and_trades(folder: Path):
    (folder / "pinnacle-tui").mkdir(mode=0o755)
    (folder / "pinnacle-tui").chmod(0o755)
    served = await ServedEngine(is_owned=True).start()
    assert "consoles cannot attach to this engine" in served.output.texts("LINK")[0]
    await asyncio.sleep(2)
    assert served.desk.trader.quote_count > 0
    assert served.owner is not None
    assert [m.role for m in served.owner.read() if isinstance(m, EngineHello)] == [Role.OWNER]


@in_virtual_time
async def test_a_socket_that_cannot_be_bound_ends_nothing(monkeypatch: pytest.MonkeyPatch):
    def full(folder: Path, wanted: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.runtime.console_service.claim", full)
    served = await ServedEngine().start()
    assert "No space left on device" in served.output.texts("LINK")[0]
    await asyncio.sleep(1)
    assert served.desk.trader.quote_count > 0


@in_virtual_time
async def test_the_last_words_tell_reason_code_and_digest():
    served = await ServedEngine(engine__duration_s=D(3)).start()
    watching = await served.client(Role.VIEW)
    await asyncio.sleep(4)
    assert served.outcome is not None
    digests = {"BTC-USD": served.desk.trader.digest()}
    assert watching.bye == Bye("the duration has passed", 0, (), digests)
    assert watching.changes == [LinkChange.HELLO, LinkChange.BYE, LinkChange.LOST]


@in_virtual_time
async def test_the_last_events_reach_whoever_reads_and_the_others_hear_how_many_they_miss():
    served = await ServedEngine(is_owned=True).start()
    client, frozen = await served.client(Role.VIEW, hz=1.0), await served.stranger()
    frozen.say(hello_of(Role.VIEW, hz=30.0))
    await asyncio.sleep(5)
    for number in range(3_000):
        served.service.log.publish(Notice, 0, 0, "", "info", "MANY", f"number {number}")
    stopping = asyncio.create_task(served.stop())
    await asyncio.sleep(1.1)  # proof, then half a second for the last events; a second for the last words
    assert len(client.texts("MANY")) == 3_000
    last = served.service.log.last
    assert (client.mirror.last_event, client.mirror.missed_events) == (last, 0)
    told = await frozen.drain()
    await stopping
    (resync,) = [message for message in told if isinstance(message, Resync)]
    assert isinstance(told[-1], Bye)
    assert (resync.upto, resync.missed > 2_000) == (last, True)


def test_views_never_change_what_is_traded():
    digests: list[str] = []

    @in_virtual_time
    async def run(viewers: int) -> None:
        served = await ServedEngine(engine__duration_s=D(10), simulator__taker_rate_per_min=240.0).start()
        watching = [await served.client(Role.VIEW, hz=30.0) for _ in range(viewers)]
        await asyncio.sleep(11)
        assert all(each.mirror.views > 200 for each in watching)
        assert served.desk.trader.ledger.fill_count > 0
        digests.append(served.desk.trader.digest())

    run(0)
    run(3)
    assert digests[0] == digests[1]


# -- who may steer ---------------------------------------------------------------------------------


@in_virtual_time
async def test_one_steers_the_others_watch_until_they_take_control():
    served = await ServedEngine().start()
    first, second = await served.client(name="first"), await served.client(name="second")
    assert (first.mirror.is_controller, second.mirror.is_controller) == (True, False)
    refused = await second.client.ask(N.PAUSE)
    assert (refused.verdict, "first holds control" in refused.text) == (Verdict.REJECTED, True)
    assert served.desk.trader.risk.effective is TradingState.ACTIVE
    taken = await second.client.ask(N.TAKE_CONTROL)
    assert taken.text == "you hold control; first only watches now"
    assert (await second.client.ask(N.PAUSE)).verdict is Verdict.DONE
    assert (await first.client.ask(N.RESUME)).verdict is Verdict.REJECTED
    assert served.desk.trader.risk.effective is TradingState.PAUSED
    await asyncio.sleep(0.2)
    (operated,) = [event for event in first.events if isinstance(event, Operated)]
    assert (operated.name, operated.who) == ("pause", "second")


@in_virtual_time
async def test_the_owner_steers_again_when_whoever_took_control_leaves():
    served = await ServedEngine(is_owned=True).start()
    assert served.owner is not None
    other = await served.client()
    assert not other.mirror.is_controller
    await other.client.ask(N.TAKE_CONTROL)
    await settle()
    other.client.close()
    await asyncio.sleep(0.1)
    roles = [message.role for message in served.owner.read() if isinstance(message, EngineHello)]
    assert roles == [Role.OWNER, Role.VIEW, Role.OWNER]


@in_virtual_time
async def test_everybody_may_kill_but_who_asked_for_a_read_only_link():
    served = await ServedEngine(is_owned=True).start()
    reader = await served.client(Role.VIEW, may_kill=False)
    for name in (N.KILL, N.TAKE_CONTROL, N.PAUSE, N.SHUTDOWN):
        assert (await reader.client.ask(name)).verdict is Verdict.REJECTED
    assert served.desk.trader.risk.effective is TradingState.ACTIVE
    viewer = await served.client(Role.VIEW)
    killed = await viewer.client.ask(N.KILL)
    assert (killed.verdict, 500 <= killed.ms < 1_000) == (Verdict.DONE, True)
    sent = served.desk.trader.quote_count
    await asyncio.sleep(10)
    assert served.desk.trader.risk.effective is TradingState.KILLED
    assert (served.desk.trader.quote_count, served.engine.possibly_open()) == (sent, {"BTC-USD": ()})
    assert len(reader.texts("PROVEN")) == 1
    assert "the venue was asked twice" in reader.texts("PROVEN")[0]


@in_virtual_time
async def test_without_proof_within_the_deadline_the_answer_lists_what_may_be_open(
    monkeypatch: pytest.MonkeyPatch,
):
    served = await ServedEngine().start()
    client = await served.client()
    still = tuple(served.desk.venue.open_orders())
    with monkeypatch.context() as lost:
        lost.setattr(served.desk.venue, "open_orders", lambda: list(still))
        answer = await client.client.ask(N.KILL, deadline_s=3.0)
    assert still
    assert (answer.verdict, answer.open_orders) == (Verdict.UNKNOWN, tuple(sorted(still)))
    assert client.texts("PROVEN") == []
    await asyncio.sleep(2)
    assert len(client.texts("PROVEN")) == 1, "once the venue lists nothing, everybody hears of it"


@in_virtual_time
async def test_shutdown_is_proven_before_the_link_ends():
    served = await ServedEngine(is_owned=True).start()
    client = await served.client()
    await client.client.ask(N.TAKE_CONTROL)
    answer = await client.client.ask(N.SHUTDOWN)
    assert (answer.verdict, answer.text.endswith("no order is open")) == (Verdict.DONE, True)
    await settle()
    assert (client.bye.exit_code, client.bye.reason) == (0, "stopped by a control client")
    assert served.owner is not None
    (bye,) = [message for message in served.owner.read() if isinstance(message, Bye)]
    assert bye == client.bye


# -- what goes wrong while consoles are served -----------------------------------------------------


@in_virtual_time
async def test_a_view_that_cannot_be_made_is_told_once_a_minute_and_trading_goes_on(
    monkeypatch: pytest.MonkeyPatch,
):
    served = await ServedEngine().start()
    client = await served.client(Role.VIEW, hz=30.0)
    await asyncio.sleep(1)
    count = 0

    def fail(self: object) -> View:
        nonlocal count
        count += 1
        raise KeyError(f"another text each time {count}")

    monkeypatch.setattr("engine.runtime.view.ViewBuilder._health", fail)
    views, quotes = client.mirror.views, served.desk.trader.quote_count
    await asyncio.sleep(59)
    assert len(client.texts("LINK")) == 1
    assert "a console could not be served: KeyError" in client.texts("LINK")[0]
    assert client.texts("LINK") == served.output.texts("LINK")
    await asyncio.sleep(3)
    assert len(client.texts("LINK")) == 2
    assert client.mirror.views <= views + 1, "but the one that was on its way"
    assert served.desk.trader.quote_count > quotes
    assert served.outcome is None


@in_virtual_time
async def test_a_command_that_fails_is_answered_and_told_and_trading_goes_on(monkeypatch: pytest.MonkeyPatch):
    served = await ServedEngine().start()
    client = await served.client()

    def fail(*_: object) -> None:
        raise ZeroDivisionError("broken by the test")

    monkeypatch.setattr("engine.runtime.operator.check_change", fail)
    answer = await client.client.ask(N.SET, {"key": "strategy.levels", "value": "2"})
    assert (answer.verdict, "broken by the test" in answer.text) == (Verdict.UNKNOWN, True)
    assert len(served.output.texts("LINK")) == 1
    assert (await client.client.ask(N.PAUSE)).verdict is Verdict.DONE


@in_virtual_time
async def test_a_peer_that_never_reads_keeps_nothing_waiting_and_is_current_when_it_reads():
    served = await ServedEngine(is_owned=True).start()
    frozen, watching = await served.stranger(), await served.client(Role.VIEW, hz=30.0)
    frozen.say(hello_of(Role.VIEW, hz=30.0))
    await asyncio.sleep(30)
    health = _view(watching).health
    assert health.views_dropped > 600, "views that found no room were replaced, not queued"
    assert watching.mirror.views > 850
    waiting = [peer.waiting for peer in served.service._server._peers]
    assert sum(waiting) < 64 << 10
    views = [message for message in await frozen.drain() if isinstance(message, View)]
    await asyncio.sleep(0.2)
    views += [message for message in await frozen.drain() if isinstance(message, View)]
    assert len(views) < 40
    assert views[-1].seq >= _view(watching).seq - 3


# -- the owner -------------------------------------------------------------------------------------


@pytest.mark.parametrize("grace_s", [0, 2, 5])
def test_owner_grace_s(grace_s: int):
    @in_virtual_time
    async def run() -> None:
        served = await ServedEngine(is_owned=True, console__owner_grace_s=D(grace_s)).start()
        watching = await served.client(Role.VIEW)
        assert served.owner is not None
        assert served.desk.venue.open_orders()
        served.owner.close()
        if grace_s:
            await asyncio.sleep(grace_s - 0.1)
            assert served.outcome is None
            assert served.desk.venue.open_orders(), "it trades on meanwhile"
            (told,) = watching.texts("OWNER")
            assert f"in {grace_s} s the engine cancels all orders and ends" in told
        await asyncio.sleep(1)
        assert served.outcome is not None
        assert (served.outcome.exit_code, served.outcome.open_orders) == (0, ())
        assert served.outcome.reason == watching.bye.reason == "the console that owned this engine is gone"
        assert served.desk.venue.open_orders() == []
        assert served.output.texts("OWNER"), "the engine's own output tells it, too"

    run()


@in_virtual_time
async def test_an_owner_that_never_said_hello_is_lost_too():
    served = await ServedEngine(is_owned=True, console__owner_grace_s=D(1)).start(is_greeted=False)
    assert served.owner is not None
    served.owner.close()
    await asyncio.sleep(2)
    assert served.outcome is not None


@in_virtual_time
async def test_on_owner_lost():
    """`keep-running` goes on without an owner, and whoever attaches then steers."""
    served = await ServedEngine(is_owned=True, console__on_owner_lost=KEEP_RUNNING).start()
    assert served.owner is not None
    served.owner.close()
    await asyncio.sleep(30)
    assert served.outcome is None
    assert "in 5 s the engine goes on without one" in served.output.texts("OWNER")[0]
    client = await served.client()
    assert client.mirror.is_controller
    assert client.mirror.hello is not None
    assert client.mirror.hello.on_owner_lost == KEEP_RUNNING
    assert client.texts("OWNER") == served.output.texts("OWNER"), "told to whoever comes later"
    assert (await client.client.ask(N.PAUSE)).verdict is Verdict.DONE
    again = await served.client(Role.OWNER)
    assert served.output.texts("OWNER")[-1] == "the owner's console is back"
    again.client.close()
    await asyncio.sleep(30)
    assert served.outcome is None


@pytest.mark.parametrize("is_already_gone", [False, True])
def test_the_policy_can_change_until_the_grace_time_is_over(is_already_gone: bool):
    @in_virtual_time
    async def run() -> None:
        served = await ServedEngine(is_owned=True).start()
        client = await served.client()
        assert served.owner is not None
        if is_already_gone:
            served.owner.close()
            await asyncio.sleep(3)
        await client.client.ask(N.TAKE_CONTROL)
        answer = await client.client.ask(N.SET, {"key": "console.on_owner_lost", "value": KEEP_RUNNING})
        assert answer.verdict is Verdict.DONE
        served.owner.close()
        await asyncio.sleep(10)
        assert served.outcome is None
        (changed,) = [event for event in client.events if isinstance(event, SettingChanged)]
        assert (changed.key, changed.new) == ("console.on_owner_lost", KEEP_RUNNING)
        assert client.mirror.settings["console.on_owner_lost"] == KEEP_RUNNING

    run()


@in_virtual_time
async def test_whoever_took_control_keeps_an_engine_without_its_owner_until_it_leaves():
    served = await ServedEngine(is_owned=True).start()
    client = await served.client()
    await client.client.ask(N.TAKE_CONTROL)
    assert served.owner is not None
    served.owner.close()
    await asyncio.sleep(20)
    assert served.outcome is None
    assert [text for text in client.texts("OWNER") if "steers in the owner's place" in text] == [
        "a control client steers in the owner's place; when it leaves, the engine cancels all and ends"
    ]
    client.client.close()
    await asyncio.sleep(7)
    assert served.outcome is not None
    assert (served.outcome.exit_code, served.outcome.open_orders) == (0, ())


@in_virtual_time
async def test_an_owner_that_is_back_in_time_hears_what_it_missed_once_and_in_order():
    served = ServedEngine(is_owned=True, simulator__taker_rate_per_min=600.0)
    await served.start(is_greeted=False)
    owner = Watching(Role.OWNER)
    assert served.owner is not None
    await owner.client.adopt(served.owner.sock)
    await asyncio.sleep(20)
    before = len(owner.events)
    owner.client._connection.close()  # type: ignore[union-attr]
    await asyncio.sleep(4)
    missed = served.service.log.last - before
    assert missed > 1
    await owner.client.connect(default_folder() / "sim-btc-usd.sock")
    await asyncio.sleep(20)
    assert served.outcome is None
    assert [event.eseq for event in owner.events] == list(range(1, len(owner.events) + 1))
    assert len(owner.events) >= before + missed
    assert [text.split(";")[0] for text in owner.texts("OWNER")] == [
        "the console that owns this engine is gone",
        "the owner's console is back",
    ]
    assert owner.mirror.hello is not None
    assert owner.mirror.hello.role is Role.OWNER
    assert owner.mirror.missed_events == 0


@pytest.mark.parametrize("silent_s", [5, 60])
def test_owner_silent_s(silent_s: int):
    """A console that is stopped is not lost: only after that long, and not if it speaks again in time."""

    @in_virtual_time
    async def run() -> None:
        served = await ServedEngine(is_owned=True, console__owner_silent_s=D(silent_s)).start()
        assert served.owner is not None
        await asyncio.sleep(silent_s - 1.5)
        assert served.output.texts("OWNER") == []
        await asyncio.sleep(2.5)
        assert len(served.output.texts("OWNER")) == 1
        assert served.outcome is None
        served.owner.say(Heartbeat(1, 0))
        await settle()
        assert served.output.texts("OWNER")[-1] == "the owner's console is back"
        await asyncio.sleep(silent_s + 9)
        assert served.outcome is not None
        assert served.outcome.reason == "the console that owned this engine is gone"

    run()


@in_virtual_time
async def test_an_attached_console_that_leaves_changes_nothing():
    served = await ServedEngine(is_owned=True).start()
    for role in (Role.CONTROL, Role.VIEW):
        client = await served.client(role)
        client.client.close()
    stranger = await served.stranger()
    stranger.close()
    for _ in range(20):
        assert served.owner is not None
        served.owner.say(Heartbeat(1, 0))
        await asyncio.sleep(1)
    assert (served.outcome, served.output.texts("OWNER")) == (None, [])


def _view(watching: Watching) -> View:
    assert watching.mirror.view is not None
    return watching.mirror.view


@in_virtual_time
async def test_a_name_held_by_another_process_is_not_taken():
    with claim(default_folder(), "sim-btc-usd"):
        served = await ServedEngine().start()
        assert running(default_folder()) == ["sim-btc-usd", "sim-btc-usd-2"]
        await served.stop()
