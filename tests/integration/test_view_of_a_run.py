"""The view and the events of whole runs: they agree with the Trader, and looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from tape import write_tape
from trader_bench import D, configured

from engine.core.clock import ManualClock
from engine.core.events import Alert, SubmitOrder
from engine.core.instrument import scaled_text
from engine.core.order import Side
from engine.exchange.simulator.order_desk import OWNER
from engine.link.event_log import EventLog
from engine.link.events import AnyEngineEvent, Filled, Notice, OrderEnded
from engine.link.messages import ToConsole
from engine.link.mirror import EngineMirror
from engine.link.view import Product, ProductView, View
from engine.runtime.builder import Market, build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import Observers, WakeUp
from engine.runtime.status import status_report
from engine.runtime.view import Audience, ViewBuilder
from engine.runtime.view_events import EventTeller
from engine.telemetry.histogram import Histogram

S = 1_000_000_000
BUSY = {
    "engine__speed": "max",
    "engine__duration_s": D(30),
    "strategy__base_spread_bps": D(2),
    "strategy__min_spread_bps": D(1),
    "simulator__taker_rate_per_min": 240.0,
}


class Silent:
    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None: ...

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None: ...

    def on_status(self, now_ns: int) -> None: ...


class Looking(Silent):
    """Calls `look` after every wake-up and keeps what was sent, filled and alerted."""

    def __init__(self) -> None:
        self.look: Callable[[Desk], None] = lambda desk: None
        self.sent: list[str] = []
        self.fills: list[tuple[str, int]] = []
        self.alerts: list[str] = []

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.sent += [each.client_id for each in wake.commands if isinstance(each, SubmitOrder)]
        self.fills += [(fill.fill_id, position) for fill, position, _ in wake.fills]
        self.look(desk)

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        self.alerts += [alert.code for alert in alerts]


class Run:
    """An engine at full speed, with everything that a console needs beside it."""

    def __init__(self, **changes: Any) -> None:
        config = configured(**BUSY | changes)
        self.market: Market = build_market(config)
        self.looking, self.log = Looking(), EventLog()
        observers = Observers(EventTeller(self.log.publish), self.looking)
        self.engine: Engine = build_engine(
            config, self.market, ManualClock(), observers, status_interval_ns=S
        )
        self.builder = ViewBuilder(
            self.market.desks,
            self.engine.clock,
            ManualClock(),
            lateness=Histogram,
            audience=Audience,
            feed=self.market.feed_counters,
        )

    @property
    def desk(self) -> Desk:
        return self.market.desks[0]

    def events(self) -> tuple[AnyEngineEvent, ...]:
        return self.log.after(0, 10_000)

    async def to_the_end(self) -> Run:
        outcome = await self.engine.run()
        assert outcome.exit_code == 0, outcome
        return self


def check_agreement(desk: Desk, product: Product, view: View) -> None:
    (shown,) = view.products
    report = status_report(desk, "sim", view.time_ns)
    pnl = shown.pnl

    def price(ticks: int | None) -> str | None:
        return None if ticks is None else scaled_text(ticks * product.tick_steps, product.price_places)

    def size(lots: int) -> str:
        return scaled_text(lots * product.lot_steps, product.size_places)

    def money(atoms: int | None) -> str | None:
        return None if atoms is None else scaled_text(atoms, product.money_places)

    assert {
        "seq": shown.events,
        "product": shown.symbol,
        "state": shown.state,
        "connection": shown.connection,
        "best_bid": price(shown.bids[0][0] if shown.bids else None),
        "best_ask": price(shown.asks[0][0] if shown.asks else None),
        "crossed": shown.crossed,
        "position": size(pnl.position),
        "realised_pnl": money(pnl.realised),
        "unrealised_pnl": money(pnl.unrealised),
        "fees": money(pnl.fees),
        "equity_change": money(pnl.total),
        "spread_captured": money(pnl.captured),
        "inventory_revaluation": money(pnl.revaluation),
        "pnl_residual": money(pnl.residual),
        "open_orders": len(shown.orders),
        "fills": pnl.fills,
        "bought": size(pnl.bought),
        "sold": size(pnl.sold),
        "quotes": shown.quotes_sent,
        "denied": shown.denied,
        "note": shown.note,
    }.items() <= report.items()


def check_money(shown: ProductView) -> None:
    pnl = shown.pnl
    assert pnl.residual == 0
    if pnl.total is not None:
        assert pnl.unrealised is not None
        assert pnl.total == pnl.realised + pnl.unrealised - pnl.fees
        assert pnl.total == pnl.captured + pnl.revaluation - pnl.fees


def check_quotes(desk: Desk, shown: ProductView) -> None:
    tick = 2 * desk.trader.instrument.half_tick_units
    for quote in shown.quotes:
        price = quote.wanted_price if quote.working_price is None else quote.working_price
        assert price is not None
        assert sum(term.value for term in quote.price_terms) == price * tick
        assert sum(term.value for term in quote.size_terms) == quote.wanted_size


def check_queues(desk: Desk, shown: ProductView) -> None:
    book = desk.venue._exchange.market.book  # type: ignore[attr-defined]
    for order in shown.orders:
        if not order.venue_order_id:
            continue  # its acceptance is still on its way to us
        queue = book.queue(Side(order.side), order.price)
        place = [each.order_id for each in queue]
        if order.venue_order_id not in place:
            assert order.ahead is None  # its end is still on its way to us
            continue
        before = queue[: place.index(order.venue_order_id)]
        assert order.ahead == sum(each.remaining for each in before if each.owner != OWNER)


async def test_every_view_of_a_run_agrees_with_the_trader_and_adds_up():
    run = Run()
    (product,) = run.builder.products()
    seen = dict.fromkeys(("quotes", "ours", "ahead", "views"), 0)

    def look(desk: Desk) -> None:
        view = run.builder.view()
        (shown,) = view.products
        check_agreement(desk, product, view)
        check_money(shown)
        check_quotes(desk, shown)
        check_queues(desk, shown)
        seen["views"] += 1
        seen["quotes"] += len(shown.quotes)
        seen["ours"] += any(trade.is_ours for trade in shown.trades)
        seen["ahead"] += sum(order.ahead is not None for order in shown.orders)

    run.looking.look = look
    await run.to_the_end()
    assert seen["views"] > 500
    assert min(seen.values()) > 100
    (last,) = run.builder.view().products
    assert last.pnl.fills > 10
    # Every fill of a maker is followed, and what it captured is what the accounts say.
    assert last.markouts[0].fills + last.markouts[0].waiting_or_lost == last.pnl.fills
    if not last.markouts[0].waiting_or_lost:
        assert last.markouts[0].captured == last.pnl.captured
    assert last.orders == ()


async def test_the_simulator_marks_exactly_the_prints_that_were_ours():
    run = Run()
    shown: dict[int, bool] = {}

    def look(desk: Desk) -> None:
        (product,) = run.builder.view().products
        shown.update({trade.trade_id: trade.is_ours for trade in product.trades})

    run.looking.look = look
    await run.to_the_end()
    filled = {int(fill_id.rpartition("-")[2]) for fill_id, _ in run.looking.fills}
    assert len(filled) > 10
    assert {number for number, is_ours in shown.items() if is_ours} == filled & shown.keys()
    assert len(shown) == run.builder.view().products[0].trade_count > len(filled)


async def test_every_fill_and_every_end_is_told_once_and_in_order():
    run = await Run(strategy__levels=2).to_the_end()
    events = run.events()
    assert [event.eseq for event in events] == list(range(1, len(events) + 1))
    assert [event.time_ns for event in events] == sorted(event.time_ns for event in events)
    assert {event.wall_ns - event.time_ns for event in events} == {run.market.start_wall_ns}
    fills = [event for event in events if isinstance(event, Filled)]
    assert [(fill.fill_id, fill.position) for fill in fills] == run.looking.fills
    position = 0
    for fill in fills:
        position += fill.side * fill.size
        assert fill.position == position
    assert position == run.desk.trader.ledger.position
    ends = {event.client_id: event for event in events if isinstance(event, OrderEnded)}
    assert sorted(ends) == sorted(run.looking.sent)
    assert len(ends) == sum(isinstance(event, OrderEnded) for event in events)
    filled = dict.fromkeys(ends, 0)
    for fill in fills:
        filled[fill.client_id] += fill.size
        assert fill.eseq < ends[fill.client_id].eseq
    assert filled == {client_id: end.filled for client_id, end in ends.items()}
    assert {end.state for end in ends.values()} >= {"filled", "cancelled"}
    assert {end.slot for end in ends.values()} == {"B0", "B1", "A0", "A1"}
    assert [event.code for event in events if isinstance(event, Notice)] == run.looking.alerts


async def test_a_venue_that_rejects_orders_is_told_of():
    run = await Run(simulator__reject_probability=0.2, simulator__rate_limit_per_s=1_000).to_the_end()
    ends = [event for event in run.events() if isinstance(event, OrderEnded)]
    rejected = [end for end in ends if end.state == "rejected"]
    assert rejected
    assert {end.reason for end in rejected} <= {
        "BUSY: the venue is busy and did not take the order",
        "POST_ONLY: post-only: it would have taken liquidity",
    }
    assert sorted(end.client_id for end in ends) == sorted(run.looking.sent)
    assert "BUSY" in [event.code for event in run.events() if isinstance(event, Notice)]


async def test_looking_changes_nothing():
    runs = [Run(), Run()]
    runs[0].looking.look = lambda desk: msgspec.msgpack.encode(runs[0].builder.view()) and None
    watched, alone = [await run.to_the_end() for run in runs]
    assert watched.builder.view().seq > 500
    assert watched.desk.trader.digest() == alone.desk.trader.digest()
    assert watched.events() == alone.events()
    # What was remembered does not depend on who looked, either; some of it is read once a second.
    (one,), (other,) = watched.builder.view().products, alone.builder.view().products
    read_seldom = {name: getattr(other, name) for name in ("stages", "bins", "analytics")}
    assert msgspec.structs.replace(one, **read_seldom) == other


async def test_a_console_that_joins_late_draws_the_same_profit():
    run = await Run().to_the_end()
    history = run.builder.history()["BTC-USD"]
    assert [point.time_ns // S for point in history] == list(range(31))
    profit = run.desk.trader.ledger.profit
    assert profit is not None
    mirror = EngineMirror()
    view = run.builder.view()
    mirror.apply(msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=ToConsole), 0)
    assert mirror.product_view("BTC-USD") == view.products[0]
    assert mirror.profits["BTC-USD"].last == (view.time_ns, profit)


async def test_two_products_are_in_one_view():
    run = Run(engine__symbols=("BTC-USD", "ETH-USD"), engine__duration_s=D(3))
    await run.to_the_end()
    view = run.builder.view()
    assert [product.symbol for product in view.products] == ["BTC-USD", "ETH-USD"]
    assert [product.symbol for product in run.builder.products()] == ["BTC-USD", "ETH-USD"]
    assert len(view.health.queues) == 6
    assert {event.product for event in run.events()} == {"BTC-USD", "ETH-USD"}


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_replay_on_paper_says_which_prints_filled_us_and_why(tmp_path, seed):
    tape = write_tape(tmp_path / "tape.jsonl", steps=400, seed=seed)
    run = Run(
        engine__mode="replay",
        engine__input=str(tape),
        engine__duration_s=None,
        strategy__order_quantity=D("0.01"),
        strategy__min_order_quantity=D("0.001"),
        strategy__base_spread_bps=D(1),
        strategy__min_spread_bps=D(1),
    )
    ours: set[int] = set()
    ahead: list[int] = []

    def look(desk: Desk) -> None:
        (product,) = run.builder.view().products
        assert not product.shows_own
        ours.update(trade.trade_id for trade in product.trades if trade.is_ours)
        ahead.extend(order.ahead for order in product.orders if order.ahead is not None)

    run.looking.look = look
    await run.to_the_end()
    fills = [event for event in run.events() if isinstance(event, Filled)]
    assert fills
    assert {fill.reason for fill in fills} <= {"crossed", "traded_through", "queue_cleared"}
    assert ours
    assert max(ahead) > 0
    feed = run.builder.view().health.feed
    assert feed is not None
    assert run.market.feed_counters is not None
    assert feed.frames == run.market.feed_counters.frames > 400
