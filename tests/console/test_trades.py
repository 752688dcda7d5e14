"""The tape: what it shows of every print, what it says of those it was not told of."""

from __future__ import annotations

import msgspec
import pytest
from console.panel_app import PanelApp, shown
from console.views import BTC, MID, WALL, hello, mirror, palette, product_view, scene, view
from hypothesis import given
from hypothesis import strategies as st

from engine.link.tape import KEPT, Missed, Print, Tape
from engine.link.view import Trade
from pinnacle_tui.widgets.rows import row_text
from pinnacle_tui.widgets.trades import TradesPanel


def trade(number: int, size: int = 1_000_000, **changes: object) -> Trade:
    made = Trade(number, WALL + number, MID + number, size, 1 if number % 2 else -1)
    return msgspec.structs.replace(made, **changes)


def told(first: int, last: int) -> tuple[Trade, ...]:
    return tuple(trade(number) for number in range(first, last + 1))


def numbers(tape: Tape) -> list[int | str]:
    return [entry.number if isinstance(entry, Print) else f"-{entry.count}" for entry in tape.newest_first]


def test_prints_that_outran_the_views_are_counted() -> None:
    tape = Tape()
    tape.take(told(1, 3), 3)
    assert numbers(tape) == [3, 2, 1]
    tape.take(told(2, 4), 4)
    before = tape.newest_first
    tape.take(told(2, 4), 4)
    assert tape.newest_first is before
    tape.take(told(10, 12), 12)
    assert numbers(tape) == [12, 11, 10, "-5", 4, 3, 2, 1]
    tape.take(told(1, 2), 2)  # Another engine.
    assert numbers(tape) == [2, 1]


def test_a_tape_that_begins_late_says_what_came_before() -> None:
    tape = Tape()
    tape.take(told(4_692, 4_711), 4_711)
    assert tape.newest_first[-1] == Missed(4_691, 4_691)


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 60)), max_size=30))
def test_every_print_is_shown_or_counted_once(views: list[tuple[int, int]]) -> None:
    tape, count = Tape(), 0
    for more, kept in views:
        count += more
        tape.take(told(max(1, count - kept + 1), count), count)
    entries = tape.newest_first
    assert len(entries) <= KEPT
    accounted = sum(entry.count if isinstance(entry, Missed) else 1 for entry in entries)
    if len(entries) < KEPT:
        assert accounted == count
    assert all(entry.trade.trade_id == entry.number for entry in entries if isinstance(entry, Print))


def test_a_fill_may_become_known_after_its_print() -> None:
    tape = Tape()
    tape.take(told(1, 5), 5)
    ours = tuple(trade(number, is_ours=number == 4) for number in range(2, 6))
    tape.take(ours, 5)
    assert [entry.trade.is_ours for entry in tape.newest_first if isinstance(entry, Print)] == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_a_print_is_big_against_what_was_usual_when_it_came() -> None:
    tape = Tape()
    tape.take((*told(1, 20), trade(21, 5_000_000), trade(22, 4_999_999)), 22)
    big = {entry.number for entry in tape.newest_first if isinstance(entry, Print) and entry.is_big}
    assert big == {21}
    few = Tape()
    few.take((trade(1), trade(2, 9_000_000)), 2)
    assert not any(isinstance(entry, Print) and entry.is_big for entry in few.newest_first)


def panel_over(trades: tuple[Trade, ...], count: int) -> tuple[TradesPanel, object]:
    panel = TradesPanel(palette(), id="trades")
    now = scene(mirror(shown=view(product_view(trades=trades, trade_count=count))))
    panel.show(now)
    return panel, now


async def test_what_the_tape_looks_like() -> None:
    panel = TradesPanel(palette(), id="trades")
    async with PanelApp(panel).run_test(size=(58, 24)) as pilot:
        panel.show(scene())
        await pilot.pause()
        lines = shown(panel)
        assert lines[0] == "TRADES 4,711 prints"
        assert lines[1].split() == ["time▼", "price", "size", "taker", "ours", "id"]
        assert lines[2] == " 09:01:07.002  65,089.05  0.0738  ▲ buy          919"
        assert lines[3] == " 09:01:06.592  65,088.65  0.0615  ▼ sell         918"
        assert lines[5] == " 09:01:05.772  65,088.95  0.0369  ▲ buy   ours   916"
        assert lines[22] == " … 4,691 prints not shown"
        styles = {text.strip(): words for text, words in panel.shown_rows[5]}
        assert styles["▲ buy"] == styles["65,088.95"] == "up"
        assert styles["ours"] == "own bold"


