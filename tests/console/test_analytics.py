"""The analytics screen: attribution, groups, markout curve, quoting; what is chosen holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from console import analytics_views, views
from console.analytics_views import analytics, view_with
from console.fakes import FakeSession, console_app
from console.running import Running
from console.test_snapshots import Compare, at_greenwich, keys  # noqa: F401 (a fixture)
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.link.analytics import Analytics, FillGroup, HourShare
from pinnacle_tui.bound_keys import bindings_of
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.analytics import AnalyticsScreen
from pinnacle_tui.widgets.analytics_choice import HOUR, KINDS, Choice
from pinnacle_tui.widgets.attribution import AttributionPanel, horizon_rows, waterfall_rows
from pinnacle_tui.widgets.execution_quality import quality_rows
from pinnacle_tui.widgets.fill_groups import GroupsPanel, group_rows
from pinnacle_tui.widgets.markout_curve import curve_rows, points_of
from pinnacle_tui.widgets.rows import Row, row_text, row_width
from pinnacle_tui.widgets.scene import Scene


def scene(**changes: Any) -> Scene:
    return views.scene(views.mirror(shown=view_with(**changes)))


def text(rows: list[Row]) -> list[str]:
    return [row_text(row).rstrip() for row in rows]


def test_the_waterfall_goes_from_nothing_to_the_profit() -> None:
    assert text(waterfall_rows(scene(), Choice(), 48)) == [
        "captured  +41.20 ███████████████████████████████",
        "adverse   −12.36 ┊                    ██████████",
        "holding    −6.67 ┊               ██████",
        "− fees     −9.69 ┊        ████████",
        "= profit  +12.48 ██████████",
        "+ opening −13.20",
        "= account  −0.72",
        "27 of 31 fills followed, 4 waiting",
        "residual  0.00",
    ]


def test_an_account_that_opened_without_a_base_balance_is_its_profit() -> None:
    rows = text(waterfall_rows(scene(analytics=analytics(hold=0)), Choice(), 48))
    assert [row.split()[0] for row in rows] == ["captured", "adverse", "holding", "−", "=", "27", "residual"]


def test_every_horizon_splits_the_same_revaluation() -> None:
    assert text(horizon_rows(scene(), Choice(), 50)) == [
        "after      0.1s      1s     10s      1m      5m",
        "adverse   −4.12   −8.24  −12.36  −16.48  −20.60",
        "holding  −14.91  −10.79   −6.67   −2.55   +1.57",
    ]
    assert horizon_rows(scene(), Choice(), 46) == []


def test_what_no_fill_has_come_to_yet_is_a_dash_and_never_0() -> None:
    few = analytics_views.group("total", "all", 3, 900, 300, 90)
    assert [each.fills for each in few.markouts] == [3, 2, 0, 0, 0]
    waiting = [msgspec.structs.replace(each, adverse=0) if not each.fills else each for each in few.markouts]
    given = scene(
        analytics=analytics(groups=(msgspec.structs.replace(few, markouts=tuple(waiting)),), hold=0)
    )
    assert text(waterfall_rows(given, Choice(), 30)) == [
        "captured  +9.00 ███████████",
        "adverse       – ┊",
        "holding   +3.00 ┊         ████",
        "− fees    −0.90 ┊           ██",
        "= profit +11.10 █████████████",
        "0 of 3 fills followed, 3 wait…",
        "residual  0.00",
    ]
    assert text(horizon_rows(given, Choice(), 50)) == [
        "after     0.1s     1s    10s     1m     5m",
        "adverse  −0.90  −1.80      –      –      –",
        "holding  +3.90  +4.80      –      –      –",
    ]
    row = text(group_rows(given, Choice(), 60, 9))[1]
    assert row.split() == ["all", "3", "+9.00", "–", "+3.00", "0.90", "+11.10"]


EMPTY = analytics(groups=(analytics_views.group("total", "all", 0, 0, 0, 0),), hours=())


def test_before_the_first_fill_that_is_said_and_no_zeros_are_shown() -> None:
    given = scene(analytics=EMPTY)
    for kind in KINDS:
        assert text(waterfall_rows(given, Choice(kind=kind), 60)) == ["no fill yet"]
        assert text(group_rows(given, Choice(kind=kind), 60, 9)) == ["no fill yet"]
        assert horizon_rows(given, Choice(kind=kind), 60) == []
    assert text(curve_rows(given, Choice(), 60, 14)) == ["no fill has come to a horizon yet"]
    assert text(quality_rows(given, Choice(), 60, 14))[2:6] == [
        "effective                  –   B1  402 sent           1.24 %",
        "impact, 10 s               –   A0  398 sent           2.26 %",
        "realised, 10 s             –   A1  398 sent           1.25 %",
        "after fees                 –",
    ]


def test_the_split_of_every_line_adds_up_to_its_profit() -> None:
    shown = analytics()
    for kind in KINDS:
        for horizon in shown.horizons_ns:
            splits = Choice(kind=kind, horizon_ns=horizon).splits(shown)
            whole = splits[0]
            for name in ("fills", "captured", "fees", "profit"):
                assert sum(getattr(each, name) for each in splits[1:]) == getattr(whole, name), (kind, name)


def test_a_loss_is_drawn_on_the_other_side_of_zero() -> None:
    rows = text(waterfall_rows(scene(), Choice(kind="side", name="buy"), 48))
    assert rows[:5] == [
        "captured +23.00        █████████████████████████",
        "adverse   −6.90        ┊                ████████",
        "holding  −17.20       ███████████████████",
        "− fees    −5.20 ███████┊",
        "= profit  −6.30 ████████",
    ]
    assert rows[-1] == "13 of 17 fills followed, 4 waiting"


def test_accounts_that_do_not_add_up_are_loud() -> None:
    pnl = msgspec.structs.replace(views.product_view().pnl, residual=1)
    for shown in (scene(pnl=pnl), scene(analytics=analytics(residual=-1))):
        rows = waterfall_rows(shown, Choice(), 60)
        alarms = [row for row in rows if "DOES NOT ADD UP" in row_text(row)]
        assert [row[0][1] for row in alarms] == ["danger bold reverse"]
        assert not any("residual" in row_text(row) for row in rows)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"mark": None}, "no mark now: at the last one"),
        ({"is_complete": False}, "incomplete: a fee has no price"),
    ],
)
def test_figures_that_are_not_to_be_taken_as_they_stand_say_so(changed: dict[str, Any], said: str) -> None:
    pnl = msgspec.structs.replace(views.product_view().pnl, **changed)
    for told in (analytics(), EMPTY):
        rows = waterfall_rows(scene(pnl=pnl, analytics=told), Choice(), 60)
        assert [row[0][1] for row in rows if said in row_text(row)] == ["warning"]
    assert not any(said in row for row in text(waterfall_rows(scene(), Choice(), 60)))


def test_fills_by_level() -> None:
    assert text(group_rows(scene(), Choice(kind="level", name="A0"), 62, 20)) == [
        "level  fills  captured  adverse  holding  fees  profit",
        "all       31    +41.20   −12.36    −6.67  9.69  +12.48",
        "B0        12    +13.00    −3.90   −13.10  3.30   −7.30",
        "B1         5    +10.00    −3.00    −4.10  1.90   +1.00",
        "A0         9    +10.10    −3.03    +6.10  2.49  +10.68",
        "A1         5     +8.10    −2.43    +4.43  2.00   +8.10",
    ]
    assert text(group_rows(scene(), Choice(kind="level"), 16, 3)) == [
        "level  profit",
        "all    +12.48",
        "B0      −7.30",
    ]


def test_the_newest_hour_comes_first_and_the_chosen_line_stays_in_sight() -> None:
    rows = text(group_rows(scene(), Choice(kind=HOUR), 62, 20))
    assert [row.split()[0] for row in rows] == ["hour", "all", "09:00", "08:00"]
    rows = text(group_rows(scene(), Choice(kind="level", name="A1"), 62, 3))
    assert [row.split()[0] for row in rows] == ["level", "A0", "A1"]


def test_hours_of_two_days_have_names_of_their_own_and_each_can_be_chosen() -> None:
    now = views.WALL // analytics_views.HOUR
    shares = [HourShare((now - back) * analytics_views.HOUR, back, 0, 0, 0, (0,) * 5) for back in range(49)]
    shown, choice = analytics(hours=tuple(reversed(shares))), Choice(kind=HOUR)
    names: list[str] = []
    for _ in range(60):
        choice.select(shown, 1)
        if choice.name not in names:
            names.append(choice.name)
    assert len(names) == 49
    assert (names[0], names[9], names[10]) == ("09:00", "00:00", f"{day_before(views.WALL)} 23:00")
    last = choice.split(shown)
    assert last is not None
    assert last.fills == 48


def day_before(wall_ns: int) -> str:
    return f"{datetime.fromtimestamp(wall_ns // 10**9, UTC) - timedelta(days=1):%m-%d}"


def test_the_curve_begins_with_what_was_captured_and_shows_its_error() -> None:
    rows = text(curve_rows(scene(), Choice(), 62, 15))
    assert rows == [
        " +0.50 ┤    ●        ●",
        "       │             ┃        ┃        ┃",
        "       │                      ●        ┃        ┃",
        "  0.00 ┼┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┃┈┈┈┈┈┈┈┈●┈┈┈┈┈┈┈┈┃┈┈┈┈┈┈┈┈┃┈┈┈┈",
        "       │                               ┃        ●        ┃",
        "       │                                        ┃        ●",
        " −0.50 ┤                                        ┃        ┃",
        "       │                                                 ┃",
        "       │                                                 ┃",
        " −1.00 ┤",
        "after       0      0.1s      1s       10s      1m       5m",
        "bp        +0.49    +0.40    +0.20     0.00    −0.20    −0.40",
        "±           –      0.06     0.15     0.23     0.31     0.40",
        "net bp    +0.34    +0.25    +0.05    −0.15    −0.35    −0.55",
        "fills      31       31       30       27       22       15",
    ]


def test_the_curve_is_in_basis_points_of_the_mark() -> None:
    group = analytics().groups[0]
    points = points_of(group, 2 * 1_000_000)
    assert (points[1].mean, points[1].error) == (round(260 / 1_000_000 * 1e6), round(40 / 1_000_000 * 1e6))


def test_spreads_presence_and_fill_ratios() -> None:
    rows = text(quality_rows(scene(), Choice(), 60, 20))
    assert rows == [
        "spread quoted        2.00 bp   slot                   filled",
        "market's             0.17 bp   B0  402 sent           2.98 %",
        "effective            0.98 bp   B1  402 sent           1.24 %",
        "impact, 10 s         0.98 bp   A0  398 sent           2.26 %",
        "realised, 10 s       0.00 bp   A1  398 sent           1.25 %",
        "after fees          −0.31 bp",
        "at touch       53.6 · 50.2 %",
        "both sides quoted     97.4 %",
        "inventory half-life   41.7 s",
        "fill ratio            1.93 %",
    ]


def test_an_engine_that_does_not_tell_is_said_and_shown_as_no_zeros() -> None:
    given = scene(analytics=None)
    for rows in (
        waterfall_rows(given, Choice(), 60),
        group_rows(given, Choice(), 60, 9),
        curve_rows(given, Choice(), 60, 9),
        quality_rows(given, Choice(), 60, 9),
    ):
        assert text(rows) == ["this engine does not tell of its fills"]


SCENE = scene()


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(24, 130),
    height=st.integers(1, 40),
    kind=st.sampled_from(KINDS),
    name=st.sampled_from(("", "buy", "B0", "08:00", "gone")),
    money=st.integers(-(10**17), 10**17),
)
def test_everything_fits(width: int, height: int, kind: str, name: str, money: int) -> None:
    shown = analytics()
    first = msgspec.structs.replace(shown.groups[0], revaluation=money)
    shown = msgspec.structs.replace(shown, groups=(first, *shown.groups[1:]))
    given = replace(SCENE, book=msgspec.structs.replace(SCENE.book, analytics=shown))
    choice = Choice(kind=kind, name=name)
    for rows in (
        waterfall_rows(given, choice, width),
        horizon_rows(given, choice, width),
        group_rows(given, choice, width, height),
        curve_rows(given, choice, width, height),
        quality_rows(given, choice, width, height),
    ):
        assert all(row_width(row) <= width for row in rows)
    assert len(curve_rows(given, choice, width, height)) <= height


def with_analytics(told: Analytics | None = None) -> FakeSession:
    session = FakeSession()
    session.show(view_with(analytics=told or analytics()))
    return session


def test_an_older_engine_that_does_not_tell_fees_has_no_figures_after_them() -> None:
    def without(group: FillGroup) -> FillGroup:
        told = tuple(msgspec.structs.replace(each, fees_average=None) for each in group.markouts)
        return msgspec.structs.replace(group, markouts=told)

    given = scene(analytics=analytics(groups=tuple(map(without, analytics().groups))))
    (net,) = [row for row in text(curve_rows(given, Choice(), 62, 15)) if row.startswith("net bp")]
    assert set(net.split()[2:]) == {"–"}
    assert "after fees                 –" in text(quality_rows(given, Choice(), 60, 20))


async def test_the_horizons_are_shown_where_there_is_room_for_all_of_them() -> None:
    for size, is_there in (((120, 40), True), ((80, 24), False)):
        async with Running(with_analytics(), size=size) as console:
            await console.press("m")
            await console.settle()
            lines = text(console.app.screen.query_one(AttributionPanel).shown_rows)
            assert any(line.startswith("holding  −14.91") for line in lines) is is_there


async def test_keys_choose_for_all_panels() -> None:
    async with Running(with_analytics(), size=(120, 40)) as console:
        await console.press("m")
        await console.settle()
        screen = console.app.screen
        assert isinstance(screen, AnalyticsScreen)
        keyed = {type(panel) for panel in screen.panels() if bindings_of(panel)}
        assert keyed <= set(AnalyticsScreen.PANELS)
        await console.press("b", "down", "down", "h")
        assert (screen.choice.kind, screen.choice.name, screen.choice.horizon_ns) == (
            "level",
            "B1",
            60 * views.S,
        )
        said = {panel.id: text(panel.shown_rows) for panel in screen.panels()}
        assert "B1, USD, after 60 s" in said["attribution"][0]
        assert "B1, bp ± error" in said["markout-curve"][0]
        assert any(line.startswith("effective, B1") for line in said["quoting"])
        assert any("realised, 60 s" in line for line in said["quoting"])
        await console.press("up", "up", "up")
        assert screen.choice.name == "all"
        await console.press("b")
        assert (screen.choice.kind, screen.choice.name) == ("age", "")


async def test_the_choice_is_remembered() -> None:
    remembered = Remembered(None)
    for expected in ("side", "level"):
        async with Running(with_analytics(), remembered=remembered, size=(120, 40)) as console:
            await console.press("m")
            await console.settle()
            screen = console.app.screen
            assert isinstance(screen, AnalyticsScreen)
            assert screen.choice.kind == expected
            await console.press("b", "h", "escape")
    assert remembered.get("screen.analytics") == {"kind": "age", "horizon_ns": 300 * views.S}


@pytest.mark.parametrize(
    "kept", [{"kind": "colour", "horizon_ns": "long"}, {"kind": None, "horizon_ns": -1}, {}, {"kind": 5}]
)
def test_nonsense_that_was_remembered_is_ignored(kept: dict[str, Any]) -> None:
    choice = Choice()
    choice.restore(kept)
    assert choice == Choice()


async def test_without_a_view_the_keys_do_nothing() -> None:
    session = FakeSession(views.EngineMirror())
    async with Running(session, size=(120, 40)) as console:
        await console.press("m")
        await console.settle()
        await console.press("b", "h", "down")
        assert console.app.screen.query_one(GroupsPanel).scene is None


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_the_screen(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = console_app(with_analytics())
    assert snap_compare(app, terminal_size=size, run_before=keys("m", "b", "down"))


def test_the_screen_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = console_app(with_analytics())
    assert snap_compare(app, terminal_size=(120, 40), run_before=keys("m"))


async def test_the_screen_follows_the_view() -> None:
    async with Running(with_analytics(), size=(120, 40)) as console:
        await console.press("m")
        await console.settle()
        earlier = analytics(groups=(analytics_views.group("total", "all", 3, 100, 20, 10),))
        console.session.show(msgspec.structs.replace(view_with(analytics=earlier), seq=9_000))
        await console.settle()
        lines = text(console.app.screen.query_one(GroupsPanel).shown_rows)
        assert lines[2].split()[:2] == ["all", "3"]
