"""The configuration: one typed tree, and the value of every key with where it came from.

Each package declares its own section; this module declares the sections of the engine itself, joins
all of them, and lays the layers over each other: a flag beats `--set`, `--set` beats the environment,
that beats the file, that beats the default (which may depend on `engine.mode`). Either the whole tree
is valid or nothing is applied. Secrets are never in it.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from engine import config_file, fee_floor
from engine.config_schema import Key, Schema, Value, nearest, value_text
from engine.core.errors import UsageError
from engine.core.events import Severity
from engine.core.settings import in_base_times, require_valid, setting
from engine.credentials.settings import CredentialSettings
from engine.exchange.coinbase.network import EXCHANGE, NetworkSettings
from engine.exchange.fees import FeeSchedule
from engine.exchange.paper import PaperSettings
from engine.exchange.simulator.settings import SimulatorSettings
from engine.link.settings import ConsoleSettings
from engine.persistence.settings import PersistenceSettings
from engine.risk.breaker_settings import BreakerSettings
from engine.risk.portfolio_settings import PortfolioSettings, unlike_money
from engine.risk.settings import RiskSettings
from engine.runtime.alert_settings import AlertSettings
from engine.strategies import BASIC, choice_violation
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.model_settings import ModelSettings

MODES = ("sim", "paper", "live", "replay")
LIVE_MODES = ("paper", "live")
"""Modes that follow a market on the network."""
FLAGS: Mapping[str, str] = {
    "engine.mode": "--mode",
    "engine.symbols": "--symbol",
    "engine.strategy": "--strategy",
    "engine.input": "--input",
    "engine.speed": "--speed",
    "engine.duration_s": "--duration",
    "simulator.seed": "--seed",
    "persistence.data_dir": "--data-dir",
    "exchange.name": "--exchange",
    "network.endpoint": "--endpoint",
    "network.ca_file": "--ca-file",
    "network.key_file": "--key-file",
    "credentials.key": "--key",
    "console.theme": "--theme",
    "console.panel": "--panel",
    "console.mouse": "--no-mouse",
}
"""The keys that have a flag of their own, and its name."""

_PREFIX = "PINNACLE_"
_PRODUCT = re.compile(r"[A-Z0-9.]+-[A-Z0-9.]+", re.ASCII)

_EXPONENT = re.compile(r"\b\d+(?:\.\d+)?E[+-]\d{1,2}\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Section `engine`: what runs, on what, how fast and for how long."""

    mode: str = setting("sim", "Where market data comes from and where orders go.", choices=MODES)
    symbols: tuple[str, ...] = setting(("BTC-USD",), "The products to trade.")
    strategy: str = setting(
        BASIC, "The quoting model: basic, avellaneda-stoikov, glft, or the name of an installed plugin."
    )
    strategy_parameters: tuple[str, ...] | None = setting(
        None, "The settings of a plugin strategy, name=value each."
    )
    input: str | None = setting(None, "The recording that replay mode reads.")
    speed: Decimal | str = setting(
        Decimal(1),
        "Engine seconds per second of real time; max is as fast as the machine can.",
        above=0,
        choices=("max",),
    )
    duration_s: Decimal | None = setting(
        None, "Engine time after which the run ends; unset runs until stopped.", unit="s", above=0
    )
    opening_quote_balance: Decimal = setting(
        Decimal(1_000_000), "Quote currency of the simulated or paper account at the start.", at_least=0
    )
    opening_base_balance: Decimal = setting(
        Decimal(10), "Base currency of the simulated or paper account at the start.", at_least=0
    )
    live: bool = setting(False, "Allow orders with real money; live mode is refused while this is off.")
    order_tag: int = setting(
        0,
        "What this session's order ids carry; 0 is a number from the seed. A live session draws its own.",
        at_least=0,
        at_most=4_294_967_295,
    )
    installation_tag: int = setting(
        0,
        "What all order ids begin with; 0 is a fixed one. Live trading has one of its data folder.",
        at_least=0,
        at_most=4_294_967_295,
    )
    timer_interval_ms: int = setting(
        100,
        "How often the strategy is asked while the market is quiet.",
        unit="ms",
        at_least=1,
        at_most=60_000,
    )
    status_interval_s: Decimal | None = setting(
        None,
        "Engine time between two status lines; unset is 5 s as text and 1 s as JSON.",
        unit="s",
        at_least="0.1",
        at_most=3600,
    )

    @property
    def speed_factor(self) -> Decimal | None:
        """Engine seconds per real second, or None for as fast as the machine can."""
        return None if isinstance(self.speed, str) else self.speed

    def violation(self) -> str | None:
        """The first rule between fields that is broken."""
        if not self.symbols:
            return "engine.symbols is empty: name at least one product, for example BTC-USD"
        for symbol in self.symbols:
            if not _PRODUCT.fullmatch(symbol):
                return f"engine.symbols = {symbol!r}: must be a product such as BTC-USD"
        if len(set(self.symbols)) < len(self.symbols):
            return f"engine.symbols = {value_text(self.symbols)}: names a product twice"
        return choice_violation(self.strategy, self.strategy_parameters or ())


