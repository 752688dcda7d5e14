"""`pinnacle-tui --no-ui`: runs the engine without a screen and says what happens, as text or JSON lines."""

from __future__ import annotations

import asyncio
import io
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TextIO

import msgspec

from engine.config import Resolved
from engine.core.clock import SystemClock
from engine.core.events import (
    Alert,
    AnyEvent,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
)
from engine.runtime import status
from engine.runtime.builder import build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.engine import Outcome, WakeUp
from engine.runtime.status import Report
from engine.telemetry.histogram import Histogram
from engine.telemetry.process import QuietCollector

_S = 1_000_000_000
_JSON_STATUS_S = 1
_TEXT_STATUS_S = 5
_COLLECT_EVERY = 60
"""Status intervals between two garbage collections; in between there are none."""
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 0, signal.SIGHUP: 0}
"""Exit codes: an interrupt is an interruption, a request to end that was met in full is done."""


def run(resolved: Resolved, *, as_json: bool, stdout: TextIO, stderr: TextIO) -> int:
    """Run until the end of duration or input, or a signal; the exit code of product section 6.

    What was asked for goes to `stdout`, one object or line at a time; everything else to `stderr`.
    """
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(encoding="utf-8")
    for notice in resolved.notices():
        stderr.write(notice + "\n")
    outcome = asyncio.run(_drive(resolved, _JsonLines(stdout) if as_json else _TextLines(stdout)))
    if outcome.exit_code:
        stderr.write(f"ended: {outcome.reason}\n")
    for order_id in outcome.open_orders:
        stderr.write(f"possibly open: {order_id}\n")
    return outcome.exit_code


async def _drive(resolved: Resolved, lines: Lines) -> Outcome:
    config = resolved.config
    market = build_market(config)
    interval = config.engine.status_interval_s or lines.status_interval_s
    reporter = _Reporter(market.desks, config.engine.mode, lines)
    engine = build_engine(config, market, SystemClock(), reporter, status_interval_ns=int(interval * _S))
    loop = asyncio.get_running_loop()
    for number, code in _SIGNALS.items():
        loop.add_signal_handler(number, engine.interrupt, number.name, code)
    lines.on_closed = lambda: engine.interrupt("nobody reads the output any more", 1)
    pauses = Histogram()
    try:
        with QuietCollector(pauses) as collector:
            reporter.collect = collector.collect
            outcome = await engine.run()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
    reporter.on_end(outcome, engine.clock.monotonic_ns())
    return outcome


class Lines(Protocol):
    """How reports become lines."""

    status_interval_s: int
    wants_orders: bool
    on_closed: Callable[[], None]

    def write(self, report: Report) -> None:
        """Write one report; when the reader has gone, call `on_closed` once and write no more."""
        ...


class _Stream:
    """Writes lines until the reader goes away; the engine then ends in order, with its orders cancelled."""

    def __init__(self, stream: TextIO) -> None:
        self.on_closed: Callable[[], None] = lambda: None
        self._stream: TextIO | None = stream

    def line(self, text: str, *, flush: bool) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text + "\n")
            if flush:
                self._stream.flush()
        except OSError:
            self._stream = None
            self.on_closed()


class _JsonLines(_Stream):
    """Every report as one JSON object per line."""

    status_interval_s = _JSON_STATUS_S
    wants_orders = True

    def write(self, report: Report) -> None:
        self.line(msgspec.json.encode(report).decode(), flush=report["type"] != "order")


class _TextLines(_Stream):
    """Status lines and alerts for a person; fills are counted in the status."""

    status_interval_s = _TEXT_STATUS_S
    wants_orders = False

    def write(self, report: Report) -> None:
        kind = report["type"]
        if kind == "alert":
            self.line(f"{_clock(report['time_ns'])}  {report['severity']:<8} {report['text']}", flush=True)
        elif kind == "status":
            self.line(_status_text(report), flush=True)
        elif kind == "summary":
            self.line(_status_text(report), flush=False)
            self.line(f"ended: {report['reason']}  digest {report['digest'][:16]}", flush=True)


def _clock(now_ns: int) -> str:
    seconds = now_ns // _S
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _status_text(report: Report) -> str:
    def money(key: str) -> str:
        return "n/a" if report[key] is None else f"{float(report[key]):+,.2f}"

    quick = report["latency_ns"].get("tick_to_quote")
    latency = f"  tick-to-quote p50 {quick['p50'] / 1e3:.0f} p99 {quick['p99'] / 1e3:.0f} us" if quick else ""
    note = f"  {report['note']}" if report["note"] else ""
    return (
        f"{_clock(report['time_ns'])}  {report['product']} {report['state']}"
        f"  {report['best_bid'] or 'none'} / {report['best_ask'] or 'none'}"
        f"  position {report['position']}"
        f"  P&L {money('equity_change')} (realised {money('realised_pnl')}, unrealised "
        f"{money('unrealised_pnl')}, fees {money('fees')})"
        f"  open {report['open_orders']}  fills {report['fills']}  quotes {report['quotes']}{latency}{note}"
    )


class _Reporter:
    """Turns what the engine shows into reports."""

    def __init__(self, desks: Sequence[Desk], mode: str, lines: Lines) -> None:
        self.collect: Callable[[], object] = lambda: None
        self._desks = desks
        self._mode = mode
        self._lines = lines
        self._statuses = 0

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`."""
        if not self._lines.wants_orders:
            return
        write = self._lines.write
        for event in wake.events:
            report = _order_event(desk, event, wake.positions)
            if report is not None:
                write(report)
        for command in wake.commands:
            if isinstance(command, SubmitOrder):
                write(status.submit_report(desk, command))
            else:
                write(status.cancel_report(command))

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`."""
        for alert in alerts:
            self._lines.write(status.alert_report(alert))

    def on_status(self, now_ns: int) -> None:
        """See `Observer`."""
        for desk in self._desks:
            self._lines.write(status.status_report(desk, self._mode, now_ns))
        self._statuses += 1
        if self._statuses % _COLLECT_EVERY == 0:
            self.collect()

    def on_end(self, outcome: Outcome, now_ns: int) -> None:
        """Write the last object of every desk."""
        for desk in self._desks:
            self._lines.write(
                status.summary_report(desk, self._mode, now_ns, outcome.reason, outcome.open_orders)
            )


def _order_event(desk: Desk, event: AnyEvent, positions: Mapping[str, int]) -> Report | None:
    match event:
        case OrderFilled():
            position = positions.get(event.fill_id)
            return None if position is None else status.fill_report(desk, event, position)
        case OrderAccepted():
            return status.order_report(
                event, "accepted", client_id=event.client_id, venue_order_id=event.venue_order_id
            )
        case OrderRejected() | CancelRejected():
            name = "rejected" if isinstance(event, OrderRejected) else "cancel_rejected"
            return status.order_report(
                event, name, client_id=event.client_id, code=event.code, reason=event.reason
            )
        case OrderCancelled() | OrderExpired():
            return status.order_report(
                event,
                "cancelled" if isinstance(event, OrderCancelled) else "expired",
                client_id=event.client_id,
                remaining=desk.trader.instrument.size_text(event.remaining),
                reason=event.reason,
            )
    return None
