"""A status without quotes says who kept them back, be it the strategy or risk control."""

from __future__ import annotations

from trader_bench import D, submits
from view_bench import DeskBench

from engine.commands.headless import _TextLines
from engine.core.events import Alert, Severity
from engine.runtime.desk_view import DeskViewer
from engine.runtime.missing_quotes import why_missing
from engine.runtime.status import alert_report, status_report


def test_a_status_says_which_control_denies_every_quote() -> None:
    bench = DeskBench(risk__band_bps=D("1"))
    bench.market("9999.5", "10000.5")
    assert submits(bench.step()) == []
    note = why_missing(bench.trader)
    bid, ask = note.split("; ")
    assert bid.startswith("no bid: ")
    assert ask.startswith("no ask: ")
    assert ask.endswith("outside the band of 0.01 %")
    assert status_report(bench.desk, "sim", 0)["note"] == note
    assert DeskViewer(bench.desk).view(0, 0).note == note


def test_a_side_of_which_a_quote_works_is_not_missing() -> None:
    bench = DeskBench(risk__band_bps=D("5.5"))
    bench.market("9999.99", "10000.01")
    assert len(submits(bench.step())) == 2
    assert len(bench.trader.denials) == 4, "the deeper levels lie outside the band"
    assert why_missing(bench.trader) == ""


def test_the_strategys_own_reason_stands_alone_where_nothing_is_denied() -> None:
    bench = DeskBench()
    bench.market(ask="")
    bench.step()
    assert why_missing(bench.trader) == bench.trader.decision.reason != ""


def test_a_line_about_an_alert_names_its_product() -> None:
    def line(product: str) -> str:
        alert = Alert(product, 5_000_000_000, 0, Severity.WARNING, "CODE", "something")
        return _TextLines().lines(alert_report(alert))[0]

    assert line("X-USD") == "00:00:05  warning  X-USD  something"
    assert line("") == "00:00:05  warning  something"
