"""Why every order stands where it stands, read where people read it: in the journal and in the view."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from plugin_kit import EXAMPLE, Packages
from session_kit import record_session
from trader_bench import D, configured

import pinnacle_tui.cli as command_line
from engine.commands.replay import verify
from engine.core.clock import ManualClock
from engine.core.events import SubmitOrder, Term
from engine.core.instrument import Instrument
from engine.exchange.coinbase.products import catalogue
from engine.link.view import View
from engine.persistence.reader import JournalReader
from engine.persistence.records import Explained
from engine.runtime.builder import build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.observers import Observers, WakeUp
from engine.runtime.session_store import StoredSession
from engine.runtime.view import Audience, ViewBuilder
from engine.strategies import BUILT_IN
from engine.telemetry.histogram import Histogram

BTC: Instrument = catalogue()["BTC-USD"]
UNIT = 2 * BTC.half_tick_units
NAMES = (*sorted(BUILT_IN), EXAMPLE)
FEE = "fees.maker_bps=0"
FIRST = dict.fromkeys(BUILT_IN, "fair") | {EXAMPLE: "price"}


@pytest.fixture(autouse=True)
def example_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    Packages(folder, monkeypatch).example()


def total(terms: tuple[Term, ...]) -> int:
    return sum(term.value for term in terms)


def recorded(folder: Path, name: str) -> StoredSession:
    given = (f"engine.strategy={name}", "engine.duration_s=12", FEE)
    return record_session(folder / "sessions", *given)


def on_record(session: StoredSession) -> Iterator[object]:
    for batch in JournalReader(str(session.path)).batches():
        for entry in batch:
            yield entry.value


@pytest.mark.parametrize("name", NAMES)
def test_the_journal_has_the_terms_of_every_quote(name: str, tmp_path: Path) -> None:
    session = recorded(tmp_path, name)
    sent: dict[str, SubmitOrder] = {}
    told: dict[str, Explained] = {}
    for value in on_record(session):
        if isinstance(value, SubmitOrder) and value.purpose == "quote":
            sent[value.client_id] = value
        elif isinstance(value, Explained):
            assert value.orders.keys() <= sent.keys(), "it stands behind its orders"
            told |= dict.fromkeys(value.orders, value)
    assert len(sent) > 20
    assert told.keys() == sent.keys()
    for client_id, order in sent.items():
        reasons = told[client_id].reasons(client_id)
        assert order.price is not None
        assert total(reasons.price) == order.price * UNIT
        assert total(reasons.size) == order.size
        assert reasons.price[0].name == FIRST[name]
    answer = verify(session.name, session.path.parent)
    assert answer["exit_code"] == 0, answer


def test_the_journal_says_why_nothing_is_quoted_and_dump_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("engine.duration_s=5", "strategy.min_order_quantity=1", "strategy.order_quantity=1")
    session = record_session(tmp_path / "sessions", *given)
    reasons = [value.reason for value in on_record(session) if isinstance(value, Explained)]
    assert any("book too thin" in reason for reason in reasons)
    assert all(one != other for one, other in pairwise(reasons)), "each change once"
    dump = ["journal", "dump", session.name, "--data-dir", str(session.path.parent)]
    assert command_line.main([*dump, "--type", "explanation"]) == 0
    assert "book too thin" in capsys.readouterr().out
    assert command_line.main([*dump, "--type", "explanation", "--json"]) == 0
    assert [json.loads(line)["reason"] for line in capsys.readouterr().out.splitlines()] == reasons


class Looking:
    """Reads the view that a console would get, after every fourth wake-up."""

    def __init__(self) -> None:
        self.builder: ViewBuilder | None = None
        self.quotes = self.fits = self.wakes = 0

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.wakes += 1
        if self.wakes % 4:
            return
        assert self.builder is not None
        view = msgspec.msgpack.decode(msgspec.msgpack.encode(self.builder.view()), type=View)
        (product,) = view.products
        for quote in product.quotes:
            price = quote.wanted_price if quote.working_price is None else quote.working_price
            assert price is not None
            assert total(quote.price_terms) == price * UNIT  # type: ignore[arg-type]
            assert total(quote.size_terms) == quote.wanted_size  # type: ignore[arg-type]
            self.quotes += 1
            told = {term.name: term.inputs for term in quote.price_terms}
            self.fits += "measured, R²" in told.get("liquidity", "")

    def on_alerts(self, *_: object) -> None: ...

    def on_status(self, now_ns: int) -> None: ...


@pytest.mark.parametrize("name", NAMES)
async def test_the_view_has_the_terms_of_every_quote_and_the_fit_of_the_models(name: str) -> None:
    config = configured(
        engine__strategy=name,
        engine__speed="max",
        engine__duration_s=D(12),
        fees__maker_bps=D(0),
        model__calib_min_fills=3,
        simulator__taker_rate_per_min=240.0,
    )
    market, looking = build_market(config), Looking()
    engine = build_engine(config, market, ManualClock(), Observers(looking), status_interval_ns=10**9)
    looking.builder = ViewBuilder(
        market.desks, engine.clock, ManualClock(), lateness=Histogram, audience=Audience
    )
    assert (await engine.run()).exit_code == 0
    assert looking.quotes > 200
    assert (looking.fits > 0) is (name in ("avellaneda-stoikov", "glft"))