class FeeTier(NamedTuple):
    """A venue's rates in basis points, and whose word they are."""

    maker_bps: Decimal
    taker_bps: Decimal
    origin: str


_SIMULATOR_TIER = FeeTier(Decimal(2), Decimal(6), "the built-in exchange")
_COINBASE_TIER = FeeTier(Decimal(60), Decimal(120), "Coinbase Advanced entry tier as of 2026-09")


def fee_tier(mode: str) -> FeeTier:
    """What a mode's venue charges when nobody says otherwise."""
    return _SIMULATOR_TIER if mode == "sim" else _COINBASE_TIER


@dataclass(frozen=True, slots=True)
class FeeSettings:
    """Section `fees`: what the venue charges per fill. The defaults are those of the mode's venue."""

    maker_bps: Decimal = setting(
        _SIMULATOR_TIER.maker_bps,
        "Fee of a resting order that is filled; negative is a rebate.",
        unit="bps",
        at_least=-10,
        at_most=200,
    )
    taker_bps: Decimal = setting(
        _SIMULATOR_TIER.taker_bps, "Fee of an order that takes.", unit="bps", at_least=0, at_most=200
    )

    @classmethod
    def for_mode(cls, mode: str) -> Self:
        """The defaults of a mode."""
        tier = fee_tier(mode)
        return cls(tier.maker_bps, tier.taker_bps)

    def schedule(self) -> FeeSchedule:
        """The rates as exact integers."""
        return FeeSchedule.from_bps(self.maker_bps, self.taker_bps)

    def violation(self) -> str | None:
        """The first rule between fields that is broken."""
        try:
            self.schedule()
        except UsageError as error:
            return str(error)
        return None


