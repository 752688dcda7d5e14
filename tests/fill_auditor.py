"""An independent judge of paper fills: does the tape justify them?

It shares nothing with the paper venue but the event types. It keeps its own naive book (two dicts),
walks the tape once and asks of every fill for the evidence that the documented fill rule demands
(strategy notes 10.1, protocol notes 10.1). It finds fills that should not be; it does not look for
fills that are missing.

A print fills an order only if the venue stamped it after the book that the order joined and after the
wall time of the order's acceptance; the latter where the clocks are comparable, that is where the newest
stamped book came within a minute of its own time.

The bound for fills by the queue (risk-averse reading: nobody behind us left the queue before us): at any
moment u since the order joined, at most the size then displayed, S_u, stood before it. So from then on
it can have been filled for at most W_u - S_u lots, W_u being the volume printed at its price since u,
without the prints that the venue stamped before the book of u and without what filled older orders of
ours at that price. The best moment counts: filled <= max over u of (W_u - S_u).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.core.events import (
    BookSnapshot,
    BookUpdate,
    FeedState,
    FeedStatus,
    MarketEvent,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    SubmitOrder,
    TradePrint,
)
from engine.core.order import Side


@dataclass
class Unjustified:
    """A fill that the tape does not justify, and why not."""

    fill: OrderFilled
    why: str


@dataclass
class _Moment:
    """One observation of the level: the size shown, the venue time of that book, the volume since."""

    shown: int
    book_ns: int
    printed: int = 0


@dataclass
class _Watched:
    order: SubmitOrder
    accepted_ns: int
    accepted_wall_ns: int
    ended_ns: int | None = None
    joined_ns: int = 0
    filled: int = 0
    by_queue: int = 0
    moments: list[_Moment] = field(default_factory=list)

    def is_at(self, price: int, side: Side) -> bool:
        return self.order.price == price and self.order.side is side

    def count(self, trade: TradePrint, size: int) -> None:
        """Add volume of a print to every moment whose book did not contain it already."""
        for moment in self.moments:
            if not 0 < trade.exchange_ns <= moment.book_ns:
                moment.printed += size


def audit(
    events: Iterable[MarketEvent],
    submitted: Iterable[SubmitOrder],
    answers: Iterable[OrderEvent],
    *,
    answer_latency_ns: int = 0,
    queue_model: str = "risk_averse",
) -> list[Unjustified]:
    """Every fill among `answers` that the tape of one product does not justify.

    `events` in the order the venue saw them; `submitted` all orders sent; `answers` everything the
    venue answered. An answer's receive time less `answer_latency_ns` is when the venue acted; at equal
    times the market moved first. Under a queue model other than `risk_averse`, whose positions cannot
    be bounded by the tape, a queue fill needs its print and enough volume since it joined, no more.
    """
    return _Auditor(list(submitted), list(answers), answer_latency_ns, queue_model).run(list(events))


class _Auditor:
    def __init__(
        self, submitted: list[SubmitOrder], answers: list[OrderEvent], latency: int, model: str
    ) -> None:
        self.model = model
        self.findings: list[Unjustified] = []
        orders = {order.client_id: order for order in submitted}
        accepted: dict[str, _Watched] = {}
        self.maker_fills: list[tuple[int, OrderFilled]] = []
        self.taker_fills: list[OrderFilled] = []
        for answer in answers:
            at = answer.recv_ns - latency
            if isinstance(answer, OrderAccepted):
                accepted[answer.client_id] = _Watched(orders[answer.client_id], at, answer.wall_ns - latency)
            elif isinstance(answer, OrderCancelled | OrderExpired):
                accepted[answer.client_id].ended_ns = at
            elif isinstance(answer, OrderFilled):
                watched = accepted.get(answer.client_id)
                if watched is None:
                    self.fail(answer, "the order was never accepted")
                elif watched.ended_ns is not None and at > watched.ended_ns:
                    self.fail(answer, "filled after it had ended")
                elif answer.is_maker:
                    self.maker_fills.append((at, answer))
                elif at == watched.accepted_ns:
                    self.taker_fills.append(answer)
                else:
                    self.fail(answer, "an order takes when it arrives, not later")
        self.waiting = list(accepted.values())
        self.watched: list[_Watched] = []
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.taken: dict[tuple[Side, int], int] = {}
        self.book_ns = 0
        self.book_lag_ns: int | None = None
        self.has_book = False
        self.feed_live = False
        self.seen_prints: set[int] = set()
        self.used_of_print: dict[int, int] = {}

    def fail(self, fill: OrderFilled, why: str) -> None:
        self.findings.append(Unjustified(fill, why))

    def run(self, events: list[MarketEvent]) -> list[Unjustified]:
        for position, event in enumerate(events):
            self.let_join(before_ns=event.recv_ns)
            self.watched = [w for w in self.watched if w.ended_ns is None or w.ended_ns >= event.recv_ns]
            self.apply(event)
            is_last_of_its_time = position + 1 == len(events) or events[position + 1].recv_ns > event.recv_ns
            self.judge_makers(event, is_last_of_its_time)
        self.let_join(before_ns=None)
        for _, fill in self.maker_fills:
            self.fail(fill, "filled after the end of the tape")
        return self.findings

    # -- the tape --------------------------------------------------------------------------------

    def apply(self, event: MarketEvent) -> None:
        if isinstance(event, FeedStatus):
            self.feed_live = event.state is FeedState.LIVE
            if event.state in (FeedState.STALE, FeedState.IDLE):
                self.has_book = False
        elif isinstance(event, BookSnapshot):
            self.bids = {price: size for price, size in event.bids if size}
            self.asks = {price: size for price, size in event.asks if size}
            self.has_book = True
            self.book_changed(event)
        elif isinstance(event, BookUpdate):
            # A level that went away while nobody vouched for the book took along what was taken of it.
            for side, changes in ((Side.BUY, event.bids), (Side.SELL, event.asks)):
                for price, size in changes:
                    if (side, price) in self.taken:
                        self.taken[side, price] = min(size, self.taken[side, price])
            if self.has_book:
                for book, changes in ((self.bids, event.bids), (self.asks, event.asks)):
                    for price, size in changes:
                        book[price] = size
                        if not size:
                            del book[price]
                self.book_changed(event)
        elif event.trade_id not in self.seen_prints:
            self.seen_prints.add(event.trade_id)
            if self.has_book and self.feed_live:
                for watched in self.watched:
                    if watched.is_at(event.price, event.taker_side.opposite):
                        watched.count(event, event.size)

    def book_changed(self, event: BookSnapshot | BookUpdate) -> None:
        if event.exchange_ns > self.book_ns:
            self.book_ns = event.exchange_ns
            self.book_lag_ns = event.wall_ns - event.exchange_ns
        for (side, price), size in list(self.taken.items()):
            self.taken[side, price] = min(size, self.displayed(side).get(price, 0))
        for watched in self.watched:
            self.observe(watched)

    def displayed(self, side: Side) -> dict[int, int]:
        return self.bids if side is Side.BUY else self.asks

    def open_to_takers(self, side: Side) -> dict[int, int]:
        left = {p: size - self.taken.get((side, p), 0) for p, size in self.displayed(side).items()}
        return {p: size for p, size in left.items() if size > 0}

    def observe(self, watched: _Watched) -> None:
        if watched.order.price is not None:
            size = self.displayed(watched.order.side).get(watched.order.price, 0)
            # A later look at no smaller a size allows nothing that an earlier one did not.
            if not watched.moments or size < min(moment.shown for moment in watched.moments):
                watched.moments.append(_Moment(size, self.book_ns))

    # -- orders and fills ------------------------------------------------------------------------

    def let_join(self, before_ns: int | None) -> None:
        """Orders accepted before a time join the queue; what they took at once is judged now."""
        while self.waiting and (before_ns is None or self.waiting[0].accepted_ns < before_ns):
            watched = self.waiting.pop(0)
            watched.joined_ns = self.book_ns
            if self.book_lag_ns is not None and abs(self.book_lag_ns) < 60 * 10**9:
                watched.joined_ns = max(self.book_ns, watched.accepted_wall_ns)
            self.watched.append(watched)
            self.observe(watched)
            for fill in self.taker_fills:
                if fill.client_id == watched.order.client_id:
                    why = self.common_objection(watched, fill) or self.taker_objection(watched, fill)
                    if why:
                        self.fail(fill, why)
                    watched.filled += fill.size
                    key = (fill.side.opposite, fill.price)
                    self.taken[key] = self.taken.get(key, 0) + fill.size

    def judge_makers(self, event: MarketEvent, is_last_of_its_time: bool) -> None:
        """Judge the fills up to the time of `event`; one it does not explain waits for its equals."""
        while self.maker_fills and self.maker_fills[0][0] <= event.recv_ns:
            at, fill = self.maker_fills[0]
            watched = next((w for w in self.watched if w.order.client_id == fill.client_id), None)
            if watched is None:
                why = "filled before it was accepted"
            elif at < event.recv_ns:
                why = "nothing happened on the tape at the time of the fill"
            else:
                why = self.common_objection(watched, fill) or self.maker_objection(watched, fill, event)
            if why and at == event.recv_ns and not is_last_of_its_time:
                return
            self.maker_fills.pop(0)
            if why:
                self.fail(fill, why)
            if watched is not None:
                watched.filled += fill.size
                if isinstance(event, TradePrint) and fill.price == event.price:
                    self.use_print(watched, fill, event)

    def use_print(self, watched: _Watched, fill: OrderFilled, trade: TradePrint) -> None:
        self.used_of_print[trade.trade_id] = self.used_of_print.get(trade.trade_id, 0) + fill.size
        watched.by_queue += fill.size
        for younger in self.watched[self.watched.index(watched) + 1 :]:
            if younger.is_at(fill.price, fill.side):
                younger.count(trade, -fill.size)

    def common_objection(self, watched: _Watched, fill: OrderFilled) -> str:
        order = watched.order
        if not (self.has_book and self.feed_live):
            return "the book was not live"
        if fill.side is not order.side or fill.size <= 0:
            return "wrong side or size"
        if watched.filled + fill.size > order.size:
            return f"filled {watched.filled + fill.size} of {order.size}"
        if order.price is not None and order.side * (fill.price - order.price) > 0:
            return f"beyond the limit {order.price}"
        return ""

    def taker_objection(self, watched: _Watched, fill: OrderFilled) -> str:
        if watched.order.post_only:
            return "a post-only order took"
        left = self.open_to_takers(fill.side.opposite)
        best = (min if fill.side is Side.BUY else max)(left, default=None)
        if fill.price != best:
            return f"taken at {fill.price}, the best displayed was {best}"
        if fill.size > left[fill.price]:
            return f"took {fill.size} of {left[fill.price]} displayed"
        return ""

    def maker_objection(self, watched: _Watched, fill: OrderFilled, event: MarketEvent) -> str:
        evidence = fill.evidence
        if fill.price != watched.order.price:
            return "a resting order fills at its own price"
        if evidence is None:
            return "a paper fill must say why"
        if evidence.reason == "crossed":
            other = self.open_to_takers(fill.side.opposite)
            is_reached = any(fill.side * (fill.price - price) >= 0 for price in other)
            return "" if is_reached else "the book did not reach the order"
        if not isinstance(event, TradePrint) or event.trade_id != evidence.trade_id:
            return f"there is no print {evidence.trade_id} at that time"
        if event.taker_side is fill.side:
            return "the print's taker was on our side"
        if 0 < event.exchange_ns <= watched.joined_ns:
            return "the print is older than the order's place in the book"
        if evidence.reason == "traded_through":
            is_through = fill.side * (fill.price - event.price) > 0
            return "" if is_through else f"a print at {event.price} is not through {fill.price}"
        if evidence.reason == "queue_cleared":
            return self.queue_objection(watched, fill, event)
        return f"unknown reason {evidence.reason!r}"

    def queue_objection(self, watched: _Watched, fill: OrderFilled, event: TradePrint) -> str:
        if event.price != fill.price:
            return f"a print at {event.price} cannot clear the queue at {fill.price}"
        used = self.used_of_print.get(event.trade_id, 0) + fill.size
        if used > event.size:
            return f"{used} lots filled by a print of {event.size}"
        filled = watched.by_queue + fill.size
        if self.model == "risk_averse":
            allowed = max(moment.printed - moment.shown for moment in watched.moments)
        else:
            allowed = watched.moments[0].printed
        if filled > allowed:
            return f"the tape leaves {max(0, allowed)} lots after the queue ahead, it was filled for {filled}"
        return ""
