"""Recordings of a venue's frames: reading the lines, and playing them as a `Feed`.

A recording is one JSON object per line, gzip-compressed or plain: `dir` (`connect`, `send`, `recv`),
`raw` (the text of the frame, byte for byte) and, where the recorder had a clock, one of `ts` (UNIX
seconds), `recv_local` or `recv_utc` (text times; one without a zone is read as UTC).
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

from engine.core.errors import RecordingError, UsageError
from engine.core.events import MarketEvent
from engine.core.instrument import Instrument
from engine.exchange.coinbase.wire.observed import ObservedInstruments
from engine.exchange.coinbase.wire.session import FeedSession
from engine.exchange.coinbase.wire.sessions import Api, detect_api, open_session

DIRECTIONS: Final = frozenset({"connect", "send", "recv"})
_GZIP_MAGIC: Final = b"\x1f\x8b"
_SECONDS_LIMIT: Final = 10**11
_LONGEST_HOLE_NS: Final = 6 * 3600 * 10**9
_TEXT_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """One line: its number (from 1), direction, recorded time (0 where none was known yet) and text."""

    line: int
    direction: str
    wall_ns: int
    raw: str


class _Line(msgspec.Struct, gc=False):
    dir: str
    raw: str
    ts: msgspec.Raw = msgspec.Raw()
    recv_local: msgspec.Raw = msgspec.Raw()
    recv_utc: msgspec.Raw = msgspec.Raw()


def read_recording(path: Path) -> Iterator[RecordedFrame]:
    """Stream the lines of a recording. A line without a time has the time of the line before.

    Raises `UsageError` for a file that cannot be opened, and `RecordingError`, naming file and line, for
    what is wrong inside: not gzip, gzip that ends early, a line that is not such a JSON object, and more
    than six hours between two lines, because the engine would have to live through them.
    """
    decoder = msgspec.json.Decoder(_Line)
    wall_ns, number = 0, 0
    try:
        with _open(path) as stream:
            for number, text in enumerate(stream, start=1):
                if text.isspace():
                    continue
                try:
                    line = decoder.decode(text)
                    if line.dir not in DIRECTIONS:
                        raise ValueError(f"`dir` is {line.dir[:20]!r}, not one of connect, send, recv")
                    previous_ns, wall_ns = wall_ns, _time_of(line, wall_ns)
                except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                    raise RecordingError(
                        f"{path}: line {number} is not a line of a recording: {error}. "
                        "The recording is damaged there, or is something else."
                    ) from None
                if previous_ns and wall_ns - previous_ns > _LONGEST_HOLE_NS:
                    hours = (wall_ns - previous_ns) / 3600e9
                    raise RecordingError(
                        f"{path}: line {number} is {hours:,.1f} hours later than the line before it. "
                        "Were two recordings joined? Replay them one by one."
                    )
                yield RecordedFrame(number, line.dir, wall_ns, line.raw)
    except EOFError:
        raise RecordingError(
            f"{path}: the compressed data ends early, after line {number}. The file was cut."
        ) from None
    except (OSError, zlib.error) as error:
        where = f" after line {number}" if number else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RecordingError(f"{path}: cannot be read{where}: {reason}") from None


def _open(path: Path) -> BinaryIO:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        is_gzip = stream.read(2) == _GZIP_MAGIC
        stream.seek(0)
        if is_gzip or path.suffix == ".gz":
            stream.close()
            return cast(BinaryIO, gzip.open(path, "rb"))
    except BaseException:
        stream.close()
        raise
    return stream


def _time_of(line: _Line, previous_ns: int) -> int:
    for raw in (line.ts, line.recv_local, line.recv_utc):
        text = bytes(raw).decode().strip('"')
        if text and text != "null":
            return parse_time_ns(text)
    return previous_ns


def parse_time_ns(text: str) -> int:
    """UNIX seconds in decimal, or an ISO time, as exact integer nanoseconds; `ValueError` if neither."""
    if match := _TEXT_TIME.fullmatch(text):
        day, clock, fraction, zone = match.groups()
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in (None, 'Z') else zone}")
        return int(moment.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0"))
    try:
        seconds = Decimal(text)
        if not abs(seconds) < _SECONDS_LIMIT:
            raise ValueError
        return int(seconds.scaleb(9))
    except (DecimalException, ValueError):
        raise ValueError(f"{text[:40]!r} is not a time") from None


def recorded_api(path: Path) -> Api:
    """Which of the venue's APIs a recording was made of. `RecordingError` when nothing in it tells."""
    for frame in read_recording(path):
        api = detect_api(frame.direction, frame.raw)
        if api is not None:
            return api
    raise RecordingError(f"{path}: none of its lines is a frame of Coinbase Advanced Trade or Exchange")


