"""The log: lines of every kind, following the news, levels, searching, what was lost, what it costs."""

from __future__ import annotations

import msgspec
import pytest
from console.panel_app import PanelApp, shown
from console.views import (
    BTC,
    TIME,
    WALL,
    filled,
    hello,
    mirror,
    notice,
    palette,
    product_view,
    scene,
    view,
)
from hypothesis import given
from hypothesis import strategies as st
from textual.events import MouseScrollDown, MouseScrollUp

from engine.link.events import AnyEngineEvent, Operated, SettingChanged
from engine.link.messages import EventMessage, Resync
from engine.link.mirror import KEPT, EngineMirror
from pinnacle_tui.numbers import Numbers
from pinnacle_tui.widgets.log import LogPanel
from pinnacle_tui.widgets.log_lines import Level, line_of
from pinnacle_tui.widgets.rows import row_text, row_width


def many(first: int, last: int) -> tuple[AnyEngineEvent, ...]:
    """Every tenth is an error, every fifth a warning."""
    return tuple(
        notice(n, "error" if n % 10 == 0 else "warning" if n % 5 == 0 else "info", "CODE", f"event {n}")
        for n in range(first, last + 1)
    )


def log() -> LogPanel:
    return LogPanel(palette(), id="log", number=7)


def texts(panel: LogPanel) -> list[str]:
    return [line.partition("CODE  ")[2] for line in shown(panel)[1:] if "CODE" in line]


def heard(known: EngineMirror, *events: AnyEngineEvent) -> None:
    known.apply(EventMessage(events), 0)


EVENTS: tuple[AnyEngineEvent, ...] = (
    notice(1, "critical", "FEED", "[b]gone[/b] \x1b]0;x\x07and \x1b[2Jback"),
    filled(2),
    filled(3, -1, is_maker=False, fee=0, reason=""),
    Operated(4, WALL, TIME, "", "cancel_all", "console pid 7", "6 orders"),
    SettingChanged(5, WALL, TIME, "BTC-USD", "strategy.skew", "1", "2", "ctl"),
    notice(6, "odd", "X", "y"),
)


def test_lines_of_every_kind() -> None:
    numbers = Numbers(BTC, 6_508_855)
    lines = [line_of(event, lambda _: numbers, names_product=False) for event in EVENTS]
    assert [(line.word, line.text) for line in lines] == [
        ("critical", "FEED  [b]gone[/b] and back"),
        ("fill", "buy 0.0100 at 65,088.00 · maker · fee 0.3900 · position +0.0310 · queue cleared"),
        ("fill", "sell 0.0100 at 65,089.10 · taker · fee 0.0000 · position +0.0310"),
        ("command", "cancel all by console pid 7: 6 orders"),
        ("setting", "strategy.skew = 2, was 1, by ctl"),
        ("odd", "X  y"),
    ]
    assert [line.level for line in lines] == [Level.ERROR, *[Level.INFO] * 5]
    named = [line_of(event, lambda _: None, names_product=True).text for event in EVENTS]
    assert named[1] == "BTC-USD  buy, order pt-7-2"
    assert named[3] == "cancel all by console pid 7: 6 orders"


@given(st.text(), st.text())
def test_no_text_reaches_the_terminal_as_a_command(code: str, text: str) -> None:
    panel = log()
    panel.show(scene(mirror(events=(notice(1, "error", code, text),))))
    rows = panel.rows(scene(mirror(events=(notice(1, "error", code, text),))), 60, 3)
    assert all(span.isprintable() for row in rows for span, _ in row)
    assert all(row_width(row) <= 60 for row in rows)


