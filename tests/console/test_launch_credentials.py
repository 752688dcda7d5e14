"""The wizard as a program of its own: how it ends, and that nothing is left open or kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from console.fake_desk import NAME, RIGHT, FakeDesk
from console.wizard_walk import Walk, wizard_app, wizard_at

from engine.config import Resolved, load_config
from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import VaultState
from pinnacle_tui.credential_wizard import Stage
from pinnacle_tui.launch import ConsoleError
from pinnacle_tui.launch_credentials import WizardApp, run_wizard
from pinnacle_tui.screens.credential_leaving import LeaveQuestion
from pinnacle_tui.screens.credentials import CredentialsScreen

Run = Callable[[Callable[[WizardApp], None]], int]


@pytest.fixture
def resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resolved:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return load_config(None, {}, (), {})


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk(VaultState.OPEN)


@pytest.fixture
def run(resolved: Resolved, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program, with a screen on which only that happens which a test says."""

    def running(happens: Callable[[WizardApp], None]) -> int:
        monkeypatch.setattr(WizardApp, "run", lambda app, **options: happens(app))
        return run_wizard(resolved, lambda: desk)

    return running


def test_left_as_it_should_be_it_ends_well_and_the_vault_is_locked(run: Run, desk: FakeDesk) -> None:
    held = Secret(NAME)

    def happens(app: WizardApp) -> None:
        app.wizard.enter("name", held)

    assert run(happens) == 0
    assert not any(held.reveal())
    assert desk.state is VaultState.LOCKED


def test_too_many_wrong_passwords_are_an_error_of_credentials(run: Run) -> None:
    with pytest.raises(CredentialError, match="wrong 5 times"):
        run(lambda app: app.wizard.end("the password was wrong 5 times"))


def test_a_screen_that_fails_leaves_a_report_without_what_was_entered(
    run: Run, desk: FakeDesk, tmp_path: Path
) -> None:
    def happens(app: WizardApp) -> None:
        app.wizard.enter("name", Secret(NAME))
        app.crash = RuntimeError("a widget failed")

    with pytest.raises(ConsoleError, match="the screen failed"):
        run(happens)
    reports = [path.read_text() for path in tmp_path.rglob("screen-*.txt")]
    assert len(reports) == 1
    assert "a widget failed" in reports[0]
    assert NAME not in reports[0]
    assert desk.state is VaultState.LOCKED


@pytest.mark.parametrize("key", ["escape", "ctrl+c", "ctrl+q", "ctrl+x"])
async def test_every_usual_key_leaves(key: str) -> None:
    desk = FakeDesk()
    app = wizard_app(wizard_at(desk), desk.clock)
    async with app.run_test() as pilot:
        await pilot.press(key)
        await pilot.pause()
    assert app.return_code == 0


async def test_what_was_pasted_is_asked_about_and_cannot_be_kept_for_later() -> None:
    desk = FakeDesk()
    app: Any = wizard_app(wizard_at(desk, Stage.KEY), desk.clock)
    async with app.run_test() as pilot:
        walk = Walk(pilot, desk)
        await pilot.pause()
        await walk.paste(NAME)
        await walk.press("ctrl+c")
        assert isinstance(app.screen, LeaveQuestion)
        assert "later" not in "".join(str(each.render()) for each in app.screen.query("Answer"))
        await walk.press("L", "escape")
        assert isinstance(app.screen, CredentialsScreen)
        await walk.press("ctrl+x", "y")
    assert app.return_code == 0
    assert not app.wizard.has_entries


async def test_control_and_c_is_no_question_asked_twice() -> None:
    desk = FakeDesk()
    app = wizard_app(wizard_at(desk, Stage.CHECK), desk.clock)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c", "ctrl+c")
        await pilot.pause()
    assert app.return_code == 0


async def test_the_fifth_wrong_password_ends_the_program() -> None:
    desk = FakeDesk(VaultState.LOCKED)
    desk._failures = 4
    app = wizard_app(wizard_at(desk), desk.clock)
    async with app.run_test() as pilot:
        walk = Walk(pilot, desk)
        await pilot.pause()
        await walk.paste(f"not {RIGHT}")
        await walk.press("enter")
        await walk.until(lambda: app.return_code is not None)
    assert "wrong 5 times" in app.wizard.ending
