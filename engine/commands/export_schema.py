"""The tables a session is exported as: their names, columns, and the kind of each column.

Prices, sizes and amounts are exact decimals as texts, times integer nanoseconds; None is "not known".
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from engine.telemetry.markouts import HORIZONS_NS

Row = tuple[Any, ...]
"""A value for each column."""

TEXT, INT, BOOL = "text", "int", "bool"


class Column(NamedTuple):
    """A column and the kind of its values."""

    name: str
    kind: str = TEXT


class Table(NamedTuple):
    """A table by name, which is that of its file."""

    name: str
    columns: tuple[Column, ...]


def _horizon(ns: int) -> str:
    return f"{ns // 1_000_000}ms" if ns < 1_000_000_000 else f"{ns // 1_000_000_000}s"


HORIZONS: Final = tuple(_horizon(ns) for ns in HORIZONS_NS)

FILLS: Final = Table(
    "fills",
    (
        Column("product"),
        Column("time_ns", INT),
        Column("wall_ns", INT),
        Column("exchange_ns", INT),
        Column("fill_id"),
        Column("client_id"),
        Column("slot"),
        Column("purpose"),
        Column("side"),
        Column("price"),
        Column("size"),
        Column("is_maker", BOOL),
        Column("fee"),
        Column("fee_asset"),
        Column("quote_age_ns", INT),
        Column("mark"),
        Column("captured"),
        Column("position"),
        *(Column(f"markout_{horizon}") for horizon in HORIZONS),
    ),
)
ORDERS: Final = Table(
    "orders",
    (
        Column("product"),
        Column("client_id"),
        Column("venue_order_id"),
        Column("slot"),
        Column("purpose"),
        Column("side"),
        Column("price"),
        Column("size"),
        Column("time_in_force"),
        Column("post_only", BOOL),
        Column("reduce_only", BOOL),
        Column("sent_ns", INT),
        Column("accepted_ns", INT),
        Column("ended_ns", INT),
        Column("filled"),
        Column("state"),
        Column("reason"),
    ),
)
POSITIONS: Final = Table(
    "positions",
    (
        Column("product"),
        Column("time_ns", INT),
        Column("wall_ns", INT),
        Column("position"),
        Column("mark"),
        Column("realised"),
        Column("unrealised"),
        Column("captured"),
        Column("revaluation"),
        Column("fees"),
        Column("profit"),
        Column("hold"),
    ),
)
ATTRIBUTION: Final = Table(
    "attribution",
    (
        Column("product"),
        Column("kind"),
        Column("name"),
        Column("fills", INT),
        Column("captured"),
        Column("revaluation"),
        Column("fees"),
        Column("profit"),
        *(Column(f"adverse_{horizon}") for horizon in HORIZONS),
        *(Column(f"followed_{horizon}", INT) for horizon in HORIZONS),
        *(Column(f"censored_{horizon}", INT) for horizon in HORIZONS),
    ),
)
TABLES: Final = (FILLS, ORDERS, POSITIONS, ATTRIBUTION)
