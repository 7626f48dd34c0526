"""The synthetic market: the same every time, never a wrong book, trades that explain the book, moods on request."""

from collections import Counter
from itertools import islice, pairwise

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import ConfigInvalid
from domain.events import BookChanged, FeedLost, FeedRestored, MarkChanged, TopOfBookChanged, TradePrinted
from domain.instrument import Instrument, perpetual
from domain.order import Side
from domain.units import NS_PER_SECOND, Price, Rate
from exchange.feeds.chance import Chance
from exchange.feeds.ladder import Ladder
from exchange.feeds.recorded import Admission
from exchange.feeds.regimes import CALM, GAP, OUTAGE, REGIMES, TRENDING, VOLATILE, Regime
from exchange.feeds.synthetic import SyntheticMarket, SyntheticSettings, start_price

START_NS = 1_757_000_000_000_000_000
BTC = perpetual("BTC", 0, 5, 40)
SOL = perpetual("SOL", 5, 2, 20)
WLFI = perpetual("WLFI", 204, 0, 5)
COARSE = Instrument(symbol="COARSE", asset_id=9, size_decimals=0, price_decimals=0, significant_figures=0)
INSTRUMENTS = (BTC, SOL, WLFI)
STORM = tuple(
    msgspec.structs.replace(regime, weight=1, duration_mean_ns=2 * NS_PER_SECOND)
    for regime in (CALM, TRENDING, VOLATILE, GAP, OUTAGE)
)


def events_of(market, count):
    return list(islice(market, count))


def of_kind(events, kind, symbol=None):
    return [event for event in events if isinstance(event, kind) and symbol in {None, event.symbol}]


def test_market_is_the_same_for_the_same_seed_and_another_for_another():
    first = events_of(SyntheticMarket(INSTRUMENTS, 7, START_NS), 5_000)
    assert first == events_of(SyntheticMarket(INSTRUMENTS, 7, START_NS), 5_000)
    assert first != events_of(SyntheticMarket(INSTRUMENTS, 8, START_NS), 5_000)


def test_market_of_an_instrument_does_not_depend_on_its_neighbors():
    def prices(instruments):
        tops = of_kind(events_of(SyntheticMarket(instruments, 7, START_NS), 4_000), TopOfBookChanged, "BTC")
        return [(top.ts_event_ns, top.bid_price, top.ask_price) for top in tops[:500]]

    assert prices((BTC,)) == prices((BTC, SOL))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**63), regimes=st.sampled_from([REGIMES, STORM, (VOLATILE,), (GAP, OUTAGE)]))
def test_market_passes_admission_whole_whatever_the_seed(seed, regimes):
    """Nothing crossed, empty, repeated, out of order or back in time: admission has nothing to refuse."""
    instruments = (*INSTRUMENTS, COARSE)
    market = SyntheticMarket(instruments, seed, START_NS, regimes=regimes)
    admission = Admission({instrument.symbol: instrument for instrument in instruments})
    table = {instrument.symbol: instrument for instrument in instruments}
    before_ns = 0
    for event in islice(market, 3_000):
        assert (event,) == admission.admit(event)
        assert before_ns <= event.ts_event_ns <= event.ts_recv_ns
        before_ns = event.ts_event_ns
        if isinstance(event, BookChanged):
            assert all(table[event.symbol].is_on_grid(price) for price, _ in (*event.bids, *event.asks))
            assert len(event.asks) == 20
        elif isinstance(event, TopOfBookChanged):
            assert table[event.symbol].is_on_grid(event.bid_price)
            assert table[event.symbol].is_on_grid(event.ask_price)
    assert not admission.counts


def test_trades_take_only_what_the_best_price_showed_and_the_next_event_shows_the_rest():
    events = events_of(SyntheticMarket((SOL,), 11, START_NS, regimes=(CALM,)), 20_000)
    best: TopOfBookChanged | BookChanged | None = None
    traded = Counter()
    for event, after in pairwise(events):
        if isinstance(event, TradePrinted) and isinstance(best, TopOfBookChanged):
            traded[event.side] += 1
            assert after.ts_event_ns == event.ts_event_ns
            if isinstance(after, TopOfBookChanged) and after.bid_price == best.bid_price and event.side is Side.SELL:
                assert (event.price, best.bid_lots - event.lots) == (after.bid_price, after.bid_lots)
            if isinstance(after, TopOfBookChanged) and after.ask_price == best.ask_price and event.side is Side.BUY:
                assert (event.price, best.ask_lots - event.lots) == (after.ask_price, after.ask_lots)
        if isinstance(event, TopOfBookChanged):
            best = event
    assert min(traded[Side.BUY], traded[Side.SELL]) > 500


def test_best_price_changes_and_books_tell_one_story():
    events = events_of(SyntheticMarket((BTC,), 3, START_NS), 20_000)
    best = None
    compared = 0
    for event in events:
        if isinstance(event, TopOfBookChanged):
            best = event
        elif isinstance(event, BookChanged) and best is not None and best.ts_event_ns == event.ts_event_ns:
            compared += 1
            assert event.bids[0] == (best.bid_price, best.bid_lots)
            assert event.asks[0] == (best.ask_price, best.ask_lots)
    assert compared > 100


