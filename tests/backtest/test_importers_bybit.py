"""Bybit's archive: snapshot and deltas, numbered one by one."""

import zipfile

import pytest

from backtest.importers.bybit_ob500 import load, recognizes
from domain.errors import DataInvalid
from domain.events import BookChanged, FeedLost, MarketDataRefused
from tests.backtest.importers_samples import START_NS, bybit_message, write

BIDS = [[f"{1.95 - level / 10_000:.4f}", "6203"] for level in range(30)]
ASKS = [[f"{1.9501 + level / 10_000:.4f}", "17"] for level in range(30)]
OPENING = bybit_message(0, 1, "snapshot", BIDS, ASKS)


def archive(path, *lines, members=1):
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(members):
            packed.writestr(f"{number}.data", "".join(line + "\n" for line in lines))
    return path


def test_archive_becomes_books(tmp_path):
    delta = bybit_message(100, 2, "delta", [["1.9500", "0"]], [["1.9501", "18"]], has_match_time=False)
    path = archive(tmp_path / "xrpusdt-ob500.data.zip", OPENING, delta)
    assert recognizes(path)
    assert recognizes(tmp_path)
    recording = load(path)
    opened, changed = recording.events
    assert (20, (195_000, 6_203), (195_010, 17)) == (len(opened.bids), opened.bids[0], opened.asks[0])
    assert ((194_990, 6_203), (195_010, 18)) == (changed.bids[0], changed.asks[0])
    assert (START_NS, START_NS + 3 * 10**6) == (opened.ts_event_ns, opened.ts_recv_ns)
    assert changed.ts_event_ns == changed.ts_recv_ns == START_NS + 103 * 10**6
    (instrument,) = recording.instruments
    assert ("XRPUSDT", 0, 5, 10) == (
        instrument.symbol,
        instrument.size_decimals,
        instrument.price_decimals,
        instrument.tick_min,
    )


def test_missing_delta_loses_the_book(tmp_path):
    recording = load(write(tmp_path / "a.data", OPENING, bybit_message(100, 3, "delta")))
    assert [BookChanged, FeedLost] == [type(event) for event in recording.events]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (bybit_message(50, 2, "delta", [["nan", "1"]]), "'nan' is not a decimal number"),
        (bybit_message(50, 2, "other"), "type 'other': expected snapshot or delta"),
        ('{"topic":"orderbook.500.XRPUSDT","type":"delta"}', "missing required field `ts`"),
    ],
)
def test_message_that_cannot_be_read_becomes_a_refusal(tmp_path, line, detail):
    recording = load(write(tmp_path / "a.data", OPENING, line))
    (refused,) = [event for event in recording.events if isinstance(event, MarketDataRefused)]
    assert "a.data line 2" in refused.detail
    assert detail in refused.detail


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path, "no such file or folder"),
        (write, "holds no market data"),
        (lambda path: archive(path, OPENING, members=2), "a zip of 2 files, expected one"),
        (lambda path: write(path, OPENING[:-5], OPENING), "line 1: not valid JSON"),
    ],
)
def test_file_that_cannot_be_used_ends_in_one_sentence(tmp_path, make, expected):
    with pytest.raises(DataInvalid, match=expected):
        load(make(tmp_path / "a.data"))


def test_unknown_symbol_is_refused_and_those_there_are_named(tmp_path):
    with pytest.raises(DataInvalid, match="holds no coin 'BTC'; it holds XRPUSDT"):
        load(write(tmp_path / "a.data", OPENING), "BTC")
