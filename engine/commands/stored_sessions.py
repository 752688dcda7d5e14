"""The sessions of a data folder as lists show them: cheap to tell, whatever they hold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from engine.commands.journal_words import clock
from engine.config import Config
from engine.core.errors import PinnacleError
from engine.persistence.directory import is_in_use
from engine.persistence.disk import DISK
from engine.persistence.reader import JournalReader
from engine.persistence.snapshots import load, snapshot_names
from engine.runtime.session_state import decode
from engine.runtime.session_store import StoredSession, data_dir_of, sessions

RUNNING: Final = "running"
ENDED: Final = "ended"
UNFINISHED: Final = "unfinished"
_S: Final = 1_000_000_000


def folder_of(config: Config) -> Path:
    """The data folder of a configuration."""
    return data_dir_of(config)


def stored(data_dir: Path) -> list[dict[str, Any]]:
    """Every session, the newest first. One that has not ended is told by its last saved state."""
    return [_one(session) for session in reversed(sessions(data_dir))]


def _one(session: StoredSession) -> dict[str, Any]:
    info, ended = session.info, session.info.ended
    told: dict[str, Any] = {
        "name": session.name,
        "path": str(session.path),
        "mode": info.mode,
        "venue": info.venue,
        "products": list(info.products),
        "created_ns": info.created_ns,
        "start_wall_ns": info.start_wall_ns,
        "bytes": sum(entry.stat().st_size for entry in os.scandir(session.path) if entry.is_file()),
        "as_of_ns": None,
        "events": None,
        "profit": {},
        "reason": "",
        "exit_code": None,
    }
    if ended is not None:
        return told | {
            "state": ENDED,
            "as_of_ns": ended.wall_ns,
            "events": ended.events,
            "profit": ended.profit,
            "reason": ended.reason,
            "exit_code": ended.exit_code,
        }
    told["state"] = RUNNING if is_in_use(str(session.path)) else UNFINISHED
    return told | _as_saved(session)


def _as_saved(session: StoredSession) -> dict[str, Any]:
    """The figures of the last saved state; none where there is none that can be read."""
    instruments = {each.symbol: each for each in session.info.instruments}
    try:
        uuid = JournalReader(str(session.path)).uuid
        for name in reversed(snapshot_names(str(session.path), DISK)):
            state = decode(load(str(session.path), name, DISK, uuid).body)
            profit = {}
            for product, desk in state.desks.items():
                last = desk.watcher.profit[-1] if desk.watcher.profit else None
                profit[product] = None if last is None else instruments[product].money_text(last[1])
            events = sum(desk.trader.event_count for desk in state.desks.values())
            return {"as_of_ns": state.wall_ns, "events": events, "profit": profit}
    except (PinnacleError, OSError):  # `journal verify` says what is wrong with it
        pass
    return {}


def stored_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The list for people."""
    if not found:
        return ["no session is on the disk"]
    width = max(len(session["name"]) for session in found)
    return ["", *(f"{session['name']:<{width}}  {_words(session)}" for session in found)]


def _words(session: Mapping[str, Any]) -> str:
    match session["state"]:
        case "ended":
            state = f"ended with {session['exit_code']}, {session['reason']}"
        case "running":
            state = "runs"
        case _:
            state = "not ended in order: the next start goes on with it"
    begun = clock(session["created_ns"])[:19]
    size = f"{session['bytes'] / (1 << 20):.1f} MiB"
    if session["as_of_ns"] is None:
        return f"begun {begun}  {size}  {state}"
    span = (session["as_of_ns"] - session["start_wall_ns"]) // _S
    figures = "  ".join(f"{product} P&L {profit or 'n/a'}" for product, profit in session["profit"].items())
    as_of = "" if session["state"] == ENDED else "as last saved: "
    hours = f"{span // 3600}:{span // 60 % 60:02}:{span % 60:02}"
    return (
        f"begun {begun}  {as_of}{hours} of market  {session['events']:,} events  {figures}  {size}  {state}"
    )
