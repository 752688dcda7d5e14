"""`pinnacle-tui credentials`: every verb through the command line, passwords by open files or by a person."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from credentials.run_kit import PASSWORD, piped, store
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from engine.commands import credential_desk
from engine.commands.credential_desk import Desk
from engine.commands.credential_import import imported, imported_text
from engine.commands.credential_passwords import Passwords
from engine.commands.credentials import removed
from engine.config import Config
from engine.core.clock import ManualClock, SystemClock
from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials import armour
from engine.credentials.desk import ADVANCED, EXCHANGE, TooManyAttempts, VaultState
from engine.credentials.sources import PasswordSources
from engine.exchange.coinbase.network import NetworkSettings
from engine.local_venue.keys import CdpKey, ExchangeKey, Rights, make_cdp_key, make_exchange_key, write_key
from engine.local_venue.server import LocalVenue
from pinnacle_tui import cli

GOOD = "a long enough master password"
OTHER = "quite another master password"
OLD = "pinnacle"
CDP = make_cdp_key()
TOO_STRONG = make_cdp_key(rights=Rights(transfer=True))
INSTITUTION = make_exchange_key()
SECRETS = (GOOD, OTHER, CDP.private_text[40:80], INSTITUTION.secret[:20], INSTITUTION.passphrase)
NOWHERE = "http://127.0.0.1:9"
Run = Callable[..., "Outcome"]


class Outcome:
    """What a command said, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        for secret in SECRETS:
            assert secret not in out + err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the vault is, sealed with few iterations: what is tested here is not the derivation."""

    def desk_of(config: Config) -> Desk:
        return _desk(config.credentials.path, config.network)

    monkeypatch.setattr(credential_desk, "desk_of", desk_of)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "pinnacle-tui" / "credentials.vault"


def _desk(path: Path, network: NetworkSettings | None = None) -> Desk:
    network = network or NetworkSettings(endpoint=NOWHERE)
    return Desk(path, network, lock_after_s=300, clock=SystemClock(), iterations=2, floor=1)


@pytest.fixture
def filled(vault: Path) -> Path:
    """A vault with a key of each kind."""
    desk = _desk(vault)
    parts = {"key": INSTITUTION.key, "secret": INSTITUTION.secret, "passphrase": INSTITUTION.passphrase}

    async def fill() -> None:
        whole = desk.read_parts(ADVANCED, {"name": Secret(CDP.file_content())})
        await desk.save("first", whole, Secret(GOOD))
        await desk.save(
            "second", desk.read_parts(EXCHANGE, {name: Secret(text) for name, text in parts.items()})
        )

    vault.parent.mkdir(parents=True, mode=0o700)
    asyncio.run(fill())
    desk.lock()
    return vault


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object, password: str | None = None, new: str | None = None) -> Outcome:
        given = [str(word) for word in words]
        if password is not None:
            given += ["--password-fd", str(piped(f"{password}\n"))]
        if new is not None:
            given += ["--new-password-fd", str(piped(f"{new}\n"))]
        code = cli.main(["credentials", *given])
        told = capsys.readouterr()
        return Outcome(code, told.out, told.err)

    return run


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    """The address of a venue that runs beside the commands, which have loops of their own."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    urls: list[str] = []
    ended = asyncio.Event()

    async def serve() -> None:
        async with LocalVenue(cdp_keys=(CDP, TOO_STRONG), exchange_keys=(INSTITUTION,)) as venue:
            urls.append(venue.url)
            started.set()
            await ended.wait()

    def main() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=main, name="venue")
    thread.start()
    started.wait(10)
    yield urls[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)


def _names(vault: Path, password: str = GOOD) -> list[str]:
    desk = _desk(vault)
    asyncio.run(desk.unlock(Secret(password)))
    keys = desk.keys()
    desk.lock()
    return [key.name for key in keys]


def _passwords(*answers: str, told: list[str] | None = None, slept: list[float] | None = None) -> Passwords:
    """A person who types these, one after the other."""
    left = list(answers)
    said = told if told is not None else []
    waits = slept if slept is not None else []
    return Passwords(
        PasswordSources({}, None, None),
        said.append,
        ask=lambda question: Secret(left.pop(0)),
        sleep=waits.append,
    )


