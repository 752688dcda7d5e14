"""How fast the whole Trader is, from a tick to a quote.

Tick to quote starts with the bytes of a level2 frame and ends with the commands in hand: decoding,
book, signals, quotes with their explanation, risk checks, order bookkeeping. No socket and no journal
is part of it. The venue's answers are given between the timed pieces.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import NamedTuple

from engine.commands.bench_feed import level2_frame, opening_book
from engine.commands.bench_timing import BenchResult, quantiles
from engine.config import Config, EngineSettings, ExchangeSettings, FeeSettings
from engine.core.events import (
    AnyCommand,
    OrderAccepted,
    OrderCancelled,
    SubmitOrder,
    Timer,
)
from engine.core.instrument import Instrument
from engine.credentials.settings import CredentialSettings
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.products import catalogue
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.simulator.settings import SimulatorSettings
from engine.link.settings import ConsoleSettings
from engine.persistence.settings import PersistenceSettings
from engine.risk.breaker_settings import BreakerSettings
from engine.risk.settings import RiskSettings
from engine.runtime.builder import build_trader
from engine.strategy.basic_settings import BasicSettings
from engine.telemetry.histogram import Histogram
from engine.telemetry.process import QuietCollector
from engine.trader.trader import Trader

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
    return [*quantiles("tick to quote", placing, note), *quantiles("tick to cancel", cancelling, note)]


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
