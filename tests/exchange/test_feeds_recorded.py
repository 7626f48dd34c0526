"""Admission: what is refused and why, what is mended, and what a venue or a bot may rely on afterwards."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import (
    BookChanged,
    FeedLost,
    FeedRestored,
    MarkChanged,
    MarketDataRefused,
    TopOfBookChanged,
    TradePrinted,
)
from domain.instrument import perpetual
from domain.order import Side
from domain.reasons import Reason
from domain.units import NS_PER_SECOND
from exchange.feeds import recorded
from exchange.feeds.recorded import Admission, admitted, clock_shift_ns, with_clock_shift, with_feed_latency

BTC = perpetual("BTC", 0, 5, 40)
TABLE = {"BTC": BTC}
T = 1_757_000_000_000_000_000


def book(bids=((100, 5), (99, 5)), asks=((101, 5), (102, 5)), ts=T, recv=None, symbol="BTC"):
    return BookChanged(
        symbol=symbol, bids=bids, asks=asks, ts_event_ns=ts, ts_recv_ns=ts + 10 if recv is None else recv
    )


def top(bid=(100, 5), ask=(101, 5), ts=T, recv=None):
    return TopOfBookChanged(
        symbol="BTC",
        bid_price=bid[0],
        bid_lots=bid[1],
        ask_price=ask[0],
        ask_lots=ask[1],
        ts_event_ns=ts,
        ts_recv_ns=ts + 10 if recv is None else recv,
    )


def trade(price=100, lots=1, trade_id=1, ts=T, recv=None):
    return TradePrinted(
        symbol="BTC",
        price=price,
        lots=lots,
        side=Side.BUY,
        trade_id=trade_id,
        ts_event_ns=ts,
        ts_recv_ns=ts + 10 if recv is None else recv,
    )


def mark(price=100, oracle=100, rate=12_500, ts=T):
    return MarkChanged(
        symbol="BTC", mark_price=price, oracle_price=oracle, funding_rate=rate, ts_event_ns=ts, ts_recv_ns=ts + 10
    )


GOOD = [
    book(),
    top(),
    trade(),
    mark(),
    mark(price=0),
    FeedLost(symbol="", ts_event_ns=T, ts_recv_ns=T),
    FeedRestored(symbol="BTC", ts_event_ns=T, ts_recv_ns=T),
]
BAD = [
    (book(bids=((101, 5),)), Reason.BOOK_CROSSED, "bid 10.1, ask 10.1"),
    (book(bids=((102, 5),)), Reason.BOOK_CROSSED, "bid 10.2, ask 10.1"),
    (top(bid=(101, 5)), Reason.BOOK_CROSSED, "bid 10.1, ask 10.1"),
    (book(bids=()), Reason.BOOK_EMPTY, "no bids"),
    (book(asks=()), Reason.BOOK_EMPTY, "no asks"),
    (book(bids=(), asks=()), Reason.BOOK_EMPTY, "no bids and no asks"),
    (top(bid=(0, 0)), Reason.BOOK_EMPTY, "no bids"),
    (top(ask=(0, 0)), Reason.BOOK_EMPTY, "no asks"),
    (top(bid=(0, 5)), Reason.BOOK_INVALID_LEVEL, "bid of 5 lots at 0"),
    (book(bids=((100, 0),)), Reason.BOOK_INVALID_LEVEL, "bid of 0 lots at 10"),
    (book(bids=((100, -5),)), Reason.BOOK_INVALID_LEVEL, "bid of -5 lots at 10"),
    (book(bids=((-100, 5),)), Reason.BOOK_INVALID_LEVEL, "bid of 5 lots at -10"),
    (book(bids=((99, 5), (100, 5))), Reason.BOOK_INVALID_LEVEL, "bid of 5 lots at 10"),
    (book(bids=((100, 5), (100, 5))), Reason.BOOK_INVALID_LEVEL, "bid of 5 lots at 10"),
    (book(asks=((102, 5), (101, 5))), Reason.BOOK_INVALID_LEVEL, "ask of 5 lots at 10.1"),
    (book(asks=((101, -1),)), Reason.BOOK_INVALID_LEVEL, "ask of -1 lots at 10.1"),
    (book(asks=((0, 1),)), Reason.BOOK_INVALID_LEVEL, "ask of 1 lots at 0"),
    (trade(price=0), Reason.BOOK_INVALID_LEVEL, "trade of 1 lots at 0"),
    (trade(lots=-1), Reason.BOOK_INVALID_LEVEL, "trade of -1 lots at 10"),
    (mark(price=-1), Reason.BOOK_INVALID_LEVEL, "mark -0.1, oracle 10"),
    (mark(price=0, oracle=0), Reason.BOOK_INVALID_LEVEL, "mark 0, oracle 0"),
    (mark(rate=10**9), Reason.BOOK_INVALID_LEVEL, "funding rate 1000000000 beyond the venue's cap of 40000000"),
    (book(symbol="DOGE"), Reason.UNKNOWN_INSTRUMENT, "'DOGE' is not one of BTC"),
    (book(symbol=""), Reason.UNKNOWN_INSTRUMENT, "'' is not one of BTC"),
    (FeedLost(symbol="DOGE", ts_event_ns=T, ts_recv_ns=T), Reason.UNKNOWN_INSTRUMENT, "'DOGE' is not one of BTC"),
]


@pytest.mark.parametrize("event", GOOD)
def test_admission_lets_good_events_through_unchanged(event):
    assert [event] == list(admitted([event], TABLE))


@pytest.mark.parametrize(("event", "reason", "detail"), BAD)
def test_admission_puts_a_refusal_in_the_place_of_what_cannot_be_true(event, reason, detail):
    admission = Admission(TABLE)
    refused = MarketDataRefused(
        symbol=event.symbol,
        reason=reason,
        detail=detail,
        ts_event_ns=event.ts_event_ns,
        ts_recv_ns=event.ts_recv_ns,
    )
    assert (refused,) == admission.admit(event)
    assert {reason: 1} == admission.counts


def test_refusal_of_an_importer_passes_and_is_counted():
    refused = MarketDataRefused(
        symbol="BTC", reason=Reason.BOOK_INVALID_LEVEL, detail="line 7", ts_event_ns=T, ts_recv_ns=T
    )
    admission = Admission(TABLE)
    assert (refused,) == admission.admit(refused)
    assert {Reason.BOOK_INVALID_LEVEL: 1} == admission.counts


def test_trade_seen_twice_is_refused_the_second_time():
    first, again = admitted([trade(trade_id=9), trade(trade_id=9)], TABLE)
    assert isinstance(first, TradePrinted)
    assert (Reason.DUPLICATE_TRADE, "trade 9") == (again.reason, again.detail)


def test_trade_numbers_are_remembered_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(recorded, "TRADES_REMEMBERED", 2)
    numbers = [1, 2, 3, 1, 3]
    out = list(admitted([trade(trade_id=number) for number in numbers], TABLE))
    assert [True, True, True, True, False] == [isinstance(event, TradePrinted) for event in out]


def test_event_from_the_past_of_its_stream_takes_its_predecessors_time_and_that_is_said():
    before, said, mended = admitted([book(ts=T + 100), book(ts=T, recv=T + 200)], TABLE)
    assert T + 100 == before.ts_event_ns
    assert Reason.CLOCK_WENT_BACK == said.reason
    assert "BookChanged is 100 ns before its predecessor" == said.detail
    assert book(ts=T + 100, recv=T + 200) == mended


def test_streams_of_one_symbol_have_clocks_of_their_own():
    events = [book(ts=T + 100, recv=T + 200), trade(ts=T, recv=T + 200)]
    assert events == list(admitted(events, TABLE))


def test_receive_time_never_goes_back_and_is_never_before_venue_time():
    events = [trade(trade_id=1, recv=T + 500), trade(trade_id=2, recv=T + 400), trade(trade_id=3, ts=T + 900, recv=T)]
    assert [T + 500, T + 500, T + 900] == [event.ts_recv_ns for event in admitted(events, TABLE)]


def test_event_dated_far_ahead_of_its_arrival_does_not_carry_time_away():
    late = trade(trade_id=2, ts=T + 3_600 * NS_PER_SECOND, recv=T + 20)
    first, refused, last = admitted([trade(trade_id=1), late, trade(trade_id=3, recv=T + 30)], TABLE)
    assert T + 10 == first.ts_recv_ns
    assert (Reason.CLOCK_WENT_BACK, T + 20, T + 20) == (refused.reason, refused.ts_event_ns, refused.ts_recv_ns)
    assert T + 30 == last.ts_recv_ns


levels = st.lists(st.tuples(st.integers(-2, 12), st.integers(-1, 3)), max_size=3).map(tuple)
any_events = st.one_of(
    st.builds(book, bids=levels, asks=levels, ts=st.integers(T, T + 50), recv=st.integers(T - 5, T + 90)),
    st.builds(
        top,
        bid=st.tuples(st.integers(-1, 9), st.integers(0, 2)),
        ask=st.tuples(st.integers(0, 9), st.integers(0, 2)),
        ts=st.integers(T, T + 50),
        recv=st.integers(T - 5, T + 90),
    ),
    st.builds(
        trade,
        price=st.integers(-1, 3),
        lots=st.integers(-1, 3),
        trade_id=st.integers(1, 5),
        ts=st.integers(T, T + 50),
        recv=st.integers(T - 5, T + 90),
    ),
)


@settings(max_examples=300, deadline=None)
@given(events=st.lists(any_events, max_size=40))
def test_what_leaves_admission_is_true_in_order_and_counted(events):
    admission = Admission(TABLE)
    out = [made for event in events for made in admission.admit(event)]
    trades = [event.trade_id for event in out if isinstance(event, TradePrinted)]
    assert len(trades) == len(set(trades))
    for event in out:
        if isinstance(event, BookChanged):
            bids, asks = [price for price, _ in event.bids], [price for price, _ in event.asks]
            assert bids == sorted(set(bids), reverse=True)
            assert asks == sorted(set(asks))
            assert 0 < bids[-1] <= bids[0] < asks[0]
        elif isinstance(event, TopOfBookChanged):
            assert 0 < event.bid_price < event.ask_price
        assert event.ts_event_ns <= event.ts_recv_ns
    assert sorted(arrivals := [event.ts_recv_ns for event in out]) == arrivals
    for kind in (BookChanged, TopOfBookChanged, TradePrinted):
        times = [event.ts_event_ns for event in out if isinstance(event, kind)]
        assert sorted(times) == times
    refusals = Counter(event.reason for event in out if isinstance(event, MarketDataRefused))
    assert refusals == admission.counts
    assert len(out) == len(events) + admission.counts[Reason.CLOCK_WENT_BACK]
    good = [event for event in out if not isinstance(event, MarketDataRefused)]
    assert good == list(admitted(good, TABLE))


class Travel:
    def __init__(self, *times_ns):
        self.times_ns = list(times_ns)

    def sample(self):
        return self.times_ns.pop(0)


def test_feed_latency_replaces_the_recorded_line_and_nothing_overtakes():
    events = [trade(trade_id=1), trade(trade_id=2, ts=T + 5), trade(trade_id=3, ts=T + 50)]
    delayed = list(with_feed_latency(events, Travel(100, 10, 70)))
    assert [T + 100, T + 100, T + 120] == [event.ts_recv_ns for event in delayed]
    assert [T, T + 5, T + 50] == [event.ts_event_ns for event in delayed]


@pytest.mark.parametrize(("quickest", "shift"), [(5, 0), (0, 0), (-1_270, 1_270 + 1_000_000)])
def test_clock_is_put_forward_only_when_something_arrived_before_it_happened(quickest, shift):
    assert shift == clock_shift_ns(quickest)


def test_clock_shift_moves_receive_times_only():
    (moved,) = with_clock_shift([trade(recv=T - 100)], 150)
    assert (T, T + 50) == (moved.ts_event_ns, moved.ts_recv_ns)
