"""The locked vault on the screen: what is typed and told, and the key that is handed over once or never."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from console.fakes import FakeSession, until
from console.running import Console, Running, words
from textual import events

from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import TooManyAttempts, WrongPassword
from engine.link.mirror import EngineMirror
from pinnacle_tui.engine_host import Ending
from pinnacle_tui.key_handover import KeyHandover
from pinnacle_tui.screens.unlock import UnlockScreen
from pinnacle_tui.widgets.secret_input import SecretInput

RIGHT = "tidal 41"
DOCUMENT = '{"name": "organizations/1/apiKeys/2", "privateKey": "-----BEGIN"}'


class FakeLockedKey:
    """A vault that `RIGHT` opens, or that fails with `failure`."""

    vault = "/home/t/.config/pinnacle-tui/credentials.vault"
    key = "the key main"
    purpose = "live trading of BTC-USD at Coinbase Advanced Trade"

    def __init__(self, failure: CredentialError | None = None, *, document: Secret | None = None) -> None:
        self.failure = failure
        self.document = document
        self.wait_s = 0.0
        self.tried: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def unlock(self, password: Secret) -> Secret:
        self.tried.append(password.text())
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        if self.tried[-1] != RIGHT:
            self.wait_s = 1.0
            raise WrongPassword("wrong password, or the header is damaged")
        return Secret(DOCUMENT)


class WaitingSession(FakeSession):
    """An engine that has said nothing yet."""

    def __init__(self) -> None:
        super().__init__(EngineMirror())
        self.is_watched = False
        self.is_started = False

    def watch(self) -> None:
        self.is_watched = True

    async def start(self) -> None:
        self.is_started = True


class Pipe:
    """A handover, and what comes out at the engine's end of it."""

    def __init__(self, locked: FakeLockedKey) -> None:
        self.locked = locked
        self.handover = KeyHandover(locked)
        self._engine = os.dup(self.handover.inherits)
        self.handover.engine_started()

    def read(self) -> str:
        """Everything to the end of the pipe: it must have been closed."""
        os.set_blocking(self._engine, False)
        return os.read(self._engine, 65_536).decode()

    def close(self) -> None:
        self.handover.refuse()
        os.close(self._engine)


@pytest.fixture
def pipe_of() -> Iterator[Callable[[FakeLockedKey], Pipe]]:
    pipes: list[Pipe] = []

    def made(locked: FakeLockedKey) -> Pipe:
        pipes.append(Pipe(locked))
        return pipes[-1]

    yield made
    for pipe in pipes:
        pipe.close()


PipeOf = Callable[[FakeLockedKey], Pipe]


async def type_in(console: Console, text: str) -> None:
    await console.pilot.press(*("space" if letter == " " else letter for letter in text), "enter")


def running(pipe: Pipe) -> Running:
    return Running(WaitingSession(), handover=pipe.handover)