@dataclass(frozen=True, slots=True)
class ExchangeSettings(PaperSettings):
    """Section `exchange`: whose market it is, and how the paper venue treats our orders there."""

    name: str | None = setting(
        None,
        "The venue, Coinbase Advanced Trade or Coinbase Exchange; unset is that of the recording.",
        choices=("coinbase", "coinbase-exchange"),
    )


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of a run, checked."""

    engine: EngineSettings
    strategy: BasicSettings
    risk: RiskSettings
    simulator: SimulatorSettings
    exchange: ExchangeSettings
    network: NetworkSettings
    credentials: CredentialSettings
    fees: FeeSettings
    persistence: PersistenceSettings
    console: ConsoleSettings
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    portfolio: PortfolioSettings = field(default_factory=PortfolioSettings)

    def require_runnable(self, armed: Collection[str] = ()) -> None:
        """`UsageError` when these settings are valid but no run can start from them.

        `armed` are the products that whoever starts it has typed once more, for live trading.
        """
        mode = self.engine.mode
        if reason := unlike_money(self.engine.symbols):
            raise UsageError(reason)
        if reason := self.persistence.violation_in(mode):
            raise UsageError(reason)
        if mode in LIVE_MODES and self.engine.speed_factor != 1:
            raise UsageError(
                f"engine.speed = {value_text(self.engine.speed)}: a market on the network has its own pace; "
                f"{mode} mode runs at 1"
            )
        if mode in LIVE_MODES:
            self.require_one_key()
        if mode == "live":
            self._require_armed(armed)
        if mode == "replay" and self.engine.input is None:
            raise UsageError("replay mode reads a recording: name it with --input FILE (key engine.input)")
        if mode != "replay" and self.engine.input is not None:
            raise UsageError(
                f"engine.input = {self.engine.input}: only replay mode reads a recording, "
                f"and the mode is {mode}; add --mode replay or leave the input out"
            )

    def require_one_key(self) -> None:
        """`UsageError` where a key in the vault and one in a file are both named."""
        if self.network.key_file is not None and self.credentials.key is not None:
            raise UsageError(
                f"--key {self.credentials.key} (credentials.key) is a key in the vault, and --key-file "
                f"{self.network.key_file} (network.key_file) is one in a file: leave one of them out"
            )

    def _require_armed(self, armed: Collection[str]) -> None:
        """Live trading on purpose only (R28). Says everything that is missing at once."""
        engine, missing = self.engine, []
        if not engine.live:
            missing.append("engine.live = true in the configuration")
        if unarmed := [symbol for symbol in engine.symbols if symbol not in armed]:
            missing.append(f"the typed name of what is traded (--arm {','.join(unarmed)})")
        if missing:
            raise UsageError(f"live mode needs {'; '.join(missing)}. Nothing was sent")

    def for_product(self, symbol: str) -> Config:
        """These settings in a product's own sizes (`portfolio.size_factors`). `UsageError` beyond a bound."""
        factor = self.portfolio.size_factor(symbol, self.engine.symbols)
        if factor == 1:
            return self
        own = dataclasses.replace(
            self, strategy=in_base_times(self.strategy, factor), risk=in_base_times(self.risk, factor)
        )
        try:
            require_valid("strategy", own.strategy)
            require_valid("risk", own.risk)
        except UsageError as error:
            raise UsageError(f"{symbol}, {factor} times as large: {error}") from None
        return own

    def edge_violation(self) -> str | None:
        """Why spreads as they are set cannot earn their fees; None if they do or need not.

        Live trading does not start from one, and does not change to one: the fees are those of the account.
        """
        return fee_floor.refusal(self.engine.strategy, self.strategy, self.model, self.fees.maker_bps)

    def edge_warning(self) -> str | None:
        """What whoever runs this should know of spreads and fees, in any mode; None where all is well."""
        return fee_floor.warning(self.engine.strategy, self.strategy, self.model, self.fees.maker_bps)

    def band_warning(self) -> str | None:
        """What whoever runs this should know of spreads that the band of R4 denies; None where it fits."""
        return fee_floor.band_warning(
            self.engine.strategy, self.strategy, self.model, self.fees.maker_bps, self.risk.band_bps
        )

    @property
    def uses_vault(self) -> bool:
        """True when a run takes its key out of the vault: not where a file is named, and on paper only for a
        key that is."""
        mode, named = self.engine.mode, self.credentials.key
        return self.network.key_file is None and (mode == "live" or (mode == "paper" and named is not None))

    @property
    def key_notices(self) -> tuple[str, ...]:
        """What whoever trades live should be told about the key, one sentence each."""
        if self.engine.mode != "live":
            return ()
        notices = []
        if self.network.key_file is not None:
            notices.append(
                f"the API key lies unencrypted in {self.network.key_file}: a vault is safer, and "
                "`pinnacle-tui credentials import` puts it into one"
            )
        if self.exchange.name == EXCHANGE:
            notices.append(
                "Coinbase Exchange does not tell what a key may do: see in its settings that this one may "
                "view and trade, and never transfer"
            )
        return tuple(notices)

    def limits_sentence(self) -> str:
        """What live trading may do at most, for whoever arms it."""
        risk = self.risk
        return (
            f"at most, per product: {value_text(risk.max_order_notional)} an order, "
            f"{value_text(risk.max_open_orders)} open orders, {value_text(risk.max_gross_notional)} in all "
            f"if everything fills; HALTED at a loss of {value_text(risk.max_daily_loss)} in a day or a "
            f"drawdown of {value_text(risk.max_drawdown_pct)} %"
            + self.portfolio.sentence(
                self.engine.symbols, risk.max_gross_notional, risk.max_daily_loss, risk.max_drawdown
            )
        )


