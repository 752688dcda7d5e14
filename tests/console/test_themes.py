"""Themes: the shipped ones load, a broken file is one sentence naming file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import UsageError
from pinnacle_tui.themes import DEFAULT, MARKET_COLOURS, load_theme, themes_folder

SHIPPED = sorted(themes_folder().glob("*.toml"))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_default_theme_is_shipped():
    assert DEFAULT in [path.stem for path in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_colour_of_the_market_can_be_read_on_its_background(path: Path):
    theme = load_theme(path)
    assert theme.background is not None
    assert theme.foreground is not None
    for colour in (theme.foreground, *(theme.variables[name] for name in MARKET_COLOURS)):
        assert contrast(colour, theme.background) >= 4.5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bid =", "bids =", r"variables\.bid is missing"),
        ("primary =", "primry =", r"colors\.primary is missing"),
        ("accent =", "acent =", r"colors\.acent is no colour"),
        ("[colors]", "[colors", r"broken\.toml"),
    ],
)
def test_a_broken_theme_names_file_and_key(tmp_path: Path, old: str, new: str, said: str):
    broken = tmp_path / "broken.toml"
    broken.write_text((themes_folder() / f"{DEFAULT}.toml").read_text().replace(old, new))
    with pytest.raises(UsageError, match=said) as raised:
        load_theme(broken)
    assert str(broken) in str(raised.value)
