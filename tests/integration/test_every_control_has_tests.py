"""Where each of the controls R1 to R30 is tested: below, at and above its limit, or as a whole."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).resolve().parents[1]
HERE, MARKET = "integration/test_controls.py", "integration/test_market_controls.py"
BUDGET = "coinbase_rest/test_rate_budget.py"
STORMS = "live/test_reject_storms.py"
PARTS, FEED, VENUE_FEED = (
    "unit/test_feed_parts.py",
    "live/test_live_feed_faults.py",
    "live/test_feed_at_local_venue.py",
)
WATCHES = "unit/test_watches.py"
EDGE = "live/test_fills_of_an_edge.py"
FAULTS = "live/test_faults_of_the_engine.py::test_a_fault"


class Bounds(NamedTuple):
    """The tests of one limit."""

    below: str
    at: str
    above: str


class Whole(NamedTuple):
    """A control that something trips or does not: there is nothing to be below of."""

    why: str
    tests: tuple[str, ...]


def by_one(test: str) -> Bounds:
    """One test that looks below, at and above."""
    return Bounds(test, test, test)


ORDER = by_one(f"{HERE}::test_an_order_that_breaks_a_limit_does_not_leave")
CONTROLS: dict[str, tuple[Bounds | Whole, ...]] = {
    "R1": (ORDER,),
    "R2": (ORDER,),
    "R3": (ORDER,),
    "R4": (ORDER,),
    "R5": (ORDER,),
    "R6": (by_one(f"{HERE}::test_r6_no_more_open_orders_than_the_limit"),),
    "R7": (ORDER, by_one(f"{HERE}::test_r7_a_full_position_reduces_until_it_is_below_80_percent")),
    "R8": (ORDER, by_one(f"{HERE}::test_r8_open_buys_leave_a_part_of_the_equity_free")),
    "R9": (by_one(f"{HERE}::test_r9_a_lost_day_halts_and_cancels_all"),),
    "R10": (by_one(f"{HERE}::test_r10_a_drawdown_in_money_leaves_only_reducing_orders"),),
    "R11": (by_one(f"{HERE}::test_r11_a_burst_leaves_and_the_rest_waits_its_turn"),),
    "R12": (
        by_one(f"{BUDGET}::test_a_burst_is_what_the_venue_allows"),
        Whole("the reserve", (f"{BUDGET}::test_orders_and_questions_never_take_what_is_kept_for_cancels",)),
    ),
    "R13": (
        by_one(f"{HERE}::test_r13_three_times_what_was_meant_is_the_limit"),
        Whole("the replay of a loop", (f"{HERE}::test_r13_an_order_loop_is_stopped_within_a_second",)),
    ),
    "R14": (
        by_one(f"{STORMS}::test_five_refusals_within_ten_seconds_are_a_storm"),
        Whole("the ways back", (
            "live/test_orders.py::test_refusals_in_a_row_halt_for_a_minute_and_then_for_good",
        )),
    ),
    "R15": (by_one(f"{HERE}::test_r15_a_burst_of_fills_pulls_the_quotes_for_half_a_minute"),),
    "R16": (
        by_one(f"{PARTS}::test_after_a_silence_a_snapshot_and_three_seconds_of_freshness"),
        Whole("over TCP, the reconnect too", (
            f"{FEED}::test_half_open_is_stale_within_two_and_a_half_seconds",
            f"{FEED}::test_silence_is_stale_and_then_a_new_connection_and_fresh_before_live",
        )),
    ),
    "R17": (
        by_one(f"{MARKET}::test_r17_an_absurd_market_pulls_the_quotes_until_it_is_sane"),
        by_one(f"{MARKET}::test_r17_a_mid_that_jumps_is_not_believed"),
    ),
    "R18": (
        Whole("any gap is one", (
            f"{FEED}::test_a_loss_makes_every_book_stale_until_a_new_connection",
            f"{FEED}::test_what_is_no_loss_leaves_the_book_live",
        )),
    ),
    "R19": (by_one(f"{WATCHES}::test_the_clock_warns_holds_and_lets_go"),),
    "R20": (by_one(f"{HERE}::test_r20_the_same_order_again_within_100_ms"),),
    "R21": (
        by_one(f"{HERE}::test_r21_an_order_is_uncertain_after_two_seconds_without_an_answer"),
        by_one(f"{HERE}::test_r21_a_minute_without_proof_halts"),
        Whole("the slot", (f"{HERE}::test_r21_a_slot_whose_order_nobody_answers_for_gets_no_second_one",)),
    ),
    "R22": (by_one(f"{HERE}::test_r22_our_own_orders_never_meet"),),
    "R23": (
        Bounds(
            f"{EDGE}::test_fills_that_agree_are_confirmed_in_silence",
            f"{EDGE}::test_one_lot_off_is_rounding",
            f"{EDGE}::test_money_that_we_did_not_move_halts_until_a_person_accepts_it",
        ),
        Whole("orders: any that disagree", ("live/test_matrix.py::test_a_cell_through_the_edge",)),
    ),
    "R24": (
        Whole("asked for or not", (
            "live/test_kill_with_proof.py::test_lost_cancel_answers_and_an_unknown_order_end_with_proof",
            "live/test_sweep.py::test_the_proof_takes_less_than_three_seconds",
        )),
    ),
    "R25": (
        by_one("watchdog/test_watch_and_lease.py::test_it_acts_after_three_seconds_of_silence"),
        Whole("real processes", (
            "watchdog/test_real_processes.py::test_an_engine_that_is_killed_leaves_nothing_behind",
            "watchdog/test_real_processes.py::test_an_engine_that_is_stopped_cannot_send_when_it_goes_on",
        )),
    ),
    "R26": (
        Whole("however it ends", (
            "integration/test_headless.py::test_a_signal_cancels_everything_and_the_exit_code_tells_why",
            "integration/test_engine_failures.py::"
            "test_a_strategy_that_raises_ends_the_run_with_every_order_cancelled",
            "integration/test_end_of_a_run.py::test_a_run_that_raises_leaves_no_socket_behind",
        )),
    ),
    "R27": (
        by_one(f"{WATCHES}::test_a_late_loop_pulls_the_quotes_until_it_kept_time_for_ten_seconds"),
        by_one(f"{WATCHES}::test_a_disk_that_takes_more_than_a_second_pulls_the_quotes"),
        by_one(f"{WATCHES}::test_a_disk_with_less_room_than_is_needed_pulls_the_quotes"),
        Whole("a blocked loop, a failing disk under an engine", (
            FAULTS,
            "integration/test_disk_fails.py::test_a_disk_that_fails_ends_the_trading_and_nothing_else",
        )),
    ),
    "R28": (
        Whole("each thing is there or missing", (
            "unit/test_config.py::test_live_mode_says_each_thing_that_is_missing",
            "live/test_network_start.py::test_a_key_with_other_rights_is_refused",
        )),
    ),
    "R29": (
        by_one("unit/test_loosening.py::test_every_limit_knows_which_way_is_looser"),
        Whole("the person", (
            "unit/test_loosening.py::test_real_moneys_limits_are_loosened_on_purpose_only",
        )),
    ),
    "R30": (
        Whole("any difference is one", (
            f"{EDGE}::test_fills_that_agree_are_confirmed_in_silence",
            f"{EDGE}::test_a_fill_that_was_never_told_is_found_and_halts",
            f"{EDGE}::test_other_fees_than_we_were_told_halt",
        )),
    ),
}  # fmt: skip


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


@pytest.mark.parametrize("control", [f"R{number}" for number in range(1, 31)])
def test_every_control_has_its_tests(control: str) -> None:
    for shown in CONTROLS[control]:
        for test in shown.tests if isinstance(shown, Whole) else shown:
            file, _, name = test.partition("::")
            assert name in names_in(file), test
