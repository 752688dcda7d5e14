"""A composed recording of Advanced Trade: a small market that moves, prints and sweeps, from a seed."""

from __future__ import annotations

import json
import random
from pathlib import Path

START_S = 1_786_309_548
PRODUCT = "BTC-USD"
_STEP_S = 0.1


def write_tape(path: Path, *, seed: int = 1, steps: int = 300, product: str = PRODUCT) -> Path:
    """`steps` tenths of a second of one product around 100.00: a book frame each, and a print for half.

    The touch walks a tick at a time; prints take from the touch, and what they take leaves the book in
    the same moment's book frame, which the venue stamps after the print.
    """
    source = random.Random(seed)
    lines: list[dict[str, str]] = []
    sequence = 0
    bids = {9_999 - n: source.randint(50, 400) for n in range(40)}
    asks = {10_001 + n: source.randint(50, 400) for n in range(40)}
    trade_id = 1_000

    def at(step: float) -> str:
        return f"{START_S + 1 + step * _STEP_S:.6f}"

    def stamp(step: float) -> str:
        seconds = 48 + 1 + step * _STEP_S
        return f"2026-08-09T21:{5 + int(seconds // 60):02}:{seconds % 60:012.9f}Z"

    def frame(step: float, channel: str, event: dict[str, object]) -> None:
        nonlocal sequence
        raw = {"channel": channel, "timestamp": stamp(step), "sequence_num": sequence, "events": [event]}
        lines.append({"ts": at(step), "dir": "recv", "raw": json.dumps(raw)})
        sequence += 1

    def changes(new_bids: dict[int, int], new_asks: dict[int, int], step: float) -> list[dict[str, str]]:
        return [
            {
                "side": side,
                "event_time": stamp(step),
                "price_level": f"{price / 100:.2f}",
                "new_quantity": f"{size / 1000:.3f}",
            }
            for side, levels in (("bid", new_bids), ("offer", new_asks))
            for price, size in levels.items()
        ]

    lines.append({"ts": f"{START_S}", "dir": "connect", "raw": "wss://advanced-trade-ws.coinbase.com"})
    snapshot = {"type": "snapshot", "product_id": product, "updates": changes(bids, asks, 0)}
    frame(0, "l2_data", snapshot)
    for step in range(1, steps):
        touched_bids: dict[int, int] = {}
        touched_asks: dict[int, int] = {}
        if source.random() < 0.6:
            trade_id += 1
            taker_buys = source.random() < 0.5
            book, touched = (asks, touched_asks) if taker_buys else (bids, touched_bids)
            price = min(book) if taker_buys else max(book)
            size = source.randint(1, book[price])
            trade = {
                "product_id": product,
                "trade_id": str(trade_id),
                "price": f"{price / 100:.2f}",
                "size": f"{size / 1000:.3f}",
                "side": "SELL" if taker_buys else "BUY",
                "time": stamp(step),
            }
            frame(step, "market_trades", {"type": "update", "trades": [trade]})
            touched[price] = book[price] - size
        for book, touched, sign in ((bids, touched_bids, -1), (asks, touched_asks, 1)):
            best = max(book) if sign < 0 else min(book)
            deep = best + sign * source.randint(0, 8)
            touched.setdefault(deep, source.choice([0, source.randint(20, 400)]))
            for price, size in touched.items():
                if size:
                    book[price] = size
                else:
                    book.pop(price, None)
        if source.random() < 0.4:
            # A gap at the touch is filled by whoever comes first.
            sign = source.choice([-1, 1])
            book, touched = (bids, touched_bids) if sign < 0 else (asks, touched_asks)
            other = min(asks) if sign < 0 else max(bids)
            price = (max(book) if sign < 0 else min(book)) - sign
            if sign * (price - other) > 0:
                book[price] = touched[price] = source.randint(20, 300)
        update = {
            "type": "update",
            "product_id": product,
            "updates": changes(touched_bids, touched_asks, step),
        }
        frame(step + 0.5, "l2_data", update)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
