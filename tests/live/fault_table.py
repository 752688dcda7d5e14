"""The faults of trading-safety section 10 as a table: how each is committed, and what must come of it.

One row is one fault in one variant. What every row asserts stands once, in `test_faults_of_the_engine`.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from fault_bench import FaultBench, S
from fault_proxy import Door

from engine.core.order import Side

Inject = Callable[[FaultBench], Awaitable[None] | None]
Sign = Callable[[FaultBench], object]


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
    """In section 10; 0 for one that stands not there."""
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


# -- how faults are committed ------------------------------------------------------------------------------


def venue(*faults: str) -> Inject:
    """The venue commits these faults at their next occasions."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)

    return inject


def at_an_order(*faults: str) -> Inject:
    """The same, with an occasion: a stranger takes our bid, so that a new one is sent."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        take_bid(bench)

    return inject


def take_bid(bench: FaultBench) -> None:
    """A stranger fills our bid."""
    bid = next(order for order in bench.venue.core.live_orders() if order.side is Side.BUY)
    bench.stranger_takes(bid.client_order_id)


def market_reconnects(*faults: str) -> Inject:
    """The venue commits these faults when market data is connected anew, which it has to be now."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        bench.market.cut()

    return inject


async def market_refused(bench: FaultBench) -> None:
    await bench.market.refuse()
    bench.market.cut()


def no_names(bench: FaultBench) -> None:
    bench.loop.has_names = False
    bench.market.cut()


def no_network(bench: FaultBench) -> None:
    bench.loop.has_network = False
    bench.market.cut()


def no_descriptors(bench: FaultBench) -> None:
    bench.loop.has_descriptors = False
    bench.market.cut()


def half_open(bench: FaultBench) -> None:
    bench.market.swallow()


def down_only(bench: FaultBench) -> None:
    bench.market.down.is_swallowing = True


def orders_unheard(bench: FaultBench) -> None:
    """What we ask by REST vanishes, and there is something to ask."""
    bench.rest.up.is_swallowing = True
    take_bid(bench)


def late(seconds: float) -> Inject:
    def inject(bench: FaultBench) -> None:
        bench.market.down.delay_s, bench.market.down.jitter_s = seconds, seconds / 6

    return inject


def slow_line(bench: FaultBench) -> None:
    bench.market.down.bytes_per_s = 1_024


def sliced(bench: FaultBench) -> None:
    bench.market.down.slice_bytes = 1


def slammed(bench: FaultBench) -> None:
    bench.market.door = Door.SLAMMED
    bench.market.cut()


def frozen(bench: FaultBench) -> None:
    bench.market.up.freeze()


async def rest_refused(bench: FaultBench) -> None:
    await bench.rest.refuse()
    bench.rest.cut()
    take_bid(bench)


def user_half_open(bench: FaultBench) -> None:
    bench.user.swallow()


def fill_unheard(bench: FaultBench) -> None:
    """A stranger takes our bid while the user channel is half-open."""
    bench.user.swallow()
    take_bid(bench)


def user_reconnects(*faults: str) -> Inject:
    """As `market_reconnects`, for our own orders."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        bench.user.cut()

    return inject


def clock_steps(hours: int) -> Inject:
    def inject(bench: FaultBench) -> None:
        bench.engine_clock.step(hours * 3_600 * S)

    return inject


def clock_is_off(bench: FaultBench) -> None:
    bench.venue_clock.step(2 * S)


def loop_blocked(bench: FaultBench) -> None:
    """As if something had kept the loop for three seconds."""
    bench.clock.advance(3 * S)


def overfilled(bench: FaultBench) -> None:
    """Somebody doubles our bid behind our back, and a stranger takes all of it."""
    core = bench.venue.core
    bid = next(order for order in core.live_orders() if order.side is Side.BUY)
    assert bid.price is not None
    core.edit(bid.order_id, bid.price, 2 * bid.leaves)
    core.trade_against(bid.order_id)


def external(bench: FaultBench) -> None:
    """Another front end of the account places an order far from the market."""
    bench.venue.core.external_order(bench.product, Side.BUY, Decimal("0.01"), Decimal(10_000))


def cancels(*faults: str) -> Inject:
    """A person cancels all while the venue commits these faults."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        bench.cancel_all()

    return inject


# -- what shows that they were noticed -------------------------------------------------------------------


def not_live(bench: FaultBench) -> bool:
    """The book is not believed any more."""
    return not bench.is_live


def told(*codes: str) -> Sign:
    """People were told so."""
    return lambda bench: bench.was_told(*codes)


def held(code: str) -> Sign:
    """Trading is kept back for this."""
    return lambda bench: bench.restrained_by(code)


def doubted(bench: FaultBench) -> bool:
    """An order is uncertain."""
    return bench.trader.orders.has_uncertain


def counted(field: str, least: int = 1) -> Sign:
    """The feed has counted so many more of it since the fault began."""
    return lambda bench: bench.counted(field) >= least


def struck(bench: FaultBench) -> bool:
    """The venue has committed it."""
    return bench.plan.strike_count > 0


