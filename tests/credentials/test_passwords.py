"""What a master password is worth: which ones are taken, and what is told about each."""

from __future__ import annotations

import gc
import sys
from types import ModuleType

import pytest
import zxcvbn.matching

from engine.core.secret import Secret
from engine.credentials import passwords
from engine.credentials.passwords import judge

GOOD = ("tidal quartz 41 lantern", "correct horse battery staple", "日本語の長い暗証番号です", "Tr0ub4dor&3")
SIGNS = "4@8({[<369!1|0$57+2%"


@pytest.mark.parametrize("password", GOOD)
def test_a_good_password_is_enough_and_says_for_how_long(password: str) -> None:
    strength = judge(Secret(password))
    assert strength.is_enough
    assert strength.score >= 1
    assert strength.words.startswith("guessing it takes ")
    assert "at a million guesses a second" in strength.words


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", "nothing is typed yet"),
        ("x", "too short: 9 more, at least"),
        ("kX9#mQ2$v", "too short: 1 more, at least"),
        ("basketball", "everybody tries first"),
        ("BasketBall", "everybody tries first"),
        ("b4sk3tb4ll", "everybody tries first"),
        ("llabteksab", "everybody tries first"),
        ("passwordpassword", "everybody tries first"),
        ("basketball" * 3, "everybody tries first"),
        ("iloveyou1234", "too easy: guessing it takes a second"),
        ("qwertyuiopasdfgh", "too easy: "),
        ("a" * 20, "too easy: "),
        ("a" * 1_024, "too easy: "),
        ("1212121212121212", "too easy: "),
        ("abcdefghijklmn", "too easy: "),
        ("x" * 1_025, "longer than 1,024 bytes"),
        ("é" * 513, "longer than 1,024 bytes"),
        (b"\xff\xfe" * 8, "no text in UTF-8"),
        ("\ud800" * 14, "no text in UTF-8"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_a_poor_password_is_refused_and_told_why(password: str | bytes, said: str) -> None:
    strength = judge(Secret(password))
    assert not strength.is_enough
    assert said in strength.words
    assert strength.score < 3


def test_a_random_password_of_ten_characters_is_enough_and_one_of_nine_is_not() -> None:
    assert judge(Secret("kX9#mQ2$vL")).is_enough
    assert not judge(Secret("kX9#mQ2$v")).is_enough


def test_length_alone_is_not_enough() -> None:
    assert not judge(Secret("mypasswordis12")).is_enough
    assert judge(Secret("mypasswordis12 quartz")).is_enough


def test_length_counts_as_the_vault_spells_it() -> None:
    ligatures = "ﬃ" * 5  # five characters that NFKC spells with fifteen
    assert judge(Secret(ligatures)) == judge(Secret("ffi" * 5))
    decomposed = "e\u0301 le\u0301ger 41 lanterne"
    assert judge(Secret(decomposed)) == judge(Secret("é léger 41 lanterne"))
    longest = "tidal quartz 41 lantern " * 42
    assert judge(Secret(longest[:1_024])).is_enough


def test_a_password_that_falls_within_a_year_is_told_what_would_help() -> None:
    within_a_year = judge(Secret("kX9#mQ2$vL"))
    assert "about 1 hour" in within_a_year.words
    assert within_a_year.words.endswith("; one more word at random makes that thousands of times longer")
    assert judge(Secret(GOOD[0])).words.endswith(" years at a million guesses a second")
    assert "more than 1,000,000 years" in judge(Secret(GOOD[1])).words


def test_the_time_is_the_half_of_the_guesses_at_the_speed_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def said(guesses: float) -> str:
        found = {"score": 4, "guesses": guesses, "sequence": [{"pattern": "bruteforce"}]}
        monkeypatch.setattr(passwords, "_estimate", lambda text: found)
        return judge(Secret("kX9#mQ2$vL")).words.partition(" at a million")[0]

    second = 2 * passwords.GUESSES_PER_S
    assert said(1) == "guessing it takes a second"
    assert said(30 * second) == "guessing it takes about 30 seconds"
    assert said(60 * second) == "guessing it takes about 1 minute"
    assert said(90 * 60 * second) == "guessing it takes about 2 hours"
    assert said(86_400 * second) == "guessing it takes about 1 day"
    assert said(31_557_600 * second) == "guessing it takes about 1 year"
    assert said(1e6 * 31_557_600 * second) == "guessing it takes more than 1,000,000 years"


@pytest.mark.parametrize(
    ("seconds", "score"),
    [(59, 0), (60, 1), (86_399, 1), (86_400, 2), (31_557_599, 2), (31_557_600, 3), (4e10, 4)],
)
def test_the_time_decides_the_score(monkeypatch: pytest.MonkeyPatch, seconds: float, score: int) -> None:
    guesses = 2 * passwords.GUESSES_PER_S * seconds
    found = {"score": 4, "guesses": guesses, "sequence": [{"pattern": "bruteforce"}]}
    monkeypatch.setattr(passwords, "_estimate", lambda text: found)
    assert judge(Secret("kX9#mQ2$vL")).score == score


def test_what_is_estimated_has_a_bound_and_the_rest_counts_as_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    estimate = passwords._estimate
    monkeypatch.setattr(passwords, "_estimate", lambda text: estimate(seen.append(text) or text))
    assert judge(Secret("tidal quartz 41 lantern " + "q" * 1_000)).is_enough
    assert [len(text) for text in seen] == [40]


@pytest.mark.nightly
def test_the_password_that_takes_longest_to_judge_is_judged() -> None:
    assert judge(Secret(SIGNS * 50)).is_enough


def test_nothing_of_a_password_stays_in_the_estimator(monkeypatch: pytest.MonkeyPatch) -> None:
    password = "kX9#mQ2$vL7!"
    judge(Secret(password))
    assert not is_kept(password)
    monkeypatch.setattr(zxcvbn.matching, "last", [password], raising=False)
    assert is_kept(password), "the search finds what is kept"


def is_kept(text: str) -> bool:
    """True where the library holds this text, or a text with it, in whatever it keeps between two calls."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "zxcvbn"]
    to_do: list[object] = [vars(module) for module in modules]
    seen: set[int] = set()
    while to_do:
        each = to_do.pop()
        if isinstance(each, str) and text in each:
            return True
        if id(each) not in seen and not isinstance(each, ModuleType | type):
            seen.add(id(each))
            to_do += gc.get_referents(each)
    return False
