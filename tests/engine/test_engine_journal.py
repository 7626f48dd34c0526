"""The journal's record format: what was written reads back, and damage is found where it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands import WakeAt
from domain.errors import JournalCorrupt
from engine.journal import VERSION, Kind, encode_payload, encode_record, read_records
from tests.builders import at, reported, top


def journal() -> bytes:
    """Return a header, an event and a command."""
    wake = WakeAt(at(2), "pulse", ts_ns=at(1))
    return (
        encode_record(1, Kind.HEADER, encode_payload({"version": VERSION}))
        + encode_record(2, Kind.EVENT, encode_payload(top("100000", "100001", at(1))))
        + encode_record(3, Kind.COMMAND, encode_payload(wake))
    )


def test_records_read_back_as_they_were_written() -> None:
    header, event, command = read_records(journal())

    assert header.kind is Kind.HEADER
    assert event.event() == top("100000", "100001", at(1))
    assert command.command() == WakeAt(at(2), "pulse", ts_ns=at(1))


@given(position=st.integers(0, len(journal()) - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_found(position: int, bit: int) -> None:
    content = bytearray(journal())
    content[position] ^= 1 << bit

    with pytest.raises(JournalCorrupt, match="byte"):
        list(read_records(bytes(content)))


@given(length=st.integers(1, len(journal()) - 1))
def test_a_journal_that_is_cut_off_gives_its_whole_records_then_says_so(length: int) -> None:
    whole = journal()
    starts = [0]
    for record in read_records(whole):
        starts.append(starts[-1] + 17 + len(record.payload))
    records = read_records(whole[:length])

    if length in starts:
        assert len(list(records)) == starts.index(length)
        return
    for _ in range(sum(start <= length for start in starts) - 1):
        next(records)
    with pytest.raises(JournalCorrupt, match="cut off"):
        next(records)


def test_a_missing_record_is_found() -> None:
    content = encode_record(1, Kind.HEADER, b"\x80") + encode_record(3, Kind.HEADER, b"\x80")

    with pytest.raises(JournalCorrupt, match="expected record 2"):
        list(read_records(content))


def test_an_event_is_no_command() -> None:
    _, event, command = read_records(journal())

    with pytest.raises(JournalCorrupt, match="record 2"):
        event.command()
    with pytest.raises(JournalCorrupt, match="record 3"):
        command.event()
    assert reported() != event.event()
