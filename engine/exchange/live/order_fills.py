"""From the venue's cumulative figures, or from its list of executions, to fills that are booked once.

The key of a fill is how far its order was filled after it: `{venue order id}:{cumulative lots}`. It does not
depend on where the news came from, so the same execution told by the user channel, by a listing and by the
list of fills is one fill.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from typing import Final

import msgspec

from engine.core.errors import PinnacleError
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import VenueFill

_EXACT: Final = Context(prec=200)
_FEE_STEP: Final = Decimal(1).scaleb(-40)


class CorrectionError(PinnacleError):
    """The venue took an execution back, or corrected one: our position is not what we think."""


class Figures(msgspec.Struct, frozen=True):
    """How far an order is filled. `value` and `fees` in quote units; None: not known."""

    lots: int
    value: Decimal | None
    fees: Decimal | None


UNFILLED: Final = Figures(0, Decimal(0), Decimal(0))


class NewFill(msgspec.Struct, frozen=True):
    """One fill to be booked. `lots_after`: how far the order is filled after it."""

    lots_after: int
    price: int
    size: int
    fee: Decimal
    is_maker: bool | None
    time_ns: int = 0


def fill_id(venue_order_id: str, lots_after: int) -> str:
    """The key of a fill."""
    return f"{venue_order_id}:{lots_after}"


def derive(instrument: Instrument, before: Figures, now: Figures) -> NewFill | None:
    """The fill between two cumulative figures; None where it takes the list of executions to know.

    That is where a figure is not known, and where the price does not fall on a tick: then there were
    two executions or more.
    """
    size = now.lots - before.lots
    if size <= 0 or before.value is None or before.fees is None or now.value is None or now.fees is None:
        return None
    with localcontext(_EXACT):
        ticks = (now.value - before.value) / (instrument.lot * instrument.tick * size)
        price = int(ticks)
        if price <= 0 or price != ticks:
            return None
        return NewFill(now.lots, price, size, now.fees - before.fees, None)


def totals(instrument: Instrument, executions: Sequence[VenueFill]) -> Figures:
    """The sum of an order's executions. `CorrectionError` for one that is none."""
    lots, value, fees = 0, Decimal(0), Decimal(0)
    with localcontext(_EXACT):
        for execution in executions:
            if execution.size <= 0 or execution.price <= 0:
                raise CorrectionError(
                    f"the venue lists fill {execution.fill_id} of order {execution.order_id} with size "
                    f"{execution.size} at {execution.price}: a correction or a reversal. The position is not "
                    "certain; compare it with the venue before trading on"
                )
            lots += instrument.lots(execution.size)
            value += execution.price * execution.size
            fees += execution.fee
    return Figures(lots, value, fees)


def missing(instrument: Instrument, executions: Sequence[VenueFill], booked: int) -> list[NewFill]:
    """The executions of one order, oldest first, beyond its first `booked` lots.

    One that is booked in part is cut, its fee in proportion, to as many digits as can be booked.
    """
    fills: list[NewFill] = []
    lots = 0
    with localcontext(_EXACT):
        for execution in executions:
            size = instrument.lots(execution.size)
            lots += size
            left = min(size, lots - booked)
            if left > 0:
                fee = execution.fee
                if left != size:
                    fee = (fee * left / size).quantize(_FEE_STEP).normalize()
                fills.append(
                    NewFill(
                        lots,
                        instrument.ticks(execution.price),
                        left,
                        fee,
                        execution.is_maker,
                        execution.time_ns,
                    )
                )
    return fills


def unbooked(instrument: Instrument, executions: Sequence[VenueFill], booked: Figures) -> list[NewFill]:
    """The fills that lead from what is booked to the list of an order's executions, oldest first.

    Where what is booked is not the beginning of the list (an execution was listed later than its successor),
    the figures tell the one that is missing; several that they do not tell are cut from the end of the list.
    """
    if not _is_beginning(instrument, executions, booked):
        fill = derive(instrument, booked, totals(instrument, executions))
        if fill is not None:
            sides = {execution.is_maker for execution in executions}
            is_maker = sides.pop() if len(sides) == 1 else None
            return [msgspec.structs.replace(fill, is_maker=is_maker, time_ns=executions[-1].time_ns)]
    return missing(instrument, executions, booked.lots)


def booked_to(instrument: Instrument, before: Figures, fills: Sequence[NewFill], listed: Figures) -> Figures:
    """How far an order is booked after these fills: as listed, unless their value is another one."""
    if before.value is None or before.fees is None:
        return listed
    with localcontext(_EXACT):
        steps = sum(fill.price * fill.size for fill in fills)
        value = before.value + steps * instrument.tick * instrument.lot
        if value == listed.value:
            return listed
        return Figures(listed.lots, value, before.fees + sum(fill.fee for fill in fills))


def _is_beginning(instrument: Instrument, executions: Sequence[VenueFill], booked: Figures) -> bool:
    """True where the first executions are what is booked, as far as that is known."""
    lots, value = 0, Decimal(0)
    with localcontext(_EXACT):
        for execution in executions:
            if lots >= booked.lots:
                break
            lots += instrument.lots(execution.size)
            value += execution.price * execution.size
    return lots == booked.lots and booked.value in (None, value)


def boundaries(instrument: Instrument, executions: Sequence[VenueFill]) -> list[int]:
    """How far the order was filled after each execution."""
    lots, ends = 0, []
    for execution in executions:
        lots += instrument.lots(execution.size)
        ends.append(lots)
    return ends
