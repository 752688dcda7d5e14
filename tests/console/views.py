"""Scripted views: what an engine could tell, fixed to the last digit, for tests of the screen."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.link.events import AnyEngineEvent, Filled, Notice, OrderEnded
from engine.link.messages import EngineHello, EventMessage, Point, Role
from engine.link.mirror import EngineMirror
from engine.link.view import (
    Bin,
    Gauge,
    Health,
    Markout,
    Pnl,
    Product,
    ProductView,
    Queue,
    Quote,
    Restriction,
    Stage,
    Term,
    Trade,
    View,
    WorkingOrder,
)
from pinnacle_tui.numbers import Numbers
from pinnacle_tui.palette import COLOURS, GROUNDS, SHADES, Palette
from pinnacle_tui.widgets.scene import Scene

S = 1_000_000_000
MS = 1_000_000
WALL = 1_767_603_667_412_000_000  # 2026-01-05T09:01:07.412Z
TIME = 751 * S
"""Engine time of the scripted view: the engine is up for 12 min 31 s."""

BTC = Product("BTC-USD", "BTC", "USD", 2, 1, 8, 1, 11, 5, 9)
"""A tick is 0.01 USD, a lot 1e-8 BTC, an atom 1e-11 USD; half a tick times a lot is 5 atoms."""
ETH = Product("ETH-USD", "ETH", "USD", 2, 1, 8, 1, 11, 5, 9)

MID = 6_508_855
"""Ticks: 65,088.55."""
BTC_LOTS = 100_000_000
USD = 10**11


def levels(side: int, count: int = 60, mid: int = MID) -> tuple[tuple[int, int], ...]:
    """A book side, best first: uneven steps and sizes, the same ones always."""
    price, made = mid - side * 55, []
    for n in range(count):
        made.append((price, (7 + n * n * 37 % 113) * 1_310_000))
        price -= side * (40 + n * 29 % 50)
    return tuple(made)


def working(slot: str, price: int, **changes: Any) -> WorkingOrder:
    order = WorkingOrder(
        client_id=f"pt-7-{slot.lower()}",
        venue_order_id=f"v{price}",
        slot=slot,
        purpose="quote",
        side=1 if slot[0] == "B" else -1,
        price=price,
        size=1_000_000,
        filled=0,
        state="new",
        sent_ns=TIME - 4_100 * MS,
        ahead=43_000_000,
    )
    return msgspec.structs.replace(order, **changes)


def quote(order: WorkingOrder) -> Quote:
    half = order.side * 470_000_000
    fair = MID * 10_000_000
    skew = -120_000_000
    tick = order.price * 10_000_000 - (fair + skew - half)
    return Quote(
        order.slot,
        order.side,
        order.price,
        order.size,
        order.price,
        order.size - order.filled,
        (
            Term("fair", fair, "mid of 65088 and 65089.1"),
            Term("skew", skew, "−0.5·0.031/10·1 bp"),
            Term("half spread", -half, "5 bp"),
            Term("tick", tick, "down to 0.01"),
        ),
        (Term("base", 1_000_000, "0.01 BTC"), Term("taper", 0, "not adding to the position")),
    )


PAUSED_BY_HAND = Restriction("OPERATOR", "PAUSED", TIME, "paused at the console", "a person resumes", True)


def product_view(product: Product = BTC, **changes: Any) -> ProductView:
    bids, asks = levels(1), levels(-1)
    orders = (
        working("B0", bids[0][0], filled=400_000, state="partially_filled"),
        working("B1", bids[2][0], ahead=None, state="pending", sent_ns=TIME - 3 * MS),
        working("A0", asks[1][0]),
        working("A1", asks[3][0], state="pending_cancel"),
    )
    view = ProductView(
        symbol=product.symbol,
        state="ACTIVE",
        note="",
        connection="live",
        book_age_ns=40 * MS,
        bids=bids,
        asks=asks,
        is_depth_cut=True,
        shows_own=True,
        orders=orders,
        quotes=tuple(quote(order) for order in orders),
        trades=tuple(
            Trade(
                900 + n,
                WALL - (20 - n) * 410 * MS,
                MID + (n * 37 % 11 - 5) * 10,
                (n % 7 + 1) * 1_230_000,
                1 if n % 3 else -1,
                n == 16,
            )
            for n in range(20)
        ),
        trade_count=4_711,
        pnl=Pnl(
            position=3_100_000,
            average_cost=2 * MID - 700,
            mark=2 * MID,
            total=1_248 * USD // 100,
            realised=2_859 * USD // 100,
            unrealised=-642 * USD // 100,
            fees=969 * USD // 100,
            captured=4_120 * USD // 100,
            revaluation=-1_903 * USD // 100,
            residual=0,
            adverse_1s=-771 * USD // 100,
            adverse_fills=28,
            bought=17_000_000,
            sold=13_900_000,
            fills=31,
        ),
        max_position=25_000_000,
        gauges=(
            Gauge("POSITION", "position, all open orders of a side filled", "lots", 4_100_000, 50_000_000),
            Gauge("DRAWDOWN", "drop from the peak", "ppm", 1_200, 50_000),
            Gauge("VOLUME", "bought plus sold today", "lots", 30_900_000, 10_000_000_000),
            Gauge("OPEN_ORDERS", "open orders", "count", 4, 200),
            Gauge(
                "EXPOSURE",
                "position at the mid, all open orders of a side filled",
                "atoms",
                2_668 * USD,
                2_000_000 * USD,
            ),
        ),
        restrictions=(),
        stages=(
            Stage("tick_to_quote", 38_000, 61_000, 142_000, 391_000, 1_200_000, 1_204),
            Stage("feed", 4_000, 6_000, 19_000, 40_000, 92_000, 8_120),
            Stage("book", 2_000, 4_000, 11_000, 31_000, 77_000, 8_120),
            Stage("decide", 19_000, 31_000, 90_000, 210_000, 610_000, 8_120),
        ),
        bins=tuple(
            Bin(int(10_000 * 2 ** (n / 4)), count)
            for n, count in enumerate(
                (3, 20, 90, 210, 260, 240, 170, 101, 60, 25, 11, 8, 3, 1, 0, 1, 0, 0, 0, 1)
            )
        ),
        markouts=(
            Markout(100 * MS, 31, 4_120 * USD // 100, -213 * USD // 100, 900 * USD // 100, 0),
            Markout(S, 28, 3_980 * USD // 100, -771 * USD // 100, 850 * USD // 100, 3),
            Markout(10 * S, 25, 3_500 * USD // 100, -1_400 * USD // 100, 800 * USD // 100, 6),
        ),
        events=24_360,
        quotes_sent=1_204,
        crossed=0,
        denied={"BAND": 2},
    )
    return msgspec.structs.replace(view, **changes)


def view(*products: ProductView, **changes: Any) -> View:
    made = View(
        seq=7_512,
        wall_ns=WALL + 20 * MS,
        time_ns=TIME,
        market_wall_ns=WALL,
        products=products or (product_view(),),
        health=Health(
            rss_bytes=38_400_000,
            late_p50_ns=190_000,
            late_p99_ns=1_200_000,
            late_max_ns=7_000_000,
            viewers=1,
            views_dropped=0,
            controller="console pid 4711",
            queues=(Queue("BTC-USD market data", 5_000, 0, 12, 0),),
        ),
    )
    return msgspec.structs.replace(made, **changes)


def hello(*products: Product, **changes: Any) -> EngineHello:
    from engine.config import load_config, schema
    from engine.config_schema import value_text

    resolved = load_config()
    made = EngineHello(
        protocol=1,
        build="0.1.0",
        engine_id="4f2c",
        session="sim-btc-usd",
        pid=4711,
        mode="sim",
        venue="simulator",
        role=Role.OWNER,
        products=products or (BTC,),
        settings={name: value_text(resolved.value(name)) for name in schema().keys},
        started_wall_ns=WALL - TIME,
        speed=1.0,
        on_owner_lost="cancel-all-and-exit",
        last_event=0,
        history={
            "BTC-USD": tuple(
                Point(n * 10 * S, (n * n * 13 % 1_700 - 500 + n * 9) * USD // 100) for n in range(75)
            )
        },
    )
    return msgspec.structs.replace(made, **changes)


def filled(eseq: int, side: int = 1, **changes: Any) -> Filled:
    made = Filled(
        eseq,
        WALL - (100 - eseq) * 700 * MS,
        TIME - (100 - eseq) * 700 * MS,
        "BTC-USD",
        f"pt-7-{eseq}",
        f"f{eseq}",
        side,
        MID - side * 55,
        1_000_000,
        39 * USD // 100,
        "",
        True,
        3_100_000,
        "queue_cleared",
    )
    return msgspec.structs.replace(made, **changes)


def order_ended(eseq: int, side: int = 1, **changes: Any) -> OrderEnded:
    made = OrderEnded(
        eseq,
        WALL - (100 - eseq) * 700 * MS,
        TIME - (100 - eseq) * 700 * MS,
        "BTC-USD",
        f"pt-7-{eseq}",
        f"v{eseq}",
        "B0" if side > 0 else "A0",
        "quote",
        side,
        MID - side * 155,
        1_000_000,
        0,
        "cancelled",
        "replace",
        TIME - (100 - eseq) * 700 * MS - 5 * S,
    )
    return msgspec.structs.replace(made, **changes)


def notice(
    eseq: int,
    severity: str = "warning",
    code: str = "FEED",
    text: str = "book is stale: a gap; quotes are pulled",
) -> Notice:
    return Notice(
        eseq, WALL - (100 - eseq) * 700 * MS, TIME - (100 - eseq) * 700 * MS, "BTC-USD", severity, code, text
    )


def happened() -> tuple[AnyEngineEvent, ...]:
    """A handful of events of every usual kind, numbered from 1."""
    made: list[AnyEngineEvent] = []
    for n in range(1, 41):
        side = 1 if n % 2 else -1
        if n % 10 == 0:
            made.append(notice(n, ("info", "warning", "error", "critical")[n // 10 - 1]))
        elif n % 4 == 0:
            made.append(filled(n, side, price=MID - side * (40 + n), size=(n % 3 + 1) * 330_000))
        else:
            made.append(
                order_ended(n, side, price=MID - side * (100 + n * 7), filled=330_000 if n % 5 == 0 else 0)
            )
    return tuple(made)


def mirror(
    *,
    shown: View | None = None,
    greeting: EngineHello | None = None,
    events: tuple[AnyEngineEvent, ...] | None = None,
) -> EngineMirror:
    """A mirror that has heard everything at 0 ns of the console's clock."""
    made = EngineMirror(is_connected=True)
    made.apply(greeting or hello(), 0)
    made.apply(EventMessage(happened() if events is None else events), 0)
    made.apply(shown or view(), 0)
    return made


def scene(known: EngineMirror | None = None, *, symbol: str = "BTC-USD", now_ns: int = 40 * MS) -> Scene:
    known = known or mirror()
    book, product = known.product_view(symbol), known.product(symbol)
    assert known.view is not None
    assert book is not None
    assert product is not None
    return Scene(
        known, known.view, book, product, Numbers(product, MID), known.state(now_ns), now_ns, WALL + now_ns
    )


def palette(*, is_colourless: bool = False) -> Palette:
    """A palette with a colour for every name, for tests that look at text alone."""
    names = (*COLOURS, *SHADES, *GROUNDS)
    return Palette(
        {name: f"#{40 + n * 7:02x}{200 - n * 5:02x}80" for n, name in enumerate(names)},
        is_colourless=is_colourless,
    )
