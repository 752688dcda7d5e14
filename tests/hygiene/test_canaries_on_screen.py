"""No secret on the screen: what is typed is in no picture, tree, clipboard or byte of the terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pytest
from console import wizard_walk
from console.fake_desk import FakeDesk
from console.fakes import FakeSession
from console.running import Running
from console.wizard_walk import Walk, wizard_app
from engine_process import machine
from hygiene.canary_kit import KINDS, Marked, venue_that_listens
from hygiene.canary_runs import children, seen, stored, where
from rich.console import Console
from textual.app import App
from textual.events import Paste

from engine.core.secret import Secret
from engine.credentials.desk import ADVANCED, EXCHANGE
from engine.link.mirror import EngineMirror
from pinnacle_tui.credential_wizard import Wizard
from pinnacle_tui.key_handover import KeyHandover
from pinnacle_tui.screens.unlock import UnlockScreen
from pinnacle_tui.widgets.secret_input import SecretInput


class LockedKey:
    """A vault that nothing opens in time."""

    vault, key, purpose = "/home/t/credentials.vault", "the key main", "live trading"
    wait_s = 3.0
    document: Secret | None = None

    async def unlock(self, password: Secret) -> Secret:
        raise AssertionError("it can be tried again in 3 s only")


def everything(app: App[None]) -> bytes:
    """What can be made of a screen: its picture, its trees, its clipboard, its objects."""
    told = io.StringIO()
    printer = Console(file=told, width=300)
    printer.print(app.tree)
    printer.print(app.screen.css_tree)
    for widget in app.screen.walk_children():
        printer.print(repr(widget), repr(widget.render()), repr(vars(widget).keys()))
    return "\n".join([app.export_screenshot(), app.clipboard, told.getvalue()]).encode()


@pytest.mark.parametrize("way", ["typed", "pasted"])
async def test_a_password_that_is_entered_is_nowhere(way: str) -> None:
    marked = Marked()
    handover = KeyHandover(LockedKey())
    session = FakeSession(EngineMirror())
    async with Running(session, size=(100, 30)) as console:
        console.app.push_screen(UnlockScreen(handover))
        await console.pilot.pause()
        if way == "typed":
            await console.pilot.press(*marked.password[:16])
        else:
            assert console.app.focused is not None
            console.app.focused.post_message(Paste(marked.password))
        await console.pilot.pause()
        shown = everything(console.app)
        await console.pilot.press("ctrl+a", "ctrl+c", "ctrl+x", "enter")
        await console.pilot.pause()
        shown += everything(console.app)
    handover.refuse()
    os.close(handover.inherits)
    assert "•".encode() in shown or "●".encode() in shown, "something was typed"
    assert marked.canaries.found_in(KINDS[0], shown) == []


@pytest.mark.parametrize("kind", [ADVANCED, EXCHANGE])
async def test_a_key_that_is_pasted_into_the_wizard_is_nowhere(kind: str) -> None:
    marked = Marked()
    key = marked.advanced if kind == ADVANCED else marked.exchange
    desk = FakeDesk()
    async with wizard_app(Wizard(desk, desk.clock), desk.clock).run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        walk = Walk(pilot, desk)
        await walk.to_key(kind)
        await walk.paste(key.file_content())
        field = walk.app.screen.query(SecretInput).first()
        await walk.until(lambda: field.size_bytes == len(key.file_content().encode()))
        shown = wizard_walk.everything(walk.app)
        await walk.press("ctrl+a", "ctrl+c", "enter")
        shown += wizard_walk.everything(walk.app)
    for what in KINDS:
        assert marked.canaries.found_in(what, shown.encode()) == []


# -- the real program in a terminal of its own -----------------------------------------------------


class Terminal:
    """The bytes that a program writes to its terminal, unread by anything that would obey them."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._end, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.bytes = b""

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 30
        while not is_so():
            assert time.monotonic() < deadline, f"{what}: {self.bytes[-3_000:]!r}"
            if select.select([self._end], [], [], 0.05)[0]:
                self.bytes += os.read(self._end, 1 << 16)

    def shows(self, words: str) -> bool:
        plain = re.sub(rb"\x1b\[[0-9;?]*[ -/]*[@-~]", b"", self.bytes)
        return words.encode() in plain

    def write(self, text: str) -> None:
        os.write(self._end, text.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._end)


@pytest.mark.nightly
def test_the_whole_console_from_the_locked_vault_to_orders() -> None:
    marked = Marked()
    with machine() as here, venue_that_listens(marked) as venue:
        venue.spite.calm.add(ADVANCED)
        stored(here, marked)
        armed = ["--set", "engine.live=true", "--symbol", "BTC-USD", "--arm", "BTC-USD"]
        command = [sys.executable, "-m", "pinnacle_tui", "--mode", "live", *armed, *where(venue, ADVANCED)]
        terminal = Terminal(command, here.environment | {"TERM": "xterm-256color"})
        try:
            terminal.until(lambda: terminal.shows("Master password"), "the vault is locked")
            terminal.write(marked.password + "\r")
            terminal.until(lambda: bool(venue.seen) and terminal.shows("ACTIVE"), "it trades")
            pids = [terminal.process.pid, *children(terminal.process.pid)]
            others = b"".join(seen(pid, what) for pid in pids for what in ("cmdline", "environ"))
            terminal.write("KKy")  # nothing of it may make a key appear
            terminal.until(lambda: terminal.shows("proven"), "the kill switch")
        finally:
            terminal.close()
        marked.canaries.plant(KINDS[3], *venue.seen)
        for kind in KINDS:
            assert marked.canaries.found_in(kind, terminal.bytes) == []
            assert marked.canaries.found_in(kind, others) == []
        assert b"\x1b]52;" not in terminal.bytes
