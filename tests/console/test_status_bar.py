"""The status bar: what may never be missed, what gives way, and what is said before there is a view."""

from __future__ import annotations

import dataclasses
from datetime import UTC, timedelta, timezone
from typing import Any

import msgspec
import pytest
from console import views
from console.panel_app import PanelApp, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.link.messages import Role
from engine.link.mirror import EngineMirror, LinkState
from engine.link.view import Feed, Restriction
from pinnacle_tui.widgets.rows import Row, row_text, row_width
from pinnacle_tui.widgets.status_bar import StatusBar

S, MS = views.S, views.MS
AHEAD = timezone(timedelta(hours=2))


def bar(**changes: Any) -> StatusBar:
    made = StatusBar(views.palette(), id="status", zone=changes.pop("zone", UTC))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def known(greeting: dict[str, Any] | None = None, **changes: Any) -> EngineMirror:
    shown = views.view(views.product_view(**changes))
    return views.mirror(shown=shown, greeting=views.hello(**(greeting or {})))


def row(width: int, one: StatusBar | None = None, mirror: EngineMirror | None = None, now_ns: int = 0) -> Row:
    (made,) = (one or bar()).rows(views.scene(mirror or known(), now_ns=now_ns), width, 1)
    return made


def line(
    width: int, one: StatusBar | None = None, mirror: EngineMirror | None = None, now_ns: int = 0
) -> str:
    return row_text(row(width, one, mirror, now_ns))


def style(made: Row, said: str) -> str:
    return next(words for text, words in made if said in text)


def test_at_80_columns_nothing_that_matters_is_missing() -> None:
    assert line(80) == (" SIM  BTC-USD   ACTIVE  ● live 0.0s  quoting 2x2       P&L +12.48 USD  09:01:07Z")


def test_the_least_important_goes_first_and_nothing_is_cut() -> None:
    wide = line(120)
    assert wide.startswith(" pinnacle   SIM  BTC-USD   ACTIVE  ● live 0.0s  quoting 2x2  ")
    assert wide.endswith("  P&L +12.48 USD  09:01:07Z  up 12m31s")
    assert [line(width).split() for width in (60, 45, 40, 24, 15, 4)] == [
        ["SIM", "BTC-USD", "ACTIVE", "●", "live", "0.0s", "P&L", "+12.48", "USD"],
        ["SIM", "BTC-USD", "ACTIVE", "●", "live", "0.0s", "+12.48"],
        ["SIM", "BTC-USD", "ACTIVE", "●", "live", "0.0s"],
        ["SIM", "BTC-USD", "ACTIVE"],
        ["SIM", "BTC-USD"],
        [],
    ]


@pytest.mark.parametrize("mode", ["sim", "paper", "live", "replay"])
def test_mode_and_product_are_one_block_in_the_colour_of_the_mode(mode: str) -> None:
    made = row(80, mirror=known({"mode": mode}))
    assert made[0] == (f" {mode.upper()}  BTC-USD ", f"{mode} bold reverse")
    assert row(8, mirror=known({"mode": mode}))[0] == (f" {mode.upper()} ", f"{mode} bold reverse")


@pytest.mark.parametrize(
    ("score", "note", "said", "words"),
    [
        (100, "", None, ""),
        (82, "no heartbeat for 3 s", "trust 82", "warning"),
        (40, "the book was crossed", "trust 40", "danger bold"),
    ],
)
def test_a_book_that_is_not_wholly_trusted_says_so(
    score: int, note: str, said: str | None, words: str
) -> None:
    made = row(140, mirror=known(trust=score, trust_note=note))
    if said is None:
        assert "trust" not in row_text(made)
    else:
        assert style(made, said) == words
        assert note in row_text(made)
        narrow = row_text(row(90, mirror=known(trust=score, trust_note=note * 9)))
        assert f"{said}  quoting 2x2" in narrow, "a long reason leaves what is quoted in its place"


def test_the_clock_and_the_connections_of_a_venue_are_told_where_they_are_not_well() -> None:
    view = views.view()
    for offset_ms, reconnects, said in (
        (99, 0, ()),
        (-400, 1, ("clock +400 ms", "1 reconnect ")),
        (150, 3, ("clock -150 ms", "3 reconnects")),
    ):
        feed = Feed(10, 0, 0, 0, 0, 0, reconnects)
        health = msgspec.structs.replace(view.health, clock_offset_ns=offset_ms * MS, feed=feed)
        text = line(160, mirror=views.mirror(shown=msgspec.structs.replace(view, health=health)))
        assert all(word in text for word in said)
        assert ("clock" in text) is bool(said)


