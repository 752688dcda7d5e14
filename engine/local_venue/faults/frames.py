"""Faults of one WebSocket connection: what becomes of each frame that was to leave on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from engine.local_venue.faults import payloads, wire_frames
from engine.local_venue.faults.catalogue import Nature, Place
from engine.local_venue.faults.plan import Fault, FaultPlan, Occasion

_CHANNEL: Final = re.compile(r'"channel":\s*"(\w+)"')
_TYPE: Final = re.compile(r'"type":\s*"(\w+)"')
_PRODUCT: Final = re.compile(r'"product_id":\s*"([^"]+)"')
_SEQUENCE: Final = re.compile(r'("sequence(_num)?":\s*)(\d+)')
_HEAD: Final = 400
"""Where in a frame its channel, its type and its product stand; a book may be megabytes long."""
_ORDER_HEAD: Final = 2_000
"""An event of an order is no longer than this."""
_HEARTBEATS: Final = frozenset({"heartbeats", "heartbeat"})
_UNDATED: Final = frozenset({"subscriptions", "error", "status"})


@dataclass(frozen=True, slots=True)
class Text:
    """Send this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Wire:
    """Write these bytes behind what was sent, past the WebSocket library."""

    pieces: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, and everything behind waits too."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket."""

    code: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the TCP connection."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """End our half of the TCP connection."""


Step = Text | Wire | Pause | Close | Reset | HalfClose
Resnapshot = Callable[[str], str | None]
"""The whole book of a product as a frame of this connection, or None where it has none."""


class FrameFaults:
    """What the plan does to the frames of one connection."""

    def __init__(self, plan: FaultPlan, path: str, resnapshot: Resnapshot) -> None:
        self._plan = plan
        self._path = path
        self._resnapshot = resnapshot
        self._is_silent = False
        self._held: str | None = None
        self._skipped = 0
        """Numbers that were left out of the sequence, seen by the client as a gap."""
        self._inserted = 0
        """Frames more than the venue numbered; fewer where it is below 0."""

    def pass_on(self, text: str) -> list[Step]:
        """What to do for a frame that was to leave now, in order."""
        if self._is_silent:
            return []
        if self._plan.is_idle and self._held is None and not (self._skipped or self._inserted):
            return [Text(text)]
        steps: list[Step] = []
        frame = self._numbered(text)
        occasion = self._occasion(frame)
        is_held_back = False
        released, self._held = self._held, None
        remaining: str | None = frame
        for fault in self._plan.strikes_at(occasion):
            if remaining is None:
                break
            if fault.kind.name == "ws-swap":
                is_held_back = True
                continue
            remaining = self._strike(fault, remaining, steps)
        if remaining is not None and is_held_back and released is None:
            self._held = remaining
        elif remaining is not None:
            steps.append(Text(remaining))
        if released is not None and not self._is_silent:
            steps.append(Text(released))
        return steps

    def _strike(self, fault: Fault, frame: str, steps: list[Step]) -> str | None:
        """Add what comes in place of the frame or before it; the frame as it is then, None if it is gone."""
        name = fault.kind.name
        if name in _INSTEAD:
            steps += _INSTEAD[name](self._plan, fault, frame)
            return None
        if name in _CHANGED:
            return _CHANGED[name](self._plan, fault, frame)
        if name in _BEFORE:
            steps += _BEFORE[name](fault)
            return frame
        if name == "ws-duplicate":
            steps.append(Text(frame))
        elif name == "ws-skip":
            self._skipped += int(fault.number)
            return _renumbered(frame, int(fault.number))
        elif name == "ws-heartbeats-stop":
            self._inserted -= 1
            return None
        elif name == "ws-silence":
            self._is_silent = True
            return None
        elif name == "ws-burst":
            return self._burst(frame, int(fault.number), steps)
        elif name == "ws-snapshot-again":
            return self._again(frame, steps)
        elif name == "ws-deltas-first":
            return self._insert(payloads.change_before(frame), frame, steps)
        else:
            return self._insert(payloads.unknown_channel(frame), frame, steps)
        return frame

    def _insert(self, inserted: str, frame: str, steps: list[Step]) -> str:
        """A frame more, in the place and with the number of `frame`, which takes the next number."""
        steps.append(Text(inserted))
        self._inserted += 1
        return _renumbered(frame, 1, counts_connection_only=True)

    def _burst(self, frame: str, count: int, steps: list[Step]) -> str:
        for _ in range(count - 1):
            frame = self._insert(frame, frame, steps)
        return frame

    def _again(self, frame: str, steps: list[Step]) -> str | None:
        """The snapshot, which holds what the frame would change, in its place and under its number."""
        product = _PRODUCT.search(frame)
        snapshot = self._resnapshot(product[1]) if product else None
        number = _SEQUENCE.search(frame)
        if snapshot is None:
            return frame
        if number is not None and number[2]:
            snapshot = _SEQUENCE.sub(rf"\g<1>{number[3]}", snapshot, count=1)
        return snapshot

    def _numbered(self, text: str) -> str:
        text = _renumbered(text, self._inserted, counts_connection_only=True)
        return _renumbered(text, self._skipped)

    def _occasion(self, frame: str) -> Occasion:
        found = _CHANNEL.search(frame, 0, _HEAD) or _TYPE.search(frame, 0, _HEAD)
        channel = found[1] if found else ""
        return Occasion(Place.FRAME, self._path, "", channel, _nature(channel, frame))


def _nature(channel: str, frame: str) -> Nature:
    if channel in _HEARTBEATS:
        return Nature.HEARTBEAT
    if channel == "snapshot":
        return Nature.SNAPSHOT
    if channel == "l2update":
        return Nature.CHANGE
    if channel == "l2_data":
        kind = _TYPE.search(frame, 0, _HEAD)
        return Nature.SNAPSHOT if kind is not None and kind[1] == "snapshot" else Nature.CHANGE
    if channel == "user" or '"user_id"' in frame[:_ORDER_HEAD]:
        return Nature.ORDER
    return Nature.OTHER if channel in _UNDATED else Nature.DATA


def _renumbered(text: str, by: int, *, counts_connection_only: bool = False) -> str:
    """The frame with its sequence number moved; the connection's own number is `sequence_num`."""
    found = _SEQUENCE.search(text) if by else None
    if found is None or (counts_connection_only and not found[2]):
        return text
    return f"{text[: found.start()]}{found[1]}{int(found[3]) + by}{text[found.end() :]}"


