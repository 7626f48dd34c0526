"""Every importer against recorded data, with the row counts and traps its README states.

The data lies beside the checkout and is never copied; where it is missing these tests are skipped, with a word.
"""

from collections import Counter
from pathlib import Path

import pytest

from backtest.importers.layouts import detect, load
from domain.events import (
    BookChanged,
    FeedLost,
    MarkChanged,
    MarketDataRefused,
    TopOfBookChanged,
    TradePrinted,
)
from domain.order import Side
from domain.reasons import Reason
from exchange.feeds.recorded import Admission

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded market data is missing: no folder {DATA}"),
]


def read(place, coin=None):
    recording = load(DATA / place, coin)
    return recording, Counter((event.symbol, type(event)) for event in recording.events)


def admitted_events(recording):
    admission = Admission({instrument.symbol: instrument for instrument in recording.instruments})
    return [made for event in recording.events for made in admission.admit(event)], admission.counts


def assert_in_order(recording):
    times = [event.ts_event_ns for event in recording.events]
    assert sorted(times) == times


def share_at_the_market(events, symbol):
    """Share of trades that print at or through the best price in force just before, on the aggressor's side."""
    top, good, all_trades = None, 0, 0
    for event in events:
        if event.symbol != symbol:
            continue
        if isinstance(event, TopOfBookChanged):
            top = event
        elif isinstance(event, TradePrinted) and top is not None:
            all_trades += 1
            good += event.price >= top.ask_price if event.side is Side.BUY else event.price <= top.bid_price
    return good / all_trades


def test_hyperliquid_books_of_three_coins_have_the_rows_their_readme_states():
    recording, counts = read("hyperliquid/l2/2025-09-04")
    assert "hyperliquid_csv" == recording.layout
    assert {
        ("BTC", BookChanged): 3_785,
        ("SOL", BookChanged): 3_785,
        ("WLFI", BookChanged): 3_785,
        ("BTC", TradePrinted): 6_675,
        ("SOL", TradePrinted): 4_437,
        ("WLFI", TradePrinted): 2_563,
        ("BTC", TopOfBookChanged): 27_792 // 2,
        ("SOL", TopOfBookChanged): 26_422 // 2,
        ("WLFI", TopOfBookChanged): 17_706 // 2,
    } == counts
    assert_in_order(recording)
    events, refused = admitted_events(recording)
    assert {Reason.DUPLICATE_TRADE: 10 + 8} == refused
    table = {instrument.symbol: instrument for instrument in recording.instruments}
    assert all(
        table[event.symbol].is_on_grid(price)
        for event in events
        if isinstance(event, BookChanged)
        for price, _ in (*event.bids, *event.asks)
    )
    for symbol, share_min in (("BTC", 0.97), ("SOL", 0.98), ("WLFI", 0.92)):
        assert share_min < share_at_the_market(events, symbol) < 1
    assert 2 == len(recording.notes)
    assert "goes back at 2 places" in recording.notes[0]
    assert "2025-09-04 19:58:12 UTC" in recording.notes[1]


