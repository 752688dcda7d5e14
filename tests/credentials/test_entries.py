"""What a vault holds: names, whole keys, and documents of versions that this one does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from credentials import vault_kit as kit
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import ADVANCED, EXCHANGE, FIELDS, KINDS
from engine.credentials.entries import Entry, decode_entries, encode_entries, require_name
from engine.credentials.vault import Vault
from engine.credentials.vault_format import VaultFormatError


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


@pytest.mark.parametrize("name", ["a", "0", "main", "coinbase-exchange", "a.b_c-d", "a" * 32])
def test_a_name_that_a_key_may_have(vault: Vault, path: Path, name: str) -> None:
    assert require_name(name) == name
    vault.put(name, kit.exchange())
    vault.save()
    assert name in kit.reopen(path).entries


@pytest.mark.parametrize(
    "name", ["", " ", "A", "a b", "-a", ".a", "_a", "a" * 33, "ä", "a\n", "a/b", "١", "a\x1b[2J", "kı"]
)
def test_a_name_that_no_key_may_have(vault: Vault, name: str) -> None:
    with pytest.raises(CredentialError, match="a name has 1 to 32 characters of a-z, 0-9") as refused:
        vault.put(name, kit.exchange())
    assert str(refused.value).isprintable()
    assert list(vault.entries) == ["main"]


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("kraken", {}, "there is no kind of key called kraken"),
        (ADVANCED, {"name": "n"}, "privateKey is missing or empty"),
        (ADVANCED, {"name": "n", "privateKey": ""}, "privateKey is missing or empty"),
        (EXCHANGE, {"key": "k", "secret": "s"}, "passphrase is missing or empty"),
        (ADVANCED, {"name": "n", "privateKey": "p", "passphrase": "x"}, "no part called passphrase"),
    ],
)
def test_a_key_that_is_not_whole_is_none(kind: str, fields: dict[str, str], words: str) -> None:
    with pytest.raises(CredentialError, match=words):
        Entry(kind, {name: Secret(text) for name, text in fields.items()})


def test_an_entry_shows_nothing() -> None:
    shown = repr(kit.exchange())
    assert "sesame" not in shown
    assert "4d1f" not in shown
    assert EXCHANGE in shown


def _document(**changed: Any) -> dict[str, Any]:
    return {"v": 1, "entries": {"main": {"kind": ADVANCED, "name": "n", "privateKey": "p"}}} | changed


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (_document(v=2), "has version 2, this program knows version 1"),
        (_document(v=True), "has version True"),
        (_document(v="1"), "has version none"),
        ({"entries": {}}, "has version none"),
        ({"v": 1}, "holds something else than keys"),
        (_document(entries=[]), "holds something else than keys"),
        (_document(more=1), "holds something else than keys"),
        (_document(entries={"main": 1}), "its key main cannot be used: it is no JSON object"),
        (_document(entries={"main": {}}), "its kind is missing"),
        (_document(entries={"main": {"kind": 1}}), "its kind is missing"),
        (_document(entries={"main": {"kind": "kraken"}}), "no kind of key called kraken"),
        (_document(entries={"main": {"kind": ADVANCED, "name": "n"}}), "privateKey is missing"),
        (
            _document(entries={"main": {"kind": ADVANCED, "name": "n", "privateKey": 1}}),
            "privateKey is no text",
        ),
        (_document(entries={"Main": {"kind": ADVANCED}}), "a key cannot be called"),
        (_document(entries={"\x1b[2J": {"kind": "\x1b]0;x\x07"}}), "a key cannot be called"),
    ],
)
def test_a_document_of_another_version_is_refused_in_words(document: Any, words: str) -> None:
    with pytest.raises(VaultFormatError, match=words) as refused:
        decode_entries(json.dumps(document).encode())
    assert "use the version of this program that wrote it" in str(refused.value)
    assert str(refused.value).isprintable()


def test_what_a_later_version_keeps_in_a_key_is_not_lost(path: Path, vault: Vault) -> None:
    later = {
        "kind": EXCHANGE,
        "key": "k",
        "secret": "s",
        "passphrase": "p",
        "made": [2027, {"by": None}],
        "x": "y",
    }
    plaintext = json.dumps({"v": 1, "entries": {"later": later}}).encode()
    path.write_bytes(kit.seal(plaintext))
    opened = kit.reopen(path)
    assert "2027" not in repr(opened.entry("later"))
    opened.put("main", kit.advanced())
    opened.save()
    assert json.loads(kit.unseal(path.read_bytes()))["entries"]["later"] == later


def test_a_part_that_is_no_text_is_not_saved(vault: Vault, path: Path) -> None:
    before = path.read_bytes()
    vault.put("odd", Entry(EXCHANGE, dict.fromkeys(FIELDS[EXCHANGE], Secret(b"\xff"))))
    with pytest.raises(CredentialError, match=r"no text \(UTF-8\), so it is not saved"):
        vault.save()
    assert path.read_bytes() == before


TEXTS = st.text(min_size=1, max_size=40)
SOME_KEYS = st.dictionaries(
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,31}", fullmatch=True),
    st.sampled_from(KINDS).flatmap(
        lambda kind: st.builds(
            Entry, st.just(kind), st.fixed_dictionaries({name: TEXTS.map(Secret) for name in FIELDS[kind]})
        )
    ),
    max_size=4,
)


@given(entries=SOME_KEYS, password=TEXTS)
def test_any_keys_under_any_password_come_back(
    entries: dict[str, Entry], password: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("vault") / "credentials.vault"
    made = kit.make(path, password)
    for name, entry in entries.items():
        made.put(name, entry)
    made.save()
    assert kit.reopen(path, password).entries == entries
    assert decode_entries(encode_entries(entries)) == entries
