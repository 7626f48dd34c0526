"""The codec: exact integers or a reason, and the tolerant reader."""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from domain.events import BookChanged, MarkChanged, MarketDataRefused, TopOfBookChanged, TradePrinted
from domain.instrument import perpetual
from domain.order import FillCause
from domain.reasons import Reason
from domain.units import format_scaled
from exchange.hyperliquid.codec_account import (
    UnknownUpdate,
    account_read,
    fill_key,
    in_venue_order,
    order_filled,
    transfer_booked,
)
from exchange.hyperliquid.codec_market import book_changed, mark_changed, top_changed, trade_printed
from exchange.hyperliquid.codec_numbers import CACHED_MAX, Numbers, bounded, money, rate, rounded
from exchange.hyperliquid.codec_orders import Fate, fate_of, is_doubtful, reason_of_text
from exchange.hyperliquid.counters import NAMES_MAX, Counters, count
from exchange.hyperliquid.tolerance import LOOK_EVERY, Reader, unknown_keys
from exchange.hyperliquid.wire_account import ClearinghouseState, Fill, LedgerEntry
from exchange.hyperliquid.wire_market import BestPrices, Book, PerpContextPushed, Trade

ETH = perpetual("ETH", 1, 4, 25)
COINS = {"ETH": Numbers(ETH)}
US = "0x" + "ab" * 20
NOW = 1_757_000_000_000_000_000
TIME = NOW // 1_000_000


def level(price: str, size: str = "1.0") -> str:
    """Return one level."""
    return f'{{"px":"{price}","sz":"{size}","n":1}}'


def book(bids: str, asks: str, coin: str = "ETH", time: int = TIME) -> BookChanged | MarketDataRefused:
    """Return what becomes of a book."""
    text = f'{{"coin":"{coin}","time":{time},"levels":[[{bids}],[{asks}]]}}'
    return book_changed(msgspec.json.decode(text, type=Book), COINS, NOW)


def fill(**changes: object) -> Fill:
    """Return a fill of 0.1 ETH."""
    fields = {
        "coin": "ETH",
        "px": "2000.5",
        "sz": "0.1",
        "side": "B",
        "time": TIME,
        "startPosition": "0.30000000000000004",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0xaa",
        "oid": 5,
        "crossed": True,
        "fee": "-0.02",
        "tid": 7,
        "cloid": "0x" + "1" * 32,
    }
    return msgspec.convert(fields | changes, Fill)


def test_codec_reads_a_book_exactly() -> None:
    found = book(f"{level('2000.01', '0.0001')},{level('1999')}", level("2000.02", "12345.6789"))
    assert isinstance(found, BookChanged)
    assert found.bids == ((200_001, 1), (199_900, 10_000))
    assert found.asks == ((200_002, 123_456_789),)
    assert (found.ts_event_ns, found.ts_recv_ns) == (TIME * 1_000_000, NOW)


