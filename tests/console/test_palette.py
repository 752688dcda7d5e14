"""The palette: words to styles, with colours and without."""

from __future__ import annotations

import itertools

import pytest
from rich.color import Color
from rich.style import Style

from pinnacle_tui.palette import COLOURS, GROUNDS, SHADES, Palette
from pinnacle_tui.themes import default_variables

VARIABLES = default_variables()
NAMES = (*COLOURS, *SHADES, *GROUNDS)
ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_alone_is_its_colour_on_the_background(name: str):
    style = Palette(VARIABLES).style(name)
    assert style == Style(color=VARIABLES[name], bgcolor=VARIABLES["background"])


def test_every_name_goes_with_every_attribute_and_ground():
    palette = Palette(VARIABLES)
    for name, attribute, ground in itertools.product(NAMES, ATTRIBUTES, GROUNDS):
        style = palette.style(f"{name} {attribute} on {ground}")
        assert style.color == Color.parse(VARIABLES[name])
        assert style.bgcolor == Color.parse(VARIABLES[ground])
        assert [each for each in ATTRIBUTES if getattr(style, each)] == [attribute]


def test_attributes_add_up():
    style = Palette(VARIABLES).style("muted italic underline")
    assert (style.italic, style.underline, style.bold) == (True, True, None)


@pytest.mark.parametrize("is_colourless", [False, True])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("bids", "bids"),
        ("bid on chosen", "chosen"),
        ("bid blinking", "blinking"),
        ("", "of the name "),
        ("bold", "bold"),
    ],
)
def test_a_word_that_means_nothing_is_an_error(words: str, said: str, is_colourless: bool):
    with pytest.raises(KeyError, match=said):
        Palette(VARIABLES, is_colourless=is_colourless).style(words)


def test_the_same_words_are_the_same_style():
    palette = Palette(VARIABLES)
    assert palette.style("bid bold") is palette.style("bid bold")


def test_without_colours_there_is_no_colour_at_all():
    palette = Palette(VARIABLES, is_colourless=True)
    for name, ground in itertools.product(NAMES, GROUNDS):
        style = palette.style(f"{name} on {ground}")
        assert style.color is None
        assert style.bgcolor is None


def test_without_colours_attributes_carry_what_matters():
    style = Palette(VARIABLES, is_colourless=True).style
    plain = style("text")
    for name in ("danger", "live", "warning", "own", "muted", "stale", "title"):
        assert style(name) != plain
    assert style("danger") != style("warning")
    assert style("stale").dim
    for ground in ("selected", "changed", "focus"):
        assert style(f"text on {ground}") != plain
    assert style("text on selected") != style("text on changed")
    assert style("muted italic") == Style(dim=True, italic=True)


def test_without_colours_a_marked_row_stays_marked_whatever_it_says():
    style = Palette(VARIABLES, is_colourless=True).style
    for name in COLOURS:
        assert style(f"{name} on selected").reverse
        assert style(f"{name} on changed").underline
