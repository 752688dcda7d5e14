"""No paper fill without a reason on the tape: random tapes, random orders, an independent auditor."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import msgspec
import pytest
from fill_auditor import audit
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.events import (
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    FeedState,
    FeedStatus,
    FillEvidence,
    MarketEvent,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.order import OrderType, Side, TimeInForce
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule
from engine.exchange.paper import PaperSettings, PaperVenue
from engine.exchange.paper_state import PaperState
from engine.exchange.queue_model import QUEUE_MODELS

INSTRUMENT = Instrument.create("X-USD", tick="0.01", lot="0.001")
FEES = FeeSchedule.from_bps(Decimal("1.5"), Decimal("6.25"))
QUOTE, BASE = 10**7, 2_000
MS = 1_000_000


class Run:
    """A venue, the tape shown to it, everything sent to it and everything it said."""

    def __init__(self, paper: PaperSettings) -> None:
        self.paper = paper
        self.account = Account(INSTRUMENT, FEES, quote=QUOTE, base=BASE)
        self.venue = PaperVenue(INSTRUMENT, self.account, paper)
        self.now = 0
        self.tape: list[MarketEvent] = []
        self.orders: list[SubmitOrder] = []
        self.answers: list[OrderEvent] = []

    def show(self, event: MarketEvent) -> None:
        self.now = event.recv_ns
        self.tape.append(event)
        self.venue.on_market(event)

    def submit(self, order: SubmitOrder) -> None:
        self.orders.append(order)
        self.venue.submit(order)

    def poll(self) -> None:
        self.answers += self.venue.poll(self.now)

    def restart(self) -> None:
        """A crash and a recovery: another venue goes on from what this one has saved."""
        body = msgspec.msgpack.encode(self.venue.save())
        self.account = Account(INSTRUMENT, FEES, quote=0, base=0)
        self.venue = PaperVenue(INSTRUMENT, self.account, self.paper)
        self.venue.load(msgspec.msgpack.decode(body, type=PaperState))
        assert msgspec.msgpack.encode(self.venue.save()) == body

    def finish(self) -> None:
        """Cancel everything and let the last answers arrive."""
        for order in self.orders:
            self.venue.cancel(CancelOrder("X-USD", self.now, order.client_id))
        self.answers += self.venue.poll(self.now + 10_000 * MS)
        assert self.venue.open_orders() == []
        assert self.venue.next_due_ns() is None

    def fills(self) -> list[OrderFilled]:
        return [answer for answer in self.answers if isinstance(answer, OrderFilled)]

    def findings(self) -> list[tuple[str, str]]:
        found = audit(
            self.tape,
            self.orders,
            self.answers,
            answer_latency_ns=round(self.paper.answer_latency_ms * MS),
            queue_model=self.paper.queue_model,
        )
        return [(finding.fill.fill_id, finding.why) for finding in found]

    def check_accounts(self) -> None:
        """Every atom and lot is accounted for, fill by fill and order by order."""
        quote, base = QUOTE, BASE
        for fill in self.fills():
            notional = INSTRUMENT.notional(fill.price, fill.size)
            assert fill.fee == FEES.fee(notional, fill.is_maker)
            quote -= fill.side * notional + fill.fee
            base += fill.side * fill.size
        assert (self.account.quote, self.account.base) == (quote, base)
        assert quote >= 0
        assert base >= 0
        assert (self.account.quote_held, self.account.base_held) == (0, 0)
        ids = [fill.fill_id for fill in self.fills()]
        assert len(ids) == len(set(ids))
        filled: Counter[str] = Counter()
        left: dict[str, int] = {}
        for answer in self.answers:
            if isinstance(answer, OrderFilled):
                filled[answer.client_id] += answer.size
            elif isinstance(answer, OrderCancelled | OrderExpired):
                left[answer.client_id] = answer.remaining
        accepted = {answer.client_id for answer in self.answers if isinstance(answer, OrderAccepted)}
        for order in self.orders:
            if order.client_id in accepted:
                assert filled[order.client_id] + left.get(order.client_id, 0) == order.size


# -- a venue with a memory of its own ----------------------------------------------------------------


class Exchange:
    """A market that publishes like the real one: books in batches, prints in batches and later.

    Sizes by price on both sides of a wandering mid; trades take from the touch, everything else is adds
    and cancels. Books carry the venue's time of publication, prints that of the trade.
    """

    def __init__(self, rng: random.Random, *, stamps: bool) -> None:
        self.rng = rng
        self.stamps = stamps
        self.venue_ns = 1_000 * MS
        self.books = {
            Side.BUY: dict.fromkeys(range(95, 100), 40),
            Side.SELL: dict.fromkeys(range(100, 105), 40),
        }
        self.changed: dict[Side, set[int]] = {Side.BUY: set(), Side.SELL: set()}
        self.prints: list[tuple[int, int, Side, int]] = []

    def touch(self, side: Side) -> int:
        return max(self.books[side]) if side is Side.BUY else min(self.books[side])

    def step(self) -> None:
        rng = self.rng
        self.venue_ns += rng.randint(1, 3) * MS
        side = rng.choice((Side.BUY, Side.SELL))
        book = self.books[side]
        if rng.random() < 0.4:
            size = rng.choice((1, 5, 10, 30, 60, 90))
            while size and len(book) > 1:
                price = self.touch(side)
                lots = min(size, book[price])
                self.prints.append((price, lots, side.opposite, self.venue_ns))
                self.set(side, price, book[price] - lots)
                size -= lots
        else:
            price = self.touch(side) - side * rng.randint(-1, 4)
            if side * (self.touch(side.opposite) - price) > 0:
                size = book.get(price, 0) + rng.choice((-40, -20, -7, -3, 3, 7, 20, 40))
                if size > 0 or len(book) > 1:
                    self.set(side, price, max(0, size))

    def set(self, side: Side, price: int, size: int) -> None:
        self.changed[side].add(price)
        self.books[side][price] = size
        if not size:
            del self.books[side][price]

    @property
    def wall_ns(self) -> int:
        """Our wall clock: the venue's, a little ahead."""
        return self.venue_ns + 2 * MS

    def book_update(self, now: int) -> BookUpdate:
        bids, asks = (
            [(price, self.books[side].get(price, 0)) for price in sorted(self.changed[side])]
            for side in (Side.BUY, Side.SELL)
        )
        self.changed = {Side.BUY: set(), Side.SELL: set()}
        return BookUpdate("X-USD", now, self.wall_ns, bids, asks, self.venue_ns if self.stamps else 0)

    def snapshot(self, now: int) -> BookSnapshot:
        bids, asks = (list(self.books[side].items()) for side in (Side.BUY, Side.SELL))
        self.changed = {Side.BUY: set(), Side.SELL: set()}
        return BookSnapshot("X-USD", now, self.wall_ns, bids, asks, self.venue_ns if self.stamps else 0)


