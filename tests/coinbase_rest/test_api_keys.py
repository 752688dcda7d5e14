"""Keys in every spelling in which people have them, and every wrong one told apart without showing it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from engine.core.secret import Secret
from engine.exchange.coinbase.keys import (
    AdvancedKey,
    CredentialError,
    ExchangeKey,
    parse_key_document,
    read_key_file,
    secret_document,
)
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE
from engine.exchange.coinbase.private_keys import PrivateKey, parse_private_key

EC = generate_private_key(SECP256R1())
ED = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SEC1 = EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
PKCS8 = EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ED_PEM = ED.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ED_PUBLIC = ED.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
SEED = base64.b64encode(bytes(range(32))).decode()
PAIR = base64.b64encode(bytes(range(32)) + ED_PUBLIC).decode()
DER = base64.b64encode(EC.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
SECRET = base64.b64encode(bytes(range(64))).decode()


def _pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b"") -> str:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    text: str = key.private_bytes(Encoding.PEM, form, encryption).decode()
    return text


def _public(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


SPELLINGS = {
    "sec1": SEC1,
    "pkcs8": PKCS8,
    "ed25519 pem": ED_PEM,
    "literal line ends": SEC1.replace("\n", "\\n"),
    "literal windows line ends": SEC1.replace("\n", "\\r\\n"),
    "windows": PKCS8.replace("\n", "\r\n"),
    "old mac": PKCS8.replace("\n", "\r"),
    "double quotes": f'"{SEC1}"',
    "single quotes and blanks": f"  '{SEC1.replace(chr(10), chr(92) + 'n')}' \n",
    "quotes in quotes": f"'\"{PKCS8}\"'",
    "all on one line": SEC1.replace("\n", " "),
    "lines lost altogether": SEC1.replace("\n", ""),
    "indented": "\n".join(f"    {line}  " for line in SEC1.splitlines()),
    "byte order mark": "\ufeff" + SEC1,
    "parameters before the key": PARAMETERS + SEC1,
    "seed": SEED,
    "seed in quotes": f'"{SEED}"\n',
    "seed and public key": PAIR,
    "pair over two lines": PAIR[:40] + "\n" + PAIR[40:],
    "der": DER,
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_of_a_private_key_is_read(text: str) -> None:
    key = parse_private_key(text)
    assert _public(key) in (_public(EC), _public(ED))
    assert (key.curve.name == "secp256r1") if hasattr(key, "curve") else True


REFUSED = {
    "nothing": ("", "is empty"),
    "blanks": (' "" ', "is empty"),
    "p-384": (_pem(generate_private_key(SECP384R1())), "curve secp384r1"),
    "the curve of bitcoin": (_pem(generate_private_key(SECP256K1())), "curve secp256k1"),
    "encrypted pkcs8": (_pem(EC, password=b"x"), "encrypted"),
    "encrypted sec1": (_pem(EC, PrivateFormat.TraditionalOpenSSL, b"x"), "encrypted"),
    "rsa": (_pem(generate_rsa(65537, 2048)), "kind RSA"),
    "rsa in its own form": (
        _pem(generate_rsa(65537, 2048), PrivateFormat.TraditionalOpenSSL),
        "kind RSA PRIVATE KEY",
    ),
    "x25519": (_pem(X25519PrivateKey.generate()), "kind X25519"),
    "public": (
        EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "kind PUBLIC KEY",
    ),
    "openssh": (_pem(ED, PrivateFormat.OpenSSH), "kind OPENSSH PRIVATE KEY"),
    "cut off": (SEC1[:-40], "END line"),
    "hollow": ("-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----", "nothing between"),
    "damaged": (SEC1.replace(SEC1[60:64], "AAAA"), "damaged"),
    "halves that do not fit": (SECRET, "halves do not belong together"),
    "too short": (base64.b64encode(b"x" * 31).decode(), "31 bytes"),
    "too long": (base64.b64encode(b"x" * 96).decode(), "96 bytes"),
    "no base64": ("hunter2!", "neither PEM nor base64"),
    "not even ascii": ("пароль", "neither PEM nor base64"),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_every_other_text_is_refused_in_plain_words_and_not_shown(text: str, words: str) -> None:
    with pytest.raises(CredentialError, match=words) as refused:
        parse_private_key(text)
    said = str(refused.value)
    for piece in text.split():
        if len(piece) > 12 and "-----" not in piece:
            assert piece not in said
    assert refused.value.__cause__ is None
    assert refused.value.exit_code == 4


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        parse_private_key(text)
    except CredentialError:
        pass


@given(st.binary(max_size=300))
def test_no_document_breaks_the_reader(document: bytes) -> None:
    for api in (ADVANCED, EXCHANGE):
        with pytest.raises(CredentialError):
            parse_key_document(document, api)


def test_the_vectors_spellings_are_one_key_each(vectors: dict[str, Any]) -> None:
    for kind, public in (("es256", "public_key_pem"), ("ed25519", "public_key_pem")):
        spelt = [text for name, text in vectors[kind].items() if name.startswith("private")]
        keys = [parse_private_key(text) for text in spelt]
        assert len(spelt) >= 3
        for key in keys:
            pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            assert pem == vectors[kind][public]


@pytest.mark.parametrize("name", ["name", "id"])
def test_a_key_file_of_advanced_trade(name: str) -> None:
    document = json.dumps({name: "organizations/o/apiKeys/k-1", "privateKey": SEC1}).encode()
    key = parse_key_document(document, ADVANCED)
    assert isinstance(key, AdvancedKey)
    assert (key.name, key.algorithm) == ("organizations/o/apiKeys/k-1", "ES256")


def test_an_ed25519_key_file_of_advanced_trade() -> None:
    key = parse_key_document(json.dumps({"id": "k-1", "privateKey": PAIR}).encode(), ADVANCED)
    assert isinstance(key, AdvancedKey)
    assert key.algorithm == "EdDSA"


def test_a_key_file_of_exchange() -> None:
    document = json.dumps({"key": "k", "secret": SECRET, "passphrase": "p"}).encode()
    assert parse_key_document(document, EXCHANGE) == ExchangeKey("k", Secret(bytes(range(64))), Secret("p"))


WRONG = {
    "an Exchange key for Advanced": (
        {"key": "k", "secret": SECRET, "passphrase": "p"},
        ADVANCED,
        "is a key of Coinbase Exchange.*exchange.name = coinbase-exchange",
    ),
    "an Advanced key for Exchange": (
        {"name": "n", "privateKey": SEC1},
        EXCHANGE,
        "is a key of Advanced Trade.*exchange.name = coinbase,",
    ),
    "no passphrase": ({"key": "k", "secret": SECRET}, EXCHANGE, "the passphrase is missing.*Advanced Trade"),
    "an empty passphrase": ({"key": "k", "secret": SECRET, "passphrase": " "}, EXCHANGE, "passphrase"),
    "no secret": ({"key": "k", "passphrase": "p"}, EXCHANGE, '"secret"'),
    "a secret that is no base64": (
        {"key": "k", "secret": "%%%", "passphrase": "p"},
        EXCHANGE,
        "secret is not base64",
    ),
    "a private key for a secret": (
        {"key": "k", "secret": SEC1, "passphrase": "p"},
        EXCHANGE,
        "as keys of Advanced Trade have one",
    ),
    "no private key": ({"name": "n"}, ADVANCED, '"privateKey"'),
    "no name": ({"privateKey": SEC1}, ADVANCED, '"id"'),
    "a number for a name": ({"name": 5, "privateKey": SEC1}, ADVANCED, '"name"'),
    "a name that splits a header": (
        {"name": "n\r\nX-Evil: 1", "privateKey": SEC1},
        ADVANCED,
        "characters that no key",
    ),
    "a list": ([1], ADVANCED, "not JSON of the form"),
}


@pytest.mark.parametrize(("document", "api", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_document_is_told_apart(document: Any, api: str, words: str) -> None:
    with pytest.raises(CredentialError, match=words) as refused:
        parse_key_document(json.dumps(document).encode(), api)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "key",
    [AdvancedKey.create("organizations/o/apiKeys/abcd-1234", SEC1), AdvancedKey.create("key-5678", SEED)],
)
def test_no_spelling_of_an_advanced_key_as_text_shows_it(key: AdvancedKey) -> None:
    document = json.loads(secret_document(key))
    for text in (repr(key), str(key), f"{key}", f"{[key]}", f"{(key,)!r}"):
        assert key.name not in text
        assert key.name[-4:] in text
        assert not any(line in text for line in document["privateKey"].split("\n") if len(line) > 20)


def test_no_spelling_of_an_exchange_key_as_text_shows_it() -> None:
    key = ExchangeKey.create("the-key-9999", SECRET, "open sesame")
    for text in (repr(key), str(key), f"{key}", f"{[key]}"):
        assert "9999" in text
        hidden = ("the-key", SECRET, "open sesame", key.secret.reveal().decode("latin-1"))
        assert not any(secret in text for secret in hidden)


@pytest.mark.parametrize("text", [SEC1, ED_PEM, PAIR], ids=["sec1", "ed25519 pem", "pair"])
def test_an_advanced_key_survives_its_document(text: str) -> None:
    key = AdvancedKey.create("n", text)
    again = parse_key_document(secret_document(key), ADVANCED)
    assert isinstance(again, AdvancedKey)
    assert (again.name, again.algorithm) == (key.name, key.algorithm)
    assert _public(again.private_key) == _public(key.private_key)


def test_an_exchange_key_survives_its_document() -> None:
    key = ExchangeKey.create("k", SECRET, "p")
    assert parse_key_document(secret_document(key), EXCHANGE) == key


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "my key.json"
    path.write_text(json.dumps({"name": "n", "privateKey": SEC1}))
    path.chmod(0o600)
    return path


def test_a_private_file_is_read(key_file: Path) -> None:
    assert isinstance(read_key_file(key_file, ADVANCED), AdvancedKey)
    key_file.chmod(0o400)
    assert isinstance(read_key_file(key_file, ADVANCED), AdvancedKey)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o777])
def test_a_file_that_others_may_touch_is_refused_with_the_command_that_helps(
    key_file: Path, mode: int
) -> None:
    key_file.chmod(mode)
    with pytest.raises(CredentialError, match=rf"mode {mode:04o}") as refused:
        read_key_file(key_file, ADVANCED)
    assert f"chmod 600 '{key_file}'" in str(refused.value)


def test_a_file_of_another_user_is_refused(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: key_file.stat().st_uid + 1)
    with pytest.raises(CredentialError, match=r"belongs to another user.*sudo chown"):
        read_key_file(key_file, ADVANCED)


def test_what_is_no_file_is_refused(key_file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    large = tmp_path / "large"
    large.write_bytes(b" " * (65 << 10))
    large.chmod(0o600)
    for path, words in (
        (link, "symbolic link"),
        (pipe, "not a regular file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "none", "there is no key file"),
        (large, "larger than any key file"),
    ):
        with pytest.raises(CredentialError, match=words):
            read_key_file(path, ADVANCED)
