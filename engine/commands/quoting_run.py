"""One simulated run of a set-up, and what it came to: profit, how its inventory varied, and its markouts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from engine.config import Config, stored_config
from engine.core.clock import SystemClock
from engine.core.errors import PinnacleError
from engine.core.events import Alert
from engine.core.instrument import Instrument
from engine.runtime.builder import build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.telemetry.markout_sums import MarkoutSums

_SECOND_NS: Final = 1_000_000_000


class RunError(PinnacleError):
    """A run that says nothing about a set-up."""


class QuotingRun(msgspec.Struct, frozen=True):
    """What one run came to. Money in quote currency, sizes in base."""

    seed: int
    profit: float
    """At the mid of the end, after fees."""
    variance: float
    """Of the inventory: each position weighs with the time it was held. In base squared."""
    fees: float
    fills: int
    volume: float
    """Bought and sold."""
    markouts: tuple[MarkoutSums, ...]
    """Of the passive fills, one for each horizon; money in atoms, sizes in lots."""
    mid_ticks: float
    """At the end."""


class InventoryVariance:
    """Variance of a position over time, exact: it is a step function, and every step is seen."""

    __slots__ = ("_began_ns", "_last_ns", "_position", "_squares", "_sum")

    def __init__(self) -> None:
        self._began_ns: int | None = None
        self._last_ns = 0
        self._position = self._sum = self._squares = 0

    def on_position(self, now_ns: int, lots: int) -> None:
        """The position is this from now on."""
        if self._began_ns is None:
            self._began_ns = now_ns
        else:
            held = now_ns - self._last_ns
            self._sum += held * self._position
            self._squares += held * self._position * self._position
        self._last_ns, self._position = now_ns, lots

    @property
    def value(self) -> float:
        """In lots squared, about the average of the whole time; 0 before any time has passed."""
        time = self._last_ns - (self._began_ns or 0)
        # Integers up to here: nothing cancels that should not.
        return (self._squares * time - self._sum * self._sum) / (time * time) if time else 0.0


class _Watching:
    """Keeps the variance of the inventory, and has the desk's own watcher follow the fills."""

    def __init__(self) -> None:
        self.variance = InventoryVariance()

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        desk.watcher.on_wake_up(wake)
        self.variance.on_position(wake.events[-1].recv_ns, desk.trader.ledger.position)

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None: ...

    def on_status(self, now_ns: int) -> None: ...


def run_quotes(seed: int, minutes: int, overrides: Mapping[str, str]) -> QuotingRun:
    """Trade `minutes` of the simulated market of a seed, with `overrides` over the defaults.

    Neither a configuration file nor the environment has a say. Raises `RunError` where it does not end
    by itself, where its accounts do not add up, or what it holds has no value.
    """
    given = {
        "engine.speed": "max",
        "simulator.seed": str(seed),
        "engine.duration_s": str(60 * minutes),
        "persistence.journal": "false",
        **overrides,
    }
    config = stored_config(given, "the comparison")
    desk, watching, reason = asyncio.run(_traded(config))
    ledger, instrument = desk.trader.ledger, desk.trader.instrument
    profit = ledger.profit
    if reason or profit is None or ledger.residual:
        raise RunError(f"seed {seed}: {reason or 'the accounts do not add up'}")
    per_base = float(instrument.lot)
    return QuotingRun(
        seed,
        _money(instrument, profit),
        watching.variance.value * per_base**2,
        _money(instrument, ledger.fees),
        ledger.fill_count,
        (ledger.bought + ledger.sold) * per_base,
        desk.watcher.markouts.total(),
        ledger.reference_half_ticks / 2,
    )


async def _traded(config: Config) -> tuple[Desk, _Watching, str]:
    market, watching = build_market(config), _Watching()
    [desk] = market.desks
    engine = build_engine(config, market, SystemClock(), watching, status_interval_ns=60 * _SECOND_NS)
    outcome = await engine.run()
    return desk, watching, outcome.reason if outcome.exit_code else ""


def _money(instrument: Instrument, atoms: int) -> float:
    return float(instrument.money_text(atoms))
