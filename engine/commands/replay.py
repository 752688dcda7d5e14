"""`replay`: a recorded session computed anew, to verify it or to look at one of its moments."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.core.clock import SystemClock
from engine.core.errors import UsageError
from engine.runtime import status
from engine.runtime.desk import Desk
from engine.runtime.moments import parse
from engine.runtime.past_venue import PastVenue
from engine.runtime.playback_service import PlaybackEnd, PlaybackService
from engine.runtime.recorded_session import RecordedSession, open_recorded
from engine.runtime.replayer import take_apart
from engine.runtime.session_store import find
from engine.strategy.explain import objects, price_rows, size_rows
from engine.trader.trader import Trader

EXIT_DIVERGED = 1
_LEVELS = 5
Progress = Callable[[int, int], None]
"""Told of the records read, and of all there are."""


def verify(wanted: str, data_dir: Path, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Compute every command and digest of a session anew; the first difference, if there is one."""
    recorded = open_recorded(find(wanted, data_dir))
    last = recorded.last_seq
    replayer = recorded.replayer()
    began = time.perf_counter()
    for batch in recorded.batches():
        replayer.take(take_apart(batch))
        if replayer.batches % 1_000 == 0:
            progress(batch[-1].seq, last)
        if replayer.divergence is not None:
            break
    seconds = time.perf_counter() - began
    progress(last, last)
    digests = {product: trader.digest() for product, trader in replayer.traders.items()}
    ended = recorded.session.info.ended
    live = dict(replayer.recorded_digests) if ended is None else dict(ended.digests)
    divergence = replayer.divergence
    found = None
    if divergence is not None:
        found = {
            "seq": divergence.seq,
            "product": divergence.product,
            "expected": divergence.expected,
            "got": divergence.got,
        }
    elif ended is not None:
        for product, digest in digests.items():
            if live.get(product) != digest:
                found = {"seq": last, "product": product, "expected": live.get(product), "got": digest}
                break
    return {
        "v": 1,
        "session": recorded.session.name,
        "from_seq": recorded.from_seq,
        "last_seq": last,
        "events": replayer.events,
        "batches": replayer.batches,
        "commands": replayer.commands,
        "digests": replayer.digests,
        "digest_live": live,
        "digest_replayed": digests,
        "first_divergence": found,
        "events_per_s": round(replayer.events / seconds) if seconds else None,
        "exit_code": 0 if found is None else EXIT_DIVERGED,
    }


def verify_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    start = (
        "from its beginning"
        if answer["from_seq"] == 1
        else f"from record {answer['from_seq']} on, the first behind a kept state"
    )
    said = (
        f"session {answer['session']}, {start}: {answer['events']:,} events in {answer['batches']:,} "
        f"batches and "
        f"{answer['commands']:,} orders and cancels computed anew, {answer['digests']:,} digests compared"
    )
    found = answer["first_divergence"]
    if found is None:
        ends = "\n".join(f"  {product}  {digest}" for product, digest in answer["digest_replayed"].items())
        return f"{said}: no difference\n{ends}"
    return (
        f"{said}\nfirst difference: record {found['seq']}, {found['product']}\n  on record: "
        f"{found['expected']}\n"
        f"  computed:  {found['got']}"
    )


def folder_of(wanted: str, data_dir: Path) -> Path:
    """The folder of a session that can be played.

    Raises as `open_recorded` does for one that cannot, and `DamageError` where its last file is damaged;
    damage before that is met, and told, while it is played.
    """
    session = find(wanted, data_dir)
    recorded = open_recorded(session)
    for _ in recorded.batches(recorded.last_seq):
        pass
    return session.path


def serve(wanted: str, data_dir: Path, owner: socket.socket) -> int:
    """Play a session back for the console behind `owner`, until it ends; the exit code."""
    return asyncio.run(play(wanted, data_dir, owner)).exit_code


async def play(wanted: str, data_dir: Path, owner: socket.socket) -> PlaybackEnd:
    """The same on the caller's own loop."""
    session = find(wanted, data_dir)
    with owner:
        service = PlaybackService(open_recorded(session), session.config(), SystemClock())
        return await service.run(owner)


