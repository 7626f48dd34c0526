"""The chain: content is canonical, every change anywhere shows, and writer and audit hash alike."""

import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import tables
from ledger.chain import (
    CHAINED,
    COLUMNS,
    CONTENT_COLUMNS,
    INSTRUMENT_COLUMNS,
    ORDER_COLUMNS,
    POSITIONS,
    RUN_COLUMNS,
    RUNS,
    empty_heads,
    ended_hash,
    genesis_hash,
    linked,
    linked_orders,
    next_hash,
    positions_head,
    row_bytes,
    seal_of,
    transaction_content,
)

GENESIS = "ab" * 32
CELLS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=9))
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8)


def order_row(number):
    return tuple(number if name == "price" else f"{name}-{number}" for name in COLUMNS["orders"][:-2])


def test_content_is_json_without_spaces():
    assert b'["a",1,true,null,[[1,"cash",-5]]]' == row_bytes(["a", 1, True, None, [(1, "cash", -5)]])
    assert '["ü"]'.encode() == row_bytes(("ü",))


@given(ROWS)
@settings(max_examples=50)
def test_anybody_can_hash_the_same_with_the_standard_library(rows):
    made, (links, head) = linked(rows, (0, GENESIS))
    expected = GENESIS
    for number, row in enumerate(rows, 1):
        content = json.dumps([*row, number], separators=(",", ":"), ensure_ascii=False)
        plain = json.loads(row_bytes((*row, number)))
        assert json.loads(content) == plain
        expected = sha256(expected.encode() + row_bytes((*row, number))).hexdigest()
        assert (*row, number, expected) == made[number - 1]
    assert (len(rows), expected) == (links, head)


@given(ROWS, st.data())
@settings(max_examples=50)
def test_any_changed_missing_or_exchanged_row_changes_every_hash_after_it(rows, data):
    at = data.draw(st.integers(0, len(rows) - 1))
    harmed = list(rows)
    kind = data.draw(st.sampled_from(("change", "remove", "repeat")))
    if kind == "change":
        harmed[at] = (*rows[at][:2], f"{rows[at][2]}!")
    elif kind == "remove":
        del harmed[at]
    else:
        harmed.insert(at, rows[at])
    whole, before = linked(rows, (0, GENESIS))
    broken, after = linked(harmed, (0, GENESIS))
    assert before != after
    assert whole[:at] == broken[:at]
    if kind == "change":
        assert not {row[-1] for row in whole[at:]} & {row[-1] for row in broken[at:]}


@given(ROWS, st.integers(0, 8))
@settings(max_examples=50)
def test_how_rows_are_cut_into_batches_changes_no_hash(rows, at):
    first, head = linked(rows[:at], (0, GENESIS))
    rest, last = linked(rows[at:], head)
    assert linked(rows, (0, GENESIS)) == ([*first, *rest], last)


def test_hash_of_an_order_covers_what_never_changes_and_nothing_else():
    (row,), (links, head) = linked_orders([order_row(1)], (4, GENESIS))
    named = dict(zip(COLUMNS["orders"], row, strict=True))
    assert (5, 5, head, head) == (links, named["link"], named["hash"], row[-1])
    assert next_hash(GENESIS, row_bytes([named[name] for name in ORDER_COLUMNS])) == head
    for place, name in enumerate(COLUMNS["orders"][:-2]):
        changed = list(order_row(1))
        changed[place] = "another"
        _, (_, other) = linked_orders([tuple(changed)], (4, GENESIS))
        assert (other != head) == (name in ORDER_COLUMNS), name


def test_columns_a_hash_covers_are_all_but_what_may_change():
    changing = {"price", "lots", "filled_lots", "state", "reason", "venue_order_id", "updated_ns"}
    assert {"hash", *changing} == set(COLUMNS["orders"]) - set(CONTENT_COLUMNS["orders"])
    for name in set(CHAINED) - {"orders"}:
        assert (*CONTENT_COLUMNS[name], "hash") == COLUMNS[name]
        assert "link" in CONTENT_COLUMNS[name] or name == "transactions"
    assert {name for name, table in tables.metadata.tables.items() if "hash" in table.c} == set(CHAINED)
    assert (*RUN_COLUMNS, "ended_ns") == COLUMNS["runs"]
    assert INSTRUMENT_COLUMNS == COLUMNS["instruments"]


def test_content_of_a_transaction_covers_everything_that_belongs_to_it():
    whole = [["r", 1], [[1, "cash", 5]], ["r", 1, "buy"], ["r", "BTC"], [["BTC", 3]]]
    content = transaction_content(*whole)
    assert b'["r",1,[[1,"cash",5]],["r",1,"buy"],["r","BTC"],[["BTC",3]]]' == content
    others = [
        transaction_content(*(other if place == at else part for place, part in enumerate(whole)))
        for at, other in enumerate((["r", 2], [[1, "cash", 6]], None, None, []))
    ]
    assert 6 == len({content, *others})


@pytest.mark.parametrize("place", [0, 1])
def test_genesis_depends_on_run_and_instruments_in_any_order(place):
    run, instruments = ["r", "acc"], [["r", "BTC", 0], ["r", "ETH", 1]]
    genesis = genesis_hash(run, instruments)
    assert genesis == genesis_hash(tuple(run), reversed([tuple(one) for one in instruments]))
    assert genesis != genesis_hash(["r", "other"], instruments)
    assert genesis != genesis_hash(run, instruments[place : place + 1])


def test_seal_depends_on_notices_and_every_chain():
    heads = empty_heads(GENESIS)
    assert {RUNS: (1, GENESIS), **dict.fromkeys((*CHAINED, POSITIONS), (0, GENESIS))} == heads
    seal = seal_of(3, heads)
    assert seal == seal_of(3, dict(reversed(heads.items())))
    others = [seal_of(4, heads), seal_of(3, heads | {RUNS: (2, ended_hash(GENESIS, 1))})]
    others += [seal_of(3, heads | {name: (1, GENESIS)}) for name in (*CHAINED, POSITIONS)]
    others += [seal_of(3, heads | {name: (0, "cd" * 32)}) for name in (*CHAINED, POSITIONS)]
    assert len({seal, *others}) == 3 + 2 * (len(CHAINED) + 1)


def test_chain_of_positions_covers_every_value_of_every_row_in_whatever_order_they_come():
    rows = [("r", "BTC", 3, 30, -1, 9), ("r", "ETH", -2, -20, 4, 9)]
    assert (0, GENESIS) == positions_head(GENESIS, [])
    first = next_hash(GENESIS, row_bytes(rows[0]))
    links, head = positions_head(GENESIS, rows)
    assert (2, next_hash(first, row_bytes(rows[1]))) == (links, head)
    assert (links, head) == positions_head(GENESIS, [list(row) for row in reversed(rows)])
    for at in range(6):
        changed = list(rows[1])
        changed[at] = "EUR" if at == 1 else 77
        assert head != positions_head(GENESIS, [rows[0], changed])[1]
    assert head != positions_head("cd" * 32, rows)[1]
