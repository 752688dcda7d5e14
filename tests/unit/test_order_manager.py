"""The order manager: refresh rules, cancels and their retries, answers in every order, totals, ids."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest

from engine.core.client_ids import ClientIds
from engine.core.errors import OrderError
from engine.core.events import (
    CancelOrder,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Severity,
    SubmitOrder,
    Term,
)
from engine.core.instrument import Instrument
from engine.core.order import OrderState, Side, TimeInForce
from engine.core.order_manager import ENDED_ORDERS_KEPT, OrderManager, OrderUpdate, RefreshPolicy

MS = 1_000_000
BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")


@dataclass(frozen=True)
class Wanted:
    """A quote as the manager reads it."""

    slot: str
    side: Side
    price: int
    size: int


def bid(price: int, size: int = 100, level: int = 0) -> Wanted:
    return Wanted(f"B{level}", Side.BUY, price, size)


def ask(price: int, size: int = 100, level: int = 0) -> Wanted:
    return Wanted(f"A{level}", Side.SELL, price, size)


class Desk:
    """An order manager and the venue's answers to it, one per call."""

    def __init__(self, **policy: object) -> None:
        self.manager = OrderManager(BTC, ClientIds(7), RefreshPolicy(**policy))  # type: ignore[arg-type]
        self.fill_number = 0

    def submit(self, quote: Wanted, now_ns: int = 0) -> str:
        return self.manager.submit(self.manager.intent(quote, now_ns)).client_id

    def accept(self, client_id: str, now_ns: int = 0) -> OrderUpdate:
        return self.manager.on_event(OrderAccepted("BTC-USD", now_ns, 0, client_id, f"v-{client_id}"))

    def place(self, quote: Wanted, now_ns: int = 0) -> str:
        client_id = self.submit(quote, now_ns)
        self.accept(client_id, now_ns)
        return client_id

    def fill(
        self, client_id: str, size: int, now_ns: int = 0, fill_id: str = "", side: Side = Side.BUY
    ) -> OrderUpdate:
        if not fill_id:
            self.fill_number += 1
            fill_id = f"fill-{self.fill_number}"
        return self.manager.on_event(
            OrderFilled("BTC-USD", now_ns, 5, client_id, fill_id, side, 100, size, 0, True)
        )

    def cancelled(self, client_id: str, remaining: int, now_ns: int = 0) -> OrderUpdate:
        return self.manager.on_event(OrderCancelled("BTC-USD", now_ns, 0, client_id, remaining))

    def state(self, client_id: str) -> OrderState:
        order = self.manager.order(client_id)
        assert order is not None
        return order.state


def codes(update: OrderUpdate) -> list[str]:
    return [alert.code for alert in update.alerts]


# -- client ids ----------------------------------------------------------------------------------


def test_client_ids_are_uuids_with_our_tag_session_and_sequence() -> None:
    ids = ClientIds(0x0123456789, installation_tag=0xCAFEF00D)
    first, second = ids.next(), ids.next()
    assert first == "cafef00d-0123-4456-8789-000000000001"
    assert second == "cafef00d-0123-4456-8789-000000000002"
    assert uuid.UUID(first).version == 4
    assert uuid.UUID(first).variant == uuid.RFC_4122
    assert ids.sequence == 2


def test_client_ids_are_deterministic_and_sessions_never_share_one() -> None:
    def thousand(session: int) -> list[str]:
        ids = ClientIds(session)
        return [ids.next() for _ in range(1_000)]

    assert thousand(1) == thousand(1)
    assert len({*thousand(1), *thousand(2)}) == 2_000


def test_client_ids_recognise_their_installation() -> None:
    ids = ClientIds(1)
    assert ids.is_ours(ClientIds(2).next())
    assert not ids.is_ours(ClientIds(1, installation_tag=5).next())


@pytest.mark.parametrize(("session", "installation"), [(-1, 0), (1 << 40, 0), (0, -1), (0, 1 << 32)])
def test_client_ids_refuse_tags_that_do_not_fit(session: int, installation: int) -> None:
    with pytest.raises(OrderError, match="does not fit"):
        ClientIds(session, installation)


