"""The second net: what reaches a log is one line without a secret in it, whoever wrote it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hygiene.payloads import PAYLOADS, steers

from engine.core.secret import Secret
from engine.credentials import log_filter
from engine.credentials.log_filter import never_show, redacted, redacted_crash

KEY = generate_private_key(SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
TOKEN = jwt.encode({"sub": "a" * 40}, KEY, algorithm="ES256", headers={"kid": "k"})
BODY = PEM.split("\n")[1]
SIGNATURE = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Everything that is logged, under the factory that the program installs."""
    factory, written = logging.getLogRecordFactory(), StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    hooks = sys.excepthook, log_filter.threading.excepthook
    log_filter.install()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    logging.setLogRecordFactory(factory)
    sys.excepthook, log_filter.threading.excepthook = hooks


SHAPES = [
    f"> Authorization: Bearer {TOKEN}",
    f"{{'Authorization': 'Bearer {TOKEN}'}}",
    f'> TEXT \'{{"type":"subscribe","jwt":"{TOKEN}"}}\' [412 bytes]',
    f"a token {TOKEN[:60]}... [cut]",
    f"> CB-ACCESS-SIGN: {SIGNATURE}",
    f"(('CB-ACCESS-SIGN', '{SIGNATURE}'), (b'CB-ACCESS-PASSPHRASE', b'{SIGNATURE}'))",
    f'{{"signature": "{SIGNATURE}", "passphrase":"{SIGNATURE}"}}',
    f"passphrase={SIGNATURE}",
    PEM,
    PEM.replace("\n", "\\n"),
    f'{{"name": "n", "privateKey": "{PEM[:100]}'.replace("\n", "\\n"),
]


@pytest.mark.parametrize("text", SHAPES, ids=range(len(SHAPES)))
def test_what_has_the_shape_of_a_secret_is_not_written(log: StringIO, text: str) -> None:
    logging.getLogger("websockets.client").debug("%s", text)
    logging.getLogger("aiohttp.client").info(text.replace("%", "%%"))
    written = log.getvalue()
    assert log_filter.SHOWN in written
    assert not any(piece in written for piece in (TOKEN[40:80], SIGNATURE[:12], BODY[:12]))
    assert len(written.splitlines()) == 2


def test_a_known_secret_is_not_written_in_any_spelling(log: StringIO) -> None:
    secret = Secret('correct horse "battery"\\ staple')
    never_show(secret)
    held = secret.text()
    spelt = [held, json.dumps(held), base64.b64encode(held.encode()).decode(), held.encode().hex()]
    logging.warning("one: %s, two: %s, three: %s, four: %s", *spelt)
    assert log.getvalue().count(log_filter.SHOWN) == 4
    assert "horse" not in log.getvalue()
    secret.wipe()
    logging.warning("correct horse")
    assert "correct horse" in log.getvalue(), "it is gone, and not looked for any more"


def test_what_is_no_secret_stays() -> None:
    for text in (
        "the secret is not base64; copy it again, whole and unchanged",
        "BTC-USD ACTIVE  65088.00 / 65089.10  position +0.0310 BTC",
        "wrong password, or the header of the vault is damaged",
        "subscribed to eyes of the storm",
        '{"type":"subscribe","channel":"level2"}',
    ):
        assert redacted(text) == text


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_one_record_is_one_line(log: StringIO, payload: str) -> None:
    logging.getLogger("x").error("before %s after", payload)
    written = log.getvalue()
    assert len(written.splitlines()) == 1
    assert not steers(written.rstrip("\n"))


def test_a_record_with_a_traceback_is_one_line(log: StringIO) -> None:
    def deep(passphrase: str) -> None:
        raise ValueError(f"cannot use passphrase={passphrase}")

    typed = "-".join(["hunter2"] * 2)
    try:
        deep(typed)
    except ValueError:
        logging.exception("it failed", stack_info=True)
    (line,) = log.getvalue().splitlines()
    assert "it failed" in line
    assert "in deep" in line
    assert typed not in line


def test_a_mistaken_call_is_written_all_the_same(log: StringIO) -> None:
    message = "%d of %d"
    logging.warning(message, "one")
    assert "%d of %d ('one',)" in log.getvalue()


async def test_slow_callbacks_of_asyncio_do_not_show_their_arguments(log: StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0

    def slow(*_: object) -> None:
        pass

    try:
        loop.call_soon(slow, TOKEN, PEM, {"passphrase": SIGNATURE}, Secret(SIGNATURE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        loop.set_debug(False)
    assert "Executing" in log.getvalue()
    assert not any(piece in log.getvalue() for piece in (TOKEN[40:80], SIGNATURE[:12], BODY[:12]))


def test_a_report_of_a_crash_shows_calls_and_no_values() -> None:
    def crash(document: str) -> None:
        raise KeyError(document)

    try:
        crash(f'{{"privateKey": "{PEM}"}}')
    except KeyError as error:
        told = redacted_crash(error)
    assert "in crash" in told
    assert BODY[:12] not in told


CRASH = """
import sys, threading
from engine.credentials import log_filter
log_filter.install()
def fail(token):
    raise RuntimeError(f"refused: {token}")
token = "eyJhbGciOiJFUzI1NiJ9" + "." + "eyJzdWIiOiJtYXJrZXIifQ" + ".c2lnbmF0dXJl"
threading.Thread(target=fail, args=(token,)).start()
threading.Thread(target=sys.exit).start()
fail(token)
"""


def test_what_ends_a_program_or_a_thread_is_redacted_too() -> None:
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError: refused: ***") == 2
    assert "eyJzdWIi" not in done.stderr.replace('"eyJzdWIiOiJtYXJrZXIifQ"', "")
