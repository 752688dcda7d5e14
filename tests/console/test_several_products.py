"""Keys where an engine trades several products: they act on all and say so; the palette acts on one."""

from __future__ import annotations

from typing import Any

import pytest
from console.fakes import FakeSession
from console.running import Console, Running, words
from console.views import BTC, ETH, PAUSED_BY_HAND, hello, mirror, notice, product_view, view
from msgspec.structs import replace
from textual.widgets import Input

from engine.link.messages import CommandName, Verdict
from pinnacle_tui.palette_commands import ConsoleCommands, PaletteCommand
from pinnacle_tui.screens.kill_report import KillReport
from pinnacle_tui.widgets.key_bar import KeyBar
from pinnacle_tui.widgets.rows import row_text

N = CommandName


def session(btc: str = "ACTIVE", eth: str = "ACTIVE") -> FakeSession:
    shown = view(
        *(
            product_view(each, state=state, restrictions=(PAUSED_BY_HAND,) if state == "PAUSED" else ())
            for each, state in ((BTC, btc), (ETH, eth))
        )
    )
    return FakeSession(mirror(shown=shown, greeting=hello(BTC, ETH)))


def sent(console: Console) -> list[tuple[str, dict[str, str]]]:
    return [(each.command.name, each.command.arguments) for each in console.session.sent]


def commands(console: Console) -> dict[str, PaletteCommand]:
    return {command.name: command for command in ConsoleCommands(console.app.screen).commands()}


async def run(console: Console, name: str) -> None:
    result = commands(console)[name].run()
    if result is not None:
        await result
    await console.settle()


def offered(console: Console) -> str:
    screen: Any = console.app.screen
    return row_text(screen.query_one(KeyBar).shown_rows[0])


async def test_keys_act_on_all_products_and_say_so() -> None:
    async with Running(session(), size=(200, 40)) as console:
        assert "space pause all" in offered(console)
        assert "K kill all" in offered(console)
        await console.press("space", "K")
        assert sent(console) == [(N.PAUSE, {}), (N.KILL, {})]


async def test_what_befalls_all_products_alike_is_told_once_in_the_corner() -> None:
    async with Running(session()) as console:
        for eseq, product in enumerate(("BTC-USD", "ETH-USD"), 41):
            killed = notice(eseq, "critical", "KILL", "kill switch: kill")
            console.session.tell(replace(killed, product=product))
        console.session.tell(
            replace(notice(43, "critical", "KILL", "kill switch: by file"), product="ETH-USD")
        )
        await console.settle()
        assert console.told == ["kill switch: kill", "kill switch: by file"]


async def test_one_product_needs_no_such_word() -> None:
    async with Running(size=(200, 40)) as console:
        assert "space pause  " in offered(console)
        assert not any("alone" in name for name in commands(console))


@pytest.mark.parametrize(
    ("btc", "eth", "key"),
    [
        ("ACTIVE", "PAUSED", "pause all"),
        ("HALTED", "ACTIVE", "pause all"),
        ("PAUSED", "ACTIVE", "resume all"),
        ("KILLED", "PAUSED", "resume all"),
    ],
)
async def test_what_space_does_follows_the_product_that_is_shown_then_the_others(
    btc: str, eth: str, key: str
) -> None:
    async with Running(session(btc, eth), size=(200, 40)) as console:
        assert f"space {key}" in offered(console)


async def test_a_latch_of_a_product_that_is_not_shown_can_be_taken_back() -> None:
    async with Running(session("ACTIVE", "KILLED"), size=(200, 40)) as console:
        await console.press("R")
        assert "of all 2 products back and trade again?" in words(console.app)
        assert "ETH-USD: " in words(console.app)
        await console.press(*"BTC", "minus", *"USD", "enter")
        assert sent(console) == [(N.REARM, {})]


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("c", "Cancel 8 open orders of all 2 products?"),
        ("X", "Close the position of all 2 products at the market?"),
    ],
)
async def test_questions_say_whose_orders_and_positions(key: str, asked: str) -> None:
    async with Running(session()) as console:
        await console.press(key)
        assert asked in words(console.app)


@pytest.mark.parametrize("name", [N.PAUSE, N.RESUME, N.KILL])
async def test_the_palette_acts_on_the_product_that_is_shown_alone(name: CommandName) -> None:
    async with Running(session()) as console:
        await console.press("n")
        await run(console, f"ETH-USD alone: {name.value}")
        assert sent(console) == [(name, {"product": "ETH-USD"})]
        assert not isinstance(console.app.screen, KillReport)
        console.session.answer(Verdict.DONE, "ETH-USD alone: done", ms=2.0)
        await console.settle()
        assert "of ETH-USD alone: done in 2 ms" in console.told[-1]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (N.CANCEL_ALL, "Cancel 4 open orders of BTC-USD alone?"),
        (N.FLATTEN, "Close the position of BTC-USD alone at the market?"),
    ],
)
async def test_what_asks_for_all_asks_for_one_too(name: CommandName, asked: str) -> None:
    async with Running(session()) as console:
        await run(console, f"BTC-USD alone: {name.value.replace('_', ' ')}")
        assert asked in words(console.app)
        assert "ETH-USD" not in words(console.app)
        await console.press("y")
        assert sent(console) == [(name, {"product": "BTC-USD"})]


async def test_the_name_of_the_product_is_typed_to_rearm_it_alone() -> None:
    async with Running(session("KILLED", "KILLED")) as console:
        await run(console, "BTC-USD alone: rearm")
        assert "Take the halt of BTC-USD alone back" in words(console.app)
        await console.press(*"BTC", "minus", *"USD")
        assert console.app.screen.query_one(Input).value == "BTC-USD"
        await console.press("enter")
        assert sent(console) == [(N.REARM, {"product": "BTC-USD"})]


async def test_enter_after_kill_in_the_palette_kills_all() -> None:
    async with Running(session()) as console:
        await console.press("ctrl+p", *"kill")
        await console.app.workers.wait_for_complete()
        await console.settle()
        await console.press("enter")
        await console.settle()
        assert sent(console) == [(N.KILL, {})]
