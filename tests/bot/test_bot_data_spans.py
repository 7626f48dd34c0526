"""Times, coins and amounts of `hat data`, as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.importers.archive_keys import Dataset, hour_of, hour_text
from bot.archive import Found, Plan, wanted_files
from bot.data_spans import parse_coins, parse_hours, parse_moment_ms, size_text, spans_text, usd_text
from bot.downloading import dataset_of
from domain.errors import ConfigInvalid

DAY = hour_of(2026, 1, 31)


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [
        ("2026-01-31", "", range(DAY, DAY + 24)),
        ("20260131", "2026-02-01", range(DAY, DAY + 48)),
        ("2026-01-31T09", "", range(DAY + 9, DAY + 10)),
        ("2026-01-31 9:00", "2026-01-31T11Z", range(DAY + 9, DAY + 12)),
        ("2026-01-31T22", "2026-02-01", range(DAY + 22, DAY + 48)),
    ],
)
def test_days_and_hours_are_included_to_the_last(first, last, hours):
    assert hours == parse_hours(first, last)


@pytest.mark.parametrize("text", ["", "now", "2026-1-1", "2026-02-30", "2026-01-31T24", "0000-01-01"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigInvalid, match="--from"):
        parse_hours(text, "")


@given(st.integers(0, 900_000))
def test_hours_are_read_as_they_are_written(hour):
    assert range(hour, hour + 1) == parse_hours(hour_text(hour), "")


def test_end_of_a_day_is_its_last_millisecond():
    assert parse_moment_ms("--to", "2026-02-01", is_end=False) == parse_moment_ms("--to", "2026-01-31", is_end=True) + 1


def test_coins_are_told_once_and_cannot_leave_the_folder():
    assert ["BTC", "kPEPE", "xyz:TSLA"] == parse_coins(["BTC,kPEPE", "BTC", "xyz:TSLA"])
    for bad in ("..", "/etc", "a b", "x" * 50, "-x"):
        with pytest.raises(ConfigInvalid, match="--coin"):
            parse_coins([bad])


def test_amounts_are_short_and_costs_round_up():
    assert ["0 bytes", "1.5 kB", "2.34 MB", "1 GB"] == [size_text(count) for count in (0, 1500, 2_345_678, 10**9)]
    assert ["0.01 USD", "0.09 USD", "1 USD"] == [usd_text(milli) for milli in (1, 90, 1000)]


def test_plan_costs_the_list_price_of_its_region_for_what_is_not_there_yet():
    (one,) = wanted_files(dataset_of("l2"), ["BTC"], [DAY], is_testnet=False)
    (other,) = wanted_files(dataset_of("fills"), [], [DAY], is_testnet=False)
    assert 90 == Plan(to_get=[Found(one, 10**9, "v", "")]).milli_usd
    assert 45 == Plan(to_get=[Found(one, 10**9, "v", "")], bytes_begun=5 * 10**8).milli_usd
    assert 114 == Plan(to_get=[Found(other, 10**9, "v", "")]).milli_usd
    assert 0 == Plan().milli_usd


def test_contexts_are_wanted_by_day_and_fills_in_the_format_of_their_hour():
    days = wanted_files(dataset_of("ctxs"), [], range(DAY + 20, DAY + 30), is_testnet=True)
    assert ["Testnet/asset_ctxs/20260131.csv.lz4", "Testnet/asset_ctxs/20260201.csv.lz4"] == [one.key for one in days]
    change = hour_of(2025, 7, 27, 8)
    kinds = [
        one.dataset for one in wanted_files(dataset_of("fills"), [], range(change - 1, change + 1), is_testnet=False)
    ]
    assert [Dataset.FILLS, Dataset.FILLS_BY_BLOCK] == kinds


def test_spans_are_told_briefly():
    assert "1970-01-01 01:00 to 1970-01-01 03:00; 1970-01-01 05:00" == spans_text([1, 2, 3, 5, 5])
    assert spans_text(range(0, 40, 2)).endswith("; and 14 more")
