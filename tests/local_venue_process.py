"""The local venue as a process of its own, with its remote control, and engines that trade live at it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from engine_process import Engine, Machine


class VenueProcess:
    """A venue on a machine."""

    def __init__(self, here: Machine, *options: str) -> None:
        process = here.start("venue", "--control", "--json", "--folder", str(here.folder / "venue"), *options)
        assert process.stdout is not None
        self._process = process
        told: dict[str, Any] = json.loads(process.stdout.readline())
        self.url: str = told["url"]
        self.key_file: str = told["key_files"]["advanced"]

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> dict[str, Any]:
        """A request of the remote control."""
        if self._process.poll() is not None:
            raise AssertionError(f"the venue ended: {self._process.stderr and self._process.stderr.read()}")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_control/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def arm(self, *faults: str) -> None:
        """From now on these faults."""
        self.ask("faults", {"faults": list(faults)})

    def open_orders(self) -> list[dict[str, Any]]:
        """Every live order of the account."""
        return [order for order in self.ask("state")["orders"] if order["status"] in ("OPEN", "PENDING")]


def live_engine(here: Machine, venue: VenueProcess, *options: str) -> Engine:
    """An engine that trades BTC-USD live at the venue; what it reports has not been read yet."""
    armed = (
        "--set",
        "engine.live=true",
        "--set",
        "strategy.allow_negative_edge=true",
        "--symbol",
        "BTC-USD",
        "--arm",
        "BTC-USD",
    )
    where = ("--endpoint", venue.url, "--key-file", venue.key_file)
    return Engine(here.start("--no-ui", "--json", "--mode", "live", *armed, *where, *options))