async def test_what_the_log_looks_like() -> None:
    panel = log()
    async with PanelApp(panel).run_test(size=(110, 9)) as pilot:
        panel.show(scene(mirror(events=EVENTS)))
        await pilot.pause()
        assert shown(panel)[:3] == [
            "7 LOG 6 lines",
            " 08:59:58.112  critical  FEED  [b]gone[/b] and back",
            " 08:59:58.812  fill      buy 0.0100 at 65,088.00 · maker · fee 0.3900 · position +0.0310 · queue"
            " cleared",
        ]
        assert panel.shown_rows[1][2] == ("critical  ", "danger bold")


async def test_several_products_are_named_and_written_with_their_own_numbers() -> None:
    eth = msgspec.structs.replace(BTC, symbol="ETH-USD", price_places=1)
    greeting = hello(BTC, eth)
    seen = view(product_view(), msgspec.structs.replace(product_view(), symbol="ETH-USD"))
    events = (filled(1, product="ETH-USD"), filled(2, product="XRP-USD"))
    panel = log()
    async with PanelApp(panel).run_test(size=(120, 5)) as pilot:
        panel.show(scene(mirror(greeting=greeting, shown=seen, events=events)))
        await pilot.pause()
        assert "ETH-USD  buy 0.01000 at 650,880.0" in shown(panel)[1]
        assert "XRP-USD  buy, order pt-7-2" in shown(panel)[2]


async def test_it_follows_the_news_until_somebody_reads() -> None:
    known, panel = mirror(events=many(1, 40)), log()
    async with PanelApp(panel).run_test(size=(60, 11)) as pilot:
        panel.show(scene(known))
        await pilot.press("down")  # There is nothing below the news.
        assert texts(panel) == [f"event {n}" for n in range(31, 41)]
        heard(known, *many(41, 42))
        panel.show(scene(known))
        assert texts(panel)[-1] == "event 42"
        await pilot.press("up")
        heard(known, *many(43, 54))
        panel.show(scene(known))
        assert texts(panel)[-1] == "event 42"
        assert shown(panel)[0].endswith("33-42 of 54  12 new")
        assert shown(panel)[10].startswith("▸")
        await pilot.press("end")
        assert texts(panel)[-1] == "event 54"
        assert shown(panel)[0] == "7 LOG 54 lines"
        await pilot.press("pageup")
        assert texts(panel)[-1] == "event 45"
        heard(known, *many(55, 55))
        panel.show(scene(known))
        assert texts(panel)[-1] == "event 45"
        assert shown(panel)[0].endswith("36-45 of 55  1 new")
        await pilot.press("pagedown", "pagedown")
        heard(known, *many(56, 56))
        panel.show(scene(known))
        assert texts(panel)[-1] == "event 56"
        await pilot.press("home")
        assert texts(panel)[0] == "event 1"


async def test_the_wheel_and_a_click_stop_it_too() -> None:
    known, panel = mirror(events=many(1, 40)), log()
    async with PanelApp(panel).run_test(size=(60, 11)) as pilot:
        panel.show(scene(known))
        await pilot.pause()
        await pilot._post_mouse_events([MouseScrollUp], LogPanel, offset=(4, 4))
        assert texts(panel)[-1] == "event 37"
        await pilot._post_mouse_events([MouseScrollDown], LogPanel, offset=(4, 4))
        assert panel.window.is_following
        await pilot.click(LogPanel, offset=(4, 10))
        assert shown(panel)[10].startswith("▸")
        heard(known, *many(41, 41))
        panel.show(scene(known))
        assert texts(panel)[-1] == "event 40"
        await pilot.press("escape")
        assert shown(panel)[0].endswith("1 new")


async def test_lines_that_are_let_go_do_not_move_what_is_read() -> None:
    known, panel = mirror(events=many(1, KEPT)), log()
    async with PanelApp(panel).run_test(size=(60, 11)) as pilot:
        panel.show(scene(known))
        await pilot.press("pageup")
        before = texts(panel)
        heard(known, *many(KEPT + 1, KEPT + 300))
        panel.show(scene(known))
        assert texts(panel) == before
        assert shown(panel)[0].startswith("7 LOG 1,000+ lines")
        assert len(panel._lines) == KEPT