@pytest.mark.parametrize(
    ("width", "said"), [(1, ""), (12, "65,088.55"), (24, "65,088.55 0.0100 ▲ buy"), (40, "09:01:07.412")]
)
def test_narrow_tapes_keep_the_price(width: int, said: str) -> None:
    panel, now = panel_over((trade(1, price=MID), trade(2, price=MID)), 2)
    rows = [row_text(row) for row in panel.rows(now, width, 4)]  # type: ignore[arg-type]
    assert said in rows[2]
    assert not any("#" in row or "…" in row for row in rows)


async def test_a_big_print_is_bold_and_a_gap_has_no_place_in_another_order() -> None:
    panel = TradesPanel(palette(), id="trades")
    app = PanelApp(panel)
    async with app.run_test(size=(60, 12)) as pilot:
        known = mirror(shown=view(product_view(trades=told(1, 20), trade_count=20)))
        panel.show(scene(known))
        known.apply(view(product_view(trades=(trade(30, 9_000_000),), trade_count=30)), 1)
        panel.show(scene(known))
        await pilot.pause()
        assert shown(panel)[3] == " … 9 prints not shown"
        assert {words for text, words in panel.shown_rows[2] if text.strip()} == {
            "muted bold",
            "down bold",
            "text bold",
        }
        await pilot.press("down", "down", "y")  # A gap has nothing to copy.
        assert app.copied == []
        await pilot.press("up", "y")
        assert app.copied == [("2026-01-05T09:01:07.412000030Z\t65088.85\t0.09000000\tsell\t\t30", "1 trade")]
        await pilot.press("Y")
        assert app.copied[-1][1] == "21 trades"
        await pilot.press("exclamation_mark")
        assert not any("not shown" in line for line in shown(panel))
        await pilot.press("exclamation_mark", "slash", *"buy")
        assert not any("not shown" in line for line in shown(panel))
        assert len(panel.items) == 10


async def test_each_product_has_its_tape_and_another_engine_a_new_one() -> None:
    eth = product_view(trades=told(1, 2), trade_count=2)
    eth = msgspec.structs.replace(eth, symbol="ETH-USD")
    other = msgspec.structs.replace(BTC, symbol="ETH-USD")
    known = mirror(greeting=hello(BTC, other), shown=view(product_view(), eth))
    panel = TradesPanel(palette(), id="trades")
    async with PanelApp(panel).run_test(size=(60, 30)) as pilot:
        panel.show(scene(known))
        await pilot.pause()
        assert len(panel.items) == 21
        panel.show(scene(known, symbol="ETH-USD"))
        assert len(panel.items) == 2
        known.apply(hello(BTC, other, engine_id="5a5a"), 1)
        known.apply(view(product_view(trades=(), trade_count=0), eth), 1)
        panel.show(scene(known))
        assert shown(panel)[2] == " no print yet"


async def test_prints_are_taken_in_while_nobody_draws_them() -> None:
    known = mirror(shown=view(product_view(trades=told(1, 60), trade_count=60)))
    panel = TradesPanel(palette(), id="trades")
    async with PanelApp(panel).run_test(size=(60, 30)):
        panel.show(scene(known))
        frozen = scene(known).kept()
        for count in (100, 150, 200):  # Another screen is open meanwhile.
            known.apply(view(product_view(trades=told(count - 59, count), trade_count=count)), 1)
        panel.show(scene(known))
        assert [item.number for item in panel.items] == list(range(200, 0, -1))
        assert all(isinstance(item, Print) for item in panel.items)
        panel.show(frozen)
        assert panel.items[0].number == 60


def test_only_orders_that_exist_are_restored() -> None:
    panel = TradesPanel(palette(), id="trades")
    panel.restore({"sort": {"trades": ["size", True]}})
    assert panel.sort == ("size", True)
    assert TradesPanel(palette(), id="other").state() == {"sort": {}}
    for state in ({}, {"sort": 1}, {"sort": {"trades": ["nothing", True]}}):
        panel.restore(state)
        assert panel.sort == ("time", True)
