"""A vault as text: one spelling, and every other one refused."""

from __future__ import annotations

import pytest
from credentials import vault_kit as kit
from hypothesis import given
from hypothesis import strategies as st

from engine.credentials import armour
from engine.credentials.vault_format import MOST_BYTES, VaultFormatError

SEALED = kit.seal(b'{"entries":{},"v":1}')
TEXT = armour.encode(SEALED)
"""132 bytes: two full lines and one of 48 characters that ends without padding."""


def test_lines_of_64_columns_between_two_that_say_what_it_is() -> None:
    first, *lines, last, after = TEXT.decode("ascii").split("\n")
    assert first == "-----BEGIN PINNACLE CREDENTIALS-----"
    assert (last, after) == ("-----END PINNACLE CREDENTIALS-----", "")
    assert list(map(len, lines)) == [64, 64, 48]


@given(st.binary(min_size=1, max_size=300))
def test_every_vault_comes_back(sealed: bytes) -> None:
    assert armour.decode(armour.encode(sealed)) == sealed


def test_the_largest_vault_comes_back() -> None:
    assert armour.decode(armour.encode(bytes(MOST_BYTES))) == bytes(MOST_BYTES)


@pytest.mark.parametrize(
    "text",
    [TEXT, TEXT.rstrip(), b"\n \n" + TEXT + b"\n\n", TEXT.replace(b"\n", b"\r\n"), bytearray(TEXT)],
    ids=["as written", "last line end lost", "blank lines around", "windows", "bytearray"],
)
def test_what_mail_does_to_it_is_forgiven(text: bytes) -> None:
    assert armour.decode(text) == SEALED


LINES = TEXT.split(b"\n")
ODD = armour.encode(bytes(17))
"""17 bytes end in padding, behind two bits that mean nothing."""
REFUSED = {
    "nothing": b"",
    "binary": SEALED,
    "no beginning": b"\n".join(LINES[1:]),
    "no end": b"\n".join(LINES[:-2]),
    "nothing between": b"\n".join((armour.BEGIN, armour.END)),
    "the same line twice": armour.BEGIN,
    "an empty line between": b"\n".join((*LINES[:2], b"", *LINES[2:])),
    "other columns": b"\n".join((LINES[0], b"".join(LINES[1:-2]), *LINES[-2:])),
    "a blank in a line": TEXT.replace(LINES[1], LINES[1][:32] + b" " + LINES[1][32:]),
    "a blank after a line": TEXT.replace(LINES[1], LINES[1] + b" "),
    "a tab before a line": TEXT.replace(LINES[1], b"\t" + LINES[1]),
    "carriage returns alone": TEXT.replace(b"\n", b"\r"),
    "quoted as in mail": b"\n".join(b"> " + line for line in LINES),
    "a line left out": b"\n".join((LINES[0], *LINES[2:])).replace(LINES[2], LINES[2][:63]),
    "url alphabet": ODD.replace(b"A", b"-"),
    "bits behind the end": ODD.replace(b"AA=", b"AB="),
    "padding left out": ODD.replace(b"=", b""),
    "padding too much": ODD.replace(b"=", b"=="),
    "padding in the middle": ODD.replace(b"AAAA", b"AA==", 1),
    "text before": b"Dear all,\n" + TEXT,
    "text after": TEXT + b"Yours",
    "a header line": TEXT.replace(LINES[1], b"Version: 1\n" + LINES[1]),
    "no ascii": TEXT.replace(LINES[1], "Ä".encode() + LINES[1][2:]),
    "two of them": TEXT + TEXT,
    "another label": TEXT.replace(b"PINNACLE CREDENTIALS", b"PRIVATE KEY"),
    "too large": armour.encode(bytes(2 * MOST_BYTES)),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_every_other_spelling_is_refused(text: bytes) -> None:
    with pytest.raises(VaultFormatError, match=r"^the armour is (not whole|damaged|larger)"):
        armour.decode(text)


def test_a_changed_character_is_refused_or_is_another_vault() -> None:
    for at in range(len(TEXT) - 1):
        changed = bytearray(TEXT)
        changed[at] ^= 1
        try:
            sealed = armour.decode(changed)
        except VaultFormatError:
            continue
        assert sealed != SEALED


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(text: bytes) -> None:
    for whole in (text, armour.BEGIN + b"\n" + text + b"\n" + armour.END):
        try:
            armour.decode(whole)
        except VaultFormatError:
            pass
