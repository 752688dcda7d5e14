"""Scripted analytics: what the fills of `views.product_view` could have come to, fixed to the last digit."""

from __future__ import annotations

from typing import Any

import msgspec
from console import views
from console.views import MS, USD, WALL, S

from engine.link.analytics import (
    AGE,
    LEVEL,
    SIDE,
    TOTAL,
    Analytics,
    FillGroup,
    GroupMarkout,
    HourShare,
    Presence,
    SlotFills,
)

HORIZONS = (100 * MS, S, 10 * S, 60 * S, 300 * S)
HOUR = 3_600 * S


def markouts(fills: int, captured: int, adverse: tuple[int, ...], average: float) -> tuple[GroupMarkout, ...]:
    """Falling from what was captured; fewer fills have come to the later horizons."""
    made = []
    for n, horizon in enumerate(HORIZONS):
        done = max(0, fills - n * n)
        settled = captured * done // fills if fills else 0
        made.append(
            GroupMarkout(
                horizon,
                done,
                0,
                fills - done,
                settled,
                adverse[n],
                average - 130.0 * n if done else None,
                40.0 + 55.0 * n if done > 1 else None,
                average + 60.0 if done else None,
                100.0 if done else None,
            )
        )
    return tuple(made)


def group(
    kind: str, name: str, fills: int, captured: int, revaluation: int, fees: int, *, average: float = 260.0
) -> FillGroup:
    """Cents; a tenth more of the captured is lost at every horizon."""
    cent = USD // 100
    adverse = tuple(-captured * cent * (n + 1) // 10 for n in range(len(HORIZONS)))
    return FillGroup(
        kind,
        name,
        fills,
        fills * 1_000_000,
        captured * cent,
        revaluation * cent,
        fees * cent,
        markouts(fills, captured * cent, adverse, average),
    )


def analytics(**changes: Any) -> Analytics:
    """All of it: 4,120 cents captured, 1,903 lost by revaluation, 969 paid in fees, as the P&L says."""
    groups = (
        group(TOTAL, "all", 31, 4_120, -1_903, 969),
        group(SIDE, "buy", 17, 2_300, -2_410, 520, average=120.0),
        group(SIDE, "sell", 14, 1_820, 507, 449, average=410.0),
        group(LEVEL, "B0", 12, 1_300, -1_700, 330, average=40.0),
        group(LEVEL, "B1", 5, 1_000, -710, 190, average=310.0),
        group(LEVEL, "A0", 9, 1_010, 307, 249, average=260.0),
        group(LEVEL, "A1", 5, 810, 200, 200, average=540.0),
        group(AGE, "< 0.5 s", 4, 320, 110, 90, average=620.0),
        group(AGE, "< 2 s", 9, 1_200, -203, 290, average=330.0),
        group(AGE, "< 10 s", 18, 2_600, -1_810, 589, average=-90.0),
    )
    cent = USD // 100
    hours = (
        HourShare(WALL // HOUR * HOUR - HOUR, 12, 1_700 * cent, -900 * cent, 380 * cent, (-170 * cent,) * 5),
        HourShare(WALL // HOUR * HOUR, 19, 2_420 * cent, -1_003 * cent, 589 * cent, (-242 * cent,) * 5),
    )
    made = Analytics(
        horizons_ns=HORIZONS,
        groups=groups,
        hours=hours,
        slots=(
            SlotFills("B0", 402, 402_000_000, 12, 12_000_000),
            SlotFills("B1", 402, 402_000_000, 5, 5_000_000),
            SlotFills("A0", 398, 398_000_000, 9, 9_000_000),
            SlotFills("A1", 398, 398_000_000, 5, 5_000_000),
        ),
        presence=Presence(
            750 * S, 741 * S, 738 * S, 731 * S, 402 * S, 377 * S, own_spread=1_302.0, market_spread=110.0
        ),
        half_life_s=41.7,
        hold=-1_320 * cent,
    )
    return msgspec.structs.replace(made, **changes)


def view_with(**changes: Any) -> views.View:
    """The scripted view of the whole, with analytics."""
    return views.view(views.product_view(**{"analytics": analytics()} | changes))
