"""The real program in a real terminal: pause, cancel, kill, rearm, settings, by key, to the proof."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from console.terminal import Home, Terminal

OpenTerminal = Callable[..., Terminal]


@pytest.fixture
def terminal(open_terminal: OpenTerminal) -> Terminal:
    """A console with orders in the market."""
    opened: Terminal = open_terminal()
    opened.start("--speed", "20", "--seed", "7")
    opened.wait_for("6 working")
    return opened


def open_orders(home: Home) -> int:
    """As the engine tells somebody else."""
    return len(home.look()[1].products[0].orders)


def state(home: Home) -> str:
    return home.look()[1].products[0].state


def test_space_pulls_every_order_and_the_next_one_quotes_again(home: Home, terminal: Terminal) -> None:
    terminal.send("Space")
    terminal.wait_for("pause quoting: done in ")
    terminal.wait_for(lambda shown: " PAUSED " in shown and "ORDERS 0 working" in shown)
    terminal.wait_for(lambda shown: "space resume" in shown.split("\n")[-2])
    assert (state(home), open_orders(home)) == ("PAUSED", 0)
    terminal.wait_for(lambda _: terminal.title.startswith("! SIM BTC-USD PAUSED"))
    terminal.send("Space")
    terminal.wait_for(lambda shown: " ACTIVE " in shown and "6 working" in shown)


def test_cancel_all_asks_and_enter_is_no(home: Home, terminal: Terminal) -> None:
    terminal.send("Space")  # so that no new order comes in the place of one that is cancelled
    terminal.wait_for(" PAUSED ")
    terminal.send("Space")
    terminal.wait_for("6 working")
    terminal.send("c")
    terminal.answer("Enter", "Cancelling cannot be undone")
    terminal.wait_gone("Cancelling cannot be undone")
    assert "cancel all:" not in terminal.screen()
    terminal.send("c")
    terminal.answer("y", "Cancelling cannot be undone")
    terminal.wait_for("cancel all: done in ")
    terminal.wait_for(" ACTIVE ")
    assert state(home) == "ACTIVE"


def test_a_key_that_was_held_down_answers_no_question(terminal: Terminal) -> None:
    terminal.send("c", "y", "y", "y")
    terminal.wait_for("Yes, cancel all")
    terminal.answer("Escape", "Yes, cancel all")
    shown = terminal.wait_gone("Yes, cancel all")
    assert "cancel all:" not in shown


def test_the_kill_switch_acts_at_once_and_shows_the_proof(home: Home, terminal: Terminal) -> None:
    terminal.send("K")
    assert "venue was asked twice and lists no order of ours" in terminal.wait_for("✓ proven")
    assert (state(home), open_orders(home)) == ("KILLED", 0)
    terminal.wait_for(" KILLED ")  # what stands above the report is the present, too
    terminal.send("Escape")
    terminal.wait_for(lambda shown: "ORDERS 0 working" in shown and "R rearm" in shown)
    terminal.wait_for(lambda _: terminal.title.startswith("! SIM BTC-USD KILLED"))
    # Taking it back needs the product's name, whole.
    terminal.send("R")
    terminal.wait_for("Type BTC-USD to go on")
    terminal.type("BTC-US")
    terminal.wait_for(lambda shown: re.search(r"▌ +BTC-US *$", shown, re.MULTILINE))
    assert "Yes, rearm" not in terminal.screen()
    terminal.type("D")
    terminal.answer("Enter", "Yes, rearm")
    terminal.wait_for(lambda shown: " ACTIVE " in shown and "6 working" in shown)


def test_the_kill_switch_works_over_a_question(home: Home, terminal: Terminal) -> None:
    terminal.send("c")
    terminal.wait_for("Yes, cancel all")
    terminal.send("K")
    terminal.wait_for(lambda shown: "✓ proven" in shown and " KILLED " in shown)
    assert (state(home), open_orders(home)) == ("KILLED", 0)
    terminal.send("Escape")
    terminal.wait_gone("✓ proven")
    terminal.send("Escape")
    terminal.wait_for(lambda shown: "ORDERS 0 working" in shown and "Yes, cancel all" not in shown)


def test_while_typing_a_filter_k_is_a_letter_and_control_k_the_switch(home: Home, terminal: Terminal) -> None:
    terminal.send("o")
    terminal.wait_for("/ filter")
    terminal.send("/")
    terminal.wait_for("F9 kill")
    terminal.send("K")
    terminal.wait_for("/K")
    assert state(home) == "ACTIVE"
    terminal.send("F9")
    terminal.wait_for("✓ proven")
    assert (state(home), open_orders(home)) == ("KILLED", 0)


def test_a_setting_is_changed_while_trading_goes_on_and_taken_back(home: Home, terminal: Terminal) -> None:
    terminal.send("s")
    terminal.wait_for("/ filter")
    terminal.send("/")
    terminal.wait_for("enter keeps it, escape clears it")
    terminal.type("strategy.levels")
    terminal.wait_for(" 1 of ")
    terminal.send("Enter")
    terminal.wait_gone("enter keeps it, escape clears it")
    terminal.send("Down")
    terminal.wait_for("Price levels per side.")
    terminal.send("Enter")
    terminal.wait_for("enter shows the change before anything is sent")
    terminal.send("C-u")
    terminal.wait_for("expected integer")
    terminal.type("2")
    terminal.wait_for("enter shows the change before anything is sent")
    terminal.send("Enter")
    terminal.answer("y", "Change it")
    terminal.wait_for("strategy.levels: 3 → 2; u takes it back")
    assert home.look()[0].settings["strategy.levels"] == "2"
    terminal.send("Escape")
    terminal.wait_for(lambda shown: "quoting 2x2" in shown and "esc     Close" not in shown)
    terminal.send("u")
    terminal.wait_for("quoting 3x3")
    assert home.look()[0].settings["strategy.levels"] == "3"
