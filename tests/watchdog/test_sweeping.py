"""Cancel and verify: ends with proof or goes on, whatever the venue does."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from virtual_sockets import run
from watchdog_kit import MS, PRODUCT, LaggingVenue, S, ours, stranger

from engine.core.clock import ManualClock
from engine.exchange.coinbase.broker import OrderRef
from engine.exchange.live.sweeping import SweepReport, SweepRound, sweep


class Sweeping:
    """A sweep over a scripted venue, with what it told on the way."""

    def __init__(self, products: tuple[str, ...] = (PRODUCT,), known: tuple[OrderRef, ...] = ()) -> None:
        self.clock = ManualClock(7 * S, 1_000 * S)
        self.venue = LaggingVenue(self.clock)
        self.rounds: list[SweepRound] = []
        self.products = products
        self.known = known
        self.oversleeps = 1.0
        """Every wait takes so many times what was asked for."""

    async def _sweep(self) -> SweepReport:
        return await sweep(
            self.venue,  # type: ignore[arg-type]
            lambda client_id: client_id.startswith(ours(0)[:9]),
            self.products,
            self.clock,
            lambda seconds: asyncio.sleep(self.oversleeps * seconds),
            self.rounds.append,
            known=lambda: self.known,
        )

    def proof(self, *events: tuple[float, object]) -> SweepReport:
        """Sweep to the proof; each event is called so many seconds after the begin."""

        async def sweeping() -> SweepReport:
            loop = asyncio.get_running_loop()
            for after_s, event in events:
                loop.call_later(after_s, event)
            return await asyncio.wait_for(self._sweep(), 600)

        return run(sweeping(), self.clock)


def test_everything_of_ours_is_cancelled_and_proven_soon():
    sweeping = Sweeping()
    for number in range(5):
        sweeping.venue.rest(ours(number))
    report = sweeping.proof()
    assert report.is_proven
    assert report.cancelled == tuple(ours(number) for number in range(5))
    assert (report.gone, report.still_open, report.unknown, report.failure) == ((), (), (), "")
    assert report.began_ns == 1_000 * S
    assert report.took_ns < 1 * S
    assert not sweeping.venue.orders


def test_proof_needs_two_empty_lists_half_a_second_apart():
    sweeping = Sweeping()
    report = sweeping.proof()
    first, second = sweeping.venue.times("list")
    assert second - (first + 40 * MS) >= 500 * MS
    assert report.listings == 2
    assert sweeping.venue.times("cancel") == []


def test_a_wait_that_ends_early_makes_no_proof_of_two_lists_at_once():
    sweeping = Sweeping()
    sweeping.oversleeps = 0.3
    sweeping.proof()
    first, *_, last = sweeping.venue.times("list")
    assert last - (first + 40 * MS) >= 500 * MS


def test_a_list_that_comes_late_does_not_undo_what_a_later_one_has_shown():
    sweeping = Sweeping()
    sweeping.venue.rest(ours(1))
    sweeping.venue.list_latencies_s = [1.0]
    report = sweeping.proof((0.2, lambda: sweeping.venue.end("venue-0")))
    assert report.listings == 2
    assert sweeping.venue.times("cancel") == []


def test_a_venue_that_is_slow_is_heard_all_the_same():
    sweeping = Sweeping()
    sweeping.venue.latency_s = 1.9
    sweeping.venue.rest(ours(1))
    report = sweeping.proof()
    assert report.cancelled == (ours(1),)
    assert report.took_ns < 10 * S


@pytest.mark.parametrize("fault", ["refused", "swallowed"])
def test_orders_that_were_seen_before_it_went_silent_are_gone_as_soon(fault):
    sweeping = Sweeping()
    sweeping.venue.lost_cancels = 1
    sweeping.venue.lag_s = 0.3
    sweeping.venue.rest(ours(1))
    report = sweeping.proof(
        (0.7, lambda: setattr(sweeping.venue, "fault", fault)),
        (10.0, lambda: setattr(sweeping.venue, "fault", None)),
    )
    assert report.took_ns < 12 * S
    assert not sweeping.venue.orders


def test_orders_of_strangers_are_never_touched():
    sweeping = Sweeping()
    sweeping.venue.rest(stranger(1))
    sweeping.venue.rest("")
    sweeping.venue.rest(ours(1))
    assert sweeping.proof().cancelled == (ours(1),)
    assert sweeping.venue.open_ids() == {stranger(1), ""}


def test_products_of_another_engine_are_left_alone():
    sweeping = Sweeping(("BTC-USD", "ETH-USD"))
    for number, product in enumerate(("BTC-USD", "ETH-USD", "SOL-USD")):
        sweeping.venue.rest(ours(number), product)
    assert sweeping.proof().cancelled == (ours(0), ours(1))
    assert sweeping.venue.open_ids() == {ours(2)}


def test_without_products_it_is_the_whole_account():
    sweeping = Sweeping(())
    sweeping.venue.rest(ours(0), "BTC-USD")
    sweeping.venue.rest(ours(1), "SOL-USD")
    assert sweeping.proof().cancelled == (ours(0), ours(1))


@pytest.mark.parametrize("are_carried_out", [True, False])
def test_three_lost_cancel_answers_and_an_order_nobody_knew(are_carried_out):
    sweeping = Sweeping()
    sweeping.venue.lost_cancels = 3
    sweeping.venue.are_lost_carried_out = are_carried_out
    sweeping.venue.rest(ours(1))
    report = sweeping.proof((1.0, lambda: sweeping.venue.rest(ours(2))))
    assert report.is_proven
    assert set(report.cancelled) | set(report.gone) == {ours(1), ours(2)}
    assert not sweeping.venue.orders


def test_a_cancel_that_is_never_carried_out_never_ends_with_proof():
    sweeping = Sweeping()
    sweeping.venue.lost_cancels = 10**6
    sweeping.venue.rest(ours(1))
    with pytest.raises(TimeoutError):
        sweeping.proof()
    assert not any(done.report.is_proven for done in sweeping.rounds)
    assert sweeping.rounds[-1].report.still_open == (ours(1),)
    assert "no proof" in str(sweeping.rounds[-1].report)


@pytest.mark.parametrize("fault", ["refused", "swallowed"])
def test_three_rounds_within_three_seconds_then_at_least_every_two(fault):
    sweeping = Sweeping()
    sweeping.venue.rest(ours(1))
    sweeping.venue.latency_s = 0.0
    sweeping.venue.fault = fault
    with pytest.raises(TimeoutError):
        sweeping.proof()
    began = sweeping.venue.times("list")
    if fault == "refused":
        assert began[2] - began[0] < 3 * S
    gaps = [after - before for before, after in pairwise(began)]
    assert max(gaps) <= 2 * S + 500 * MS
    assert len(began) < 700


@pytest.mark.parametrize("tenths", range(0, 80, 3))
@pytest.mark.parametrize("latency_s", [0.04, 0.25])
@pytest.mark.parametrize("fault", ["refused", "swallowed"])
def test_proof_follows_within_three_seconds_of_the_venue_coming_back(fault, latency_s, tenths):
    sweeping = Sweeping()
    sweeping.venue.latency_s = latency_s
    for number in range(3):
        sweeping.venue.rest(ours(number))
    sweeping.venue.fault = fault
    heals_s = 0.01 + tenths / 10

    def heal() -> None:
        sweeping.venue.fault = None

    report = sweeping.proof((heals_s, heal))
    assert report.took_ns - heals_s * S < 3 * S
    assert report.cancelled == (ours(0), ours(1), ours(2))


def test_a_list_that_lags_is_believed_only_when_it_is_empty_twice():
    sweeping = Sweeping()
    sweeping.venue.lag_s = 1.5
    sweeping.venue.rest(ours(1))
    report = sweeping.proof((1.0, lambda: sweeping.venue.rest(ours(2))))
    assert report.is_proven
    # The first is listed after 1.5 s only; meanwhile two empty lists are all the proof that can be had.
    assert set(report.cancelled) <= {ours(1), ours(2)}


def test_an_order_that_shows_up_between_the_two_lists_is_no_proof():
    sweeping = Sweeping()
    report = sweeping.proof((0.3, lambda: sweeping.venue.rest(ours(1))))
    assert report.cancelled == (ours(1),)
    assert not sweeping.venue.orders


def test_what_was_filled_meanwhile_is_told_apart():
    sweeping = Sweeping()
    sweeping.venue.rest(ours(1))
    filled = sweeping.venue.rest(ours(2))
    sweeping.venue.lost_cancels = 1
    report = sweeping.proof((0.5, lambda: sweeping.venue.end(filled)))
    assert report.cancelled == (ours(1),)
    assert report.gone == (ours(2),)


def test_known_orders_are_cancelled_before_any_list_has_come():
    venue_id = "venue-0"
    sweeping = Sweeping(known=(OrderRef(venue_id, ours(1), PRODUCT),))
    sweeping.venue.latency_s = 1.0
    sweeping.venue.rest(ours(1))
    report = sweeping.proof()
    assert sweeping.venue.times("cancel")[0] == 7 * S
    assert report.cancelled == (ours(1),)


def test_known_orders_are_cancelled_again_while_no_list_can_be_had():
    sweeping = Sweeping(known=(OrderRef("venue-0", ours(1), PRODUCT),))
    sweeping.venue.rest(ours(1))
    sweeping.venue.fault = "refused"

    def heal() -> None:
        sweeping.venue.fault = None

    sweeping.proof((2.9, heal))
    assert len(sweeping.venue.times("cancel")) >= 6


def test_a_known_order_that_the_venue_does_not_know_is_gone_and_one_without_answer_unknown():
    refs = (OrderRef("nothing", ours(8), PRODUCT),)
    refused = Sweeping(known=refs)
    report = refused.proof()
    assert (report.gone, report.unknown) == ((ours(8),), ())
    unanswered = Sweeping(known=refs)
    unanswered.venue.lost_cancels = 10**6
    report = unanswered.proof()
    assert (report.gone, report.unknown) == ((), (ours(8),))


def test_what_is_told_on_the_way():
    sweeping = Sweeping()
    sweeping.venue.rest(ours(1))
    sweeping.proof()
    first, *_, last = sweeping.rounds
    assert first.listed is not None
    assert [order.client_order_id for order in first.listed] == [ours(1)]
    assert [answer.ref.client_id for answer in first.answers] == [ours(1)]
    assert [done.number for done in sweeping.rounds] == list(range(1, len(sweeping.rounds) + 1))
    assert last.listed == ()
    assert "proven" in str(last.report)