def campaign(seed: int, paper: PaperSettings, *, steps: int = 300, restart_every: int = 0) -> Run:
    """A run against `Exchange` with joins at the touch, quotes inside, takers, cancels and one outage.

    With `restart_every` the venue is saved and built anew after so many steps, again and again.
    """
    rng = random.Random(seed)
    stamps = seed % 2 == 0
    exchange = Exchange(rng, stamps=stamps)
    run = Run(paper)
    trade_id = 0
    run.show(FeedStatus("X-USD", 1, 1, FeedState.LIVE))
    run.show(exchange.snapshot(2))
    outage = rng.randrange(steps)
    for step in range(steps):
        exchange.step()
        now = run.now + rng.choice((1, 2, 4)) * MS
        if rng.random() < 0.5:
            run.show(exchange.book_update(now))
        if rng.random() < (0.3 if stamps else 1.0):
            for price, size, taker, venue_ns in exchange.prints:
                trade_id += 1
                at = venue_ns if stamps else 0
                run.show(TradePrint("X-USD", now, exchange.wall_ns, trade_id, price, size, taker, at))
            exchange.prints.clear()
        if step == outage:
            run.show(FeedStatus("X-USD", now, exchange.wall_ns, FeedState.STALE))
        elif step == outage + 10:
            run.show(exchange.snapshot(now))
            run.show(FeedStatus("X-USD", now, exchange.wall_ns, FeedState.LIVE))
        run.poll()
        if restart_every and step % restart_every == 0:
            run.restart()
        order_id = f"o{step}"
        side = rng.choice((Side.BUY, Side.SELL))
        touch, size = exchange.touch(side), rng.randint(1, 30)
        action = rng.random()
        if action < 0.35:
            price = touch - side * rng.choice((-3, -1, 0, 0, 0, 1, 2))
            run.submit(SubmitOrder("X-USD", run.now, order_id, side, size, price, post_only=True))
        elif action < 0.40:
            price = exchange.touch(side.opposite) + side * rng.randint(0, 1)
            tif = rng.choice((TimeInForce.IOC, TimeInForce.GTC))
            run.submit(SubmitOrder("X-USD", run.now, order_id, side, size * 3, price, time_in_force=tif))
        elif action < 0.42:
            run.submit(SubmitOrder("X-USD", run.now, order_id, side, size, None, order_type=OrderType.MARKET))
        elif action < 0.5 and run.orders:
            chosen = rng.choice(run.orders[-8:])
            run.venue.cancel(CancelOrder("X-USD", run.now, chosen.client_id))
        run.poll()
    run.finish()
    return run


