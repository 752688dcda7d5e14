"""A vault from its first key to its last password: what is kept, what is refused, what is forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from credentials import vault_kit as kit

from engine.core.errors import CredentialError
from engine.core.private_file import PrivateFileError, PrivateFileMissing
from engine.core.secret import Secret
from engine.credentials import vault as vault_module
from engine.credentials import vault_file, vault_format
from engine.credentials.desk import ADVANCED, WrongPassword
from engine.credentials.vault import Vault
from engine.credentials.vault_format import VaultFormatError, VaultTampered, iterations_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pinnacle-tui" / "credentials.vault"


@pytest.fixture
def vault(path: Path) -> Vault:
    """A vault with one key, saved."""
    made = kit.make(path)
    made.put("main", kit.advanced())
    made.save()
    return made


# -- keys ------------------------------------------------------------------------------------------


def test_nothing_is_on_the_disk_before_the_first_save(path: Path) -> None:
    kit.make(path).put("main", kit.advanced())
    assert not path.parent.exists()
    with pytest.raises(PrivateFileMissing):
        kit.reopen(path)


def test_what_was_saved_is_there_again(vault: Vault, path: Path) -> None:
    opened = kit.reopen(path)
    assert opened.entries == {"main": kit.advanced()}
    assert opened.entry("main").kind == ADVANCED
    assert kit.held(opened) == {"main": {"name": kit.NAME, "privateKey": kit.PRIVATE_KEY}}


def test_a_second_key_keeps_the_first(vault: Vault, path: Path) -> None:
    second = kit.reopen(path)
    second.put("exchange", kit.exchange())
    second.save()
    opened = kit.reopen(path)
    assert list(opened.entries) == ["exchange", "main"]
    assert opened.entries["main"] == kit.advanced()
    opened.remove("exchange")
    opened.save()
    assert kit.held(kit.reopen(path)) == kit.held(vault)


def test_the_plaintext_is_canonical(vault: Vault, path: Path) -> None:
    assert (
        kit.unseal(path.read_bytes())
        == json.dumps(
            {
                "entries": {"main": {"kind": ADVANCED, "name": kit.NAME, "privateKey": kit.PRIVATE_KEY}},
                "v": 1,
            },
            separators=(",", ":"),
            sort_keys=True,
        ).encode()
    )


def test_nothing_of_a_key_is_in_the_file(vault: Vault, path: Path) -> None:
    vault.save()
    for found in path.parent.iterdir():
        data = found.read_bytes()
        assert b"main" not in data
        assert not any(piece in data for piece in (kit.NAME[:12].encode(), kit.PRIVATE_KEY[:12].encode()))


def test_a_key_that_is_not_there_is_told(vault: Vault) -> None:
    for ask in (vault.entry, vault.remove):
        with pytest.raises(CredentialError, match="no key called 'other'; it has: main"):
            ask("other")


def test_the_view_of_the_keys_changes_nothing(vault: Vault) -> None:
    with pytest.raises(TypeError):
        vault.entries["other"] = kit.advanced()  # type: ignore[index]
    assert list(vault.entries) == ["main"]


# -- saving ----------------------------------------------------------------------------------------


def test_salt_and_vector_are_new_at_every_save(vault: Vault, path: Path) -> None:
    seen = [path.read_bytes()]
    for _ in range(5):
        vault.save()
        seen.append(path.read_bytes())
    for part in (slice(20, 36), slice(36, 52), slice(52, 68)):
        assert len({blob[part] for blob in seen}) == 6


def test_a_save_keeps_the_state_before_it(vault: Vault, path: Path) -> None:
    before = path.read_bytes()
    vault.put("exchange", kit.exchange())
    vault.save()
    backup = path.with_name("credentials.vault.bak")
    assert backup.read_bytes() == before
    assert list(kit.reopen(backup).entries) == ["main"]


def test_a_save_raises_the_iterations_and_never_lowers_them(vault: Vault, path: Path) -> None:
    kit.reopen(path, iterations=5).save()
    assert iterations_of(path.read_bytes()) == 5
    kit.reopen(path, iterations=3).save()
    assert iterations_of(path.read_bytes()) == 5
    kit.reopen(path, iterations=5).change_password(Secret("another one"))
    assert iterations_of(path.read_bytes()) == 5


def test_the_programs_own_parameters(path: Path) -> None:
    made = Vault.create(path, Secret(kit.PASSWORD))
    made.save()
    assert iterations_of(path.read_bytes()) == 1_000_000
    assert Vault.open(path, Secret(kit.PASSWORD)).entries == {}


def test_a_vault_that_could_not_be_opened_again_is_not_written(path: Path) -> None:
    weak = Vault.create(path, Secret(kit.PASSWORD), iterations=599_999)
    with pytest.raises(VaultFormatError, match="allowed are 600,000"):
        weak.save()
    assert not path.exists()


def test_a_disk_that_gives_back_something_else_replaces_nothing(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    other = kit.seal(b'{"entries":{},"v":1}')
    plain = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: plain(descriptor, other) and len(data))
    with pytest.raises(CredentialError, match="gives back another vault than was written"):
        vault.save()
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert {found.name for found in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}
    vault.save()


def test_a_vault_that_somebody_else_saved_is_not_overwritten(vault: Vault, path: Path) -> None:
    other = kit.reopen(path)
    other.put("theirs", kit.exchange())
    other.save()
    vault.put("ours", kit.exchange())
    for save in (vault.save, lambda: vault.change_password(Secret("another one"))):
        with pytest.raises(CredentialError, match="another program changed it since it was opened"):
            save()
    assert list(kit.reopen(path).entries) == ["main", "theirs"]


def test_a_vault_that_is_gone_is_not_made_anew(vault: Vault, path: Path) -> None:
    path.unlink()
    with pytest.raises(CredentialError, match="its file is gone: put back a copy"):
        vault.save()
    assert not path.exists()


def test_a_new_vault_never_replaces_one_that_is_there(vault: Vault, path: Path) -> None:
    with pytest.raises(CredentialError, match="somebody else made one there meanwhile"):
        kit.make(path, "another one").save()
    assert kit.held(kit.reopen(path)) == kit.held(vault)


def test_what_could_not_be_saved_is_taken_back(vault: Vault, path: Path) -> None:
    vault.put("more", kit.exchange())
    vault.remove("main")
    with vault_file.saving(path), pytest.raises(PrivateFileError):
        vault.save()
    assert vault.entries == {"main": kit.advanced()}
    vault.save()
    assert kit.held(kit.reopen(path)) == kit.held(vault)


def test_keys_for_more_than_a_vault_holds_are_refused_and_taken_back(vault: Vault, path: Path) -> None:
    vault.put("large", kit.exchange("x" * (64 << 10)))
    with pytest.raises(VaultFormatError, match="the vault is full"):
        vault.save()
    assert list(vault.entries) == list(kit.reopen(path).entries) == ["main"]


# -- opening, passwords, forgetting ----------------------------------------------------------------


def test_a_wrong_password_opens_nothing(vault: Vault, path: Path) -> None:
    with pytest.raises(WrongPassword):
        kit.reopen(path, "another one")


def test_a_changed_file_opens_nothing(vault: Vault, path: Path) -> None:
    blob = bytearray(path.read_bytes())
    blob[40] ^= 1
    path.write_bytes(blob)
    with pytest.raises(VaultTampered):
        kit.reopen(path)


def test_another_password_takes_all_keys_along(vault: Vault, path: Path) -> None:
    vault.put("exchange", kit.exchange())
    vault.save()
    vault.change_password(Secret("a new one, and a long one"))
    with pytest.raises(WrongPassword):
        kit.reopen(path)
    opened = kit.reopen(path, "a new one, and a long one")
    assert kit.held(opened) == kit.held(vault)
    assert list(opened.entries) == ["exchange", "main"]
    vault.save()
    assert kit.reopen(path, "a new one, and a long one").entries == opened.entries


def test_no_file_opens_with_the_old_password_after_a_change(vault: Vault, path: Path) -> None:
    vault.save()
    old = [os.open(found, os.O_RDONLY) for found in (path, path.with_name(path.name + ".bak"))]
    try:
        sizes = [os.fstat(descriptor).st_size for descriptor in old]
        vault.change_password(Secret("another one"))
        assert [os.pread(descriptor, 1 << 16, 0) for descriptor in old] == [bytes(size) for size in sizes]
    finally:
        for descriptor in old:
            os.close(descriptor)
    assert {found.name for found in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}


def test_a_copy_that_somebody_keeps_under_another_name_is_left_alone(vault: Vault, path: Path) -> None:
    kept = path.with_name("kept")
    kept.hardlink_to(path)
    before = kept.read_bytes()
    vault.change_password(Secret("another one"))
    assert kept.read_bytes() == before


def test_the_vault_keeps_a_password_of_its_own(path: Path) -> None:
    password = Secret(kit.PASSWORD)
    made = Vault.create(path, password, iterations=kit.ITERATIONS, floor=kit.FLOOR)
    password.wipe()
    made.save()
    assert kit.reopen(path).entries == {}
    new = Secret("another one")
    made.change_password(new)
    new.wipe()
    made.save()
    assert kit.reopen(path, "another one").entries == {}


def test_a_locked_vault_has_forgotten_everything(vault: Vault) -> None:
    entry, password = vault.entry("main"), vault._password
    vault.put("unsaved", unsaved := kit.exchange())
    vault.lock()
    for part in (password, *entry.fields.values(), *unsaved.fields.values()):
        assert part.reveal() == bytes(part.size)
    asked = (
        lambda: vault.entries,
        lambda: vault.entry("main"),
        lambda: vault.put("main", kit.advanced()),
        lambda: vault.remove("main"),
        vault.save,
        lambda: vault.change_password(Secret("another one")),
    )
    for ask in asked:
        with pytest.raises(CredentialError, match="the vault is locked: open it with its master password"):
            ask()
    vault.lock()


def test_a_key_that_was_removed_is_forgotten_when_that_is_saved(vault: Vault) -> None:
    entry = vault.entry("main")
    vault.put("renamed", entry)
    vault.remove("main")
    vault.save()
    assert entry == kit.advanced(), "it is still there, under another name"
    vault.remove("renamed")
    vault.save()
    assert not any(any(part.reveal()) for part in entry.fields.values())


def test_plaintext_and_password_bytes_are_wiped(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytearray] = []
    plain = (vault_module.open_sealed, vault_module.encode_entries, vault_format._normalised)

    def watch(module: Any, name: str, original: Any) -> None:
        def watched(*given: Any, **named: Any) -> bytearray:
            seen.append(original(*given, **named))
            return seen[-1]

        monkeypatch.setattr(module, name, watched)

    for module, original in zip((vault_module, vault_module, vault_format), plain, strict=True):
        watch(module, original.__name__, original)
    kit.reopen(path).save()
    assert len(seen) == 6
    assert all(seen)
    assert not any(map(any, seen))


def test_nothing_that_is_seen_of_a_vault_is_secret(vault: Vault) -> None:
    shown = f"{vault!r} {vault} {vault.__dict__} {vault.entries}"
    assert not any(word in shown for word in ("correct horse", kit.NAME[:12], kit.PRIVATE_KEY[:12]))