@pytest.mark.parametrize(
    ("changes", "said", "words"),
    [
        ({"book_age_ns": 2_000 * MS}, "live 2.0s", "text"),
        ({"book_age_ns": 2_100 * MS}, "○ STALE 2.1s", "warning bold"),
        ({"book_age_ns": 5_200 * MS}, " STALE 5.2s ", "danger bold reverse"),
        ({"connection": "stale"}, " STALE 0.0s ", "danger bold reverse"),
        ({"connection": "subscribed", "book_age_ns": None}, "○ subscribed, no data yet", "warning"),
        ({"connection": "idle"}, "○ idle", "warning"),
    ],
)
def test_the_feed(changes: dict[str, Any], said: str, words: str) -> None:
    made = row(120, mirror=known(**changes))
    assert said in row_text(made)
    assert style(made, said) == words


@pytest.mark.parametrize(
    ("now_ns", "said", "words"),
    [
        (3_200 * MS, "○ silent 3.2s", "warning bold"),
        (12 * S, " LINK DOWN 12s ", "danger bold reverse"),
    ],
)
def test_the_link_is_worse_than_the_feed(now_ns: int, said: str, words: str) -> None:
    made = row(80, now_ns=now_ns)
    assert style(made, said) == words
    assert "live" not in row_text(made)


def test_a_link_that_is_down_greys_the_figures_and_not_the_warning() -> None:
    made = row(100, now_ns=12 * S)
    assert style(made, "+12.48") == style(made, "was ACTIVE") == style(made, "last quoting 2x2") == "stale"
    assert made[0][1] == "sim bold reverse"


KILLED = "the engine was killed by SIGKILL; nobody proved that no order is open"


def ended(width: int, **changes: Any) -> Row:
    gone = views.scene(known(), now_ns=12 * S)
    gone = dataclasses.replace(gone, link=LinkState.ENDED, **{"exit_code": 75, "trouble": KILLED} | changes)
    (made,) = bar().rows(gone, width, 1)
    return made


def test_an_engine_that_has_ended_says_with_which_code_and_how() -> None:
    made = ended(160)
    assert row_text(made).startswith(f" SIM  BTC-USD    ENGINE ENDED 75   {KILLED}  ")
    assert style(made, " ENGINE ENDED 75 ") == "danger bold reverse"
    assert style(made, KILLED) == "danger"
    short = row_text(ended(80))
    assert short.startswith(" SIM  BTC-USD    ENGINE ENDED 75   the engine w")
    assert "…" in short
    assert " ENGINE ENDED " in row_text(ended(31))


def test_an_engine_that_has_ended_is_in_no_state_and_quotes_nothing() -> None:
    for width in (80, 120, 200):
        said = row_text(ended(width))
        assert "ACTIVE" not in said
        assert "quoting" not in said


def test_an_engine_that_ended_well_is_not_alarming() -> None:
    made = ended(120, exit_code=0, trouble="the engine has ended")
    assert style(made, " ENGINE ENDED ") == "warning bold reverse"
    assert "ENDED 0" not in row_text(made)


def test_a_link_that_is_down_says_why() -> None:
    down = dataclasses.replace(views.scene(known(), now_ns=12 * S), trouble="Connection refused")
    (made,) = bar().rows(down, 120, 1)
    assert " LINK DOWN 12s   Connection refused" in row_text(made)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("ACTIVE", "ok"),
        ("REDUCING", "warning bold reverse"),
        ("PAUSED", "warning bold reverse"),
        ("HALTED", "danger bold reverse"),
        ("KILLED", "danger bold reverse"),
    ],
)
def test_only_active_is_calm(state: str, words: str) -> None:
    assert style(row(80, mirror=known(state=state)), state) == words


def test_what_is_not_quoted_has_its_reason() -> None:
    assert "not quoting  the book is stale" in line(120, mirror=known(quotes=(), note="the book is stale"))
    held = Restriction("OPERATOR", "PAUSED", 0, "paused at the console", "a person resumes")
    assert "not quoting  paused at the console" in line(120, mirror=known(quotes=(), restrictions=(held,)))
    one_sided = views.product_view().quotes[:2]
    assert "quoting 2x0  at the cap" in line(120, mirror=known(quotes=one_sided, note="at the cap"))
    locked = known(
        quotes=(), state="PAUSED", note="no quotes: PAUSED, the user channel is lost: fills are not told"
    )
    assert "not quoting  the user channel is…" in line(101, mirror=locked)


def test_an_order_that_only_the_venue_knows_of_is_no_quote() -> None:
    orders = views.product_view().orders
    doubted = tuple(msgspec.structs.replace(order, state="uncertain") for order in orders)
    made = row(120, mirror=known(orders=doubted))
    assert "not quoting" in row_text(made)
    assert style(made, f"{len(orders)} UNCERTAIN") == "danger bold"


