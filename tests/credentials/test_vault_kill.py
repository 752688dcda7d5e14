"""A program that dies, and a disk that fails, at every step of a save: an old or a new vault, never none."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from credentials import vault_kit as kit

from engine.core.errors import CredentialError
from engine.core.private_file import PrivateFileReplaced
from engine.core.secret import Secret
from engine.credentials.desk import WrongPassword
from engine.credentials.vault import Vault

NEW = "another one, and a longer one"
CHANGES = ("flock", "write", "fsync", "replace", "unlink", "pwrite")
STEPS = ("mkdir", "open", "stat", "fstat", "listdir", "readv", *CHANGES)
"""What is asked of the operating system. A descriptor that is closed is closed by a death too."""
MODES = 0o777


class Killed(BaseException):
    """The program is gone: nothing that it does reaches the disk any more."""


class Disk:
    """Counts the steps, and at one of them does what `how` says."""

    def __init__(self, at: int | None = None, how: str = "") -> None:
        self.at = at
        self.how = how
        self.steps: list[str] = []
        self.is_dead = False

    def step(self, name: str, original: Callable[..., Any], given: Any, named: Any) -> Any:
        if self.is_dead:
            raise Killed
        self.steps.append(name)
        if len(self.steps) - 1 != self.at:
            return original(*given, **named)
        if self.how == "fails":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.is_dead = True
        if self.how == "after":
            with suppress(OSError):
                original(*given, **named)
        elif self.how == "torn" and name in ("write", "pwrite"):
            original(given[0], bytes(given[1])[: len(given[1]) // 2], *given[2:])
        raise Killed

    @contextmanager
    def under(self) -> Iterator[Disk]:
        """Every step goes through this one."""
        with pytest.MonkeyPatch.context() as patch:
            for name in STEPS:
                module = fcntl if name == "flock" else os
                patch.setattr(module, name, self._asked(name, getattr(module, name)))
            yield self

    def _asked(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **named: self.step(name, original, given, named)


def save(vault: Vault) -> None:
    vault.put("second", kit.exchange())
    vault.save()


def change_password(vault: Vault) -> None:
    vault.change_password(Secret(NEW))


DEEDS = {"save": save, "change of password": change_password}


def fresh(folder: Path) -> Path:
    """A vault that was saved twice, so that there is a backup."""
    path = folder / "credentials.vault"
    made = kit.make(path)
    made.save()
    made.put("first", kit.advanced())
    made.save()
    return path


def opened(path: Path) -> tuple[str, Vault]:
    """The vault, and which of the two passwords opens it; the other one does not."""
    try:
        return kit.PASSWORD, kit.reopen(path)
    except WrongPassword:
        return NEW, kit.reopen(path, NEW)


def state(path: Path) -> str:
    """Whether the vault is as before or as it should have become."""
    password, vault = opened(path)
    is_new = password == NEW or "second" in vault.entries
    assert vault.entry("first") == kit.advanced(), "no key is ever lost"
    return "new" if is_new else "old"


def nothing_is_clear(folder: Path) -> None:
    for found in folder.iterdir():
        data = found.read_bytes()
        assert found.stat().st_mode & MODES == 0o600
        for text in (kit.PASSWORD, NEW, kit.NAME, kit.PRIVATE_KEY, "entries", "privateKey", "passphrase"):
            assert text.encode() not in data, found


def steps_of(deed: Callable[[Vault], None], folder: Path) -> list[str]:
    vault = kit.reopen(fresh(folder))
    with Disk().under() as disk:
        deed(vault)
    return disk.steps


def failure(deed: Callable[[Vault], None], vault: Vault, at: int) -> CredentialError | None:
    """How a deed ends when the disk fails at one of its steps."""
    try:
        with Disk(at, "fails").under():
            deed(vault)
    except CredentialError as error:
        return error
    return None


def test_a_save_is_safe_on_the_disk_before_it_has_the_name(tmp_path: Path) -> None:
    """First the bytes, then a look at them, then the copy of the old ones, then the name, then the folder."""
    steps = steps_of(save, tmp_path / "vault")
    assert [step for step in steps if step in CHANGES] == [
        "flock",
        *("write", "fsync"),
        *("write", "fsync", "replace", "unlink"),
        *("replace", "fsync", "unlink"),
    ]


def test_old_bytes_are_overwritten_when_the_new_ones_are_safe(tmp_path: Path) -> None:
    steps = steps_of(change_password, tmp_path / "vault")
    assert [step for step in steps if step in CHANGES] == [
        "flock",
        *("write", "fsync", "replace", "fsync"),
        *("pwrite", "fsync", "unlink"),
        *("unlink", "pwrite", "fsync"),
    ]


@pytest.mark.parametrize("how", ["before", "after", "torn"])
@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_a_death_at_any_step_leaves_the_old_or_the_new_vault(
    deed: Callable[[Vault], None], how: str, tmp_path: Path
) -> None:
    count = len(steps_of(deed, tmp_path / "whole"))
    outcomes = []
    for at in range(count):
        path = fresh(tmp_path / str(at))
        vault = kit.reopen(path)
        with Disk(at, how).under(), pytest.raises(Killed):
            deed(vault)
        nothing_is_clear(path.parent)
        outcomes.append(state(path))
        backup = path.with_name(path.name + ".bak")
        if backup.exists() and any(backup.read_bytes()):
            kit.reopen(backup)  # whole, and of the old password
        password, again = opened(path)
        again.save()
        assert opened(path)[0] == password
        assert {found.name for found in path.parent.iterdir()} == {
            path.name,
            f"{path.name}.bak",
            f"{path.name}.lock",
        }, "what the dead one left behind is gone after the next save"
        nothing_is_clear(path.parent)
    assert count >= 20
    assert set(outcomes) == {"old", "new"}
    assert outcomes == sorted(outcomes, reverse=True), "there is one moment at which it changes"


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS.keys())
def test_a_failure_at_any_step_is_told_and_leaves_the_old_or_the_new_vault(
    deed: Callable[[Vault], None], tmp_path: Path
) -> None:
    count = len(steps_of(deed, tmp_path / "whole"))
    told = 0
    for at in range(count):
        path = fresh(tmp_path / str(at))
        vault = kit.reopen(path)
        error = failure(deed, vault, at)
        is_replaced = error is None or isinstance(error, PrivateFileReplaced)
        if error is not None:
            told += 1
            assert "Input/output error" in str(error)
            assert error.__cause__ is None
        assert state(path) == ("new" if is_replaced else "old")
        # The vault in hand is the one on the disk, and can go on to be saved.
        assert kit.held(vault) == kit.held(opened(path)[1])
        vault.save()
        nothing_is_clear(path.parent)
    assert told >= count // 2


@pytest.mark.parametrize("how", ["before", "after", "torn"])
def test_a_death_while_the_first_vault_is_made_leaves_it_or_none(how: str, tmp_path: Path) -> None:
    def first(path: Path) -> None:
        made = kit.make(path)
        made.put("first", kit.advanced())
        made.save()

    with Disk().under() as disk:
        first(tmp_path / "whole" / "credentials.vault")
    outcomes = []
    for at in range(len(disk.steps)):
        path = tmp_path / str(at) / "credentials.vault"
        with Disk(at, how).under(), pytest.raises(Killed):
            first(path)
        outcomes.append(path.exists())
        if path.exists():
            assert state(path) == "old"
        else:
            first(path)
        nothing_is_clear(path.parent)
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


CHANGING = """
import sys
from pathlib import Path
from credentials import vault_kit as kit
from engine.core.secret import Secret

