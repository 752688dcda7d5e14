"""A strategy of another package: found by its entry point, given its settings, kept from doing harm."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from plugin_kit import Packages, example
from trader_bench import TraderBench, X, cancels, configured, submits

from engine.commands import headless
from engine.config import load_config
from engine.core.errors import StateError, UsageError
from engine.core.events import Alert, OperatorAction, Severity, Term
from engine.core.order import BUY, SELL
from engine.risk.state import TradingState
from engine.runtime.builder import build_trader
from engine.strategies import build_strategy, parameters_of
from engine.strategy.plugin import GuardedStrategy, simple_quote
from engine.strategy.protocol import Decision, Quote, StrategyContext, Take
from engine.trader.state import TraderState


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    return Packages(tmp_path, monkeypatch)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.toml"
    path.write_text("")
    return path


# -- the example of the guide --------------------------------------------------------------------------


def test_the_example_of_the_guide_is_short() -> None:
    assert len([line for line in example().splitlines() if line.strip()]) <= 40


def test_the_example_of_the_guide_runs_in_sim(install: Packages, empty: Path) -> None:
    install.example()
    keys = {
        "engine.strategy": "fixed-distance",
        "engine.strategy_parameters": "distance_bps=1",
        "engine.speed": "max",
        "engine.duration_s": "10",
        "simulator.seed": "7",
        "persistence.journal": "false",
    }
    resolved = load_config(empty, overrides=[f"{key}={value}" for key, value in keys.items()])
    out = io.StringIO()
    assert headless.run(resolved, as_json=True, stdout=out, stderr=io.StringIO()) == 0
    reports = [json.loads(line) for line in out.getvalue().splitlines()]
    sent = [r for r in reports if r["type"] == "order" and r["event"] == "submitted"]
    assert {order["slot"] for order in sent} == {"A0", "B0"}
    summary = reports[-1]
    assert (summary["pnl_residual"], summary["denied"], summary["state"]) == ("0", {}, "ACTIVE")
    first = sent[0]["explain"]
    assert [term["name"] for term in first] == ["price", "tick", "post-only"]


def test_the_parameter_of_the_example_acts(install: Packages) -> None:
    install.example()
    touches = []
    for distance in ("20", "35"):
        given = {
            "engine__strategy": "fixed-distance",
            "engine__strategy_parameters": (f"distance_bps={distance}",),
        }
        touches.append([X.price_text(order.price or 0) for order in TraderBench(**given).quote()])
    assert touches == [["9980", "10020"], ["9965", "10035"]]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            "distance_bp=3",
            "unknown key fixed-distance.distance_bp; did you mean fixed-distance.distance_bps?",
        ),
        ("distance_bps=0", "fixed-distance.distance_bps = 0: must be above 0 bp"),
        ("distance_bps=near", "fixed-distance.distance_bps = 'near': expected integer in bp"),
        ("distance_bps", "engine.strategy_parameters: distance_bps must be name=value"),
        ("distance_bps=1,distance_bps=2", "engine.strategy_parameters: distance_bps is given twice"),
    ],
)
def test_wrong_parameters_of_a_plugin_are_named(install: Packages, parameters: str, said: str) -> None:
    install.example()
    with pytest.raises(UsageError, match=re.escape(said)):
        parameters_of("fixed-distance", parameters.split(","))


def test_a_built_in_model_has_no_parameters_of_its_own(empty: Path) -> None:
    with pytest.raises(UsageError, match="glft has none of its own"):
        load_config(empty, overrides=["engine.strategy=glft", "engine.strategy_parameters=gamma=1"])


def test_a_name_that_is_not_installed_is_refused_with_the_nearest(install: Packages, empty: Path) -> None:
    install.example()
    with pytest.raises(UsageError, match="did you mean fixed-distance") as caught:
        load_config(empty, overrides=["engine.strategy=fixed-distanc"])
    assert caught.value.exit_code == 2


HEAD = "from engine.strategy.plugin import StrategyPlugin\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import a_module_that_is_not_there", "cannot be loaded: ModuleNotFoundError"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("PLUGIN = 3", "is not a StrategyPlugin"),
        (f"{HEAD}PLUGIN = StrategyPlugin(lambda context: 1 / 0)", "cannot start: ZeroDivisionError"),
        (f"{HEAD}PLUGIN = StrategyPlugin(None, int)", "the settings of the strategy broken are not usable"),
    ],
)
def test_a_plugin_that_cannot_start_ends_the_start(install: Packages, source: str, said: str) -> None:
    install("broken", "broken_strategy", source)
    with pytest.raises(UsageError, match=said) as caught:
        build_trader(configured(engine__strategy="broken"), X, 0, displays_own=False)
    assert caught.value.exit_code == 2


def test_a_plugin_without_settings_takes_no_parameters(install: Packages) -> None:
    install("plain", "plain_strategy", f"{HEAD}PLUGIN = StrategyPlugin(print)")
    assert parameters_of("plain", ()) is None
    with pytest.raises(UsageError, match="plain has no parameters"):
        parameters_of("plain", ("a=1",))


# -- a strategy that fails -----------------------------------------------------------------------------


class Fickle:
    """Quotes one bid, and does whatever `trouble` says in the call of that name."""

    name = "fickle"
    instrument = X

    def __init__(self) -> None:
        self.trouble: dict[str, Callable[[], Any]] = {}

    def _call(self, name: str, answer: Any = None) -> Any:
        return self.trouble[name]() if name in self.trouble else answer

    def start(self) -> bool:
        return bool(self._call("start", True))

    def stop(self) -> bool:
        return bool(self._call("stop", True))

    def on_book(self, *_: Any) -> None:
        self._call("on_book")

    def on_trade(self, *_: Any) -> None:
        self._call("on_trade")

    def on_fill(self, *_: Any) -> None:
        self._call("on_fill")

    def configure(self, context: StrategyContext) -> None:
        self._call("configure")

    def decide(self, view: Any) -> Any:
        return self._call("decide", Decision((bid(),)))

    def save(self) -> bytes:
        return bytes(self._call("save", b"saved"))

    def load(self, state: bytes) -> None:
        self._call("load")


def bid(price: float = 990_000, size: int = 10, level: int = 0) -> Quote:
    return simple_quote(X, BUY, level, price, 1_000_100, size, "said the test")


def fail() -> Any:
    raise RuntimeError("not today")


class FickleBench(TraderBench):
    def __init__(self) -> None:
        super().__init__(risk__band_bps=200)
        self.inner = Fickle()
        self.trader.strategy = GuardedStrategy("fickle", self.inner)

    def told(self) -> list[Alert]:
        return [alert for alert in self.trader.drain_alerts() if alert.code == "STRATEGY"]


def false_bid(**changes: Any) -> Quote:
    return msgspec.structs.replace(bid(), **changes)


def halves() -> Any:
    units = bid().price * 2 * X.half_tick_units
    return (Term("one", units + 0.5), Term("other", -0.5))  # type: ignore[arg-type]


NONSENSE = {
    "an exception": fail,
    "something else": lambda: "nothing",
    "one slot twice": lambda: Decision((bid(), bid())),
    "a price that is no number of ticks": lambda: Decision((false_bid(price=1.5),)),
    "no size": lambda: Decision((false_bid(size=0),)),
    "no side": lambda: Decision((false_bid(side=7),)),
    "terms of another price": lambda: Decision((false_bid(price=989_999),)),
    "terms of another size": lambda: Decision((false_bid(size=11),)),
    "terms that are no whole numbers": lambda: Decision((false_bid(explain=halves),)),
    "a slot without a name": lambda: Decision((false_bid(slot=7),)),
    "a slot of the other side": lambda: Decision((false_bid(slot="A0"),)),
    "a level that is none": lambda: Decision((false_bid(slot="B0.5", level=0.5),)),
    "a reason that is no text": lambda: Decision((), reason=7),  # type: ignore[arg-type]
    "a taking order for another purpose": lambda: Decision((), Take(SELL, 1, 1, "flatten", "")),
    "a taking order that is none": lambda: Decision((), bid()),  # type: ignore[arg-type]
    "an explanation that fails": lambda: Decision((false_bid(explain=fail),)),
    "a taking order for nothing": lambda: Decision((), Take(SELL, 1, 0, "hedge", "")),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_an_answer_that_makes_no_sense_pulls_the_quotes_and_holds(what: str) -> None:
    bench = FickleBench()
    assert len(bench.quote()) == 1
    bench.inner.trouble["decide"] = NONSENSE[what]
    pulled = cancels(bench.step())
    assert len(pulled) == 1
    bench.prove(pulled)
    assert bench.trader.risk.effective is TradingState.PAUSED
    (alert,) = bench.told()
    assert alert.severity is Severity.ERROR
    assert alert.text.startswith("no quotes: the strategy fickle has failed: ")
    del bench.inner.trouble["decide"]
    assert not submits(bench.step()), "it is not asked again by itself"
    bench.operator(OperatorAction.RESUME)
    assert len(submits(bench.step())) == 1


def test_a_quote_is_asked_for_its_reasons_once_under_guard() -> None:
    bench = FickleBench()
    terms = iter([bid().explain()])
    bench.inner.trouble["decide"] = lambda: Decision((false_bid(explain=lambda: next(terms)),))
    (order,) = bench.quote()
    record = bench.trader.orders.order(order.client_id)
    assert record is not None
    assert record.reasons().price == bid().explain()


@pytest.mark.parametrize("call", ["on_book", "on_fill", "on_trade", "save", "start"])
def test_a_failure_anywhere_is_told_at_the_next_decision(call: str) -> None:
    bench = FickleBench()
    (order,) = bench.quote()
    bench.inner.trouble[call] = fail
    match call:
        case "on_fill":
            bench.fill(order)
        case "on_trade":
            bench.trader.strategy.on_trade(None)  # type: ignore[arg-type]
        case "save":
            assert bench.trader.digest() == bench.trader.digest()
        case "start":
            assert not bench.trader.strategy.start()
    bench.step()
    (alert,) = bench.told()
    assert "RuntimeError: not today" in alert.text
    assert bench.trader.risk.effective is TradingState.PAUSED


def test_settings_that_a_plugin_refuses_are_refused() -> None:
    guarded = GuardedStrategy("fickle", inner := Fickle())
    inner.trouble["configure"] = fail
    context = StrategyContext(X, configured().strategy)
    with pytest.raises(
        UsageError, match="the strategy fickle refuses these settings: RuntimeError: not today"
    ):
        guarded.configure(context)


def test_a_state_that_a_plugin_cannot_go_on_with_is_a_typed_error() -> None:
    guarded = GuardedStrategy("fickle", inner := Fickle())
    state = guarded.save()
    guarded.load(state)
    inner.trouble["load"] = fail
    with pytest.raises(StateError, match="the strategy fickle cannot go on from what it saved"):
        guarded.load(state)


def test_a_failure_that_is_not_told_yet_survives_a_restart() -> None:
    bench = FickleBench()
    bench.quote()
    bench.inner.trouble["on_trade"] = fail
    bench.trader.strategy.on_trade(None)  # type: ignore[arg-type]
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(bench.trader.save()), type=TraderState)
    again = FickleBench()
    again.trader.load(state)
    again.now = bench.now
    again.step()
    assert "not today" in again.told()[0].text


def test_simple_quotes_round_to_the_safe_side_and_never_cross() -> None:
    assert simple_quote(X, BUY, 0, 100.7, 1_000, 1, "").price == 100
    assert simple_quote(X, SELL, 0, 100.2, 1, 1, "").price == 101
    assert simple_quote(X, BUY, 0, 100.7, 90, 1, "").price == 89
    assert simple_quote(X, SELL, 0, 100.2, 120, 1, "").price == 121
    for side, opposite in ((BUY, 90), (SELL, 120)):
        quote = simple_quote(X, side, 2, 100.7, opposite, 3, "why")
        assert sum(term.value for term in quote.explain()) == quote.price * 2 * X.half_tick_units
        assert quote.slot == ("B2" if side is BUY else "A2")
        assert sum(term.value for term in quote.explain_size()) == quote.size == 3


def test_a_strategy_is_chosen_by_its_name() -> None:
    context = StrategyContext(X, replace(configured().strategy))
    for name in ("basic", "avellaneda-stoikov", "glft"):
        assert build_strategy(name, context).name == name