# -- list ----------------------------------------------------------------------------------------------


def test_nothing_to_list(vault: Path, run: Run) -> None:
    answer = run("list")
    assert answer.code == 0
    assert f"no key is kept in {vault}" in answer.out
    assert run("list", "--json").json == {"v": 1, "vault": str(vault), "keys": []}


def test_keys_are_listed_by_what_may_be_seen(filled: Path, run: Run) -> None:
    answer = run("list", password=GOOD)
    assert answer.code == 0
    assert f"first   Coinbase Advanced Trade, ES256, ...{CDP.name[-4:]}" in answer.out
    assert f"second  Coinbase Exchange, HMAC-SHA256, ...{INSTITUTION.key[-4:]}" in answer.out
    assert CDP.name[:-4] not in answer.out
    assert "--password-fd" in answer.err  # which source it was, and nothing of its value
    assert run("list", "--json", password=GOOD).json["keys"][1] == {
        "name": "second",
        "kind": "coinbase-exchange",
        "tail": INSTITUTION.key[-4:],
        "algorithm": "HMAC-SHA256",
    }


def test_a_wrong_password_of_a_source_is_tried_once(filled: Path, run: Run) -> None:
    answer = run("list", password=OTHER)
    assert answer.code == 4
    assert "wrong password" in answer.err
    assert answer.out == ""


def test_without_a_source_and_without_a_terminal(filled: Path, run: Run) -> None:
    answer = run("list")
    assert answer.code == 4
    for source in ("--password-fd", "PINNACLE_MASTER_PASSWORD_FILE", "pinnacle-master"):
        assert source in answer.err


def test_a_vault_that_others_can_read(filled: Path, run: Run) -> None:
    filled.chmod(0o640)
    answer = run("list", password=GOOD)
    assert answer.code == 4
    assert f"chmod 600 {filled}" in answer.err


# -- the person at the terminal ------------------------------------------------------------------------


def test_a_person_who_mistypes_is_asked_again(filled: Path) -> None:
    clock = ManualClock()
    desk = Desk(filled, NetworkSettings(), lock_after_s=300, clock=clock, iterations=2, floor=1)
    told: list[str] = []
    typed = ["wrong", "wronger", GOOD]
    passwords = Passwords(
        PasswordSources({}, None, None),
        told.append,
        ask=lambda question: Secret(typed.pop(0)),
        sleep=lambda wait_s: clock.advance(int(wait_s * 10**9)),
    )
    passwords.unlock(desk)
    assert desk.state is VaultState.OPEN
    assert [sentence.rpartition("; ")[2] for sentence in told] == [
        "it can be tried again in 1 s",
        "it can be tried again in 2 s",
    ]
    desk.lock()
    typed += ["wrong"] * 5
    with pytest.raises(TooManyAttempts):
        passwords.unlock(desk)
    assert desk.state is VaultState.LOCKED


def test_a_new_password_is_typed_twice() -> None:
    assert _passwords(GOOD, GOOD).new() == Secret(GOOD)
    with pytest.raises(CredentialError, match="not the same"):
        _passwords(GOOD, OTHER).new()


# -- remove --------------------------------------------------------------------------------------------


def test_a_key_is_removed_without_a_question_where_that_is_said(filled: Path, run: Run) -> None:
    assert run("remove", "first", password=GOOD).code == 2
    answer = run("remove", "first", "--yes", password=GOOD)
    assert answer.code == 0
    assert "first is no longer in" in answer.out
    assert "delete it there" in answer.out
    assert _names(filled) == ["second"]


@pytest.mark.parametrize(("is_confirmed", "left"), [(True, ["second"]), (False, ["first", "second"])])
def test_a_key_is_removed_once_its_name_was_typed(filled: Path, is_confirmed: bool, left: list[str]) -> None:
    asked: list[str] = []

    def confirm(what: str) -> bool:
        asked.append(what)
        return is_confirmed

    desk = _desk(filled)
    answer = removed(desk, _passwords(GOOD), "first", confirm)
    desk.lock()
    assert asked == [f"first, Coinbase Advanced Trade, ES256, ...{CDP.name[-4:]}"]
    assert answer["is_removed"] is is_confirmed
    assert _names(filled) == left