# -- intents and commands ------------------------------------------------------------------------


def test_a_quote_becomes_a_post_only_limit_order_and_carries_its_terms() -> None:
    desk = Desk()
    intent = desk.manager.intent(ask(10_500, 30, level=2), 9)
    assert (intent.side, intent.price, intent.size, intent.slot) == (Side.SELL, 10_500, 30, "A2")
    assert (intent.post_only, intent.time_in_force, intent.purpose) == (True, TimeInForce.GTC, "quote")
    assert (intent.created_ns, intent.product) == (9, "BTC-USD")
    assert not desk.manager.open_orders()
    terms = (Term("fair", 5), Term("skew", -1))
    command = desk.manager.submit(intent, lambda: terms)
    order = desk.manager.order(command.client_id)
    assert order is not None
    assert order.explain() == terms
    assert command.client_id == intent.client_id
    (order,) = desk.manager.open_orders()
    assert (order.state, order.command) == (OrderState.PENDING, command)


def test_a_take_is_an_ioc_limit_order_in_the_slot_of_its_purpose() -> None:
    desk = Desk()
    intent = desk.manager.take_intent(Side.SELL, 9_900, 40, "hedge", 3, reduce_only=True)
    assert (intent.time_in_force, intent.post_only, intent.reduce_only) == (TimeInForce.IOC, False, True)
    assert (intent.slot, intent.purpose) == ("hedge", "hedge")
    client_id = desk.manager.submit(intent).client_id
    desk.accept(client_id)
    assert desk.manager.own.displayed_asks == {}
    desk.manager.on_event(OrderExpired("BTC-USD", 4, 0, client_id, 40))
    assert desk.state(client_id) is OrderState.EXPIRED
    assert desk.manager.own.sell_lots == 0


def test_an_id_never_serves_two_intents_and_a_slot_never_two_orders() -> None:
    desk = Desk()
    intent = desk.manager.intent(bid(100), 0)
    desk.manager.submit(intent)
    with pytest.raises(OrderError, match="used before"):
        desk.manager.submit(intent)
    with pytest.raises(OrderError, match="slot 'B0'"):
        desk.manager.submit(desk.manager.intent(bid(99), 0))
    assert len(desk.manager.open_orders()) == 1


def test_only_priced_orders_are_taken_in() -> None:
    market = SubmitOrder("BTC-USD", 0, "x", Side.BUY, 1, None)
    with pytest.raises(OrderError, match="only limit orders"):
        Desk().manager.submit(market)


# -- desired against working ---------------------------------------------------------------------


def test_an_empty_slot_is_filled_and_an_unchanged_quote_is_left_alone() -> None:
    desk = Desk()
    quotes = [bid(100), ask(110)]
    cancels, places = desk.manager.diff(quotes, 0)
    assert (cancels, places) == ([], quotes)
    for quote in places:
        desk.place(quote)
    assert desk.manager.diff(quotes, 1) == ([], [])


def test_reprice_tolerance_ticks_keeps_a_close_price() -> None:
    for tolerance, kept in ((0, {100}), (2, {98, 99, 100, 101, 102})):
        for wanted in range(96, 105):
            desk = Desk(reprice_tolerance_ticks=tolerance)
            desk.place(bid(100))
            cancels, places = desk.manager.diff([bid(wanted)], 1)
            assert (len(cancels) == 0) == (wanted in kept)
            assert places == []


@pytest.mark.parametrize(
    ("size", "is_kept"), [(98, False), (99, True), (100, True), (101, True), (102, False)]
)
def test_size_is_equal_within_a_lot(size: int, is_kept: bool) -> None:
    desk = Desk()
    desk.place(bid(50, 100))
    assert (desk.manager.diff([bid(50, size)], 1)[0] == []) is is_kept


def test_what_remains_after_a_partial_fill_is_what_works() -> None:
    desk = Desk()
    client_id = desk.place(bid(50, 100))
    desk.fill(client_id, 60)
    assert desk.manager.diff([bid(50, 40)], 1) == ([], [])
    assert len(desk.manager.diff([bid(50, 100)], 1)[0]) == 1


