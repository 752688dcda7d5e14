"""A Trader whose strategy wants what a test wants: intents in, orders out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from trader_bench import MS, D, TraderBench, X, submits

from engine.core.events import AnyCommand, OrderFilled, SubmitOrder, TradePrint
from engine.core.order import BUY, Side
from engine.risk.breaker_settings import BreakerSettings
from engine.risk.state import TradingState
from engine.strategy.protocol import Decision, MarketView, Quote

S = 1_000 * MS
MID = 1_000_000
"""10,000.00 in ticks, in a market of 9,999 to 10,001."""
Wanted = tuple[Side, int, int]


class Puppet:
    """A strategy whose next decision is given by hand; it repeats itself."""

    def __init__(self) -> None:
        self.decision = Decision()

    def decide(self, view: MarketView) -> Decision:
        return self.decision

    def on_book(self, now_ns: int, book: object) -> None: ...

    def on_trade(self, trade: TradePrint) -> None: ...

    def on_fill(self, fill: OrderFilled) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def save(self) -> bytes:
        return b""

    def load(self, state: bytes) -> None: ...


class Desk(TraderBench):
    """A Trader with a puppet for a strategy; limits are generous unless they are given."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(
            **{"strategy__max_position": D(1_000), "engine__opening_base_balance": D(100)} | changes
        )
        self.puppet = Puppet()
        self.trader.strategy = self.puppet  # type: ignore[assignment]
        self.market()

    def want(self, *wanted: Wanted, ms: int = 100) -> list[SubmitOrder]:
        """Decide for these (side, price, lots), each in a slot of its own; the orders that leave."""
        quotes = tuple(
            Quote(f"{side.name[0]}{number}", side, number, price, size, tuple, tuple)
            for number, (side, price, size) in enumerate(wanted)
        )
        self.puppet.decision = Decision(quotes=quotes)
        commands = self.step(ms)
        return submits(commands)

    def hold(self, lots: int) -> None:
        """Buy so many lots at 10,000.00."""
        (order,) = self.want((BUY, MID, lots))
        self.accept([order])
        self.fill(order)
        self.puppet.decision = Decision()

    def codes(self) -> set[str]:
        return set(self.trader.gate.denied)

    @property
    def state(self) -> TradingState:
        return self.trader.risk.effective

    def restricted_by(self) -> list[str]:
        return [restriction.code for restriction in self.trader.risk.restrictions()]

    def told(self) -> set[str]:
        return {alert.code for alert in self.trader.drain_alerts()}


def price(text: str) -> tuple[str, str]:
    """A market whose mid is that."""
    return str(D(text) - 1), str(D(text) + 1)


def looping(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defect of an order loop: what is working is forgotten, and all that is wanted sent once more."""
    number = 0

    def diff(quotes: Sequence[Quote], *rest: object) -> tuple[list[AnyCommand], list[Quote]]:
        nonlocal number
        number += 1
        return [], [msgspec.structs.replace(quote, slot=f"{quote.slot}-{number}") for quote in quotes]

    monkeypatch.setattr(desk.trader.orders, "diff", diff)


def breaking(**changes: Any) -> Desk:
    """A desk with the circuit breaker of live trading."""
    live = dataclasses.asdict(BreakerSettings.for_mode("live"))
    return Desk(**{f"breaker__{key}": value for key, value in (live | changes).items()})


def swung(desk: Desk) -> None:
    """For 40 seconds the price goes up by 1 % and down again, by turns, and nowhere."""
    bid, ask = desk.trader.book.best_bid(), desk.trader.book.best_ask()
    assert bid is not None
    assert ask is not None
    for second in range(40):
        share = 101 if second % 2 else 100
        desk.market(X.price_text(bid * share // 100), X.price_text(ask * share // 100))
        desk.step(1_000)
