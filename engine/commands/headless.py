"""`pinnacle-tui --no-ui`: runs the engine without a screen and says what happens, as text or JSON lines."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol, TextIO

import msgspec

from engine.commands.left_open import left_open_told
from engine.commands.line_writer import LineWriter
from engine.config import LIVE_MODES, Resolved
from engine.core.clock import Clock, SystemClock
from engine.core.errors import UsageError
from engine.core.events import (
    Alert,
    AnyEvent,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Severity,
    SubmitOrder,
)
from engine.core.foreign_text import visible, visible_lines
from engine.exchange.protocol import Edge
from engine.persistence import day_file, latch_file
from engine.persistence.day_file import DayFile
from engine.persistence.latch_file import LatchFile
from engine.risk.portfolio import Portfolio
from engine.runtime import status
from engine.runtime.alert_command import AlertCommand
from engine.runtime.builder import Market, build_engine
from engine.runtime.console_service import ConsoleService
from engine.runtime.day_keeper import DayKeeper
from engine.runtime.desk import Desk
from engine.runtime.edges import Edges
from engine.runtime.engine import Engine
from engine.runtime.kill_file import KillFileWatch
from engine.runtime.latch_keeper import LatchKeeper
from engine.runtime.observers import Observers, WakeUp
from engine.runtime.outcome import EXIT_ERROR, Outcome
from engine.runtime.portfolio_view import portfolio_report, portfolio_text, portfolio_view
from engine.runtime.session import Session, open_session
from engine.runtime.session_store import data_dir_of
from engine.runtime.status import Report
from engine.telemetry.histogram import Histogram
from engine.telemetry.process import QuietCollector

if TYPE_CHECKING:
    from engine.exchange.coinbase.keys import ApiKey

_S = 1_000_000_000
_JSON_STATUS_S = 1
_TEXT_STATUS_S = 5
_LOG_STATUS_S = 60
_MALFORMED_EVERY_NS = 60 * _S
_COLLECT_EVERY_NS = 60 * _S
"""Engine time between two garbage collections; in between there are none."""
EXIT_IO = 74
_MOST_LINES = 16_384
_MOST_LINES_OF = {"order": 8_192, "status": 12_288}
"""So many lines may wait for the reader of a paced run. The less a kind would be missed, the sooner it is
dropped; whatever is dropped is counted."""
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 0, signal.SIGHUP: 0}
"""Exit codes: an interrupt is an interruption, a request to end that was met in full is done."""


def run(
    resolved: Resolved,
    *,
    as_json: bool,
    stdout: TextIO,
    stderr: TextIO,
    owner_fd: int | None = None,
    is_new: bool = False,
    password_fd: int | None = None,
    key_fd: int | None = None,
) -> int:
    """Run until the end of duration or input, or a signal; the exit code of product section 6.

    What was asked for goes to `stdout`, one object or line at a time; everything else to `stderr`.
    `owner_fd` is an inherited socket to the console that owns this engine; its output is a log then.
    A session that did not end in order is gone on with, unless `is_new`. For `password_fd` and `key_fd` see
    `vault_key_of`.
    """
    form = _JsonLines() if as_json else _TextLines() if owner_fd is None else _LogLines()
    with left_open_told(resolved):
        key = vault_key_of(resolved, password_fd, key_fd)
    owner = None if owner_fd is None else _inherited(owner_fd)
    return asyncio.run(_run(resolved, key, is_new, form, stdout, stderr, owner)).exit_code


def vault_key_of(
    resolved: Resolved, password_fd: int | None = None, key_fd: int | None = None
) -> ApiKey | None:
    """The key of a run that uses the vault; None for every other run. May wait for a person.

    `password_fd` is where the master password can be read, `key_fd` the pipe by which a console hands over a
    key that it has taken out itself. Raises `CredentialError`.
    """
    config = resolved.config
    if not config.uses_vault:
        return None
    if key_fd is not None:
        from engine.commands.handed_key import key_from_console

        return key_from_console(key_fd, config.exchange.name)
    from engine.commands.unlocking import key_of_run

    return key_of_run(config, password_fd)


async def _run(
    resolved: Resolved,
    key: ApiKey | None,
    is_new: bool,
    form: Form,
    stdout: TextIO,
    stderr: TextIO,
    owner: socket.socket | None,
) -> Outcome:
    with left_open_told(resolved):
        session = await _opened(resolved, key, is_new=is_new)
    fees = session.resolved.fee_notices() if owner is None else ()
    notices = [*(text for _, text in fees), *session.notices()]
    if owner is None:
        notices += resolved.config.key_notices
    for notice in notices:
        stderr.write(visible_lines(notice) + "\n")
    stderr.flush()
    return await _drive(session, form, stdout, stderr, owner)


async def _opened(resolved: Resolved, key: ApiKey | None, *, is_new: bool) -> Session:
    """The session of a run; where its market is on the network, the venue has been spoken to."""
    if resolved.config.engine.mode not in LIVE_MODES:
        return open_session(resolved, SystemClock(), is_new=is_new)
    from engine.runtime.network import connect

    network = await connect(resolved, SystemClock(), key)
    try:
        return open_session(network.resolved, SystemClock(), is_new=is_new, making=network)
    except BaseException:
        await network.close()
        raise


def _inherited(descriptor: int) -> socket.socket:
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        raise UsageError(
            f"--owner-fd {descriptor}: {error.strerror}; it takes a connected socket that was inherited. "
            "No engine was started"
        ) from error


async def serve(
    resolved: Resolved, owner: socket.socket, *, key: ApiKey | None = None, is_new: bool = False
) -> Outcome:
    """Run on the caller's own loop, without output or signals, for the console behind `owner`."""
    with owner:
        session, real = await _opened(resolved, key, is_new=is_new), SystemClock()
        observers = Observers()
        engine = _engine(session, real, observers, _LOG_STATUS_S * _S)
        service = ConsoleService(engine, session.market, session.resolved, observers, real, session.gauge)
        return await _served(session, engine, service, observers, owner)


