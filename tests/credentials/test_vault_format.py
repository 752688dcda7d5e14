"""Sealing and opening: the known answer, which error says what, and that no bytes get past the opener."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import struct
from typing import Any

import pytest
from credentials import vault_kit as kit
from hypothesis import given
from hypothesis import strategies as st

from engine.core.secret import Secret
from engine.credentials import vault_format
from engine.credentials.desk import WrongPassword
from engine.credentials.entries import decode_entries
from engine.credentials.vault_format import VaultFormatError, VaultTampered, open_sealed, seal

EMPTY = b'{"entries":{},"v":1}'
MASTER = "ef177144eec9420cbc1093d2a8b344a92bc506d0d4ec9c028dd19f8324d8c1e6"
K_ENC = "d2986d979e05a8ea0b0b9ec2bb435dcc4c02fc80ea5767b220b476e4181006e7"
K_MAC = "8d41617d16169d223c86346fdd2eb946aa75517760e28d171e825fab892ccd61"
CHECK = "e513007fb9ebcb9e2e2cf357b56ed5aa"
CIPHERTEXT = "0bcffc84e2bb7ed70b0af10abdb1223fd15f47cf88248dc4127f2e957304a51a"
MAC = "d28a8e5cc70f3dbf8fed4bae37838d846afe7e96571cf49b8989271f691d7198"
FILE = "14cc53cc718f0444fe317c67131f021ff61b3170b9cdb95c8b0bf2aac2276b6c"


@pytest.fixture(scope="module")
def known() -> bytes:
    return vault_format._seal(
        EMPTY, Secret(kit.PASSWORD), 600_000, salt=bytes(range(16)), iv=bytes(range(16, 32))
    )


def test_the_known_answer_byte_for_byte(known: bytes) -> None:
    assert known[:20] == b"PNCLCRED" + struct.pack("<HHII", 1, 1, 600_000, 32)
    assert known[20:52] == bytes(range(32))
    assert (known[52:68].hex(), known[68:100].hex(), known[100:].hex()) == (CHECK, CIPHERTEXT, MAC)
    assert (len(known), hashlib.sha256(known).hexdigest()) == (132, FILE)


def test_the_known_answers_keys() -> None:
    master = bytearray(32)
    vault_format._derive_master(bytearray(kit.PASSWORD.encode()), bytes(range(16)), 600_000, master)
    assert master.hex() == MASTER
    with vault_format._derived_keys(Secret(kit.PASSWORD), bytes(range(16)), 600_000) as keys:
        assert (keys.encryption.hex(), keys.mac.hex()) == (K_ENC, K_MAC)
    assert not any(itertools.chain(*keys)), "keys are zero when they were used"


def test_the_known_answer_opens_with_the_programs_own_bounds(known: bytes) -> None:
    opened = open_sealed(known, Secret(kit.PASSWORD))
    assert type(opened) is bytearray
    assert opened == EMPTY


def test_the_mac_was_made_by_hmac_alone(known: bytes) -> None:
    """Told apart from whatever the library would call one."""
    assert hmac.new(bytes.fromhex(K_MAC), known[:-32], hashlib.sha256).hexdigest() == MAC


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 31, 32, 33, 1_000, (64 << 10) - 16, (64 << 10) - 1])
def test_every_size_comes_back(size: int) -> None:
    plaintext = bytes(itertools.islice(itertools.cycle(range(256)), size))
    sealed = kit.seal(plaintext)
    assert len(sealed) == 68 + (size // 16 + 1) * 16 + 32 <= vault_format.MOST_BYTES
    assert kit.unseal(sealed) == plaintext
    assert kit.unseal(bytearray(sealed)) == plaintext


def test_more_than_a_vault_holds_is_refused() -> None:
    with pytest.raises(VaultFormatError, match="the vault is full: remove keys"):
        kit.seal(bytes(64 << 10))


def test_salt_and_vector_are_new_every_time() -> None:
    sealed = [kit.seal(EMPTY) for _ in range(50)]
    assert len({one[20:36] for one in sealed}) == len({one[36:52] for one in sealed}) == 50
    assert len({one[68:] for one in sealed}) == 50


def test_a_seal_has_a_million_iterations_where_nobody_says_otherwise() -> None:
    assert vault_format.iterations_of(seal(EMPTY, Secret("x"))) == 1_000_000


@pytest.mark.parametrize("iterations", [0, 1, 599_999, 10_000_001, 2**32 - 1])
def test_weaker_and_endless_parameters_die_before_the_derivation(
    iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = kit.seal_like(iterations)
    monkeypatch.delattr(vault_format, "_derive_master")
    with pytest.raises(VaultFormatError, match="allowed are 600,000 to 10,000,000"):
        open_sealed(blob, Secret(kit.PASSWORD))


@pytest.mark.parametrize("iterations", [600_000, 10_000_000])
def test_the_bounds_themselves_are_allowed(iterations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    blob = kit.seal_like(iterations)
    monkeypatch.setattr(vault_format, "_derive_master", lambda *given: asked.append(given[2]))
    with pytest.raises(WrongPassword):
        open_sealed(blob, Secret(kit.PASSWORD))
    assert asked == [iterations]


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, b"PNCLCREE", "is no vault"),
        (8, struct.pack("<H", 0), "version 0 .* reads version 1"),
        (8, struct.pack("<H", 2), "version 2 .* use the program that wrote it"),
        (10, struct.pack("<H", 2), "key derivation has number 2"),
        (10, struct.pack("<H", 3), "key derivation has number 3"),
        (16, struct.pack("<I", 0), "length is not what its header says"),
        (16, struct.pack("<I", 16), "length is not what its header says"),
        (16, struct.pack("<I", 31), "length is not what its header says"),
        (16, struct.pack("<I", 48), "length is not what its header says"),
        (16, struct.pack("<I", 2**32 - 16), "length is not what its header says"),
    ],
)
def test_a_header_of_something_else_is_told_in_words(known: bytes, at: int, value: bytes, words: str) -> None:
    blob = known[:at] + value + known[at + len(value) :]
    with pytest.raises(VaultFormatError, match=words):
        open_sealed(blob, Secret(kit.PASSWORD))


@pytest.mark.parametrize("length", [17, 31, 33])
def test_a_length_that_is_no_number_of_blocks_dies_before_the_derivation(
    known: bytes, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(vault_format, "_derive_master")
    with pytest.raises(VaultFormatError, match="length is not what its header says"):
        kit.unseal(known[:16] + struct.pack("<I", length) + known[20:68] + bytes(length + 32))


def test_a_wrong_password_is_told_from_a_changed_file() -> None:
    sealed = kit.seal(EMPTY)
    with pytest.raises(WrongPassword, match="wrong password, or the header of the vault is damaged"):
        kit.unseal(sealed, "Correct horse battery staple")
    with pytest.raises(VaultTampered, match="was changed after it was written"):
        kit.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(WrongPassword):
        kit.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), "another")


@pytest.mark.parametrize("differs", range(3))
def test_both_are_compared_whichever_differs(differs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = bytearray(kit.seal(EMPTY))
    if differs:
        sealed[52 if differs == 1 else -1] ^= 1
    compared: list[bool] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append(a == b)
        return compared[-1]

    monkeypatch.setattr(vault_format.hmac, "compare_digest", compare)
    try:
        kit.unseal(sealed)
    except (WrongPassword, VaultTampered):
        assert differs
    # The MAC covers the check too.
    assert compared == [[True, True], [False, False], [True, False]][differs]


def test_nothing_is_decrypted_before_the_mac_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = kit.seal(EMPTY)
    monkeypatch.delattr(vault_format, "Cipher")
    with pytest.raises(VaultTampered):
        kit.unseal(sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:])
    with pytest.raises(WrongPassword):
        kit.unseal(sealed, "another")
    with pytest.raises(NameError):
        kit.unseal(sealed)


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("caf\u00e9 au lait", "cafe\u0301 au lait"),
        ("\ufb01nal", "final"),
        ("\u2460\u2461\u2462", "123"),
        ("\uff30\uff41\uff53\uff53", "Pass"),
        ("\u1e9b\u0323", "\u1e69"),
        ("\u212b", "\u00c5"),
    ],
)
def test_two_keyboards_spell_one_password(typed: str, same: str) -> None:
    assert kit.unseal(kit.seal(EMPTY, typed), same) == EMPTY
    assert kit.unseal(kit.seal(EMPTY, same), typed) == EMPTY


def test_a_long_password_counts_to_its_last_byte() -> None:
    long = "ü" * 512
    assert kit.unseal(kit.seal(EMPTY, long), long) == EMPTY
    with pytest.raises(WrongPassword):
        kit.unseal(kit.seal(EMPTY, long), long[:-1])


@pytest.mark.parametrize("password", [Secret(b"\xff\xfe"), Secret("\ud800")])
def test_a_password_that_is_no_text_opens_and_seals_nothing(password: Secret) -> None:
    with pytest.raises(WrongPassword, match=r"no text \(UTF-8\)"):
        seal(EMPTY, password, kit.ITERATIONS)
    with pytest.raises(WrongPassword, match=r"no text \(UTF-8\)"):
        open_sealed(kit.seal(EMPTY), password, floor=kit.FLOOR)


def test_the_password_itself_is_left_as_it_was() -> None:
    password = Secret(kit.PASSWORD)
    open_sealed(seal(EMPTY, password, kit.ITERATIONS), password, floor=kit.FLOOR)
    assert password == Secret(kit.PASSWORD)


# -- bytes that nobody wrote -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def stubbed() -> Any:
    """The derivation is not what these look for, and takes nearly all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault_format, "_derive_master", lambda *given: None)
        yield


