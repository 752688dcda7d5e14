"""REST of the Exchange API that needs no key: time, products, books, trades, candles, figures."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from engine.core.order import BUY, SELL, Side
from engine.local_venue.core import VenueCore
from engine.local_venue.exchange.answers import BadRequest, NotFound
from engine.local_venue.exchange.books import ExchangeBooks
from engine.local_venue.exchange.pages import Numbered, page
from engine.local_venue.exchange.texts import price, product_body, size
from engine.local_venue.money import product_of, rfc3339
from engine.local_venue.products import Product

_GRANULARITIES: Final = (60, 300, 900, 3_600, 21_600, 86_400)
_MOST_CANDLES: Final = 300
_NUMBERS: Final = msgspec.json.Encoder(decimal_format="number")


class PublicRest:
    """Handlers of requests that anybody may make."""

    def __init__(self, core: VenueCore, books: ExchangeBooks) -> None:
        self._core = core
        self._books = books

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Who answers which method and path."""
        return {
            ("GET", "/time"): self._time,
            ("GET", "/products"): self._products,
            ("GET", "/products/{id}"): self._product,
            ("GET", "/products/{id}/book"): self._book,
            ("GET", "/products/{id}/trades"): self._trades,
            ("GET", "/products/{id}/candles"): self._candles,
            ("GET", "/products/{id}/stats"): self._stats,
            ("GET", "/products/{id}/ticker"): self._ticker,
        }

    def _named(self, request: web.Request) -> Product:
        product = self._core.products.get(request.match_info["id"])
        if product is None:
            raise NotFound
        return product

    async def _time(self, request: web.Request) -> web.Response:
        wall_ns = self._core.clock.wall_ns()
        epoch = Decimal(wall_ns // 1_000_000).scaleb(-3)
        return _numbers({"iso": rfc3339(wall_ns, 3), "epoch": epoch})

    async def _products(self, request: web.Request) -> web.Response:
        return web.json_response([product_body(product) for product in self._core.products.values()])

    async def _product(self, request: web.Request) -> web.Response:
        return web.json_response(product_body(self._named(request)))

    async def _book(self, request: web.Request) -> web.Response:
        product = self._named(request)
        level = request.query.get("level", "1")
        if level not in ("1", "2", "3"):
            raise BadRequest("Invalid level")
        book = self._books[product.product_id]
        depth = 1 if level == "1" else None

        def rows(side: Side) -> list[list[str | int]]:
            return book.orders(side) if level == "3" else book.levels(side, depth)

        return web.json_response(
            {
                "bids": rows(BUY),
                "asks": rows(SELL),
                "sequence": book.sequence,
                "auction_mode": False,
                "auction": None,
                "time": rfc3339(self._core.clock.wall_ns()),
            }
        )

    async def _trades(self, request: web.Request) -> web.Response:
        product = self._named(request)
        tape = self._core.tape(product.product_id)
        trades = [
            Numbered(
                trade.trade_id,
                {
                    "time": rfc3339(trade.exchange_ns),
                    "trade_id": trade.trade_id,
                    "price": price(product, trade.price * product.tick),
                    "size": size(product, trade.size * product.step),
                    "side": trade.taker_side.opposite.word,
                },
            )
            for trade in tape.newest_trades(len(tape.trades))
        ]
        shown, headers = page(trades, request.query)
        return web.json_response(shown, headers=headers)

    async def _candles(self, request: web.Request) -> web.Response:
        product = self._named(request)
        width = request.query.get("granularity", "60")
        if width not in map(str, _GRANULARITIES):
            raise BadRequest("Unsupported granularity")
        width_s = int(width)
        start, end = (_epoch(request.query.get(name), name) for name in ("start", "end"))
        if start is not None and end is not None and (end - start) / width_s > _MOST_CANDLES:
            raise BadRequest(
                "granularity too small for the requested time range. "
                f"Count of aggregations requested exceeds {_MOST_CANDLES}"
            )
        chosen = [
            candle
            for candle in self._core.tape(product.product_id).candles(width_s)
            if (start is None or candle.start >= start) and (end is None or candle.start <= end)
        ]
        rows = []
        for candle in reversed(chosen[-_MOST_CANDLES:]):
            prices = (candle.low, candle.high, candle.open, candle.close)
            volume = product_of(Decimal(candle.volume), product.step)
            rows.append([candle.start, *(product_of(Decimal(one), product.tick) for one in prices), volume])
        return _numbers(rows)

    async def _stats(self, request: web.Request) -> web.Response:
        product = self._named(request)
        tape = self._core.tape(product.product_id)
        volume = size(product, tape.volume * product.step)
        prices = {"open": tape.first_price, "high": tape.high, "low": tape.low, "last": tape.last_price}
        return web.json_response(
            {name: price(product, (ticks or 0) * product.tick) for name, ticks in prices.items()}
            | {"volume": volume, "volume_30day": volume}
        )

    async def _ticker(self, request: web.Request) -> web.Response:
        product = self._named(request)
        tape = self._core.tape(product.product_id)
        body: dict[str, Any] = {"time": rfc3339(self._core.clock.wall_ns())}
        for trade in tape.newest_trades(1):
            body |= {
                "trade_id": trade.trade_id,
                "price": price(product, trade.price * product.tick),
                "size": size(product, trade.size * product.step),
                "time": rfc3339(trade.exchange_ns),
            }
        for name, side in (("bid", BUY), ("ask", SELL)):
            body[name] = self._best(product, side)
        return web.json_response(body | {"volume": size(product, tape.volume * product.step)})

    def _best(self, product: Product, side: Side) -> str:
        best = self._books[product.product_id].levels(side, 1)
        return str(best[0][0]) if best else "0"


def _epoch(given: str | None, name: str) -> int | None:
    """UNIX seconds of a time that is given as such or in ISO 8601."""
    if not given:
        return None
    if given.isascii() and given.isdigit() and len(given) < 12:
        return int(given)
    try:
        time = dt.datetime.fromisoformat(given)
    except ValueError:
        raise BadRequest(f"Invalid {name}") from None
    return int((time if time.tzinfo else time.replace(tzinfo=dt.UTC)).timestamp())


def _numbers(body: Any) -> web.Response:
    """An answer in which decimals are JSON numbers."""
    return web.Response(body=_NUMBERS.encode(body), content_type="application/json")
