"""Settings: typed fields that carry their unit, bounds and meaning, and one way to check them.

Each package declares its own section as a frozen dataclass of `setting(...)` fields; `engine.config`
joins them into the one tree that the configuration file, the environment and `--set` fill.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import MAX_PREC, Decimal, localcontext
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from engine.core.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Section = TypeVar("Section", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class SettingMeta:
    """What is known about a setting besides its type and default.

    Bounds are inclusive unless `above`/`below` (exclusive) are used. `choices` limits text values.
    `live` tells whether it may change while the engine runs.
    """

    help: str
    unit: str = ""
    at_least: Decimal | None = None
    above: Decimal | None = None
    at_most: Decimal | None = None
    below: Decimal | None = None
    choices: tuple[str, ...] = ()
    live: bool = False


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    at_least: float | str | None = None,
    above: float | str | None = None,
    at_most: float | str | None = None,
    below: float | str | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """A dataclass field with its meaning, unit and bounds."""

    def bound(value: float | str | None) -> Decimal | None:
        return None if value is None else Decimal(str(value))

    meta = SettingMeta(help, unit, bound(at_least), bound(above), bound(at_most), bound(below), choices, live)
    return dataclasses.field(default=default, metadata={"setting": meta})


def in_base_times(section: Section, factor: Decimal) -> Section:
    """A section whose amounts in a base currency are multiplied, exactly."""
    with localcontext() as context:
        context.prec = MAX_PREC
        amounts = {
            entry.name: factor * amount
            for entry in dataclasses.fields(section)
            if entry.metadata["setting"].unit == "base"
            if (amount := getattr(section, entry.name)) is not None
        }
    return dataclasses.replace(section, **amounts)


def value_violation(key: str, value: Any, meta: SettingMeta) -> str | None:
    """The bound one value breaks, as one sentence naming key, value and bound; None if none."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        if meta.choices and value not in meta.choices:
            return f"{key} = {value!r}: must be one of {', '.join(meta.choices)}"
        return None
    if not isinstance(value, int | float | Decimal):
        return None
    finite = value.is_finite() if isinstance(value, Decimal) else isinstance(value, int) or isfinite(value)
    if not finite:
        return f"{key} = {value}: must be a finite number"
    # A float means the number it is written as: 0.3 satisfies "at least 0.3", though its bits lie below.
    number = Decimal(repr(value)) if isinstance(value, float) else value
    unit = f" {meta.unit}" if meta.unit else ""
    if meta.at_least is not None and number < meta.at_least:
        return f"{key} = {value}: must be at least {meta.at_least}{unit}"
    if meta.above is not None and number <= meta.above:
        return f"{key} = {value}: must be above {meta.above}{unit}"
    if meta.at_most is not None and number > meta.at_most:
        return f"{key} = {value}: must be at most {meta.at_most}{unit}"
    if meta.below is not None and number >= meta.below:
        return f"{key} = {value}: must be below {meta.below}{unit}"
    return None


def first_violation(section: str, settings: Any) -> str | None:
    """The first bound a section breaks, as one sentence naming key, value and bound; None if none."""
    for entry in dataclasses.fields(settings):
        meta: SettingMeta | None = entry.metadata.get("setting")
        if meta is None:
            continue
        reason = value_violation(f"{section}.{entry.name}", getattr(settings, entry.name), meta)
        if reason is not None:
            return reason
    return None


def require_valid(section: str, settings: Any) -> None:
    """Raise `UsageError` with the first reason a section is invalid.

    A section may add rules between its fields with a method `violation() -> str | None`.
    """
    reason = first_violation(section, settings)
    if reason is None:
        extra = getattr(settings, "violation", None)
        reason = extra() if extra is not None else None
    if reason is not None:
        raise UsageError(reason)
