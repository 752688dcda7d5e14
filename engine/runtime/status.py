"""What a desk looks like from outside: the machine-readable status, fill, order and alert objects.

All decimals are strings without exponent and without trailing zeros, all times integer nanoseconds,
every object carries `"v": 1` (product documentation, machine-readable outputs).
"""

from __future__ import annotations

from typing import Any, Final

from engine.core.events import Alert, CancelOrder, Event, FillEvidence, OrderFilled, SubmitOrder
from engine.core.instrument import Instrument
from engine.core.own_orders import Reasons
from engine.exchange.coinbase.wire.session import FeedCounters
from engine.runtime.desk import Desk
from engine.runtime.missing_quotes import why_missing
from engine.strategy.explain import objects, price_rows, size_rows
from engine.telemetry.process import resident_bytes

VERSION: Final = 1

Report = dict[str, Any]


def status_report(desk: Desk, mode: str, now_ns: int) -> Report:
    """The state of a desk at a moment of engine time. Money is None while there is no mark."""
    trader, instrument = desk.trader, desk.trader.instrument
    ledger, book = trader.ledger, trader.book
    bid, ask = book.best_bid(), book.best_ask()

    def money(atoms: int | None) -> str | None:
        return None if atoms is None else instrument.money_text(atoms)

    return {
        "type": "status",
        "v": VERSION,
        "seq": trader.event_count,
        "time_ns": now_ns,
        "mode": mode,
        "product": desk.product,
        "base": instrument.base,
        "quote": instrument.quote,
        "state": trader.risk.effective.name,
        "connection": trader.feed_state.value,
        "best_bid": None if bid is None else instrument.price_text(bid),
        "best_ask": None if ask is None else instrument.price_text(ask),
        "crossed": trader.crossed_count,
        "position": instrument.size_text(ledger.position),
        "realised_pnl": money(ledger.realised),
        "unrealised_pnl": money(ledger.unrealised),
        "fees": money(ledger.fees),
        "equity_change": money(ledger.profit),
        "spread_captured": money(ledger.captured),
        "inventory_revaluation": money(ledger.revaluation),
        "pnl_residual": money(ledger.residual),
        "open_orders": len(trader.orders.own.by_id),
        "fills": ledger.fill_count,
        "bought": instrument.size_text(ledger.bought),
        "sold": instrument.size_text(ledger.sold),
        "quotes": trader.quote_count,
        "denied": dict(sorted(trader.gate.denied.items())),
        "note": why_missing(trader),
        "latency_ns": desk.latency.summary(),
        "rss_bytes": resident_bytes(),
    }


def feed_report(counters: FeedCounters | None) -> Report | None:
    """What a venue's frames have been found to be; None where there are no frames."""
    if counters is None:
        return None
    return {
        "frames": counters.frames,
        "gaps": counters.gaps,
        "duplicates": counters.duplicates,
        "malformed": counters.malformed,
        "errors": counters.errors,
        "unknown": counters.unknown,
        "reconnects": counters.reconnects,
    }


def summary_report(desk: Desk, mode: str, now_ns: int, reason: str, open_orders: tuple[str, ...]) -> Report:
    """The last object of a desk: its status, the digest of its Trader, and why the run ended."""
    report = status_report(desk, mode, now_ns)
    report["type"] = "summary"
    report["digest"] = desk.trader.digest()
    report["reason"] = reason
    report["possibly_open"] = list(open_orders)
    return report


def fill_report(desk: Desk, fill: OrderFilled, position: int) -> Report:
    """One execution of ours, and the position after it in lots."""
    instrument = desk.trader.instrument
    report = _event(fill, "fill")
    report |= {
        "client_id": fill.client_id,
        "fill_id": fill.fill_id,
        "side": fill.side.word,
        "price": instrument.price_text(fill.price),
        "size": instrument.size_text(fill.size),
        "fee": _fee_text(fill, instrument),
        "fee_asset": fill.fee_asset or instrument.quote,
        "liquidity": "maker" if fill.is_maker else "taker",
        "position": instrument.size_text(position),
        "exchange_ns": fill.exchange_ns,
        "evidence": None if fill.evidence is None else _evidence(fill.evidence, instrument),
    }
    return report


def _fee_text(fill: OrderFilled, instrument: Instrument) -> str:
    """A fee in units of its asset; one in a third asset as the venue counts it."""
    if fill.fee_asset == instrument.base:
        return instrument.size_text(fill.fee)
    if fill.fee_asset in ("", instrument.quote):
        return instrument.money_text(fill.fee)
    return str(fill.fee)


def _evidence(evidence: FillEvidence, instrument: Instrument) -> Report:
    return {
        "reason": evidence.reason,
        "ahead_before": instrument.size_text(evidence.ahead_before),
        "ahead_after": instrument.size_text(evidence.ahead_after),
        "trade_id": evidence.trade_id,
    }


def submit_report(desk: Desk, command: SubmitOrder, wall_ns: int) -> Report:
    """An order that was sent at `wall_ns`, with the terms that make its price and its size."""
    instrument, order = desk.trader.instrument, desk.trader.orders.order(command.client_id)
    reasons = Reasons() if order is None else order.reasons()
    return {
        "type": "order",
        "v": VERSION,
        "event": "submitted",
        "product": command.product,
        "time_ns": command.created_ns,
        "wall_ns": wall_ns,
        "client_id": command.client_id,
        "slot": command.slot,
        "purpose": command.purpose,
        "side": command.side.word,
        "price": None if command.price is None else instrument.price_text(command.price),
        "size": instrument.size_text(command.size),
        "post_only": command.post_only,
        "explain": objects(price_rows(instrument, reasons.price)),
        "explain_size": objects(size_rows(instrument, reasons.size)),
    }


def cancel_report(command: CancelOrder, wall_ns: int) -> Report:
    """A cancel that was asked for at `wall_ns`."""
    return {
        "type": "order",
        "v": VERSION,
        "event": "cancel_requested",
        "product": command.product,
        "time_ns": command.created_ns,
        "wall_ns": wall_ns,
        "client_id": command.client_id,
        "reason": command.reason,
    }


def order_report(event: Event, name: str, **details: object) -> Report:
    """An answer of the venue to one of our orders."""
    return _event(event, "order") | {"event": name} | details


def alert_report(alert: Alert) -> Report:
    """Something a person should know."""
    return _event(alert, "alert") | {
        "severity": alert.severity.value,
        "code": alert.code,
        "text": alert.text,
    }


def _event(event: Event, kind: str) -> Report:
    return {
        "type": kind,
        "v": VERSION,
        "product": event.product,
        "time_ns": event.recv_ns,
        "wall_ns": event.wall_ns,
    }