def state_at(wanted: str, data_dir: Path, moment: str) -> dict[str, Any]:
    """The state of every product after the last wake-up up to a moment of a session.

    A wake-up that a record stands in the middle of has not happened yet at that record: it is one thing.
    """
    recorded = open_recorded(find(wanted, data_dir))
    info = recorded.session.info
    last_ns, last_wall_ns = _last_moment(recorded)
    at = parse(moment, info.start_wall_ns, last_wall_ns)
    if (at.seq or 0) > recorded.last_seq or (at.time_ns or 0) > last_ns:
        raise UsageError(
            f"{moment}: the session does not reach there; it ends with record {recorded.last_seq}, at "
            f"{last_ns / 1e9:.3f} s"
        )
    replayer = recorded.replayer()
    seq, now_ns, wall_ns = recorded.from_seq - 1, 0, info.start_wall_ns
    if recorded.begin is not None:
        now_ns, wall_ns = recorded.begin.now_ns, recorded.begin.wall_ns
    if (at.seq is not None and at.seq < seq) or (at.time_ns is not None and at.time_ns < now_ns):
        raise UsageError(f"{moment}: what is kept of session {info.number} begins with record {seq + 1}")
    for batch in recorded.batches(to_seq=at.seq):
        parts = take_apart(batch)
        if at.seq is not None and parts.seq > at.seq:
            break
        if at.time_ns is not None and parts.events and parts.events[-1].recv_ns > at.time_ns:
            break
        replayer.take(parts)
        if replayer.divergence is not None:
            raise UsageError(f"{replayer.divergence.sentence()}; what came after cannot be computed")
        seq = parts.seq
        if parts.events:
            now_ns, wall_ns = parts.events[-1].recv_ns, parts.events[-1].wall_ns
    return {
        "v": 1,
        "session": recorded.session.name,
        "seq": seq,
        "time_ns": now_ns,
        "wall_ns": wall_ns,
        "products": [_state(trader, info.mode, now_ns) for trader in replayer.traders.values()],
    }


def state_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [f"session {answer['session']} after record {answer['seq']}, {answer['time_ns'] / 1e9:.3f} s"]
    for each in answer["products"]:
        lines += [
            "",
            f"{each['product']}  {each['state']}  book {each['connection']}  "
            f"{each['best_bid'] or 'none'} / {each['best_ask'] or 'none'}"
            + (f"  {each['note']}" if each["note"] else ""),
            f"  position {each['position']} {each['base']}  P&L {each['equity_change'] or 'n/a'} "
            f"(realised {each['realised_pnl']}, unrealised {each['unrealised_pnl'] or 'n/a'}, fees "
            f"{each['fees']}) "
            f"{each['quote']}  fills {each['fills']}",
        ]
        lines += [f"  {size:>16} at {price}" for price, size in reversed(each["asks"])]
        lines += ["  " + "-" * 24]
        lines += [f"  {size:>16} at {price}" for price, size in each["bids"]]
        for order in each["orders"]:
            why = "  ".join(f"{term['name']} {term['value']}" for term in order["why"])
            lines.append(
                f"  {order['slot']} {order['side']} {order['size']} at {order['price']}, {order['state']}, "
                f"filled "
                f"{order['filled']}" + (f"  = {why}" if why else "")
            )
    return "\n".join(lines)


def _state(trader: Trader, mode: str, now_ns: int) -> dict[str, Any]:
    report = status.status_report(Desk(trader, PastVenue()), mode, now_ns)
    for key in ("type", "v", "latency_ns", "rss_bytes", "time_ns", "seq"):
        report.pop(key, None)
    instrument, book = trader.instrument, trader.book
    snapshot = book.snapshot(_LEVELS)

    def levels(side: Any) -> list[list[str]]:
        return [[instrument.price_text(price), instrument.size_text(size)] for price, size in side]

    report["bids"], report["asks"] = levels(snapshot.bids), levels(snapshot.asks)
    report["orders"] = [
        {
            "client_id": order.client_id,
            "slot": order.slot,
            "side": order.side.word,
            "price": instrument.price_text(order.price),
            "size": instrument.size_text(order.size),
            "filled": instrument.size_text(order.filled),
            "state": order.state.value,
            "why": objects(price_rows(instrument, order.explain())),
            "why_size": objects(size_rows(instrument, order.explain_size())),
        }
        for order in trader.orders.open_orders()
    ]
    report["restrictions"] = [
        {"code": each.code, "state": each.state.name, "reason": each.reason, "release": each.release}
        for each in trader.risk.restrictions()
    ]
    return report


def _last_moment(recorded: RecordedSession) -> tuple[int, int]:
    """Engine and wall time of the last wake-up; the last files may have none."""
    for segment in reversed(recorded.reader.segments()):
        from_seq, last = max(segment.header.first_seq, recorded.from_seq), None
        for batch in recorded.batches(from_seq):
            if events := take_apart(batch).events:
                last = events[-1]
        if last is not None:
            return last.recv_ns, last.wall_ns
        if from_seq == recorded.from_seq:
            break
    begin = recorded.begin
    return (0, recorded.session.info.start_wall_ns) if begin is None else (begin.now_ns, begin.wall_ns)
