"""Times, coins and amounts of `hat data` as people write and read them."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from backtest.importers.archive_keys import HOURS_PER_DAY, span_text, spans
from bot.findings import shown
from domain.errors import ConfigInvalid
from domain.units import format_scaled

MOMENT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d?)(?::00)?)?(?:Z| UTC)?")
SPANS_TOLD_MAX = 6
COIN = re.compile(r"[A-Za-z0-9@#][A-Za-z0-9:_.@#/-]{0,39}")


def parse_hours(first: str, last: str) -> range:
    """Return the hours from `--from` to and with `--to`, as hours since 1970 in UTC; a day means all its hours.

    Without a last one it is the day, or the hour, of the first. Raises: ConfigInvalid.
    """
    begin, _ = _moment("--from", first)
    _, end = _moment("--to", last or first)
    if not begin < end:
        raise ConfigInvalid("--to", last, f"a time that is not before --from {first}")
    return range(begin, end)


def parse_moment_ms(key: str, text: str, *, is_end: bool) -> int:
    """Return the beginning (or, for an end, the last millisecond) of a day or hour in UTC. Raises: ConfigInvalid."""
    begin, end = _moment(key, text)
    return end * 3_600_000 - 1 if is_end else begin * 3_600_000


def _moment(key: str, text: str) -> tuple[int, int]:
    """Return first hour and the hour after the last of a day or an hour."""
    expected = "a day such as 2026-01-31, or an hour such as 2026-01-31T09, in UTC"
    found = MOMENT.fullmatch(text.strip())
    if found is None:
        raise ConfigInvalid(key, text, expected)
    year, month, day, hour = (int(part) if part else 0 for part in found.groups())
    try:
        moment = datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        raise ConfigInvalid(key, text, expected) from None
    begin = int(moment.timestamp()) // 3600
    return begin, begin + (1 if found[4] else HOURS_PER_DAY)


def parse_coins(texts: Iterable[str]) -> list[str]:
    """Return the coins of `--coin`, given several times or with commas between, each once.

    They become names of files, so nothing else may be in them. Raises: ConfigInvalid.
    """
    coins = [coin.strip() for text in texts for coin in text.split(",") if coin.strip()]
    if not coins:
        raise ConfigInvalid("--coin", "", "at least one coin, e.g. BTC")
    for coin in coins:
        if not COIN.fullmatch(coin) or ".." in coin:
            raise ConfigInvalid("--coin", shown(coin), "a coin as the venue writes it, e.g. BTC or kPEPE")
    return list(dict.fromkeys(coins))


def size_text(count: int) -> str:
    """Return a number of bytes as a person reads it."""
    for unit, digits in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**digits:
            return f"{format_scaled(count // 10 ** (digits - 2), 2)} {unit}"
    return f"{count} bytes"


def usd_text(milli_usd: int) -> str:
    """Return thousandths of a dollar as dollars, rounded up to cents."""
    return f"{format_scaled(-(-milli_usd // 10), 2)} USD"


def spans_text(hours: Iterable[int]) -> str:
    """Return hours as the spans they form, the first few."""
    found = spans(sorted(set(hours)))
    told = "; ".join(span_text(*span) for span in found[:SPANS_TOLD_MAX])
    return f"{told}; and {len(found) - SPANS_TOLD_MAX} more" if len(found) > SPANS_TOLD_MAX else told