@pytest.mark.parametrize(
    ("bids", "asks", "coin", "time", "reason"),
    [
        (level("2000"), level("2000"), "ETH", TIME, Reason.BOOK_CROSSED),
        (level("2001"), level("2000"), "ETH", TIME, Reason.BOOK_CROSSED),
        ("", level("2000"), "ETH", TIME, Reason.BOOK_EMPTY),
        (level("2000"), "", "ETH", TIME, Reason.BOOK_EMPTY),
        (level("2000"), level("2001"), "XYZ", TIME, Reason.UNKNOWN_INSTRUMENT),
        (level("2000.001"), level("2001"), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("2000", "0.00001"), level("2001"), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("2000", "-1"), level("2001"), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("2000", "0.0"), level("2001"), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("1e3"), level("2001"), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("NaN"), level("2001"), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("2000"), level("9" * 24), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("2000"), level("9" * 300), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (f"{level('1999')},{level('2000')}", level("2001"), "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("2000"), f"{level('2001')},{level('2001')}", "ETH", TIME, Reason.BOOK_INVALID_LEVEL),
        (level("2000"), level("2001"), "ETH", TIME * 1_000, Reason.BOOK_INVALID_LEVEL),
        (level("2000"), level("2001"), "ETH", -1, Reason.BOOK_INVALID_LEVEL),
    ],
)
def test_codec_refuses_a_book_with_the_reason(bids: str, asks: str, coin: str, time: int, reason: Reason) -> None:
    found = book(bids, asks, coin, time)
    assert isinstance(found, MarketDataRefused)
    assert found.reason is reason
    assert len(found.detail) <= 200


def test_codec_reads_best_prices_with_an_empty_side() -> None:
    text = f'{{"coin":"ETH","time":{TIME},"bbo":[null,{level("2000.5")}]}}'
    found = top_changed(msgspec.json.decode(text, type=BestPrices), COINS, NOW)
    assert isinstance(found, TopOfBookChanged)
    assert (found.bid_price, found.bid_lots, found.ask_price, found.ask_lots) == (0, 0, 200_050, 10_000)


def test_codec_refuses_best_prices_of_which_nobody_knows_the_side() -> None:
    text = f'{{"coin":"ETH","time":{TIME},"bbo":[{level("2000.5")}]}}'
    assert isinstance(top_changed(msgspec.json.decode(text, type=BestPrices), COINS, NOW), MarketDataRefused)


def test_codec_reads_a_trade_and_a_mark() -> None:
    text = f'{{"coin":"ETH","side":"A","px":"2000.5","sz":"0.25","time":{TIME},"hash":"0x","tid":9}}'
    trade = trade_printed(msgspec.json.decode(text, type=Trade), COINS, NOW)
    assert isinstance(trade, TradePrinted)
    assert (trade.price, trade.lots, trade.side, trade.trade_id) == (200_050, 2_500, -1, 9)
    context = (
        '{"coin":"ETH","ctx":{"funding":"0.0000125049","openInterest":"1","prevDayPx":"1","dayNtlVlm":"1",'
        '"premium":null,"oraclePx":"2000.1","markPx":"2000.25"}}'
    )
    mark = mark_changed(msgspec.json.decode(context, type=PerpContextPushed), COINS, NOW)
    assert isinstance(mark, MarkChanged)
    assert (mark.mark_price, mark.oracle_price, mark.funding_rate) == (200_025, 200_010, 12_505)
    absurd = msgspec.json.decode(context.replace("0.0000125049", "0.5"), type=PerpContextPushed)
    assert isinstance(mark_changed(absurd, COINS, NOW), MarketDataRefused)


def test_codec_reads_a_fill_with_its_noise_rounded_away() -> None:
    fact = order_filled(fill(), COINS, US, NOW)
    assert (fact.price, fact.lots, fact.side, fact.fee) == (200_050, 1_000, 1, -2_000_000)
    assert (fact.start_position, fact.trade_id, fact.evidence, fact.cause) == (3_000, 7, "0xaa", FillCause.ORDER)
    assert fill_key(fill()) == (TIME, "ETH", 7)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"dir": "Auto-Deleveraging"}, FillCause.DELEVERAGING),
        ({"dir": "Liquidated Cross Long"}, FillCause.LIQUIDATION),
        ({"liquidation": {"liquidatedUser": US.upper(), "markPx": "1", "method": "market"}}, FillCause.LIQUIDATION),
        ({"liquidation": {"liquidatedUser": "0x00", "markPx": "1", "method": "market"}}, FillCause.ORDER),
    ],
)
def test_codec_tells_why_a_fill_happened(changes: dict[str, object], cause: FillCause) -> None:
    fact = order_filled(fill(**changes), COINS, US, NOW)
    assert fact.cause is cause
    assert bool(fact.client_order_id) == (cause is FillCause.ORDER)


def test_codec_books_no_fee_that_was_paid_in_another_token() -> None:
    assert order_filled(fill(feeToken="HYPE"), COINS, US, NOW).fee == 0


