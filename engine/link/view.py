"""The view: everything a screen shows of an engine at one moment, as one immutable typed struct.

Prices are ticks, marks half ticks, sizes lots, money quote atoms, times nanoseconds; `Product` says how
to write them. `time_ns` counts engine time, which a simulation or a replay may let pass faster than the
clock on the wall. A view is complete: whoever missed a thousand of them needs only the newest.
"""

from __future__ import annotations

import msgspec

from engine.core.events import Level as Level
from engine.core.events import Term as Term
from engine.link.analytics import Analytics


class Product(msgspec.Struct, frozen=True):
    """What an instrument's integers mean; see `engine.core.instrument` for the terms."""

    symbol: str
    base: str
    quote: str
    price_places: int
    """Digits after the point of a price."""
    tick_steps: int
    """One tick in units of the last of those digits."""
    size_places: int
    lot_steps: int
    money_places: int
    atoms_per_half_tick_lot: int
    model_places: int
    """Digits after the point of an explanation's terms."""


class WorkingOrder(msgspec.Struct, frozen=True, gc=False):
    """One of our orders that may still trade."""

    client_id: str
    venue_order_id: str
    slot: str
    """"B0" is the first bid."""
    purpose: str
    side: int
    """1 buy, -1 sell."""
    price: int
    size: int
    filled: int
    state: str
    """pending, new, partially_filled, pending_cancel, uncertain."""
    sent_ns: int
    """Engine time."""
    ahead: int | None = None
    """Strangers' lots before it in the queue: exact in the simulator, estimated on paper."""


class Failure(msgspec.Struct, frozen=True, gc=False):
    """A risk control that an order has failed."""

    code: str
    """The control's word: POSITION, BAND, ..."""
    reason: str
    """A sentence with the numbers."""


class Quote(msgspec.Struct, frozen=True):
    """One slot of the strategy: what it wants there, what works there, and why.

    The explanation is that of the working order where there is one, else that of the wanted quote. Its
    terms add up to the price exactly.
    """

    slot: str
    side: int
    wanted_price: int | None
    wanted_size: int
    working_price: int | None
    working_size: int
    """What remains of the working order."""
    price_terms: tuple[Term, ...] = ()
    size_terms: tuple[Term, ...] = ()
    """Of the wanted quote; empty where nothing is wanted."""
    failures: tuple[Failure, ...] = ()
    """Every risk control that kept the wanted quote back, the one that decided first; empty: none did."""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A print of the tape. `side` is the taker's."""

    trade_id: int
    wall_ns: int
    """When it was made by the venue's clock; where that gave no time, when it came."""
    price: int
    size: int
    side: int
    is_ours: bool = False
    """True where a fill of ours is known to belong to it."""


class Pnl(msgspec.Struct, frozen=True, gc=False):
    """The accounts. None where money cannot be told while there is no mark."""

    position: int
    average_cost: int | None
    """Of the open position, in half ticks, rounded; None when flat."""
    mark: int | None
    """Half ticks."""
    total: int | None
    """realised + unrealised - fees = captured + revaluation - fees."""
    realised: int
    unrealised: int | None
    fees: int
    captured: int
    revaluation: int
    residual: int
    adverse_1s: int
    """What the market moved against our passive fills within a second, summed over `adverse_fills`."""
    adverse_fills: int
    bought: int
    sold: int
    fills: int
    is_complete: bool = True
    """False once a fee was paid in an asset that nobody could value: the profit is overstated by it."""


class Gauge(msgspec.Struct, frozen=True, gc=False):
    """A limit and what is used of it."""

    code: str
    """The risk control's word: POSITION, DRAWDOWN, ..."""
    name: str
    unit: str
    """lots, atoms, count, or ppm (parts per million)."""
    used: int | None
    """None while it cannot be told."""
    limit: int


class Restriction(msgspec.Struct, frozen=True, gc=False):
    """A latch or a hold on trading."""

    code: str
    state: str
    since_ns: int
    """Engine time."""
    reason: str
    release: str
    """What ends it."""
    is_resumable: bool = False
    """True where RESUME ends it."""
    is_latch: bool = False
    """True where only REARM ends it."""


