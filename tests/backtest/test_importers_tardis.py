"""Tardis files of every kind we read."""

import pytest

from backtest.importers.tardis_csv import CHANGES, QUOTES, TRADES, load, recognizes, snapshot_columns
from domain.errors import DataInvalid
from domain.events import MarketDataRefused, TradePrinted
from domain.order import Side
from tests.backtest.importers_samples import START_NS, cut, write

US = START_NS // 1_000


def line(ms, *cells, exchange="binance-futures", symbol="BTCUSDT"):
    return ",".join(map(str, (exchange, symbol, US + ms * 1_000, US + ms * 1_000 + 700, *cells)))


def snapshot(ms, depth, bid=100.0, size="0.250", levels=None):
    cells = []
    for level in range(depth):
        if levels is None or level < levels:
            cells += [f"{bid + 0.5 + level / 2}", size, f"{bid - level / 2}", size]
        else:
            cells += ["", "", "", ""]
    return line(ms, *cells)


def file(folder, name, columns, *lines):
    return write(folder / name, ",".join(columns), *lines)


def test_snapshots_become_books(tmp_path):
    path = file(tmp_path, "a.csv.gz", snapshot_columns(25), snapshot(0, 25), snapshot(100, 25, levels=3))
    assert recognizes(path)
    recording = load(path)
    full, short = recording.events
    assert (25, 3) == (len(full.bids), len(short.asks))
    assert ((10_000, 25), (10_050, 25)) == (full.bids[0], full.asks[0])
    assert (START_NS, START_NS + 700_000) == (full.ts_event_ns, full.ts_recv_ns)
    assert 50 == recording.instruments[0].tick_min


def test_deepest_snapshots_of_a_symbol_are_used_and_that_is_said(tmp_path):
    file(tmp_path, "five.csv", snapshot_columns(5), snapshot(0, 5))
    assert 5 == len(load(tmp_path).events[0].bids)
    file(tmp_path, "more.csv", snapshot_columns(25), snapshot(1, 25))
    (tmp_path / "notes.txt").write_text("not data\n")
    recording = load(tmp_path)
    assert [25] == [len(event.bids) for event in recording.events]
    assert ["BTCUSDT: book_snapshot_5 was left out, because book_snapshot_25 is there."] == recording.notes


def test_changes_become_books(tmp_path):
    path = file(
        tmp_path,
        "a.csv",
        CHANGES,
        line(0, "true", "ask", "100.5", "3"),
        line(0, "true", "bid", "100", "2"),
        line(5, "false", "bid", "100", "0"),
        line(5, "false", "bid", "99.5", "7"),
    )
    opened, changed = load(path).events
    assert (((10_000, 2),), ((10_050, 3),)) == (opened.bids, opened.asks)
    assert ((9_950, 7),) == changed.bids


def test_quotes_and_trades_become_events_with_trades_first(tmp_path):
    file(tmp_path, "quotes.csv", QUOTES, line(0, "2", "100.5", "100", "1"), line(1, "2", "100.5", "", ""))
    file(
        tmp_path,
        "trades.csv",
        TRADES,
        line(0, "77", "buy", "100.5", "2"),
        line(1, "ccc3c1fa-212c", "sell", "100", "1"),
        line(2, "ccc3c1fa-212c", "sell", "100", "1"),
    )
    recording = load(tmp_path)
    bought, top, sold, empty, again = recording.events
    assert (Side.BUY, 77, Side.SELL) == (bought.side, bought.trade_id, sold.side)
    assert sold.trade_id == again.trade_id > 2**32
    assert (10_000, 1, 10_050, 2) == (top.bid_price, top.bid_lots, top.ask_price, top.ask_lots)
    assert (0, 0) == (empty.bid_price, empty.bid_lots)


def test_inverse_contracts_are_said_to_be_inverse(tmp_path):
    path = file(tmp_path, "a.csv", TRADES, line(0, 1, "buy", "8531.5", "2152", exchange="bitmex", symbol="XBTUSD"))
    assert ["XBTUSD: contracts of bitmex are inverse; linear profit and loss does not hold."] == load(path).notes


@pytest.mark.parametrize(
    ("columns", "row", "detail"),
    [
        (TRADES, line(0, 1, "unknown", "100", "1"), "side 'unknown': expected buy or sell"),
        (TRADES, line(0, 1, "buy", "nan", "1"), "'nan' is not a decimal number"),
        (QUOTES, line(0, "x", "100.5", "100", "1"), "'x' is not a decimal number"),
        (snapshot_columns(5), snapshot(0, 5, size="inf"), "'inf' is not a decimal number"),
        (CHANGES, line(0, "false", "top", "100", "1"), "side 'top': expected bid or ask"),
        (CHANGES, line(0, "false", "bid", "1e", "1"), "'1e' is not a decimal number"),
    ],
)
def test_row_that_cannot_be_read_becomes_a_refusal(tmp_path, columns, row, detail):
    recording = load(file(tmp_path, "a.csv", columns, row))
    (refused,) = [event for event in recording.events if isinstance(event, MarketDataRefused)]
    assert "a.csv line 2" in refused.detail
    assert detail in refused.detail


def test_symbols_come_all_or_one(tmp_path):
    path = file(tmp_path, "a.csv", TRADES, line(0, 1, "buy", 1, 1), line(0, 2, "buy", 1, 1, symbol="ETHUSDT"))
    assert [TradePrinted] * 2 == [type(event) for event in load(path).events]
    assert {"ETHUSDT"} == {event.symbol for event in load(path, "ethusdt").events}
    with pytest.raises(DataInvalid, match="holds no coin 'SOL'; it holds BTCUSDT, ETHUSDT"):
        load(path, "SOL")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path, "no such file or folder"),
        (write, "wrong columns, expected those of book_snapshot_25"),
        (lambda path: write(path, "exchange,symbol,timestamp,local_timestamp,price"), "line 1: wrong columns"),
        (lambda path: write(path, ",".join(TRADES)), "holds no market data"),
        (lambda path: write(path, ",".join(TRADES), "a,b,soon,now,1,buy,1,1"), "line 2: time cannot be read"),
        (
            lambda path: cut(
                write(path, ",".join(TRADES), *(line(ms, ms, "buy", 100 + ms, 1) for ms in range(500))),
            ),
            r"compressed data is cut off after line \d+",
        ),
    ],
)
def test_file_that_cannot_be_used_ends_in_one_sentence(tmp_path, make, expected):
    with pytest.raises(DataInvalid, match=expected):
        load(make(tmp_path / "a.csv.gz"))


def test_folder_without_such_files_is_not_recognized(tmp_path):
    assert not recognizes(tmp_path)
