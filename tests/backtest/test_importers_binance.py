"""Binance: raw streams and depth files, joined in sequence, clocks mended, everything said."""

import pytest

from backtest.importers import binance_csv, binance_ws
from domain.errors import DataInvalid
from domain.events import (
    BookChanged,
    FeedLost,
    FeedRestored,
    MarkChanged,
    MarketDataRefused,
    TopOfBookChanged,
    TradePrinted,
)
from domain.order import Side
from tests.backtest.importers_samples import (
    START_MS,
    START_NS,
    cut,
    depth_message,
    mark_message,
    received,
    snapshot_message,
    tick_message,
    ticker_message,
    write,
)

MANY_BIDS = [[f"{100.0 - level / 10:.2f}", "1.000"] for level in range(25)]
MANY_ASKS = [[f"{100.1 + level / 10:.2f}", "2.000"] for level in range(25)]
OPENING = (depth_message(0, 5, 10, 4), snapshot_message(1, 10, MANY_BIDS, MANY_ASKS))


def kinds(recording):
    return [type(event) for event in recording.events]


def test_futures_session_becomes_books_best_prices_trades_and_marks(tmp_path):
    path = write(
        tmp_path / "btcusdt.gz",
        *OPENING,
        depth_message(10, 11, 12, 10, bids=[["100.00", "0"]], asks=[["100.10", "9.5"]]),
        ticker_message(20, bid="99.90"),
        tick_message(20, 7),
        tick_message(21, 8, is_buyer_maker=False),
        mark_message(30),
    )
    assert binance_ws.recognizes(path)
    recording = binance_ws.load(path)
    assert [BookChanged, BookChanged, TradePrinted, TopOfBookChanged, TradePrinted, MarkChanged] == kinds(recording)
    opened, changed, trade, top, second, mark = recording.events
    assert (20, 20) == (len(opened.bids), len(opened.asks))
    assert ((9_990, 1_000), (10_010, 9_500)) == (changed.bids[0], changed.asks[0])
    assert (Side.SELL, 10_000, 125, 7) == (trade.side, trade.price, trade.lots, trade.trade_id)
    assert Side.BUY == second.side
    assert (9_990, 1_500, 10_010, 2_000) == (top.bid_price, top.bid_lots, top.ask_price, top.ask_lots)
    assert (10_005, 10_006, 12_500) == (mark.mark_price, mark.oracle_price, mark.funding_rate)
    (instrument,) = recording.instruments
    assert ("BTCUSDT", 3, 2, 0, 10) == (
        instrument.symbol,
        instrument.size_decimals,
        instrument.price_decimals,
        instrument.significant_figures,
        instrument.tick_min,
    )
    assert all(event.ts_recv_ns - event.ts_event_ns == 5 * 10**6 for event in recording.events)
    assert [
        "BTCUSDT: 1 depth changes came while there was no book to join them to.",
        "BTCUSDT: funding is per eight hours; an eighth of it stands as the hourly rate.",
    ] == recording.notes


def test_missing_change_loses_the_book_until_best_prices_come(tmp_path):
    path = write(
        tmp_path / "a",
        *OPENING,
        depth_message(10, 21, 22, 20),
        ticker_message(20, bid="99.90"),
        snapshot_message(30, 30, MANY_BIDS, MANY_ASKS),
    )
    recording = binance_ws.load(path)
    assert [BookChanged, FeedLost, FeedRestored, BookChanged, TopOfBookChanged, BookChanged] == kinds(recording)
    assert 1 == len(recording.events[3].bids)
    assert "BTCUSDT: depth changes are missing at 1 places; the book is lost there." in recording.notes


def test_session_without_snapshot_gives_best_prices_and_says_so(tmp_path):
    path = write(tmp_path / "a", depth_message(0, 1, 2, None), ticker_message(1, is_spot=True), tick_message(2))
    recording = binance_ws.load(path)
    assert [TopOfBookChanged, TradePrinted] == kinds(recording)
    assert "BTCUSDT: no depth snapshot, so 1 depth changes cannot be joined to a book." in recording.notes


