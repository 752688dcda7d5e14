"""The desk: one vault from nothing to its last key, what it refuses, and when it locks itself."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.commands.credential_desk import Desk, desk_of
from engine.config import load_config
from engine.core.clock import ManualClock, SystemClock
from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import (
    ADVANCED,
    EXCHANGE,
    Draft,
    Fitness,
    TooManyAttempts,
    VaultState,
    WrongPassword,
)
from engine.credentials.vault import Vault
from engine.exchange.coinbase.network import NetworkSettings
from engine.local_venue.keys import Algorithm, Rights, make_cdp_key, make_exchange_key, write_key
from engine.local_venue.server import LocalVenue

CDP = make_cdp_key()
EDWARDS = make_cdp_key(Algorithm.EDDSA)
INSTITUTION = make_exchange_key()
GOOD = "a long enough master password"
OTHER = "quite another master password"
NOWHERE = "http://127.0.0.1:9"
S = 10**9


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ns=SystemClock().wall_ns())


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Desk:
    return _desk(tmp_path, clock)


@pytest.fixture
async def opened(desk: Desk) -> AsyncIterator[Desk]:
    await desk.save("first", _draft(desk), Secret(GOOD))
    yield desk
    desk.lock()


def _desk(folder: Path, clock: ManualClock, endpoint: str = NOWHERE) -> Desk:
    network = NetworkSettings(endpoint=endpoint)
    return Desk(
        folder / "kept" / "credentials.vault", network, lock_after_s=300, clock=clock, iterations=2, floor=1
    )


def _draft(desk: Desk, key: object = CDP) -> Draft:
    if key in (CDP, EDWARDS):
        return desk.read_parts(ADVANCED, {"name": Secret(key.name), "privateKey": Secret(key.private_text)})
    parts = {"key": key.key, "secret": key.secret, "passphrase": key.passphrase}
    return desk.read_parts(EXCHANGE, {name: Secret(text) for name, text in parts.items()})


def _names(desk: Desk) -> list[str]:
    known = desk.keys()
    return [key.name for key in known]


# -- from nothing to a vault with keys -----------------------------------------------------------------


async def test_the_first_key_makes_the_vault(desk: Desk) -> None:
    assert desk.state is VaultState.ABSENT
    assert desk.keys() == ()
    draft = _draft(desk)
    await desk.save(draft.suggested_name, draft, Secret(GOOD))
    assert desk.state is VaultState.OPEN
    assert desk.keys() == ((draft.suggested_name, ADVANCED, CDP.name[-4:], "ES256"),)
    assert desk.path.stat().st_mode & 0o777 == 0o600
    assert desk.path.parent.stat().st_mode & 0o777 == 0o700


async def test_further_keys_are_kept_beside_it(opened: Desk) -> None:
    await opened.save("second", _draft(opened, INSTITUTION))
    await opened.save("third", _draft(opened, EDWARDS))
    opened.lock()
    assert opened.state is VaultState.LOCKED
    assert opened.keys() == ()
    await opened.unlock(Secret(GOOD))
    known = opened.keys()
    assert [(key.name, key.kind, key.algorithm) for key in known] == [
        ("first", ADVANCED, "ES256"),
        ("second", EXCHANGE, "HMAC-SHA256"),
        ("third", ADVANCED, "EdDSA"),
    ]


async def test_what_was_saved_is_the_key_that_was_pasted(opened: Desk) -> None:
    await opened.save("second", _draft(opened, INSTITUTION))
    for name, key in (("first", CDP), ("second", INSTITUTION)):
        assert opened.draft(name).document == _draft(opened, key).document


async def test_suggested_names_are_free(opened: Desk) -> None:
    assert _draft(opened).suggested_name == "coinbase"
    await opened.save("coinbase", _draft(opened, EDWARDS))
    assert _draft(opened).suggested_name == "coinbase-2"
    assert _draft(opened, INSTITUTION).suggested_name == "coinbase-exchange"


@pytest.mark.parametrize(
    ("name", "said"),
    [("first", "has a key named first already"), ("Über", "cannot be called"), ("", "cannot be called")],
)
async def test_names_that_are_refused(opened: Desk, name: str, said: str) -> None:
    with pytest.raises(CredentialError, match=said):
        await opened.save(name, _draft(opened, INSTITUTION))
    assert _names(opened) == ["first"]


@pytest.mark.parametrize("password", [None, "short", "password1234"])
async def test_no_vault_is_made_with_a_weak_password(desk: Desk, password: str | None) -> None:
    with pytest.raises(CredentialError, match="master password"):
        await desk.save("first", _draft(desk), None if password is None else Secret(password))
    assert desk.state is VaultState.ABSENT
    assert not desk.path.exists()


async def test_a_locked_vault_takes_nothing(opened: Desk) -> None:
    draft = _draft(opened, INSTITUTION)
    opened.lock()
    before = opened.path.read_bytes()
    for deed in (
        opened.save("second", draft),
        opened.save("second", draft, Secret(GOOD)),
        opened.remove("first"),
        opened.change_password(Secret(OTHER)),
    ):
        with pytest.raises(CredentialError, match="the vault is locked"):
            await deed
    assert opened.path.read_bytes() == before


async def test_a_key_is_removed(opened: Desk) -> None:
    await opened.save("second", _draft(opened, INSTITUTION))
    await opened.remove("first")
    with pytest.raises(CredentialError, match="no key called"):
        await opened.remove("first")
    opened.lock()
    await opened.unlock(Secret(GOOD))
    assert _names(opened) == ["second"]


async def test_the_password_is_changed(opened: Desk, clock: ManualClock) -> None:
    with pytest.raises(CredentialError, match="too weak"):
        await opened.change_password(Secret("short"))
    await opened.change_password(Secret(OTHER))
    opened.lock()
    with pytest.raises(WrongPassword):
        await opened.unlock(Secret(GOOD))
    clock.advance(S)
    await opened.unlock(Secret(OTHER))
    assert _names(opened) == ["first"]


async def test_a_vault_that_somebody_else_changed_is_not_overwritten(
    opened: Desk, tmp_path: Path, clock: ManualClock
) -> None:
    another = _desk(tmp_path, clock)
    await another.unlock(Secret(GOOD))
    await another.save("theirs", _draft(another, EDWARDS))
    another.lock()
    with pytest.raises(CredentialError):
        await opened.save("ours", _draft(opened, INSTITUTION))
    assert _names(opened) == ["first"]
    opened.lock()
    await opened.unlock(Secret(GOOD))
    assert _names(opened) == ["first", "theirs"]


# -- opening and locking -------------------------------------------------------------------------------


async def test_wrong_passwords_are_slowed_down_and_counted(opened: Desk, clock: ManualClock) -> None:
    opened.lock()
    waits = []
    for _ in range(4):
        with pytest.raises(WrongPassword):
            await opened.unlock(Secret("wrong"))
        waits.append(opened.wait_s)
        with pytest.raises(CredentialError, match="can be tried in"):
            await opened.unlock(Secret(GOOD))
        clock.advance(int(opened.wait_s * S))
        assert opened.wait_s == 0
    assert waits == [1, 2, 4, 8]
    with pytest.raises(TooManyAttempts):
        await opened.unlock(Secret("wrong"))
    assert opened.state is VaultState.LOCKED


async def test_a_vault_that_nobody_uses_locks_itself(opened: Desk, clock: ManualClock) -> None:
    clock.advance(299 * S)
    opened.touch()
    clock.advance(299 * S)
    assert opened.state is VaultState.OPEN
    clock.advance(2 * S)
    assert opened.state is VaultState.LOCKED
    assert opened.keys() == ()


async def test_a_vault_that_others_can_read_is_refused_with_what_mends_it(opened: Desk) -> None:
    opened.lock()
    opened.path.chmod(0o644)
    assert opened.state is VaultState.REFUSED
    assert f"chmod 600 {opened.path}" in opened.trouble
    with pytest.raises(CredentialError, match="chmod 600"):
        await opened.unlock(Secret(GOOD))
    with pytest.raises(CredentialError, match="chmod 600"):
        await opened.save("second", _draft(opened, INSTITUTION), Secret(GOOD))
    opened.path.chmod(0o600)
    assert (opened.state, opened.trouble) == (VaultState.LOCKED, "")
    opened.path.parent.chmod(0o755)
    assert opened.state is VaultState.REFUSED
    assert f"chmod 700 {opened.path.parent}" in opened.trouble


async def test_the_loop_goes_on_during_a_deed_and_a_lock_waits_for_its_end(
    opened: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, may_end, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    save = Vault.save

    def held_up(self: Vault) -> None:
        loop.call_soon_threadsafe(reached.set)
        asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result(10)
        save(self)

    monkeypatch.setattr(Vault, "save", held_up)
    saving = asyncio.create_task(opened.save("second", _draft(opened, INSTITUTION)))
    await reached.wait()
    opened.lock()
    assert opened.state is VaultState.OPEN
    may_end.set()
    await saving
    assert opened.state is VaultState.LOCKED
    await opened.unlock(Secret(GOOD))
    assert _names(opened) == ["first", "second"]


async def test_a_save_that_nobody_waits_for_any_more_is_finished(
    opened: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, loop = asyncio.Event(), asyncio.get_running_loop()
    save = Vault.save

    def seen(self: Vault) -> None:
        loop.call_soon_threadsafe(reached.set)
        save(self)

    monkeypatch.setattr(Vault, "save", seen)
    saving = asyncio.create_task(opened.save("second", _draft(opened, INSTITUTION)))
    await reached.wait()
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    opened.lock()
    await opened.unlock(Secret(GOOD))
    assert _names(opened) == ["first", "second"]


# -- what people paste ---------------------------------------------------------------------------------

PEM = CDP.private_text
FILE = json.dumps({"name": CDP.name, "privateKey": PEM}, indent=3)
SPELLINGS = {
    "plain": (CDP.name, PEM),
    "literal line ends": (CDP.name, PEM.replace("\n", "\\n")),
    "Windows line ends": (CDP.name, PEM.replace("\n", "\r\n")),
    "Enter of a terminal": (CDP.name, PEM.replace("\n", "\r")),
    "lost line ends": (CDP.name, PEM.replace("\n", "")),
    "quotes": (f'"{CDP.name}"', f'"{PEM}"'),
    "out of a JSON file, with the comma": (f' "{CDP.name}",', json.dumps(PEM) + ","),
    "blanks and a byte order mark": (f"\ufeff {CDP.name}\n", f"\ufeff\n{PEM}\n\n"),
    "the file as the name": (FILE, ""),
    "the file as the private key": ("", FILE),
    "the file over what was there": ("something", f"\ufeff{FILE}\r\n"),
    "the file in quotes": ("", f"'{FILE}'"),
    "a file with id": ("", json.dumps({"id": CDP.name, "privateKey": PEM})),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_spellings_of_a_key(desk: Desk, spelling: str) -> None:
    name, private_key = SPELLINGS[spelling]
    draft = desk.read_parts(ADVANCED, {"name": Secret(name), "privateKey": Secret(private_key)})
    assert draft.document == _draft(desk).document
    assert (draft.kind, draft.tail, draft.algorithm) == (ADVANCED, CDP.name[-4:], "ES256")
    assert PEM[40:80] not in repr(draft)


async def test_a_whole_file_of_an_exchange_key_and_values_out_of_one(desk: Desk) -> None:
    wanted = _draft(desk, INSTITUTION).document
    whole = {"passphrase": Secret(INSTITUTION.file_content())}
    quoted = {
        "key": Secret(f'"{INSTITUTION.key}",'),
        "secret": Secret(f'"{INSTITUTION.secret}",'),
        "passphrase": Secret(f" {INSTITUTION.passphrase}\n"),
    }
    assert desk.read_parts(EXCHANGE, whole).document == wanted
    assert desk.read_parts(EXCHANGE, quoted).document == wanted


@pytest.mark.parametrize("passphrase", ['"quoted", not unquoted', "{brace}", "p,"])
async def test_a_passphrase_is_taken_as_it_is(opened: Desk, passphrase: str) -> None:
    parts = {"key": INSTITUTION.key, "secret": INSTITUTION.secret, "passphrase": passphrase}
    draft = opened.read_parts(EXCHANGE, {name: Secret(text) for name, text in parts.items()})
    assert json.loads(draft.document.text())["passphrase"] == passphrase
    await opened.save("second", draft)
    assert opened.draft("second").document == draft.document


@pytest.mark.parametrize(
    ("kind", "parts", "said"),
    [
        (ADVANCED, {"name": PEM, "privateKey": CDP.name}, "stands for the name is the private key"),
        (ADVANCED, {"name": "x", "privateKey": CDP.name}, "stands for the private key is the name"),
        (ADVANCED, {"name": CDP.name}, "the private key is empty"),
        (ADVANCED, {"name": "", "privateKey": PEM}, "the name of the key is empty"),
        (ADVANCED, {"name": CDP.name, "privateKey": PEM[:90]}, "no END line"),
        (ADVANCED, {"name": INSTITUTION.file_content()}, "a key of Coinbase Exchange"),
        (ADVANCED, {"name": json.dumps({"privateKey": PEM})}, '"name" or as "id"'),
        (ADVANCED, {"name": '{"name": '}, "not JSON"),
        (ADVANCED, {"name": CDP.name, "privateKey": "x" * 70_000}, "larger than any key"),
        (EXCHANGE, {"key": "k", "secret": PEM, "passphrase": "p"}, "is a private key"),
        (EXCHANGE, {"key": "k", "secret": INSTITUTION.secret}, "the passphrase of the key is empty"),
        (EXCHANGE, {"key": "k", "secret": "!", "passphrase": "p"}, "not base64"),
        (EXCHANGE, {"secret": FILE}, "a key of Advanced Trade"),
    ],
)
async def test_what_is_no_key_is_told_and_not_shown(
    desk: Desk, kind: str, parts: dict[str, str], said: str
) -> None:
    with pytest.raises(CredentialError, match=said) as refused:
        desk.read_parts(kind, {name: Secret(text) for name, text in parts.items()})
    assert PEM[40:80] not in str(refused.value)
    assert INSTITUTION.secret[:20] not in str(refused.value)


async def test_what_is_no_text(desk: Desk) -> None:
    with pytest.raises(CredentialError, match="no text"):
        desk.read_parts(ADVANCED, {"name": Secret(b"\xff\xfe"), "privateKey": Secret(PEM)})


async def test_a_file_is_read_where_its_owner_alone_can(desk: Desk, tmp_path: Path) -> None:
    path = write_key(tmp_path / "keys", INSTITUTION)
    assert desk.read_file(EXCHANGE, path).document == _draft(desk, INSTITUTION).document
    path.chmod(0o640)
    with pytest.raises(CredentialError, match="chmod 600"):
        desk.read_file(EXCHANGE, path)


# -- the check ---------------------------------------------------------------------------------------


async def test_a_key_that_was_refused_is_not_saved_until_it_is_taken(
    tmp_path: Path, clock: ManualClock
) -> None:
    strong = make_cdp_key(rights=Rights(transfer=True))
    async with LocalVenue(cdp_keys=(strong, CDP), clock=clock) as venue:
        desk = _desk(tmp_path, clock, venue.url)
        assert desk.venue == venue.url
        parts = {"name": Secret(strong.name), "privateKey": Secret(strong.private_text)}
        draft = desk.read_parts(ADVANCED, parts)
        findings = tuple([finding async for finding in desk.check(draft)])
        assert desk.fitness(findings) is Fitness.REFUSED
        with pytest.raises(CredentialError, match="the last check refused this key"):
            await desk.save("strong", draft, Secret(GOOD))
        assert desk.state is VaultState.ABSENT
        await desk.save("good", _draft(desk), Secret(GOOD))
    down = tuple([finding async for finding in desk.check(draft)])
    assert desk.fitness(down) is Fitness.UNCHECKED
    await desk.save("unchecked", draft)
    desk.lock()


async def test_looking_on_keeps_the_vault_open(tmp_path: Path, clock: ManualClock) -> None:
    async with LocalVenue(cdp_keys=(CDP,)) as venue:
        desk = _desk(tmp_path, clock, venue.url)
        await desk.save("first", _draft(desk), Secret(GOOD))
        clock.advance(200 * S)
        assert [finding.step async for finding in desk.check(desk.draft("first"))][-1] == "key type"
        clock.advance(200 * S)
        assert desk.state is VaultState.OPEN
        desk.lock()


async def test_strength_is_judged_in_a_sentence(desk: Desk) -> None:
    weak, strong = await desk.strength(Secret("password1")), await desk.strength(Secret(GOOD))
    assert not weak.is_enough
    assert strong.is_enough
    assert strong.words


def test_where_the_vault_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert desk_of(load_config(env={}).config).path == tmp_path / "pinnacle-tui" / "credentials.vault"
    named = load_config(env={}, overrides=["credentials.vault=~/mine.vault"]).config
    assert desk_of(named).path == Path(os.path.expanduser("~/mine.vault"))
    assert desk_of(named).venue == "Coinbase"


# -- what reviews have found ---------------------------------------------------------------------------


async def test_a_vault_that_is_gone_is_not_begun_anew_over_its_backup(opened: Desk) -> None:
    await opened.save("second", _draft(opened, INSTITUTION))
    opened.lock()
    opened.path.unlink()
    assert opened.state is VaultState.REFUSED
    backup = opened.path.with_name("credentials.vault.bak")
    assert f"mv {backup} {opened.path}" in opened.trouble
    with pytest.raises(CredentialError, match="is gone"):
        await opened.save("third", _draft(opened, EDWARDS), Secret(GOOD))
    backup.rename(opened.path)
    await opened.unlock(Secret(GOOD))
    assert _names(opened) == ["first"]


@pytest.mark.parametrize("content", [b"", b"{}", b"PNCLCRED", b"PNCLCRED" + bytes(200)])
async def test_a_file_that_is_no_vault_asks_for_no_password(desk: Desk, content: bytes) -> None:
    desk.path.parent.mkdir(mode=0o700)
    desk.path.touch(0o600)
    desk.path.write_bytes(content)
    assert desk.state is VaultState.REFUSED
    assert "vault" in desk.trouble


@pytest.mark.parametrize("deed", ["remove", "change"])
async def test_nothing_is_changed_once_the_time_is_over(opened: Desk, clock: ManualClock, deed: str) -> None:
    clock.advance(301 * S)
    with pytest.raises(CredentialError, match="locked"):
        await (opened.remove("first") if deed == "remove" else opened.change_password(Secret(OTHER)))
    assert opened.state is VaultState.LOCKED
    await opened.unlock(Secret(GOOD))
    assert _names(opened) == ["first"]


async def test_a_vault_that_is_opened_again_forgets_what_it_held(opened: Desk) -> None:
    first = opened._vault
    assert first is not None
    await opened.unlock(Secret(GOOD))
    with pytest.raises(CredentialError, match="locked"):
        first.entry("first")
    assert _names(opened) == ["first"]


async def test_no_vault_is_sealed_with_a_password_that_was_wiped(desk: Desk) -> None:
    password = Secret(GOOD)
    password.wipe()
    with pytest.raises(CredentialError):
        await desk.save("first", _draft(desk), password)
    vault = Vault.create(desk.path, password, iterations=1, floor=1)
    with pytest.raises(WrongPassword, match="empty"):
        vault.save()
    vault.lock()
    assert desk.state is VaultState.ABSENT


async def test_what_is_being_sealed_may_be_wiped_meanwhile(desk: Desk) -> None:
    draft, password = _draft(desk), Secret(GOOD)
    saving = asyncio.create_task(desk.save("first", draft, password))
    await asyncio.sleep(0)
    draft.document.wipe()
    password.wipe()
    await saving
    desk.lock()
    await desk.unlock(Secret(GOOD))
    assert desk.draft("first").document == _draft(desk).document
    desk.lock()
