"""The bytes of a vault, version 1: AES-256-CBC, then HMAC-SHA256 over everything, keys from PBKDF2.

    offset  size  field
         0     8  magic
         8     2  version, 1
        10     2  key derivation, 1 = PBKDF2-HMAC-SHA256 (2 scrypt and 3 Argon2id are reserved)
        12     4  iterations
        16     4  n, the length of the ciphertext
        20    16  salt, new at every save
        36    16  initialisation vector, new at every save
        52    16  password check
        68     n  ciphertext, PKCS#7 padded
      68+n    32  MAC

Numbers are little endian. Nothing is decrypted before the MAC is known to be right.
"""

from __future__ import annotations

import hmac
import os
import struct
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from engine.core.errors import CredentialError
from engine.core.secret import Secret, wipe
from engine.credentials.desk import WrongPassword

FLOOR: Final = 600_000
"""A file that says fewer iterations is not opened: it would be a downgrade."""
DEFAULT_ITERATIONS: Final = 1_000_000
CEILING: Final = 10_000_000
"""A file that says more is not opened: it would only make the program hang."""
MAGIC: Final = b"PNCLCRED"
_VERSION: Final = 1
_PBKDF2: Final = 1
_BLOCK: Final = 16
_KEY: Final = 32
_MOST_CIPHERTEXT: Final = 64 << 10
_HEADER: Final = struct.Struct("<8sHHII16s16s16s")
_PARAMETERS: Final = 16
"""Bytes before the length; the password check covers them and the salt."""
MOST_BYTES: Final = _HEADER.size + _MOST_CIPHERTEXT + SHA256.digest_size
"""No vault is larger."""
_RESTORE: Final = (
    "put back a copy that you trust (the state before the last save is beside it and ends in .bak)"
)


class VaultFormatError(CredentialError):
    """The bytes are no vault, or one that this version does not read."""


class VaultTampered(CredentialError):
    """The password is right, and the file is not what was written with it."""


class _Keys(NamedTuple):
    encryption: bytearray
    mac: bytearray
    check: bytearray


def seal(plaintext: bytes | bytearray, password: Secret, iterations: int = DEFAULT_ITERATIONS) -> bytes:
    """A vault file that holds `plaintext`, with a salt and an initialisation vector of its own.

    Takes as long as the derivation (about 0.2 to 0.8 s at the default): not for a loop. Raises
    `VaultFormatError` when `plaintext` is larger than a vault, `WrongPassword` when `password` is no text or
    empty.
    """
    if not password:
        raise WrongPassword("the master password is empty: no vault is sealed with it")
    return _seal(plaintext, password, iterations, salt=os.urandom(_BLOCK), iv=os.urandom(_BLOCK))


def open_sealed(blob: bytes | bytearray, password: Secret, *, floor: int = FLOOR) -> bytearray:
    """What a vault file holds; the caller wipes it. Takes as long as the derivation.

    Raises `VaultFormatError` at once when it is no vault, or has fewer iterations than `floor`;
    `WrongPassword` or `VaultTampered` after the derivation; and nothing else for any bytes.
    """
    iterations, salt, iv, check = _read_header(blob, floor)
    view = memoryview(blob)
    sealed, ciphertext, mac = view[:-_KEY], view[_HEADER.size : -_KEY], view[-_KEY:]
    with _derived_keys(password, salt, iterations) as keys:
        # Both are always compared: which of them differs says whether password or file is wrong.
        is_password = hmac.compare_digest(_check(keys.check, view[:_PARAMETERS], salt), check)
        is_whole = hmac.compare_digest(hmac.digest(keys.mac, sealed, "sha256"), mac)
        if is_password and is_whole:
            return _decrypt(keys.encryption, iv, ciphertext)
    if is_password:
        raise VaultTampered(f"the vault's file was changed after it was written: do not use it, {_RESTORE}")
    raise WrongPassword(
        "wrong password, or the header of the vault is damaged (they cannot be told apart): type the "
        f"password again; if you are sure of it, {_RESTORE}"
    )


def require_vault(blob: bytes | bytearray, *, floor: int = FLOOR) -> None:
    """Every test of a vault's file that needs no password. Raises `VaultFormatError`."""
    _read_header(blob, floor)


def iterations_of(blob: bytes | bytearray) -> int:
    """How often the derivation of a vault that was opened repeats."""
    iterations: int = _HEADER.unpack_from(blob)[3]
    return iterations


