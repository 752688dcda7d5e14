"""The store of the C++ program: what is read of it, and what is said where it cannot be."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from credentials.source_kit import refusal
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from engine.core.secret import Secret
from engine.credentials import pinnaclemm_file
from engine.credentials.pinnaclemm_file import read

PASSWORD = "pinnacle förteen"
SALT, IV = bytes(range(32)), bytes(range(16, 32))
KEY = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, 100_000, 32)
COINBASE = {
    "api.credentials.coinbase.apiKey": "k1",
    "api.credentials.coinbase.apiSecret": "s1",
    "api.credentials.coinbase.passphrase": "p1",
}
ESCAPE = "\x1b]52;c;aGk=\x07"
CANNOT = "the password is wrong, or the file is damaged"


def sealed(plain: bytes) -> bytes:
    """IV and ciphertext, as the C++ program has them."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES256(KEY), modes.CBC(IV)).encryptor()
    return IV + encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def document(plain: Any = COINBASE, **changed: Any) -> bytes:
    """A whole store; a part that is changed to None is missing."""
    data = sealed(plain if isinstance(plain, bytes) else json.dumps(plain).encode())
    parts = {"timestamp": "2025-11-02T10:00:00.000Z", "data": text(data), "salt": text(SALT)} | changed
    return json.dumps({name: part for name, part in parts.items() if part is not None}, indent=4).encode()


def keys(stored: bytes) -> list[tuple[str, ...]]:
    """What was found, in clear."""
    found = read(stored, Secret(PASSWORD))
    return [(old.exchange, *(part.text() for part in old[1:])) for old in found]


# -- what is read --------------------------------------------------------------------------------------


def test_a_store_that_another_tool_sealed_is_opened() -> None:
    data = (  # by openssl, of the parameters above
        "EBESExQVFhcYGRobHB0eHxTZTfTkRNVSMTcJehQC3+z1WvK9HEY0aePxulS/+6jaHFScoaTDRfhzYGdYvafIgRuwCrN4yI5a2Dx"
        "F7K9tUoUl5X6KmgmGGuIz4B5BJ9waZXWCY5LEXiROVrGnbYfRBeUaZ/apXuKa3CMxUiCbhMjtjsv2QKwqLgqw1+IVkh0L"
    )
    assert keys(document(data=data)) == [("coinbase", "k1", "s1", "p1")]


def test_every_exchange_is_found_by_its_name() -> None:
    held = COINBASE | {
        "api.credentials.kraken.apiSecret": "s2",
        "api.credentials.kraken.apiKey": "k2",
        "api.credentials.a.b.apiKey": "k3",
        "api.credentials.a.b.apiSecret": "s3",
    }
    assert keys(document(held)) == [
        ("a.b", "k3", "s3", ""),
        ("coinbase", "k1", "s1", "p1"),
        ("kraken", "k2", "s2", ""),
    ]


def test_keys_may_be_written_one_within_the_other() -> None:
    nested = {"api": {"credentials": {"coinbase": {"apiKey": "k1", "apiSecret": "s1", "passphrase": ""}}}}
    assert keys(document(nested)) == [("coinbase", "k1", "s1", "")]


def test_what_is_no_key_is_passed_over() -> None:
    held: dict[str, Any] = COINBASE | {
        "strategy.spread": "0.1",
        "api.credentials.coinbase.note": "n",
        "api.credentials.half.apiKey": "k2",
        "api.credentials.number.apiKey": 7,
        "api.credentials.number.apiSecret": "s",
        "api.credentials.apiKey": "k",
        "api": {"credentials": {"text": "t", "list": [1]}},
    }
    assert keys(document(held)) == [("coinbase", "k1", "s1", "p1")]


def test_what_was_found_is_not_shown() -> None:
    [old] = read(document(), Secret(PASSWORD))
    for secret in ("k1", "s1", "p1"):
        assert secret not in repr(old)


# -- what is refused -----------------------------------------------------------------------------------


def said_of(stored: bytes, password: str = PASSWORD) -> str:
    return refusal(lambda: read(stored, Secret(password)))


def test_a_wrong_password_cannot_be_told_from_damage() -> None:
    assert CANNOT in said_of(document(), "pinnacle fourteen")
    damaged = bytearray(sealed(json.dumps(COINBASE).encode()))
    damaged[-1] ^= 1
    assert CANNOT in said_of(document(data=text(bytes(damaged))))
    assert said_of(document(), "x") == said_of(document(salt=text(bytes(32))))


@pytest.mark.parametrize("plain", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"a":"\xff"}'])
def test_what_opens_to_nonsense_is_refused_alike(plain: bytes) -> None:
    assert CANNOT in said_of(document(plain))


@pytest.mark.parametrize("held", [{}, {"api": []}, {"api": {"credentials": {}}}, {"other": "value"}])
def test_a_store_without_keys_says_so(held: dict[str, Any]) -> None:
    assert "holds no key of any exchange" in said_of(document(held))


@pytest.fixture
def no_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the file is found before a derivation begins."""
    monkeypatch.setattr(pinnaclemm_file, "_opened", lambda *given: pytest.fail("the file was to be refused"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"salt": None}, 'has no "salt": it cannot be opened'),
        ({"salt": ""}, 'has no "salt"'),
        ({"salt": 7}, 'has no "salt"'),
        ({"data": None}, 'has no "data"'),
        ({"data": ["x"]}, 'has no "data"'),
        ({"salt": text(SALT[:31])}, "a salt of 31 bytes where 32 belong"),
        ({"salt": text(SALT + b"x")}, "a salt of 33 bytes where 32 belong"),
        ({"salt": text(SALT)[:-1]}, '"salt" in the file of PinnacleMM is no base64'),
        ({"data": "*"}, '"data" in the file of PinnacleMM is no base64'),
        ({"data": "é" * 64}, '"data" in the file of PinnacleMM is no base64'),
        ({"data": f"{text(bytes(16))}\n{text(bytes(16))}"}, "is no base64"),
        ({"data": text(bytes(8))}, "is cut off"),
        ({"data": text(bytes(16))}, "is cut off"),
        ({"data": text(bytes(47))}, "is cut off"),
    ],
)
@pytest.mark.usefixtures("no_derivation")
def test_a_store_that_is_not_whole_is_refused_at_once(changed: dict[str, Any], said: str) -> None:
    assert said in said_of(document(**changed))


@pytest.mark.parametrize("stored", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"data":"' + b"x" * 99])
@pytest.mark.usefixtures("no_derivation")
def test_what_is_no_store_is_refused_at_once(stored: bytes) -> None:
    assert "it is not the JSON that it writes" in said_of(stored)


@pytest.mark.usefixtures("no_derivation")
def test_a_file_without_bounds_is_refused_at_once() -> None:
    assert "larger than any file of PinnacleMM" in said_of(b" " * ((1 << 20) + 1))


@pytest.mark.parametrize("stored", [document(salt=ESCAPE), document(data=ESCAPE), document({ESCAPE: ESCAPE})])
def test_no_refusal_shows_what_strangers_wrote(stored: bytes) -> None:
    assert said_of(stored).isprintable()


def test_what_was_decrypted_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    wiped: list[bytearray] = []
    wipe = pinnaclemm_file.wipe
    monkeypatch.setattr(pinnaclemm_file, "wipe", lambda data: (wiped.append(data), wipe(data)))
    read(document(), Secret(PASSWORD))
    assert len(wiped) == 3
    assert all(len(data) >= 32 and not any(data) for data in wiped)
