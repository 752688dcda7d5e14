"""The operator: what is asked is carried out, followed to its proof, and never called done before."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from trader_bench import MS, D, configured

from engine.core.clock import ManualClock
from engine.core.events import Alert, OrderFilled, Severity, SubmitOrder
from engine.core.order import BUY
from engine.link.event_log import EventLog
from engine.link.events import Operated, SettingChanged
from engine.link.messages import Command, CommandName, Verdict
from engine.risk.state import TradingState
from engine.runtime.builder import build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import Observers, WakeUp
from engine.runtime.operator import Operator
from engine.runtime.outcome import Outcome

S = 1_000_000_000
N = CommandName
BUSY = {
    "engine__speed": "max",
    "strategy__base_spread_bps": D(2),
    "strategy__min_spread_bps": D(1),
    "simulator__taker_rate_per_min": 240.0,
}


@dataclass
class Said:
    """An answer of the operator."""

    at_ns: int
    id: str
    verdict: Verdict
    text: str
    open_orders: tuple[str, ...]


@dataclass
class Run:
    """A simulated market at full speed in which `at` decides what is asked when."""

    changes: dict[str, Any] = field(default_factory=dict)
    seconds: float = 4.0
    is_asked_again: bool = True
    """False where nobody hears final answers: each deadline has passed."""
    said: list[Said] = field(default_factory=list)
    told: list[tuple[int, Severity, str, str]] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    submits: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = configured(**BUSY | {"engine__duration_s": D(str(self.seconds))} | self.changes)
        market = build_market(config)
        self.log = EventLog()
        observers = Observers(self)
        self.engine: Engine = build_engine(
            config, market, ManualClock(), observers, status_interval_ns=10 * MS
        )
        self.operator = Operator(self.engine, config, self.log)
        observers.add(self.operator)
        self.operator.answer = self.answer
        self.operator.tell = lambda *words: self.told.append((self.now, *words))
        self.operator.on_owner_policy = self.policies.append
        self._script: list[tuple[Callable[[], bool], Callable[[], object]]] = []
        self._count = 0

    @property
    def now(self) -> int:
        return self.engine.clock.monotonic_ns()

    @property
    def desk(self) -> Desk:
        return next(iter(self.engine.desks.values()))

    @property
    def working(self) -> set[str]:
        return {order for orders in self.engine.possibly_open().values() for order in orders}

    def answer(
        self, command_id: str, verdict: Verdict, text: str = "", open_orders: tuple[str, ...] = ()
    ) -> bool:
        self.said.append(Said(self.now, command_id, verdict, text, open_orders))
        return bool(command_id) and (self.is_asked_again or verdict is Verdict.ACCEPTED)

    def at(self, seconds: float, *deeds: Callable[[], object]) -> Run:
        self._script += [(lambda: self.now >= seconds * S, deed) for deed in deeds]
        return self

    def when_held(self, *deeds: Callable[[], object]) -> Run:
        """As soon as something is held that an order can close, and orders are working."""
        self._script += [(lambda: not self.desk.trader.is_flat and bool(self.working), deeds[0])]
        self._script += [(lambda: True, deed) for deed in deeds[1:]]
        return self

    def ask(self, name: str, **arguments: str) -> list[Said]:
        """Ask now; what was answered at once."""
        self._count += 1
        before = len(self.said)
        self.operator.on_command("a test", Command(f"{name}-{self._count}", name, arguments))
        return self.said[before:]

    def go(self) -> Outcome:
        outcome = asyncio.run(self.engine.run())
        self.operator.end(outcome)
        return outcome

    def of(self, name: str) -> list[Said]:
        return [said for said in self.said if said.id.startswith(name)]

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.submits += [each.created_ns for each in wake.commands if isinstance(each, SubmitOrder)]

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None: ...

    def on_status(self, now_ns: int) -> None:
        while self._script and self._script[0][0]():
            self._script.pop(0)[1]()


# -- proof by cancels ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [N.PAUSE, N.CANCEL_ALL, N.FLATTEN])
def test_what_cancels_is_accepted_with_what_is_open_and_done_when_that_is_gone(name: str) -> None:
    run, seen = Run(), []
    run.at(1, lambda: seen.append(run.working), lambda: run.ask(name))
    assert run.go().exit_code == 0
    accepted, done = run.of(name)
    assert seen[0], "nothing was open: the test shows nothing"
    assert (accepted.verdict, set(accepted.open_orders)) == (Verdict.ACCEPTED, seen[0])
    assert (done.verdict, done.at_ns > accepted.at_ns) == (Verdict.DONE, True)
    assert "orders are being cancelled" in done.text
    (operated,) = [event for event in run.log.after(0, 1_000) if isinstance(event, Operated)]
    assert (operated.name, operated.who, operated.text) == (name, "a test", accepted.text)


def test_cancel_all_is_proven_although_new_quotes_came_meanwhile() -> None:
    run = Run(changes={"strategy__quote_update_interval_ms": 10})
    run.at(1, lambda: run.ask(N.CANCEL_ALL)).go()
    accepted, done = run.of(N.CANCEL_ALL)
    assert (accepted.verdict, done.verdict) == (Verdict.ACCEPTED, Verdict.DONE)
    assert done.at_ns - accepted.at_ns < S
    assert [at for at in run.submits if at > accepted.at_ns], "it went on quoting"


def test_with_nothing_open_it_is_done_too() -> None:
    run = Run().at(1, lambda: run.ask(N.PAUSE)).at(2, lambda: run.ask(N.PAUSE))
    run.go()
    *_, accepted, done = run.of(N.PAUSE)
    assert (accepted.verdict, accepted.open_orders, done.verdict) == (Verdict.ACCEPTED, (), Verdict.DONE)


def test_resume_is_done_at_once_or_refused() -> None:
    run, answers = Run(), []
    run.at(1, lambda: answers.append(run.ask(N.RESUME)), lambda: run.ask(N.PAUSE))
    run.at(2, lambda: answers.append(run.ask(N.RESUME)))
    run.go()
    assert [said.verdict for (said,) in answers] == [Verdict.REJECTED, Verdict.DONE]
    assert "quoting is not paused" in answers[0][0].text
    assert [at for at in run.submits if at > 2 * S]


# -- the kill switch -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 7, 8])
def test_kill_is_proven_by_two_looks_apart_and_no_order_leaves_afterwards(seed: int) -> None:
    run = Run(changes={"simulator__seed": seed}, seconds=30.0).when_held(lambda: run.ask(N.KILL))
    run.go()
    accepted, done = run.of(N.KILL)
    assert (accepted.verdict, done.verdict) == (Verdict.ACCEPTED, Verdict.DONE)
    assert len(accepted.open_orders) >= 1
    assert S // 2 <= done.at_ns - accepted.at_ns < S
    assert "the venue was asked twice and lists no order of ours" in done.text
    assert max(run.submits) < accepted.at_ns
    assert run.desk.trader.risk.effective is TradingState.KILLED
    assert [words[1:3] for words in run.told] == [(Severity.INFO, "PROVEN")], "everybody is told of the proof"


def test_an_order_that_shows_up_between_the_two_looks_starts_the_proof_anew(monkeypatch) -> None:
    run = Run()
    venue, real = run.desk.venue, run.desk.venue.open_orders

    def late_list() -> list[str]:
        is_lagging = S + 400 * MS <= run.now < S + 420 * MS
        return [*real(), "from the list only"] if is_lagging else list(real())

    monkeypatch.setattr(venue, "open_orders", late_list)
    run.at(1, lambda: run.ask(N.KILL)).go()
    _, done = run.of(N.KILL)
    assert (done.verdict, done.at_ns >= S + 920 * MS) == (Verdict.DONE, True)


def test_what_the_venue_goes_on_listing_is_never_called_killed(monkeypatch) -> None:
    run = Run(seconds=2.0)
    venue, real = run.desk.venue, run.desk.venue.open_orders
    monkeypatch.setattr(venue, "open_orders", lambda: [*real(), "not ours to our knowledge"])
    outcome = run.at(1, lambda: run.ask(N.KILL)).go()
    assert outcome.exit_code == 75
    accepted, unknown = run.of(N.KILL)
    assert (accepted.verdict, unknown.verdict) == (Verdict.ACCEPTED, Verdict.UNKNOWN)
    assert unknown.open_orders == ("not ours to our knowledge",)
    assert run.told == []


def test_rearm_is_refused_without_a_latch_and_lets_it_quote_again() -> None:
    run, answers = Run(), []
    run.at(0.5, lambda: answers.append(run.ask(N.REARM)))
    run.at(1, lambda: run.ask(N.KILL))
    run.at(2, lambda: answers.append(run.ask(N.REARM))).go()
    assert [said.verdict for (said,) in answers] == [Verdict.REJECTED, Verdict.DONE]
    assert [at for at in run.submits if at > 2 * S]


def test_a_kill_by_signal_is_latched_and_its_proof_told_to_everybody() -> None:
    run = Run().at(1, lambda: run.operator.kill("SIGUSR1"))
    run.go()
    ((at_ns, severity, code, text),) = run.told
    assert (severity, code, at_ns >= S + S // 2) == (Severity.INFO, "PROVEN", True)
    assert text.startswith("kill: KILLED; ")
    assert max(run.submits) < 1.1 * S
    (operated,) = [event for event in run.log.after(0, 1_000) if isinstance(event, Operated)]
    assert (operated.name, operated.who) == ("kill", "SIGUSR1")


def test_a_proof_after_the_deadline_is_told_to_everybody() -> None:
    run = Run(is_asked_again=False).at(1, lambda: run.ask(N.CANCEL_ALL))
    run.go()
    ((_, severity, code, text),) = run.told
    assert (severity, code) == (Severity.INFO, "PROVEN")
    assert text.startswith("cancel all: ")


# -- flatten ---------------------------------------------------------------------------------------


def test_flatten_is_done_when_nothing_is_held_and_nothing_open() -> None:
    run, positions = Run(seconds=30.0), []
    run.when_held(lambda: run.ask(N.FLATTEN))
    done_at: list[bool] = []
    answer = run.answer

    def watch(command_id: str, verdict: Verdict, *rest: Any) -> bool:
        positions.append(run.desk.trader.ledger.position)
        done_at.append(run.desk.trader.is_flat and not run.working)
        return answer(command_id, verdict, *rest)

    run.operator.answer = watch
    run.go()
    assert [said.verdict for said in run.said] == [Verdict.ACCEPTED, Verdict.DONE]
    assert positions[0] != 0
    assert done_at == [False, True]


@pytest.mark.parametrize("deed", [N.KILL, N.RESUME])
def test_a_flatten_that_something_ends_before_the_position_is_closed_is_not_done(deed: str) -> None:
    run = Run(seconds=30.0)
    run.when_held(lambda: run.ask(N.FLATTEN), lambda: run.ask(deed)).go()
    assert [said.verdict for said in run.of(N.FLATTEN)] == [Verdict.ACCEPTED, Verdict.REJECTED]
    assert "before the position was closed" in run.of(N.FLATTEN)[-1].text


def test_what_can_never_be_proven_is_not_kept_for_ever(monkeypatch) -> None:
    run = Run(seconds=1.0)
    monkeypatch.setattr(run.desk.venue, "open_orders", lambda: ["lost in the venue"])
    run.at(0.5, *[lambda: run.ask(N.KILL)] * 300).go()
    assert sum(said.verdict is Verdict.UNKNOWN for said in run.said) == 100


# -- settings --------------------------------------------------------------------------------------


def test_a_setting_is_in_force_told_and_shown_afterwards() -> None:
    run, answers = Run(), []
    run.at(1, lambda: answers.append(run.ask(N.SET, key="strategy.levels", value="1")))
    run.at(2, lambda: answers.append(run.ask(N.SET, key="strategy.levels", value="1")))
    run.at(3.9, lambda: answers.append(len(run.working)))
    run.go()
    (first,), (second,), open_orders = answers
    assert (first.verdict, first.text) == (Verdict.DONE, "strategy.levels: 3 → 1")
    assert (second.verdict, second.text) == (Verdict.DONE, "strategy.levels is 1 already")
    assert open_orders <= 2
    (changed,) = [event for event in run.log.after(0, 1_000) if isinstance(event, SettingChanged)]
    assert (changed.key, changed.old, changed.new, changed.who) == ("strategy.levels", "3", "1", "a test")
    assert run.operator.settings()["strategy.levels"] == "1"
    assert run.policies == []


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("strategy.levls", "2", "strategy.levels"),
        ("strategy.levels", "many", "expected integer"),
        ("strategy.levels", "-1", "at least"),
        ("engine.mode", "live", "cannot change while the engine runs"),
        ("console.theme", "x", "cannot change while the engine runs"),
        ("console.on_owner_lost", "panic", "keep-running"),
        ("", "", "key"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_nothing_changes(key: str, value: str, why: str) -> None:
    run = Run()
    before = run.operator.settings()
    (said,) = run.ask(N.SET, key=key, value=value)
    assert said.verdict is Verdict.REJECTED
    assert why in said.text
    assert run.operator.settings() == before
    assert (run.log.last, run.policies) == (0, [])


def test_the_owners_policy_changes_without_touching_the_trading() -> None:
    run, plain = Run(seconds=2.0), Run(seconds=2.0)
    run.at(1, lambda: run.ask(N.SET, key="console.on_owner_lost", value="keep-running")).go()
    plain.go()
    assert run.policies == ["keep-running"]
    assert run.operator.settings()["console.on_owner_lost"] == "keep-running"
    assert run.desk.trader.digest() == plain.desk.trader.digest()


# -- the end ---------------------------------------------------------------------------------------


def test_shutdown_is_done_when_the_engine_has_ended_with_nothing_open() -> None:
    run = Run().at(1, lambda: run.ask(N.SHUTDOWN))
    outcome = run.go()
    accepted, done = run.of(N.SHUTDOWN)
    assert outcome == Outcome("stopped by a test", 0)
    assert (accepted.verdict, len(accepted.open_orders) >= 1) == (Verdict.ACCEPTED, True)
    assert (done.verdict, done.text.endswith("the engine has ended; no order is open")) == (
        Verdict.DONE,
        True,
    )


def test_what_waits_for_proof_at_the_end_gets_the_ends_own() -> None:
    run = Run(seconds=1.0).at(0.99, lambda: run.ask(N.KILL), lambda: run.ask(N.PAUSE))
    run.go()
    for name in (N.KILL, N.PAUSE):
        assert [said.verdict for said in run.of(name)] == [Verdict.ACCEPTED, Verdict.DONE]


# -- several products ------------------------------------------------------------------------------


BTC, ETH = "BTC-USD", "ETH-USD"


def two_products(**changes: Any) -> Run:
    return Run(changes={"engine__symbols": (BTC, ETH)} | changes)


def when_both_quote(run: Run, *deeds: Callable[[], object]) -> Run:
    """As soon as each product has all its six quotes open at once."""

    def quoting() -> bool:
        desks = run.engine.desks.values()
        return all(len(desk.trader.orders.open_orders()) == 6 for desk in desks)

    run._script += [(quoting, deeds[0]), *[(lambda: True, deed) for deed in deeds[1:]]]
    return run


def ids_of(run: Run, product: str) -> set[str]:
    return {order.client_id for order in run.engine.desks[product].trader.orders.open_orders()}


def states(run: Run) -> list[str]:
    return [desk.trader.risk.effective.name for desk in run.engine.desks.values()]


def test_a_command_reaches_every_product_and_is_proven_for_all_of_them() -> None:
    run = two_products()
    when_both_quote(run, lambda: run.ask(N.KILL)).go()
    assert states(run) == ["KILLED", "KILLED"]
    accepted, done = run.of(N.KILL)
    assert Counter(order_id.split("-")[3] for order_id in accepted.open_orders) == {"8100": 6, "8101": 6}
    assert done.at_ns - accepted.at_ns >= S // 2
    assert max(run.submits) < accepted.at_ns


@pytest.mark.parametrize(
    ("name", "state"),
    [(N.PAUSE, "PAUSED"), (N.FLATTEN, "PAUSED"), (N.CANCEL_ALL, "ACTIVE"), (N.KILL, "KILLED")],
)
def test_a_command_for_one_product_is_carried_out_and_proven_for_that_one_alone(
    name: CommandName, state: str
) -> None:
    run, seen = two_products(), list[set[str]]()
    when_both_quote(run, lambda: seen.append(ids_of(run, ETH)), lambda: run.ask(name, product=ETH)).go()
    accepted, done = run.of(name)
    assert states(run) == ["ACTIVE", state]
    assert set(accepted.open_orders) == seen[0]
    assert accepted.text.startswith("ETH-USD alone: ")
    assert done.verdict is Verdict.DONE, "what the other product has open keeps no proof from it"
    assert done.at_ns - accepted.at_ns < 2 * S
    assert [at for at in run.submits if at > done.at_ns], "the other one goes on quoting"


def test_what_is_taken_back_for_one_product_stays_for_the_other() -> None:
    run, rearmed = two_products(), []
    run.operator.on_rearm = lambda products: rearmed.append(list(products))
    run.at(1, lambda: run.ask(N.KILL)).at(2, lambda: run.ask(N.REARM, product=BTC)).go()
    assert states(run) == ["ACTIVE", "KILLED"]
    assert run.of(N.REARM)[0].verdict is Verdict.DONE
    assert rearmed == [[BTC]]


@pytest.mark.parametrize("name", [N.PAUSE, N.KILL, N.FLATTEN])
def test_a_product_that_is_not_traded_is_refused_and_nothing_is_done(name: CommandName) -> None:
    run = two_products()
    (said,) = run.ask(name, product="SOL-USD")
    assert said.verdict is Verdict.REJECTED
    assert said.text == "SOL-USD is not traded here, nothing was done; products: BTC-USD, ETH-USD"
    assert states(run) == ["ACTIVE", "ACTIVE"]


# -- limits over several products ------------------------------------------------------------------


def lose(run: Run, product: str, money: str) -> None:
    """Let a fill of one lot cost a Trader so much in fees."""
    trader = run.engine.desks[product].trader
    fee, price = trader.instrument.atoms_rounded(D(money))[0], trader.book.best_bid()
    assert price is not None
    trader.ledger.apply(OrderFilled(product, run.now, run.now, "x", "lost", BUY, price, 1, fee, True))


def test_the_loss_of_all_is_never_rearmed_the_same_day_and_no_order_leaves_over_it() -> None:
    run = two_products(portfolio__max_daily_loss=D(50))
    run.at(1, lambda: lose(run, ETH, "60"))
    run.at(2, lambda: run.ask(N.REARM), lambda: run.ask(N.REARM, product=BTC)).go()
    assert states(run) == ["HALTED", "HALTED"]
    for refused in run.of(N.REARM):
        assert refused.verdict is Verdict.REJECTED
        assert "nothing is taken back: the products in USD have lost " in refused.text
        assert "until the next UTC day" in refused.text
    assert max(run.submits) <= 1.1 * S


def test_a_limit_that_is_tightened_halts_all_at_once() -> None:
    """An unset limit over all products is that of one, as it is now."""
    run, told = two_products(), []
    run.at(1, lambda: lose(run, ETH, "60"))
    run.at(2, lambda: run.ask(N.SET, key="risk.max_daily_loss", value="50"), lambda: told.append(states(run)))
    run.go()
    assert told == [["HALTED", "HALTED"]]
    assert max(run.submits) <= run.of(N.SET)[0].at_ns


@pytest.mark.parametrize("key", ["max_daily_loss", "max_drawdown", "max_gross_notional", "max_open_orders"])
def test_limits_over_all_cannot_change_while_it_runs(key: str) -> None:
    run = two_products()
    (said,) = run.ask(N.SET, key=f"portfolio.{key}", value="7")
    assert said.verdict is Verdict.REJECTED
    assert "cannot change while the engine runs, nothing was changed" in said.text


def test_a_drop_of_all_is_rearmed_for_all_at_once_and_for_one_alone_not() -> None:
    run, told = two_products(portfolio__max_drawdown=D(50)), []
    run.at(1, lambda: lose(run, ETH, "60"))
    run.at(2, lambda: told.append((run.ask(N.REARM, product=BTC)[-1], states(run))))
    run.at(3, lambda: told.append((run.ask(N.REARM)[-1], states(run)))).go()
    (alone, after_one), (both, after_both) = told
    assert alone.verdict is Verdict.REJECTED
    assert "REDUCING is back at once: the products in USD are " in alone.text
    assert alone.text.endswith("rearm all products")
    assert after_one == ["REDUCING", "REDUCING"]
    assert both.verdict is Verdict.DONE
    assert after_both == states(run) == ["ACTIVE", "ACTIVE"]


def test_what_is_not_for_the_engine_does_nothing() -> None:
    run, name = Run(), N.TAKE_CONTROL
    (said,) = run.ask(name)
    assert (said.verdict, said.text) == (
        Verdict.REJECTED,
        f"nothing was done: {name} asks the engine for nothing",
    )
    assert run.log.last == 0