@given(st.permutations(range(6)), st.lists(st.integers(-500, 500).filter(bool), min_size=6, max_size=6))
def test_codec_finds_the_venue_order_of_fills_of_one_time(order: list[int], steps: list[int]) -> None:
    at, fills = 0, []
    for number, step in enumerate(steps):
        fills.append(
            fill(
                tid=number,
                startPosition=format_scaled(at, 4),
                sz=format_scaled(abs(step), 4),
                side="B" if step > 0 else "A",
            )
        )
        at += step
    found = in_venue_order([fills[one] for one in order], COINS)
    assert sorted(one.trade_id for one in found) == list(range(6))  # type: ignore[type-var]
    ends = [steps[int(one.trade_id)] for one in found]  # type: ignore[arg-type]
    starts = [COINS["ETH"].position(one.start_position) for one in found]
    if len({sum(steps[:at]) for at in range(7)}) == 7:
        assert [starts[0] + sum(ends[:at]) for at in range(6)] == starts


SEND = {"type": "send", "token": "USDC", "amount": "3.0", "usdcValue": "3.0", "fee": "1.0", "nonce": 1}
WITH_ID = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"


@pytest.mark.parametrize(
    ("delta", "amount"),
    [
        ({"type": "deposit", "usdc": "2703997.4500000002"}, 270_399_745_000_000),
        ({"type": "withdraw", "usdc": "5.0", "nonce": 1, "fee": "1.0"}, -600_000_000),
        ({"type": "accountClassTransfer", "usdc": "2.5", "toPerp": True}, 250_000_000),
        ({"type": "accountClassTransfer", "usdc": "2.5", "toPerp": False}, -250_000_000),
        ({"type": "internalTransfer", "usdc": "3.0", "user": US, "destination": "0x1", "fee": "1.0"}, -400_000_000),
        ({"type": "internalTransfer", "usdc": "3.0", "user": "0x1", "destination": US, "fee": "1.0"}, 300_000_000),
        ({"type": "subAccountTransfer", "usdc": "3.0", "user": "0x1", "destination": US.upper()}, 300_000_000),
        ({"type": "vaultWithdraw", "netWithdrawnUsd": "9.5", "requestedUsd": "10.0"}, 950_000_000),
        ({**SEND, "user": US, "destination": "0x1", "sourceDex": "", "destinationDex": ""}, -400_000_000),
        ({**SEND, "user": "0x1", "destination": US, "sourceDex": "", "destinationDex": ""}, 300_000_000),
        ({**SEND, "user": US, "destination": US, "sourceDex": "spot", "destinationDex": ""}, 300_000_000),
        ({**SEND, "user": US, "destination": US, "sourceDex": "", "destinationDex": "spot"}, -400_000_000),
        (
            {**SEND, "user": "0x1", "destination": US, "sourceDex": "", "destinationDex": "", "token": WITH_ID},
            300_000_000,
        ),
    ],
)
def test_codec_books_what_moved_cash(delta: dict[str, object], amount: int) -> None:
    entry = LedgerEntry(time=TIME, hash="0x1", delta=delta)
    fact = transfer_booked(entry, US, NOW)
    assert fact is not None
    assert fact.amount == amount


def test_codec_does_not_count_a_send_between_other_purses() -> None:
    for change in (
        {"token": "HYPE"},
        {"sourceDex": "spot", "destinationDex": "spot"},
        {"destination": "0x2", "user": "0x1"},
    ):
        delta = {**SEND, "user": US, "destination": US, "sourceDex": "spot", "destinationDex": "", **change}
        assert transfer_booked(LedgerEntry(time=TIME, hash="0x1", delta=delta), US, NOW) is None


def test_codec_takes_the_fee_of_a_fill_whole() -> None:
    # The builder's part is inside the fee, a rebate is a negative one, and noise is rounded away.
    assert order_filled(fill(fee="0.0375", builderFee="0.01"), COINS, US, NOW).fee == 3_750_000
    assert order_filled(fill(fee="-0.000311"), COINS, US, NOW).fee == -31_100
    assert order_filled(fill(fee="0.12000000000000001"), COINS, US, NOW).fee == 12_000_000


