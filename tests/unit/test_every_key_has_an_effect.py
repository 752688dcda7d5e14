"""Every configuration key has a test that shows its effect (testing rules, 3): this walks the schema.

A key is listed with the file and the test that shows it act, and the test must exist there. A key
without one fails here; so does an entry for a key that is gone.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from engine.config import schema

TESTS = Path(__file__).resolve().parents[1]

STRATEGY = "unit/test_strategy_settings.py::test_effect"
MODEL = "unit/test_model_strategies.py::test_effect"
SHARED = "unit/test_model_strategies_shared.py"
SIMULATOR = "unit/test_simulator_settings.py::test_setting_acts"
BREAKER = "unit/test_circuit_breaker.py::test_effect"
RISK = "unit/test_risk_settings.py::test_effect"
PAPER = "unit/test_paper_venue.py::test_every_setting_has_an_effect"
RUN = "integration/test_settings_act.py"
PORTFOLIO = "unit/test_portfolio.py"
SERVICE = "integration/test_console_service.py"

NETWORK = "live/test_network_settings.py"
HARDNESS = "live/test_connection_hardness.py"
FEED = "live/test_live_feed_faults.py"
DISK = "integration/test_sessions_on_disk.py"
CREDENTIALS = "credentials"

EFFECTS = {
    "persistence.data_dir": f"{DISK}::test_data_dir",
    "persistence.journal": f"{DISK}::test_journal",
    "persistence.durability": f"{DISK}::test_durability",
    "persistence.sync_interval_ms": f"{DISK}::test_sync_interval_ms",
    "persistence.segment_kib": f"{DISK}::test_segment_kib",
    "persistence.market_data": f"{DISK}::test_market_data",
    "persistence.digest_every": f"{DISK}::test_digest_every",
    "persistence.snapshot_every": f"{DISK}::test_snapshot_every_and_snapshots_kept",
    "persistence.snapshot_interval_s": f"{DISK}::test_snapshot_interval_s",
    "persistence.snapshots_kept": f"{DISK}::test_snapshot_every_and_snapshots_kept",
    "persistence.archive_days": f"{DISK}::test_archive_days_judges_by_age",
    "persistence.archive_mib": f"{DISK}::test_archive_mib_is_told_of_and_archive_delete_deletes",
    "persistence.archive_delete": f"{DISK}::test_archive_mib_is_told_of_and_archive_delete_deletes",
    "engine.symbols": f"{RUN}::test_symbols",
    "portfolio.shares": f"{PORTFOLIO}::test_gross_and_open_orders_are_divided",
    "portfolio.size_factors": f"{PORTFOLIO}::test_sizes_of_a_product_are_multiplied",
    "portfolio.max_positions": (
        "integration/test_risk_conformance.py::test_case_61_a_product_has_its_own_limit_or_that_of_all"
    ),
    "portfolio.max_gross_notional": f"{PORTFOLIO}::test_positions_worth_the_limit_only_reduce",
    "portfolio.max_daily_loss": f"{PORTFOLIO}::test_losses_of_a_day_add_up_and_halt_every_product",
    "portfolio.max_drawdown": f"{PORTFOLIO}::test_a_drop_from_the_peak_of_all_lets_them_only_reduce",
    "portfolio.max_open_orders": f"{PORTFOLIO}::test_gross_and_open_orders_are_divided",
    "engine.strategy": "unit/test_strategy_plugins.py::test_a_strategy_is_chosen_by_its_name",
    "engine.strategy_parameters": "unit/test_strategy_plugins.py::test_the_parameter_of_the_example_acts",
    "engine.speed": "unit/test_pacer.py::test_speed_divides_the_waiting",
    "engine.duration_s": f"{RUN}::test_duration_s",
    "engine.opening_quote_balance": f"{RUN}::test_opening_quote_balance",
    "engine.opening_base_balance": f"{RUN}::test_opening_base_balance",
    "engine.timer_interval_ms": f"{RUN}::test_timer_interval_ms",
    "engine.status_interval_s": f"{RUN}::test_status_interval_s",
    "engine.input": "integration/test_replay.py::test_input_is_what_is_replayed",
    "exchange.name": "integration/test_replay.py::test_the_named_exchange_must_be_the_recorded_one",
    "console.theme": "console/test_app.py::test_a_theme_named_for_this_run_beats_the_remembered_one",
    "console.refresh_hz": "console/test_app.py::test_settings_choose_the_panel_and_the_marks",
    "console.panel": "console/test_app.py::test_settings_choose_the_panel_and_the_marks",
    "console.mark_changes": "console/test_app.py::test_settings_choose_the_panel_and_the_marks",
    "console.mouse": "console/test_launch.py::test_the_mouse_is_taken_or_left_alone",
    "engine.mode": "unit/test_config.py::test_fees_default_to_those_of_the_modes_venue",
    "strategy.base_spread_bps": STRATEGY,
    "strategy.min_spread_bps": STRATEGY,
    "strategy.max_spread_bps": STRATEGY,
    "strategy.order_quantity": STRATEGY,
    "strategy.min_order_quantity": STRATEGY,
    "strategy.max_order_quantity": STRATEGY,
    "strategy.target_position": STRATEGY,
    "strategy.max_position": STRATEGY,
    "strategy.inventory_skew_factor": STRATEGY,
    "strategy.inventory_skew_unit": STRATEGY,
    "strategy.levels": STRATEGY,
    "strategy.price_level_spacing": STRATEGY,
    "strategy.imbalance_threshold": STRATEGY,
    "strategy.volume_weight_factor": STRATEGY,
    "strategy.volume_depth_factor": STRATEGY,
    "strategy.quote_update_interval_ms": STRATEGY,
    "strategy.auto_hedge_enabled": STRATEGY,
    "strategy.hedge_threshold_pct": STRATEGY,
    "strategy.hedge_interval_ms": STRATEGY,
    "strategy.volatility_threshold": STRATEGY,
    "strategy.spread_widen_factor": STRATEGY,
    "strategy.market_stress_check_ms": STRATEGY,
    "strategy.order_timeout_ms": f"{RUN}::test_order_timeout_ms",
    "strategy.cancel_retry_interval_ms": f"{RUN}::test_cancel_retry_interval_ms",
    "strategy.reprice_tolerance_ticks": f"{RUN}::test_patience_sends_fewer_quotes",
    "strategy.min_quote_life_ms": f"{RUN}::test_patience_sends_fewer_quotes",
    "strategy.wait_cancel_ack": f"{RUN}::test_wait_cancel_ack",
    "strategy.post_fill_pause_ms": f"{RUN}::test_patience_sends_fewer_quotes",
    "strategy.fv_model": f"{SHARED}::test_the_weighted_mid_shifts_both_sides_towards_the_thin_side",
    "strategy.fv_max_dev_bps": f"{SHARED}::test_the_fair_value_is_never_further_from_the_mid_than_allowed",
    "strategy.ofi_pull_z": f"{SHARED}::test_the_side_that_order_flow_runs_into_is_pulled",
    "strategy.fill_brake_n": f"{SHARED}::test_many_fills_of_a_side_pause_it_until_they_are_old",
    "strategy.fill_brake_window_s": f"{SHARED}::test_many_fills_of_a_side_pause_it_until_they_are_old",
    "strategy.min_distance_from_unhedged_bps": (
        f"{SHARED}::test_the_closing_side_keeps_away_from_what_is_not_hedged"
    ),
    "strategy.allow_negative_edge": (
        "unit/test_model_strategies.py::test_the_half_spread_ends_at_the_maker_fee_unless_allowed"
    ),
    # These files walk their whole sections by themselves.
    **{name: MODEL for name in schema().keys if name.startswith("model.")},
    **{name: RISK for name in schema().keys if name.startswith("risk.")},
    **{name: BREAKER for name in schema().keys if name.startswith("breaker.")},
    "alerts.command": "integration/test_alert_command.py::test_the_program_gets_the_alert_as_one_line",
    "alerts.severity": "integration/test_alert_command.py::test_severity_is_the_least_that_is_handed_over",
    "alerts.max_per_minute": "integration/test_alert_command.py::test_no_more_than_max_per_minute",
    "alerts.timeout_s": (
        "integration/test_alert_command.py::test_a_program_that_hangs_is_killed_and_so_is_what_it_has_started"
    ),
    **{name: SIMULATOR for name in schema().keys if name.startswith("simulator.")},
    "exchange.order_latency_ms": PAPER,
    "exchange.answer_latency_ms": PAPER,
    "exchange.queue_model": PAPER,
    "exchange.queue_n": PAPER,
    "exchange.partial_fills": PAPER,
    "fees.maker_bps": f"{RUN}::test_fees",
    "fees.taker_bps": f"{RUN}::test_fees",
    "engine.live": "unit/test_config.py::test_live_mode_says_each_thing_that_is_missing",
    "engine.installation_tag": f"{RUN}::test_order_tag",
    "engine.order_tag": f"{RUN}::test_order_tag",
    "network.endpoint": f"{NETWORK}::test_where_the_venue_is",
    "network.ca_file": f"{HARDNESS}::test_good_tls_is_spoken_with_the_named_authority_only",
    "credentials.key": f"{CREDENTIALS}/test_key_source.py::test_the_settings_name_vault_key_and_api",
    "credentials.vault": f"{CREDENTIALS}/test_key_source.py::test_the_settings_name_vault_key_and_api",
    "credentials.keyring": (
        f"{CREDENTIALS}/test_unlocking_runs.py"
        "::test_every_source_opens_the_vault_and_is_told_without_the_password"
    ),
    "credentials.lock_after_s": (
        f"{CREDENTIALS}/test_credential_settings.py::test_an_open_vault_is_locked_after_this_time"
    ),
    "network.key_file": "live/test_network_start.py::test_a_key_that_nobody_knows_is_refused",
    "network.deflate": f"{HARDNESS}::test_compression_is_refused_unless_asked_for",
    "network.products_per_connection": (
        f"{FEED}::test_products_are_spread_over_connections_and_a_loss_stays_on_its_own"
    ),
    "network.stale_soft_ms": f"{FEED}::test_silence_is_stale_and_then_a_new_connection_and_fresh_before_live",
    "network.stale_hard_ms": f"{FEED}::test_silence_is_stale_and_then_a_new_connection_and_fresh_before_live",
    "network.audit_interval_s": f"{NETWORK}::test_how_often_the_book_is_audited",
    "network.reconcile_interval_s": f"{NETWORK}::test_how_often_the_venue_is_asked",
    "network.balance_interval_s": f"{NETWORK}::test_how_often_the_venue_is_asked",
    "network.fills_interval_s": f"{NETWORK}::test_how_often_the_venue_is_asked",
    "network.answer_timeout_ms": f"{NETWORK}::test_how_long_an_answer_is_waited_for",
    "console.on_owner_lost": f"{SERVICE}::test_on_owner_lost",
    "console.owner_grace_s": f"{SERVICE}::test_owner_grace_s",
    "console.owner_silent_s": f"{SERVICE}::test_owner_silent_s",
}


@cache
def _tests_of(name: str) -> frozenset[str]:
    """The tests that a file defines."""
    tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@pytest.mark.parametrize("key", schema().keys)
def test_key_has_a_test_that_shows_its_effect(key: str) -> None:
    assert key in EFFECTS, f"{key} has no test that shows its effect"
    name, _, test = EFFECTS[key].partition("::")
    assert test in _tests_of(name), f"{name} has no test {test}"


def test_every_entry_is_of_a_key_that_exists() -> None:
    assert set(EFFECTS) <= set(schema().keys)