@pytest.mark.parametrize("model", QUEUE_MODELS)
@pytest.mark.parametrize("partial_fills", [True, False])
def test_no_fill_without_a_reason_on_the_tape(model: str, partial_fills: bool) -> None:
    seen: Counter[str] = Counter()
    for seed in range(40):
        paper = PaperSettings(seed % 4 * 2.0, seed % 3 * 4.0, model, 1.0 + seed % 3, partial_fills)
        run = campaign(seed, paper)
        assert run.findings() == [], f"seed {seed}"
        run.check_accounts()
        sizes = {order.client_id: order.size for order in run.orders}
        for answer in run.answers:
            if isinstance(answer, OrderFilled):
                seen[answer.evidence.reason if answer.evidence else "taken"] += 1
                is_part = answer.is_maker and answer.size < sizes[answer.client_id]
                seen["partial"] += is_part
            else:
                seen[type(answer).__name__] += 1
            if isinstance(answer, OrderRejected):
                seen[answer.code] += 1
    for what, at_least in {
        "queue_cleared": 60,
        "traded_through": 60,
        "crossed": 20,
        "taken": 100,
        "OrderExpired": 20,
        "OrderCancelled": 50,
        "CancelRejected": 50,
        "INVALID_LIMIT_PRICE_POST_ONLY": 5,
        "BOOK_NOT_LIVE": 20,
        "partial": 20,
    }.items():
        assert seen[what] >= at_least, (what, seen)


@pytest.mark.nightly
def test_no_fill_without_a_reason_on_the_tape_long() -> None:
    for seed in range(1_000, 2_000):
        model = QUEUE_MODELS[seed % len(QUEUE_MODELS)]
        run = campaign(seed, PaperSettings(seed % 4 * 2.0, seed % 3 * 4.0, model, 2.0, seed % 5 > 0))
        assert run.findings() == [], f"seed {seed}"
        run.check_accounts()


def test_the_same_run_twice_is_the_same() -> None:
    assert campaign(3, PaperSettings()).answers == campaign(3, PaperSettings()).answers


# -- arbitrary tapes, shrinking to the smallest counterexample ----------------------------------------

