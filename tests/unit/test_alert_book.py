"""Alerts stand until a person has seen them, and none of them floods."""

from __future__ import annotations

from engine.core.events import Alert, Severity
from engine.runtime.alert_book import MOST_STANDING, AlertBook
from engine.runtime.alert_throttle import THROTTLE_NS


def alert(
    code: str, at_ns: int = 0, severity: Severity = Severity.ERROR, text: str = "what happened"
) -> Alert:
    return Alert("X-USD", at_ns, at_ns, severity, code, text)


def test_case_68_one_alert_throttled_and_acknowledged_once() -> None:
    book = AlertBook()
    assert book.take(alert("LOSS")) == 1
    assert book.take(alert("LOSS", THROTTLE_NS - 1, text="again")) == 0
    (standing,) = book.standing
    assert (standing.name, standing.severity, standing.count, standing.text) == ("LOSS", "error", 2, "again")
    assert book.acknowledge("LOSS") is True
    assert book.acknowledge("LOSS") is False
    assert book.standing == ()


def test_the_same_alert_is_news_again_after_a_minute() -> None:
    book = AlertBook()
    book.take(alert("LOSS"))
    assert book.take(alert("LOSS", THROTTLE_NS)) == 2


def test_what_has_become_graver_is_news_at_once() -> None:
    book = AlertBook()
    assert book.take(alert("DRAWDOWN")) == 1
    assert book.take(alert("DRAWDOWN", 1, Severity.CRITICAL)) == 2
    assert book.take(alert("DRAWDOWN", 2)) == 0


def test_what_comes_after_it_was_acknowledged_stands_again() -> None:
    book = AlertBook()
    book.take(alert("LOSS"))
    book.acknowledge("LOSS")
    book.take(alert("LOSS", 5))
    (standing,) = book.standing
    assert (standing.count, standing.since_wall_ns) == (1, 5)


def test_what_only_informs_needs_nobody() -> None:
    book = AlertBook()
    assert book.take(alert("FLAT", severity=Severity.INFO)) == 0
    assert book.standing == ()


def test_memory_is_bounded_and_the_newest_is_kept() -> None:
    book = AlertBook()
    for number in range(10 * MOST_STANDING):
        book.take(alert(f"CODE_{number}"))
    assert len(book.standing) == MOST_STANDING
    assert book.standing[-1].name == f"CODE_{10 * MOST_STANDING - 1}"
