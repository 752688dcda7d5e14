"""Why an order was not sent, in words and numbers that a person can read."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.core.events import SubmitOrder
from engine.core.instrument import Instrument
from engine.core.own_orders import OwnOrders
from engine.risk.limits import Ratio, RiskLimits
from engine.risk.runaway import WINDOW_S

RUNAWAY: Final = "RUNAWAY"


class Denial(msgspec.Struct, frozen=True, gc=False):
    """Why an order was not sent: one upper-case word, and a sentence with the numbers."""

    code: str
    reason: str


class DenialWords:
    """The denials of one product's gate; sizes in lots, money in atoms, prices in ticks."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument

    def too_large(self, order: SubmitOrder, limits: RiskLimits) -> Denial:
        """R1."""
        limit = self.lots(limits.max_order_size)
        return Denial("SIZE", f"order of {self.lots(order.size)}, the limit is {limit}")

    def too_dear(self, notional: int, limits: RiskLimits) -> Denial:
        """R2."""
        limit = self.money(limits.max_order_notional)
        return Denial("NOTIONAL", f"order worth {self.money(notional)}, the limit is {limit}")

    def too_many(self, own: OwnOrders, limits: RiskLimits) -> Denial:
        """R6."""
        return Denial(
            "OPEN_ORDERS",
            f"{own.buy_count} buys and {own.sell_count} sells are open; the limits are "
            f"{limits.max_open_orders}, {limits.max_open_orders_per_side} a side",
        )

    def too_much(self, worst: int, limits: RiskLimits) -> Denial:
        """R7."""
        limit = self.lots(limits.max_position)
        return Denial("POSITION", f"{self.lots(worst)} if all fills, the limit is {limit}")

    def too_exposed(self, gross: int, limits: RiskLimits) -> Denial:
        """R8."""
        limit = self.money(limits.max_gross_notional)
        return Denial("EXPOSURE", f"{self.money(gross)} if all fills, the limit is {limit}")

    def too_little_base(self, balance: int) -> Denial:
        """R8, a sell."""
        return Denial("EXPOSURE", f"would sell more than the {self.lots(balance)} of the account")

    def too_little_free(self, free: int, equity: int, limits: RiskLimits) -> Denial:
        """R8, a buy."""
        return Denial(
            "EXPOSURE",
            f"would leave {self.money(free)} free, the minimum is {_percent(limits.min_free_balance)} "
            f"of {self.money(equity)}",
        )

    def run_away(self, size: int, meant: int, sent: int) -> Denial:
        """R13."""
        return Denial(
            RUNAWAY,
            f"{self.lots(sent)} were sent within {WINDOW_S} s and {self.lots(size)} more were to leave, "
            f"where the decisions asked for {self.lots(meant)}",
        )

    def lots(self, lots: int) -> str:
        """A size."""
        return f"{self._instrument.size_text(lots)} {self._instrument.base}"

    def money(self, atoms: int) -> str:
        """An amount."""
        return f"{self._instrument.money_text(atoms)} {self._instrument.quote}"

    def at(self, price: int) -> str:
        """A price."""
        return self._instrument.price_text(price)

    def away(self, price: int, mid: int, what: str, limit: Ratio) -> str:
        """R3 and R4: how far a price lies from the mid, in half ticks."""
        against = self._instrument.half_ticks_text(mid)
        return f"{self.at(price)} against a mid of {against}, outside the {what} of {_percent(limit)}"


def _percent(ratio: Ratio) -> str:
    return f"{100 * ratio.numerator / ratio.denominator:g} %"