SECTIONS: Mapping[str, type] = typing.get_type_hints(Config)
"""The dataclass of each section, in order."""


@cache
def schema() -> Schema:
    """Every key there is. Built once: it follows from the code alone."""
    return Schema(SECTIONS, MODES)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A checked configuration and, for each key, who set it."""

    config: Config
    sources: Mapping[str, str]
    """By key: `default`, `default of sim`, `FILE:LINE`, `environment NAME`, `--set`, or a flag."""
    file: Path | None
    """The configuration file that was read."""

    def value(self, name: str) -> Value:
        """The value of a key such as `strategy.levels`."""
        section, _, field = name.partition(".")
        value: Value = getattr(getattr(self.config, section), field)
        return value

    def texts(self) -> dict[str, str]:
        """Every key that is set, with the text that sets it to the same value."""
        return {
            key.name: value_text(value)
            for key in schema().keys.values()
            if (value := self.value(key.name)) is not None
        }

    def fee_notices(self) -> tuple[tuple[Severity, str], ...]:
        """What whoever starts a run should be told about its fees, one sentence each, and how grave it is."""
        fees, mode = self.config.fees, self.config.engine.mode
        break_even = fees.schedule().break_even_bps
        told = (
            f"fees: maker {value_text(fees.maker_bps)} bps, taker {value_text(fees.taker_bps)} bps "
            f"({self._fee_origin(mode)}); break-even spread {value_text(break_even)} bps"
        )
        warnings = self.config.edge_warning(), self.config.band_warning()
        return ((Severity.INFO, told), *[(Severity.WARNING, warning) for warning in warnings if warning])

    def _fee_origin(self, mode: str) -> str:
        sources = {self.sources["fees.maker_bps"], self.sources["fees.taker_bps"]}
        named = sorted(source for source in sources if not source.startswith("default"))
        if len(named) < len(sources):
            named.append(fee_tier(mode).origin + (", yours may differ" if mode != "sim" else ""))
        return ", ".join(named)


class _Layer(NamedTuple):
    value: Value
    source: str


def load_config(
    path: Path | None = None,
    env: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, str | Sequence[str]] | None = None,
) -> Resolved:
    """The whole configuration, from `path` (or where the file is found), environment, `--set` and flags.

    `overrides` are `key=value` texts. `flags` maps keys of `FLAGS` to the text given. Every layer is
    checked, even where a stronger one covers it. Raises `UsageError` naming file and line, variable or
    flag, then key, value, and what was expected.
    """
    env = env or {}
    place = config_file.locate(path, env)
    entries = config_file.read(place)
    layers: dict[str, _Layer] = {}
    for entry in entries or ():
        _lay_entry(layers, entry, f"{place.path}:{entry.line}")
    _lay_environment(layers, env)
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise UsageError(f"--set {override}: must be key=value, for example strategy.levels=2")
        _lay_text(layers, name.strip(), text, "--set")
    for name, given in (flags or {}).items():
        text = given if isinstance(given, str) else ",".join(given)
        _lay_text(layers, name, text, FLAGS[name])
    return _resolved(layers, place.path if entries is not None else None)


def stored_config(texts: Mapping[str, str], said_by: str) -> Config:
    """The configuration whose keys have these texts, as `Resolved.texts` gives them; `said_by` has them.

    Raises `UsageError` for a key or value that this version does not know.
    """
    layers: dict[str, _Layer] = {}
    for name, text in texts.items():
        _lay_text(layers, name, text, said_by)
    return _resolved(layers, None).config


def _lay_entry(layers: dict[str, _Layer], entry: config_file.Entry, source: str) -> None:
    try:
        if entry.value == {} and "." not in entry.name:
            schema().find_section(entry.name)
            return
        layers[entry.name] = _Layer(schema().find(entry.name).from_toml(entry.value), source)
    except ValueError as error:
        raise UsageError(f"{source}: {plain(str(error))}") from None


def _lay_text(layers: dict[str, _Layer], name: str, text: str, source: str) -> None:
    try:
        layers[name] = _Layer(schema().find(name).from_text(text), source)
    except ValueError as error:
        raise UsageError(f"{source}: {plain(str(error))}") from None


def variable_name(key: Key) -> str:
    """The environment variable that sets a key."""
    return f"{_PREFIX}{key.section}_{key.field}".upper()


def _lay_environment(layers: dict[str, _Layer], env: Mapping[str, str]) -> None:
    given = sorted(name for name in env if name.startswith(_PREFIX) and name != config_file.CONFIG_VARIABLE)
    if not given:
        return
    keys = {variable_name(key): key.name for key in schema().keys.values()}
    for name in given:
        source = f"environment {name}"
        if name in keys:
            _lay_text(layers, keys[name], env[name], source)
            continue
        section, _, field = name.removeprefix(_PREFIX).lower().partition("_")
        if section in SECTIONS:
            raise UsageError(
                f"{source}: unknown key {section}.{field}{schema().did_you_mean(f'{section}.{field}')}"
            )
        near = nearest(name, keys, cutoff=0.85)
        if near:
            raise UsageError(f"{source}: there is no such setting; did you mean {near}?")
        # Any other variable with our prefix may be somebody else's, and is left alone.


def _resolved(layers: Mapping[str, _Layer], file: Path | None) -> Resolved:
    keys = schema().keys
    mode_layer = layers.get("engine.mode")
    mode = str(mode_layer.value if mode_layer else keys["engine.mode"].default)
    values: dict[str, dict[str, Value]] = {section: {} for section in SECTIONS}
    sources: dict[str, str] = {}
    for key in keys.values():
        layer = layers.get(key.name)
        if layer is None:
            layer = _Layer(key.default_for(mode), f"default of {mode}" if key.mode_defaults else "default")
        values[key.section][key.field] = layer.value
        sources[key.name] = layer.source
    built: dict[str, Any] = {}
    for section, declared in SECTIONS.items():
        settings = declared(**values[section])
        try:
            require_valid(section, settings)
        except UsageError as error:
            raise UsageError(_with_sources(plain(str(error)), section, settings, sources)) from None
        built[section] = settings
    return Resolved(Config(**built), sources, file)


def plain(reason: str) -> str:
    """A sentence with its numbers written out: `Decimal` gives large and small ones an exponent."""
    return _EXPONENT.sub(lambda found: value_text(Decimal(found[0])), reason)


def _with_sources(reason: str, section: str, settings: Any, sources: Mapping[str, str]) -> str:
    """Say who set the keys that a rule between fields names: of several, for each of them."""
    words = set(re.findall(r"\w+", reason))
    named = [f"{section}.{entry.name}" for entry in dataclasses.fields(settings) if entry.name in words]
    if len(named) > 1:
        return f"{reason} ({'; '.join(f'{name}: {sources[name]}' for name in named)})"
    said = [source for name in named if not (source := sources[name]).startswith("default")]
    return f"{said[0]}: {reason}" if said else reason
