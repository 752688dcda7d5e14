"""Every way in which a program prints, encodes or copies a text, tried with one that must not be seen."""

from __future__ import annotations

import configparser
import copy
import csv
import dataclasses
import io
import json
import logging
import os
import pickle
import pprint
import reprlib
import shelve
import string
import traceback
import urllib.parse
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from rich.console import Console
from rich.pretty import pretty_repr
from rich.text import Text
from rich.traceback import Traceback

from engine.core.secret import SHOWN, Secret, wipe

CLEAR = "hunter2-correct-horse"
SECRET = Secret(CLEAR)


@dataclasses.dataclass
class Record:
    key: Secret


class Struct(msgspec.Struct):
    key: Secret


class Tuple(NamedTuple):
    key: Secret


def _logged(*given: Any) -> str:
    stream = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(stream))
    logger.error(*given)
    return stream.getvalue()


def _raised() -> str:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        return f"{error} {error!r} {error.args} {''.join(traceback.format_exception(error))}"


def _with_locals() -> str:
    key, record = SECRET, Record(SECRET)
    try:
        raise ValueError(f"{key} {record}")
    except ValueError as error:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True)
        stream = io.StringIO()
        Console(file=stream, width=200).print(
            Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
        )
        return "".join(frames.format()) + stream.getvalue()


def _written(write: Callable[[io.StringIO], object]) -> str:
    stream = io.StringIO()
    write(stream)
    return stream.getvalue()


def _configuration() -> str:
    parser = configparser.RawConfigParser()
    parser["keys"] = {"key": SECRET}
    return _written(parser.write)


SHOWN_BY: dict[str, Callable[[], object]] = {
    "str": lambda: str(SECRET),
    "repr": lambda: repr(SECRET),
    "ascii": lambda: ascii(SECRET),
    "format": lambda: format(SECRET),
    "format with a width": lambda: format(SECRET, ">40"),
    "f-string": lambda: f"{SECRET}{SECRET!r}{SECRET!s}{SECRET!a}{SECRET:^9}{SECRET=}",
    "percent": lambda: "%s %r %a" % (SECRET, SECRET, SECRET),  # noqa: UP031
    "str.format": lambda: "{0} {0!r} {k}".format(SECRET, k=SECRET),  # noqa: UP032
    "template": lambda: string.Template("$key").substitute(key=SECRET),
    "joined": lambda: "".join([SECRET, SECRET]) + SECRET + SECRET * 2,
    "replaced": lambda: SECRET.replace("x", "y"),
    "upper": SECRET.upper,
    "encoded": SECRET.encode,
    "bytes": lambda: bytes(SECRET, "utf-8"),
    "letters": lambda: [*SECRET, SECRET[0], SECRET[:2], len(SECRET)],
    "split": lambda: SECRET.split("-"),
    "quoted": lambda: urllib.parse.quote(SECRET),
    "as a path": lambda: Path(SECRET),
    "print": lambda: _written(lambda stream: print(SECRET, [SECRET], file=stream)),
    "pprint": lambda: pprint.pformat({"key": [SECRET]}),
    "reprlib": lambda: reprlib.repr([SECRET]),
    "rich": lambda: pretty_repr({"key": SECRET}) + str(Text(SECRET)),
    "list, tuple, dict": lambda: repr([[SECRET], (SECRET,), {"key": SECRET}]),
    "dataclass": lambda: f"{Record(SECRET)} {dataclasses.asdict(Record(SECRET))}",
    "struct": lambda: f"{Struct(SECRET)} {msgspec.structs.asdict(Struct(SECRET))}",
    "named tuple": lambda: f"{Tuple(SECRET)} {namedtuple('Other', 'key')(SECRET)}",
    "json": lambda: json.dumps({"key": SECRET}),
    "json of a part": lambda: json.JSONEncoder().encode([SECRET]),
    "msgspec json": lambda: msgspec.json.encode({"key": SECRET}, enc_hook=str),
    "msgspec msgpack": lambda: msgspec.msgpack.encode(Struct(SECRET), enc_hook=str),
    "msgspec builtins": lambda: msgspec.to_builtins(Record(SECRET), enc_hook=str),
    "csv": lambda: _written(lambda stream: csv.writer(stream).writerow([SECRET])),
    "configparser": _configuration,
    "log": lambda: _logged("key %s %r", SECRET, SECRET) + _logged(SECRET) + _logged({"key": SECRET}),
    "exception": _raised,
    "traceback with locals": _with_locals,
}


