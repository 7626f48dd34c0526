"""Books rebuilt from changes: in sequence or not at all, whatever comes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.importers import depth as module
from backtest.importers.depth import LEVELS_SHOWN, DepthFeed, DepthSide
from domain.events import BookChanged, FeedLost, FeedRestored, TopOfBookChanged

BIDS, ASKS = ((100, 5), (99, 6)), ((101, 7), (102, 8))


def joined(last_id=10):
    feed = DepthFeed("X")
    feed.snapshot(last_id, BIDS, ASKS, 1, 2)
    return feed


def kinds(feed):
    return [type(event) for event in feed.events]


def test_snapshot_shows_the_best_levels_whatever_their_order():
    feed = DepthFeed("X")
    feed.snapshot(1, tuple(reversed(BIDS)), (*reversed(ASKS), (103, 0)), 1, 2)
    assert [BookChanged(symbol="X", bids=BIDS, asks=ASKS, ts_event_ns=1, ts_recv_ns=2)] == feed.events


def test_change_sets_adds_and_removes_levels():
    feed = joined()
    feed.change((11, 12, 10), ((100, 0), (98, 3)), ((101, 9),), 3, 4)
    assert ((99, 6), (98, 3)) == feed.events[-1].bids
    assert ((101, 9), (102, 8)) == feed.events[-1].asks


def test_change_out_of_sight_is_not_shown():
    feed = DepthFeed("X")
    many = tuple((1_000 - level, 1) for level in range(30))
    feed.snapshot(1, many, ASKS[:0] or ((2_000, 1),), 1, 1)
    feed.change((2, 2, 1), ((1_000 - 25, 7),), (), 2, 2)
    assert 1 == len(feed.events)
    assert LEVELS_SHOWN == len(feed.events[0].bids)


def test_removing_a_level_that_is_not_there_changes_nothing():
    feed = joined()
    feed.change((11, 11, 10), ((50, 0),), (), 3, 3)
    assert 1 == len(feed.events)


def test_changes_that_came_before_the_snapshot_are_joined_after_it():
    feed = DepthFeed("X")
    feed.change((5, 8, 4), ((100, 99),), (), 1, 1)
    feed.change((9, 12, 8), ((100, 77),), (), 2, 2)
    feed.change((13, 14, 12), ((99, 55),), (), 3, 3)
    feed.snapshot(10, BIDS, ASKS, 4, 4)
    assert ((100, 77), (99, 55)) == feed.events[-1].bids
    assert (0, 3) == (feed.gaps, feed.unjoined)
    assert ["X: 3 depth changes came while there was no book to join them to."] == feed.notes()


def test_change_already_in_the_snapshot_is_ignored():
    feed = joined(10)
    feed.change((9, 10, 8), ((100, 1),), (), 2, 2)
    assert [BookChanged] == kinds(feed)


def test_spot_changes_must_follow_by_their_first_number():
    feed = joined(10)
    feed.change((8, 12, None), ((100, 1),), (), 2, 2)
    feed.change((13, 14, None), ((100, 2),), (), 3, 3)
    assert [BookChanged] * 3 == kinds(feed)
    feed.change((16, 17, None), ((100, 3),), (), 4, 4)
    assert FeedLost == kinds(feed)[-1]
    assert "depth changes between 14 and 16 are missing" == feed.events[-1].detail


def test_gap_loses_the_feed_until_the_next_snapshot():
    feed = joined()
    feed.change((20, 21, 19), ((100, 1),), (), 5, 5)
    feed.change((22, 23, 21), ((100, 2),), (), 6, 6)
    assert [BookChanged, FeedLost] == kinds(feed)
    feed.snapshot(22, BIDS, ASKS, 7, 7)
    assert [BookChanged, FeedLost, FeedRestored, BookChanged] == kinds(feed)
    assert (100, 2) == feed.events[-1].bids[0]
    assert "X: depth changes are missing at 1 places; the book is lost there." in feed.notes()


def test_snapshot_older_than_the_waiting_changes_does_not_join_them():
    feed = DepthFeed("X")
    feed.change((20, 21, 19), ((100, 1),), (), 1, 1)
    feed.snapshot(10, BIDS, ASKS, 2, 2)
    assert not feed.is_joined
    assert BIDS == feed.events[-1].bids


def test_best_price_after_a_gap_is_all_that_is_known():
    feed = joined()
    feed.top((100, 1), (101, 1), 3, 3)
    feed.change((20, 21, 19), (), (), 5, 5)
    feed.top((98, 2), (99, 3), 6, 6)
    assert [BookChanged, TopOfBookChanged, FeedLost, FeedRestored, BookChanged, TopOfBookChanged] == kinds(feed)
    assert (((98, 2),), ((99, 3),)) == (feed.events[-2].bids, feed.events[-2].asks)


def test_changes_without_any_snapshot_come_to_nothing_and_that_is_said(monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 1)
    feed = DepthFeed("X")
    for number in range(1, 4):
        feed.change((number, number, number - 1), ((1, 1),), (), number, number)
    assert [] == feed.events
    assert ["X: no depth snapshot, so 3 depth changes cannot be joined to a book."] == feed.notes()


@settings(max_examples=200, deadline=None)
@given(
    sign=st.sampled_from([1, -1]),
    steps=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=60),
    count=st.integers(1, 10),
)
def test_side_agrees_with_a_plain_dictionary(sign, steps, count):
    side, twin = DepthSide(sign), {}
    for price, lots in steps:
        side.set(price, lots)
        if lots:
            twin[price] = lots
        else:
            twin.pop(price, None)
    assert tuple(sorted(twin.items(), reverse=sign > 0)[:count]) == side.best(count)
