"""Days, ISO weeks and months of UTC, from nanoseconds and back, by integer arithmetic alone.

Why it exists: statements are cut at calendar boundaries, and the ledger knows no clock and no time zone but UTC.

Laws: a period holds its start and not its end; periods of one kind follow each other without a gap.
Source: civil calendar arithmetic after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"; ISO 8601 for weeks.
"""

import re

import msgspec

from domain.units import NS_PER_DAY, NS_PER_SECOND

KINDS = ("day", "week", "month")
DAYS_PER_WEEK = 7
MONTHS_PER_YEAR = 12
YEARS = range(1970, 2262)
"""The years whose nanoseconds of Unix time fit a BIGINT."""

_DAYS_PER_ERA = 146_097
_DAYS_TO_EPOCH = 719_468
_THURSDAY = 3
"""1970-01-01 was one: Monday counts as 0."""


class Period(msgspec.Struct, frozen=True):
    """A stretch of UTC time. label is how people write it: 2025-09-04, 2025-W36, 2025-09."""

    kind: str
    label: str
    start_ns: int
    end_ns: int


def day_number(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a date of the Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _DAYS_PER_ERA + day_of_era - _DAYS_TO_EPOCH


def date_of(number: int) -> tuple[int, int, int]:
    """Return year, month and day of the number-th day after 1970-01-01."""
    number += _DAYS_TO_EPOCH
    era = number // _DAYS_PER_ERA
    day_of_era = number - era * _DAYS_PER_ERA
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def iso_week(number: int) -> tuple[int, int]:
    """Return ISO year and week of a day: the year is that of the week's Thursday."""
    thursday = number - (number + _THURSDAY) % DAYS_PER_WEEK + _THURSDAY
    year = date_of(thursday)[0]
    return year, (thursday - day_number(year, 1, 1)) // DAYS_PER_WEEK + 1


def date_text(ts_ns: int) -> str:
    """Return the UTC date, e.g. 2025-09-04."""
    year, month, day = date_of(ts_ns // NS_PER_DAY)
    return f"{year:04d}-{month:02d}-{day:02d}"


def time_text(ts_ns: int) -> str:
    """Return date and time of day in UTC to the second, e.g. 2025-09-04 19:46:56."""
    second = ts_ns % NS_PER_DAY // NS_PER_SECOND
    return f"{date_text(ts_ns)} {second // 3_600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def parse_date(text: str) -> int:
    """Return the first nanosecond of a date written 2025-09-04.

    Raises: ValueError with one sentence for anything else, and for days no calendar has.
    """
    found = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text, re.ASCII)
    if found is not None:
        year, month, day = (int(part) for part in found.groups())
        if year in YEARS and 1 <= month <= MONTHS_PER_YEAR:
            number = day_number(year, month, day)
            if date_of(number) == (year, month, day):
                return number * NS_PER_DAY
    raise ValueError(f"{text[:40]!r} is not a date such as 2025-09-04, from {YEARS[0]} to {YEARS[-1]}")


def period_at(kind: str, ts_ns: int) -> Period:
    """Return the day, week or month that holds a moment."""
    number = ts_ns // NS_PER_DAY
    year, month, _ = date_of(number)
    if kind == "month":
        first = day_number(year, month, 1)
        end = day_number(year + month // MONTHS_PER_YEAR, month % MONTHS_PER_YEAR + 1, 1)
        label = f"{year:04d}-{month:02d}"
    elif kind == "week":
        first = number - (number + _THURSDAY) % DAYS_PER_WEEK
        end = first + DAYS_PER_WEEK
        week_year, week = iso_week(number)
        label = f"{week_year:04d}-W{week:02d}"
    elif kind == "day":
        first, end, label = number, number + 1, date_text(ts_ns)
    else:
        raise ValueError(f"{kind[:40]!r} is no period: expected one of {', '.join(KINDS)}")
    return Period(kind, label, first * NS_PER_DAY, end * NS_PER_DAY)
