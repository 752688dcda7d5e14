"""Which instruments a recording can be traded with."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.exchange.coinbase.products import catalogue
from engine.exchange.recording import observe


def recorded_instruments(path: Path, symbols: Sequence[str]) -> dict[str, Instrument]:
    """The instruments of `symbols`, in that order: catalogued ones, and as recorded what is not catalogued.

    A catalogued product keeps its increments whatever the recording holds: one odd price in it must not
    change what our orders are made of. The session refuses and counts frames off those increments.
    Raises `UsageError` for a product that the recording does not hold, naming those it holds.
    """
    known = catalogue()
    # Only what is not catalogued needs the whole recording.
    is_catalogued = all(symbol in known for symbol in symbols)
    observed = observe(path, until=symbols if is_catalogued else ()).instruments()
    chosen = {}
    for symbol in symbols:
        seen = observed.get(symbol)
        if seen is None:
            near = difflib.get_close_matches(symbol, observed, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            held = ", ".join(sorted(observed)) or "none"
            raise UsageError(f"{path} holds no book or trade of {symbol}{hint} (it holds: {held})")
        chosen[symbol] = known.get(symbol, seen)
    return chosen