def test_hyperliquid_day_with_two_recorder_gaps_tells_of_both():
    recording, counts = read("hyperliquid/l2/2025-09-03")
    assert {("BTC", BookChanged): 446, ("BTC", TradePrinted): 1_497, ("BTC", TopOfBookChanged): 3_586 // 2} == counts
    assert {Reason.DUPLICATE_TRADE: 30} == admitted_events(recording)[1]
    assert ["249.7 s after 2025-09-03 12:57:27 UTC", "50.4 s after 2025-09-03 13:01:41 UTC"] == [
        note.removeprefix("Nothing was recorded for ").removesuffix(".") for note in recording.notes
    ]


def test_hyperliquid_best_prices_and_trades_have_their_rows():
    recording, counts = read("hyperliquid/bbo_trades")
    # 37,406 rows are 18,703 pairs; two of the windows were cut between the rows of a pair.
    assert {("BTC", TradePrinted): 9_706, ("BTC", TopOfBookChanged): 18_704} == counts
    assert_in_order(recording)
    assert "BTC: no order books, only best prices and trades." in recording.notes


def test_hyperliquid_websocket_messages_have_their_rows():
    recording, counts = read("hyperliquid/ws_raw")
    assert "hyperliquid_ws" == recording.layout
    assert 46 == counts[("BTC", BookChanged)]
    assert {BookChanged, TradePrinted} == {kind for _, kind in counts}
    assert not admitted_events(recording)[1]


def test_hyperliquid_message_samples_with_an_empty_book_and_a_one_sided_bbo_are_refused_where_wrong():
    recording, counts = read("hyperliquid/api/messages/ws_market_messages_2024-10_2025-06.jsonl")
    assert 1 == counts[("MOODENG", MarkChanged)]
    _, refused = admitted_events(recording)
    assert {Reason.BOOK_EMPTY: 1, Reason.BOOK_INVALID_LEVEL: 1} == refused
    assert "Spot markets are left out: @162." in recording.notes


def test_binance_futures_session_joins_snapshot_and_changes_without_a_gap():
    recording, counts = read("binance/ws_raw/usdm/btcusdt_20240808.gz")
    assert "binance_ws" == recording.layout
    assert (66_089, 21_313) == (counts[("BTCUSDT", TopOfBookChanged)], counts[("BTCUSDT", TradePrinted)])
    assert counts[("BTCUSDT", BookChanged)] > 6_000
    assert 0 == counts[("BTCUSDT", FeedLost)]
    assert "1.273 s are added to receive times" in recording.notes[0]
    assert_in_order(recording)
    events, refused = admitted_events(recording)
    assert not refused
    assert 10**6 == min(event.ts_recv_ns - event.ts_event_ns for event in recording.events)
    assert share_at_the_market(events, "BTCUSDT") > 0.95


def test_binance_futures_folder_carries_the_snapshot_over_midnight(tmp_path):
    for name in ("btcusdt_20230404.dat.gz", "btcusdt_20230405.dat.gz"):
        (tmp_path / name).symlink_to(DATA / "binance/ws_raw/usdm" / name)
    recording = load(tmp_path)
    counts = Counter(type(event) for event in recording.events)
    assert (6_765 + 37_440, 2_197 + 10_738 - 1, 99 + 415) == (
        counts[TopOfBookChanged],
        counts[TradePrinted],
        counts[MarkChanged],
    )
    assert 0 == counts[FeedLost] == counts[MarketDataRefused]
    assert counts[BookChanged] > 12_000
    assert not admitted_events(recording)[1]


def test_binance_spot_session_without_snapshot_gives_best_prices_only():
    recording, counts = read("binance/ws_raw/spot/btcusdt_20230405.dat.gz")
    assert {("BTCUSDT", TopOfBookChanged): 8_015, ("BTCUSDT", TradePrinted): 3_144} == counts
    assert any("no depth snapshot, so 3929 depth changes" in note for note in recording.notes)
    assert any("8015 messages carry no venue time" in note for note in recording.notes)


def test_standx_is_read_whole_and_its_locked_books_are_refused():
    recording, counts = read("standx/l2")
    assert {("BTC-USD", BookChanged): 66_206, ("BTC-USD", TradePrinted): 22_764} == counts
    _, refused = admitted_events(recording)
    assert {Reason.BOOK_CROSSED} == set(refused)
    assert 0.35 < refused[Reason.BOOK_CROSSED] / 66_206 < 0.60


def test_format_samples_of_other_venues_are_told_apart_and_read():
    for place, layout, rows in (
        ("tardis/binance-futures_book_snapshot_25_BTCUSDT.csv", "tardis_csv", 10),
        ("tardis/binance-futures_book_snapshot_5_BTCUSDT.csv", "tardis_csv", 10),
        ("tardis/bitmex_trades_XBTUSD.csv", "tardis_csv", 10),
        ("tardis/deribit_incremental_book_L2_BTC-PERPETUAL.csv", "tardis_csv", 1),
        ("binance/btcusdt-depth-snap.csv", "binance_csv", 1),
        ("bybit/xrpusdt-ob500.data.zip", "bybit_ob500", 50),
    ):
        path = DATA / "format_samples" / place
        assert layout == detect(path).name
        assert rows == len(load(path).events)


def test_binance_depth_files_of_different_minutes_do_not_join():
    recording, _ = read("format_samples/binance")
    assert [BookChanged, FeedLost] == [type(event) for event in recording.events]
    assert "BTCUSDT: depth changes are missing at 1 places; the book is lost there." in recording.notes
