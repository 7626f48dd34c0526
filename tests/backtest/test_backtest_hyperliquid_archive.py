"""The venue's archive as it is downloaded becomes one recording: merged by time, read from disk, honest about gaps."""

import json
import tracemalloc
from itertools import pairwise

import pytest

from backtest.importers.archive_keys import Dataset, hour_of, key_of, piece_at, pieces_under, spans
from backtest.importers.archive_lines import CONTEXT_COLUMNS
from backtest.importers.hyperliquid_archive import load, recognizes
from backtest.importers.layouts import detect
from domain.errors import DataInvalid
from domain.events import BookChanged, FeedLost, FeedRestored, MarkChanged, MarketDataRefused, TradePrinted
from domain.order import Side
from exchange.feeds.recorded import Admission
from exchange.hyperliquid.universe import UNIVERSE
from tests.archive_files import (
    HOUR,
    block_line,
    book_line,
    both_sides,
    context_line,
    fill,
    frame,
    hour_lines,
    ms_of,
    put,
    trade_line,
    tree,
)

HEADER = ",".join(CONTEXT_COLUMNS)


def test_keys_are_those_of_the_buckets_with_unpadded_hours():
    hour = hour_of(2023, 9, 16, 9)
    assert "market_data/20230916/9/l2Book/SOL.lz4" == key_of(Dataset.BOOKS, hour, "SOL")
    assert "Testnet/market_data/20230916/9/l2Book/SOL.lz4" == key_of(Dataset.BOOKS, hour, "SOL", is_testnet=True)
    assert "asset_ctxs/20230916.csv.lz4" == key_of(Dataset.CONTEXTS, hour)
    assert "node_fills_by_block/hourly/20230916/9.lz4" == key_of(Dataset.FILLS_BY_BLOCK, hour)
    assert "node_fills/hourly/20230916/9.lz4" == key_of(Dataset.FILLS, hour)
    assert "node_trades/hourly/20230916/23.lz4" == key_of(Dataset.TRADES, hour + 14)


@pytest.mark.parametrize("dataset", Dataset)
def test_a_key_is_read_back_as_what_it_was_made_of(tmp_path, dataset):
    for hour in range(HOUR, HOUR + 30):
        piece = piece_at(tmp_path / key_of(dataset, hour, "kPEPE", is_testnet=True))
        start = hour // 24 * 24 if dataset is Dataset.CONTEXTS else hour
        assert (dataset, start * 3600 * 10**9, True) == (piece.dataset, piece.start_ns, piece.is_testnet)
        assert ("kPEPE" if dataset is Dataset.BOOKS else "") == piece.coin
    assert piece_at(tmp_path / "market_data/20251399/1/l2Book/SOL.lz4") is None
    assert piece_at(tmp_path / "market_data/20250904/24/l2Book/SOL.lz4") is None
    assert piece_at(tmp_path / "notes.txt") is None


def test_folder_becomes_one_stream_of_books_trades_and_marks_in_order_of_time(tmp_path):
    recording = load(tree(tmp_path))
    events = list(recording.events)
    assert "hyperliquid_archive" == recording.layout == detect(tmp_path).name
    assert (UNIVERSE["SOL"],) == recording.instruments
    kinds = [type(event) for event in events]
    assert (120, 48, 2) == (kinds.count(BookChanged), kinds.count(TradePrinted), kinds.count(MarkChanged))
    assert all(before.ts_event_ns <= after.ts_event_ns for before, after in pairwise(events))
    assert ["Nothing was recorded for 3541 s after 2025-09-04 09:00:59 UTC."] == recording.notes
    first_trade = next(event for event in events if isinstance(event, TradePrinted))
    assert (Side.BUY, 2_001_000, 50) == (first_trade.side, first_trade.price, first_trade.lots)
    assert ms_of(HOUR, 500) * 10**6 == first_trade.ts_event_ns
    assert ms_of(HOUR, 800) * 10**6 + 593_170 == first_trade.ts_recv_ns
    first_mark = next(event for event in events if isinstance(event, MarkChanged))
    assert (2_000_512, 2_000_400, 12_500) == (first_mark.mark_price, first_mark.oracle_price, first_mark.funding_rate)
    first_book = next(event for event in events if isinstance(event, BookChanged))
    assert (((2_000_000, 150),), ((2_000_200, 225),)) == (first_book.bids, first_book.asks)
    assert 200_593_170 == first_book.ts_recv_ns - first_book.ts_event_ns


def test_nothing_of_a_whole_recording_is_refused_on_admission(tmp_path):
    recording = load(tree(tmp_path))
    admission = Admission({"SOL": recording.instruments[0]})
    admitted = [one for event in recording.events for one in admission.admit(event)]
    assert (170, {}) == (len(admitted), dict(admission.counts))


