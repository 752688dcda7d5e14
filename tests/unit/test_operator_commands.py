"""What a person asks of a Trader: flatten, rearm, and the answer to everything."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from trader_bench import D, TraderBench, X, cancels, configured, one_side, submits

from engine.core.events import (
    AnyCommand,
    BookSnapshot,
    CancelOrder,
    FeedState,
    OperatorAction,
    OrderExpired,
    OrderFilled,
    Recovered,
    Severity,
    SubmitOrder,
)
from engine.core.instrument import Instrument
from engine.core.order import Side, TimeInForce
from engine.risk.state import TradingState
from engine.runtime.builder import build_trader
from engine.trader.order_entry import OrderEntry

A = OperatorAction


def holding(position: int, **changes: object) -> TraderBench:
    """A bench with so many lots (up to 30 a side), everything else of the first quotes still resting."""
    bench = TraderBench(**changes)
    quotes = one_side(bench.quote(), 1 if position > 0 else -1)
    left = abs(position)
    for quote in quotes:
        lots = min(left, quote.size)
        if lots:
            bench.fill(quote, lots)
        left -= lots
    assert bench.trader.ledger.position == position
    bench.trader.drain_alerts()
    return bench


def codes(bench: TraderBench) -> list[str]:
    return [alert.code for alert in bench.trader.drain_alerts()]


def flattened(bench: TraderBench, steps: int = 5) -> list[SubmitOrder]:
    """Let the venue prove cancels and fill what closes; the orders that were sent meanwhile."""
    sent: list[SubmitOrder] = []
    for _ in range(steps):
        commands = bench.step()
        bench.prove(commands)
        bench.accept(commands)
        for order in submits(commands):
            sent.append(order)
            if order.purpose == "flatten":
                bench.fill(order)
    return sent


# -- flatten -------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [20, -20, 7])
def test_flatten_cancels_all_closes_by_one_reducing_order_and_stays_paused(position: int) -> None:
    bench = holding(position)
    resting = {order.client_id for order in bench.trader.orders.open_orders()}
    pulled = bench.operator(A.FLATTEN)
    assert {c.client_id for c in cancels(pulled)} == resting
    assert bench.trader.answer.is_taken
    assert f"{X.size_text(position)} X is being closed" in bench.trader.answer.text
    assert not submits(bench.step()), "our own orders are not proven gone: they could fill and turn us around"
    bench.prove(pulled)
    (closing,) = flattened(bench)
    assert (closing.purpose, closing.reduce_only, closing.size) == ("flatten", True, abs(position))
    assert closing.side is (Side.SELL if position > 0 else Side.BUY)
    assert closing.time_in_force is TimeInForce.IOC
    assert bench.trader.ledger.position == 0
    assert not bench.trader.risk.is_flattening
    assert codes(bench) == ["FLATTEN", "FLATTEN", "FLAT"], "asked, sent, done"
    assert not flattened(bench), "quoting does not go on by itself"
    assert bench.trader.risk.effective is TradingState.PAUSED
    bench.operator(A.RESUME)
    assert len(submits(bench.step())) == 6


def test_what_a_closing_order_leaves_is_closed_by_the_next() -> None:
    bench = holding(20)
    bench.prove(bench.operator(A.FLATTEN))
    (first,) = submits(bench.step())
    bench.fill(first, 12)
    bench.tell(OrderExpired("X-USD", bench.now, bench.now, first.client_id, 8))
    (second,) = submits(bench.step())
    assert second.size == 8


def test_flatten_when_flat_pauses_and_is_done_once_nothing_is_open() -> None:
    bench = TraderBench()
    bench.quote()
    pulled = bench.operator(A.FLATTEN)
    assert not bench.step(50)
    assert bench.trader.risk.is_flattening, "what is not proven gone may still fill"
    bench.prove(pulled)
    assert not bench.step()
    assert not bench.trader.risk.is_flattening
    assert bench.trader.risk.effective is TradingState.PAUSED
    assert codes(bench) == ["FLATTEN", "FLAT"]


def test_a_quote_that_fills_while_its_cancel_is_under_way_is_closed_too() -> None:
    bench = holding(10)
    pulled = bench.operator(A.FLATTEN)
    late = next(o.command for o in bench.trader.orders.open_orders() if o.side is Side.BUY)
    bench.fill(late)
    bench.prove([c for c in pulled if c.client_id != late.client_id])
    (closing,) = flattened(bench)
    assert closing.size == 20


@pytest.mark.parametrize("action", [A.KILL, None])
def test_flatten_is_the_one_thing_that_leaves_in_killed_and_halted(action: OperatorAction | None) -> None:
    bench = holding(20)
    if action is None:
        halt_by_drawdown(bench)
    else:
        bench.prove(bench.operator(action))
    state = bench.trader.risk.effective
    assert state >= TradingState.HALTED
    assert not flattened(bench), "nobody has asked to flatten"
    bench.operator(A.FLATTEN)
    sent = flattened(bench)
    assert [(o.purpose, o.size) for o in sent] == [("flatten", 20)]
    assert bench.trader.ledger.position == 0
    assert bench.trader.risk.effective is state, "the state stays what it was"
    bench.operator(A.RESUME)
    assert not flattened(bench)
    assert bench.trader.risk.effective is state


def halt_by_drawdown(bench: TraderBench) -> None:
    bench.trader.guard._capital = X.atoms("100")
    bench.market("9699", "9701")
    bench.prove(bench.step())
    assert bench.trader.risk.effective is TradingState.HALTED


def test_a_drawdown_that_halts_does_not_end_a_flatten() -> None:
    bench = holding(20)
    pulled = bench.operator(A.FLATTEN)
    halt_by_drawdown(bench)
    bench.prove(pulled)
    flattened(bench)
    assert bench.trader.ledger.position == 0


def test_a_contradiction_ends_a_flatten_until_a_person_asks_again() -> None:
    bench = holding(20)
    bench.prove(bench.operator(A.FLATTEN))
    (closing,) = submits(bench.step())
    bench.fill(closing, 25)
    assert bench.trader.ledger.position == -5
    assert not flattened(bench), "a venue that overfills must not be sent the next order unasked"
    assert bench.trader.risk.effective is TradingState.HALTED
    assert any("the flatten has ended" in alert.text for alert in bench.trader.drain_alerts())
    bench.operator(A.FLATTEN)
    assert [order.size for order in flattened(bench)] == [5]


@pytest.mark.parametrize("action", [A.RESUME, A.KILL, A.SHUTDOWN])
def test_what_ends_a_flatten(action: OperatorAction) -> None:
    bench = holding(20)
    pulled = bench.operator(A.FLATTEN)
    bench.operator(action)
    bench.prove(pulled)
    assert not [order for order in flattened(bench) if order.purpose == "flatten"]
    assert not bench.trader.risk.is_flattening
    assert bench.trader.ledger.position == 20


def test_a_resume_says_what_the_flatten_has_left() -> None:
    bench = holding(20)
    bench.operator(A.FLATTEN)
    bench.operator(A.RESUME)
    assert bench.trader.answer.text == "the flatten has ended with a position of 0.02 X; no pause is left"


@pytest.mark.parametrize("action", [A.PAUSE, A.CANCEL_ALL])
def test_what_does_not_end_a_flatten_says_so(action: OperatorAction) -> None:
    bench = holding(20)
    bench.prove(bench.operator(A.FLATTEN))
    bench.operator(action)
    assert "the flatten goes on, a resume ends it" in bench.trader.answer.text
    flattened(bench)
    assert bench.trader.ledger.position == 0


def test_a_flatten_waits_for_a_book_that_may_be_believed() -> None:
    bench = holding(20)
    bench.prove(bench.operator(A.FLATTEN))
    bench.feed(FeedState.STALE)
    assert not flattened(bench)
    assert "BLOCKED" in codes(bench)
    bench.market()
    assert [order.size for order in flattened(bench)] == [20]


def test_dust_ends_a_flatten_by_what_its_order_would_be_worth() -> None:
    # At the mid 2 lots are worth 20, the smallest order; a sale at the collar's edge would be worth less.
    for lots, is_sent in ((2, False), (3, True)):
        bench = TraderBench()
        coarse = Instrument.create("X-USD", tick="0.01", lot="0.001", min_notional="20")
        bench.trader = build_trader(configured(), coarse, 0, displays_own=False)
        bench.trader.strategy.start()
        bench.fill(one_side(bench.quote(), 1)[0], lots)
        bench.prove(bench.operator(A.FLATTEN))
        assert bool(submits(bench.step())) is is_sent
        assert bench.trader.risk.is_flattening is is_sent
        assert bench.trader.gate.denied == {}
        if not is_sent:
            alert = bench.trader.drain_alerts()[-1]
            assert alert.text == (
                "flatten: all but 0.002 X, too little for any order, is closed; "
                "quoting is paused until a person resumes"
            )


def test_a_position_that_cannot_be_closed_is_told_loudly() -> None:
    bench = holding(10)
    bench.prove(bench.operator(A.FLATTEN))
    limits = bench.trader.gate.limits
    bench.trader.gate.limits = type(limits)(
        **{name: getattr(limits, name) for name in limits.__slots__} | {"max_order_notional": X.atoms(5)}
    )
    bench.trader.drain_alerts()
    assert not submits(bench.step())
    (told,) = bench.trader.drain_alerts()
    assert (told.code, told.severity) == ("NOT_CLOSED", Severity.ERROR)
    assert told.text.startswith(f"flatten: the position of {X.size_text(10)} X stays open, BLOCKED: ")


def test_flatten_takes_precedence_over_a_stop_loss() -> None:
    bench = holding(20)
    bench.market("9600", "9602")
    bench.prove(bench.step())
    bench.operator(A.FLATTEN)
    assert {order.purpose for order in flattened(bench)} == {"flatten"}


def test_a_flatten_is_refused_while_the_engine_ends() -> None:
    bench = holding(20)
    bench.operator(A.SHUTDOWN)
    assert not bench.operator(A.FLATTEN)
    assert not bench.trader.answer.is_taken
    assert codes(bench) == ["REFUSED"]


def test_a_session_that_died_while_it_ended_trades_again_once_its_orders_are_accounted_for() -> None:
    bench = TraderBench()
    quotes = bench.quote()
    bench.operator(A.SHUTDOWN)
    bench.now += 1_000_000_000
    bench.trader.on_event(Recovered(X.symbol, bench.now, bench.now, "killed while it ended"))
    bench.step()
    assert bench.trader.risk.effective is TradingState.PAUSED
    bench.prove([CancelOrder(X.symbol, bench.now, quote.client_id) for quote in quotes])
    assert submits(bench.step())
    assert bench.trader.risk.effective is TradingState.ACTIVE


def test_the_purpose_alone_opens_no_door() -> None:
    """Whoever names an order a flatten is denied while no person has asked for one."""
    bench = holding(20)
    bench.prove(bench.operator(A.KILL))
    entry: OrderEntry = bench.trader._entry
    event = BookSnapshot("X-USD", bench.now, bench.now, [], [])
    assert entry.close("flatten", event) == []
    assert bench.trader.gate.denied == {"KILLED": 1}


# -- rearm ---------------------------------------------------------------------------------------


def test_rearm_takes_a_drawdown_latch_back_for_good() -> None:
    bench = TraderBench(risk__risk_capital=D(1000), risk__max_drawdown_pct=D(5))
    bench.fill(one_side(bench.quote(), 1)[0])
    bench.market("4900", "4902")
    bench.prove(bench.step())
    assert bench.trader.risk.effective is TradingState.HALTED
    lost = bench.trader.guard.peak - (bench.trader.ledger.equity or 0)
    bench.operator(A.REARM)
    assert bench.trader.answer.is_taken
    assert "HALTED is taken back (DRAWDOWN: equity fell by " in bench.trader.answer.text
    bench.operator(A.RESUME)  # the stop loss pauses, too
    bench.step()
    assert lost > 0
    assert bench.trader.guard.peak == bench.trader.ledger.equity, "the peak restarts at the present equity"
    assert bench.trader.risk.latched is None
    # Another 5 % of the capital are lost 5,000 further down.
    bench.market("1", "3")
    bench.step()
    assert bench.trader.risk.effective is not TradingState.HALTED
    assert bench.trader.ledger.equity == bench.trader.guard.peak - X.atoms("48.99")


def test_a_loss_after_the_rearm_halts_again() -> None:
    bench = TraderBench(risk__risk_capital=D(1000), risk__max_drawdown_pct=D(1))
    bench.fill(one_side(bench.quote(), 1)[0])
    for mid in (8_900, 7_800):
        bench.market(str(mid - 1), str(mid + 1))
        bench.prove(bench.step())
        assert bench.trader.risk.effective is TradingState.HALTED
        bench.operator(A.REARM)
        bench.prove(bench.step())
        assert bench.trader.risk.effective is not TradingState.HALTED


def test_a_rearm_without_a_mark_restarts_the_peak_when_there_is_one() -> None:
    bench = TraderBench(risk__risk_capital=D(1000), risk__max_drawdown_pct=D(5))
    bench.fill(one_side(bench.quote(), 1)[0])
    bench.market("4900", "4902")
    bench.prove(bench.step())
    bench.feed(FeedState.STALE)
    before = bench.trader.digest()
    bench.operator(A.REARM)
    bench.step()
    assert bench.trader.digest() != before
    bench.market("4900", "4902")
    bench.step()
    assert bench.trader.risk.latched is None
    assert bench.trader.guard.peak == bench.trader.ledger.equity


def test_rearm_lets_a_killed_trader_quote_again() -> None:
    bench = TraderBench()
    bench.quote()
    bench.prove(bench.operator(A.KILL))
    assert not submits(bench.step())
    bench.operator(A.REARM)
    assert len(submits(bench.step())) == 6


def test_rearm_waits_for_the_proof_that_every_order_is_gone() -> None:
    bench = TraderBench()
    bench.quote()
    cancels = bench.operator(A.KILL)
    bench.operator(A.REARM)
    assert not bench.trader.answer.is_taken
    assert cancels[0].client_id in bench.trader.answer.text
    assert "and 1 more have no proven end yet" in bench.trader.answer.text
    assert bench.trader.risk.effective is TradingState.KILLED
    bench.prove(cancels)
    bench.operator(A.REARM)
    assert bench.trader.answer.is_taken


def test_rearm_leaves_a_pause_and_says_so() -> None:
    bench = holding(20)
    bench.prove(bench.operator(A.PAUSE))
    bench.prove(bench.operator(A.KILL))
    bench.operator(A.REARM)
    assert bench.trader.answer.text.endswith("; trading is PAUSED: said the test, until a person resumes")
    assert bench.trader.risk.effective is TradingState.PAUSED


def test_nothing_latched_is_a_refusal_and_no_exception() -> None:
    bench = TraderBench()
    bench.quote()
    peak = bench.trader.guard.save()
    assert bench.operator(A.REARM) == ()
    assert bench.trader.answer.is_taken is False
    assert bench.trader.answer.text == "nothing is latched: there is nothing to take back"
    assert bench.trader.guard.save() == peak
    assert codes(bench) == ["REFUSED"]


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "is_taken", "text"),
    [
        ([A.PAUSE], True, "quoting is paused; 6 orders are being cancelled"),
        ([A.PAUSE, A.PAUSE], True, "quoting is paused; no cancel was needed"),
        ([A.RESUME], False, "quoting is not paused"),
        ([A.PAUSE, A.RESUME], True, "no pause is left"),
        ([A.CANCEL_ALL], True, "6 orders are being cancelled"),
        ([A.KILL], True, "KILLED; 6 orders are being cancelled"),
        (
            [A.KILL, A.RESUME],
            False,
            "quoting is not paused; trading is KILLED: said the test, until a person resets it",
        ),
        ([A.SHUTDOWN], True, "the engine is ending; 6 orders are being cancelled"),
        (
            [A.FLATTEN],
            True,
            "flat; 6 orders are being cancelled; quoting is paused until a person resumes",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_every_command_is_answered(actions: list[OperatorAction], is_taken: bool, text: str) -> None:
    bench = TraderBench()
    bench.quote()
    for action in actions:
        bench.operator(action)
    assert bench.trader.answer.text == text
    assert bench.trader.answer.is_taken is is_taken


def test_every_action_there_is_can_be_asked_for() -> None:
    for action in OperatorAction:
        bench = TraderBench()
        bench.quote()
        bench.operator(action)
        assert bench.trader.answer.text != TraderBench().trader.answer.text


# -- ended orders --------------------------------------------------------------------------------


def test_an_order_that_ended_is_told_once_whatever_comes_after() -> None:
    bench = TraderBench()
    bid = one_side(bench.quote(), 1)[0]
    fill = OrderFilled(
        "X-USD", bench.now, bench.now, bid.client_id, "f1", bid.side, bid.price or 0, bid.size, 0, True
    )
    commands: Sequence[AnyCommand] = bench.tell(fill)
    assert not commands
    assert [order.client_id for order in bench.trader.orders.drain_ended()] == [bid.client_id]
    bench.tell(fill)
    assert bench.trader.orders.drain_ended() == []
