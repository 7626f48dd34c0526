"""The calendar of statements agrees with the standard library's on every day a ledger can hold."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.units import NS_PER_DAY, NS_PER_SECOND
from ledger.periods import KINDS, date_of, date_text, day_number, iso_week, parse_date, period_at, time_text

EPOCH = date(1970, 1, 1)
LAST_NS = 2**63 - 1
moments = st.integers(0, LAST_NS)


def test_calendar_agrees_with_the_standard_library_on_every_day() -> None:
    for number in range(LAST_NS // NS_PER_DAY):
        day = EPOCH + timedelta(number)
        assert (day.year, day.month, day.day) == date_of(number)
        assert number == day_number(day.year, day.month, day.day)
        assert tuple(day.isocalendar())[:2] == iso_week(number)


@given(moments)
def test_text_of_a_moment_is_its_utc_time(ts_ns) -> None:
    moment = datetime.fromtimestamp(ts_ns // NS_PER_SECOND, UTC)
    assert f"{moment:%Y-%m-%d %H:%M:%S}" == time_text(ts_ns)


@given(st.sampled_from(KINDS), moments)
def test_period_holds_its_moment_and_is_followed_without_a_gap(kind, ts_ns) -> None:
    period = period_at(kind, ts_ns)
    assert period.start_ns <= ts_ns < period.end_ns
    assert period == period_at(kind, period.start_ns) == period_at(kind, period.end_ns - 1)
    assert period.end_ns == period_at(kind, period.end_ns).start_ns


@pytest.mark.parametrize(
    ("kind", "label", "start", "end"),
    [
        ("day", "2025-09-04", "2025-09-04", "2025-09-05"),
        ("week", "2025-W36", "2025-09-01", "2025-09-08"),
        ("month", "2025-09", "2025-09-01", "2025-10-01"),
    ],
)
def test_period_has_the_label_people_write(kind, label, start, end) -> None:
    period = period_at(kind, parse_date("2025-09-04") + 1)
    assert (kind, label) == (period.kind, period.label)
    assert (start, end) == (date_text(period.start_ns), date_text(period.end_ns))


def test_december_ends_with_the_year_and_a_week_may_belong_to_the_next() -> None:
    assert "2026-01-01" == date_text(period_at("month", parse_date("2025-12-31")).end_ns)
    assert "2026-W01" == period_at("week", parse_date("2025-12-31")).label


@given(st.integers(0, day_number(2262, 1, 1) * NS_PER_DAY - 1))
def test_date_reads_back(ts_ns) -> None:
    assert ts_ns - ts_ns % NS_PER_DAY == parse_date(date_text(ts_ns))


@pytest.mark.parametrize(
    "text",
    ["", "2025-9-4", "2025-02-29", "2025-13-01", "2025-00-10", "1969-12-31", "2262-01-01", "٢٠٢٥-09-04", "x" * 99],
)
def test_what_is_no_date_is_refused_in_one_sentence(text) -> None:
    with pytest.raises(ValueError, match="is not a date such as 2025-09-04, from 1970 to 2261"):
        parse_date(text)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'year' is no period: expected one of day, week, month"):
        period_at("year", 0)
