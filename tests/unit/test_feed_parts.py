"""The parts of a live feed that need no socket: back-off, guard, lateness, resync, trust, failures."""

from __future__ import annotations

import socket
import ssl
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus, PayloadTooBig
from websockets.frames import Close
from websockets.http11 import Response

from engine.core.clock import ManualClock
from engine.core.errors import UsageError
from engine.core.events import FeedState
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL
from engine.exchange.coinbase.broker import BookTop
from engine.exchange.coinbase.feed.backoff import ATTEMPTS_A_MINUTE, BASE_S, CAP_S, Backoff
from engine.exchange.coinbase.feed.lateness import Lateness
from engine.exchange.coinbase.feed.product_guard import FRESH_NS, ProductGuard
from engine.exchange.coinbase.feed.refusals import ending_of
from engine.exchange.coinbase.feed.resync import ANSWER_NS, LEAVE_NS, Resync, Step
from engine.exchange.coinbase.feed.trust import TRUSTED, BookTrust, Difference, compare
from engine.exchange.coinbase.tls import tls_context

S = 10**9
LIVE, STALE, SUBSCRIBED, IDLE = FeedState.LIVE, FeedState.STALE, FeedState.SUBSCRIBED, FeedState.IDLE

# -- back-off ----------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_never_more_than_ten_attempts_in_any_minute(seed: int, lives_s: list[float]) -> None:
    clock = ManualClock()
    backoff = Backoff(clock, Random(seed))
    backoff.begin()
    attempts = [0]
    for life_s in lives_s:
        backoff.healthy()
        clock.advance(int(life_s * S))
        clock.advance(int(backoff.next_wait_s() * S) + 1)
        attempts.append(clock.monotonic_ns())
    for first, eleventh in zip(attempts, attempts[ATTEMPTS_A_MINUTE:], strict=False):
        assert eleventh - first >= 60 * S - 2


def test_waits_grow_to_the_cap_and_are_spread_over_all_of_it() -> None:
    for step in range(12):
        ceiling = min(CAP_S, BASE_S * 2**step)
        waits = []
        for seed in range(200):
            clock = ManualClock()
            backoff = Backoff(clock, Random(seed))
            for _ in range(step):
                backoff.next_wait_s()
                clock.advance(120 * S)
            waits.append(backoff.next_wait_s())
        assert max(waits) <= ceiling
        assert min(waits) < 0.1 * ceiling
        assert max(waits) > 0.9 * ceiling


@pytest.mark.parametrize(("healthy_s", "is_reset"), [(29.9, False), (30.0, True)])
def test_only_half_a_minute_of_health_resets(healthy_s: float, is_reset: bool) -> None:
    clock = ManualClock()
    backoff = Backoff(clock, Random(1))
    for _ in range(5):
        backoff.next_wait_s()
    backoff.healthy()
    clock.advance(int(healthy_s * S))
    backoff.next_wait_s()
    assert (backoff.step == 1) is is_reset


def test_a_busy_venue_and_a_named_time_are_waited_for() -> None:
    assert min(Backoff(ManualClock(), Random(seed)).next_wait_s(is_busy=True) for seed in range(200)) >= 2.0
    assert Backoff(ManualClock(), Random(1)).next_wait_s(at_least_s=77.0) == 77.0


# -- guard -------------------------------------------------------------------------------------------


def live_guard() -> ProductGuard:
    guard = ProductGuard("BTC-USD")
    guard.on_session(SUBSCRIBED, "asked for")
    assert guard.status(0, 0).state is SUBSCRIBED  # type: ignore[union-attr]
    guard.on_book(0, is_snapshot=True)
    guard.on_session(LIVE, "snapshot")
    assert guard.status(0, 0).state is LIVE  # type: ignore[union-attr]
    return guard


def said(guard: ProductGuard, now_ns: int) -> FeedState | None:
    status = guard.status(now_ns, 0)
    return None if status is None else status.state


def test_the_state_is_said_once() -> None:
    guard = live_guard()
    assert guard.status(1, 1) is None


def test_a_suspicion_ends_with_a_snapshot_only() -> None:
    guard = live_guard()
    guard.suspect("crossed")
    guard.suspect("and more")
    status = guard.status(1, 2)
    assert status is not None
    assert (status.state, status.reason) == (STALE, "crossed")
    assert guard.wants_snapshot
    guard.on_book(3, is_snapshot=False)
    assert said(guard, 3) is None
    guard.on_book(4, is_snapshot=True)
    assert said(guard, 4) is LIVE
    assert not guard.wants_snapshot


