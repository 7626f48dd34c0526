"""Orders from the wire and results back onto it, without a venue."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvariantBroken
from domain.order import TimeInForce
from domain.units import format_scaled
from exchange.hyperliquid.wire_actions import OrderTerms, Status
from exchange.simulated.accounts import Account
from exchange.simulated.records import OrderResult, Terms, VenueOrder
from services.venue_server.decoding import shortest
from services.venue_server.order_terms import average_price, status_of, terms_of
from services.venue_server.replies import cents, decimal_text
from tests.services.counter_scene import INSTRUMENTS, order, trigger

BTC = INSTRUMENTS["BTC"]


def wire(terms):
    return msgspec.convert(terms, OrderTerms)


def gone(**more):
    terms = Terms(symbol="BTC", side=1, price=10, lots=5, **more)
    taken = VenueOrder(Account(0, "", 0, 0), 1, terms, 0)
    taken.is_open = False
    return OrderResult(order=taken)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_terms_hold_the_same_numbers(price, lots):
    text = order(price=format_scaled(price, 1), size=format_scaled(lots, 5))
    terms = terms_of(wire(text), BTC)
    assert (terms.price, terms.lots, terms.side, terms.symbol) == (price, lots, 1, "BTC")


def test_terms_know_the_ways_to_live():
    assert terms_of(wire(order(tif="Alo")), BTC).post_only
    assert terms_of(wire(order(tif="Ioc")), BTC).time_in_force is TimeInForce.IOC
    assert terms_of(wire(order(tif="FrontendMarket")), BTC).time_in_force is TimeInForce.IOC
    waiting = terms_of(wire(trigger("95000", "tp", is_market=False)), BTC).trigger
    assert (waiting.price, waiting.is_market, waiting.is_take_profit) == (950_000, False, True)


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        (order(size="0.0000001"), "Order has invalid size."),
        (order(price="1.23"), "Price must be divisible by tick size."),
        (trigger("1.23", "sl"), "Price must be divisible by tick size."),
    ],
)
def test_numbers_off_the_scale_are_refused(terms, text):
    assert terms_of(wire(terms), BTC) == text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"time_in_force": TimeInForce.IOC}, "Order could not immediately match against any resting orders."),
        ({"reduce_only": True}, "Reduce only order would increase position."),
        ({}, "Insufficient margin to place order."),
    ],
)
def test_an_order_that_came_to_nothing_says_why(more, text):
    assert status_of(gone(**more), BTC, partial_rests=True) == Status(error=text)


def test_a_result_without_an_order_is_a_bug():
    with pytest.raises(InvariantBroken, match="neither an order nor a refusal"):
        status_of(OrderResult(), BTC, partial_rests=True)


def test_the_average_price_is_rounded_half_up():
    result = gone()
    result.filled_lots = 2
    for notional, price in ((300, 2), (200, 1), (298, 1), (302, 2), (100, 1)):
        result.filled_notional = notional
        assert average_price(result, BTC) == price


@given(st.integers(-(10**12), 10**12), st.integers(0, 8))
def test_numbers_keep_their_value_and_whole_ones_their_point(value, decimals):
    text = decimal_text(value, decimals)
    assert "." in text
    assert shortest(text) == format_scaled(value, decimals)


def test_cents_are_cut():
    assert (cents(8_745_746_999_999), cents(10**14), cents(0)) == ("87457.46", "1000000", "0")


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("+01.50", "1.5"),
        ("-0", "0"),
        ("-0.0", "0"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("-1.10", "-1.1"),
        ("0", "0"),
    ],
)
def test_decimals_have_one_shortest_form(text, short):
    assert shortest(text) == short
