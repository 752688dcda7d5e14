"""The faults of trading-safety section 10 as a table: how each is committed, and what must come of it.

One row is one fault in one variant. What every row asserts stands once, in `test_faults_of_the_engine`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from live import fault_deeds as deeds
from live import fault_signs as signs
from live.fault_deeds import Inject, at_an_order, cancels, late, market_reconnects, user_reconnects, venue
from live.fault_signs import Sign, counted, doubted, held, not_live, struck, told


class Meanwhile(enum.Enum):
    """What is true from the moment a fault is noticed until it is mended."""

    PULLED = enum.auto()
    """Nothing of ours rests at the venue, and nothing is sent."""
    MUTE = enum.auto()
    """Nothing is sent; what rests cannot be reached."""
    QUOTING = enum.auto()
    """Trading goes on: this is no fault that anybody should feel."""
    DOUBT = enum.auto()
    """One order is uncertain and its place stays blocked: nothing is sent there."""
    FREE = enum.auto()
    """Trading reacts as it likes; only the end counts."""


class End(enum.Enum):
    """How it ends."""

    ACTIVE = enum.auto()
    """Quoting again, by itself."""
    HALTED = enum.auto()
    """Until a person acts."""
    PAUSED = enum.auto()
    """No quotes, until a person acts."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row."""

    number: int
    """In section 10."""
    name: str
    inject: Inject
    sign: Sign
    """What shows that it was noticed."""
    within_s: float
    """The bound until then."""
    meanwhile: Meanwhile = Meanwhile.PULLED
    lasts_s: float = 0.5
    """From the notice until it is mended."""
    end: End = End.ACTIVE
    end_within_s: float = 20.0
    """From the mending."""
    check: Sign | None = None
    """What else must be true at the end."""
    is_slow: bool = False
    """For the nightly run only: dear, or much like another row."""

    @property
    def id(self) -> str:
        """For the name of its test."""
        return f"{self.number:02}-{self.name}"


L2 = "channel=l2_data"
USER = "path=/advanced-user"

