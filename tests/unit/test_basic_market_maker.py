"""The basic market maker against the numbers of the strategy sheet (2.2, 2.3, 16) and cases 35-44."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from maker_bench import BALANCED, BID_HEAVY, MS, MakerBench

from engine.core.errors import UsageError
from engine.core.events import OrderFilled
from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.strategy.basic import BasicMarketMaker
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.protocol import Decision, Strategy

D = Decimal


# -- conformance cases ---------------------------------------------------------------------------


def test_case_35_start_and_stop_answer_whether_anything_changed():
    maker: Strategy = BasicMarketMaker(MakerBench().instrument, BasicSettings())
    assert maker.start() is True
    assert maker.start() is False
    assert maker.is_running
    assert maker.stop() is True
    assert maker.stop() is False
    assert not maker.is_running


def test_case_37_balanced_and_flat():
    bench = MakerBench()
    decision = bench.decide()
    assert bench.prices(decision, Side.BUY) == ["9995", "9994", "9993"]
    assert bench.prices(decision, Side.SELL) == ["10005", "10006", "10007"]
    assert bench.sizes(decision, Side.BUY) == ["0.01"] * 3
    assert bench.sizes(decision, Side.SELL) == ["0.01"] * 3
    assert [q.slot for q in decision.quotes] == ["B0", "B1", "B2", "A0", "A1", "A2"]
    assert [q.level for q in decision.quotes] == [0, 1, 2, 0, 1, 2]
    assert decision.take is None
    assert decision.reason == ""


def test_case_38_imbalance_widens_strictly_above_its_threshold_and_never_beyond_the_maximum():
    bench = MakerBench()
    bench.market(BID_HEAVY)
    assert bench.touch(bench.decide()) == ("9992.5", "10007.5")
    bench.market(([("9999", "5")], [("10001", "15")]))
    assert bench.touch(bench.decide()) == ("9992.5", "10007.5")
    bench.market(([("9999", "13")], [("10001", "7")]))
    assert bench.touch(bench.decide()) == ("9995", "10005"), "exactly 0.3 is not above 0.3"

    wide = MakerBench(base_spread_bps=D(40))
    wide.market(BID_HEAVY)
    assert wide.touch(wide.decide()) == ("9975", "10025"), "60 bp are clamped to 50"


@pytest.mark.parametrize(
    ("unit", "touch"), [("bp", ("9994.75", "10004.75")), ("half_spread", ("9993.75", "10003.75"))]
)
def test_case_39_inventory_shifts_prices_and_tapers_the_adding_side(unit, touch):
    bench = MakerBench(inventory_skew_unit=unit)
    decision = bench.decide("5")
    assert bench.touch(decision) == touch
    assert bench.sizes(decision, Side.BUY) == ["0.005"] * 3
    assert bench.sizes(decision, Side.SELL) == ["0.01"] * 3


@pytest.mark.parametrize(("position", "missing"), [("10", Side.BUY), ("-10", Side.SELL), ("12", Side.BUY)])
def test_case_40_at_the_limit_the_adding_side_is_empty(position, missing):
    bench = MakerBench()
    decision = bench.decide(position)
    assert bench.prices(decision, missing) == []
    assert len(bench.prices(decision, missing.opposite)) == 3
    word = "bid" if missing is Side.BUY else "ask"
    size = position.removeprefix("-")
    assert decision.reason == f"no {word}: {size} away from the target, max_position is 10"


def test_case_41_an_own_bid_fills_and_costs_exactly_its_fee():
    bench = MakerBench(order_quantity=D(1), max_order_quantity=D(1))
    bench.market(([("100.05", "10")], [("100.07", "10")]))
    bid = bench.decide().quotes[0]
    assert (bench.instrument.price_text(bid.price), bench.instrument.size_text(bid.size)) == ("100", "1")

    ledger = Ledger(bench.instrument, 0)
    ledger.mark(2 * bid.price)
    fee = bench.instrument.atoms("0.04")
    ledger.apply(OrderFilled("X-USD", 1, 1, "c1", "f1", Side.BUY, bid.price, bid.size, fee, True))
    assert ledger.position == bid.size
    assert ledger.cash == bench.instrument.atoms("-100.04")
    assert ledger.average_cost == 100
    assert (ledger.realised, ledger.unrealised, ledger.profit) == (0, 0, -fee)
    after = bench.decide("1")
    assert bench.sizes(after, Side.BUY) == ["0.9"] * 3, "the position tapers what would add to it"


def test_case_42_ten_thousand_requotes_never_want_more_than_twice_the_levels():
    bench, rng = MakerBench(), random.Random(42)
    wanted: dict[str, tuple[int, int]] = {}
    mid, requotes, changes = 1_000_000, 0, 0
    for _ in range(10_000):
        mid += rng.randint(-50, 50)
        bench.book.apply_snapshot([(mid - 5, 10_000)], [(mid + 5, rng.randint(2_000, 20_000))])
        decision = bench.decide("5" if rng.random() < 0.1 else "-1", after_ns=100 * MS)
        now = {q.slot: (q.price, q.size) for q in decision.quotes}
        assert len(now) == len(decision.quotes) <= 2 * bench.settings.levels
        changes += now != wanted
        wanted = now
        requotes += 1
    assert requotes == 10_000
    assert changes > 9_000


def test_case_43_a_market_that_appears_is_quoted_and_one_that_loses_a_side_is_left_at_once():
    bench = MakerBench()
    bench.market(([], []))
    assert bench.decide().quotes == ()
    bench.market(([("9900", "10")], [("10100", "10")]))
    decisions = [bench.ask(after_ns=100 * MS) for _ in range(2)]
    quotes = [quote for decision in decisions if decision for quote in decision.quotes]
    assert quotes
    assert all(990_000 < q.price < 1_010_000 for q in quotes)

    bench.market(([("9900", "10")], []))
    gone = bench.decide(after_ns=1)
    assert gone.quotes == ()
    assert gone.reason == "no quotes: the market does not have both sides"
    bench.market(([], [("10100", "10")]))
    assert bench.decide(after_ns=1).quotes == ()


# -- one cycle -----------------------------------------------------------------------------------


def test_stress_widens_and_adds_to_imbalance():
    bench = MakerBench()
    bench.stress()
    assert bench.touch(bench.decide()) == ("9990", "10010")
    bench.market(BID_HEAVY)
    assert bench.touch(bench.decide()) == ("9985", "10015")
    assert bench.maker.is_stressed


def test_stress_ends_in_a_market_that_stands_still():
    bench = MakerBench()
    bench.stress()
    assert bench.touch(bench.decide(after_ns=MS)) == ("9990", "10010")
    # No book event for a minute: the two moves leave the window, three calm checks follow.
    assert bench.touch(bench.decide(after_ns=61_000 * MS)) == ("9990", "10010")
    assert bench.maker.volatility == 0.0
    assert bench.touch(bench.decide()) == ("9990", "10010")
    assert bench.touch(bench.decide()) == ("9995", "10005")


def test_the_spread_never_falls_below_its_minimum():
    bench = MakerBench(base_spread_bps=D("5"), min_spread_bps=D("5"))
    assert bench.touch(bench.decide()) == ("9997.5", "10002.5")


def test_short_inventory_shifts_prices_up():
    bench = MakerBench()
    decision = bench.decide("-5")
    assert bench.touch(decision) == ("9995.25", "10005.25")
    assert bench.sizes(decision, Side.BUY) == ["0.01"] * 3
    assert bench.sizes(decision, Side.SELL) == ["0.005"] * 3


def test_bids_round_down_and_asks_round_up_to_the_tick():
    bench = MakerBench(tick="1")
    bench.market(([("9998", "10")], [("10001", "10")]))  # mid 9999.5, half-spread 4.99975
    decision = bench.decide()
    assert bench.touch(decision) == ("9994", "10005")


def test_quotes_stay_a_tick_away_from_the_displayed_touch():
    bench = MakerBench(inventory_skew_unit="half_spread", inventory_skew_factor=D(1), max_position=D(1))
    decision = bench.decide("-0.9")  # centre 10004.5: model bid 9999.5, inside the touch
    assert bench.touch(decision)[0] == "9999.5"
    shown = PriceLevels()
    shown.apply_snapshot([(999_900, 1)], [(999_940, 1)])
    bench.view.touch = shown
    decision = bench.decide("-0.9")
    assert bench.touch(decision)[0] == "9999.39", "one tick below the displayed ask"
    terms = {term.name: term.value for term in decision.quotes[0].explain()}
    assert terms["post-only"] == -110_000_000  # 0.11 in 1e-9


def test_a_quote_is_at_most_its_share_of_the_displayed_depth():
    bench = MakerBench(order_quantity=D("0.5"), min_order_quantity=D("0.1"))
    bench.market(
        (
            [
                ("9999", "0.1"),
                ("9998", "0.1"),
                ("9997", "0.1"),
                ("9996", "0.1"),
                ("9995", "0.1"),
                ("9994", "9"),
            ],
            [("10001", "0.1")],
        )
    )
    decision = bench.decide()
    assert bench.sizes(decision, Side.BUY) == ["0.25"] * 3, "half of the five best levels"
    assert bench.prices(decision, Side.SELL) == []
    assert decision.reason == ("no ask: book too thin, 0.1 on 5 levels allows 0.05, the minimum is 0.1")


def test_a_depth_cap_equal_to_the_minimum_is_still_quoted():
    bench = MakerBench(min_order_quantity=D("0.004"))
    bench.market(([("9999", "0.008")], [("10001", "0.007")]))
    decision = bench.decide()
    assert bench.sizes(decision, Side.BUY) == ["0.004"] * 3
    assert bench.sizes(decision, Side.SELL) == []


def test_depth_and_mid_come_from_the_market_without_our_own_orders():
    bench = MakerBench()
    shown = PriceLevels()
    shown.apply_snapshot([(999_950, 90_000), (999_900, 10_000)], [(1_000_100, 10_000)])
    bench.view.touch = shown
    assert bench.touch(bench.decide()) == ("9995", "10005")


def test_a_tapered_size_rounds_down_to_the_lot_and_up_to_the_minimum():
    bench = MakerBench(order_quantity=D("0.01"), min_order_quantity=D("0.004"))
    assert bench.sizes(bench.decide("3.5"), Side.BUY) == ["0.006"] * 3  # 0.0065 down
    assert bench.sizes(bench.decide("9.0"), Side.BUY) == ["0.004"] * 3  # 0.001 up to the minimum


def test_outer_levels_go_first_where_all_fills_would_pass_the_limit():
    bench = MakerBench(order_quantity=D(1), max_order_quantity=D(1), min_order_quantity=D("0.4"))
    decision = bench.decide("9")  # tapered to 0.1, raised to 0.4: two of them fit below 10
    assert bench.sizes(decision, Side.BUY) == ["0.4"] * 2
    assert [q.slot for q in decision.quotes if q.side is Side.BUY] == ["B0", "B1"]
    assert decision.reason == (
        "bid levels from 2 on left out: position 9 may not pass max_position 10 by orders of 0.4"
    )
    decision = bench.decide("9.8")
    assert bench.sizes(decision, Side.BUY) == []
    assert decision.reason == "no bid: position 9.8 may not pass max_position 10 by orders of 0.4"


def test_inventory_is_measured_from_the_target():
    bench = MakerBench(target_position=D(5))
    decision = bench.decide("5")
    assert bench.touch(decision) == ("9995", "10005")
    assert bench.sizes(decision, Side.BUY) == bench.sizes(decision, Side.SELL) == ["0.01"] * 3
    below = bench.decide("0")
    assert bench.touch(below) == ("9995.25", "10005.25")
    assert bench.sizes(below, Side.SELL) == ["0.005"] * 3


def test_no_bid_below_one_tick():
    bench = MakerBench(tick="1")
    bench.market(([("1", "10")], [("2", "10")]))
    decision = bench.decide()
    assert bench.prices(decision, Side.BUY) == ["1"] * 3
    wide = MakerBench(tick="1", base_spread_bps=D(5_000), max_spread_bps=D(9_000), price_level_spacing=D(1))
    wide.market(([("1", "10")], [("3", "10")]))
    decision = wide.decide()
    assert wide.prices(decision, Side.BUY) == ["1"], "2 - 0.5 rounds to 1 and 2 - 1.5 to 0"
    assert decision.reason == "bid levels from 1 on left out: the price would not be positive"


def test_bid_and_ask_never_meet_where_the_spread_is_below_a_model_unit():
    bench = MakerBench(tick="0.00000001", lot="1", order_quantity=D(1), min_order_quantity=D(1))
    bench.market(([("0.00000001", "100")], [("0.00000003", "100")]))
    assert bench.touch(bench.decide()) == ("0.00000001", "0.00000003")


def test_quotes_worth_less_than_the_venue_accepts_are_left_out():
    bench = MakerBench(min_notional="99.945")
    decision = bench.decide()
    assert bench.prices(decision, Side.BUY) == ["9995"], "0.01 at 9994 is 99.94"
    assert len(bench.prices(decision, Side.SELL)) == 3
    assert decision.reason == "bid levels from 1 on left out: worth less than the venue's minimum, 99.945"


# -- when it decides -----------------------------------------------------------------------------


def test_between_two_intervals_there_is_no_decision():
    bench = MakerBench()
    assert bench.ask() is not None
    assert bench.ask(after_ns=100 * MS - 1) is None
    assert bench.ask(after_ns=1) is not None


def test_a_crossed_or_locked_book_is_not_quoted_and_not_measured():
    bench = MakerBench()
    bench.maker.on_book(0, bench.book)
    for book in (([("10002", "10")], [("10001", "10")]), ([("10001", "10")], [("10001", "10")])):
        bench.market(book)
        state = bench.maker.save()
        bench.maker.on_book(0, bench.book)
        assert bench.maker.save() == state
        decision = bench.decide()
        assert decision.quotes == ()
        assert decision.reason == "no quotes: the book is crossed or locked"


def test_a_stopped_maker_wants_nothing():
    bench = MakerBench()
    bench.maker.stop()
    assert bench.decide() == Decision(reason="not running")


def test_the_same_history_gives_the_same_state_and_another_one_does_not():
    def run(position: str) -> tuple[object, list[tuple[str, int, int]]]:
        bench = MakerBench(auto_hedge_enabled=True)
        bench.stress()
        decision = bench.decide(position)
        return bench.maker.save(), [(q.slot, q.price, q.size) for q in decision.quotes]

    assert run("0") == run("0")
    assert hash(run("0")[0]) == hash(run("0")[0])
    assert run("0")[0] != run("5")[0], "the second one hedged"
    fresh = MakerBench()
    before = fresh.maker.save()
    fresh.decide()
    assert fresh.maker.save() != before


# -- hedging -------------------------------------------------------------------------------------


def test_a_far_position_hedges_once_per_interval_towards_the_target():
    bench = MakerBench(auto_hedge_enabled=True)
    assert bench.decide("4.999").take is None
    decision = bench.decide("5")
    take = decision.take
    assert take is not None
    assert (take.side, take.purpose) == (Side.SELL, "hedge")
    assert bench.instrument.price_text(take.price) == "9994", "best bid 9999, half a base spread lower"
    assert bench.instrument.size_text(take.size) == "1", "max_order_quantity"
    assert take.reason == "5 away from the target, hedged from 5 on"
    assert bench.prices(decision, Side.BUY) == [], "its own bids would be in the way"
    assert decision.reason == "no bid: a hedge trades against this side"
    assert len(bench.prices(decision, Side.SELL)) == 3

    later = bench.decide("5", after_ns=4_999 * MS)
    assert later.take is None
    assert len(bench.prices(later, Side.BUY)) == 3
    assert bench.decide("5", after_ns=100 * MS).take is not None


def test_a_short_position_hedges_by_buying_and_never_past_the_target():
    bench = MakerBench(auto_hedge_enabled=True, max_position=D("0.8"))
    take = bench.decide("-0.7").take
    assert take is not None
    assert take.side is Side.BUY
    assert bench.instrument.price_text(take.price) == "10006"
    assert bench.instrument.size_text(take.size) == "0.7"


def test_a_hedge_that_would_be_too_small_is_not_sent():
    small = {"order_quantity": D("0.5"), "min_order_quantity": D("0.5"), "max_position": D("0.8")}
    bench = MakerBench(auto_hedge_enabled=True, **small)
    assert bench.decide("0.499").take is None
    assert bench.decide("0.5").take is not None


def test_a_hedge_never_names_a_price_below_one_tick():
    bench = MakerBench(tick="1", auto_hedge_enabled=True, base_spread_bps=D(9_000), max_spread_bps=D(9_000))
    bench.market(([("1", "10")], [("9", "10")]))
    take = bench.decide("5").take
    assert take is not None
    assert take.price == 1


# -- settings against an instrument --------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"order_quantity": D("0.0105")},
            "strategy.order_quantity = 0.0105: must be a multiple of the lot 0.001 of X-USD",
        ),
        (
            {"target_position": D("0.0001")},
            "strategy.target_position = 0.0001: must be a multiple of the lot 0.001 of X-USD",
        ),
        (
            {"order_quantity": D("0.1"), "min_order_quantity": D("0.1"), "max_order_quantity": D("0.2")},
            "strategy.max_order_quantity = 0.2: must be at least 0.5, the smallest order of X-USD",
        ),
        (
            {"max_position": D("0.0009")},
            "strategy.max_position = 0.0009: must be at least one lot (0.001) of X-USD",
        ),
        ({"levels": 0}, "strategy.levels = 0: must be at least 1"),
    ],
)
def test_settings_that_the_instrument_cannot_express_are_refused_by_name(settings, message):
    instrument = Instrument.create("X-USD", tick="0.01", lot="0.001", min_size="0.5")
    with pytest.raises(UsageError) as error:
        BasicMarketMaker(instrument, BasicSettings(**settings))
    assert str(error.value) == message


def test_minimum_sizes_round_up_to_the_lot_and_maximum_sizes_down():
    bench = MakerBench(min_order_quantity=D("0.0015"))
    assert bench.sizes(bench.decide("9.9"), Side.BUY) == ["0.002"] * 3
    bench = MakerBench(max_order_quantity=D("0.0255"), auto_hedge_enabled=True)
    take = bench.decide("5").take
    assert take is not None
    assert take.size == 25


def test_the_instruments_own_sizes_bound_the_quotes():
    instrument = Instrument.create("X-USD", tick="0.01", lot="0.001", min_size="0.02", max_size="0.5")
    bench = MakerBench()
    bench.maker = BasicMarketMaker(instrument, BasicSettings())
    bench.maker.start()
    assert bench.sizes(bench.decide(), Side.BUY) == ["0.02"] * 3
    bench.maker = BasicMarketMaker(instrument, BasicSettings(order_quantity=D(1)))
    bench.maker.start()
    assert bench.sizes(bench.decide(), Side.BUY) == ["0.5"] * 3


def test_bench_books_are_what_the_sheet_says():
    bench = MakerBench()
    assert bench.book.imbalance(5) == 0.0
    bench.market(BID_HEAVY)
    assert bench.book.imbalance(5) == 0.5
    bench.market(BALANCED)
    assert bench.book.mid() == 2 * 1_000_000
