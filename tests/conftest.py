"""Shared fixtures, and the rule that no test is skipped without a reason that is known here."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from console.terminal import Home, Terminal, has_tmux
from skip_reasons import ALLOWED_SKIPS, NO_RECORDINGS, NO_TMUX

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"

_skips: Counter[str] = Counter()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(NO_RECORDINGS)
    return SHARED


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for each test. `mktemp` looks through all of its folders each time, which is slow."""
    parent = tmp_path_factory.mktemp("states")
    return (parent / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def state_folder(states: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's sessions are kept: nobody else's are gone on with."""
    folder = next(states)
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A user who has never run the program. The name is short: the path of a socket has little room."""
    return Home(tmp_path_factory.mktemp("h"))


@pytest.fixture
def open_terminal(home: Home) -> Iterator[Callable[..., Terminal]]:
    """Opens that user's terminal: tmux, to be had on every machine that tests for others."""
    if not has_tmux():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{NO_TMUX}; where CI=true it must be")
        pytest.skip(NO_TMUX)
    with ExitStack() as opened:
        yield lambda **given: opened.enter_context(Terminal(home, **given))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        assert isinstance(report.longrepr, tuple)
        _skips[report.longrepr[2].removeprefix("Skipped: ")] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    unexpected = {reason: n for reason, n in _skips.items() if n > ALLOWED_SKIPS.get(reason, 0)}
    if unexpected and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    session.config.stash[_UNEXPECTED] = unexpected


_UNEXPECTED = pytest.StashKey[dict[str, int]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reason, count in config.stash.get(_UNEXPECTED, {}).items():
        terminalreporter.write_line(f"{count} tests were skipped that must not be: {reason}", red=True)
