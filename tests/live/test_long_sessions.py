"""Sessions of the real program against the real local venue, with everything that goes wrong on a network.

At the end the engine's ledger is the venue's account, to the atom. The sessions of the default run end as
soon as each disturbance has been caused once and the engine has traded and quotes again. The long ones
(`nightly`) take as many minutes as `LONG_SESSION_MINUTES` says, 30 by default, and write their figures to
`LONG_SESSION_REPORT`-MODE.json where that is set.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_process import Engine, Machine, machine
from local_venue_process import VenueProcess

from engine.runtime.recorded_session import open_recorded
from engine.runtime.replayer import take_apart
from engine.runtime.session_store import load, sessions
from engine.trader.trader import Trader

PATIENCE_S = 90.0
"""For a short session to have seen enough, on a machine that has other things to do."""
MINUTES = float(os.environ.get("LONG_SESSION_MINUTES", "30"))
START = {"USD": Decimal(1_000_000), "BTC": Decimal(10)}
DISTURBANCES = (
    "ws-close:1000", "ws-close:1013", "ws-reset", "ws-half-close", "ws-silence", "ws-drop", "ws-skip:3",
    "ws-duplicate", "ws-swap", "ws-truncate", "ws-flip", "ws-binary", "ws-error", "ws-unknown-channel",
    "ws-snapshot-again", "ws-heartbeats-jump", "ws-crossed", "upgrade-status:503,times=2", "upgrade-close",
    "rest-status:503,times=3", "rest-429:1", "rest-drop-answer:path=*/batch_cancel", "rest-delay:1",
    "order-lost", "order-ack-lost", "order-ack-late:3", "order-fill-first:0.5", "cancel-reject:unknown",
    "rest-html:path=*/orders", "rest-truncated:path=*/historical/*",
)  # fmt: skip
GRAVE = (
    "ws-reset",
    "ws-silence",
    "order-ack-lost",
    "ws-drop",
    "rest-status:503,times=3",
    "order-fill-first:0.5",
)


IsEnough = Callable[[Engine], bool]


@contextmanager
def at_venue(*options: str) -> Iterator[tuple[Machine, VenueProcess]]:
    with machine() as here:
        yield here, VenueProcess(here, *options)


def end_state(folder: Path) -> tuple[Trader, int]:
    """The Trader at the end of the one session, computed anew from its journal, and its starts."""
    [session] = sessions(folder)
    session = load(session.path)
    assert session.info.ended is not None
    recorded = open_recorded(session)
    replayer = recorded.replayer()
    for batch in recorded.batches():
        replayer.take(take_apart(batch))
    assert replayer.divergence is None
    [trader] = replayer.traders.values()
    assert trader.digest() == session.info.ended.digests[trader.instrument.symbol]
    return trader, replayer.events


def check_against(venue: VenueProcess, trader: Trader) -> None:
    """No drift: what the venue's account has is what our ledger says, fill by fill and to the last digit."""
    state = venue.ask("state")
    instrument, ledger = trader.instrument, trader.ledger
    base = START["BTC"] + ledger.position * instrument.lot
    cash = Decimal(ledger.cash).scaleb(-instrument.money_places) - ledger.fee_dust
    assert Decimal(state["balances"]["BTC"]["balance"]) == base
    assert Decimal(state["balances"]["USD"]["balance"]) == START["USD"] + cash
    assert {Decimal(wallet["hold"]) for wallet in state["balances"].values()} == {Decimal(0)}
    assert not [order for order in state["orders"] if order["status"] in ("OPEN", "PENDING")]
    assert not trader.orders.open_orders()
    filled = sum(Decimal(fill["size"]) for fill in state["fills"])
    assert filled == (ledger.bought + ledger.sold) * instrument.lot
    assert ledger.residual == 0


