"""A quote that is not sent says why: every control that it fails, the one that decided first."""

from __future__ import annotations

from trader_bench import D, TraderBench
from view_bench import DeskBench

from engine.core.events import OperatorAction, SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import BUY
from engine.core.own_orders import OwnOrders
from engine.link.view import Breaker, Failure
from engine.risk.gate import RiskContext, RiskGate
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState, TradingState
from engine.runtime.desk_view import DeskViewer

BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.001")
FEW = {"strategy__levels": 3, "risk__max_open_orders": 6, "risk__max_open_orders_per_side": 2}
"""Two of three quotes a side can leave."""


def judged(order: SubmitOrder, *, state: RiskState | None = None, **known: object) -> list[str]:
    """The codes of an order at a gate with the defaults, the market at 9,999 / 10,001."""
    gate = RiskGate(BTC, RiskSettings.for_mode("live").limits(BTC, D(1)), state or RiskState())
    context = RiskContext(
        OwnOrders(),
        is_book_live=True,
        mid=2_000_000,
        best_bid=999_900,
        best_ask=1_000_100,
        quote_balance=BTC.atoms(1_000_000),
        base_balance=BTC.lots("10"),
        equity=BTC.atoms(1_000_000),
    )
    for name, value in known.items():
        setattr(context, name, value)
    gate.runaway.mean("B0", 999_000, 10**9, 0)
    denial = gate.check(order, context)
    if denial is None:
        return []
    assert gate.failures[0] is denial
    assert gate.denied == {denial.code: 1}
    return [each.code for each in gate.failures]


def bid(price: int = 999_900, size: int = 10, *, post_only: bool = True) -> SubmitOrder:
    return SubmitOrder("BTC-USD", 0, "a-1", BUY, size, price, post_only=post_only, slot="B0")


def test_all_controls_that_an_order_fails_are_listed_in_the_order_of_the_gate() -> None:
    assert judged(bid()) == []
    assert judged(bid(size=60)) == ["SIZE"]
    assert judged(bid(size=300)) == ["SIZE", "NOTIONAL", "POSITION"]
    assert judged(bid(9_999_000, 11, post_only=False), quote_balance=0) == [
        *("NOTIONAL", "COLLAR", "BAND", "BAND", "EXPOSURE")
    ]


def test_the_trading_state_comes_first_and_hides_nothing() -> None:
    halted = RiskState()
    halted.latch(TradingState.HALTED, "TEST", "a test", 0)
    assert judged(bid(size=60), state=halted, is_book_live=False) == ["HALTED", "STALE", "SIZE"]


def test_what_has_nothing_to_be_measured_by_is_not_told_twice() -> None:
    assert judged(bid(), mid=None, best_bid=None, best_ask=None) == ["COLLAR", "BAND"]
    assert judged(bid(size=0)) == ["INVALID"]
    assert judged(bid(), quote_balance=None, equity=None) == ["EXPOSURE"]


def test_a_control_that_breaks_denies_behind_what_was_found_before() -> None:
    assert judged(bid(size=60), position="much") == ["SIZE", "CONTROL_FAILED"]
    assert judged(bid(), position="much") == ["CONTROL_FAILED"]


def test_a_runaway_behind_another_failure_latches_nothing() -> None:
    state = RiskState()
    gate = RiskGate(BTC, RiskSettings.for_mode("live").limits(BTC, D(1)), state)
    context = RiskContext(
        OwnOrders(), is_book_live=False, mid=2_000_000, best_bid=999_900, best_ask=1_000_100
    )
    assert gate.check(bid(), context) is not None
    assert [each.code for each in gate.failures] == ["STALE", "EXPOSURE", "RUNAWAY"]
    assert state.latched is None


def test_the_trader_tells_of_each_slot_until_the_next_decision_places_it() -> None:
    bench = TraderBench(**FEW)
    sent = {order.slot for order in bench.quote()}
    assert sent == {"B0", "B1", "A0", "A1"}
    assert {slot: [each.code for each in failed] for slot, failed in bench.trader.denials.items()} == {
        "B2": ["OPEN_ORDERS"],
        "A2": ["OPEN_ORDERS"],
    }
    assert bench.trader.denials["B2"][0].reason == "2 buys and 0 sells are open; the limits are 6, 2 a side"


def test_a_denial_goes_with_its_grounds() -> None:
    bench = TraderBench(**FEW)
    orders = bench.quote()
    assert bench.trader.denials
    bench.fill(orders[0])
    assert bench.trader.denials == {}


def test_it_is_kept_with_a_saved_state_and_is_no_part_of_the_digest() -> None:
    bench = TraderBench(**FEW)
    bench.quote()
    digest, saved = bench.trader.digest(), bench.trader.save()
    told = dict(bench.trader.denials)
    again = TraderBench(**FEW).trader
    again.load(saved)
    assert dict(again.denials) == told
    bench.trader._entry.denials.clear()
    assert bench.trader.digest() == again.digest() == digest


def test_the_view_has_them_at_the_quote_that_was_not_sent() -> None:
    bench = DeskBench(**FEW)
    bench.quote()
    quotes = {quote.slot: quote for quote in DeskViewer(bench.desk).view(bench.now, bench.now).quotes}
    assert quotes["B2"].working_price is None
    assert quotes["B2"].failures == (
        Failure("OPEN_ORDERS", "2 buys and 0 sells are open; the limits are 6, 2 a side"),
    )
    assert quotes["B0"].failures == ()


def test_the_view_has_the_circuit_breaker_with_the_time_of_its_next_step() -> None:
    bench = DeskBench(breaker__cooldown_s=10, breaker__trial_s=20)
    bench.quote()
    viewer = DeskViewer(bench.desk)
    assert viewer.view(bench.now, bench.now).breaker == Breaker("closed", "", "", 0, None, 0)
    bench.operator(OperatorAction.TRIP_BREAKER)
    at = bench.now
    assert viewer.view(at, at).breaker == Breaker(
        "open", "manual", "said the test", at, at + 10_000_000_000, 1
    )
    bench.step(10_000)
    on_trial = viewer.view(bench.now, bench.now).breaker
    assert on_trial is not None
    assert (on_trial.state, on_trial.next_ns) == ("half-open", bench.now + 20_000_000_000)
