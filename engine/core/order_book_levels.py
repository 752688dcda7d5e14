"""The parts of an order book: orders, the queue at one price, and the prices of one side."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final

import msgspec

from engine.core.depth import Sweep
from engine.core.events import Level
from engine.core.order import OrderState, OrderType, Side, TimeInForce
from engine.core.order_book_events import Reason


class OrderTerms(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How an order wants to be treated. `expires_ns` is 0 for an order without an end."""

    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    stop_price: int | None = None
    expires_ns: int = 0


PLAIN: Final = OrderTerms()
"""A limit order good till cancelled: what most orders are, shared by all of them."""

_PENDING: Final = OrderState.PENDING


class BookOrder:
    """An order as the matching book knows it: a live view that only the book writes.

    `size` is the total in lots, filled part included, and changes when the order is amended or
    decremented; `remaining` is what is not filled (of an ended order: what never was). `price` is None
    for an order without a limit. `reason` says why an order was refused or ended; None while it is
    live, and when it was filled. `level`, `previous` and `next` are its place in the queue.
    """

    __slots__ = (
        "level",
        "next",
        "order_id",
        "owner",
        "previous",
        "price",
        "reason",
        "remaining",
        "side",
        "size",
        "state",
        "terms",
    )

    def __init__(
        self, order_id: str, side: Side, size: int, price: int | None, owner: str, terms: OrderTerms
    ) -> None:
        self.order_id = order_id
        self.side = side
        self.size = size
        self.remaining = size
        self.price = price
        self.owner = owner
        self.terms = terms
        self.state = _PENDING
        self.reason: Reason | None = None
        self.level: PriceLevel | None = None
        self.previous: BookOrder | None = None
        self.next: BookOrder | None = None

    @property
    def filled(self) -> int:
        """Lots executed so far."""
        return self.size - self.remaining

    @property
    def is_resting(self) -> bool:
        """True while the order is displayed in the book."""
        return self.level is not None

    @property
    def code(self) -> str:
        """The word of `reason`, empty when there is none."""
        return "" if self.reason is None else self.reason.code.value

    def __repr__(self) -> str:
        return (
            f"BookOrder({self.order_id!r}, {self.side.word} {self.filled}/{self.size}"
            f" @ {self.price}, {self.state.value})"
        )


class PriceLevel:
    """The queue at one price, first in at the head, linked through the orders themselves; never empty."""

    __slots__ = ("head", "key", "tail", "total")

    def __init__(self, key: int, order: BookOrder) -> None:
        self.key = key
        self.total = order.remaining
        self.head = order
        self.tail = order


class BookSide:
    """The levels of one side.

    A level's key is its price times the side's sign, so that on both sides a higher key is a better
    price and the best key is the last of the sorted list.
    """

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, side: Side) -> None:
        self.sign = int(side)
        self.keys: list[int] = []
        self.levels: dict[int, PriceLevel] = {}

    def open_level(self, key: int, order: BookOrder) -> PriceLevel:
        """Start a level with its first order."""
        level = self.levels[key] = PriceLevel(key, order)
        keys = self.keys
        if not keys or key > keys[-1]:
            keys.append(key)
        else:
            insort(keys, key)
        return level

    def remove(self, order: BookOrder, level: PriceLevel) -> None:
        """Take an order out of its level, and the level out of the side when it was the last one."""
        before, after = order.previous, order.next
        order.level = order.previous = order.next = None
        level.total -= order.remaining
        if before is not None:
            before.next = after
            if after is not None:
                after.previous = before
            else:
                level.tail = before
        elif after is not None:
            after.previous = None
            level.head = after
        else:
            key, keys = level.key, self.keys
            del self.levels[key]
            if keys[-1] == key:
                keys.pop()
            else:
                del keys[bisect_left(keys, key)]

    def best(self) -> int | None:
        """The best price, or None on an empty side."""
        return self.keys[-1] * self.sign if self.keys else None

    def depth(self, depth: int | None) -> list[Level]:
        """The best `depth` levels (all when None), best first."""
        if depth is None:
            keys = self.keys
        elif depth > 0:
            keys = self.keys[-depth:]
        else:
            return []
        levels, sign = self.levels, self.sign
        return [(key * sign, levels[key].total) for key in reversed(keys)]

    def level_at(self, price: int) -> PriceLevel | None:
        """The level at a price, if there is one."""
        return self.levels.get(price * self.sign)

    def sweep(self, size: int) -> Sweep:
        """What taking `size` lots off this side would do."""
        left, cost, sign = size, 0, self.sign
        for key in reversed(self.keys):
            available = self.levels[key].total
            take = available if available < left else left
            cost += take * key * sign
            left -= take
            if left <= 0:
                break
        return Sweep(size, size - left, cost)

    def volume_at(self, price: int) -> int:
        """Lots at a price; 0 where there is no level."""
        level = self.levels.get(price * self.sign)
        return 0 if level is None else level.total
