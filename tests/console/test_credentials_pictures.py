"""Pictures of every step of the wizard, compared line by line, and that no secret is in any of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest
from console import fake_desk as played
from console.fake_desk import NAME, PEM, RIGHT, FakeDesk
from console.fakes import until
from console.running import words
from console.wizard_walk import wizard_app, wizard_at
from textual.events import Paste
from textual.pilot import Pilot

from engine.credentials.desk import EXCHANGE, Finding, KeySummary, VaultState
from pinnacle_tui.credential_wizard import Stage
from pinnacle_tui.launch_credentials import WizardApp

Compare = Callable[..., bool]
Prepare = Callable[[Pilot[None]], Awaitable[None]]

SECRETS = ("7c1f", "MHcCAQ", "pemsecret", "END EC", "tidal", "lantern", "c2Vj")
"""Pieces of everything that is pasted."""
SIZES = {"80x24": (80, 24), "120x40": (120, 40)}


class Scene(NamedTuple):
    """A step, as it is to be seen."""

    stage: Stage = Stage.VAULT
    state: VaultState = VaultState.ABSENT
    keys: tuple[KeySummary, ...] = ()
    findings: tuple[Finding, ...] = played.GOOD
    pastes: tuple[str, ...] = ()
    """Into one field after the other."""
    until: str = ""
    """What is said once everything has happened."""


OPEN, KEYS = VaultState.OPEN, (played.MAIN, played.OFFICE)
SCENES = {
    "absent": Scene(),
    "locked": Scene(state=VaultState.LOCKED, pastes=("tida",)),
    "refused": Scene(state=VaultState.REFUSED),
    "keys": Scene(state=OPEN, keys=KEYS),
    "venue": Scene(Stage.VENUE),
    "key": Scene(Stage.KEY),
    "key-pasted": Scene(Stage.KEY, OPEN, KEYS, pastes=(NAME, PEM), until="✓ an ECDSA"),
    "taken": Scene(Stage.CHECK, until="nothing beyond"),
    "not-taken": Scene(Stage.CHECK, OPEN, KEYS, played.REFUSED, until="is not saved"),
    "not-asked": Scene(Stage.CHECK, OPEN, KEYS, played.UNCHECKED, until="saved unchecked"),
    "password": Scene(Stage.PASSWORD, pastes=(RIGHT, RIGHT), until="both are the same"),
    "name": Scene(Stage.NAME),
    "saved": Scene(Stage.SAVED, OPEN, KEYS),
    "change": Scene(Stage.CHANGE_PASSWORD, OPEN, KEYS, pastes=("tidal",), until="too short"),
}


def app_of(scene: Scene, theme: str = "pinnacle") -> WizardApp:
    desk = FakeDesk(scene.state, scene.keys)
    desk.findings = scene.findings
    desk.trouble = (
        f"{desk.path} can be read by others, so it is not used. Close it to them:\nchmod 600 {desk.path}"
    )
    wizard = wizard_at(desk, scene.stage)
    if scene.stage is Stage.SAVED:
        wizard.saved, wizard.fitness = played.MAIN, desk.fitness(desk.findings)
    return wizard_app(wizard, desk.clock, theme=theme)


def preparing(scene: Scene) -> Prepare:
    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()
        for number, text in enumerate(scene.pastes):
            if number:
                await pilot.press("tab")
            assert pilot.app.screen.focused is not None
            pilot.app.screen.focused.post_message(Paste(text))
            await pilot.pause()
        await until(pilot, lambda: scene.until in words(pilot.app))
        await pilot.pause()
        picture = pilot.app.export_screenshot()
        assert [secret for secret in SECRETS if secret in picture] == []

    return prepare


@pytest.mark.parametrize("size", ["80x24", pytest.param("120x40", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("name", SCENES)
def test_a_step(snap_compare: Compare, name: str, size: str) -> None:
    scene = SCENES[name]
    assert snap_compare(app_of(scene), terminal_size=SIZES[size], run_before=preparing(scene))


@pytest.mark.parametrize("name", ["key-pasted", "not-taken"])
def test_a_step_on_a_light_ground(snap_compare: Compare, name: str) -> None:
    scene = SCENES[name]
    app = app_of(scene, "pinnacle-light")
    assert snap_compare(app, terminal_size=(80, 24), run_before=preparing(scene))


@pytest.mark.parametrize("name", ["password", "not-asked"])
def test_a_step_without_colours(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    scene = SCENES[name]
    assert snap_compare(app_of(scene), terminal_size=(80, 24), run_before=preparing(scene))


def test_the_parts_of_a_key_of_exchange(snap_compare: Compare) -> None:
    desk = FakeDesk(OPEN, KEYS)
    app = wizard_app(wizard_at(desk, Stage.KEY, EXCHANGE), desk.clock)
    assert snap_compare(app, terminal_size=(80, 24), run_before=preparing(Scene(pastes=("k1", "c2VjcmV0"))))