def _engine(session: Session, real: Clock, observers: Observers, status_interval_ns: int) -> Engine:
    return build_engine(
        session.resolved.config,
        session.market,
        real,
        observers,
        status_interval_ns=status_interval_ns,
        recorder=session.recorder,
        clock=session.clock,
    )


def _edges(session: Session, engine: Engine, service: ConsoleService, observers: Observers) -> Sequence[Edge]:
    """What lives beside the engine's loop, in the order it is started."""
    config, kept = session.resolved.config, session.name
    edges = list(session.market.edges)
    if config.alerts.command is not None and config.engine.mode != "replay":
        alert_command = AlertCommand(engine, config.alerts)
        observers.add(alert_command)
        edges.append(alert_command)
    if kept:
        edges.append(KillFileWatch(data_dir_of(config), service.operator.kill))
    if kept and config.engine.mode in LIVE_MODES:
        is_live = config.engine.mode == "live"
        latch_name, day_name = (
            (latch_file.NAME, day_file.NAME) if is_live else (latch_file.ON_PAPER, day_file.ON_PAPER)
        )
        keeper = LatchKeeper(engine, LatchFile(data_dir_of(config), name=latch_name), kept)
        observers.add(keeper)
        days = DayKeeper(engine, DayFile(data_dir_of(config), name=day_name), kept)
        observers.add(days)
        edges[:0] = [keeper, days]
    return edges


async def _served(
    session: Session,
    engine: Engine,
    service: ConsoleService,
    observers: Observers,
    owner: socket.socket | None,
) -> Outcome:
    """Run to the end. Consoles are told how it ended and let go, whatever ends it."""
    outcome: Outcome | None = None
    edges = Edges(_edges(session, engine, service, observers), engine)
    try:
        session.attach(engine)
        await service.start(owner)
        for severity, notice in session.resolved.fee_notices() if owner is not None else ():
            service.operator.tell(severity, "FEES", notice)
        for told in session.resolved.config.key_notices if owner is not None else ():
            service.operator.tell(Severity.INFO, "KEY", told)
        session.resume(engine)
        await edges.start()
        outcome = await engine.run()
    finally:
        if outcome is None:
            outcome = engine.unproven("stopped before it could prove its end")
        try:
            await session.market.bell.end(is_proven=outcome.is_proven)
        finally:
            try:
                await edges.stop()
            finally:
                try:
                    outcome = await session.end(outcome)
                finally:
                    await service.close(outcome)
    return outcome