def test_events_are_a_sequence_that_is_read_again_each_time(tmp_path):
    events = load(tree(tmp_path)).events
    told = list(events)
    assert told == list(events)
    assert (len(told), told[0], told[-1], told[5], told[-2]) == (
        len(events),
        events[0],
        events[-1],
        events[5],
        events[-2],
    )
    assert told[2:4] == events[2:4]
    with pytest.raises(IndexError):
        events[len(told)]


@pytest.mark.parametrize("inside", ["market_data", "market_data/20250904", "market_data/20250904/9/l2Book"])
def test_any_folder_of_the_tree_will_do(tmp_path, inside):
    recording = load(tree(tmp_path) / inside, "sol")
    assert {BookChanged} == {type(event) for event in recording.events} - {FeedLost, FeedRestored}
    assert "No trades: `hat data download fills` fetches them." in recording.notes
    assert "hyperliquid_archive" == detect(tmp_path / inside).name


def test_only_the_coin_asked_for_is_read_and_all_coins_with_books_otherwise(tmp_path):
    tree(tmp_path)
    tree(tmp_path, coin="BTC")
    assert {"SOL"} == {event.symbol for event in load(tmp_path, "SOL").events}
    both = load(tmp_path)
    assert ["BTC", "SOL"] == [one.symbol for one in both.instruments]
    assert {"BTC", "SOL"} == {event.symbol for event in both.events}
    with pytest.raises(DataInvalid, match="holds no coin 'DOGE'; it holds BTC"):
        load(tmp_path, "DOGE")


def test_trade_is_told_once_by_the_takers_fill(tmp_path):
    at = ms_of(HOUR, 100)
    spot = [["0x0", fill(at, 3, "B", crossed=True, coin="@107")]]
    put(tmp_path, key_of(Dataset.FILLS_BY_BLOCK, HOUR), block_line(HOUR, 100, *both_sides(at, 1, "A"), *spot))
    put(tmp_path, key_of(Dataset.FILLS, HOUR - 1), *(json.dumps(one) for one in both_sides(at - 3_600_000, 2, "B")))
    recording = load(tmp_path)
    assert [(2, Side.BUY), (1, Side.SELL)] == [(event.trade_id, event.side) for event in recording.events]
    assert "SOL: no order books." in recording.notes


def test_trades_without_numbers_get_one_each_that_stays(tmp_path):
    path = put(tmp_path, "trades.lz4", trade_line(HOUR, 5), trade_line(HOUR, 6, "B"), trade_line(HOUR, 6, coin="@1"))
    assert recognizes(path)
    assert recognizes(tmp_path)
    first, second = load(path).events
    assert first.trade_id != second.trade_id
    assert (Side.SELL, Side.BUY, 2_000_000, 25) == (first.side, second.side, first.price, first.lots)
    assert [first, second] == list(load(tmp_path).events)


def test_hour_told_by_two_kinds_of_trade_files_is_told_by_the_better_one(tmp_path):
    tree(tmp_path, hours=(HOUR,))
    put(tmp_path, key_of(Dataset.TRADES, HOUR), trade_line(HOUR, 5))
    put(tmp_path, key_of(Dataset.TRADES, HOUR + 1), trade_line(HOUR + 1, 5))
    recording = load(tmp_path)
    assert 25 == sum(isinstance(event, TradePrinted) for event in recording.events)
    assert "1 files tell trades again that better files tell, and are left out." in recording.notes


def test_missing_hours_are_a_lost_feed_and_listed(tmp_path):
    tree(tmp_path, hours=(HOUR, HOUR + 3))
    recording = load(tmp_path)
    lost = [event for event in recording.events if isinstance(event, FeedLost | FeedRestored)]
    assert [FeedLost, FeedRestored] == [type(event) for event in lost]
    assert "books are missing from 2025-09-04 10:00 to 2025-09-04 11:00" == lost[0].detail
    assert (HOUR + 1) * 3600 * 10**9 == lost[0].ts_event_ns
    assert (HOUR + 3) * 3600 * 10**9 == lost[1].ts_event_ns
    missing = "SOL: order books: 2 hours are missing, 2025-09-04 10:00 to 2025-09-04 11:00 UTC."
    assert missing in recording.notes


def test_testnet_is_left_out_beside_mainnet_and_read_alone(tmp_path):
    tree(tmp_path, hours=(HOUR,))
    put(tmp_path, key_of(Dataset.BOOKS, HOUR, "SOL", is_testnet=True), book_line(HOUR, 1, "1.0", "1.1"))
    recording = load(tmp_path)
    assert f"Files of the test network are left out; {tmp_path / 'Testnet'} reads them." in recording.notes
    assert 60 == sum(isinstance(event, BookChanged) for event in recording.events)
    assert 1 == len(load(tmp_path / "Testnet").events)


def test_sizes_of_an_unknown_coin_set_its_grid(tmp_path):
    put(tmp_path, key_of(Dataset.BOOKS, HOUR, "NEWCOIN"), *hour_lines(HOUR, "NEWCOIN", 3))
    recording = load(tmp_path)
    (instrument,) = recording.instruments
    assert ("NEWCOIN", 2, 4) == (instrument.symbol, instrument.size_decimals, instrument.price_decimals)
    assert [BookChanged] * 3 == [type(event) for event in recording.events]
    assert any("size decimals (2) are taken from the data" in note for note in recording.notes)