class Breaker(msgspec.Struct, frozen=True, gc=False):
    """The circuit breaker of a product."""

    state: str
    """closed, open: no quotes; half-open: smaller quotes on trial."""
    trigger: str
    """What opened it last; empty where it never was open."""
    reason: str
    """The same in a sentence."""
    since_ns: int
    """Engine time at which it came into this state, or saw a trigger last while open."""
    next_ns: int | None
    """Engine time at which it goes on by itself if nothing triggers it before; None while it is closed."""
    trips: int
    """How often it has opened."""


class Stage(msgspec.Struct, frozen=True, gc=False):
    """How long one stage took since the start, in ns."""

    name: str
    p50: int
    p90: int
    p99: int
    p999: int
    max: int
    count: int


class Bin(msgspec.Struct, frozen=True, gc=False):
    """A bin of a histogram on a logarithmic scale: values up to `upto_ns`."""

    upto_ns: int
    count: int


class Markout(msgspec.Struct, frozen=True, gc=False):
    """Where the market went after our passive fills: sums in atoms over the fills that were settled."""

    horizon_ns: int
    fills: int
    captured: int
    adverse: int
    fees: int
    waiting_or_lost: int
    """Fills whose horizon is still to come, or came without a mid."""


class ProductView(msgspec.Struct, frozen=True):
    """One product: its market, our orders in it, and what they earn."""

    symbol: str
    state: str
    """ACTIVE, REDUCING, PAUSED, HALTED, KILLED."""
    note: str
    """Why quotes are missing or smaller; empty when none is."""
    connection: str
    """idle, subscribed, live, stale: how far the book may be believed."""
    book_age_ns: int | None
    """Engine time since the feed last spoke of this product; None before it ever did."""
    bids: tuple[Level, ...]
    """Best first, as displayed, our own orders included where the venue displays them."""
    asks: tuple[Level, ...]
    is_depth_cut: bool
    """True where the book holds more levels than are shown here."""
    shows_own: bool
    """True where the levels contain our own orders."""
    orders: tuple[WorkingOrder, ...]
    quotes: tuple[Quote, ...]
    trades: tuple[Trade, ...]
    """The last 60, oldest first."""
    trade_count: int
    """Prints since the start."""
    pnl: Pnl
    max_position: int
    """The strategy's own cap or the risk limit, whichever is less, lots."""
    gauges: tuple[Gauge, ...]
    restrictions: tuple[Restriction, ...]
    stages: tuple[Stage, ...]
    """tick_to_quote first."""
    bins: tuple[Bin, ...]
    """Of tick_to_quote: neighbouring bins, rising, empty ones between the first and the last included."""
    markouts: tuple[Markout, ...]
    events: int
    quotes_sent: int
    crossed: int
    denied: dict[str, int]
    """Orders that the risk gate kept back, by code."""
    trust: int | None = None
    """How far the book may be believed, 0 to 100; None where the market is not on a network."""
    trust_note: str = ""
    """What lowers it; empty at 100."""
    analytics: Analytics | None = None
    """What our fills come to, read anew once a second; None from an engine that does not tell."""
    day_profit: int | None = None
    """Of the UTC day, all sessions of it together, atoms; None while it cannot be told."""
    breaker: Breaker | None = None
    """None from an engine that does not tell."""


class Queue(msgspec.Struct, frozen=True, gc=False):
    """A queue between two stages."""

    name: str
    capacity: int
    depth: int
    high_water: int
    lost: int


class Feed(msgspec.Struct, frozen=True, gc=False):
    """What the venue's frames have been found to be."""

    frames: int
    gaps: int
    duplicates: int
    malformed: int
    errors: int
    unknown: int
    reconnects: int = 0


class Journal(msgspec.Struct, frozen=True, gc=False):
    """What keeps the session."""

    session: str
    """Its name on the disk."""
    durability: str
    last_seq: int
    behind_records: int
    """Records that are not on the disk yet,"""
    behind_ns: int
    """and for how long the oldest of them has been waiting."""


