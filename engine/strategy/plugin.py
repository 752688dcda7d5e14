"""What another package needs to bring a strategy, and the guard that keeps its errors from the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from engine.core.depth import DepthReader
from engine.core.errors import StateError, UsageError
from engine.core.events import OrderFilled, Term, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import BUY, Side
from engine.core.own_orders import Reasons, told_as
from engine.strategy.protocol import Decision, MarketView, Quote, Strategy, StrategyContext, Take


@dataclass(frozen=True, slots=True)
class StrategyPlugin:
    """The object that an entry point of the group `pinnacle_tui.strategies` names.

    `create` makes a `Strategy` for one product. `settings` is a frozen dataclass of `setting(...)` fields,
    filled from `engine.strategy_parameters` and handed to it as `context.parameters`; None if it has none.
    """

    create: Callable[[StrategyContext], Strategy]
    settings: type | None = None


def simple_quote(
    instrument: Instrument, side: Side, level: int, price: float, opposite: int, size: int, why: str
) -> Quote:
    """A passive quote near a price in ticks: rounded to the safe side and kept a tick from `opposite`.

    `opposite` is the displayed best price of the other side in ticks, `size` lots; `why` explains the price.
    The price is not positive where that side of the market has no room: such a quote must not be sent.
    """
    sign, tick = side.value, 2 * instrument.half_tick_units
    raw = round(price * tick)
    rounded = sign * (sign * raw // tick)
    ticks = sign * min(sign * rounded, sign * opposite - 1)
    terms = (
        Term("price", raw, why),
        Term("tick", rounded * tick - raw, "to the safe side"),
        Term("post-only", (ticks - rounded) * tick, f"best price opposite {instrument.price_text(opposite)}"),
    )
    reasons = Reasons(terms, (Term("base", size, ""),))
    return Quote(_slot(side, level), side, level, ticks, size, *told_as(reasons))


def _slot(side: Side, level: int) -> str:
    return f"{'B' if side is BUY else 'A'}{level}"


class GuardedState(msgspec.Struct, frozen=True):
    """What the strategy saved, and what it has failed with since it was asked last."""

    inner: bytes
    failure: str


class GuardedStrategy:
    """A strategy of others: what it raises, and an answer that makes no sense, become a decision for nothing.

    The Trader then holds trading until a person resumes; after that the strategy is asked again. The engine
    goes on in any case.
    """

    def __init__(self, name: str, inner: Strategy) -> None:
        self.name = name
        self.instrument: Instrument = inner.instrument
        self._inner = inner
        self._failure = ""

    def start(self) -> bool:
        """See `Strategy`."""
        return bool(self._tried(self._inner.start))

    def stop(self) -> bool:
        """See `Strategy`."""
        return bool(self._tried(self._inner.stop))

    def on_book(self, now_ns: int, market: DepthReader) -> None:
        """See `Strategy`."""
        self._tried(partial(self._inner.on_book, now_ns, market))

    def on_trade(self, trade: TradePrint) -> None:
        """See `Strategy`."""
        self._tried(partial(self._inner.on_trade, trade))

    def on_fill(self, fill: OrderFilled) -> None:
        """See `Strategy`."""
        self._tried(partial(self._inner.on_fill, fill))

    def configure(self, context: StrategyContext) -> None:
        """See `Strategy`. Whatever it raises, the change is refused with a `UsageError`."""
        try:
            self._inner.configure(context)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"the strategy {self.name} refuses these settings: {_words(error)}") from error

    def decide(self, view: MarketView) -> Decision | None:
        """See `Strategy`."""
        decision: Decision | None = self._tried(partial(self._asked, view))
        if not self._failure:
            return decision
        reason = f"no quotes: the strategy {self.name} has failed: {self._failure}"
        self._failure = ""
        return Decision(reason=reason, is_failure=True)

    def save(self) -> bytes:
        """See `Strategy`."""
        inner = self._tried(self._inner.save)
        return msgspec.msgpack.encode(GuardedState(inner if isinstance(inner, bytes) else b"", self._failure))

    def load(self, state: bytes) -> None:
        """See `Strategy`. Raises `StateError` for a state that the strategy cannot go on with."""
        try:
            saved = msgspec.msgpack.decode(state, type=GuardedState)
            self._inner.load(saved.inner)
        except Exception as error:
            raise StateError(
                f"the strategy {self.name} cannot go on from what it saved: {_words(error)}. Nothing was sent"
            ) from error
        self._failure = saved.failure

    def _tried(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            self._failure = _words(error)
            return None

    def _asked(self, view: MarketView) -> Decision | None:
        decision = self._inner.decide(view)
        if decision is None:
            return None
        if not isinstance(decision, Decision):
            raise TypeError(f"decide answered a {type(decision).__name__}")
        slots = [quote.slot for quote in decision.quotes]
        if len(set(slots)) < len(slots):
            raise ValueError("two quotes want the same slot")
        quotes = tuple([_sound(self.instrument, quote) for quote in decision.quotes])
        if (take := decision.take) is not None:
            _require_order(take)
            if take.purpose != "hedge":
                raise ValueError(f"a taking order of a strategy is a hedge, not {take.purpose!r}")
        # What goes on record must be read again.
        msgspec.convert(msgspec.to_builtins((decision.reason, take)), tuple[str, Take | None])
        return msgspec.structs.replace(decision, quotes=quotes)


def _require_order(order: Quote | Take) -> None:
    """`ValueError` for what no order can be."""
    for number in (order.price, order.size):
        if type(number) is not int or number <= 0:
            raise ValueError(f"price {order.price!r} and size {order.size!r} must be whole and above 0")
    if not isinstance(order.side, Side):
        raise ValueError(f"side {order.side!r} is none")


def _sound(instrument: Instrument, quote: Quote) -> Quote:
    """The quote with its reasons as they are now: whoever asks later gets these, not the plugin.

    `ValueError` (of which `ValidationError` is one) for a quote that cannot be or whose explanation does not
    add up to it.
    """
    _require_order(quote)
    if quote.slot != (place := _slot(quote.side, quote.level)):
        raise ValueError(f"slot {quote.slot!r} is not {place!r}, the place of its side and level")
    reasons = Reasons(tuple(quote.explain()), tuple(quote.explain_size()))
    # What goes on record must be read again.
    msgspec.convert(msgspec.to_builtins((quote.level, reasons)), tuple[int, Reasons])
    if sum(term.value for term in reasons.price) != quote.price * 2 * instrument.half_tick_units:
        raise ValueError(f"the terms of {quote.slot} do not add up to its price")
    if sum(term.value for term in reasons.size) != quote.size:
        raise ValueError(f"the terms of {quote.slot} do not add up to its size")
    explain, explain_size = told_as(reasons)
    return msgspec.structs.replace(quote, explain=explain, explain_size=explain_size)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
