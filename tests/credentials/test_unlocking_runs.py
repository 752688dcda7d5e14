"""Runs that take their key out of the vault: by every source of the password, by hand, and not at all."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from credentials.keyring_backend import Fixed
from credentials.run_kit import PASSWORD, piped, store
from engine_process import Engine, Machine, machine
from local_venue_process import VenueProcess

from engine.commands import unlocking
from engine.commands.handed_key import key_from_console
from engine.commands.unlocking import LockedVaultKey, key_of_run, locked_key_of_run
from engine.config import Config, load_config
from engine.core.clock import ManualClock
from engine.core.errors import CredentialError, UsageError
from engine.core.secret import Secret
from engine.credentials.desk import TooManyAttempts, WrongPassword
from engine.exchange.coinbase.keys import AdvancedKey, ExchangeKey, secret_document
from engine.local_venue.keys import make_cdp_key, make_exchange_key
from engine.runtime.key_source import VaultKey, vault_key
from pinnacle_tui.cli import _without_password_fd, main

CDP, INSTITUTION = make_cdp_key(), make_exchange_key()
WRONG = "tidal marble 41 lantern"
SOURCES = ("descriptor", "file", "systemd", "keyring", "plain")
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with a key of each API, as this version seals one at the least."""
    path = tmp_path_factory.mktemp("v") / "safe" / "credentials.vault"
    return store(path, {"main": CDP, "desk": INSTITUTION})


@pytest.fixture(autouse=True)
def no_password_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PINNACLE_MASTER_PASSWORD", "PINNACLE_MASTER_PASSWORD_FILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def config(vault: Path, **given: str) -> Config:
    settings = {"engine.mode": "live", "credentials.vault": str(vault)}
    settings |= {name.replace("__", "."): text for name, text in given.items()}
    return load_config(env={}, overrides=[f"{name}={text}" for name, text in settings.items()]).config


def left(source: str, folder: Path, password: str = PASSWORD) -> tuple[dict[str, str], int | None]:
    """What the environment says when a password was left in this source, and its descriptor."""
    folder.mkdir(mode=0o700)
    match source:
        case "descriptor":
            return {}, piped(f"{password}\n")
        case "file":
            path = folder / "password"
            path.write_text(f"{password}\n")
            path.chmod(0o600)
            return {"PINNACLE_MASTER_PASSWORD_FILE": str(path)}, None
        case "systemd":
            path = folder / "pinnacle-master"
            path.write_text(password)
            path.chmod(0o400)
            return {"CREDENTIALS_DIRECTORY": str(folder)}, None
        case "keyring":
            backend = {"PYTHON_KEYRING_BACKEND": f"{Fixed.__module__}.{Fixed.__name__}"}
            return {"PINNACLE_CREDENTIALS_KEYRING": "true", "PYTHONPATH": str(TESTS), **backend}, None
        case _:
            return {"PINNACLE_MASTER_PASSWORD": password}, None


# -- passwords that were left --------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_opens_the_vault_and_is_told_without_the_password(
    vault: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
) -> None:
    environment, descriptor = left(source, tmp_path / "left")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(keyring, "get_password", Fixed().get_password)
    key = key_of_run(config(vault, credentials__keyring=str(source == "keyring").lower()), descriptor)
    assert isinstance(key, AdvancedKey)
    assert key.name == CDP.name
    said = capsys.readouterr().err
    assert "the master password comes from " in said
    assert PASSWORD not in said
    assert "PINNACLE_MASTER_PASSWORD" not in os.environ


def test_a_password_that_was_left_wrong_is_tried_once(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlocking, "prompt", lambda text: pytest.fail("nobody is to be asked"))
    with pytest.raises(WrongPassword) as refused:
        key_of_run(config(vault), piped(WRONG))
    assert refused.value.exit_code == 4


ARMED = ("--set", "engine.live=true", "--symbol", "BTC-USD", "--arm", "BTC-USD")
LIVE = ("--no-ui", "--mode", "live", "--set", "strategy.allow_negative_edge=true", *ARMED)


def test_without_a_password_and_a_terminal_the_run_ends_with_the_list(
    vault: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LIVE, "--set", f"credentials.vault={vault}"]) == 4
    said = capsys.readouterr().err
    for way in ("--password-fd", "PINNACLE_MASTER_PASSWORD_FILE", "pinnacle-master", "keyring"):
        assert way in said


def test_live_trading_without_any_key_says_how_to_store_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LIVE, "--set", f"credentials.vault={tmp_path / 'none'}"]) == 4
    said = capsys.readouterr().err
    assert "Store a key with `pinnacle-tui credentials`, or name its file with --key-file" in said


def test_a_vault_that_others_can_read_is_refused_before_a_password_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store(tmp_path / "safe" / "v", {"main": CDP})
    path.chmod(0o644)
    descriptor = piped(PASSWORD)
    assert main([*LIVE, "--set", f"credentials.vault={path}", "--password-fd", str(descriptor)]) == 4
    assert f"chmod 600 {path}" in capsys.readouterr().err
    assert os.read(descriptor, 100).decode() == PASSWORD
    os.close(descriptor)


def test_the_only_key_of_the_other_api_is_taken_there(vault: Path) -> None:
    key = key_of_run(config(vault, exchange__name="coinbase-exchange"), piped(PASSWORD))
    assert isinstance(key, ExchangeKey)
    assert key.key == INSTITUTION.key


def test_the_engine_of_a_console_is_not_told_of_the_password() -> None:
    given = ["--mode", "live", "--password-fd", "3", "--symbol", "BTC-USD", "--password-fd=4"]
    assert _without_password_fd(given) == ["--mode", "live", "--symbol", "BTC-USD"]


