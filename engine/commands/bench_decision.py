"""How fast one decision is, and how fast the risk gate lets one order through: medians of single steps.

A step of a strategy is `decide`: the market as the Trader shows it goes in, six quotes come out, each with
its explanation ready to be asked for. The book's change and `on_book` come before it and are not counted.
A risk check is `check`: an order goes in that passes every control. The models and the gate take turns step
by step, so that a noisy moment meets all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import cycle

from engine.commands.bench_feed import Update, opening_book, updates
from engine.commands.bench_timing import BenchResult, quantiles
from engine.core.client_ids import ClientIds
from engine.core.events import SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, Side
from engine.core.order_manager import OrderManager, RefreshPolicy
from engine.core.price_levels import PriceLevels
from engine.exchange.coinbase.products import catalogue
from engine.risk.gate import RiskContext, RiskGate
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState
from engine.strategies import BUILT_IN, build_strategy
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.protocol import MarketView, StrategyContext
from engine.telemetry.histogram import Histogram
from engine.telemetry.process import QuietCollector

_MS = 1_000_000
_LEVELS = 3
_SETTINGS = BasicSettings(levels=_LEVELS, quote_update_interval_ms=10)
_MEDIAN = (("p50", 500),)


class _StrategyStep:
    """A model over a book of its own, flat and a little long and short in turn."""

    def __init__(self, instrument: Instrument, name: str) -> None:
        self._book = PriceLevels()
        self._book.apply_snapshot(*opening_book())
        self._strategy = build_strategy(name, StrategyContext(instrument, _SETTINGS))
        self._strategy.start()
        self._view = MarketView(0, 0, self._book, self._book, 0)
        unit = instrument.lots(_SETTINGS.order_quantity)
        self._positions = cycle((0, unit, 2 * unit, -unit, -2 * unit))
        self._price_units = 2 * instrument.half_tick_units

    def __call__(self, update: Update) -> int:
        """Nanoseconds of the decision after one update of the book, whose work is asserted."""
        book, strategy, view, clock = self._book, self._strategy, self._view, time.perf_counter_ns
        book.apply(*update)
        view.now_ns += 100 * _MS
        view.position = next(self._positions)
        strategy.on_book(view.now_ns, book)
        begin = clock()
        decision = strategy.decide(view)
        spent = clock() - begin
        assert decision is not None, "the strategy did not decide"
        assert len(decision.quotes) == 2 * _LEVELS, f"not every level was quoted: {decision.reason}"
        for quote in decision.quotes:
            assert sum(term.value for term in quote.explain()) == quote.price * self._price_units
            assert sum(term.value for term in quote.explain_size()) == quote.size
        return spent


class _RiskStep:
    """The gate, with three orders of ours resting on each side and the next ones meant to be sent."""

    def __init__(self, instrument: Instrument) -> None:
        self._symbol = instrument.symbol
        limits = RiskSettings.for_mode("sim").limits(instrument, _SETTINGS.max_position)
        self.gate = RiskGate(instrument, limits, RiskState())
        orders = OrderManager(instrument, ClientIds(1), RefreshPolicy())
        bids, asks = opening_book()
        self._touch = {BUY: bids[0][0], SELL: asks[0][0]}
        self._size = max(instrument.lots(_SETTINGS.order_quantity), instrument.min_size)
        self._count = 0
        for side in (BUY, SELL):
            for level in range(_LEVELS):
                orders.submit(self._order(side, f"resting {side.word} {level}", 2_000, 0))
        self._context = RiskContext(
            orders.own,
            is_book_live=True,
            mid=bids[0][0] + asks[0][0],
            best_bid=bids[0][0],
            best_ask=asks[0][0],
            quote_balance=instrument.atoms(1_000_000),
            base_balance=instrument.lots("10"),
            equity=instrument.atoms(1_000_000),
        )

    def __call__(self, update: Update) -> int:
        """Nanoseconds of one check. The order is far from the touch, which does not move here."""
        context, clock = self._context, time.perf_counter_ns
        context.now_ns += 2 * _MS  # what the rate of orders allows
        side, level = (SELL if self._count % 2 else BUY), self._count // 2 % _LEVELS
        order = self._order(side, f"{side.word} {level}", 1_000 + self._count % 64, context.now_ns)
        assert order.price is not None
        self.gate.runaway.mean(order.slot, order.price, order.size, context.now_ns)
        begin = clock()
        denial = self.gate.check(order, context)
        spent = clock() - begin
        assert denial is None, f"the gate denied: {denial}"
        return spent

    def _order(self, side: Side, slot: str, distance: int, now_ns: int) -> SubmitOrder:
        self._count += 1
        price = self._touch[side] - side * distance
        identity = f"{self._count:012x}"
        return SubmitOrder(self._symbol, now_ns, identity, side, self._size, price, post_only=True, slot=slot)


def bench_decision(
    seed: int = 7, rounds: int = 5, steps: int = 1_000, warm_up: int = 200
) -> list[BenchResult]:
    """The median wall time of a step of each built-in model and of a risk check.

    Every round is new models and a new gate, of which `warm_up` steps come first, uncounted. The figures are
    the median, least and greatest of the rounds' medians.
    """
    instrument = catalogue()["BTC-USD"]
    taken: dict[str, list[list[int]]] = {}
    gates = 0
    for number in range(rounds):
        gate = _RiskStep(instrument)
        candidates: Mapping[str, Callable[[Update], int]] = {
            "risk check, all controls": gate,
            **{f"strategy step, {name}": _StrategyStep(instrument, name) for name in BUILT_IN},
        }
        for name, samples in _in_turn(candidates, updates(seed + number, warm_up + steps), warm_up).items():
            taken.setdefault(name, []).append(samples)
        gates += gate.gate.approved
    assert gates == rounds * (warm_up + steps), "an order was not let through"
    notes = dict.fromkeys(taken, "three levels a side: six quotes a step, all explained")
    notes["risk check, all controls"] = f"{gates} approved"
    return [result for name in taken for result in quantiles(name, taken[name], notes[name], _MEDIAN)]


def _in_turn(
    candidates: Mapping[str, Callable[[Update], int]], stream: list[Update], warm_up: int
) -> dict[str, list[int]]:
    """What each candidate's steps took, without the first `warm_up`; who comes first rotates."""
    names = list(candidates)
    taken: dict[str, list[int]] = {name: [] for name in names}
    with QuietCollector(Histogram()):
        for number, update in enumerate(stream):
            for turn in range(len(names)):
                name = names[(number + turn) % len(names)]
                spent = candidates[name](update)
                if number >= warm_up:
                    taken[name].append(spent)
    return taken