_Instead = Callable[[FaultPlan, Fault, str], list[Step]]
_Changed = Callable[[FaultPlan, Fault, str], str]

_INSTEAD: Final[dict[str, _Instead]] = {
    "ws-drop": lambda plan, fault, frame: [],
    "ws-truncate": lambda plan, fault, frame: [Text(frame[: len(frame) // 2])],
    "ws-flip": lambda plan, fault, frame: [
        Wire([wire_frames.frame(payloads.flipped(frame, plan.random))]),
    ],
    "ws-binary": lambda plan, fault, frame: [
        Wire([wire_frames.frame(frame.encode(), wire_frames.BINARY)]),
    ],
    "ws-utf8": lambda plan, fault, frame: [Wire([wire_frames.frame(b"\xff\xfe" + frame.encode())])],
    "ws-close": lambda plan, fault, frame: [Close(int(fault.number))],
    "ws-reset": lambda plan, fault, frame: [Reset()],
    "ws-half-close": lambda plan, fault, frame: [HalfClose()],
}
"""What comes in place of the frame."""

_CHANGED: Final[dict[str, _Changed]] = {
    "ws-heartbeats-jump": lambda plan, fault, frame: payloads.jumped_heartbeat(frame, int(fault.number)),
    "ws-fields": lambda plan, fault, frame: payloads.wrong_fields(frame, fault.argument, plan.random),
    "ws-duplicate-keys": lambda plan, fault, frame: payloads.doubled_keys(frame),
    "ws-other-product": lambda plan, fault, frame: payloads.other_product(frame),
    "ws-other-order": lambda plan, fault, frame: payloads.other_order(frame, plan.random),
    "ws-numbers": lambda plan, fault, frame: payloads.wrong_numbers(frame, fault.argument),
    "ws-times": lambda plan, fault, frame: payloads.wrong_times(frame, fault.argument),
    "ws-crossed": lambda plan, fault, frame: payloads.crossed(frame),
}
"""How the frame is altered."""

_BEFORE: Final[dict[str, Callable[[Fault], list[Step]]]] = {
    "ws-delay": lambda fault: [Pause(fault.number)],
    "ws-error": lambda fault: [Text(payloads.text_of({"type": "error", "message": fault.argument}))],
    "ws-deep": lambda fault: [Text("[" * int(fault.number) + "]" * int(fault.number))],
    "ws-huge": lambda fault: [Wire(wire_frames.huge(int(fault.number)))],
    "ws-fragments": lambda fault: [Wire(wire_frames.fragments(int(fault.number)))],
    "ws-bomb": lambda fault: [Wire([wire_frames.bomb(int(fault.number))])],
}
"""What comes before the frame."""
