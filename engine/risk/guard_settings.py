"""Section `risk`, the second half: what may go wrong over time, R9 to R17, and value at risk.

Every bound is a hard ceiling or floor, as in `engine.risk.settings`, which the section begins with.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from engine.core.settings import setting

NO_MONEY_MODES: Final = frozenset({"sim", "replay"})
"""Modes that play with no money."""


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What no session may lose, and how fast nothing may happen."""

    max_daily_loss: Decimal = setting(
        Decimal(250),
        "R9: loss of a UTC day, realised and unrealised and fees, that cancels all and halts.",
        unit="quote",
        above=0,
        at_most=1_000_000,
        live=True,
    )
    max_drawdown: Decimal = setting(
        Decimal(150),
        "R10: drop from the session's peak equity from which on only reducing orders are sent.",
        unit="quote",
        above=0,
        at_most=1_000_000,
        live=True,
    )
    max_orders_per_s: int = setting(
        5, "R11: orders a second, on and on.", unit="1/s", at_least=1, at_most=1_000, live=True
    )
    max_order_burst: int = setting(
        10, "R11: orders at once.", unit="orders", at_least=1, at_most=1_000, live=True
    )
    order_wait_ms: int = setting(
        250,
        "R11: how long a quote waits for its turn before it is dropped.",
        unit="ms",
        at_least=0,
        at_most=250,
        live=True,
    )
    runaway_ratio: int = setting(
        3,
        "R13: lots sent within 10 s, as a multiple of those the decisions asked for, that kill.",
        unit="x",
        at_least=1,
        at_most=10,
        live=True,
    )
    max_fills_per_s: int = setting(
        10,
        "R15: fills within a second; more pull the quotes.",
        unit="1/s",
        at_least=1,
        at_most=1_000,
        live=True,
    )
    max_filled_orders_per_s: int = setting(
        5,
        "R15: what may fill within a second, as a multiple of the largest order; more pulls the quotes.",
        unit="x",
        at_least=1,
        at_most=1_000,
        live=True,
    )
    fill_hold_s: int = setting(
        30, "R15: how long the quotes stay away.", unit="s", at_least=5, at_most=3_600, live=True
    )
    max_spread_pct: Decimal = setting(
        Decimal(5), "R17: a wider spread is no market.", unit="%", above=0, at_most=100, live=True
    )
    max_mid_move_pct: Decimal = setting(
        Decimal(3),
        "R17: a further move of the mid within a second is no market.",
        unit="%",
        above=0,
        at_most=100,
        live=True,
    )
    book_hold_s: int = setting(
        5,
        "R17: how long prices must be sane before quotes return.",
        unit="s",
        at_least=1,
        at_most=3_600,
        live=True,
    )
    max_var: Decimal | None = setting(
        None,
        "Value at risk of the position above which only reducing orders are sent; unset is no limit.",
        unit="quote",
        above=0,
        at_most=1_000_000,
        live=True,
    )
    var_confidence_pct: Decimal = setting(
        Decimal(95), "Confidence of value at risk.", unit="%", at_least=80, at_most="99.9", live=True
    )
    var_method: str = setting(
        "historical",
        "How the limit's value at risk is worked out.",
        choices=("historical", "parametric", "monte-carlo"),
        live=True,
    )
    var_interval_s: int = setting(
        10,
        "Horizon of value at risk: the time between two mids.",
        unit="s",
        at_least=1,
        at_most=86_400,
        live=True,
    )
    var_samples: int = setting(
        500,
        "Returns that value at risk looks back on.",
        unit="returns",
        at_least=100,
        at_most=5_000,
        live=True,
    )


NO_MONEY: Final[dict[str, Any]] = {
    "max_daily_loss": Decimal(1_000_000),
    "max_drawdown": Decimal(1_000_000),
    "max_orders_per_s": 1_000,
    "max_order_burst": 1_000,
    "max_fills_per_s": 1_000,
    "max_filled_orders_per_s": 1_000,
    "max_spread_pct": Decimal(100),
    "max_mid_move_pct": Decimal(100),
}
"""The defaults where no money is at stake: at the ceilings."""
