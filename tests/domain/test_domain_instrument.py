"""The price grid against an oracle that counts the digits of the decimal text."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from domain.instrument import NOTIONAL_MIN, Instrument, MarginTier, perpetual
from domain.units import MONEY_UNIT, Lots, Money, Price, parse_scaled

size_decimals = st.integers(0, 6)
prices = st.integers(1, 10**14)


def is_legal(text: Decimal, price_decimals: int) -> bool:
    """The rule in the venue's words: whole numbers always; else five significant figures, and few enough decimals."""
    plain = text.normalize()
    if plain <= 0:
        return False
    digits, exponent = plain.as_tuple().digits, int(plain.as_tuple().exponent)
    return exponent >= 0 or (len(digits) <= 5 and -exponent <= price_decimals)


@given(decimals=size_decimals, price=st.integers(-10, 10**12))
@example(decimals=5, price=999_999)
@example(decimals=5, price=1_000_005)
@example(decimals=0, price=1_000_000)
def test_a_price_is_on_the_grid_exactly_when_the_venue_says_so(decimals, price):
    instrument = perpetual("X", 0, decimals, 10)
    said = is_legal(Decimal(price).scaleb(-instrument.price_decimals), instrument.price_decimals)
    assert instrument.is_on_grid(Price(price)) == said


