"""A person at the wizard, for tests: where they are, what they read, and the keys they press."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from console.fake_desk import NAME, PEM, RIGHT, FakeDesk
from console.fakes import FakeSession, until
from console.running import Console, Running, words
from rich.console import Console as Printer
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Static

from engine.core.clock import ManualClock
from engine.core.secret import Secret
from engine.credentials.desk import ADVANCED, EXCHANGE, VaultState
from pinnacle_tui.credential_wizard import Stage, Wizard
from pinnacle_tui.held_keys import HELD_NS
from pinnacle_tui.launch_credentials import WizardApp
from pinnacle_tui.remembered import Remembered
from pinnacle_tui.screens.credentials import StepKey
from pinnacle_tui.theme_file import themes_folder
from pinnacle_tui.themes import ThemeLibrary


def wizard_at(desk: FakeDesk, stage: Stage = Stage.VAULT, kind: str = ADVANCED) -> Wizard:
    """The wizard at a step, with everything entered that comes before it."""
    wizard = Wizard(desk, desk.clock)
    if stage is not Stage.VAULT:
        wizard.go(Stage.VENUE)
    if stage not in (Stage.VAULT, Stage.VENUE):
        wizard.choose(kind)
    if stage in (Stage.CHECK, Stage.PASSWORD, Stage.NAME):
        for part, text in (("name", NAME), ("privateKey", PEM)):
            wizard.enter(part, Secret(text))
        wizard.understand(desk.read_parts(kind, wizard.parts))
    if stage in (Stage.PASSWORD, Stage.NAME):
        wizard.findings = list(desk.findings)
        wizard.fitness = desk.fitness(desk.findings)
    if stage is Stage.NAME and desk.state is VaultState.ABSENT:
        wizard.choose_password(Secret(RIGHT))
    wizard.stage = stage
    return wizard


def wizard_app(wizard: Wizard, clock: ManualClock, *, theme: str = "pinnacle") -> WizardApp:
    """The wizard as a program of its own."""
    themes = ThemeLibrary([themes_folder()])
    themes.load()
    return WizardApp(
        wizard,
        clock,
        themes=themes,
        remembered=Remembered(None),
        wanted_theme=theme,
        is_theme_given=True,
    )


def everything(app: Any) -> str:
    """What can be made of the screen: picture, trees, clipboard, objects."""
    told = io.StringIO()
    printer = Printer(file=told, width=300)
    printer.print(app.tree, app.screen.css_tree)
    for widget in app.screen.walk_children():
        printer.print(repr(widget), str(widget.render()))
    return f"{app.export_screenshot()}{app.clipboard}{told.getvalue()}{app.wizard.__dict__}"


class Walk:
    """The wizard on a screen, and the desk behind it."""

    def __init__(self, pilot: Pilot[None], desk: FakeDesk) -> None:
        self.pilot = pilot
        self.desk = desk

    @property
    def app(self) -> Any:
        return self.pilot.app

    @property
    def wizard(self) -> Wizard:
        wizard = self.app.wizard
        assert isinstance(wizard, Wizard)
        return wizard

    @property
    def said(self) -> str:
        return words(self.app)

    @property
    def offered(self) -> set[str]:
        """The keys of the last line, as they are written."""
        return {key.key for key in self.app.screen.query(StepKey) if key.display}

    @property
    def heading(self) -> str:
        return str(self.app.screen.query_one("#heading", Static).render())

    async def press(self, *keys: str) -> None:
        for key in keys:
            self.desk.clock.advance(HELD_NS)
            await self.pilot.press(key)
            await self.pilot.pause()

    async def paste(self, text: str) -> None:
        self.app.screen.focused.post_message(Paste(text))
        await self.pilot.pause()

    async def until(self, met: Callable[[], bool]) -> None:
        await until(self.pilot, met)

    async def until_said(self, what: str) -> None:
        await self.until(lambda: what in self.said)

    async def until_offered(self, key: str) -> None:
        await self.until(lambda: key in self.offered)

    async def until_at(self, stage: Stage) -> None:
        await self.until(lambda: self.wizard.stage is stage)
        await self.pilot.pause()

    async def to_key(self, kind: str = ADVANCED) -> None:
        """From the first step to the fields."""
        await self.press("enter" if self.desk.state is VaultState.ABSENT else "a")
        await self.press(*(["down"] if kind == EXCHANGE else []), "enter")
        assert self.wizard.stage is Stage.KEY

    async def to_check(self) -> None:
        """On to a check that is over."""
        await self.to_key()
        await self.paste(NAME)
        await self.press("enter")
        await self.paste(PEM)
        await self.press("enter")
        await self.until(lambda: self.wizard.fitness is not None)
        await self.pilot.pause()

    async def choose(self, password: str, again: str | None = None) -> None:
        """Both fields of a new master password."""
        await self.paste(password)
        await self.press("enter")
        await self.paste(password if again is None else again)


class ConsoleWalk(Walk):
    """The same over a console, while the engine goes on."""

    def __init__(self, console: Console, desk: FakeDesk) -> None:
        super().__init__(console.pilot, desk)
        self.console = console

    async def open(self) -> None:
        self.app.action_credentials()
        await self.pilot.pause()


@asynccontextmanager
async def walking(
    desk: FakeDesk | None = None, stage: Stage = Stage.VAULT, *, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Walk]:
    desk = desk or FakeDesk()
    async with wizard_app(wizard_at(desk, stage), desk.clock).run_test(size=size) as pilot:
        await pilot.pause()
        yield Walk(pilot, desk)


@asynccontextmanager
async def walking_in_console(desk: FakeDesk | None = None) -> AsyncIterator[ConsoleWalk]:
    session = FakeSession()
    desk = desk or FakeDesk()
    desk.clock = session.clock
    async with Running(session, size=(80, 24), make_desk=lambda: desk) as console:
        walk = ConsoleWalk(console, desk)
        await walk.open()
        yield walk