def test_a_condition_ends_by_itself() -> None:
    guard = live_guard()
    guard.set_condition("late", "1,200 ms late")
    assert said(guard, 1) is STALE
    assert not guard.wants_snapshot
    guard.on_book(2, is_snapshot=True)
    assert said(guard, 2) is None
    guard.set_condition("late", "")
    assert said(guard, 3) is LIVE


def test_after_a_silence_a_snapshot_and_three_seconds_of_freshness() -> None:
    guard = live_guard()
    assert not guard.check_silence(2 * S, 2 * S)
    assert guard.check_silence(2 * S + 1, 2 * S)
    assert not guard.check_silence(2 * S + 2, 2 * S)
    assert guard.silences == 1
    assert said(guard, 2 * S + 2) is STALE
    guard.on_book(3 * S, is_snapshot=False)
    assert guard.wants_snapshot
    guard.on_book(4 * S, is_snapshot=True)
    assert said(guard, 4 * S) is None
    guard.on_book(5 * S, is_snapshot=False)
    assert said(guard, 4 * S + FRESH_NS - 1) is None
    assert said(guard, 4 * S + FRESH_NS) is LIVE


def test_silence_while_it_should_be_fresh_begins_anew() -> None:
    guard = live_guard()
    guard.check_silence(3 * S, 2 * S)
    guard.on_book(4 * S, is_snapshot=True)
    assert guard.check_silence(6 * S + 1, 2 * S)
    assert said(guard, 4 * S + FRESH_NS) is STALE
    guard.on_book(8 * S, is_snapshot=True)
    assert said(guard, 8 * S + FRESH_NS - 1) is None
    assert said(guard, 8 * S + FRESH_NS) is LIVE


def test_a_book_that_was_never_there_is_not_stale() -> None:
    guard = ProductGuard("BTC-USD")
    guard.on_down("nothing listens")
    assert said(guard, 1) is None
    assert guard.told is IDLE
    guard.on_session(SUBSCRIBED, "asked for")
    assert said(guard, 2) is SUBSCRIBED
    guard.on_down("cut")
    assert said(guard, 3) is None
    guard.on_book(4, is_snapshot=True)
    guard.on_session(LIVE, "snapshot")
    assert said(guard, 4) is LIVE
    guard.on_down("cut")
    assert said(guard, 5) is STALE


def test_what_the_session_does_not_believe_nobody_does() -> None:
    guard = live_guard()
    guard.on_refused()
    guard.on_session(STALE, "crossed snapshot")
    assert said(guard, 1) is STALE
    assert (guard.wants_snapshot, guard.suspicion) == (True, "crossed snapshot")


# -- lateness ----------------------------------------------------------------------------------------


def test_only_the_growth_of_the_lag_counts() -> None:
    lateness = Lateness()
    assert (lateness.behind_ns, lateness.late_by_ns(0)) == (0, None)
    # A clock that is 16 ms behind the venue's: negative, and none the worse for it.
    lateness.note(0, 1_000_000_000, 1_016_000_000)
    assert (lateness.lag_ns, lateness.behind_ns) == (-16_000_000, 0)
    lateness.note(S, 2_000_000_000, 1_500_000_000)
    assert lateness.lag_ns == 500_000_000
    assert 515_000_000 < lateness.behind_ns < 516_000_000
    assert lateness.late_by_ns(None) is None
    assert lateness.late_by_ns(16_000_000) == 516_000_000
    lateness.reset()
    assert lateness.behind_ns == 0


def test_the_drift_of_two_clocks_is_forgiven_and_the_times_of_a_recording_tell_nothing() -> None:
    lateness = Lateness()
    for minute in range(240):
        lateness.note(minute * 60 * S, minute * 60 * S + minute * 6_000_000, minute * 60 * S)
        assert lateness.behind_ns == 0
    lateness.note(0, 100 * S, 30 * S)
    assert (lateness.lag_ns, lateness.behind_ns) == (None, 0)


# -- resync ------------------------------------------------------------------------------------------


