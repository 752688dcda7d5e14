"""Settings: bounds, units and reasons."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from engine.core.errors import UsageError
from engine.core.settings import first_violation, require_valid, setting


@dataclass(frozen=True, slots=True)
class Example:
    """One field of each kind of bound."""

    spread: Decimal = setting(Decimal(10), "full spread", unit="bps", above=0, at_most="50.5")
    share: float = setting(0.5, "share", at_least="0.3", below=1)
    levels: int = setting(3, "levels", at_least=1)
    model: str = setting("basic", "model", choices=("basic", "glft"))
    enabled: bool = setting(False, "on or off", live=True)
    ceiling: Decimal | None = setting(None, "a price that may be absent", above=0)
    free: int = 0

    def violation(self) -> str | None:
        """A rule between fields."""
        return (
            "example.levels = 7: model glft has one level"
            if self == Example(levels=7, model="glft")
            else None
        )


def test_defaults_are_valid_and_metadata_says_what_it_was_told() -> None:
    require_valid("example", Example())
    meta = dataclasses.fields(Example)[0].metadata["setting"]
    assert (meta.help, meta.unit, meta.above, meta.at_most) == (
        "full spread",
        "bps",
        Decimal(0),
        Decimal("50.5"),
    )
    assert dataclasses.fields(Example)[4].metadata["setting"].live is True


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"spread": Decimal(0)}, "example.spread = 0: must be above 0 bps"),
        ({"spread": Decimal("50.6")}, "example.spread = 50.6: must be at most 50.5 bps"),
        ({"spread": Decimal("NaN")}, "example.spread = NaN: must be a finite number"),
        ({"spread": Decimal("sNaN")}, "example.spread = sNaN: must be a finite number"),
        ({"spread": Decimal("Infinity")}, "example.spread = Infinity: must be a finite number"),
        ({"share": 0.29}, "example.share = 0.29: must be at least 0.3"),
        ({"share": 1.0}, "example.share = 1.0: must be below 1"),
        ({"share": float("nan")}, "example.share = nan: must be a finite number"),
        ({"share": float("-inf")}, "example.share = -inf: must be a finite number"),
        ({"levels": 0}, "example.levels = 0: must be at least 1"),
        ({"model": "best"}, "example.model = 'best': must be one of basic, glft"),
        ({"ceiling": Decimal(-1)}, "example.ceiling = -1: must be above 0"),
    ],
)
def test_each_rule_has_its_sentence(change: dict[str, Any], sentence: str) -> None:
    broken = dataclasses.replace(Example(), **change)
    assert first_violation("example", broken) == sentence
    with pytest.raises(UsageError) as caught:
        require_valid("example", broken)
    assert str(caught.value) == sentence
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "change",
    [
        {"spread": Decimal("50.5")},
        {"spread": Decimal("0.0001")},
        {"share": 0.3},  # the float nearest to 0.3 lies below it
        {"share": 0.9999},
        {"levels": 1},
        {"levels": 10**400},  # too large for a float, yet a finite number
        {"model": "glft"},
        {"ceiling": None},
        {"enabled": True},
        {"free": -5},
    ],
)
def test_values_on_the_bound_are_valid(change: dict[str, Any]) -> None:
    assert first_violation("example", dataclasses.replace(Example(), **change)) is None


def test_a_rule_between_fields_comes_after_the_bounds() -> None:
    both = Example(levels=7, model="glft")
    assert first_violation("example", both) is None
    with pytest.raises(UsageError, match="glft has one level"):
        require_valid("example", both)
    with pytest.raises(UsageError, match=r"example\.levels = 0"):
        require_valid("example", dataclasses.replace(both, levels=0))
