"""`inspect`: what a recording holds, and the books it leads to, by the very feed code of live trading."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from engine.core.errors import RecordingError, UsageError
from engine.core.events import BookSnapshot, BookUpdate, FeedState, Level, MarketEvent, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.exchange.coinbase.products import parse_products
from engine.exchange.coinbase.wire.observed import ObservedInstruments
from engine.exchange.coinbase.wire.session import FeedSession
from engine.exchange.recording import RecordingFeed, observe


class TradesReport(TypedDict):
    """The trades of one product. All but `unique` are of live prints; history adds to `unique` only."""

    count: int
    unique: int
    volume: str
    notional: str
    taker_buy_volume: str
    taker_sell_volume: str


class ProductReport(TypedDict, total=False):
    """One product at the end of the recording. Sizes and prices are plain decimals, None where no level.

    `crossed` counts the events after which the book was crossed or locked; `open_orders` is there for
    an order-by-order book, `top_bids` and `top_asks` when a depth was asked for.
    """

    state: str
    best_bid: str | None
    best_bid_size: str | None
    best_ask: str | None
    best_ask_size: str | None
    bid_levels: int
    ask_levels: int
    sum_bid_size: str
    sum_ask_size: str
    book_sha256: str
    crossed: int
    trades: TradesReport
    open_orders: int
    top_bids: list[list[str]]
    top_asks: list[list[str]]


class Inspection(TypedDict):
    """The whole report, version 1."""

    v: int
    frames: int
    gaps: int
    duplicates: int
    malformed: int
    errors: int
    unknown: int
    reconnects: int
    products: dict[str, ProductReport]


class _ProductTally:
    """One product's book and trades while the recording runs."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.book = PriceLevels()
        self.crossed = 0
        self.prints = 0
        self.notional = 0
        self.taker_volume = {Side.BUY: 0, Side.SELL: 0}

    def on_event(self, event: MarketEvent) -> bool:
        """Take one event; False when it left the book crossed."""
        if isinstance(event, TradePrint):
            self.prints += 1
            self.notional += self.instrument.notional(event.price, event.size)
            self.taker_volume[event.taker_side] += event.size
            return True
        if isinstance(event, BookSnapshot):
            self.book.apply_snapshot(event.bids, event.asks)
        elif isinstance(event, BookUpdate):
            self.book.apply(event.bids, event.asks)
        else:
            return True
        is_crossed = self.book.is_crossed()
        self.crossed += is_crossed
        return not is_crossed

    def report(self, session: FeedSession, depth: int) -> ProductReport:
        """The product as it stands."""
        instrument, book = self.instrument, self.book
        bids, asks = book.bids(), book.asks()
        bid, ask = _priced(instrument, bids[:1]), _priced(instrument, asks[:1])
        buys, sells = self.taker_volume[Side.BUY], self.taker_volume[Side.SELL]
        report: ProductReport = {
            "state": "live" if session.state(instrument.symbol) is FeedState.LIVE else "stale",
            "best_bid": bid[0][0] if bid else None,
            "best_bid_size": bid[0][1] if bid else None,
            "best_ask": ask[0][0] if ask else None,
            "best_ask_size": ask[0][1] if ask else None,
            "bid_levels": len(bids),
            "ask_levels": len(asks),
            "sum_bid_size": instrument.size_text(book.total_size(Side.BUY)),
            "sum_ask_size": instrument.size_text(book.total_size(Side.SELL)),
            "book_sha256": book_sha256(instrument, bids, asks),
            "crossed": self.crossed,
            "trades": {
                "count": self.prints,
                "unique": session.unique_trades(instrument.symbol),
                "volume": instrument.size_text(buys + sells),
                "notional": instrument.money_text(self.notional),
                "taker_buy_volume": instrument.size_text(buys),
                "taker_sell_volume": instrument.size_text(sells),
            },
        }
        open_orders = session.open_orders(instrument.symbol)
        if open_orders is not None:
            report["open_orders"] = open_orders
        if depth:
            report["top_bids"] = _priced(instrument, bids[:depth])
            report["top_asks"] = _priced(instrument, asks[:depth])
        return report