FAULTS = (
    Fault(
        1, "connection-refused", deeds.market_refused, told("REFUSED"), 1.0, lasts_s=3.0, end_within_s=40.0
    ),
    Fault(
        1,
        "refused-for-five-minutes",
        deeds.market_refused,
        held("FEED"),
        301.0,
        lasts_s=1.0,
        end_within_s=60.0,
        is_slow=True,
    ),
    Fault(2, "no-dns", deeds.no_names, told("DNS"), 1.0, lasts_s=3.0, end_within_s=40.0),
    Fault(3, "syn-black-hole", deeds.no_network, told("TIMEOUT"), 5.6, end_within_s=40.0),
    Fault(
        5,
        "upgrade-401",
        market_reconnects("upgrade-status:401,path=/advanced,times=0"),
        held("FEED"),
        1.0,
        lasts_s=60.0,
        end=End.HALTED,
        check=signs.one_try,
    ),
    Fault(
        5,
        "upgrade-403",
        market_reconnects("upgrade-status:403,path=/advanced,times=0"),
        held("FEED"),
        1.0,
        lasts_s=60.0,
        end=End.HALTED,
        check=signs.one_try,
        is_slow=True,
    ),
    Fault(
        6,
        "order-429",
        at_an_order("rest-429:3,method=POST,path=*/orders"),
        held("RATE_LIMIT"),
        1.0,
        Meanwhile.MUTE,
        lasts_s=2.5,
    ),
    Fault(
        7,
        "order-500",
        at_an_order("rest-status:500,method=POST,path=*/orders"),
        doubted,
        2.5,
        Meanwhile.DOUBT,
        lasts_s=1.5,
    ),
    Fault(
        7,
        "order-503",
        at_an_order("rest-status:503,method=POST,path=*/orders"),
        doubted,
        2.5,
        Meanwhile.DOUBT,
        lasts_s=1.5,
        is_slow=True,
    ),
    Fault(
        7,
        "upgrade-503",
        market_reconnects("upgrade-status:503,path=/advanced,times=2"),
        not_live,
        0.5,
        end_within_s=60.0,
    ),
    Fault(8, "order-html", at_an_order("rest-html:method=POST,path=*/orders"), struck, 2.5, Meanwhile.FREE),
    Fault(9, "close-1000", venue(f"ws-close:1000,{L2}"), not_live, 0.5, lasts_s=0.0),
    Fault(9, "close-1001", venue(f"ws-close:1001,{L2}"), not_live, 0.5, lasts_s=0.0, is_slow=True),
    Fault(10, "close-1013", venue(f"ws-close:1013,{L2}"), not_live, 0.5, lasts_s=1.9, end_within_s=40.0),
    Fault(
        10,
        "close-4000",
        venue(f"ws-close:4000,{L2}"),
        not_live,
        0.5,
        lasts_s=1.9,
        end_within_s=40.0,
        is_slow=True,
    ),
    Fault(11, "reset", lambda bench: bench.market.reset(), not_live, 0.05, lasts_s=0.0),
    Fault(12, "half-close", lambda bench: bench.market.half_close(), not_live, 0.05, lasts_s=0.0),
    Fault(13, "half-open", deeds.half_open, not_live, 2.2, lasts_s=4.0, end_within_s=40.0),
    Fault(14, "half-open-down", deeds.down_only, not_live, 2.2, lasts_s=4.0, end_within_s=40.0, is_slow=True),
    Fault(
        14,
        "half-open-up",
        deeds.orders_unheard,
        doubted,
        2.5,
        Meanwhile.DOUBT,
        lasts_s=2.0,
        end_within_s=40.0,
    ),
    Fault(15, "silence", venue(f"ws-silence:{L2}"), not_live, 2.3, lasts_s=3.5, end_within_s=40.0),
    Fault(
        16, "heartbeats-jump", venue("ws-heartbeats-jump:5,nth=2,path=/advanced"), not_live, 2.6, lasts_s=0.0
    ),
    Fault(16, "heartbeats-stop", venue("ws-heartbeats-stop:path=/advanced"), not_live, 4.5, lasts_s=2.0),
    Fault(17, "300-ms-late", late(0.3), lambda bench: True, 0.1, Meanwhile.QUOTING, lasts_s=5.0),
    Fault(17, "1200-ms-late", late(1.2), not_live, 2.5, lasts_s=2.0, end_within_s=40.0),
    Fault(18, "1-kib-per-s", deeds.slow_line, not_live, 4.0, lasts_s=4.0, end_within_s=40.0),
    Fault(19, "1-byte-slices", deeds.sliced, lambda bench: True, 0.1, Meanwhile.QUOTING, lasts_s=1.0),
    Fault(
        20,
        "burst",
        venue(f"ws-burst:10000,{L2}"),
        counted("frames", 10_000),
        2.0,
        Meanwhile.QUOTING,
        is_slow=True,
    ),
    Fault(21, "gap", venue(f"ws-drop:{L2}"), not_live, 0.5, end_within_s=2.0, lasts_s=0.0),
    Fault(21, "skip", venue(f"ws-skip:3,{L2}"), not_live, 0.5, end_within_s=2.0, lasts_s=0.0, is_slow=True),
    Fault(22, "duplicate", venue(f"ws-duplicate:{L2}"), counted("duplicates"), 0.5, Meanwhile.QUOTING),
    Fault(23, "swap", venue(f"ws-swap:{L2}"), not_live, 0.5, lasts_s=0.0),
    Fault(
        24,
        "new-sequence",
        lambda bench: bench.market.cut(),
        signs.reconnected,
        1.5,
        lasts_s=0.0,
        check=lambda bench: bench.counted("gaps") == 0,
    ),
    Fault(
        25,
        "deltas-first",
        market_reconnects("ws-deltas-first"),
        counted("before_snapshot"),
        2.0,
        Meanwhile.FREE,
    ),
    Fault(25, "snapshot-again", venue("ws-snapshot-again"), struck, 0.5, Meanwhile.QUOTING),
    Fault(26, "truncated", venue(f"ws-truncate:{L2}"), counted("malformed"), 0.5, Meanwhile.FREE),
    Fault(26, "truncated-thrice", venue(f"ws-truncate:{L2},times=3"), not_live, 1.0, lasts_s=0.0),
    Fault(
        27,
        "flipped",
        venue(f"ws-flip:{L2}"),
        lambda bench: not_live(bench) or bench.counted("malformed"),
        0.5,
        Meanwhile.FREE,
    ),
    Fault(28, "binary", venue(f"ws-binary:{L2}"), counted("malformed"), 0.5, Meanwhile.FREE),
    Fault(28, "no-utf8", venue(f"ws-utf8:{L2}"), not_live, 0.5, lasts_s=0.0),
    Fault(29, "huge-frame", venue(f"ws-huge:64,{L2}"), not_live, 1.0, lasts_s=0.0, is_slow=True),
    Fault(29, "huge-fragments", venue(f"ws-fragments:64,{L2}"), not_live, 3.0, lasts_s=0.0, is_slow=True),
    Fault(29, "bomb", venue(f"ws-bomb:64,{L2}"), not_live, 1.0, lasts_s=0.0, is_slow=True),
    Fault(30, "deep-json", venue(f"ws-deep:100000,{L2}"), counted("malformed"), 0.5, Meanwhile.FREE),
    Fault(30, "long-integer", venue("ws-numbers:digits"), counted("malformed"), 0.5, Meanwhile.FREE),
    *[
        Fault(
            31,
            f"number-{each}",
            venue(f"ws-numbers:{each},{L2}"),
            counted("malformed"),
            0.5,
            Meanwhile.FREE,
            is_slow=each not in ("nan", "negative"),
        )
        for each in ("nan", "infinity", "1e999", "negative", "huge")
    ],
    Fault(32, "field-missing", venue(f"ws-fields:missing,{L2}"), counted("malformed"), 0.5, Meanwhile.FREE),
    Fault(
        32,
        "field-null",
        venue(f"ws-fields:null,{L2}"),
        counted("malformed"),
        0.5,
        Meanwhile.FREE,
        is_slow=True,
    ),
    Fault(
        32,
        "field-type",
        venue(f"ws-fields:type,{L2}"),
        counted("malformed"),
        0.5,
        Meanwhile.FREE,
        is_slow=True,
    ),
    Fault(32, "field-extra", venue(f"ws-fields:extra,{L2}"), struck, 0.5, Meanwhile.QUOTING),
    Fault(
        32, "unknown-channel", venue(f"ws-unknown-channel:{L2}"), counted("unknown"), 0.5, Meanwhile.QUOTING
    ),
    Fault(33, "duplicate-keys", venue(f"ws-duplicate-keys:{L2}"), struck, 0.5, Meanwhile.FREE),
    Fault(33, "other-product", venue(f"ws-other-product:{L2}"), struck, 0.5, Meanwhile.FREE),
    Fault(
        33,
        "unknown-order",
        deeds.external,
        lambda bench: True,
        0.1,
        Meanwhile.FREE,
        lasts_s=12.0,
        check=signs.external_is_left,
    ),
    *[
        Fault(
            34,
            f"time-{each}",
            venue(f"ws-times:{each},{L2}"),
            struck,
            0.5,
            Meanwhile.FREE,
            is_slow=each not in ("future", "year-1"),
        )
        for each in ("past", "future", "leap", "no-zone", "year-1")
    ],
    Fault(34, "venue-clock-off", deeds.clock_is_off, held("CLOCK"), 35.0, lasts_s=1.0, end_within_s=80.0),
    Fault(
        35,
        "clock-one-hour-on",
        deeds.clock_steps(1),
        lambda bench: True,
        0.1,
        Meanwhile.QUOTING,
        lasts_s=40.0,
    ),
    Fault(
        35,
        "clock-one-hour-back",
        deeds.clock_steps(-1),
        lambda bench: True,
        0.1,
        Meanwhile.QUOTING,
        lasts_s=40.0,
        is_slow=True,
    ),
    Fault(36, "order-lost", at_an_order("order-lost"), doubted, 2.5, Meanwhile.DOUBT, lasts_s=1.5),
    Fault(37, "ack-lost", at_an_order("order-ack-lost"), struck, 2.5, Meanwhile.FREE),
    Fault(38, "ack-late", at_an_order("order-ack-late:3"), struck, 1.0, Meanwhile.FREE),
    Fault(38, "fill-before-ack", at_an_order("order-fill-first"), struck, 1.0, Meanwhile.FREE),
    Fault(39, "fills-twice", at_an_order("fills-duplicate:times=0"), struck, 35.0, Meanwhile.FREE),
    Fault(
        39,
        "fills-reversed",
        at_an_order("fills-reversed:times=0"),
        struck,
        35.0,
        Meanwhile.FREE,
        is_slow=True,
    ),
    Fault(39, "overfill", deeds.overfilled, signs.halted, 2.0, lasts_s=1.0, end=End.HALTED),
    Fault(40, "cancel-of-filled", cancels("cancel-reject:filled"), struck, 1.0, Meanwhile.FREE),
    Fault(
        40, "cancel-of-unknown", cancels("cancel-reject:unknown"), struck, 1.0, Meanwhile.FREE, is_slow=True
    ),
    Fault(
        41,
        "reconnect-storm",
        deeds.slammed,
        not_live,
        0.5,
        lasts_s=60.0,
        end_within_s=70.0,
        check=signs.storm_contained,
    ),
    Fault(42, "loop-blocked", deeds.loop_blocked, held("LOOP"), 0.5, lasts_s=9.5, end_within_s=3.0),
    Fault(43, "server-reads-nothing", deeds.frozen, not_live, 11.0, end_within_s=40.0),
    Fault(
        44, "no-descriptors", deeds.no_descriptors, told("DESCRIPTORS"), 1.0, lasts_s=2.0, end_within_s=40.0
    ),
    Fault(
        45,
        "rest-down",
        deeds.rest_refused,
        held("RECONCILE"),
        12.0,
        Meanwhile.MUTE,
        lasts_s=3.0,
        end_within_s=40.0,
    ),
    Fault(
        5,
        "user-403",
        user_reconnects("upgrade-status:403,path=/advanced-user,times=0"),
        held("RECONCILE"),
        1.0,
        lasts_s=30.0,
        end=End.PAUSED,
    ),
    Fault(9, "user-close", venue(f"ws-close:1001,{USER}"), held("RECONCILE"), 1.5, lasts_s=0.0),
    Fault(11, "user-reset", lambda bench: bench.user.reset(), held("RECONCILE"), 0.1, lasts_s=0.0),
    Fault(13, "user-half-open", deeds.user_half_open, held("RECONCILE"), 5.5, lasts_s=2.0, end_within_s=40.0),
    Fault(
        15,
        "user-silence",
        venue(f"ws-silence:{USER}"),
        held("RECONCILE"),
        6.5,
        lasts_s=0.0,
        end_within_s=40.0,
    ),
    Fault(21, "user-gap", venue(f"ws-drop:{USER}"), held("RECONCILE"), 2.5, lasts_s=0.0),
    Fault(26, "user-truncated", venue(f"ws-truncate:{USER}"), held("RECONCILE"), 2.5, lasts_s=0.0),
    Fault(37, "fill-unheard", deeds.fill_unheard, held("RECONCILE"), 5.5, Meanwhile.FREE, end_within_s=40.0),
)