def observe(path: Path, until: Collection[str] = ()) -> ObservedInstruments:
    """The precision of every product in a recording, found by reading it through once.

    With `until` the reading ends as soon as all of those products have been seen.
    """
    observed = ObservedInstruments()
    add = observed.add_advanced if recorded_api(path) is Api.ADVANCED else observed.add_exchange
    for frame in read_recording(path):
        if frame.direction == "recv":
            add(frame.raw)
            if until and observed.has_seen(until):
                break
    return observed


class RecordingFeed:
    """A recording played as a `Feed`, at recorded times relative to its first line.

    `recv_ns` of the events counts nanoseconds since the first line and never goes back; `wall_ns` is
    what was recorded. Lines are read as they fall due, never all at once. `level3` is the body of an
    order-by-order snapshot of `level3_product`, for a recording of the full channel.
    """

    makes_market = False

    def __init__(
        self,
        path: Path,
        instruments: Mapping[str, Instrument],
        *,
        level3: bytes | None = None,
        level3_product: str = "",
    ) -> None:
        self.path = path
        self.session: FeedSession = open_session(recorded_api(path), instruments)
        self.lines = 0
        """Lines played so far, of every direction."""
        self._frames = read_recording(path)
        self.start_wall_ns = 0
        """Recorded time of the first line that has one."""
        self._due_ns = 0
        self._next: RecordedFrame | None = None
        self._peek()
        self._level3 = level3
        self._level3_product = level3_product

    def next_due_ns(self) -> int | None:
        """See `Feed`."""
        return None if self._next is None else self._due_ns

    def poll(self, now_ns: int) -> list[MarketEvent]:
        """See `Feed`."""
        events: list[MarketEvent] = []
        while self._next is not None and self._due_ns <= now_ns:
            events += self.step()
        return events

    def distrust(self, product: str, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `Feed`."""
        return self.session.mark_stale(product, reason, recv_ns, wall_ns)

    @property
    def is_exhausted(self) -> bool:
        """See `Feed`."""
        return self._next is None

    def step(self) -> list[MarketEvent]:
        """Play exactly one line, due or not; nothing when the recording has ended."""
        frame, recv_ns = self._next, self._due_ns
        if frame is None:
            return []
        self._peek()
        self.lines += 1
        if frame.direction == "connect":
            return self.session.on_connect(recv_ns, frame.wall_ns)
        if frame.direction == "send":
            return self.session.on_send(frame.raw, recv_ns, frame.wall_ns)
        events = self._load_level3(recv_ns, frame.wall_ns)
        return events + self.session.on_frame(frame.raw, recv_ns, frame.wall_ns)

    def _load_level3(self, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """The snapshot goes before the first frame: the session waits for it from then on."""
        body, self._level3 = self._level3, None
        if body is None:
            return []
        counters = self.session.counters
        refused = counters.malformed + counters.unknown
        events = self.session.load_level3(self._level3_product, body, recv_ns, wall_ns)
        if counters.malformed + counters.unknown > refused:
            raise RecordingError(
                f"the snapshot given for {self.path} is not an order-by-order book of "
                f"{self._level3_product or 'a product'}; give the body of GET /products/ID/book?level=3"
            )
        return events

    def _peek(self) -> None:
        self._next = frame = next(self._frames, None)
        if frame is None:
            return
        if not self.start_wall_ns:
            self.start_wall_ns = frame.wall_ns
        self._due_ns = max(self._due_ns, frame.wall_ns - self.start_wall_ns)
