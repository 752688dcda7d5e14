"""How fast a decision is: the strategy's step, the risk gate, and tick to quote through the whole Trader.

Tick to quote starts with the bytes of a level2 frame and ends with the commands in hand: decoding,
book, signals, quotes with their explanation, risk checks, order bookkeeping. No socket and no journal
is part of it. The venue's answers are given between the timed pieces.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from engine.commands.bench_feed import level2_frame, opening_book, updates
from engine.commands.bench_timing import BenchResult, Candidate, time_interleaved
from engine.config import Config, EngineSettings, ExchangeSettings, FeeSettings
from engine.core.client_ids import ClientIds
from engine.core.events import (
    AnyCommand,
    OrderAccepted,
    OrderCancelled,
    SubmitOrder,
    Timer,
)
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.order_manager import OrderManager, RefreshPolicy
from engine.core.price_levels import PriceLevels
from engine.credentials.settings import CredentialSettings
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.products import catalogue
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.simulator.settings import SimulatorSettings
from engine.link.settings import ConsoleSettings
from engine.persistence.settings import PersistenceSettings
from engine.risk.breaker_settings import BreakerSettings
from engine.risk.gate import RiskContext, RiskGate
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState
from engine.runtime.builder import build_trader
from engine.strategies import BASIC, BUILT_IN, build_strategy
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.protocol import MarketView, StrategyContext
from engine.telemetry.histogram import Histogram
from engine.telemetry.process import QuietCollector
from engine.trader import Trader

_MS = 1_000_000
_SETTINGS = BasicSettings(min_quote_life_ms=0, reprice_tolerance_ticks=0, quote_update_interval_ms=10)
"""Every decision replaces whatever has moved by a tick: the most a frame can cause."""


def bench_config() -> Config:
    """The settings of a Trader that replaces whatever has moved by a tick."""
    return Config(
        EngineSettings(),
        _SETTINGS,
        RiskSettings.for_mode("sim"),
        SimulatorSettings(),
        ExchangeSettings(),
        NetworkSettings(),
        CredentialSettings(),
        FeeSettings(),
        PersistenceSettings(),
        ConsoleSettings(),
        breaker=BreakerSettings.for_mode("sim"),
    )


def bench_strategy_step(name: str = BASIC, seed: int = 7, chunks: int = 30, size: int = 100) -> BenchResult:
    """One decision of a built-in model, three quotes a side, with what it recalculates once a second."""
    instrument = catalogue()["BTC-USD"]
    book = PriceLevels()
    book.apply_snapshot(*opening_book())
    strategy = build_strategy(name, StrategyContext(instrument, _SETTINGS))
    strategy.start()
    view = MarketView(0, 0, book, book, 0)
    quoted = 0

    def run(changes: Sequence[tuple[list[tuple[int, int]], list[tuple[int, int]]]]) -> None:
        nonlocal quoted
        for bids, asks in changes:
            book.apply(bids, asks)
            view.now_ns += 100 * _MS
            strategy.on_book(view.now_ns, book)
            decision = strategy.decide(view)
            quoted += 0 if decision is None else len(decision.quotes)

    stream = updates(seed, chunks * size)
    parts = [stream[start : start + size] for start in range(0, len(stream), size)]
    (timing,) = time_interleaved([Candidate("strategy", run)], parts, len)
    assert quoted >= 5 * len(stream), "the strategy did not quote"
    note = f"{quoted} quotes; includes one book update"
    return timing.result(f"strategy step, {name}, three levels a side", note)


def bench_risk_check(chunks: int = 30, size: int = 500) -> BenchResult:
    """One order through every control of the risk gate."""
    instrument = catalogue()["BTC-USD"]
    limits = RiskSettings.for_mode("sim").limits(instrument, _SETTINGS.max_position)
    gate = RiskGate(instrument, limits, RiskState())
    orders = OrderManager(instrument, ClientIds(1), RefreshPolicy())
    mid = 2 * 6_508_366
    context = RiskContext(
        orders.own,
        is_book_live=True,
        mid=mid,
        best_bid=mid // 2 - 1,
        best_ask=mid // 2 + 1,
        quote_balance=instrument.atoms(1_000_000),
        base_balance=instrument.lots("10"),
        equity=instrument.atoms(1_000_000),
    )
    parts = [
        [
            SubmitOrder(
                instrument.symbol,
                0,
                f"{number:012x}",
                Side.BUY,
                1_000_000 + number,
                mid // 2 - 1_000,
                post_only=True,
                slot=f"B{number % 3}",
            )
            for number in range(chunk * size, (chunk + 1) * size)
        ]
        for chunk in range(chunks)
    ]

    def run(batch: Sequence[SubmitOrder]) -> None:
        gate.runaway.mean("all", batch[0].size, sum(intent.size for intent in batch), context.now_ns)
        for intent in batch:
            context.now_ns += 2 * _MS  # what the rate of orders allows
            gate.check(intent, context)

    (timing,) = time_interleaved([Candidate("risk", run)], parts, len)
    assert gate.approved == chunks * size, f"the gate denied {gate.denied}"
    return timing.result("risk check, all controls", f"{gate.approved} approved")


class Answers:
    """Answers a Trader's commands as a venue would: everything is accepted, every cancel is proven."""

    def __init__(self, trader: Trader) -> None:
        self._trader = trader
        self._live: dict[str, SubmitOrder] = {}
        self.submitted = 0

    def answer(self, commands: Sequence[AnyCommand], now: int) -> None:
        """Tell the Trader what became of its commands."""
        product = self._trader.instrument.symbol
        for command in commands:
            order_id = command.client_id
            if isinstance(command, SubmitOrder):
                self.submitted += 1
                self._live[order_id] = command
                self._trader.on_event(OrderAccepted(product, now, now, order_id, order_id))
            else:
                remaining = self._live.pop(order_id).size
                self._trader.on_event(OrderCancelled(product, now, now, order_id, remaining))


