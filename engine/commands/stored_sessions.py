"""The sessions of a data folder as lists show them: cheap to tell, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.commands.journal_stats import size_of
from engine.commands.journal_words import clock
from engine.config import Config
from engine.core.errors import PinnacleError
from engine.core.ledger import Ledger, LedgerState
from engine.persistence.directory import is_in_use, read_meta
from engine.persistence.disk import DISK
from engine.persistence.errors import DamageError
from engine.persistence.snapshots import load as load_snapshot
from engine.persistence.snapshots import snapshot_names
from engine.runtime.session_store import SessionInfo, StoredSession, data_dir_of, folders, load

RUNNING: Final = "running"
ENDED: Final = "ended"
UNFINISHED: Final = "unfinished"
UNREADABLE: Final = "unreadable"
_S: Final = 1_000_000_000
_NOTHING: Final = "-"


def folder_of(config: Config) -> Path:
    """The data folder of a configuration."""
    return data_dir_of(config)


def stored(data_dir: Path) -> list[dict[str, Any]]:
    """Every session, the newest first; one that does not say what it is comes last, with its trouble."""
    sessions: list[StoredSession] = []
    unreadable: list[dict[str, Any]] = []
    for path in sorted(folders(data_dir)):
        try:
            sessions.append(load(path))
        except PinnacleError as error:
            unreadable.append(
                {"name": path.name, "path": str(path), "state": UNREADABLE, "trouble": str(error)}
            )
    sessions.sort(key=lambda session: session.info.number, reverse=True)
    newest = _newest(sessions)
    return [_one(session, is_next=session.name in newest) for session in sessions] + unreadable


def _newest(sessions: Iterable[StoredSession]) -> set[str]:
    """The names of those that a start of their kind would look at; `sessions` has the newest first."""
    found: dict[object, str] = {}
    for session in sessions:
        info = session.info
        of_a_kind = (info.mode, info.products, *map(info.settings.get, ("engine.input", "exchange.name")))
        found.setdefault(of_a_kind, session.name)
    return set(found.values())


def _one(session: StoredSession, *, is_next: bool) -> dict[str, Any]:
    info, ended = session.info, session.info.ended
    told: dict[str, Any] = {
        "name": session.name,
        "path": str(session.path),
        "mode": info.mode,
        "venue": info.venue,
        "products": list(info.products),
        "quotes": {instrument.symbol: instrument.quote for instrument in info.instruments},
        "created_ns": info.created_ns,
        "start_wall_ns": info.start_wall_ns,
        "bytes": size_of(session.path),
        "as_of_ns": None,
        "span_ns": None,
        "events": None,
        "fills": None,
        "profit": {},
        "reason": "",
        "exit_code": None,
        "is_continued": False,
    }
    if ended is not None:
        told |= {
            "state": ENDED,
            "as_of_ns": ended.wall_ns,
            "events": ended.events,
            "fills": ended.fills,
            "profit": ended.profit,
            "reason": ended.reason,
            "exit_code": ended.exit_code,
        }
    else:
        is_running = is_in_use(str(session.path))
        told |= {"state": RUNNING if is_running else UNFINISHED, "is_continued": is_next and not is_running}
        told |= _as_saved(session)
    if told["as_of_ns"] is not None:
        told["span_ns"] = told["as_of_ns"] - info.start_wall_ns
    return told


class _TraderGlance(msgspec.Struct):
    event_count: int
    ledger: LedgerState


class _DeskGlance(msgspec.Struct):
    trader: _TraderGlance


class _Glance(msgspec.Struct):
    """As much of a `SessionState` as a list needs: the rest is skipped, not decoded."""

    wall_ns: int
    desks: dict[str, _DeskGlance]


def _as_saved(session: StoredSession) -> dict[str, Any]:
    """The figures of the last saved state that can be read; none where there is none."""
    path = str(session.path)
    try:
        uuid = bytes.fromhex(read_meta(path).uuid)
        names = snapshot_names(path, DISK)
    except (PinnacleError, OSError):  # `journal verify` says what is wrong with it
        return {}
    for name in reversed(names):
        try:
            glance = msgspec.msgpack.decode(load_snapshot(path, name, DISK, uuid).body, type=_Glance)
        except (DamageError, OSError, msgspec.MsgspecError):
            continue
        return _figures(session.info, glance)
    return {}


def _figures(info: SessionInfo, glance: _Glance) -> dict[str, Any]:
    profits = {}
    for instrument in info.instruments:
        ledger = Ledger(instrument, 0)
        ledger.load(glance.desks[instrument.symbol].trader.ledger)
        profit = ledger.profit
        profits[instrument.symbol] = None if profit is None else instrument.money_text(profit)
    traders = [desk.trader for desk in glance.desks.values()]
    return {
        "as_of_ns": glance.wall_ns,
        "events": sum(trader.event_count for trader in traders),
        "fills": sum(trader.ledger.fill_count for trader in traders),
        "profit": profits,
    }


def stored_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The list for people."""
    if not found:
        return ["no session is on the disk"]
    rows = [("session", "begun", "of market", "events", "fills", "on disk", "P&L", "")]
    rows += [_row(session) for session in found if session["state"] != UNREADABLE]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"{name:<{widths[0]}}  {begun:<{widths[1]}}  {span:>{widths[2]}}  {events:>{widths[3]}}  "
        f"{fills:>{widths[4]}}  {size:>{widths[5]}}  {profit:<{widths[6]}}  {state}".rstrip()
        for name, begun, span, events, fills, size, profit, state in rows
    ]
    lines += [f"{each['name']}  {each['trouble']}" for each in found if each["state"] == UNREADABLE]
    return ["", *lines]


def _row(session: Mapping[str, Any]) -> tuple[str, str, str, str, str, str, str, str]:
    profits = ", ".join(
        f"{product} {_profit(profit)} {session['quotes'][product]}"
        for product, profit in session["profit"].items()
    )
    return (
        session["name"],
        clock(session["created_ns"])[:19],
        _span(session["span_ns"]),
        _count(session["events"]),
        _count(session["fills"]),
        f"{session['bytes'] / (1 << 20):,.1f} MiB",
        profits or _NOTHING,
        _state(session),
    )


def _state(session: Mapping[str, Any]) -> str:
    if session["state"] == ENDED:
        code = session["exit_code"]
        return f"ended{f' with {code}' if code else ''}: {session['reason']}"
    as_of = "no figures were saved yet"
    if session["as_of_ns"] is not None:
        as_of = f"figures as last saved, at {clock(session['as_of_ns'])[:19]} of its market"
    if session["state"] == RUNNING:
        return f"runs; {as_of}"
    goes_on = (
        "the next start goes on with it" if session["is_continued"] else "a newer session took its place"
    )
    return f"not ended in order, {goes_on}; {as_of}"


def _profit(text: str | None) -> str:
    if text is None:
        return "n/a"
    return text if text.startswith("-") or text == "0" else f"+{text}"


def _span(ns: int | None) -> str:
    if ns is None:
        return _NOTHING
    seconds = ns // _S
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _count(number: int | None) -> str:
    return _NOTHING if number is None else f"{number:,}"