def test_order_timeout_replaces_an_order_that_is_too_old() -> None:
    for age_ns, count in ((4_999 * MS, 0), (5_000 * MS, 1)):
        desk = Desk(max_order_age_ns=5_000 * MS)
        client_id = desk.place(bid(100), 10)
        cancels, _ = desk.manager.diff([bid(100)], 10 + age_ns)
        assert [cancel.client_id for cancel in cancels] == [client_id][:count]


def test_min_quote_life_protects_a_young_order_from_replacement_only() -> None:
    for age_ns, count in ((499 * MS, 0), (500 * MS, 1)):
        desk = Desk(min_quote_life_ns=500 * MS)
        desk.place(bid(100))
        assert len(desk.manager.diff([bid(90)], age_ns)[0]) == count
    desk = Desk(min_quote_life_ns=500 * MS)
    desk.place(bid(100))
    assert len(desk.manager.diff([], 1)[0]) == 1  # no longer wanted: a guard does not wait


def test_an_order_at_or_beyond_the_post_only_bound_goes_at_once() -> None:
    for best_ask, count in ((101, 0), (100, 1), (99, 1)):
        desk = Desk(min_quote_life_ns=500 * MS, reprice_tolerance_ticks=5)
        desk.place(bid(100))
        assert len(desk.manager.diff([bid(98)], 1, 90, best_ask)[0]) == count
    for best_bid, count in ((109, 0), (110, 1)):
        desk = Desk(min_quote_life_ns=500 * MS, reprice_tolerance_ticks=5)
        desk.place(ask(110))
        assert len(desk.manager.diff([ask(112)], 1, best_bid, 120)[0]) == count


def test_wait_cancel_ack_keeps_the_slot_until_the_venue_proves_the_cancel() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    cancels, places = desk.manager.diff([bid(90)], 1)
    assert cancels == [CancelOrder("BTC-USD", 1, client_id, f"v-{client_id}", "replace")]
    assert places == []
    assert desk.state(client_id) is OrderState.PENDING_CANCEL
    assert desk.manager.diff([bid(90)], 2) == ([], [])
    desk.cancelled(client_id, 100)
    assert desk.manager.diff([bid(90)], 3) == ([], [bid(90)])


def test_without_wait_cancel_ack_the_replacement_goes_along_and_both_count() -> None:
    desk = Desk(wait_cancel_ack=False)
    old = desk.place(bid(100))
    unwanted = desk.place(bid(95, level=1))
    cancels, places = desk.manager.diff([bid(90)], 1)
    assert [cancel.client_id for cancel in cancels] == [old, unwanted]
    assert places == [bid(90)]
    desk.place(places[0], 1)
    assert desk.manager.own.buy_lots == 300
    assert desk.manager.diff([bid(90)], 2) == ([], [])
    desk.cancelled(old, 100)
    assert desk.manager.own.buy_lots == 200
    assert desk.manager.own.by_slot["B0"].price == 90


def test_quotes_no_longer_wanted_are_cancelled_once_even_when_unanswered() -> None:
    desk = Desk()
    pending, working = desk.submit(bid(100)), desk.place(ask(110))
    cancels, _ = desk.manager.diff([], 1)
    assert [cancel.client_id for cancel in cancels] == [pending, working]
    assert desk.manager.diff([], 2) == ([], [])


def test_a_take_under_way_is_no_quote_to_be_cancelled() -> None:
    desk = Desk()
    desk.manager.submit(desk.manager.take_intent(Side.BUY, 120, 5, "hedge", 0, reduce_only=True))
    assert desk.manager.diff([], 1) == ([], [])


def test_an_unanswered_order_is_not_repriced() -> None:
    desk = Desk()
    desk.submit(bid(100))
    assert desk.manager.diff([bid(90)], 1) == ([], [])


