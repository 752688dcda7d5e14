"""The paper venue on ten seconds of real Coinbase data, with orders joined at the touch by hand."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from fill_auditor import audit

from engine.core.events import (
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    MarketEvent,
    OrderEvent,
    OrderFilled,
    SubmitOrder,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule
from engine.exchange.paper import PaperSettings, PaperVenue
from engine.exchange.queue_model import QUEUE_MODELS
from engine.exchange.recording import RecordingFeed

CAPTURE = "coinbase/advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
INSTRUMENTS = {
    symbol: Instrument.create(symbol, tick="0.01", lot="0.00000001", min_size="0.00000001")
    for symbol in ("BTC-USD", "ETH-USD")
}
MS = 1_000_000


@pytest.fixture(scope="module")
def tape(shared_data: Path) -> list[MarketEvent]:
    """Every event of the capture, decoded once."""
    feed = RecordingFeed(shared_data / CAPTURE, INSTRUMENTS)
    events: list[MarketEvent] = []
    while not feed.is_exhausted:
        events += feed.step()
    return events


def join_the_touch(
    tape: list[MarketEvent], symbol: str, paper: PaperSettings, *, lots: int
) -> tuple[PaperVenue, list[SubmitOrder], list[OrderEvent]]:
    """Every 100 ms one post-only order on each touch, cancelled after 3 s."""
    account = Account(
        INSTRUMENTS[symbol], FeeSchedule.from_bps(Decimal(10), Decimal(20)), quote=10**24, base=10**12
    )
    venue, book = PaperVenue(INSTRUMENTS[symbol], account, paper), PriceLevels()
    orders: list[SubmitOrder] = []
    answers: list[OrderEvent] = []
    cancels: list[tuple[int, str]] = []
    next_join = 0
    for event in tape:
        answers += venue.poll(event.recv_ns - 1)
        venue.on_market(event)
        if event.product == symbol:
            if isinstance(event, BookSnapshot):
                book.apply_snapshot(event.bids, event.asks)
            elif isinstance(event, BookUpdate):
                book.apply(event.bids, event.asks)
        if book.best_bid() is not None and event.recv_ns >= next_join:
            next_join = event.recv_ns + 100 * MS
            for side, touch in ((Side.BUY, book.best_bid()), (Side.SELL, book.best_ask())):
                client_id = f"{side.word}{event.recv_ns}"
                order = SubmitOrder(symbol, event.recv_ns, client_id, side, lots, touch, post_only=True)
                orders.append(order)
                venue.submit(order)
                cancels.append((event.recv_ns + 3_000 * MS, client_id))
        while cancels and cancels[0][0] <= event.recv_ns:
            venue.cancel(CancelOrder(symbol, event.recv_ns, cancels.pop(0)[1]))
    end = tape[-1].recv_ns
    for _, client_id in cancels:
        venue.cancel(CancelOrder(symbol, end, client_id))
    answers += venue.poll(end + 10_000 * MS)
    assert venue.open_orders() == []
    assert (account.quote_held, account.base_held) == (0, 0)
    return venue, orders, answers


@pytest.mark.parametrize("symbol", ["BTC-USD", "ETH-USD"])
@pytest.mark.parametrize("model", QUEUE_MODELS)
def test_fills_on_the_capture_are_justified(tape: list[MarketEvent], symbol: str, model: str) -> None:
    paper = PaperSettings(10.0, 5.0, model)
    own = [event for event in tape if event.product == symbol]
    _, orders, answers = join_the_touch(own, symbol, paper, lots=100_000)
    findings = audit(own, orders, answers, answer_latency_ns=5 * MS, queue_model=model)
    assert [(finding.fill, finding.why) for finding in findings] == []
    kinds = Counter(type(answer).__name__ for answer in answers)
    assert kinds["OrderAccepted"] > 100
    reasons = Counter(
        answer.evidence.reason for answer in answers if isinstance(answer, OrderFilled) and answer.evidence
    )
    if symbol == "ETH-USD":
        # Two sweeps run through the bids of that tape: ids 833140784 to 787 and 833140789 to 794.
        assert reasons["traded_through"] > 10
        assert reasons["queue_cleared"] > 5


def test_the_queue_gives_no_more_than_the_tape_traded(tape: list[MarketEvent]) -> None:
    own = [event for event in tape if event.product == "ETH-USD"]
    printed = {event.trade_id: event.size for event in own if isinstance(event, TradePrint)}
    _, _, answers = join_the_touch(own, "ETH-USD", PaperSettings(10.0, 5.0, "power2", 1.0), lots=10_000_000)
    by_print: Counter[int] = Counter()
    for answer in answers:
        if isinstance(answer, OrderFilled) and answer.evidence and answer.evidence.reason == "queue_cleared":
            by_print[answer.evidence.trade_id] += answer.size
    assert by_print
    assert all(size <= printed[trade_id] for trade_id, size in by_print.items())
