"""Seeded chance: shapes, bounds, and numbers that never change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.feeds.chance import MASK_32, Chance, exponential_of, normal_of


def test_chance_gives_the_numbers_noted_here_on_every_machine():
    chance = Chance(42, 0)
    assert [14276969152011380360, 8095878257575067585, 15838336090824644132] == [chance.draw() for _ in range(3)]


def test_chance_streams_of_one_seed_differ():
    assert [Chance(1, 0).draw() for _ in range(4)] != [Chance(1, 1).draw() for _ in range(4)]


@pytest.mark.parametrize(("seed", "stream"), [(-1, 0), (0, -1)])
def test_chance_refuses_negative_seeds(seed, stream):
    with pytest.raises(ValueError, match="0 or more"):
        Chance(seed, stream)


@given(bits=st.integers(0, MASK_32), mean=st.integers(1, 10**15))
def test_exponential_stays_within_its_tail(bits, mean):
    assert 0 <= exponential_of(bits, mean) <= 22 * mean


def test_exponential_has_its_mean_and_halves_its_tail():
    chance = Chance(3, 0)
    drawn = [chance.exponential(1_000_000) for _ in range(40_000)]
    assert abs(sum(drawn) / len(drawn) - 1_000_000) < 20_000
    longer = [sum(value > limit for value in drawn) / len(drawn) for limit in (666_667, 1_333_333, 2_000_000)]
    assert [0.5, 0.25, 0.125] == pytest.approx(longer, abs=0.015)


@given(bits=st.integers(0, 2**64 - 1), deviation=st.integers(0, 10**12))
def test_normal_stays_within_four_deviations(bits, deviation):
    assert abs(normal_of(bits, deviation)) <= 4 * deviation


def test_normal_is_centered_and_has_its_deviation():
    chance = Chance(5, 1)
    drawn = [chance.normal(100_000) for _ in range(40_000)]
    mean = sum(drawn) / len(drawn)
    assert abs(mean) < 2_500
    assert (sum(value * value for value in drawn) / len(drawn)) ** 0.5 == pytest.approx(100_000, rel=0.02)


@given(seed=st.integers(0, 2**32), bound=st.integers(1, 10**6))
def test_below_stays_below_its_bound(seed, bound):
    assert 0 <= Chance(seed, 0).below(bound) < bound