def test_post_fill_pause_keeps_new_quotes_back_on_the_side_of_the_fill() -> None:
    desk = Desk(post_fill_pause_ns=50 * MS)
    client_id = desk.place(bid(100))
    desk.fill(client_id, 100, 10 * MS)
    quotes = [bid(100), ask(110)]
    assert desk.manager.diff(quotes, 60 * MS - 1) == ([], [ask(110)])
    assert desk.manager.diff(quotes, 60 * MS) == ([], quotes)
    no_pause = Desk()
    no_pause.fill(no_pause.place(bid(100)), 100, 10 * MS)
    assert no_pause.manager.diff(quotes, 10 * MS) == ([], quotes)


def test_a_hedge_fill_pauses_no_quotes() -> None:
    desk = Desk(post_fill_pause_ns=50 * MS)
    hedge = desk.manager.submit(desk.manager.take_intent(Side.BUY, 120, 5, "hedge", 0, reduce_only=True))
    desk.fill(hedge.client_id, 5)
    assert desk.manager.diff([bid(100)], 1)[1] == [bid(100)]


# -- time ----------------------------------------------------------------------------------------


def test_cancel_retry_doubles_from_its_interval_until_the_venue_answers() -> None:
    for interval_ms in (100, 40):
        desk = Desk(cancel_retry_ns=interval_ms * MS, max_order_age_ns=1 << 60, unresolved_limit_ns=1 << 60)
        client_id = desk.place(bid(100))
        desk.manager.diff([], 0)
        sent = []
        for now_ms in range(0, 3_200, 10):
            for cancel in desk.manager.on_time(now_ms * MS, 0).cancels:
                assert (cancel.client_id, cancel.venue_order_id) == (client_id, f"v-{client_id}")
                sent.append(now_ms)
        expected, at, step = [], 0, interval_ms
        while at + step < 3_200:
            at, step = at + step, 2 * step
            expected.append(at)
        assert sent == expected
        assert len(sent) >= 4
        desk.cancelled(client_id, 100)
        assert desk.manager.on_time(1 << 50, 0).cancels == ()


def test_a_refused_cancel_proves_nothing_and_goes_on() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    desk.manager.diff([], 0)
    update = desk.manager.on_event(CancelRejected("BTC-USD", 1, 0, client_id, "UNKNOWN_CANCEL_ORDER"))
    assert update.order is not None
    assert desk.state(client_id) is OrderState.PENDING_CANCEL
    assert len(desk.manager.on_time(100 * MS, 0).cancels) == 1


def test_an_unanswered_submit_is_uncertain_after_the_time_out_and_blocks_its_slot() -> None:
    for timeout_ns in (2_000 * MS, 500 * MS):
        desk = Desk(ack_timeout_ns=timeout_ns)
        client_id = desk.submit(bid(100), 5)
        assert desk.manager.on_time(5 + timeout_ns, 0).alerts == ()
        update = desk.manager.on_time(6 + timeout_ns, 77)
        assert [(a.code, a.wall_ns, a.recv_ns) for a in update.alerts] == [("UNCERTAIN", 77, 6 + timeout_ns)]
        assert desk.state(client_id) is OrderState.UNCERTAIN
        assert desk.manager.own.buy_lots == 100
        assert desk.manager.diff([bid(90)], 7 + timeout_ns) == ([], [])
        assert desk.manager.on_time(8 + timeout_ns, 0).alerts == ()


@pytest.mark.parametrize("fills", [0, 30])
def test_an_uncertain_order_becomes_certain_by_an_answer(fills: int) -> None:
    desk = Desk()
    client_id = desk.submit(bid(100))
    desk.manager.on_time(3_000 * MS, 0)
    if fills:
        desk.fill(client_id, fills)
        assert desk.state(client_id) is OrderState.PARTIALLY_FILLED
    else:
        desk.accept(client_id)
        assert desk.state(client_id) is OrderState.NEW
    assert desk.manager.own.displayed_bids == {100: 100 - fills}


def test_an_uncertain_order_stays_uncertain_while_its_cancel_is_repeated() -> None:
    desk = Desk()
    client_id = desk.submit(bid(100))
    desk.manager.on_time(3_000 * MS, 0)
    assert len(desk.manager.diff([], 3_000 * MS)[0]) == 1
    assert desk.state(client_id) is OrderState.UNCERTAIN
    assert len(desk.manager.on_time(3_100 * MS, 0).cancels) == 1
    desk.accept(client_id)
    assert desk.state(client_id) is OrderState.PENDING_CANCEL


