"""An instrument: what may be traded in which steps, and exact conversion between text and integers.

Inside the engine a price is a number of ticks, a size a number of lots, money a number of quote
*atoms*. One atom is the largest power of ten, at most 1, that divides half a tick times one lot, so
that a mid between two adjacent ticks still values one lot exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation, localcontext
from typing import Final

from engine.core.errors import InstrumentError

MAX_FAST_INTEGER = 2**51
"""Up to here `int(float(text) * scale + 0.5)` is exact (an integer and a half still fit in a float)."""

Number = str | int | Decimal

_EXACT: Final = Context(prec=400)
"""Numbers have at most 129 digits here (see `parse_decimal`), so what is not a whole number of steps
differs from one within twice as many digits: nothing is rounded unseen, whatever the caller's context."""


def parse_decimal(value: Number, what: str) -> Decimal:
    """Turn venue text into an exact decimal.

    Refuses NaN, infinities, floats, and what only Python would read as a number (`1_000`, other
    scripts' digits, blanks, booleans); also digits beyond 1e64 or below 1e-64.
    """
    if isinstance(value, float):
        raise InstrumentError(f"{what} {value!r} is a binary fraction; give it as text")
    if isinstance(value, bool) or (
        isinstance(value, str) and not (value.isascii() and value == value.strip() and "_" not in value)
    ):
        raise InstrumentError(f"{what} {str(value)[:40]!r} is not a decimal number")
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise InstrumentError(f"{what} {str(value)[:40]!r} is not a decimal number") from None
    if not number.is_finite():
        raise InstrumentError(f"{what} {str(value)[:40]!r} is not a finite number")
    if not number:
        return Decimal(0)
    exponent = number.as_tuple().exponent
    if number.adjusted() > 64 or not isinstance(exponent, int) or exponent < -64:
        raise InstrumentError(f"{what} {str(number)[:40]!r} is out of any market's range")
    return number


def decimal_places(step: Decimal) -> int:
    """Digits after the point that `step` needs, written without trailing zeros."""
    exponent = step.normalize(_EXACT).as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def scaled_text(value: int, places: int) -> str:
    """Write `value * 10**-places` without exponent and without trailing zeros."""
    if places == 0 or value == 0:
        return str(value)
    digits = str(abs(value)).rjust(places + 1, "0")
    fraction = digits[-places:].rstrip("0")
    text = digits[:-places] + ("." + fraction if fraction else "")
    return "-" + text if value < 0 else text