def run_disturbed(
    here: Machine,
    venue: VenueProcess,
    mode: str,
    seconds: float,
    disturbances: tuple[str, ...],
    every_s: float,
    seed: int,
    is_enough: IsEnough | None,
) -> Engine:
    """Run an engine with one disturbance after the other, to a good end.

    It is disturbed all the time. Where it is said what is enough, it is disturbed once in each way, from its
    first order on, and ends when that is so.
    """
    options = ["--mode", mode, "--endpoint", venue.url, "--duration", str(seconds)]
    options += ["--set", "network.balance_interval_s=7", "--set", "network.fills_interval_s=5"]
    options += ["--set", "strategy.base_spread_bps=5"]  # close enough to be filled often
    if mode == "live":
        options += [
            "--set",
            "engine.live=true",
            "--set",
            "strategy.allow_negative_edge=true",
            "--arm",
            "BTC-USD",
            "--key-file",
            venue.key_file,
        ]
    process = here.start("--no-ui", "--json", *options)
    engine = Engine(process)
    rng, is_interrupted = random.Random(seed), False
    quotes, stop, is_calm = threading.Event(), threading.Event(), threading.Event()

    def disturb() -> None:
        quotes.wait()
        for disturbance in itertools.cycle(disturbances) if is_enough is None else disturbances:
            if stop.wait(every_s * rng.uniform(0.7, 1.3)):
                return
            venue.arm(disturbance)
        is_calm.set()

    worker = threading.Thread(target=disturb)
    worker.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            report = json.loads(line)
            engine.reports.append(report)
            if report.get("event") == "accepted":
                quotes.set()
            if is_enough is None or is_interrupted or report["type"] != "status":
                continue
            if is_calm.is_set() and is_enough(engine):
                is_interrupted = True
                process.send_signal(signal.SIGINT)
    finally:
        stop.set()
        quotes.set()
        worker.join()
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    expected = 128 + signal.SIGINT if is_interrupted else 0
    assert process.returncode == expected, (err, [r for r in engine.reports if r["type"] == "alert"][-5:])
    return engine


def session_with(
    mode: str,
    seconds: float,
    disturbances: tuple[str, ...],
    every_s: float,
    seed: int,
    is_enough: IsEnough | None = None,
) -> dict[str, Any]:
    with at_venue("--seed", str(seed), "--fees", "2,4") as (here, venue):
        engine = run_disturbed(here, venue, mode, seconds, disturbances, every_s, seed, is_enough)
        trader, events = end_state(here.folder / "state" / "pinnacle-tui" / "sessions")
        strikes = venue.ask("state")["faults"]["strike_count"]
        if mode == "live":
            check_against(venue, trader)
        else:
            assert not venue.ask("state")["orders"]
            assert trader.ledger.residual == 0
        states = [report["state"] for report in engine.of("status")]
        assert states[-1] != "HALTED", [r["text"] for r in engine.of("alert")][-8:]
        return {
            "mode": mode,
            "seconds": seconds,
            "events": events,
            "fills": trader.ledger.fill_count,
            "strikes": strikes,
            "quotes": trader.quote_count,
            "active": f"{states.count('ACTIVE') / len(states):.0%}",
            "rss_mib": [r["rss_bytes"] >> 20 for r in engine.of("status")][:: max(1, len(states) // 8)]
            if "rss_bytes" in engine.of("status")[0]
            else [],
        }


def test_a_disturbed_live_session_ends_with_the_venues_own_figures() -> None:
    def is_enough(engine: Engine) -> bool:
        return engine.of("status")[-1]["state"] == "ACTIVE" and bool(engine.of("fill"))

    told = session_with("live", PATIENCE_S, GRAVE, 0.8, 3, is_enough)
    assert told["fills"] > 0
    assert told["strikes"] >= 4


def test_a_disturbed_paper_session_sends_nothing_to_the_venue() -> None:
    def is_enough(engine: Engine) -> bool:
        last = engine.of("status")[-1]
        return last["state"] == "ACTIVE" and last["quotes"] > 10

    told = session_with("paper", PATIENCE_S, ("ws-reset", "ws-drop", "ws-silence"), 0.8, 4, is_enough)
    assert told["quotes"] > 10
    assert told["strikes"] >= 3


@pytest.mark.nightly
@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_long_session(mode: str) -> None:
    told = session_with(mode, 60 * MINUTES, DISTURBANCES, 15.0, seed=11)
    if report := os.environ.get("LONG_SESSION_REPORT"):
        Path(f"{report}-{mode}.json").write_text(json.dumps(told))
    assert told["fills"] > 0
    assert told["strikes"] > 2 * MINUTES
