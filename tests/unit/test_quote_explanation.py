"""Why a quote stands where it stands: the example of the strategy sheet (16), and every term on its own."""

from __future__ import annotations

from decimal import Decimal

import pytest
from maker_bench import BID_HEAVY, MakerBench

from engine.strategy.explain import price_rows, size_rows, waterfall

D = Decimal


def test_section_16_example_is_reproduced_to_the_digit():
    bench = MakerBench()
    bench.market(([("10000", "15")], [("10000.01", "5")]))
    bid = bench.decide("5").quotes[0]
    assert price_rows(bench.instrument, bid.explain()) == [
        ("fair", "10000.005", "mid of 10000 and 10000.01"),
        ("skew", "-0.250000125", "−0.5·5/10·1 bp"),
        ("half spread", "-5.0000025", "5 bp"),
        ("imbalance", "-2.50000125", "×1.5, |0.5| > 0.3"),
        ("stress", "0", "calm, volatility 0 (threshold 0.5) % per √minute"),
        ("clamp", "0", "2.5 to 25 bp"),
        ("level", "0", "0·0.1·10 bp"),
        ("tick", "-0.004996125", "down to 0.01"),
        ("post-only", "0", "best ask 10000.01"),
        ("price", "9992.25", ""),
    ]
    assert bench.instrument.price_text(bid.price) == "9992.25"
    assert size_rows(bench.instrument, bid.explain_size()) == [
        ("base", "0.01", "0.01 X"),
        ("taper", "-0.005", "×(1 − 5/10)"),
        ("depth cap", "0", "0.5 of 15 on 5 levels"),
        ("lot", "0", "down to 0.001"),
        ("clamp", "0", "0.001 to 1"),
        ("size", "0.005", ""),
    ]
    assert bench.instrument.size_text(bid.size) == "0.005"


def test_a_waterfall_aligns_the_decimal_points_and_signs_every_step():
    bench = MakerBench()
    bench.market(([("10000", "15")], [("10000.01", "5")]))
    ask = bench.decide("-5").quotes[3]
    assert waterfall(price_rows(bench.instrument, ask.explain())) == [
        "fair         10000.005        mid of 10000 and 10000.01",
        "skew            +0.250000125  −0.5·(−5)/10·1 bp",
        "half spread     +5.0000025    5 bp",
        "imbalance       +2.50000125   ×1.5, |0.5| > 0.3",
        "stress           0            calm, volatility 0 (threshold 0.5) % per √minute",
        "clamp            0            2.5 to 25 bp",
        "level            0            0·0.1·10 bp",
        "tick            +0.004996125  up to 0.01",
        "post-only        0            best bid 10000",
        "price        10007.76",
    ]


def test_every_part_of_a_size_has_its_term():
    bench = MakerBench(order_quantity=D("0.5"), min_order_quantity=D("0.4"), volume_depth_factor=D("0.333"))
    bench.market(([("9999", "1.211")], [("10001", "10")]))  # a third of it: 0.403263
    bid = bench.decide("1").quotes[0]
    assert [(t.name, t.value) for t in bid.explain_size()] == [
        ("base", 500),
        ("taper", -50),
        ("depth cap", -46),
        ("lot", -1),
        ("clamp", 0),
    ]
    assert bid.size == 403
    low = bench.decide("9.5").quotes[0]
    assert [(t.name, t.value) for t in low.explain_size()][-1] == ("clamp", 375)
    assert low.size == 400


def test_stress_and_clamp_are_terms_of_their_own():
    bench = MakerBench(base_spread_bps=D(20))
    bench.stress()
    bench.market(BID_HEAVY)
    ask = next(q for q in bench.decide().quotes if q.slot == "A1")
    rows = {name: (value, inputs) for name, value, inputs in price_rows(bench.instrument, ask.explain())}
    assert rows["half spread"][0] == "10"
    assert rows["imbalance"][0] == "5"
    assert rows["stress"][0] == "15"
    assert rows["stress"][1].startswith("×2, volatility ")
    assert rows["clamp"] == ("-5", "2.5 to 25 bp")
    assert rows["level"] == ("2", "1·0.1·20 bp")
    assert rows["price"][0] == "10027"


@pytest.mark.parametrize("unit", ["bp", "half_spread"])
@pytest.mark.parametrize("position", ["-9", "-0.02", "0", "0.02", "9"])
def test_the_formula_of_the_skew_has_the_sign_of_its_value(unit: str, position: str) -> None:
    bench = MakerBench(inventory_skew_unit=unit)
    bench.market(([("10000", "15")], [("10000.01", "15")]))
    skew = bench.decide(position).quotes[0].explain()[1]
    factor, _, rest = skew.inputs.partition("·")
    inside = rest.partition("/")[0].strip("()").replace("−", "-")
    product = D(factor.replace("−", "-")) * D(inside)
    assert (skew.value > 0) - (skew.value < 0) == (product > 0) - (product < 0)
    assert skew.name == "skew"
