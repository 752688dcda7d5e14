"""What a console is shown of a desk's fills."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order import Side
from engine.link.analytics import AGE, LEVEL, SIDE, TOTAL, Analytics, GroupMarkout, HourShare, SlotFills
from engine.link.analytics import FillGroup as ShownGroup
from engine.link.analytics import Presence as ShownPresence
from engine.telemetry import analytics as telemetry
from engine.telemetry.attribution import Share
from engine.telemetry.fill_groups import AGE_BOUNDS_NS, NO_LEVEL, FillGroup
from engine.telemetry.markout_sums import MarkoutSums
from engine.telemetry.markouts import Markouts
from engine.telemetry.presence import Presence

OTHER: Final = "other"
"""Fills that took, and those of orders that are no quotes."""
_BOUNDS: Final = tuple(f"{bound / 1e9:g} s" for bound in AGE_BOUNDS_NS)
AGES: Final = (*(f"< {bound}" for bound in _BOUNDS), f"{_BOUNDS[-1]} +")
_KINDS: Final = (TOTAL, SIDE, LEVEL, AGE)

Key = tuple[str, str]
"""(kind, name)."""


@dataclass(slots=True)
class _Sums:
    """What is added up for one group that is shown."""

    share: Share = field(default_factory=Share)
    markouts: list[MarkoutSums] = field(default_factory=list)


def analytics_of(kept: telemetry.Analytics, ledger: Ledger) -> Analytics:
    """Everything that is kept, in the groups that people compare, checked against the accounts."""
    instrument, totals = ledger.instrument, kept.totals()
    return Analytics(
        horizons_ns=kept.markouts.horizons_ns,
        groups=tuple(_groups(kept, instrument)),
        hours=tuple(
            HourShare(start, row.fills, row.captured, row.revaluation, row.fees, row.adverse)
            for start, row in kept.hours.rows(totals)
        ),
        slots=tuple(
            SlotFills(slot, sums.sent_orders, sums.sent_lots, sums.filled_orders, sums.filled_lots)
            for slot, sums in sorted(kept.ratios.slots().items(), key=lambda each: _order((LEVEL, each[0])))
        ),
        presence=_presence(kept.presence),
        half_life_s=kept.half_life.seconds,
        hold=kept.hold,
        residual=totals.profit - (ledger.captured + ledger.revaluation - ledger.fees),
    )


def _groups(kept: telemetry.Analytics, instrument: Instrument) -> Iterable[ShownGroup]:
    made: defaultdict[Key, _Sums] = defaultdict(_Sums)
    made[TOTAL, "all"] = _Sums()
    for name, share in kept.attribution.shares().items():
        for key in keys_of(FillGroup.parse(name)):
            made[key].share.add(share)
    for name, sums in kept.markouts.groups().items():
        for key in keys_of(FillGroup.parse(name)):
            totals = made[key].markouts
            if not totals:
                totals.extend(MarkoutSums() for _ in sums)
            for total, part in zip(totals, sums, strict=True):
                total.add(part)
    for (kind, shown), each in sorted(made.items(), key=lambda item: _order(item[0])):
        share = each.share
        yield ShownGroup(
            kind,
            shown,
            share.fills,
            share.lots,
            share.captured,
            kept.attribution.revaluation(share),
            share.fees,
            tuple(_markouts(each, kept.markouts, instrument)),
        )


def keys_of(group: FillGroup) -> list[Key]:
    """The shown groups that a fill belongs to: one of each kind. Fills of no quote have no age."""
    side = Side(group.side)
    if group.level == NO_LEVEL:
        return [(TOTAL, "all"), (SIDE, side.word), (LEVEL, OTHER), (AGE, OTHER)]
    slot = f"{'B' if side > 0 else 'A'}{group.level}"
    return [(TOTAL, "all"), (SIDE, side.word), (LEVEL, slot), (AGE, AGES[group.age])]


def _markouts(group: _Sums, markouts: Markouts, instrument: Instrument) -> Iterable[GroupMarkout]:
    sums = group.markouts or [MarkoutSums() for _ in markouts.horizons_ns]
    for horizon, each in zip(markouts.horizons_ns, sums, strict=True):
        worth = 2 * instrument.atoms_per_half_tick_lot * each.lots
        yield GroupMarkout(
            horizon,
            each.fills,
            each.censored,
            group.share.passive - each.fills - each.censored,
            each.captured,
            each.adverse_selection,
            each.per_unit(instrument),
            each.error_per_unit(instrument),
            each.captured / worth if worth else None,
            each.fees / worth if worth else None,
        )


def _presence(kept: Presence) -> ShownPresence:
    sums = kept.sums
    return ShownPresence(
        sums.watched_ns,
        sums.bid_ns,
        sums.ask_ns,
        sums.both_ns,
        sums.bid_touch_ns,
        sums.ask_touch_ns,
        sums.average_own_spread,
        sums.average_market_spread,
    )


def _order(key: Key) -> tuple[int, int, str, int, str]:
    """Kinds in their order; bids before asks, and "B10" after "B9"; what is no quote's comes last."""
    kind, name = key
    if kind == LEVEL and name != OTHER:
        return _KINDS.index(kind), 0, "" if name[0] == "B" else "A", int(name[1:]), name
    rank = AGES.index(name) if name in AGES else len(AGES)
    return _KINDS.index(kind), 1, "", rank, name
