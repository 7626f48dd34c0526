"""Integer units, and the only place where text becomes an integer or an integer becomes text.

Why it exists: a float cannot hold 0.1, and money that is almost right is wrong. Everything below the edge is an
integer of a fixed unit, so sums are exact and the same plain functions run interpreted and compiled.

Laws: no float enters or leaves this file; text that would lose a digit is refused, never rounded.
"""

from typing import NewType

Price = NewType("Price", int)
"""Integer of 10**-price_decimals quote currency per base unit; the decimals belong to the instrument."""

Lots = NewType("Lots", int)
"""Integer of 10**-size_decimals base units; unsigned for an order, signed for a position (long > 0)."""

Money = NewType("Money", int)
"""Integer of 1e-8 quote currency (USDC)."""

Rate = NewType("Rate", int)
"""Integer of 1e-9: fee rates, funding rates, ratios. 0.015 % is 150_000."""

MONEY_DECIMALS = 8
RATE_DECIMALS = 9
MONEY_UNIT: int = 10**MONEY_DECIMALS
RATE_UNIT: int = 10**RATE_DECIMALS
MICRO_USDC = Money(10 ** (MONEY_DECIMALS - 6))
"""The venue books USDC with six decimals. Source: HYPERLIQUID 8, recorded fills."""

NS_PER_MS = 1_000_000
NS_PER_SECOND = 1_000_000_000
NS_PER_HOUR = 3_600 * NS_PER_SECOND
NS_PER_DAY = 24 * NS_PER_HOUR

INTEGER_DIGITS_MAX = 24
"""Longer numbers are noise or an attack: refused before they cost memory."""


def parse_scaled(text: str, decimals: int) -> int:
    """Return decimal text as an integer of 10**-decimals.

    Accepts an optional sign, digits, one point; trailing zeros beyond the scale are harmless.
    Raises: ValueError with one sentence for anything else: exponents, NaN, spaces, digits that would be lost.
    """
    whole, _, fraction = text.partition(".")
    # The wire's usual number, at a third of the price: a book has forty new sizes.
    if len(fraction) <= decimals and len(whole) <= INTEGER_DIGITS_MAX and whole.isdigit() and fraction.isdigit():
        if not text.isascii():
            raise ValueError(f"{text[:40]!r} is not a decimal number")
        return int(whole + fraction.ljust(decimals, "0"))
    sign = -1 if text[:1] == "-" else 1
    body = text[1:] if text[:1] in {"-", "+"} else text
    whole, _, fraction = body.partition(".")
    if not (whole or fraction):
        raise ValueError(f"{text!r} is not a decimal number")
    if not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        raise ValueError(f"{text[:40]!r} is not a decimal number")
    if len(whole) > INTEGER_DIGITS_MAX:
        raise ValueError(f"{text[:40]!r}… has more than {INTEGER_DIGITS_MAX} digits before the point")
    kept, lost = fraction[:decimals], fraction[decimals:]
    if lost.strip("0"):
        raise ValueError(f"{text[:40]!r} has more than {decimals} decimals")
    return sign * int((whole or "0") + kept.ljust(decimals, "0"))


def format_scaled(value: int, decimals: int) -> str:
    """Return an integer of 10**-decimals as plain decimal text without trailing zeros ("0", "-1.5", "64250")."""
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    whole, fraction = (digits[:-decimals], digits[-decimals:].rstrip("0")) if decimals else (digits, "")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def parse_money(text: str) -> Money:
    """Return USDC text as Money (1e-8); raises ValueError as parse_scaled does."""
    return Money(parse_scaled(text, MONEY_DECIMALS))


def format_money(value: Money) -> str:
    """Return Money as plain decimal USDC text."""
    return format_scaled(value, MONEY_DECIMALS)


def parse_rate(text: str) -> Rate:
    """Return a fraction ("0.00015") as Rate (1e-9); raises ValueError as parse_scaled does."""
    return Rate(parse_scaled(text, RATE_DECIMALS))


def format_rate(value: Rate) -> str:
    """Return Rate as a plain decimal fraction."""
    return format_scaled(value, RATE_DECIMALS)


def money_times_rate(amount: int, rate: int) -> int:
    """Return amount * rate / 1e9, rounded half away from zero, without leaving 64 bits.

    Units: any integer amount below 9e18 / |rate| * 1e9 in magnitude; |rate| <= 1e9. Runs plain and compiled.
    """
    sign = 1 if (amount >= 0) == (rate >= 0) else -1
    size, share = abs(amount), abs(rate)
    whole, rest = size // RATE_UNIT, size % RATE_UNIT
    return sign * (whole * share + (rest * share + RATE_UNIT // 2) // RATE_UNIT)


def round_to_micro(amount: int) -> int:
    """Return Money rounded half away from zero to whole micro-USDC, as the venue books it. Runs plain and compiled."""
    sign = 1 if amount >= 0 else -1
    return sign * ((abs(amount) + MICRO_USDC // 2) // MICRO_USDC) * MICRO_USDC
