"""The matching order book of one instrument: price-time priority, integers only, no clock.

An order is refused, never raised: `submit` returns it with state REJECTED and the reason. Trades wait
in the book until the caller drains them.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.core.events import Level
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, OrderState, OrderType, Side, TimeInForce
from engine.core.order_book_changes import ChangeLog, Listener
from engine.core.order_book_events import ChangeKind, Reason, ReasonCode, SelfTrade, Trade
from engine.core.order_book_expiry import ExpiryQueue
from engine.core.order_book_levels import PLAIN, BookOrder, BookSide, OrderTerms, PriceLevel
from engine.core.order_book_reader import OrderBookReader
from engine.core.order_book_rules import OrderRules

# Reading a member off an enum goes through its metaclass every time; these are read once.
_LIMIT: Final = OrderType.LIMIT
_GTC: Final = TimeInForce.GTC
_IOC: Final = TimeInForce.IOC
_FOK: Final = TimeInForce.FOK
_PENDING: Final = OrderState.PENDING
_NEW: Final = OrderState.NEW
_PARTIALLY_FILLED: Final = OrderState.PARTIALLY_FILLED
_FILLED: Final = OrderState.FILLED
_CANCELLED: Final = OrderState.CANCELLED
_REJECTED: Final = OrderState.REJECTED
_EXPIRED: Final = OrderState.EXPIRED
_ADDED: Final = ChangeKind.ADDED
_EXECUTED: Final = ChangeKind.EXECUTED
_REDUCED: Final = ChangeKind.REDUCED
_AMENDED: Final = ChangeKind.AMENDED
_REMOVED: Final = ChangeKind.REMOVED
_TRIGGERED: Final = ChangeKind.TRIGGERED

_REQUESTED: Final = Reason(ReasonCode.CANCEL_REQUESTED, "cancelled on request")
_SELF_TRADE: Final = Reason(ReasonCode.SELF_TRADE, "cancelled: it met an order of the same owner")
_NO_LIQUIDITY: Final = Reason(ReasonCode.NO_LIQUIDITY, "the book held no more to trade with")
_IOC_REMAINDER: Final = Reason(ReasonCode.IOC_REMAINDER, "immediate or cancel: the rest could not trade")
_TIME_ELAPSED: Final = Reason(ReasonCode.TIME_ELAPSED, "good till date: its time has passed")
_POST_ONLY: Final = Reason(ReasonCode.POST_ONLY, "post-only: it would have taken liquidity")
_UNFILLABLE: Final = Reason(ReasonCode.FOK_UNFILLABLE, "fill or kill: the book cannot fill all of it")


class OrderBook(OrderBookReader):
    """Orders of one instrument, matched by price, then by time.

    An id is taken while its order is live (resting, or a stop that waits). `owner` says whose an order
    is: orders of one owner never trade with each other, `self_trade` decides what happens instead;
    orders without an owner are not checked. With `track_levels` the book remembers which levels
    changed, for `drain_changed_levels`.
    """

    __slots__ = (
        "_expiries",
        "_log",
        "_rules",
        "_self_trade",
        "_trade_sequence",
        "_trades",
        "_triggered",
    )

    def __init__(
        self,
        instrument: Instrument,
        self_trade: SelfTrade = SelfTrade.CANCEL_RESTING,
        track_levels: bool = False,
    ) -> None:
        super().__init__(instrument)
        self._rules = OrderRules(instrument)
        self._self_trade = self_trade
        self._expiries = ExpiryQueue()
        self._log = ChangeLog(track_levels)
        self._trades: list[Trade] = []
        self._trade_sequence = 0
        self._triggered: deque[BookOrder] = deque()

    # -- orders ------------------------------------------------------------------------------------

    def submit(
        self,
        order_id: str,
        side: Side,
        size: int,
        price: int | None = None,
        order_type: OrderType = _LIMIT,
        time_in_force: TimeInForce = _GTC,
        post_only: bool = False,
        owner: str = "",
        stop_price: int | None = None,
        expires_ns: int = 0,
        symbol: str = "",
    ) -> BookOrder:
        """Take an order in: match what can trade, let rest what may rest, and return it.

        Prices in ticks, sizes in lots. `expires_ns` belongs to GTD and is read against `expire`. A market
        order never rests, whatever its time in force. `symbol` is checked when given. The order that comes
        back is live: it goes on telling its state.
        """
        terms = PLAIN
        if (
            order_type is not _LIMIT
            or time_in_force is not _GTC
            or post_only
            or stop_price is not None
            or expires_ns
        ):
            terms = OrderTerms(order_type, time_in_force, post_only, stop_price, expires_ns)
        order = BookOrder(order_id, side, size, price, owner, terms)
        least_size, most_size, least_cost = self._rules.limits
        if (
            terms is PLAIN
            and (side is BUY or side is SELL)
            and type(size) is int
            and type(price) is int
            and least_size <= size <= most_size
            and price * size >= least_cost
            and order_id not in self._orders
            and not symbol
        ):
            # The way of nearly every order: nothing to refuse and, mostly, nothing to trade with.
            if side is BUY:
                own, keys, key = self._bids, self._asks.keys, price
            else:
                own, keys, key = self._asks, self._bids.keys, -price
            if not keys or keys[-1] < -key:
                self._rest(order, own, key)
                if self._log.is_active:
                    self._log.publish()
                return order
        else:
            reason = self._refusal(order, symbol)
            if reason is not None:
                _refuse(order, reason)
                return order
        if stop_price is None:
            self._enter(order)
        else:
            self._wait(order)
        if self._triggered:
            self._run_stops()
        if self._log.is_active:
            self._log.publish()
        return order

    def cancel(self, order_id: str) -> bool:
        """Take an order out. False when no such order is live, and then nothing changes."""
        order = self._orders.get(order_id)
        if order is None:
            return False
        self._withdraw(order, _CANCELLED, _REQUESTED)
        if self._log.is_active:
            self._log.publish()
        return True

    def amend(self, order_id: str, price: int | None = None, size: int | None = None) -> Reason | None:
        """Change limit price, total size (filled part included), or both; None when done, else why not.

        A smaller size keeps the place in the queue. A larger one or another price loses it, and the order
        trades if it now crosses (refused if it is post-only). A stop that waits keeps its place among
        the stops. A refused amendment changes nothing.
        """
        order = self._orders.get(order_id)
        if order is None:
            return Reason(ReasonCode.UNKNOWN_ORDER, f"no order {order_id!r} is live here")
        new_price = order.price if price is None else price
        new_size = order.size if size is None else size
        reason = self._amend_refusal(order, new_price, new_size)
        if reason is not None:
            return reason
        level, added = order.level, new_size - order.size
        if new_price == order.price and not added:
            return None
        key, old_remaining = None if level is None else level.key, order.remaining
        moves = level is not None and (new_price != order.price or added > 0)
        if level is not None:
            if moves:
                self._side(order).remove(order, level)
            else:
                level.total += added
        order.price, order.size, order.remaining = new_price, new_size, old_remaining + added
        self._sequence += 1
        if self._log.is_active:
            self._note(_AMENDED, order, key, -old_remaining if moves else 0 if level is None else added)
        if moves:
            self._enter(order)
            if self._triggered:
                self._run_stops()
        if self._log.is_active:
            self._log.publish()
        return None

    def execute(self, order_id: str, size: int) -> bool:
        """Fill a resting order from outside (no trade is recorded). False, and no change, unless
        `0 < size <= remaining` and the order rests."""
        order = self._orders.get(order_id)
        if order is None or type(size) is not int or not 0 < size <= order.remaining:
            return False
        level = order.level
        if level is None:
            return False
        self._fill_resting(order, level, self._side(order), size)
        if self._log.is_active:
            self._log.publish()
        return True

    def expire(self, now_ns: int) -> list[BookOrder]:
        """End every GTD order whose `expires_ns` is at or before `now_ns`; returns them in that order."""
        due = self._expiries.due(now_ns)
        for order in due:
            self._withdraw(order, _EXPIRED, _TIME_ELAPSED)
        self._log.publish()
        return due

    # -- what came of it ---------------------------------------------------------------------------

    def drain_trades(self) -> list[Trade]:
        """The trades since the last call, oldest first. The book keeps them until somebody asks."""
        trades = self._trades
        self._trades = []
        return trades

    def drain_changed_levels(self) -> tuple[list[Level], list[Level]]:
        """Levels that changed since the last call with their sizes now (0: gone), bids and asks, best first.

        Always empty unless the book was built with `track_levels`.
        """
        bids, asks = self._log.drain_prices()
        return (
            [(price, self._bids.volume_at(price)) for price in bids],
            [(price, self._asks.volume_at(price)) for price in asks],
        )

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every change, after the operation that caused it is complete."""
        self._log.add_listener(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Stop calling `listener`; a `ValueError` when it was never added."""
        self._log.remove_listener(listener)

    # -- matching ----------------------------------------------------------------------------------

    def _enter(self, order: BookOrder) -> None:
        """Match an order against the other side, then rest it or end it."""
        if order.side is BUY:
            own, opposite = self._bids, self._asks
        else:
            own, opposite = self._asks, self._bids
        price, terms, keys = order.price, order.terms, opposite.keys
        worst_key = None if price is None else -price * own.sign
        if keys and (worst_key is None or keys[-1] >= worst_key):
            if terms.post_only:
                _refuse(order, _POST_ONLY)
                return
            if terms.time_in_force is _FOK and not self._is_fillable(order, opposite, worst_key):
                _refuse(order, _UNFILLABLE)
                return
            self._match(order, opposite, worst_key)
            if not order.remaining:
                self._end(order, _FILLED, None)
                return
            if order.state is _CANCELLED:
                self._end(order, _CANCELLED, _SELF_TRADE)
                return
        if worst_key is None or terms is not PLAIN:
            if terms.time_in_force is _FOK:
                _refuse(order, _UNFILLABLE)
                return
            if worst_key is None:
                self._end(order, _EXPIRED, _NO_LIQUIDITY)
                return
            if terms.time_in_force is _IOC:
                self._end(order, _EXPIRED, _IOC_REMAINDER)
                return
        self._rest(order, own, -worst_key)

    def _rest(self, order: BookOrder, own: BookSide, key: int) -> None:
        """Put an order at the end of its queue."""
        if order.state is _PENDING:
            self._orders[order.order_id] = order
            terms = order.terms
            if terms is not PLAIN and terms.expires_ns:
                self._expiries.add(order)
        remaining = order.remaining
        order.state = _NEW if remaining == order.size else _PARTIALLY_FILLED
        level = own.levels.get(key)
        if level is None:
            order.level = own.open_level(key, order)
        else:
            tail = level.tail
            tail.next = level.tail = order
            order.previous = tail
            order.level = level
            level.total += remaining
        self._sequence += 1
        if self._log.is_active:
            self._note(_ADDED, order, key, remaining)

    def _match(self, taker: BookOrder, opposite: BookSide, worst_key: int | None) -> None:
        """Trade until the taker is done, the prices are too bad, or self-trade prevention ends it."""
        keys, levels = opposite.keys, opposite.levels
        taker_id, side, owner = taker.order_id, taker.side, taker.owner
        has_stops = len(self._stops) > 0
        while keys:
            key = keys[-1]
            if worst_key is not None and key < worst_key:
                return
            level = levels[key]
            maker = level.head
            if owner and maker.owner == owner:
                self._prevent_self_trade(taker, maker, level, opposite)
                if taker.state is _CANCELLED:
                    return
                continue
            price = key * opposite.sign
            size = maker.remaining if maker.remaining < taker.remaining else taker.remaining
            taker.remaining -= size
            self._trade_sequence += 1
            self._last_price = price
            self._trades.append(Trade(self._trade_sequence, price, size, maker.order_id, taker_id, side))
            self._fill_resting(maker, level, opposite, size)
            if has_stops:
                self._triggered.extend(self._stops.release(price))
            if not taker.remaining:
                return

    def _fill_resting(self, order: BookOrder, level: PriceLevel, side: BookSide, size: int) -> None:
        if size == order.remaining:
            side.remove(order, level)
            order.remaining = 0
            order.state = _FILLED
            del self._orders[order.order_id]
            if order.terms is not PLAIN and order.terms.expires_ns:
                self._expiries.remove(order)
        else:
            level.total -= size
            order.remaining -= size
            order.state = _PARTIALLY_FILLED
        self._sequence += 1
        if self._log.is_active:
            self._note(_EXECUTED, order, level.key, -size)

    def _prevent_self_trade(
        self, taker: BookOrder, maker: BookOrder, level: PriceLevel, side: BookSide
    ) -> None:
        """Apply the book's rule to two orders of one owner; a taker that must end becomes CANCELLED."""
        if self._self_trade is SelfTrade.CANCEL_RESTING:
            self._withdraw(maker, _CANCELLED, _SELF_TRADE)
        elif self._self_trade is SelfTrade.CANCEL_TAKING:
            taker.state = _CANCELLED
        elif maker.remaining < taker.remaining:
            taker.size -= maker.remaining
            taker.remaining -= maker.remaining
            self._withdraw(maker, _CANCELLED, _SELF_TRADE)
        else:
            taker.state = _CANCELLED
            if maker.remaining == taker.remaining:
                self._withdraw(maker, _CANCELLED, _SELF_TRADE)
                return
            maker.size -= taker.remaining
            maker.remaining -= taker.remaining
            level.total -= taker.remaining
            self._sequence += 1
            if self._log.is_active:
                self._note(_REDUCED, maker, level.key, -taker.remaining)

    def _is_fillable(self, taker: BookOrder, opposite: BookSide, worst_key: int | None) -> bool:
        """Whether matching would fill the whole of a fill-or-kill order, self-trade prevention included."""
        wanted, owner = taker.remaining, taker.owner
        for key in reversed(opposite.keys):
            if worst_key is not None and key < worst_key:
                return False
            maker: BookOrder | None = opposite.levels[key].head
            while maker is not None:
                if not owner or maker.owner != owner:
                    wanted -= maker.remaining
                    if wanted <= 0:
                        return True
                elif self._self_trade is not SelfTrade.CANCEL_RESTING:
                    return False
                maker = maker.next
        return False

    # -- stops -------------------------------------------------------------------------------------

    def _wait(self, order: BookOrder) -> None:
        """Let a new stop wait; the last trade may trigger it already."""
        order.state = _NEW
        self._orders[order.order_id] = order
        self._stops.add(order)
        if order.terms.expires_ns:
            self._expiries.add(order)
        self._sequence += 1
        if self._log.is_active:
            self._note(_ADDED, order, None, 0)
        if self._last_price is not None:
            self._triggered.extend(self._stops.release(self._last_price))

    def _run_stops(self) -> None:
        """Enter triggered stops, first triggered first, and those that their own trades trigger."""
        while self._triggered:
            order = self._triggered.popleft()
            self._sequence += 1
            if self._log.is_active:
                self._note(_TRIGGERED, order, None, 0)
            self._enter(order)

    # -- bookkeeping -------------------------------------------------------------------------------

    def _side(self, order: BookOrder) -> BookSide:
        return self._bids if order.side is BUY else self._asks

    def _refusal(self, order: BookOrder, symbol: str) -> Reason | None:
        if symbol and symbol != self.instrument.symbol:
            text = f"this is the book of {self.instrument.symbol}, the order is for {symbol}"
            return Reason(ReasonCode.WRONG_PRODUCT, text)
        if order.side is not BUY and order.side is not SELL:
            return Reason(ReasonCode.BAD_TERMS, f"{order.side!r} is not a side")
        if order.order_id in self._orders:
            text = f"order id {order.order_id!r} is taken by a live order"
            return Reason(ReasonCode.DUPLICATE_ID, text)
        return self._rules.amounts(order.size, order.price) or self._rules.terms(order.terms, order.price)

    def _amend_refusal(self, order: BookOrder, price: int | None, size: int) -> Reason | None:
        if order.price is None and price is not None:
            return Reason(ReasonCode.BAD_TERMS, f"a {order.terms.order_type.value} order takes no price")
        reason = self._rules.amounts(size, price)
        if reason is None and size <= order.filled:
            text = f"{order.filled} lots are filled already: the new size must be above, or cancel"
            reason = Reason(ReasonCode.BAD_SIZE, text)
        if reason is None and order.terms.post_only and price is not None and price != order.price:
            own, opposite = (self._bids, self._asks) if order.side is BUY else (self._asks, self._bids)
            if opposite.keys and opposite.keys[-1] >= -price * own.sign:
                reason = _POST_ONLY
        return reason

    def _withdraw(self, order: BookOrder, state: OrderState, reason: Reason) -> None:
        """Take a live order out of its place and end it."""
        level = order.level
        if level is None:
            self._stops.remove(order)
        else:
            (self._bids if order.side is BUY else self._asks).remove(order, level)
        order.state = state
        order.reason = reason
        del self._orders[order.order_id]
        if order.terms is not PLAIN and order.terms.expires_ns:
            self._expiries.remove(order)
        self._sequence += 1
        if self._log.is_active:
            if level is None:
                self._note(_REMOVED, order, None, 0)
            else:
                self._note(_REMOVED, order, level.key, -order.remaining)

    def _end(self, order: BookOrder, state: OrderState, reason: Reason | None) -> None:
        order.state = state
        order.reason = reason
        if self._orders.pop(order.order_id, None) is not None and order.terms.expires_ns:
            self._expiries.remove(order)

    def _note(self, kind: ChangeKind, order: BookOrder, key: int | None, delta: int) -> None:
        """Log a change of the level at `key`, or of a stop, which is shown at its stop price."""
        side = self._side(order)
        price = order.terms.stop_price if key is None else key * side.sign
        assert price is not None
        self._log.note(self._sequence, kind, order.order_id, order.side, price, delta, side.volume_at(price))


def _refuse(order: BookOrder, reason: Reason) -> None:
    order.state = _REJECTED
    order.reason = reason