def test_folder_of_session_files_is_joined_across_midnight(tmp_path):
    write(tmp_path / "btcusdt_20230404.gz", *OPENING)
    write(tmp_path / "btcusdt_20230405.gz", depth_message(10, 11, 12, 10, bids=[["100.00", "7"]]))
    recording = binance_ws.load(tmp_path)
    assert [BookChanged, BookChanged] == kinds(recording)
    assert (10_000, 7) == recording.events[-1].bids[0]


def test_messages_without_venue_time_get_the_latest_they_can_have(tmp_path):
    late = received(50, {"stream": "btcusdt@bookTicker", "data": {"u": 1, "s": "BTCUSDT", **TICKER}}, delay_ms=9)
    path = write(tmp_path / "a", depth_message(0, 1, 2, None), late)
    (top,) = binance_ws.load(path).events
    assert (START_NS + 54 * 10**6, START_NS + 59 * 10**6) == (top.ts_event_ns, top.ts_recv_ns)


TICKER = {"b": "100.0", "B": "1.5", "a": "100.1", "A": "2.0"}


def behind(ms):
    """A trade received 1.27 s before it happened, by the recorder's clock."""
    data = {"T": START_MS + ms, "s": "BTCUSDT", "t": ms + 1, "p": "100.0", "q": "0.25", "m": True}
    return received(ms, {"stream": "btcusdt@trade", "data": data}, delay_ms=-1_270 + ms)


def test_clock_behind_the_venue_is_put_forward_and_that_is_said(tmp_path):
    recording = binance_ws.load(write(tmp_path / "a", behind(0), behind(7)))
    assert [1, 8] == [(event.ts_recv_ns - event.ts_event_ns) // 10**6 for event in recording.events]
    assert "a: the recorder's clock was behind the venue's; 1.271 s are added" in recording.notes[0]


def test_trade_outside_the_book_is_left_out_and_said(tmp_path):
    recording = binance_ws.load(write(tmp_path / "a", tick_message(0), tick_message(1, 2, kind="INSURANCE_FUND")))
    assert 1 == len(recording.events)
    assert "BTCUSDT: 1 trades outside the book (insurance fund) were left out." in recording.notes


def test_snapshot_among_several_symbols_is_left_out_and_said(tmp_path):
    path = write(tmp_path / "a", *OPENING, depth_message(2, 1, 2, 0, symbol="ETHUSDT"), ticker_message(3))
    recording = binance_ws.load(path)
    assert "a depth snapshot among 2 symbols was left out." in " ".join(recording.notes)
    assert ["BTCUSDT", "ETHUSDT"] == [instrument.symbol for instrument in recording.instruments]
    assert {"BTCUSDT"} == {event.symbol for event in binance_ws.load(path, "btcusdt").events}


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (depth_message(10, 11, 12, 10, bids=[["nan", "1"]]), "'nan' is not a decimal number"),
        (ticker_message(10, bid="1e"), "'1e' is not a decimal number"),
        (received(10, {"stream": "btcusdt@trade", "data": {"s": "BTCUSDT"}}), "missing required field"),
        (received(10, {"stream": "btcusdt@trade"}), "Expected `object`, got `null`"),
    ],
)
def test_message_that_cannot_be_read_becomes_a_refusal(tmp_path, line, detail):
    recording = binance_ws.load(write(tmp_path / "a", *OPENING, line, ticker_message(20)))
    (refused,) = [event for event in recording.events if isinstance(event, MarketDataRefused)]
    assert "a line 3" in refused.detail
    assert detail in refused.detail


def test_change_that_was_refused_leaves_a_gap_not_a_wrong_book(tmp_path):
    broken = depth_message(10, 11, 12, 10, bids=[["nan", "1"]])
    recording = binance_ws.load(write(tmp_path / "a", *OPENING, broken, depth_message(20, 13, 14, 12)))
    assert FeedLost == kinds(recording)[-1]


