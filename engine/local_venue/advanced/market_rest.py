"""REST of Advanced Trade that tells of the market."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from engine.local_venue.advanced.market_bodies import (
    Body,
    book_body,
    candle_body,
    product_body,
    product_book_body,
    trade_body,
)
from engine.local_venue.advanced.requests import BadRequest, NotFound, number_of, seconds_of
from engine.local_venue.core import VenueCore
from engine.local_venue.money import rfc3339
from engine.local_venue.products import Product
from engine.local_venue.tape import Tape

_MOST_CANDLES: Final = 350
_MOST_TRADES: Final = 100
_WIDTHS_S: Final = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1_800,
    "ONE_HOUR": 3_600,
    "TWO_HOUR": 7_200,
    "FOUR_HOUR": 14_400,
    "SIX_HOUR": 21_600,
    "ONE_DAY": 86_400,
}


class MarketRest:
    """Products, books, trades, candles, and the venue's time."""

    def __init__(self, core: VenueCore) -> None:
        self._core = core

    async def time(self, request: web.Request) -> Body:
        """GET /time"""
        now_ns = self._core.clock.wall_ns()
        return {
            "iso": rfc3339(now_ns, 0),
            "epochSeconds": str(now_ns // 1_000_000_000),
            "epochMillis": str(now_ns // 1_000_000),
        }

    async def products(self, request: web.Request) -> Body:
        """GET /products"""
        wanted = request.query.getall("product_ids", [])
        every = [
            product for product in self._core.products.values() if not wanted or product.product_id in wanted
        ]
        begin = int(request.query["offset"]) if request.query.get("offset", "").isdecimal() else 0
        limit = number_of(request, "limit", len(every) or 1, len(every) or 1)
        shown = every[begin : begin + limit]
        return {
            "products": [product_body(each, self._core.tape(each.product_id)) for each in shown],
            "num_products": len(every),
            "pagination": {
                "prev_cursor": "",
                "next_cursor": "",
                "has_next": begin + limit < len(every),
                "has_prev": begin > 0,
            },
        }

    async def product(self, request: web.Request) -> Body:
        """GET /products/{product_id}"""
        return product_body(*self._named(request.match_info["product_id"]))

    async def product_book(self, request: web.Request) -> Body:
        """GET /product_book"""
        product, tape = self._named(request.query.get("product_id", ""))
        limit = number_of(request, "limit", 0, 1_000_000) or None
        return product_book_body(product, tape, limit)

    async def best_bid_ask(self, request: web.Request) -> Body:
        """GET /best_bid_ask"""
        wanted = request.query.getall("product_ids", []) or list(self._core.products)
        return {"pricebooks": [book_body(*self._named(product_id), 1) for product_id in wanted]}

    async def ticker(self, request: web.Request) -> Body:
        """GET /products/{product_id}/ticker"""
        product, tape = self._named(request.match_info["product_id"])
        limit = number_of(request, "limit", _MOST_TRADES, _MOST_TRADES)
        begin, end = seconds_of(request, "start"), seconds_of(request, "end")
        chosen = [
            trade
            for trade in tape.newest_trades(len(tape.trades))
            if (begin is None or trade.exchange_ns >= begin * 1_000_000_000)
            and (end is None or trade.exchange_ns < end * 1_000_000_000)
        ]
        bid, ask = tape.levels.best_bid(), tape.levels.best_ask()
        return {
            "trades": [trade_body(product, trade) for trade in chosen[:limit]],
            "best_bid": "" if bid is None else product.instrument.price_text(bid),
            "best_ask": "" if ask is None else product.instrument.price_text(ask),
        }

    async def candles(self, request: web.Request) -> Body:
        """GET /products/{product_id}/candles"""
        product, tape = self._named(request.match_info["product_id"])
        begin, end = seconds_of(request, "start"), seconds_of(request, "end")
        width = _WIDTHS_S.get(request.query.get("granularity", ""))
        if begin is None or end is None or width is None:
            raise BadRequest("start, end and granularity are required")
        if (end - begin) // width > _MOST_CANDLES:
            raise BadRequest(f"number of candles requested should be less than {_MOST_CANDLES}")
        found = [candle for candle in tape.candles(width) if begin <= candle.start <= end]
        return {"candles": [candle_body(product, candle) for candle in reversed(found)]}

    def _named(self, product_id: str) -> tuple[Product, Tape]:
        product = self._core.products.get(product_id)
        if product is None:
            raise NotFound("product not found")
        return product, self._core.tape(product_id)