class Health(msgspec.Struct, frozen=True, gc=False):
    """The engine's process."""

    rss_bytes: int
    late_p50_ns: int
    """How late wake-ups came, against the moment they were due; 0 at full speed."""
    late_p99_ns: int
    late_max_ns: int
    viewers: int
    """Connected consoles."""
    views_dropped: int
    """Views that found a peer too slow, over all peers."""
    controller: str
    """Who holds control; empty when nobody does."""
    queues: tuple[Queue, ...] = ()
    feed: Feed | None = None
    journal: Journal | None = None
    """None where the session is not kept."""
    clock_offset_ns: int | None = None
    """The venue's time minus ours, as measured last; None where there is no venue to ask."""


FILLS, CANCELS, ALERTS = "fill", "cancel", "alert"
"""What a playback marks: our fills, our orders that were cancelled, and what a person was warned of."""
MOST_BUCKETS = 400


class Track(msgspec.Struct, frozen=True, gc=False):
    """Where in a played session something of one kind happened."""

    kind: str
    counts: bytes
    """How often in each bucket, at most 255. The buckets, `MOST_BUCKETS` at most and as many for every
    track, divide the time from `Playback.first_ns` to `Playback.last_ns` evenly."""
    passed: int
    """How often up to the position, that included."""
    total: int
    """How often in all that has been read."""
    last_ns: int | None = None
    """Engine time of the last one up to the position; None where there is none."""
    next_ns: int | None = None
    """Of the first one behind it."""


class Playback(msgspec.Struct, frozen=True):
    """A recorded session that is played back, and where in it this view stands.

    A position is a moment between two wake-ups, named by the record before it: the view shows what all
    records up to `position_seq`, that included, have led to. The view's `time_ns` and `market_wall_ns` are
    those of the position; while it plays, they run on between two wake-ups. Engine time orders positions;
    wall times are for people and may step back.
    """

    position_seq: int
    first_seq: int
    """The first position there is: the state the session, or what is kept of it, began with."""
    last_seq: int
    first_ns: int
    """Engine time at the first position."""
    last_ns: int
    first_wall_ns: int
    """The market's wall time at the first position."""
    last_wall_ns: int
    speed: float | None
    """Engine seconds per second; None: as fast as the machine can."""
    is_playing: bool
    read: float = 1.0
    """The share of the session that has been read to find the marks, 0 to 1. What is behind it cannot be
    gone to yet, and the tracks end there."""
    tracks: tuple[Track, ...] = ()
    divergence: str = ""
    """Where what is computed anew first differs from what was recorded, in a sentence; empty where it
    does not, as far as it has been read."""

    @property
    def is_at_end(self) -> bool:
        """True where there is nothing more to play."""
        return self.position_seq >= self.last_seq


class StandingAlert(msgspec.Struct, frozen=True, gc=False):
    """Something a person should know and has not acknowledged."""

    name: str
    """By which it is acknowledged: its code."""
    severity: str
    """warning, error, critical."""
    product: str
    """That of the newest; empty where it concerns all."""
    text: str
    since_wall_ns: int
    count: int


class Portfolio(msgspec.Struct, frozen=True):
    """All products of one quote currency together. Money in its own last place, `money_places` digits."""

    quote: str
    money_places: int
    products: tuple[str, ...]
    profit: int
    """Since the start."""
    day_profit: int
    """Of the UTC day, all sessions of it together."""
    gross: int
    """What the positions are worth, longs and shorts added up."""
    open_orders: int
    gauges: tuple[Gauge, ...]
    """The limits over all of them."""
    net: int = 0
    """What they are worth, longs minus shorts."""


class View(msgspec.Struct, frozen=True, tag="state", tag_field="kind"):
    """The newest state of an engine. Of a playback: of the engine that was, at the position."""

    seq: int
    wall_ns: int
    """The engine machine's own wall clock when the view was made."""
    time_ns: int
    """Engine time since the start."""
    market_wall_ns: int
    """The market's wall time: the recording's or the simulation's, or the real one."""
    products: tuple[ProductView, ...]
    health: Health
    playback: Playback | None = None
    """None for an engine that trades."""
    alerts: tuple[StandingAlert, ...] = ()
    """What nobody has acknowledged, the newest last."""
    portfolio: tuple[Portfolio, ...] = ()
    """Limits over several products, one for each quote currency that has any."""