# -- passwords that a person types ---------------------------------------------------------------------


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[float]]:
    """What a person will type, and how long the program has waited between two tries."""
    passwords: list[str] = []
    waited: list[float] = []
    clock = ManualClock(0, 0)

    def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(int(seconds * 1e9))

    monkeypatch.setattr(unlocking, "SystemClock", lambda: clock)
    monkeypatch.setattr(unlocking, "prompt", lambda text: Secret(passwords.pop(0)))
    monkeypatch.setattr("engine.commands.unlocking.time.sleep", wait)
    return passwords, waited


def test_a_person_may_try_again_after_a_wait(vault: Path, typed: tuple[list[str], list[float]]) -> None:
    passwords, waited = typed
    passwords += [WRONG, WRONG, PASSWORD]
    assert isinstance(key_of_run(config(vault)), AdvancedKey)
    assert waited == [1, 2]


def test_the_fifth_wrong_password_ends_the_run(
    vault: Path, typed: tuple[list[str], list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(wanted: VaultKey, password: Secret) -> None:
        raise WrongPassword("wrong password")

    monkeypatch.setattr(VaultKey, "take", refuse)
    passwords, waited = typed
    passwords += [WRONG] * 9
    with pytest.raises(TooManyAttempts) as ended:
        key_of_run(config(vault))
    assert ended.value.exit_code == 4
    assert len(passwords) == 4
    assert waited == [1, 2, 4, 8]


# -- the key that a console hands over -----------------------------------------------------------------


def test_a_console_uses_a_password_that_was_left(vault: Path) -> None:
    locked = locked_key_of_run(config(vault), piped(PASSWORD))
    assert locked.document is not None
    assert locked.document == _document(vault)


async def test_a_console_opens_the_vault_with_what_is_typed(vault: Path) -> None:
    clock = ManualClock(0, 0)
    settings = config(vault, network__endpoint="http://127.0.0.1:9")
    locked = LockedVaultKey(vault_key(settings), settings, clock=clock)
    assert locked.document is None
    assert locked.purpose == "live trading of BTC-USD at http://127.0.0.1:9"
    with pytest.raises(WrongPassword):
        await locked.unlock(Secret(WRONG))
    assert locked.wait_s == 1
    clock.advance(1_000_000_000)
    assert await locked.unlock(Secret(PASSWORD)) == _document(vault)


def _document(vault: Path) -> Secret:
    return Secret(secret_document(VaultKey(vault, None, "coinbase").take(Secret(PASSWORD))))


def test_the_engine_reads_the_key_to_the_end_of_the_pipe() -> None:
    key = key_from_console(piped(CDP.file_content()), None)
    assert isinstance(key, AdvancedKey)
    assert key.name == CDP.name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "no key was given to the engine: it has ended, and nothing was sent"),
        ("{", "not JSON"),
        ("x" * 65_000, "not JSON"),
        (INSTITUTION.file_content(), "a key of Coinbase Exchange"),
    ],
    ids=["nothing", "half", "much", "another kind"],
)
def test_a_pipe_without_a_key_ends_the_engine(given: str, said: str) -> None:
    with pytest.raises(CredentialError, match=said) as refused:
        key_from_console(piped(given), None)
    assert refused.value.exit_code == 4
    assert INSTITUTION.secret not in str(refused.value)


def test_a_descriptor_that_was_not_inherited_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="--key-fd 999: Bad file descriptor"):
        key_from_console(999, None)


def test_an_engine_that_is_told_to_end_while_it_waits_ends_in_order() -> None:
    before = signal.getsignal(signal.SIGTERM)
    read, write = os.pipe()

    def tell() -> None:
        while signal.getsignal(signal.SIGTERM) is before:
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    teller = threading.Thread(target=tell)
    teller.start()
    with pytest.raises(CredentialError, match="nothing was sent"):
        key_from_console(read, None)
    teller.join()
    os.close(write)
    assert signal.getsignal(signal.SIGTERM) is before


# -- the real program at a venue -----------------------------------------------------------------------


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def traded(here: Machine, source: str) -> tuple[Engine, VenueProcess]:
    """A run that has orders at a venue, with a password that was left in `source`."""
    venue = VenueProcess(here)
    path = here.folder / "config" / "pinnacle-tui" / "credentials.vault"
    store(path, {"main": Path(venue.key_file).read_text()})
    environment, descriptor = left(source, here.folder / "left")
    here.environment |= environment
    options = () if descriptor is None else ("--password-fd", str(descriptor))
    engine = Engine(here.start(*LIVE, "--json", "--endpoint", venue.url, *options, inherits=descriptor))
    if descriptor is not None:
        os.close(descriptor)
    engine.read_until(lambda report: report.get("event") == "accepted")
    return engine, venue


@pytest.mark.parametrize(
    "source", ["descriptor", *(pytest.param(source, marks=pytest.mark.nightly) for source in SOURCES[1:])]
)
def test_a_run_without_a_terminal_trades_by_every_source(here: Machine, source: str) -> None:
    engine, venue = traded(here, source)
    engine.process.send_signal(signal.SIGTERM)
    code, last = engine.end()
    assert code == 0
    assert not venue.open_orders()
    assert PASSWORD not in json.dumps(engine.reports)
    assert last["type"] == "summary"


def test_a_password_that_no_run_needs_is_refused_and_left_to_no_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PINNACLE_MASTER_PASSWORD", PASSWORD)
    given = ["--no-ui", "--mode", "sim", "--duration", "1", "--speed", "max"]
    given += ["--data-dir", str(tmp_path)]
    assert main([*given, "--password-fd", "77"]) == 2
    assert "takes no key out of the vault" in capsys.readouterr().err
    assert main(given) == 0
    assert "PINNACLE_MASTER_PASSWORD" not in os.environ