@pytest.mark.parametrize("shown", SHOWN_BY.values(), ids=SHOWN_BY.keys())
def test_nothing_shows_it(shown: Callable[[], object]) -> None:
    seen = str(shown())
    assert SHOWN[0] in seen or "%2A" in seen
    assert not any(CLEAR[at : at + 6] in seen for at in range(len(CLEAR) - 5))


def test_the_search_above_finds_what_is_not_hidden() -> None:
    assert any(CLEAR[at : at + 6] in str(SECRET.reveal()) for at in range(len(CLEAR) - 5))


def test_msgspec_encodes_none_that_it_was_not_told_how_to() -> None:
    for encode in (msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins):
        with pytest.raises(TypeError) as refused:
            encode({"key": SECRET})
        assert CLEAR not in str(refused.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_takes_the_asterisks_along(protocol: int) -> None:
    pickled = pickle.dumps([SECRET, Record(SECRET)], protocol)
    assert CLEAR.encode() not in pickled
    plain, record = pickle.loads(pickled)
    assert (type(plain), plain, type(record.key), record.key) == (str, SHOWN, str, SHOWN)


def test_a_shelf_takes_the_asterisks_too(tmp_path: Path) -> None:
    with shelve.open(tmp_path / "shelf") as shelf:
        shelf["key"] = SECRET
    assert all(CLEAR.encode() not in found.read_bytes() for found in tmp_path.iterdir())


def test_only_two_methods_give_what_it_holds() -> None:
    assert SECRET.reveal() == CLEAR.encode()
    assert SECRET.text() == CLEAR
    assert SECRET.size == len(CLEAR)
    assert Secret("ключ ☃").text() == "ключ ☃"


def test_a_bytearray_is_taken_over_and_anything_else_is_copied() -> None:
    given = bytearray(b"key")
    held = Secret(given)
    assert held.reveal() is given
    copied = Secret(held)
    assert copied == held
    held.wipe()
    assert given == bytes(3)
    assert copied.text() == "key"
    assert Secret(b"key") == Secret("key") == copied


def test_a_copy_is_the_same_one_so_that_there_is_one_to_wipe() -> None:
    assert copy.copy(SECRET) is SECRET
    assert copy.deepcopy([SECRET])[0] is SECRET


def test_wiped_bytes_are_zero_where_they_were() -> None:
    secret = Secret(CLEAR)
    held = secret.reveal()
    secret.wipe()
    assert held == bytes(len(CLEAR))
    assert not secret
    assert not secret.reveal()
    secret.wipe()


@pytest.mark.parametrize("size", [0, 1, 7, 4096, 1 << 20])
def test_any_size_is_wiped(size: int) -> None:
    data = bytearray(os.urandom(size))
    wipe(data)
    assert data == bytes(size)
    data.append(1)


def test_two_are_equal_when_what_they_hold_is() -> None:
    assert Secret("key") == Secret("key")
    assert Secret("key") != Secret("kez")
    assert Secret("key") != Secret("keys")


@pytest.mark.parametrize("other", [SHOWN, CLEAR, CLEAR.encode(), bytearray(CLEAR.encode()), None, 0])
def test_nothing_else_is_equal_to_one(other: object) -> None:
    assert [SECRET.__eq__(other), SECRET.__ne__(other)] == [False, True]
    assert other not in (SECRET,)
    assert (other,) != (SECRET,)


def test_it_is_no_key_of_a_mapping() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(SECRET)


def test_an_empty_one_is_false() -> None:
    assert not Secret("")
    assert Secret(" ")


def test_what_is_no_text_is_told_without_showing_it() -> None:
    with pytest.raises(ValueError):
        Secret(b"\xff").text()
    with pytest.raises(ValueError):
        Secret("\ud800").text()


def test_it_has_no_room_for_anything_else() -> None:
    with pytest.raises(AttributeError):
        SECRET.note = CLEAR  # type: ignore[attr-defined]
