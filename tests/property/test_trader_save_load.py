"""A Trader that is saved, encoded, decoded and loaded goes on exactly as the one it was (invariant 22)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import cache
from random import Random

import msgspec
import pytest
from attribute_walk import Walk
from trader_bench import D, configured

from engine.core.clock import SystemClock
from engine.core.errors import StateError
from engine.core.events import (
    Alert,
    AnyEvent,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderFilled,
    Recovered,
    SettingsChange,
    StorageStatus,
    Timer,
)
from engine.core.order import OrderState
from engine.exchange.coinbase.products import catalogue
from engine.risk.state import TradingState
from engine.runtime.builder import build_engine, build_market, build_trader
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.trader.state import TraderState
from engine.trader.trader import Trader

S = 1_000_000_000
CONFIG = configured(engine__speed="max", engine__duration_s=D(40), simulator__seed=11)
BTC = catalogue()["BTC-USD"]


class Keeper:
    """Every event that a Trader of a simulated run was shown."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.events += wake.events

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None: ...

    def on_status(self, now_ns: int) -> None: ...


@cache
def recorded() -> tuple[AnyEvent, ...]:
    """A run of forty seconds: orders, fills, cancels."""
    market, keeper = build_market(CONFIG), Keeper()
    asyncio.run(build_engine(CONFIG, market, SystemClock(), keeper, status_interval_ns=S).run())
    return tuple(keeper.events)


def disturbed(seed: int) -> list[AnyEvent]:
    """The run with lost answers, commands of people, changed settings, a crash and a slow disk in it."""
    random, events = Random(seed), []
    for event in recorded():
        if isinstance(event, OrderAccepted | OrderFilled) and random.random() < 0.02:
            continue
        events.append(event)
        if not isinstance(event, Timer) or random.random() > 0.01:
            continue
        now, wall = event.recv_ns, event.wall_ns
        match random.randrange(5):
            case 0:
                action = random.choice(
                    [
                        OperatorAction.PAUSE,
                        OperatorAction.RESUME,
                        OperatorAction.CANCEL_ALL,
                        OperatorAction.FLATTEN,
                    ]
                )
                events.append(OperatorCommand(BTC.symbol, now, wall, action, "a person"))
            case 1:
                key = random.choice(["strategy.levels", "strategy.base_spread_bps", "risk.max_open_orders"])
                events.append(SettingsChange(BTC.symbol, now, wall, {key: str(random.randint(1, 6))}))
            case 2:
                events.append(Recovered(BTC.symbol, now, wall, "a crash"))
            case 3:
                is_sound = random.random() < 0.6
                events.append(StorageStatus(BTC.symbol, now, wall, is_sound, "DISK_SLOW", "slow"))
            case 4 if random.random() < 0.1:
                events.append(OperatorCommand(BTC.symbol, now, wall, OperatorAction.KILL, "enough"))
    return events


def fresh() -> Trader:
    trader = build_trader(CONFIG, BTC, 0, displays_own=True)
    trader.strategy.start()
    return trader


def reloaded(trader: Trader) -> Trader:
    """Another Trader that goes on from it, the way a file brings it."""
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(trader.save()), type=TraderState)
    again = build_trader(CONFIG, BTC, 0, displays_own=True)
    again.load(state)
    return again


def campaign(seeds: int, cuts: int) -> Counter[str]:
    """Every cut: the reloaded Trader against the one it was, event by event to the end."""
    counts: Counter[str] = Counter()
    for seed in range(seeds):
        events, random = disturbed(seed), Random(seed)
        places = sorted(random.sample(range(len(events)), cuts))
        trader = fresh()
        followers: list[Trader] = []
        for place, event in enumerate(events):
            if places and place == places[0]:
                places.pop(0)
                followers.append(reloaded(trader))
                assert followers[-1].digest() == trader.digest()
                orders = trader.orders.open_orders()
                counts["cuts"] += 1
                counts["uncertain"] += any(order.state is OrderState.UNCERTAIN for order in orders)
                counts["working"] += bool(orders)
                counts["restricted"] += trader.risk.effective is not TradingState.ACTIVE
                counts["position"] += bool(trader.ledger.position)
                counts["changed"] += bool(trader.changed_settings)
            commands = list(trader.on_event(event))
            for follower in followers:
                assert list(follower.on_event(event)) == commands
        for follower in followers:
            assert follower.digest() == trader.digest()
    return counts


def test_a_reloaded_trader_goes_on_exactly_as_the_saved_one() -> None:
    counts = campaign(seeds=6, cuts=6)
    assert counts["cuts"] == 36
    for what in ("uncertain", "working", "restricted", "position", "changed"):
        assert counts[what] >= 5, counts


@pytest.mark.nightly
def test_a_reloaded_trader_goes_on_exactly_as_the_saved_one_at_length() -> None:
    assert campaign(seeds=200, cuts=10)["cuts"] == 2_000


IN_PASSING = {
    "TraderAlerts._alerts",
    "Trader._fills",
    "OrderManager._ended_now",
    "AccountWatch._judged",
    "AccountWatch._closing",
    "Trader.decision",
    "Decision.quotes",
    "OperatorCommands.answer",
    "RiskGate.failures",
    "RiskState._changes",
    "RiskState.version",
    "BasicMarketMaker._touch",
    "BasicMarketMaker._touch_ns",
    "MarketView.now_ns",
    "MarketView.wall_ns",
    "MarketView.position",
    "OwnOrder.explain",
    "OwnOrder.explain_size",
}
"""Drained after every event, made anew at the next one, or for people alone."""


@pytest.mark.parametrize("seed", range(4))
def test_no_attribute_of_a_trader_or_of_its_parts_is_forgotten(seed: int) -> None:
    trader = fresh()
    for event in disturbed(seed)[:3_000]:
        trader.on_event(event)
    trader.drain_alerts()
    trader.drain_fills()
    trader.orders.drain_ended()
    differing = Walk(reloaded(trader)).differing(Walk(trader))
    left = {name for name in differing if name not in IN_PASSING and not name.startswith("RiskContext.")}
    assert left == set()


def test_what_was_saved_does_not_change_with_the_trader() -> None:
    trader, events = fresh(), disturbed(1)
    for event in events[:1_500]:
        trader.on_event(event)
    saved = trader.save()
    before = msgspec.msgpack.encode(saved)
    for event in events[1_500:2_500]:
        trader.on_event(event)
    assert msgspec.msgpack.encode(saved) == before
    assert msgspec.msgpack.encode(trader.save()) != before


def test_working_orders_still_tell_their_reasons() -> None:
    trader = fresh()
    for event in recorded()[:2_000]:
        trader.on_event(event)
    again = reloaded(trader)
    told = {order.client_id: order.reasons() for order in trader.orders.open_orders()}
    assert told
    assert all(reasons.price and reasons.size for reasons in told.values())
    assert {order.client_id: order.reasons() for order in again.orders.open_orders()} == told


@pytest.mark.parametrize("change", [{"version": 99}, {"product": "ETH-USD"}])
def test_another_versions_or_products_state_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(StateError, match="cannot be gone on with"):
        fresh().load(msgspec.structs.replace(fresh().save(), **change))
