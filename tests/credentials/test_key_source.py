"""Which key a run takes out of the vault, and what is said where it cannot be told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from credentials.run_kit import PASSWORD, store

from engine.config import Config, load_config
from engine.core.errors import CredentialError, UsageError
from engine.core.secret import Secret
from engine.credentials.desk import WrongPassword
from engine.credentials.vault import Vault
from engine.exchange.coinbase.keys import AdvancedKey, ExchangeKey, secret_document
from engine.local_venue.keys import Algorithm, CdpKey, make_cdp_key, make_exchange_key
from engine.local_venue.keys import ExchangeKey as MadeExchangeKey
from engine.runtime import key_source
from engine.runtime.key_source import VaultKey, vault_key

ADVANCED, EXCHANGE = "coinbase", "coinbase-exchange"
CDP, OTHER_CDP, INSTITUTION = make_cdp_key(), make_cdp_key(Algorithm.EDDSA), make_exchange_key()


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Vault]:
    """Every vault that was opened; each is sealed with one round only."""
    vaults: list[Vault] = []

    class Quick(Vault):
        @classmethod
        def open(cls, path: Path, password: Secret) -> Vault:  # type: ignore[override]
            vaults.append(Vault.open(path, password, iterations=1, floor=1))
            return vaults[-1]

    monkeypatch.setattr(key_source, "Vault", Quick)
    return vaults


def vault_of(folder: Path, keys: Mapping[str, CdpKey | MadeExchangeKey]) -> Path:
    return store(folder / "safe" / "credentials.vault", keys, iterations=1)


def config(**given: str) -> Config:
    overrides = [f"{key.replace('__', '.')}={text}" for key, text in given.items()]
    return load_config(env={}, overrides=overrides).config


@pytest.mark.parametrize(
    ("name", "api", "kind"),
    [
        (None, ADVANCED, AdvancedKey),
        ("retail", ADVANCED, AdvancedKey),
        (None, EXCHANGE, ExchangeKey),
        ("desk", EXCHANGE, ExchangeKey),
    ],
)
def test_a_key_by_its_name_or_as_the_only_one_of_its_api(
    tmp_path: Path, name: str | None, api: str, kind: type
) -> None:
    path = vault_of(tmp_path, {"retail": CDP, "desk": INSTITUTION})
    key = VaultKey(path, name, api).take(Secret(PASSWORD))
    assert isinstance(key, kind)
    assert (key.name if isinstance(key, AdvancedKey) else key.key) in (CDP.name, INSTITUTION.key)
    if isinstance(key, ExchangeKey):
        assert json.loads(secret_document(key)) == json.loads(INSTITUTION.file_content())


def test_the_vault_is_locked_again_whether_or_not_it_had_the_key(tmp_path: Path, opened: list[Vault]) -> None:
    path = vault_of(tmp_path, {"retail": CDP})
    VaultKey(path, None, ADVANCED).take(Secret(PASSWORD))
    with pytest.raises(CredentialError):
        VaultKey(path, "nobody", ADVANCED).take(Secret(PASSWORD))
    assert len(opened) == 2
    for vault in opened:
        with pytest.raises(CredentialError, match="locked"):
            _ = vault.entries


@pytest.mark.parametrize(
    ("keys", "name", "api", "said"),
    [
        ({}, None, ADVANCED, "no key of Coinbase Advanced Trade; it holds no key at all"),
        ({"desk": INSTITUTION}, None, ADVANCED, "it holds desk (Coinbase Exchange)"),
        ({"a": CDP, "b": OTHER_CDP}, None, ADVANCED, "several keys of Coinbase Advanced Trade: name one"),
        ({"a": CDP}, "b", ADVANCED, "the vault has no key b; it holds a (Coinbase Advanced Trade)"),
        ({"a": CDP}, "a", EXCHANGE, "or the venue with --exchange coinbase"),
        ({"a": INSTITUTION}, "a", ADVANCED, "a is a key of Coinbase Exchange, and this run is at"),
    ],
)
def test_a_key_that_cannot_be_told_is_asked_for_with_the_names(
    tmp_path: Path, keys: dict[str, CdpKey | MadeExchangeKey], name: str | None, api: str, said: str
) -> None:
    with pytest.raises(CredentialError) as refused:
        VaultKey(vault_of(tmp_path, keys), name, api).take(Secret(PASSWORD))
    assert said in str(refused.value)
    assert str(refused.value).endswith("Nothing was sent")
    assert refused.value.exit_code == 4


def test_a_wrong_password_takes_nothing(tmp_path: Path, opened: list[Vault]) -> None:
    with pytest.raises(WrongPassword):
        VaultKey(vault_of(tmp_path, {"a": CDP}), None, ADVANCED).take(Secret(PASSWORD + "x"))
    assert not opened


def test_nobody_is_asked_for_the_password_of_a_vault_that_will_not_do(tmp_path: Path) -> None:
    missing = VaultKey(tmp_path / "safe" / "credentials.vault", None, ADVANCED)
    with pytest.raises(CredentialError, match="Store a key with `pinnacle-tui credentials`"):
        missing.look()
    path = vault_of(tmp_path, {"a": CDP})
    present = VaultKey(path, None, ADVANCED)
    present.look()
    path.chmod(0o640)
    with pytest.raises(CredentialError, match=f"chmod 600 {path}"):
        present.look()
    path.chmod(0o600)
    path.parent.chmod(0o755)
    with pytest.raises(CredentialError, match=f"chmod 700 {path.parent}"):
        present.look()


@pytest.mark.parametrize(
    ("given", "uses"),
    [
        ({"engine__mode": "live"}, True),
        ({"engine__mode": "live", "credentials__key": "a"}, True),
        ({"engine__mode": "live", "network__key_file": "key.json"}, False),
        ({"engine__mode": "paper"}, False),
        ({"engine__mode": "paper", "credentials__key": "a"}, True),
        ({"engine__mode": "paper", "network__key_file": "key.json"}, False),
        ({"engine__mode": "sim", "credentials__key": "a"}, False),
        ({"engine__mode": "replay", "credentials__key": "a"}, False),
    ],
)
def test_which_runs_use_the_vault(given: dict[str, str], uses: bool) -> None:
    assert config(**given).uses_vault is uses


def test_the_settings_name_vault_key_and_api(tmp_path: Path) -> None:
    settings = config(
        credentials__vault=str(tmp_path / "v"), credentials__key="a", exchange__name="coinbase-exchange"
    )
    assert vault_key(settings) == VaultKey(tmp_path / "v", "a", EXCHANGE)
    plain = config(credentials__vault=str(tmp_path / "v"))
    assert vault_key(plain) == VaultKey(tmp_path / "v", None, ADVANCED)


def test_a_file_and_a_key_in_the_vault_are_not_both_named() -> None:
    both = {"credentials__key": "a", "network__key_file": "key.json"}
    with pytest.raises(UsageError, match=r"--key a .* --key-file key\.json .* leave one of them out"):
        config(engine__mode="paper", **both).require_runnable()
    config(engine__mode="sim", **both).require_runnable()


def test_live_trading_with_a_key_in_clear_is_told_of_the_vault() -> None:
    (notice,) = config(engine__mode="live", network__key_file="key.json").key_notices
    assert "unencrypted in key.json: a vault is safer" in notice
    assert not config(engine__mode="live").key_notices
    assert not config(engine__mode="paper", network__key_file="key.json").key_notices


def test_live_trading_at_exchange_is_told_that_nobody_knows_what_the_key_may_do() -> None:
    (notice,) = config(engine__mode="live", exchange__name="coinbase-exchange").key_notices
    assert "does not tell what a key may do" in notice
    assert not config(engine__mode="paper", exchange__name="coinbase-exchange").key_notices
