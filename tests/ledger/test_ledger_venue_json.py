"""Venue statements as JSON: what is written reads back, and what cannot be used is named in one sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.errors import DataInvalid
from domain.order import FillCause, Side
from ledger.venue_json import decode_statement, encode_statement
from tests.ledger.ledger_builders import LOT, START_NS, a_fill, a_funding, a_transfer
from tests.ledger.two_sides import an_open_order, venue_of

FACTS = (
    a_fill(10, trade_id=1, fee=3, evidence="0xabc"),
    a_fill(4, side=Side.SELL, trade_id=2, fee=-1, cause=FillCause.LIQUIDATION, order=0, start_position=10),
    a_funding(-700, hour=1),
    a_transfer(5, ts_ns=START_NS + 7),
)


def received(fact):
    """The same fact as a file tells it: it knows no receive time."""
    return replace(fact, ts_recv_ns=fact.ts_event_ns)


def a_statement(**changes):
    venue = venue_of(
        *FACTS, open_orders=(an_open_order(1), an_open_order(2, is_named=False)), account_value=7, **changes
    )
    return replace(
        venue,
        costs={"BTC": 6 * LOT},
        marks={"BTC": 500_001},
        fills=tuple(map(received, venue.fills)),
        fundings=tuple(map(received, venue.fundings)),
        transfers=tuple(map(received, venue.transfers)),
    )


def test_statement_reads_back_as_it_was_written_and_amounts_are_text() -> None:
    written = encode_statement(a_statement())

    assert decode_statement("here", written) == a_statement()
    shape = json.loads(written)
    assert shape["positions"] == [{"symbol": "BTC", "size": "0.00006", "entry_cost": "3", "mark": "50000.1"}]
    assert shape["fills"][0]["fee"] == "0.00000003"
    assert written.count(b"\n") > 20


def test_statement_without_word_on_orders_reads_back() -> None:
    silent = replace(a_statement(), open_orders=None)

    assert decode_statement("here", encode_statement(silent)) == silent


@given(st.integers(-(2**62), 2**62), st.integers(-(2**40), 2**40), st.integers(1, 2**50), st.text(max_size=20))
def test_any_amount_survives_the_way_through_text(cash, lots, ts_ns, account) -> None:
    venue = venue_of(ts_ns=ts_ns, more_lots={"BTC": lots}, marks={}, open_orders=(), account=account)
    venue = replace(venue, cash=cash, costs={"BTC": -cash} if lots else {})

    assert decode_statement("here", encode_statement(venue)) == venue


def test_short_statement_of_a_person_is_enough_and_compares_no_facts() -> None:
    found = decode_statement(
        "mine.json",
        b'{"version": 1, "account": "me", "ts_ns": 5, "cash": "-1.5", "instruments": '
        b'{"BTC": {"price_decimals": 1, "size_decimals": 5}}, "positions": [{"symbol": "BTC", "size": "0.0"}]}',
    )

    assert (-150_000_000, {}, {}, {}) == (found.cash, found.positions, found.costs, found.marks)
    assert found.complete_since_ns == 6
    assert found.open_orders is None


def changed(path, value):
    shape = json.loads(encode_statement(a_statement()))
    inner = shape
    for step in path[:-1]:
        inner = inner[step]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return json.dumps(shape).encode()


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["version"], 2, "version = 2: expected 1"),
        (["cash"], "1e5", "cash: '1e5' is not a decimal number"),
        (["cash"], "0.123456789", "cash: '0.123456789' has more than 8 decimals"),
        (["cash"], 5, r"is no venue statement: Expected `str`, got `int` - at `\$.cash`"),
        (["cash"], None, "missing required field `cash`"),
        (["cash"], "999999999999", "cash = '999999999999': expected a number that fits 64 bits"),
        (["surprise"], 1, "contains unknown field `surprise`"),
        (["ts_ns"], -1, "ts_ns = '-1': expected nanoseconds of Unix time"),
        (["complete_since_ns"], 2**63, "complete_since_ns"),
        (
            ["instruments", "BTC", "size_decimals"],
            9,
            "instruments.BTC = '1 price and 9 size decimals': expected 0 or more",
        ),
        (
            ["positions", 0, "symbol"],
            "NEW",
            "positions.symbol = 'NEW': expected an instrument described above (BTC, ETH)",
        ),
        (["positions", 0, "size"], "0.000001", "positions.size: '0.000001' has more than 5 decimals"),
        (["fills", 0, "side"], "up", "fills.side = 'up': expected buy or sell"),
        (["fills", 0, "liquidity"], "", "fills.liquidity = '': expected maker or taker"),
        (["fills", 0, "cause"], "magic", "fills.cause = 'magic': expected order or liquidation or deleveraging"),
        (["fills", 0, "size"], "0", "fills = '0 at 50000': expected a size and a price above 0"),
        (["fills", 1, "trade_id"], 1, "expected every one of them once"),
        (["open_orders", 1, "client_order_id"], an_open_order(1).client_order_id, "open_orders = '0x"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(path, value, told) -> None:
    content = changed(path, value)
    with pytest.raises(DataInvalid, match=told.replace("(", r"\(").replace(")", r"\)")) as refused:
        decode_statement("mine.json", content)
    assert str(refused.value).startswith("mine.json: ")
    assert "\n" not in str(refused.value)


def test_instrument_of_a_statement_that_describes_none_is_named() -> None:
    with pytest.raises(DataInvalid, match=r"expected an instrument described above \(none is\)"):
        decode_statement(
            "x",
            b'{"version":1,"account":"","ts_ns":1,"cash":"0","instruments":{},"positions":[{"symbol":"A","size":"1"}]}',
        )


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"null", b'{"cash": "\xff"}', b"[" * 100_000])
def test_what_is_no_statement_at_all_is_refused(content) -> None:
    with pytest.raises(DataInvalid, match="x: is no venue statement"):
        decode_statement("x", content)


@given(st.binary(max_size=40), st.integers(0, 2_000))
def test_damaged_file_is_refused_or_read_never_worse(damage, place) -> None:
    content = encode_statement(a_statement())
    problem = ""
    try:
        decode_statement("x", content[:place] + damage + content[place + len(damage) :])
    except DataInvalid as refused:
        problem = str(refused)
    assert problem == "" or problem.startswith("x: ")
