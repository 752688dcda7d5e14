"""Run by the interpreter that has the official SDK: trades at a venue and prints what came back, as JSON.

Nothing of this project is imported here. Arguments: the venue's address (HOST:PORT) and the key file.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid

from coinbase.rest import RESTClient
from coinbase.websocket import WSClient, WSUserClient
from requests.adapters import HTTPAdapter

PRODUCT = "BTC-USD"
PATIENCE_S = 20.0


class Redirected(HTTPAdapter):
    """Sends what is meant for the real venue to the local one; the certificate is verified as ever.

    Only the connection is another: tokens are made for api.coinbase.com, as in production.
    """

    def __init__(self, address):
        self.address = address
        super().__init__()

    def send(self, request, **given):
        request.url = request.url.replace("https://api.coinbase.com", f"https://{self.address}", 1)
        return super().send(request, **given)


class Listener:
    """Messages of a feed, and a way to wait for some."""

    def __init__(self):
        self.messages = []
        self.news = threading.Condition()

    def take(self, text):
        with self.news:
            self.messages.append(json.loads(text))
            self.news.notify_all()

    def wait(self, wanted, what):
        """Return when a message is as wanted."""
        with self.news:
            if not self.news.wait_for(lambda: any(map(wanted, self.messages)), PATIENCE_S):
                seen = [message.get("channel", message) for message in self.messages]
                raise AssertionError(f"{what} did not come; seen: {seen[-20:]}")


def channel(name):
    return lambda message: message.get("channel") == name


def orders_of(messages, order_id):
    return [
        order
        for message in messages
        if message.get("channel") == "user"
        for event in message["events"]
        for order in event["orders"]
        if order["order_id"] == order_id
    ]


def has_status(order_id, status):
    return lambda message: any(order["status"] == status for order in orders_of([message], order_id))


def plain(answer):
    return json.loads(json.dumps(answer.to_dict(), default=lambda value: value.to_dict()))


def main(address, key_file):
    rest = RESTClient(key_file=key_file, timeout=10)
    rest.session.mount("https://api.coinbase.com", Redirected(address))
    told = {}

    told["time"] = plain(rest.get_unix_time())
    told["public_products"] = plain(rest.get_public_products())
    told["products"] = plain(rest.get_products())
    told["product"] = plain(rest.get_product(PRODUCT))
    told["accounts"] = plain(rest.get_accounts())
    told["book"] = plain(rest.get_product_book(PRODUCT, limit=5))
    told["best"] = plain(rest.get_best_bid_ask([PRODUCT]))
    told["summary"] = plain(rest.get_transaction_summary())
    told["permissions"] = plain(rest.get_api_key_permissions())
    told["portfolios"] = plain(rest.get_portfolios())
    now = int(time.time())
    told["candles"] = plain(rest.get_candles(PRODUCT, str(now - 3600), str(now), "ONE_MINUTE"))
    told["trades"] = plain(rest.get_market_trades(PRODUCT, 10))

    market, user = Listener(), Listener()
    feed = WSClient(base_url=f"wss://{address}/advanced", on_message=market.take, timeout=10, retry=False)
    own = WSUserClient(
        base_url=f"wss://{address}/advanced-user",
        key_file=key_file,
        on_message=user.take,
        timeout=10,
        retry=False,
    )
    feed.open()
    feed.subscribe([], ["heartbeats"])
    feed.subscribe([PRODUCT], ["level2", "ticker", "market_trades"])
    own.open()
    own.subscribe([], ["heartbeats", "user"])
    for name in ("l2_data", "heartbeats", "subscriptions", "market_trades"):
        market.wait(channel(name), name)
    user.wait(channel("user"), "the snapshot of the user channel")

    bid = told["book"]["pricebook"]["bids"][-1]["price"]
    low = f"{float(bid) * 0.9:.2f}"
    placed = rest.limit_order_gtc(str(uuid.uuid4()), PRODUCT, "BUY", "0.01", low, post_only=True)
    told["placed"] = plain(placed)
    order_id = told["placed"]["success_response"]["order_id"]
    user.wait(has_status(order_id, "OPEN"), "OPEN")
    told["edited"] = plain(rest.edit_order(order_id, size="0.008", price=low))
    told["open"] = plain(rest.list_orders(order_status=["OPEN"], product_ids=[PRODUCT]))
    told["cancelled"] = plain(rest.cancel_orders([order_id, str(uuid.uuid4())]))
    user.wait(has_status(order_id, "CANCELLED"), "CANCELLED")
    told["order"] = plain(rest.get_order(order_id))

    taken = plain(rest.market_order_buy(str(uuid.uuid4()), PRODUCT, base_size="0.001"))
    taken_id = taken["success_response"]["order_id"]
    user.wait(has_status(taken_id, "FILLED"), "FILLED")
    told["taken"] = taken
    told["taken_order"] = plain(rest.get_order(taken_id))
    told["fills"] = plain(rest.get_fills(order_ids=[taken_id]))
    market.wait(channel("ticker"), "a ticker after the trade")

    refused_id = str(uuid.uuid4())
    told["too_precise"] = plain(rest.limit_order_gtc(refused_id, PRODUCT, "BUY", "0.01", "60000.001"))
    told["preview"] = plain(rest.preview_limit_order_gtc(PRODUCT, "BUY", "0.01", low))

    feed.unsubscribe_all()
    market.wait(
        lambda message: (
            message.get("channel") == "subscriptions"
            and "level2" not in message["events"][0]["subscriptions"]
        ),
        "the end of the subscriptions",
    )
    feed.close()
    own.close()
    told["market"] = market.messages
    told["user"] = user.messages
    told["ids"] = {"placed": order_id, "taken": taken_id}
    json.dump(told, sys.stdout)


main(*sys.argv[1:])
