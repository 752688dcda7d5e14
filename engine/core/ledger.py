"""The ledger of one product: position, cash, cost, fees and profit, all from one stream of fills.

Everything is an exact integer (money in quote atoms, sizes in lots, marks in half ticks), so the two
identities of the accounts hold with a residual of exactly zero after every event:

    cash + position * mark = realised + unrealised - fees
    cash + position * mark = spread captured + inventory revaluation - fees

Each side is accumulated on its own; none is computed from the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from engine.core.errors import OrderError
from engine.core.events import OrderFilled
from engine.core.fill_ids import FillIds, FillIdsState
from engine.core.instrument import Instrument

DAY_NS: Final = 86_400_000_000_000
_DUST: Final = Context(prec=200)


class BookedFill(NamedTuple):
    """A fill as it went into the accounts."""

    fill: OrderFilled
    position: int
    """After it, in lots."""
    mark: int
    """What the accounts valued it at, in half ticks: the mark in force, or its own price without one."""


def fee_atoms(fill: OrderFilled, instrument: Instrument, half_ticks: int) -> int | None:
    """What a fill's fee is worth in quote atoms, a base fee valued at a mark; None when nobody knows."""
    asset = fill.fee_asset
    if not asset or asset == instrument.quote or not fill.fee:
        return fill.fee
    if asset == instrument.base:
        return instrument.value(half_ticks, fill.fee)
    return fill.fee_value


class LedgerState(msgspec.Struct, frozen=True):
    """The accounts and the fills they know; each field is the `Ledger`'s own of that name."""

    atoms: int
    cash: int
    position: int
    open_cost: int
    realised: int
    fees: int
    base_fees: int
    other_fees: dict[str, int]
    other_value: int
    is_complete: bool
    dust: Decimal
    mark: int | None
    reference: int
    captured: int
    revalued: int
    fill_count: int
    bought: int
    sold: int
    day: int
    day_volume: int
    opening_equity: int
    ids: FillIdsState


_COPIED: Final = tuple(name for name in LedgerState.__struct_fields__ if name not in ("other_fees", "ids"))


