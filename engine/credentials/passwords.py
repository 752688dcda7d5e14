"""What a master password is worth, said honestly: how long guessing takes somebody who has the file."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from engine.core.secret import Secret
from engine.credentials.desk import Strength

LEAST_CHARACTERS: Final = 10
LEAST_SCORE: Final = 3
"""Of zxcvbn, however long it is: a row of equal characters is long and no password."""
MOST_BYTES: Final = 1_024
GUESSES_PER_S: Final = 1_000_000
"""Against one vault of 1,000,000 rounds: assumed of about a hundred strong graphics cards, 10^12 rounds."""
_JUDGED_CHARACTERS: Final = 40
"""Of random characters the estimate takes 40 ms for 40, a second for 100. What comes behind makes no password
worse."""
_YEAR_S: Final = 31_557_600
_UNITS: Final = (("year", _YEAR_S), ("month", 2_629_800), ("day", 86_400), ("hour", 3_600), ("minute", 60))
_ENDLESS_YEARS: Final = 1_000_000
_SCALE_S: Final = (60, 86_400, _YEAR_S, 1_000 * _YEAR_S)
"""From so many seconds of guessing on the score is one higher."""


def judge(password: Secret) -> Strength:
    """Judge a password by length, by the lists of common ones, and by zxcvbn's count of guesses.

    At least 10 characters, none of the common ones, and a score of 3 by zxcvbn. The score that is told goes
    by the time that guessing takes. Takes some hundredths of a second, seconds where somebody strings signs
    together that stand for letters.
    """
    try:
        text = unicodedata.normalize("NFKC", password.text())
    except ValueError:
        return Strength(0, "it is no text in UTF-8", is_enough=False)
    if len(text.encode()) > MOST_BYTES:
        return Strength(0, f"longer than {MOST_BYTES:,} bytes", is_enough=False)
    if not text:
        return Strength(0, "nothing is typed yet", is_enough=False)
    found = _estimate(text[:_JUDGED_CHARACTERS])
    seconds = float(found["guesses"]) / 2 / GUESSES_PER_S
    score = sum(seconds >= bound for bound in _SCALE_S)
    if len(text) < LEAST_CHARACTERS:
        missing = LEAST_CHARACTERS - len(text)
        return Strength(min(score, 1), f"too short: {missing} more, at least", is_enough=False)
    if _is_common(found):
        return Strength(0, "one of the words and passwords that everybody tries first", is_enough=False)
    takes = f"guessing it takes {_duration(seconds)} at a million guesses a second"
    if found["score"] < LEAST_SCORE:
        return Strength(score, f"too easy: {takes}; make it longer, words at random do", is_enough=False)
    if seconds < _YEAR_S:
        takes += "; one more word at random makes that thousands of times longer"
    return Strength(score, takes, is_enough=True)


def _estimate(text: str) -> dict[str, Any]:
    from zxcvbn import zxcvbn  # its lists take a tenth of a second to load

    return dict(zxcvbn(text, max_length=_JUDGED_CHARACTERS))


def _is_common(found: dict[str, Any]) -> bool:
    """True for one word of the lists, in whatever capitals and signs it is dressed, and for one repeated."""
    parts = found["sequence"]
    if len(parts) == 1 and parts[0]["pattern"] == "repeat":
        parts = parts[0]["base_matches"]
    return len(parts) == 1 and parts[0]["pattern"] == "dictionary"


def _two_digits(value: float) -> int:
    """Nobody knows more of it."""
    return round(float(f"{value:.1e}"))


def _duration(seconds: float) -> str:
    for unit, length in _UNITS:
        count = seconds / length
        if count >= 1:
            if unit == "year" and count >= _ENDLESS_YEARS:
                return f"more than {_ENDLESS_YEARS:,} years"
            shown = f"{_two_digits(count):,}"
            return f"about {shown} {unit}" if shown == "1" else f"about {shown} {unit}s"
    return f"about {seconds:.0f} seconds" if seconds >= 2 else "a second"
