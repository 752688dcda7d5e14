"""The recorder tells why, behind the orders, and a journal that fails over it says so at the next record."""

from __future__ import annotations

from typing import Any

import pytest
from trader_bench import D, TraderBench, submits

from engine.core.events import AnyCommand, Timer
from engine.persistence.errors import JournalError
from engine.persistence.records import Explained, decode
from engine.runtime.recorder import JournalRecorder


class Paper:
    """A journal that keeps what is appended until its disk is full."""

    failed: JournalError | None = None

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def append(self, kind: int, payload: bytes) -> int:
        return self.append_batch([(kind, payload)])

    def append_batch(self, records: list[tuple[int, bytes]]) -> int:
        if self.failed is not None:
            raise self.failed
        self.payloads += [payload for _, payload in records]
        return len(self.payloads)


class Desk(TraderBench):
    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.paper = Paper()
        self.recorder = JournalRecorder(self.paper, 1_000)  # type: ignore[arg-type]

    def told(self, commands: Any) -> list[Explained]:
        """What is recorded of these commands."""
        before = len(self.paper.payloads)
        self.recorder.explain(self.trader, commands)
        found = [decode(payload, 1) for payload in self.paper.payloads[before:]]
        assert all(isinstance(value, Explained) for value in found)
        return found  # type: ignore[return-value]


def test_quotes_are_explained_and_orders_that_take_are_not() -> None:
    desk = Desk(strategy__auto_hedge_enabled=True, strategy__hedge_threshold_pct=D("0.1"))
    desk.market()
    commands = desk.step()
    (first,) = desk.told(commands)
    assert first.orders.keys() == {order.client_id for order in submits(commands)}
    desk.accept(commands)
    desk.fill(submits(commands)[0])
    sent: list[AnyCommand] = []
    while not any(order.purpose == "hedge" for order in submits(sent)):
        step = desk.step()
        desk.prove(step)
        sent += step
    hedges = {order.client_id for order in submits(sent) if order.purpose == "hedge"}
    assert not hedges & {client_id for told in desk.told(sent) for client_id in told.orders}


def test_a_reason_is_recorded_when_it_changes() -> None:
    desk = Desk()
    desk.market(ask="")
    one_sided = desk.told(desk.step())
    assert [told.reason for told in one_sided] == ["no quotes: the market does not have both sides"]
    assert desk.told(desk.step()) == []
    desk.market()
    (both,) = desk.told(desk.step())
    assert (both.reason, len(both.orders)) == ("", 6)


def test_a_full_disk_is_told_at_the_next_record_and_once() -> None:
    desk = Desk()
    desk.market()
    commands = desk.step()
    desk.paper.failed = JournalError("the disk is full")
    assert desk.told(commands) == []
    timer = Timer("X-USD", desk.now, desk.now)
    with pytest.raises(JournalError, match="the disk is full"):
        desk.recorder.record(desk.trader, [timer], [])
    assert desk.recorder.record(desk.trader, [timer], []) == 0
    assert desk.told(commands) == []


def test_a_side_that_risk_control_denies_is_recorded_with_its_control_once() -> None:
    desk = Desk(risk__band_bps=D("1"))
    desk.market("9999.5", "10000.5")
    (denied,) = desk.told(desk.step())
    sides = denied.reason.split("; ")
    assert [side.partition(": ")[0] for side in sides] == ["no bid", "no ask"]
    assert all(side.endswith("outside the band of 0.01 %") for side in sides)
    desk.market("9998.5", "9999.5")
    assert desk.told(desk.step()) == [], "the same control with other numbers is no news"
