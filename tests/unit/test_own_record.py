"""Our record of an account whose currencies several products share."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from trader_bench import configured

from engine.core.events import OrderFilled
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.account import Opening
from engine.runtime.builder import build_trader
from engine.runtime.own_record import TraderRecord, earned

USD = Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")
EUR = Instrument.create("BTC-EUR", tick="0.01", lot="0.0001")
ETH = Instrument.create("ETH-BTC", tick="0.00001", lot="0.001")
D = Decimal


def test_every_product_sees_what_the_others_did_to_its_currencies() -> None:
    records: list[TraderRecord] = []
    openings = {
        USD: Opening(quote=D(1_000), base=D(2)),
        EUR: Opening(quote=D(500), base=D(2)),
        ETH: Opening(quote=D(2), base=D(10)),
    }
    for number, (instrument, opening) in enumerate(openings.items()):
        record = TraderRecord(opening, partial(earned, records))
        records.append(record)
        record.attach(build_trader(configured(), instrument, number, displays_own=True, opening=opening))
    usd, eur, eth = records

    def fill(record: TraderRecord, number: int, side: Side, price: str, size: str, fee: str) -> None:
        instrument = record.trader.instrument
        record.trader.ledger.apply(
            OrderFilled(
                instrument.symbol,
                1,
                1,
                "c",
                f"f{number}",
                side,
                instrument.ticks(price),
                instrument.lots(size),
                instrument.atoms_rounded(D(fee))[0],
                True,
            )
        )

    fill(usd, 1, Side.BUY, "100", "0.5", "0.25")
    fill(eur, 2, Side.SELL, "90", "0.2", "0.1")
    fill(eth, 3, Side.BUY, "0.05", "4", "0.001")
    btc = D("2") + D("0.5") - D("0.2") - D("0.201")
    assert usd.base_balance * USD.lot == btc
    assert eur.base_balance * EUR.lot == btc
    assert D(eth.quote_balance).scaleb(-ETH.money_places) == btc
    assert D(usd.quote_balance).scaleb(-USD.money_places) == D(1_000) - 50 - D("0.25")
    assert D(eur.quote_balance).scaleb(-EUR.money_places) == D(500) + 18 - D("0.1")
    assert eth.base_balance * ETH.lot == 14
