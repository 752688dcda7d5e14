"""Every key of the sections `strategy` and `model`, for every built-in strategy, seen in what a Trader sends.

One scene with everything in it is played twice with one key changed. Where a key belongs to a strategy the
orders differ; where it does not they are the same, to the nanosecond.
"""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any

import pytest
from trader_bench import D, TraderBench, X, configured, submits

from engine.config import schema
from engine.core.errors import UsageError
from engine.core.events import AnyCommand, BookSnapshot, CancelOrder, FeedState, SubmitOrder, TradePrint
from engine.core.order import BUY, SELL
from engine.core.settings import require_valid
from engine.strategies import BUILT_IN
from engine.strategy.model_market_maker import AvellanedaStoikovMarketMaker, GlftMarketMaker

AS, GLFT = AvellanedaStoikovMarketMaker.name, GlftMarketMaker.name
BASIC_ONLY = frozenset({"basic"})
MODELS = frozenset({AS, GLFT})
ALL = frozenset(BUILT_IN)

GIVEN = {"model__calibrate": False, "fees__maker_bps": D(0)}
HEDGING = {"strategy__auto_hedge_enabled": True, "strategy__hedge_threshold_pct": D(10)}
TAPED = {"model__calib_min_fills": 5, "fees__maker_bps": D(0)}

CASES: dict[str, tuple[frozenset[str], Any, dict[str, Any]]] = {
    # key: whose it is, another value than the default, what else is set
    "strategy.base_spread_bps": (ALL, D(20), {}),  # the models' levels are counted in it
    "strategy.max_spread_bps": (BASIC_ONLY, D(12), {}),
    "strategy.order_quantity": (ALL, D("0.012"), {}),
    "strategy.min_order_quantity": (ALL, D("0.009"), {}),
    "strategy.max_order_quantity": (ALL, D("0.01"), HEDGING),
    "strategy.target_position": (ALL, D("0.02"), {}),
    "strategy.max_position": (ALL, D("0.03"), {}),
    "strategy.inventory_skew_factor": (BASIC_ONLY, D("0.1"), {}),
    "strategy.inventory_skew_unit": (BASIC_ONLY, "half_spread", {}),
    "strategy.levels": (ALL, 1, {}),
    "strategy.price_level_spacing": (ALL, D("0.5"), {}),
    "strategy.imbalance_threshold": (BASIC_ONLY, D("0.6"), {}),
    "strategy.volume_weight_factor": (BASIC_ONLY, D(1), {}),
    "strategy.volume_depth_factor": (ALL, D("0.25"), {}),
    "strategy.quote_update_interval_ms": (ALL, 1_500, {}),
    "strategy.auto_hedge_enabled": (ALL, True, {"strategy__hedge_threshold_pct": D(10)}),
    "strategy.hedge_threshold_pct": (ALL, D(100), HEDGING),
    "strategy.hedge_interval_ms": (ALL, 100_000, HEDGING),
    "strategy.volatility_threshold": (BASIC_ONLY, D(100), {}),
    "strategy.spread_widen_factor": (BASIC_ONLY, D(3), {}),
    "strategy.market_stress_check_ms": (BASIC_ONLY, 60_000, {}),
    "strategy.order_timeout_ms": (ALL, 1_500, {"strategy__reprice_tolerance_ticks": 5}),
    "strategy.cancel_retry_interval_ms": (ALL, 10_000, {}),
    "strategy.reprice_tolerance_ticks": (ALL, 500, {}),
    "strategy.min_quote_life_ms": (ALL, 3_000, {}),
    "strategy.wait_cancel_ack": (ALL, False, {}),
    "strategy.post_fill_pause_ms": (ALL, 3_000, {}),
    "strategy.fv_model": (ALL, "weighted", {}),
    "strategy.fv_max_dev_bps": (ALL, D("0.01"), {"strategy__fv_model": "weighted"}),
    "strategy.ofi_pull_z": (ALL, D("0.5"), {}),
    "strategy.fill_brake_n": (ALL, 1, {}),
    "strategy.fill_brake_window_s": (ALL, D("0.1"), {"strategy__fill_brake_n": 1}),
    "strategy.min_distance_from_unhedged_bps": (ALL, D(50), {}),
    # Whoever starts `basic` below its fees is asked beforehand: see test_fee_floor.py.
    "strategy.allow_negative_edge": (MODELS, True, {"model__calibrate": False, "fees__maker_bps": D(20)}),
    "model.gamma_per_bp": (MODELS, D("0.5"), GIVEN),
    "model.horizon_s": (frozenset({AS}), D(600), GIVEN),
    "model.glft_solution": (frozenset({GLFT}), "closed", {**GIVEN, "model__gamma_per_bp": D(1)}),
    "model.max_inventory_units": (frozenset({GLFT}), 1, GIVEN),
    "model.calibrate": (MODELS, False, TAPED),
    "model.calib_window_s": (MODELS, 10, TAPED),
    "model.calib_min_fills": (MODELS, 1_000, TAPED),
    "model.sigma_ticks_sqrt_s": (MODELS, D(400), GIVEN),
    "model.A_per_s": (frozenset({GLFT}), D("0.01"), GIVEN),  # the formula of the other one has no A
    "model.k_per_tick": (MODELS, D("0.01"), GIVEN),
    "model.min_half_spread_bps": (MODELS, D(12), GIVEN),
    "model.max_half_spread_bps": (MODELS, D(2), GIVEN),
}
IN_A_RULE_ONLY = {"strategy.min_spread_bps"}
"""Everything in a quote widens, so the minimum acts by refusing a smaller base spread."""