_side = st.sampled_from((Side.BUY, Side.SELL))
_step = st.one_of(
    st.tuples(st.just("book"), _side, st.integers(97, 103), st.integers(0, 12), st.integers(0, 3)),
    st.tuples(st.just("print"), _side, st.integers(97, 103), st.integers(1, 15), st.integers(0, 3)),
    st.tuples(st.just("quote"), _side, st.integers(97, 103), st.integers(1, 9), st.integers(0, 3)),
    st.tuples(st.just("take"), _side, st.integers(97, 103), st.integers(1, 9), st.integers(0, 3)),
    st.tuples(st.just("stale"), _side, st.just(0), st.integers(0, 12), st.integers(0, 3)),
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(_step, min_size=5, max_size=60), st.booleans(), st.sampled_from(QUEUE_MODELS))
def test_arbitrary_tapes(
    steps: list[tuple[str, Side, int, int, int]], partial_fills: bool, model: str
) -> None:
    """Books and prints that need not fit together, stamped or not, on time or late."""
    run = Run(PaperSettings(1.0, 1.0, model, 2.0, partial_fills))
    run.show(FeedStatus("X-USD", 1, 1, FeedState.LIVE))
    run.show(BookSnapshot("X-USD", 2, 2, [(99, 9), (98, 9)], [(101, 9), (102, 9)]))
    for number, (kind, side, price, size, lag) in enumerate(steps, start=1):
        now = run.now + MS // 2
        venue_ns = (number - lag) * MS if lag < 3 and number > lag else 0
        if kind == "book":
            changes = [(price, size)]
            bids, asks = (changes, []) if side is Side.BUY else ([], changes)
            run.show(BookUpdate("X-USD", now, now, bids, asks, venue_ns))
        elif kind == "print":
            run.show(TradePrint("X-USD", now, now, number, price, size, side, venue_ns))
        elif kind == "stale":
            run.show(FeedStatus("X-USD", now, now, FeedState.STALE))
            run.show(BookSnapshot("X-USD", now, now, [(98, size)], [(102, size)], venue_ns))
            run.show(FeedStatus("X-USD", now, now, FeedState.LIVE))
        else:
            tif = TimeInForce.GTC if kind == "quote" or lag else TimeInForce.IOC
            run.submit(
                SubmitOrder(
                    "X-USD",
                    run.now,
                    f"o{number}",
                    side,
                    size,
                    price,
                    time_in_force=tif,
                    post_only=kind == "quote",
                )
            )
        run.poll()
    run.finish()
    assert run.findings() == []
    run.check_accounts()


# -- the auditor itself --------------------------------------------------------------------------------


def planted(changes: dict[str, object], fill: OrderFilled) -> OrderFilled:
    return msgspec.structs.replace(fill, **changes)


def test_the_auditor_finds_a_planted_fill_of_every_kind() -> None:
    """Take an honest run, spoil one fill in one way, and see that one reported."""
    run = campaign(4, PaperSettings(2.0, 4.0), steps=250)
    honest = run.answers
    spoiled: Counter[str] = Counter()
    for position, answer in enumerate(honest):
        if not isinstance(answer, OrderFilled):
            continue
        is_by_queue = answer.evidence is not None and answer.evidence.reason == "queue_cleared"
        if not is_by_queue and position % 5:
            continue  # the other kinds are plenty
        worse = answer.price + answer.side * 3
        spoilers: dict[str, dict[str, object]] = {
            "beyond the limit": {"price": worse},
            "too much": {"size": answer.size + 1_000},
            "wrong side": {"side": answer.side.opposite},
            "never accepted": {"client_id": "nobody"},
            "at another time": {"recv_ns": answer.recv_ns + 1},
        }
        evidence = answer.evidence
        if evidence is not None:
            spoilers["no reason"] = {"evidence": None}
            spoilers["no such print"] = {"evidence": FillEvidence("traded_through", 0, 0, 10**9)}
            spoilers["of another kind"] = {"evidence": FillEvidence("luck", 0, 0, evidence.trade_id)}
        if evidence is not None and evidence.reason == "queue_cleared":
            spoilers["queue fill called a sweep"] = {
                "evidence": FillEvidence("traded_through", 0, 0, evidence.trade_id)
            }
        for name, changes in spoilers.items():
            run.answers = [*honest[:position], planted(changes, answer), *honest[position + 1 :]]
            assert answer.fill_id in [fill_id for fill_id, _ in run.findings()], (name, answer)
            spoiled[name] += 1
    run.answers = honest
    assert run.findings() == []
    assert all(count >= 5 for count in spoiled.values()), spoiled
    assert len(spoiled) == 9