def inspect(
    path: Path,
    *,
    products: Sequence[str] = (),
    depth: int = 0,
    snapshot: Path | None = None,
    product_file: Path | None = None,
) -> Inspection:
    """Run a recording through its session and say what came out.

    `products` limits the report (all when empty), `depth` adds that many top levels, `snapshot` is the
    order-by-order snapshot that a full-channel recording needs, `product_file` a REST product list to
    take the increments from instead of from the recording. Raises `UsageError` for a product that is
    not there and for files that are not what they should be, `RecordingError` for a damaged recording.
    """
    if depth < 0:
        raise UsageError(f"--depth {depth}: must be at least 0 levels")
    level3 = None if snapshot is None else read_body(snapshot)
    observed = observe(path)
    level3_product = "" if level3 is None else _level3_product(path, observed, products)
    if level3 is not None:
        observed.add_level3(level3_product, level3)
    instruments = observed.instruments()
    if product_file is not None:
        listed = parse_products(read_body(product_file))
        instruments = {symbol: listed[symbol] for symbol in instruments if symbol in listed}
    for product in products:
        if product not in instruments:
            known = ", ".join(sorted(instruments)) or "none"
            raise UsageError(f"{path} holds nothing of product {product!r}; it holds: {known}")

    feed = RecordingFeed(path, instruments, level3=level3, level3_product=level3_product)
    tallies = {symbol: _ProductTally(instrument) for symbol, instrument in instruments.items()}
    while (due_ns := feed.next_due_ns()) is not None:
        for event in feed.step():
            if not tallies[event.product].on_event(event):
                feed.session.mark_stale(event.product, "crossed book", due_ns, event.wall_ns)
    return _report(feed.session, tallies, products, depth)


def _level3_product(path: Path, observed: ObservedInstruments, products: Sequence[str]) -> str:
    """The product that an order-by-order snapshot, which does not name one, is of."""
    candidates = sorted(observed.by_order & set(products) if products else observed.by_order)
    if len(candidates) != 1:
        found = ", ".join(candidates) or "none"
        raise UsageError(
            f"--snapshot needs a recording with orders of exactly one product; {path} has: {found}. "
            "Name it with --product."
        )
    return candidates[0]


def read_body(path: Path) -> bytes:
    """A recorded REST body, gzip-compressed or plain.

    Raises `UsageError` if it cannot be opened, `RecordingError` if it is damaged.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        return gzip.decompress(body) if path.suffix == ".gz" else body
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: cannot be read: {error}") from None


def _report(
    session: FeedSession, tallies: Mapping[str, _ProductTally], products: Sequence[str], depth: int
) -> Inspection:
    counters = session.counters
    return {
        "v": 1,
        "frames": counters.frames,
        "gaps": counters.gaps,
        "duplicates": counters.duplicates,
        "malformed": counters.malformed,
        "errors": counters.errors,
        "unknown": counters.unknown,
        "reconnects": counters.reconnects,
        "products": {
            symbol: tallies[symbol].report(session, depth) for symbol in sorted(set(products) or tallies)
        },
    }


def book_sha256(instrument: Instrument, bids: Sequence[Level], asks: Sequence[Level]) -> str:
    """SHA-256 over `b PRICE SIZE` for all bids, then `a PRICE SIZE` for all asks, best first, one a line."""
    digest = hashlib.sha256()
    for letter, levels in (("b", bids), ("a", asks)):
        lines = [
            f"{letter} {instrument.price_text(price)} {instrument.size_text(size)}\n"
            for price, size in levels
        ]
        digest.update("".join(lines).encode())
    return digest.hexdigest()


def _priced(instrument: Instrument, levels: Sequence[Level]) -> list[list[str]]:
    return [[instrument.price_text(price), instrument.size_text(size)] for price, size in levels]


def inspection_text(report: Inspection) -> str:
    """The report for people."""
    lines = [
        f"{report['frames']:,} frames: {report['gaps']} gaps, {report['duplicates']} duplicates, "
        f"{report['malformed']} malformed, {report['errors']} errors, {report['unknown']} unknown, "
        f"{report['reconnects']} reconnects"
    ]
    for symbol, product in report["products"].items():
        trades = product["trades"]
        orders = f", {product['open_orders']:,} open orders" if "open_orders" in product else ""
        lines += [
            "",
            f"{symbol}  {product['state'].upper()}",
            f"  bid {product['best_bid'] or '-'} x {product['best_bid_size'] or '-'}   "
            f"ask {product['best_ask'] or '-'} x {product['best_ask_size'] or '-'}",
            f"  {product['bid_levels']:,} bid levels of {product['sum_bid_size']} in all, "
            f"{product['ask_levels']:,} ask levels of {product['sum_ask_size']}{orders}",
            f"  crossed after {product['crossed']} events   book {product['book_sha256'][:16]}",
            f"  {trades['count']} trades ({trades['unique']} known with history), volume {trades['volume']}, "
            f"notional {trades['notional']}, bought {trades['taker_buy_volume']}, "
            f"sold {trades['taker_sell_volume']}",
        ]
        for ask in reversed(product.get("top_asks", [])):
            lines.append(f"    ask {ask[0]:>16} {ask[1]:>18}")
        for bid in product.get("top_bids", []):
            lines.append(f"    bid {bid[0]:>16} {bid[1]:>18}")
    return "\n".join(lines)
