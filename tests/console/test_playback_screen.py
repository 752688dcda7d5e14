"""The ordinary screen over the past: nothing is taken for the present, and all of it moves together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console import playback_views, views
from console.fakes import FakeHost, FakeSession, console_app, settle
from console.running import Console, Running

from engine.config import load_config
from engine.link.messages import EventMessage, Role
from engine.link.view import Restriction
from pinnacle_tui import launch
from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.engine_host import ChildPlayback, Ending
from pinnacle_tui.launch import ConsoleError, last_words
from pinnacle_tui.scenes import Scenes, window_title
from pinnacle_tui.screens.main import MainScreen
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, row_text
from pinnacle_tui.widgets.status_bar import StatusBar


def status(width: int = 120, book: dict[str, Any] | None = None, **at: Any) -> Row:
    view = playback_views.view(at=at, products=(views.product_view(**(book or {})),))
    bar = StatusBar(views.palette(), id="status")
    return bar.rows(views.scene(playback_views.mirror(shown=view)), width, 1)[0]


def shown(console: Console) -> dict[str, str]:
    """What each panel of the screen says."""
    screen = console.app.screen
    return {
        panel.id or "": "\n".join(row_text(row) for row in panel.shown_rows) for panel in screen.query(Panel)
    }


# -- it is the past --------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_status_says_past_and_of_when_it_is(width: int):
    row = status(width)
    said = row_text(row)
    assert any(" PAST " in text and words == "replay bold reverse" for text, words in row)
    assert "09:01:07Z" in said
    for present in ("SIM", "live", "up ", "local"):
        assert present not in said
    if width >= 80:
        assert "2026-01-05 09:01:07Z" in said
    if width >= 120:
        assert playback_views.NAME in said


def test_the_mode_of_what_was_recorded_takes_nothing_from_that():
    greeting = playback_views.hello(mode="live", plays="live-btc-usd-0003")
    known = playback_views.mirror()
    known.apply(greeting, 0)
    row = StatusBar(views.palette(), id="status").rows(views.scene(known), 120, 1)[0]
    assert "PAST" in row_text(row)
    assert not any(words.startswith("live") for _, words in row)


def test_trouble_of_then_is_told_as_it_was():
    why = Restriction("OPERATOR", "PAUSED", 0, "pause, console pid 4711", "a person resumes")
    said = row_text(status(200, {"state": "PAUSED", "orders": (), "quotes": (), "restrictions": (why,)}))
    assert " PAUSED " in said
    assert "not quoting" in said
    stale = row_text(status(120, {"connection": "stale", "book_age_ns": 7 * views.S}))
    assert "STALE" in stale


def test_a_state_of_then_is_not_in_the_colour_of_all_is_well_now():
    assert ("ACTIVE", "text") in status()


def test_the_window_says_past_too():
    session = playback_views.session()
    scene = Scenes(session).now()  # type: ignore[arg-type]
    assert scene is not None
    assert window_title(scene) == "PAST BTC-USD 09:01:07 +12.48"
    session.end(Ending(1, "gone"))
    scene = Scenes(session).now()  # type: ignore[arg-type]
    assert scene is not None
    assert "ENDED" in window_title(scene)


def test_a_playback_that_has_ended_is_no_engine_that_has():
    session = playback_views.session()
    session.end(Ending(1, "the playback was killed by SIGKILL"))
    scene = Scenes(session).now()  # type: ignore[arg-type]
    assert scene is not None
    assert " PLAYBACK ENDED 1 " in row_text(StatusBar(views.palette(), id="status").rows(scene, 120, 1)[0])


async def test_the_past_may_be_suspended_also_where_money_was_real():
    session = playback_views.session()
    session.mirror.apply(playback_views.hello(mode="live"), 0)
    async with Running(session) as console:
        assert console.app.check_action("suspend_process", ())


# -- everything moves together ---------------------------------------------------------------------


async def test_when_it_goes_back_nothing_of_what_was_later_is_left():
    session = playback_views.session()
    async with Running(session, size=(200, 60)) as console:
        before = shown(console)
        assert "critical" in before["log"]
        assert "8 fills" in before["orders"]
        assert "4,711 prints" in before["trades"]
        book = views.product_view(
            bids=views.levels(1, mid=views.MID - 90_000),
            asks=views.levels(-1, mid=views.MID - 90_000),
            orders=(),
            quotes=(),
            note="no quotes: warming up",
            trades=(),
            trade_count=0,
            pnl=msgspec.structs.replace(views.product_view().pnl, total=0, position=0, fills=0),
        )
        session.mirror.apply(
            playback_views.moved(
                9, at={"position_seq": 300}, products=(book,), time_ns=9 * views.S, seq=1,
                market_wall_ns=playback_views.START + 9 * views.S,
            ),
            session.clock.monotonic_ns(),
        )  # fmt: skip
        session.on_change()
        await console.settle()
        after = shown(console)
        assert "critical" not in after["log"]
        assert after["log"].count("fill ") == 2
        assert "0 working · 2 fills" in after["orders"]
        assert "0 prints" in after["trades"]
        assert "65,088" not in after["depth"]
        assert "+12.48" not in after["status"]
        assert "08:48:45Z" in after["status"]
        assert "warming up" in after["quotes"] + after["status"]
        assert "0:09.000 of 1:00:00  record 300 of" in row_text(console.app.screen.scrub.shown_rows[0])


async def test_between_two_places_there_is_no_frame_without_data():
    session = playback_views.session()
    async with Running(session, size=(120, 40)) as console:
        for last in (30, 5, 20, 0):
            session.mirror.apply(playback_views.moved(last, seq=last), session.clock.monotonic_ns())
            session.on_change()
            console.app.draw_now()
            assert console.app.scene() is not None
            assert "waiting" not in shown(console)["status"]


async def test_what_happens_while_it_plays_is_in_the_log_and_rings_no_bell(monkeypatch: pytest.MonkeyPatch):
    session, rung = playback_views.session(is_playing=True), list[bool]()
    monkeypatch.setattr(ConsoleApp, "bell", lambda _: rung.append(True))
    async with Running(session, size=(120, 40)) as console:
        session.mirror.apply(EventMessage((views.notice(50, "critical", "LOSS", "the loss limit"),)), 0)
        await console.settle()
        assert "the loss limit" in shown(console)["log"]
        assert console.told == []
        assert rung == []


async def test_what_differs_from_the_record_is_told_once_and_stays_in_the_bar():
    session = playback_views.session()
    async with Running(session, size=(120, 40)) as console:
        for seq in (8_000, 8_001):
            session.show(playback_views.view(at={"divergence": "record 9: another digest"}, seq=seq))
            await console.settle()
        assert console.told == ["record 9: another digest"]
        assert " DIVERGED   record 9: another digest" in row_text(console.app.screen.scrub.shown_rows[0])


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 32), (120, 40), (120, 50), (200, 60)])
async def test_every_row_of_the_screen_can_be_seen(size: tuple[int, int]):
    async with Running(playback_views.session(), size=size) as console:
        screen = console.app.screen
        assert screen.max_scroll_y == 0
        assert screen.keys.region.bottom == size[1]
        assert screen.scrub.region.bottom == size[1] - 1
        assert screen.scrub.size.height == (2 if size[1] < 32 else 4)
        assert len(screen.scrub.shown_rows) == screen.scrub.size.height
        assert "12:31.000" in row_text(screen.scrub.shown_rows[0])


async def test_under_a_dialog_the_bar_goes_on_telling():
    session = playback_views.session()
    async with Running(session, size=(120, 40)) as console:
        await console.press("g")
        session.show(playback_views.view(seq=8_000, time_ns=views.TIME + views.S))
        await console.settle()
        bar = next(screen for screen in console.app.screen_stack if isinstance(screen, MainScreen)).scrub
        assert "12:32.000" in row_text(bar.shown_rows[0])


@pytest.mark.parametrize("size", [(120, 50), (120, 52), (200, 55)])
async def test_the_keys_of_an_engine_that_trades_can_be_seen_at_every_height(size: tuple[int, int]):
    async with Running(size=size) as console:
        assert console.app.screen.max_scroll_y == 0
        assert console.app.screen.keys.region.bottom == size[1]


# -- the process that plays ------------------------------------------------------------------------


def test_it_is_a_child_of_the_console_that_serves_it_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    made: list[Any] = []

    class Started(FakeHost):
        def __init__(self, command: list[str], log: Any) -> None:
            super().__init__()
            made.append((command, log))

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(launch, "ChildPlayback", Started)
    monkeypatch.setattr(ConsoleApp, "run", lambda app, *, mouse: setattr(app, "_return_code", 7))
    code = launch.watch_playback(tmp_path / "sim-btc-usd-0007", load_config(None, {}, ()), ["--at", "90s"])
    assert code == 7
    ((command, log),) = made
    assert command[1:] == [
        "-m", "pinnacle_tui", "replay", str(tmp_path / "sim-btc-usd-0007"), "--serve", "--at", "90s",
    ]  # fmt: skip
    assert log.is_relative_to(tmp_path)


def test_one_that_cannot_be_started_is_no_engine_that_was_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    def fail(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(launch, "ChildPlayback", fail)
    with pytest.raises(ConsoleError, match="the playback cannot be started: Resource temporarily"):
        launch.watch_playback("x", load_config(None, {}, ()))


def test_a_screen_that_fails_takes_its_playback_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    class Started(ChildPlayback):
        def __init__(self) -> None:
            """Nothing is started."""

    def crash(app: ConsoleApp, *, mouse: bool) -> None:
        app.crash = ValueError("a widget failed")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(ConsoleApp, "run", crash)
    with pytest.raises(ConsoleError, match="the screen failed, and the playback ended with it") as failed:
        launch._run(Started(), load_config(None, {}, ()), Role.OWNER)
    assert "order" not in str(failed.value)


@pytest.mark.parametrize(
    ("script", "code", "sentence"),
    [
        ("raise SystemExit(0)", 0, "the playback has ended"),
        ("print('no such session'); raise SystemExit(2)", 2, "ended with exit code 2: no such session"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            1,
            "the playback was killed by SIGKILL; nothing trades in it",
        ),
    ],
)
def test_how_the_process_ended_is_told_without_a_word_about_orders(
    tmp_path: Any, script: str, code: int, sentence: str
):
    import sys

    child = ChildPlayback([sys.executable, "-c", script], tmp_path / "log")
    child.connect().close()
    ending = child._describe(child._process.wait(30))
    assert ending.code == code
    assert sentence in ending.sentence


def test_the_last_words_say_where_it_was_left():
    session: Any = playback_views.session()
    assert last_words(session) == (
        "sim-btc-usd-0007: left at record 24360 of 118204, 2026-01-05T09:01:07.412000000Z"
    )
    session = playback_views.session(divergence="record 9: another digest")
    assert last_words(session).splitlines()[1] == "diverged: record 9: another digest"
    session = FakeSession(views.EngineMirror())
    session.ending = Ending(6, "the playback ended with exit code 6: seg.pjl is damaged")
    assert last_words(session) == "the playback ended with exit code 6: seg.pjl is damaged"


async def test_the_screen_over_an_engine_that_trades_has_no_bar():
    app = console_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert not app.screen.scrub.is_on_screen  # type: ignore[attr-defined]
        assert app.player.playback is None
