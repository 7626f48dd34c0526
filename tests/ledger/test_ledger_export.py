"""Rows as decimal text: nothing lost, times readable, no formula for a spreadsheet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.units import NS_PER_SECOND, parse_scaled
from ledger import tables
from ledger.export import (
    EXPORTED,
    FILLS,
    FORMULA_STARTS,
    MARKS,
    NO_DECIMALS,
    ORDERS,
    RUNS,
    TRANSACTIONS,
    Kind,
    decimals_by_symbol,
    decimals_of,
    mid_text,
    plain_text,
    row_texts,
    table_texts,
    utc_text,
)

MONEY = st.integers(-(2**63), 2**63 - 1)


@given(st.integers(0, 2**63 - 1))
@settings(max_examples=300)
def test_time_is_the_one_of_the_calendar(ts_ns):
    seconds, fraction = divmod(ts_ns, NS_PER_SECOND)
    known = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert f"{known:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z" == utc_text(ts_ns)


@given(st.integers(1, 2**62), st.integers(0, 8))
@settings(max_examples=100)
def test_mid_is_half_of_twice_the_mid(mid_x2, decimals):
    assert Decimal(mid_x2) / 2 == Decimal(mid_text(mid_x2, decimals)).scaleb(decimals)


def test_unknown_mid_is_empty():
    assert not mid_text(0, 3)


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_text_that_begins_like_a_formula_gets_an_apostrophe(start):
    assert f"'{start}cmd|' /C calc'!A0" == plain_text(f"{start}cmd|' /C calc'!A0")
    assert "0xabc" == plain_text("0xabc")


def test_every_column_of_the_exported_tables_is_exported_but_links_and_hashes():
    """A new column of a table has to be given a kind, or to be left out on purpose."""
    left_out = {
        "orders": {"link", "hash"}, "markouts": {"link", "hash"}, "marks": {"link", "hash"}, "transactions": set(),
    }  # fmt: skip
    for table in EXPORTED:
        shown = {column.sql.rpartition(".")[2] for column in table.columns}
        missing = set(tables.metadata.tables[table.name].c.keys()) - shown
        assert left_out.get(table.name, set()) == missing, table.name
        assert len(set(table.header)) == len(table.header)


def test_columns_are_of_the_kind_their_values_are():
    by_name = {(table.name, column.sql): column.kind for table in EXPORTED for column in table.columns}
    assert Kind.LOTS is by_name["fills", "start_position"] is by_name["orders", "filled_lots"]
    assert Kind.MID_X2 is by_name["fills", "fill_mid_x2"] is by_name["markouts", "markouts.mid_x2"]
    assert Kind.RATE is by_name["marks", "drawdown"] is by_name["funding", "rate"]
    assert {Kind.TIME} == {
        kind for (_, sql), kind in by_name.items() if sql.endswith("_ns") and sql != "markouts.horizon_ns"
    }


def a_row(table, **values):
    """Return a selected row with every number 0 and every text empty but for what is named."""
    filler = {Kind.TEXT: "", Kind.LABEL: "", Kind.FLAG: 0}
    names = [column.sql for column in table.columns]
    assert set(values) <= set(names)
    return (values.get("symbol", ""), *(values.get(one.sql, filler.get(one.kind, 0)) for one in table.columns))


def texts(table, row, decimals=NO_DECIMALS):
    return dict(zip(table.header, row_texts(table, row, decimals), strict=True))


def test_fill_reads_in_the_decimals_of_its_instrument():
    row = a_row(
        FILLS, symbol="BTC", side="sell", price=643_215, lots=12_345, notional=-7, start_position=-5,
        decision_mid_x2=1_286_431, ts_ns=1_500_000_000,
    )  # fmt: skip
    found = texts(FILLS, row, (1, 5))
    assert ("64321.5", "0.12345", "-0.00000007", "-0.00005") == (
        found["price"], found["quantity"], found["notional"], found["start_position"]
    )  # fmt: skip
    assert ("64321.55", "", "") == (found["decision_mid"], found["arrival_mid"], found["fill_mid"])
    assert ("1500000000", "1970-01-01T00:00:01.500000000Z") == (found["ts_ns"], found["ts_utc"])


def test_flags_ends_and_evidence_read_plainly():
    assert {"post_only": "true", "reduce_only": "false"}.items() <= texts(ORDERS, a_row(ORDERS, post_only=True)).items()
    assert {"ended_ns": "", "ended_utc": ""}.items() <= texts(RUNS, a_row(RUNS, ended_ns=None)).items()
    assert "'=1+1" == texts(TRANSACTIONS, a_row(TRANSACTIONS, evidence="=1+1"))["evidence"]


@given(MONEY)
@settings(max_examples=100)
def test_every_amount_can_be_had_back(amount):
    found = texts(MARKS, a_row(MARKS, equity=amount, drawdown=amount))
    assert (amount, amount) == (parse_scaled(found["equity"], 8), parse_scaled(found["drawdown"], 9))
    assert (8, 9, 3, 2, 3) == tuple(
        decimals_of(kind, (3, 2)) for kind in (Kind.MONEY, Kind.RATE, Kind.PRICE, Kind.LOTS, Kind.MID_X2)
    )


def test_each_run_is_read_with_its_own_decimals():
    asked = []

    def ask(question, values):
        asked.append(values["run"])
        if "instruments" in question:
            return [("BTC", 1, 5) if values["run"] == "a" else ("BTC", 0, 4)]
        return [a_row(FILLS, symbol="BTC", run_id=values["run"], price=123, lots=1)]

    found = [dict(zip(FILLS.header, row, strict=True)) for row in table_texts(ask, FILLS, ("a", "b"))]
    assert [("a", "12.3", "0.00001"), ("b", "123", "0.0001")] == [
        (row["run_id"], row["price"], row["quantity"]) for row in found
    ]
    assert ["a", "a", "b", "b"] == asked
    assert {"": (0, 0), "BTC": (1, 5)} == decimals_by_symbol(ask, "a")
