"""Premium and funding: laws, recorded contexts, and every recorded settlement of SOL by the formula of its time."""

import gzip
import json
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.units import MONEY_UNIT, NS_PER_HOUR, parse_scaled
from exchange.simulated import premium as room
from exchange.simulated.margins import ratio_scaled
from exchange.simulated.premium import (
    CLAMP,
    IMPACT_NOTIONAL,
    IMPACT_NOTIONAL_MAJOR,
    INTEREST,
    PREMIUM_DECIMALS,
    RATE_CAP,
    SAMPLE_NS,
    PremiumHour,
    as_rate,
    hourly_rate,
    impact_notional,
    impact_price,
    next_hour_ns,
    premium,
)
from tests.exchange.compiled_twins import assert_twins_agree

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "hyperliquid"
UNIT = 100
PRICE = st.integers(1, 10**8)
PREMIUM = st.integers(-(10**9), 10**9)
SAMPLES = st.integers(1, 720)
LEVELS = st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), min_size=1, max_size=20).map(
    lambda rows: tuple(sorted(rows))
)
AMOUNT = st.integers(600 * MONEY_UNIT, 20_000 * MONEY_UNIT)


@given(LEVELS, AMOUNT)
def test_an_impact_price_lies_between_best_and_worst_level_traded(levels: tuple, amount: int) -> None:
    depth = sum(price * lots * UNIT for price, lots in levels)
    found = impact_price(levels, amount, UNIT)
    if depth < amount:
        assert found == 0
        return
    left, parts, worst = Fraction(amount), Fraction(0), 0
    for price, lots in levels:
        part = min(left, Fraction(price * lots * UNIT))
        if part:
            worst = price
        parts += part / (price * UNIT)
        left -= part
    exact = Fraction(amount, UNIT) / parts
    assert levels[0][0] <= exact <= worst
    assert abs(found - exact) <= Fraction(1, 2) + exact / (parts * room.FINE) * 2


@given(LEVELS, AMOUNT, st.integers(1, 10**12))
def test_buying_more_is_never_cheaper(levels: tuple, amount: int, more: int) -> None:
    cheaper, dearer = impact_price(levels, amount, UNIT), impact_price(levels, amount + more, UNIT)
    assert dearer == 0 or cheaper <= dearer + 1


def test_impact_of_two_levels() -> None:
    # 6,000 USDC: 2,000 at 20.0000 and 4,000 at 40.0000 buy 200 units, so 30 each.
    levels = [(200_000, 10_000), (400_000, 50_000)]
    assert 300_000 == impact_price(levels, 6_000 * MONEY_UNIT, UNIT)
    assert 200_000 == impact_price(levels, 2_000 * MONEY_UNIT, UNIT)
    assert 0 == impact_price(levels, 22_001 * MONEY_UNIT, UNIT)
    assert 0 == impact_price([], 1, UNIT)


def test_majors_need_more_impact() -> None:
    amounts = [impact_notional(coin) for coin in ("BTC", "ETH", "SOL")]
    assert [IMPACT_NOTIONAL_MAJOR, IMPACT_NOTIONAL_MAJOR, IMPACT_NOTIONAL] == amounts


@given(PRICE, PRICE, PRICE)
def test_a_premium_has_the_sign_of_the_side_that_left_the_oracle(first: int, second: int, oracle: int) -> None:
    bid, ask = min(first, second), max(first, second)
    found = premium(bid, ask, oracle)
    if bid <= oracle <= ask:
        assert found == 0
    else:
        gap = bid - oracle if bid > oracle else ask - oracle
        assert found == ratio_scaled(gap, oracle, PREMIUM_DECIMALS)
        assert found * gap >= 0


@given(PREMIUM, SAMPLES)
def test_the_rate_is_the_formula_rounded_once(total: int, samples: int) -> None:
    average = Fraction(total, samples)
    exact = (average + max(-CLAMP, min(INTEREST - average, CLAMP))) / 8
    exact = max(Fraction(-RATE_CAP), min(exact, Fraction(RATE_CAP)))
    assert abs(hourly_rate(total, samples) - exact) <= Fraction(1, 2)


@given(st.integers(-(10**11), 10**11), st.integers(0, 10**10), SAMPLES)
def test_a_higher_premium_never_lowers_the_rate_and_the_cap_holds(total: int, more: int, samples: int) -> None:
    lower, higher = hourly_rate(total, samples), hourly_rate(total + more, samples)
    assert -RATE_CAP <= lower <= higher <= RATE_CAP


def test_rates_of_the_documents() -> None:
    # Premium 0.00007028 is inside the clamp: the rate is interest alone, 0.0000125 an hour.
    assert 125_000 == hourly_rate(parse_scaled("0.00007028", PREMIUM_DECIMALS), 1)
    assert [RATE_CAP, -RATE_CAP] == [hourly_rate(sign * 10**10, 1) for sign in (1, -1)]
    assert [12_500, 13, -13] == [as_rate(fine) for fine in (125_000, 125, -125)]


