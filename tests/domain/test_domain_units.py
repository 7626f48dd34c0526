"""Text and integers are the same number, or the text is refused."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.units import (
    INTEGER_DIGITS_MAX,
    RATE_UNIT,
    Money,
    Rate,
    format_money,
    format_rate,
    format_scaled,
    money_times_rate,
    parse_money,
    parse_rate,
    parse_scaled,
    round_to_micro,
)

INT64 = 2**63 - 1
WHOLE_LONGEST = 10**INTEGER_DIGITS_MAX


@given(value=st.integers(-(WHOLE_LONGEST - 1), WHOLE_LONGEST - 1), decimals=st.integers(0, 12))
def test_formatting_then_parsing_gives_the_same_integer(value, decimals):
    assert parse_scaled(format_scaled(value, decimals), decimals) == value


@given(value=st.integers(-(WHOLE_LONGEST - 1), WHOLE_LONGEST - 1), decimals=st.integers(0, 12))
def test_formatted_text_is_plain_exact_and_shortest(value, decimals):
    text = format_scaled(value, decimals)
    assert Fraction(text) == Fraction(value, 10**decimals)
    assert "e" not in text.lower()
    assert "." not in text or text[-1] not in "0."
    assert text != "-0"


@given(
    whole=st.integers(0, WHOLE_LONGEST - 1),
    fraction=st.text("0123456789", max_size=14),
    sign=st.sampled_from(["", "+", "-"]),
    decimals=st.integers(0, 12),
)
def test_parsing_is_exact_or_refuses_lost_digits(whole, fraction, sign, decimals):
    text = f"{sign}{whole}.{fraction}"
    exact = Fraction(text) * 10**decimals
    if exact.denominator == 1:
        assert parse_scaled(text, decimals) == exact
    else:
        with pytest.raises(ValueError, match=f"more than {decimals} decimals"):
            parse_scaled(text, decimals)


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [
        ("64250.5", 1, 642505),
        ("-0.00000001", 8, -1),
        (".5", 1, 5),
        ("7.", 0, 7),
        ("+3", 2, 300),
        ("-0", 0, 0),
        ("1.2300", 2, 123),
        ("0001", 0, 1),
    ],
)
def test_parsing_accepts_every_plain_decimal(text, decimals, value):
    assert parse_scaled(text, decimals) == value


@pytest.mark.parametrize(
    "text",
    ["", ".", "-", "+", "-.", "--1", "+-1", "1e5", "1E-3", "nan", "NaN", "inf", "-inf", "0x10", " 1", "1 ", "1_000",
     "1,000", "1.2.3", "٣", "1.٣", "²", "1\n", "\x00"],
)  # fmt: skip
def test_parsing_refuses_what_is_no_plain_decimal(text):
    with pytest.raises(ValueError, match="is not a decimal number"):
        parse_scaled(text, 8)


def test_parsing_refuses_numbers_that_are_too_long():
    assert parse_scaled("9" * INTEGER_DIGITS_MAX, 0) == WHOLE_LONGEST - 1
    with pytest.raises(ValueError, match="more than 24 digits before the point"):
        parse_scaled("9" * (INTEGER_DIGITS_MAX + 1), 0)


def test_a_refusal_never_repeats_endless_text():
    for text in ("x" * 10_000, "1" * 10_000, "0." + "1" * 10_000):
        with pytest.raises(ValueError) as refused:
            parse_scaled(text, 8)
        assert len(str(refused.value)) < 120


@given(st.text(max_size=30))
def test_parsing_any_text_gives_an_integer_or_value_error(text):
    try:
        value = parse_scaled(text, 8)
    except ValueError:
        return
    assert Fraction(text) * 10**8 == value


def test_money_and_rate_use_their_own_scales():
    assert parse_money("1.5") == 150_000_000
    assert format_money(Money(-150_000_000)) == "-1.5"
    assert parse_rate("0.00015") == 150_000
    assert format_rate(Rate(150_000)) == "0.00015"


def half_away(value: Fraction) -> int:
    size = (abs(value) + Fraction(1, 2)).__floor__()
    return size if value >= 0 else -size


@given(amount=st.integers(-INT64, INT64), rate=st.integers(-RATE_UNIT, RATE_UNIT))
@example(amount=1, rate=RATE_UNIT // 2)
@example(amount=-1, rate=RATE_UNIT // 2)
@example(amount=0, rate=-1)
@example(amount=-INT64, rate=RATE_UNIT)
def test_money_times_rate_rounds_half_away_from_zero(amount, rate):
    assert money_times_rate(amount, rate) == half_away(Fraction(amount * rate, RATE_UNIT))


@given(st.integers(-(2**60), 2**60))
@example(50)
@example(-50)
@example(49)
@example(0)
def test_round_to_micro_rounds_half_away_from_zero(amount):
    rounded = round_to_micro(amount)
    assert rounded == half_away(Fraction(amount, 100)) * 100
    assert round_to_micro(rounded) == rounded
