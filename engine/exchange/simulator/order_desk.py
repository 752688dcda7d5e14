"""The exchange's desk for our orders: checks them, matches them, and answers."""

from __future__ import annotations

from collections import deque
from random import Random

import msgspec

from engine.core.events import (
    CancelOrder,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from engine.core.order import OrderState, Side
from engine.core.order_book_events import ReasonCode, Trade
from engine.core.order_book_levels import BookOrder
from engine.exchange.account import Account
from engine.exchange.simulator.link import Link
from engine.exchange.simulator.market import Market
from engine.exchange.simulator.randomness import RandomState, load_random, save_random
from engine.exchange.simulator.settings import ANSWER_ORIGINAL, SimulatorSettings

OWNER = "us"
REMEMBERED_IDS = 20_000
"""Client ids that are known as used; the oldest are forgotten, as venues do."""

_SECOND_NS = 1_000_000_000


class _Working:
    """An order of ours in the book; the account holds `unfilled` lots of it at `hold_price`."""

    __slots__ = ("client_id", "hold_price", "order", "unfilled")

    def __init__(self, client_id: str, order: BookOrder, hold_price: int, unfilled: int) -> None:
        self.client_id = client_id
        self.order = order
        self.hold_price = hold_price
        self.unfilled = unfilled


class WorkingOrder(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An order of ours in the book, named by the venue's id; see `_Working`."""

    client_id: str
    venue_id: str
    hold_price: int
    unfilled: int


class OrderDeskState(msgspec.Struct, frozen=True, gc=False):
    """An `OrderDesk`: our orders, oldest first; venue ids by the client ids that were used; the times of
    the orders that the rate limit counts; answers that have not arrived; the generator."""

    working: list[WorkingOrder]
    known: dict[str, str]
    recent: list[int]
    sent: list[OrderEvent]
    random: RandomState


class OrderDesk:
    """Takes our commands at the exchange's time and sends answers over a link.

    Each order is answered in causal order: accepted, fills, end. Every time given is the exchange's.
    """

    __slots__ = (
        "_account",
        "_by_venue_id",
        "_known",
        "_link",
        "_market",
        "_product",
        "_random",
        "_recent",
        "_sent",
        "_settings",
        "_start_wall_ns",
        "_working",
    )

    def __init__(
        self, market: Market, account: Account, settings: SimulatorSettings, link: Link, random: Random
    ) -> None:
        self._market = market
        self._account = account
        self._settings = settings
        self._link = link
        self._random = random
        self._product = account.instrument.symbol
        self._start_wall_ns = settings.start_wall_ns
        self._working: dict[str, _Working] = {}
        self._by_venue_id: dict[str, _Working] = {}
        self._known: dict[str, str] = {}
        self._recent: deque[int] = deque(maxlen=settings.rate_limit_per_s)
        self._sent: deque[OrderEvent] = deque()

    @property
    def working_ids(self) -> list[str]:
        """Client ids of our orders in the book, oldest first."""
        return list(self._working)

    def lots_ahead(self, client_id: str) -> int | None:
        """Strangers' lots before an order of ours in its queue, exactly; None while it does not rest."""
        working = self._working.get(client_id)
        if working is None or not working.order.is_resting:
            return None
        lots, ahead = 0, working.order.previous
        while ahead is not None:
            if ahead.owner != OWNER:
                lots += ahead.remaining
            ahead = ahead.previous
        return lots

    def trade_of(self, fill: OrderFilled) -> int:
        """The number of the trade that a fill sent by this desk is a part of."""
        return int(fill.fill_id.removeprefix(f"{self._product}-"))

    # -- commands ----------------------------------------------------------------------------------

    def submit(self, now_ns: int, order: SubmitOrder) -> None:
        """An order of ours has arrived."""
        # First, so that any other reject means that no order of this id exists.
        original = self._known.get(order.client_id)
        if original is not None:
            self._answer_duplicate(now_ns, order.client_id, original)
            return
        refusal = self._refusal(now_ns, order)
        if refusal is not None:
            self._reject(now_ns, order.client_id, *refusal)
            return
        hold_price = self._hold_price(order)
        if not self._account.hold(order.side, hold_price, order.size):
            asset = (
                self._account.instrument.quote if order.side is Side.BUY else self._account.instrument.base
            )
            self._reject(
                now_ns, order.client_id, "INSUFFICIENT_FUNDS", f"not enough {asset} is free for this"
            )
            return
        entered = self._market.book.submit(
            self._market.new_id(),
            order.side,
            order.size,
            order.price,
            order.order_type,
            order.time_in_force,
            order.post_only,
            OWNER,
        )
        if entered.state is OrderState.REJECTED:
            self._account.release(order.side, hold_price, order.size)
            self._reject(now_ns, order.client_id, *_why(entered))
            return
        self._remember(order.client_id, entered.order_id)
        self._accept(now_ns, order.client_id, entered.order_id)
        self._keep(_Working(order.client_id, entered, hold_price, order.size))

    def cancel(self, now_ns: int, cancel: CancelOrder) -> None:
        """A cancel of ours has arrived."""
        working = self._working.get(cancel.client_id)
        if working is None:
            arrival = self._link.arrival(now_ns)
            self._sent.append(
                CancelRejected(
                    self._product,
                    arrival,
                    self._start_wall_ns + arrival,
                    cancel.client_id,
                    ReasonCode.UNKNOWN_ORDER.value,
                    "no such order is open: it is done, or never was",
                    self._start_wall_ns + now_ns,
                )
            )
            return
        self._market.book.cancel(working.order.order_id)

    def _keep(self, working: _Working) -> None:
        self._working[working.client_id] = self._by_venue_id[working.order.order_id] = working

    # -- what the book did --------------------------------------------------------------------------

    def settle(self, now_ns: int, trades: list[Trade]) -> None:
        """Book our part of the trades, then close what ended. To be called after every change."""
        if not self._working:
            return
        for trade in trades:
            for venue_id in (trade.maker_id, trade.taker_id):
                working = self._by_venue_id.get(venue_id)
                if working is not None:
                    self._fill(now_ns, working, trade, is_maker=venue_id == trade.maker_id)
        for working in [each for each in self._working.values() if each.order.state.is_terminal]:
            self._close(now_ns, working)

    def _fill(self, now_ns: int, working: _Working, trade: Trade, *, is_maker: bool) -> None:
        side = working.order.side
        self._account.release(side, working.hold_price, trade.size)
        fee = self._account.fill(side, trade.price, trade.size, is_maker=is_maker)
        working.unfilled -= trade.size
        arrival = self._link.arrival(now_ns)
        self._sent.append(
            OrderFilled(
                self._product,
                arrival,
                self._start_wall_ns + arrival,
                working.client_id,
                f"{self._product}-{trade.sequence}",
                side,
                trade.price,
                trade.size,
                fee,
                is_maker,
                exchange_ns=self._start_wall_ns + now_ns,
            )
        )

    def _close(self, now_ns: int, working: _Working) -> None:
        order = working.order
        del self._working[working.client_id]
        del self._by_venue_id[order.order_id]
        if order.state is OrderState.FILLED:
            return
        self._account.release(order.side, working.hold_price, working.unfilled)
        kind = OrderExpired if order.state is OrderState.EXPIRED else OrderCancelled
        arrival = self._link.arrival(now_ns)
        self._sent.append(
            kind(
                self._product,
                arrival,
                self._start_wall_ns + arrival,
                working.client_id,
                working.unfilled,
                _why(order)[1],
                self._start_wall_ns + now_ns,
            )
        )

    # -- checks -------------------------------------------------------------------------------------

    def _refusal(self, now_ns: int, order: SubmitOrder) -> tuple[str, str] | None:
        """Why the desk does not even look at an order: code and sentence."""
        recent = self._recent
        if len(recent) == recent.maxlen and now_ns - recent[0] < _SECOND_NS:
            return "RATE_LIMIT", f"more than {recent.maxlen} orders in a second; send it later"
        recent.append(now_ns)
        if self._random.random() < self._settings.reject_probability:
            return "BUSY", "the venue is busy and did not take the order"
        if order.product != self._product:
            return ReasonCode.WRONG_PRODUCT.value, f"{order.product} is not traded here, only {self._product}"
        if order.size <= 0:
            return ReasonCode.BAD_SIZE.value, f"a size of {order.size} lots cannot be traded"
        if order.price is not None and order.price <= 0:
            return ReasonCode.BAD_PRICE.value, f"a price of {order.price} ticks cannot be traded"
        return None

    def _hold_price(self, order: SubmitOrder) -> int:
        """The price at which funds are held: the limit, or the worst a market order can meet now."""
        if order.price is not None:
            return order.price
        left, worst = order.size, 0
        # Our own offers do not count: self-trade prevention takes them away.
        for working in self._working.values():
            if working.order.side is not order.side:
                left += working.order.remaining
        for price, size in self._market.book.levels(order.side.opposite):
            worst = price
            left -= size
            if left <= 0:
                break
        return worst

    def _answer_duplicate(self, now_ns: int, client_id: str, original: str) -> None:
        """Both of a venue's ways to say that the order of this client id exists already."""
        if self._settings.duplicate_answer == ANSWER_ORIGINAL:
            self._accept(now_ns, client_id, original)
        else:
            self._reject(
                now_ns, client_id, "DUPLICATE_CLIENT_ORDER_ID", f"this client id is that of order {original}"
            )

    def _remember(self, client_id: str, venue_id: str) -> None:
        self._known[client_id] = venue_id
        if len(self._known) > REMEMBERED_IDS:
            del self._known[next(iter(self._known))]

    # -- answers ------------------------------------------------------------------------------------

    def _accept(self, now_ns: int, client_id: str, venue_id: str) -> None:
        arrival = self._link.arrival(now_ns)
        self._sent.append(
            OrderAccepted(
                self._product,
                arrival,
                self._start_wall_ns + arrival,
                client_id,
                venue_id,
                self._start_wall_ns + now_ns,
            )
        )

    def _reject(self, now_ns: int, client_id: str, code: str, reason: str) -> None:
        arrival = self._link.arrival(now_ns)
        self._sent.append(
            OrderRejected(
                self._product,
                arrival,
                self._start_wall_ns + arrival,
                client_id,
                code,
                reason,
                self._start_wall_ns + now_ns,
            )
        )

    def next_arrival_ns(self) -> int | None:
        """When the next answer on the way arrives, or None."""
        return self._sent[0].recv_ns if self._sent else None

    def arrived(self, now_ns: int) -> list[OrderEvent]:
        """Every answer that has arrived by now."""
        sent, arrived = self._sent, []
        while sent and sent[0].recv_ns <= now_ns:
            arrived.append(sent.popleft())
        return arrived

    # -- the desk as a value ------------------------------------------------------------------------

    def save(self) -> OrderDeskState:
        """A copy, without account, market and link, which are others' too."""
        return OrderDeskState(
            [
                WorkingOrder(each.client_id, each.order.order_id, each.hold_price, each.unfilled)
                for each in self._working.values()
            ],
            self._known.copy(),
            list(self._recent),
            list(self._sent),
            save_random(self._random),
        )

    def load(self, state: OrderDeskState) -> None:
        """Go on from a saved one; the market must have been loaded."""
        self._working.clear()
        self._by_venue_id.clear()
        for each in state.working:
            order = self._market.order_of(each.venue_id)
            self._keep(_Working(each.client_id, order, each.hold_price, each.unfilled))
        self._known = dict(state.known)
        self._recent.clear()
        self._recent.extend(state.recent)
        self._sent = deque(state.sent)
        load_random(self._random, state.random)


def _why(order: BookOrder) -> tuple[str, str]:
    """Code and sentence of the book's reason."""
    reason = order.reason
    return ("", "") if reason is None else (reason.code.value, reason.text)
