"""Every bit of a vault turned, every length cut or added: nothing is accepted, each answer has its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from credentials import vault_kit as kit

from engine.core.errors import CredentialError
from engine.credentials import vault_format
from engine.credentials.desk import WrongPassword
from engine.credentials.entries import encode_entries
from engine.credentials.vault_format import VaultFormatError, VaultTampered

PLAINTEXT = bytes(encode_entries({"coinbase": kit.advanced()}))
HEADER = 68


@pytest.fixture(scope="module")
def vault() -> bytes:
    return kit.seal(PLAINTEXT)


def answers(blobs: Iterable[bytes | bytearray]) -> Counter[type[CredentialError]]:
    """How often the opener gave which answer; anything else ends the test."""
    told: Counter[type[CredentialError]] = Counter()
    for blob in blobs:
        try:
            opened = kit.unseal(blob)
        except (VaultFormatError, VaultTampered, WrongPassword) as error:
            told[type(error)] += 1
        else:
            raise AssertionError(f"accepted: {len(blob)} bytes that hold {opened!r}")
    return told


def flipped(blob: bytes) -> Iterable[bytearray]:
    for bit in range(8 * len(blob)):
        turned = bytearray(blob)
        turned[bit // 8] ^= 1 << bit % 8
        yield turned


def test_every_flipped_bit_is_refused(vault: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    # A turned bit of the iterations would make some of these take seconds.
    monkeypatch.setattr(vault_format, "CEILING", 1 << 12)
    assert kit.unseal(vault) == PLAINTEXT
    assert 300 <= len(vault) <= 400
    allowed = sum(1 <= kit.ITERATIONS ^ (1 << bit) <= 1 << 12 for bit in range(32))
    assert answers(flipped(vault)) == {
        VaultFormatError: 64 + 16 + 16 + (32 - allowed) + 32,
        WrongPassword: allowed + 128 + 128,
        VaultTampered: 128 + 8 * (len(vault) - HEADER),
    }


def test_every_truncation_is_refused(vault: bytes) -> None:
    assert answers(vault[:length] for length in range(len(vault))) == {VaultFormatError: len(vault)}
    assert answers(vault[start:] for start in range(1, len(vault) + 1)) == {VaultFormatError: len(vault)}


def test_everything_appended_or_put_before_is_refused(vault: bytes) -> None:
    more = [bytes(length) for length in range(1, 129)] + [bytes([value]) for value in range(256)] + [vault]
    assert answers(vault + end for end in more) == {VaultFormatError: 385}
    assert answers(start + vault for start in more[:-1]) == {VaultFormatError: 384}


def test_every_byte_left_out_or_doubled_is_refused(vault: bytes) -> None:
    assert answers(vault[:at] + vault[at + 1 :] for at in range(len(vault))) == {VaultFormatError: len(vault)}
    assert answers(vault[:at] + vault[at:][:1] + vault[at:] for at in range(len(vault))) == {
        VaultFormatError: len(vault)
    }


def test_parts_of_two_vaults_with_one_password_make_no_third(vault: bytes) -> None:
    other = kit.seal(PLAINTEXT)
    salt, iv, check, ciphertext, mac = (
        slice(20, 36),
        slice(36, 52),
        slice(52, 68),
        slice(68, -32),
        slice(-32, None),
    )

    def mixed(*parts: slice) -> bytearray:
        blob = bytearray(vault)
        for part in parts:
            blob[part] = other[part]
        return blob

    assert answers(map(mixed, (iv, ciphertext, mac))) == {VaultTampered: 3}
    assert answers([mixed(iv, ciphertext), mixed(iv, ciphertext, mac), mixed(ciphertext, mac)]) == {
        VaultTampered: 3
    }
    assert answers([mixed(salt), mixed(check)]) == {WrongPassword: 2}
    assert answers([mixed(salt, check)]) == {VaultTampered: 1}
    assert kit.unseal(mixed(salt, check, iv, ciphertext, mac)) == PLAINTEXT


def test_blocks_of_the_ciphertext_in_another_order_are_refused(vault: bytes) -> None:
    blocks = [vault[at : at + 16] for at in range(HEADER, len(vault) - 32, 16)]
    swapped = [
        b"".join([vault[:HEADER], *blocks[:at], blocks[at + 1], blocks[at], *blocks[at + 2 :], vault[-32:]])
        for at in range(len(blocks) - 1)
    ]
    assert answers(swapped) == {VaultTampered: len(blocks) - 1}


@pytest.mark.nightly
def test_every_flipped_bit_is_refused_with_the_programs_own_bounds(vault: bytes) -> None:
    sealed = kit.seal(PLAINTEXT, iterations=vault_format.FLOOR)
    for bit in range(96, 128):
        turned = bytearray(sealed)
        turned[bit // 8] ^= 1 << bit % 8
        with pytest.raises((VaultFormatError, WrongPassword)):
            vault_format.open_sealed(turned, kit.Secret(kit.PASSWORD))
