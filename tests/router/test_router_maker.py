"""The maker router finds the fewest actions, leaves orders in flight alone and never moves a wanted price."""

import pytest

from domain.errors import ConfigInvalid
from domain.identifiers import ClientOrderId
from domain.instrument import Instrument, perpetual
from domain.lifecycle import IN_FLIGHT, State
from domain.order import Quote, Side, WantedQuotes
from domain.units import RATE_UNIT, Lots, Price, Rate
from domain.views import MarketView, WorkingOrderView
from router.maker import BACK_OFF_TICKS_MAX, NOTHING, MakerSettings, Plan, backed_off, plan

# Four size decimals, two price decimals, five figures: around 1,000.00 the tick is 0.10, that is 10 price units.
ETH = perpetual("ETH", 1, 4, 25)
EXACT = MakerSettings(reprice_ticks=0, resize_share=Rate(0))
PATIENT = MakerSettings(reprice_ticks=2, resize_share=Rate(RATE_UNIT // 2))
BUY, SELL = Side.BUY, Side.SELL


def quote(price: int, lots: int = 100) -> Quote:
    return Quote(Price(price), Lots(lots))


def an_order(
    name: str, side: Side, price: int, lots: int = 100, *, filled: int = 0, state: State = State.OPEN
) -> WorkingOrderView:
    return WorkingOrderView(ClientOrderId(name), side, Price(price), Lots(lots), Lots(filled), state)


def a_market(bid: int = 99_990, ask: int = 100_010) -> MarketView:
    return MarketView("ETH", Price(bid), Lots(5), Price(ask), Lots(5), Price(0), Price(0), Rate(0), 1)


def planned(
    *orders: WorkingOrderView,
    bids: tuple[Quote, ...] = (),
    asks: tuple[Quote, ...] = (),
    settings: MakerSettings = EXACT,
    market: MarketView | None = None,
    instrument: Instrument = ETH,
) -> Plan:
    return plan(WantedQuotes("ETH", bids, asks), orders, instrument, settings, market or a_market())


def test_plan_places_what_is_missing_bids_first_best_first() -> None:
    todo = planned(bids=(quote(99_990), quote(99_980)), asks=(quote(100_010),))
    assert Plan(places=((BUY, quote(99_990)), (BUY, quote(99_980)), (SELL, quote(100_010)))) == todo


def test_plan_is_the_shared_empty_one_when_there_is_nothing_to_do() -> None:
    shown = (an_order("b", BUY, 99_990), an_order("a", SELL, 100_010))
    assert NOTHING is planned(*shown, bids=(quote(99_990),), asks=(quote(100_010),))
    assert NOTHING is planned()
    assert NOTHING is planned(
        an_order("old", BUY, 99_980), an_order("new", BUY, 99_990), bids=(quote(99_990), quote(99_980))
    )


def test_plan_cancels_everything_when_nothing_is_wanted() -> None:
    todo = planned(an_order("b", BUY, 99_990), an_order("a", SELL, 100_010, filled=40, state=State.PARTIALLY_FILLED))
    assert Plan(cancels=(ClientOrderId("b"), ClientOrderId("a"))) == todo


def test_plan_replaces_an_order_at_another_price() -> None:
    todo = planned(an_order("b", BUY, 99_900), bids=(quote(99_990),))
    assert Plan(replaces=((ClientOrderId("b"), quote(99_990)),)) == todo


def test_plan_changes_the_best_order_and_cancels_the_others() -> None:
    bids = planned(an_order("far", BUY, 98_000), an_order("near", BUY, 99_000), bids=(quote(99_990),))
    assert Plan(cancels=(ClientOrderId("far"),), replaces=((ClientOrderId("near"), quote(99_990)),)) == bids
    asks = planned(an_order("far", SELL, 102_000), an_order("near", SELL, 101_000), asks=(quote(100_010),))
    assert Plan(cancels=(ClientOrderId("far"),), replaces=((ClientOrderId("near"), quote(100_010)),)) == asks


def test_plan_keeps_the_older_of_two_orders_at_one_price() -> None:
    todo = planned(an_order("old", BUY, 99_990), an_order("young", BUY, 99_990), bids=(quote(99_990),))
    assert Plan(cancels=(ClientOrderId("young"),)) == todo


def test_plan_cancels_and_places_when_replacing_is_off() -> None:
    settings = MakerSettings(reprice_ticks=0, use_replace=False)
    todo = planned(an_order("b", BUY, 99_900), bids=(quote(99_990),), settings=settings)
    assert Plan(cancels=(ClientOrderId("b"),), places=((BUY, quote(99_990)),)) == todo


@pytest.mark.parametrize(("price", "keeps"), [(99_970, True), (99_969, False), (100_010, True), (100_011, False)])
def test_order_stays_while_its_price_is_within_the_hysteresis(price: int, keeps: bool) -> None:
    """Twenty ticks of 1; above 100,000 the tick is 10, but the wanted price decides."""
    settings = MakerSettings(reprice_ticks=20)
    todo = planned(an_order("b", BUY, price), bids=(quote(99_990),), settings=settings)
    assert keeps is (todo is NOTHING)


@pytest.mark.parametrize(("wanted", "keeps"), [(100_100, True), (100_110, False)])
def test_hysteresis_is_measured_in_ticks_of_the_wanted_price(wanted: int, keeps: bool) -> None:
    settings = MakerSettings(reprice_ticks=10)
    todo = planned(an_order("a", SELL, 100_000), asks=(quote(wanted),), settings=settings)
    assert keeps is (todo is NOTHING)


@pytest.mark.parametrize(("filled", "keeps"), [(0, True), (50, True), (51, False)])
def test_partly_filled_order_stays_while_enough_of_it_is_open(filled: int, keeps: bool) -> None:
    state = State.PARTIALLY_FILLED if filled else State.OPEN
    todo = planned(an_order("b", BUY, 99_990, filled=filled, state=state), bids=(quote(99_990),), settings=PATIENT)
    assert keeps is (todo is NOTHING)


def test_order_larger_than_wanted_is_resized_beyond_the_share() -> None:
    assert NOTHING is planned(an_order("b", BUY, 99_990, 150), bids=(quote(99_990),), settings=PATIENT)
    todo = planned(an_order("b", BUY, 99_990, 151), bids=(quote(99_990),), settings=PATIENT)
    assert Plan(replaces=((ClientOrderId("b"), quote(99_990)),)) == todo


def test_order_at_the_wanted_price_stays_there_rather_than_at_a_price_nearby() -> None:
    todo = planned(an_order("b", BUY, 99_989), bids=(quote(99_990), quote(99_989)), settings=PATIENT)
    assert Plan(places=((BUY, quote(99_990)),)) == todo


def test_ladder_that_moved_within_the_hysteresis_stays_as_it_is() -> None:
    orders = [an_order("1", BUY, 99_989), an_order("2", BUY, 99_988), an_order("3", BUY, 99_987)]
    bids = (quote(99_990), quote(99_989), quote(99_988))
    assert NOTHING is planned(*orders, bids=bids, settings=MakerSettings(reprice_ticks=1))


def test_orders_are_exchanged_between_levels_when_that_keeps_one_more() -> None:
    """Best first would give the large order the first level, for which the small one is the only other candidate."""
    orders = [an_order("large", BUY, 99_990, 140), an_order("small", BUY, 99_989, 60)]
    bids = (quote(99_990, 100), quote(99_989, 200))
    todo = planned(*orders, bids=bids, settings=MakerSettings(reprice_ticks=1))
    assert NOTHING is todo


@pytest.mark.parametrize("state", sorted(IN_FLIGHT))
def test_order_in_flight_is_left_alone_and_stands_for_one_wanted_quote(state: State) -> None:
    moving = an_order("b", BUY, 99_900, state=state)
    assert NOTHING is planned(moving, bids=(quote(99_990),))
    assert NOTHING is planned(moving)
    assert Plan(places=((BUY, quote(99_980)),)) == planned(moving, bids=(quote(99_990), quote(99_980)))


def test_order_in_flight_stands_for_the_quote_at_its_own_price() -> None:
    moving = an_order("b", BUY, 99_980, state=State.SUBMITTED)
    assert Plan(places=((BUY, quote(99_990)),)) == planned(moving, bids=(quote(99_990), quote(99_980)))


def test_cancel_in_flight_does_not_drive_out_the_order_that_shows_the_quote() -> None:
    leaving = an_order("old", BUY, 99_980, state=State.PENDING_CANCEL)
    assert NOTHING is planned(an_order("b", BUY, 99_990), leaving, bids=(quote(99_990),))


def test_orders_in_flight_stand_for_the_levels_that_open_orders_do_not_show() -> None:
    bids = (quote(99_990), quote(99_980), quote(99_970))
    open_ones = (an_order("1", BUY, 99_990), an_order("3", BUY, 99_970))
    assert NOTHING is planned(*open_ones, an_order("2", BUY, 99_900, state=State.PENDING_REPLACE), bids=bids)
    stray = an_order("stray", BUY, 99_900)
    todo = planned(stray, an_order("2", BUY, 99_980, state=State.SUBMITTED), bids=bids[:2])
    assert Plan(replaces=((ClientOrderId("stray"), quote(99_990)),)) == todo


def test_surplus_order_is_canceled_when_an_order_in_flight_stands_for_its_quote() -> None:
    moving = an_order("new", BUY, 99_990, state=State.SUBMITTED)
    assert Plan(cancels=(ClientOrderId("b"),)) == planned(an_order("b", BUY, 99_900), moving, bids=(quote(99_990),))


def test_quote_that_would_cross_is_left_out_and_counted_not_moved() -> None:
    assert Plan(crossing=1) == planned(bids=(quote(100_010),))
    assert Plan(crossing=1) == planned(asks=(quote(99_990),))
    todo = planned(bids=(quote(100_020), quote(99_990)), asks=(quote(100_030),))
    assert Plan(places=((BUY, quote(99_990)), (SELL, quote(100_030))), crossing=1) == todo


def test_order_is_canceled_when_its_quote_moved_across_the_market() -> None:
    assert Plan(cancels=(ClientOrderId("b"),), crossing=1) == planned(
        an_order("b", BUY, 99_900), bids=(quote(100_010),)
    )


def test_order_that_rests_at_the_wanted_price_stays_though_the_market_seems_to_cross_it() -> None:
    assert NOTHING is planned(an_order("b", BUY, 100_010), bids=(quote(100_010),))
    two = (quote(100_010), quote(99_990))
    assert Plan(places=((BUY, quote(99_990)),)) == planned(an_order("b", BUY, 100_010), bids=two)


def test_order_is_kept_for_a_quote_we_can_show_rather_than_for_one_left_out() -> None:
    bids = (quote(100_010), quote(100_000))
    settings = MakerSettings(reprice_ticks=1)
    todo = planned(an_order("b", BUY, 100_010), bids=bids, settings=settings)
    assert Plan(crossing=1) == todo


def test_order_in_flight_may_stand_for_a_quote_that_would_cross() -> None:
    moving = an_order("b", BUY, 100_000, state=State.SUBMITTED)
    assert NOTHING is planned(moving, bids=(quote(100_010),))
    both = planned(moving, an_order("idle", BUY, 90_000, state=State.UNKNOWN), bids=(quote(100_010), quote(100_020)))
    assert NOTHING is both
    assert Plan(crossing=1) == planned(moving, bids=(quote(100_010), quote(100_020)))


def test_nothing_crosses_while_the_other_side_is_unknown() -> None:
    todo = planned(bids=(quote(99_990),), asks=(quote(100_000),), market=a_market(bid=0, ask=0))
    assert Plan(places=((BUY, quote(99_990)), (SELL, quote(100_000)))) == todo


def test_ask_moves_first_when_the_bid_follows_onto_its_price() -> None:
    orders = (an_order("b", BUY, 99_000), an_order("a", SELL, 99_500))
    up = planned(*orders, bids=(quote(99_500),), asks=(quote(100_100),))
    assert (ClientOrderId("a"), ClientOrderId("b")) == tuple(order_id for order_id, _ in up.replaces)
    apart = planned(*orders, bids=(quote(99_100),), asks=(quote(100_100),))
    assert (ClientOrderId("b"), ClientOrderId("a")) == tuple(order_id for order_id, _ in apart.replaces)


def test_hysteresis_does_not_keep_an_ask_in_the_way_of_our_own_bid() -> None:
    settings = MakerSettings(reprice_ticks=20)
    lagging = an_order("a", SELL, 99_990)
    todo = planned(lagging, bids=(quote(99_990),), asks=(quote(100_000),), settings=settings)
    assert Plan(replaces=((ClientOrderId("a"), quote(100_000)),), places=((BUY, quote(99_990)),)) == todo
    assert NOTHING is planned(lagging, asks=(quote(100_000),), settings=settings)
    lagging_bid = an_order("b", BUY, 100_010)
    todo = planned(lagging_bid, bids=(quote(100_000),), asks=(quote(100_010),), settings=settings)
    assert Plan(replaces=((ClientOrderId("b"), quote(100_000)),), places=((SELL, quote(100_010)),)) == todo


def test_price_backs_off_one_tick_from_the_market_per_refusal() -> None:
    assert 100_010 == backed_off(BUY, Price(100_010), ETH, 0)
    assert [100_000, 99_999, 99_998] == [backed_off(BUY, Price(100_010), ETH, n) for n in (1, 2, 3)]
    assert [99_999, 100_000, 100_010] == [backed_off(SELL, Price(99_998), ETH, n) for n in (1, 2, 3)]


def test_price_backs_off_no_further_than_its_bounds() -> None:
    assert 1 == backed_off(BUY, Price(2), ETH, 5)
    assert 50_000 - BACK_OFF_TICKS_MAX == backed_off(BUY, Price(50_000), ETH, 10**9)


@pytest.mark.parametrize(("key", "value"), [("reprice_ticks", -1), ("resize_share", -1), ("resize_share", RATE_UNIT)])
def test_settings_name_the_key_that_cannot_be_used(key: str, value: int) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        MakerSettings(**{key: value}).validated()
    assert (key, value) == (refused.value.key, refused.value.value)


def test_settings_pass_as_they_come() -> None:
    assert MakerSettings() == MakerSettings().validated()
