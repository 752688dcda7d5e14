"""A quote that the risk gate kept back is explained by every control that it failed."""

from __future__ import annotations

import msgspec
from console import views
from console.fakes import FakeSession
from console.running import Running
from console.views import mirror, product_view, view

from engine.link.view import Failure
from pinnacle_tui.widgets.failures import failure_rows
from pinnacle_tui.widgets.quotes import QuotesPanel
from pinnacle_tui.widgets.rows import row_text, row_width

FAILURES = (
    Failure("SIZE", "order of 0.3 BTC, the limit is 0.05 BTC"),
    Failure("POSITION", "0.3 BTC if all fills, the limit is 0.25 BTC"),
)
KEPT = msgspec.structs.replace(
    views.quote(views.working("B0", views.MID - 55)), working_price=None, working_size=0, failures=FAILURES
)


def test_the_control_that_decided_comes_first_then_all_others() -> None:
    assert [row_text(row) for row in failure_rows(KEPT, 100)] == [
        "NOT SENT  SIZE  order of 0.3 BTC, the limit is 0.05 BTC",
        "also      POSITION  0.3 BTC if all fills, the limit is 0.25 BTC",
    ]
    assert failure_rows(views.quote(views.working("B0", views.MID - 55)), 100) == []


def test_a_long_reason_goes_on_below_and_is_never_cut() -> None:
    rows = failure_rows(KEPT, 44)
    assert all(row_width(row) <= 44 for row in rows)
    assert " ".join(" ".join(map(row_text, rows)).split()) == (
        "NOT SENT SIZE order of 0.3 BTC, the limit is 0.05 BTC "
        "also POSITION 0.3 BTC if all fills, the limit is 0.25 BTC"
    )


async def test_the_explain_screen_lists_them_before_the_terms_of_the_price() -> None:
    session = FakeSession(mirror(shown=view(product_view(quotes=(KEPT,), orders=()))))
    async with Running(session, size=(120, 40)) as console:
        await console.press("e")
        await console.settle()
        said = [row_text(row).rstrip() for row in console.app.screen.query_one(QuotesPanel).shown_rows]
        assert any("not sent: SIZE" in line for line in said)
        first = next(at for at, line in enumerate(said) if line.startswith("NOT SENT  SIZE"))
        assert said[first + 1].startswith("also      POSITION")
        assert any(line.startswith("WHY BID") for line in said[first + 2 :])
