"""A venue on paper: real market data, our own orders, fills only where the tape justifies them.

Our orders are not in the data, so the venue keeps a mirror of the book and estimates where each order
stands in its queue (`engine.exchange.queue_model`). Every fill says why it happened.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from engine.core.events import (
    AnyCommand,
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    FillEvidence,
    Level,
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
from engine.core.settings import setting
from engine.exchange.account import Account
from engine.exchange.paper_book import PaperBook
from engine.exchange.paper_state import PaperState
from engine.exchange.queue_model import QUEUE_MODELS, PriceQueue, RestingOrder, queue_model

_NS_PER_MS: Final = 1_000_000
_NO_BUY: Final = 0
_NO_SELL: Final = 2**63
_REMEMBERED_IDS: Final = 65_536
"""How many client ids are kept to refuse a second use: hours of quoting, a few megabytes."""


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """How the paper venue treats our orders (section `exchange`)."""

    order_latency_ms: float = setting(
        30.0, "time from sending an order or a cancel until the venue acts on it", unit="ms", at_least=0
    )
    answer_latency_ms: float = setting(
        20.0, "time from an event at the venue until we know of it", unit="ms", at_least=0
    )
    queue_model: str = setting(
        "risk_averse", "how others' cancels move our place in the queue", choices=QUEUE_MODELS
    )
    queue_n: float = setting(
        2.0, "exponent of the power, power2 and power3 queue models", above=0, at_most=100
    )
    partial_fills: bool = setting(
        True, "fill the part of a print that gets past the queue; off: the whole order or nothing"
    )


class PaperVenue:
    """The paper venue of one product. See `engine.exchange.protocol.Venue`.

    Commands act `order_latency_ms` after they were created, in market time order: before the first
    market event that is later. Answers are due `answer_latency_ms` after that. While the book is not
    live, orders are refused and nothing fills; cancels still work.

    Fill rule (strategy notes section 10.1). A resting order fills in full at its own price when the
    book or a print goes through it (`crossed`, `traded_through`); a print at its price first uses up
    the queue ahead (`queue_cleared`). A print that the venue stamped before the book an order joined, or
    before the order got there, never fills that order. Takers walk the displayed levels and cannot take
    the same lots twice.
    """

    name = "paper"
    displays_own_orders = False

    def __init__(self, instrument: Instrument, account: Account, settings: PaperSettings) -> None:
        self.instrument = instrument
        self.account = account
        self._order_latency = round(settings.order_latency_ms * _NS_PER_MS)
        self._answer_latency = round(settings.answer_latency_ms * _NS_PER_MS)
        self._behind = queue_model(settings.queue_model, settings.queue_n)
        self._partial_fills = settings.partial_fills

        self._book = PaperBook()

        self._orders: dict[str, RestingOrder] = {}
        # By price, per side. Attributes, not dicts by side: the hash of an enum member is slow.
        self._buys: dict[int, PriceQueue] = {}
        self._sells: dict[int, PriceQueue] = {}
        self._highest_buy = _NO_BUY
        self._lowest_sell = _NO_SELL
        self._client_ids: dict[str, None] = {}

        self._now = 0
        self._wall_offset = 0
        self._commands: deque[tuple[int, AnyCommand]] = deque()
        self._answers: deque[OrderEvent] = deque()

    # -- Venue -----------------------------------------------------------------------------------

    def submit(self, order: SubmitOrder) -> None:
        """See `Venue`."""
        self._send(order)

    def cancel(self, order: CancelOrder) -> None:
        """See `Venue`."""
        self._send(order)

    def on_market(self, event: MarketEvent) -> None:
        """Apply one market event; events of other products are ignored. See `Venue`."""
        if event.product != self.instrument.symbol:
            return
        commands = self._commands
        if commands and commands[0][0] < event.recv_ns:
            self._execute_until(event.recv_ns - 1)
        if event.recv_ns > self._now:
            self._now = event.recv_ns
        self._wall_offset = event.wall_ns - event.recv_ns
        if isinstance(event, BookUpdate):
            self._on_update(event)
        elif isinstance(event, TradePrint):
            self._on_trade(event)
        else:
            was_live = self._book.is_live
            if isinstance(event, BookSnapshot):
                self._book.on_snapshot(event)
                was_live = False
            else:
                self._book.on_status(event)
            if self._book.is_live and not was_live:
                self._resume()

    def next_due_ns(self) -> int | None:
        """See `Venue`; an order on its way counts, because it acts without a market event too."""
        if not self._commands:
            return self._answers[0].recv_ns if self._answers else None
        due = self._commands[0][0]
        return min(due, self._answers[0].recv_ns) if self._answers else due

    def poll(self, now_ns: int) -> list[OrderEvent]:
        """See `Venue`. Market data up to `now_ns` is taken to have been shown already."""
        self._execute_until(now_ns)
        answers = self._answers
        due = []
        while answers and answers[0].recv_ns <= now_ns:
            due.append(answers.popleft())
        return due

    def open_orders(self) -> list[str]:
        """See `Venue`."""
        return list(self._orders)

    def sweep(self, reason: str) -> None:
        """See `Venue`. No order is here that its Trader does not know."""

    def estimated_ahead(self, client_id: str) -> int | None:
        """See `Venue`; the queue model's estimate."""
        order = self._orders.get(client_id)
        return None if order is None else order.lots_ahead

    def print_of(self, fill: OrderFilled) -> int | None:
        """See `Venue`; the print that made the fill, None where the book itself crossed."""
        return fill.evidence.trade_id or None if fill.evidence is not None else None

    # -- saving ----------------------------------------------------------------------------------

    def save(self) -> PaperState:
        """All of it, copied; instrument, fees and settings are those it was built with."""
        return PaperState(
            self.account.save(),
            self._book.save(),
            {price: queue.save() for price, queue in self._buys.items()},
            {price: queue.save() for price, queue in self._sells.items()},
            list(self._orders),
            list(self._client_ids),
            self._now,
            self._wall_offset,
            list(self._commands),
            list(self._answers),
        )

    def load(self, state: PaperState) -> None:
        """Go on from a saved one."""
        self.account.load(state.account)
        self._book.load(state.book)
        self._buys = {price: PriceQueue.loaded(queue) for price, queue in state.buys.items()}
        self._sells = {price: PriceQueue.loaded(queue) for price, queue in state.sells.items()}
        resting = {
            order.client_id: order
            for queues in (self._buys, self._sells)
            for queue in queues.values()
            for order in queue.orders
        }
        self._orders = {client_id: resting[client_id] for client_id in state.order_ids}
        self._client_ids = dict.fromkeys(state.client_ids)
        self._now, self._wall_offset = state.now_ns, state.wall_offset_ns
        self._commands, self._answers = deque(state.commands), deque(state.answers)
        self._note_best_own()

    # -- commands --------------------------------------------------------------------------------

    def _send(self, command: AnyCommand) -> None:
        due = max(command.created_ns + self._order_latency, self._now)
        if self._commands:
            due = max(due, self._commands[-1][0])
        self._commands.append((due, command))

    def _execute_until(self, until_ns: int) -> None:
        commands = self._commands
        while commands and commands[0][0] <= until_ns:
            due, command = commands.popleft()
            self._now = max(self._now, due)
            if isinstance(command, SubmitOrder):
                self._execute_submit(command)
            else:
                self._execute_cancel(command)

    def _execute_submit(self, order: SubmitOrder) -> None:
        limit = self._limit_to_hold(order)
        refusal = self._refusal(order, limit)
        if refusal is None and not self.account.hold(order.side, limit, order.size):
            refusal = ("INSUFFICIENT_FUND", "Insufficient balance in source account")
        if refusal is not None:
            code, reason = refusal
            self._answer(
                OrderRejected(*self._stamp(), order.client_id, code, reason, exchange_ns=self._wall_ns)
            )
            return
        self._remember(order.client_id)
        self._answer(
            OrderAccepted(
                *self._stamp(), order.client_id, f"paper-{order.client_id}", exchange_ns=self._wall_ns
            )
        )
        resting = RestingOrder(
            order.client_id,
            order.side,
            limit,
            order.size,
            self._book.levels.volume_at(order.side, limit),
            self._joined_ns(),
        )
        if not order.post_only:
            self._take(resting)
        if not resting.remaining:
            return
        if order.order_type is OrderType.MARKET or order.time_in_force is TimeInForce.IOC:
            self.account.release(order.side, limit, resting.remaining)
            self._answer(
                OrderExpired(
                    *self._stamp(),
                    order.client_id,
                    resting.remaining,
                    "nothing more to take",
                    exchange_ns=self._wall_ns,
                )
            )
            return
        self._rest(resting)

    def _joined_ns(self) -> int:
        """The venue time up to which prints are older than an order that arrives now.

        Prints trail the book, and a quiet book stands still: its time alone is too early. Our wall clock
        counts only while it agrees with the venue's.
        """
        book = self._book
        return max(book.venue_ns, self._wall_ns) if book.clocks_agree else book.venue_ns

    def _limit_to_hold(self, order: SubmitOrder) -> int:
        """The worst price the order can trade at: its limit, or the last level a market order needs."""
        if order.order_type is not OrderType.MARKET:
            return order.price or 0
        worst, left = 0, order.size
        for price, size in self._book.available(order.side.opposite):
            worst = price
            left -= size
            if left <= 0:
                break
        return worst

    def _refusal(self, order: SubmitOrder, limit: int) -> tuple[str, str] | None:
        """Why the venue will not have the order: code and sentence; None when it will."""
        instrument, size = self.instrument, order.size
        if order.product != instrument.symbol:
            return "INVALID_PRODUCT_ID", f"this venue trades {instrument.symbol}, not {order.product}"
        if order.client_id in self._client_ids or order.client_id in self._orders:
            return "DUPLICATE_CLIENT_ORDER_ID", f"client id {order.client_id} was used before"
        if not self._book.is_live:
            return "BOOK_NOT_LIVE", "the book is stale or has not arrived; no fill could be justified"
        is_market = order.order_type is OrderType.MARKET
        if not is_market and not (
            order.order_type is OrderType.LIMIT
            and order.time_in_force in (TimeInForce.GTC, TimeInForce.IOC)
            and not (order.post_only and order.time_in_force is TimeInForce.IOC)
        ):
            return (
                "UNSUPPORTED_ORDER_CONFIGURATION",
                f"{order.order_type.value} {order.time_in_force.value}: "
                "the paper venue takes limit GTC, limit IOC and market orders",
            )
        if limit <= 0:
            if is_market:
                return "INVALID_NO_LIQUIDITY", "there is nothing on the other side of the book"
            return "INVALID_LIMIT_PRICE", "a limit order needs a price above 0"
        if size < max(1, instrument.min_size):
            least = instrument.size_text(max(1, instrument.min_size))
            return "INVALID_BASE_SIZE_TOO_SMALL", f"size {instrument.size_text(size)} is below {least}"
        if instrument.max_size is not None and size > instrument.max_size:
            most = instrument.size_text(instrument.max_size)
            return "INVALID_BASE_SIZE_TOO_LARGE", f"size {instrument.size_text(size)} is above {most}"
        notional = instrument.notional(limit, size)
        if notional < instrument.min_notional:
            least = instrument.money_text(instrument.min_notional)
            value = instrument.money_text(notional)
            return "INVALID_QUOTE_SIZE_TOO_SMALL", f"value {value} is below {least} {instrument.quote}"
        if order.post_only:
            touch = self._book.levels.best_ask() if order.side is Side.BUY else self._book.levels.best_bid()
            if touch is not None and order.side * (limit - touch) >= 0:
                return (
                    "INVALID_LIMIT_PRICE_POST_ONLY",
                    f"PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY: a {order.side.word} at "
                    f"{instrument.price_text(limit)} would take the {instrument.price_text(touch)}",
                )
        return None

    def _execute_cancel(self, command: CancelOrder) -> None:
        order = self._orders.get(command.client_id)
        if order is None:
            self._answer(
                CancelRejected(
                    *self._stamp(),
                    command.client_id,
                    "UNKNOWN_CANCEL_ORDER",
                    "the order is unknown or already done",
                    exchange_ns=self._wall_ns,
                )
            )
            return
        self.account.release(order.side, order.price, order.remaining)
        self._forget(order)
        self._answer(
            OrderCancelled(
                *self._stamp(), order.client_id, order.remaining, command.reason, exchange_ns=self._wall_ns
            )
        )

    def _queues(self, side: Side) -> dict[int, PriceQueue]:
        return self._buys if side is Side.BUY else self._sells

    def _take(self, order: RestingOrder) -> None:
        other = order.side.opposite
        for price, available in self._book.available(other):
            if not order.remaining or order.side * (price - order.price) > 0:
                break
            size = min(available, order.remaining)
            self._book.take(other, price, size)
            self._execute(order, price, size, is_maker=False, evidence=None)

    # -- market data -----------------------------------------------------------------------------

    def _on_update(self, event: BookUpdate) -> None:
        if not self._book.on_update(event) or not self._orders:
            return
        buys, sells = self._buys, self._sells
        if buys:
            self._on_own_levels(Side.BUY, buys, event.bids, event.exchange_ns)
            for price, _ in event.asks:
                if price <= self._highest_buy:
                    self._fill_crossed_buys()
                    break
        if sells:
            self._on_own_levels(Side.SELL, sells, event.asks, event.exchange_ns)
            for price, _ in event.bids:
                if price >= self._lowest_sell:
                    self._fill_crossed_sells()
                    break

    def _on_own_levels(
        self, side: Side, queues: dict[int, PriceQueue], changes: list[Level], book_ns: int
    ) -> None:
        for price, _ in changes:
            if price in queues:
                queues[price].on_level(self._behind, self._book.levels.volume_at(side, price), book_ns)

    def _resume(self) -> None:
        """Trust the new book: nobody stands further back than its levels are deep."""
        for side in Side:
            for price, queue in self._queues(side).items():
                queue.on_resync(self._book.levels.volume_at(side, price), self._book.venue_ns)
        self._fill_crossed_buys()
        self._fill_crossed_sells()

    def _on_trade(self, trade: TradePrint) -> None:
        if not self._orders or not self._book.is_live:
            return
        side = trade.taker_side.opposite
        queues = self._queues(side)
        for price in sorted((p for p in queues if side * (p - trade.price) > 0), reverse=side is Side.BUY):
            for order in [order for order in queues[price].orders if order.predates(trade)]:
                self._fill_whole(order, "traded_through", trade.trade_id)
        queue = queues.get(trade.price)
        if queue is not None:
            for order, size, before, after in queue.on_print(
                trade, self._book.venue_ns, partial_fills=self._partial_fills
            ):
                self._fill_resting(order, size, FillEvidence("queue_cleared", before, after, trade.trade_id))

    def _fill_crossed_buys(self) -> None:
        touch = self._book.best_available(Side.SELL)
        if touch is not None and self._highest_buy >= touch:
            for price in sorted((price for price in self._buys if price >= touch), reverse=True):
                for order in list(self._buys[price].orders):
                    self._fill_whole(order, "crossed")

    def _fill_crossed_sells(self) -> None:
        touch = self._book.best_available(Side.BUY)
        if touch is not None and self._lowest_sell <= touch:
            for price in sorted(price for price in self._sells if price <= touch):
                for order in list(self._sells[price].orders):
                    self._fill_whole(order, "crossed")

    # -- fills and answers -----------------------------------------------------------------------

    def _fill_whole(self, order: RestingOrder, reason: str, trade_id: int = 0) -> None:
        self._fill_resting(order, order.remaining, FillEvidence(reason, order.lots_ahead, 0, trade_id))

    def _fill_resting(self, order: RestingOrder, size: int, evidence: FillEvidence) -> None:
        self._execute(order, order.price, size, is_maker=True, evidence=evidence)
        if not order.remaining:
            self._forget(order)

    def _execute(
        self, order: RestingOrder, price: int, size: int, *, is_maker: bool, evidence: FillEvidence | None
    ) -> None:
        order.remaining -= size
        order.fills += 1
        self.account.release(order.side, order.price, size)
        fee = self.account.fill(order.side, price, size, is_maker=is_maker)
        self._answer(
            OrderFilled(
                *self._stamp(),
                order.client_id,
                # From the client id, so that it stays unique over restarts.
                f"paper-{order.client_id}-{order.fills}",
                order.side,
                price,
                size,
                fee,
                is_maker,
                exchange_ns=self._wall_ns,
                evidence=evidence,
            )
        )

    def _rest(self, order: RestingOrder) -> None:
        self._orders[order.client_id] = order
        queues = self._queues(order.side)
        if order.price not in queues:
            queues[order.price] = PriceQueue(self._book.levels.volume_at(order.side, order.price))
            self._note_best_own()
        queues[order.price].orders.append(order)

    def _forget(self, order: RestingOrder) -> None:
        del self._orders[order.client_id]
        queues = self._queues(order.side)
        queues[order.price].orders.remove(order)
        if not queues[order.price].orders:
            del queues[order.price]
            self._note_best_own()

    def _note_best_own(self) -> None:
        self._highest_buy = max(self._buys, default=_NO_BUY)
        self._lowest_sell = min(self._sells, default=_NO_SELL)

    def _remember(self, client_id: str) -> None:
        self._client_ids[client_id] = None
        if len(self._client_ids) > _REMEMBERED_IDS:
            del self._client_ids[next(iter(self._client_ids))]

    @property
    def _wall_ns(self) -> int:
        return self._now + self._wall_offset

    def _stamp(self) -> tuple[str, int, int]:
        due = self._now + self._answer_latency
        return self.instrument.symbol, due, due + self._wall_offset

    def _answer(self, event: OrderEvent) -> None:
        self._answers.append(event)
