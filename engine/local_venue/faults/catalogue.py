"""The faults that the local venue can commit: their names, what each takes, and what it does."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple


class Place(enum.StrEnum):
    """Where in the venue a fault strikes; each place counts its own occasions."""

    REQUEST = "request"
    """A REST request."""
    ORDER = "order"
    """A REST request that places an order."""
    CANCEL = "cancel"
    """A REST request that cancels."""
    FILLS = "fills"
    """A REST request that lists fills."""
    UPGRADE = "upgrade"
    """A WebSocket being opened."""
    FRAME = "frame"
    """A WebSocket frame leaving."""


class Nature(enum.StrEnum):
    """What a frame is, as far as faults care; OTHER is neither of these and no market or order data."""

    HEARTBEAT = "heartbeat"
    SNAPSHOT = "snapshot"
    """A whole book."""
    CHANGE = "change"
    """A change of a book."""
    ORDER = "order"
    """What became of orders of the account."""
    DATA = "data"
    """Any other data: trades, tickers."""
    OTHER = "other"


class Kind(NamedTuple):
    """One fault by name."""

    name: str
    place: Place
    text: str
    """What it does, for people."""
    argument: str = ""
    """What its argument is, for people; empty: it takes none."""
    default: str = ""
    choices: tuple[str, ...] = ()
    """The words its argument may be; empty: any that `is_number` allows."""
    is_number: bool = False
    times: int = 1
    """How often it strikes unless told; 0 is for ever."""
    needs: frozenset[Nature] = frozenset()
    """The frames that it can do something to; empty: all."""


def _seconds(name: str, place: Place, text: str, default: str) -> Kind:
    return Kind(name, place, text, "SECONDS", default, is_number=True)


def _count(name: str, place: Place, text: str, word: str, default: str) -> Kind:
    return Kind(name, place, text, word, default, is_number=True)


def _choice(
    name: str, place: Place, text: str, *choices: str, needs: frozenset[Nature] = frozenset()
) -> Kind:
    return Kind(name, place, text, "|".join(choices), choices[0], choices, needs=needs)


_HEARTBEAT = frozenset({Nature.HEARTBEAT})
_SNAPSHOT = frozenset({Nature.SNAPSHOT})
_CHANGE = frozenset({Nature.CHANGE})
_ORDERS = frozenset({Nature.ORDER})
_DATA = frozenset({Nature.SNAPSHOT, Nature.CHANGE, Nature.ORDER, Nature.DATA})
_REQUEST, _ORDER, _FRAME, _UPGRADE = Place.REQUEST, Place.ORDER, Place.FRAME, Place.UPGRADE

_KINDS: Final = (
    Kind("rest-drop-request", _REQUEST, "the connection ends; nothing was done"),
    Kind("rest-drop-answer", _REQUEST, "it is done, then the connection ends without an answer"),
    _seconds("rest-delay", _REQUEST, "it is done, and answered, late", "3"),
    _seconds("rest-late-answer", _REQUEST, "it is done at once and answered late", "3"),
    _count("rest-status", _REQUEST, "refused with this status, JSON for 4xx and HTML for 5xx", "CODE", "503"),
    _seconds("rest-429", _REQUEST, "refused for its rate, with Retry-After", "1"),
    Kind("rest-html", _REQUEST, "it is done and answered by a web page with 200"),
    Kind("rest-truncated", _REQUEST, "it is done; half of the answer comes, then the connection ends"),
    Kind("rest-garbage", _REQUEST, "it is done and answered with 200 and broken JSON"),
    Kind("rest-wrong-json", _REQUEST, "it is done and answered with 200 and JSON of another shape"),
    Kind("rest-redirect", _REQUEST, "sent elsewhere (307); nothing was done", "URL", "https://localhost/"),
    Kind("order-lost", _ORDER, "the order never arrives; the connection ends"),
    Kind("order-ack-lost", _ORDER, "the order is taken, its answer is lost"),
    _seconds("order-ack-late", _ORDER, "the order is taken at once and answered late", "3"),
    _count(
        "order-fill-first",
        _ORDER,
        "a stranger takes this part of the resting order before its answer leaves",
        "PART",
        "1",
    ),
    Kind("order-reject", _ORDER, "the order is refused", "REASON", "", times=0),
    _count(
        "order-overfill",
        _ORDER,
        "the order, once it rests, is filled by this multiple of its size",
        "MULTIPLE",
        "2",
    ),
    _choice("cancel-reject", Place.CANCEL, "cancels are refused", "unknown", "filled"),
    _count(
        "cancel-fill-first",
        Place.CANCEL,
        "a stranger takes this part of the order just before its cancel",
        "PART",
        "1",
    ),
    _count(
        "cancel-fill-after",
        Place.CANCEL,
        "this part of what was left of the order turns out to be filled after its cancel",
        "PART",
        "0.5",
    ),
    Kind("fills-duplicate", Place.FILLS, "every fill is listed twice"),
    Kind("fills-reversed", Place.FILLS, "the list of fills comes in the opposite order"),
    Kind("fills-empty", Place.FILLS, "the list of fills comes empty"),
    _count("upgrade-status", _UPGRADE, "the WebSocket is refused with this status", "CODE", "401"),
    Kind("upgrade-stall", _UPGRADE, "the request for a WebSocket is never answered"),
    Kind("upgrade-close", _UPGRADE, "the WebSocket is accepted and closed at once"),
    Kind("ws-drop", _FRAME, "the frame is lost: a gap in the sequence"),
    Kind("ws-duplicate", _FRAME, "the frame comes twice"),
    Kind("ws-swap", _FRAME, "the frame comes after its successor"),
    _seconds("ws-delay", _FRAME, "this frame and all behind it come late", "1"),
    Kind("ws-truncate", _FRAME, "the second half of the text is missing"),
    Kind("ws-flip", _FRAME, "bits of the text are flipped"),
    Kind("ws-binary", _FRAME, "the frame is binary"),
    Kind("ws-utf8", _FRAME, "the text is no UTF-8"),
    _count("ws-skip", _FRAME, "the sequence jumps ahead by this many and goes on from there", "FRAMES", "1"),
    Kind(
        "ws-heartbeats-stop",
        _FRAME,
        "heartbeats stay away; the sequence shows no gap",
        times=0,
        needs=_HEARTBEAT,
    ),
    Kind(
        "ws-heartbeats-jump",
        _FRAME,
        "the heartbeats' counter jumps ahead",
        "BEATS",
        "5",
        is_number=True,
        needs=_HEARTBEAT,
    ),
    Kind("ws-error", _FRAME, "an error frame comes before the frame", "TEXT", "failure to subscribe"),
    Kind("ws-unknown-channel", _FRAME, "a frame of an unknown channel comes before the frame"),
    _choice(
        "ws-fields", _FRAME, "fields are not as documented", "extra", "missing", "null", "type", needs=_DATA
    ),
    Kind("ws-duplicate-keys", _FRAME, "every key of the outermost object stands there twice"),
    Kind("ws-other-product", _FRAME, "the frame names a product that nobody asked for", needs=_DATA),
    Kind("ws-other-order", _FRAME, "the frame tells of an order that nobody placed", needs=_ORDERS),
    _choice(
        "ws-numbers",
        _FRAME,
        "prices and sizes are no numbers that a book can hold",
        "nan",
        "infinity",
        "1e999",
        "negative",
        "zero",
        "huge",
        "digits",
        needs=_DATA,
    ),
    _choice("ws-times", _FRAME, "times are wrong", "past", "future", "leap", "no-zone", "year-1"),
    Kind("ws-crossed", _FRAME, "a change of the book crosses it", needs=_CHANGE),
    Kind("ws-deltas-first", _FRAME, "a change of the book comes before its snapshot", needs=_SNAPSHOT),
    Kind("ws-snapshot-again", _FRAME, "the book's snapshot comes again in mid-stream", needs=_CHANGE),
    Kind(
        "ws-burst",
        _FRAME,
        "a change of the book comes this many times at once, well numbered",
        "FRAMES",
        "10000",
        is_number=True,
        needs=_CHANGE,
    ),
    _count("ws-deep", _FRAME, "JSON nested this deep comes before the frame", "DEPTH", "100000"),
    _count("ws-huge", _FRAME, "one frame of this size comes before the frame", "MIB", "64"),
    _count("ws-fragments", _FRAME, "a message of this size in fragments comes before it", "MIB", "64"),
    _count("ws-bomb", _FRAME, "a compressed frame that inflates to this size comes before it", "MIB", "256"),
    Kind("ws-silence", _FRAME, "no frame comes any more on this connection; pings are answered"),
    _count("ws-close", _FRAME, "closed with this code in place of the frame", "CODE", "1000"),
    Kind("ws-reset", _FRAME, "the TCP connection is reset in place of the frame"),
    Kind("ws-half-close", _FRAME, "the venue's half of the TCP connection ends in place of the frame"),
)

CATALOGUE: Final = {kind.name: kind for kind in _KINDS}


def catalogue_text() -> str:
    """All faults, for people."""
    heads = [f"{kind.name}[:{kind.argument}]" if kind.argument else kind.name for kind in _KINDS]
    width = max(map(len, heads))
    lines = [
        f"  {head:<{width}}  {kind.text}{_defaults(kind)}" for head, kind in zip(heads, _KINDS, strict=True)
    ]
    return "\n".join([_GRAMMAR, "", *lines])


def _defaults(kind: Kind) -> str:
    words = [kind.default] if kind.default else []
    words += ["every time"] if not kind.times else []
    return f" ({', '.join(words)})" if words else ""


_GRAMMAR: Final = """\
A fault is NAME[:ITEM[,ITEM...]]; an ITEM is the fault's argument or one of
  nth=N       strike at the N-th occasion from now on (1)
  times=N     strike at so many occasions in a row (1 unless said below; 0: at every one)
  p=X         strike at an occasion with this probability, drawn from the seed (1)
  method=M    only requests of this method, as POST
  path=GLOB   only requests or WebSockets whose path fits, as */orders/batch_cancel
  channel=C   only frames of this channel, by its name on the wire, as l2_data, user or l2update"""