def test_an_order_unknown_for_too_long_halts_once() -> None:
    desk = Desk(unresolved_limit_ns=60_000 * MS)
    desk.submit(bid(100))
    doubted_ns = 2_000 * MS + 1
    assert not desk.manager.on_time(doubted_ns, 0).must_halt
    assert not desk.manager.on_time(doubted_ns + 60_000 * MS - 1, 0).must_halt
    update = desk.manager.on_time(doubted_ns + 60_000 * MS, 0)
    assert update.must_halt
    assert [(a.code, a.severity) for a in update.alerts] == [("UNRESOLVED", Severity.CRITICAL)]
    assert not desk.manager.on_time(1 << 60, 0).must_halt


def test_an_order_that_became_certain_does_not_halt_later() -> None:
    desk = Desk()
    client_id = desk.submit(bid(100))
    desk.manager.on_time(3_000 * MS, 0)
    desk.accept(client_id)
    assert not desk.manager.on_time(100_000 * MS, 0).must_halt
    assert desk.state(client_id) is OrderState.NEW


def test_each_order_is_doubted_at_its_own_time() -> None:
    desk = Desk(ack_timeout_ns=100)
    first, second = desk.submit(bid(100), 4), desk.submit(ask(110), 5)
    desk.manager.on_time(105, 0)
    assert (desk.state(first), desk.state(second)) == (OrderState.UNCERTAIN, OrderState.PENDING)
    desk.manager.on_time(106, 0)
    assert desk.state(second) is OrderState.UNCERTAIN


def test_a_cancel_unproven_for_too_long_halts() -> None:
    desk = Desk(unresolved_limit_ns=1_000 * MS)
    client_id = desk.place(bid(100))
    desk.manager.diff([], 0)
    assert not desk.manager.on_time(999 * MS, 0).must_halt
    assert desk.manager.on_time(1_000 * MS, 0).must_halt
    assert desk.state(client_id) is OrderState.UNCERTAIN


def test_nothing_is_due_while_all_is_answered() -> None:
    desk = Desk()
    desk.place(bid(100))
    assert desk.manager.on_time(10_000 * MS, 0) == desk.manager.on_time(20_000 * MS, 0)
    assert desk.state(desk.manager.open_orders()[0].client_id) is OrderState.NEW


def test_cancel_all_asks_for_every_live_order_and_starts_retries_anew() -> None:
    desk = Desk()
    working, pending = desk.place(bid(100)), desk.submit(ask(110))
    desk.manager.diff([ask(110)], 0)
    desk.manager.on_time(100 * MS, 0)
    cancels = desk.manager.cancel_all(150 * MS, "kill")
    assert [(c.client_id, c.reason) for c in cancels] == [(working, "kill"), (pending, "kill")]
    assert len(desk.manager.on_time(250 * MS, 0).cancels) == 2
    assert desk.manager.diff([bid(100), ask(110)], 260 * MS) == ([], [])


# -- answers in every order ----------------------------------------------------------------------


def test_fill_before_ack() -> None:
    desk = Desk()
    client_id = desk.submit(bid(100))
    update = desk.fill(client_id, 40)
    assert update.fill is not None
    assert not update.is_late
    assert desk.state(client_id) is OrderState.PARTIALLY_FILLED
    assert codes(desk.accept(client_id)) == []
    assert desk.state(client_id) is OrderState.PARTIALLY_FILLED
    assert desk.fill(client_id, 60).fill is not None
    assert desk.state(client_id) is OrderState.FILLED
    assert desk.manager.own.buy_lots == 0


def test_ack_after_cancel_changes_nothing_but_the_venues_id() -> None:
    desk = Desk()
    client_id = desk.submit(bid(100))
    desk.cancelled(client_id, 100)
    assert codes(desk.accept(client_id)) == []
    order = desk.manager.order(client_id)
    assert order is not None
    assert (order.state, order.venue_order_id) == (OrderState.CANCELLED, f"v-{client_id}")
    assert desk.manager.open_orders() == []