def test_codec_books_nothing_for_what_moves_other_things_and_does_not_guess() -> None:
    spot = LedgerEntry(time=TIME, hash="0x1", delta={"type": "spotTransfer", "token": "PURR", "amount": "1.0"})
    assert transfer_booked(spot, US, NOW) is None
    with pytest.raises(UnknownUpdate):
        transfer_booked(LedgerEntry(time=TIME, hash="0x1", delta={"type": "surprise"}), US, NOW)


def test_codec_refuses_a_state_without_a_time() -> None:
    sums = {"accountValue": "0", "totalNtlPos": "0", "totalRawUsd": "0", "totalMarginUsed": "0"}
    state = {"marginSummary": sums, "crossMarginSummary": sums, "withdrawable": "0", "assetPositions": []}
    with pytest.raises(ValueError, match="time"):
        account_read(msgspec.convert(state, ClearinghouseState), COINS)


def test_codec_reads_statuses_by_their_suffix_and_texts_by_their_prefix() -> None:
    assert fate_of("scheduledCancel") is Fate.CANCELED
    assert fate_of("anythingCanceled") is Fate.CANCELED
    assert fate_of("anythingRejected") is Fate.REJECTED
    assert fate_of("triggered") is Fate.LIVE
    assert fate_of("odd") is Fate.UNKNOWN
    assert reason_of_text("Price must be divisible by tick size. asset=4") is Reason.VENUE_TICK
    assert reason_of_text("Too many cumulative requests sent (2 > 1) for …") is Reason.RATE_BUDGET
    assert (
        reason_of_text("Error placing new order during modify: Insufficient margin to place order. asset=1")
        is Reason.VENUE_MARGIN
    )
    assert is_doubtful("Invalid nonce: duplicate nonce 1754922717871")
    assert not is_doubtful("Invalid nonce: nonce too low 1 < 2")


@given(st.integers(-(10**17), 10**17), st.integers(0, 8))
def test_numbers_come_back_as_they_were_written(value: int, decimals: int) -> None:
    assert bounded(format_scaled(value, decimals), decimals) == value
    assert rounded(format_scaled(value, decimals), decimals) == value


@given(st.integers(-(10**12), 10**12))
def test_numbers_are_rounded_half_away_from_zero(value: int) -> None:
    sign = 1 if value >= 0 else -1
    assert rounded(format_scaled(value, 10), 8) == sign * ((abs(value) + 50) // 100)


def test_numbers_keep_no_more_than_they_may() -> None:
    numbers = Numbers(ETH)
    for price in range(CACHED_MAX * 2):
        assert numbers.price(format_scaled(price, 2)) == price
    assert money("0.000000015") == 2
    assert rate("-0.0000104821") == -10_482


def test_reader_counts_unknown_keys_at_the_first_and_every_256th_read() -> None:
    counters = Counters()
    reader = Reader(counters)
    data = b'{"coin":"ETH","time":1,"levels":[[{"px":"1","sz":"1","n":1,"who":"x"}],[]],"new":{"a":1}}'
    for _ in range(LOOK_EVERY + 1):
        assert reader.read(data, Book, is_hot=True) is not None
    assert counters.unknown_fields == {"Book.levels.who": 2, "Book.new": 2}
    reader.read(data, Book)
    assert counters.unknown_fields["Book.new"] == 3


def test_reader_gives_none_for_what_it_cannot_read() -> None:
    counters = Counters()
    reader = Reader(counters)
    for data in (b"", b"<html>", b'{"coin":1}', b"\xff", b"[" * 100_000):
        assert reader.read(data, Book) is None
    assert counters.malformed == 5


def test_counters_keep_a_bounded_number_of_names() -> None:
    names: dict[str, int] = {}
    for number in range(NAMES_MAX * 3):
        count(names, f"{number}." + "x" * 100)
    assert len(names) == NAMES_MAX + 1
    assert max(map(len, names)) <= 80
    assert names["others"] == 2 * NAMES_MAX


def test_unknown_keys_names_what_was_dropped() -> None:
    assert unknown_keys({"a": 1, "b": [{"c": 1}, {"d": 2}]}, {"b": [{}, {"d": 2}]}) == [".a", ".b.c"]
