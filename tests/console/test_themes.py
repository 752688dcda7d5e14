"""The shipped themes: everybody can read them, on every terminal, and Textual shows them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from console.colour_vision import DEUTERANOPIA, PROTANOPIA, Matrix, contrast, seen_difference
from console.themed_app import ThemedApp
from rich._palettes import STANDARD_PALETTE
from rich.color import Color, ColorSystem
from textual.widgets import Static

from pinnacle_tui.palette import COLOURS, GROUNDS, SHADES
from pinnacle_tui.sixteen_colours import in_sixteen_colours
from pinnacle_tui.theme_check import theme_check
from pinnacle_tui.theme_file import OWN, SHARED, ThemeFile, read_theme, theme_paths, themes_folder
from pinnacle_tui.themes import (
    DEFAULT,
    ThemeLibrary,
    default_variables,
    has_sixteen_colours,
    load_theme,
    palette_variables,
)

SHIPPED = {path.stem: read_theme(path) for path in theme_paths(themes_folder())}
EVERY_THEME = pytest.mark.parametrize("theme", SHIPPED.values(), ids=SHIPPED.keys())
READABLE = 4.5


# -- the shipped themes --------------------------------------------------------------------------------


def test_the_themes_that_are_promised_are_shipped():
    promised = {DEFAULT, "pinnacle-light", "high-contrast", "blue-orange", "monochrome", "amber"}
    assert promised <= SHIPPED.keys()
    assert len(SHIPPED) >= 10
    assert [stem for stem, theme in SHIPPED.items() if stem != theme.name] == []


def test_the_wheel_holds_the_themes():
    project = tomllib.loads((themes_folder().parent / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["themes"] == "pinnacle_tui/themes"


@EVERY_THEME
def test_every_colour_of_writing_can_be_read_on_the_background(theme: ThemeFile):
    background = theme.meanings["background"]
    faint = {name: contrast(theme.meanings[name], background) for name in COLOURS}
    assert {name: ratio for name, ratio in faint.items() if ratio < READABLE} == {}


@EVERY_THEME
def test_text_can_be_read_on_every_ground(theme: ThemeFile):
    for ground in (theme.meanings[name] for name in GROUNDS):
        assert contrast(theme.meanings["text"], ground) >= READABLE
    for name in ("surface", "panel"):
        assert contrast(theme.design["foreground"], theme.design[name]) >= READABLE


@EVERY_THEME
@pytest.mark.parametrize("ground", ["selected", "changed"])
def test_prices_can_be_read_on_marked_rows(theme: ThemeFile, ground: str):
    for name in ("bid", "ask", "up", "down", "own"):
        assert contrast(theme.meanings[name], theme.meanings[ground]) >= READABLE


@EVERY_THEME
def test_bars_lines_and_grounds_differ_from_the_background(theme: ThemeFile):
    background = theme.meanings["background"]
    for name in (*SHADES, *GROUNDS[1:]):
        assert contrast(theme.meanings[name], background) >= 1.1


@EVERY_THEME
def test_a_theme_is_dark_where_it_says_so(theme: ThemeFile):
    assert theme.is_dark == (contrast(theme.meanings["background"], "#000000") < 4)


@EVERY_THEME
def test_a_muted_colour_is_quieter_than_text(theme: ThemeFile):
    background = theme.meanings["background"]
    text, muted, stale = (contrast(theme.meanings[name], background) for name in ("text", "muted", "stale"))
    assert muted < text / 1.2
    assert stale < text / 1.2


@EVERY_THEME
@pytest.mark.parametrize("vision", [DEUTERANOPIA, PROTANOPIA], ids=["deuteranopia", "protanopia"])
def test_the_sides_differ_for_the_colour_blind(theme: ThemeFile, vision: Matrix):
    # Themes of one hue tell the sides apart by brightness, the others by blue against orange.
    least = 20 if theme.name in ("monochrome", "amber") else 30
    for one, other in (("bid", "ask"), ("up", "down")):
        assert seen_difference(theme.meanings[one], theme.meanings[other], vision) >= least


@pytest.mark.parametrize("name", [DEFAULT, "blue-orange", "high-contrast"])
@pytest.mark.parametrize("vision", [DEUTERANOPIA, PROTANOPIA], ids=["deuteranopia", "protanopia"])
def test_the_sides_are_far_apart_in_the_themes_for_the_colour_blind(name: str, vision: Matrix):
    meanings = SHIPPED[name].meanings
    for one, other in (("bid", "ask"), ("up", "down"), ("depth-bid", "depth-ask")):
        assert seen_difference(meanings[one], meanings[other], vision) >= 40
    for name in ("danger", "warning", "live"):
        assert seen_difference(meanings[name], meanings["text"], vision) >= 20


def test_the_measure_of_colour_vision_sees_what_is_known_of_it():
    # Two that the deuteranope confuses and everybody else does not; and blue against orange.
    assert seen_difference("#d7191c", "#6b5a00", DEUTERANOPIA) < 20
    assert seen_difference("#0000ff", "#ff8000", DEUTERANOPIA) > 100


def test_high_contrast_is_high():
    meanings = SHIPPED["high-contrast"].meanings
    assert min(contrast(meanings[name], meanings["background"]) for name in COLOURS) >= 7


def test_monochrome_has_greys_only():
    theme = SHIPPED["monochrome"]
    for colour in (*theme.meanings.values(), *theme.design.values()):
        assert colour[1:3] == colour[3:5] == colour[5:7]


async def test_textual_shows_every_shipped_theme():
    app = ThemedApp()
    library = ThemeLibrary([themes_folder()])
    library.load()
    async with app.run_test() as pilot:
        for name, theme in library.themes.items():
            generated = theme.to_color_system().generate()
            assert generated["block-cursor-background"] == theme.variables["selected"]
            app.register_theme(theme)
            app.theme = name
            await pilot.pause()
            static = app.query_one(Static)
            assert static.styles.color.hex.lower() == theme.variables["bid"].lower()
            assert static.styles.background.hex.lower() == theme.variables["selected"].lower()


@EVERY_THEME
def test_the_label_of_a_coloured_button_can_be_read(theme: ThemeFile):
    label = load_theme(theme.path).variables["button-color-foreground"]
    for name in ("primary", "success", "warning", "error"):
        assert contrast(label, theme.design[name]) >= READABLE


async def test_a_theme_that_is_not_ours_has_every_meaning_too():
    app = ThemedApp()
    async with app.run_test():
        app.theme = "textual-light"
        variables = palette_variables(app.current_theme)
        assert {*COLOURS, *SHADES, *GROUNDS} <= variables.keys()
        assert {*COLOURS, *SHADES, *GROUNDS} <= app.get_css_variables().keys()


# -- sixteen colours -----------------------------------------------------------------------------------


def in_sixteen(colour: str) -> int:
    """The number of the terminal's colour that Rich makes of it."""
    number = Color.parse(colour).downgrade(ColorSystem.STANDARD).number
    assert number is not None
    return number


