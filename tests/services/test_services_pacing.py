"""Recorded and synthetic markets on the wall clock: order, distances, speed."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from domain.events import FeedLost, FeedRestored
from domain.units import NS_PER_SECOND, RATE_UNIT, Rate
from exchange.feeds.synthetic import SyntheticMarket
from services.venue_server.pacing import REAL_TIME, on_wall_clock
from tests.services.venue_doors import INSTRUMENTS, book

START_NS = 5_000 * NS_PER_SECOND


def at(*seconds):
    return [book(int(second * NS_PER_SECOND)) for second in seconds]


def seconds_of(events):
    return [(event.ts_event_ns - START_NS) / NS_PER_SECOND for event in events]


def test_recording_begins_now_and_keeps_its_distances():
    moved = list(on_wall_clock(at(100, 101, 103.5), START_NS))
    assert [0, 1, 3.5] == seconds_of(moved)
    assert all(event.ts_recv_ns == event.ts_event_ns for event in moved)


def test_speed_presses_and_stretches():
    assert [0, 0.5, 2] == seconds_of(on_wall_clock(at(1, 2, 5), START_NS, Rate(2 * RATE_UNIT)))
    assert [0, 2, 8] == seconds_of(on_wall_clock(at(1, 2, 5), START_NS, Rate(RATE_UNIT // 2)))


@given(st.lists(st.integers(0, 10**12), max_size=30), st.integers(1, 1000 * RATE_UNIT))
def test_order_is_kept_and_time_never_goes_back(times, speed):
    moved = list(
        on_wall_clock([book(ts_ns, bid=1_000_000 + n) for n, ts_ns in enumerate(times)], START_NS, Rate(speed))
    )
    assert [1_000_000 + n for n in range(len(times))] == [event.bids[0][0] for event in moved]
    stamps = [START_NS, *(event.ts_event_ns for event in moved)]
    assert stamps == sorted(stamps)


def test_what_only_our_line_knew_is_left_out():
    times = {"ts_event_ns": 1, "ts_recv_ns": 1, "symbol": "BTC"}
    events = [FeedLost(detail="outage", **times), *at(7), FeedRestored(**times)]
    assert [0] == seconds_of(on_wall_clock(events, START_NS))


def test_market_of_one_event_or_none_is_played():
    assert [] == list(on_wall_clock([], START_NS))
    assert [0] == seconds_of(on_wall_clock(at(9), START_NS))


def test_endless_market_is_read_only_as_far_as_it_is_asked_for():
    market = SyntheticMarket(INSTRUMENTS, 1, START_NS)
    played = list(islice(on_wall_clock(market, START_NS, REAL_TIME), 50))
    assert 50 == len(played)
    assert START_NS == played[0].ts_event_ns