async def test_the_right_password_hands_the_key_over_and_then_connects(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        session: Any = console.session
        assert isinstance(console.app.screen, UnlockScreen)
        assert (session.is_watched, session.is_started) == (True, False)
        told = words(console.app)
        for said in (pipe.locked.vault, pipe.locked.key, pipe.locked.purpose):
            assert said in told
        await type_in(console, RIGHT)
        await until(console.pilot, lambda: session.is_started)
        assert not isinstance(console.app.screen, UnlockScreen)
        assert not pipe.handover.is_pending
    assert pipe.read() == DOCUMENT
    assert pipe.locked.tried == [RIGHT]


async def test_a_wrong_password_is_told_and_the_wait_counted_down(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        await type_in(console, "wrong")
        await until(console.pilot, lambda: "wrong password" in words(console.app))
        assert "again in 1 s" in words(console.app)
        await type_in(console, RIGHT)  # too early: it stays in the field
        assert pipe.locked.tried == ["wrong"]
        pipe.locked.wait_s = 0.0
        await until(console.pilot, lambda: "try again" in words(console.app))
        await console.press("enter")
        await until(console.pilot, lambda: not pipe.handover.is_pending)
    assert pipe.locked.tried == ["wrong", RIGHT]
    assert pipe.read() == DOCUMENT


async def test_while_the_key_is_derived_the_screen_lives_and_nothing_is_tried_twice(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        pipe.locked.may_answer.clear()
        await type_in(console, RIGHT)
        await until(console.pilot, lambda: "deriving the key" in words(console.app))
        await type_in(console, "another")
        assert pipe.locked.tried == [RIGHT]
        pipe.locked.may_answer.set()
        await until(console.pilot, lambda: not pipe.handover.is_pending)
    assert pipe.read() == DOCUMENT


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_who_leaves_lets_the_engine_end_without_a_key(pipe_of: PipeOf, key: str) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        await console.press("t", key)
        assert pipe.read() == ""
        await until(console.pilot, lambda: "nothing was sent" in words(console.app))
        assert not console.session.is_stopping
        console.session.end(Ending(4, "the engine ended with exit code 4: no key was given"))
        await console.pilot.pause()
        assert console.app.return_code == 4


async def test_the_kill_switch_before_the_vault_is_open_lets_the_engine_end_without_a_key(
    pipe_of: PipeOf,
) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        await console.press("t", "f9", "f9")
        assert pipe.read() == ""
        await until(console.pilot, lambda: "nothing was sent" in words(console.app))
        assert isinstance(console.app.screen, UnlockScreen)
    assert "killed before the vault was open" in pipe.handover.ending


async def test_a_key_that_comes_after_a_person_left_is_not_given(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        pipe.locked.may_answer.clear()
        await type_in(console, RIGHT)
        await console.press("escape")
        pipe.locked.may_answer.set()
        await console.settle()
    assert pipe.read() == ""


@pytest.mark.parametrize(
    "failure",
    [
        TooManyAttempts("the master password was wrong five times"),
        CredentialError("the vault has several keys of Coinbase Advanced Trade"),
    ],
)
async def test_what_no_other_password_mends_ends_the_program(
    pipe_of: PipeOf, failure: CredentialError
) -> None:
    pipe = pipe_of(FakeLockedKey(failure))
    async with running(pipe) as console:
        await type_in(console, RIGHT)
        await until(console.pilot, lambda: str(failure) in words(console.app))
        assert pipe.read() == ""
    assert pipe.handover.ending == str(failure)


async def test_what_cannot_be_a_password_is_told_when_it_is_pasted(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        console.app.screen.query_one(SecretInput).post_message(events.Paste("two\nlines"))
        await until(console.pilot, lambda: "several lines were pasted" in words(console.app))
        await console.pilot.press("enter")
    assert not pipe.locked.tried


async def test_an_engine_that_ends_while_a_person_types_ends_the_console(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        await console.press("t")
        console.session.end(Ending(2, "the engine ended with exit code 2"))
        await console.pilot.pause()
        assert console.app.return_code == 2


async def test_nothing_typed_reaches_the_picture_or_a_key_of_the_console(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        await console.press("K", "q", "z", "t", "i", "d", "a", "l")
        assert isinstance(console.app.screen, UnlockScreen)
        assert not console.session.sent
        picture = console.app.export_screenshot()
        assert "Kqztidal" not in picture
        assert "tidal" not in picture
        assert "tidal" not in repr(console.app.screen.tree)


async def test_a_screen_that_is_started_anew_over_the_same_engine_does_not_ask_again(pipe_of: PipeOf) -> None:
    pipe = pipe_of(FakeLockedKey())
    async with running(pipe) as console:
        await type_in(console, RIGHT)
        await until(console.pilot, lambda: not pipe.handover.is_pending)
    async with running(pipe) as console:
        session: Any = console.session
        await until(console.pilot, lambda: session.is_started)
        assert not isinstance(console.app.screen, UnlockScreen)
    assert pipe.locked.tried == [RIGHT]


async def test_a_password_that_was_left_asks_nobody(pipe_of: PipeOf) -> None:
    document = Secret(DOCUMENT)
    pipe = pipe_of(FakeLockedKey(document=document))
    assert pipe.read() == DOCUMENT
    assert not any(document.reveal())
    async with running(pipe) as console:
        assert not isinstance(console.app.screen, UnlockScreen)


def test_an_engine_that_is_gone_breaks_nothing(pipe_of: PipeOf) -> None:
    handover = KeyHandover(FakeLockedKey(document=Secret(DOCUMENT)))
    handover.engine_started()  # nobody has the other end any more
    assert not handover.is_pending
    assert handover.refuse() is False
