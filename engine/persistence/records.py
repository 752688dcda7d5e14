"""What a journal's records mean: the events that went into the Traders, the commands that came out.

A payload is the MessagePack of the tagged struct; `RecordType` groups them for people and for
retention. One wake-up of a desk is one batch, so a crash leaves all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, Self

import msgspec

from engine.core.events import (
    Alert,
    AnyCommand,
    AnyEvent,
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    DayCarried,
    EdgeStatus,
    FeedStatus,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
    Recovered,
    SettingsChange,
    StorageStatus,
    SubmitOrder,
    Term,
    Timer,
    TradePrint,
)
from engine.core.own_orders import Reasons
from engine.persistence.errors import DamageError
from engine.persistence.format import COMMIT, FRAME, FRAME_BYTES, HEADER_BYTES, MORE, SKIPPABLE, RecordType


class Note(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """What a record says that no Trader is shown."""


class SessionStarted(Note, frozen=True, gc=False, tag=True):
    """A process took the journal up; from a crash on, once for each process."""

    version: str
    pid: int


class SessionEnded(Note, frozen=True, gc=False, tag=True):
    """An orderly end: the reason, the exit code, and the orders that may still be open."""

    reason: str
    exit_code: int
    open_orders: tuple[str, ...] = ()


class StateDigest(Note, frozen=True, gc=False, tag=True):
    """`Trader.digest` of a product right after the batch before this one."""

    product: str
    digest: str


class Explained(Note, frozen=True, gc=False, tag=True):
    """Why the orders of the batch before this one are as they are, and why no others are wanted.

    It is for people: no Trader is shown it, and a crash right behind the orders may lose it. Quotes of one
    decision share most of their terms, so each term is there once and every order names its own.
    """

    product: str
    reason: str
    """Why nothing is quoted, or nothing on a side; empty when nothing is left out."""
    terms: tuple[Term, ...] = ()
    orders: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    """By client id: the places among `terms` of the price's (model units), and of the size's (lots)."""

    @classmethod
    def of(cls, product: str, reason: str, orders: Mapping[str, Reasons]) -> Self:
        """The record of these explanations, by client id."""
        places: dict[Term, int] = {}

        def placed(terms: tuple[Term, ...]) -> tuple[int, ...]:
            return tuple([places.setdefault(term, len(places)) for term in terms])

        named = {name: (placed(each.price), placed(each.size)) for name, each in orders.items()}
        return cls(product, reason, tuple(places), named)

    def reasons(self, client_id: str) -> Reasons:
        """Why that order has its price and its size. `KeyError` for an order that is not among them."""
        price, size = self.orders[client_id]
        return Reasons(tuple(self.terms[at] for at in price), tuple(self.terms[at] for at in size))


class SnapshotRef(Note, frozen=True, gc=False, tag=True):
    """A snapshot of the state after record `at_seq` is on the disk."""

    at_seq: int
    body_bytes: int


class LogCut(Note, frozen=True, gc=False, tag=True):
    """What was behind the last whole batch when the journal was opened, or what a repair cut away."""

    bytes_dropped: int
    records_dropped: int
    kept_as: str
    """The file that has it still."""


class Reconciled(Note, frozen=True, gc=False, tag=True):
    """Our orders compared with the venue's word: what was asked, and what became of each."""

    product: str
    asked: str
    decided: dict[str, str]
    """By client id: confirmed, never_arrived, or unresolved."""


class ArchiveDeleted(Note, frozen=True, gc=False, tag=True):
    """Archived segments were deleted because the configuration says so."""

    files: tuple[str, ...]
    reason: str


AnyNote = (
    SessionStarted
    | SessionEnded
    | StateDigest
    | Explained
    | SnapshotRef
    | LogCut
    | Reconciled
    | ArchiveDeleted
)
Recorded = AnyEvent | AnyCommand | Alert | AnyNote

