"""REST of Advanced Trade that tells of the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from aiohttp import web

from engine.local_venue.advanced.account_bodies import PORTFOLIO_ID, account_body, summary_body
from engine.local_venue.advanced.market_bodies import Body
from engine.local_venue.advanced.requests import NotFound, number_of, page_of
from engine.local_venue.core import VenueCore
from engine.local_venue.keys import CdpKey
from engine.local_venue.money import EXACT

_ACCOUNTS_PAGE: Final = 49
_MOST_ACCOUNTS: Final = 250


class AccountRest:
    """Wallets, fees, and what a key may do."""

    def __init__(self, core: VenueCore) -> None:
        self._core = core

    async def accounts(self, request: web.Request) -> Body:
        """GET /accounts"""
        wallets = self._core.accounts.wallets()
        limit = number_of(request, "limit", _ACCOUNTS_PAGE, _MOST_ACCOUNTS)
        ids = [wallet.account_id for wallet in wallets]
        page, cursor = page_of(wallets, request.query.get("cursor", ""), limit, ids)
        return {
            "accounts": [account_body(wallet, self._core.accounts) for wallet in page],
            "has_next": bool(cursor),
            "cursor": cursor,
            "size": len(page),
        }

    async def account(self, request: web.Request) -> Body:
        """GET /accounts/{account_id}"""
        for wallet in self._core.accounts.wallets():
            if wallet.account_id == request.match_info["account_id"]:
                return {"account": account_body(wallet, self._core.accounts)}
        raise NotFound("account not found")

    async def summary(self, request: web.Request) -> Body:
        """GET /transaction_summary"""
        fees = Decimal(0)
        for fill in self._core.fills():
            fees = EXACT.add(fees, fill.commission)
        usd = self._core.accounts.get("USD")
        balance = Decimal(0) if usd is None else usd.balance
        return summary_body(self._core.fee_tier, self._core.traded_volume, fees, balance)

    async def portfolios(self, request: web.Request) -> Body:
        """GET /portfolios"""
        return {
            "portfolios": [{"name": "Default", "uuid": PORTFOLIO_ID, "type": "DEFAULT", "deleted": False}]
        }

    async def permissions(self, request: web.Request, key: CdpKey) -> Body:
        """GET /key_permissions"""
        return {
            "can_view": key.rights.view,
            "can_trade": key.rights.trade,
            "can_transfer": key.rights.transfer,
            "portfolio_uuid": PORTFOLIO_ID,
            "portfolio_type": "DEFAULT",
        }
