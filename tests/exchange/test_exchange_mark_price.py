"""The mark price: laws of averages and medians, the venue's own way of averaging as judge, and compiled twins."""

from math import exp
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from domain.units import NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND
from exchange.simulated import mark_price as room
from exchange.simulated.latency import power_of_two
from exchange.simulated.mark_price import (
    BASIS_NS,
    BOOK_NS,
    FINE,
    MARK_NS,
    OUTSIDE_WEIGHTS,
    Average,
    Marks,
    averaged,
    book_price,
    decayed,
    mark_price,
    middle,
    weighted_median,
)
from tests.exchange.compiled_twins import assert_twins_agree

PRICE = st.integers(1, 10**7)
MAYBE = st.one_of(st.just(0), PRICE)
ELAPSED = st.integers(1, 10 * NS_PER_SECOND)
ELAPSED_USUAL = st.integers(50 * NS_PER_MS, 10 * NS_PER_SECOND)
SAMPLES = st.lists(st.tuples(st.integers(-(10**6), 10**6), ELAPSED), min_size=1, max_size=60)
MICRO = st.integers(1, 10**7)
MEMORY = st.sampled_from([30_000_000, 150_000_000])


@given(st.integers(0, 1_600_000_000), st.integers(0, 36 * 10**8), MEMORY)
def test_what_decays_is_the_exponential_to_seven_digits(weight: int, elapsed: int, memory: int) -> None:
    exact = weight * exp(-elapsed / memory)
    left = decayed(weight, elapsed, memory)
    assert 0 <= left <= weight
    assert abs(left - exact) <= weight * 1e-7 + 1


@given(PRICE, PRICE, PRICE)
def test_the_middle_is_the_median(first: int, second: int, third: int) -> None:
    assert median([first, second, third]) == middle(first, second, third)


@given(SAMPLES)
def test_an_average_lies_between_its_samples(samples: list[tuple[int, int]]) -> None:
    average = Average(BASIS_NS)
    seen = []
    for sample, elapsed_ns in samples:
        average.add(sample, elapsed_ns)
        seen.append(sample)
        assert min(seen) <= average.price <= max(seen)
        assert min(seen) * FINE <= average.value <= max(seen) * FINE


