"""Latencies in bins of a quarter octave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry.histogram import Histogram


def recorded(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_no_value_no_bin():
    assert Histogram().bins() == []


def test_ends_are_quarter_octaves_and_empty_bins_between_are_told():
    histogram = recorded([1_000] * 3 + [1_900])
    assert histogram.bins() == [(1_024, 3), (1_217, 0), (1_448, 0), (1_722, 0), (2_048, 1)]


def test_bins_become_wider_before_there_are_too_many_of_them():
    histogram = recorded([100, 10**9])
    wide = histogram.bins(most=10)
    assert len(wide) <= 10
    assert (wide[0][1], wide[-1][1], sum(count for _, count in wide)) == (1, 1, 2)
    assert wide[-1][0] == histogram.bins(most=1_000)[-1][0] >= 10**9


values = st.one_of(st.integers(0, 10**6), st.integers(0, 2**44), st.just(2**42 - 1))


@given(st.lists(values, min_size=1, max_size=60))
def test_every_value_is_in_the_bin_that_ends_at_or_above_it(values):
    bins = recorded(values).bins()
    ends = [end for end, _ in bins]
    assert len(bins) <= 80
    assert ends == sorted(set(ends))
    assert bins[0][1] > 0
    assert bins[-1][1] > 0
    assert sum(count for _, count in bins) == len(values)
    # A bucket is known to 1/32 of its value: nothing is counted lower than it was, or much higher.
    below = 0
    for end, count in bins:
        below += count
        assert below <= sum(value <= end for value in values) + sum(value > 2**42 for value in values)
        assert below >= sum(value * 33 // 32 < end for value in values)
