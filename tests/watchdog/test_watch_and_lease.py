"""When the watchdog acts and when the engine may send: the second always ends before the first begins."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watchdog_kit import MS, S, hello

from engine.core.clock import ManualClock
from engine.exchange.coinbase.keys import ExchangeKey
from engine.exchange.coinbase.network import EXCHANGE, NetworkSettings
from engine.watchdog.channel import ChannelError, engine_end, watchdog_end
from engine.watchdog.hello import hello_of
from engine.watchdog.lease import LEASE_NS, Lease
from engine.watchdog.log import WatchdogLog, read_log
from engine.watchdog.messages import Beat, Confirm, Farewell
from engine.watchdog.posts import Posts
from engine.watchdog.uptime import Uptime
from engine.watchdog.watch import PATIENCE_NS, Watch


def test_the_lease_has_run_out_before_the_watchdog_acts():
    assert LEASE_NS == 2_500 * MS < PATIENCE_NS == 3_000 * MS


@pytest.mark.parametrize(
    ("age_ns", "is_held"), [(0, True), (2_499_999_999, True), (2_500_000_000, False), (3 * S, False)]
)
def test_the_lease_counts_from_the_sending_of_the_confirmed_beat(age_ns, is_held):
    clock = ManualClock(50 * S)
    lease = Lease(clock)
    assert not lease.is_held()
    sent = clock.monotonic_ns()
    clock.advance(age_ns)
    lease.confirm(sent)  # however late the confirmation comes
    assert lease.is_held() is is_held
    assert lease.age_ns == age_ns


def test_a_late_confirmation_takes_nothing_back_and_a_revoked_lease_is_gone():
    clock = ManualClock(10 * S)
    lease = Lease(clock)
    lease.confirm(10 * S)
    lease.confirm(5 * S)
    assert lease.is_held()
    lease.revoke()
    assert not lease.is_held()
    assert lease.age_ns is None


def test_the_shared_clock_counts_while_the_machine_sleeps():
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    now = Uptime().monotonic_ns()
    assert before <= now <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize(
    ("silence_ns", "fires"), [(2_999_999_999, False), (3_000_000_000, True), (3_000_000_001, True)]
)
def test_it_acts_after_three_seconds_of_silence(silence_ns, fires):
    watch = Watch(100 * S)
    assert watch.beat(101 * S, 101 * S)
    watch.check(101 * S + silence_ns)
    assert (watch.fired is not None) is fires


def test_a_beat_after_too_long_a_gap_fires_however_it_is_read():
    watch = Watch(0)
    assert watch.beat(1 * S, 1 * S)
    assert not watch.beat(4 * S, 4 * S)
    assert watch.fired == "the engine was silent for 3.0 s"
    assert not watch.beat(4 * S + 1, 4 * S + 1), "it does not go back to watching"


def test_a_watchdog_that_was_stopped_itself_finds_no_silence():
    watch = Watch(0)
    for half in range(1, 21):
        assert watch.beat(half * S // 2, 10 * S)
    watch.check(10 * S)
    assert watch.fired is None


def test_a_beat_from_the_future_buys_no_time():
    watch = Watch(0)
    assert watch.beat(10**15, 1 * S)
    watch.check(4 * S - 1)
    assert watch.fired is None
    watch.check(4 * S)
    assert watch.fired is not None


def test_a_farewell_dismisses_and_an_end_without_one_fires():
    dismissed = Watch(0)
    dismissed.farewell()
    dismissed.hung_up()
    dismissed.check(10 * S)
    assert dismissed.fired is None
    assert not dismissed.beat(1, 1)
    left = Watch(0)
    left.hung_up()
    assert left.fired == "the engine is gone without a farewell"
    left.kill("later")
    assert left.fired == "the engine is gone without a farewell"


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 4 * S), st.integers(0, 4 * S), st.integers(0, 4 * S)), max_size=30))
def test_whatever_is_late_no_lease_is_held_once_it_has_fired(steps):
    """Beats and confirmations take any time; the lease is judged at every moment that the watch acts."""
    now, watch, clock = 0, Watch(0), ManualClock(0)
    lease = Lease(clock)
    for pause, way_there, way_back in steps:
        sent = now = now + pause
        watch.check(sent)
        if watch.fired is None and watch.beat(sent, now + way_there):
            now += way_there + way_back
            watch.check(now)
            clock.advance_to(now)
            lease.confirm(sent)
        clock.advance_to(now)
        if watch.fired is not None:
            assert not lease.is_held()
            return


# -- the line ----------------------------------------------------------------------------------------


def _line() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


def test_messages_arrive_whole_however_they_were_cut():
    ours, theirs = _line()
    with ours:
        watchdog = watchdog_end(theirs)
        sender = engine_end(socket.socket(fileno=os.dup(ours.fileno())))
        sender.send(Beat(1, 2))
        frame = theirs.recv(1000, socket.MSG_PEEK)
        watchdog.receive()
        for byte in frame[:-1]:
            ours.send(bytes([byte]))
            assert watchdog.receive() == []
        ours.send(frame[-1:] + frame + frame)
        assert watchdog.receive() == [Beat(1, 2)] * 3
        sender.send(Farewell("done"))
        sender.close()
    assert watchdog.receive() == [Farewell("done")]
    assert watchdog.is_ended
    watchdog.close()


@pytest.mark.parametrize("frame", [struct.pack(">I", 5 << 20), struct.pack(">I", 3) + b"abc"])
def test_senseless_bytes_are_an_error(frame):
    ours, theirs = _line()
    with ours:
        ours.send(frame)
        watchdog = watchdog_end(theirs)
        with pytest.raises(ChannelError, match="other process"):
            watchdog.receive()
        watchdog.close()


def test_one_that_does_not_read_is_noticed_and_gets_all_of_it_later():
    ours, theirs = _line()
    engine, watchdog = engine_end(ours), watchdog_end(theirs)
    number = 0
    while not engine.is_stuck:
        number += 1
        engine.send(Beat(number, number))
    received = watchdog.receive()
    while engine.is_stuck or len(received) < number:
        engine.flush()
        received += watchdog.receive()
    assert [beat.number for beat in received] == list(range(1, number + 1))
    engine.close()
    watchdog.send(Confirm(1))  # nobody is there: no exception, and reading says so
    assert watchdog.receive() == []
    assert watchdog.is_ended
    watchdog.close()


# -- log, posts, hello -------------------------------------------------------------------------------


def test_the_log_is_private_and_says_nothing_twice(tmp_path):
    log = WatchdogLog(f"{tmp_path}/watchdog.jsonl")
    for _ in range(3):
        log.write(1, "listed", "no list: TIMEOUT")
    log.write(2, "fired", "silence", ("a", "b"))
    log.close()
    assert (tmp_path / "watchdog.jsonl").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "watchdog.jsonl").open("ab") as file:
        file.write(b'{"wall_ns": 3, "pi')
    listed, fired = read_log(tmp_path)
    assert (listed.event, listed.text, listed.pid) == ("listed", "no list: TIMEOUT", os.getpid())
    assert (fired.event, fired.orders) == ("fired", ("a", "b"))
    assert read_log(tmp_path / "nowhere") == []


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path):
    log = WatchdogLog(f"{tmp_path}/no/such/folder/log")
    log.write(1, "fired")
    log.close()


def test_one_watchdog_a_product(tmp_path):
    first = Posts(str(tmp_path), "coinbase", ["BTC-USD", "ETH-USD"])
    second = Posts(str(tmp_path), "coinbase", ["ETH-USD"])
    assert first.take()
    assert first.take()
    assert not second.take()
    assert Posts(str(tmp_path), "coinbase-exchange", ["ETH-USD"]).take()
    first.release()
    assert second.take()
    assert not first.take(), "all of them or none"
    third = Posts(str(tmp_path), "coinbase", ["BTC-USD"])
    assert third.take()
    second.release()
    third.release()


def test_hello_shows_no_key_and_has_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    key = ExchangeKey.create("name-of-the-key", "c2VjcmV0LXNlY3JldA==", "pass-phrase")
    network = NetworkSettings(endpoint="http://127.0.0.1:80", ca_file="ca.pem")
    made = hello_of(EXCHANGE, network, key, ["BTC-USD"], tag="t-", session_folder=Path("s"), data_dir=Path())
    assert made.log == f"{tmp_path}/s/watchdog.jsonl"
    assert made.data_dir == str(tmp_path)
    assert made.ca_file == f"{tmp_path}/ca.pem"
    assert b"pass-phrase" in made.key
    for text in (repr(made), str(made), f"{made}"):
        assert "pass-phrase" not in text
        assert "c2VjcmV0" not in text
    assert hello(tmp_path).is_ours("50544d4d-1")
    assert not hello(tmp_path).is_ours("50544d4e-1")