def test_the_auditor_finds_a_fill_that_jumps_the_queue() -> None:
    """Forty lots stand ahead: a print of 40 must not fill us, one of 41 may fill one lot, not two."""
    for printed, size, is_fine in ((40, 1, False), (41, 1, True), (41, 2, False)):
        run = Run(PaperSettings(0.0, 0.0))
        run.show(FeedStatus("X-USD", 1, 1, FeedState.LIVE))
        run.show(BookSnapshot("X-USD", 2, 2, [(99, 40)], [(101, 40)]))
        run.submit(SubmitOrder("X-USD", 2, "a", Side.BUY, 5, 99, post_only=True))
        run.poll()
        run.show(TradePrint("X-USD", 3, 3, 1, 99, printed, Side.SELL))
        evidence = FillEvidence("queue_cleared", 40, 0, 1)
        run.answers.append(
            OrderFilled("X-USD", 3, 3, "a", "f", Side.BUY, 99, size, 0, True, evidence=evidence)
        )
        assert (run.findings() == []) is is_fine, (printed, size)


@pytest.mark.parametrize(("printed_ns", "is_fine"), [(50, False), (70, False), (100, False), (101, True)])
def test_the_auditor_finds_a_fill_by_a_print_from_before_the_order(printed_ns: int, is_fine: bool) -> None:
    """The book is of time 50, the order arrived at 100 on the same clock."""
    run = Run(PaperSettings(0.0, 0.0))
    run.show(FeedStatus("X-USD", 1, 51, FeedState.LIVE))
    run.show(BookSnapshot("X-USD", 2, 52, [(98, 40)], [(101, 40)], 50))
    run.show(BookUpdate("X-USD", 50, 100, [(97, 1)], []))
    run.submit(SubmitOrder("X-USD", 50, "a", Side.BUY, 5, 99, post_only=True))
    run.poll()
    run.show(TradePrint("X-USD", 60, 110, 1, 99, 5, Side.SELL, printed_ns))
    run.poll()
    assert len(run.fills()) == is_fine
    if not is_fine:
        evidence = FillEvidence("queue_cleared", 0, 0, 1)
        run.answers.append(
            OrderFilled("X-USD", 60, 110, "a", "f", Side.BUY, 99, 5, 0, True, evidence=evidence)
        )
    assert (run.findings() == []) is is_fine


def test_the_auditor_finds_a_print_used_twice() -> None:
    run = Run(PaperSettings(0.0, 0.0))
    run.show(FeedStatus("X-USD", 1, 1, FeedState.LIVE))
    run.show(BookSnapshot("X-USD", 2, 2, [(98, 40)], [(101, 40)]))
    for client_id in ("a", "b"):
        run.submit(SubmitOrder("X-USD", 2, client_id, Side.BUY, 5, 99, post_only=True))
    run.poll()
    run.show(TradePrint("X-USD", 3, 3, 1, 99, 5, Side.SELL))
    evidence = FillEvidence("queue_cleared", 0, 0, 1)
    for client_id in ("a", "b"):
        run.answers.append(
            OrderFilled("X-USD", 3, 3, client_id, client_id, Side.BUY, 99, 5, 0, True, evidence=evidence)
        )
    assert [fill_id for fill_id, _ in run.findings()] == ["b"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("model", ["risk_averse", "power2"])
def test_a_venue_that_goes_on_from_what_it_saved_answers_as_if_nothing_had_been(
    seed: int, model: str
) -> None:
    paper = PaperSettings(order_latency_ms=3, answer_latency_ms=2, queue_model=model)
    whole, broken = campaign(seed, paper), campaign(seed, paper, restart_every=7)
    assert broken.answers == whole.answers
    assert len(whole.fills()) > 5
    broken.check_accounts()