@given(st.lists(st.tuples(st.integers(-(10**4), 10**4), ELAPSED_USUAL), min_size=1, max_size=60))
def test_an_average_is_the_venues_numerator_over_its_denominator(samples: list[tuple[int, int]]) -> None:
    average, numerator, denominator = Average(BASIS_NS), 0.0, 0.0
    for sample, elapsed_ns in samples:
        average.add(sample, elapsed_ns)
        elapsed = elapsed_ns / 1_000
        kept = exp(-elapsed / (BASIS_NS // 1_000))
        numerator, denominator = numerator * kept + sample * elapsed, denominator * kept + elapsed
    assert abs(numerator / denominator - average.value / FINE) <= 1.5


def test_a_constant_stays_and_a_step_is_followed_by_its_memory() -> None:
    average = Average(BASIS_NS)
    for _ in range(400):
        average.add(500, MARK_NS)
    assert 500 == average.price
    for _ in range(BASIS_NS // MARK_NS):
        average.add(1_500, MARK_NS)
    # One memory later 1 - 1/e of the step is taken, a little more for samples that end their interval.
    assert 1_132 <= average.price <= 1_142
    average.add(7, NS_PER_HOUR)
    assert 7 == average.price


def test_a_sample_in_the_same_microsecond_counts_for_one() -> None:
    average = Average(BOOK_NS)
    average.add(100, 0)
    average.add(200, 0)
    assert 150 == average.price


@given(MAYBE, MAYBE, MAYBE)
def test_the_book_price_needs_both_sides(bid: int, ask: int, last: int) -> None:
    found = book_price(bid, ask, last)
    if not bid or not ask:
        assert found == 0
    else:
        assert found == int(median([bid, ask, last or (bid + ask) // 2]))


@given(MAYBE, MAYBE, MAYBE, MAYBE)
def test_the_mark_is_the_median_of_what_exists(index: int, book: int, outside: int, average: int) -> None:
    found = mark_price(index, book, outside, average)
    present = [price for price in (index, book, outside) if price]
    if len(present) == 3:
        assert found == median(present)
    elif len(present) == 2 and average:
        assert found == median([*present, average])
    elif present:
        assert min(present) <= found <= max(present)
    else:
        assert found == 0


@given(st.lists(st.tuples(PRICE, st.integers(0, 5)), min_size=1, max_size=8))
def test_a_weighted_median_splits_the_weight(rows: list[tuple[int, int]]) -> None:
    prices, weights = tuple(price for price, _ in rows), tuple(weight for _, weight in rows)
    found, whole = weighted_median(prices, weights), sum(weights)
    if whole == 0:
        assert found == 0
        return
    assert found in prices
    assert 2 * sum(weight for price, weight in rows if price <= found) >= whole
    assert 2 * sum(weight for price, weight in rows if price < found) < whole


def test_outside_prices_weigh_as_documented() -> None:
    assert 9 == sum(OUTSIDE_WEIGHTS.values())
    weights = tuple(OUTSIDE_WEIGHTS.values())
    assert 101 == weighted_median((101, 102, 100, 103, 99), weights)


def test_the_mark_follows_oracle_basis_and_book() -> None:
    marks = Marks()
    assert 0 == marks.update(1, 0, 0, 0, 0)
    assert 1_000 == marks.update(MARK_NS, 1_000, 0, 0, 0)
    # Book ten above the oracle: the basis is ten at once, its first sample.
    assert 1_010 == marks.update(2 * MARK_NS, 1_000, 1_009, 1_011, 1_010)
    # The book jumps; the two averages hold the mark.
    assert 1_010 < marks.update(3 * MARK_NS, 1_000, 1_099, 1_101, 1_100) < 1_060
    # An empty side leaves the oracle with its averaged basis; without anything the mark stays.
    held = marks.update(4 * MARK_NS, 1_000, 0, 1_101, 1_100)
    assert 1_010 < held < 1_100
    assert held == marks.update(5 * MARK_NS, 0, 0, 0, 0) == marks.mark_price
    # Other venues' prices make it three of three again.
    assert 1_100 == marks.update(6 * MARK_NS, 1_000, 1_099, 1_101, 1_100, outside=1_200)


def test_a_market_of_its_participants_marks_at_its_book() -> None:
    marks = Marks()
    assert 205 == marks.update(NS_PER_MS, 0, 200, 210, 0)
    assert 207 == marks.update(2 * NS_PER_MS, 0, 200, 210, 207)


@given(st.lists(st.tuples(PRICE, PRICE, PRICE, PRICE, ELAPSED), min_size=1, max_size=30))
def test_the_same_prices_give_the_same_marks(rows: list[tuple[int, ...]]) -> None:
    first, second, now = Marks(), Marks(), NS_PER_HOUR
    for oracle, bid, ask, last, elapsed in rows:
        now += elapsed
        mark = first.update(now, oracle, min(bid, ask), max(bid, ask), last)
        assert mark == second.update(now, oracle, min(bid, ask), max(bid, ask), last)
        assert mark > 0


def test_functions_give_the_same_when_compiled(monkeypatch) -> None:
    rows = st.lists(st.tuples(PRICE, st.integers(0, 5)), min_size=5, max_size=5)
    assert_twins_agree(
        monkeypatch,
        room,
        {
            "decayed": st.tuples(st.integers(0, 1_600_000_000), st.integers(0, 36 * 10**8), MEMORY),
            "averaged": st.tuples(st.integers(-(10**10), 10**10), MICRO, st.integers(-(10**10), 10**10), MICRO),
            "middle": st.tuples(PRICE, PRICE, PRICE),
            "book_price": st.tuples(MAYBE, MAYBE, MAYBE),
            "mark_price": st.tuples(MAYBE, MAYBE, MAYBE, MAYBE),
            "weighted_median": rows.map(
                lambda drawn: (tuple(price for price, _ in drawn), tuple(weight for _, weight in drawn))
            ),
        },
        power_of_two,
    )


@given(st.integers(-(10**10), 10**10), st.integers(0, 10**9), st.integers(-(10**10), 10**10), MICRO)
def test_an_average_moves_towards_its_sample_and_never_beyond(average, weight, sample, elapsed) -> None:
    after = averaged(average, weight, sample, elapsed)
    assert min(average, sample) <= after <= max(average, sample)
