"""docs/risk.md says what the program does: keys, defaults, ceilings, and that every control is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.config import schema
from engine.config_schema import value_text

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "risk.md").read_text(encoding="utf-8")
ROWS = [
    (key, default, ceiling)
    for key, default, ceiling in re.findall(r"^\|[^|]*\| `([a-z_.0-9]+)` \| (\S*) ?\| (\S*) \|", TEXT, re.M)
]


@pytest.mark.parametrize(("name", "default", "ceiling"), ROWS)
def test_each_limit_is_told_as_it_is(name: str, default: str, ceiling: str) -> None:
    key = schema().find(name)
    value = key.mode_defaults.get("live", key.default)
    assert default == ("" if value is None else value_text(value))
    assert ceiling == value_text(key.meta.at_most)


def test_every_limit_and_every_control_is_told() -> None:
    limits = {
        name
        for name, key in schema().keys.items()
        if re.match(r"(risk|breaker)\.(max_|min_|move_|collar|band|runaway|volume_burst)", name)
    }
    assert limits == {name for name, _, _ in ROWS}
    told = set(re.findall(r"^\| (R\d+) \|", TEXT, re.M))
    assert told == {f"R{number}" for number in range(1, 31)}


def test_every_key_it_names_exists() -> None:
    for name in re.findall(r"`((?:risk|breaker|portfolio|alerts)\.[a-z_0-9]+)", TEXT):
        assert name in schema().keys
