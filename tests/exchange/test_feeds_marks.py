"""Marks of the synthetic market: the venue's funding formula, its cap, positive prices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.feeds.chance import Chance
from exchange.feeds.marks import RATE_CAP, MarkMaker, hourly_funding_rate


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        (70_280, 12_500),
        (0, 12_500),
        (600_000, 12_500),
        (1_000_000, 62_500),
        (-400_000, 12_500),
        (-1_000_000, -62_500),
        (10**9, RATE_CAP),
        (-(10**9), -RATE_CAP),
    ],
)
def test_funding_rate_follows_the_formula_of_the_venue(premium, rate):
    assert rate == hourly_funding_rate(premium)


@given(premium=st.integers(-(10**10), 10**10))
def test_funding_rate_stays_inside_the_cap(premium):
    assert abs(hourly_funding_rate(premium)) <= RATE_CAP


def test_marks_stay_near_the_market_and_funding_moves():
    marks = MarkMaker("BTC", Chance(1, 0))
    made = [marks.changed(1_000_000, 1_000_000, second, second) for second in range(5_000)]
    assert all(990_000 < mark.mark_price < 1_010_000 and 990_000 < mark.oracle_price < 1_010_000 for mark in made)
    assert {12_500} < {mark.funding_rate for mark in made}


def test_marks_stay_positive_when_prices_are_tiny():
    marks = MarkMaker("X", Chance(1, 0))
    assert all(marks.changed(1, 1, ts_ns, ts_ns).oracle_price >= 1 for ts_ns in range(100))