def _moving_market(seed: int, count: int, instrument: Instrument) -> list[bytes]:
    """A snapshot and `count` frames of four changes, each moving both sides of the touch by six ticks."""
    source = random.Random(seed)
    bids, asks = opening_book()
    best_bid, best_ask, size = bids[0][0], asks[0][0], bids[0][1]
    frames = [level2_frame(0, "snapshot", instrument, bids, asks)]
    for number in range(1, count + 1):
        if source.random() < 0.5:
            new_bids, new_asks = (
                [(best_bid + 3, size), (best_bid + 6, size)],
                [(best_ask, 0), (best_ask + 3, 0)],
            )
            best_bid, best_ask = best_bid + 6, best_ask + 6
        else:
            new_bids, new_asks = (
                [(best_bid, 0), (best_bid - 3, 0)],
                [(best_ask - 3, size), (best_ask - 6, size)],
            )
            best_bid, best_ask = best_bid - 6, best_ask - 6
        frames.append(level2_frame(number, "update", instrument, new_bids, new_asks))
    return frames


def bench_tick_to_quote(
    seed: int = 7, rounds: int = 5, frames: int = 1_500, warm_up: int = 300
) -> list[BenchResult]:
    """Frames that move the touch, 100 ms apart, each from its bytes to the Trader's commands.

    As the default settings ask, a replaced quote waits for the proof of its cancel: frames cancel the
    six quotes and place six new ones in turn, and are counted apart. Every round is a new Trader in a
    market of its own, of which `warm_up` frames more come first, uncounted. Exact quantiles of wall
    time in each round, then their median, least and greatest over the rounds.
    """
    placing, cancelling = [], []
    quotes = 0
    for number in range(rounds):
        placed = _round(seed + number, frames, warm_up)
        placing.append(placed.placing)
        cancelling.append(placed.cancelling)
        quotes += placed.quotes
    note = f"{quotes / sum(map(len, placing)):.1f} quotes a frame; {rounds} rounds"
    return [*_quantiles("tick to quote", placing, note), *_quantiles("tick to cancel", cancelling, note)]


class _Round(NamedTuple):
    """Nanoseconds of each frame that placed quotes, of each that only cancelled, and quotes placed."""

    placing: list[int]
    cancelling: list[int]
    quotes: int


def _round(seed: int, frames: int, warm_up: int) -> _Round:
    instrument = catalogue()["BTC-USD"]
    raw = _moving_market(seed, warm_up + frames, instrument)
    session = AdvancedSession({instrument.symbol: instrument})
    trader = build_trader(bench_config(), instrument, 0, displays_own=False)
    trader.strategy.start()
    answers = Answers(trader)
    for event in session.on_frame(raw[0], 0, 0):
        trader.on_event(event)
    placing: list[int] = []
    cancelling: list[int] = []
    clock = time.perf_counter_ns
    now = placed = 0
    with QuietCollector(Histogram()):
        for number, frame in enumerate(raw[1:]):
            now += 100 * _MS
            begin = clock()
            for event in session.on_frame(frame, now, now):
                trader.on_event(event)
            commands = trader.on_event(Timer(instrument.symbol, now, now))
            spent = clock() - begin
            if commands and number >= warm_up:
                quotes = sum(isinstance(command, SubmitOrder) for command in commands)
                (placing if quotes else cancelling).append(spent)
                placed += quotes
            answers.answer(commands, now)
    assert placed >= 5 * len(placing) > 0, "the frames did not make the Trader quote"
    assert abs(len(placing) - len(cancelling)) <= 1, "quotes were not replaced in turn"
    assert trader.quote_count == answers.submitted, "a quote was lost"
    assert not trader.ledger.residual
    return _Round(placing, cancelling, placed)


def _quantiles(name: str, rounds: Sequence[Sequence[int]], note: str) -> list[BenchResult]:
    """For each quantile (nearest rank): its median, least and greatest over the rounds.

    Below a thousand samples a round, p999 is the slowest of them.
    """
    ordered = [sorted(samples) for samples in rounds]
    count = sum(map(len, ordered))
    results = []
    for label, per_mille in (("p50", 500), ("p90", 900), ("p99", 990), ("p999", 999)):
        values = [samples[-(-per_mille * len(samples) // 1000) - 1] for samples in ordered]
        middle = statistics.median(values)
        results.append(
            BenchResult(f"{name}, {label}", "ns", middle, min(values), max(values), count, note, middle)
        )
    return results


def bench_trader() -> list[BenchResult]:
    """Every figure of this module."""
    return [*map(bench_strategy_step, BUILT_IN), bench_risk_check(), *bench_tick_to_quote()]
