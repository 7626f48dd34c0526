"""StandX parquet: floats read exactly, a dirty feed left dirty."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.importers.standx_parquet import load, recognizes
from domain.errors import DataInvalid
from domain.events import BookChanged, MarketDataRefused, TradePrinted
from domain.order import Side
from domain.reasons import Reason
from exchange.feeds.recorded import admitted
from tests.backtest.importers_samples import START_NS, cut

START = datetime.fromtimestamp(START_NS / 10**9, tz=UTC)


def books(folder, *rows, name="orderbook_BTC-USD_2026-01-06_08.parquet", **changes):
    """Rows: (ms, bid prices, ask prices[, size[, is_valid]])."""
    made = [
        {
            "timestamp": START + timedelta(milliseconds=row[0]),
            "received_at": START + timedelta(milliseconds=row[0] + 350),
            "symbol": "BTC-USD",
            "bid_prices": row[1],
            "bid_quantities": [row[3] if len(row) > 3 else 0.1211] * len(row[1]),
            "ask_prices": row[2],
            "ask_quantities": [0.0002] * len(row[2]),
            "is_valid": row[4] if len(row) > 4 else True,
        }
        | changes
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(made), folder / name)
    return folder


def trades(folder, *rows, name="trades_BTC-USD_2026-01-06_08.parquet"):
    """Rows: (ms, price, quantity, side)."""
    made = [
        {
            "timestamp": START + timedelta(milliseconds=ms),
            "received_at": START + timedelta(milliseconds=ms + 350),
            "price": price,
            "quantity": quantity,
            "side": side,
        }
        for ms, price, quantity, side in rows
    ]
    pq.write_table(pa.Table.from_pylist(made), folder / name)
    return folder


def test_hours_become_books_and_trades_with_exact_numbers(tmp_path):
    books(tmp_path, (0, [93_274.0, 93_273.3], [93_274.1]))
    books(tmp_path, (3_600_000, [93_280.0], [93_281.0]), name="orderbook_BTC-USD_2026-01-06_09.parquet")
    trades(tmp_path, (0, 93_274.02, 0.01, "SELL"), (10, 93_274.1, 0.0001, "BUY"))
    trades(tmp_path, (3_600_001, 93_280.0, 0.5, "BUY"), name="trades_BTC-USD_2026-01-06_09.parquet")
    assert recognizes(tmp_path)
    recording = load(tmp_path)
    sold, book, bought, _, last = recording.events
    assert [TradePrinted, BookChanged, TradePrinted] == [type(event) for event in recording.events[:3]]
    assert (93_274_020, 100, Side.SELL, 1) == (sold.price, sold.lots, sold.side, sold.trade_id)
    assert ((93_274_000, 1_211), (93_273_300, 1_211)) == book.bids
    assert (Side.BUY, 2, 3) == (bought.side, bought.trade_id, last.trade_id)
    assert (START_NS, START_NS + 350 * 10**6) == (book.ts_event_ns, book.ts_recv_ns)
    (instrument,) = recording.instruments
    assert ("BTC-USD", 4, 3) == (instrument.symbol, instrument.size_decimals, instrument.price_decimals)
    assert "Trades carry no number of the venue; a count stands in for it." in recording.notes


def test_locked_books_come_out_and_admission_refuses_them(tmp_path):
    recording = load(books(tmp_path, (0, [93_274.0], [93_274.0])))
    assert [BookChanged] == [type(event) for event in recording.events]
    (refused,) = admitted(recording.events, {"BTC-USD": recording.instruments[0]})
    assert Reason.BOOK_CROSSED == refused.reason


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ((0, [float("nan")], [1.0]), "'nan' is not a decimal number"),
        ((0, [1.0], [2.0], float("inf")), "'inf' is not a decimal number"),
        ((0, [1.0], [2.0], 1.0, False), "the recorder itself calls it invalid"),
        ((0, [None], [2.0]), "'None' is not a decimal number"),
    ],
)
def test_book_that_cannot_be_read_becomes_a_refusal(tmp_path, row, detail):
    recording = load(books(tmp_path, (1, [1.0], [2.0]), row))
    (refused,) = [event for event in recording.events if isinstance(event, MarketDataRefused)]
    assert ("BTC-USD", START_NS) == (refused.symbol, refused.ts_event_ns)
    assert f"row 2: {detail}" in refused.detail


def test_book_whose_prices_and_sizes_differ_in_number_becomes_a_refusal(tmp_path):
    recording = load(books(tmp_path, (0, [1.0], [2.0]), bid_quantities=[1.0, 2.0]))
    assert [MarketDataRefused] == [type(event) for event in recording.events]


@pytest.mark.parametrize(("price", "side", "detail"), [(1.0, "HOLD", "side 'HOLD'"), (float("nan"), "BUY", "'nan'")])
def test_trade_that_cannot_be_read_becomes_a_refusal(tmp_path, price, side, detail):
    recording = load(trades(tmp_path, (0, price, 1.0, side), (1, 1.0, 1.0, "BUY")))
    assert [MarketDataRefused, TradePrinted] == [type(event) for event in recording.events]
    assert detail in recording.events[0].detail


def missing_columns(folder):
    pq.write_table(pa.table({"timestamp": [1], "price": [1.0]}), folder / "trades_X_2026-01-06_08.parquet")


def truncated(folder):
    books(folder, *((ms, [1.0], [2.0]) for ms in range(100)))
    cut(folder / "orderbook_BTC-USD_2026-01-06_08.parquet")


def empty(folder):
    (folder / "orderbook_BTC-USD_2026-01-06_08.parquet").touch()


def timeless(folder):
    books(folder, (0, [1.0], [2.0]), timestamp=None)


def textual_times(folder):
    books(folder, (0, [1.0], [2.0]), received_at="noon")


def textual_prices(folder):
    trades(folder, (0, "93274.02", 1.0, "BUY"))


def flat_prices(folder):
    books(folder, (0, [1.0], [2.0]), bid_prices=1.0)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (textual_prices, r"wrong columns \(price: expected floats\)"),
        (flat_prices, r"wrong columns \(bid_prices: expected floats\)"),
        (lambda folder: None, "holds no market data"),
        (missing_columns, r"wrong columns \(missing received_at, quantity, side\)"),
        (truncated, "not readable as parquet"),
        (empty, "not readable as parquet"),
        (timeless, "times are missing"),
        (textual_times, "times cannot be read"),
    ],
)
def test_folder_that_cannot_be_used_ends_in_one_sentence(tmp_path, make, expected):
    make(tmp_path)
    with pytest.raises(DataInvalid, match=expected) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_unknown_symbol_is_refused_and_those_there_are_named(tmp_path):
    with pytest.raises(DataInvalid, match="holds no coin 'SOL'; it holds BTC-USD"):
        load(books(tmp_path, (0, [1.0], [2.0])), "SOL")
