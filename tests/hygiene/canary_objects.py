"""What is printed of objects that hold secrets, and of crashes of code that works with them."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hygiene.canary_kit import Marked
from hygiene.canary_runs import Surfaces
from rich.console import Console
from rich.pretty import pretty_repr
from rich.traceback import Traceback

from engine.core.secret import Secret
from engine.credentials import log_filter
from engine.credentials.desk import ADVANCED, EXCHANGE, Draft
from engine.credentials.entries import Entry
from engine.exchange.coinbase import keys
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.signing import signer_for
from engine.watchdog.hello import hello_of
from engine.watchdog.messages import Hello
from pinnacle_tui import launch


def in_process(marked: Marked, folder: Path) -> Surfaces:
    """Everything of this module."""
    held = holders(marked)
    crashes = [crash_of(one) for one in held]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        reports = [launch.crash_report(crash).read_bytes() for crash in crashes[:1]]
    return {
        "representations and dumps": "\n".join(text for one in held for text in dumps(one)).encode(),
        "tracebacks": "\n".join("".join(traceback.format_exception(crash)) for crash in crashes).encode(),
        "traceback with locals of code that holds a key": "\n".join(map(with_locals, crashes)).encode(),
        "report of a crash of the screen": b"".join(reports),
    }


def holders(marked: Marked) -> list[Any]:
    """Every object of ours that has a secret in it."""
    advanced = keys.parse_key_document(marked.advanced.file_content().encode(), ADVANCED)
    exchange = keys.parse_key_document(marked.exchange.file_content().encode(), EXCHANGE)
    document = Secret(keys.secret_document(exchange))
    given = ("BTC-USD",)
    place = {"tag": "pt-1", "session_folder": Path("/x"), "data_dir": Path("/y")}
    phrase = Secret(marked.exchange.passphrase)
    return [
        Secret(marked.password),
        advanced,
        exchange,
        signer_for(advanced, lambda: 0),
        signer_for(exchange, lambda: 0),
        Draft(EXCHANGE, "abcd", "HMAC-SHA256", document, "main"),
        Entry(EXCHANGE, {"key": Secret("k"), "secret": Secret(marked.exchange.secret), "passphrase": phrase}),
        hello_of(ADVANCED, NetworkSettings(), advanced, given, **place),  # type: ignore[arg-type]
        hello_of(EXCHANGE, NetworkSettings(), exchange, given, **place),  # type: ignore[arg-type]
    ]


def dumps(held: Any) -> list[str]:
    """An object in every way in which something prints it, where that way is open.

    A hello is encoded for the inherited socket of the watchdog: it is there to carry the key.
    """
    texts = [
        repr(held),
        str(held),
        f"{held}",
        f"{[held]} { ({'k': held}) }",
        pretty_repr(held),
        format(held),
    ]
    if dataclasses.is_dataclass(held):
        texts.append(repr([getattr(held, field.name) for field in dataclasses.fields(held)]))
    if isinstance(held, str | tuple):
        texts += [json.dumps(held), repr(pickle.dumps(held)), repr(copy.deepcopy(held))]
    for encode in () if isinstance(held, Hello) else (msgspec.json.encode, msgspec.msgpack.encode):
        try:
            texts.append(repr(encode(held)))
        except TypeError as error:  # it takes no objects of this kind
            texts.append(str(error))
    return texts


def crash_of(held: Any) -> Exception:
    """What is raised by code that has it in hand."""

    def work(key: Any, depth: int) -> None:
        if depth:
            work(key, depth - 1)
        elif isinstance(key, Secret | tuple):
            raise ValueError(f"cannot work with {key}")
        else:
            key.nothing_of_that_name  # noqa: B018

    try:
        work(held, 3)
    except (ValueError, AttributeError) as error:
        return error
    raise AssertionError("it did not fail")


def with_locals(crash: Exception) -> str:
    """A traceback as the most talkative printers make it."""
    told = io.StringIO()
    shown = Traceback.from_exception(type(crash), crash, crash.__traceback__, show_locals=True)
    Console(file=told, width=200).print(shown)
    plain = traceback.TracebackException.from_exception(crash, capture_locals=True)
    return "\n".join([told.getvalue(), *plain.format(), log_filter.redacted_crash(crash)])