def _read_header(blob: bytes | bytearray, floor: int) -> tuple[int, bytes, bytes, bytes]:
    """Iterations, salt, initialisation vector and password check, after every test that costs nothing."""
    if blob[: len(MAGIC)] != MAGIC:
        raise VaultFormatError("the file is no vault: it does not begin like one; name the right file")
    if len(blob) < _HEADER.size + _BLOCK + _KEY:
        raise VaultFormatError(f"the vault is cut short ({len(blob)} bytes): {_RESTORE}")
    _, version, derivation, iterations, length, salt, iv, check = _HEADER.unpack_from(blob)
    if version != _VERSION:
        raise VaultFormatError(
            f"the vault has version {version} and this program reads version {_VERSION}: use the program "
            f"that wrote it, or if there is none, {_RESTORE}"
        )
    if derivation != _PBKDF2:
        raise VaultFormatError(
            f"the vault's key derivation has number {derivation}, which this version does not know: use the "
            f"program that wrote it, or if there is none, {_RESTORE}"
        )
    if not floor <= iterations <= CEILING:
        raise VaultFormatError(
            f"the vault says {iterations:,} iterations; allowed are {floor:,} to {CEILING:,}, so somebody "
            f"made it weaker or slower than this program ever does: {_RESTORE}"
        )
    if not 0 < length <= _MOST_CIPHERTEXT or length % _BLOCK or len(blob) != _HEADER.size + length + _KEY:
        raise VaultFormatError(f"the vault's length is not what its header says: {_RESTORE}")
    return iterations, salt, iv, check


def _seal(
    plaintext: bytes | bytearray, password: Secret, iterations: int, *, salt: bytes, iv: bytes
) -> bytes:
    length = len(plaintext) // _BLOCK * _BLOCK + _BLOCK
    if length > _MOST_CIPHERTEXT:
        raise VaultFormatError("the vault is full: remove keys that are not used any more")
    with _derived_keys(password, salt, iterations) as keys:
        header = _HEADER.pack(MAGIC, _VERSION, _PBKDF2, iterations, length, salt, iv, bytes(_BLOCK))
        check = _check(keys.check, header[:_PARAMETERS], salt)
        sealed = header[:-_BLOCK] + check + _encrypt(keys.encryption, iv, plaintext)
        return sealed + hmac.digest(keys.mac, sealed, "sha256")


@contextmanager
def _derived_keys(password: Secret, salt: bytes, iterations: int) -> Iterator[_Keys]:
    """The three keys; they and all they were made of are wiped afterwards."""
    keys = _Keys(bytearray(_KEY), bytearray(_KEY), bytearray(_KEY))
    master = bytearray(_KEY)
    spelt = _normalised(password)
    try:
        _derive_master(spelt, salt, iterations, master)
        for key, use in zip(keys, (b"enc", b"mac", b"pwcheck"), strict=True):
            HKDFExpand(SHA256(), _KEY, b"pnclcred v1 " + use).derive_into(master, key)
        wipe(master)
        yield keys
    finally:
        for buffer in (spelt, master, *keys):
            wipe(buffer)


def _derive_master(password: bytearray, salt: bytes, iterations: int, master: bytearray) -> None:
    PBKDF2HMAC(SHA256(), len(master), salt, iterations).derive_into(password, master)


def _normalised(password: Secret) -> bytearray:
    """One spelling of what looks the same (NFKC). ASCII has only one: of it no text is made that stays."""
    if password.reveal().isascii():
        return bytearray(password.reveal())
    try:
        return bytearray(unicodedata.normalize("NFKC", password.text()).encode())
    except ValueError:
        raise WrongPassword("the password is no text (UTF-8), so it opens no vault: type it again") from None


def _check(key: bytearray, parameters: bytes | memoryview, salt: bytes) -> bytes:
    return hmac.digest(key, bytes(parameters) + salt, "sha256")[:_BLOCK]


def _encrypt(key: bytearray, iv: bytes, plaintext: bytes | bytearray) -> bytes:
    whole = len(plaintext) // _BLOCK * _BLOCK
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    padder = PKCS7(8 * _BLOCK).padder()
    with memoryview(plaintext) as view:
        # The library pads into bytes, which cannot be wiped: it gets the last, unfinished block alone.
        last = padder.update(bytes(view[whole:])) + padder.finalize()
        return encryptor.update(view[:whole]) + encryptor.update(last) + encryptor.finalize()


def _decrypt(key: bytearray, iv: bytes, ciphertext: memoryview) -> bytearray:
    plaintext = bytearray(len(ciphertext) + _BLOCK - 1)  # as much as the library asks for
    try:
        decryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor()
        decryptor.update_into(ciphertext, plaintext)
        decryptor.finalize()
        unpadder = PKCS7(8 * _BLOCK).unpadder()
        last = len(ciphertext) - _BLOCK
        kept = unpadder.update(plaintext[last : len(ciphertext)]) + unpadder.finalize()
        del plaintext[last + len(kept) :]
    except ValueError:
        wipe(plaintext)
        raise VaultFormatError(
            f"the vault was sealed by something else than this program, its padding is wrong: {_RESTORE}"
        ) from None
    return plaintext
