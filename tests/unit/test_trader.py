"""The Trader through its one door: events in, commands out."""

from __future__ import annotations

import pytest
from trader_bench import D, TraderBench, X, cancels, configured, one_side, submits

from engine.core.errors import IntegrityError
from engine.core.events import (
    BookSnapshot,
    FeedState,
    OperatorAction,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.order import Side, TimeInForce
from engine.risk.state import TradingState
from engine.runtime.builder import build_trader


def test_a_live_two_sided_book_is_quoted_post_only_on_both_sides():
    bench = TraderBench()
    quotes = bench.quote()
    assert [X.price_text(q.price) for q in quotes] == ["9995", "9994", "9993", "10005", "10006", "10007"]
    assert all(q.post_only and q.time_in_force is TimeInForce.GTC for q in quotes)
    for quote in quotes:
        order = bench.trader.orders.order(quote.client_id)
        assert order is not None
        assert sum(term.value for term in order.explain()) == quote.price * 2 * X.half_tick_units


def test_nothing_is_quoted_before_the_book_is_live():
    bench = TraderBench()
    assert not bench.step()
    assert "idle" in bench.trader.decision.reason


@pytest.mark.parametrize("state", [FeedState.STALE, FeedState.SUBSCRIBED, FeedState.IDLE])
def test_a_book_that_stops_being_live_pulls_every_quote_at_once(state):
    bench = TraderBench()
    quotes = bench.quote()
    pulled = bench.feed(state)
    assert {c.client_id for c in pulled} == {q.client_id for q in quotes}
    bench.prove(pulled)
    assert not bench.step()
    assert bench.trader.ledger.mark_half_ticks is None, "a stale mid is no mark"
    bench.market()
    assert len(submits(bench.step())) == 6, "quoting goes on with the next live book"


def test_case_43_a_market_that_loses_a_side_is_left_within_one_timer():
    bench = TraderBench()
    bench.market("9900", "10100")
    quotes = submits(bench.step())
    assert all(X.ticks("9900") < q.price < X.ticks("10100") for q in quotes)
    bench.accept(quotes)
    bench.market("9900", "")
    assert {c.client_id for c in bench.step(1)} == {q.client_id for q in quotes}


def test_a_crossed_book_is_left_and_counted():
    bench = TraderBench()
    quotes = bench.quote()
    bench.market("10002", "10001")
    assert bench.trader.crossed_count == 1
    assert len(cancels(bench.step(1))) == len(quotes)
    assert bench.trader.ledger.mark_half_ticks is None


def test_a_replacement_waits_for_the_evidence_and_then_leaves_at_once():
    bench = TraderBench()
    old = bench.quote()
    bench.market("10009", "10011")
    asked = bench.step()
    assert len(cancels(asked)) == len(old)
    assert not submits(asked), "the venue has not proven that the old orders are gone"
    assert not submits(bench.step(10))
    bench.prove(asked)
    placed = submits(bench.step(10))
    assert [X.price_text(q.price) for q in one_side(placed, 1)] == ["10004.99", "10003.99", "10002.99"]
    assert len(placed) == 6


def test_what_was_wanted_before_a_fill_is_not_placed_after_it():
    bench = TraderBench()
    old = bench.quote()
    bench.market("10009", "10011")
    asked = bench.step()
    bench.prove(asked[1:])
    bench.fill(old[0])
    assert not submits(bench.step(10)), "the next decision knows the new position; this one did not"
    assert submits(bench.step(100))


def test_a_refused_quote_is_not_sent_again_before_the_next_decision():
    bench = TraderBench()
    bench.market()
    (first, *rest) = submits(bench.step())
    bench.accept(rest)
    bench.tell(OrderRejected("X-USD", bench.now, bench.now, first.client_id, "POST_ONLY", "would take"))
    assert not bench.step(10)
    again = submits(bench.step(100))
    assert [q.slot for q in again] == [first.slot]
    assert [a.code for a in bench.trader.drain_alerts()] == ["POST_ONLY"]


def test_case_41_a_buy_at_the_mid_loses_its_fee():
    bench = TraderBench(strategy__base_spread_bps=D(1), strategy__min_spread_bps=D(1), strategy__levels=1)
    # Half a basis point below 100.01, on a tick: 100.00.
    bench.market("99.99", "100.03", "100")
    quotes = submits(bench.step())
    bench.accept(quotes)
    bid = one_side(quotes, 1)[0]
    assert X.price_text(bid.price) == "100"
    bench.market("99.99", "100.01", "100")
    fee = X.atoms("0.0006")
    bench.fill(bid, fee=fee)
    ledger = bench.trader.ledger
    assert X.size_text(ledger.position) == "0.01"
    assert X.money_text(ledger.cash) == "-1.0006"
    assert ledger.average_cost == 100
    assert (ledger.realised, ledger.unrealised, ledger.profit) == (0, 0, -fee)
    assert ledger.residual == 0


def test_case_42_ten_thousand_requotes_track_at_most_two_orders_a_level():
    bench = TraderBench()
    bench.quote()
    most = 0
    for number in range(10_000):
        shift = number % 7
        bench.market(str(9_999 + shift), str(10_001 + shift))
        commands = bench.step()
        bench.prove(commands)
        commands = bench.step(1)
        bench.accept(commands)
        most = max(most, len(bench.trader.orders.own.by_id))
    assert most <= 6
    assert bench.trader.quote_count > 10_000


def test_kill_cancels_at_once_and_nothing_leaves_any_more():
    bench = TraderBench()
    quotes = bench.quote()
    killed = bench.operator(OperatorAction.KILL)
    assert {c.client_id for c in cancels(killed)} == {q.client_id for q in quotes}
    bench.prove(killed)
    bench.operator(OperatorAction.RESUME)
    bench.market("9990", "9992")
    assert not any(submits(bench.step()) for _ in range(20))
    assert bench.trader.risk.effective is TradingState.KILLED
    assert bench.trader.is_quiet


def test_pause_pulls_and_resume_quotes_again():
    bench = TraderBench()
    quotes = bench.quote()
    pulled = bench.operator(OperatorAction.PAUSE)
    assert len(cancels(pulled)) == len(quotes)
    bench.prove(pulled)
    assert not bench.step()
    bench.operator(OperatorAction.RESUME)
    assert len(submits(bench.step())) == 6


def test_shutdown_cancels_everything_and_quotes_nothing_more():
    bench = TraderBench()
    quotes = bench.quote()
    closing = bench.operator(OperatorAction.SHUTDOWN)
    assert {c.client_id for c in closing} == {q.client_id for q in quotes}
    assert not submits(bench.step())
    assert not bench.trader.is_quiet, "asked for is not proven"
    bench.prove(closing)
    assert bench.trader.is_quiet
    assert not bench.step()


def test_an_overfill_halts_and_is_booked():
    bench = TraderBench()
    quotes = bench.quote()
    commands = bench.fill(quotes[0], quotes[0].size + 1)
    assert bench.trader.risk.effective is TradingState.HALTED
    assert bench.trader.ledger.position == quotes[0].size + 1
    assert len(cancels(commands)) == len(quotes) - 1
    assert not submits(bench.step())


def test_the_same_fill_twice_is_one_fill():
    bench = TraderBench()
    quotes = bench.quote()
    fill = OrderFilled(
        "X-USD", bench.now, bench.now, quotes[0].client_id, "f1", Side.BUY, quotes[0].price, 4, 0, True
    )
    bench.tell(fill)
    bench.tell(fill)
    assert bench.trader.ledger.position == 4
    assert bench.trader.ledger.fill_count == 1


def test_losing_from_the_first_trade_halts_at_the_drawdown_limit():
    bench = TraderBench(risk__risk_capital=D(1000), risk__max_drawdown_pct=D(5))
    quotes = bench.quote()
    # 0.01 bought at 9,995: 5 % of 1,000 are lost 5,000 further down, to the cent.
    bench.fill(quotes[0])
    bench.market("4994", "4996.01")
    bench.step()
    assert bench.trader.risk.effective is not TradingState.HALTED
    bench.market("4994", "4996")
    bench.step()
    assert bench.trader.risk.effective is TradingState.HALTED
    assert "DRAWDOWN" in [alert.code for alert in bench.trader.drain_alerts()]
    assert not submits(bench.step())


@pytest.mark.parametrize(
    ("market", "purpose"), [(("9694", "9696"), "stop_loss"), (("10494", "10496"), "take_profit")]
)
def test_stop_loss_and_take_profit_close_the_position_and_pause(market, purpose):
    bench = TraderBench()
    quotes = bench.quote()
    bench.fill(one_side(quotes, 1)[0])
    # 3 % below, 5 % above the cost of 9,995.
    bench.market(*market)
    pulled = bench.step()
    assert not submits(pulled), "our own quotes stand in the way of the closing order"
    bench.prove(pulled)
    (closing,) = submits(bench.step())
    assert (closing.side, closing.purpose, closing.reduce_only) == (Side.SELL, purpose, True)
    assert closing.time_in_force is TimeInForce.IOC
    assert closing.size == bench.trader.ledger.position
    bench.accept([closing])
    bench.fill(closing)
    assert bench.trader.ledger.position == 0
    assert not submits(bench.step())
    assert bench.trader.risk.effective is TradingState.PAUSED
    bench.operator(OperatorAction.RESUME)
    assert len(submits(bench.step())) == 6


def test_the_daily_volume_leaves_only_the_side_that_reduces():
    bench = TraderBench(risk__max_trading_volume=D("0.01"))
    quotes = bench.quote()
    bench.fill(one_side(quotes, 1)[0])
    commands = bench.step()
    assert {c.client_id for c in cancels(commands)} >= {q.client_id for q in one_side(quotes, 1)[1:]}
    bench.prove(commands)
    bench.market("10009", "10011")
    for _ in range(10):
        commands = bench.step()
        bench.prove(commands)
        assert all(order.side is Side.SELL for order in submits(commands))


def test_case_40_at_the_position_limit_the_adding_side_is_empty():
    bench = TraderBench(strategy__max_position=D("0.02"), strategy__levels=1)
    for _ in range(40):
        bench.market()
        commands = bench.step()
        bench.accept(commands)
        for order in one_side(submits(commands), 1):
            bench.fill(order)
        bench.prove(commands)
        assert X.size_text(bench.trader.ledger.position) <= "0.02"
    assert bench.trader.ledger.position > 0
    limit = TraderBench(strategy__max_position=D("0.01"), strategy__levels=1)
    limit.fill(one_side(limit.quote(), 1)[0])
    limit.market("10009", "10011")
    for _ in range(5):
        commands = limit.step()
        limit.prove(commands)
        assert all(order.side is Side.SELL for order in submits(commands))


def test_a_hedge_takes_towards_the_target():
    bench = TraderBench(
        strategy__auto_hedge_enabled=True, strategy__max_position=D("0.02"), strategy__levels=1
    )
    bench.fill(one_side(bench.quote(), 1)[0])
    bench.market()
    hedges = []
    for _ in range(3):
        commands = bench.step()
        bench.prove(commands)
        hedges += [order for order in submits(commands) if order.purpose == "hedge"]
    assert hedges[0].side is Side.SELL
    assert hedges[0].time_in_force is TimeInForce.IOC
    assert hedges[0].size <= bench.trader.ledger.position


def test_an_unanswered_order_becomes_uncertain_and_blocks_its_slot():
    bench = TraderBench()
    bench.market()
    quotes = submits(bench.step())
    bench.accept(quotes[1:])
    for _ in range(25):
        bench.prove(bench.step())
    slots = {order.slot for order in submits(bench.sent)}
    assert slots == {q.slot for q in quotes}
    assert sum(order.slot == quotes[0].slot for order in submits(bench.sent)) == 1
    assert "UNCERTAIN" in [alert.code for alert in bench.trader.drain_alerts()]


def test_accounts_that_contradict_each_other_stop_the_trading():
    bench = TraderBench()
    bench.quote()
    bench.trader.ledger._cash += 1  # what no code path may ever do
    bench.step()
    bench.market("9990", "10002")
    with pytest.raises(IntegrityError, match="off by"):
        bench.step()


def test_equal_events_give_equal_digests_and_a_difference_shows():
    def run(last_size: int) -> str:
        bench = TraderBench()
        bench.quote()
        bench.tell(TradePrint("X-USD", bench.now, bench.now, 1, X.ticks("10000"), 5, Side.BUY))
        bench.tell(
            OrderFilled(
                "X-USD",
                bench.now,
                bench.now,
                submits(bench.sent)[0].client_id,
                "f1",
                Side.BUY,
                X.ticks("9995"),
                last_size,
                0,
                True,
            )
        )
        bench.step()
        return bench.trader.digest()

    assert run(3) == run(3)
    assert run(3) != run(4)


# -- every safety feature through the one door ---------------------------------------------------


def resting_orders(bench: TraderBench) -> dict[str, int]:
    return {order.slot: order.remaining for order in bench.trader.orders.open_orders()}


def test_no_quote_leads_beyond_max_position_whatever_still_rests():
    bench = TraderBench(strategy__max_position=D("0.03"))
    quotes = bench.quote()
    worst = 0
    for _ in range(30):
        bench.market("10009", "10011") if bench.now % 2 else bench.market()
        commands = bench.step(150)
        own = bench.trader.orders.own
        worst = max(worst, bench.trader.ledger.position + own.buy_lots)
        bench.prove(commands)
        bench.accept(commands)
        bids = one_side([order.command for order in bench.trader.orders.open_orders()], 1)
        if bids:
            bench.fill(bids[0])
        commands = bench.step(1)
        worst = max(worst, bench.trader.ledger.position + own.buy_lots)
        bench.accept(commands)
    assert quotes
    assert bench.trader.ledger.position > 10
    assert worst <= X.lots("0.03")


def test_r7_holds_reducing_from_the_limit_on_until_below_80_percent():
    bench = TraderBench(risk__max_position_base=D("0.02"), risk__max_order_size_base=D("0.02"))
    bids = one_side(bench.quote(), 1)
    bench.fill(bids[0])
    bench.fill(bids[1])
    commands = bench.step()
    assert bench.trader.risk.effective is TradingState.REDUCING
    bench.prove(commands)
    asks = []
    for _ in range(4):
        commands = bench.step()
        bench.accept(commands)
        asks += submits(commands)
    assert asks
    assert all(order.side is Side.SELL for order in asks)
    assert sum(order.size for order in asks) <= 20, "all of them together must not turn the position"
    bench.fill(asks[0])
    bench.step()
    assert bench.trader.risk.effective is TradingState.ACTIVE


def test_reducing_trims_a_quote_to_what_is_left_and_says_why():
    bench = TraderBench(risk__max_trading_volume=D("0.01"))
    bids = one_side(bench.quote(), 1)
    bench.fill(bids[0], 5)
    bench.fill(bids[1], 5)
    bench.prove(bench.step())
    ask = one_side(submits(bench.step()), -1)
    assert [order.size for order in ask] == [10]
    bench.accept(ask)
    bench.fill(ask[0], 7)
    for _ in range(3):
        commands = bench.step()
        bench.prove(commands)
        bench.accept(commands)
    assert list(resting_orders(bench).values()) == [3]
    assert "REDUCING" in bench.trader.decision.reason


def test_r21_a_minute_without_proof_halts():
    bench = TraderBench()
    bench.market()
    quotes = submits(bench.step())
    bench.accept(quotes[1:])
    for _ in range(70):
        bench.prove(bench.step(1_000))
    assert bench.trader.risk.effective is TradingState.HALTED
    assert "UNRESOLVED" in [alert.code for alert in bench.trader.drain_alerts()]


def test_an_unanswered_bid_above_the_market_is_called_back():
    bench = TraderBench()
    bench.market()
    quotes = submits(bench.step())
    bench.accept(quotes[1:])
    bench.market("9900", "9902")
    assert quotes[0].client_id in {c.client_id for c in cancels(bench.step())}


def test_r8_cash_that_was_spent_is_not_spent_again():
    bench = TraderBench(engine__opening_quote_balance=D(250))
    bids = one_side(bench.quote(), 1)
    assert len(bids) == 2, "three bids would need 300"
    bench.fill(bids[0])
    bench.fill(bids[1])
    for _ in range(5):
        commands = bench.step()
        bench.prove(commands)
        assert not one_side(submits(commands), 1)
    assert bench.trader.gate.denied["EXPOSURE"]


def test_r8_nothing_is_sold_that_the_account_does_not_hold():
    bench = TraderBench(engine__opening_base_balance=D("0.02"))
    assert len(one_side(bench.quote(), -1)) == 2


@pytest.mark.parametrize(
    "limit", [{"risk__max_order_size_base": D("0.012")}, {"risk__max_order_notional": D(110)}]
)
def test_a_closing_order_is_cut_to_the_largest_allowed(limit):
    bench = TraderBench(**limit)
    bids = one_side(bench.quote(), 1)
    bench.fill(bids[0])
    bench.fill(bids[1])
    bench.market("9600", "9602")
    bench.prove(bench.step())
    bench.step()
    (closing,) = [order for order in submits(bench.sent) if order.purpose == "stop_loss"]
    assert closing.price is not None
    if "risk__max_order_size_base" in limit:
        assert closing.size == 12
    else:
        assert (
            X.notional(closing.price, closing.size)
            <= X.atoms(110)
            < X.notional(closing.price, closing.size + 1)
        )
    assert bench.trader.gate.denied == {}


def test_a_remainder_too_small_for_any_order_does_not_stop_the_maker():
    bench = TraderBench()
    coarse = Instrument.create("X-USD", tick="0.01", lot="0.001", min_notional="20")
    bench.trader = build_trader(configured(), coarse, 0, displays_own=False)
    bench.trader.strategy.start()
    bids = one_side(bench.quote(), 1)
    bench.fill(bids[0], 1)
    bench.market("9600", "9602")
    for _ in range(3):
        bench.prove(bench.step())
    assert bench.trader.ledger.position == 1
    assert bench.trader.risk.effective is TradingState.ACTIVE
    assert resting_orders(bench) or submits(bench.sent)[-1].purpose == "quote"


def test_a_hedge_that_waits_is_forgotten_when_a_person_pauses():
    bench = TraderBench(
        strategy__auto_hedge_enabled=True,
        strategy__max_position=D("0.02"),
        strategy__hedge_threshold_pct=D(20),
    )
    bids = one_side(bench.quote(), 1)
    bench.fill(bids[0])
    # Our bid stands above the market that the hedge would sell to.
    bench.market("9990", "9992")
    commands = bench.step()
    pulled = bench.operator(OperatorAction.PAUSE)
    bench.prove([*commands, *pulled])
    for _ in range(5):
        assert not submits(bench.step())


def test_a_snapshot_of_a_book_nobody_vouches_for_is_no_mark():
    bench = TraderBench()
    bench.fill(one_side(bench.quote(), 1)[0])
    bench.feed(FeedState.STALE)
    bench.tell(BookSnapshot("X-USD", bench.now, bench.now, [(100, 5)], [(102, 5)]))
    assert bench.trader.ledger.mark_half_ticks is None
    bench.step()
    assert bench.trader.risk.effective is TradingState.ACTIVE


def test_an_end_that_does_not_fit_the_fills_halts_unless_the_fill_comes():
    for comes in (True, False):
        bench = TraderBench()
        first = bench.quote()[0]
        bench.tell(OrderCancelled("X-USD", bench.now, bench.now, first.client_id, first.size - 7))
        if comes:
            bench.fill(first, 7)
        for _ in range(62):
            bench.prove(bench.step(1_000))
        expected = TradingState.ACTIVE if comes else TradingState.HALTED
        assert bench.trader.risk.effective is expected