def test_fill_after_cancel_is_booked_with_an_alert_and_the_end_stays() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    assert codes(desk.cancelled(client_id, 70)) == ["FILL_MISMATCH"]
    update = desk.fill(client_id, 30)
    assert update.fill is not None
    assert update.is_late
    assert not update.must_halt
    assert codes(update) == ["LATE_FILL"]
    order = desk.manager.order(client_id)
    assert order is not None
    assert (order.state, order.filled, order.remaining) == (OrderState.CANCELLED, 30, 70)
    assert desk.manager.own.buy_lots == 0


def test_a_fill_told_twice_is_booked_once() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    assert desk.fill(client_id, 40, fill_id="77").fill is not None
    update = desk.fill(client_id, 40, fill_id="77")
    assert update.fill is None
    assert update.is_duplicate
    order = desk.manager.order(client_id)
    assert order is not None
    assert (order.filled, order.remaining) == (40, 60)


def test_an_overfill_is_booked_and_halts() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    update = desk.fill(client_id, 101)
    assert update.fill is not None
    assert update.must_halt
    assert codes(update) == ["OVERFILL"]
    assert desk.state(client_id) is OrderState.FILLED
    assert desk.manager.own.buy_lots == 0
    again = desk.fill(client_id, 1)
    assert again.must_halt
    assert again.is_late


def test_a_fill_of_the_other_side_or_of_nothing_halts() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    assert codes(desk.fill(client_id, 1, side=Side.SELL)) == ["CONTRADICTION"]
    update = desk.fill(client_id, 0)
    assert update.must_halt
    assert update.fill is None


def test_partial_fill_while_the_cancel_is_under_way() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    desk.manager.diff([], 1)
    desk.fill(client_id, 30)
    assert desk.state(client_id) is OrderState.PENDING_CANCEL
    assert codes(desk.cancelled(client_id, 70)) == []
    assert desk.state(client_id) is OrderState.CANCELLED


def test_a_rejection_frees_the_slot_before_and_after_the_acknowledgement() -> None:
    for is_accepted in (False, True):
        desk = Desk()
        client_id = desk.place(bid(100)) if is_accepted else desk.submit(bid(100))
        desk.manager.on_event(OrderRejected("BTC-USD", 2, 0, client_id, "POST_ONLY", "would cross"))
        order = desk.manager.order(client_id)
        assert order is not None
        assert (order.state, order.end_reason) == (OrderState.REJECTED, "POST_ONLY: would cross")
        assert desk.manager.diff([bid(100)], 3)[1] == [bid(100)]
        assert codes(desk.accept(client_id)) == ["CONTRADICTION"]


def test_a_rejection_after_a_fill_is_a_contradiction_and_the_order_uncertain() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    desk.fill(client_id, 10)
    update = desk.manager.on_event(OrderRejected("BTC-USD", 2, 0, client_id, "X", ""))
    assert codes(update) == ["CONTRADICTION"]
    assert desk.state(client_id) is OrderState.UNCERTAIN
    assert desk.manager.own.buy_lots == 90


def test_events_of_orders_that_are_not_ours_are_told_and_not_booked() -> None:
    desk = Desk()
    foreign = ClientIds(1, installation_tag=1).next()
    update = desk.fill(foreign, 5)
    assert (update.order, update.fill, codes(update)) == (None, None, ["UNKNOWN_ORDER"])
    assert codes(desk.accept(foreign)) == ["UNKNOWN_ORDER"]


def test_a_fill_of_ours_that_is_not_on_record_is_booked_once_with_an_alert() -> None:
    desk = Desk()
    lost = ClientIds(99).next()
    update = desk.fill(lost, 5, fill_id="1")
    assert update.fill is not None
    assert codes(update) == ["UNKNOWN_ORDER"]
    assert desk.fill(lost, 5, fill_id="1").fill is None


