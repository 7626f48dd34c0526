"""Durations and speeds as people write them."""

import re

from domain.errors import ConfigInvalid
from domain.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND, parse_scaled

UNITS_NS = {"ms": NS_PER_MS, "s": NS_PER_SECOND, "m": 60 * NS_PER_SECOND, "h": NS_PER_HOUR, "d": NS_PER_DAY}
DURATION_DAYS_MAX = 3_650
SPEED_MAX = 1_000_000


def parse_duration(text: str) -> int:
    """Return "60s", "1.5h", "500ms" or plain seconds as nanoseconds. Raises: ConfigInvalid."""
    expected = "a duration above 0 such as 500ms, 60s, 5m, 1h, 2d"
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", text.strip())
    if found is None or len(text) > 32:
        raise ConfigInvalid("--for", text, expected)
    length_ns = parse_scaled(found[1][:18], 9) * UNITS_NS[found[2] or "s"] // 10**9
    if not 0 < length_ns <= DURATION_DAYS_MAX * NS_PER_DAY:
        raise ConfigInvalid("--for", text, expected)
    return length_ns


def parse_speed(text: str) -> float:
    """Return a speed factor; 0 for "max". Raises: ConfigInvalid."""
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= SPEED_MAX:
        raise ConfigInvalid("--speed", text, f"a number above 0 and at most {SPEED_MAX}, or max")
    return speed
