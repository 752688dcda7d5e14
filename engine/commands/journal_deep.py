"""A session computed anew for `journal verify --deep`: from its beginning, and from every kept state.

State and what followed it must come to the same as everything from the beginning: the same commands and
digests as on record on the way, and the same digests at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.persistence.snapshots import Snapshot
from engine.runtime.recorded_session import RecordedSession, open_recorded
from engine.runtime.replayer import Divergence, Replayer, take_apart, traders_of
from engine.runtime.session_state import decode
from engine.runtime.session_store import StoredSession

_TELL_EVERY = 500
"""Batches."""


def computed_anew(session: StoredSession, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """What a replay came to. `progress` is told of the last record read, and of the last there is.

    Raises `UsageError` for a session that this version cannot express, `StateError` for such a state,
    `DamageError` where too little is left to begin with.
    """
    recorded = open_recorded(session)
    whole = recorded.replayer()
    states = [each for each in recorded.reader.snapshots() if recorded.from_seq <= each.seq]
    divergence = _run(recorded, whole, states, progress)
    return {
        "from_seq": recorded.from_seq,
        "events": whole.events,
        "commands": whole.commands,
        "digests": whole.digests,
        "states": len(states),
        "first_divergence": None
        if divergence is None
        else {
            "seq": divergence.seq,
            "product": divergence.product,
            "expected": divergence.expected,
            "got": divergence.got,
        },
    }


def _run(
    recorded: RecordedSession,
    whole: Replayer,
    states: list[Snapshot],
    progress: Callable[[int, int], None],
) -> Divergence | None:
    """Take everything, with one more replayer from each state on; the first difference of any of them."""
    waiting = list(states)
    begun: list[tuple[Snapshot, Replayer]] = []
    for number, batch in enumerate(recorded.batches()):
        while waiting and waiting[0].seq < batch[0].seq:
            begun.append((waiting[0], _replayer_from(recorded.session, waiting.pop(0))))
        parts = take_apart(batch)
        whole.take(parts)
        if whole.divergence is not None:
            return whole.divergence
        for snapshot, replayer in begun:
            replayer.take(parts)
            if replayer.divergence is not None:
                return _from_state(replayer.divergence, snapshot)
        if number % _TELL_EVERY == 0:
            progress(batch[-1].seq, recorded.last_seq)
    progress(recorded.last_seq, recorded.last_seq)
    digests = _digests(whole)
    begun += [(snapshot, _replayer_from(recorded.session, snapshot)) for snapshot in waiting]
    for snapshot, replayer in begun:
        if (different := _difference(digests, _digests(replayer), recorded.last_seq)) is not None:
            return _from_state(different, snapshot)
    ended = recorded.session.info.ended
    return None if ended is None else _difference(ended.digests, digests, recorded.last_seq)


def _replayer_from(session: StoredSession, snapshot: Snapshot) -> Replayer:
    state = decode(snapshot.body)
    traders = traders_of(session)
    for product, trader in traders.items():
        trader.load(state.desks[product].trader)
    return Replayer(traders)


def _digests(replayer: Replayer) -> dict[str, str]:
    return {product: trader.digest() for product, trader in replayer.traders.items()}


def _difference(expected: Mapping[str, str], got: Mapping[str, str], seq: int) -> Divergence | None:
    for product, digest in got.items():
        if expected.get(product) != digest:
            return Divergence(seq, product, f"the digest {expected.get(product)}", digest)
    return None


def _from_state(found: Divergence, snapshot: Snapshot) -> Divergence:
    return Divergence(
        found.seq, found.product, found.expected, f"{found.got} (from the state after record {snapshot.seq})"
    )
