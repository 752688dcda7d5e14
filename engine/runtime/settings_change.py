"""Settings that change while the engine runs: checked as a whole first, then put into force in a Trader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.config import Config, plain, schema
from engine.config_schema import Key, Value, value_text
from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.core.order_manager import OrderManager, RefreshPolicy
from engine.core.settings import require_valid
from engine.risk.gate import RiskGate
from engine.risk.limits import RiskLimits, loosened
from engine.risk.loss_guard import LossGuard
from engine.risk.market_guards import MarketGuards
from engine.strategies import build_strategy, parameters_of
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.protocol import Strategy, StrategyContext

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class CheckedChange:
    """One change that every desk can carry out."""

    config: Config
    """The whole configuration with it."""
    key: str
    old: str
    new: str
    """The values as the configuration shows them to people."""
    loosened: tuple[str, ...]
    """The names of the limits of a product, or of the circuit breaker, that allow more than before (R29)."""
    changes: Mapping[str, str]
    """The same for `SettingsChange`: the key and the canonical text of its value."""


def check_change(config: Config, instruments: Iterable[Instrument], text: str) -> CheckedChange:
    """Check one `key=value` against the whole configuration and every instrument traded.

    Raises `UsageError` in one sentence: no such key (naming the nearest), a key that needs a restart, a
    value out of bounds, a rule between fields that would be broken, an instrument that cannot express
    it. Nothing is applied here.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals:
        raise UsageError(f"{text}: must be key=value, for example strategy.levels=2")
    new_config = changed_config(config, {name: value})
    looser = list(loosened(config.breaker.limits(), new_config.breaker.limits()))
    for instrument in instruments:
        build_strategy(config.engine.strategy, strategy_context(new_config, instrument))
        looser += loosened(risk_limits(config, instrument), risk_limits(new_config, instrument))
    old, new = _value(config, name), _value(new_config, name)
    # Quotes below their fees are a limit that a person lifts, too.
    if new_config.strategy.allow_negative_edge and not config.strategy.allow_negative_edge:
        looser.append("fee_floor")
    changes = {name: "" if new is None else value_text(new)}
    # Several products loosen the same limit: it is named once.
    return CheckedChange(
        new_config, name, value_text(old), value_text(new), tuple(dict.fromkeys(looser)), changes
    )


def changed_config(config: Config, changes: Mapping[str, str]) -> Config:
    """The configuration with these keys changed, all together. Raises `UsageError` as `check_change` does."""
    fields: dict[str, dict[str, Value]] = {}
    for name, text in changes.items():
        key, value = _parsed(name, text)
        fields.setdefault(key.section, {})[key.field] = value
    sections: dict[str, Any] = {}
    for section, values in fields.items():
        sections[section] = replace(getattr(config, section), **values)
        try:
            require_valid(section, sections[section])
        except UsageError as error:
            raise UsageError(plain(str(error))) from None
    changed = replace(config, **sections)
    if config.engine.mode == "live" and (reason := changed.edge_violation()):
        raise UsageError(reason)
    return changed


def _parsed(name: str, text: str) -> tuple[Key, Value]:
    try:
        key = schema().find(name)
        value = key.from_text(text)
    except ValueError as error:
        raise UsageError(plain(str(error))) from None
    if not key.meta.live:
        raise UsageError(
            f"{name}: cannot change while the engine runs, nothing was changed; "
            "set it in the configuration file or with --set, and start again"
        )
    return key, value


def _value(config: Config, name: str) -> Value:
    section, _, field = name.partition(".")
    value: Value = getattr(getattr(config, section), field)
    return value


def risk_limits(config: Config, instrument: Instrument) -> RiskLimits:
    """The limits of one instrument under the strategy's own cap, and its share of those over all products."""
    own = config.for_product(instrument.symbol)
    limits = own.risk.limits(instrument, own.strategy.max_position)
    return config.portfolio.allotted(limits, instrument, config.engine.symbols)


def strategy_context(config: Config, instrument: Instrument) -> StrategyContext:
    """What the strategy of one instrument is made with. `UsageError` for a plugin's wrong parameters."""
    engine = config.engine
    parameters = parameters_of(engine.strategy, engine.strategy_parameters or ())
    own = config.for_product(instrument.symbol)
    return StrategyContext(instrument, own.strategy, config.model, config.fees.maker_bps, parameters)


def refresh_policy(strategy: BasicSettings) -> RefreshPolicy:
    """What the order manager reads of the strategy's settings."""
    return RefreshPolicy(
        reprice_tolerance_ticks=strategy.reprice_tolerance_ticks,
        min_quote_life_ns=strategy.min_quote_life_ms * _MS,
        max_order_age_ns=strategy.order_timeout_ms * _MS,
        wait_cancel_ack=strategy.wait_cancel_ack,
        cancel_retry_ns=strategy.cancel_retry_interval_ms * _MS,
        post_fill_pause_ns=strategy.post_fill_pause_ms * _MS,
    )


@dataclass(slots=True)
class LiveSettings:
    """The settings in force in one Trader's parts. Called with changes, it changes all of them or none."""

    config: Config
    strategy: Strategy
    orders: OrderManager
    gate: RiskGate
    guard: LossGuard
    guards: MarketGuards

    def __call__(self, changes: Mapping[str, str]) -> None:
        """Put these keys into force. Raises `UsageError`, with nothing changed, for what is not valid."""
        config = changed_config(self.config, changes)
        limits = risk_limits(config, self.strategy.instrument)
        self.strategy.configure(strategy_context(config, self.strategy.instrument))
        self.orders.configure(refresh_policy(config.strategy))
        self.gate.limits = self.guard.limits = limits
        self.guards.configure(limits, config.breaker.limits())
        self.config = config