def test_an_hour_averages_what_was_sampled_and_begins_anew() -> None:
    hour = PremiumHour(NS_PER_HOUR + 1)
    assert NS_PER_HOUR + SAMPLE_NS == hour.ts_next_ns
    assert (0, 125_000) == (hour.average, hour.rate)
    hour.sample(hour.ts_next_ns, 1_002_000, 1_003_000, 1_000_000)
    hour.sample(hour.ts_next_ns, 999_000, 1_001_000, 1_000_000)
    assert NS_PER_HOUR + 3 * SAMPLE_NS == hour.ts_next_ns
    assert (2, 10_000_000) == (hour.samples, hour.average)
    for bid, ask, oracle in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        hour.sample(hour.ts_next_ns, bid, ask, oracle)
    assert (2, NS_PER_HOUR + 6 * SAMPLE_NS) == (hour.samples, hour.ts_next_ns)
    assert (625_000, 10_000_000) == hour.settle()
    assert (0, 0) == (hour.samples, hour.average)


def test_the_next_hour_is_strictly_later() -> None:
    assert [NS_PER_HOUR, NS_PER_HOUR, 2 * NS_PER_HOUR] == [next_hour_ns(at) for at in (0, 1, NS_PER_HOUR)]


def test_functions_give_the_same_when_compiled(monkeypatch) -> None:
    assert_twins_agree(
        monkeypatch,
        room,
        {
            "impact_price": st.tuples(LEVELS, AMOUNT, st.just(UNIT)),
            "premium": st.tuples(PRICE, PRICE, PRICE),
            "hourly_rate": st.tuples(PREMIUM, SAMPLES, st.sampled_from([CLAMP, 3_000_000]), st.sampled_from([1, 8])),
            "as_rate": st.tuples(PREMIUM),
            "next_hour_ns": st.tuples(st.integers(0, 4 * 10**18)),
        },
        ratio_scaled,
    )


def settlements(name: str, key: str) -> list[tuple[int, int, int]]:
    """Return recorded (ms, premium, rate) in 1e-10."""
    place = DATA / "funding_premium" / name
    if not place.exists():
        pytest.skip(f"no recorded funding at {place}")
    rows = json.loads(gzip.decompress(place.read_bytes()))
    return [
        (row["time"], parse_scaled(row["premium"], PREMIUM_DECIMALS), parse_scaled(row[key], PREMIUM_DECIMALS))
        for row in rows
    ]


def ms(*when: int) -> int:
    """Return a UTC time in milliseconds."""
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000


def is_reproduced(average: int, rate: int, clamp: int, hours: int) -> bool:
    """Say whether some premium that is published as this one gives this rate.

    The published premium is rounded to 1e-10, so the true one lies within half a unit: a rate may move by one unit.
    """
    candidates = [hourly_rate(20 * average + shift, 20, clamp, hours) for shift in range(-10, 11)]
    return min(candidates) <= rate <= max(candidates)


ERAS = [
    (ms(2023, 6, 8, 0, 30), 82, 3_000_000, 1),
    (ms(2023, 6, 16, 20, 30), 212, 3_000_000, 8),
    (ms(2023, 7, 15, 2, 30), 677, 0, 8),
    (ms(2023, 12, 11, 22, 30), 3_595, 3_000_000, 8),
    (ms(2026, 3, 1), 19_440, CLAMP, 8),
]
"""(before ms, rows, clamp in 1e-10 with 0 for no interest at all, hours a premium is spread over)."""


@pytest.mark.recorded
def test_every_recorded_settlement_of_sol_follows_from_its_premium() -> None:
    rows = settlements("SOL_fundingHistory_2023-05-12_2026-02-28.json.gz", "fundingRate")
    assert 24_006 == len(rows)
    start = 0
    for end, count, clamp, hours in ERAS:
        era = [row for row in rows if start <= row[0] < end]
        assert count == len(era)
        assert count == sum(is_reproduced(average, rate, clamp, hours) for _, average, rate in era)
        if clamp != CLAMP:
            assert count > 3 * sum(is_reproduced(average, rate, CLAMP, 8) for _, average, rate in era)
        start = end


@pytest.mark.recorded
def test_every_recorded_settlement_of_bitcoin_follows_from_its_premium() -> None:
    rows = settlements("hl_BTC_funding_rates.json.gz", "funding_rate")
    assert 12_192 == len(rows) == sum(is_reproduced(average, rate, CLAMP, 8) for _, average, rate in rows)


@pytest.mark.recorded
def test_recorded_premiums_follow_from_recorded_impact_prices() -> None:
    place = DATA / "api" / "messages" / "ws_allDexsAssetCtxs.json"
    if not place.exists():
        pytest.skip(f"no recorded contexts at {place}")
    contexts: dict[str, list[dict[str, Any]]] = dict(json.loads(place.read_text())["data"]["ctxs"])
    told = 0
    for context in contexts[""]:
        if context["impactPxs"] is None:
            assert context["premium"] is None
            continue
        bid, ask = (parse_scaled(text, 6) for text in context["impactPxs"])
        found = premium(bid, ask, parse_scaled(context["oraclePx"], 6))
        assert parse_scaled(context["premium"], PREMIUM_DECIMALS) == found
        told += 1
    assert 179 == told
