"""Numbers as a trader reads them: the same decimals in a column, thousands separated, signs always there.

From integer ticks, lots and atoms to text without a float in between.
"""

from __future__ import annotations

from typing import Final, Self

from engine.link.view import Product, ProductView

NOTHING: Final = "–"
MINUS: Final = "−"
_SMALLEST_SHOWN_VALUE: Final = 10
"""Sizes are shown down to a last digit worth about so many units of quote currency."""
_MONEY_PLACES: Final = 2


def grouped(value: int, places: int, shown: int) -> str:
    """`value * 10**-places`, rounded half away from zero to `shown` places; no sign for plus."""
    if shown < places:
        step = 10 ** (places - shown)
        magnitude = (abs(value) + step // 2) // step
    else:
        magnitude = abs(value) * 10 ** (shown - places)
    whole, fraction = divmod(magnitude, 10**shown)
    text = f"{whole:,}.{fraction:0{shown}}" if shown else f"{whole:,}"
    return MINUS + text if value < 0 and magnitude else text


def signed(text: str) -> str:
    """Text of a number with its sign in front, also for plus; zero has a space there."""
    if text.startswith(MINUS):
        return text
    return ("+" if any(digit in text for digit in "123456789") else " ") + text


class Numbers:
    """Writes one product's integers. `reference_ticks` is a price of about now."""

    def __init__(self, product: Product, reference_ticks: int | None = None) -> None:
        self.product = product
        self.reference = reference_ticks
        self.size_places = _shown_size_places(product, reference_ticks)
        """Digits after the point of sizes on the screen; copies are exact."""
        self.smallest = 10 ** (product.size_places - self.size_places)
        """What one in the last of them is, in the product's own digits."""
        self.money_places = _MONEY_PLACES if product.money_places >= _MONEY_PLACES else product.money_places

    @classmethod
    def of(cls, product: Product, book: ProductView | None) -> Self:
        """With the best bid as the price of about now, where there is one."""
        return cls(product, book.bids[0][0] if book is not None and book.bids else None)

    def price(self, ticks: int | None) -> str:
        """A price with all the decimals of its tick."""
        if ticks is None:
            return NOTHING
        places = self.product.price_places
        return grouped(ticks * self.product.tick_steps, places, places)

    def mid(self, half_ticks: int | None) -> str:
        """A mid or mark, with one decimal more than a price where it needs it."""
        if half_ticks is None:
            return NOTHING
        places = self.product.price_places + 1
        value = half_ticks * self.product.tick_steps * 5
        return grouped(value, places, places if value % 10 else places - 1)

    def size(self, lots: int | None) -> str:
        """A size; one that is too small for the shown decimals says so."""
        if lots is None:
            return NOTHING
        value, places, shown = lots * self.product.lot_steps, self.product.size_places, self.size_places
        text = grouped(value, places, shown)
        if value and not any(digit in text for digit in "123456789"):
            return (MINUS if value < 0 else "") + "<" + grouped(1, shown, shown)
        return text

    def places(self, lots: int) -> int:
        """Digits after the point that a size needs to be told exactly."""
        places = self.product.size_places
        digits = f"{abs(lots * self.product.lot_steps):0{places + 1}}"
        return len(digits[len(digits) - places :].rstrip("0"))

    def size_at(self, lots: int, places: int) -> str:
        """A size, rounded to so many digits after the point."""
        return grouped(lots * self.product.lot_steps, self.product.size_places, places)

    def whole_size(self, lots: int) -> str:
        """A size with every digit that it has."""
        return self.size_at(lots, self.places(lots))

    def position(self, lots: int | None) -> str:
        """A size with its sign."""
        return NOTHING if lots is None else signed(self.size(lots))

    def money(self, atoms: int | None) -> str:
        """An amount of quote currency with its sign."""
        return NOTHING if atoms is None else signed(self.amount(atoms))

    def amount(self, atoms: int | None) -> str:
        """An amount of quote currency without a sign for plus."""
        return NOTHING if atoms is None else grouped(atoms, self.product.money_places, self.money_places)

    def exact_price(self, ticks: int) -> str:
        """A price for machines: plain, no separators."""
        return _exact(ticks * self.product.tick_steps, self.product.price_places)

    def exact_size(self, lots: int) -> str:
        """A size for machines."""
        return _exact(lots * self.product.lot_steps, self.product.size_places)

    def exact_money(self, atoms: int) -> str:
        """An amount for machines."""
        return _exact(atoms, self.product.money_places)

    def model(self, units: int) -> str:
        """A term of a price's explanation, at the decimals of a price and two more, with its sign."""
        shown = min(self.product.price_places + 2, self.product.model_places)
        return signed(grouped(units, self.product.model_places, shown))


def _exact(value: int, places: int) -> str:
    return grouped(value, places, places).replace(",", "").replace(MINUS, "-")


def _shown_size_places(product: Product, reference_ticks: int | None) -> int:
    if not reference_ticks or reference_ticks < 0:
        return product.size_places
    places = 0
    # 10**-places of the base is worth reference / 10**places.
    value, scale = reference_ticks * product.tick_steps, 10**product.price_places
    while places < product.size_places and value > _SMALLEST_SHOWN_VALUE * scale * 10**places:
        places += 1
    return places


def duration(ns: int | None) -> str:
    """A latency in three to five characters: `840 ns`, `38 us`, `1.2 ms`, `3.4 s`."""
    if ns is None:
        return NOTHING
    for unit, size in (("ns", 1), ("us", 1_000), ("ms", 1_000_000)):
        if ns < 1_000 * size:
            value = ns / size
            return f"{value:.1f} {unit}" if size > 1 and value < 10 else f"{value:.0f} {unit}"
    return f"{ns / 1e9:.1f} s"


def age(ns: int | None) -> str:
    """How long ago, in at most six characters: `0.3s`, `12s`, `4m05s`, `3h12m`, `2d04h`."""
    if ns is None:
        return NOTHING
    tenths = max(0, ns) // 100_000_000
    seconds = tenths // 10
    if seconds < 10:
        return f"{seconds}.{tenths % 10}s"
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3_600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86_400:
        return f"{seconds // 3_600}h{seconds // 60 % 60:02}m"
    return f"{seconds // 86_400}d{seconds // 3_600 % 24:02}h"


def elapsed(ns: int, *, millis: bool = False) -> str:
    """How far into something, to be compared with its length: `12:31`, `1:00:00`, `12:31.412`."""
    ms = max(0, ns) // 1_000_000
    hours, minutes, seconds = ms // 3_600_000, ms // 60_000 % 60, ms // 1_000 % 60
    text = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{text}.{ms % 1_000:03}" if millis else text


def clock(wall_ns: int, *, millis: bool = False) -> str:
    """The UTC time of day, `09:41:06` or `09:41:06.812`."""
    ms = wall_ns // 1_000_000 % 86_400_000
    text = f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}"
    return f"{text}.{ms % 1_000:03}" if millis else text


def speed_words(speed: float | None) -> str:
    """`0.1x`, `1x`, `1,000x`, `max speed`."""
    if speed is None:
        return "max speed"
    return f"{speed:,.0f}x" if speed >= 1 and speed == int(speed) else f"{speed:g}x"
