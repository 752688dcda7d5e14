"""Where an order of ours stands in its queue at the simulator, and which print a fill belongs to."""

from __future__ import annotations

from simulator_kit import BTC, SECOND, Driver, cancel, order, quiet

from engine.core.events import OrderFilled
from engine.core.order import Side
from engine.exchange.simulator.order_desk import OWNER

LOTS = BTC.lots("0.01")


def ahead(driver: Driver, client_id: str) -> int | None:
    return driver.exchange.venue.estimated_ahead(client_id)


def test_strangers_before_us_are_counted_and_our_own_orders_are_not():
    driver = quiet(order_latency_ms=5.0)
    driver.run_for(SECOND)
    book = driver.exchange.market.book
    price = book.best_bid()
    assert price is not None
    strangers = book.volume_at(Side.BUY, price)
    assert strangers > 0
    for client_id in ("a", "b"):
        driver.exchange.venue.submit(order(client_id, Side.BUY, price, LOTS, driver.now))
        assert ahead(driver, client_id) is None  # it is on its way
        driver.run_for(SECOND)
    assert (ahead(driver, "a"), ahead(driver, "b")) == (strangers, strangers)
    first, second = (each for each in book.queue(Side.BUY, price) if each.owner == OWNER)
    assert book.orders_ahead_volume(first.order_id) == strangers
    assert book.orders_ahead_volume(second.order_id) == strangers + LOTS
    # A taker uses up the queue before us; what is left of it is what stands before us.
    book.submit("taker", Side.SELL, strangers - 7, price)
    assert (ahead(driver, "a"), ahead(driver, "b")) == (7, 7)
    driver.exchange.venue.cancel(cancel("a", driver.now))
    driver.run_for(SECOND)
    assert (ahead(driver, "a"), ahead(driver, "b")) == (None, 7)
    assert ahead(driver, "never sent") is None


def test_a_fill_names_the_print_it_is_a_part_of():
    driver = quiet()
    driver.run_for(SECOND)
    price = driver.exchange.market.book.best_ask()
    assert price is not None
    driver.exchange.venue.submit(order("a", Side.BUY, price, LOTS, driver.now))
    driver.run_for(SECOND)
    fills = [event for event in driver.orders if isinstance(event, OrderFilled)]
    numbers = [driver.exchange.venue.print_of(fill) for fill in fills]
    prints = {trade.trade_id: trade for trade in driver.prints}
    assert fills
    for fill, number in zip(fills, numbers, strict=True):
        assert number is not None
        assert (prints[number].price, prints[number].size) == (fill.price, fill.size)