@given(blob=st.binary(max_size=400), is_like_one=st.booleans())
def test_no_bytes_break_the_opener(stubbed: None, blob: bytes, is_like_one: bool) -> None:
    if is_like_one:
        blob = b"PNCLCRED\x01\x00\x01\x00\x02\x00\x00\x00" + blob
    with pytest.raises((VaultFormatError, VaultTampered, WrongPassword)):
        kit.unseal(blob)


@given(blocks=st.integers(1, 20), filling=st.binary(max_size=64))
def test_no_bytes_under_a_right_mac_break_it_either(stubbed: None, blocks: int, filling: bytes) -> None:
    """Somebody who knows the password can write anything: that too is told in words."""
    ciphertext = (filling + bytes(16 * blocks))[: 16 * blocks]
    header = struct.pack(
        "<8sHHII16s16s", b"PNCLCRED", 1, 1, kit.ITERATIONS, 16 * blocks, bytes(16), bytes(16)
    )
    with vault_format._derived_keys(Secret(kit.PASSWORD), bytes(16), kit.ITERATIONS) as keys:
        sealed = header + vault_format._check(keys.check, header[:16], bytes(16)) + ciphertext
        blob = sealed + hmac.digest(keys.mac, sealed, "sha256")
    try:
        decode_entries(kit.unseal(blob))
    except VaultFormatError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.dictionaries(
    st.sampled_from(["main", "", "A", "a" * 33, "second"]),
    JSON | st.dictionaries(st.sampled_from(["kind", "name", "privateKey", "note"]), JSON),
    max_size=3,
)


@given(
    document=JSON | st.fixed_dictionaries({"v": st.sampled_from([1, 2, True, 1.0, "1"]), "entries": ENTRIES})
)
def test_no_document_breaks_the_decoder(document: Any) -> None:
    try:
        decode_entries(json.dumps(document).encode())
    except VaultFormatError:
        pass


@pytest.mark.parametrize(
    "plaintext", [b"", b"\xff", b'{"a":' * 100_000, b"{", b'{"v":1}', b"[]", b"1", b"NaN"]
)
def test_what_is_no_document_is_told_in_words(plaintext: bytes) -> None:
    with pytest.raises(VaultFormatError, match="use the version of this program that wrote it"):
        decode_entries(plaintext)
