"""Shapes of Advanced Trade's bodies that tell of the account: wallets, orders, fills, fees."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Final

import msgspec

from engine.core.order import Side, TimeInForce
from engine.local_venue.accounts import Accounts, Wallet
from engine.local_venue.advanced.market_bodies import Body, side_word
from engine.local_venue.advanced.words import reject_reason_of
from engine.local_venue.fee_tiers import FeeTier
from engine.local_venue.money import EXACT, NO_TIME, plain, rfc3339
from engine.local_venue.orders import Fill, OrderStatus, VenueOrder

USER_ID: Final = str(uuid.uuid5(uuid.NAMESPACE_OID, "user of the local venue"))
PORTFOLIO_ID: Final = str(uuid.uuid5(uuid.NAMESPACE_OID, "portfolio of the local venue"))

TIME_IN_FORCE: Final = {
    TimeInForce.GTC: "GOOD_UNTIL_CANCELLED",
    TimeInForce.GTD: "GOOD_UNTIL_DATE_TIME",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}


def account_body(wallet: Wallet, accounts: Accounts) -> Body:
    """One wallet."""
    is_fiat = wallet.currency in ("USD", "EUR", "GBP")
    return {
        "uuid": wallet.account_id,
        "name": f"Cash ({wallet.currency})" if is_fiat else f"{wallet.currency} Wallet",
        "currency": wallet.currency,
        "available_balance": {"value": plain(wallet.available), "currency": wallet.currency},
        "default": False,
        "active": True,
        "created_at": rfc3339(accounts.opened_ns, 3),
        "updated_at": rfc3339(wallet.updated_ns),
        "deleted_at": None,
        "type": "ACCOUNT_TYPE_FIAT" if is_fiat else "ACCOUNT_TYPE_CRYPTO",
        "ready": True,
        "hold": {"value": plain(wallet.hold), "currency": wallet.currency},
        "retail_portfolio_id": PORTFOLIO_ID,
        "platform": "ACCOUNT_PLATFORM_CONSUMER",
    }


def configuration_body(order: VenueOrder) -> Body:
    """`order_configuration` of an order as it stands."""
    asked = order.asked
    if order.price is None:
        quote = asked.quote_size
        amount = {"base_size": plain(order.size)} if quote is None else {"quote_size": plain(quote)}
        kind = "market_market_fok" if asked.time_in_force is TimeInForce.FOK else "market_market_ioc"
        return {kind: amount}
    limit: Body = {"base_size": plain(order.size), "limit_price": plain(order.price)}
    if asked.time_in_force is TimeInForce.IOC:
        return {"sor_limit_ioc": limit}
    if asked.time_in_force is TimeInForce.FOK:
        return {"limit_limit_fok": limit}
    limit["post_only"] = asked.post_only
    if asked.end_time_ns is None:
        return {"limit_limit_gtc": limit}
    return {"limit_limit_gtd": {**limit, "end_time": rfc3339(asked.end_time_ns)}}


def order_body(order: VenueOrder) -> Body:
    """One order of the lists."""
    asked = order.asked
    value_after_fees = _value_after_fees(order)
    return {
        "order_id": order.order_id,
        "product_id": order.product_id,
        "user_id": USER_ID,
        "order_configuration": configuration_body(order),
        "side": side_word(order.side),
        "client_order_id": order.client_order_id,
        "status": order.status.value,
        "time_in_force": TIME_IN_FORCE[asked.time_in_force],
        "created_time": rfc3339(order.created_ns),
        "completion_percentage": plain(order.completion),
        "filled_size": plain(order.filled),
        "average_filled_price": plain(order.average_price),
        "fee": "",
        "number_of_fills": str(order.fill_count),
        "filled_value": plain(order.value),
        "pending_cancel": order.status is OrderStatus.CANCEL_QUEUED,
        "size_in_quote": asked.quote_size is not None,
        "total_fees": plain(order.fees),
        "size_inclusive_of_fees": asked.quote_size is not None,
        "total_value_after_fees": plain(value_after_fees),
        "trigger_status": "INVALID_ORDER_TYPE",
        "order_type": "MARKET" if order.price is None else "LIMIT",
        "reject_reason": reject_reason_of(order.refusal) or "REJECT_REASON_UNSPECIFIED",
        "settled": order.status is OrderStatus.FILLED,
        "product_type": "SPOT",
        "reject_message": "" if order.refusal is None else order.refusal.value,
        "cancel_message": order.cancel_reason,
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": plain(order.hold),
        "is_liquidation": False,
        "last_fill_time": None if order.last_fill_ns is None else rfc3339(order.last_fill_ns),
        "edit_history": [
            {
                "price": plain(edit.price),
                "size": plain(edit.size),
                "replace_accept_timestamp": rfc3339(edit.time_ns),
            }
            for edit in order.edits
        ],
        "leverage": "",
        "margin_type": "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": PORTFOLIO_ID,
        "originating_order_id": "",
        "attached_order_id": "",
    }


def user_order_body(order: VenueOrder) -> Body:
    """One order of the user channel, whose names and spellings differ from those of the lists."""
    asked = order.asked
    ends = "" if asked.end_time_ns is None else rfc3339(asked.end_time_ns)
    return {
        "avg_price": plain(order.average_price),
        "cancel_reason": order.cancel_reason,
        "client_order_id": order.client_order_id,
        "completion_percentage": plain(order.completion),
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "cumulative_quantity": plain(order.filled),
        "filled_value": plain(order.value),
        "leaves_quantity": plain(order.leaves),
        "limit_price": "" if order.price is None else plain(order.price),
        "number_of_fills": str(order.fill_count),
        "order_id": order.order_id,
        "order_side": side_word(order.side),
        "order_type": "Market" if order.price is None else "Limit",
        "outstanding_hold_amount": plain(order.hold),
        "post_only": "true" if asked.post_only else "false",
        "product_id": order.product_id,
        "product_type": "SPOT",
        "reject_reason": reject_reason_of(order.refusal),
        "retail_portfolio_id": PORTFOLIO_ID,
        "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE",
        "status": order.status.value,
        "stop_price": "",
        "time_in_force": TIME_IN_FORCE[asked.time_in_force],
        "total_fees": plain(order.fees),
        "total_value_after_fees": plain(_value_after_fees(order)),
        "trigger_status": "INVALID_ORDER_TYPE",
        "creation_time": rfc3339(order.created_ns),
        "end_time": ends or NO_TIME,
        "start_time": NO_TIME,
    }


def _value_after_fees(order: VenueOrder) -> Decimal:
    """What the order costs or brings with its fees, the open part at its limit included."""
    value = order.value
    if order.price is not None:
        value = EXACT.add(value, EXACT.multiply(order.price, order.leaves))
    is_buy = order.side is Side.BUY
    return EXACT.add(value, order.fees) if is_buy else EXACT.subtract(value, order.fees)


def fill_body(fill: Fill) -> Body:
    """One execution."""
    return {
        "entry_id": fill.entry_id,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "trade_time": rfc3339(fill.time_ns),
        "trade_type": "FILL",
        "price": plain(fill.price),
        "size": plain(fill.size),
        "commission": plain(fill.commission),
        "product_id": fill.product_id,
        "sequence_timestamp": rfc3339(fill.time_ns),
        "liquidity_indicator": "MAKER" if fill.is_maker else "TAKER",
        "size_in_quote": False,
        "user_id": USER_ID,
        "side": side_word(fill.side),
        "retail_portfolio_id": PORTFOLIO_ID,
    }


def summary_body(tier: FeeTier, volume: Decimal, fees: Decimal, total_balance: Decimal) -> Body:
    """Fees and volume; the volumes are JSON numbers, as the live service has them."""
    return {
        "total_volume": _number(volume),
        "total_fees": _number(fees),
        "fee_tier": {
            "pricing_tier": tier.name,
            "usd_from": plain(tier.volume_from),
            "usd_to": "",
            "taker_fee_rate": plain(tier.taker_rate),
            "maker_fee_rate": plain(tier.maker_rate),
            "aop_from": "",
            "aop_to": "",
            "perps_vol_from": "",
            "perps_vol_to": "",
            "futures_vol_from": "",
            "futures_vol_to": "",
            "volume_types_and_range": [
                {
                    "volume_types": ["VOLUME_TYPE_SPOT", "VOLUME_TYPE_US_DERIVATIVES"],
                    "vol_from": plain(tier.volume_from),
                    "vol_to": "",
                }
            ],
        },
        "margin_rate": None,
        "goods_and_services_tax": None,
        "advanced_trade_only_volume": _number(volume),
        "advanced_trade_only_fees": _number(fees),
        "coinbase_pro_volume": 0,
        "coinbase_pro_fees": 0,
        "total_balance": plain(total_balance),
        "has_promo_fee": False,
        "volume_breakdown": [
            {"volume_type": "VOLUME_TYPE_SPOT", "volume": _number(volume)},
            {"volume_type": "VOLUME_TYPE_US_DERIVATIVES", "volume": 0},
        ],
        "has_cost_plus_commission": False,
    }


def _number(value: Decimal) -> msgspec.Raw:
    """A JSON number with every digit, where the live service has a number in place of a text."""
    return msgspec.Raw(plain(value).encode())