class Ledger:
    """Books fills of one product at average cost.

    `apply` books a fill once, whatever its id's repetitions; `mark` revalues the position. Totals do not
    depend on the order in which fills arrive; the split between realised and unrealised follows it,
    as average cost does.

    While no mark is in force the last fill's own price values what has to be valued (a base fee, the
    mark at a fill), and everything that would need a mark reads None, unless the position is flat.
    """

    __slots__ = (
        "_atoms",
        "_base_fees",
        "_bought",
        "_captured",
        "_cash",
        "_day",
        "_day_volume",
        "_dust",
        "_fees",
        "_fill_count",
        "_ids",
        "_is_complete",
        "_mark",
        "_open_cost",
        "_opening_equity",
        "_other_fees",
        "_other_value",
        "_position",
        "_realised",
        "_reference",
        "_revalued",
        "_sold",
        "instrument",
    )

    def __init__(self, instrument: Instrument, opening_equity: int) -> None:
        """`opening_equity` in atoms: what the account was worth when the ledger was opened."""
        self.instrument = instrument
        self._opening_equity = opening_equity
        self._atoms = instrument.atoms_per_half_tick_lot
        self._ids = FillIds()
        self._cash = 0
        self._position = 0
        self._open_cost = 0
        self._realised = 0
        self._fees = 0
        self._base_fees = 0
        self._other_fees: dict[str, int] = {}
        self._other_value = 0
        self._is_complete = True
        self._dust = Decimal(0)
        self._mark: int | None = None
        # The last mark, or the last fill's price where there was none: what the sums below start from.
        self._reference = 0
        self._captured = 0
        self._revalued = 0
        self._fill_count = 0
        self._bought = 0
        self._sold = 0
        self._day = 0
        self._day_volume = 0

    # -- what happens ----------------------------------------------------------------------------

    def apply(self, fill: OrderFilled) -> bool:
        """Book a fill; False, with nothing changed, when it was booked before.

        Raises `OrderError`, with nothing changed, for another product's fill or a size or price that
        no fill can have.
        """
        size, price = fill.size, fill.price
        if size <= 0 or price < 0 or fill.product != self.instrument.symbol:
            raise OrderError(
                f"fill {fill.fill_id} of {size} lots at {price} ticks on {fill.product} cannot be booked "
                f"for {self.instrument.symbol}; positions are not to be trusted, compare with the venue"
            )
        if not self._ids.add(fill.fill_id):
            return False
        sign = 1 if fill.side > 0 else -1
        if self._mark is None:
            self._revalue(2 * price)
        self._captured += sign * size * (self._reference - 2 * price)
        self._exchange(sign, size, 2 * price)
        if fill.fee:
            self._charge(fill)
        if fill.fee_dust is not None:
            self._dust = _DUST.add(self._dust, fill.fee_dust)
        self._fill_count += 1
        if sign > 0:
            self._bought += size
        else:
            self._sold += size
        day = fill.wall_ns // DAY_NS
        if day > self._day:
            self._day, self._day_volume = day, 0
        if day == self._day:
            self._day_volume += size
        return True

    def mark(self, half_ticks: int | None) -> None:
        """Value the position at a mid in half ticks from now on; None when no mid may be believed."""
        if half_ticks is not None and half_ticks != self._reference:
            self._revalue(half_ticks)
        self._mark = half_ticks

    def _revalue(self, half_ticks: int) -> None:
        self._revalued += self._position * (half_ticks - self._reference)
        self._reference = half_ticks

    def _exchange(self, sign: int, lots: int, half_ticks: int) -> None:
        """Swap lots for cash. Released cost is moved, never recomputed, so rounding loses nothing."""
        value = sign * self._atoms * half_ticks * lots
        held = self._position
        self._cash -= value
        self._position = held + sign * lots
        if held * sign >= 0:
            self._open_cost += value
            return
        held = abs(held)
        if lots < held:
            released = (2 * self._open_cost * lots + held) // (2 * held)
            closed = value
        else:
            released = self._open_cost
            closed = sign * self._atoms * half_ticks * held
        self._realised -= closed + released
        self._open_cost += value - closed - released

    def _charge(self, fill: OrderFilled) -> None:
        value = fee_atoms(fill, self.instrument, self._reference)
        if value is None:
            self._is_complete = False
            value = 0
        asset = fill.fee_asset
        if not asset or asset == self.instrument.quote:
            self._cash -= value
        elif asset == self.instrument.base:
            # Sold at the mark, and the proceeds pay the fee; a rebate is bought with what it pays.
            self._exchange(-1 if fill.fee > 0 else 1, abs(fill.fee), self._reference)
            self._cash -= value
            self._base_fees += fill.fee
        else:
            self._other_fees[asset] = self._other_fees.get(asset, 0) + fill.fee
            self._other_value -= value
        self._fees += value

    # -- what stands in the books ----------------------------------------------------------------

    @property
    def position(self) -> int:
        """Lots held, negative when short."""
        return self._position

    @property
    def cash(self) -> int:
        """Quote atoms received minus paid, fees in quote included; starts at 0."""
        return self._cash

    @property
    def open_cost(self) -> int:
        """Atoms paid for the open position, signed like it."""
        return self._open_cost

    @property
    def average_cost(self) -> Decimal | None:
        """Average price of the open position in quote per base, for display; None when flat."""
        if not self._position:
            return None
        half_ticks = Decimal(self._open_cost) / (self._atoms * self._position)
        return half_ticks * self.instrument.tick / 2

    @property
    def realised(self) -> int:
        """Profit on closed positions in atoms, before fees."""
        return self._realised

    @property
    def unrealised(self) -> int | None:
        """Profit on the open position at the mark in atoms, before fees; None without a mark."""
        return self._unrealised_at(self._reference) if self._is_valued else None

    @property
    def fees(self) -> int:
        """Fees paid in atoms, rebates negative, other assets at their value when paid."""
        return self._fees

    @property
    def base_fees(self) -> int:
        """Lots paid as fees: position = bought - sold - base_fees."""
        return self._base_fees

    @property
    def other_fees(self) -> Mapping[str, int]:
        """Fees in third assets, per asset, in that asset's smallest unit."""
        return MappingProxyType(self._other_fees)

    @property
    def fee_dust(self) -> Decimal:
        """What rounding fees to whole atoms left out, in quote units."""
        return self._dust

    @property
    def is_complete(self) -> bool:
        """False once a fee was paid in an asset without a price: profit is overstated by it."""
        return self._is_complete

    @property
    def mark_half_ticks(self) -> int | None:
        """The mark in force, in half ticks; None when there is none."""
        return self._mark

    @property
    def reference_half_ticks(self) -> int:
        """The mark in force, or what stands for it while there is none (see the class)."""
        return self._reference

    @property
    def profit(self) -> int | None:
        """Realised + unrealised - fees = the change of equity, in atoms; None without a mark."""
        return self._worth_at(self._reference) if self._is_valued else None

    @property
    def equity(self) -> int | None:
        """Opening equity + profit in atoms; None without a mark."""
        profit = self.profit
        return None if profit is None else self._opening_equity + profit

    @property
    def last_equity(self) -> int:
        """The same at the mark in force, or at what stands for it while there is none (see the class)."""
        return self._opening_equity + self._worth_at(self._reference)

    @property
    def captured(self) -> int:
        """Spread captured: signed size times (mark at the fill - price) over all fills, in atoms."""
        return self._atoms * self._captured

    @property
    def revaluation(self) -> int:
        """Inventory revaluation: position times change of mark over all changes, in atoms."""
        return self._atoms * self._revalued

    @property
    def fill_count(self) -> int:
        """Fills booked."""
        return self._fill_count

    @property
    def bought(self) -> int:
        """Lots bought since opening."""
        return self._bought

    @property
    def sold(self) -> int:
        """Lots sold since opening."""
        return self._sold

    def day_volume(self, wall_ns: int) -> int:
        """Lots bought plus sold in the UTC day of `wall_ns`."""
        return 0 if wall_ns // DAY_NS > self._day else self._day_volume

    @property
    def residual(self) -> int:
        """What the two identities are off by, in atoms: anything but 0 is an error in the accounts."""
        worth = self._worth_at(self._reference)
        by_cost = self._realised + self._unrealised_at(self._reference) - self._fees
        by_mark = self._atoms * (self._captured + self._revalued) - self._fees
        return worth - by_cost or worth - by_mark

    def save(self) -> LedgerState:
        """All of it, copied."""
        plain = {name: getattr(self, f"_{name}") for name in _COPIED}
        return LedgerState(other_fees=dict(self._other_fees), ids=self._ids.save(), **plain)

    def load(self, state: LedgerState) -> None:
        """Put the accounts of the same instrument back to what they were."""
        for name in _COPIED:
            setattr(self, f"_{name}", getattr(state, name))
        self._other_fees = dict(state.other_fees)
        self._ids.load(state.ids)

    @property
    def _is_valued(self) -> bool:
        return self._mark is not None or not self._position

    def _unrealised_at(self, half_ticks: int) -> int:
        return self._atoms * half_ticks * self._position - self._open_cost

    def _worth_at(self, half_ticks: int) -> int:
        return self._cash + self._other_value + self._atoms * half_ticks * self._position
