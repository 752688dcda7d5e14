"""The second net under secrets in logs: what looks like one, or is a known one, is written as `***`.

The first net is that secrets are no text (`engine.core.secret`) and that libraries which log what they send
get no logger. This one is for what nobody thought of: every record of every logger passes it.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any, Final

from engine.core.foreign_text import visible
from engine.core.redaction import without_secrets
from engine.core.secret import SHOWN, Secret

_LEAST: Final = 4
"""Characters below which a known secret is not looked for: it would be found in everything."""
_FOLD: Final = " | "
_known: Final[list[Secret]] = []
_registering: Final = threading.Lock()


def never_show(secret: Secret) -> None:
    """From now on this one is looked for in every record, until it is wiped."""
    with _registering:
        _known[:] = [known for known in _known if known] + [secret]


def install() -> None:
    """Let every record that is made from now on pass, ours, the libraries' and asyncio's, and whatever ends
    the program or a thread of it."""
    logging.setLogRecordFactory(_record)
    sys.excepthook = lambda kind, error, trace: _tell(error)
    threading.excepthook = lambda told: _tell(told.exc_value)
    sys.unraisablehook = lambda told: _tell(told.exc_value)


def redacted(text: str) -> str:
    """`text` with `***` for each secret that is known or has the shape of one."""
    for spelt in {spelt for secret in tuple(_known) for spelt in _spellings(secret)}:
        text = text.replace(spelt, SHOWN)
    return without_secrets(text)


def redacted_crash(crash: BaseException) -> str:
    """A traceback for a report: the calls, not the values in them, and nothing that steers a terminal."""
    lines = redacted("".join(traceback.format_exception(crash))).split("\n")
    return "\n".join(map(visible, lines))


def _tell(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        with suppress(OSError):  # nobody reads it any more
            sys.stderr.write(redacted_crash(error))


def _spellings(secret: Secret) -> list[str]:
    held = bytes(secret.reveal())
    if len(held) < _LEAST:
        return []
    plain = held.decode("utf-8", "replace")
    quoted = repr(plain)[1:-1], json.dumps(plain)[1:-1]
    return [plain, *quoted, base64.b64encode(held).decode(), held.hex()]


def _record(*given: Any, **named: Any) -> logging.LogRecord:
    record = logging.LogRecord(*given, **named)
    try:
        words = record.getMessage()
    except Exception:  # a library's mistake in a log call must not stop what it does
        words = f"{record.msg!s} {record.args!r}"
    if record.exc_info and record.exc_info[1] is not None:
        words += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
    if record.stack_info:
        words += "\n" + record.stack_info
    record.msg = visible(redacted(words).strip().replace("\n", _FOLD))
    record.args = record.exc_info = record.exc_text = record.stack_info = None
    return record