def reconnected(bench: FaultBench) -> bool:
    """Market data is on another connection."""
    return bench.counted("reconnects") >= 1


def halted(bench: FaultBench) -> bool:
    """No order leaves until a person acts."""
    return bench.is_halted


def one_try(bench: FaultBench) -> bool:
    """It was tried once, and not again."""
    return bench.tries == 1


def storm_contained(bench: FaultBench) -> bool:
    """Not more than ten attempts a minute."""
    return 2 < bench.most_tries_a_minute <= 10


def external_is_left(bench: FaultBench) -> bool:
    """The order of the other front end is where it was."""
    return any(not order.client_order_id for order in bench.venue.core.live_orders())


L2 = "channel=l2_data"
USER = "path=/advanced-user"

FAULTS = (
    Fault(1, "connection-refused", market_refused, told("REFUSED"), 1.0, lasts_s=3.0, end_within_s=40.0),
    Fault(2, "no-dns", no_names, told("DNS"), 1.0, lasts_s=3.0, end_within_s=40.0),
    Fault(3, "syn-black-hole", no_network, told("TIMEOUT"), 5.6, end_within_s=40.0),
    Fault(
        5,
        "upgrade-401",
        market_reconnects("upgrade-status:401,path=/advanced,times=0"),
        held("FEED"),
        1.0,
        lasts_s=60.0,
        end=End.HALTED,
        check=one_try,
    ),
    Fault(
        5,
        "upgrade-403",
        market_reconnects("upgrade-status:403,path=/advanced,times=0"),
        held("FEED"),
        1.0,
        lasts_s=60.0,
        end=End.HALTED,
        check=one_try,
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
    Fault(13, "half-open", half_open, not_live, 2.2, lasts_s=4.0, end_within_s=40.0),
    Fault(14, "half-open-down", down_only, not_live, 2.2, lasts_s=4.0, end_within_s=40.0, is_slow=True),
    Fault(14, "half-open-up", orders_unheard, doubted, 2.5, Meanwhile.DOUBT, lasts_s=2.0, end_within_s=40.0),
    Fault(15, "silence", venue(f"ws-silence:{L2}"), not_live, 2.3, lasts_s=3.5, end_within_s=40.0),
    Fault(
        16, "heartbeats-jump", venue("ws-heartbeats-jump:5,nth=2,path=/advanced"), not_live, 2.6, lasts_s=0.0
    ),
    Fault(16, "heartbeats-stop", venue("ws-heartbeats-stop:path=/advanced"), not_live, 4.5, lasts_s=2.0),
    Fault(17, "300-ms-late", late(0.3), lambda bench: True, 0.1, Meanwhile.QUOTING, lasts_s=5.0),
    Fault(17, "1200-ms-late", late(1.2), not_live, 2.5, lasts_s=2.0, end_within_s=40.0),
    Fault(18, "1-kib-per-s", slow_line, not_live, 4.0, lasts_s=4.0, end_within_s=40.0),
    Fault(19, "1-byte-slices", sliced, lambda bench: True, 0.1, Meanwhile.QUOTING, lasts_s=1.0),
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
        reconnected,
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
        external,
        lambda bench: True,
        0.1,
        Meanwhile.FREE,
        lasts_s=12.0,
        check=external_is_left,
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
    Fault(34, "venue-clock-off", clock_is_off, held("CLOCK"), 35.0, lasts_s=1.0, end_within_s=80.0),
    Fault(35, "clock-one-hour-on", clock_steps(1), lambda bench: True, 0.1, Meanwhile.QUOTING, lasts_s=40.0),
    Fault(
        35,
        "clock-one-hour-back",
        clock_steps(-1),
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
    Fault(39, "overfill", overfilled, halted, 2.0, lasts_s=1.0, end=End.HALTED),
    Fault(40, "cancel-of-filled", cancels("cancel-reject:filled"), struck, 1.0, Meanwhile.FREE),
    Fault(
        40, "cancel-of-unknown", cancels("cancel-reject:unknown"), struck, 1.0, Meanwhile.FREE, is_slow=True
    ),
    Fault(
        41, "reconnect-storm", slammed, not_live, 0.5, lasts_s=60.0, end_within_s=70.0, check=storm_contained
    ),
    Fault(42, "loop-blocked", loop_blocked, held("LOOP"), 0.5, lasts_s=1.0),
    Fault(43, "server-reads-nothing", frozen, not_live, 11.0, end_within_s=40.0),
    Fault(44, "no-descriptors", no_descriptors, told("DESCRIPTORS"), 1.0, lasts_s=2.0, end_within_s=40.0),
    Fault(
        45, "rest-down", rest_refused, held("RECONCILE"), 12.0, Meanwhile.MUTE, lasts_s=3.0, end_within_s=40.0
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
    Fault(13, "user-half-open", user_half_open, held("RECONCILE"), 5.5, lasts_s=2.0, end_within_s=40.0),
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
    Fault(37, "fill-unheard", fill_unheard, held("RECONCILE"), 5.5, Meanwhile.FREE, end_within_s=40.0),
)