def test_terminal_states_are_final() -> None:
    desk = Desk()
    client_id = desk.place(bid(100))
    desk.fill(client_id, 100)
    desk.accept(client_id)
    desk.cancelled(client_id, 0)
    desk.manager.on_event(OrderRejected("BTC-USD", 2, 0, client_id, "X", ""))
    desk.manager.on_event(OrderExpired("BTC-USD", 2, 0, client_id, 0))
    desk.manager.on_event(CancelRejected("BTC-USD", 2, 0, client_id, "DONE"))
    assert desk.state(client_id) is OrderState.FILLED


# -- totals, bounds, digest ----------------------------------------------------------------------


def test_totals_follow_every_change() -> None:
    desk = Desk()
    own = desk.manager.own
    low, high = desk.place(bid(99, 10)), desk.place(bid(100, 20, level=1))
    desk.submit(bid(100, 5, level=2))
    offer = desk.place(ask(110, 7))
    assert (own.buy_lots, own.buy_count, own.buy_tick_lots) == (35, 3, 99 * 10 + 100 * 25)
    assert (own.sell_lots, own.sell_count, own.best_bid, own.best_ask) == (7, 1, 100, 110)
    assert own.displayed_bids == {99: 10, 100: 20}  # the unanswered one is not shown yet
    desk.fill(high, 8)
    assert own.displayed_bids == {99: 10, 100: 12}
    desk.cancelled(high, 12)
    desk.cancelled(offer, 7)
    assert (own.buy_lots, own.best_bid, own.best_ask) == (15, 100, None)
    assert (own.displayed_bids, own.displayed_asks) == ({99: 10}, {})
    desk.fill(low, 10)
    assert own.displayed_bids == {}


def test_10000_requotes_track_at_most_two_orders_a_level() -> None:
    """Case 42."""
    desk = Desk()
    levels, sent, cancelled = 3, list[str](), 0
    for step in range(10_000):
        now_ns = step * 100 * MS
        mid = 10_000 + step % 17
        quotes = [bid(mid - 5 - level, 100, level) for level in range(levels)]
        quotes += [ask(mid + 5 + level, 100, level) for level in range(levels)]
        cancels, places = desk.manager.diff(quotes, now_ns, mid - 1, mid + 1)
        for quote in places:
            sent.append(desk.place(quote, now_ns))
        assert len(desk.manager.open_orders()) <= 2 * levels
        for cancel in cancels:
            desk.cancelled(cancel.client_id, 100, now_ns)
            cancelled += 1
    live = len(desk.manager.open_orders())
    assert len(sent) > 20_000
    assert cancelled == len(sent) - live
    known = sum(desk.manager.order(client_id) is not None for client_id in sent)
    assert known == live + ENDED_ORDERS_KEPT


def test_ended_orders_are_forgotten_oldest_first() -> None:
    desk = Desk()
    first = desk.place(bid(100))
    desk.cancelled(first, 100)
    for _ in range(ENDED_ORDERS_KEPT - 1):
        desk.cancelled(desk.place(bid(100)), 100)
    assert desk.manager.order(first) is not None
    desk.cancelled(desk.place(bid(100)), 100)
    assert desk.manager.order(first) is None


def test_what_is_saved_sees_every_change() -> None:
    desk = Desk(post_fill_pause_ns=MS)
    seen = {repr(desk.manager.save())}

    def changed() -> bool:
        before = len(seen)
        seen.add(repr(desk.manager.save()))
        return len(seen) > before

    client_id = desk.submit(bid(100))
    assert changed()
    desk.accept(client_id)
    assert changed()
    desk.fill(client_id, 10)
    assert changed()
    desk.manager.diff([], 5)
    assert changed()
    desk.manager.on_time(500 * MS, 0)
    assert changed()
    desk.cancelled(client_id, 90)
    assert changed()


def test_the_same_events_give_the_same_state() -> None:
    def run() -> object:
        desk = Desk()
        for step in range(20):
            client_id = desk.place(bid(100 + step), step)
            desk.fill(client_id, 40, step)
            desk.cancelled(client_id, 60, step)
        return desk.manager.save()

    assert run() == run()