async def _drive(
    session: Session, form: Form, stdout: TextIO, stderr: TextIO, owner: socket.socket | None
) -> Outcome:
    config, market, real = session.resolved.config, session.market, SystemClock()
    loop = asyncio.get_running_loop()

    def output_failed(error: OSError) -> None:
        reason, code = _output_failure(error)
        with suppress(RuntimeError):  # the loop has ended, and with it the run
            loop.call_soon_threadsafe(engine.end, reason, code)

    writer = LineWriter(stdout, output_failed)
    reporter = _Reporter(market, config.engine.mode, form, writer)
    observers = Observers(reporter)
    interval = config.engine.status_interval_s or form.status_interval_s
    engine = _engine(session, real, observers, int(interval * _S))
    reporter.portfolio = engine.portfolio
    service = ConsoleService(engine, market, session.resolved, observers, real, session.gauge)
    is_paced = config.engine.speed_factor is not None
    if not is_paced:
        engine.before_step = lambda: writer.room(engine.end_asked)
    for number, code in _SIGNALS.items():
        loop.add_signal_handler(number, engine.interrupt, f"stopped by {number.name}", code)
    loop.add_signal_handler(signal.SIGUSR1, service.operator.kill, "SIGUSR1")
    try:
        with QuietCollector(Histogram()) as collector:
            reporter.collect = collector.collect
            outcome = await _served(session, engine, service, observers, owner)
        try:
            reporter.on_end(outcome, engine.clock.monotonic_ns())
        except Exception as error:  # the exit code and the list of open orders matter more
            reason = f"{outcome.reason}; the summary could not be made ({type(error).__name__}: {error})"
            outcome = Outcome(reason, outcome.exit_code or EXIT_ERROR, outcome.open_orders)
        await writer.close(_now() if is_paced else engine.end_asked)
        if writer.error is not None and not outcome.exit_code:
            outcome = Outcome(*_output_failure(writer.error), outcome.open_orders)
        await _last_words(outcome, stderr)
    finally:
        for number in (*_SIGNALS, signal.SIGUSR1):
            loop.remove_signal_handler(number)
    return outcome


def _output_failure(error: OSError) -> tuple[str, int]:
    if isinstance(error, BrokenPipeError):
        return "nobody reads the output any more", EXIT_ERROR
    return f"the output cannot be written: {error.strerror}", EXIT_IO


async def _last_words(outcome: Outcome, stderr: TextIO) -> None:
    """Why the run ended other than well. A terminal that takes nothing must not keep the process."""
    writer = LineWriter(stderr, lambda _: None)
    if outcome.exit_code:
        writer.write(visible(f"ended: {outcome.reason}"), _MOST_LINES)
    for order_id in outcome.open_orders:
        writer.write(visible(f"possibly open: {order_id}"), _MOST_LINES)
    await writer.close(_now())


def _now() -> asyncio.Event:
    """An event that has happened."""
    event = asyncio.Event()
    event.set()
    return event


class Form(Protocol):
    """How reports become lines."""

    status_interval_s: int
    wants_orders: bool

    def lines(self, report: Report) -> Sequence[str]:
        """The lines of one report; none when this form does not show it."""
        ...


class _JsonLines:
    """Every report as one JSON object per line."""

    status_interval_s = _JSON_STATUS_S
    wants_orders = True

    def lines(self, report: Report) -> Sequence[str]:
        line = msgspec.json.encode(report).decode()
        # What is not ASCII may end a line for whoever reads it: U+2028 does.
        return (line if line.isascii() else json.dumps(json.loads(line)),)


class _TextLines:
    """Status lines and alerts for a person; fills are counted in the status."""

    status_interval_s = _TEXT_STATUS_S
    wants_orders = False

    def lines(self, report: Report) -> Sequence[str]:
        kind = report["type"]
        if kind == "alert":
            whose = f"{visible(report['product'])}  " if report["product"] else ""
            return (f"{_clock(report['time_ns'])}  {report['severity']:<8} {whose}{visible(report['text'])}",)
        if kind == "status":
            return (_status_text(report),)
        if kind == "portfolio":
            return (f"{_clock(report['time_ns'])}  {portfolio_text(report)}",)
        if kind == "summary":
            return _status_text(report), f"ended: {visible(report['reason'])}  digest {report['digest'][:16]}"
        return ()


class _LogLines(_TextLines):
    """The same as a log beside a screen: what happens, and a status once a minute."""

    status_interval_s = _LOG_STATUS_S