TYPES: Final[dict[type[object], RecordType]] = {
    SubmitOrder: RecordType.ORDER_INTENT,
    OrderAccepted: RecordType.ORDER_ACK,
    OrderRejected: RecordType.ORDER_REJECT,
    CancelOrder: RecordType.CANCEL_INTENT,
    CancelRejected: RecordType.CANCEL_ACK,
    OrderCancelled: RecordType.CANCEL_ACK,
    OrderExpired: RecordType.CANCEL_ACK,
    OrderFilled: RecordType.FILL,
    OperatorCommand: RecordType.RISK_EVENT,
    StorageStatus: RecordType.RISK_EVENT,
    EdgeStatus: RecordType.RISK_EVENT,
    DayCarried: RecordType.RISK_EVENT,
    OrderUncertain: RecordType.ORDER_ACK,
    Alert: RecordType.RISK_EVENT,
    SettingsChange: RecordType.CONFIG_CHANGE,
    SessionStarted: RecordType.SESSION,
    SessionEnded: RecordType.SESSION,
    Reconciled: RecordType.RECONCILE,
    ArchiveDeleted: RecordType.CONFIG_CHANGE,
    SnapshotRef: RecordType.SNAPSHOT_REF,
    Recovered: RecordType.RECOVERED,
    LogCut: RecordType.RECOVERED,
    BookSnapshot: RecordType.MARKET_EVENT,
    BookUpdate: RecordType.MARKET_EVENT,
    TradePrint: RecordType.MARKET_EVENT,
    FeedStatus: RecordType.MARKET_EVENT,
    Timer: RecordType.TIMER_EVENT,
    StateDigest: RecordType.STATE_DIGEST,
    Explained: RecordType.EXPLANATION,
}
_MEANT: Final = frozenset(int(kind) for kind in RecordType if kind is not RecordType.SEAL)

encode: Final = msgspec.msgpack.Encoder().encode
"""The payload of anything that is recorded."""
_decode: Final[Callable[[bytes], Recorded]] = msgspec.msgpack.Decoder(Recorded).decode


class Entry(NamedTuple):
    """A record's meaning and the number of the (last) record that carries it."""

    seq: int
    ts_ns: int
    value: Recorded


def decode(payload: bytes, seq: int) -> Recorded:
    """What a payload says. `DamageError` for what this version cannot read."""
    try:
        return _decode(payload)
    except msgspec.MsgspecError as error:
        raise _unreadable(seq, error) from None


def batches_of(
    image: bytes, end: int, least_seq: int = 1, most_seq: int | None = None
) -> Iterator[list[Entry]]:
    """The batches of a segment whose records before offset `end` were found whole, in order.

    Batches that end below `least_seq` or begin above `most_seq` are left out. Records of unknown types that
    may be skipped, and SEALs, are left out; any other unknown type is a `DamageError`: a newer version's.
    """
    batch: list[Entry] = []
    parts: list[bytes] = []
    unpack, frame, entry, decode = FRAME.unpack_from, FRAME_BYTES, tuple.__new__, _decode
    at = HEADER_BYTES
    while at < end:
        length, _, seq, ts_ns, kind, flags, _ = unpack(image, at)
        start = at + frame
        at = (start + length + 7) & ~7
        if seq < least_seq:
            continue
        if kind in _MEANT:
            payload = image[start : start + length]
            if flags & MORE:
                parts.append(payload)
                continue
            if parts:
                payload = b"".join((*parts, payload))
                parts.clear()
            try:
                batch.append(entry(Entry, (seq, ts_ns, decode(payload))))
            except msgspec.MsgspecError as error:
                raise _unreadable(seq, error) from None
        elif kind != RecordType.SEAL and not kind & SKIPPABLE:
            raise DamageError(
                f"record {seq} has the unknown type {kind}: written by a newer version; use that version. "
                "Nothing was changed"
            )
        if flags & COMMIT:
            if batch:
                if most_seq is not None and batch[0].seq > most_seq:
                    return
                yield batch
            batch = []


def _unreadable(seq: int, error: Exception) -> DamageError:
    return DamageError(
        f"record {seq} cannot be read ({error}): written by a newer version; use that version. "
        "Nothing was changed"
    )
