"""One finding of `doctor`, and what all of them together come to."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec

EXIT_NETWORK = 5
EXIT_KEY = 4


class Verdict(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works; something about it should be known."""
    FAIL = "fail"
    """Trading does not work, or is not safe, like this."""
    SKIPPED = "skipped"
    """It could not be looked at; the words say why."""


class Check(msgspec.Struct, frozen=True):
    """What one check found: a sentence, and what to do where it is not well."""

    group: str
    """network, clock, products, key, fees, disk, terminal or program."""
    name: str
    verdict: Verdict
    words: str
    advice: str = ""
    exit_code: int = 1
    """What the command ends with where this failed."""


def exit_code(checks: Iterable[Check]) -> int:
    """0 when nothing failed; else the network's code before the key's, and both before any other."""
    failed = {check.exit_code for check in checks if check.verdict is Verdict.FAIL}
    for code in (EXIT_NETWORK, EXIT_KEY):
        if code in failed:
            return code
    return min(failed, default=0)