def test_profit_without_a_mark_is_no_zero() -> None:
    pnl = msgspec.structs.replace(views.product_view().pnl, total=None, mark=None)
    assert "P&L – no mark" in line(80, mirror=known(pnl=pnl))


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        ({"role": Role.VIEW}, "view only"),
        ({"role": Role.CONTROL}, "CONTROL"),
        ({"speed": 10.0}, "10x"),
        ({"speed": None}, "max speed"),
    ],
)
def test_role_and_speed_are_said_where_they_are_not_the_usual(greeting: dict[str, Any], said: str) -> None:
    assert said in line(120, mirror=known(greeting))
    assert said not in line(120)


def test_the_local_time_is_said_where_it_differs() -> None:
    assert "local" not in line(140)
    assert "09:01:07Z  11:01 local" in line(140, bar(zone=AHEAD))
    replayed = views.view(market_wall_ns=views.WALL - 86_400 * S - 3_600 * S)
    mirror = views.mirror(shown=replayed)
    assert "08:01:07Z  09:01 local" in line(140, mirror=mirror)


def test_a_frozen_screen() -> None:
    one = bar(frozen_since_ns=0)
    made = row(160, one, now_ns=2_400 * MS)
    assert style(made, " FROZEN 2.4s ") == "warning bold reverse"
    assert " FROZEN 2.4s " in line(60, one, now_ns=2_400 * MS)


async def test_before_the_first_view_it_says_what_is_waited_for() -> None:
    one = bar()
    app = PanelApp(one)
    async with app.run_test(size=(80, 1)) as pilot:
        one.show_waiting("connecting to the engine")
        assert shown(one) == [" pinnacle  connecting to the engine"]
        assert not any(character.isdigit() for character in shown(one)[0])
        await pilot.resize_terminal(30, 1)
        await pilot.pause()
        assert shown(one) == [" pinnacle  connecting to the …"]
        one.show(views.scene())
        assert shown(one)[0].startswith(" SIM  BTC-USD ")
        one.show_waiting("the engine is starting again")
        assert "SIM" not in shown(one)[0]
        assert one.scene is None
        assert not one.can_focus


async def test_the_warning_stays_in_its_colour_while_the_rest_of_the_screen_is_greyed() -> None:
    one = bar()
    async with PanelApp(one).run_test(size=(80, 1)):
        one.show(views.scene(now_ns=12 * S))
        palette = views.palette()
        drawn = {segment.text: segment.style for segment in one.render_line(0)}
        assert drawn[" LINK DOWN 12s "] == palette.style("danger bold reverse")
        assert drawn["was ACTIVE"] == palette.style("stale")


@settings(max_examples=150, deadline=None)
@given(
    width=st.integers(0, 200),
    total=st.integers(1, 10**30) | st.integers(-(10**30), -1),
    note=st.text(alphabet="ab 1", max_size=60),
    age_ns=st.none() | st.integers(0, 10**15),
    frozen=st.booleans(),
)
def test_it_fits_and_shows_a_number_whole_or_not(
    width: int, total: int, note: str, age_ns: int | None, frozen: bool
) -> None:
    pnl = msgspec.structs.replace(views.product_view().pnl, total=total)
    mirror = known(pnl=pnl, note=note, quotes=(), book_age_ns=age_ns)
    made = row(width, bar(frozen_since_ns=0 if frozen else None), mirror)
    assert row_width(made) <= width
    figures = [text for text, words in made if words.startswith(("up", "down"))]
    assert figures in ([], [views.scene(mirror).numbers.money(total).strip()])


@settings(max_examples=100, deadline=None)
@given(width=st.integers(0, 200), code=st.none() | st.integers(0, 255), trouble=st.text(max_size=90))
def test_an_ending_fits_at_every_width(width: int, code: int | None, trouble: str) -> None:
    assert row_width(ended(width, exit_code=code, trouble=trouble)) <= width


def two(**changes: Any) -> EngineMirror:
    other = views.product_view(views.ETH, **changes)
    return views.mirror(
        greeting=views.hello(views.BTC, views.ETH), shown=views.view(views.product_view(), other)
    )


def test_of_several_products_the_whole_profit_is_told() -> None:
    assert "all +24.96  P&L +12.48 USD" in line(120, mirror=two())
    unknown = msgspec.structs.replace(views.product_view().pnl, total=None)
    assert "all" not in line(120, mirror=two(pnl=unknown))
    assert "all" not in line(120)


def test_a_product_that_is_not_shown_and_does_not_trade_is_loud() -> None:
    assert "ETH-USD" not in line(120, mirror=two())
    made = row(120, mirror=two(state="HALTED"))
    assert style(made, "ETH-USD HALTED") == "danger bold reverse"
    assert "ETH-USD HALTED" in line(80, mirror=two(state="HALTED"))