def test_torn_file_is_refused_with_its_place(tmp_path):
    path = put(tmp_path, key_of(Dataset.BOOKS, HOUR, "SOL"), *hour_lines(HOUR))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataInvalid, match=r"SOL\.lz4: cannot be read after line \d+ \(Truncated compressed stream\)"):
        load(tmp_path)


def test_line_in_the_middle_that_is_no_json_is_refused_and_a_last_one_left_out(tmp_path):
    key = key_of(Dataset.BOOKS, HOUR, "SOL")
    good = book_line(HOUR, 0)
    put(tmp_path, key, good, good[:-30])
    recording = load(tmp_path)
    assert [BookChanged] == [type(event) for event in recording.events]
    assert any("SOL.lz4: the last line is cut off and was left out." in note for note in recording.notes)
    put(tmp_path, key, good, good[:-30], good)
    with pytest.raises(DataInvalid, match=r"SOL\.lz4 line 2: not valid JSON"):
        load(tmp_path)


def test_dirty_lines_are_refusals_at_their_time_with_their_place(tmp_path):
    key = key_of(Dataset.BOOKS, HOUR, "SOL")
    lines = [
        book_line(HOUR, 0),
        book_line(HOUR, 1000, bid="many"),
        book_line(HOUR, 2000).replace('"time":' + str(ms_of(HOUR, 2000)), '"time":"soon"'),
        book_line(HOUR + 9000, 3000),
        book_line(HOUR, 4000).replace("T09:00:04", "T99:00:04"),
        book_line(HOUR, 5000),
    ]
    path = put(tmp_path, key, *lines)
    recording = load(tmp_path)
    kinds = [type(event) for event in recording.events]
    assert [BookChanged, *[MarketDataRefused] * 4, BookChanged] == kinds
    details = [event.detail for event in recording.events if isinstance(event, MarketDataRefused)]
    assert all(detail.startswith(f"{path} line {number}: ") for number, detail in enumerate(details, 2))
    assert "outside the time of its file" in details[2]
    assert any("Rows that could not be read and are refused: 4; the first: " in note for note in recording.notes)


def test_recorder_behind_the_venue_is_put_forward_and_said(tmp_path):
    put(tmp_path, key_of(Dataset.BOOKS, HOUR, "SOL"), book_line(HOUR, 0, delay_ms=-700), book_line(HOUR, 900))
    recording = load(tmp_path)
    first, second = recording.events
    assert 1_000_000 == first.ts_recv_ns - first.ts_event_ns
    assert 900_000_000 + 1_000_000 == second.ts_recv_ns - second.ts_event_ns
    assert any(note.startswith("books: the recorder's clock was behind the venue's; 0.7") for note in recording.notes)


def test_contexts_in_any_order_of_rows_become_marks_and_unknown_prices_stay_unknown(tmp_path):
    rows = [context_line(HOUR, 1), context_line(HOUR, 0, mark_px=""), context_line(HOUR, 2, funding="much")]
    path = put(tmp_path, "day.csv.lz4", HEADER, *rows, context_line(HOUR, 1, "BTC"))
    recording = load(path, "SOL")
    *marks, refused = sorted(recording.events, key=lambda event: isinstance(event, MarketDataRefused))
    assert [0, 2_000_512] == [event.mark_price for event in marks]
    assert "'much' is not a decimal number" in refused.detail
    put(tmp_path, "day.csv.lz4", HEADER.replace("funding", "fun"), *rows)
    with pytest.raises(DataInvalid, match="holds no files of the archive"):
        load(path, "SOL")


def test_unfinished_downloads_and_strange_files_are_not_seen(tmp_path):
    tree(tmp_path, hours=(HOUR,))
    folder = tmp_path / "market_data/20250904/10/l2Book"
    folder.mkdir(parents=True)
    (folder / ".SOL.lz4.0123.partial").write_bytes(frame("x")[:5])
    (folder / "README").write_text("hello")
    assert 3 == len(list(pieces_under(tmp_path)))
    assert not recognizes(folder)
    with pytest.raises(DataInvalid, match="holds no files of the archive"):
        load(folder)


def test_spans_join_neighbors():
    assert [(1, 3), (5, 5), (7, 8)] == spans([1, 2, 3, 5, 7, 8])
    assert [] == spans([])


def test_memory_stays_flat_however_many_hours_there_are(tmp_path):
    def peak(hours):
        folder = tmp_path / str(hours)
        for hour in range(hours):
            put(folder, key_of(Dataset.BOOKS, HOUR + hour, "SOL"), *hour_lines(HOUR + hour, seconds=400))
        tracemalloc.start()
        recording = load(folder)
        assert hours * 400 == sum(1 for _ in recording.events)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(12) < 1.5 * peak(3)