def _clock(now_ns: int) -> str:
    seconds = now_ns // _S
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _status_text(report: Report) -> str:
    def money(key: str) -> str:
        return "n/a" if report[key] is None else f"{Decimal(report[key]):+,.2f}"

    quick = report["latency_ns"].get("tick_to_quote")
    latency = f"  tick-to-quote p50 {quick['p50'] / 1e3:.0f} p99 {quick['p99'] / 1e3:.0f} us" if quick else ""
    note = f"  {visible(report['note'])}" if report["note"] else ""
    dropped = f"  dropped lines {report['dropped_lines']}" if report["dropped_lines"] else ""
    return (
        f"{_clock(report['time_ns'])}  {report['product']} {report['state']}"
        f"  {report['best_bid'] or 'none'} / {report['best_ask'] or 'none'}"
        f"  position {report['position']} {report['base']}"
        f"  P&L {money('equity_change')} (realised {money('realised_pnl')}, unrealised "
        f"{money('unrealised_pnl')}, fees {money('fees')}) {report['quote']}"
        f"  open {report['open_orders']}  fills {report['fills']}  quotes {report['quotes']}"
        f"{latency}{dropped}{note}"
    )


class _Reporter:
    """Turns what the engine shows into reports."""

    def __init__(self, market: Market, mode: str, form: Form, writer: LineWriter) -> None:
        self.collect: Callable[[], object] = lambda: None
        self.portfolio: Portfolio | None = None
        """The limits over several products, where there are any."""
        self._desks = market.desks
        self._feed = market.feed_counters
        self._watch = market.venue_watch
        self._start_wall_ns = market.start_wall_ns
        self._malformed = 0
        self._next_malformed_ns = 0
        self._mode = mode
        self._form = form
        self._writer = writer
        self._collected_ns = 0

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`."""
        if not self._form.wants_orders:
            return
        for event, position in wake.timeline():
            report = _order_event(desk, event, position)
            if report is not None:
                self._write(report)
        # Every wake-up ends with an event of the engine's own clocks; commands know only one of them.
        wall_offset = wake.events[-1].wall_ns - wake.events[-1].recv_ns
        for command in wake.commands:
            wall_ns = command.created_ns + wall_offset
            if isinstance(command, SubmitOrder):
                self._write(status.submit_report(desk, command, wall_ns))
            else:
                self._write(status.cancel_report(command, wall_ns))

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`."""
        for alert in alerts:
            self._write(status.alert_report(alert))

    def on_status(self, now_ns: int) -> None:
        """See `Observer`."""
        self._watch_feed(now_ns)
        for desk in self._desks:
            self._write(status.status_report(desk, self._mode, now_ns) | self._shared() | self._venue(desk))
        for group in () if self.portfolio is None else self.portfolio.groups:
            self._write(portfolio_report(portfolio_view(group.totals()), now_ns))
        if now_ns - self._collected_ns >= _COLLECT_EVERY_NS:
            self._collected_ns = now_ns
            self.collect()

    def on_end(self, outcome: Outcome, now_ns: int) -> None:
        """Write the last object of every desk."""
        self._watch_feed(now_ns)
        reason, open_orders = outcome.reason, outcome.open_orders
        for desk in self._desks:
            report = status.summary_report(desk, self._mode, now_ns, reason, open_orders)
            self._write(report | self._shared())

    def _venue(self, desk: Desk) -> Report:
        """What is known of a venue on the network; nothing where there is none."""
        watch = self._watch
        if watch is None:
            return {}
        score, reason = watch.trust(desk.product)
        return {"trust": score, "trust_reason": reason, "clock_offset_ns": watch.clock_offset_ns}

    def _shared(self) -> Report:
        """What is the same for every desk."""
        return {"feed": status.feed_report(self._feed), "dropped_lines": self._writer.dropped}

    def _watch_feed(self, now_ns: int) -> None:
        """Say that frames were refused, at most once a minute; they name no product, nor does the alert."""
        feed = self._feed
        if feed is None or feed.malformed == self._malformed or now_ns < self._next_malformed_ns:
            return
        new, self._malformed = feed.malformed - self._malformed, feed.malformed
        self._next_malformed_ns = now_ns + _MALFORMED_EVERY_NS
        last = f"; the last error message of the venue: {feed.last_error}" if feed.last_error else ""
        text = f"refused {new} malformed frames of the feed, {feed.malformed} in all{last}"
        wall_ns = self._start_wall_ns + now_ns
        alert = Alert("", now_ns, wall_ns, Severity.WARNING, "MALFORMED", text)
        self._write(status.alert_report(alert))

    def _write(self, report: Report) -> None:
        most = _MOST_LINES_OF.get(report["type"], _MOST_LINES)
        for line in self._form.lines(report):
            self._writer.write(line, most)


def _order_event(desk: Desk, event: AnyEvent, position: int | None) -> Report | None:
    """The report of an event that speaks of an order; `position` is that after a fill that was booked."""
    match event:
        case OrderFilled():
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
