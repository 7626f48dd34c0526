"""Hyperliquid CSV recordings: what comes out of a good folder, and one sentence for every bad one."""

import gzip

import pytest

from backtest.importers.hyperliquid_csv import load, recognizes
from backtest.importers.recording import GAPS_NOTED_MAX
from domain.errors import DataInvalid
from domain.events import BookChanged, MarketDataRefused, TopOfBookChanged, TradePrinted
from domain.order import Side
from domain.reasons import Reason
from exchange.feeds.recorded import Admission
from exchange.hyperliquid.universe import UNIVERSE
from tests.backtest.importers_samples import (
    START_NS,
    book_row,
    cut,
    hyperliquid_folder,
    price_rows,
    trade_row,
    write,
)


def test_folder_becomes_books_best_prices_and_trades_in_the_order_of_venue_time(tmp_path):
    hyperliquid_folder(
        tmp_path,
        books=(book_row(0), book_row(500)),
        prices=(*price_rows(0), *price_rows(500, bid="199.9")),
        trades=(trade_row(500), trade_row(-9_000, number=2, side="sell")),
    )
    recording = load(tmp_path)
    kinds = [(type(event), (event.ts_event_ns - START_NS) // 10**6) for event in recording.events]
    assert [
        (TradePrinted, -9_000),
        (TopOfBookChanged, 0),
        (BookChanged, 0),
        (TradePrinted, 500),
        (TopOfBookChanged, 500),
        (BookChanged, 500),
    ] == kinds
    assert (UNIVERSE["SOL"],) == recording.instruments
    assert "hyperliquid_csv" == recording.layout
    assert f"{tmp_path.name} SOL" == recording.name


def test_every_field_is_exact(tmp_path):
    folder = hyperliquid_folder(
        tmp_path, books=(book_row(levels=2),), prices=tuple(price_rows()), trades=(trade_row(),)
    )
    trade, top, book = load(folder).events
    recv_ns = START_NS + 400 * 10**6
    assert (
        TradePrinted(
            symbol="SOL",
            price=2_001_000,
            lots=50,
            side=Side.BUY,
            trade_id=1,
            ts_event_ns=START_NS,
            ts_recv_ns=recv_ns,
        )
        == trade
    )
    assert (2_000_000, 225, 2_001_000, 225, recv_ns) == (
        top.bid_price,
        top.bid_lots,
        top.ask_price,
        top.ask_lots,
        top.ts_recv_ns,
    )
    assert ((2_000_000, 150), (1_999_000, 150)) == book.bids
    assert ((2_001_000, 150), (2_002_000, 150)) == book.asks


def test_sizes_with_exponents_are_numbers(tmp_path):
    folder = hyperliquid_folder(tmp_path, "BTC", trades=(trade_row(size="1e-05", price="100000.0"),))
    assert 1 == load(folder).events[0].lots


def test_coins_come_all_or_one(tmp_path):
    hyperliquid_folder(tmp_path, "SOL", books=(book_row(0),))
    hyperliquid_folder(tmp_path, "BTC", books=(book_row(1),))
    assert ["BTC", "SOL"] == [instrument.symbol for instrument in load(tmp_path).instruments]
    assert {"SOL"} == {event.symbol for event in load(tmp_path, "sol").events}
    with pytest.raises(DataInvalid, match="holds no coin 'DOGE'; it holds BTC, SOL"):
        load(tmp_path, "DOGE")


def test_coin_outside_the_table_takes_its_decimals_from_the_data_and_says_so(tmp_path):
    recording = load(hyperliquid_folder(tmp_path, "NEW", trades=(trade_row(size="0.125", price="3.25"),)))
    assert (3, 3) == (recording.instruments[0].size_decimals, recording.instruments[0].leverage_max)
    assert recording.notes[0].startswith("NEW: size decimals (3) are taken from the data")


def test_data_finer_than_the_table_is_read_by_the_data_and_says_so(tmp_path):
    recording = load(hyperliquid_folder(tmp_path, "SOL", trades=(trade_row(size="0.12345", price="3.2"),)))
    assert 5 == recording.instruments[0].size_decimals
    assert "the table's lot is coarser than the data" in recording.notes[0]


def test_best_prices_wait_until_both_sides_are_known(tmp_path):
    bid, ask = price_rows(0)
    later = price_rows(500, ask="200.2")[1]
    tops = load(hyperliquid_folder(tmp_path, prices=(bid, price_rows(100)[1], later))).events
    assert [(2_000_000, 2_001_000), (2_000_000, 2_002_000)] == [(top.bid_price, top.ask_price) for top in tops]
    assert ask


def test_single_file_may_be_given_and_plain_text_too(tmp_path):
    folder = hyperliquid_folder(tmp_path, books=(book_row(),), ending="_2025-09-04.csv")
    path = folder / "orderbooks_SOL_2025-09-04.csv"
    assert recognizes(path)
    assert [BookChanged] == [type(event) for event in load(path).events]


def test_several_files_of_a_coin_are_one_recording(tmp_path):
    hyperliquid_folder(tmp_path, books=(book_row(60_000),), ending="_b.csv")
    hyperliquid_folder(tmp_path, books=(book_row(0),), ending="_a.csv.gz")
    recording = load(tmp_path)
    assert [START_NS, START_NS + 60 * 10**9] == [event.ts_event_ns for event in recording.events]
    assert ["Nothing was recorded for 60 s after 2025-09-04 15:33:20 UTC."] == recording.notes


def test_many_silences_are_counted_beyond_the_longest(tmp_path):
    rows = tuple(book_row(60_000 * number) for number in range(GAPS_NOTED_MAX + 3))
    notes = load(hyperliquid_folder(tmp_path, books=rows)).notes
    assert GAPS_NOTED_MAX + 1 == len(notes)
    assert "2 shorter silences of more than 5 s are not listed." == notes[-1]


def test_clock_behind_the_venue_is_put_forward_and_that_is_said(tmp_path):
    row = book_row(0).replace(book_row(0).split(",")[0], "1756999999.0", 1)
    recording = load(hyperliquid_folder(tmp_path, books=(row, book_row(5))))
    assert 10**6 == recording.events[0].ts_recv_ns - recording.events[0].ts_event_ns
    assert "1.001 s are added to receive times" in recording.notes[0]


BAD_ROWS = [
    ({"books": (book_row(size="nan"),)}, "orderbooks_SOL.csv.gz line 2: 'nan' is not a decimal number"),
    ({"books": (book_row(size="1e999"),)}, "orderbooks_SOL.csv.gz line 2: '1e999' is not a decimal number of a market"),
    ({"books": (book_row(size=""),)}, "orderbooks_SOL.csv.gz line 2: '' is not a decimal number"),
    ({"prices": tuple(price_rows(bid="NaN"))}, "prices_SOL.csv.gz line 2: 'NaN' is not a decimal number"),
    ({"prices": ("1757000000.4,1,1,bit,1757000000000",)}, "line 2: side 'bit': expected bid or ask"),
    ({"trades": (trade_row(side="up"),)}, "trades_SOL.csv.gz line 2: side 'up': expected buy or sell"),
    ({"trades": (trade_row(number="abc"),)}, "line 2: invalid literal for int"),
]


@pytest.mark.parametrize(("rows", "detail"), BAD_ROWS)
def test_row_that_cannot_be_read_becomes_a_refusal_at_its_time_and_a_note(tmp_path, rows, detail):
    recording = load(hyperliquid_folder(tmp_path, **rows))
    (refused,) = [event for event in recording.events if isinstance(event, MarketDataRefused)]
    assert (Reason.BOOK_INVALID_LEVEL, "SOL", START_NS) == (refused.reason, refused.symbol, refused.ts_event_ns)
    assert detail in refused.detail
    assert [note for note in recording.notes if note.startswith("Rows that could not be read and are refused: 1;")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (book_row(bid=200.1, ask=200.1), Reason.BOOK_CROSSED),
        (book_row(bid=200.2, ask=200.1), Reason.BOOK_CROSSED),
        (book_row(size="-1.5"), Reason.BOOK_INVALID_LEVEL),
        (book_row(size="0"), Reason.BOOK_INVALID_LEVEL),
        (book_row(bid=-200.0), Reason.BOOK_INVALID_LEVEL),
        (book_row(levels=0), Reason.BOOK_EMPTY),
    ],
)
def test_book_that_can_be_read_but_not_be_true_is_refused_at_admission(tmp_path, row, reason):
    recording = load(hyperliquid_folder(tmp_path, books=(row,)))
    admission = Admission({"SOL": recording.instruments[0]})
    (refused,) = admission.admit(recording.events[0])
    assert reason == refused.reason


def nothing(folder):
    return folder / "nowhere"


def header_only(folder):
    return write(folder / "trades_SOL.csv", "timestamp,price,size,side,trade_id,exchange_timestamp").parent


def empty_file(folder):
    return write(folder / "trades_SOL.csv.gz").parent


def wrong_columns(folder):
    return write(folder / "prices_SOL.csv", "timestamp,price,size,side").parent


def cut_off(folder):
    rows = tuple(book_row(number) for number in range(300))
    cut(hyperliquid_folder(folder, books=rows) / "orderbooks_SOL.csv.gz")
    return folder


def not_gzip(folder):
    (folder / "trades_SOL.csv.gz").write_bytes(gzip.compress(b"x")[:6] + b"garbage of some length")
    return folder


def bad_time(folder):
    return hyperliquid_folder(folder, trades=("soon" + trade_row(),))


def bad_venue_time(folder):
    return hyperliquid_folder(folder, trades=(trade_row()[:-3],))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (nothing, "no such file or folder"),
        (lambda folder: folder, "holds no market data"),
        (header_only, "holds no rows of SOL"),
        (empty_file, "is empty, expected a header and rows"),
        (wrong_columns, r"line 1: wrong columns \(missing trade_id|line 1: wrong columns \(missing exchange_timestamp"),
        (cut_off, r"orderbooks_SOL.csv.gz: compressed data is cut off after line \d+"),
        (not_gzip, "trades_SOL.csv.gz: (compressed data is corrupt|cannot be read)"),
        (bad_time, "trades_SOL.csv.gz line 2: time cannot be read"),
        (bad_venue_time, "trades_SOL.csv.gz line 2: time cannot be read"),
    ],
)
def test_folder_that_cannot_be_used_ends_in_one_sentence(tmp_path, make, expected):
    path = make(tmp_path)
    with pytest.raises(DataInvalid, match=expected) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_clock_that_goes_back_is_counted_and_the_rows_are_put_in_order(tmp_path):
    start = 1_757_015_216
    rows = [(start + 2, start * 1000 + 2_000), (start + 3, start * 1000 + 1_000), (start + 4, start * 1000 + 3_000)]
    lines = ["timestamp,price,size,side,exchange_timestamp"]
    for local, venue in rows:
        lines += [f"{local},100.0,1.0,bid,{venue}", f"{local},101.0,1.0,ask,{venue}"]
    (tmp_path / "prices_BTC.csv").write_text("\n".join(lines) + "\n")

    recording = load(tmp_path)

    assert [1_000, 2_000, 3_000] == [event.ts_event_ns // 1_000_000 - start * 1000 for event in recording.events]
    assert "The venue's clock goes back at 1 places of the files; rows are put in order of time." in recording.notes
