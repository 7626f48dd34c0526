"""The visible book: snapshots and best prices together, and what it cannot see."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.orderbook.book import UNSEEN, BookSide, VisibleBook
from tests.exchange.exchange_builders import book, top

BIDS = ((100, 5), (99, 6), (97, 7))


def bids(levels=BIDS) -> BookSide:
    side = BookSide(1)
    side.set_depth(levels)
    return side


def test_a_snapshot_shows_its_levels_the_gaps_between_and_nothing_beyond() -> None:
    side = bids()
    assert [0, 5, 6, 0, 7, UNSEEN] == [side.lots_at(price) for price in (101, 100, 99, 98, 97, 96)]
    assert list(BIDS) == list(side.levels())


def test_asks_mirror_bids() -> None:
    side = BookSide(-1)
    side.set_depth(((100, 5), (101, 6), (103, 7)))
    assert [0, 5, 6, 0, 7, UNSEEN] == [side.lots_at(price) for price in (99, 100, 101, 102, 103, 104)]
    side.set_top(102, 1)
    assert [0, 0, 1, 7] == [side.lots_at(price) for price in (100, 101, 102, 103)]
    assert [(102, 1), (103, 7)] == list(side.levels())


def test_a_worse_best_price_trims_what_it_passed() -> None:
    side = bids()
    side.set_top(98, 3)
    assert [0, 0, 3, 7] == [side.lots_at(price) for price in (100, 99, 98, 97)]
    assert [(98, 3), (97, 7)] == list(side.levels())


def test_a_better_best_price_leaves_the_depth_behind_it() -> None:
    side = bids()
    side.set_top(102, 1)
    assert [1, UNSEEN, 5, 6] == [side.lots_at(price) for price in (102, 101, 100, 99)]
    assert [(102, 1), *BIDS] == list(side.levels())


def test_levels_the_best_price_came_back_over_are_unseen_until_the_next_snapshot() -> None:
    side = bids()
    side.set_top(97, 4)
    side.set_top(100, 2)
    assert [2, UNSEEN, UNSEEN, 7] == [side.lots_at(price) for price in (100, 99, 98, 97)]
    assert [(100, 2), (97, 7)] == list(side.levels())
    side.set_depth(BIDS)
    assert 6 == side.lots_at(99)


def test_an_empty_side_shows_nothing_and_says_so() -> None:
    for side in (bids(), BookSide(1)):
        side.set_top(0, 0)
        assert [0, 0] == [side.lots_at(price) for price in (100, 50)]
        assert [] == list(side.levels())
    asks = BookSide(-1)
    asks.set_depth(())
    assert 0 == asks.lots_at(100)
    asks.set_top(100, 3)
    assert [3, UNSEEN] == [asks.lots_at(price) for price in (100, 101)]


def test_a_side_never_seen_says_nothing() -> None:
    assert UNSEEN == BookSide(1).lots_at(100)


def test_best_prices_alone_are_a_book_of_one_level() -> None:
    side = BookSide(1)
    side.set_top(100, 3)
    assert [0, 3, UNSEEN] == [side.lots_at(price) for price in (101, 100, 99)]
    assert [(100, 3)] == list(side.levels())


def test_both_streams_build_one_book() -> None:
    both = VisibleBook()
    assert 0 == both.mid_price
    both.take_book(book(0, [(100, 5)], [(102, 6), (103, 1)]))
    both.take_top(top(1, 101, 7, 103, 8))
    assert (101, 7, 103, 8, 102) == (both.bids.price, both.bids.lots, both.asks.price, both.asks.lots, both.mid_price)
    both.take_top(top(2, 101, 7, 0, 0))
    assert 0 == both.mid_price


LEVELS = st.dictionaries(st.integers(90, 110), st.integers(1, 9), max_size=6)
CHANGES = st.lists(st.one_of(st.tuples(st.integers(90, 110), st.integers(1, 9)), LEVELS), max_size=8)


@given(CHANGES, st.sampled_from([1, -1]))
def test_the_book_never_invents_lots(changes, sign: int) -> None:
    """Every level shown was told by the last snapshot or is the last best price; better levels are visibly empty."""
    side, snapshot, best = BookSide(sign), {}, None
    for change in changes:
        if isinstance(change, dict):
            snapshot = change
            levels = tuple(sorted(change.items(), key=lambda level: -level[0] * sign))
            side.set_depth(levels)
            best = levels[0] if levels else None
        else:
            best = change
            side.set_top(*change)
        shown = list(side.levels())
        assert shown == sorted(shown, key=lambda level: -level[0] * sign)
        assert shown[:1] == ([best] if best else [])
        for price in range(88, 113):
            lots = side.lots_at(price)
            if best and price == best[0]:
                assert lots == best[1]
            elif best is None or (price - best[0]) * sign > 0:
                assert lots == 0
            else:
                assert lots in {UNSEEN, 0, snapshot.get(price, 0)}
                assert lots in {0, UNSEEN} or (price, lots) in shown
