"""The models as a run uses them against the papers' formulas, in other units, written down once more.

Everything here is in quote currency, order units and seconds, on a product with odd numbers: a factor that
is lost between ticks, basis points and lots shows. The stationary solution is that of a matrix.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL
from engine.core.price_levels import PriceLevels
from engine.strategies import build_strategy
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.model_settings import ModelSettings
from engine.strategy.protocol import MarketView, Quote, StrategyContext

D = Decimal
ODD = Instrument.create("ODD-EUR", tick="0.05", lot="0.25")
BID, ASK, UNIT = D("97.30"), D("97.45"), D("2.5")
"""The touch, and the size of an order in base currency."""
MID = float(BID + ASK) / 2
GAMMA_PER_BP, HORIZON, SIGMA_TICKS, A, K_PER_TICK = D("0.03"), D(45), D("1.7"), D("0.8"), D("0.11")
# The same in quote currency: of one unit and one euro; euros per √s; per euro.
GAMMA, SIGMA, K = float(GAMMA_PER_BP) / (MID * 1e-4), float(SIGMA_TICKS) * 0.05, float(K_PER_TICK) / 0.05
Q = 12
WIDEST: dict[str, Any] = {"min_half_spread_bps": D("0.001"), "max_half_spread_bps": D(5_000)}


class Depths(NamedTuple):
    """Of bid and ask from the mid, in quote currency."""

    bid: float
    ask: float


def avellaneda_stoikov(q: float) -> Depths:
    reservation = -q * GAMMA * SIGMA**2 * float(HORIZON)
    spread = GAMMA * SIGMA**2 * float(HORIZON) + 2 / GAMMA * math.log(1 + GAMMA / K)
    return Depths(spread / 2 - reservation, spread / 2 + reservation)


def glft_closed(q: float) -> Depths:
    xi = GAMMA
    c1 = math.log(1 + xi / K) / xi
    c2 = math.sqrt(GAMMA / (2 * float(A) * K) * (1 + xi / K) ** (K / xi + 1))
    return Depths(c1 + (2 * q + 1) / 2 * SIGMA * c2, c1 - (2 * q - 1) / 2 * SIGMA * c2)


def smallest_eigenvector(diagonal: list[float], beside: float) -> list[float]:
    """Of the tridiagonal matrix, by inverse iteration. No row sums to less than 2 `beside`, so shifted by
    that much the matrix has positive eigenvalues only."""
    shifted, vector = [each - 2 * beside for each in diagonal], [1.0] * len(diagonal)
    for _ in range(300):
        pivots, values = [shifted[0]], [vector[0]]
        for row in range(1, len(shifted)):
            factor = beside / pivots[-1]
            pivots.append(shifted[row] - factor * beside)
            values.append(vector[row] - factor * values[-1])
        solved = [values[-1] / pivots[-1]]
        for row in range(len(shifted) - 2, -1, -1):
            solved.append((values[row] - beside * solved[-1]) / pivots[row])
        length = math.hypot(*solved)
        vector = [each / length for each in reversed(solved)]
    return vector


def glft_exact(q: float) -> Depths:
    alpha = K * GAMMA * SIGMA**2 / 2
    eta = float(A) * (1 + GAMMA / K) ** (-(1 + K / GAMMA))
    f = smallest_eigenvector([alpha * inventory**2 for inventory in range(-Q, Q + 1)], -eta)
    at = int(q) + Q
    c1 = math.log(1 + GAMMA / K) / GAMMA
    bid, ask = math.log(f[at] / f[at + 1]) / K + c1, math.log(f[at] / f[at - 1]) / K + c1
    return Depths(bid, ask)


CASES = {
    "avellaneda-stoikov": ("avellaneda-stoikov", {}, avellaneda_stoikov),
    "glft closed": ("glft", {"glft_solution": "closed"}, glft_closed),
    "glft exact": ("glft", {"glft_solution": "exact", "max_inventory_units": Q}, glft_exact),
}


def quotes(name: str, model: dict[str, Any], units: int) -> tuple[Quote, ...]:
    """What is quoted with an inventory of whole order units."""
    settings = ModelSettings(
        gamma_per_bp=GAMMA_PER_BP, horizon_s=HORIZON, calibrate=False, sigma_ticks_sqrt_s=SIGMA_TICKS,
        A_per_s=A, k_per_tick=K_PER_TICK, **WIDEST, **model,
    )  # fmt: skip
    shared = BasicSettings(
        order_quantity=UNIT,
        min_order_quantity=D("0.25"),
        max_order_quantity=UNIT,
        max_position=100 * UNIT,
        levels=1,
    )
    maker = build_strategy(name, StrategyContext(ODD, shared, settings))
    maker.start()
    book = PriceLevels()
    deep = ODD.lots("1000")
    book.apply_snapshot([(ODD.ticks(str(BID)), deep)], [(ODD.ticks(str(ASK)), deep)])
    maker.on_book(1, book)
    decision = maker.decide(MarketView(1, 1, book, book, units * ODD.lots(str(UNIT))))
    assert decision is not None
    return decision.quotes


def euros(quote: Quote, *names: str) -> float:
    """The sum of these terms in quote currency."""
    found = [term.value for term in quote.explain() if term.name in names]
    assert len(found) == len(names)
    return sum(found) / 10**ODD.model_places


@pytest.mark.parametrize("units", [-7, -1, 0, 1, 7])
@pytest.mark.parametrize("case", CASES)
def test_offsets_of_a_run_are_those_of_the_paper(case: str, units: int) -> None:
    name, model, formula = CASES[case]
    depths = formula(units)
    found = {quote.side: quote for quote in quotes(name, model, units)}
    assert found.keys() == {BUY, SELL}
    for side, depth in ((BUY, depths.bid), (SELL, depths.ask)):
        offset = euros(found[side], "skew", "risk", "liquidity")
        assert offset == pytest.approx(-side.value * depth, abs=3e-9, rel=1e-8)
        assert euros(found[side], "clamp", "fee floor") == 0


@pytest.mark.parametrize("case", CASES)
def test_the_half_spread_is_told_as_risk_and_liquidity(case: str) -> None:
    name, model, formula = CASES[case]
    bid = quotes(name, model, 0)[0]
    liquidity = math.log(1 + GAMMA / K) / GAMMA
    half = (formula(0).bid + formula(0).ask) / 2
    assert -euros(bid, "liquidity") == pytest.approx(liquidity, abs=2e-9)
    assert -euros(bid, "risk") == pytest.approx(half - liquidity, abs=2e-9)
    assert euros(bid, "skew") == 0


def test_the_numbers_are_odd_enough_to_tell_the_models_apart() -> None:
    halves = {round(formula(0).bid, 4) for _, _, formula in CASES.values()}
    assert len(halves) == 3
    assert glft_exact(7).bid > glft_exact(0).bid > glft_exact(-7).bid
