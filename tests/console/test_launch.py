"""How the console is started, started anew after a screen has failed, and what it says at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from console import views
from console.fakes import FakeHost, FakeSession

from engine.config import load_config
from engine.link.messages import Bye, Role
from engine.link.mirror import EngineMirror
from pinnacle_tui import launch
from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.launch import ConsoleError, last_words


class Runs:
    """Stands for `App.run`: ends each run as the test says, without a terminal."""

    def __init__(self, *endings: Exception | int) -> None:
        self.endings = list(endings)
        self.mouse: list[bool] = []
        self.notices: list[tuple[str, ...]] = []

    def __call__(self, app: ConsoleApp, *, mouse: bool) -> None:
        self.mouse.append(mouse)
        self.notices.append(app._notices)
        ending = self.endings.pop(0)
        if isinstance(ending, Exception):
            app.crash = ending
        else:
            app._return_code = ending


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    def start(runs: Runs, *overrides: str, is_in_process: bool = False, unsaved: str = "") -> int:
        def stand_in(app: ConsoleApp, *, mouse: bool) -> None:
            runs(app, mouse=mouse)
            app.unsaved = unsaved

        monkeypatch.setattr(ConsoleApp, "run", stand_in)
        host: Any = FakeHost()
        host.is_in_process = is_in_process
        return launch._run(host, load_config(None, {}, overrides), Role.OWNER)

    return start


def test_the_exit_code_is_that_of_the_screen(run: Any) -> None:
    assert run(Runs(0)) == 0
    assert run(Runs(75)) == 75


@pytest.mark.parametrize("mouse", ["true", "false"])
def test_the_mouse_is_taken_or_left_alone(run: Any, mouse: str) -> None:
    runs = Runs(0)
    run(runs, f"console.mouse={mouse}")
    assert runs.mouse == [mouse == "true"]


def test_a_screen_that_failed_is_started_anew_and_says_so(run: Any, tmp_path: Path) -> None:
    runs = Runs(ValueError("a widget failed"), 0)
    assert run(runs) == 0
    (notice,) = runs.notices[1]
    assert notice.startswith("the screen failed and was started anew; the engine was not touched. Report: ")
    (report,) = (tmp_path / "pinnacle-tui" / "logs").glob("screen-*.txt")
    assert "a widget failed" in report.read_text()
    assert str(report) in notice


def test_a_screen_that_fails_takes_an_inline_engine_with_it(run: Any, tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="the engine with it, which ran in the same process") as failed:
        run(Runs(ValueError("a widget failed"), 0), is_in_process=True)
    assert failed.value.exit_code == 1
    (report,) = (tmp_path / "pinnacle-tui" / "logs").glob("screen-*.txt")
    assert str(report) in str(failed.value)


def test_what_could_not_be_kept_is_said_at_the_end(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Runs(0), unsaved="console.json could not be kept: disk full") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "console.json could not be kept: disk full"


def test_a_screen_that_fails_three_times_in_a_minute_stays_off(run: Any) -> None:
    runs = Runs(*(ValueError(str(n)) for n in range(3)))
    with pytest.raises(ConsoleError, match=r"failed 3 times .* the engine follows console.on_owner_lost"):
        run(runs)


def test_failures_that_are_far_apart_are_each_forgiven(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(0, 1_000, 40))
    monkeypatch.setattr(launch.time, "monotonic", lambda: next(times))
    assert run(Runs(*(ValueError(str(n)) for n in range(8)), 0)) == 0


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / f"engine-20260101T0000{n:02}Z-1.log").touch()
    fresh = launch._fresh_log(tmp_path)
    fresh.touch()
    left = sorted(tmp_path.iterdir())
    assert len(left) == launch._LOGS_KEPT
    assert left[0].name == "engine-20260101T000011Z-1.log"


def test_the_last_words_tell_what_was_earned_and_prove_it() -> None:
    session: Any = FakeSession()
    session.mirror.apply(Bye("stopped by console pid 1", 0, (), {"BTC-USD": "abc123"}), 0)
    session.ending = Ending(0, "the engine has ended: stopped by console pid 1")
    assert last_words(session) == "BTC-USD: P&L +12.48 USD, position 0.03100000 BTC, fills 31, digest abc123"


def test_a_bad_end_comes_first_and_names_what_may_be_open() -> None:
    session: Any = FakeSession()
    session.mirror.apply(Bye("no proof", 75, ("o1", "o2"), {}), 0)
    session.ending = Ending(75, "the engine has ended: no proof")
    lines = last_words(session).splitlines()
    assert lines[0] == "the engine has ended: no proof"
    assert lines[1].startswith("BTC-USD: P&L +12.48 USD")
    assert lines[2] == "possibly open: o1, o2"


def test_an_engine_that_goes_on_is_named() -> None:
    session: Any = FakeSession()
    assert last_words(session).splitlines()[-1] == "the engine goes on: pinnacle-tui attach sim-btc-usd"


def test_an_engine_that_never_spoke_has_no_figures() -> None:
    session: Any = FakeSession(EngineMirror())
    assert last_words(session) == ""
    session.ending = Ending(2, "the engine ended with exit code 2: no such product")
    assert last_words(session) == "the engine ended with exit code 2: no such product"
    pnl = msgspec.structs.replace(views.product_view().pnl, total=None)
    blind: Any = FakeSession(views.mirror(shown=views.view(views.product_view(pnl=pnl))))
    assert "P&L – USD" in last_words(blind)
