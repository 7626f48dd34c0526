"""Hyperliquid messages line by line, in all three spellings."""

import json

import pyarrow as pa
import pytest

from backtest.importers.hyperliquid_ws import load, recognizes
from domain.errors import DataInvalid
from domain.events import BookChanged, MarkChanged, MarketDataRefused, TopOfBookChanged, TradePrinted
from domain.order import Side
from domain.reasons import Reason
from exchange.hyperliquid.universe import UNIVERSE
from tests.backtest.importers_samples import START_MS, START_NS, book_message, cut, trade_message, write

CONTEXT = json.dumps(
    {
        "channel": "activeAssetCtx",
        "data": {"coin": "SOL", "ctx": {"funding": "0.0000125", "oraclePx": "200.05", "markPx": "200.123456"}},
    }
)
UNTIMED = "There are no receive times: venue times stand in for them."


def best_message(bbo, coin="SOL"):
    return json.dumps({"channel": "bbo", "data": {"coin": coin, "time": START_MS, "bbo": bbo}})


def at(ms, message):
    return f"{START_NS + ms * 10**6} {message}"


def test_lines_with_receive_times_become_events(tmp_path):
    best = [{"px": "200.0", "sz": "1.0", "n": 1}, {"px": "200.1", "sz": "2.0", "n": 1}]
    path = write(
        tmp_path / "sol.gz",
        at(30, book_message(0)),
        at(31, trade_message(0, side="A")),
        at(32, best_message(best)),
        at(33, CONTEXT),
        at(34, '{"channel": "pong"}'),
        at(35, '{"channel": "subscriptionResponse", "data": {"method": "subscribe"}}'),
    )
    assert recognizes(path)
    assert recognizes(tmp_path)
    recording = load(tmp_path)
    trade, book, top, mark = recording.events
    assert (Side.SELL, 2_001_000, 50, 1) == (trade.side, trade.price, trade.lots, trade.trade_id)
    assert (((2_000_000, 150),), ((2_001_000, 225),)) == (book.bids, book.asks)
    assert (2_000_000, 100, 2_001_000, 200) == (top.bid_price, top.bid_lots, top.ask_price, top.ask_lots)
    assert (2_001_235, 2_000_500, 12_500) == (mark.mark_price, mark.oracle_price, mark.funding_rate)
    assert [30, 31, 32, 33] == sorted((event.ts_recv_ns - START_NS) // 10**6 for event in recording.events)
    assert START_NS + 33 * 10**6 == mark.ts_event_ns
    assert (UNIVERSE["SOL"],) == recording.instruments
    assert [] == recording.notes


def test_bare_messages_take_venue_time_and_say_so(tmp_path):
    recording = load(write(tmp_path / "a.jsonl", book_message(0), CONTEXT, trade_message(5)))
    assert [BookChanged, MarkChanged, TradePrinted] == [type(event) for event in recording.events]
    assert all(event.ts_event_ns == event.ts_recv_ns for event in recording.events)
    assert [UNTIMED] == recording.notes


def test_message_without_any_time_is_left_out_and_said(tmp_path):
    recording = load(write(tmp_path / "a.jsonl", CONTEXT, book_message(0)))
    assert [BookChanged] == [type(event) for event in recording.events]
    assert "a.jsonl: a message of SOL without any time was left out." in recording.notes


def archived(ms, message, time="2025-09-04T15:33:20.123456789"):
    return json.dumps({"time": time, "ver_num": 1, "raw": json.loads(message), "ms": ms})


@pytest.mark.parametrize("ending", [".lz4", ".gz", ""])
def test_archive_lines_carry_the_recorders_clock(tmp_path, ending):
    path = tmp_path / f"SOL{ending}"
    lines = [archived(0, book_message(0)), archived(1, book_message(50), time="2025-09-04T15:33:21")]
    if ending == ".lz4":
        with pa.CompressedOutputStream(str(path), "lz4") as stream:
            stream.write(("\n".join(lines) + "\n").encode())
    else:
        write(path, *lines)
    assert recognizes(path)
    first, second = load(path).events
    assert START_NS + 123_456_789 == first.ts_recv_ns
    assert START_NS + 10**9 == second.ts_recv_ns


def test_spot_markets_are_left_out_and_said(tmp_path):
    path = write(
        tmp_path / "a", at(1, book_message(coin="@1")), at(1, book_message(coin="PURR/USDC")), at(1, book_message())
    )
    recording = load(path)
    assert {"SOL"} == {event.symbol for event in recording.events}
    assert ["Spot markets are left out: @1, PURR/USDC."] == recording.notes


def test_one_coin_of_several_is_chosen(tmp_path):
    path = write(tmp_path / "a", at(1, book_message(coin="BTC")), at(1, book_message()))
    assert {"BTC", "SOL"} == {event.symbol for event in load(path).events}
    assert {"BTC"} == {event.symbol for event in load(path, "btc").events}
    with pytest.raises(DataInvalid, match="holds no coin 'ETH'; it holds BTC, SOL"):
        load(path, "ETH")


def test_empty_side_of_the_best_prices_has_no_price(tmp_path):
    path = write(tmp_path / "a", at(1, best_message([None, {"px": "200.1", "sz": "2.0", "n": 1}])))
    (top,) = load(path).events
    assert isinstance(top, TopOfBookChanged)
    assert (0, 0, 2_001_000) == (top.bid_price, top.bid_lots, top.ask_price)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (book_message(bids=(("nan", "1"),)), "'nan' is not a decimal number"),
        (trade_message(side="X"), "side 'X': expected A or B"),
        (best_message([{"px": "1", "sz": "1", "n": 1}]), "bbo of 1 sides: expected 2"),
        ('{"channel": "l2Book", "data": {"coin": "SOL"}}', "missing required field `time`"),
        ('{"channel": "trades", "data": 7}', "Expected `array`, got `int`"),
        (CONTEXT.replace("0.0000125", "lots"), "'lots' is not a decimal number"),
    ],
)
def test_message_that_cannot_be_read_becomes_a_refusal(tmp_path, line, detail):
    recording = load(write(tmp_path / "a", at(1, book_message()), at(2, line), at(3, book_message())))
    (refused,) = [event for event in recording.events if isinstance(event, MarketDataRefused)]
    assert Reason.BOOK_INVALID_LEVEL == refused.reason
    assert "a line 2" in refused.detail
    assert detail in refused.detail


def too_short(path):
    return cut(write(path, *(at(number, book_message(number)) for number in range(500))))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path, "no such file or folder"),
        (write, "holds no market data"),
        (lambda path: write(path, '{"channel": "pong"}'), "holds no market data"),
        (too_short, r"compressed data is cut off after line \d+"),
        (lambda path: write(path, "x", at(1, book_message())), "line 1: not valid JSON"),
        (lambda path: write(path, "soon " + book_message()), "line 1: 'soon' is not a Unix time"),
        (lambda path: write(path, '{"method": "ping"}'), "line 1: Object missing required field `channel`"),
        (lambda path: write(path, archived(0, book_message(), time="noon")), "line 1: Invalid isoformat string"),
        (lambda path: write(path, archived(0, book_message(), time="2025-09-04T15:33:20.x")), "is not a time"),
        (lambda path: write(path, '{"time": 5, "raw": {}}'), "line 1: Expected `str`, got `int`"),
    ],
)
def test_file_that_cannot_be_used_ends_in_one_sentence(tmp_path, make, expected):
    path = make(tmp_path / "a.gz")
    with pytest.raises(DataInvalid, match=expected) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
