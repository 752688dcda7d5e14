"""A Trader on a bench: market data and answers go in by hand, commands are collected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from engine.config import Config, EngineSettings, ExchangeSettings, FeeSettings
from engine.core.events import (
    AnyCommand,
    AnyEvent,
    BookSnapshot,
    CancelOrder,
    FeedState,
    FeedStatus,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    SubmitOrder,
    Timer,
)
from engine.core.instrument import Instrument
from engine.credentials.settings import CredentialSettings
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.simulator.settings import SimulatorSettings
from engine.link.settings import ConsoleSettings
from engine.persistence.settings import PersistenceSettings
from engine.risk.breaker_settings import BreakerSettings
from engine.risk.settings import RiskSettings
from engine.runtime.builder import build_trader
from engine.strategy.basic_settings import BasicSettings

MS = 1_000_000
X = Instrument.create("X-USD", tick="0.01", lot="0.001")


def configured(**changes: Any) -> Config:
    """The defaults of `sim`, with single keys changed: `strategy__levels=1`."""
    config = Config(
        EngineSettings(),
        BasicSettings(min_quote_life_ms=0),
        RiskSettings.for_mode("sim"),
        SimulatorSettings(),
        ExchangeSettings(),
        NetworkSettings(),
        CredentialSettings(),
        FeeSettings(),
        PersistenceSettings(),
        ConsoleSettings(),
        breaker=BreakerSettings.for_mode("sim"),
    )
    for name, value in changes.items():
        section, _, key = name.partition("__")
        config = replace(config, **{section: replace(getattr(config, section), **{key: value})})
    return config


class TraderBench:
    """Time moves 100 ms per step. The market is 9,999 / 10,001 unless `market` says otherwise."""

    def __init__(self, **changes: Any) -> None:
        self.trader = build_trader(configured(**changes), X, 0, displays_own=False)
        self.trader.strategy.start()
        self.now = 0
        self.fills = 0
        self.sent: list[AnyCommand] = []

    def tell(self, event: AnyEvent) -> Sequence[AnyCommand]:
        commands = self.trader.on_event(event)
        self.sent += commands
        return commands

    def market(self, bid: str = "9999", ask: str = "10001", size: str = "10") -> None:
        bids = [(X.ticks(bid), X.lots(size))] if bid else []
        asks = [(X.ticks(ask), X.lots(size))] if ask else []
        self.tell(BookSnapshot("X-USD", self.now, self.now, bids, asks))
        self.feed(FeedState.LIVE)

    def feed(self, state: FeedState) -> Sequence[AnyCommand]:
        return self.tell(FeedStatus("X-USD", self.now, self.now, state, "said the test"))

    def step(self, ms: int = 100) -> Sequence[AnyCommand]:
        self.now += ms * MS
        return self.tell(Timer("X-USD", self.now, self.now))

    def operator(self, action: OperatorAction) -> Sequence[AnyCommand]:
        return self.tell(OperatorCommand("X-USD", self.now, self.now, action, "said the test"))

    def accept(self, commands: Sequence[AnyCommand]) -> None:
        for command in commands:
            if isinstance(command, SubmitOrder):
                self.tell(OrderAccepted("X-USD", self.now, self.now, command.client_id, "v"))

    def prove(self, commands: Sequence[AnyCommand]) -> None:
        """The venue's evidence that every cancel among the commands was carried out."""
        for command in commands:
            if isinstance(command, CancelOrder):
                order = self.trader.orders.order(command.client_id)
                assert order is not None
                self.tell(OrderCancelled("X-USD", self.now, self.now, command.client_id, order.remaining))

    def fill(self, order: SubmitOrder, lots: int | None = None, fee: int = 0) -> Sequence[AnyCommand]:
        assert order.price is not None
        self.fills += 1
        return self.tell(
            OrderFilled(
                "X-USD",
                self.now,
                self.now,
                order.client_id,
                f"fill-{self.fills:06}",
                order.side,
                order.price,
                order.size if lots is None else lots,
                fee,
                order.post_only,
            )
        )

    def quote(self) -> list[SubmitOrder]:
        """Market, one decision, everything accepted: the quotes that now rest."""
        self.market()
        commands = self.step()
        self.accept(commands)
        return submits(commands)


def submits(commands: Sequence[AnyCommand]) -> list[SubmitOrder]:
    return [command for command in commands if isinstance(command, SubmitOrder)]


def cancels(commands: Sequence[AnyCommand]) -> list[CancelOrder]:
    return [command for command in commands if isinstance(command, CancelOrder)]


def one_side(orders: Sequence[SubmitOrder], sign: int) -> list[SubmitOrder]:
    return [order for order in orders if order.side == sign]


D = Decimal
