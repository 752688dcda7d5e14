"""What the fills of one desk come to: the measures of this package together, fed from one place."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.core.events import AnyCommand, SubmitOrder
from engine.core.instrument import Instrument
from engine.core.ledger import BookedFill
from engine.core.own_orders import OwnOrder
from engine.telemetry.attribution import Attribution, AttributionState, Hours, HoursState, Totals
from engine.telemetry.fill_groups import FillGroup
from engine.telemetry.fill_ratio import FillRatios, SlotSums
from engine.telemetry.half_life import HalfLife, HalfLifeState
from engine.telemetry.markouts import Markouts
from engine.telemetry.presence import Presence, PresenceState, Touch


class AnalyticsState(msgspec.Struct, frozen=True):
    """The state of each part; that of the markouts is kept by who owns them."""

    attribution: AttributionState
    hours: HoursState
    presence: PresenceState
    half_life: HalfLifeState
    ratios: dict[str, SlotSums]
    first_mark: int | None


class Analytics:
    """Follows one desk. Nothing that trades reads what it keeps, and what it keeps has an end.

    For each wake-up: `begin`, every booked fill, what was sent and what ended, then the state at its end.
    """

    __slots__ = (
        "_first_mark",
        "_instrument",
        "_opening_base",
        "attribution",
        "half_life",
        "hours",
        "markouts",
        "presence",
        "ratios",
    )

    def __init__(self, instrument: Instrument, markouts: Markouts, opening_base: int) -> None:
        """`opening_base` are the lots that the account held at the start."""
        self._instrument = instrument
        self._opening_base = opening_base
        self._first_mark: int | None = None
        self.markouts = markouts
        self.attribution = Attribution(instrument)
        self.hours = Hours()
        self.presence = Presence()
        self.half_life = HalfLife()
        self.ratios = FillRatios()

    def begin(self, wall_ns: int) -> None:
        """What follows belongs to the hour of this time."""
        if self.hours.is_over(wall_ns):
            self.hours.turn(wall_ns, self.totals())

    def on_fill(self, booked: BookedFill, order: OwnOrder | None) -> None:
        """A fill of an order, which is None where it is not on record any more."""
        fill = booked.fill
        group = FillGroup.of(fill.side, order, fill.is_maker, fill.recv_ns).name
        self.attribution.on_fill(booked, group)
        self.markouts.on_fill(fill, group, booked.mark)
        self.ratios.on_fill(fill, order)

    def on_orders(self, sent: Iterable[AnyCommand], ended: Iterable[OwnOrder]) -> None:
        """What was sent, and the orders that cannot trade any more."""
        for command in sent:
            if isinstance(command, SubmitOrder):
                self.ratios.on_sent(command)
        for order in ended:
            self.ratios.on_ended(order)

    def on_state(
        self, now_ns: int, position: int, mark: int | None, bid: int | None, ask: int | None, touch: Touch
    ) -> None:
        """The end of a wake-up: position, mark, our best working prices and the market's."""
        if self._first_mark is None:
            self._first_mark = mark
        self.attribution.on_mark(mark)
        self.half_life.on_position(now_ns, position)
        self.presence.on_state(now_ns, bid, ask, touch)

    def totals(self) -> Totals:
        """The accounts as they stand."""
        share = self.attribution.total()
        return Totals(
            share.fills,
            share.captured,
            self.attribution.revaluation(share),
            share.fees,
            tuple(sums.adverse_selection for sums in self.markouts.total()),
        )

    @property
    def hold(self) -> int | None:
        """What holding the opening base has earned since the first mark, in atoms; None before that.

        The profit of the ledger is beside it: it is what trading has earned over holding.
        """
        if self._first_mark is None:
            return None
        return self._instrument.value(self.attribution.mark - self._first_mark, self._opening_base)

    def save(self) -> AnalyticsState:
        """All of it, copied."""
        return AnalyticsState(
            self.attribution.save(),
            self.hours.save(),
            self.presence.save(),
            self.half_life.save(),
            self.ratios.save(),
            self._first_mark,
        )

    def load(self, state: AnalyticsState) -> None:
        """Be what was saved."""
        self.attribution.load(state.attribution)
        self.hours.load(state.hours)
        self.presence.load(state.presence)
        self.half_life.load(state.half_life)
        self.ratios.load(state.ratios)
        self._first_mark = state.first_mark