def test_streams_of_other_kinds_are_left_alone(tmp_path):
    other = received(5, {"stream": "btcusdt@aggTrade", "data": {}})
    assert 1 == len(
        binance_ws.load(write(tmp_path / "a", other, received(5, {"result": None}), tick_message(6))).events
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path, "no such file or folder"),
        (write, "holds no market data"),
        (lambda path: write(path, "{}", tick_message(0)), "line 1: receive time: '' is not a Unix time"),
        (lambda path: write(path, tick_message(0)[:-9], tick_message(0)), "line 1: not valid JSON"),
        (lambda path: cut(write(path, *(tick_message(ms, ms) for ms in range(500)))), "compressed data is cut off"),
        (lambda path: write(path, ticker_message(0, bid="0.00000001", ask="0.00000002")), "at most 8 together"),
    ],
)
def test_stream_file_that_cannot_be_used_ends_in_one_sentence(tmp_path, make, expected):
    path = make(tmp_path / "a.gz")
    with pytest.raises(DataInvalid, match=expected) as caught:
        binance_ws.load(path)
    assert str(path) in str(caught.value)


def test_unknown_symbol_is_refused_and_those_there_are_named(tmp_path):
    with pytest.raises(DataInvalid, match="holds no coin 'ETHUSDT'; it holds BTCUSDT"):
        binance_ws.load(write(tmp_path / "a", tick_message(0)), "ETHUSDT")


HEADER = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu"


def row(ms, first, last, side, kind, price, size, previous):
    return f"BTCUSDT,{START_MS + ms},{first},{last},{side},{kind},{price},{size},{previous}"


SNAPSHOT = (row(0, 10, 10, "b", "snap", "100.00", "1.5", -1), row(0, 10, 10, "a", "snap", "100.10", "2.0", -1))


def depth_files(folder, *changes, snapshot=SNAPSHOT):
    write(folder / "btcusdt-depth-snap.csv", HEADER, *snapshot)
    write(folder / "btcusdt-depth-update.csv", HEADER, *changes)
    return folder


def test_depth_files_join_snapshot_and_changes(tmp_path):
    folder = depth_files(
        tmp_path,
        row(10, 9, 12, "b", "set", "100.00", "0.000", 8),
        row(10, 9, 12, "b", "set", "99.90", "3.000", 8),
        row(20, 13, 14, "a", "set", "100.10", "4", 12),
    )
    (folder / "README.txt").write_text("not data\n")
    assert binance_csv.recognizes(folder)
    recording = binance_csv.load(folder)
    assert [BookChanged] * 3 == kinds(recording)
    assert [(10_000, 1_500 // 100), (9_990, 30), (9_990, 30)] == [event.bids[0] for event in recording.events]
    assert (10_010, 40) == recording.events[-1].asks[0]
    assert ["There are no receive times: venue times stand in for them."] == recording.notes


def test_depth_files_with_a_gap_lose_the_book_there(tmp_path):
    recording = binance_csv.load(depth_files(tmp_path, row(10, 90, 99, "b", "set", "99", "1", 89)))
    assert [BookChanged, FeedLost] == kinds(recording)


def test_depth_row_that_cannot_be_read_becomes_a_refusal(tmp_path):
    recording = binance_csv.load(depth_files(tmp_path, row(10, 9, 12, "b", "set", "nan", "1", 8)))
    assert [BookChanged, MarketDataRefused] == kinds(recording)
    assert "btcusdt-depth-update.csv line 2: 'nan'" in recording.events[-1].detail


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (row(0, 9, 12, "c", "set", "1", "1", 8), "line 2: side 'c' and update_type 'set'"),
        (row(0, "x", 12, "b", "set", "1", "1", 8), "line 2: time or number cannot be read"),
        ("BTCUSDT,soon,1,2,b,set,1,1,0", "line 2: time or number cannot be read"),
    ],
)
def test_depth_file_that_cannot_be_used_ends_in_one_sentence(tmp_path, changed, expected):
    with pytest.raises(DataInvalid, match=expected):
        binance_csv.load(depth_files(tmp_path, changed))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [((), "is empty"), (("symbol,price",), "wrong columns"), ((HEADER,), "holds no market data")],
)
def test_single_depth_file_is_checked_like_the_pair(tmp_path, lines, expected):
    with pytest.raises(DataInvalid, match=expected):
        binance_csv.load(write(tmp_path / "a.csv", *lines))
