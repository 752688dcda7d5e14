"""Pictures of what waits for a person: the banner, the circuit breaker, a quote that was kept back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from console import views
from console.fakes import FakeSession, console_app, settle
from console.views import MID, TIME, WALL, S, mirror, product_view, view

from engine.link.view import Breaker, Failure, StandingAlert

Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def at_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time on the screen is the same on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def session() -> FakeSession:
    kept = msgspec.structs.replace(
        views.quote(views.working("B0", MID - 55)),
        working_price=None,
        working_size=0,
        failures=(
            Failure("SIZE", "order of 0.3 BTC, the limit is 0.05 BTC"),
            Failure("POSITION", "0.3 BTC if all fills, the limit is 0.25 BTC"),
        ),
    )
    breaker = Breaker("half-open", "manual", "news, ctl pid 7", TIME - 12 * S, TIME + 48 * S, 1)
    book = product_view(breaker=breaker)
    book = msgspec.structs.replace(book, quotes=(kept, *book.quotes[1:]))
    alerts = (
        StandingAlert("LOSS", "error", "BTC-USD", "HALTED: 250.00 USD are lost today", WALL - 90 * S, 1),
        StandingAlert(
            "FEED", "warning", "BTC-USD", "book is stale: a gap; quotes are pulled", WALL - 20 * S, 14
        ),
    )
    return FakeSession(mirror(shown=view(book, alerts=alerts)))


@pytest.mark.parametrize(("size", "key"), [((80, 24), ""), ((120, 40), "e"), ((120, 40), "r")])
def test_the_picture_of_what_waits(snap_compare: Compare, size: tuple[int, int], key: str) -> None:
    async def opened(pilot: Any) -> None:
        await settle(pilot)
        await pilot.press(*key)
        await settle(pilot)
        await settle(pilot)

    assert snap_compare(console_app(session()), terminal_size=size, run_before=opened)
