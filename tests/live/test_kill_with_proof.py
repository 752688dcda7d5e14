"""The kill switch at a live venue, by the real program: it ends with proof, or stays red."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_process import Machine, machine
from local_venue_process import VenueProcess, live_engine

from engine.persistence.installation import FILE
from engine.persistence.latch_file import LatchFile
from engine.runtime.session_store import sessions


class World:
    """A machine with a local venue and a live engine that quotes there."""

    def __init__(self, here: Machine) -> None:
        self.here = here
        self.venue = VenueProcess(here)
        self.engine = live_engine(here, self.venue)
        self.engine.read_until(lambda report: report.get("event") == "accepted")
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.engine.process.stdout is not None
        for line in self.engine.process.stdout:
            self.engine.reports.append(json.loads(line))

    @property
    def folder(self) -> Path:
        return self.here.folder / "state" / "pinnacle-tui" / "sessions"

    def place_unknown(self, client_id: str) -> dict[str, Any]:
        return self.venue.ask(
            "orders",
            {
                "product_id": "BTC-USD",
                "side": "buy",
                "size": "0.001",
                "price": "20000",
                "client_order_id": client_id,
            },
        )

    def ours(self, number: int) -> str:
        """A client id of this installation that no session of it has given out."""
        tag = (self.folder / FILE).read_text().strip()
        return f"{tag}-ffff-4fff-8fff-{number:012x}"

    def kill(self) -> dict[str, Any]:
        code, answer = self.here.ctl("kill")
        assert code == answer["exit_code"]
        return answer

    def end(self) -> int:
        self.engine.process.terminate()
        self.engine.process.wait(30)
        self.reader.join(10)
        return self.engine.process.returncode


@pytest.fixture
def world() -> Iterator[World]:
    with machine() as here:
        yield World(here)


def test_lost_cancel_answers_and_an_unknown_order_end_with_proof(world: World) -> None:
    world.place_unknown(world.ours(1))
    stranger = world.place_unknown("somebody-elses")
    world.venue.arm("rest-drop-answer:path=*/batch_cancel,times=3")
    answer = world.kill()
    assert answer["exit_code"] == 0, answer
    assert [order["order_id"] for order in world.venue.open_orders()] == [stranger["order_id"]]
    held = LatchFile(world.folder).read()
    assert held is not None
    assert held.state == "KILLED"
    assert world.end() == 0
    [session] = sessions(world.folder)
    code, out, _ = world.here.run("journal", "dump", session.name)
    assert code == 0
    assert "nothing of ours is open, proven by two complete listings" in out
    submits = [r for r in world.engine.reports if r.get("event") == "submitted"]
    killed = next(r for r in world.engine.reports if r.get("code") == "KILL")
    assert not [r for r in submits if r["time_ns"] > killed["time_ns"]]


@pytest.mark.nightly
def test_while_rest_fails_it_stays_red_and_is_proven_when_it_is_back(world: World) -> None:
    world.venue.arm("rest-status:503,path=/api/*,times=0")
    answer = world.kill()
    assert answer["exit_code"] == 75, answer
    assert answer["possibly_open"]
    assert world.venue.open_orders()
    world.venue.ask("faults", method="DELETE")
    proven = threading.Event()

    def look() -> None:
        while not any(report.get("code") == "PROVEN" for report in list(world.engine.reports)):
            if world.engine.process.poll() is not None:
                return
            threading.Event().wait(0.05)
        proven.set()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    assert proven.wait(20)
    assert not world.venue.open_orders()
    assert world.end() == 0