def test_leave_wait_for_the_word_ask_and_give_up() -> None:
    clock = ManualClock()
    resync = Resync(clock, Random(1))
    assert resync.step(is_wanted=False, has_left=False) is Step.NOTHING
    assert resync.step(is_wanted=True, has_left=False) is Step.NOTHING
    clock.advance(S)
    assert resync.step(is_wanted=True, has_left=False) is Step.LEAVE
    assert resync.step(is_wanted=True, has_left=False) is Step.NOTHING
    assert resync.step(is_wanted=True, has_left=True) is Step.ASK
    assert resync.is_under_way
    clock.advance(ANSWER_NS - 1)
    assert resync.step(is_wanted=True, has_left=True) is Step.NOTHING
    clock.advance(1)
    assert resync.step(is_wanted=True, has_left=True) is Step.GIVE_UP


def test_without_the_venues_word_it_is_asked_all_the_same_and_a_book_ends_it() -> None:
    clock = ManualClock()
    resync = Resync(clock, Random(1))
    resync.step(is_wanted=True, has_left=False)
    clock.advance(S)
    assert resync.step(is_wanted=True, has_left=False) is Step.LEAVE
    clock.advance(LEAVE_NS)
    # Having left, we must ask again, whatever has been seen since.
    assert resync.step(is_wanted=False, has_left=False) is Step.ASK
    assert resync.step(is_wanted=False, has_left=False) is Step.NOTHING
    assert not resync.is_under_way


def test_a_book_that_is_never_right_does_not_eat_the_budget() -> None:
    clock = ManualClock()
    resync = Resync(clock, Random(1))
    for _ in range(12_000):  # ten minutes of looks
        resync.step(is_wanted=True, has_left=True)
        if resync.is_under_way:
            resync.step(is_wanted=False, has_left=True)
        clock.advance(50_000_000)
    assert 20 < resync.requests <= 101


# -- trust -------------------------------------------------------------------------------------------

BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")


@pytest.mark.parametrize(
    ("gaps", "doubts", "age_ms", "heartbeat_ms", "wrong", "least", "most", "reason"),
    [
        (0, 0, 0, 0, None, 100, 100, "nothing speaks against it"),
        (0, 0, 1_000, 1_500, (0, 50), 100, 100, "nothing speaks against it"),
        (1, 0, 0, 0, None, 82, 82, "trust 82 of 100: frames were lost lately (-18)"),
        (3, 0, 0, 0, None, 46, 46, "frames were lost lately (-54)"),
        (0, 2, 0, 0, None, 56, 56, "the book was found wrong lately (-44)"),
        (0, 3, 0, 0, None, 34, 34, "the book was found wrong lately (-66)"),
        (0, 0, 1_500, 0, None, 85, 85, "no change for 1.5 s (-15)"),
        (0, 0, 9_000, 0, None, 70, 70, "no change for 9.0 s (-30)"),
        (0, 0, 0, 3_000, None, 70, 70, "no heartbeat for 3.0 s (-30)"),
        (0, 0, 0, 0, (15, 50), 100, 100, "nothing speaks against it"),
        (0, 0, 0, 0, (16, 50), 68, 68, "REST differs in 16 of 50 levels (-32)"),
        (0, 0, 0, 0, (50, 50), 0, 0, "REST differs in 50 of 50 levels (-100)"),
        (1, 1, 2_000, 3_000, (20, 50), 0, 0, "REST differs in 20 of 50 levels (-40), no change"),
    ],
)
def test_the_score(
    gaps: int,
    doubts: int,
    age_ms: int,
    heartbeat_ms: int,
    wrong: tuple[int, int] | None,
    least: int,
    most: int,
    reason: str,
) -> None:
    trust = BookTrust()
    for _ in range(gaps):
        trust.note_gap(S)
    for _ in range(doubts):
        trust.note_contradiction(S)
    if wrong is not None:
        trust.audit = Difference(wrong[1], wrong[0])
    score, why = trust.assess(S, age_ms * 10**6, 2 * S, heartbeat_ms * 10**6)
    assert least <= score <= most
    assert reason in why


def test_what_is_past_is_forgotten_by_half_a_minute_after_the_other() -> None:
    trust = BookTrust()
    for _ in range(4):
        trust.note_gap(0)
    assert not trust.assess(0, 0, 2 * S, 0).is_enough
    assert trust.assess(60 * S, 0, 2 * S, 0).score == 64
    assert trust.assess(120 * S, 0, 2 * S, 0).score == 82
    assert TRUSTED == 50


