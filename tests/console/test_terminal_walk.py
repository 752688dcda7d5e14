"""The real program in a real terminal, by keyboard: start, every screen, size and theme."""

from __future__ import annotations

import random
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from console.terminal import Home, Terminal

from pinnacle_tui.theme_file import themes_folder

OpenTerminal = Callable[..., Terminal]
SEEDED = ("--speed", "20", "--seed", "7")
PANELS = ("DEPTH", "P&L", "INVENTORY", "TICK TO QUOTE", "QUOTES", "ORDERS", "TRADES", "LOG", "DEPTH CHART")
SHOWN = {(80, 24): "12368", (120, 40): "12345678", (200, 60): "123456789"}
"""The panels that have a place on the main screen, by size, in reading order."""
PANELS_ROWS = slice(1, 30)
"""Of a screen of 40 rows: what neither status nor keys nor a toast changes."""
FOCUS = tomllib.loads((themes_folder() / "pinnacle.toml").read_text())["variables"]["focus"]


def headings(shown: str) -> str:
    """The numbers of the panels whose headings are on the screen."""
    titles = "|".join(sorted(PANELS, key=len, reverse=True))
    found = re.findall(rf"(?:^|\s)(\d) ({titles})(?=\s)", shown)
    return "".join(sorted(number for number, title in found if PANELS[int(number) - 1] == title))


def is_framed(shown: str) -> bool:
    """The state above, the keys below, nothing else there."""
    lines = shown.rstrip("\n").split("\n")
    return " SIM " in lines[0] and "kill" in lines[-1] and "kill" not in "".join(lines[1:-1])


def is_main(size: tuple[int, int]) -> Callable[[str], bool]:
    return lambda shown: headings(shown) == SHOWN[size] and is_framed(shown)


def focused(terminal: Terminal) -> str:
    """The number of the panel whose heading shows that the keys go there."""
    red, green, blue = (int(FOCUS[at : at + 2], 16) for at in (1, 3, 5))
    found = re.findall(rf"\x1b\[48;2;{red};{green};{blue}m(\d) [A-Z]", terminal.screen(colours=True))
    return "".join(found)


# -- start and trade ------------------------------------------------------------------------------------


def late(home: Home, until_that: str) -> dict[str, str]:
    """An environment in which an engine that is started waits for a condition before it does anything."""
    hooks = home.folder / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "began = time.monotonic()\n"
        f"while '--no-ui' in sys.orig_argv and not ({until_that}):\n"
        "    time.sleep(0.01)\n"
    )
    return {"PYTHONPATH": str(hooks)}


def test_before_data_has_come_the_screen_says_so_and_shows_no_figure(
    home: Home, open_terminal: OpenTerminal
) -> None:
    gate = home.folder / "gate"
    terminal = open_terminal(environment=late(home, f"os.path.exists({str(gate)!r})"))
    terminal.run("pinnacle-tui")
    shown = terminal.wait_for("connecting to the engine")
    assert "ACTIVE" not in shown
    assert not re.search(r"\d[.,]\d", shown)
    gate.touch()
    terminal.wait_for(" ACTIVE ")