def test_a_key_that_is_not_there(filled: Path, run: Run) -> None:
    for verb in (["remove", "third", "--yes"], ["test", "third"]):
        answer = run(*verb, password=GOOD)
        assert answer.code == 4
        assert "no key called third; it has: first, second" in answer.err


# -- test ----------------------------------------------------------------------------------------------


def test_keys_are_tested_at_the_venue(filled: Path, run: Run, venue: str) -> None:
    answer = run("test", "--endpoint", venue, password=GOOD)
    assert answer.code == 0
    assert f"first, Coinbase Advanced Trade, ES256, ...{CDP.name[-4:]}, at {venue}" in answer.out
    assert answer.out.count("ok       signature") == 2
    assert "good: it may do what trading needs" in answer.out
    one = run("test", "first", "--endpoint", venue, "--json", password=GOOD).json
    assert [key["name"] for key in one["keys"]] == ["first"]
    assert one["keys"][0]["fitness"] == "good"
    assert [finding["verdict"] for finding in one["keys"][0]["findings"]] == ["ok"] * 5


def test_a_venue_that_is_not_reached(filled: Path, run: Run) -> None:
    answer = run("test", "first", "--endpoint", NOWHERE, password=GOOD)
    assert answer.code == 5
    assert "not checked: the venue could not be asked" in answer.out


def test_a_key_that_the_venue_does_not_take(vault: Path, run: Run, venue: str, tmp_path: Path) -> None:
    stranger = write_key(tmp_path / "keys", make_cdp_key())
    assert run("import", stranger, "--yes", "--endpoint", NOWHERE, password=GOOD).code == 0
    answer = run("test", "--endpoint", venue, "--json", password=GOOD)
    assert answer.code == 4
    assert answer.json["exit_code"] == 4
    assert answer.json["keys"][0]["fitness"] == "refused"


# -- import --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [CDP, INSTITUTION], ids=["advanced", "exchange"])
def test_a_downloaded_key_file_makes_the_vault(
    vault: Path, run: Run, venue: str, tmp_path: Path, key: CdpKey | ExchangeKey
) -> None:
    file = write_key(tmp_path / "keys", key)
    answer = run("import", file, "--name", "mine", "--yes", "--endpoint", venue, new=GOOD)
    assert answer.code == 0
    assert f"saved in {vault}: mine" in answer.out
    assert f"{file} still holds the key in clear. Delete it: shred -u {file}" in answer.out
    assert _names(vault) == ["mine"]
    again = run("import", file, "--yes", "--endpoint", venue, "--json", password=GOOD).json
    assert again["saved"] == ["coinbase" if isinstance(key, CdpKey) else "coinbase-exchange"]
    assert again["is_clear"] is True


def test_a_key_that_may_move_money_is_not_saved(vault: Path, run: Run, venue: str, tmp_path: Path) -> None:
    answer = run("import", write_key(tmp_path / "keys", TOO_STRONG), "--yes", "--endpoint", venue, new=GOOD)
    assert answer.code == 4
    assert "may move money out of the account" in answer.out
    assert "not saved, as the check says: coinbase" in answer.out
    assert not vault.exists()


def test_imports_that_change_nothing(filled: Path, run: Run, venue: str, tmp_path: Path) -> None:
    file = write_key(tmp_path / "keys", CDP)
    before = filled.read_bytes()
    at = ("--endpoint", venue)
    assert run("import", file, *at, password=GOOD).code == 2  # nobody can be asked
    taken = run("import", file, "--name", "first", "--yes", *at, password=GOOD)
    assert (taken.code, "a key named first already" in taken.err) == (4, True)
    bad_name = run("import", file, "--name", "My Key", "--yes", *at, password=GOOD)
    assert (bad_name.code, "cannot be called" in bad_name.err) == (4, True)
    wrong_kind = run("import", file, "--kind", "coinbase-exchange", "--yes", *at, password=GOOD)
    assert (wrong_kind.code, "a key of Advanced Trade" in wrong_kind.err) == (4, True)
    file.chmod(0o644)
    open_to_all = run("import", file, "--yes", *at, password=GOOD)
    assert (open_to_all.code, f"chmod 600 {file}" in open_to_all.err) == (4, True)
    none = run("import", tmp_path / "none.json", "--yes", *at, password=GOOD)
    assert none.code == 4
    assert filled.read_bytes() == before


