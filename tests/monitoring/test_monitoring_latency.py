"""Percentiles against a plain oracle."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.units import NS_PER_MS
from monitoring.latency import LatencyWindow


def test_empty_window_has_no_percentiles() -> None:
    assert LatencyWindow().percentiles() is None


def test_window_keeps_the_newest_and_forgets() -> None:
    window = LatencyWindow(samples_max=2)
    for duration in (9, 1, 2):
        window.take(duration * NS_PER_MS)
    found = window.percentiles()
    assert (2, 1.0, 2.0) == (found.count, found.p50_ms, found.max_ms)
    window.clear()
    assert window.percentiles() is None


@settings(max_examples=100)
@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=300))
def test_percentile_is_the_nearest_rank(durations: list[int]) -> None:
    window = LatencyWindow()
    for duration in durations:
        window.take(duration)
    found = window.percentiles()
    ranked = sorted(durations)
    for percent, value in ((50, found.p50_ms), (95, found.p95_ms), (99, found.p99_ms), (100, found.max_ms)):
        assert ranked[math.ceil(len(ranked) * percent / 100) - 1] / NS_PER_MS == value
