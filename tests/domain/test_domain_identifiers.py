"""Identifiers are derived: the same run gives the same names, and no two orders share one."""

from hypothesis import given
from hypothesis import strategies as st

from domain.identifiers import NO_ORDER, RUN_BITS, RunId, client_order_id, trace_id, trace_id_text

runs = st.integers(1, 2**RUN_BITS - 1)
sequences = st.integers(1, 2**64 - 1)


@given(run=runs, sequence=sequences)
def test_an_order_id_is_sixteen_bytes_of_hex(run, sequence):
    order_id = client_order_id(RunId(run), sequence)
    assert order_id.startswith("0x")
    assert len(order_id) == 34
    assert bytes.fromhex(order_id[2:]) == run.to_bytes(8, "big") + sequence.to_bytes(8, "big")


@given(run=runs, sequence=sequences)
def test_the_trace_id_is_the_order_id(run, sequence):
    order_id = client_order_id(RunId(run), sequence)
    assert trace_id(order_id) == run << 64 | sequence
    assert trace_id(order_id) > 0
    assert trace_id_text(order_id) == f"{trace_id(order_id):032x}"


@given(one=st.tuples(runs, sequences), other=st.tuples(runs, sequences))
def test_different_orders_have_different_ids(one, other):
    assert (client_order_id(RunId(one[0]), one[1]) == client_order_id(RunId(other[0]), other[1])) == (one == other)


def test_a_fill_without_an_order_has_no_trace():
    assert trace_id_text(NO_ORDER) == ""
