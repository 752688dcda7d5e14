"""Invariant 26 and case 44: whatever the book, the settings and the instrument, quotes are sound.

The model's price is worked out a second time here, in exact fractions, from the formulas of the sheet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.strategy.basic import BasicMarketMaker
from engine.strategy.basic_settings import BasicSettings
from engine.strategy.protocol import Decision, MarketView, Quote

STEPS = [
    ("0.01", "0.00000001"),
    ("0.00000001", "1"),
    ("1", "0.001"),
    ("0.05", "0.1"),
    ("0.000001", "0.5"),
]
"""(tick, lot)."""
EXAMPLES = 900
BP = Fraction(1, 10_000)


@dataclass
class Scene:
    """One moment: what the maker sees, and how it is set."""

    instrument: Instrument
    settings: BasicSettings
    market: PriceLevels
    touch: PriceLevels
    position: int

    def decide(self, position: int) -> Decision:
        maker = BasicMarketMaker(self.instrument, self.settings)
        maker.start()
        decision = maker.decide(MarketView(1, 1, self.market, self.touch, position))
        assert decision is not None
        return decision


def _decimals(low: int, high: int, scale: str) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda number: number * Decimal(scale))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    tick, lot = draw(st.sampled_from(STEPS))
    instrument = Instrument.create("X-USD", tick=tick, lot=lot)
    spread = sorted(draw(st.lists(st.integers(1, 2_000), min_size=3, max_size=3)))
    size = sorted(draw(st.lists(st.integers(1, 5_000), min_size=3, max_size=3)))
    limit = draw(st.integers(1, 50_000))
    maker = BasicSettings(
        min_spread_bps=spread[0] * Decimal("0.1"),
        base_spread_bps=spread[1] * Decimal("0.1"),
        max_spread_bps=spread[2] * Decimal("0.1"),
        min_order_quantity=size[0] * instrument.lot,
        order_quantity=size[1] * instrument.lot,
        max_order_quantity=size[2] * instrument.lot,
        max_position=limit * instrument.lot,
        target_position=draw(st.integers(-limit, limit) | st.just(0)) * instrument.lot,
        inventory_skew_factor=draw(_decimals(0, 100, "0.01")),
        inventory_skew_unit=draw(st.sampled_from(["bp", "half_spread"])),
        levels=draw(st.integers(1, 6)),
        price_level_spacing=draw(_decimals(0, 50, "0.01")),
        imbalance_threshold=draw(_decimals(0, 100, "0.01")),
        volume_weight_factor=draw(_decimals(0, 100, "0.01")),
        volume_depth_factor=draw(_decimals(1, 100, "0.01")),
        auto_hedge_enabled=draw(st.booleans()),
    )
    # Prices from a few ticks to far beyond what a float holds to the model unit.
    best_bid = draw(st.integers(1, 60) | st.integers(1_000, 20_000_000) | st.integers(10**9, 10**11))
    best_ask = best_bid + draw(st.integers(1, 3) | st.integers(1, 2_000))
    steps = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60_000)), min_size=1, max_size=7)
    bids = [(best_bid, draw(st.integers(1, 60_000)))]
    bids += [(best_bid - step, lots) for step, lots in draw(steps) if best_bid - step > 0]
    asks = [(best_ask, draw(st.integers(1, 60_000)))]
    asks += [(best_ask + step, lots) for step, lots in draw(steps)]
    market, touch = PriceLevels(), PriceLevels()
    market.apply_snapshot(bids, asks)
    touch.apply_snapshot(bids, asks)
    gap = best_ask - best_bid
    if gap > 3 and draw(st.booleans()):  # our own orders, displayed inside the market's spread
        own = sorted(draw(st.lists(st.integers(1, gap - 1), min_size=2, max_size=2, unique=True)))
        touch.apply([(best_bid + own[0], 5)], [(best_bid + own[1], 5)])
    reach = limit + limit // 10 + 1
    return Scene(instrument, maker, market, touch, draw(st.integers(-reach, reach)))


def _exact_price(scene: Scene, quote: Quote, position: int) -> Fraction:
    """The model price before rounding, in quote units (section 2.2, steps 1 to 4; calm market)."""
    given_ = scene.settings
    mid = Fraction(scene.market.best_bid() + scene.market.best_ask(), 2) * Fraction(scene.instrument.tick)
    bids = sum(size for _, size in scene.market.bids(5))
    asks = sum(size for _, size in scene.market.asks(5))
    imbalance = abs(Fraction(bids - asks, bids + asks))
    spread = Fraction(given_.base_spread_bps)
    if imbalance > Fraction(given_.imbalance_threshold):
        spread *= 1 + 2 * Fraction(given_.volume_weight_factor) * imbalance
    spread = max(Fraction(given_.min_spread_bps), min(spread, Fraction(given_.max_spread_bps))) * BP * mid
    distance = position * Fraction(scene.instrument.lot) - Fraction(given_.target_position)
    unit = mid * BP if given_.inventory_skew_unit == "bp" else spread / 2
    skew = Fraction(given_.inventory_skew_factor) * distance / Fraction(given_.max_position) * unit
    level = quote.level * Fraction(given_.price_level_spacing) * Fraction(given_.base_spread_bps) * BP * mid
    return mid - skew - quote.side.value * (spread / 2 + level)


def _check_price(scene: Scene, quote: Quote, position: int, counts: Counter[str]) -> None:
    instrument, sign = scene.instrument, quote.side.value
    unit_of_tick = 2 * instrument.half_tick_units
    terms = {term.name: term.value for term in quote.explain()}
    assert len(terms) == len(quote.explain())
    assert sum(terms.values()) == quote.price * unit_of_tick

    assert -unit_of_tick < sign * terms["tick"] <= 0, "towards safety, by less than a tick"
    assert sign * terms["post-only"] <= 0
    counts["rounded"] += terms["tick"] != 0
    counts["held back"] += terms["post-only"] != 0
    counts["widened"] += terms["imbalance"] != 0
    counts["clamped"] += terms["clamp"] != 0

    # Each of at most six offsets is rounded once to a unit, on top of what a float of its size keeps.
    raw = sum(value for name, value in terms.items() if name not in ("tick", "post-only"))
    exact = _exact_price(scene, quote, position) * 10**instrument.model_places
    assert abs(raw - exact) <= 6 + abs(exact) / 2**50

    opposite = scene.touch.best_ask() if quote.side is Side.BUY else scene.touch.best_bid()
    assert sign * quote.price <= sign * opposite - 1, "post-only never crosses the displayed market"
    assert quote.price > 0


def _check_sizes(scene: Scene, decision: Decision, position: int, counts: Counter[str]) -> None:
    given_, instrument = scene.settings, scene.instrument
    limit = instrument.lots(given_.max_position)
    low, high = (instrument.lots(size) for size in (given_.min_order_quantity, given_.max_order_quantity))
    for side in Side:
        quotes = [quote for quote in decision.quotes if quote.side is side]
        assert [quote.level for quote in quotes] == list(range(len(quotes)))
        worst = position + side.value * sum(quote.size for quote in quotes)
        assert not quotes or abs(worst) <= limit or abs(worst) < abs(position)
        depth = sum(size for _, size in scene.market.levels(side, 5))
        for quote in quotes:
            assert low <= quote.size <= high
            assert quote.size <= depth * Fraction(given_.volume_depth_factor)
            terms = quote.explain_size()
            assert sum(term.value for term in terms) == quote.size
            for term in terms:
                counts[f"size {term.name}"] += term.value != 0
        counts["one-sided" if not quotes else "side"] += 1
        counts["fewer levels"] += 0 < len(quotes) < given_.levels
        assert decision.reason or len(quotes) == given_.levels


def _check_order(decision: Decision) -> None:
    slots = [quote.slot for quote in decision.quotes]
    assert len(set(slots)) == len(slots)
    bids = [quote.price for quote in decision.quotes if quote.side is Side.BUY]
    asks = [quote.price for quote in decision.quotes if quote.side is Side.SELL]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    if bids and asks:
        assert bids[0] < asks[0]


def _check_take(scene: Scene, decision: Decision, position: int, counts: Counter[str]) -> None:
    take = decision.take
    if take is None:
        return
    counts["hedges"] += 1
    distance = position - scene.instrument.lots(abs(scene.settings.target_position)) * (
        -1 if scene.settings.target_position < 0 else 1
    )
    assert take.side.value * distance < 0, "towards the target"
    assert take.size <= min(abs(distance), scene.instrument.lots(scene.settings.max_order_quantity))
    touch = scene.market.best_ask() if take.side is Side.BUY else scene.market.best_bid()
    assert take.side.value * (take.price - touch) >= 0, "marketable"
    assert not [quote for quote in decision.quotes if quote.side is not take.side]


def test_case_44_and_invariant_26_quotes_over_any_book():
    counts: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
    @given(scenes())
    def check(scene: Scene) -> None:
        decision = scene.decide(scene.position)
        counts["decisions"] += 1
        counts["quotes"] += len(decision.quotes)
        for quote in decision.quotes:
            _check_price(scene, quote, scene.position, counts)
        _check_sizes(scene, decision, scene.position, counts)
        _check_order(decision)
        _check_take(scene, decision, scene.position, counts)

    check()
    assert counts["decisions"] >= EXAMPLES
    assert counts["quotes"] > EXAMPLES
    for what in ("rounded", "held back", "widened", "clamped", "one-sided", "fewer levels", "hedges"):
        assert counts[what] > EXAMPLES // 50, (what, counts)
    for part in ("taper", "depth cap", "lot", "clamp"):
        assert counts[f"size {part}"] > EXAMPLES // 50, (part, counts)


def test_invariant_26_skew_stands_against_the_inventory():
    counts: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES // 3, deadline=None, derandomize=True)
    @given(scenes())
    def check(scene: Scene) -> None:
        target = int(scene.settings.target_position / scene.instrument.lot)
        if scene.position == target:
            return
        long = scene.position > target
        neutral = {quote.slot: quote for quote in scene.decide(target).quotes}
        for quote in scene.decide(scene.position).quotes:
            terms = {term.name: term.value for term in quote.explain()}
            assert terms["skew"] <= 0 if long else terms["skew"] >= 0
            counts["skewed"] += terms["skew"] != 0
            if quote.slot in neutral:
                moved = quote.price - neutral[quote.slot].price
                assert moved <= 0 if long else moved >= 0
                counts["moved"] += moved != 0

    check()
    assert counts["skewed"] > EXAMPLES // 3
    assert counts["moved"] > EXAMPLES // 3