HITS = {0: ("B0", "B1"), 9: ("B0",), 20: ("A0",), 48: ("B0",)}
"""The slots that are filled after a second."""


class Scene(TraderBench):
    """A market that leans, drifts, jumps once and is traded in; cancels are proven two steps late."""

    def __init__(self, name: str, **changes: Any) -> None:
        base = {"strategy__max_position": D("0.05"), "risk__band_bps": D(200)}
        super().__init__(engine__strategy=name, **base | changes)
        self.unproven: deque[list[AnyCommand]] = deque([[], []])
        self.trades = 0

    def play(self) -> list[AnyCommand]:
        for second in range(70):
            self.book(second, jump=second in (40, 41))
            self.trade(1 + second % 6)
            self.act(1_000)
            for slot in HITS.get(second, ()):
                self.hit(slot)
        for tenth in range(30):
            if tenth < 8:
                self.book(tenth)
            self.act(100)
        return self.sent

    def book(self, number: int, *, jump: bool = False) -> None:
        cents = number % 5 * 7 + (6_000 if jump else 0)
        bids, asks = [(999_900 + cents, 30 + number % 3)], [(1_000_100 + cents, 14)]
        self.tell(BookSnapshot("X-USD", self.now, self.now, bids, asks))
        self.feed(FeedState.LIVE)

    def trade(self, dollars: int) -> None:
        self.trades += 1
        side = BUY if self.trades % 2 else SELL
        price = X.ticks("10000") + side.value * 100 * dollars
        self.tell(TradePrint("X-USD", self.now, self.now, self.trades, price, 1, side))

    def act(self, ms: int) -> None:
        commands = self.step(ms)
        self.accept(commands)
        self.unproven.append([each for each in commands if isinstance(each, CancelOrder)])
        for cancel in self.unproven.popleft():
            assert isinstance(cancel, CancelOrder)
            order = self.trader.orders.order(cancel.client_id)
            if order is not None and order.ended_ns is None:
                self.prove([cancel])
        for order in submits(commands):
            if not order.post_only:
                self.fill(order)

    def hit(self, slot: str) -> None:
        order = self.trader.orders.own.by_slot.get(slot)
        if order is not None:
            self.fill(order.command)


@cache
def played(name: str, changes: tuple[tuple[str, Any], ...]) -> list[AnyCommand]:
    return Scene(name, **dict(changes)).play()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_scene_has_everything_in_it(name: str) -> None:
    sent = played(name, ())
    assert len([each for each in sent if isinstance(each, SubmitOrder)]) > 40
    assert len([each for each in sent if isinstance(each, CancelOrder)]) > 40
    assert played(name, ()) == Scene(name).play(), "the same again"


@pytest.mark.parametrize("key", CASES)
@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_key_acts_on_the_strategies_it_belongs_to(name: str, key: str) -> None:
    owners, value, fixed = CASES[key]
    section, _, field = key.partition(".")
    default = getattr(getattr(configured(**fixed), section), field)
    assert value != default
    one = played(name, tuple(fixed.items()))
    other = played(name, (*fixed.items(), (f"{section}__{field}", value)))
    assert (one != other) is (name in owners)


def test_every_key_of_both_sections_is_a_case() -> None:
    keys = {key for key in schema().keys if key.partition(".")[0] in ("strategy", "model")}
    assert CASES.keys() | IN_A_RULE_ONLY == keys
    assert not CASES.keys() & IN_A_RULE_ONLY


def test_the_smallest_spread_acts_as_a_rule() -> None:
    with pytest.raises(UsageError, match="must be at least min_spread_bps = 11"):
        require_valid("strategy", configured(strategy__min_spread_bps=D(11)).strategy)
