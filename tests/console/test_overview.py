"""The tabs of several products, and the overview of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from console import views
from console.fakes import FakeSession, console_app, settle
from console.running import Console, Running
from console.views import BTC, ETH, USD, hello, product_view, view

from engine.link.messages import EngineHello
from engine.link.view import Gauge, Portfolio, ProductView, StandingAlert, View
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.screens.overview import OverviewScreen
from pinnacle_tui.widgets.product_tabs import ProductTabs
from pinnacle_tui.widgets.products import PortfolioPanel, ProductsPanel
from pinnacle_tui.widgets.rows import row_text, row_width

Compare = Callable[..., bool]
SOL = msgspec.structs.replace(ETH, symbol="SOL-USD", base="SOL")


def together(**changes: Any) -> Portfolio:
    made = Portfolio(
        quote="USD",
        money_places=11,
        products=("BTC-USD", "ETH-USD", "SOL-USD"),
        profit=-4_210 * USD // 100,
        day_profit=-20_150 * USD // 100,
        gross=4_035 * USD,
        open_orders=12,
        gauges=(
            Gauge("GROSS", "positions, longs and shorts added up", "atoms", 4_035 * USD, 10_000 * USD),
            Gauge("LOSS", "loss of the UTC day", "atoms", 20_150 * USD // 100, 250 * USD),
            Gauge("DRAWDOWN", "drop from the peak", "atoms", 163 * USD, 150 * USD),
            Gauge("OPEN_ORDERS", "open orders", "count", 12, 60),
        ),
    )
    return msgspec.structs.replace(made, **changes)


def books() -> tuple[ProductView, ...]:
    btc = product_view(day_profit=-3_020 * USD // 100)
    pnl = msgspec.structs.replace(btc.pnl, total=-6_900 * USD // 100, position=-2_000_000, fills=7)
    eth = product_view(ETH, state="REDUCING", pnl=pnl, day_profit=-17_130 * USD // 100)
    flat = msgspec.structs.replace(btc.pnl, total=0, position=0, fills=0, mark=None)
    sol = product_view(
        SOL, pnl=flat, connection="stale", bids=(), asks=(), orders=(), quotes=(), gauges=(), day_profit=None
    )
    return btc, eth, sol


def three(**changes: Any) -> View:
    alert = StandingAlert("PORTFOLIO_DRAWDOWN", "error", "ETH-USD", "below their peak", views.WALL, 1)
    return view(*books(), **{"portfolio": (together(),), "alerts": (alert,)} | changes)


def session(shown: View | None = None, greeting: EngineHello | None = None) -> FakeSession:
    return FakeSession(mirror=views.mirror(shown=shown or three(), greeting=greeting or hello(BTC, ETH, SOL)))


def tabs(console: Console) -> str:
    screen: Any = console.app.screen
    rows = screen.query_one(ProductTabs).shown_rows
    return row_text(rows[0]).rstrip() if rows else ""


def lines(console: Console, kind: type[Any]) -> list[str]:
    return [row_text(row).rstrip() for row in console.app.screen.query_one(kind).shown_rows]


# -- tabs ----------------------------------------------------------------------------------------


async def test_several_products_stand_as_tabs_with_state_and_profit() -> None:
    async with Running(session()) as console:
        shown = tabs(console)
        assert shown.startswith("[BTC-USD] +12.48")
        assert " ETH-USD  REDUCING −69.00" in shown
        assert " SOL-USD  stale 0.00" in shown


async def test_the_tab_of_a_product_that_does_not_quote_says_so() -> None:
    btc, eth, _ = books()
    quiet = product_view(SOL, orders=(), note="no bid: worth less than the venue's minimum")
    some = msgspec.structs.replace(btc, note="no ask: the position is at its limit")
    async with Running(session(three(products=(some, eth, quiet)))) as console:
        assert tabs(console).startswith("[BTC-USD] +12.48"), "it has orders"
        assert " SOL-USD  not quoting +12.48" in tabs(console)


async def test_one_product_has_no_tabs() -> None:
    async with Running() as console:
        assert not console.app.screen.query_one(ProductTabs).display


async def test_keys_go_to_the_next_product_and_that_before() -> None:
    async with Running(session()) as console:
        await console.press("n")
        assert "[ETH-USD]" in tabs(console)
        await console.press("N", "N")
        assert "[SOL-USD]" in tabs(console)


async def test_a_click_on_a_tab_shows_its_product() -> None:
    async with Running(session()) as console:
        at = tabs(console).index("ETH-USD") + 1
        await console.pilot.click(ProductTabs, offset=(at, 0))
        await console.settle()
        assert "[ETH-USD]" in tabs(console)


@pytest.mark.parametrize("width", [10, 24, 30, 40, 60, 200])
@pytest.mark.parametrize("chosen", ["BTC-USD", "ETH-USD", "SOL-USD"])
def test_the_tab_of_the_product_that_is_shown_is_always_there(width: int, chosen: str) -> None:
    known = views.mirror(shown=three(), greeting=hello(BTC, ETH, SOL))
    bar = ProductTabs(views.palette(), id="tabs")
    row = bar.row(views.scene(known, symbol=chosen), width)
    assert f"[{chosen}]" in row_text(row)
    assert row_width(row) <= max(width, len(chosen) + 16)


# -- the overview --------------------------------------------------------------------------------


async def test_the_overview_lists_every_product_with_its_own_numbers() -> None:
    async with Running(session(), size=(200, 40)) as console:
        await console.press("O")
        await console.settle()
        assert isinstance(console.app.screen, OverviewScreen)
        btc, eth, sol = lines(console, ProductsPanel)[2:5]
        assert btc.split()[:2] == ["BTC-USD", "ACTIVE"]
        assert "65,088.55" in btc
        assert "+12.48" in btc
        assert "2,017.75" in btc, "the position at the mark"
        assert "REDUCING" in eth
        assert "−171.30" in eth
        assert "below their peak" in eth
        assert "stale" in sol
        assert "+12.48" not in sol


async def test_all_together_stand_against_their_limits() -> None:
    async with Running(session(), size=(120, 40)) as console:
        await console.press("O")
        await console.settle()
        shown = lines(console, PortfolioPanel)
        assert shown[1] == "USD  P&L −42.10  today −201.50  3 products  12 open"
        assert "gross" in shown[2]
        assert "4,035.00 of 10,000.00" in shown[2]
        assert "40 %" in shown[2]
        assert shown[3].endswith("near")
        assert shown[4].endswith("OVER THE LIMIT")


async def test_currencies_that_have_no_room_are_told_in_a_line_each() -> None:
    gross = together().gauges[:1]
    portfolio = (
        together(),
        together(quote="EUR", products=("BTC-EUR",), gauges=gross),
        together(quote="GBP"),
        together(quote="CHF"),
    )
    async with Running(session(three(portfolio=portfolio)), size=(80, 24)) as console:
        await console.press("O")
        await console.settle()
        shown = lines(console, PortfolioPanel)
        assert shown[1].startswith("USD  P&L")
        assert "drawdown 108 %" in shown[1]
        assert shown[2].startswith("EUR  P&L")
        assert "gross 40 %" in shown[2]


async def test_a_product_that_does_not_quote_says_why() -> None:
    btc, eth, sol = books()
    quiet = msgspec.structs.replace(sol, note="no bid: worth less than the venue's minimum")
    async with Running(session(three(products=(btc, eth, quiet))), size=(200, 40)) as console:
        await console.press("O")
        await console.settle()
        assert "no bid: worth less than" in lines(console, ProductsPanel)[4]


async def test_the_sums_stand_right_below_the_last_product() -> None:
    async with Running(session(), size=(120, 40)) as console:
        await console.press("O")
        await console.settle()
        screen = console.app.screen
        products, together = screen.query_one(ProductsPanel), screen.query_one(PortfolioPanel)
        assert products.size.height == 3 + 3
        assert together.region.y == products.region.bottom + 1
        assert together.size.height >= 6


async def test_enter_goes_to_the_selected_product() -> None:
    async with Running(session(), size=(120, 40)) as console:
        await console.press("O")
        await console.settle()
        await console.press("down", "down", "enter")
        await console.settle()
        assert isinstance(console.app.screen, MainScreen)
        assert "[ETH-USD]" in tabs(console)


async def test_rows_sort_by_what_is_lost() -> None:
    async with Running(session(), size=(120, 40)) as console:
        await console.press("O")
        await console.settle()
        console.app.screen.query_one(ProductsPanel).sort_by("today", is_falling=False)
        assert [line.split()[0] for line in lines(console, ProductsPanel)[2:5]] == [
            "ETH-USD",
            "BTC-USD",
            "SOL-USD",
        ]


async def test_copies_hold_exact_numbers() -> None:
    async with Running(session(), size=(120, 40)) as console:
        await console.press("O")
        await console.settle()
        panel = console.app.screen.query_one(ProductsPanel)
        assert panel.scene is not None
        head, row = (
            panel.tsv_head(panel.scene).split("\t"),
            panel.tsv(panel.scene, panel.items)[1].split("\t"),
        )
        told = dict(zip(head, row, strict=True))
        assert told["position"] == "-0.02000000"
        assert told["today"] == "-171.30000000000"


async def test_without_limits_over_several_products_that_is_said() -> None:
    async with Running(session(three(portfolio=())), size=(80, 24)) as console:
        await console.press("O")
        await console.settle()
        assert lines(console, PortfolioPanel)[1].startswith("no limits over several products")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_the_picture_of_the_overview(
    snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def opened(pilot: Any) -> None:
        await settle(pilot)
        await pilot.press("O")
        await settle(pilot)

    assert snap_compare(console_app(session()), terminal_size=size, run_before=opened)
