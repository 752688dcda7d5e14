"""The quoting models by name: those built in, and those that other packages bring as plugins.

A plugin is an entry point of the group `pinnacle_tui.strategies`, looked up only for a name that is not
built in. It runs inside the engine with all its rights: install only what you trust.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.config_schema import Schema, nearest
from engine.core.errors import PinnacleError, UsageError
from engine.core.settings import require_valid
from engine.strategy.basic import BasicMarketMaker
from engine.strategy.model_market_maker import AvellanedaStoikovMarketMaker, GlftMarketMaker
from engine.strategy.plugin import GuardedStrategy, StrategyPlugin
from engine.strategy.protocol import Strategy, StrategyContext

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP = "pinnacle_tui.strategies"
BASIC = BasicMarketMaker.name


def _basic(context: StrategyContext) -> Strategy:
    return BasicMarketMaker(context.instrument, context.settings)


BUILT_IN: Mapping[str, Callable[[StrategyContext], Strategy]] = {
    BASIC: _basic,
    AvellanedaStoikovMarketMaker.name: AvellanedaStoikovMarketMaker,
    GlftMarketMaker.name: GlftMarketMaker,
}
"""What makes a strategy of each name."""


def choice_violation(name: str, parameters: Sequence[str]) -> str | None:
    """Why a run cannot have this strategy with these parameters, as far as is known without loading it."""
    if name in BUILT_IN:
        if parameters:
            return (
                f"engine.strategy_parameters = {','.join(parameters)}: {name} has none of its own; "
                "sections strategy and model hold its settings"
            )
        return None
    plugins = _installed().names
    if name in plugins:
        return None
    near = nearest(name, [*BUILT_IN, *plugins])
    hint = f"; did you mean {near}?" if near else ""
    return f"engine.strategy = {name!r}: must be one of {', '.join([*BUILT_IN, *sorted(plugins)])}{hint}"


def parameters_of(name: str, texts: Sequence[str]) -> Any:
    """A plugin's settings from `name=value` texts; None for a built-in model.

    Raises `UsageError` for a plugin that cannot be loaded, and naming the nearest parameter for a wrong one.
    """
    if name in BUILT_IN:
        return None
    declared = _plugin(name).settings
    if declared is None:
        if texts:
            raise UsageError(f"engine.strategy_parameters = {','.join(texts)}: {name} has no parameters")
        return None
    try:
        schema = Schema({name: declared}, ("any",))
    except Exception as error:
        raise UsageError(f"the settings of the strategy {name} are not usable: {error}") from error
    values: dict[str, Any] = {}
    for text in texts:
        field, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise UsageError(f"engine.strategy_parameters: {text} must be name=value")
        if field in values:
            raise UsageError(f"engine.strategy_parameters: {field} is given twice")
        try:
            values[field] = schema.find(f"{name}.{field}").from_text(value)
        except ValueError as error:
            raise UsageError(f"engine.strategy_parameters: {error}") from None
    settings = declared(**values)
    require_valid(name, settings)
    return settings


def build_strategy(name: str, context: StrategyContext) -> Strategy:
    """The strategy of that name for one product. Raises `UsageError` where its settings do not fit."""
    if name in BUILT_IN:
        return BUILT_IN[name](context)
    try:
        return GuardedStrategy(name, _plugin(name).create(context))
    except PinnacleError:
        raise
    except Exception as error:
        raise UsageError(f"the strategy {name} cannot start: {type(error).__name__}: {error}") from error


def _installed() -> EntryPoints:
    from importlib.metadata import entry_points  # costs several ms and is needed for plugins only

    return entry_points(group=GROUP)


def _plugin(name: str) -> StrategyPlugin:
    found = next(iter(_installed().select(name=name)), None)
    if found is None:
        raise UsageError(choice_violation(name, ()) or f"engine.strategy = {name!r}: is not installed")
    try:
        plugin = found.load()
    except Exception as error:
        raise UsageError(
            f"the strategy {name} ({found.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(plugin, StrategyPlugin):
        raise UsageError(f"the strategy {name} ({found.value}) is not a StrategyPlugin")
    return plugin
