"""The settings of the simulated venue act; `test_simulator_settings` runs these with the others."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from simulator_kit import SECOND, Check, Driver, cancel, near_poisson, order, quiet, ran, updates
from simulator_kit import effect as register_effect

from engine.core.events import OrderAccepted, OrderRejected
from engine.core.order import Side

VENUE_EFFECTS: dict[str, Check] = {}
effect = partial(register_effect, VENUE_EFFECTS)


def answered(count: int = 1, **settings: Any) -> list[tuple[int, int]]:
    """(milliseconds there, milliseconds back) of orders sent half a second apart."""
    driver = quiet(**settings)
    start = driver.exchange.settings.start_wall_ns
    for index in range(count):
        sent = index * SECOND // 2
        driver.run(sent)
        driver.exchange.venue.submit(order(f"o{index}", Side.BUY, 6_000_000 + index, 100_000, sent))
        driver.run(sent + SECOND // 4)
    assert len(driver.orders) == count
    return [
        (each.exchange_ns - start - index * SECOND // 2, each.recv_ns + start - each.exchange_ns)
        for index, each in enumerate(driver.orders)
        if isinstance(each, OrderAccepted)
    ]


def spread_around(values: list[int], mean_ms: int, jitter_ms: int) -> bool:
    """All inside the jitter, and most of it used."""
    low, high = (mean_ms - jitter_ms) * 1_000_000, (mean_ms + jitter_ms) * 1_000_000
    return low <= min(values) < low + (high - low) / 5 and high - (high - low) / 5 < max(values) <= high


@effect("order_latency_ms")
def _() -> None:
    assert [there for there, _ in answered(order_latency_ms=40.0)] == [40_000_000]
    assert [there for there, _ in answered(order_latency_ms=0.0)] == [0]


@effect("order_latency_jitter_ms")
def _() -> None:
    there = [each for each, _ in answered(40, order_latency_ms=40.0, order_latency_jitter_ms=10.0)]
    assert spread_around(there, 40, 10)


@effect("answer_latency_ms")
def _() -> None:
    assert [back for _, back in answered(answer_latency_ms=70.0)] == [70_000_000]
    assert [back for _, back in answered(answer_latency_ms=0.0)] == [0]


@effect("answer_latency_jitter_ms")
def _() -> None:
    back = [each for _, each in answered(40, answer_latency_ms=70.0, answer_latency_jitter_ms=20.0)]
    assert spread_around(back, 70, 20)


def feed_delays(**settings: Any) -> list[int]:
    driver = ran(20, maker_rate_per_min=6000.0, **settings)
    start = driver.exchange.settings.start_wall_ns
    return [each.recv_ns + start - each.exchange_ns for each in updates(driver)]


@effect("feed_latency_ms")
def _() -> None:
    assert set(feed_delays(feed_latency_ms=33.0)) == {33_000_000}


@effect("feed_latency_jitter_ms")
def _() -> None:
    assert spread_around(feed_delays(feed_latency_ms=33.0, feed_latency_jitter_ms=10.0), 33, 10)


@effect("feed_batch_ms")
def _() -> None:
    batched = ran(10, maker_rate_per_min=6000.0, feed_batch_ms=50.0)
    each = ran(10, maker_rate_per_min=6000.0, feed_batch_ms=0.0)
    start = batched.exchange.settings.start_wall_ns
    assert {(event.exchange_ns - start) % 50_000_000 for event in updates(batched)} == {0}
    assert 150 < len(updates(batched)) <= 200
    assert near_poisson(len(updates(each)), 1000 + 100)


def rejects(driver: Driver) -> list[str]:
    driver.run_for(SECOND // 2)
    return [each.code for each in driver.orders if isinstance(each, OrderRejected)]


@effect("rate_limit_per_s")
def _() -> None:
    driver = quiet(rate_limit_per_s=5)
    for index in range(8):
        driver.exchange.venue.submit(order(f"o{index}", Side.BUY, 6_000_000, 100_000))
    assert rejects(driver) == ["RATE_LIMIT"] * 3
    driver.run(2 * SECOND)
    driver.exchange.venue.submit(order("later", Side.BUY, 6_000_000, 100_000, driver.now))
    assert len(rejects(driver)) == 3
    assert len(driver.exchange.venue.open_orders()) == 6


@effect("reject_probability")
def _() -> None:
    def share(probability: float) -> float:
        driver = quiet(reject_probability=probability, rate_limit_per_s=1000)
        for index in range(400):
            driver.exchange.venue.submit(order(f"o{index}", Side.BUY, 6_000_000, 100_000))
        codes = rejects(driver)
        assert set(codes) <= {"BUSY"}
        return len(codes) / 400

    assert share(0.0) == 0
    assert share(0.25) == pytest.approx(0.25, abs=0.1)
    assert share(1.0) == 1


@effect("duplicate_answer")
def _() -> None:
    for answer in ("original", "reject"):
        driver = quiet(duplicate_answer=answer)
        for _ in range(2):
            driver.exchange.venue.submit(order("same", Side.BUY, 6_000_000, 100_000))
        driver.run(SECOND)
        first, second = driver.orders
        assert isinstance(first, OrderAccepted)
        if answer == "original":
            assert isinstance(second, OrderAccepted)
            assert second.venue_order_id == first.venue_order_id
        else:
            assert isinstance(second, OrderRejected)
            assert second.code == "DUPLICATE_CLIENT_ORDER_ID"
        assert driver.exchange.venue.open_orders() == ["same"]
        driver.exchange.venue.cancel(cancel("same", driver.now))
        driver.run(2 * SECOND)
        assert driver.exchange.venue.open_orders() == []