@pytest.mark.nightly
def test_an_engine_that_takes_long_to_start_is_waited_for(home: Home, open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(environment=late(home, "time.monotonic() - began > 12"))
    terminal.start()
    terminal.wait_for("6 working")


def test_the_market_is_live_within_seconds_and_trades(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    terminal.run("pinnacle-tui --speed 20 --seed 7")
    shown = terminal.wait_for(lambda shown: " ACTIVE " in shown and "● live" in shown, within_s=8)
    assert " SIM " in shown
    assert " BTC-USD " in shown
    shown = terminal.wait_for("6 working")
    terminal.wait_for(lambda shown: re.search(r"0\.\d{4} ● 6\d,\d{3}\.\d\d ", shown))  # ours in the ladder
    terminal.wait_for(lambda shown: re.search(r"sell +6\d,\d{3}\.\d\d .* open +A0", shown))  # in the blotter
    terminal.wait_for(lambda shown: re.search(r" [1-9]\d* fills", shown))
    terminal.wait_for(
        lambda shown: re.search(r"\d\d:\d\d:\d\d\.\d{3}  fill +(buy|sell) 0\.\d{4} at .* maker", shown)
    )
    terminal.wait_for(
        lambda _: re.fullmatch(r"SIM BTC-USD ACTIVE [+−]\d[\d,]*\.\d\d", terminal.title), within_s=5
    )


# -- every screen and panel -----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_a_digit_leads_to_its_panel_and_z_shows_it_alone(
    open_terminal: OpenTerminal, size: tuple[int, int]
) -> None:
    terminal = open_terminal(columns=size[0], rows=size[1])
    terminal.start(*SEEDED)
    terminal.wait_for(is_main(size))
    for number in "123456789":
        terminal.send(number)
        if number in SHOWN[size]:
            terminal.wait_for(lambda _, number=number: focused(terminal) == number)
            terminal.send("z")
        shown = terminal.wait_for(lambda shown, number=number: headings(shown) == number)
        lines = shown.split("\n")
        assert lines[1].startswith(f"{number} {PANELS[int(number) - 1]}")
        assert is_framed(shown)
        assert "╱" not in shown  # nothing of the screen is left over
        terminal.send("Escape" if int(number) % 2 else "0")
        terminal.wait_for(is_main(size))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_tab_walks_the_panels_in_reading_order(open_terminal: OpenTerminal, size: tuple[int, int]) -> None:
    terminal = open_terminal(columns=size[0], rows=size[1])
    terminal.start(*SEEDED)
    shown = SHOWN[size]
    terminal.wait_for(lambda _: focused(terminal) == "1")
    for number in shown[1:] + "1":
        terminal.send("Tab")
        terminal.wait_for(lambda _, number=number: focused(terminal) == number)
    for number in reversed(shown):
        terminal.send("BTab")
        terminal.wait_for(lambda _, number=number: focused(terminal) == number)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_every_screen_opens_by_its_key_and_escape_comes_back(
    open_terminal: OpenTerminal, size: tuple[int, int]
) -> None:
    terminal = open_terminal(columns=size[0], rows=size[1])
    terminal.start(*SEEDED)
    terminal.wait_for(is_main(size))
    screens = {
        "e": ("\nQUOTES", "WHY "),
        "s": ("\nSETTINGS", "engine.mode"),
        "o": ("\nORDERS", "fills"),
        "r": ("\nLIMITS", "MARKOUTS"),
        "l": ("\nTICK TO QUOTE", "wake-up late"),
    }
    for key, texts in screens.items():
        terminal.send(key)
        terminal.wait_for(lambda shown, texts=texts: all(map(shown.__contains__, texts)) and is_framed(shown))
        terminal.send("Escape")
        terminal.wait_for(is_main(size))
    # A second press closes; one screen takes the place of another.
    terminal.send("r")
    terminal.wait_for("\nLIMITS")
    terminal.send("r")
    terminal.wait_for(is_main(size))
    terminal.send("o")
    terminal.wait_for("\nORDERS")
    terminal.send("l")
    terminal.wait_for("\nTICK TO QUOTE")
    terminal.send("Escape")
    terminal.wait_for(is_main(size))
    for key, content in {"t": "Colours", "?": "This panel: depth", "C-p": "Search for commands"}.items():
        terminal.send(key)
        terminal.wait_for(content)
        terminal.send("Escape")
        terminal.wait_for(is_main(size))


def test_a_command_of_the_palette_is_run_by_its_name_and_none_is_offered_that_does_nothing(
    open_terminal: OpenTerminal,
) -> None:
    terminal = open_terminal()
    terminal.start(*SEEDED)
    terminal.send("C-p")
    terminal.wait_for("Search for commands")
    terminal.type("next product")
    terminal.wait_for("next product")
    terminal.wait_for("No matches found")
    terminal.send("Escape")
    terminal.wait_gone("No matches found")
    terminal.send("C-p")
    terminal.wait_for("Search for commands")
    terminal.type("refresh rate: 5")
    terminal.wait_for("refresh rate: 5 Hz")
    terminal.send("Enter")
    terminal.wait_for("5 redraws a second")
    terminal.wait_for(is_main((120, 40)))


def test_frozen_means_frozen_and_says_so_while_data_goes_on(home: Home, open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    terminal.start(*SEEDED)
    terminal.wait_for(is_main((120, 40)))
    terminal.send("f")
    before = terminal.wait_for("FROZEN").split("\n")
    fills = home.look()[1].products[0].pnl.fills
    terminal.wait_for(lambda _: home.look()[1].products[0].pnl.fills > fills)
    after = terminal.wait_for("FROZEN").split("\n")
    assert before[PANELS_ROWS] == after[PANELS_ROWS]
    terminal.send("f")
    terminal.wait_gone("FROZEN")
    terminal.wait_for(lambda shown: shown.split("\n")[PANELS_ROWS] != before[PANELS_ROWS])


def test_what_drawing_costs_can_be_seen(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    terminal.start(*SEEDED)
    terminal.wait_for("ms/frame")
    terminal.send("d")
    terminal.wait_for(lambda shown: re.search(r"ms/frame  \d+\.\d/s  \d+% of a core", shown))
    terminal.send("d")
    terminal.wait_gone("of a core")


# -- every size -----------------------------------------------------------------------------------------


def test_a_storm_of_resizes_ends_in_the_right_picture(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    terminal.start(*SEEDED)
    console, engine = terminal.console(), terminal.engine()
    chosen = random.Random(7)
    for _ in range(50):
        terminal.resize(chosen.randint(20, 200), chosen.randint(5, 60))
        terminal.screen()
    for size in ((120, 40), (80, 24), (200, 60), (80, 24)):
        terminal.resize(*size)
        shown = terminal.wait_for(is_main(size))
        assert len(shown.rstrip("\n").split("\n")) == size[1]
    assert terminal.console().pid == console.pid
    assert terminal.engine().pid == engine.pid
    assert not terminal.home.reports()


def test_a_terminal_that_is_too_small_says_what_is_needed_and_shows_one_panel_alone(
    open_terminal: OpenTerminal,
) -> None:
    terminal = open_terminal()
    terminal.start(*SEEDED)
    terminal.wait_gone("maker 2 bps, taker 6 bps")
    terminal.resize(40, 10)
    shown = terminal.wait_for(lambda shown: "60x16 needed, 40x10 here" in shown and is_framed(shown))
    assert headings(shown) == ""
    terminal.send("6")
    shown = terminal.wait_for(lambda shown: "6 ORDERS" in shown and is_framed(shown))
    assert "needed" not in shown
    terminal.send("0")
    terminal.wait_for("60x16 needed, 40x10 here")
    terminal.resize(60, 16)
    terminal.wait_for(lambda shown: headings(shown) == "12368")
    terminal.wait_for(lambda _: focused(terminal))  # the keys lead somewhere again


# -- themes ---------------------------------------------------------------------------------------------


def background(terminal: Terminal) -> str:
    """The colour behind the first word."""
    found = re.search(r"48;2;\d+;\d+;\d+", terminal.screen(colours=True))
    return found[0] if found else ""


def test_a_theme_is_seen_while_it_is_chosen_and_remembered(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    terminal.start(*SEEDED)
    first = background(terminal)
    terminal.send("t")
    terminal.wait_for("Colours")
    terminal.send("Down")  # seen before it is chosen
    terminal.wait_for(lambda _: background(terminal) not in (first, ""))
    terminal.send("Escape")
    terminal.wait_for(lambda _: background(terminal) == first)
    terminal.wait_for(is_main((120, 40)))
    terminal.send("t")
    terminal.wait_for("Colours")
    terminal.send("Down")
    terminal.wait_for(lambda _: background(terminal) not in (first, ""))
    terminal.send("Enter")
    terminal.wait_for(is_main((120, 40)))
    second = background(terminal)
    assert second != first
    leave(terminal)
    terminal.start(*SEEDED)
    terminal.wait_for(lambda _: background(terminal) == second)


def test_a_theme_file_is_followed_while_it_is_edited(home: Home, open_terminal: OpenTerminal) -> None:
    themes = home.config / "themes"
    themes.mkdir(parents=True)
    mine = themes / "mine.toml"
    shutil.copy(themes_folder() / "pinnacle.toml", mine)
    terminal = open_terminal()
    terminal.start(*SEEDED, "--theme", "mine")
    assert background(terminal) == "48;2;13;18;25"
    edit(mine, 'background = "#0d1219"', 'background = "#210304"')
    terminal.wait_for(lambda _: background(terminal) == "48;2;33;3;4")
    edit(mine, 'background = "#210304"', 'background = "mud"')
    shown = " ".join(terminal.wait_for("mine.toml").split())
    assert "background" in shown
    assert "mud" in shown
    assert background(terminal) == "48;2;33;3;4"  # the last that was whole stays


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def leave(terminal: Terminal) -> None:
    """Quit, with whatever orders there are."""
    terminal.send("q")
    terminal.answer("y", "Quit while")
    assert terminal.prompt() == 0


# -- terminals of few colours ---------------------------------------------------------------------------


def codes(raw: bytes) -> set[int]:
    """The attributes that were set, by their first number."""
    return {int(code) for found in re.findall(rb"\x1b\[([\d;]*)m", raw) for code in found.split(b";") if code}


def test_without_colours_there_is_none(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(environment={"NO_COLOR": "1"})
    terminal.start(*SEEDED)
    terminal.send("c")
    terminal.wait_for("Yes, cancel all")
    assert {code for code in codes(terminal.raw) if code >= 30} <= {39, 49}


def test_a_terminal_of_sixteen_colours_gets_no_others(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(environment={"COLORTERM": ""}, term="xterm")
    terminal.start(*SEEDED)
    terminal.wait_for(is_main((120, 40)))
    colours = {code for code in codes(terminal.raw) if code >= 30}
    assert colours <= {*range(30, 38), 39, *range(40, 48), 49, *range(90, 98), *range(100, 108)}
    # What is written is not in the colour of its ground.
    for fore, back in re.findall(rb"\x1b\[(?:\d;)*(3\d|9\d);(4\d|10\d)m", terminal.raw):
        assert int(fore) + 10 != int(back)


def test_a_terminal_that_cannot_draw_is_refused(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(term="dumb")
    terminal.run("pinnacle-tui")
    assert terminal.prompt() == 2
    assert "--no-ui" in terminal.screen()
    terminal.run("pinnacle-tui </dev/null")
    assert terminal.prompt() == 2
    terminal.run("pinnacle-tui | cat; (exit ${PIPESTATUS[0]})")
    assert terminal.prompt() == 2
    assert not terminal.home.runtime.exists()