def top(*levels: tuple[str, str]) -> BookTop:
    rows = [(Decimal(price), Decimal(size)) for price, size in levels]
    return BookTop(bids=tuple(rows[:2]), asks=tuple(rows[2:]))


def test_compare_takes_a_level_that_was_right_at_either_time() -> None:
    before = {(BUY, 9999): 10**8, (BUY, 9998): 2 * 10**8, (SELL, 10001): 10**8}
    after = {(BUY, 9999): 3 * 10**8, (BUY, 9998): 2 * 10**8, (SELL, 10002): 10**8}
    shown = top(("99.99", "3"), ("99.98", "2"), ("100.01", "1"), ("100.02", "1"))
    assert compare(BTC, shown, (before, after)) == Difference(4, 0)
    assert compare(BTC, shown, (before,)) == Difference(4, 2)
    strange = top(("99.985", "3"), ("99.98", "2.000000001"), ("99.99", "1"))
    assert compare(BTC, strange, (before, after)) == Difference(3, 3)
    assert compare(BTC, BookTop((), ()), (before, after)).wrong_percent == 0


# -- words -------------------------------------------------------------------------------------------


def status(code: int, **headers: str) -> InvalidStatus:
    return InvalidStatus(Response(code, "", Headers(headers)))


def closed(code: int, reason: str = "") -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, reason), None)


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "code", "is_fatal", "is_busy", "words"),
    [
        (status(401), "HTTP_401", True, False, "look at the key"),
        (status(403), "HTTP_403", True, False, "list of addresses"),
        (status(429), "HTTP_429", False, True, "limits our connections (HTTP 429)"),
        (status(429, **{"Retry-After": "7"}), "HTTP_429", False, True, "left alone for 7 s"),
        (status(302, Location="wss://evil.example"), "HTTP_302", False, False, "does not open a WebSocket"),
        (status(503), "HTTP_503", False, True, "HTTP 503"),
        (untrusted(), "TLS", True, False, "not trusted (self-signed certificate)"),
        (ssl.SSLError(1, "wrong version number"), "TLS", True, False, "TLS 1.2"),
        (ssl.SSLError(1, "decryption failed or bad record mac"), "LOST", False, False, "damaged"),
        (ssl.SSLEOFError(8, "eof"), "LOST", False, False, "in the middle of TLS"),
        (
            socket.gaierror(-2, "Name or service not known"),
            "DNS",
            False,
            False,
            "DNS: Name or service not known",
        ),
        (ConnectionRefusedError(111, "refused"), "REFUSED", False, False, "nothing listens"),
        (TimeoutError(), "TIMEOUT", False, False, "did not answer in time"),
        (OSError(24, "Too many open files"), "DESCRIPTORS", False, False, "ulimit -n"),
        (OSError(113, "No route to host"), "NETWORK", False, False, "No route to host"),
        (closed(1000), "CLOSED_1000", False, False, "code 1000"),
        (closed(1013, "later"), "CLOSED_1013", False, True, "code 1013: later"),
        (closed(4001, "\x1b[31mred"), "CLOSED_4001", False, True, "(code 4001: red)"),
        (ConnectionClosedError(None, None), "LOST", False, False, "cut without a word"),
        (ConnectionClosedError(None, Close(1009, "too big")), "CLOSED_1009", False, False, "too big"),
        (PayloadTooBig(10, 5), "PROTOCOL", False, False, "WebSocket protocol"),
        (KeyError("x"), "LOST", False, False, "failed"),
    ],
)
def test_every_failure_has_its_words(
    error: Exception, code: str, is_fatal: bool, is_busy: bool, words: str
) -> None:
    ending = ending_of(error, "venue.example:443")
    assert (ending.code, ending.is_fatal, ending.is_busy) == (code, is_fatal, is_busy)
    assert words in ending.words
    assert ending.words.isprintable()


def test_retry_after_is_bounded_and_read_only_where_it_is_a_number() -> None:
    assert ending_of(status(429, **{"Retry-After": "7"}), "x").retry_after_s == 7.0
    assert ending_of(status(429, **{"Retry-After": "99999999"}), "x").retry_after_s == 600.0
    assert ending_of(status(429, **{"Retry-After": "Wed, 21 Oct"}), "x").retry_after_s == 0.0


def test_tls_is_always_verified(tmp_path: object) -> None:
    context = tls_context(None)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    with pytest.raises(UsageError, match=r"network\.ca_file"):
        tls_context(f"{tmp_path}/none.pem")
