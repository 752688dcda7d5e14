"""A Trader whose model has measured and learnt things goes on from its saved state exactly as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest
from attribute_walk import Walk
from trader_bench import D, configured

from engine.core.clock import SystemClock
from engine.core.events import Alert, AnyEvent, SettingsChange, Term, Timer
from engine.exchange.coinbase.products import catalogue
from engine.runtime.builder import build_engine, build_market, build_trader
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.trader.state import TraderState
from engine.trader.trader import Trader

BTC = catalogue()["BTC-USD"]
MODELS = ("avellaneda-stoikov", "glft")
OWN = ("AvellanedaStoikov", "Glft", "Touch", "Flow", "Micro", "Fill", "Volatility", "Model", "Calibrated")
"""How the names of the parts begin that are looked at here; the others have a test of their own."""


class Keeper:
    """Every event that a Trader of a simulated run was shown."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.events += wake.events

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None: ...

    def on_status(self, now_ns: int) -> None: ...


def config_of(name: str) -> Any:
    return configured(
        engine__strategy=name,
        engine__speed="max",
        engine__duration_s=D(25),
        simulator__seed=11,
        strategy__fv_model="micro",
        strategy__ofi_pull_z=D(3),
        strategy__fill_brake_n=4,
        strategy__min_distance_from_unhedged_bps=D(1),
        model__calib_min_fills=10,
    )


@cache
def recorded(name: str) -> tuple[AnyEvent, ...]:
    config, keeper = config_of(name), Keeper()
    asyncio.run(
        build_engine(
            config, build_market(config), SystemClock(), keeper, status_interval_ns=1_000_000_000
        ).run()
    )
    return tuple(keeper.events)


def disturbed(name: str) -> list[AnyEvent]:
    """The run with settings that change now and then."""
    random, events = Random(name), []
    for event in recorded(name):
        events.append(event)
        if isinstance(event, Timer) and random.random() < 0.02:
            value = str(random.choice(["0.005", "0.02", "0.1"]))
            key = "model.gamma_per_bp"
            events.append(SettingsChange(BTC.symbol, event.recv_ns, event.wall_ns, {key: value}))
    return events


def fresh(name: str) -> Trader:
    trader = build_trader(config_of(name), BTC, 0, displays_own=True)
    trader.strategy.start()
    return trader


def reloaded(trader: Trader, name: str) -> Trader:
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(trader.save()), type=TraderState)
    again = build_trader(config_of(name), BTC, 0, displays_own=True)
    again.load(state)
    return again


def told(trader: Trader) -> tuple[Term, ...]:
    """The terms of the first quote of the last decision."""
    quotes = trader.decision.quotes
    return quotes[0].explain() if quotes else ()


@pytest.mark.parametrize("name", MODELS)
def test_a_reloaded_model_trader_goes_on_exactly_as_the_saved_one(name: str) -> None:
    events = disturbed(name)
    places = sorted(Random(3).sample(range(len(events) // 4, len(events)), 4))
    trader, followers, fills, measured = fresh(name), [], 0, 0
    for place, event in enumerate(events):
        if place in places:
            followers.append(reloaded(trader, name))
            assert followers[-1].digest() == trader.digest()
        commands = list(trader.on_event(event))
        fills += len(trader.drain_fills())
        measured += isinstance(event, Timer) and any("(measured" in term.inputs for term in told(trader))
        for follower in followers:
            assert list(follower.on_event(event)) == commands
    assert fills > 10
    assert measured > 50
    assert {follower.digest() for follower in followers} == {trader.digest()}


@pytest.mark.parametrize("name", MODELS)
def test_no_attribute_of_a_model_is_forgotten(name: str) -> None:
    trader = fresh(name)
    for event in disturbed(name)[:2_500]:
        trader.on_event(event)
    differing = Walk(reloaded(trader, name)).differing(Walk(trader))
    looked_at = Walk(trader).attributes()
    assert any(attribute.startswith("FillIntensity.") for attribute in looked_at)
    left = {attribute for attribute in differing if attribute.startswith(OWN)}
    # The touch that was shown last is shown again before the next decision.
    assert {attribute for attribute in left if not attribute.partition(".")[2].startswith("_touch")} == set()