path, old, new = Path(sys.argv[1]), *sys.stdin.readline().split()
vault = kit.reopen(path, old)
print(flush=True)
while True:
    vault.change_password(Secret(new))
    vault.save()
    vault.change_password(Secret(old))
    print(flush=True)
"""


@pytest.mark.nightly
def test_real_deaths_of_a_real_program(tmp_path: Path) -> None:
    """Whenever the signal comes, one of the two passwords opens it, with every key."""
    path = tmp_path / "vault" / "credentials.vault"
    made = kit.make(path, "one")
    made.put("first", kit.advanced())
    made.save()
    seen = set()
    for death in range(100):
        with subprocess.Popen(
            [sys.executable, "-c", CHANGING, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, ("..", ".")))},
        ) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(b"one two\n")
            child.stdin.flush()
            for _ in range(1 + death % 7):
                child.stdout.readline()
            # Somewhere in the next round: counting takes as long as it takes.
            sum(range(death * 997 % 50_000))
            child.send_signal(signal.SIGKILL)
        try:
            vault = kit.reopen(path, "one")
            seen.add("one")
        except WrongPassword:
            vault = kit.reopen(path, "two")
            seen.add("two")
            vault.change_password(Secret("one"))
        assert vault.entry("first") == kit.advanced()
        nothing_is_clear(path.parent)
    assert seen == {"one", "two"}
