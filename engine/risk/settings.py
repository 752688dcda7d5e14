"""Section `risk`: the limits of trading-safety controls R1-R17, of the loss guard and of value at risk.

Every field's upper bound is its hard ceiling: a configuration may lower a limit or raise it up to the
ceiling, and only a change of this file can lift the ceiling. Sizes in base units have a wide ceiling,
because a unit of one product is worth a billion of another; there the ceilings in money bind.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.core.settings import setting
from engine.risk.guard_settings import NO_MONEY, NO_MONEY_MODES, GuardSettings
from engine.risk.limits import Ratio, RiskLimits

SECTION = "risk"
_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RiskSettings(GuardSettings):
    """What no order and no session may exceed. The defaults are those of paper and live trading.

    `sim` and `replay` play with no money, in any product, and start with generous limits; see
    `for_mode`. An unset size or position limit follows from the strategy's `max_position`.
    """

    max_order_size_base: Decimal | None = setting(
        Decimal("0.05"),
        "R1: largest order; unset is the strategy's max_position.",
        unit="base",
        above=0,
        at_most=1_000_000_000,
        live=True,
    )
    max_order_notional: Decimal = setting(
        Decimal(1_000),
        "R2: largest price times size of an order.",
        unit="quote",
        above=0,
        at_most=100_000,
        live=True,
    )
    collar_pct: Decimal = setting(
        Decimal(2), "R3: no order further than this from the mid.", unit="%", above=0, at_most=10, live=True
    )
    band_bps: Decimal = setting(
        Decimal(50),
        "R4: no quote further than this from the mid.",
        unit="bp",
        above=0,
        at_most=500,
        live=True,
    )
    max_open_orders: int = setting(20, "R6: open orders.", at_least=1, at_most=200, live=True)
    max_open_orders_per_side: int = setting(
        10, "R6: open orders of one side.", at_least=1, at_most=100, live=True
    )
    max_position_base: Decimal | None = setting(
        Decimal("0.25"),
        "R7: largest position with all open orders of a side filled; "
        "unset is twice the strategy's max_position.",
        unit="base",
        above=0,
        at_most=1_000_000_000,
        live=True,
    )
    max_gross_notional: Decimal = setting(
        Decimal(10_000),
        "R8: largest position at the mid with all open orders of a side filled.",
        unit="quote",
        above=0,
        at_most=2_000_000,
        live=True,
    )
    min_free_balance_pct: Decimal = setting(
        Decimal(5),
        "R8: share of equity that open buys must leave free.",
        unit="%",
        at_least=0,
        at_most=100,
        live=True,
    )
    max_drawdown_pct: Decimal = setting(
        Decimal(5),
        "Drop from the session's peak equity that cancels all and halts.",
        unit="% of risk_capital",
        above=0,
        at_most=100,
        live=True,
    )
    stop_loss_pct: Decimal = setting(
        Decimal(3),
        "Unrealised loss at which the position is closed.",
        unit="% of open cost",
        above=0,
        at_most=100,
        live=True,
    )
    take_profit_pct: Decimal = setting(
        Decimal(5),
        "Unrealised profit at which the position is closed.",
        unit="% of open cost",
        above=0,
        at_most=1_000,
        live=True,
    )
    max_trading_volume: Decimal = setting(
        Decimal(100),
        "Bought plus sold per UTC day; from here on only reducing orders.",
        unit="base",
        above=0,
        at_most=1_000_000_000,
        live=True,
    )
    risk_capital: Decimal | None = setting(
        None,
        "What drawdown is measured against; unset is the equity at the start.",
        unit="quote",
        above=0,
        at_most=1_000_000_000,
    )

    @classmethod
    def for_mode(cls, mode: str) -> Self:
        """The defaults of a mode: tight where orders meet real prices, generous in `sim` and `replay`.

        Generous means: sizes and positions from the strategy's own cap, money and distances at their
        ceilings, no balance kept free.
        """
        if mode not in NO_MONEY_MODES:
            return cls()
        return cls(
            max_order_size_base=None,
            max_order_notional=Decimal(100_000),
            collar_pct=Decimal(10),
            band_bps=Decimal(500),
            max_open_orders=200,
            max_open_orders_per_side=100,
            max_position_base=None,
            max_gross_notional=Decimal(2_000_000),
            min_free_balance_pct=Decimal(0),
            **NO_MONEY,
        )

    def violation(self) -> str | None:
        """The first rule between fields that is broken: key, value and bound; None if none."""
        if self.max_open_orders_per_side > self.max_open_orders:
            return self._above("max_open_orders_per_side", "max_open_orders")
        if self.max_order_notional > self.max_gross_notional:
            return self._above("max_order_notional", "max_gross_notional")
        size, position = self.max_order_size_base, self.max_position_base
        if size is not None and position is not None and size > position:
            return self._above("max_order_size_base", "max_position_base")
        if self.band_bps > self.collar_pct * 100:
            return (
                f"{SECTION}.band_bps = {self.band_bps}: quotes must lie inside the collar, "
                f"collar_pct = {self.collar_pct} %"
            )
        return None

    def _above(self, key: str, bound: str) -> str:
        return f"{SECTION}.{key} = {getattr(self, key)}: must be at most {bound} = {getattr(self, bound)}"

    def limits(self, instrument: Instrument, strategy_max_position: Decimal) -> RiskLimits:
        """The limits of one instrument; sizes and money are rounded down.

        `strategy_max_position` (base) stands in for unset limits. Raises `UsageError` when a limit is
        so small that no order of the instrument could ever pass.
        """
        size, position = self.max_order_size_base, self.max_position_base
        max_order_size = instrument.lots_floor(strategy_max_position if size is None else size)
        limits = RiskLimits(
            max_order_size=max_order_size,
            max_order_notional=_atoms_floor(instrument, self.max_order_notional),
            collar=Ratio.of(self.collar_pct, 100),
            band=Ratio.of(self.band_bps, 10_000),
            max_open_orders=self.max_open_orders,
            max_open_orders_per_side=self.max_open_orders_per_side,
            max_position=instrument.lots_floor(2 * strategy_max_position if position is None else position),
            max_gross_notional=_atoms_floor(instrument, self.max_gross_notional),
            min_free_balance=Ratio.of(self.min_free_balance_pct, 100),
            max_drawdown=Ratio.of(self.max_drawdown_pct, 100),
            max_drawdown_money=_atoms_floor(instrument, self.max_drawdown),
            max_daily_loss=_atoms_floor(instrument, self.max_daily_loss),
            stop_loss=Ratio.of(self.stop_loss_pct, 100),
            take_profit=Ratio.of(self.take_profit_pct, 100),
            max_trading_volume=instrument.lots_floor(self.max_trading_volume),
            risk_capital=None if self.risk_capital is None else _atoms_floor(instrument, self.risk_capital),
            max_quoted_position=instrument.lots_floor(strategy_max_position),
            max_orders_per_s=self.max_orders_per_s,
            max_order_burst=self.max_order_burst,
            order_wait_ns=self.order_wait_ms * 1_000_000,
            runaway_ratio=self.runaway_ratio,
            max_fills_per_s=self.max_fills_per_s,
            max_filled_per_s=self.max_filled_orders_per_s * max_order_size,
            fill_hold_ns=self.fill_hold_s * _S,
            max_spread=Ratio.of(self.max_spread_pct, 100),
            max_mid_move=Ratio.of(self.max_mid_move_pct, 100),
            book_hold_ns=self.book_hold_s * _S,
            max_var=None if self.max_var is None else _atoms_floor(instrument, self.max_var),
            var_confidence=float(self.var_confidence_pct / 100),
            var_method=self.var_method,
            var_interval_ns=self.var_interval_s * _S,
            var_samples=self.var_samples,
        )
        smallest = max(1, instrument.min_size)
        for key, lots in (
            ("max_order_size_base", limits.max_order_size),
            ("max_position_base", limits.max_position),
        ):
            if lots < smallest:
                value = getattr(self, key)
                told = "the strategy's max_position" if value is None else value
                raise UsageError(
                    f"{SECTION}.{key} = {told}: below the smallest order of {instrument.symbol} "
                    f"({instrument.size_text(smallest)} {instrument.base}), so no order could pass; raise it"
                )
        return limits


def _atoms_floor(instrument: Instrument, money: Decimal) -> int:
    numerator, denominator = money.as_integer_ratio()
    return int(numerator * 10**instrument.money_places // denominator)
