"""The oracle of the order book: one list of orders, searched from end to end, written from the rules.

It shares nothing with the engine but plain types and is as simple as it can be; speed is no concern.
Codes, change kinds and self-trade modes are plain words here.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.order import OrderState, OrderType, Side, TimeInForce

STOP_TYPES = (OrderType.STOP, OrderType.STOP_LIMIT)
PRICED_TYPES = (OrderType.LIMIT, OrderType.STOP_LIMIT)
WAITING_TIMES = (TimeInForce.GTC, TimeInForce.GTD)

Change = tuple[int, str, str, Side, int, int, int]
"""(sequence, kind, order id, side, price, delta, level size)."""
NaiveTrade = tuple[int, int, int, str, str, Side]
"""(sequence, price, size, maker id, taker id, taker side)."""


@dataclass(eq=False)
class NaiveOrder:
    order_id: str
    side: Side
    size: int
    price: int | None
    order_type: OrderType
    time_in_force: TimeInForce
    post_only: bool
    owner: str
    stop_price: int | None
    expires_ns: int
    remaining: int = 0
    filled: int = 0
    state: OrderState = OrderState.PENDING
    code: str = ""
    number: int = 0


class NaiveBook:
    def __init__(
        self,
        symbol: str = "BTC-USD",
        min_size: int = 0,
        max_size: int | None = None,
        min_notional: int = 0,
        atoms_per_tick_lot: int = 1,
        self_trade: str = "cancel_resting",
    ) -> None:
        self.symbol = symbol
        self.min_size = min_size
        self.max_size = max_size
        self.min_notional = min_notional
        self.atoms_per_tick_lot = atoms_per_tick_lot
        self.self_trade = self_trade
        self.resting: list[NaiveOrder] = []
        self.stops: list[NaiveOrder] = []
        self.trades: list[NaiveTrade] = []
        self.changes: list[Change] = []
        self.triggered: list[NaiveOrder] = []
        self.numbers = 0

    # -- questions -----------------------------------------------------------------------------------

    def find(self, order_id: str) -> NaiveOrder | None:
        for order in self.resting + self.stops:
            if order.order_id == order_id:
                return order
        return None

    def at(self, side: Side, price: int) -> list[NaiveOrder]:
        return [order for order in self.resting if order.side is side and order.price == price]

    def volume_at(self, side: Side, price: int) -> int:
        return sum(order.remaining for order in self.at(side, price))

    def levels(self, side: Side) -> list[tuple[int, int]]:
        sizes: dict[int, int] = {}
        for order in self.resting:
            if order.side is side and order.price is not None:
                sizes[order.price] = sizes.get(order.price, 0) + order.remaining
        return sorted(sizes.items(), reverse=side is Side.BUY)

    def ahead(self, order: NaiveOrder) -> int:
        assert order.price is not None
        queue = self.at(order.side, order.price)
        return sum(other.remaining for other in queue[: queue.index(order)])

    def takeable(self, side: Side, price: int | None) -> list[NaiveOrder]:
        """Resting orders that a taker could meet, in the order in which it meets them."""
        found = []
        for order in self.resting:
            if order.side is side:
                continue
            assert order.price is not None
            if price is None or (order.price <= price if side is Side.BUY else order.price >= price):
                found.append(order)
        # sorted() keeps the order of arrival among equal prices.
        return sorted(found, key=lambda order: (order.price or 0) * side)

    # -- requests ------------------------------------------------------------------------------------

    def submit(
        self,
        order_id: str,
        side: Side,
        size: int,
        price: int | None = None,
        order_type: OrderType = OrderType.LIMIT,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        owner: str = "",
        stop_price: int | None = None,
        expires_ns: int = 0,
        symbol: str = "",
    ) -> NaiveOrder:
        order = NaiveOrder(
            order_id, side, size, price, order_type, time_in_force, post_only, owner, stop_price, expires_ns
        )
        order.remaining = size
        if symbol and symbol != self.symbol:
            return self.reject(order, "WRONG_PRODUCT")
        if self.find(order_id) is not None:
            return self.reject(order, "DUPLICATE_ID")
        code = self.bad_amounts(size, price) or self.bad_terms(order)
        if code:
            return self.reject(order, code)
        if order_type in STOP_TYPES:
            order.state = OrderState.NEW
            self.number(order)
            self.stops.append(order)
            assert stop_price is not None
            self.change("added", order, stop_price, 0)
            if self.trades:
                self.trigger(self.trades[-1][1])
        else:
            self.enter(order)
        self.run_triggered()
        return order

    def cancel(self, order_id: str) -> bool:
        order = self.find(order_id)
        if order is None:
            return False
        self.withdraw(order, OrderState.CANCELLED, "CANCEL_REQUESTED")
        return True

    def amend(self, order_id: str, price: int | None = None, size: int | None = None) -> str:
        """The code of the refusal, or an empty word."""
        order = self.find(order_id)
        if order is None:
            return "UNKNOWN_ORDER"
        if order.order_type is OrderType.STOP and price is not None:
            return "BAD_TERMS"
        new_price = order.price if price is None else price
        new_size = order.size if size is None else size
        code = self.bad_amounts(new_size, new_price)
        if code:
            return code
        if new_size <= order.filled:
            return "BAD_SIZE"
        if order.post_only and new_price != order.price and self.takeable(order.side, new_price):
            return "POST_ONLY"
        if new_price == order.price and new_size == order.size:
            return ""
        old_price, old_remaining = order.price, order.remaining
        moves = new_price != order.price or new_size > order.size
        order.price, order.size, order.remaining = new_price, new_size, new_size - order.filled
        if order in self.stops:
            assert order.stop_price is not None
            self.change("amended", order, order.stop_price, 0)
        elif moves:
            self.resting.remove(order)
            assert old_price is not None
            self.change("amended", order, old_price, -old_remaining)
            self.enter(order)
            self.run_triggered()
        else:
            assert old_price is not None
            self.change("amended", order, old_price, order.remaining - old_remaining)
        return ""

    def execute(self, order_id: str, size: int) -> bool:
        order = self.find(order_id)
        if order is None or order not in self.resting or not 0 < size <= order.remaining:
            return False
        self.fill(order, size)
        return True

    def expire(self, now_ns: int) -> list[str]:
        live = self.resting + self.stops
        due = [order for order in live if order.expires_ns and order.expires_ns <= now_ns]
        due.sort(key=lambda order: (order.expires_ns, order.number))
        for order in due:
            self.withdraw(order, OrderState.EXPIRED, "TIME_ELAPSED")
        return [order.order_id for order in due]

    # -- rules ---------------------------------------------------------------------------------------

    def bad_amounts(self, size: int, price: int | None) -> str:
        if size <= 0:
            return "BAD_SIZE"
        if size < self.min_size:
            return "MIN_SIZE"
        if self.max_size is not None and size > self.max_size:
            return "MAX_SIZE"
        if price is not None and price <= 0:
            return "BAD_PRICE"
        if price is not None and price * size * self.atoms_per_tick_lot < self.min_notional:
            return "MIN_NOTIONAL"
        return ""

    def bad_terms(self, order: NaiveOrder) -> str:
        is_stop = order.order_type in STOP_TYPES
        if order.order_type in PRICED_TYPES and order.price is None:
            return "BAD_PRICE"
        if order.order_type not in PRICED_TYPES and order.price is not None:
            return "BAD_TERMS"
        if not is_stop and order.stop_price is not None:
            return "BAD_TERMS"
        if is_stop and (order.stop_price is None or order.stop_price <= 0):
            return "BAD_PRICE"
        may_wait = order.time_in_force in WAITING_TIMES
        if order.post_only and (order.order_type is not OrderType.LIMIT or not may_wait):
            return "BAD_TERMS"
        if is_stop and not may_wait:
            return "BAD_TERMS"
        if (order.time_in_force is TimeInForce.GTD) != (order.expires_ns > 0):
            return "BAD_TERMS"
        if order.time_in_force is TimeInForce.GTD and order.order_type is OrderType.MARKET:
            return "BAD_TERMS"
        return ""

    def enter(self, order: NaiveOrder) -> None:
        if order.post_only and self.takeable(order.side, order.price):
            self.reject(order, "POST_ONLY")
            return
        if order.time_in_force is TimeInForce.FOK and not self.can_fill(order):
            self.reject(order, "FOK_UNFILLABLE")
            return
        while order.remaining > 0:
            makers = self.takeable(order.side, order.price)
            if not makers:
                break
            maker = makers[0]
            if order.owner and maker.owner == order.owner:
                if self.self_trade_ends(order, maker):
                    order.state, order.code = OrderState.CANCELLED, "SELF_TRADE"
                    return
                continue
            size = min(order.remaining, maker.remaining)
            order.remaining -= size
            order.filled += size
            assert maker.price is not None
            self.trades.append(
                (len(self.trades) + 1, maker.price, size, maker.order_id, order.order_id, order.side)
            )
            self.fill(maker, size)
            self.trigger(maker.price)
        if order.remaining == 0:
            order.state = OrderState.FILLED
        elif order.price is None:
            order.state, order.code = OrderState.EXPIRED, "NO_LIQUIDITY"
        elif order.time_in_force is TimeInForce.IOC:
            order.state, order.code = OrderState.EXPIRED, "IOC_REMAINDER"
        else:
            if order.state is OrderState.PENDING:
                self.number(order)
            order.state = OrderState.PARTIALLY_FILLED if order.filled else OrderState.NEW
            self.resting.append(order)
            self.change("added", order, order.price, order.remaining)

    def can_fill(self, order: NaiveOrder) -> bool:
        wanted = order.remaining
        for maker in self.takeable(order.side, order.price):
            if order.owner and maker.owner == order.owner:
                if self.self_trade == "cancel_resting":
                    continue
                return False
            wanted -= maker.remaining
            if wanted <= 0:
                return True
        return False

    def self_trade_ends(self, taker: NaiveOrder, maker: NaiveOrder) -> bool:
        """Two orders of one owner meet; True when the taker goes no further."""
        if self.self_trade == "cancel_resting":
            self.withdraw(maker, OrderState.CANCELLED, "SELF_TRADE")
            return False
        if self.self_trade == "cancel_taking":
            return True
        smaller = min(taker.remaining, maker.remaining)
        taker_ends, maker_ends = taker.remaining == smaller, maker.remaining == smaller
        if not taker_ends:
            taker.size -= smaller
            taker.remaining -= smaller
        if maker_ends:
            self.withdraw(maker, OrderState.CANCELLED, "SELF_TRADE")
        else:
            maker.size -= smaller
            maker.remaining -= smaller
            assert maker.price is not None
            self.change("reduced", maker, maker.price, -smaller)
        return taker_ends

    def fill(self, maker: NaiveOrder, size: int) -> None:
        maker.remaining -= size
        maker.filled += size
        maker.state = OrderState.PARTIALLY_FILLED
        if maker.remaining == 0:
            maker.state = OrderState.FILLED
            self.resting.remove(maker)
        assert maker.price is not None
        self.change("executed", maker, maker.price, -size)

    def trigger(self, price: int) -> None:
        """Move the stops that a trade at `price` sets off to the end of the triggered ones."""
        buys = [s for s in self.stops if s.side is Side.BUY and (s.stop_price or 0) <= price]
        sells = [s for s in self.stops if s.side is Side.SELL and (s.stop_price or 0) >= price]
        buys.sort(key=lambda order: order.stop_price or 0)
        sells.sort(key=lambda order: -(order.stop_price or 0))
        for order in buys + sells:
            self.stops.remove(order)
            self.triggered.append(order)

    def run_triggered(self) -> None:
        while self.triggered:
            order = self.triggered.pop(0)
            assert order.stop_price is not None
            self.change("triggered", order, order.stop_price, 0)
            self.enter(order)

    # -- book keeping --------------------------------------------------------------------------------

    def number(self, order: NaiveOrder) -> None:
        self.numbers += 1
        order.number = self.numbers

    def withdraw(self, order: NaiveOrder, state: OrderState, code: str) -> None:
        order.state, order.code = state, code
        if order in self.stops:
            self.stops.remove(order)
            assert order.stop_price is not None
            self.change("removed", order, order.stop_price, 0)
        else:
            self.resting.remove(order)
            assert order.price is not None
            self.change("removed", order, order.price, -order.remaining)

    @staticmethod
    def reject(order: NaiveOrder, code: str) -> NaiveOrder:
        order.state, order.code = OrderState.REJECTED, code
        return order

    def change(self, kind: str, order: NaiveOrder, price: int, delta: int) -> None:
        level_size = self.volume_at(order.side, price)
        self.changes.append(
            (len(self.changes) + 1, kind, order.order_id, order.side, price, delta, level_size)
        )
