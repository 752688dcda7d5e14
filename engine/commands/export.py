"""`export`: what a recorded session came to, as tables for other programs.

The session is computed anew from its journal, as a replay does, and watched on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from engine.commands.export_files import Export
from engine.commands.export_schema import TABLES
from engine.commands.export_tables import DeskTables
from engine.core.errors import UsageError
from engine.persistence.errors import DamageError
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.runtime.past_venue import PastVenue
from engine.runtime.recorded_session import RecordedSession, open_recorded
from engine.runtime.replayer import Parts, Replayer, take_apart
from engine.runtime.session_store import find

Progress = Callable[[int, int], None]
"""Told of the records read, and of all there are."""
_TELL_EVERY: Final = 1_000
"""Batches."""


def export(
    wanted: str, data_dir: Path, folder: Path, form: str, progress: Progress = lambda *_: None
) -> dict[str, Any]:
    """Write a session's tables into a folder, in one of `export_files.FORMATS`; what was written.

    A session that runs, or was killed, is written as far as it is on record. Raises as `open_recorded` and
    `Export` do, `UsageError` where this version computes something else than is on record, `DamageError`
    where a record is damaged or a session that ended has lost its last ones. After any of them nothing stays
    written.
    """
    recorded = open_recorded(find(wanted, data_dir))
    replayer = recorded.replayer()
    desks = _desks(recorded, replayer)
    tables = {product: DeskTables(desk) for product, desk in desks.items()}
    with Export(folder, form, TABLES) as files:
        for batch in recorded.batches():
            parts = take_apart(batch)
            replayer.take(parts)
            if replayer.divergence is not None:
                raise UsageError(f"{replayer.divergence.sentence()}; nothing was written")
            if parts.events:
                _watch(desks[parts.product], tables[parts.product], parts, files)
            if replayer.batches % _TELL_EVERY == 0:
                progress(parts.seq, recorded.last_seq)
        _require_end(recorded, desks)
        for each in tables.values():
            for table, row in each.finish():
                files.write(table, row)
    progress(recorded.last_seq, recorded.last_seq)
    residuals = {
        product: desk.trader.instrument.money_text(desk.trader.ledger.residual)
        for product, desk in desks.items()
    }
    return {
        "v": 1,
        "session": recorded.session.name,
        "from_seq": recorded.from_seq,
        "last_seq": recorded.last_seq,
        "files": {name: str(path) for name, path in files.paths.items()},
        "rows": files.counts,
        "pnl_residual": residuals,
        "pnl_is_complete": {product: desk.trader.ledger.is_complete for product, desk in desks.items()},
    }


def export_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    since = (
        "" if answer["from_seq"] == 1 else f", from record {answer['from_seq']} on: before it none is kept"
    )
    lines = [f"session {answer['session']}{since}"]
    lines += [f"{answer['rows'][name]:>12,}  {path}" for name, path in answer["files"].items()]
    lines += [
        f"{product}: incomplete: a fee in another asset has no price, so the profit is overstated by it"
        for product, is_complete in answer["pnl_is_complete"].items()
        if not is_complete
    ]
    return "\n".join(lines)


def _desks(recorded: RecordedSession, replayer: Replayer) -> dict[str, Desk]:
    venue, begin = recorded.session.info.venue, recorded.begin
    desks = {product: Desk(trader, PastVenue(venue)) for product, trader in replayer.traders.items()}
    for product, desk in desks.items():
        if begin is not None:
            desk.watcher.load(begin.desks[product].watcher)
    return desks


def _require_end(recorded: RecordedSession, desks: Mapping[str, Desk]) -> None:
    """A session that ended must be on record up to its end: what is cut off there looks like a crash."""
    session = recorded.session
    if session.info.ended is None:
        return
    found = {product: desk.trader.digest() for product, desk in desks.items()}
    if found != session.info.ended.digests:
        raise DamageError(
            f"session {session.name} ended, and its records stop before that, with {recorded.last_seq}; look "
            "at it with `pinnacle-tui journal verify`. Nothing was written"
        )


def _watch(desk: Desk, tables: DeskTables, parts: Parts, files: Export) -> None:
    trader = desk.trader
    trader.drain_alerts()
    wake = WakeUp(parts.events, parts.commands, trader.drain_fills(), trader.orders.drain_ended())
    tables.on_fills(wake.fills)
    desk.watcher.on_wake_up(wake)
    for table, row in tables.rows(wake):
        files.write(table, row)
