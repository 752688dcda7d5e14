"""The blotter: what its three lists say, which keys do what, and what a full one costs."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from console.panel_app import PanelApp, shown
from console.views import (
    BTC,
    MID,
    MS,
    TIME,
    S,
    filled,
    hello,
    mirror,
    order_ended,
    palette,
    product_view,
    scene,
    view,
    working,
)

from engine.link.mirror import KEPT, LinkState
from engine.link.view import WorkingOrder
from pinnacle_tui.widgets.blotter import BlotterPanel
from pinnacle_tui.widgets.rows import row_text, row_width
from pinnacle_tui.widgets.scene import Scene


class BlotterApp(PanelApp):
    def __init__(self, panel: BlotterPanel) -> None:
        super().__init__(panel)
        self.heard: list[str] = []

    def on_blotter_panel_explain_requested(self, message: BlotterPanel.ExplainRequested) -> None:
        self.heard.append(f"explain {message.slot}")

    def on_blotter_panel_order_selected(self, message: BlotterPanel.OrderSelected) -> None:
        self.heard.append(f"selected {message.client_id}")

    def take(self) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


def blotter(number: int | None = None) -> BlotterPanel:
    return BlotterPanel(palette(), id="blotter", number=number)


def with_orders(*orders: WorkingOrder, **changes: Any) -> Scene:
    return scene(mirror(shown=view(product_view(orders=orders, **changes))))


def styles(panel: BlotterPanel, y: int) -> dict[str, str]:
    return {text.strip(): words for text, words in panel.shown_rows[y]}


async def test_working_orders() -> None:
    panel = blotter(5)
    async with PanelApp(panel).run_test(size=(120, 8)) as pilot:
        panel.show(scene())
        await pilot.pause()
        assert shown(panel)[0] == "5 ORDERS 4 working · 8 fills · 28 ended"
        assert [line.rpartition("  ")[0].rstrip() for line in shown(panel)[1:6]] == [
            " side      ▼price    size   filled   age   ahead   to mid bp  state          slot   purpose",
            " sell   65,090.67  0.0100   0.0000  4.1s  0.4300       +0.33  cancelling     A1     quote",
            " sell   65,089.50  0.0100   0.0000  4.1s  0.4300       +0.15  open           A0     quote",
            " buy    65,088.00  0.0100   0.0040  4.1s  0.4300       +0.08  partly filled  B0     quote",
            " buy    65,086.91  0.0100   0.0000  0.0s       –       +0.25  sent           B1     quote",
        ]
        assert [line.split()[-1] for line in shown(panel)[1:6]] == [
            "id",
            "pt-7-a1",
            "pt-7-a0",
            "pt-7-b0",
            "pt-7-b1",
        ]
        await pilot.press("b")
        assert [line.split()[6] for line in shown(panel)[2:6]] == ["+212.0", "+95.0", "+55.0", "+164.0"]
        assert "to mid ticks" in shown(panel)[1]


@pytest.mark.parametrize(
    ("state", "word", "style"),
    [
        ("pending", "sent", "muted"),
        ("new", "open", "ok"),
        ("partially_filled", "partly filled", "ok"),
        ("pending_cancel", "cancelling", "warning"),
        ("uncertain", "UNCERTAIN", "danger bold"),
        ("some_new_state", "some new state", "text"),
    ],
)
async def test_states_are_words(state: str, word: str, style: str) -> None:
    panel = blotter()
    async with PanelApp(panel).run_test(size=(60, 6)) as pilot:
        panel.show(with_orders(working("B0", MID - 55, state=state)))
        await pilot.pause()
        assert word in shown(panel)[2]
        assert styles(panel, 2)[word] == style
        assert styles(panel, 2)["buy"] == "bid"
        assert ("1 UNCERTAIN" in shown(panel)[0]) is (state == "uncertain")


async def test_an_uncertain_order_is_loud_from_every_list_and_at_every_width() -> None:
    panel = blotter()
    app = PanelApp(panel)
    async with app.run_test(size=(80, 6)) as pilot:
        panel.show(with_orders(working("B0", MID - 55, state="uncertain"), working("A0", MID + 55)))
        await pilot.press("]")
        for width in (80, 40, 24, 11):
            await pilot.resize_terminal(width, 6)
            await pilot.pause()
            assert "1 UNCERTAIN" in shown(panel)[0]
            assert styles(panel, 0)["1 UNCERTAIN"] == "danger bold"


async def test_an_order_through_the_mid_and_one_without_a_market() -> None:
    panel = blotter()
    async with PanelApp(panel).run_test(size=(120, 6)) as pilot:
        panel.show(with_orders(working("B0", MID + 100), working("A0", MID + 200, client_id="x")))
        await pilot.press("b")
        assert "-100.0" in shown(panel)[3].replace("−", "-")
        panel.show(with_orders(working("B0", MID), bids=()))
        assert shown(panel)[2].split()[5:8] == ["0.4300", "–", "open"]


async def test_without_orders_the_reason_stands_there() -> None:
    panel = blotter()
    async with PanelApp(panel).run_test(size=(90, 6)) as pilot:
        panel.show(with_orders(note="no quotes: the book is \x1b[31mstale"))
        await pilot.pause()
        assert shown(panel)[2] == " no quotes: the book is stale"


async def test_fills() -> None:
    panel = blotter()
    rebate = filled(2, -1, fee=-(10**8), is_maker=False, position=-2_500_000, reason="")
    in_base = filled(3, fee=1_000, fee_asset="BTC")
    known = mirror(events=(filled(1), rebate, in_base, filled(4, product="ETH-USD")))
    async with PanelApp(panel).run_test(size=(110, 8)) as pilot:
        panel.show(scene(known))
        await pilot.press("]")
        assert shown(panel)[0] == "ORDERS 4 working · 3 fills · 0 ended"
        assert [" ".join(line.split()) for line in shown(panel)[1:5]] == [
            "time▼ side price size fee liquidity position reason id",
            "08:59:59.512 buy 65,088.00 0.0100 <0.0001 BTC maker +0.0310 queue cleared pt-7-3",
            "08:59:58.812 sell 65,089.10 0.0100 −0.0010 taker −0.0250 pt-7-2",
            "08:59:58.112 buy 65,088.00 0.0100 0.3900 maker +0.0310 queue cleared pt-7-1",
        ]
        assert styles(panel, 3)["taker"] == "warning"


async def test_ended_orders() -> None:
    panel = blotter()
    odd = order_ended(2, -1, state="rejected", reason="POST_ONLY: would \x1b[2Jcross", filled=330_000)
    async with PanelApp(panel).run_test(size=(110, 8)) as pilot:
        panel.show(scene(mirror(events=(order_ended(1), odd))))
        await pilot.press("[")
        assert panel.tab == "ended"
        assert " ".join(shown(panel)[2].split()) == (
            "08:59:58.812 sell 65,090.10 0.0100 0.0033 rejected POST ONLY: would cross 5.0s A0 quote pt-7-2"
        )
        assert styles(panel, 2)["rejected"] == "danger"


async def test_lists_change_by_keys_and_mouse_and_keep_their_order_each() -> None:
    panel = blotter(5)
    app = BlotterApp(panel)
    async with app.run_test(size=(100, 10)) as pilot:
        panel.show(scene())
        tabs = []
        for key in ("right", "right", "right", "left", "left_square_bracket", "right_square_bracket"):
            await pilot.press(key)
            tabs.append(panel.tab)
        assert tabs == ["fills", "ended", "orders", "ended", "fills", "ended"]
        await pilot.press("exclamation_mark", "[")
        assert panel.sort == ("time", True)
        await pilot.press("]")
        assert panel.sort == ("time", False)
        heading = shown(panel)[0]
        for word, tab in (("working", "orders"), ("fills", "fills"), ("ended", "ended")):
            await pilot.click(BlotterPanel, offset=(heading.index(word), 0))
            assert panel.tab == tab
            assert any(text.endswith(word) and "underline" in words for text, words in panel.shown_rows[0])
        await pilot.click(BlotterPanel, offset=(90, 0))
        await pilot.click(BlotterPanel, offset=(1, 0))
        assert panel.tab == "ended"
        assert app.take() == []


async def test_only_a_person_selects_and_enter_explains_working_orders() -> None:
    panel = blotter()
    app = BlotterApp(panel)
    async with app.run_test(size=(100, 10)) as pilot:
        panel.show(scene())
        await pilot.press("enter")
        assert app.take() == []
        await pilot.press("down", "down")
        assert app.take() == ["selected pt-7-a1", "selected pt-7-a0"]
        await pilot.press("enter")
        assert app.take() == ["explain A0"]
        await pilot.click(BlotterPanel, offset=(4, 4), times=2)
        await pilot.pause()
        assert app.take() == ["selected pt-7-b0", "explain B0"]
        await pilot.press("]", "down", "enter")
        assert app.take() == ["selected pt-7-36"]


async def test_a_selection_goes_on_to_the_order_that_replaced_the_selected_one() -> None:
    panel = blotter()
    app = BlotterApp(panel)
    async with app.run_test(size=(100, 10)) as pilot:
        panel.show(scene())
        await pilot.press("down", "down")
        app.take()
        panel.show(with_orders(working("B0", MID - 60), working("A0", MID + 60, client_id="pt-7-next")))
        await pilot.pause()
        assert shown(panel)[2].startswith("▸sell")
        await pilot.press("enter")
        assert app.take() == ["explain A0"]
        panel.show(with_orders(working("B0", MID - 60)))
        await pilot.press("enter")
        assert app.take() == []
        assert not any("▸" in line for line in shown(panel))


async def test_copies_hold_exact_numbers() -> None:
    panel = blotter()
    app = PanelApp(panel)
    order = working("B0", MID - 55, size=1_234_567, filled=1, ahead=None, sent_ns=TIME - 1_500 * MS)
    async with app.run_test(size=(60, 6)) as pilot:
        panel.show(with_orders(order))
        await pilot.press("down", "y")
        assert app.copied.pop() == (
            "buy\t65088.00\t0.01234567\t0.00000001\t1.500000000\t\t+0.08\tnew\tB0\tquote\tpt-7-b0",
            "1 working order",
        )
        panel.show(scene(mirror(events=(filled(1, reason="a\tb\nc"),))))
        await pilot.press("]", "Y")
        assert app.copied.pop() == (
            "time\tside\tprice\tsize\tfee\tliquidity\tposition\treason\tid\n"
            "2026-01-05T08:59:58.112000000Z\tbuy\t65088.00\t0.01000000\t0.39000000000\tmaker\t0.03100000"
            "\ta b c\tpt-7-1",
            "1 fill",
        )


async def test_the_id_of_the_selected_order_is_copied_alone() -> None:
    panel = blotter()
    app = BlotterApp(panel)
    async with app.run_test(size=(110, 12)) as pilot:
        panel.show(scene())
        panel.focus()
        await pilot.press("i")
        assert app.copied == []
        await pilot.press("down", "i")
        assert app.copied == [("pt-7-a1", "the id pt-7-a1")]
        await pilot.press("right", "down", "i", "slash", "i")
        assert len(app.copied) == 2
        assert panel.entry.text == "i"


async def test_what_no_slot_explains_is_not_offered_to_be_explained() -> None:
    hedge = msgspec.structs.replace(working("B0", 6_508_800), slot="", purpose="hedge")
    panel = blotter()
    app = BlotterApp(panel)
    async with app.run_test(size=(110, 12)) as pilot:
        panel.show(with_orders(hedge, working("A0", 6_508_900)))
        panel.focus()
        await pilot.press("end", "enter")
        assert app.take() == ["selected pt-7-b0"]
        await pilot.press("up", "enter", "escape")
        assert app.take() == ["selected pt-7-a0", "explain A0", "selected None"]


async def test_a_full_memory_is_said() -> None:
    panel = blotter()
    known = mirror(events=tuple(filled(n) for n in range(1, KEPT + 2)))
    async with PanelApp(panel).run_test(size=(100, 10)) as pilot:
        panel.show(scene(known))
        await pilot.pause()
        assert "1,000+ fills" in shown(panel)[0]


async def test_another_engine_or_product_shows_its_own_events() -> None:
    panel = blotter()
    eth = msgspec.structs.replace(product_view(), symbol="ETH-USD", orders=())
    greeting = hello(BTC, msgspec.structs.replace(BTC, symbol="ETH-USD"))
    known = mirror(greeting=greeting, shown=view(product_view(), eth))
    async with PanelApp(panel).run_test(size=(100, 10)) as pilot:
        panel.show(scene(known))
        await pilot.pause()
        assert "8 fills" in shown(panel)[0]
        panel.show(scene(known, symbol="ETH-USD"))
        assert shown(panel)[0] == "ORDERS 0 working · 0 fills · 0 ended"
        known.apply(msgspec.structs.replace(greeting, engine_id="5a5a"), 1)
        known.apply(view(product_view(), eth), 1)
        panel.show(scene(known))
        assert shown(panel)[0] == "ORDERS 4 working · 0 fills · 0 ended"


def test_choices_are_remembered_and_nonsense_is_not() -> None:
    panel = blotter()
    state = {"tab": "fills", "unit": "ticks", "sort": {"fills": ["size", True], "orders": ["to_mid", False]}}
    panel.restore(state)
    assert panel.state() == state
    other = blotter()
    other.restore({"tab": "nothing", "unit": 3, "sort": {"fills": ["sze", True], "ended": 4}})
    assert other.state() == {"tab": "orders", "unit": "bp", "sort": {}}
    other.restore({})
    assert other.state() == {"tab": "orders", "unit": "bp", "sort": {}}


@pytest.mark.parametrize("tab", ["orders", "fills", "ended"])
@pytest.mark.parametrize("size", [(1, 1), (5, 2), (12, 3), (20, 5), (46, 6), (58, 14), (80, 24), (200, 60)])
async def test_every_size(tab: str, size: tuple[int, int]) -> None:
    panel = blotter(5)
    panel.restore({"tab": tab})
    async with PanelApp(panel).run_test(size=size) as pilot:
        panel.show(scene())
        await pilot.press("down", "slash", "q")
        assert len(panel.shown_rows) == size[1]
        assert all(row_width(row) <= size[0] for row in panel.shown_rows)
        assert "#" not in "".join(row_text(row) for row in panel.shown_rows)


def test_without_colours_selection_and_list_can_be_told() -> None:
    colourless = palette(is_colourless=True)
    assert colourless.style("text bold on selected").reverse
    assert colourless.style("text bold underline").underline
    assert colourless.style("danger bold").reverse


async def test_a_thousand_orders_that_change_with_every_view_are_sorted_once_a_view() -> None:
    panel = blotter()
    orders = tuple(
        working("B0" if n % 2 else "A0", MID - n * 37 % 1_001, client_id=f"pt-7-{n:04}", sent_ns=TIME - n * S)
        for n in range(1_000)
    )
    async with PanelApp(panel).run_test(size=(120, 14)) as pilot:
        panel.show(with_orders(*orders))
        await pilot.press("down")
        listed = panel.items
        prices = [order.price for order in listed if isinstance(order, WorkingOrder)]
        assert prices == sorted(prices, reverse=True)
        assert len(panel.shown_rows) == 14
        panel.redraw()
        assert panel.items is listed
        panel.show(with_orders(*orders[:-1]))
        assert panel.items is not listed


async def test_a_filter_looks_into_what_changes_by_itself() -> None:
    panel = blotter()
    old, young = working("B0", MID - 55, sent_ns=TIME - 77 * S), working("A0", MID + 55, sent_ns=TIME - 8 * S)
    async with PanelApp(panel).run_test(size=(120, 14)) as pilot:
        panel.show(with_orders(old, young))
        await pilot.press("slash", *"1m17 quote")
        assert panel.items == [old]
        known = mirror(shown=view(product_view(orders=(old, young)), time_ns=TIME + 69 * S))
        panel.show(scene(known))
        assert panel.items == [young]
        changed = msgspec.structs.replace(young, purpose="take profit")
        panel.show(scene(mirror(shown=view(product_view(orders=(old, changed)), time_ns=TIME + 69 * S))))
        assert panel.items == []


async def test_what_an_engine_said_last_is_not_claimed_of_the_present() -> None:
    panel = blotter(6)
    known = scene()
    async with PanelApp(panel).run_test(size=(120, 8)) as pilot:
        for link in (LinkState.DOWN, LinkState.ENDED):
            panel.show(dataclasses.replace(known, link=link))
            await pilot.pause()
            assert shown(panel)[0] == "6 ORDERS 4 last known working · 8 fills · 28 ended"
            text = "\n".join(shown(panel))
            for word in ("was open", "was cancelling", "was sent", "was partly filled"):
                assert word in text
        panel.show(known)
        assert "was" not in "\n".join(shown(panel))
        assert shown(panel)[0].startswith("6 ORDERS 4 working")


async def test_an_uncertain_order_stays_uncertain_whatever_the_link() -> None:
    panel = blotter()
    async with PanelApp(panel).run_test(size=(120, 8)):
        uncertain = with_orders(working("B0", 6_508_800, state="uncertain"))
        panel.show(dataclasses.replace(uncertain, link=LinkState.DOWN))
        assert "was" not in "\n".join(shown(panel))
        assert "UNCERTAIN" in shown(panel)[2]


async def test_a_note_that_says_it_itself_is_not_introduced() -> None:
    panel = blotter()
    async with PanelApp(panel).run_test(size=(120, 8)):
        panel.show(with_orders(note="no quotes: PAUSED, pause, console pid 11043"))
        assert shown(panel)[2] == " no quotes: PAUSED, pause, console pid 11043"
        panel.show(with_orders(note="the bid side is at its cap"))
        assert shown(panel)[2] == " no order of ours is working: the bid side is at its cap"


async def test_sizes_of_fills_have_the_decimals_that_tell_them_apart() -> None:
    panel = blotter()
    fills = [filled(1, size=1_003_100), filled(2, size=1_000_000), filled(3, size=998_010)]
    usual = [filled(n, size=n * 10_000) for n in range(4, 20)]
    async with PanelApp(panel).run_test(size=(120, 5)) as pilot:
        panel.show_tab("fills")
        panel.show(scene(mirror(events=tuple(fills))))
        await pilot.pause()
        assert [line.split()[3] for line in shown(panel)[2:5]] == ["0.0099801", "0.0100000", "0.0100310"]
        # As many as the rows need that are seen.
        panel.show(scene(mirror(events=tuple(fills + usual))))
        assert [line.split()[3] for line in shown(panel)[2:5]] == ["0.0019", "0.0018", "0.0017"]
        panel.focus()
        await pilot.press("end")
        assert [line.split()[3] for line in shown(panel)[2:5]] == ["0.0099801", "0.0100000", "0.0100310"]
        panel.show_tab("orders")
        assert shown(panel)[2].split()[2] == "0.0100"