async def test_levels() -> None:
    known, panel = mirror(events=many(1, 40)), log()
    async with PanelApp(panel).run_test(size=(60, 11)) as pilot:
        panel.show(scene(known))
        await pilot.press("v")
        assert texts(panel) == [f"event {n}" for n in range(5, 41, 5)]
        assert shown(panel)[0].endswith("warning+")
        assert panel.state() == {"level": "warning+"}
        await pilot.press("v")
        assert texts(panel) == [f"event {n}" for n in range(10, 41, 10)]
        heard(known, *many(41, 50))
        panel.show(scene(known))
        assert texts(panel)[-1] == "event 50"
        await pilot.press("v")
        assert texts(panel)[-1] == "event 50"
        assert len(panel.items) == 50


async def test_a_level_with_fewer_lines_than_the_selected_place() -> None:
    panel = log()
    async with PanelApp(panel).run_test(size=(30, 11)) as pilot:
        panel.show(scene(mirror(events=many(1, 39))))
        await pilot.press("up", "v", "v")
        assert texts(panel) == [] or panel.window.selected is None
        assert len(panel.items) == 3
        panel.show(scene(mirror(events=())))
        assert shown(panel)[1] == " nothing as grave as that yet"


def test_restored_levels() -> None:
    panel = log()
    panel.restore({"level": "error+"})
    assert panel.level is Level.ERROR
    for state in ({"level": "loud"}, {"level": 7}, {}):
        panel.restore(state)
        assert panel.level is Level.ERROR


async def test_searching() -> None:
    known, panel = mirror(events=many(1, 60)), log()
    app = PanelApp(panel)
    async with app.run_test(size=(60, 12)) as pilot:
        panel.show(scene(known))
        await pilot.press("n", "slash", *"EVENT 3")
        assert panel.window.selected == 39
        assert shown(panel)[-1].startswith("/EVENT 3▏ 11 of 11")
        await pilot.press("n")
        assert shown(panel)[-1].startswith("/EVENT 3n▏ no line has it")
        await pilot.press("backspace", "enter")
        seen = []
        for key in ("n", "n", "N", "N", "N"):
            await pilot.press(key)
            seen.append(panel.window.selected)
        assert seen == [3, 30, 3, 39, 38]
        row = next(row for row in panel.shown_rows if row_text(row).startswith("▸"))
        assert ("event 3", "text bold on changed") in row
        assert any(
            ("event 3", "text bold on changed") in row for row in panel.shown_rows if "▸" not in row_text(row)
        )
        assert shown(panel)[-1] == "/EVENT 3  10 of 11"
        heard(known, *many(61, 61), notice(62, "info", "CODE", "event 3 again"))
        panel.show(scene(known))
        assert shown(panel)[-1] == "/EVENT 3  10 of 12"
        await pilot.press("escape")
        assert not any(words.endswith("changed") for row in panel.shown_rows for _, words in row)
        assert panel.window.selected == 38


@pytest.mark.parametrize("text", ["ß ss SS ß", "İstanbul ss"])
async def test_a_match_whose_folded_length_differs_breaks_no_line(text: str) -> None:
    panel = log()
    async with PanelApp(panel).run_test(size=(60, 12)) as pilot:
        panel.show(scene(mirror(events=(notice(1, "info", "CODE", text),))))
        await pilot.press("slash", *"ss")
        assert panel.window.selected == 1
        assert text in shown(panel)[1]


