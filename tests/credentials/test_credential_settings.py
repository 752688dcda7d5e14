"""The settings of the section `credentials` act: how long an open vault stays open, and which one it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from credentials.run_kit import PASSWORD, store

from engine.commands import credential_desk
from engine.commands.credential_desk import desk_of
from engine.config import load_config
from engine.core.clock import ManualClock
from engine.core.secret import Secret
from engine.credentials.desk import VaultState
from engine.credentials.settings import CredentialSettings
from engine.credentials.vault import Vault
from engine.local_venue.keys import make_cdp_key

S = 10**9


class Quick(Vault):
    """Opens what was sealed with one round."""

    @classmethod
    def open(cls, path: Path, password: Secret, *, iterations: int, floor: int) -> Vault:  # type: ignore[override]
        return Vault.open(path, password, iterations=1, floor=1)


@pytest.mark.parametrize("seconds", [10, 300, 3_600])
def test_an_open_vault_is_locked_after_this_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setattr(credential_desk, "Vault", Quick)
    path = store(tmp_path / "safe" / "any.vault", {"mine": make_cdp_key()}, iterations=1)
    given = [f"credentials.vault={path}", f"credentials.lock_after_s={seconds}"]
    clock = ManualClock()
    desk = desk_of(load_config(env={}, overrides=given).config, clock)
    desk.floor = 1
    assert (desk.path, desk.state) == (path, VaultState.LOCKED)
    asyncio.run(desk.unlock(Secret(PASSWORD)))
    clock.advance(seconds * S - 1)
    before = desk.state, len(desk.keys())
    clock.advance(1)
    assert before == (VaultState.OPEN, 1)
    assert (desk.state, len(desk.keys())) == (VaultState.LOCKED, 0)


def test_a_vault_is_named_from_home_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert CredentialSettings(vault="~/v").path == tmp_path / "v"
    assert CredentialSettings(vault="v").path == tmp_path / "v"
    assert CredentialSettings(vault="~no-such-user/v").path == tmp_path / "~no-such-user" / "v"