@pytest.mark.parametrize(
    ("decimals", "text", "legal"),
    [
        (1, "1234.5", True),
        (1, "1234.56", False),
        (0, "0.001234", True),
        (1, "0.01234", True),
        (5, "123456", True),
        (4, "12345.6", False),
        (5, "64250", True),
        (5, "64250.5", False),
        (4, "9999.9", True),
        (4, "10000.1", False),
    ],
)
def test_the_venues_own_examples_hold(decimals, text, legal):
    """Source: HYPERLIQUID 6.2."""
    instrument = perpetual("X", 0, decimals, 10)
    wide = parse_scaled(text, 6)
    if wide % 10**decimals:
        assert not legal
    else:
        assert instrument.is_on_grid(Price(wide // 10**decimals)) == legal


@pytest.mark.parametrize(("decimals", "text"), [(0, "0.0012345"), (1, "0.012345")])
def test_too_many_decimals_cannot_even_be_written(decimals, text):
    with pytest.raises(ValueError, match="decimals"):
        parse_scaled(text, perpetual("X", 0, decimals, 10).price_decimals)


@given(decimals=size_decimals, price=prices)
@example(decimals=5, price=999_999)
@example(decimals=4, price=9_999_995)
def test_floor_and_ceil_are_the_nearest_legal_prices(decimals, price):
    instrument = perpetual("X", 0, decimals, 10)
    low, high = instrument.floor(Price(price)), instrument.ceil(Price(price))
    assert low <= price <= high
    assert instrument.is_on_grid(high)
    assert low == 0 or instrument.is_on_grid(low)
    assert not any(instrument.is_on_grid(Price(between)) for between in range(max(low + 1, price - 50), price))
    assert not any(instrument.is_on_grid(Price(between)) for between in range(price + 1, min(high, price + 50)))
    assert (low == price) == (high == price) == instrument.is_on_grid(Price(price))


@given(decimals=size_decimals, price=prices)
def test_the_next_price_up_is_within_one_tick_of_its_own_size(decimals, price):
    instrument = perpetual("X", 0, decimals, 10)
    here = instrument.floor(Price(price))
    above = instrument.ceil(Price(here + 1))
    assert above - here == instrument.tick(here)
    assert instrument.floor(Price(above - 1)) == here


@given(tick=st.integers(1, 1_000), price=st.integers(1, 10**12))
def test_a_fixed_tick_is_a_grid_without_significant_figures(tick, price):
    fixed = Instrument(
        symbol="F", asset_id=0, size_decimals=3, price_decimals=2, significant_figures=0, tick_min=Price(tick)
    )
    assert fixed.tick(Price(price)) == tick
    assert fixed.floor(Price(price)) == price // tick * tick
    assert fixed.ceil(Price(price)) == -(-price // tick) * tick
    assert fixed.is_on_grid(Price(price)) == (price % tick == 0)


@pytest.mark.parametrize("price", [0, -1, -(10**9)])
def test_prices_that_are_not_positive_floor_to_nothing_and_ceil_to_the_first_tick(price):
    instrument = perpetual("X", 0, 2, 10)
    assert instrument.floor(Price(price)) == 0
    assert instrument.ceil(Price(price)) == 1
    assert not instrument.is_on_grid(Price(price))


def test_floor_below_the_first_tick_is_nothing():
    fixed = Instrument(
        symbol="F", asset_id=0, size_decimals=3, price_decimals=2, significant_figures=0, tick_min=Price(10)
    )
    assert fixed.floor(Price(9)) == 0
    assert fixed.ceil(Price(9)) == 10


@given(decimals=size_decimals, price=st.integers(1, 10**9), lots=st.integers(-(10**6), 10**6))
def test_notional_is_exact_and_whole_micro_usdc_for_every_perpetual(decimals, price, lots):
    instrument = perpetual("X", 0, decimals, 10)
    exact = Decimal(price).scaleb(-instrument.price_decimals) * Decimal(lots).scaleb(-decimals) * MONEY_UNIT
    assert instrument.notional(Price(price), Lots(lots)) == exact
    assert instrument.notional(Price(price), Lots(lots)) % 100 == 0
    assert instrument.money_per_unit == 100


def test_a_spot_instrument_has_one_money_per_unit():
    spot = Instrument(symbol="S", asset_id=10_107, size_decimals=2, price_decimals=6)
    assert spot.money_per_unit == 1
    assert spot.whole == 1_000_000


def test_a_perpetual_has_six_decimals_in_all():
    tiers = (MarginTier(lower_bound=Money(0), leverage_max=40),)
    bitcoin = perpetual("BTC", 0, 5, 40, tiers)
    assert (bitcoin.price_decimals, bitcoin.size_decimals, bitcoin.whole) == (1, 5, 10)
    assert (bitcoin.symbol, bitcoin.asset_id, bitcoin.leverage_max) == ("BTC", 0, 40)
    assert bitcoin.notional_min == NOTIONAL_MIN == 10 * MONEY_UNIT
    assert bitcoin.margin_tiers == tiers


@pytest.mark.parametrize("decimals", [-1, 7])
def test_a_perpetual_refuses_impossible_size_decimals(decimals):
    with pytest.raises(ValueError, match=r"expected 0\.\.6"):
        perpetual("X", 0, decimals, 10)


@pytest.mark.parametrize(
    "terms",
    [
        {"price_decimals": 5, "size_decimals": 4},
        {"price_decimals": -1, "size_decimals": 4},
        {"price_decimals": 1, "size_decimals": -4},
        {"price_decimals": 1, "size_decimals": 1, "tick_min": Price(0)},
        {"price_decimals": 1, "size_decimals": 1, "significant_figures": -1},
        {"price_decimals": 1, "size_decimals": 1, "leverage_max": 0},
    ],
)
def test_an_instrument_refuses_terms_in_which_arithmetic_would_be_wrong(terms):
    with pytest.raises(ValueError, match=r"X: .*expected"):
        Instrument(symbol="X", asset_id=0, **terms)


def test_an_instrument_survives_encoding():
    bitcoin = perpetual("BTC", 0, 5, 40, (MarginTier(lower_bound=Money(0), leverage_max=40),))
    assert msgspec.json.decode(msgspec.json.encode(bitcoin), type=Instrument) == bitcoin


@given(decimals=size_decimals, price=prices)
def test_ticks_never_shrink_as_prices_rise(decimals, price):
    instrument = perpetual("X", 0, decimals, 10)
    assume(price > 1)
    assert instrument.tick(Price(price - 1)) <= instrument.tick(Price(price)) <= instrument.whole
