"""Candles from trades: boundaries, sums, bounds."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.venue_server import candles
from services.venue_server.candles import DAY_MS, INTERVALS, MINUTE_MS, Candles, close_of, open_of

NOW = 1_800_000_000_000


def ms(*date):
    return int(dt.datetime(*date, tzinfo=dt.UTC).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("interval", "time", "opens", "closes"),
    [
        ("1m", ms(2026, 2, 3, 4, 5, 6), ms(2026, 2, 3, 4, 5), ms(2026, 2, 3, 4, 6) - 1),
        ("15m", ms(2026, 2, 3, 4, 59), ms(2026, 2, 3, 4, 45), ms(2026, 2, 3, 5) - 1),
        ("8h", ms(2026, 2, 3, 17), ms(2026, 2, 3, 16), ms(2026, 2, 4) - 1),
        ("1d", ms(2026, 2, 3, 17), ms(2026, 2, 3), ms(2026, 2, 4) - 1),
        ("3d", 3 * DAY_MS + 5, 3 * DAY_MS, 6 * DAY_MS - 1),
        ("1w", ms(2025, 11, 1), ms(2025, 10, 30), ms(2025, 11, 6) - 1),
        ("1M", ms(2024, 2, 29, 23, 59), ms(2024, 2, 1), ms(2024, 3, 1) - 1),
        ("1M", ms(2025, 12, 31), ms(2025, 12, 1), ms(2026, 1, 1) - 1),
    ],
)
def test_bounds_of_an_interval(interval, time, opens, closes):
    assert open_of(interval, time) == opens
    assert close_of(interval, opens) == closes


@given(st.sampled_from(INTERVALS), st.integers(0, 4 * 10**12))
def test_every_time_lies_in_the_candle_it_opens(interval, time):
    opens = open_of(interval, time)
    assert opens <= time <= close_of(interval, opens)
    assert open_of(interval, close_of(interval, opens)) == opens
    assert open_of(interval, close_of(interval, opens) + 1) == close_of(interval, opens) + 1


TRADES = st.lists(
    st.tuples(st.integers(0, 40 * MINUTE_MS), st.integers(1, 1_000), st.integers(1, 50)), min_size=1, max_size=60
)


@given(TRADES, st.sampled_from(INTERVALS))
def test_candles_are_what_the_trades_of_their_interval_say(steps, interval):
    kept, time, traded = Candles(), NOW, []
    for step, price, lots in steps:
        time += step
        kept.take(time, price, lots, price * lots)
        traded.append((time, price, lots))
    bars = kept.between(interval, 0, None)
    assert [bar.open_ms for bar in bars] == sorted({open_of(interval, each) for each, _, _ in traded})
    for bar in bars:
        inside = [(price, lots) for each, price, lots in traded if open_of(interval, each) == bar.open_ms]
        prices = [price for price, _ in inside]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert (bar.lots, bar.count) == (sum(lots for _, lots in inside), len(inside))
        assert bar.notional == sum(price * lots for price, lots in inside)


@given(TRADES)
def test_a_day_sums_what_was_traded_in_it(steps):
    kept, time, traded = Candles(), NOW, []
    for step, price, lots in steps:
        time += 10 * step
        kept.take(time, price, lots, price * lots)
        traded.append((time, price, lots))
    recent = [one for one in traded if open_of("1m", one[0]) > time - DAY_MS]
    before = [one for one in traded if open_of("1m", one[0]) <= time - DAY_MS]
    lots, notional, previous = kept.day(time)
    assert lots == sum(each for _, _, each in recent)
    assert notional == sum(price * each for _, price, each in recent)
    assert previous == (before[-1][1] if before else recent[0][1])


def test_only_the_newest_candles_are_kept():
    kept = Candles(kept=3)
    for minute in range(10):
        kept.take(NOW + minute * MINUTE_MS, 100 + minute, 1, 1)
    assert [bar.open for bar in kept.between("1m", 0, None)] == [107, 108, 109]
    assert candles.KEPT == 5_000


def test_the_candle_of_the_start_time_is_included():
    kept = Candles()
    for minute in range(4):
        kept.take(NOW + minute * MINUTE_MS, 100 + minute, 1, 1)
    assert [bar.open for bar in kept.between("1m", NOW + MINUTE_MS + 30_000, NOW + 2 * MINUTE_MS)] == [101, 102]


def test_nothing_traded_is_no_candle():
    kept = Candles()
    assert kept.last("1h") is None
    assert kept.between("1h", 0, None) == []
    assert kept.day(NOW) == (0, 0, 0)


def test_a_late_trade_counts_in_the_newest_minute():
    kept = Candles()
    kept.take(NOW + MINUTE_MS, 100, 1, 1)
    kept.take(NOW, 90, 1, 1)
    assert [(bar.open_ms, bar.low) for bar in kept.between("1m", 0, None)] == [(NOW + MINUTE_MS, 90)]


def test_a_day_forgets_even_when_nobody_asks():
    kept = Candles()
    for minute in range(2 * 1_440):
        kept.take(NOW + minute * MINUTE_MS, 100, 1, 100)
    assert kept.day(NOW + (2 * 1_440 - 1) * MINUTE_MS)[0] == 1_440