async def test_lost_events_are_said_where_they_are_missing() -> None:
    known, panel = mirror(events=many(1, 3)), log()
    async with PanelApp(panel).run_test(size=(90, 11)) as pilot:
        panel.show(scene(known))
        known.apply(Resync(upto=20, missed=17), 0)
        heard(known, *many(21, 22))
        panel.show(scene(known))
        await pilot.pause()
        assert [line.split(maxsplit=1)[1] for line in shown(panel)[3:6]] == [
            "info      CODE  event 3",
            "lost      17 events were lost: the console was away too long",
            "info      CODE  event 21",
        ]
        assert shown(panel)[4].startswith(" --:--:--.---")
        await pilot.press("v")
        assert "17 events" in shown(panel)[1]
        known.apply(Resync(upto=24, missed=1), 0)
        panel.show(scene(known))
        assert "1 event was lost" in shown(panel)[2]
        known.apply(hello(engine_id="5a5a"), 0)
        known.apply(view(), 0)
        panel.show(scene(known))
        assert not any("lost" in line for line in shown(panel))


async def test_a_long_line_is_read_in_full_when_it_is_selected() -> None:
    panel = log()
    long = (
        "the venue refused three cancels in a row: 3 orders may still be open; press K to cancel everything"
    )
    async with PanelApp(panel).run_test(size=(60, 11)) as pilot:
        panel.show(scene(mirror(events=(*many(1, 20), notice(21, "error", "VENUE", long)))))
        await pilot.pause()
        assert shown(panel)[-1].endswith("…")
        await pilot.press("up")
        said = " ".join(line.removeprefix("│ ") for line in shown(panel) if line.startswith("│ "))
        assert said == f"VENUE  {long}"
        assert any(line.startswith("▸") for line in shown(panel))
        await pilot.press("end")
        assert not any(line.startswith("│ ") for line in shown(panel))


async def test_copies() -> None:
    panel = log()
    app = PanelApp(panel)
    async with app.run_test(size=(60, 8)) as pilot:
        panel.show(scene(mirror(events=EVENTS[:2])))
        await pilot.press("up", "up", "y")
        assert app.copied.pop() == (
            "2026-01-05T08:59:58.112000000Z\tcritical\tFEED  [b]gone[/b] and back",
            "1 line",
        )
        await pilot.press("Y")
        text, what = app.copied.pop()
        assert text.split("\n")[0] == "time\tlevel\ttext"
        assert what == "2 lines"


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (12, 4), (24, 6), (40, 8), (120, 40)])
async def test_every_size(size: tuple[int, int]) -> None:
    panel = log()
    async with PanelApp(panel).run_test(size=size) as pilot:
        panel.show(scene(mirror(events=many(1, 30))))
        await pilot.press("up", "slash", "e")
        assert len(panel.shown_rows) == size[1]
        assert all(row_width(row) <= size[0] for row in panel.shown_rows)


async def test_each_event_becomes_a_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from pinnacle_tui.widgets import log as module

    made: list[int] = []

    def counted(event: AnyEngineEvent, *arguments: object, **named: object) -> object:
        made.append(event.eseq)
        return line_of(event, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "line_of", counted)
    known, panel = mirror(events=many(1, 900)), log()
    async with PanelApp(panel).run_test(size=(60, 11)) as pilot:
        panel.show(scene(known))
        await pilot.press("up", "v", "v", "v")
        heard(known, *many(901, 905))
        panel.show(scene(known))
    assert made == list(range(1, 906))


def test_help_and_keys_are_complete() -> None:
    from textual.binding import Binding

    from pinnacle_tui.widgets.blotter import BlotterPanel
    from pinnacle_tui.widgets.trades import TradesPanel

    for panel in (LogPanel, BlotterPanel, TradesPanel):
        assert 2 <= len(panel.HELP.split("\n")) <= 6
        assert all(len(line) <= 110 for line in panel.HELP.split("\n"))
        ids = [binding.id for binding in panel.BINDINGS if isinstance(binding, Binding)]
        assert len(set(ids)) == len(panel.BINDINGS)
        for binding in panel.BINDINGS:
            assert isinstance(binding, Binding)
            assert binding.description
            assert binding.tooltip
            assert (binding.id or "").startswith(
                panel.TITLE.lower()[:3] if panel is not BlotterPanel else "blotter"
            )