@dataclass(frozen=True, slots=True)
class Instrument:
    """One product at one venue. Build it with `Instrument.create`, which checks everything.

    `tick` and `lot` are in quote and base units; `min_size`/`max_size` in lots; `min_notional` in
    atoms. `0` means no minimum, `None` no maximum.
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_size: int = 0
    max_size: int | None = None
    min_notional: int = 0
    price_places: int = field(default=0, kw_only=True)
    size_places: int = field(default=0, kw_only=True)
    money_places: int = field(default=0, kw_only=True)
    atoms_per_half_tick_lot: int = field(default=1, kw_only=True)
    """Atoms in half a tick times one lot; a notional is `2 * this * ticks * lots`."""
    model_places: int = field(default=9, kw_only=True)
    """Digits after the point kept of a model's price offsets (at least nine); see `half_tick_units`."""
    half_tick_units: int = field(default=1, kw_only=True)
    """Half a tick in model units of `10**-model_places` quote: every mid is a whole number of units."""
    tick_steps: int = field(default=1, kw_only=True)
    """The tick in units of its last place: 1 unless it is a tick like 0.05."""
    lot_steps: int = field(default=1, kw_only=True)
    tick_float: float = field(default=1.0, kw_only=True)
    lot_float: float = field(default=1.0, kw_only=True)

    @classmethod
    def create(
        cls,
        symbol: str,
        *,
        tick: Number,
        lot: Number,
        base: str | None = None,
        quote: str | None = None,
        min_size: Number = 0,
        max_size: Number | None = None,
        min_notional: Number = 0,
    ) -> Instrument:
        """Check and build. Raises `InstrumentError` naming the field that is impossible.

        A minimum finer than its step is rounded up to the step, a maximum down: a venue prints such
        values, and the stricter reading is safe.
        """
        head, _, tail = symbol.partition("-")
        tick_d, lot_d = parse_decimal(tick, "tick"), parse_decimal(lot, "lot")
        if tick_d <= 0 or lot_d <= 0:
            raise InstrumentError(f"{symbol}: tick {tick_d} and lot {lot_d} must be above 0")
        with localcontext(_EXACT):
            half = tick_d * lot_d / 2
            money_places = decimal_places(half)
            lots = parse_decimal(min_size, "min_size") / lot_d
            most = None if max_size is None else parse_decimal(max_size, "max_size") / lot_d
            notional = parse_decimal(min_notional, "min_notional").scaleb(money_places)
            if lots < 0 or notional < 0 or (most is not None and most <= 0):
                raise InstrumentError(f"{symbol}: minimum and maximum sizes must not be negative")
            least = int(lots.to_integral_value(ROUND_CEILING))
            largest = None if most is None else int(most.to_integral_value(ROUND_FLOOR))
            if largest is not None and largest < max(1, least):
                raise InstrumentError(
                    f"{symbol}: no size fits between min_size {min_size} and max_size {max_size}"
                )
            return cls(
                symbol=symbol,
                base=base or head,
                quote=quote or tail or "USD",
                tick=tick_d,
                lot=lot_d,
                min_size=least,
                max_size=largest,
                min_notional=int(notional.to_integral_value(ROUND_CEILING)),
                price_places=decimal_places(tick_d),
                model_places=(model_places := max(9, decimal_places(tick_d / 2))),
                half_tick_units=int((tick_d / 2).scaleb(model_places)),
                size_places=decimal_places(lot_d),
                money_places=money_places,
                atoms_per_half_tick_lot=int(half.scaleb(money_places)),
                tick_steps=int(tick_d.scaleb(decimal_places(tick_d))),
                lot_steps=int(lot_d.scaleb(decimal_places(lot_d))),
                tick_float=float(tick_d),
                lot_float=float(lot_d),
            )

    # -- from text -------------------------------------------------------------------------------

    def ticks(self, price: Number) -> int:
        """A price as ticks. Refuses what is not a multiple of the tick, and negative prices."""
        return self._steps(price, self.tick, "price")

    def lots(self, size: Number) -> int:
        """A size as lots. Refuses what is not a multiple of the lot, and negative sizes."""
        return self._steps(size, self.lot, "size")

    def atoms(self, money: Number) -> int:
        """An amount of quote money as atoms, any sign. Refuses what is finer than an atom."""
        number = parse_decimal(money, "amount")
        with localcontext(_EXACT):
            scaled = number.scaleb(self.money_places)
            whole = int(scaled.to_integral_value(ROUND_FLOOR))
            if scaled != whole:
                raise InstrumentError(
                    f"{self.symbol}: amount {number} is finer than the smallest amount kept "
                    f"({scaled_text(1, self.money_places)} {self.quote})"
                )
            return whole

    def atoms_rounded(self, money: Number) -> tuple[int, Decimal]:
        """An amount as atoms, rounded half up, and what the rounding left out (quote units, exact)."""
        number = parse_decimal(money, "amount")
        with localcontext(_EXACT):
            scaled = number.scaleb(self.money_places)
            whole = int((scaled + Decimal("0.5")).to_integral_value(ROUND_FLOOR))
            return whole, (scaled - whole).scaleb(-self.money_places)

    def lots_floor(self, size: Number) -> int:
        """A size as lots, rounded down."""
        number = parse_decimal(size, "size")
        with localcontext(_EXACT):
            return int((number / self.lot).to_integral_value(ROUND_FLOOR))

    def _steps(self, value: Number, step: Decimal, what: str) -> int:
        number = parse_decimal(value, what)
        if number < 0:
            raise InstrumentError(f"{self.symbol}: {what} {value} is negative")
        with localcontext(_EXACT):
            steps = number / step
            whole = int(steps.to_integral_value(ROUND_FLOOR))
            if steps != whole:
                raise InstrumentError(
                    f"{self.symbol}: {what} {value} is not a multiple of {self._step_text(step)}"
                )
            return whole

    @staticmethod
    def _step_text(step: Decimal) -> str:
        return f"{step.normalize():f}"

    # -- to text ---------------------------------------------------------------------------------

    def price_text(self, ticks: int) -> str:
        """Ticks as a plain decimal: no exponent, no trailing zeros."""
        return scaled_text(ticks * self.tick_steps, self.price_places)

    def size_text(self, lots: int) -> str:
        """Lots as a plain decimal: no exponent, no trailing zeros."""
        return scaled_text(lots * self.lot_steps, self.size_places)

    def money_text(self, atoms: int) -> str:
        """Atoms as a plain decimal: no exponent, no trailing zeros."""
        return scaled_text(atoms, self.money_places)

    def money_words(self, atoms: int) -> str:
        """Atoms for a sentence: two digits after the point at most; of little money four that count."""
        exact = self.money_text(atoms)
        with localcontext(_EXACT):
            value = Decimal(exact)
            places = max(2, 3 - value.adjusted()) if value else 0
            if len(exact.partition(".")[2]) <= places:
                return exact
            return f"{value.quantize(Decimal(1).scaleb(-places)):f}"

    def half_ticks_text(self, half_ticks: int) -> str:
        """A mid or mark, given in half ticks, as a plain decimal."""
        with localcontext(_EXACT):
            value = self.tick * half_ticks / 2
            places = decimal_places(value) if value else 0
            return scaled_text(int(value.scaleb(places)), places)

    # -- arithmetic ------------------------------------------------------------------------------

    def notional(self, ticks: int, lots: int) -> int:
        """Price times size in atoms, exact."""
        return 2 * self.atoms_per_half_tick_lot * ticks * lots

    def value(self, half_ticks: int, lots: int) -> int:
        """Size times a mark given in half ticks, in atoms, exact."""
        return self.atoms_per_half_tick_lot * half_ticks * lots