@pytest.mark.parametrize("is_armoured", [False, True])
def test_the_keys_of_another_vault(filled: Path, tmp_path: Path, is_armoured: bool) -> None:
    sealed = filled.read_bytes()
    file = tmp_path / "other"
    file.touch(mode=0o600)
    file.write_bytes(armour.encode(sealed) if is_armoured else sealed)
    told: list[str] = []
    desk = _desk(tmp_path / "kept" / "credentials.vault")
    answer = imported(
        desk,
        _passwords(GOOD, OTHER, OTHER),
        file,
        name=None,
        kind=None,
        is_confirmed=lambda question: True,
        told=told.append,
    )
    desk.lock()
    assert answer["saved"] == ["first", "second"]
    assert answer["is_clear"] is False
    assert "still opens with its own password" in imported_text(answer)
    assert _names(desk.path, OTHER) == ["first", "second"]


def _old_store(folder: Path, held: dict[str, str]) -> Path:
    """What the C++ program writes."""
    salt, iv = os.urandom(32), os.urandom(16)
    key = PBKDF2HMAC(SHA256(), 32, salt, 100_000).derive(OLD.encode())
    padder = PKCS7(128).padder()
    plain = padder.update(json.dumps(held).encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    data = iv + encryptor.update(plain) + encryptor.finalize()
    parts = {"data": base64.b64encode(data).decode(), "salt": base64.b64encode(salt).decode()}
    file = folder / "secure_config.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"timestamp": "1700000000", **parts}))
    return file


def test_the_store_of_the_cpp_program(vault: Path, tmp_path: Path) -> None:
    held = {
        "api.credentials.coinbase.apiKey": INSTITUTION.key,
        "api.credentials.coinbase.apiSecret": INSTITUTION.secret,
        "api.credentials.coinbase.passphrase": INSTITUTION.passphrase,
        "api.credentials.kraken.apiKey": "k",
        "api.credentials.kraken.apiSecret": "s",
    }
    file, desk, told, asked = _old_store(tmp_path, held), _desk(vault), [], []

    def confirm(question: str) -> bool:
        asked.append((question, list(told)))
        return True

    answer = imported(
        desk, _passwords(OLD, GOOD, GOOD), file, name="old", kind=None, is_confirmed=confirm, told=told.append
    )
    desk.lock()
    shown = "\n".join(asked[0][1])  # before anything is saved
    assert f"...{INSTITUTION.key[-4:]}" in shown
    assert INSTITUTION.key not in shown
    assert "kraken: this program trades at Coinbase alone" in shown
    assert "cannot tell a wrong password from damage" in shown
    assert answer["saved"] == ["old"]
    assert _names(vault) == ["old"]
    for secret in SECRETS:
        assert secret not in "\n".join(told)


def test_what_is_not_confirmed_is_not_taken_over(vault: Path, tmp_path: Path) -> None:
    desk = _desk(vault)
    answer = imported(
        desk,
        _passwords(),
        write_key(tmp_path / "keys", CDP),
        name=None,
        kind=None,
        is_confirmed=lambda question: False,
        told=lambda line: None,
    )
    assert imported_text(answer) == "nothing was saved"
    assert not vault.exists()


# -- change-password -----------------------------------------------------------------------------------


def test_the_password_is_changed(filled: Path, run: Run) -> None:
    weak = run("change-password", password=GOOD, new="short")
    assert (weak.code, "too weak" in weak.err) == (4, True)
    answer = run("change-password", password=GOOD, new=OTHER)
    assert answer.code == 0
    assert "opens with the new password" in answer.out
    assert run("list", password=GOOD).code == 4
    assert run("list", password=OTHER).code == 0


def test_verbs_that_need_a_vault_where_there_is_none(vault: Path, run: Run) -> None:
    for words in (["remove", "x", "--yes"], ["test"], ["change-password"]):
        answer = run(*words, password=GOOD)
        assert answer.code == 4
        assert f"there is no vault at {vault} yet" in answer.err


# -- the command line ----------------------------------------------------------------------------------


def test_the_wizard_opens_without_a_verb_and_by_the_flag(
    vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def run_wizard(resolved: Any, make_desk: Callable[[], Desk]) -> int:
        opened.append(make_desk().path)
        return 0

    monkeypatch.setattr("pinnacle_tui.cli_credentials.require_terminal", lambda otherwise: None)
    monkeypatch.setattr("pinnacle_tui.launch_credentials.run_wizard", run_wizard)
    assert cli.main(["credentials"]) == 0
    assert cli.main(["--setup-credentials"]) == 0
    assert opened == [vault, vault]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["credentials"], "credentials import FILE"),
        (["--setup-credentials"], "credentials import FILE"),
        (["--setup-credentials", "--no-ui"], "opens a screen"),
        (["credentials", "--endpoint", "http://127.0.0.1:1", "list"], "stands before list"),
        (["credentials", "list", "--password", "x"], "No such option"),
    ],
)
def test_command_lines_that_cannot_be_meant(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err


def test_no_option_takes_a_password_itself() -> None:
    def options(command: click.Command) -> Iterator[click.Parameter]:
        yield from command.params
        for below in getattr(command, "commands", {}).values():
            yield from options(below)

    named = {
        name for option in options(cli.cli) for name in option.opts if "pass" in name or "secret" in name
    }
    assert named == {"--password-fd", "--new-password-fd"}


def test_the_real_program_with_the_real_derivation(tmp_path: Path, venue: str) -> None:
    """Nothing of a secret is in what it says, nor on its command line; the vault is for its owner alone."""
    file = write_key(tmp_path / "keys", CDP)
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    program = [sys.executable, "-m", "pinnacle_tui", "credentials"]

    def run(*words: str, option: str) -> subprocess.CompletedProcess[str]:
        descriptor = piped(f"{GOOD}\n")
        try:
            return subprocess.run(
                [*program, *words, option, str(descriptor)],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                pass_fds=[descriptor],
                check=False,
                timeout=60,
            )
        finally:
            os.close(descriptor)

    made = run("import", str(file), "--yes", "--endpoint", venue, option="--new-password-fd")
    listed = run("list", "--json", option="--password-fd")
    assert (made.returncode, listed.returncode) == (0, 0), made.stderr + listed.stderr
    assert json.loads(listed.stdout)["keys"][0]["name"] == "coinbase"
    vault = tmp_path / "config" / "pinnacle-tui" / "credentials.vault"
    assert vault.stat().st_mode & 0o777 == 0o600
    assert int.from_bytes(vault.read_bytes()[12:16], "little") == 1_000_000
    for secret in SECRETS:
        assert secret not in made.stdout + made.stderr + listed.stdout + listed.stderr


def test_a_person_types_at_a_real_terminal(tmp_path: Path) -> None:
    vault = store(tmp_path / "kept" / "credentials.vault", {"mine": CDP})
    leader, follower = pty.openpty()
    words = ["credentials", "list", "--set", f"credentials.vault={vault}"]
    with (
        open(leader, "r+b", buffering=0) as terminal,
        subprocess.Popen(
            [sys.executable, "-m", "pinnacle_tui", *words],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        ) as process,
    ):
        os.close(follower)
        shown = b""
        while b"Master password: " not in shown:
            shown += terminal.read(1_024)
        terminal.write(f"{PASSWORD}\n".encode())
        with contextlib.suppress(OSError):  # how a terminal says that nobody is there any more
            while more := terminal.read(1_024):
                shown += more
        assert process.wait(30) == 0
    assert b"mine  Coinbase Advanced Trade, ES256" in shown
    assert PASSWORD.encode() not in shown