@pytest.mark.parametrize("name", [DEFAULT, "pinnacle-light"])
def test_sixteen_colours_are_enough_to_tell_what_matters(name: str):
    meanings = in_sixteen_colours(SHIPPED[name]).meanings
    background, text = meanings["background"], meanings["text"]
    for meaning in COLOURS:
        assert contrast(meanings[meaning], background) >= READABLE
        assert in_sixteen(meanings[meaning]) != in_sixteen(background)
    for ground in GROUNDS:
        assert contrast(text, meanings[ground]) >= READABLE
    for meaning in ("danger", "warning", "live", "bid", "ask", "own", "muted", "stale"):
        assert in_sixteen(meanings[meaning]) != in_sixteen(text)
    told_apart = [in_sixteen(meanings[meaning]) for meaning in ("bid", "ask", "own", "text")]
    assert len(set(told_apart)) == len(told_apart)
    assert in_sixteen(meanings["warning"]) != in_sixteen(meanings["danger"])
    for vision in (DEUTERANOPIA, PROTANOPIA):
        assert seen_difference(meanings["bid"], meanings["ask"], vision) >= 40


@pytest.mark.parametrize("name", [DEFAULT, "pinnacle-light"])
def test_a_colour_for_sixteen_comes_out_as_itself(name: str):
    theme = in_sixteen_colours(SHIPPED[name])
    for colour in (*theme.meanings.values(), *theme.design.values()):
        assert STANDARD_PALETTE[in_sixteen(colour)] == Color.parse(colour).triplet


def test_a_library_for_sixteen_colours_keeps_names_and_darkness():
    plain, few = ThemeLibrary([themes_folder()]), ThemeLibrary([themes_folder()], is_sixteen=True)
    plain.load()
    few.load()
    assert [(t.name, t.dark) for t in few.themes.values()] == [
        (t.name, t.dark) for t in plain.themes.values()
    ]
    assert few.themes[DEFAULT].variables["bid"] == few.themes["gruvbox"].variables["bid"]


@pytest.mark.parametrize(
    ("terminal", "colorterm", "expected"),
    [("xterm", "", True), ("linux", "", True), ("xterm-256color", "", False), ("xterm", "truecolor", False)],
)
def test_a_terminal_of_sixteen_colours_is_recognised(
    monkeypatch: pytest.MonkeyPatch, terminal: str, colorterm: str, expected: bool
):
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setenv("COLORTERM", colorterm)
    assert has_sixteen_colours() is expected


def test_every_name_of_a_meaning_comes_from_one_place():
    assert sorted((*OWN, *SHARED)) == sorted((*COLOURS, *SHADES, *GROUNDS))
    assert default_variables() == dict(SHIPPED[DEFAULT].meanings)


def test_every_shipped_theme_passes_its_own_check(tmp_path: Path):
    answer = theme_check(folders=(themes_folder(), tmp_path))
    assert len(answer["checked"]) == len(SHIPPED)
    assert answer["hints"] == []