def test_every_instrument_gets_books_trades_marks_at_its_pace():
    events = events_of(SyntheticMarket(INSTRUMENTS, 1, START_NS, regimes=(CALM,)), 60_000)
    seconds = (events[-1].ts_event_ns - START_NS) / NS_PER_SECOND
    for instrument in INSTRUMENTS:
        books = of_kind(events, BookChanged, instrument.symbol)
        assert 1.5 < len(books) / seconds < 2.1
        assert 0.3 < len(of_kind(events, MarkChanged, instrument.symbol)) / seconds < 0.35
        assert len(of_kind(events, TradePrinted, instrument.symbol)) / seconds > 1
        assert instrument.notional(books[0].bids[0][0], books[0].bids[0][1]) > 0


def test_outage_says_so_stays_silent_and_comes_back_with_a_fresh_book():
    silence = msgspec.structs.replace(OUTAGE, duration_mean_ns=5 * NS_PER_SECOND)
    short = msgspec.structs.replace(CALM, duration_mean_ns=NS_PER_SECOND)
    events = events_of(SyntheticMarket((BTC,), 2, START_NS, regimes=(short, silence)), 20_000)
    lost = [place for place, event in enumerate(events) if isinstance(event, FeedLost)]
    assert len(lost) > 3
    for place in lost[:-1]:
        restored, book = events[place + 1], events[place + 2]
        assert isinstance(restored, FeedRestored)
        assert isinstance(book, BookChanged)
        assert restored.ts_event_ns > events[place].ts_event_ns


def test_gap_moves_the_price_further_than_a_calm_market_without_trading_on_the_way():
    def largest_move(regime):
        tops = of_kind(events_of(SyntheticMarket((BTC,), 4, START_NS, regimes=(regime,)), 8_000), TopOfBookChanged)
        return max(abs(after.bid_price - top.bid_price) for top, after in pairwise(tops))

    jumpy = msgspec.structs.replace(GAP, duration_mean_ns=NS_PER_SECOND)
    assert largest_move(jumpy) > 5 * largest_move(CALM)
    assert largest_move(jumpy) > 1_100_000 * 4 // 1_000


def test_trend_moves_further_than_calm_and_turns_home_in_the_end():
    strong = Regime(name="strong", weight=1, duration_mean_ns=20 * NS_PER_SECOND, drift=Rate(2_000_000))
    tops = of_kind(events_of(SyntheticMarket((BTC,), 6, START_NS, regimes=(strong,)), 60_000), TopOfBookChanged)
    furthest = max(abs(top.bid_price - 1_100_000) for top in tops)
    assert 110_000 < furthest < 1_100_000


def test_start_price_is_legal_and_can_be_chosen():
    unknown = perpetual("NOBODY", 77, 3, 5)
    assert 110_0000 == start_price(BTC)
    assert 100_000 == start_price(unknown)
    assert 500 == start_price(COARSE)
    market = SyntheticMarket((BTC,), 1, START_NS, start_prices={"BTC": Price(500_000)})
    assert abs(next(market).bids[0][0] - 500_000) < 1_000


def test_market_is_its_own_endless_iterator():
    market = SyntheticMarket((BTC,), 1, START_NS)
    assert iter(market) is market
    assert isinstance(next(market), BookChanged)
    assert START_NS == next(iter(SyntheticMarket((BTC,), 1, START_NS))).ts_event_ns


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (((), 1, START_NS), "instruments"),
        (((BTC, BTC), 1, START_NS), "each once"),
        (((BTC,), -1, START_NS), "seed"),
        (((BTC,), 1, -1), "start_ns"),
    ],
)
def test_market_refuses_what_it_cannot_open(arguments, expected):
    with pytest.raises(ConfigInvalid, match=expected):
        SyntheticMarket(*arguments)


def test_market_refuses_to_have_no_mood():
    with pytest.raises(ConfigInvalid, match="regimes"):
        SyntheticMarket((BTC,), 1, START_NS, regimes=())


@pytest.mark.parametrize("change", [{"depth": 1}, {"depth": 101}, {"action_interval_ns": 0}, {"latency_least_ns": -1}])
def test_settings_refuse_what_makes_no_market(change):
    with pytest.raises(ConfigInvalid, match="expected"):
        SyntheticSettings(**change)


@pytest.mark.parametrize(
    "change", [{"weight": 0}, {"spread": -1}, {"trade_share": 257}, {"jump": 600_000_000}, {"volatility": 60_000_000}]
)
def test_regime_refuses_what_makes_no_market(change):
    with pytest.raises(ValueError, match="regime"):
        Regime(**{"name": "odd", "weight": 1, "duration_mean_ns": 1} | change)


@given(seed=st.integers(0, 1_000), moves=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60)), max_size=60))
@settings(deadline=None)
def test_ladder_stays_a_book_whatever_is_done_to_it(seed, moves):
    ladder = Ladder(WLFI, Chance(seed, 0), 5, 60, 2)
    for move, amount in moves:
        side = 1 if amount % 2 else -1
        match move:
            case 0:
                ladder.follow(amount, 1)
            case 1:
                before = (ladder.asks if side > 0 else ladder.bids)[:]
                done = ladder.take(side, amount * 10**8)
                assert len(done) <= 5
                assert all(
                    price == at and lots <= shown for (price, lots), (at, shown) in zip(done[:-1], before, strict=False)
                )
            case 2:
                ladder.resize(side, 0)
            case 3:
                ladder.pull(side)
            case 4:
                ladder.improve(side)
            case _:
                ladder.lay(amount, 1)
        bids, asks = [price for price, _ in ladder.bids], [price for price, _ in ladder.asks]
        assert bids
        assert asks
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert 0 < bids[-1] <= bids[0] < asks[0]
        assert all(lots > 0 for _, lots in (*ladder.bids, *ladder.asks))
        assert max(len(bids), len(asks)) <= 5
