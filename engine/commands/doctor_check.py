"""One finding of `doctor`, and what all of them together come to."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec

EXIT_VENUE = 5
"""The venue is not reached, or does not take the key: what a run would end with."""
EXIT_USAGE = 2
"""A run would not start from this configuration."""
EXIT_KEY = 4
"""There is no key to ask the venue with."""


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
    """0 when nothing failed; else the venue's code before the key's, and both before any other."""
    failed = {check.exit_code for check in checks if check.verdict is Verdict.FAIL}
    for code in (EXIT_VENUE, EXIT_KEY):
        if code in failed:
            return code
    return min(failed, default=0)
