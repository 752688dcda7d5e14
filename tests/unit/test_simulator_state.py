"""The simulated exchange as a value: complete, a copy, and refused where it does not fit."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from attribute_walk import Walk
from simulator_kit import BTC, SECOND, Driver, cancel, exchange, order

from engine.core.errors import StateError
from engine.core.order import Side
from engine.exchange.simulator.exchange import ExchangeState, SimulatedExchange


def busy(seconds: int = 30, **settings: float) -> SimulatedExchange:
    """An exchange in the middle of everything: our orders rest, and messages are on all ways."""
    driver = Driver(exchange(order_latency_ms=40.0, answer_latency_ms=40.0, **settings))
    venue, random = driver.exchange.venue, Random(5)
    for number in range(seconds * 5):
        driver.run_for(SECOND // 5)
        mid = driver.exchange.market.book.mid()
        assert mid is not None
        side = random.choice((Side.BUY, Side.SELL))
        away = side * random.randint(-200, 900)
        venue.submit(order(f"o{number}", side, mid // 2 - away, BTC.lots("0.01"), driver.now))
        venue.submit(order(f"s{number}", side, mid // 2 - side * 90_000, BTC.lots("0.1"), driver.now))
        venue.cancel(cancel(f"s{number - 20}", driver.now))
    return driver.exchange


def reloaded(simulated: SimulatedExchange, **settings: float) -> SimulatedExchange:
    """A fresh exchange that goes on from a saved one, the way a file brings it."""
    again = exchange(order_latency_ms=40.0, answer_latency_ms=40.0, **settings)
    again.load(msgspec.msgpack.decode(msgspec.msgpack.encode(simulated.save()), type=ExchangeState))
    return again


# -- complete --------------------------------------------------------------------------------------------


def test_no_attribute_of_the_exchange_or_of_its_parts_is_forgotten() -> None:
    run = busy()
    walked = Walk(run)
    assert Walk(reloaded(run)).differing(walked) == set()


def test_a_forgotten_attribute_would_be_seen() -> None:
    run = busy(seconds=2)
    again = reloaded(run)
    again.market._next_id += 1
    assert Walk(again).differing(Walk(run)) == {"Market._next_id"}


# -- goes on -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("feed_batch_ms", [0.0, 50.0])
@pytest.mark.parametrize("reject_probability", [0.0, 0.2])
def test_a_reloaded_exchange_goes_on_exactly_as_the_saved_one(
    feed_batch_ms: float, reject_probability: float
) -> None:
    settings = {"feed_batch_ms": feed_batch_ms, "reject_probability": reject_probability}
    run = busy(**settings)
    again = reloaded(run, **settings)
    start, seen = run.now_ns, []
    for simulated in (run, again):
        random = Random(9)
        told: list[object] = []
        for number in range(200):
            now = start + (number + 1) * SECOND // 10
            told += simulated.market_events(now)
            told += simulated.order_events(now)
            mid = simulated.market.book.mid()
            assert mid is not None
            side = random.choice((Side.BUY, Side.SELL))
            price = mid // 2 - side * random.randint(-500, 500)
            simulated.venue.submit(order(f"n{number}", side, price, BTC.lots("0.01"), now))
            simulated.venue.cancel(cancel(f"n{number - 9}", now))
        told.append(simulated.open_orders())
        seen.append(told)
    assert seen[0] == seen[1]
    kinds = {type(each).__name__ for each in seen[0]}
    assert {"OrderFilled", "OrderAccepted", "OrderCancelled", "BookUpdate", "TradePrint"} <= kinds
    assert msgspec.msgpack.encode(run.save()) == msgspec.msgpack.encode(again.save())


def test_what_was_saved_does_not_change_with_the_market() -> None:
    run = busy(seconds=4)
    saved = run.save()
    before = msgspec.msgpack.encode(saved)
    run.market_events(run.now_ns + 5 * SECOND)
    assert msgspec.msgpack.encode(saved) == before
    assert msgspec.msgpack.encode(run.save()) != before


def test_another_versions_state_is_refused() -> None:
    run = busy(seconds=1)
    with pytest.raises(StateError, match="version"):
        exchange().load(msgspec.structs.replace(run.save(), version=99))
